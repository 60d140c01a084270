/* SPDX-License-Identifier: MIT */
/*
 * pool.c: jobs on the thread pool, so many of them in flight: empty ones, and
 * ones that keep a thread busy for a microsecond.
 *
 * Invariant: a job is submitted again from its own callback until the batch is
 * through, and ran exactly once on a pool thread per submission.
 */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { JOBS = 2048, FLIGHTS = 3, SHORT_JOB_NS = 1000, LINE = 64 };

static const int64_t flights[FLIGHTS] = {1, 64, 1024};

/* What the loop's thread counts and what the pool's threads count lie in cache
 * lines of their own: the pool is measured, not the counters. */
struct pool {
  struct fixture fixture;
  uint64_t left; /* jobs of the batch still to submit */
  int refused;
  char pad[LINE];
  uint64_t busy; /* how long a job takes, ns */
  char pad_busy[LINE];
  atomic_uint_fast64_t worked; /* counted on the pool's threads */
  char pad_worked[LINE];
};

static uint64_t jobs(int64_t value) {
  (void)value;
  return JOBS;
}

static bool has_work(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_WORK);
}

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void keep_busy(uint64_t duration) {
  uint64_t begin = clock_ns();
  while (clock_ns() - begin < duration) {
  }
}

static void on_pool_thread(void *arg) {
  struct item *item = arg;
  struct pool *pool = (struct pool *)(void *)item->fixture;
  if (pool->busy) keep_busy(pool->busy);
  atomic_fetch_add_explicit(&pool->worked, 1, memory_order_relaxed);
}

static void on_worked(void *arg, int status);

static void submit(struct pool *pool, struct item *item) {
  const struct fixture *fixture = &pool->fixture;
  void *request = item_storage(item);
  pool->left--;
  pool->refused |= fixture->table->init(fixture->loop, fixture->kind, request,
                                        on_worked, item);
  pool->refused |= fixture->table->work_submit(request, on_pool_thread);
}

static void on_worked(void *arg, int status) {
  struct item *item = arg;
  struct pool *pool = (struct pool *)(void *)item->fixture;
  pool->fixture.fired++;
  pool->refused |= status;
  if (pool->left && !pool->refused) submit(pool, item);
}

static const char *open_pool(void **state, const void *subject,
                             int64_t flight) {
  struct pool *pool = calloc(1, sizeof *pool);
  if (!pool) return "out of memory";
  const char *error = fixture_open(&pool->fixture, subject, PL_KIND_WORK,
                                   (size_t)flight, on_worked);
  if (error)
    free(pool);
  else
    *state = pool;
  return error;
}

static const char *setup_work(void **state, const void *subject,
                              int64_t flight) {
  return open_pool(state, subject, flight);
}

static const char *setup_short(void **state, const void *subject,
                               int64_t flight) {
  const char *error = open_pool(state, subject, flight);
  if (!error) ((struct pool *)*state)->busy = SHORT_JOB_NS;
  return error;
}

static const char *teardown(void *state) {
  struct pool *pool = state;
  const char *error = fixture_close(&pool->fixture);
  free(pool);
  return error;
}

static const char *reset(void *state) {
  struct pool *pool = state;
  fixture_begin(&pool->fixture);
  atomic_store(&pool->worked, 0);
  pool->left = JOBS;
  return NULL;
}

static void run(void *state) {
  struct pool *pool = state;
  struct fixture *fixture = &pool->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    submit(pool, fixture_item(fixture, i));
  fixture->table->run(fixture->loop, PL_RUN_DEFAULT);
}

static const char *check_work(void *state) {
  struct pool *pool = state;
  if (pool->refused) return "a job was refused, cancelled or failed";
  if (pool->fixture.fired != JOBS) return "not every one came back once";
  if (atomic_load(&pool->worked) != JOBS) return "a job did not run once";
  return NULL;
}

const struct bench bench_pool_jobs = {
    .name = "loop/pool/jobs",
    .version = 2,
    .parameter = "flight",
    .values = flights,
    .value_count = FLIGHTS,
    .operations = jobs,
    .supports = has_work,
    .setup = setup_work,
    .reset = reset,
    .run = run,
    .check = check_work,
    .counters = fixture_counters,
    .teardown = teardown,
};

const struct bench bench_pool_short_jobs = {
    .name = "loop/pool/jobs-1us",
    .version = 2,
    .parameter = "flight",
    .values = flights,
    .value_count = FLIGHTS,
    .operations = jobs,
    .supports = has_work,
    .setup = setup_short,
    .reset = reset,
    .run = run,
    .check = check_work,
    .counters = fixture_counters,
    .teardown = teardown,
};

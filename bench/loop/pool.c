/* SPDX-License-Identifier: MIT */
/*
 * pool.c: empty jobs through the thread pool, so many of them in flight.
 *
 * Invariant: a job is submitted again from its own callback until the batch
 * is through; every job ran exactly once on a pool thread per submission.
 */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { JOBS = 2048 };

static const int64_t flights[] = {1, 64};

struct pool {
  struct fixture fixture;
  atomic_uint_fast64_t worked; /* counted on the pool's threads */
  uint64_t left;               /* jobs of the batch still to submit */
  int refused;
};

static uint64_t jobs(int64_t value) {
  (void)value;
  return JOBS;
}

static bool supports(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_WORK);
}

static void on_pool_thread(void *arg) {
  struct item *item = arg;
  struct pool *pool = (struct pool *)(void *)item->fixture;
  atomic_fetch_add_explicit(&pool->worked, 1, memory_order_relaxed);
}

static void on_worked(void *arg, int status);

static void submit(struct pool *pool, struct item *item) {
  const struct fixture *fixture = &pool->fixture;
  void *request = item_storage(item);
  pool->left--;
  pool->refused |= fixture->table->init(fixture->loop, PL_KIND_WORK, request,
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

static const char *setup(void **state, const void *subject, int64_t flight) {
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

static const char *check(void *state) {
  struct pool *pool = state;
  if (pool->refused) return "a job was refused or cancelled";
  if (pool->fixture.fired != JOBS) return "not every job came back once";
  if (atomic_load(&pool->worked) != JOBS) return "a job did not run once";
  return NULL;
}

const struct bench bench_pool_jobs = {
    .name = "loop/pool/jobs",
    .version = 1,
    .parameter = "flight",
    .values = flights,
    .value_count = 2,
    .operations = jobs,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = run,
    .check = check,
    .counters = fixture_counters,
    .teardown = teardown,
};

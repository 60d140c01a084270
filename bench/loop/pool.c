/* SPDX-License-Identifier: MIT */
/*
 * pool.c: requests, so many of them in flight: empty jobs on the thread pool,
 * and stat of the root directory, wherever the provider makes that.
 *
 * Invariant: a request is submitted again from its own callback until the
 * batch is through; a job ran exactly once on a pool thread per submission,
 * and every stat succeeded.
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

static bool has_work(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_WORK);
}

static bool has_stat(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_FS);
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
  pool->refused |= fixture->table->init(fixture->loop, fixture->kind, request,
                                        on_worked, item);
  if (fixture->kind == PL_KIND_WORK)
    pool->refused |= fixture->table->work_submit(request, on_pool_thread);
  else
    pool->refused |= fixture->table->stat_submit(request, "/");
}

static void on_worked(void *arg, int status) {
  struct item *item = arg;
  struct pool *pool = (struct pool *)(void *)item->fixture;
  pool->fixture.fired++;
  pool->refused |= status;
  if (pool->left && !pool->refused) submit(pool, item);
}

static const char *open_pool(void **state, const void *subject,
                             enum pl_kind kind, int64_t flight) {
  struct pool *pool = calloc(1, sizeof *pool);
  if (!pool) return "out of memory";
  const char *error =
      fixture_open(&pool->fixture, subject, kind, (size_t)flight, on_worked);
  if (error)
    free(pool);
  else
    *state = pool;
  return error;
}

static const char *setup_work(void **state, const void *subject,
                              int64_t flight) {
  return open_pool(state, subject, PL_KIND_WORK, flight);
}

static const char *setup_stat(void **state, const void *subject,
                              int64_t flight) {
  return open_pool(state, subject, PL_KIND_STAT, flight);
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

static const char *check_stat(void *state) {
  const struct pool *pool = state;
  if (pool->refused) return "a request was refused, cancelled or failed";
  return pool->fixture.fired == JOBS ? NULL : "not every one came back once";
}

static const char *check_work(void *state) {
  struct pool *pool = state;
  const char *error = check_stat(state);
  if (!error && atomic_load(&pool->worked) != JOBS)
    error = "a job did not run once";
  return error;
}

const struct bench bench_pool_jobs = {
    .name = "loop/pool/jobs",
    .version = 1,
    .parameter = "flight",
    .values = flights,
    .value_count = 2,
    .operations = jobs,
    .supports = has_work,
    .setup = setup_work,
    .reset = reset,
    .run = run,
    .check = check_work,
    .counters = fixture_counters,
    .teardown = teardown,
};

const struct bench bench_fs_stat = {
    .name = "loop/fs/stat",
    .version = 1,
    .parameter = "flight",
    .values = flights,
    .value_count = 2,
    .operations = jobs,
    .supports = has_stat,
    .setup = setup_stat,
    .reset = reset,
    .run = run,
    .check = check_stat,
    .counters = fixture_counters,
    .teardown = teardown,
};

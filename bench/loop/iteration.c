/* SPDX-License-Identifier: MIT */
/*
 * iteration.c: what one turn of the loop costs when there is nothing to do.
 *
 * Invariant: an idle and a check handle are called once in every turn; with
 * fds:1 a poll handle watches a pipe in which nothing ever arrives.
 */
#include "fixture.h"

#include <stdlib.h>
#include <unistd.h>

enum { TURNS = 1000 };

static const int64_t fds[] = {0, 1};

struct iteration {
  struct fixture idle; /* the loop and its idle handle */
  void *check, *poll;  /* handles in the same loop */
  uint64_t checked, polled;
  int pipe[2];
};

static uint64_t turns(int64_t value) {
  (void)value;
  return TURNS;
}

static bool supports(const void *subject, int64_t value) {
  return library_has(subject, CAP_WATCHER) &&
         (value == 0 || library_has(subject, CAP_POLL));
}

static void on_idle(void *arg, int status) {
  (void)status;
  item_in_order(arg);
}

static void on_count(void *arg, int status) {
  (void)status;
  ++*(uint64_t *)arg;
}

/* An object of `kind` in the fixture's loop; NULL when it cannot be made. */
static void *new_handle(const struct fixture *fixture, enum pl_kind kind,
                        uint64_t *count) {
  void *handle = calloc(1, fixture->table->size_of(kind));
  if (handle &&
      fixture->table->init(fixture->loop, kind, handle, on_count, count) != 0) {
    free(handle);
    handle = NULL;
  }
  return handle;
}

static const char *start_watchers(struct iteration *it, int64_t value) {
  const struct pl_loop_table *table = it->idle.table;
  it->check = new_handle(&it->idle, PL_KIND_CHECK, &it->checked);
  if (!it->check) return "a check handle could not be made";
  if (table->watcher_start(it->check) != 0 ||
      table->watcher_start(item_storage(fixture_item(&it->idle, 0))) != 0)
    return "a watcher could not be started";
  if (value == 0) return NULL;
  if (pipe(it->pipe) != 0) return "pipe() failed";
  it->poll = new_handle(&it->idle, PL_KIND_POLL, &it->polled);
  if (!it->poll) return "a poll handle could not be made";
  if (table->poll_start(it->poll, it->pipe[0], PL_POLL_READABLE) != 0)
    return "a poll handle could not be started";
  return NULL;
}

static const char *teardown(void *state) {
  struct iteration *it = state;
  if (it->check) fixture_end(&it->idle, it->check);
  if (it->poll) fixture_end(&it->idle, it->poll);
  const char *error = fixture_close(&it->idle);
  for (int i = 0; i < 2; i++)
    if (it->pipe[i] >= 0) close(it->pipe[i]);
  free(it->check);
  free(it->poll);
  free(it);
  return error;
}

static const char *setup(void **state, const void *subject, int64_t value) {
  struct iteration *it = calloc(1, sizeof *it);
  if (!it) return "out of memory";
  it->pipe[0] = it->pipe[1] = -1;
  const char *error =
      fixture_open(&it->idle, subject, PL_KIND_IDLE, 1, on_idle);
  if (error) {
    free(it);
    return error;
  }
  error = start_watchers(it, value);
  if (error)
    teardown(it);
  else
    *state = it;
  return error;
}

static const char *reset(void *state) {
  struct iteration *it = state;
  fixture_begin(&it->idle);
  it->checked = 0;
  return NULL;
}

static void run(void *state) {
  struct iteration *it = state;
  const struct fixture *fixture = &it->idle;
  for (int i = 0; i < TURNS; i++)
    fixture->table->run(fixture->loop, PL_RUN_NOWAIT);
}

static const char *check(void *state) {
  const struct iteration *it = state;
  if (it->idle.fired != TURNS || it->checked != TURNS)
    return "idle and check handles were not called once per turn";
  return it->polled ? "the poll handle was called" : NULL;
}

const struct bench bench_iteration = {
    .name = "loop/iteration/empty",
    .version = 1,
    .parameter = "fds",
    .values = fds,
    .value_count = 2,
    .operations = turns,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = run,
    .check = check,
    .counters = fixture_counters,
    .teardown = teardown,
};

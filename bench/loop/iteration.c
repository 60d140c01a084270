/* SPDX-License-Identifier: MIT */
/*
 * iteration.c: what one turn of the loop costs when there is nothing to do.
 *
 * Invariants:
 *  - "empty": an idle and a check handle are called once in every turn; with
 *    fds:n so many poll handles watch eventfds in which nothing ever arrives.
 *  - "wake-up": nothing is active but an async handle that nobody sends, so
 *    nothing is called at all, and nothing but a wake-up can be ready.
 */
#include "fixture.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TURNS = 1000, MOST_FDS = 100 };

static const int64_t fds[] = {0, 1, MOST_FDS};

struct iteration {
  struct fixture idle; /* the loop and its idle handle */
  void *check;         /* handles in the same loop */
  void *polls[MOST_FDS];
  int fds[MOST_FDS];
  int64_t count;
  uint64_t checked, polled;
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

static const char *start_poll(struct iteration *it, int64_t index) {
  it->fds[index] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (it->fds[index] < 0) return "eventfd() failed";
  void *poll = new_handle(&it->idle, PL_KIND_POLL, &it->polled);
  it->polls[index] = poll;
  if (!poll) return "a poll handle could not be made";
  if (it->idle.table->poll_start(poll, it->fds[index], PL_POLL_READABLE) != 0)
    return "a poll handle could not be started";
  return NULL;
}

static const char *start_watchers(struct iteration *it, int64_t value) {
  const struct pl_loop_table *table = it->idle.table;
  it->check = new_handle(&it->idle, PL_KIND_CHECK, &it->checked);
  if (!it->check) return "a check handle could not be made";
  if (table->watcher_start(it->check) != 0 ||
      table->watcher_start(item_storage(fixture_item(&it->idle, 0))) != 0)
    return "a watcher could not be started";
  for (; it->count < value; it->count++) {
    const char *error = start_poll(it, it->count);
    if (error) return error;
  }
  return NULL;
}

static const char *teardown(void *state) {
  struct iteration *it = state;
  if (it->check) fixture_end(&it->idle, it->check);
  for (int i = 0; i < MOST_FDS; i++)
    if (it->polls[i]) fixture_end(&it->idle, it->polls[i]);
  const char *error = fixture_close(&it->idle);
  for (int i = 0; i < MOST_FDS; i++) {
    if (it->fds[i] >= 0) close(it->fds[i]);
    free(it->polls[i]);
  }
  free(it->check);
  free(it);
  return error;
}

static const char *setup(void **state, const void *subject, int64_t value) {
  struct iteration *it = calloc(1, sizeof *it);
  if (!it) return "out of memory";
  for (int i = 0; i < MOST_FDS; i++)
    it->fds[i] = -1;
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
    .value_count = 3,
    .operations = turns,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = run,
    .check = check,
    .counters = fixture_counters,
    .teardown = teardown,
};

/* -- nothing but a wake-up ------------------------------------------------ */

static bool has_async(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_ASYNC) && library_has(subject, CAP_RUN);
}

static const char *asleep_setup(void **state, const void *subject,
                                int64_t value) {
  (void)value;
  struct fixture *fixture = malloc(sizeof *fixture);
  if (!fixture) return "out of memory";
  const char *error = fixture_open(fixture, subject, PL_KIND_ASYNC, 1, on_idle);
  if (error)
    free(fixture);
  else
    *state = fixture;
  return error;
}

static const char *asleep_reset(void *state) {
  fixture_begin(state);
  return NULL;
}

static void asleep_run(void *state) {
  const struct fixture *fixture = state;
  for (int i = 0; i < TURNS; i++)
    fixture->table->run(fixture->loop, PL_RUN_NOWAIT);
}

/* A wake-up still is heard. */
static const char *asleep_check(void *state) {
  struct fixture *fixture = state;
  if (fixture->fired) return "a callback came from nowhere";
  fixture->table->async_send(item_storage(fixture_item(fixture, 0)));
  fixture->table->run(fixture->loop, PL_RUN_NOWAIT);
  return fixture->fired == 1 ? NULL : "a wake-up was not heard";
}

static const char *asleep_teardown(void *state) {
  const char *error = fixture_close(state);
  free(state);
  return error;
}

const struct bench bench_iteration_asleep = {
    .name = "loop/iteration/wake-up",
    .version = 1,
    .operations = turns,
    .supports = has_async,
    .setup = asleep_setup,
    .reset = asleep_reset,
    .run = asleep_run,
    .check = asleep_check,
    .teardown = asleep_teardown,
};

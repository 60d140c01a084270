/* SPDX-License-Identifier: MIT */
/*
 * async.c: wake-ups from the loop's own thread.
 *
 * Invariant: "wake" delivers every send by a turn of its own; "among" does so
 * to one of n handles, another one each time; "coalesced" sends a thousand
 * times and is called once. (wakeup.c wakes a thread that sleeps.)
 */
#include "fixture.h"

#include <stdlib.h>

enum { SENDS = 1000, FEW_SENDS = 50, MANY = 1000 };

static const int64_t handles[] = {1, 100, 10000};

static uint64_t sends(int64_t value) {
  (void)value;
  return SENDS;
}

static bool supports(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_ASYNC);
}

static void on_wake(void *arg, int status) {
  (void)status;
  item_in_order(arg);
}

static const char *setup_many(void **state, const void *subject,
                              int64_t count) {
  struct fixture *fixture = malloc(sizeof *fixture);
  if (!fixture) return "out of memory";
  const char *error =
      fixture_open(fixture, subject, PL_KIND_ASYNC, (size_t)count, on_wake);
  if (error)
    free(fixture);
  else
    *state = fixture;
  return error;
}

static const char *setup(void **state, const void *subject, int64_t value) {
  (void)value;
  return setup_many(state, subject, 1);
}

static const char *teardown(void *state) {
  const char *error = fixture_close(state);
  free(state);
  return error;
}

static const char *reset(void *state) {
  fixture_begin(state);
  return NULL;
}

static void wake_run(void *state) {
  struct fixture *fixture = state;
  void *async = item_storage(fixture_item(fixture, 0));
  for (int i = 0; i < SENDS; i++) {
    fixture->table->async_send(async);
    fixture->table->run(fixture->loop, PL_RUN_NOWAIT);
  }
}

static const char *wake_check(void *state) {
  const struct fixture *fixture = state;
  return fixture->fired == SENDS ? NULL
                                 : "a send was not delivered by its turn";
}

/* Whoever walks all handles needs long for many. */
static uint64_t among_sends(int64_t count) {
  return count < MANY ? SENDS : FEW_SENDS;
}

static const char *among_reset(void *state) {
  struct fixture *fixture = state;
  fixture_begin(fixture);
  uint64_t random = 88172645463325252u;
  for (size_t i = 0; i < SENDS && i < fixture->count; i++)
    fixture_item(fixture, i)->key = next_random(&random, fixture->count) - 1;
  return NULL;
}

static void among_run(void *state) {
  struct fixture *fixture = state;
  uint64_t count = among_sends((int64_t)fixture->count);
  for (uint64_t i = 0; i < count; i++) {
    size_t which = fixture_item(fixture, i % fixture->count)->key;
    fixture->table->async_send(item_storage(fixture_item(fixture, which)));
    fixture->table->run(fixture->loop, PL_RUN_NOWAIT);
  }
}

static const char *among_check(void *state) {
  const struct fixture *fixture = state;
  return fixture->fired == among_sends((int64_t)fixture->count)
             ? NULL
             : "a send was not delivered by its turn";
}

static void coalesced_run(void *state) {
  struct fixture *fixture = state;
  void *async = item_storage(fixture_item(fixture, 0));
  for (int i = 0; i < SENDS; i++)
    fixture->table->async_send(async);
  fixture->table->run(fixture->loop, PL_RUN_NOWAIT);
}

static const char *coalesced_check(void *state) {
  const struct fixture *fixture = state;
  return fixture->fired == 1 ? NULL
                             : "the sends did not coalesce into one call";
}

const struct bench bench_async_wake = {
    .name = "loop/async/wake",
    .version = 1,
    .operations = sends,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = wake_run,
    .check = wake_check,
    .counters = fixture_counters,
    .teardown = teardown,
};

const struct bench bench_async_coalesced = {
    .name = "loop/async/coalesced",
    .version = 1,
    .operations = sends,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = coalesced_run,
    .check = coalesced_check,
    .counters = fixture_counters,
    .teardown = teardown,
};

const struct bench bench_async_among = {
    .name = "loop/async/among",
    .version = 1,
    .parameter = "handles",
    .values = handles,
    .value_count = 3,
    .operations = among_sends,
    .supports = supports,
    .setup = setup_many,
    .reset = among_reset,
    .run = among_run,
    .check = among_check,
    .counters = fixture_counters,
    .teardown = teardown,
};

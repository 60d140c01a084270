/* SPDX-License-Identifier: MIT */
/*
 * async.c: wake-ups from the loop's own thread.
 *
 * Invariant: "wake" delivers every send by a turn of its own; "coalesced"
 * sends a thousand times and is called once. Waking a thread that sleeps is
 * not measured: on a virtual machine that measures the machine.
 */
#include "fixture.h"

#include <stdlib.h>

enum { SENDS = 1000 };

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

static const char *setup(void **state, const void *subject, int64_t value) {
  (void)value;
  struct fixture *fixture = malloc(sizeof *fixture);
  if (!fixture) return "out of memory";
  const char *error = fixture_open(fixture, subject, PL_KIND_ASYNC, 1, on_wake);
  if (error)
    free(fixture);
  else
    *state = fixture;
  return error;
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

/* SPDX-License-Identifier: MIT */
/*
 * lateness.c: how late timers come that are due one after the other.
 *
 * Invariant: the schedule is open: when a timer is meant to fire was settled
 * before the batch began, and a late one does not move the next. Lateness
 * counts from there, in real time. A timer may not come early; but a loop's
 * clock may lag by a tick of the kernel, and is forgiven so much.
 */
#include "timers.h"

#include <stdlib.h>
#include <time.h>

enum { SHOTS = 40, EARLY_NS = 10000000 };

static const int64_t gaps[] = {1, 2}; /* milliseconds between two */

struct lateness {
  struct timers timers;
  int64_t gap;
  int64_t begun;        /* the batch's, nanoseconds */
  int64_t fired[SHOTS]; /* since then, by index */
  bool early;
};

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t shots(int64_t gap) {
  (void)gap;
  return SHOTS;
}

static bool supports(const void *subject, int64_t gap) {
  return timers_supported(subject, gap) && library_has(subject, CAP_RUN);
}

/* The fixture lies in front of everything that the callback needs. */
static void on_shot(void *arg, int status) {
  (void)status;
  struct item *item = arg;
  struct lateness *own = (struct lateness *)(void *)item->fixture;
  item_in_order(item);
  own->fired[item->index] = now_ns() - own->begun;
}

static const char *setup(void **state, const void *subject, int64_t gap) {
  struct lateness *own = calloc(1, sizeof *own);
  if (!own) return "out of memory";
  own->gap = gap;
  const char *error = fixture_open(&own->timers.fixture, subject, PL_KIND_TIMER,
                                   SHOTS, on_shot);
  if (error) {
    free(own);
    return error;
  }
  for (size_t i = 0; i < SHOTS; i++)
    fixture_item(&own->timers.fixture, i)->key =
        (uint64_t)gap * (uint64_t)(i + 1);
  *state = own;
  return NULL;
}

static const char *reset(void *state) {
  struct lateness *own = state;
  const struct fixture *fixture = &own->timers.fixture;
  fixture_begin(&own->timers.fixture);
  fixture->table->update_time(fixture->loop);
  own->begun = now_ns();
  timers_arm(&own->timers);
  return NULL;
}

static void run(void *state) {
  struct lateness *own = state;
  const struct fixture *fixture = &own->timers.fixture;
  fixture->table->run(fixture->loop, PL_RUN_DEFAULT);
}

static int64_t meant(const struct lateness *own, size_t index) {
  return own->gap * (int64_t)(index + 1) * 1000000;
}

static const char *check(void *state) {
  const struct lateness *own = state;
  const struct fixture *fixture = &own->timers.fixture;
  if (fixture->fired != SHOTS) return "not every timer fired once";
  if (fixture->disorder) return "the timers did not fire by deadline";
  for (size_t i = 0; i < SHOTS; i++)
    if (own->fired[i] < meant(own, i) - EARLY_NS) return "a timer fired early";
  return NULL;
}

static void pauses(void *state, struct bench_pauses *pauses) {
  const struct lateness *own = state;
  for (size_t i = 0; i < SHOTS; i++) {
    int64_t late = own->fired[i] - meant(own, i);
    bench_pause(pauses, BENCH_WALL, meant(own, i), late > 0 ? late : 0);
  }
}

static const char *teardown(void *state) {
  struct lateness *own = state;
  const char *error = fixture_close(&own->timers.fixture);
  if (!error && own->timers.refused) error = "a timer could not be started";
  free(own);
  return error;
}

const struct bench bench_timer_lateness = {
    .name = "loop/timers/lateness",
    .version = 1,
    .parameter = "gap",
    .values = gaps,
    .value_count = sizeof gaps / sizeof *gaps,
    .operations = shots,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = run,
    .check = check,
    .counters = fixture_counters,
    .pauses = pauses,
    .teardown = teardown,
};

/* SPDX-License-Identifier: MIT */
/*
 * timers.c: arming, firing and cancelling n one-shot timers.
 *
 * Invariant: deadlines are random, and the same ones for everybody. Firing is
 * measured with all timers due, and they must fire by (deadline, start order).
 *
 * The ABI has no clock to inject, so before a batch of firing real time must
 * pass, unmeasured: deadlines lie within 20 ms, and a small n is fired in
 * several loops, so that waiting does not take most of a run.
 */
#include "fixture.h"

#include <stdlib.h>
#include <time.h>

enum { ARM_SPREAD = 300, FIRE_SPREAD = 20, FIRE_LOOPS = 16 };

static const int64_t sizes[] = {1000, 100000};

struct timers {
  struct fixture fixture;
  uint64_t random;
  uint32_t *order; /* cancel: which one next */
  int refused;     /* calls that returned an error */
};

static uint64_t one_per_timer(int64_t n) {
  return (uint64_t)n;
}

static bool has_timers(const void *subject, int64_t n) {
  (void)n;
  return library_has(subject, CAP_TIMER);
}

static void on_due(void *arg, int status) {
  (void)status;
  item_in_order(arg);
}

static void timers_arm(struct timers *timers, uint64_t spread) {
  struct fixture *fixture = &timers->fixture;
  for (size_t i = 0; i < fixture->count; i++) {
    struct item *item = fixture_item(fixture, i);
    item->key = next_random(&timers->random, spread);
    timers->refused |=
        fixture->table->timer_start(item_storage(item), item->key, 0);
  }
}

static void timers_stop(struct timers *timers) {
  struct fixture *fixture = &timers->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    timers->refused |=
        fixture->table->handle_stop(item_storage(fixture_item(fixture, i)));
}

/* A shuffled list of all indices (Fisher and Yates). */
static uint32_t *shuffled(size_t count, uint64_t *random) {
  uint32_t *order = malloc(count * sizeof *order);
  if (!order) return NULL;
  for (size_t i = 0; i < count; i++)
    order[i] = (uint32_t)i;
  for (size_t i = count - 1; i > 0; i--) {
    size_t other = (size_t)next_random(random, i + 1) - 1;
    uint32_t kept = order[i];
    order[i] = order[other];
    order[other] = kept;
  }
  return order;
}

static const char *timers_open(struct timers *timers, const void *subject,
                               int64_t n) {
  *timers = (struct timers){.random = 88172645463325252u};
  return fixture_open(&timers->fixture, subject, PL_KIND_TIMER, (size_t)n,
                      on_due);
}

static const char *setup(void **state, const void *subject, int64_t n) {
  struct timers *timers = malloc(sizeof *timers);
  if (!timers) return "out of memory";
  const char *error = timers_open(timers, subject, n);
  if (!error) timers->order = shuffled((size_t)n, &timers->random);
  if (!error && !timers->order) {
    error = "out of memory";
    fixture_close(&timers->fixture);
  }
  if (error)
    free(timers);
  else
    *state = timers;
  return error;
}

static const char *teardown(void *state) {
  struct timers *timers = state;
  const char *error = fixture_close(&timers->fixture);
  if (!error && timers->refused) error = "a timer could not be started";
  free(timers->order);
  free(timers);
  return error;
}

/* -- arm ----------------------------------------------------------------- */

static void arm_run(void *state) {
  timers_arm(state, ARM_SPREAD);
}

/* All are armed; they are stopped again, unmeasured. */
static const char *arm_check(void *state) {
  struct timers *timers = state;
  const struct fixture *fixture = &timers->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    if (!fixture->table->is_active(item_storage(fixture_item(fixture, i))))
      return "a timer that was started is not active";
  timers_stop(timers);
  return fixture->fired ? "a timer fired while the loop was not running" : NULL;
}

const struct bench bench_timer_arm = {
    .name = "loop/timers/arm",
    .version = 1,
    .parameter = "n",
    .values = sizes,
    .value_count = 2,
    .operations = one_per_timer,
    .supports = has_timers,
    .setup = setup,
    .run = arm_run,
    .check = arm_check,
    .teardown = teardown,
};

/* -- cancel -------------------------------------------------------------- */

static const char *cancel_reset(void *state) {
  timers_arm(state, ARM_SPREAD);
  return NULL;
}

static void cancel_run(void *state) {
  struct timers *timers = state;
  struct fixture *fixture = &timers->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    timers->refused |= fixture->table->handle_stop(
        item_storage(fixture_item(fixture, timers->order[i])));
}

static const char *cancel_check(void *state) {
  const struct timers *timers = state;
  const struct fixture *fixture = &timers->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    if (fixture->table->is_active(item_storage(fixture_item(fixture, i))))
      return "a timer that was stopped is active";
  return NULL;
}

const struct bench bench_timer_cancel = {
    .name = "loop/timers/cancel",
    .version = 1,
    .parameter = "n",
    .values = sizes,
    .value_count = 2,
    .operations = one_per_timer,
    .supports = has_timers,
    .setup = setup,
    .reset = cancel_reset,
    .run = cancel_run,
    .check = cancel_check,
    .teardown = teardown,
};

/* -- fire ---------------------------------------------------------------- */

struct fire {
  size_t count;
  struct timers loops[FIRE_LOOPS];
};

static size_t fire_loops(int64_t n) {
  return n > 10000 ? 1 : FIRE_LOOPS;
}

static uint64_t fire_operations(int64_t n) {
  return (uint64_t)n * fire_loops(n);
}

static bool can_fire(const void *subject, int64_t n) {
  return has_timers(subject, n) && library_has(subject, CAP_RUN);
}

static const char *fire_teardown(void *state) {
  struct fire *fire = state;
  const char *error = NULL;
  for (size_t i = 0; i < fire->count; i++) {
    const char *now = fixture_close(&fire->loops[i].fixture);
    if (!now && fire->loops[i].refused) now = "a timer could not be started";
    if (!error) error = now;
  }
  free(fire);
  return error;
}

static const char *fire_setup(void **state, const void *subject, int64_t n) {
  struct fire *fire = calloc(1, sizeof *fire);
  if (!fire) return "out of memory";
  for (; fire->count < fire_loops(n); fire->count++) {
    const char *error = timers_open(&fire->loops[fire->count], subject, n);
    if (!error) continue;
    fire_teardown(fire);
    return error;
  }
  *state = fire;
  return NULL;
}

static const char *fire_reset(void *state) {
  struct fire *fire = state;
  for (size_t i = 0; i < fire->count; i++) {
    struct fixture *fixture = &fire->loops[i].fixture;
    fixture_begin(fixture);
    fixture->table->update_time(fixture->loop);
    timers_arm(&fire->loops[i], FIRE_SPREAD);
  }
  struct timespec wait = {.tv_nsec = (FIRE_SPREAD + 1) * 1000000};
  while (nanosleep(&wait, &wait) != 0) {
  }
  return NULL;
}

static void fire_run(void *state) {
  struct fire *fire = state;
  for (size_t i = 0; i < fire->count; i++) {
    const struct fixture *fixture = &fire->loops[i].fixture;
    fixture->table->run(fixture->loop, PL_RUN_DEFAULT);
  }
}

static const char *fire_check(void *state) {
  const struct fire *fire = state;
  for (size_t i = 0; i < fire->count; i++) {
    const struct fixture *fixture = &fire->loops[i].fixture;
    if (fixture->fired != fixture->count) return "not every timer fired once";
    if (fixture->disorder)
      return "the timers did not fire by deadline and start order";
  }
  return NULL;
}

static size_t fire_counters(void *state, struct bench_counter *counters) {
  const struct fire *fire = state;
  uint64_t fired = 0;
  for (size_t i = 0; i < fire->count; i++)
    fired += fire->loops[i].fixture.fired;
  counters[0] =
      (struct bench_counter){.name = "callbacks", .value = (double)fired};
  return 1;
}

const struct bench bench_timer_fire = {
    .name = "loop/timers/fire",
    .version = 1,
    .parameter = "n",
    .values = sizes,
    .value_count = 2,
    .operations = fire_operations,
    .supports = can_fire,
    .setup = fire_setup,
    .reset = fire_reset,
    .run = fire_run,
    .check = fire_check,
    .counters = fire_counters,
    .teardown = fire_teardown,
};

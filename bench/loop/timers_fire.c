/* SPDX-License-Identifier: MIT */
/*
 * timers_fire.c: firing n one-shot timers that are all due.
 *
 * Invariant: they fire by deadline, or there is no time; `disorder` counts
 * those that fired before another one of the same deadline that had been
 * started earlier, which not every implementation promises to avoid. An item's
 * index is its place in the order of starts.
 *
 * The ABI has no clock to inject, so before a batch real time must pass,
 * unmeasured: deadlines lie within 20 ms, and few timers are fired in several
 * loops, so that waiting does not take most of a run.
 *
 * An implementation may put off the work of arming again until the timer is
 * looked at: "fire-rearmed" fires timers that all were started again, in a
 * shuffled order, for the same delay from a later time.
 */
#include "timers.h"

#include <stdlib.h>

enum { SPREAD = 20, EQUAL = 5, MANY = 10000 };

enum variant { RANDOM, EQUAL_DELAYS, REARMED };

struct fire {
  enum variant variant;
  struct timer_loops all;
};

static size_t fire_loops(int64_t n) {
  return n > MANY ? 1 : TIMER_LOOPS;
}

static uint64_t operations(int64_t n) {
  return (uint64_t)n * fire_loops(n);
}

static bool supports(const void *subject, int64_t n) {
  return timers_supported(subject, n) && library_has(subject, CAP_RUN);
}

static const char *teardown(void *state) {
  struct fire *fire = state;
  const char *error = timer_loops_close(&fire->all);
  free(fire);
  return error;
}

static void rank(struct timers *timers) {
  for (size_t i = 0; i < timers->fixture.count; i++)
    fixture_item(&timers->fixture, timers->order[i])->index = (uint32_t)i;
}

static const char *setup(void **state, const void *subject, int64_t n,
                         enum variant variant) {
  struct fire *fire = malloc(sizeof *fire);
  if (!fire) return "out of memory";
  fire->variant = variant;
  const char *error =
      timer_loops_open(&fire->all, subject, n, fire_loops(n));
  if (error) {
    free(fire);
    return error;
  }
  for (size_t i = 0; i < fire->all.count; i++)
    if (variant == REARMED) rank(&fire->all.loops[i]);
  *state = fire;
  return NULL;
}

static const char *setup_random(void **state, const void *subject, int64_t n) {
  return setup(state, subject, n, RANDOM);
}

static const char *setup_equal(void **state, const void *subject, int64_t n) {
  return setup(state, subject, n, EQUAL_DELAYS);
}

static const char *setup_rearmed(void **state, const void *subject, int64_t n) {
  return setup(state, subject, n, REARMED);
}

static uint64_t spread(const struct fire *fire) {
  return fire->variant == EQUAL_DELAYS ? EQUAL : SPREAD;
}

static void arm(struct fire *fire, void (*in_order)(struct timers *)) {
  for (size_t i = 0; i < fire->all.count; i++) {
    struct fixture *fixture = &fire->all.loops[i].fixture;
    fixture->table->update_time(fixture->loop);
    in_order(&fire->all.loops[i]);
  }
}

static const char *reset(void *state) {
  struct fire *fire = state;
  for (size_t i = 0; i < fire->all.count; i++) {
    struct timers *timers = &fire->all.loops[i];
    fixture_begin(&timers->fixture);
    timers_draw(timers, spread(fire), fire->variant == EQUAL_DELAYS);
  }
  arm(fire, timers_arm);
  if (fire->variant == REARMED) {
    pass_ms(2);
    arm(fire, timers_arm_shuffled);
  }
  pass_ms((long)spread(fire) + 1);
  return NULL;
}

static void run(void *state) {
  struct fire *fire = state;
  for (size_t i = 0; i < fire->all.count; i++) {
    const struct fixture *fixture = &fire->all.loops[i].fixture;
    fixture->table->run(fixture->loop, PL_RUN_DEFAULT);
  }
}

static const char *check(void *state) {
  const struct fire *fire = state;
  for (size_t i = 0; i < fire->all.count; i++) {
    const struct fixture *fixture = &fire->all.loops[i].fixture;
    if (fixture->fired != fixture->count) return "not every timer fired once";
    if (fixture->disorder) return "the timers did not fire by deadline";
  }
  return NULL;
}

static size_t counters(void *state, struct bench_counter *counters) {
  const struct fire *fire = state;
  uint64_t fired = 0, overtook = 0;
  for (size_t i = 0; i < fire->all.count; i++) {
    fired += fire->all.loops[i].fixture.fired;
    overtook += fire->all.loops[i].fixture.overtook;
  }
  counters[0] =
      (struct bench_counter){.name = "callbacks", .value = (double)fired};
  counters[1] =
      (struct bench_counter){.name = "disorder", .value = (double)overtook};
  return 2;
}

#define FIRE_BENCH(variable, title, with)                                      \
  const struct bench variable = {.name = "loop/timers/" title,                 \
                                 .version = 2,                                 \
                                 .parameter = "n",                             \
                                 .values = timer_sizes,                        \
                                 .value_count = TIMER_SIZES,                   \
                                 .operations = operations,                     \
                                 .supports = supports,                         \
                                 .setup = with,                                \
                                 .reset = reset,                               \
                                 .run = run,                                   \
                                 .check = check,                               \
                                 .counters = counters,                         \
                                 .teardown = teardown}

FIRE_BENCH(bench_timer_fire, "fire", setup_random);
FIRE_BENCH(bench_timer_fire_equal, "fire-equal", setup_equal);
FIRE_BENCH(bench_timer_fire_rearmed, "fire-rearmed", setup_rearmed);

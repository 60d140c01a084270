/* SPDX-License-Identifier: MIT */
/*
 * timers.c: arming, cancelling and arming again n one-shot timers.
 *
 * Invariant: delays are the same ones for everybody: random ones of 1 to 300
 * ms, or ("-equal") all of them 50 ms. Arming goes by index; cancelling and
 * arming again go in one shuffled order. A thousand timers are measured in four
 * loops.
 *
 * Arming again is what a server does with the time-out of a connection that
 * has been heard of: the same delay, counted from a later time.
 */
#include "timers.h"

#include <stdlib.h>
#include <time.h>

enum { SPREAD = 300, EQUAL = 50, LEAST = 4000 };

const int64_t timer_sizes[TIMER_SIZES] = {1000, 10000, 100000, 1000000};

bool timers_supported(const void *subject, int64_t n) {
  (void)n;
  return library_has(subject, CAP_TIMER);
}

static void on_due(void *arg, int status) {
  (void)status;
  item_in_order(arg);
}

void pass_ms(long ms) {
  struct timespec wait = {.tv_nsec = ms * 1000000};
  while (nanosleep(&wait, &wait) != 0) {
  }
}

/* -- the timers ---------------------------------------------------------- */

/* Fisher and Yates. */
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

const char *timers_open(struct timers *timers, const void *subject, int64_t n) {
  *timers = (struct timers){.random = 88172645463325252u};
  timers->order = shuffled((size_t)n, &timers->random);
  if (!timers->order) return "out of memory";
  const char *error =
      fixture_open(&timers->fixture, subject, PL_KIND_TIMER, (size_t)n, on_due);
  if (error) free(timers->order);
  return error;
}

const char *timers_close(struct timers *timers) {
  const char *error = fixture_close(&timers->fixture);
  free(timers->order);
  if (!error && timers->refused) error = "a timer could not be started";
  return error;
}

void timers_draw(struct timers *timers, uint64_t most, bool equal) {
  for (size_t i = 0; i < timers->fixture.count; i++)
    fixture_item(&timers->fixture, i)->key =
        equal ? most : next_random(&timers->random, most);
}

static void arm_one(struct timers *timers, size_t index) {
  struct fixture *fixture = &timers->fixture;
  struct item *item = fixture_item(fixture, index);
  timers->refused |=
      fixture->table->timer_start(item_storage(item), item->key, 0);
}

void timers_arm(struct timers *timers) {
  for (size_t i = 0; i < timers->fixture.count; i++)
    arm_one(timers, i);
}

void timers_arm_shuffled(struct timers *timers) {
  for (size_t i = 0; i < timers->fixture.count; i++)
    arm_one(timers, timers->order[i]);
}

void timers_stop(struct timers *timers) {
  struct fixture *fixture = &timers->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    timers->refused |=
        fixture->table->handle_stop(item_storage(fixture_item(fixture, i)));
}

const char *timer_loops_open(struct timer_loops *all, const void *subject,
                             int64_t n, size_t count) {
  for (all->count = 0; all->count < count; all->count++) {
    const char *error = timers_open(&all->loops[all->count], subject, n);
    if (!error) continue;
    timer_loops_close(all);
    return error;
  }
  return NULL;
}

const char *timer_loops_close(struct timer_loops *all) {
  const char *error = NULL;
  for (size_t i = 0; i < all->count; i++) {
    const char *now = timers_close(&all->loops[i]);
    if (!error) error = now;
  }
  return error;
}

/* -- what the three have in common --------------------------------------- */

struct state {
  bool equal; /* delays */
  struct timer_loops all;
};

static size_t loops_for(int64_t n) {
  return n < LEAST ? (size_t)(LEAST / n) : 1;
}

static uint64_t operations(int64_t n) {
  return (uint64_t)n * loops_for(n);
}

static const char *setup(void **state, const void *subject, int64_t n,
                         bool equal) {
  struct state *made = malloc(sizeof *made);
  if (!made) return "out of memory";
  made->equal = equal;
  const char *error = timer_loops_open(&made->all, subject, n, loops_for(n));
  if (error)
    free(made);
  else
    *state = made;
  return error;
}

static void each(void *state, void (*act)(struct timers *)) {
  struct state *made = state;
  for (size_t i = 0; i < made->all.count; i++)
    act(&made->all.loops[i]);
}

static void draw_random(struct timers *timers) {
  timers_draw(timers, SPREAD, false);
}

static void draw_equal(struct timers *timers) {
  timers_draw(timers, EQUAL, true);
}

/* New delays for each batch: a processor soon knows the old ones by heart. */
static void draw_each(void *state) {
  const struct state *made = state;
  each(state, made->equal ? draw_equal : draw_random);
}

static const char *setup_random(void **state, const void *subject, int64_t n) {
  return setup(state, subject, n, false);
}

static const char *setup_equal(void **state, const void *subject, int64_t n) {
  return setup(state, subject, n, true);
}

static const char *teardown(void *state) {
  struct state *made = state;
  const char *error = timer_loops_close(&made->all);
  free(made);
  return error;
}

static const char *check_all(const struct timers *timers, int active) {
  const struct fixture *fixture = &timers->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    if (fixture->table->is_active(item_storage(fixture_item(fixture, i))) !=
        active)
      return active ? "a timer that was started is not active"
                    : "a timer that was stopped is active";
  return fixture->fired ? "a timer fired while the loop was not running" : NULL;
}

static const char *check_each(const void *state, int active) {
  const struct state *made = state;
  const char *error = NULL;
  for (size_t i = 0; i < made->all.count && !error; i++)
    error = check_all(&made->all.loops[i], active);
  return error;
}

/* All are armed; they are stopped again, unmeasured. */
static const char *check_armed(void *state) {
  const char *error = check_each(state, 1);
  each(state, timers_stop);
  return error;
}

#define TIMER_BENCH(variable, title, with, before, measured, after)            \
  const struct bench variable = {.name = "loop/timers/" title,                 \
                                 .version = 3,                                 \
                                 .parameter = "n",                             \
                                 .values = timer_sizes,                        \
                                 .value_count = TIMER_SIZES,                   \
                                 .operations = operations,                     \
                                 .supports = timers_supported,                 \
                                 .setup = with,                                \
                                 .reset = before,                              \
                                 .run = measured,                              \
                                 .check = after,                               \
                                 .teardown = teardown}

/* -- arm ----------------------------------------------------------------- */

static const char *arm_reset(void *state) {
  draw_each(state);
  return NULL;
}

static void arm_run(void *state) {
  each(state, timers_arm);
}

TIMER_BENCH(bench_timer_arm, "arm", setup_random, arm_reset, arm_run,
            check_armed);
TIMER_BENCH(bench_timer_arm_equal, "arm-equal", setup_equal, arm_reset, arm_run,
            check_armed);

/* -- cancel -------------------------------------------------------------- */

static const char *cancel_reset(void *state) {
  draw_each(state);
  each(state, timers_arm);
  return NULL;
}

static void stop_shuffled(struct timers *timers) {
  struct fixture *fixture = &timers->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    timers->refused |= fixture->table->handle_stop(
        item_storage(fixture_item(fixture, timers->order[i])));
}

static void cancel_run(void *state) {
  each(state, stop_shuffled);
}

static const char *cancel_check(void *state) {
  return check_each(state, 0);
}

TIMER_BENCH(bench_timer_cancel, "cancel", setup_random, cancel_reset,
            cancel_run, cancel_check);
TIMER_BENCH(bench_timer_cancel_equal, "cancel-equal", setup_equal, cancel_reset,
            cancel_run, cancel_check);

/* -- arm again ----------------------------------------------------------- */

static void update_time(struct timers *timers) {
  timers->fixture.table->update_time(timers->fixture.loop);
}

static const char *rearm_reset(void *state) {
  each(state, update_time);
  draw_each(state);
  each(state, timers_arm);
  pass_ms(2);
  each(state, update_time);
  return NULL;
}

static void rearm_run(void *state) {
  each(state, timers_arm_shuffled);
}

TIMER_BENCH(bench_timer_rearm, "rearm", setup_random, rearm_reset, rearm_run,
            check_armed);
TIMER_BENCH(bench_timer_rearm_equal, "rearm-equal", setup_equal, rearm_reset,
            rearm_run, check_armed);

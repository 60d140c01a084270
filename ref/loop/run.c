/* SPDX-License-Identifier: MIT */
/*
 * run.c: the iteration: which phase follows which, and how long poll waits.
 *
 *      DEFAULT only: timers
 *   +-> pending -> idle -> prepare -> poll -> check -> closing -> timers -+
 *   +------------------ while alive and not stopped ---------------------+
 *
 * Invariant: cached time moves in poll and right before timers, nowhere else
 * in an iteration, so every callback of a phase sees one time.
 */
#include "internal.h"

#include <limits.h>

/* Pending calls that a poll phase caused run right behind it, but not for
 * ever: a call that defers itself again must not starve the loop. */
enum { PL__PENDING_ROUNDS = 8 };

/* How many timers are looked at to learn how long poll may sleep. When there
 * are more in the slot that comes next, poll is woken at its begin instead,
 * which no callback can see. */
enum { PL__PATIENCE = 64 };

void pl_loop_stop(struct pl_loop *loop) {
  loop->stop = true;
}

/* Node's immediates hold an idle handle as long as a referenced one waits. */
static bool has_idle(const struct pl_loop *loop) {
  const struct pl_link *idle = &loop->watchers[0];
  return !pl__list_empty(idle) || loop->immediate_refs != 0;
}

static bool has_active(const struct pl_loop *loop) {
  return loop->active != 0 || loop->requests != 0 || loop->immediate_refs != 0;
}

int pl_loop_alive(const struct pl_loop *loop) {
  return has_active(loop) || !pl__list_empty(&loop->deferred) ||
         loop->closing != NULL;
}

static bool must_not_wait(const struct pl_loop *loop) {
  return loop->stop || !has_active(loop) || has_idle(loop) ||
         !pl__list_empty(&loop->deferred) || loop->closing != NULL;
}

static int wait_until(const struct pl_loop *loop, uint64_t due) {
  if (due == UINT64_MAX && loop->wheel.count == 0) return -1;
  if (due <= loop->time) return 0;
  uint64_t wait = due - loop->time;
  return wait < INT_MAX ? (int)wait : INT_MAX;
}

int pl_loop_backend_timeout(const struct pl_loop *loop) {
  if (must_not_wait(loop)) return 0;
  return wait_until(loop, pl__wheel_next(&loop->wheel, SIZE_MAX));
}

int pl__poll_timeout(struct pl_loop *loop) {
  if (must_not_wait(loop)) return 0;
  if (pl__wheel_seek(&loop->wheel, loop->time) != NULL) return 0;
  return wait_until(loop, pl__wheel_next(&loop->wheel, PL__PATIENCE));
}

/* Phases in which nobody waits are looked at and passed by. */
static void run_watchers(struct pl_loop *loop, enum pl_object_kind kind) {
  if (!pl__list_empty(pl__watchers(loop, kind))) pl__run_watchers(loop, kind);
}

static int poll(struct pl_loop *loop, int timeout_ms) {
  if (!pl__poll_is_quiet(loop, timeout_ms))
    return pl__run_poll(loop, timeout_ms);
  loop->polls++;
  pl__refresh_time(loop);
  if (pl__woken(loop)) pl__run_woken(loop);
  return 0;
}

/* Whether, in mode default, poll, which reads the clock, comes before anything
 * that could tell what it said in front of timers. */
static PL__APART bool nobody_sees_time(const struct pl_loop *loop) {
  return loop->wheel.count == 0 && loop->active != 0 && !loop->stop &&
         pl__list_empty(&loop->deferred) &&
         pl__list_empty(&loop->watchers[0]) &&
         pl__list_empty(&loop->watchers[1]);
}

static int iterate(struct pl_loop *loop, enum pl_loop_mode mode) {
  bool can_sleep = pl__list_empty(&loop->deferred) && !has_idle(loop);
  if (!pl__list_empty(&loop->deferred)) pl__run_deferred(loop);
  run_watchers(loop, PL_OBJECT_IDLE);
  run_watchers(loop, PL_OBJECT_PREPARE);
  bool may_wait =
      mode == PL_LOOP_DEFAULT || (mode == PL_LOOP_ONCE && can_sleep);
  int error = poll(loop, may_wait ? pl__poll_timeout(loop) : 0);
  if (error != 0) return error;
  for (int i = 0; i < PL__PENDING_ROUNDS; i++) {
    if (pl__list_empty(&loop->deferred)) break;
    pl__run_deferred(loop);
  }
  run_watchers(loop, PL_OBJECT_CHECK);
  if (!pl__list_empty(&loop->immediates)) pl__run_immediates(loop);
  if (loop->closing != NULL) pl__run_closing(loop);
  if (mode == PL_LOOP_DEFAULT && nobody_sees_time(loop)) return 0;
  pl__refresh_time(loop);
  if (loop->wheel.count != 0) pl__run_timers(loop);
  return 0;
}

int pl_loop_run(struct pl_loop *loop, enum pl_loop_mode mode) {
  if (loop->running) return PL_EBUSY;
  loop->running = true;
  atomic_store_explicit(&loop->owner, pl__this_thread(), memory_order_relaxed);
  loop->calls++; /* the caller may have taken its time since the last run */
  int result = pl_loop_alive(loop);
  if (result == 0) pl_loop_update_time(loop);
  if (mode == PL_LOOP_DEFAULT && result != 0 && !loop->stop) {
    pl_loop_update_time(loop);
    pl__run_timers(loop);
  }
  while (result > 0 && !loop->stop) {
    result = iterate(loop, mode);
    if (result == 0) result = pl_loop_alive(loop);
    if (mode != PL_LOOP_DEFAULT) break;
  }
  loop->stop = false;
  loop->running = false;
  return result;
}

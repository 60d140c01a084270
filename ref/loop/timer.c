/* SPDX-License-Identifier: MIT */
/*
 * timer.c: timer handles and the timers phase.
 *
 * Invariant: a timer is in the wheel exactly while it is active. A pass fires
 * what was started before it began and nothing else: start orders tell, so no
 * second queue of the ready ones is needed.
 */
#include "internal.h"

void pl_timer_init(struct pl_loop *loop, struct pl_timer *timer,
                   pl_event_fn *fn, void *arg) {
  pl__handle_init(loop, &timer->head, PL_OBJECT_TIMER, fn, arg);
  timer->due = 0;
  timer->order = 0;
}

/* Puts a timer, whose flags were `flags`, into the wheel or to another place in
 * it. Inline where timers are started: what is not called is half the way. */
static inline __attribute__((always_inline)) void
arm(struct pl_timer *timer, unsigned flags, uint64_t after_ms) {
  struct pl_loop *loop = timer->head.loop;
  uint64_t due = loop->time + after_ms;
  if (due < after_ms) due = UINT64_MAX;
  if (flags & PL__ACTIVE) {
    pl__wheel_move(&loop->wheel, timer, due);
    return;
  }
  timer->due = due;
  timer->head.flags = (uint8_t)(flags | PL__ACTIVE | PL__ONCE_STARTED);
  pl__count_active(&timer->head, flags);
  pl__wheel_add(&loop->wheel, timer);
}

static void arm_again(struct pl_timer *timer) {
  arm(timer, timer->head.flags, timer->head.word);
}

void pl_timer_set_repeat(struct pl_timer *timer, uint64_t repeat_ms) {
  timer->head.word = repeat_ms < PL_TIMER_REPEAT_MAX ? (uint32_t)repeat_ms
                                                     : PL_TIMER_REPEAT_MAX;
}

int pl_timer_start(struct pl_timer *timer, uint64_t after_ms,
                   uint64_t repeat_ms) {
  unsigned flags = timer->head.flags;
  if (flags & PL__CLOSING) return PL_EINVAL;
  pl_timer_set_repeat(timer, repeat_ms);
  arm(timer, flags, after_ms);
  return 0;
}

int pl_timer_again(struct pl_timer *timer) {
  uint8_t flags = timer->head.flags;
  if (!(flags & PL__ONCE_STARTED) || flags & PL__CLOSING) return PL_EINVAL;
  if (timer->head.word != 0) arm_again(timer);
  return 0;
}

static void fire(struct pl_timer *timer) {
  struct pl_loop *loop = timer->head.loop;
  uint64_t due = timer->due;
  if (timer->head.word != 0)
    arm_again(timer);
  else
    pl__timer_stop(timer);
  pl__call_bare(loop, &timer->head, due, 0);
  pl__drain_if_needed(loop);
}

void pl__run_timers(struct pl_loop *loop) {
  struct pl__wheel *wheel = &loop->wheel;
  if (wheel->count == 0) return;
  uint64_t now = loop->time;
  uint64_t starts = wheel->starts;
  struct pl_timer *timer;
  /* Behind the first that was started in this pass stand only such. */
  while ((timer = pl__wheel_seek(wheel, now)) != NULL && timer->order < starts)
    fire(timer);
}

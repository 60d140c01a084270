/* SPDX-License-Identifier: MIT */
/*
 * wheel.h: a hierarchical timing wheel that knows who is due next.
 *
 *   level 0   256 slots of 1 ms      the 256 ms around `base`
 *   level 1   256 slots of 256 ms    the 65 s around `base`
 *   level 2   256 slots of 65.5 s
 *   level 3   256 slots of 4.66 h
 *   far       one list               beyond 2^32 ms
 *
 * A timer stands where its due time first differs from `base`, seen as digits
 * to base 256: at that digit's level, in the slot of its digit. Thus all timers
 * of one due time stand in one slot, in the order of their arrival, and a slot
 * is dealt out to the level below when `base` enters it. Arming, cancelling
 * and re-arming are O(1), firing is O(1) amortised (at most four moves).
 *
 * Two things are put off, each at the price of a look when its slot comes up:
 *  - A timer that is started again for a later time stays where it is ("lazy")
 *    and is moved only then: re-arming touches one cache line.
 *  - A slot's bit stays set when its last timer leaves.
 * Because a lazy timer arrives late in its slot, arrival is no longer start
 * order; the append that breaks the order marks the slot as mixed, and a mixed
 * slot is sorted before it fires.
 *
 * A binary heap (libuv's way) was rejected: 8 to 50 times slower from 10^3 to
 * 10^6 timers, one cache miss per level of the heap.
 */
#ifndef PLUMB_LOOP_WHEEL_H
#define PLUMB_LOOP_WHEEL_H

#include "list.h"

enum {
  PL__WHEEL_LEVELS = 4,
  PL__WHEEL_SLOTS = 256,
  PL__WHEEL_WORDS = PL__WHEEL_SLOTS / 64
};

struct pl__wheel {
  uint64_t base;   /* ms; no timer is due before it */
  uint64_t starts; /* start orders given so far */
  size_t count;    /* timers in it */
  uint64_t filled[PL__WHEEL_LEVELS][PL__WHEEL_WORDS]; /* may hold something */
  uint64_t mixed[PL__WHEEL_WORDS]; /* level 0: not in start order */
  struct pl_link slot[PL__WHEEL_LEVELS][PL__WHEEL_SLOTS];
  struct pl_link far;
};

/* Makes an empty wheel that begins at `base` ms. */
void pl__wheel_init(struct pl__wheel *wheel, uint64_t base);

/* Puts a timer that is not in the wheel into it, by timer->due, which is not
 * before `base`; it gets the next start order. */
void pl__wheel_add(struct pl__wheel *wheel, struct pl_timer *timer);

/* Gives a timer of the wheel another due time and the next start order. */
void pl__wheel_move(struct pl__wheel *wheel, struct pl_timer *timer,
                    uint64_t due);

/* Takes a timer of the wheel out of it. */
static inline void pl__wheel_remove(struct pl__wheel *wheel,
                                    struct pl_timer *timer) {
  pl__list_cut(&timer->head.link);
  wheel->count--;
}

/*
 * Moves `base` forward to the first time up to `now` at which a timer is due,
 * or else to `now`. Returns the first timer that is due at `base`, by start
 * order, or NULL.
 */
struct pl_timer *pl__wheel_seek(struct pl__wheel *wheel, uint64_t now);

/*
 * The earliest due time, or UINT64_MAX when there is none. Looks at no more
 * than `patience` timers: when that does not suffice the answer is a lower
 * bound, later than `base`.
 */
uint64_t pl__wheel_next(const struct pl__wheel *wheel, size_t patience);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * wheel.h: a hierarchical timing wheel that knows who is due next.
 *
 *   level 0   1024 slots of 1 ms     the second around `base`
 *   level 1    256 slots of 1.02 s   the 4 minutes around `base`
 *   level 2    256 slots of 4.4 min
 *   level 3     64 slots of 18.6 h
 *   far        one list              beyond 2^32 ms
 *
 * A timer stands where its due time first differs from `base`, seen as digits
 * of 10, 8, 8 and 6 bits: at that digit's level, in the slot of its digit. Thus
 * all timers of one due time stand in one slot, in the order of their arrival,
 * and a slot is dealt out to the levels below when `base` enters it. Arming,
 * cancelling and re-arming are O(1), firing is O(1) amortised (at most four
 * moves; most timers are shorter than a second and are not moved at all).
 *
 * Two things are put off, each at the price of a look when its slot comes up:
 *  - A timer that is started again, for the same time or a later one, stays
 *    where it is ("lazy"): re-arming touches one cache line.
 *  - A slot's bit stays set when its last timer leaves.
 * Because of lazy timers the order in a slot may not be start order. Whoever
 * may break it on level 0 marks the slot as mixed, and a mixed slot is sorted
 * before it fires; dealing out a slot of a higher level finds the breaks.
 *
 * A binary heap (libuv's way) was rejected: 8 to 50 times slower from 10^3 to
 * 10^6 timers, one cache miss per level of the heap.
 */
#ifndef PLUMB_LOOP_WHEEL_H
#define PLUMB_LOOP_WHEEL_H

#include "list.h"

enum {
  PL__WHEEL_LEVELS = 4,
  PL__WHEEL_NEAR = 1024, /* slots of level 0 */
  PL__WHEEL_SLOTS = 1024 + 256 + 256 + 64,
  PL__WHEEL_WORDS = PL__WHEEL_SLOTS / 64
};

/* The slots and bits of all levels stand one behind the other. */
struct pl__wheel {
  uint64_t base;                       /* ms; no timer is due before it */
  uint64_t starts;                     /* start orders given so far */
  size_t count;                        /* timers in it */
  uint64_t filled[PL__WHEEL_WORDS];    /* may hold something */
  uint64_t mixed[PL__WHEEL_NEAR / 64]; /* may not be in start order */
  struct pl_link slot[PL__WHEEL_SLOTS];
  struct pl_link far;
};

/* Makes an empty wheel that begins at `base` ms. */
void pl__wheel_init(struct pl__wheel *wheel, uint64_t base);

/* Links a timer into the slot for its due time, whichever that is. */
void pl__wheel_place(struct pl__wheel *wheel, struct pl_timer *timer);

/* Puts a timer that is not in the wheel into it, by timer->due, which is not
 * before `base`; it gets the next start order. */
static inline void pl__wheel_add(struct pl__wheel *wheel,
                                 struct pl_timer *timer) {
  timer->order = wheel->starts++;
  wheel->count++;
  if ((timer->due ^ wheel->base) >= PL__WHEEL_NEAR) {
    pl__wheel_place(wheel, timer);
    return;
  }
  unsigned slot = (unsigned)timer->due & (PL__WHEEL_NEAR - 1);
  wheel->filled[slot / 64] |= UINT64_C(1) << (slot % 64);
  pl__list_append(&wheel->slot[slot], &timer->head.link);
}

/* The same for a timer that stands in the wheel: to an earlier time. */
void pl__wheel_advance(struct pl__wheel *wheel, struct pl_timer *timer,
                       uint64_t due);

/* Gives a timer of the wheel another due time and the next start order. */
static inline void pl__wheel_move(struct pl__wheel *wheel,
                                  struct pl_timer *timer, uint64_t due) {
  if (due < timer->due) {
    pl__wheel_advance(wheel, timer, due);
    return;
  }
  bool later = due != timer->due;
  timer->due = due;
  timer->order = wheel->starts++;
  if (later || (due ^ wheel->base) >= PL__WHEEL_NEAR) return;
  /* It may stand in that very slot, and now belongs at its end: goes there,
   * when the slot is the one that fires, or else is sorted with the others. */
  unsigned slot = (unsigned)due & (PL__WHEEL_NEAR - 1);
  if (due == wheel->base) {
    pl__list_cut(&timer->head.link);
    pl__list_append(&wheel->slot[slot], &timer->head.link);
    return;
  }
  wheel->mixed[slot / 64] |= UINT64_C(1) << (slot % 64);
}

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

/* A digest of when the timers are due, and in which order. Looks at all. */
uint64_t pl__wheel_digest(const struct pl__wheel *wheel);

#endif

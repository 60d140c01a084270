/* SPDX-License-Identifier: MIT */
/*
 * wheel.c: the timing wheel of wheel.h.
 *
 * Invariant: a timer that is not lazy stands in the slot that slot_for() names
 * for its due time and the present `base`; a lazy one stands in a slot that
 * comes up earlier. Whoever moves `base` into a slot of a higher level deals
 * that slot out before anything else is added.
 */
#include "wheel.h"

#include <assert.h>

/* ---------------------------------------------------------------------- */
/* Bit sets of 256                                                        */

static void bit_set(uint64_t *words, unsigned bit) {
  words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void bit_clear(uint64_t *words, unsigned bit) {
  words[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static bool bit_test(const uint64_t *words, unsigned bit) {
  return (words[bit / 64] >> (bit % 64)) & 1;
}

/* The first set bit from `from` on, or PL__WHEEL_SLOTS. */
static unsigned bit_next(const uint64_t *words, unsigned from) {
  if (from >= PL__WHEEL_SLOTS) return PL__WHEEL_SLOTS;
  unsigned i = from / 64;
  uint64_t word = words[i] & (~UINT64_C(0) << (from % 64));
  while (word == 0) {
    if (++i == PL__WHEEL_WORDS) return PL__WHEEL_SLOTS;
    word = words[i];
  }
  return i * 64 + (unsigned)__builtin_ctzll(word);
}

/* ---------------------------------------------------------------------- */
/* Where a timer stands                                                   */

static unsigned digit(uint64_t time, unsigned level) {
  return (unsigned)(time >> (8 * level)) & (PL__WHEEL_SLOTS - 1);
}

/* The time at which the slot `bit` of `level` begins, seen from `base`. */
static uint64_t slot_start(uint64_t base, unsigned level, unsigned bit) {
  unsigned shift = 8 * level;
  return ((base >> shift >> 8 << 8) | bit) << shift;
}

static struct pl_timer *timer_of(struct pl_link *link) {
  return PL__OWNER(link, struct pl_timer, head.link);
}

static uint64_t order_of(const struct pl_link *link) {
  return PL__OWNER(link, const struct pl_timer, head.link)->order;
}

/* Appends the timer to the slot for its due time. */
static void place(struct pl__wheel *wheel, struct pl_timer *timer) {
  assert(timer->due >= wheel->base);
  uint64_t differ = timer->due ^ wheel->base;
  struct pl_link *link = &timer->head.link;
  if (differ >> 32 != 0) {
    pl__list_append(&wheel->far, link);
    return;
  }
  unsigned level =
      differ < 256 ? 0 : (63u - (unsigned)__builtin_clzll(differ)) / 8;
  unsigned bit = digit(timer->due, level);
  struct pl_link *slot = &wheel->slot[level][bit];
  if (level == 0 && !pl__list_empty(slot) &&
      order_of(slot->prev) > timer->order)
    bit_set(wheel->mixed, bit);
  bit_set(wheel->filled[level], bit);
  pl__list_append(slot, link);
}

void pl__wheel_init(struct pl__wheel *wheel, uint64_t base) {
  *wheel = (struct pl__wheel){.base = base};
  for (unsigned level = 0; level < PL__WHEEL_LEVELS; level++)
    for (unsigned bit = 0; bit < PL__WHEEL_SLOTS; bit++)
      pl__link_init(&wheel->slot[level][bit]);
  pl__link_init(&wheel->far);
}

void pl__wheel_add(struct pl__wheel *wheel, struct pl_timer *timer) {
  timer->order = wheel->starts++;
  wheel->count++;
  place(wheel, timer);
}

void pl__wheel_move(struct pl__wheel *wheel, struct pl_timer *timer,
                    uint64_t due) {
  bool later = due > timer->due;
  timer->due = due;
  timer->order = wheel->starts++;
  /* Later: its present slot comes up earlier and will pass it on. The same
   * time is not "later": the timer must go behind its equals at once. */
  if (later) return;
  pl__list_cut(&timer->head.link);
  place(wheel, timer);
}

/* ---------------------------------------------------------------------- */
/* Moving on                                                              */

/* Places every timer of a list anew. */
static void deal_out(struct pl__wheel *wheel, struct pl_link *list) {
  struct pl_link waiting;
  pl__list_move(list, &waiting);
  for (struct pl_link *link = waiting.next, *next; link != &waiting;
       link = next) {
    next = link->next;
    place(wheel, timer_of(link));
  }
}

/* Makes the slot at `base` hold only what is due, in start order. Returns the
 * first, or NULL. */
static struct pl_timer *settle(struct pl__wheel *wheel) {
  unsigned bit = digit(wheel->base, 0);
  struct pl_link *slot = &wheel->slot[0][bit];
  if (bit_test(wheel->mixed, bit)) {
    pl__list_sort(slot, order_of);
    bit_clear(wheel->mixed, bit);
  }
  while (!pl__list_empty(slot)) {
    struct pl_timer *timer = timer_of(slot->next);
    if (timer->due == wheel->base) return timer;
    pl__list_cut(&timer->head.link);
    place(wheel, timer);
  }
  bit_clear(wheel->filled[0], bit);
  return NULL;
}

/* Enters the first 2^32 ms after `base` for which the far list holds a timer,
 * if they begin by `now`. */
static bool enter_far(struct pl__wheel *wheel, uint64_t now) {
  if (pl__list_empty(&wheel->far) || now >> 32 == wheel->base >> 32)
    return false;
  uint64_t first = UINT64_MAX;
  for (struct pl_link *link = wheel->far.next; link != &wheel->far;
       link = link->next)
    if (timer_of(link)->due < first) first = timer_of(link)->due;
  if (first >> 32 > now >> 32) return false;
  wheel->base = first >> 32 << 32;
  deal_out(wheel, &wheel->far);
  return true;
}

/* Level 0 is empty from `base` on: enters the next slot of a higher level that
 * may hold something and begins by `now`. */
static bool enter_next(struct pl__wheel *wheel, uint64_t now) {
  for (unsigned level = 1; level < PL__WHEEL_LEVELS; level++) {
    unsigned bit =
        bit_next(wheel->filled[level], digit(wheel->base, level) + 1);
    if (bit == PL__WHEEL_SLOTS) continue;
    uint64_t start = slot_start(wheel->base, level, bit);
    if (start > now) return false;
    wheel->base = start;
    bit_clear(wheel->filled[level], bit);
    deal_out(wheel, &wheel->slot[level][bit]);
    return true;
  }
  return enter_far(wheel, now);
}

struct pl_timer *pl__wheel_seek(struct pl__wheel *wheel, uint64_t now) {
  while (wheel->base <= now && wheel->count != 0) {
    unsigned bit = bit_next(wheel->filled[0], digit(wheel->base, 0));
    if (bit == PL__WHEEL_SLOTS) {
      if (!enter_next(wheel, now)) break;
      continue;
    }
    uint64_t tick = slot_start(wheel->base, 0, bit);
    if (tick > now) break;
    wheel->base = tick;
    struct pl_timer *timer = settle(wheel);
    if (timer != NULL) return timer;
  }
  if (now > wheel->base) wheel->base = now;
  return NULL;
}

/* ---------------------------------------------------------------------- */
/* Looking ahead                                                          */

/* The least due time of a list and `least`; UINT64_MAX patience runs out
 * never. Returns false when patience ran out. */
static bool look_at(const struct pl_link *list, uint64_t *least,
                    size_t *patience) {
  for (const struct pl_link *link = list->next; link != list;
       link = link->next) {
    uint64_t due = PL__OWNER(link, const struct pl_timer, head.link)->due;
    if (due < *least) *least = due;
    if ((*patience)-- == 0) return false;
  }
  return true;
}

uint64_t pl__wheel_next(const struct pl__wheel *wheel, size_t patience) {
  uint64_t least = UINT64_MAX;
  if (wheel->count == 0) return least;
  for (unsigned level = 0; level < PL__WHEEL_LEVELS; level++) {
    unsigned bit = digit(wheel->base, level) + (level != 0);
    for (; (bit = bit_next(wheel->filled[level], bit)) != PL__WHEEL_SLOTS;
         bit++) {
      uint64_t start = slot_start(wheel->base, level, bit);
      /* Whoever stands in this slot or behind it is not due before `start`. */
      if (start >= least) return least;
      if (!look_at(&wheel->slot[level][bit], &least, &patience)) return start;
    }
  }
  look_at(&wheel->far, &least, &(size_t){SIZE_MAX});
  return least;
}

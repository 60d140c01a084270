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

struct level {
  unsigned shift; /* of its digit within a time */
  unsigned slots;
  unsigned first; /* slot */
};

static const struct level levels[PL__WHEEL_LEVELS] = {
    {.shift = 0, .slots = 1024, .first = 0},
    {.shift = 10, .slots = 256, .first = 1024},
    {.shift = 18, .slots = 256, .first = 1280},
    {.shift = 26, .slots = 64, .first = 1536}};

/* ---------------------------------------------------------------------- */
/* Bit sets                                                               */

static void bit_set(uint64_t *words, unsigned bit) {
  words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void bit_clear(uint64_t *words, unsigned bit) {
  words[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static bool bit_test(const uint64_t *words, unsigned bit) {
  return (words[bit / 64] >> (bit % 64)) & 1;
}

/* The first set bit from `from` on and before `end`, which is a multiple of
 * 64; or `end`. */
static unsigned bit_next(const uint64_t *words, unsigned from, unsigned end) {
  if (from >= end) return end;
  unsigned i = from / 64;
  uint64_t word = words[i] & (~UINT64_C(0) << (from % 64));
  while (word == 0) {
    if (++i == end / 64) return end;
    word = words[i];
  }
  return i * 64 + (unsigned)__builtin_ctzll(word);
}

/* ---------------------------------------------------------------------- */
/* Where a timer stands                                                   */

/* The slot of a level to which a time belongs. */
static unsigned slot_at(const struct level *level, uint64_t time) {
  return level->first + ((unsigned)(time >> level->shift) & (level->slots - 1));
}

/* The first slot from `from` on, of a level, that may hold something; the
 * level's end when there is none. */
static unsigned slot_next(const struct pl__wheel *wheel,
                          const struct level *level, unsigned from) {
  return bit_next(wheel->filled, from, level->first + level->slots);
}

/* The time at which a slot of a level begins, seen from `base`. */
static uint64_t slot_start(const struct level *level, uint64_t base,
                           unsigned slot) {
  uint64_t span = (uint64_t)level->slots << level->shift;
  return (base & ~(span - 1)) | (uint64_t)(slot - level->first) << level->shift;
}

static const struct level *level_for(uint64_t differ) {
  const struct level *level = levels;
  while (differ >> level->shift >= level->slots)
    level++;
  return level;
}

static struct pl_timer *timer_of(struct pl_link *link) {
  return PL__OWNER(link, struct pl_timer, head.link);
}

static uint64_t order_of(const struct pl_link *link) {
  return PL__OWNER(link, const struct pl_timer, head.link)->order;
}

/* Appends the timer to the slot for its due time. Returns what was the last
 * there. */
static struct pl_link *append(struct pl__wheel *wheel, struct pl_timer *timer) {
  assert(timer->due >= wheel->base);
  uint64_t differ = timer->due ^ wheel->base;
  struct pl_link *list = &wheel->far;
  if (differ >> 32 == 0) {
    unsigned slot = slot_at(level_for(differ), timer->due);
    bit_set(wheel->filled, slot);
    list = &wheel->slot[slot];
  }
  struct pl_link *last = list->prev;
  pl__list_append(list, &timer->head.link);
  return last == list ? NULL : last;
}

/* Appends a timer that was started earlier, maybe earlier than the last. */
static void append_again(struct pl__wheel *wheel, struct pl_timer *timer) {
  const struct pl_link *last = append(wheel, timer);
  if (last != NULL && order_of(last) > timer->order &&
      (timer->due ^ wheel->base) < PL__WHEEL_NEAR)
    bit_set(wheel->mixed, slot_at(levels, timer->due));
}

void pl__wheel_init(struct pl__wheel *wheel, uint64_t base) {
  *wheel = (struct pl__wheel){.base = base};
  for (unsigned slot = 0; slot < PL__WHEEL_SLOTS; slot++)
    pl__link_init(&wheel->slot[slot]);
  pl__link_init(&wheel->far);
}

void pl__wheel_place(struct pl__wheel *wheel, struct pl_timer *timer) {
  append(wheel, timer);
}

void pl__wheel_advance(struct pl__wheel *wheel, struct pl_timer *timer,
                       uint64_t due) {
  pl__list_cut(&timer->head.link);
  timer->due = due;
  timer->order = wheel->starts++;
  append(wheel, timer);
}

/* ---------------------------------------------------------------------- */
/* Moving on                                                              */

/* Appends every timer of a list anew. */
static void deal_out(struct pl__wheel *wheel, struct pl_link *list) {
  struct pl_link waiting;
  pl__list_move(list, &waiting);
  for (struct pl_link *link = waiting.next, *next; link != &waiting;
       link = next) {
    next = link->next;
    append_again(wheel, timer_of(link));
  }
}

/* Whether a timer is due at `base`; one that is not is appended anew. */
static bool stays(void *self, struct pl_link *link) {
  struct pl__wheel *wheel = self;
  struct pl_timer *timer = timer_of(link);
  if (timer->due == wheel->base) return true;
  append_again(wheel, timer);
  return false;
}

/* Looks at the timers from `link` on until so many are due. Returns the next
 * one. */
static struct pl_link *look_on(struct pl__wheel *wheel, struct pl_link *list,
                               struct pl_link *link, size_t enough,
                               struct pl__look *look) {
  for (struct pl_link *next; link != list && look->count < enough;
       link = next) {
    next = link->next;
    struct pl_timer *timer = timer_of(link);
    if (timer->due == wheel->base) {
      pl__look_at(look, timer->order);
    } else {
      pl__list_cut(link);
      append_again(wheel, timer);
    }
  }
  return link;
}

/* Moves what is not due at `base` out of its slot, and sorts the rest. */
static void sort_out(struct pl__wheel *wheel, struct pl_link *list) {
  enum { SOME = 256 };
  struct pl__look look = {0};
  ptrdiff_t key = PL__KEY(struct pl_timer, order);
  struct pl_link *link = look_on(wheel, list, list->next, SOME, &look);
  if (link != list && look.runs > PL__FEW_RUNS) {
    pl__list_sort_kept(list, key, &look, stays, wheel);
    return;
  }
  look_on(wheel, list, link, SIZE_MAX, &look);
  pl__list_sort_seen(list, key, &look);
}

/* Makes the slot at `base` begin with what is due, in start order. Returns the
 * first, or NULL. */
static struct pl_timer *settle(struct pl__wheel *wheel, unsigned slot) {
  struct pl_link *list = &wheel->slot[slot];
  if (bit_test(wheel->mixed, slot)) {
    sort_out(wheel, list);
    bit_clear(wheel->mixed, slot);
  }
  while (!pl__list_empty(list)) {
    struct pl_timer *timer = timer_of(list->next);
    if (timer->due == wheel->base) return timer;
    pl__list_cut(&timer->head.link);
    append_again(wheel, timer);
  }
  bit_clear(wheel->filled, slot);
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
  for (unsigned i = 1; i < PL__WHEEL_LEVELS; i++) {
    const struct level *level = &levels[i];
    unsigned slot = slot_next(wheel, level, slot_at(level, wheel->base) + 1);
    if (slot == level->first + level->slots) continue;
    uint64_t start = slot_start(level, wheel->base, slot);
    if (start > now) return false;
    wheel->base = start;
    bit_clear(wheel->filled, slot);
    deal_out(wheel, &wheel->slot[slot]);
    return true;
  }
  return enter_far(wheel, now);
}

struct pl_timer *pl__wheel_seek(struct pl__wheel *wheel, uint64_t now) {
  while (wheel->base <= now && wheel->count != 0) {
    unsigned slot = slot_next(wheel, levels, slot_at(levels, wheel->base));
    if (slot == PL__WHEEL_NEAR) {
      if (!enter_next(wheel, now)) break;
      continue;
    }
    uint64_t tick = slot_start(levels, wheel->base, slot);
    if (tick > now) break;
    wheel->base = tick;
    struct pl_timer *timer = settle(wheel, slot);
    if (timer != NULL) return timer;
  }
  if (now > wheel->base) wheel->base = now;
  return NULL;
}

/* ---------------------------------------------------------------------- */
/* Looking ahead                                                          */

/* Lowers `least` to the least due time of a list. Returns false when patience
 * ran out. */
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
  for (unsigned i = 0; i < PL__WHEEL_LEVELS; i++) {
    const struct level *level = &levels[i];
    unsigned slot = slot_at(level, wheel->base) + (i != 0);
    while ((slot = slot_next(wheel, level, slot)) !=
           level->first + level->slots) {
      uint64_t start = slot_start(level, wheel->base, slot);
      /* Whoever stands in this slot or behind it is not due before `start`. */
      if (start >= least) return least;
      if (!look_at(&wheel->slot[slot], &least, &patience)) return start;
      slot++;
    }
  }
  look_at(&wheel->far, &least, &(size_t){SIZE_MAX});
  return least;
}

/* A sum, so that it does not matter where they stand. */
static uint64_t digest_of(const struct pl_link *list) {
  uint64_t sum = 0;
  for (const struct pl_link *link = list->next; link != list;
       link = link->next) {
    const struct pl_timer *timer =
        PL__OWNER(link, const struct pl_timer, head.link);
    uint64_t product = (timer->due ^ timer->order << 32) *
                       UINT64_C(0x9e3779b97f4a7c15);
    sum += product ^ product >> 29;
  }
  return sum;
}

uint64_t pl__wheel_digest(const struct pl__wheel *wheel) {
  uint64_t sum = digest_of(&wheel->far);
  for (unsigned word = 0; word < PL__WHEEL_WORDS; word++)
    for (uint64_t bits = wheel->filled[word]; bits != 0; bits &= bits - 1)
      sum += digest_of(
          &wheel->slot[word * 64 + (unsigned)__builtin_ctzll(bits)]);
  return sum;
}

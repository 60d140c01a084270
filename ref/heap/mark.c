/* SPDX-License-Identifier: MIT */
/*
 * mark.c: finds everything that handles, roots and slots reach, young and old,
 * at once or a part at a time.
 *
 * What was seen but not looked at stands on a stack of segments. An object is
 * marked when it is taken from there, some places after its header was asked
 * for, so that the memory's latency is not waited for. An entry of the stack:
 *
 *   reference               not marked yet, or meanwhile by another entry
 *   reference | PL__SHADED  marked, its slots are still to be looked at
 *   reference | PL__PART    as above; the entry below is the slot to go on with
 *
 * There is always one segment. When no second one can be had, what does not
 * fit is marked and dropped, and once the stack is empty all marked objects are
 * looked at again: slow, but without memory and without recursion, and every
 * round marks at least one object more.
 *
 * Invariants:
 *  - No marked object refers to an old object that is neither marked nor on the
 *    stack, but for the marked objects that are on it themselves (PL__SHADED,
 *    PL__PART) and for those whose slots were dropped (stack_overflowed).
 *  - But in the pause that ends marking the stack holds no young object: those
 *    move and die while it stands.
 */
#include "internal.h"

enum {
  AHEAD = 16,      /* objects whose headers are on their way */
  LONG = 2048,     /* slots of an array that are looked at in one go */
  CHECK = 128      /* objects between two looks at the budget */
};

static bool push_segment(struct pl__heap *heap) {
  struct pl__segment *segment = heap->spare;
  if (segment != NULL) heap->spare = NULL;
  else segment = pl__heap_resize(heap, NULL, 0, sizeof *segment);
  if (segment == NULL) return false;
  segment->below = heap->stack;
  segment->count = 0;
  heap->stack = segment;
  return true;
}

bool pl__mark_start(struct pl__heap *heap) {
  return push_segment(heap);
}

static bool make_room(struct pl__heap *heap, size_t entries) {
  return heap->stack->count + entries <= PL__SEGMENT || push_segment(heap);
}

static inline uintptr_t pop(struct pl__heap *heap) {
  struct pl__segment *segment = heap->stack;
  if (__builtin_expect(segment->count == 0, 0)) {
    if (segment->below == NULL) return 0;
    heap->stack = segment->below;
    if (heap->spare == NULL) heap->spare = segment;
    else pl__heap_resize(heap, segment, sizeof *segment, 0);
    segment = heap->stack;
  }
  return (uintptr_t)segment->object[--segment->count];
}

/* ---------------------------------------------------------------------- */
/* Seeing and marking                                                     */

static bool mark_code(pl__word *object) {
  struct pl__page *page = pl__page_of(object);
  size_t bit = ((uintptr_t)object - (uintptr_t)page) / 8;
  uint64_t mask = UINT64_C(1) << bit % 64;
  if (page->marks[bit / 64] & mask) return false;
  page->marks[bit / 64] |= mask;
  return true;
}

/* Marks an object; whether it was not. */
static inline bool mark(struct pl__heap *heap, pl__word *object) {
  uint64_t header = object[-1];
  if (header & (PL__HEAP_MARK | PL__HEAP_CODE)) {
    if (header & PL__HEAP_MARK || !mark_code(object)) return false;
  } else {
    object[-1] = header | PL__HEAP_MARK;
  }
  size_t size = pl__size(header);
  heap->event.marked += size;
  if (header & PL__HEAP_OLD) {
    struct pl__page *page = pl__page_of(object);
    page->live += size;
    page->space->marked += size;
  }
  return true;
}

/* An entry of one place. */
static inline void push(struct pl__heap *heap, uintptr_t entry) {
  struct pl__segment *segment = heap->stack;
  if (__builtin_expect(segment->count == PL__SEGMENT, 0)) {
    if (!make_room(heap, 1)) {
      bool was_white = mark(heap, (pl__word *)(entry & ~(uintptr_t)PL__TAGS));
      if (was_white || entry & PL__TAGS) heap->stack_overflowed = true;
      return;
    }
    segment = heap->stack;
  }
  segment->object[segment->count++] = (void *)entry;
}

/* A value that was found somewhere. */
static inline void see(struct pl__heap *heap, void *value) {
  if (!pl__is_reference(value)) return;
  if (!heap->mark_young) {
    if (pl__in_semi_space(heap, value)) return;
    if (heap->space[PL_SPACE_NEW_LARGE].pages != NULL &&
        !(pl__heap_header(value) & PL__HEAP_OLD))
      return;
  }
  push(heap, (uintptr_t)value);
}

void pl__mark_value(struct pl__heap *heap, void *value) {
  see(heap, value);
}

static void see_root(struct pl__heap *heap, pl__slot *slot) {
  see(heap, *slot);
}

/* Looks at the slots from `from` on of a long array, and leaves the rest. */
static void scan_part(struct pl__heap *heap, pl__word *object, size_t from) {
  size_t words = pl__size(object[-1]) / 8 - 1;
  if (from >= words) return;
  size_t to = words - from > LONG ? from + LONG : words;
  if (to < words) {
    if (make_room(heap, 2)) {
      struct pl__segment *segment = heap->stack;
      segment->object[segment->count++] = (void *)to;
      segment->object[segment->count++] =
          (void *)((uintptr_t)object | PL__PART);
    } else {
      to = words;
    }
  }
  for (size_t i = from; i < to; i++)
    see(heap, ((pl__slot *)object)[i]);
}

static inline void scan(struct pl__heap *heap, pl__word *object) {
  uint64_t header = object[-1];
  const struct pl__type *type = &heap->types[pl__type(header)];
  pl__slot *slots = (pl__slot *)object;
  for (uint64_t bits = type->slots; bits != 0; bits &= bits - 1)
    see(heap, slots[__builtin_ctzll(bits)]);
  if (type->array_from != SIZE_MAX) {
    size_t words = pl__size(header) / 8 - 1;
    if (words > LONG) scan_part(heap, object, type->array_from);
    else
      for (size_t i = type->array_from; i < words; i++)
        see(heap, slots[i]);
  }
  if (header & (PL__HEAP_KEY | PL__HEAP_OWNER))
    pl__ephemerons_marked(heap, object);
}

/* An entry that is not a PL__PART. */
static inline void look_at(struct pl__heap *heap, uintptr_t entry) {
  pl__word *object = (pl__word *)(entry & ~(uintptr_t)PL__TAGS);
  if (entry & PL__SHADED || mark(heap, object)) scan(heap, object);
}

void pl__shade(struct pl__heap *heap, void *object) {
  if (mark(heap, object)) push(heap, (uintptr_t)object | PL__SHADED);
}

void pl__mark_alone(struct pl__heap *heap, void *object) {
  mark(heap, object);
}

/* ---------------------------------------------------------------------- */
/* Draining                                                               */

/* The objects whose headers are on their way: a queue. */
struct ahead {
  uintptr_t entry[AHEAD];
  unsigned first, count;
};

static inline void enter(struct ahead *ahead, uintptr_t entry) {
  __builtin_prefetch((const void *)((entry & ~(uintptr_t)PL__TAGS) - 8), 1);
  ahead->entry[(ahead->first + ahead->count++) % AHEAD] = entry;
}

static inline uintptr_t leave(struct ahead *ahead) {
  uintptr_t entry = ahead->entry[ahead->first];
  ahead->first = (ahead->first + 1) % AHEAD;
  ahead->count--;
  return entry;
}

/* Looks at one object; false: there is none. */
static inline bool advance(struct pl__heap *heap, struct ahead *ahead) {
  while (ahead->count < AHEAD) {
    uintptr_t entry = pop(heap);
    if (entry == 0) break;
    if (entry & PL__PART) {
      size_t from = pop(heap);
      scan_part(heap, (pl__word *)(entry & ~(uintptr_t)PL__TAGS), from);
      continue;
    }
    enter(ahead, entry);
  }
  if (ahead->count == 0) return false;
  look_at(heap, leave(ahead));
  return true;
}

static bool is_used_up(struct pl__heap *heap, const struct pl__budget *budget,
                       size_t since) {
  const struct pl_heap_clock *clock = &heap->config.clock;
  if (heap->event.marked - since >= budget->work) return true;
  return budget->until_ns != 0 &&
         clock->now_ns(clock->self) >= budget->until_ns;
}

bool pl__mark_some(struct pl__heap *heap, struct pl__budget *budget) {
  struct ahead ahead = {.count = 0};
  size_t since = heap->event.marked;
  bool more = true;
  while (more && !is_used_up(heap, budget, since))
    for (int i = 0; i < CHECK && more; i++)
      more = advance(heap, &ahead);
  while (ahead.count != 0)
    push(heap, leave(&ahead));
  size_t done = heap->event.marked - since;
  budget->work -= done < budget->work ? done : budget->work;
  return !more;
}

static void drain(struct pl__heap *heap) {
  struct ahead ahead = {.count = 0};
  while (advance(heap, &ahead))
    continue;
}

static void rescan(struct pl__heap *heap, uintptr_t at, uintptr_t end) {
  while (at < end) {
    pl__word *header = (pl__word *)at;
    at += pl__size(*header);
    if (pl__type(*header) == PL__FREE || !pl__is_marked(header + 1)) continue;
    scan(heap, header + 1);
    drain(heap);
  }
}

/* Looks at all marked objects again, because some were dropped. */
static void recover(struct pl__heap *heap) {
  for (int i = PL_SPACE_OLD_POINTER; i < PL_SPACES; i++)
    pl__space_retire(heap, &heap->space[i]);
  while (heap->stack_overflowed) {
    heap->stack_overflowed = false;
    rescan(heap, heap->block[heap->active], heap->head.top);
    for (int i = 0; i < PL_SPACES; i++)
      for (struct pl__page *page = heap->space[i].pages; page != NULL;
           page = page->next)
        rescan(heap, page->start, page->end);
  }
}

void pl__mark_all(struct pl__heap *heap) {
  drain(heap);
  if (heap->stack_overflowed) recover(heap);
}

/* ---------------------------------------------------------------------- */
/* Where marking begins                                                   */

void pl__mark_roots(struct pl__heap *heap) {
  pl__each_root(heap, see_root);
}

void pl__mark_remembered(struct pl__heap *heap) {
  for (struct pl__page *page = heap->dirty; page; page = page->dirty_next)
    for (size_t i = 0; i < page->remembered_words; i++)
      for (uint64_t bits = page->remembered[i]; bits != 0; bits &= bits - 1) {
        size_t word = i * 64 + (size_t)__builtin_ctzll(bits);
        see(heap, ((pl__slot *)page)[word]);
      }
}

void pl__mark_free(struct pl__heap *heap) {
  while (heap->stack != NULL) {
    struct pl__segment *segment = heap->stack;
    heap->stack = segment->below;
    pl__heap_resize(heap, segment, sizeof *segment, 0);
  }
  if (heap->spare != NULL)
    pl__heap_resize(heap, heap->spare, sizeof *heap->spare, 0);
}

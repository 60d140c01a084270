/* SPDX-License-Identifier: MIT */
/*
 * scavenge.c: Cheney's copying collection of the young generation.
 *
 *   to-space   | scanned | copied, not scanned | free          |
 *              base      scan                  to_top    to_end
 *
 * Survivors go to to-space or, when the policy says so, to an old space. The
 * promoted wait for their scan in a list that is threaded through the first
 * payload words of their corpses, so a scavenge needs no memory of its own.
 *
 * Invariants:
 *  - A corpse's header is the address of the copy (its low bit is 0).
 *  - It cannot fail: to-space is as big as from-space, and what finds no room
 *    in the old generation is copied to to-space instead.
 *  - Afterwards a slot is remembered if and only if it is an old object's and
 *    refers to a young one.
 */
#include "internal.h"

static inline void copy_words(pl__word *to, const pl__word *from,
                              size_t words) {
  if (words > 32) {
    memcpy(to, from, words * 8);
    return;
  }
  size_t i = 0;
  for (; i + 2 <= words; i += 2) {
    uint64_t a = from[i], b = from[i + 1];
    to[i] = a;
    to[i + 1] = b;
    __asm__("" ::: "memory"); /* not a call of memcpy() */
  }
  if (i < words) to[i] = from[i];
}

static inline bool in_from(const struct pl__heap *heap, const void *value) {
  return (uintptr_t)value - heap->from < heap->from_size;
}

/* Where a survivor goes in the old generation, or 0. */
static uintptr_t promoted_place(struct pl__heap *heap, uint64_t header,
                                size_t size) {
  uint32_t type = pl__type(header);
  uintptr_t at = pl__space_allocate(heap, pl__old_home(heap, type), size);
  if (at == 0) {
    heap->promotion_failed = true;
    return 0;
  }
  heap->event.promoted += size;
  if (heap->head.marking) pl__page_of((void *)(at + 8))->live += size;
  return at;
}

/* Copies a young object and returns the copy. */
static inline void *move(struct pl__heap *heap, pl__word *object) {
  uint64_t header = object[-1];
  if (!(header & PL__HEAP_HEADER)) return (void *)(uintptr_t)header;
  size_t size = pl__size(header);
  header &= ~(uint64_t)PL__HEAP_MARK;
  uintptr_t at = 0;
  bool old = (uintptr_t)object < heap->age_mark ||
             heap->to_top + size > heap->keep_end;
  if (old) at = promoted_place(heap, header, size);
  if (at == 0) {
    old = false;
    at = heap->to_top;
    heap->to_top = at + size;
  }
  pl__word *copy = (pl__word *)at + 1;
  copy_words(copy, object, size / 8 - 1);
  copy[-1] = old ? header | heap->old_flags : header;
  object[-1] = (uintptr_t)copy;
  if (old && !heap->types[pl__type(header)].pure) {
    object[0] = (uintptr_t)heap->promoted;
    heap->promoted = object;
  }
  return copy;
}

/* A reference to something that is not in from-space: a large young object
 * becomes old where it is. */
static void keep_large(struct pl__heap *heap, void *value) {
  if (!pl__is_reference(value)) return;
  pl__word *object = value;
  uint64_t header = object[-1];
  if (!(header & PL__HEAP_LARGE) || (header & PL__HEAP_OLD)) return;
  object[-1] = (header & ~(uint64_t)PL__HEAP_MARK) | heap->old_flags;
  struct pl__page *page = pl__page_of(object);
  pl__page_move(page, &heap->space[PL_SPACE_LARGE]);
  page->live = heap->head.marking ? pl__size(header) : 0;
  heap->event.promoted += pl__size(header);
  if (heap->types[pl__type(header)].pure) return;
  page->scan_next = heap->promoted_large;
  heap->promoted_large = page;
}

static inline void visit(struct pl__heap *heap, pl__slot *slot) {
  void *value = *slot;
  if (in_from(heap, value)) {
    if (!((uintptr_t)value & 1)) *slot = move(heap, value);
  } else if (heap->space[PL_SPACE_NEW_LARGE].pages != NULL) {
    keep_large(heap, value);
  }
}

static void visit_root(struct pl__heap *heap, pl__slot *slot) {
  visit(heap, slot);
}

/* ---------------------------------------------------------------------- */
/* What refers to young objects                                           */

static inline bool refers_to_young(const struct pl__heap *heap,
                                   const void *value) {
  return (uintptr_t)value - heap->block[!heap->active] < heap->capacity &&
         !((uintptr_t)value & 1);
}

/* Visits the remembered slots of a page; returns whether some stay so. */
static bool visit_page(struct pl__heap *heap, struct pl__page *page) {
  uint64_t left = 0;
  for (size_t i = 0; i < page->remembered_words; i++) {
    uint64_t bits = page->remembered[i];
    if (bits == 0) continue;
    uint64_t keep = 0;
    for (; bits != 0; bits &= bits - 1) {
      unsigned bit = (unsigned)__builtin_ctzll(bits);
      pl__slot *slot = (pl__slot *)((uintptr_t)page + (i * 64 + bit) * 8);
      visit(heap, slot);
      if (refers_to_young(heap, *slot)) keep |= UINT64_C(1) << bit;
    }
    page->remembered[i] = keep;
    left |= keep;
  }
  return left != 0;
}

static void visit_remembered(struct pl__heap *heap) {
  struct pl__page *page = heap->dirty;
  heap->dirty = NULL;
  while (page != NULL) {
    struct pl__page *next = page->dirty_next;
    page->dirty = visit_page(heap, page);
    if (page->dirty) {
      page->dirty_next = heap->dirty;
      heap->dirty = page;
    }
    page = next;
  }
}

/* ---------------------------------------------------------------------- */
/* What they refer to in turn                                             */

/* What a promoted object refers to is old and must be marked, too. */
static void shade(struct pl__heap *heap, void *value) {
  if (pl__is_reference(value) && pl_heap_is_old(value)) pl__shade(heap, value);
}

static void scan_promoted(struct pl__heap *heap, pl__word *object) {
  struct pl__page *page = pl__page_of(object);
  PL__EACH_SLOT(heap, object, object[-1], slot, {
    visit(heap, slot);
    if (refers_to_young(heap, *slot)) pl__remember(heap, page, slot);
    else if (heap->head.marking) shade(heap, *slot);
  });
}

static uintptr_t scan_copied(struct pl__heap *heap, uintptr_t scan) {
  while (scan < heap->to_top) {
    pl__word *header = (pl__word *)scan;
    scan += pl__size(*header);
    PL__EACH_SLOT(heap, header + 1, *header, slot, visit(heap, slot));
  }
  return scan;
}

static void drain(struct pl__heap *heap, uintptr_t scan) {
  for (;;) {
    scan = scan_copied(heap, scan);
    if (heap->promoted != NULL) {
      pl__word *corpse = heap->promoted;
      heap->promoted = (pl__word *)(uintptr_t)corpse[0];
      scan_promoted(heap, (pl__word *)(uintptr_t)corpse[-1]);
    } else if (heap->promoted_large != NULL) {
      struct pl__page *page = heap->promoted_large;
      heap->promoted_large = page->scan_next;
      scan_promoted(heap, (pl__word *)page->start + 1);
    } else {
      return;
    }
  }
}

/* ---------------------------------------------------------------------- */

void *pl__survivor(const struct pl__heap *heap, void *object) {
  uint64_t header = pl__heap_header(object);
  if (in_from(heap, object))
    return header & PL__HEAP_HEADER ? NULL : (void *)(uintptr_t)header;
  if (pl__in_semi_space(heap, object)) return object;
  return header & PL__HEAP_OLD ? object : NULL;
}

static void begin(struct pl__heap *heap, bool promote_all) {
  uintptr_t to = heap->block[!heap->active];
  heap->from = heap->block[heap->active];
  heap->from_size = heap->capacity;
  heap->to_top = to;
  heap->keep_end = to + heap->capacity;
  if (heap->policy.occupancy_percent != 0)
    heap->keep_end =
        to + heap->capacity / 100 * heap->policy.occupancy_percent +
        heap->capacity % 100 * heap->policy.occupancy_percent / 100 - 8;
  if (promote_all) heap->age_mark = UINTPTR_MAX;
}

/* The semi-space grows when as much as it holds has survived since it grew
 * last. */
static void grow(struct pl__heap *heap) {
  heap->survived += heap->event.copied + heap->event.promoted;
  if (heap->survived <= heap->capacity ||
      heap->capacity >= heap->config.semi_max)
    return;
  heap->capacity *= 2;
  heap->survived = 0;
}

/* Halves the semi-space while four times what is in it has room. */
void pl__young_shrink(struct pl__heap *heap) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  size_t used = heap->head.top - heap->block[heap->active];
  while (heap->capacity > heap->config.semi_initial &&
         used <= heap->capacity / 8)
    heap->capacity /= 2;
  heap->survived = 0;
  pl__young_set_end(heap);
  if (memory->discard == NULL) return;
  for (unsigned i = 0; i < 2; i++) {
    size_t kept = i != heap->active ? 0 : heap->capacity;
    memory->discard(memory->self, (void *)(heap->block[i] + kept),
                    heap->config.semi_max - kept);
  }
}

static void flip(struct pl__heap *heap) {
  if (heap->config.verify)
    for (uintptr_t at = heap->from; at < heap->from + heap->from_size; at += 8)
      *(pl__word *)at = PL__ZAP;
  heap->active = !heap->active;
  heap->event.copied += heap->to_top - heap->block[heap->active];
  heap->head.top = heap->counted = heap->age_mark = heap->to_top;
  grow(heap);
  pl__young_set_end(heap);
}

void pl__scavenge(struct pl__heap *heap, bool promote_all) {
  uintptr_t to = heap->block[!heap->active];
  pl__young_count(heap);
  begin(heap, promote_all);
  pl__each_root(heap, visit_root);
  visit_remembered(heap);
  pl__weak_keep(heap, visit_root);
  pl__ephemerons_keep(heap, visit_root);
  drain(heap, to);
  uintptr_t scanned = heap->to_top;
  pl__weak_sort_young(heap, visit_root);
  drain(heap, scanned);
  pl__weak_settle(heap);
  pl__ephemerons_settle(heap);
  struct pl__space *large = &heap->space[PL_SPACE_NEW_LARGE];
  while (large->pages != NULL)
    pl__page_remove(heap, large->pages);
  flip(heap);
}

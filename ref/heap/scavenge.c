/* SPDX-License-Identifier: MIT */
/*
 * scavenge.c: Cheney's copying collection of the young generation.
 *
 *   to-space   | scanned | copied, not scanned | free          |
 *              base      scan                  to_top    to_end
 *
 * Survivors go to to-space or, when the policy says so, to an old space. The
 * promoted are scanned where they stand in a row in their page, a run for each
 * page. What is promoted into a further gap of such a page waits in a list that
 * is threaded through the first payload words of the corpses: a scavenge needs
 * no memory of its own.
 *
 * Invariants:
 *  - A corpse's header is the address of the copy (its low bit is 0).
 *  - It cannot fail: to-space is as big as from-space, and what finds no room
 *    in the old generation is copied to to-space instead.
 *  - Afterwards a slot is remembered if and only if it is an old object's and
 *    refers to a young one.
 */
/* Where its loops happen to lie makes a fifth of a scavenge that stays in the
 * cache; at the beginning of a line of code they are at their fastest. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize("align-functions=64", "align-loops=64")
#endif

#include "internal.h"

/* Bytes that are asked for ahead, where copies go and where they come from:
 * what lies together is copied at about the same time, if not in its order. */
enum { SHORT = 64, AHEAD = 512, SOURCE_AHEAD = 2048 };

typedef uint64_t __attribute__((vector_size(16), aligned(8), may_alias)) pair;

/* An object's words, the header included, two at a time. */
static inline void copy_words(pl__word *to, const pl__word *from,
                              size_t words) {
  if (__builtin_expect(words > 32, 0)) {
    memcpy(to, from, words * 8);
    return;
  }
  const pl__word *last = from + (words & ~(size_t)1);
  for (; from < last; from += 2, to += 2)
    *(pair *)to = *(const pair *)from;
  if (words & 1) *to = *from;
}

/* The same for an object of at most SHORT bytes, where as many may be read and
 * written: without a loop, whose end nobody can foresee. */
static inline void copy_short(pl__word *copy, const pl__word *object) {
  pair *to = (pair *)(copy - 1);
  const pair *from = (const pair *)(object - 1);
  pair a = from[0], b = from[1], c = from[2], d = from[3];
  to[0] = a;
  to[1] = b;
  to[2] = c;
  to[3] = d;
}

static inline bool in_from(const struct pl__heap *heap, const void *value) {
  return (uintptr_t)value - heap->from < heap->from_size;
}

/* Begins a run of promoted objects at `at`, if the page has none yet. */
static bool begin_run(struct pl__heap *heap, struct pl__space *space,
                      uintptr_t at) {
  struct pl__page *page = pl__page_of((void *)(at + 8));
  if (page->run_from != 0) return false;
  if (space->run_page != NULL) space->run_page->run_to = space->run_end;
  space->run_page = page;
  page->run_from = at;
  page->scan_next = heap->runs;
  heap->runs = page;
  return true;
}

/* Copies an object into the old generation; NULL when there is no room. */
static void *promote(struct pl__heap *heap, pl__word *object, uint64_t header,
                     size_t size) {
  const struct pl__type *type = &heap->types[pl__type(header)];
  struct pl__space *space = &heap->space[type->old_home];
  uintptr_t at = pl__space_allocate(heap, space, size);
  if (__builtin_expect(at == 0, 0)) {
    heap->promotion_failed = true;
    return NULL;
  }
  __builtin_prefetch((const void *)(at + AHEAD), 1);
  pl__word *copy = (pl__word *)at + 1;
  if (size <= SHORT && space->limit - at >= SHORT) copy_short(copy, object);
  else copy_words(copy - 1, object - 1, size / 8);
  copy[-1] = header | heap->old_flags;
  object[-1] = (uintptr_t)copy;
  heap->event.promoted += size;
  if (heap->head.marking) {
    pl__page_of(copy)->live += size;
    space->marked += size;
  }
  if (type->pure) return copy;
  if (at == space->run_end || begin_run(heap, space, at)) {
    space->run_end = at + size;
  } else {
    object[0] = (uintptr_t)heap->promoted;
    heap->promoted = object;
  }
  return copy;
}

/* Copies a young object and returns the copy. */
static __attribute__((noinline)) void *move(struct pl__heap *heap,
                                            pl__word *object) {
  uint64_t header = object[-1];
  if (!(header & PL__HEAP_HEADER)) return (void *)(uintptr_t)header;
  size_t size = pl__size(header);
  header &= ~(uint64_t)PL__HEAP_MARK;
  if ((uintptr_t)object < heap->age_mark ||
      heap->to_top + size > heap->keep_end) {
    void *old = promote(heap, object, header, size);
    if (old != NULL) return old;
  }
  pl__word *copy = (pl__word *)heap->to_top + 1;
  heap->to_top += size;
  copy_words(copy - 1, object - 1, size / 8);
  copy[-1] = header;
  object[-1] = (uintptr_t)copy;
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
  page->epoch = heap->epoch;
  if (heap->head.marking) page->space->marked += page->live = pl__size(header);
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
    if (refers_to_young(heap, *slot)) pl__heap_remember(heap, page, slot);
    else if (heap->head.marking) shade(heap, *slot);
  });
}

/* What a scan reads all the time: stores to objects might change the heap, as
 * far as the compiler can know. */
struct cheney {
  uintptr_t from, from_size, age_mark, top, keep_end, to, end;
};

static inline struct cheney cheney(const struct pl__heap *heap) {
  return (struct cheney){heap->from,     heap->from_size,
                         heap->age_mark, heap->to_top,
                         heap->keep_end, heap->block[!heap->active],
                         heap->block[!heap->active] + heap->capacity};
}

/* The promotion that happens most: of a short object, to the end of a run.
 * NULL: it is another one. */
static inline void *promote_to_run(struct pl__heap *heap, pl__word *object,
                                   uint64_t header, size_t size) {
  struct pl__space *space = pl__old_home(heap, pl__type(header));
  uintptr_t at = space->top;
  if (at != space->run_end || size > SHORT || space->limit - at < SHORT ||
      heap->head.marking)
    return NULL;
  __builtin_prefetch(object + SOURCE_AHEAD / 8);
  __builtin_prefetch((const void *)(at + AHEAD), 1);
  pl__word *copy = (pl__word *)at + 1;
  copy_short(copy, object);
  copy[-1] = (header & ~(uint64_t)PL__HEAP_MARK) | heap->old_flags;
  object[-1] = (uintptr_t)copy;
  space->top = space->run_end = at + size;
  heap->event.promoted += size;
  return copy;
}

/* A slot; the copying that happens most is done here and, of what an old
 * object refers to, the promotion. */
static __attribute__((always_inline)) inline void
scan_slot(struct pl__heap *heap, struct cheney *c, pl__slot *slot, bool old) {
  pl__word *object = *slot;
  if ((uintptr_t)object - c->from >= c->from_size) {
    if (heap->space[PL_SPACE_NEW_LARGE].pages != NULL)
      keep_large(heap, object);
    return;
  }
  if ((uintptr_t)object & 1) return;
  pl__word *copy;
  uint64_t header = object[-1];
  size_t size = pl__size(header);
  if (!(header & PL__HEAP_HEADER)) {
    *slot = (void *)(uintptr_t)header;
  } else if ((uintptr_t)object >= c->age_mark && size <= c->keep_end - c->top &&
             c->top <= c->keep_end) {
    __builtin_prefetch((const void *)(c->top + AHEAD), 1);
    __builtin_prefetch(object + SOURCE_AHEAD / 8);
    copy = (pl__word *)c->top + 1;
    if (size <= SHORT && c->end - c->top >= SHORT) copy_short(copy, object);
    else copy_words(copy - 1, object - 1, size / 8);
    c->top += size;
    copy[-1] = header & ~(uint64_t)PL__HEAP_MARK;
    object[-1] = (uintptr_t)copy;
    *slot = copy;
  } else if (old && (uintptr_t)object < c->age_mark &&
             (copy = promote_to_run(heap, object, header, size)) != NULL) {
    *slot = copy;
  } else {
    heap->to_top = c->top;
    *slot = move(heap, object);
    c->top = heap->to_top;
  }
}

/* This and scan_run() are not inlined into their caller: each needs all
 * registers for itself. */
static __attribute__((noinline)) uintptr_t scan_copied(struct pl__heap *heap,
                                                       uintptr_t scan) {
  struct cheney c = cheney(heap);
  const struct pl__type *types = heap->types;
  while (scan < c.top) {
    pl__slot *object = (pl__slot *)scan + 1;
    uint64_t header = *(pl__word *)scan;
    const struct pl__type *type = &types[pl__type(header)];
    size_t size = pl__size(header);
    scan += size;
    for (uint64_t bits = type->slots; bits != 0; bits &= bits - 1)
      scan_slot(heap, &c, object + __builtin_ctzll(bits), false);
    if (type->array_from == SIZE_MAX) continue;
    for (size_t i = type->array_from; i < size / 8 - 1; i++)
      scan_slot(heap, &c, object + i, false);
  }
  heap->to_top = c.top;
  return scan;
}

static __attribute__((always_inline)) inline void
scan_old_slot(struct pl__heap *heap, struct cheney *c, struct pl__page *page,
              pl__slot *slot) {
  scan_slot(heap, c, slot, true);
  uintptr_t value = (uintptr_t)*slot;
  if (value - c->to < c->end - c->to && !(value & 1))
    pl__heap_remember(heap, page, slot);
  else if (__builtin_expect(heap->head.marking, 0))
    shade(heap, *slot);
}

/* Scans a page's run as far as it goes, and may make it longer. */
static __attribute__((noinline)) void scan_run(struct pl__heap *heap,
                                               struct pl__page *page) {
  struct cheney c = cheney(heap);
  struct pl__space *space = page->space;
  for (;;) {
    uintptr_t end = space->run_page == page ? space->run_end : page->run_to;
    if (page->run_from == end) break;
    pl__slot *object = (pl__slot *)page->run_from + 1;
    uint64_t header = *(pl__word *)page->run_from;
    const struct pl__type *type = &heap->types[pl__type(header)];
    page->run_from += pl__size(header);
    for (uint64_t bits = type->slots; bits != 0; bits &= bits - 1)
      scan_old_slot(heap, &c, page, object + __builtin_ctzll(bits));
    if (type->array_from == SIZE_MAX) continue;
    for (size_t i = type->array_from; i < pl__size(header) / 8 - 1; i++)
      scan_old_slot(heap, &c, page, object + i);
  }
  heap->to_top = c.top;
}

/* Scans all runs; those which cannot get longer leave the list. */
static void scan_runs(struct pl__heap *heap) {
  struct pl__page *page = heap->runs;
  heap->runs = NULL;
  while (page != NULL) {
    struct pl__page *next = page->scan_next;
    scan_run(heap, page);
    if (page->space->run_page == page) {
      page->scan_next = heap->runs;
      heap->runs = page;
    } else {
      page->run_from = 0;
    }
    page = next;
  }
}

static bool runs_are_scanned(const struct pl__heap *heap) {
  for (const struct pl__page *page = heap->runs; page; page = page->scan_next)
    if (page->space->run_page != page ||
        page->run_from != page->space->run_end)
      return false;
  return true;
}

static void end_runs(struct pl__heap *heap) {
  for (; heap->runs != NULL; heap->runs = heap->runs->scan_next) {
    heap->runs->run_from = 0;
    heap->runs->space->run_page = NULL;
    heap->runs->space->run_end = 0;
  }
}

static void drain(struct pl__heap *heap, uintptr_t scan) {
  for (;;) {
    scan = scan_copied(heap, scan);
    if (!runs_are_scanned(heap)) {
      scan_runs(heap);
    } else if (heap->promoted != NULL) {
      pl__word *corpse = heap->promoted;
      heap->promoted = (pl__word *)(uintptr_t)corpse[0];
      scan_promoted(heap, (pl__word *)(uintptr_t)corpse[-1]);
    } else if (heap->promoted_large != NULL) {
      struct pl__page *page = heap->promoted_large;
      heap->promoted_large = page->scan_next;
      scan_promoted(heap, (pl__word *)page->start + 1);
    } else if (scan == heap->to_top) {
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
    if (heap->ready[i] > kept) heap->ready[i] = kept;
  }
}

static void flip(struct pl__heap *heap) {
  if (heap->config.verify)
    for (uintptr_t at = heap->from; at < heap->from + heap->from_size; at += 8)
      *(pl__word *)at = PL__ZAP;
  heap->event.copied += heap->to_top - heap->block[!heap->active];
  /* The same memory again if it may be: it is in the cache. */
  bool stays = heap->to_top == heap->block[!heap->active] &&
               !heap->config.verify;
  if (stays) heap->to_top = heap->block[heap->active];
  else heap->active = !heap->active;
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
  end_runs(heap);
  pl__weak_settle(heap);
  pl__ephemerons_settle(heap);
  pl__ids_scavenged(heap);
  struct pl__space *large = &heap->space[PL_SPACE_NEW_LARGE];
  while (large->pages != NULL)
    pl__page_remove(heap, large->pages);
  flip(heap);
}

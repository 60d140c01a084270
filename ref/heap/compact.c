/* SPDX-License-Identifier: MIT */
/*
 * compact.c: after marking, empties sparse pages into the gaps of the others.
 *
 * Candidates are chosen, the sparsest first, as long as their objects fit into
 * the gaps of the pages that stay and into what the limit leaves. The others
 * are swept; the candidates' objects are copied; then every slot of the heap
 * that refers to a corpse is corrected, and the candidates are unmapped.
 *
 * Invariants:
 *  - It cannot fail: an object for which there is no room stays where it is,
 *    and its page is swept instead ("stuck").
 *  - Code does not move: it may refer to itself in ways that no type tells.
 *    Nor do large objects.
 *  - A corpse's header is the address of the copy (its low bit is 0).
 */
#include "internal.h"

enum { STEPS = 16, SPARSE = 12 }; /* not more than 12/16 live: worth it */

static const enum pl_space movable[] = {PL_SPACE_OLD_POINTER,
                                        PL_SPACE_OLD_DATA, PL_SPACE_MAP,
                                        PL_SPACE_CELL};
enum { MOVABLE = 4 };

static void choose(struct pl__heap *heap, struct pl__space *space) {
  size_t room = heap->config.old_max > heap->old_committed
                    ? (heap->config.old_max - heap->old_committed) / 2
                    : 0;
  for (struct pl__page *page = space->pages; page != NULL; page = page->next) {
    page->stuck = false;
    room += page->end - page->start - page->live;
  }
  size_t moving = 0;
  for (size_t step = 0; step < SPARSE; step++)
    for (struct pl__page *page = space->pages; page != NULL;
         page = page->next) {
      size_t area = page->end - page->start;
      if (page->live * STEPS / area != step) continue;
      if (page->live == 0) continue; /* the sweep removes it */
      if (moving + page->live > room - (area - page->live)) continue;
      page->candidate = true;
      room -= area - page->live;
      moving += page->live;
    }
}

/* The copy of an object remembers what the object did. */
static void remember_young(struct pl__heap *heap, pl__word *copy) {
  struct pl__page *page = pl__page_of(copy);
  PL__EACH_SLOT(heap, copy, copy[-1], slot, {
    if (!pl__is_reference(*slot)) continue;
    uint64_t header = pl__heap_header(*slot);
    if ((header & PL__HEAP_HEADER) && !(header & PL__HEAP_OLD))
      pl__heap_remember(heap, page, slot);
  });
}

static void evacuate(struct pl__heap *heap, struct pl__page *page) {
  size_t size;
  for (uintptr_t from = page->start; from < page->end; from += size) {
    pl__word *header = (pl__word *)from;
    size = pl__size(*header);
    if (!(*header & PL__HEAP_MARK)) continue;
    uintptr_t to = pl__space_allocate(heap, page->space, size);
    if (to == 0) {
      page->stuck = true;
      return;
    }
    pl__word *copy = (pl__word *)to;
    memcpy(copy, header, size);
    copy[0] &= ~(uint64_t)PL__HEAP_MARK;
    *header = (uintptr_t)(copy + 1);
    page->live -= size;
    page->space->dead += size;
    heap->event.moved += size;
    if (page->dirty) remember_young(heap, copy + 1);
  }
}

/* ---------------------------------------------------------------------- */
/* Correcting slots                                                       */

static inline void correct(struct pl__heap *heap, pl__slot *slot) {
  (void)heap;
  if (!pl__is_reference(*slot)) return;
  uint64_t header = pl__heap_header(*slot);
  if (!(header & PL__HEAP_HEADER)) *slot = (void *)(uintptr_t)header;
}

static void correct_root(struct pl__heap *heap, pl__slot *slot) {
  correct(heap, slot);
}

/* The objects of [at, end) that are whole: all, or the marked ones. */
static void correct_range(struct pl__heap *heap, uintptr_t at, uintptr_t end,
                          uint64_t mark) {
  while (at < end) {
    pl__word *header = (pl__word *)at;
    uint64_t whole = *header;
    if (!(whole & PL__HEAP_HEADER)) whole = ((pl__word *)(uintptr_t)whole)[-1];
    at += pl__size(whole);
    if ((*header & mark) == mark && pl__type(*header) != PL__FREE)
      PL__EACH_SLOT(heap, header + 1, *header, slot, correct(heap, slot));
  }
}

static void correct_ephemerons(struct pl__heap *heap) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  for (struct pl_ephemerons *table = store->tables; table; table = table->next)
    correct(heap, (pl__slot *)&table->owner);
  for (uint32_t i = 0; i < store->used; i++) {
    correct(heap, (pl__slot *)&store->entries[i].key);
    correct(heap, (pl__slot *)&store->entries[i].value);
  }
  pl__ephemerons_rehash(heap);
}

static void correct_all(struct pl__heap *heap) {
  const uint64_t marked = PL__HEAP_HEADER | PL__HEAP_MARK;
  pl__each_root(heap, correct_root);
  for (struct pl_weak *weak = heap->weak_old; weak != NULL; weak = weak->next)
    correct(heap, (pl__slot *)&weak->object);
  correct_ephemerons(heap);
  correct_range(heap, heap->block[heap->active], heap->head.top, marked);
  for (int i = 0; i < PL_SPACES; i++) {
    if (i == PL_SPACE_OLD_DATA || i == PL_SPACE_CODE) continue;
    bool swept = i != PL_SPACE_NEW_LARGE;
    for (struct pl__page *page = heap->space[i].pages; page != NULL;
         page = page->next)
      correct_range(heap, page->start, page->end,
                    swept && !page->candidate ? PL__HEAP_HEADER : marked);
  }
}

/* Corpses become dead objects, so that the page can be swept. */
static void bury(struct pl__page *page) {
  for (uintptr_t at = page->start; at < page->end;) {
    pl__word *header = (pl__word *)at;
    if (!(*header & PL__HEAP_HEADER)) {
      size_t size = pl__size(((pl__word *)(uintptr_t)*header)[-1]);
      *header = pl__make_header(size, PL__FREE, 0);
    }
    at += pl__size(*header);
  }
}

static void finish(struct pl__heap *heap, struct pl__space *space) {
  struct pl__page *next;
  for (struct pl__page *page = space->pages; page != NULL; page = next) {
    next = page->next;
    if (!page->candidate) continue;
    page->candidate = false;
    pl__ids_evacuated(heap, page);
    if (!page->stuck) {
      page->space->dead -= page->end - page->start - page->live;
      pl__page_remove(heap, page);
      continue;
    }
    bury(page);
    pl__sweep_page(heap, page);
  }
}

void pl__compact(struct pl__heap *heap) {
  for (int i = 0; i < MOVABLE; i++)
    choose(heap, &heap->space[movable[i]]);
  pl__sweep_all(heap);
  for (int i = 0; i < MOVABLE; i++) {
    struct pl__space *space = &heap->space[movable[i]];
    for (struct pl__page *page = space->pages; page != NULL;
         page = page->next)
      if (page->candidate) evacuate(heap, page);
    pl__space_retire(heap, space);
  }
  correct_all(heap);
  for (int i = 0; i < MOVABLE; i++)
    finish(heap, &heap->space[movable[i]]);
}

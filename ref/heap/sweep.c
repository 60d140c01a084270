/* SPDX-License-Identifier: MIT */
/*
 * sweep.c: after marking, turns dead old objects into fillers, page by page,
 * when a page's room is needed or a step has time for it.
 *
 *   pages of a space:  new and swept ones | unswept ...
 *                                           ^ space->unswept
 *
 * Until its page is swept a dead object stands there whole, with its remembered
 * slots, so a scavenge may visit and correct them as if it were alive.
 *
 * Invariants:
 *  - Neighbouring dead objects and fillers become one filler.
 *  - No slot of a filler stays remembered: else the next scavenge would keep
 *    alive, or write to, what is not an object's any more.
 *  - A page without a live object goes back to the memory interface.
 *  - space->dead is what sweeping its unswept pages will free.
 */
#include "internal.h"

/* A freed range has no remembered slots and is in the free list. */
static void release(struct pl__heap *heap, struct pl__page *page,
                    uintptr_t from, uintptr_t to) {
  pl__forget(page, from, to);
  pl__space_free(heap, page->space, from, to);
}

static void free_the_dead(struct pl__heap *heap, struct pl__page *page) {
  uintptr_t dead = page->start; /* everything from here to `at` is */
  uintptr_t at = page->start;
  while (at < page->end) {
    pl__word *header = (pl__word *)at;
    size_t size = pl__size(*header);
    if (pl__is_marked(header + 1)) {
      if (page->marks == NULL) *header &= ~(uint64_t)PL__HEAP_MARK;
      release(heap, page, dead, at);
      dead = at + size;
    }
    at += size;
  }
  release(heap, page, dead, at);
}

static void clear_marks(struct pl__page *page) {
  if (page->marks == NULL) return;
  memset(page->marks, 0, PL__PAGE / 64);
}

/* A page that cannot be written to keeps its dead until the next time. */
void pl__sweep_page(struct pl__heap *heap, struct pl__page *page) {
  size_t area = page->end - page->start;
  page->space->dead -= area - page->live;
  heap->event.swept += area;
  if (page->live == 0) {
    pl__page_remove(heap, page);
    return;
  }
  page->epoch = heap->epoch;
  if (pl__page_open(heap, page) == 0) {
    free_the_dead(heap, page);
    pl__page_close(heap, page);
  }
  clear_marks(page);
  page->live = 0;
}

void pl__sweep_begin(struct pl__heap *heap) {
  heap->epoch++; /* so no page is swept any more, and none is touched */
  for (int i = PL_SPACE_OLD_POINTER; i <= PL_SPACE_LARGE; i++) {
    struct pl__space *space = &heap->space[i];
    pl__space_retire(heap, space);
    pl__space_forget_free(space);
    space->unswept = space->pages;
    space->dead = space->area - space->marked;
    space->marked = 0;
  }
}

bool pl__sweep_next(struct pl__heap *heap, struct pl__space *space) {
  struct pl__page *page = space->unswept;
  if (page == NULL) return false;
  space->unswept = page->next;
  if (!page->candidate) pl__sweep_page(heap, page);
  return true;
}

static bool is_used_up(struct pl__heap *heap, const struct pl__budget *budget,
                       size_t since) {
  const struct pl_heap_clock *clock = &heap->config.clock;
  if (heap->event.swept - since >= budget->work) return true;
  return budget->until_ns != 0 &&
         clock->now_ns(clock->self) >= budget->until_ns;
}

bool pl__sweep_some(struct pl__heap *heap, struct pl__budget *budget) {
  if (heap->phase != PL__SWEEPING) return true;
  size_t since = heap->event.swept;
  for (int i = PL_SPACE_OLD_POINTER; i <= PL_SPACE_LARGE; i++)
    while (heap->space[i].unswept != NULL) {
      if (is_used_up(heap, budget, since)) return false;
      pl__sweep_next(heap, &heap->space[i]);
    }
  heap->phase = PL__IDLE;
  return true;
}

void pl__sweep_all(struct pl__heap *heap) {
  struct pl__budget budget = {.work = SIZE_MAX};
  pl__sweep_some(heap, &budget);
}

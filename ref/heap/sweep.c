/* SPDX-License-Identifier: MIT */
/*
 * sweep.c: after marking, turns dead old objects into fillers.
 *
 * Invariants:
 *  - Neighbouring dead objects and fillers become one filler.
 *  - No slot of a dead object stays remembered: else the next scavenge would
 *    keep alive, or write to, what is not an object's any more.
 *  - A page without a live object goes back to the memory interface.
 */
#include "internal.h"

/* A freed range has no remembered slots and is in the free list. */
static void release(struct pl__heap *heap, struct pl__page *page,
                    uintptr_t from, uintptr_t to) {
  pl__forget(page, from, to);
  pl__space_free(heap, page->space, from, to);
}

void pl__sweep_page(struct pl__heap *heap, struct pl__page *page) {
  uintptr_t dead = page->start; /* everything from here to `at` is */
  uintptr_t at = page->start;
  while (at < page->end) {
    pl__word *header = (pl__word *)at;
    size_t size = pl__size(*header);
    if (*header & PL__HEAP_MARK) {
      *header &= ~(uint64_t)PL__HEAP_MARK;
      release(heap, page, dead, at);
      dead = at + size;
    }
    at += size;
  }
  if (dead == page->start) pl__page_remove(heap, page);
  else release(heap, page, dead, at);
}

void pl__sweep_space(struct pl__heap *heap, struct pl__space *space) {
  pl__space_forget_free(space);
  struct pl__page *next;
  for (struct pl__page *page = space->pages; page != NULL; page = next) {
    next = page->next;
    if (!page->candidate) pl__sweep_page(heap, page);
  }
}

void pl__sweep(struct pl__heap *heap) {
  for (int i = PL_SPACE_OLD_POINTER; i <= PL_SPACE_LARGE; i++)
    pl__sweep_space(heap, &heap->space[i]);
}

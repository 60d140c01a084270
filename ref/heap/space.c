/* SPDX-License-Identifier: MIT */
/*
 * space.c: allocation in pages: a bump region, refilled from a free list.
 *
 * The free list has a bucket for each power of two: bucket n holds fillers of
 * 2^n up to 2^(n+1) - 1 words, linked through their second word. A filler of
 * one word stands in no bucket; it is found again by the next sweep.
 *
 * Invariants:
 *  - free is the sum of all fillers' bytes in swept pages, in buckets or not;
 *    what is neither in a filler nor in [top, limit) nor in `dead` is a live
 *    object, or one that died since the last marking.
 *  - [top, limit) lies in a swept page.
 *  - [top, limit) lies within one page and is zero bytes long when retired.
 */
#include "internal.h"

/* How many fillers of the bucket that may or may not fit are looked at. */
enum { PATIENCE = 8 };

static unsigned bucket_of(size_t words) {
  return 63 - (unsigned)__builtin_clzll(words);
}

void pl__space_free(struct pl__heap *heap, struct pl__space *space,
                    uintptr_t from, uintptr_t to) {
  if (from == to) return;
  pl__word *filler = (pl__word *)from;
  size_t words = (to - from) / 8;
  filler[0] = pl__make_header(to - from, PL__FREE, 0);
  space->free += to - from;
  if (words == 1) return;
  unsigned n = bucket_of(words);
  filler[1] = (uintptr_t)space->bucket[n];
  space->bucket[n] = filler;
  if (!heap->config.verify) return;
  for (size_t i = 2; i < words; i++)
    filler[i] = PL__ZAP;
}

void pl__space_forget_free(struct pl__space *space) {
  memset(space->bucket, 0, sizeof space->bucket);
  space->free = 0;
}

/* In a code page the rest is a filler already, and cannot be written to. */
void pl__space_retire(struct pl__heap *heap, struct pl__space *space) {
  if (space->id == PL_SPACE_CODE) space->free += space->limit - space->top;
  else pl__space_free(heap, space, space->top, space->limit);
  space->top = space->limit = 0;
}

/* Takes a filler of at least `words` out of a bucket, or returns NULL. */
static pl__word *take(struct pl__space *space, unsigned n, size_t words) {
  pl__word *before = NULL;
  pl__word *filler = space->bucket[n];
  int patience = space->id == PL_SPACE_CODE ? 1 : PATIENCE; /* sealed links */
  for (int i = 0; i < patience && filler != NULL; i++) {
    pl__word *next = (pl__word *)(uintptr_t)filler[1];
    if (pl__size(filler[0]) / 8 >= words) {
      if (before == NULL) space->bucket[n] = next;
      else before[1] = (uintptr_t)next;
      return filler;
    }
    before = filler;
    filler = next;
  }
  return NULL;
}

static bool refill_from_free_list(struct pl__space *space, size_t words) {
  for (unsigned n = bucket_of(words); n < PL__BUCKETS; n++) {
    pl__word *filler = take(space, n, words);
    if (filler == NULL) continue;
    size_t size = pl__size(filler[0]);
    space->top = (uintptr_t)filler;
    space->limit = space->top + size;
    space->free -= size;
    return true;
  }
  return false;
}

static bool refill_from_page(struct pl__heap *heap, struct pl__space *space) {
  struct pl__page *page = pl__page_add(heap, space, 0);
  if (page == NULL) return false;
  space->top = page->start;
  space->limit = page->end;
  return true;
}

/* Sweeps some pages for room before it asks for a new one, and all of them
 * before it gives up. */
static bool refill(struct pl__heap *heap, struct pl__space *space,
                   size_t words) {
  for (int i = 0; i <= PATIENCE; i++) {
    if (refill_from_free_list(space, words)) return true;
    if (!pl__sweep_next(heap, space)) break;
  }
  if (refill_from_page(heap, space)) return true;
  while (pl__sweep_next(heap, space))
    if (refill_from_free_list(space, words)) return true;
  return refill_from_page(heap, space); /* of what sweeping gave back */
}

uintptr_t pl__space_refill(struct pl__heap *heap, struct pl__space *space,
                           size_t size) {
  pl__space_retire(heap, space);
  if (!refill(heap, space, size / 8)) return 0;
  uintptr_t at = space->top;
  space->top = at + size;
  return at;
}

size_t pl__space_used(const struct pl__space *space) {
  return space->area - space->free - space->dead -
         (space->limit - space->top);
}

void *pl__large_allocate(struct pl__heap *heap, enum pl_space id,
                         uint32_t type, size_t size) {
  struct pl__page *page = pl__page_add(heap, &heap->space[id], size);
  if (page == NULL) return NULL;
  pl__word *header = (pl__word *)page->start;
  uint64_t flags = id == PL_SPACE_NEW_LARGE ? 0 : PL__HEAP_OLD;
  if (id == PL_SPACE_CODE) flags |= PL__CODE_FLAGS;
  header[0] = pl__make_header(size, type, flags | PL__HEAP_LARGE);
  if (id == PL_SPACE_CODE && pl__page_close(heap, page) != 0) {
    pl__page_remove(heap, page);
    return NULL;
  }
  return header + 1;
}

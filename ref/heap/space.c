/* SPDX-License-Identifier: MIT */
/*
 * space.c: allocation in pages: a bump region, refilled from a free list.
 *
 * The free list has a bucket for each power of two: bucket n holds fillers of
 * 2^n up to 2^(n+1) - 1 words, linked through their second word. A filler of
 * one word stands in no bucket; it is found again by the next sweep.
 *
 * Invariants:
 *  - free is the sum of all fillers' bytes, in buckets or not; what is neither
 *    in a filler nor in [top, limit) is an object.
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

void pl__space_retire(struct pl__heap *heap, struct pl__space *space) {
  pl__space_free(heap, space, space->top, space->limit);
  space->top = space->limit = 0;
}

/* Takes a filler of at least `words` out of a bucket, or returns NULL. */
static pl__word *take(struct pl__space *space, unsigned n, size_t words) {
  pl__word *before = NULL;
  pl__word *filler = space->bucket[n];
  for (int i = 0; i < PATIENCE && filler != NULL; i++) {
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

uintptr_t pl__space_refill(struct pl__heap *heap, struct pl__space *space,
                           size_t size) {
  pl__space_retire(heap, space);
  if (!refill_from_free_list(space, size / 8)) {
    struct pl__page *page = pl__page_add(heap, space, 0);
    if (page == NULL) return 0;
    space->top = page->start;
    space->limit = page->end;
  }
  uintptr_t at = space->top;
  space->top = at + size;
  return at;
}

size_t pl__space_used(const struct pl__space *space) {
  return space->area - space->free - (space->limit - space->top);
}

void *pl__large_allocate(struct pl__heap *heap, enum pl_space id,
                         uint32_t type, size_t size) {
  struct pl__page *page = pl__page_add(heap, &heap->space[id], size);
  if (page == NULL) return NULL;
  pl__word *header = (pl__word *)page->start;
  uint64_t old = id == PL_SPACE_NEW_LARGE ? 0 : PL__HEAP_OLD;
  header[0] = pl__make_header(size, type, old | PL__HEAP_LARGE);
  heap->allocated += size;
  return header + 1;
}

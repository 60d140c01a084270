/* SPDX-License-Identifier: MIT */
/*
 * page.c: pages of the old generation, and the slots that they remember.
 *
 * The remembered set is a bit for each word of a page with slots: the barrier
 * needs no memory, so it cannot fail, and a slot is in the set once however
 * often it is written. It costs 1/64 of the pages. Rejected: a list of slots
 * that the barrier appends to, which can fail and holds slots many times.
 *
 * Invariants:
 *  - A page with a bit set is in the list of dirty pages.
 *  - A bit is set only for a slot of an object, never for a filler's word.
 *  - old_committed is the sum of all pages' sizes, and not more than old_max,
 *    but when the limit has been lowered.
 *  - The pool holds emptied pages, and fresh ones that have been populated, not
 *    executable ones, up to the bytes of a semi-space: as much as the next
 *    scavenge may promote. The first touch of a fresh page costs more than the
 *    objects that are copied into it, so a scavenge should not do it.
 */
#include "internal.h"

static const size_t head_bytes = (sizeof(struct pl__page) + 15) & ~(size_t)15;

/* Bytes before a page's objects. */
static size_t head_of(const struct pl__space *space) {
  return space->id == PL_SPACE_CODE ? PL__CODE_HEAD : head_bytes;
}

static bool has_slots(const struct pl__space *space) {
  return space->id != PL_SPACE_OLD_DATA && space->id != PL_SPACE_CODE;
}

static void link_page(struct pl__space *space, struct pl__page *page) {
  page->space = space;
  page->next = space->pages;
  page->link = &space->pages;
  if (page->next != NULL) page->next->link = &page->next;
  space->pages = page;
  space->committed += page->size;
  space->area += page->end - page->start;
}

static void unlink_page(struct pl__page *page) {
  *page->link = page->next;
  if (page->next != NULL) page->next->link = page->link;
  page->space->committed -= page->size;
  page->space->area -= page->end - page->start;
}

/* ---------------------------------------------------------------------- */
/* Where pages come from and go to                                        */

static void populate(const struct pl__heap *heap, void *block, size_t size) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  if (memory->populate != NULL) memory->populate(memory->self, block, size);
}

/* A mapping whose head is zeroed: fresh, or from the pool. */
static struct pl__page *get(struct pl__heap *heap, size_t size,
                            bool executable) {
  struct pl__page *page = heap->pool;
  if (page == NULL || size != PL__PAGE || executable) {
    const struct pl_heap_memory *memory = &heap->config.memory;
    page = memory->map(memory->self, size, PL__PAGE, executable);
    if (page != NULL && size == PL__PAGE) populate(heap, page, size);
    return page;
  }
  heap->pool = page->next;
  heap->pooled -= PL__PAGE;
  memset(page, 0, sizeof *page);
  return page;
}

static void put(struct pl__heap *heap, struct pl__page *page) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  if (page->size != PL__PAGE || page->space->id == PL_SPACE_CODE ||
      heap->pooled >= heap->capacity) {
    memory->unmap(memory->self, page, page->size);
    return;
  }
  page->next = heap->pool;
  heap->pool = page;
  heap->pooled += PL__PAGE;
}

bool pl__page_pool_fill(struct pl__heap *heap) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  struct pl__page *page = memory->map(memory->self, PL__PAGE, PL__PAGE, false);
  if (page == NULL) return false;
  populate(heap, page, PL__PAGE);
  page->next = heap->pool;
  heap->pool = page;
  heap->pooled += PL__PAGE;
  return true;
}

void pl__page_pool_free(struct pl__heap *heap) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  while (heap->pool != NULL) {
    struct pl__page *page = heap->pool;
    heap->pool = page->next;
    memory->unmap(memory->self, page, PL__PAGE);
  }
  heap->pooled = 0;
}

struct pl__page *pl__page_add(struct pl__heap *heap, struct pl__space *space,
                              size_t size) {
  size_t total = PL__PAGE;
  size_t bitmap = 0;
  size_t front = head_of(space);
  if (size != 0) {
    if (size > SIZE_MAX / 2) return NULL;
    if (has_slots(space)) bitmap = (size + front) / 64 / 8 * 8 + 16;
    total = (front + size + bitmap + 4095) & ~(size_t)4095;
  } else if (has_slots(space)) {
    bitmap = total / 64;
  }
  if (heap->old_committed > heap->config.old_max ||
      total > heap->config.old_max - heap->old_committed)
    return NULL;
  struct pl__page *page = get(heap, total, space->id == PL_SPACE_CODE);
  if (page == NULL) return NULL;
  page->size = total;
  page->epoch = heap->epoch;
  page->start = (uintptr_t)page + front;
  page->end = size != 0 ? page->start + size
                        : (uintptr_t)page + total - bitmap;
  if (bitmap != 0) page->remembered = (pl__word *)page->end;
  page->remembered_words = bitmap / 8;
  if (size == 0 && bitmap != 0) memset(page->remembered, 0, bitmap);
  if (space->id == PL_SPACE_CODE) {
    page->marks = (pl__word *)((uintptr_t)page + PL__CODE_HEAD - PL__PAGE / 64);
    page->writable = true;
  }
  heap->old_committed += total;
  heap->metadata += total - (page->end - page->start);
  link_page(space, page);
  return page;
}

static void not_dirty(struct pl__heap *heap, struct pl__page *page) {
  struct pl__page **at = &heap->dirty;
  while (*at != page)
    at = &(*at)->dirty_next;
  *at = page->dirty_next;
}

void pl__page_remove(struct pl__heap *heap, struct pl__page *page) {
  pl__ids_page_free(heap, page);
  if (page->dirty) not_dirty(heap, page);
  unlink_page(page);
  heap->old_committed -= page->size;
  heap->metadata -= page->size - (page->end - page->start);
  put(heap, page);
}

void pl__page_move(struct pl__page *page, struct pl__space *to) {
  unlink_page(page);
  link_page(to, page);
}

/* ---------------------------------------------------------------------- */
/* The remembered set                                                     */

void pl__heap_remember(struct pl__heap *heap, struct pl__page *page,
                       void *slot) {
  size_t bit = ((uintptr_t)slot - (uintptr_t)page) / 8;
  page->remembered[bit / 64] |= UINT64_C(1) << bit % 64;
  if (page->dirty) return;
  page->dirty = true;
  page->dirty_next = heap->dirty;
  heap->dirty = page;
}

void pl__forget(struct pl__page *page, uintptr_t from, uintptr_t to) {
  if (!page->dirty || from == to) return;
  size_t first = (from - (uintptr_t)page) / 8;
  size_t last = (to - (uintptr_t)page) / 8 - 1;
  uint64_t head = ~UINT64_C(0) << first % 64;
  uint64_t tail = ~UINT64_C(0) >> (63 - last % 64);
  pl__word *word = page->remembered + first / 64;
  pl__word *end = page->remembered + last / 64;
  if (word == end) {
    *word &= ~(head & tail);
    return;
  }
  *word++ &= ~head;
  while (word < end)
    *word++ = 0;
  *word &= ~tail;
}

void pl__heap_write_slow(struct pl_heap *head, void *object, void **slot) {
  struct pl__heap *heap = pl__heap(head);
  if (pl_heap_is_old(*slot)) pl__shade(heap, *slot);
  else pl__heap_remember(heap, pl__page_of(object), slot);
}

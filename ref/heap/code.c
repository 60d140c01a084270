/* SPDX-License-Identifier: MIT */
/*
 * code.c: pages with code are writable or executable, never both.
 *
 *   | struct pl__page | marks | objects ...                           |
 *   | writable, never executable | executable, but while it is written |
 *
 * Invariants:
 *  - The objects of a code page are writable within the functions here and
 *    while the page is swept, and executable else.
 *  - Before a page is closed it is parsable, the rest of the bump region
 *    included: later nobody could write a filler there. So that rest is not
 *    found again before the next sweep.
 */
#include "internal.h"

static int protect(struct pl__heap *heap, struct pl__page *page,
                   bool executable) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  if (memory->protect == NULL || page->marks == NULL ||
      page->writable == !executable)
    return 0;
  int error = memory->protect(memory->self, (void *)page->start,
                              page->size - PL__CODE_HEAD, executable);
  if (error == 0) page->writable = !executable;
  return error;
}

int pl__page_open(struct pl__heap *heap, struct pl__page *page) {
  return protect(heap, page, false);
}

int pl__page_close(struct pl__heap *heap, struct pl__page *page) {
  return protect(heap, page, true);
}

void *pl__code_allocate(struct pl__heap *heap, uint32_t type, size_t size) {
  struct pl__space *space = &heap->space[PL_SPACE_CODE];
  uintptr_t at = pl__space_allocate(heap, space, size);
  if (at == 0) return NULL;
  pl__word *header = (pl__word *)at;
  struct pl__page *page = pl__page_of(header + 1);
  if (pl__page_open(heap, page) != 0) {
    space->top = at;
    return NULL;
  }
  header[0] = pl__make_header(size, type, PL__HEAP_OLD | PL__CODE_FLAGS);
  memset(header + 1, 0, size - 8);
  if (space->top != space->limit)
    *(pl__word *)space->top =
        pl__make_header(space->limit - space->top, PL__FREE, 0);
  if (pl__page_close(heap, page) == 0) return header + 1;
  header[0] = pl__make_header(size, PL__FREE, 0);
  return NULL;
}

int pl_code_write(struct pl_heap *head, void *object, size_t offset,
                  const void *bytes, size_t size) {
  struct pl__heap *heap = pl__heap(head);
  if (!(pl__heap_header(object) & PL__HEAP_CODE)) return PL_EINVAL;
  size_t room = pl_heap_bytes_of(object);
  if (offset > room || size > room - offset) return PL_EINVAL;
  struct pl__page *page = pl__page_of(object);
  int error = pl__page_open(heap, page);
  if (error != 0) return error;
  memcpy((char *)object + offset, bytes, size);
  return pl__page_close(heap, page);
}

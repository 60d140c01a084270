/* SPDX-License-Identifier: MIT */
/*
 * mark.c: finds everything that handles, roots and slots reach, young and old.
 *
 * A marked object has PL__HEAP_MARK; the marked whose slots are still to be
 * looked at stand on a stack of segments. There is always one segment. When no
 * second one can be had, what does not fit is dropped, and once the stack is
 * empty all marked objects are looked at again: slow, but without memory and
 * without recursion, and every round marks at least one object more.
 *
 * Invariant: when the stack is empty and nothing was dropped, no marked object
 * refers to an unmarked one.
 */
#include "internal.h"

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

static void push(struct pl__heap *heap, void *object) {
  if (heap->stack->count == PL__SEGMENT && !push_segment(heap)) {
    heap->stack_overflowed = true;
    return;
  }
  heap->stack->object[heap->stack->count++] = object;
}

static void *pop(struct pl__heap *heap) {
  struct pl__segment *segment = heap->stack;
  if (segment->count == 0) {
    if (segment->below == NULL) return NULL;
    heap->stack = segment->below;
    if (heap->spare == NULL) heap->spare = segment;
    else pl__heap_resize(heap, segment, sizeof *segment, 0);
    segment = heap->stack;
  }
  return segment->object[--segment->count];
}

static inline void visit(struct pl__heap *heap, pl__slot *slot) {
  void *value = *slot;
  if (!pl__is_reference(value)) return;
  pl__word *object = value;
  uint64_t header = object[-1];
  if (header & PL__HEAP_MARK) return;
  object[-1] = header | PL__HEAP_MARK;
  if (!heap->types[pl__type(header)].pure) push(heap, object);
}

static void visit_root(struct pl__heap *heap, pl__slot *slot) {
  visit(heap, slot);
}

static void scan(struct pl__heap *heap, pl__word *object) {
  PL__EACH_SLOT(heap, object, object[-1], slot, visit(heap, slot));
}

static void drain(struct pl__heap *heap) {
  for (pl__word *object; (object = pop(heap)) != NULL;)
    scan(heap, object);
}

static void rescan(struct pl__heap *heap, uintptr_t at, uintptr_t end) {
  while (at < end) {
    pl__word *header = (pl__word *)at;
    at += pl__size(*header);
    if (!(*header & PL__HEAP_MARK)) continue;
    scan(heap, header + 1);
    drain(heap);
  }
}

/* Looks at all marked objects again, because some were dropped. */
static void recover(struct pl__heap *heap) {
  while (heap->stack_overflowed) {
    heap->stack_overflowed = false;
    rescan(heap, heap->block[heap->active], heap->head.top);
    for (int i = 0; i < PL_SPACES; i++)
      for (struct pl__page *page = heap->space[i].pages; page != NULL;
           page = page->next)
        rescan(heap, page->start, page->end);
  }
}

static void clear_weak(struct pl__heap *heap, struct pl_weak *weak) {
  while (weak != NULL) {
    struct pl_weak *next = weak->next;
    if (!(pl__heap_header(weak->object) & PL__HEAP_MARK))
      pl__weak_clear(heap, weak);
    weak = next;
  }
}

void pl__mark(struct pl__heap *heap) {
  for (int i = PL_SPACE_OLD_POINTER; i < PL_SPACES; i++)
    pl__space_retire(heap, &heap->space[i]);
  pl__each_root(heap, visit_root);
  drain(heap);
  recover(heap);
  clear_weak(heap, heap->weak_young);
  clear_weak(heap, heap->weak_old);
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

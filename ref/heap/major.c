/* SPDX-License-Identifier: MIT */
/*
 * major.c: a major collection, at once or in steps.
 *
 *   idle --begin--> marking --end--> sweeping --last page--> idle
 *
 * In steps, marking leaves young objects alone: minor collections go on between
 * the steps, and what they promote is marked at once. The pause that ends
 * marking looks at all roots again, at every remembered slot and at the young,
 * so the mutator tells (pl_heap_write(), pl__shade()) only of old objects that
 * it stores in old ones. Sweeping is left to allocation and to further steps.
 *
 * Rejected: a barrier that tells of what is overwritten. It would keep all that
 * was alive at the beginning, and would have to read the slot first.
 *
 * Invariants:
 *  - mark.c's, between any two steps.
 *  - Weak handles and tables are cleared, finalizers are due, in the pause that
 *    ends marking: nobody can get hold of a dead object between them.
 *  - What is allocated old, or promoted, while marking is under way is marked.
 */
#include "internal.h"

void pl__major_begin(struct pl__heap *heap) {
  assert(heap->phase == PL__IDLE);
  heap->phase = PL__MARKING;
  heap->head.marking = true;
  heap->mark_young = heap->marked_all = false;
  heap->old_flags = PL__HEAP_OLD | PL__HEAP_MARK;
  pl__mark_roots(heap);
}

/* What was found dead is sorted out. */
static void bury(struct pl__heap *heap) {
  pl__weak_sort(heap);
  for (struct pl_weak *weak = heap->dead; weak != NULL; weak = weak->next)
    if (weak->object != NULL) pl__mark_value(heap, weak->object);
  pl__mark_all(heap);
  pl__weak_release(heap);
  pl__ephemerons_clear(heap);
}

static void end_marking(struct pl__heap *heap) {
  heap->phase = PL__SWEEPING;
  heap->head.marking = false;
  heap->mark_young = false;
  heap->old_flags = PL__HEAP_OLD;
  pl__sweep_begin(heap);
}

void pl__major_end(struct pl__heap *heap) {
  assert(heap->phase == PL__MARKING);
  heap->mark_young = true;
  pl__mark_roots(heap);
  pl__mark_remembered(heap);
  pl__mark_all(heap);
  pl__ephemerons_mark_young(heap);
  pl__mark_all(heap);
  bury(heap);
  end_marking(heap);
}

void pl__major_complete(struct pl__heap *heap) {
  if (heap->phase == PL__MARKING) {
    pl__major_end(heap);
    pl__scavenge(heap, false); /* which takes the marks of the young */
  }
  pl__sweep_all(heap);
}

void pl__major(struct pl__heap *heap, bool compact) {
  pl__major_complete(heap);
  heap->phase = PL__MARKING;
  heap->mark_young = true;
  pl__mark_roots(heap);
  pl__mark_all(heap);
  bury(heap);
  end_marking(heap);
  if (compact) pl__compact(heap);
  else pl__sweep_all(heap);
}

void pl__major_step(struct pl__heap *heap, struct pl__budget *budget) {
  if (heap->phase == PL__IDLE) pl__major_begin(heap);
  if (heap->phase == PL__MARKING)
    heap->marked_all = pl__mark_some(heap, budget);
  else
    pl__sweep_some(heap, budget);
}

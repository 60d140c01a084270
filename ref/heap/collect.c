/* SPDX-License-Identifier: MIT */
/*
 * collect.c: when to collect what, and what to do when memory runs out.
 *
 * A young allocation that finds the semi-space full asks for a minor
 * collection, or for a major one when the old generation has grown to its
 * allocation limit. An allocation that still finds no room tries, in this
 * order: a major collection, a compacting one, the near-limit callback for as
 * long as it raises the limit; then it returns NULL.
 *
 * Invariants:
 *  - A collection never fails and leaves the heap consistent.
 *  - head.end is young_end, or head.top when the next allocation must not be
 *    inlined: under stress, and when external memory makes a collection due.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------------- */
/* The young bump region                                                  */

/* Brings the logical clock up to date. */
void pl__young_count(struct pl__heap *heap) {
  heap->allocated += heap->head.top - heap->counted;
  heap->counted = heap->head.top;
}

void pl__young_set_end(struct pl__heap *heap) {
  heap->young_end = heap->block[heap->active] + heap->capacity;
  bool slow = heap->config.stress != 0 || heap->external_due;
  heap->head.end = slow ? heap->head.top : heap->young_end;
}

static void *take_young(struct pl__heap *heap, uint32_t type, size_t size) {
  uintptr_t at = heap->head.top;
  if (size > heap->young_end - at) return NULL;
  heap->head.top = at + size;
  pl__young_set_end(heap);
  pl__word *header = (pl__word *)at;
  header[0] = pl__make_header(size, type, 0);
  return memset(header + 1, 0, size - 8);
}

/* ---------------------------------------------------------------------- */
/* A collection                                                           */

static void check(struct pl__heap *heap) {
  struct pl_heap_fault fault;
  if (!heap->config.verify) return;
  if (pl_heap_verify(&heap->head, &fault) != PL_EFAULT) return;
  if (heap->config.on_fault != NULL) {
    heap->config.on_fault(heap->config.arg, &fault);
    return;
  }
  fprintf(stderr, "heap: %s (object %p, slot %p)\n", fault.invariant,
          fault.object, fault.slot);
  abort();
}

static void collect_old(struct pl__heap *heap, enum pl_gc_kind kind) {
  pl__mark(heap);
  if (kind == PL_GC_COMPACT) pl__compact(heap);
  else pl__sweep(heap);
}

/* The next major collection is due when the live bytes have doubled, or half
 * of what the limit leaves is used up. */
static void set_triggers(struct pl__heap *heap) {
  size_t live = pl__old_used(heap);
  size_t max = heap->config.old_max;
  size_t next = live > SIZE_MAX / 2 ? SIZE_MAX : live * 2;
  if (next < heap->config.old_trigger) next = heap->config.old_trigger;
  if (live < max && next > live + (max - live) / 2)
    next = live + (max - live) / 2;
  heap->next_major = next;
  heap->external_base = heap->external;
  heap->external_due = false;
}

static void account(struct pl__heap *heap, struct pl_gc_event *event) {
  heap->collections[event->kind]++;
  heap->copied_bytes += heap->event_copied;
  heap->promoted_bytes += heap->event_promoted;
  event->after = pl__used(heap);
  event->copied = heap->event_copied;
  event->promoted = heap->event_promoted;
  event->moved = heap->event_moved;
  event->cleared = heap->event_cleared;
}

void pl__collect(struct pl__heap *heap, enum pl_gc_kind kind,
                 enum pl_gc_reason reason) {
  const struct pl_heap_clock *clock = &heap->config.clock;
  check(heap);
  pl__young_count(heap);
  struct pl_gc_event event = {.kind = kind,
                              .reason = reason,
                              .number = ++heap->number,
                              .clock = heap->allocated,
                              .start_ns = clock->now_ns(clock->self),
                              .before = pl__used(heap)};
  heap->event_copied = heap->event_promoted = 0;
  heap->event_moved = heap->event_cleared = 0;
  heap->promotion_failed = false;
  if (kind != PL_GC_MINOR) collect_old(heap, kind);
  pl__scavenge(heap, kind != PL_GC_MINOR && heap->policy.full_promotes);
  if (kind != PL_GC_MINOR) set_triggers(heap);
  pl__young_set_end(heap);
  event.pause_ns = clock->now_ns(clock->self) - event.start_ns;
  account(heap, &event);
  check(heap);
  if (heap->config.on_event != NULL)
    heap->config.on_event(heap->config.arg, &event);
}

void pl_heap_collect(struct pl_heap *head, enum pl_gc_kind kind) {
  pl__collect(pl__heap(head), kind, PL_GC_REQUESTED);
}

/* ---------------------------------------------------------------------- */
/* Allocation that is not inlined                                         */

struct request {
  uint32_t type;
  size_t size;
  bool young, large;
};

static void *take_old(struct pl__heap *heap, const struct request *want) {
  struct pl__space *space = pl__old_home(heap, want->type);
  uintptr_t at = pl__space_allocate(heap, space, want->size);
  if (at == 0) return NULL;
  heap->allocated += want->size;
  pl__word *header = (pl__word *)at;
  header[0] = pl__make_header(want->size, want->type, PL__HEAP_OLD);
  return memset(header + 1, 0, want->size - 8);
}

static void *take(struct pl__heap *heap, const struct request *want) {
  if (want->large)
    return pl__large_allocate(
        heap, want->young ? PL_SPACE_NEW_LARGE : PL_SPACE_LARGE, want->type,
        want->size);
  if (want->young) return take_young(heap, want->type, want->size);
  return take_old(heap, want);
}

/* What the order above says, but for the last resort. */
static void *take_or_collect(struct pl__heap *heap,
                             const struct request *want) {
  void *object = take(heap, want);
  for (int kind = PL_GC_MAJOR; object == NULL && kind <= PL_GC_COMPACT;
       kind++) {
    pl__collect(heap, (enum pl_gc_kind)kind, PL_GC_LIMIT);
    object = take(heap, want);
  }
  return object;
}

static bool raise_limit(struct pl__heap *heap) {
  struct pl_heap_config *config = &heap->config;
  if (config->near_limit == NULL) return false;
  size_t limit = config->near_limit(config->arg, config->old_max);
  if (limit <= config->old_max) return false;
  config->old_max = limit;
  return true;
}

static bool semi_space_is_full(const struct pl__heap *heap,
                               const struct request *want) {
  if (!want->young) return false;
  if (!want->large) return want->size > heap->young_end - heap->head.top;
  const struct pl__space *large = &heap->space[PL_SPACE_NEW_LARGE];
  return large->pages != NULL && pl__space_used(large) + want->size >
                                     heap->capacity;
}

/* The collection that is due before an allocation, if there is one. */
static void collect_if_due(struct pl__heap *heap, const struct request *want) {
  unsigned stress = heap->config.stress;
  bool full = semi_space_is_full(heap, want);
  if (stress != 0 && ++heap->stress_count % stress == 0) {
    bool major = heap->stress_count / stress % 16 == 0;
    pl__collect(heap, major ? PL_GC_MAJOR : PL_GC_MINOR, PL_GC_STRESS);
  } else if (heap->external_due) {
    pl__collect(heap, PL_GC_MAJOR, PL_GC_EXTERNAL);
  } else if ((full || !want->young) &&
             (pl__old_used(heap) >= heap->next_major ||
              heap->promotion_failed)) {
    pl__collect(heap, PL_GC_MAJOR, PL_GC_OLD_GREW);
  } else if (full) {
    pl__collect(heap, PL_GC_MINOR, PL_GC_NEW_FULL);
  }
}

static void *allocate(struct pl__heap *heap, const struct request *want) {
  collect_if_due(heap, want);
  for (;;) {
    void *object = take_or_collect(heap, want);
    if (object != NULL || !raise_limit(heap)) return object;
  }
}

void *pl__heap_allocate_slow(struct pl_heap *head, uint32_t type,
                             size_t bytes) {
  if (bytes > SIZE_MAX / 4) return NULL;
  struct pl__heap *heap = pl__heap(head);
  size_t size = pl__object_size(bytes);
  bool large = size > PL_HEAP_LARGE_BYTES;
  struct request want = {.type = type,
                         .size = size,
                         .young = !large || heap->policy.large_born_young,
                         .large = large};
  return allocate(heap, &want);
}

void *pl_heap_allocate_old(struct pl_heap *head, uint32_t type,
                           size_t bytes) {
  if (bytes > SIZE_MAX / 4) return NULL;
  size_t size = pl__object_size(bytes);
  struct request want = {
      .type = type, .size = size, .large = size > PL_HEAP_LARGE_BYTES};
  return allocate(pl__heap(head), &want);
}

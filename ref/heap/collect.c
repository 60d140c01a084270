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
 * A major collection that goes in steps (major.c) begins at the same limit; a
 * step is due whenever step_bytes have been allocated, and when the old
 * generation has grown by half as much again the rest is done at once.
 *
 * Invariants:
 *  - A collection never fails and leaves the heap consistent.
 *  - head.end is young_end, or less: head.top when the next allocation must not
 *    be inlined (under stress, when external memory makes a collection due), or
 *    where the next step is due, or more memory is to be populated.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------------- */
/* The young bump region                                                  */

/* Bytes that are populated at a time. */
#define PREPARED ((size_t)256 * 1024)

/* Brings the logical clock up to date. */
void pl__young_count(struct pl__heap *heap) {
  heap->allocated += heap->head.top - heap->counted;
  heap->counted = heap->head.top;
}

/* Whether memory remains that has not been populated. */
static bool is_prepared(const struct pl__heap *heap) {
  return heap->ready[0] >= heap->capacity && heap->ready[1] >= heap->capacity &&
         heap->pooled >= heap->capacity;
}

static void populate(struct pl__heap *heap, unsigned block, size_t want,
                     size_t piece) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  while (heap->ready[block] < want) {
    size_t from = heap->ready[block];
    size_t to = (from / piece + 1) * piece;
    if (to > heap->capacity) to = heap->capacity;
    heap->ready[block] = to;
    if (memory->populate == NULL) continue;
    memory->populate(memory->self, (void *)(heap->block[block] + from),
                     to - from);
  }
}

/* Populates the memory that the next allocations and the next scavenge will
 * write to, a piece at a time: what may be copied, and what may be promoted.
 * Left to the scavenge, the first touch of fresh memory takes more of its time
 * than the copying. */
void pl__young_prepare(struct pl__heap *heap) {
  size_t piece = heap->capacity >= 2 * PL__HUGE ? PL__HUGE : PREPARED;
  size_t want = heap->head.top - heap->block[heap->active] + 2 * PREPARED;
  if (want > heap->capacity) want = heap->capacity;
  populate(heap, 0, want, piece);
  populate(heap, 1, want, piece);
  for (int i = 0; i < 2 && heap->pooled < want; i++)
    if (!pl__page_pool_fill(heap)) break;
}

void pl__young_set_end(struct pl__heap *heap) {
  uintptr_t top = heap->head.top;
  heap->young_end = heap->block[heap->active] + heap->capacity;
  heap->head.end = heap->young_end;
  if (!is_prepared(heap) && heap->young_end - top > PREPARED)
    heap->head.end = top + PREPARED;
  if (heap->phase != PL__IDLE) {
    uint64_t now = pl__clock(heap);
    uint64_t room = heap->step_at > now ? heap->step_at - now : 0;
    if (room < heap->head.end - top) heap->head.end = top + room;
  }
  if (heap->config.stress != 0 || heap->external_due) heap->head.end = top;
}

static void *take_young(struct pl__heap *heap, uint32_t type, size_t size) {
  uintptr_t at = heap->head.top;
  if (size > heap->young_end - at) return NULL;
  heap->head.top = at + size;
  if (!is_prepared(heap)) pl__young_prepare(heap);
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

/* The next major collection is due when the live bytes have doubled, or half
 * of what the limit leaves is used up. In steps it may take as much again. */
static void set_triggers(struct pl__heap *heap) {
  size_t live = pl__old_used(heap);
  size_t max = heap->config.old_max;
  size_t next = live > SIZE_MAX / 4 ? SIZE_MAX / 2 : live * 2;
  if (next < heap->config.old_trigger) next = heap->config.old_trigger;
  if (live < max && next > live + (max - live) / 2)
    next = live + (max - live) / 2;
  heap->next_major = next;
  heap->force = next + (next - live) / 2;
}

/* The bytes that young objects hold are gone after a minor collection; if that
 * was not enough a major one is due. */
static void set_external_trigger(struct pl__heap *heap, enum pl_gc_kind kind) {
  size_t trigger = heap->config.external_trigger;
  size_t grown = heap->external > heap->external_base
                     ? heap->external - heap->external_base
                     : 0;
  if (kind == PL_GC_STEP || (kind == PL_GC_MINOR && grown >= trigger / 2))
    return;
  heap->external_due = false;
  if (kind != PL_GC_MINOR || heap->external < heap->external_base)
    heap->external_base = heap->external;
}

static void begin_event(struct pl__heap *heap, enum pl_gc_kind kind,
                        enum pl_gc_reason reason) {
  const struct pl_heap_clock *clock = &heap->config.clock;
  check(heap);
  pl__young_count(heap);
  heap->event = (struct pl_gc_event){.kind = kind,
                                     .reason = reason,
                                     .number = ++heap->number,
                                     .clock = heap->allocated,
                                     .before = pl__used(heap),
                                     .committed_before = pl__committed(heap)};
  heap->event.start_ns = clock->now_ns(clock->self);
}

static void end_event(struct pl__heap *heap) {
  const struct pl_heap_clock *clock = &heap->config.clock;
  struct pl_gc_event *event = &heap->event;
  if (heap->phase != PL__IDLE)
    heap->step_at = heap->allocated + heap->config.step_bytes;
  set_external_trigger(heap, event->kind);
  pl__young_set_end(heap);
  event->pause_ns = clock->now_ns(clock->self) - event->start_ns;
  if (event->kind != PL_GC_MINOR)
    heap->last_step_ns = event->start_ns + event->pause_ns;
  event->after = pl__used(heap);
  event->committed_after = pl__committed(heap);
  event->work = (uint64_t)event->copied + event->promoted + event->moved +
                event->marked + event->swept;
  heap->work += event->work;
  heap->collections[event->kind]++;
  heap->copied_bytes += event->copied;
  heap->promoted_bytes += event->promoted;
  check(heap);
  if (heap->config.on_event != NULL)
    heap->config.on_event(heap->config.arg, event);
}

void pl__collect(struct pl__heap *heap, enum pl_gc_kind kind,
                 enum pl_gc_reason reason) {
  begin_event(heap, kind, reason);
  heap->promotion_failed = false;
  if (kind != PL_GC_MINOR) pl__major(heap, kind == PL_GC_COMPACT);
  pl__scavenge(heap, kind != PL_GC_MINOR && heap->policy.full_promotes);
  if (kind != PL_GC_MINOR) set_triggers(heap);
  end_event(heap);
}

/* The pause that ends marking in steps. */
static void collect_end(struct pl__heap *heap, enum pl_gc_reason reason) {
  begin_event(heap, PL_GC_MAJOR, reason);
  heap->event.incremental = true;
  pl__major_end(heap);
  pl__scavenge(heap, heap->policy.full_promotes);
  set_triggers(heap);
  end_event(heap);
}

bool pl__step(struct pl__heap *heap, enum pl_gc_reason reason, uint64_t ns,
              size_t work) {
  const struct pl_heap_clock *clock = &heap->config.clock;
  if (heap->phase == PL__MARKING && heap->marked_all) {
    collect_end(heap, reason);
    return heap->phase != PL__IDLE;
  }
  begin_event(heap, PL_GC_STEP, reason);
  heap->event.incremental = true;
  struct pl__budget budget = {.work = work == 0 ? SIZE_MAX : work};
  if (ns != 0) budget.until_ns = clock->now_ns(clock->self) + ns;
  pl__major_step(heap, &budget);
  end_event(heap);
  return heap->phase != PL__IDLE;
}

static bool configured_step(struct pl__heap *heap, enum pl_gc_reason reason) {
  const struct pl_heap_config *config = &heap->config;
  if (config->step_ns == 0 && config->step_work == 0)
    return pl__step(heap, reason, 0, (size_t)1024 * 1024);
  return pl__step(heap, reason, config->step_ns, config->step_work);
}

bool pl_heap_step(struct pl_heap *head, uint64_t ns, size_t work) {
  if (ns != 0 || work != 0)
    return pl__step(pl__heap(head), PL_GC_REQUESTED, ns, work);
  return configured_step(pl__heap(head), PL_GC_REQUESTED);
}

void pl_heap_collect(struct pl_heap *head, enum pl_gc_kind kind) {
  if (kind == PL_GC_STEP) configured_step(pl__heap(head), PL_GC_REQUESTED);
  else pl__collect(pl__heap(head), kind, PL_GC_REQUESTED);
}

void pl_heap_shrink(struct pl_heap *head) {
  struct pl__heap *heap = pl__heap(head);
  pl__collect(heap, PL_GC_COMPACT, PL_GC_REQUESTED);
  pl__page_pool_free(heap);
  pl__young_shrink(heap);
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
  if (space->id == PL_SPACE_CODE)
    return pl__code_allocate(heap, want->type, want->size);
  uintptr_t at = pl__space_allocate(heap, space, want->size);
  if (at == 0) return NULL;
  pl__word *header = (pl__word *)at;
  header[0] = pl__make_header(want->size, want->type, PL__HEAP_OLD);
  return memset(header + 1, 0, want->size - 8);
}

static void *take_large(struct pl__heap *heap, const struct request *want) {
  enum pl_space id = PL_SPACE_LARGE;
  if (pl__old_home(heap, want->type)->id == PL_SPACE_CODE) id = PL_SPACE_CODE;
  else if (want->young) id = PL_SPACE_NEW_LARGE;
  return pl__large_allocate(heap, id, want->type, want->size);
}

static void *take(struct pl__heap *heap, const struct request *want) {
  if (want->young && !want->large)
    return take_young(heap, want->type, want->size);
  void *object = want->large ? take_large(heap, want) : take_old(heap, want);
  if (object == NULL) return NULL;
  heap->allocated += want->size;
  if (!want->young && heap->phase == PL__MARKING)
    pl__mark_alone(heap, object);
  pl__young_set_end(heap);
  return object;
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

static bool goes_in_steps(const struct pl__heap *heap) {
  return heap->config.step_ns != 0 || heap->config.step_work != 0;
}

/* Every 16th collection is major: at once or, if it goes in steps, a step of
 * it, but for every fourth of them. */
static void collect_for_stress(struct pl__heap *heap) {
  unsigned tick = heap->stress_count / heap->config.stress;
  bool major = tick % 16 == 0;
  if (goes_in_steps(heap) && tick % 64 != 0 &&
      (major || (heap->phase != PL__IDLE && tick % 2 == 0)))
    configured_step(heap, PL_GC_STRESS);
  else
    pl__collect(heap, major ? PL_GC_MAJOR : PL_GC_MINOR, PL_GC_STRESS);
}

static void collect_for_external(struct pl__heap *heap) {
  size_t grown = heap->external > heap->external_base
                     ? heap->external - heap->external_base
                     : 0;
  bool minor = heap->external_young >= grown / 2 && heap->external_young != 0;
  if (minor) pl__collect(heap, PL_GC_MINOR, PL_GC_EXTERNAL);
  if (heap->external_due) pl__collect(heap, PL_GC_MAJOR, PL_GC_EXTERNAL);
}

static void collect_for_growth(struct pl__heap *heap) {
  if (!goes_in_steps(heap) || heap->promotion_failed)
    pl__collect(heap, PL_GC_MAJOR, PL_GC_OLD_GREW);
  else if (heap->phase == PL__MARKING)
    collect_end(heap, PL_GC_OLD_GREW);
  else
    configured_step(heap, PL_GC_OLD_GREW);
}

/* With a budget in time the mutator has as much before the next step. */
static void step_or_wait(struct pl__heap *heap) {
  const struct pl_heap_clock *clock = &heap->config.clock;
  uint64_t budget = heap->config.step_ns;
  if (budget == 0 ||
      clock->now_ns(clock->self) - heap->last_step_ns >= budget) {
    configured_step(heap, PL_GC_OLD_GREW);
    return;
  }
  heap->step_at = pl__clock(heap) + heap->config.step_bytes;
  pl__young_set_end(heap);
}

/* The pause that is due before an allocation, if there is one. */
static void collect_if_due(struct pl__heap *heap, const struct request *want) {
  unsigned stress = heap->config.stress;
  bool full = semi_space_is_full(heap, want);
  size_t old_limit =
      heap->phase == PL__MARKING ? heap->force : heap->next_major;
  if (stress != 0 && ++heap->stress_count % stress == 0) {
    collect_for_stress(heap);
  } else if (heap->external_due) {
    collect_for_external(heap);
  } else if ((full || !want->young) &&
             (pl__old_used(heap) >= old_limit || heap->promotion_failed)) {
    collect_for_growth(heap);
  } else if (!full && heap->phase != PL__IDLE &&
             pl__clock(heap) >= heap->step_at) {
    step_or_wait(heap);
  }
  /* When all of it survived the first, the second promotes it. */
  for (int i = 0; i < 2 && semi_space_is_full(heap, want); i++)
    pl__collect(heap, PL_GC_MINOR, PL_GC_NEW_FULL);
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

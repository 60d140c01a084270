/* SPDX-License-Identifier: MIT */
/*
 * weak.c: handles that keep nothing alive: weak handles, finalizers, holdings.
 *
 *   kind      when its object is found dead
 *   weak      the handle is cleared; its function, if it has one, is due
 *   final     its function is due, and the object kept until it has been called
 *   holding   released during the collection, unless a finalizer keeps it
 *
 * Invariants:
 *  - weak_young holds those of young objects, weak_old those of old ones,
 *    `dead` those whose function is due, in the order in which they were found.
 *  - external counts the bytes of all in weak_young and weak_old, and
 *    external_young those of holdings in weak_young.
 *  - A minor collection keeps the objects of weak handles and finalizers unless
 *    the policy says otherwise, and never those of holdings.
 */
#include "internal.h"

static void link_to(struct pl_weak **list, struct pl_weak *weak) {
  weak->next = *list;
  weak->link = list;
  if (weak->next != NULL) weak->next->link = &weak->next;
  *list = weak;
}

static void cut(struct pl__heap *heap, struct pl_weak *weak) {
  if (heap->dead_end == &weak->next) heap->dead_end = weak->link;
  *weak->link = weak->next;
  if (weak->next != NULL) weak->next->link = weak->link;
  weak->link = NULL;
}

static bool is_young_holding(const struct pl_weak *weak) {
  return weak->kind == PL__HOLDING && weak->object != NULL &&
         !pl_heap_is_old(weak->object);
}

static void add(struct pl_heap *head, struct pl_weak *weak, void *object) {
  struct pl__heap *heap = pl__heap(head);
  link_to(pl_heap_is_old(object) ? &heap->weak_old : &heap->weak_young, weak);
  if (is_young_holding(weak)) heap->external_young += weak->external;
  if (weak->external != 0) pl_heap_external_add(head, weak->external);
}

void pl_weak_add(struct pl_heap *heap, struct pl_weak *weak, void *object,
                 pl_finalizer_fn *fn, void *arg, size_t external) {
  *weak = (struct pl_weak){.object = object, .fn = fn, .arg = arg,
                           .external = external, .kind = PL__WEAK};
  add(heap, weak, object);
}

void pl_finalizer_add(struct pl_heap *heap, struct pl_weak *weak, void *object,
                      pl_finalizer_fn *fn, void *arg) {
  *weak = (struct pl_weak){
      .object = object, .fn = fn, .arg = arg, .kind = PL__FINAL};
  add(heap, weak, object);
}

void pl_holding_add(struct pl_heap *heap, struct pl_weak *weak, void *object,
                    pl_finalizer_fn *release, void *arg, size_t bytes) {
  *weak = (struct pl_weak){.object = object, .fn = release, .arg = arg,
                           .external = bytes, .kind = PL__HOLDING};
  add(heap, weak, object);
}

void pl_holding_resize(struct pl_heap *head, struct pl_weak *weak,
                       size_t bytes) {
  struct pl__heap *heap = pl__heap(head);
  if (is_young_holding(weak))
    heap->external_young = heap->external_young - weak->external + bytes;
  pl_heap_external_remove(head, weak->external);
  weak->external = bytes;
  pl_heap_external_add(head, bytes);
}

void pl_weak_remove(struct pl_heap *head, struct pl_weak *weak) {
  struct pl__heap *heap = pl__heap(head);
  if (weak->link == NULL) return;
  bool due = weak->kind == PL__FINAL ? weak->external != 0
                                     : weak->object == NULL;
  if (!due) {
    if (is_young_holding(weak)) heap->external_young -= weak->external;
    pl_heap_external_remove(head, weak->external);
  }
  cut(heap, weak);
}

/* ---------------------------------------------------------------------- */
/* Death                                                                  */

/* The function is to be called later. */
static void queue(struct pl__heap *heap, struct pl_weak *weak) {
  weak->next = NULL;
  weak->link = heap->dead_end;
  *heap->dead_end = weak;
  heap->dead_end = &weak->next;
  heap->event.due++;
}

static void forget_bytes(struct pl__heap *heap, const struct pl_weak *weak) {
  pl_heap_external_remove(&heap->head, weak->external);
  heap->event.released += weak->external;
}

static void clear(struct pl__heap *heap, struct pl_weak *weak) {
  forget_bytes(heap, weak);
  heap->event.cleared++;
  cut(heap, weak);
  weak->object = NULL;
  if (weak->fn != NULL) queue(heap, weak);
}

static void make_due(struct pl__heap *heap, struct pl_weak *weak) {
  cut(heap, weak);
  weak->external = 1; /* due: pl_weak_remove() looks */
  queue(heap, weak);
}

static void release(struct pl__heap *heap, struct pl_weak *weak) {
  forget_bytes(heap, weak);
  cut(heap, weak);
  weak->object = NULL;
  if (weak->fn != NULL) weak->fn(weak, weak->arg);
}

size_t pl_heap_run_finalizers(struct pl_heap *head) {
  struct pl__heap *heap = pl__heap(head);
  size_t count = 0;
  for (struct pl_weak *weak; (weak = heap->dead) != NULL; count++) {
    struct pl_scope scope;
    pl_scope_open(head, &scope);
    cut(heap, weak);
    if (weak->kind == PL__FINAL) weak->external = 0;
    weak->fn(weak, weak->arg);
    pl_scope_close(head, &scope);
  }
  return count;
}

/* ---------------------------------------------------------------------- */
/* After marking                                                          */

static void sort(struct pl__heap *heap, struct pl_weak *weak) {
  while (weak != NULL) {
    struct pl_weak *next = weak->next;
    if (weak->kind != PL__HOLDING && !pl__is_marked(weak->object)) {
      if (weak->kind == PL__FINAL) make_due(heap, weak);
      else clear(heap, weak);
    }
    weak = next;
  }
}

void pl__weak_sort(struct pl__heap *heap) {
  sort(heap, heap->weak_young);
  sort(heap, heap->weak_old);
}

static void release_dead(struct pl__heap *heap, struct pl_weak *weak) {
  while (weak != NULL) {
    struct pl_weak *next = weak->next;
    if (weak->kind == PL__HOLDING && !pl__is_marked(weak->object)) {
      if (!pl_heap_is_old(weak->object))
        heap->external_young -= weak->external;
      release(heap, weak);
    }
    weak = next;
  }
}

void pl__weak_release(struct pl__heap *heap) {
  release_dead(heap, heap->weak_young);
  release_dead(heap, heap->weak_old);
}

/* ---------------------------------------------------------------------- */
/* In a scavenge                                                          */

void pl__weak_keep(struct pl__heap *heap, pl__visit_fn *visit) {
  if (heap->policy.minor_clears_weak) return;
  for (struct pl_weak *weak = heap->weak_young; weak; weak = weak->next)
    if (weak->kind != PL__HOLDING) visit(heap, (pl__slot *)&weak->object);
}

void pl__weak_sort_young(struct pl__heap *heap, pl__visit_fn *visit) {
  struct pl_weak *next;
  struct pl_weak *due = NULL; /* the first of this scavenge */
  if (!heap->policy.minor_clears_weak) return;
  for (struct pl_weak *weak = heap->weak_young; weak != NULL; weak = next) {
    next = weak->next;
    if (weak->kind == PL__HOLDING ||
        pl__survivor(heap, weak->object) != NULL)
      continue;
    if (weak->kind == PL__FINAL) {
      make_due(heap, weak);
      if (due == NULL) due = weak;
    } else {
      clear(heap, weak);
    }
  }
  for (; due != NULL; due = due->next)
    if (due->object != NULL) visit(heap, (pl__slot *)&due->object);
}

void pl__weak_settle(struct pl__heap *heap) {
  struct pl_weak *list = heap->weak_young;
  heap->weak_young = NULL;
  heap->external_young = 0;
  if (list != NULL) list->link = &list;
  while (list != NULL) {
    struct pl_weak *weak = list;
    void *now = pl__survivor(heap, weak->object);
    if (now == NULL) {
      release(heap, weak);
      continue;
    }
    cut(heap, weak);
    weak->object = now;
    link_to(pl_heap_is_old(now) ? &heap->weak_old : &heap->weak_young, weak);
    if (is_young_holding(weak)) heap->external_young += weak->external;
  }
}

static void release_all(struct pl__heap *heap, struct pl_weak *weak) {
  while (weak != NULL) {
    struct pl_weak *next = weak->next;
    if (weak->kind == PL__HOLDING) release(heap, weak);
    weak = next;
  }
}

void pl__weak_free(struct pl__heap *heap) {
  release_all(heap, heap->weak_young);
  release_all(heap, heap->weak_old);
}

/* ---------------------------------------------------------------------- */
/* External memory                                                        */

void pl_heap_external_add(struct pl_heap *head, size_t bytes) {
  struct pl__heap *heap = pl__heap(head);
  heap->external += bytes;
  if (heap->external < heap->external_base ||
      heap->external - heap->external_base < heap->config.external_trigger)
    return;
  heap->external_due = true;
  pl__young_set_end(heap);
}

void pl_heap_external_remove(struct pl_heap *head, size_t bytes) {
  pl__heap(head)->external -= bytes;
}

/* SPDX-License-Identifier: MIT */
/*
 * heap_walk.h: every object of a heap, its references with their names, and
 * what holds it from outside: what a writer of snapshots streams from.
 *
 *   pl_walk_begin(heap, &walk);                  collects, numbers the objects
 *   pl_walk_roots(walk, on_root, writer);
 *   while ((object = pl_walk_next(walk)) != NULL)
 *     pl_walk_edges(walk, object, on_edge, writer);
 *   pl_walk_end(walk);
 *
 * Invariants:
 *  - All that is walked is alive. The objects have the numbers 0, 1, 2, ... in
 *    the order in which they come, and every edge leads to one that has.
 *  - A walk needs 2 % of the heap's size, and nothing for an edge.
 *  - While a walk lasts nothing may be allocated and nothing collected, and no
 *    callback may call into the heap but for the functions here.
 */
#ifndef PLUMB_HEAP_WALK_H
#define PLUMB_HEAP_WALK_H

#include "plumb/heap.h"

struct pl_walk;

/* Collects (a major collection, so finalizers may be due) and begins a walk.
 * Gives *out, free with pl_walk_end(). Errors: PL_ENOMEM. */
int pl_walk_begin(struct pl_heap *heap, struct pl_walk **out);
void pl_walk_end(struct pl_walk *walk);

/* How many objects there are; the next one, NULL after the last; again from the
 * first. */
size_t pl_walk_count(const struct pl_walk *walk);
void *pl_walk_next(struct pl_walk *walk);
void pl_walk_rewind(struct pl_walk *walk);

/* The number of an object. Takes time that does not depend on the heap but for
 * the logarithm of its pages. */
size_t pl_walk_number(const struct pl_walk *walk, const void *object);

/* What is to be said of an object. name: its type's. bytes: header included. */
struct pl_walk_object {
  const char *name;
  uint32_t type;
  enum pl_space space;
  size_t bytes;
};
void pl_walk_describe(const struct pl_walk *walk, const void *object,
                      struct pl_walk_object *out);

enum pl_edge_kind {
  PL_EDGE_NAMED,    /* a slot that its type names */
  PL_EDGE_ELEMENT,  /* of an array: `index` counts from array_from */
  PL_EDGE_INTERNAL, /* a slot without a name: `index` is its word */
  PL_EDGE_EPHEMERON /* from a key to its value, while the table lives */
};

struct pl_edge {
  enum pl_edge_kind kind;
  const char *name; /* of PL_EDGE_NAMED; else NULL */
  size_t index;
  const void *to;
};
typedef void pl_edge_fn(void *arg, const struct pl_edge *edge);

/* Calls fn for each reference of an object, in the order of its words; then of
 * its ephemerons, the youngest entry first. */
void pl_walk_edges(const struct pl_walk *walk, const void *object,
                   pl_edge_fn *fn, void *arg);

enum pl_root_kind {
  PL_ROOT_HANDLE,
  PL_ROOT_ROOT,      /* struct pl_root */
  PL_ROOT_FINALIZER, /* is due, and keeps its object */
  PL_ROOT_WEAK       /* a weak handle or a finalizer: keeps nothing */
};
typedef void pl_walk_root_fn(void *arg, enum pl_root_kind kind,
                             const void *object);

/* Calls fn for everything outside that refers to an object. */
void pl_walk_roots(const struct pl_walk *walk, pl_walk_root_fn *fn, void *arg);

/* Calls fn for each object that holds bytes outside of the heap
 * (pl_holding_add(), pl_weak_add() with bytes): an object may come again. */
typedef void pl_walk_bytes_fn(void *arg, const void *object, size_t bytes);
void pl_walk_bytes(const struct pl_walk *walk, pl_walk_bytes_fn *fn,
                   void *arg);

#endif

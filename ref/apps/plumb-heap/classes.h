/* SPDX-License-Identifier: MIT */
/*
 * classes.h: nodes by constructor, as Chrome's summary has them.
 *
 * Invariant: a class's retained size counts no byte twice: of its members only
 * those that no other member dominates.
 */
#ifndef HEAP_CLASSES_H
#define HEAP_CLASSES_H

#include "graph.h"

struct heap_class {
  char *name;
  uint32_t count;
  uint64_t size, retained;
};

struct classes {
  struct heap_class *at;
  uint32_t count;
  uint32_t *of; /* by node */
};

/* Sorts nodes into classes, in the order of their first member. False when
 * memory is short. Ownership: gives classes, free with classes_free(). */
bool classes_build(struct classes *classes, const struct graph *graph);
void classes_free(struct classes *classes);

/* A class by name, or GRAPH_NONE. */
uint32_t classes_find(const struct classes *classes, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mutator.c: a program that makes trees, keeps the last ones for a while, and
 * has so much that lives for ever: what its heap's pauses leave it.
 *
 * Invariant: each tree is whole when it is thrown away; the old generation is
 * collected in steps, and its pauses are handed over on both clocks.
 */
#include "memory.h"

#include <stdlib.h>

/* What is kept is more than a semi-space, so it grows old and dies old. */
enum {
  DEPTH = 9,
  NODES = 1023,
  TREES = 200,  /* of a batch */
  BEFORE = 800, /* made before the first one: the old generation is as full as
                   it gets */
  RING = 512,
  STEP_WORK = 1 << 18
};

struct mutator {
  struct memory memory; /* its root: what lives for ever */
  void *ring[RING];
  size_t next;
};

static const int64_t live_sizes[] = {4 << 20, 32 << 20};

static uint64_t nodes(int64_t value) {
  (void)value;
  return (uint64_t)TREES * NODES;
}

static size_t live_objects(const struct mutator *own) {
  return (size_t)own->memory.value / NODE_BYTES;
}

static const char *teardown(void *state) {
  struct mutator *own = state;
  const struct pl_heap_table *table = &own->memory.table;
  for (size_t i = 0; i < RING; i++)
    if (own->ring[i]) table->drop(own->memory.heap, own->ring[i]);
  const char *error = NULL;
  if (own->memory.root &&
      table->reach(own->memory.heap, own->memory.root) != live_objects(own))
    error = "what lives is not whole";
  memory_close(own);
  return error;
}

static void make_trees(struct mutator *own, int count) {
  const struct pl_heap_table *table = &own->memory.table;
  for (int i = 0; i < count; i++) {
    void **place = &own->ring[own->next++ % RING];
    if (*place) table->drop(own->memory.heap, *place);
    *place = NULL;
    own->memory.refused |=
        table->tree(own->memory.heap, &memory_node, DEPTH, place);
  }
}

static const char *setup(void **state, const void *subject, int64_t value) {
  const struct pl_heap_options options = {.old_trigger = (size_t)value +
                                                         ((size_t)32 << 20),
                                          .step_work = STEP_WORK};
  const char *error =
      memory_open(state, subject, value, sizeof(struct mutator), &options);
  if (error) return error;
  struct mutator *own = *state;
  if (own->memory.table.plant(own->memory.heap, &memory_node, live_objects(own),
                              live_objects(own), &own->memory.root) != 0)
    error = "what lives was refused";
  if (!error) make_trees(own, BEFORE);
  if (!error && own->memory.refused) error = "a tree was refused";
  if (error) teardown(own);
  return error;
}

static const char *reset(void *state) {
  memory_begin(state);
  return NULL;
}

static void run(void *state) {
  make_trees(state, TREES);
}

static const char *check(void *state) {
  struct mutator *own = state;
  if (own->memory.refused) return "a tree was refused";
  for (size_t i = 0; i < RING; i++)
    if (own->ring[i] &&
        own->memory.table.reach(own->memory.heap, own->ring[i]) != NODES)
      return "a tree is not whole";
  return NULL;
}

const struct bench bench_heap_mutator = {
    .name = "heap/mutator",
    .version = 1,
    .parameter = "live",
    .values = live_sizes,
    .value_count = sizeof live_sizes / sizeof *live_sizes,
    .describe = describe_live,
    .operations = nodes,
    .supports = memory_supported,
    .setup = setup,
    .reset = reset,
    .run = run,
    .check = check,
    .counters = memory_counters,
    .pauses = memory_pauses,
    .teardown = teardown,
};

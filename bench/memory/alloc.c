/* SPDX-License-Identifier: MIT */
/*
 * alloc.c: objects are made: garbage of a size, trees, large ones, such that
 * hold bytes outside.
 *
 * Invariant: the collections that allocation makes necessary are part of what
 * is measured; the heap counts the bytes, and fewer than asked for are an
 * error.
 */
#include "memory.h"

#include <stdlib.h>

/* -- garbage ----------------------------------------------------------------
 */

enum { BATCH_BYTES = 1 << 20, HEADER = 8, NUMBER = 8 };

static const int64_t sizes[] = {48, 16, 256, 4096};

static uint64_t garbage_count(int64_t bytes) {
  return (uint64_t)(BATCH_BYTES / bytes);
}

static const char *setup(void **state, const void *subject, int64_t value) {
  return memory_open(state, subject, value, sizeof(struct memory), NULL);
}

static const char *reset(void *state) {
  memory_begin(state);
  return NULL;
}

static void garbage_run(void *state) {
  struct memory *own = state;
  const struct pl_shape shape = {.name = "Garbage",
                                 .bytes = (size_t)own->value - HEADER - NUMBER};
  own->refused |=
      own->table.plant(own->heap, &shape, garbage_count(own->value), 0, NULL);
}

static const char *allocated(const struct memory *own, uint64_t bytes) {
  if (own->refused) return "an object was refused";
  if (memory_figures(own).allocated - own->before.allocated < bytes)
    return "fewer bytes were allocated than asked for";
  return NULL;
}

static const char *garbage_check(void *state) {
  const struct memory *own = state;
  return allocated(own,
                   garbage_count(own->value) * (uint64_t)(own->value - HEADER));
}

const struct bench bench_heap_alloc = {
    .name = "heap/alloc",
    .version = 1,
    .parameter = "bytes",
    .values = sizes,
    .value_count = sizeof sizes / sizeof *sizes,
    .describe = describe_bytes,
    .operations = garbage_count,
    .supports = memory_supported,
    .setup = setup,
    .reset = reset,
    .run = garbage_run,
    .check = garbage_check,
    .counters = memory_counters,
    .teardown = memory_close,
};

/* -- trees ------------------------------------------------------------------
 */

static const int64_t depths[] = {8, 12, 16};

static uint64_t nodes_of(int64_t depth) {
  return (UINT64_C(2) << depth) - 1;
}

static void trees_run(void *state) {
  struct memory *own = state;
  own->refused |= own->table.tree(own->heap, &memory_node, (unsigned)own->value,
                                  &own->root);
}

static const char *trees_check(void *state) {
  struct memory *own = state;
  if (own->refused) return "a tree was refused";
  uint64_t found = own->table.reach(own->heap, own->root);
  memory_drop(own);
  return found == nodes_of(own->value) ? NULL : "a tree is not whole";
}

const struct bench bench_heap_trees = {
    .name = "heap/trees",
    .version = 1,
    .parameter = "depth",
    .values = depths,
    .value_count = sizeof depths / sizeof *depths,
    .operations = nodes_of,
    .supports = memory_supported,
    .setup = setup,
    .reset = reset,
    .run = trees_run,
    .check = trees_check,
    .counters = memory_counters,
    .teardown = memory_close,
};

/* -- large objects -----------------------------------------------------------
 */

enum { LARGE_BATCH = 16 << 20 };

static const int64_t large_sizes[] = {262144, 2097152};

static uint64_t large_count(int64_t bytes) {
  return (uint64_t)(LARGE_BATCH / bytes);
}

static bool has_objects(const void *subject, int64_t value) {
  struct pl_heap_table heap;
  struct pl_buffer_table buffers;
  memory_tables(&heap, &buffers, subject);
  return memory_supported(subject, value) && heap.alloc;
}

static void large_run(void *state) {
  struct memory *own = state;
  const struct pl_shape shape = {.name = "Large",
                                 .bytes = (size_t)own->value - HEADER - NUMBER};
  for (uint64_t i = 0; i < large_count(own->value); i++) {
    void *root;
    int status = own->table.alloc(own->heap, &shape, &root);
    if (status == 0) own->table.drop(own->heap, root);
    own->refused |= status;
  }
}

static const char *large_check(void *state) {
  const struct memory *own = state;
  return allocated(own, large_count(own->value) *
                            (uint64_t)(own->value - HEADER - NUMBER));
}

const struct bench bench_heap_large = {
    .name = "heap/large",
    .version = 1,
    .parameter = "bytes",
    .values = large_sizes,
    .value_count = sizeof large_sizes / sizeof *large_sizes,
    .describe = describe_bytes,
    .operations = large_count,
    .supports = has_objects,
    .setup = setup,
    .reset = reset,
    .run = large_run,
    .check = large_check,
    .counters = memory_counters,
    .teardown = memory_close,
};

/* -- bytes outside ------------------------------------------------------------
 */

enum { HOLDERS = 1000, TRIGGER = 1 << 20 };

static const int64_t outside_sizes[] = {1024, 65536};

static uint64_t holders(int64_t bytes) {
  (void)bytes;
  return HOLDERS;
}

static bool has_outside(const void *subject, int64_t value) {
  struct pl_heap_table heap;
  struct pl_buffer_table buffers;
  memory_tables(&heap, &buffers, subject);
  return has_objects(subject, value) && heap.outside;
}

static const char *outside_setup(void **state, const void *subject,
                                 int64_t value) {
  const struct pl_heap_options options = {.external_trigger = TRIGGER};
  return memory_open(state, subject, value, sizeof(struct memory), &options);
}

static void outside_run(void *state) {
  struct memory *own = state;
  const struct pl_shape shape = {.name = "Holder"};
  for (int i = 0; i < HOLDERS; i++) {
    void *root;
    int status = own->table.alloc(own->heap, &shape, &root);
    if (status == 0) {
      status = own->table.outside(own->heap, root, (size_t)own->value);
      own->table.drop(own->heap, root);
    }
    own->refused |= status;
  }
}

/* What grew by the trigger was collected before the next object was made; the
 * last holder is there still. */
static const char *outside_check(void *state) {
  const struct memory *own = state;
  if (own->refused) return "an object was refused";
  if (memory_figures(own).external < (size_t)own->value)
    return "bytes outside are not counted";
  if (memory_figures(own).external > 2u * TRIGGER + (size_t)own->value)
    return "bytes outside were not collected in time";
  return NULL;
}

const struct bench bench_heap_external = {
    .name = "heap/external",
    .version = 1,
    .parameter = "bytes",
    .values = outside_sizes,
    .value_count = sizeof outside_sizes / sizeof *outside_sizes,
    .describe = describe_bytes,
    .operations = holders,
    .supports = has_outside,
    .setup = outside_setup,
    .reset = reset,
    .run = outside_run,
    .check = outside_check,
    .counters = memory_counters,
    .teardown = memory_close,
};

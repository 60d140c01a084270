/* SPDX-License-Identifier: MIT */
/*
 * barrier.c: references are written: into young objects, into old ones, and
 * from old ones to young ones, which a scavenge has to look after.
 *
 * Invariant: the last slot that was written to names the object that it was
 * given, and where the objects are is asked before a batch.
 */
#include "memory.h"

#include <stdlib.h>

enum { SLOTS = 32, WRITES = 1 << 16, MOST_HOLDERS = 65536 / SLOTS };

struct barrier {
  struct memory memory;
  void *to;
  size_t holder_count;
  void *holders[MOST_HOLDERS];
};

static const struct pl_shape young_shape = {.name = "Holder", .slots = SLOTS};
static const struct pl_shape old_shape = {
    .name = "Holder", .slots = SLOTS, .born = PL_BORN_OLD};
static const struct pl_shape target = {.name = "Target"};

static bool supports(const void *subject, int64_t value) {
  struct pl_heap_table heap;
  struct pl_buffer_table buffers;
  memory_tables(&heap, &buffers, subject);
  return memory_supported(subject, value) && heap.alloc && heap.get &&
         heap.same && heap.where;
}

static const char *teardown(void *state) {
  struct barrier *own = state;
  const struct pl_heap_table *table = &own->memory.table;
  for (size_t i = 0; i < own->holder_count; i++)
    table->drop(own->memory.heap, own->holders[i]);
  if (own->to) table->drop(own->memory.heap, own->to);
  return memory_close(own);
}

/* So many holders, all young or all old. */
static const char *open_holders(void **state, const void *subject,
                                int64_t value, const struct pl_shape *shape,
                                size_t count) {
  const char *error =
      memory_open(state, subject, value, sizeof(struct barrier), NULL);
  if (error) return error;
  struct barrier *own = *state;
  for (size_t i = 0; i < count; i++) {
    if (own->memory.table.alloc(own->memory.heap, shape, &own->holders[i]) !=
        0) {
      teardown(own);
      return "a holder was refused";
    }
    own->holder_count++;
  }
  return NULL;
}

/* A new object to refer to. */
static const char *aim(struct barrier *own, const struct pl_shape *shape) {
  const struct pl_heap_table *table = &own->memory.table;
  if (own->to) table->drop(own->memory.heap, own->to);
  own->to = NULL;
  if (table->alloc(own->memory.heap, shape, &own->to) != 0)
    return "the object to refer to was refused";
  return NULL;
}

static bool is_old(struct barrier *own, const void *root) {
  struct pl_where where;
  own->memory.table.where(own->memory.heap, root, &where);
  return where.old;
}

/* Whether the last slot of the last holder refers to what it should. */
static const char *check(void *state) {
  struct barrier *own = state;
  const struct pl_heap_table *table = &own->memory.table;
  void *held = NULL;
  if (table->get(own->memory.heap, own->holders[own->holder_count - 1],
                 SLOTS - 1, &held) != 0 ||
      !held)
    return "a slot that was written to is empty";
  int same = table->same(own->memory.heap, held, own->to);
  table->drop(own->memory.heap, held);
  return same ? NULL : "a slot refers to something else";
}

/* -- without a scavenge
 * -------------------------------------------------------- */

static uint64_t writes(int64_t value) {
  (void)value;
  return WRITES;
}

static const char *setup_young(void **state, const void *subject,
                               int64_t value) {
  return open_holders(state, subject, value, &young_shape, 1);
}

static const char *setup_old(void **state, const void *subject, int64_t value) {
  return open_holders(state, subject, value, &old_shape, 1);
}

static const char *reset_young(void *state) {
  struct barrier *own = state;
  const char *error = aim(own, &target);
  if (!error && is_old(own, own->holders[0])) error = "the holder is old";
  memory_begin(&own->memory);
  return error;
}

static const char *reset_old(void *state) {
  const struct pl_shape shape = {.name = "Target", .born = PL_BORN_OLD};
  struct barrier *own = state;
  const char *error = aim(own, &shape);
  if (!error && !is_old(own, own->holders[0])) error = "the holder is young";
  if (!error && !is_old(own, own->to)) error = "the object is young";
  memory_begin(&own->memory);
  return error;
}

static void run(void *state) {
  struct barrier *own = state;
  own->memory.table.fill(own->memory.heap, own->holders[0], SLOTS, own->to,
                         WRITES);
}

const struct bench bench_heap_barrier_young = {
    .name = "heap/barrier/young",
    .version = 1,
    .operations = writes,
    .supports = supports,
    .setup = setup_young,
    .reset = reset_young,
    .run = run,
    .check = check,
    .counters = memory_counters,
    .teardown = teardown,
};

const struct bench bench_heap_barrier_old = {
    .name = "heap/barrier/old",
    .version = 1,
    .operations = writes,
    .supports = supports,
    .setup = setup_old,
    .reset = reset_old,
    .run = run,
    .check = check,
    .counters = memory_counters,
    .teardown = teardown,
};

/* -- remembered, then scavenged
 * ------------------------------------------------ */

static const int64_t slot_counts[] = {1024, 65536};

static uint64_t slots(int64_t count) {
  return (uint64_t)count;
}

static const char *setup_recorded(void **state, const void *subject,
                                  int64_t value) {
  return open_holders(state, subject, value, &old_shape, (size_t)value / SLOTS);
}

static const char *reset_recorded(void *state) {
  struct barrier *own = state;
  const struct pl_heap_table *table = &own->memory.table;
  for (size_t i = 0; i < own->holder_count; i++)
    table->fill(own->memory.heap, own->holders[i], SLOTS, NULL, SLOTS);
  table->collect(own->memory.heap, PL_COLLECT_MINOR);
  const char *error = aim(own, &target);
  if (!error && is_old(own, own->to)) error = "the object is old";
  memory_begin(&own->memory);
  return error;
}

static void run_recorded(void *state) {
  struct barrier *own = state;
  const struct pl_heap_table *table = &own->memory.table;
  for (size_t i = 0; i < own->holder_count; i++)
    table->fill(own->memory.heap, own->holders[i], SLOTS, own->to, SLOTS);
  table->collect(own->memory.heap, PL_COLLECT_MINOR);
}

const struct bench bench_heap_barrier_recorded = {
    .name = "heap/barrier/recorded",
    .version = 1,
    .parameter = "slots",
    .values = slot_counts,
    .value_count = sizeof slot_counts / sizeof *slot_counts,
    .operations = slots,
    .supports = supports,
    .setup = setup_recorded,
    .reset = reset_recorded,
    .run = run_recorded,
    .check = check,
    .counters = memory_counters,
    .teardown = teardown,
};

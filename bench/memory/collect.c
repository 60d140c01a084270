/* SPDX-License-Identifier: MIT */
/*
 * collect.c: a collection by itself: a scavenge against what survives it, a
 * full one at once and in steps against what lives, a snapshot.
 *
 * Invariant: the tree that survives is counted after each scavenge, and before
 * and after the batches of the others (it does not change between).
 */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

/* -- a scavenge ---------------------------------------------------------------
 */

/* A value is survivors, per cent, and the semi-space, MiB. */
#define SCAVENGE(percent, mib) ((percent)*1000 + (mib))

static const int64_t scavenges[] = {
    SCAVENGE(50, 1),  SCAVENGE(1, 1),  SCAVENGE(10, 1),  SCAVENGE(90, 1),
    SCAVENGE(50, 16), SCAVENGE(1, 16), SCAVENGE(10, 16), SCAVENGE(90, 16)};

static size_t semi_of(int64_t value) {
  return (size_t)(value % 1000) << 20;
}

static int describe_scavenge(int64_t value, char *text, size_t size) {
  char semi[32];
  bench_describe_bytes("semi", (int64_t)semi_of(value), semi, sizeof semi);
  return snprintf(text, size, "survivors:%d%%/%s", (int)(value / 1000), semi);
}

/* As many as fit, but for a little: no scavenge comes before it is time. */
static size_t young_objects(int64_t value) {
  return (semi_of(value) - semi_of(value) / 16) / NODE_BYTES;
}

static size_t survivors(int64_t value) {
  return young_objects(value) * (size_t)(value / 1000) / 100;
}

static uint64_t one(int64_t value) {
  (void)value;
  return 1;
}

static const char *scavenge_setup(void **state, const void *subject,
                                  int64_t value) {
  const struct pl_heap_options options = {.semi = semi_of(value),
                                          .semi_max = semi_of(value)};
  return memory_open(state, subject, value, sizeof(struct memory), &options);
}

static const char *scavenge_reset(void *state) {
  struct memory *own = state;
  memory_drop(own);
  own->table.collect(own->heap, PL_COLLECT_MAJOR);
  int status =
      own->table.plant(own->heap, &memory_node, young_objects(own->value),
                       survivors(own->value), &own->root);
  memory_begin(own);
  return status == 0 ? NULL : "the survivors were refused";
}

static void scavenge_run(void *state) {
  struct memory *own = state;
  own->table.collect(own->heap, PL_COLLECT_MINOR);
}

static const char *scavenge_check(void *state) {
  const struct memory *own = state;
  if (memory_collections(own, PL_COLLECT_MINOR) != 1)
    return "it was not one scavenge";
  if (own->table.reach(own->heap, own->root) != survivors(own->value))
    return "not all that lived survived";
  return NULL;
}

const struct bench bench_heap_scavenge = {
    .name = "heap/scavenge",
    .version = 1,
    .parameter = "survivors",
    .values = scavenges,
    .value_count = sizeof scavenges / sizeof *scavenges,
    .describe = describe_scavenge,
    .operations = one,
    .supports = memory_supported,
    .setup = scavenge_setup,
    .reset = scavenge_reset,
    .run = scavenge_run,
    .check = scavenge_check,
    .counters = memory_counters,
    .pauses = memory_stops,
    .teardown = memory_close,
};

/* -- full collections ---------------------------------------------------------
 */

static const int64_t live_sizes[] = {1 << 20, 8 << 20, 64 << 20};

enum { STEP_WORK = 1 << 18 };

static size_t live_objects(const struct memory *own) {
  return (size_t)own->value / NODE_BYTES;
}

static const char *live_whole(const struct memory *own) {
  return own->table.reach(own->heap, own->root) == live_objects(own)
             ? NULL
             : "what lives is not whole";
}

static const char *live_setup(void **state, const void *subject,
                              int64_t value) {
  /* No collection begins by itself. */
  const struct pl_heap_options options = {.old_trigger = (size_t)1 << 30};
  const char *error =
      memory_open(state, subject, value, sizeof(struct memory), &options);
  if (error) return error;
  struct memory *own = *state;
  if (own->table.plant(own->heap, &memory_node, live_objects(own),
                       live_objects(own), &own->root) != 0)
    error = "what lives was refused";
  for (int i = 0; i < 2 && !error; i++) /* everything has grown old */
    own->table.collect(own->heap, PL_COLLECT_MAJOR);
  if (!error) error = live_whole(own);
  if (error) memory_close(own);
  return error;
}

static const char *live_teardown(void *state) {
  const char *error = live_whole(state);
  memory_close(state);
  return error;
}

static const char *reset(void *state) {
  memory_begin(state);
  return NULL;
}

static void full_run(void *state) {
  struct memory *own = state;
  own->table.collect(own->heap, PL_COLLECT_MAJOR);
}

static const char *full_check(void *state) {
  const struct memory *own = state;
  if (own->refused) return "a step was refused";
  if (memory_collections(own, PL_COLLECT_MAJOR) != 1)
    return "it was not one collection";
  if (memory_figures(own).used < live_objects(own) * (NODE_BYTES - 16))
    return "what lives was collected";
  return NULL;
}

/* What the full collections share. */
#define OF_WHAT_LIVES                                                          \
  .version = 1, .parameter = "live", .values = live_sizes,                     \
  .value_count = sizeof live_sizes / sizeof *live_sizes,                       \
  .describe = describe_live, .operations = one, .setup = live_setup,           \
  .reset = reset, .counters = memory_counters, .teardown = live_teardown

const struct bench bench_heap_major_full = {
    .name = "heap/major/full",
    OF_WHAT_LIVES,
    .supports = memory_supported,
    .run = full_run,
    .check = full_check,
};

static bool has_steps(const void *subject, int64_t value) {
  struct pl_heap_table heap;
  struct pl_buffer_table buffers;
  memory_tables(&heap, &buffers, subject);
  return memory_supported(subject, value) && heap.step;
}

static void steps_run(void *state) {
  struct memory *own = state;
  for (int done = 0; !done && !own->refused;)
    own->refused = own->table.step(own->heap, STEP_WORK, &done);
}

const struct bench bench_heap_major_incremental = {
    .name = "heap/major/incremental",
    OF_WHAT_LIVES,
    .supports = has_steps,
    .run = steps_run,
    .check = full_check,
    .pauses = memory_stops,
};

/* -- a snapshot ---------------------------------------------------------------
 */

struct snapshot {
  struct memory memory;
  size_t bytes; /* of the last text */
  char last;    /* its last character */
};

static const int64_t object_counts[] = {1000, 100000};

static uint64_t objects(int64_t count) {
  return (uint64_t)count;
}

static bool has_snapshot(const void *subject, int64_t value) {
  struct pl_heap_table heap;
  struct pl_buffer_table buffers;
  memory_tables(&heap, &buffers, subject);
  return memory_supported(subject, value) && heap.snapshot;
}

static const char *snapshot_setup(void **state, const void *subject,
                                  int64_t value) {
  const char *error =
      memory_open(state, subject, value, sizeof(struct snapshot), NULL);
  if (error) return error;
  struct memory *own = *state;
  if (own->table.plant(own->heap, &memory_node, (size_t)value, (size_t)value,
                       &own->root) == 0)
    return NULL;
  memory_close(own);
  return "the objects were refused";
}

static const char *snapshot_reset(void *state) {
  struct snapshot *own = state;
  own->bytes = 0;
  own->last = '\0';
  memory_begin(&own->memory);
  return NULL;
}

static int take(void *self, const void *bytes, size_t length) {
  struct snapshot *own = self;
  own->bytes += length;
  if (length) own->last = ((const char *)bytes)[length - 1];
  return 0;
}

static void snapshot_run(void *state) {
  struct snapshot *own = state;
  own->memory.refused |=
      own->memory.table.snapshot(own->memory.heap, take, own);
}

/* A node is seven numbers or six, so ten characters at the least. */
static const char *snapshot_check(void *state) {
  const struct snapshot *own = state;
  if (own->memory.refused) return "the snapshot was refused";
  if (own->bytes < 10 * (size_t)own->memory.value)
    return "the snapshot is too short for its objects";
  return own->last == '}' || own->last == '\n' ? NULL : "it has no end";
}

static size_t snapshot_counters(void *state, struct bench_counter *counters) {
  const struct snapshot *own = state;
  counters[0] = (struct bench_counter){"text_bytes", (double)own->bytes};
  return 1;
}

const struct bench bench_heap_snapshot = {
    .name = "heap/snapshot",
    .version = 1,
    .parameter = "objects",
    .values = object_counts,
    .value_count = sizeof object_counts / sizeof *object_counts,
    .operations = objects,
    .supports = has_snapshot,
    .setup = snapshot_setup,
    .reset = snapshot_reset,
    .run = snapshot_run,
    .check = snapshot_check,
    .counters = snapshot_counters,
    .teardown = memory_close,
};

/* SPDX-License-Identifier: MIT */
/*
 * buffers.c: buffers are made, zeroed or not, from bytes, as views, and from
 * parts that are copied together.
 *
 * Invariant: the last buffer of a batch is looked at: its length, its bytes,
 * what it shares. A buffer is dropped before the next one is made; its root,
 * made and given back, is in the time.
 */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT = 1000, PART = 64, VIEWED = 4096, MOST_BYTES = 65536 };

struct making {
  struct memory memory;
  struct pl_buffer_facts last;
  unsigned char source[MOST_BYTES];
};

static const int64_t sizes[] = {64, 1024, 65536};

static uint64_t count(int64_t value) {
  (void)value;
  return COUNT;
}

static const char *setup(void **state, const void *subject, int64_t value) {
  const struct pl_heap_options options = {.external_trigger = 4 << 20};
  const char *error =
      memory_open(state, subject, value, sizeof(struct making), &options);
  if (error) return error;
  struct making *own = *state;
  for (size_t i = 0; i < MOST_BYTES; i++)
    own->source[i] = (unsigned char)(i * 7 + 1);
  return NULL;
}

static const char *reset(void *state) {
  struct making *own = state;
  own->last = (struct pl_buffer_facts){0};
  memory_begin(&own->memory);
  return NULL;
}

/* Looks at a buffer and lets go of it; nothing is collected before check(). */
static void finish(struct making *own, int status, void *root, bool last) {
  own->memory.refused |= status;
  if (status != 0) return;
  if (!last) {
    own->memory.table.drop(own->memory.heap, root);
    return;
  }
  own->memory.root = root;
  own->memory.buffers.facts(own->memory.heap, root, &own->last);
}

static const char *right(struct making *own, size_t length) {
  if (own->memory.refused) return "a buffer was refused";
  if (!own->memory.root || own->last.length != length)
    return "a buffer has another length";
  return NULL;
}

static const char *done(struct making *own, const char *error) {
  memory_drop(&own->memory);
  return error;
}

/* What the benchmarks that make buffers of some sizes share. */
#define MAKING_OF_SIZES                                                        \
  .version = 1, .parameter = "bytes", .values = sizes,                         \
  .value_count = sizeof sizes / sizeof *sizes, .describe = describe_bytes,     \
  .operations = count, .supports = buffers_supported, .setup = setup,          \
  .reset = reset, .counters = memory_counters, .teardown = memory_close

/* -- alloc -------------------------------------------------------------------
 */

static void make(struct making *own, enum pl_buffer_how how) {
  const size_t length = (size_t)own->memory.value;
  for (int i = 0; i < COUNT; i++) {
    void *root = NULL;
    int status =
        own->memory.buffers.alloc(own->memory.heap, length, how, &root);
    finish(own, status, root, i == COUNT - 1);
  }
}

static void alloc_run(void *state) {
  make(state, PL_BUFFER_ZEROED);
}

static const char *alloc_check(void *state) {
  struct making *own = state;
  const char *error = right(own, (size_t)own->memory.value);
  for (size_t i = 0; !error && i < own->last.length; i++)
    if (own->last.bytes[i] != 0) error = "a byte is not 0";
  return done(own, error);
}

static void unsafe_run(void *state) {
  make(state, PL_BUFFER_UNSAFE);
}

static const char *unsafe_check(void *state) {
  struct making *own = state;
  const char *error = right(own, (size_t)own->memory.value);
  if (!error && own->last.pooled != (own->last.length < 4096))
    error = "a small one is not of the pool, or a large one is";
  return done(own, error);
}

const struct bench bench_buffers_alloc = {
    .name = "buffers/alloc",
    MAKING_OF_SIZES,
    .run = alloc_run,
    .check = alloc_check,
};

const struct bench bench_buffers_unsafe = {
    .name = "buffers/alloc-unsafe",
    MAKING_OF_SIZES,
    .run = unsafe_run,
    .check = unsafe_check,
};

/* -- from --------------------------------------------------------------------
 */

static void from_run(void *state) {
  struct making *own = state;
  const size_t length = (size_t)own->memory.value;
  for (int i = 0; i < COUNT; i++) {
    void *root = NULL;
    int status =
        own->memory.buffers.from(own->memory.heap, own->source, length, &root);
    finish(own, status, root, i == COUNT - 1);
  }
}

static const char *from_check(void *state) {
  struct making *own = state;
  const size_t length = (size_t)own->memory.value;
  const char *error = right(own, length);
  if (!error && memcmp(own->last.bytes, own->source, length) != 0)
    error = "the bytes are others";
  return done(own, error);
}

const struct bench bench_buffers_from = {
    .name = "buffers/from",
    MAKING_OF_SIZES,
    .run = from_run,
    .check = from_check,
};

/* -- slice -------------------------------------------------------------------
 */

struct slicing {
  struct making making;
  void *of;
  const void *store; /* its */
};

static const char *slice_setup(void **state, const void *subject,
                               int64_t value) {
  const char *error =
      memory_open(state, subject, value, sizeof(struct slicing), NULL);
  if (error) return error;
  struct slicing *own = *state;
  struct memory *memory = &own->making.memory;
  if (memory->buffers.alloc(memory->heap, VIEWED, PL_BUFFER_ZEROED, &own->of) !=
      0) {
    memory_close(own);
    return "the buffer was refused";
  }
  struct pl_buffer_facts facts;
  memory->buffers.facts(memory->heap, own->of, &facts);
  own->store = facts.store;
  return NULL;
}

static void slice_run(void *state) {
  struct slicing *own = state;
  const struct memory *memory = &own->making.memory;
  for (size_t i = 0; i < COUNT; i++) {
    void *root = NULL;
    int status =
        memory->buffers.view(memory->heap, own->of, i, VIEWED / 2, &root);
    finish(&own->making, status, root, i == COUNT - 1);
  }
}

static const char *slice_check(void *state) {
  struct slicing *own = state;
  const char *error = right(&own->making, VIEWED / 2);
  if (!error && own->making.last.offset != COUNT - 1)
    error = "a view begins elsewhere";
  if (!error && own->making.last.store != own->store)
    error = "a view has bytes of its own";
  return done(&own->making, error);
}

static const char *slice_teardown(void *state) {
  struct slicing *own = state;
  own->making.memory.table.drop(own->making.memory.heap, own->of);
  return memory_close(own);
}

const struct bench bench_buffers_slice = {
    .name = "buffers/slice",
    .version = 1,
    .operations = count,
    .supports = buffers_supported,
    .setup = slice_setup,
    .reset = reset,
    .run = slice_run,
    .check = slice_check,
    .counters = memory_counters,
    .teardown = slice_teardown,
};

/* -- concat ------------------------------------------------------------------
 */

static const int64_t part_counts[] = {2, 16, 256};

/* As Buffer.concat() does: room for all, then each part behind the last. */
static void concat_run(void *state) {
  struct making *own = state;
  const size_t parts = (size_t)own->memory.value;
  for (int i = 0; i < COUNT; i++) {
    void *root = NULL;
    int status = own->memory.buffers.alloc(own->memory.heap, parts * PART,
                                           PL_BUFFER_UNSAFE, &root);
    if (status == 0) {
      struct pl_buffer_facts facts;
      own->memory.buffers.facts(own->memory.heap, root, &facts);
      for (size_t at = 0; at < parts; at++)
        memcpy(facts.bytes + at * PART, own->source + at * PART, PART);
    }
    finish(own, status, root, i == COUNT - 1);
  }
}

static const char *concat_check(void *state) {
  struct making *own = state;
  const size_t length = (size_t)own->memory.value * PART;
  const char *error = right(own, length);
  if (!error && memcmp(own->last.bytes, own->source, length) != 0)
    error = "the parts are others";
  return done(own, error);
}

const struct bench bench_buffers_concat = {
    .name = "buffers/concat",
    .version = 1,
    .parameter = "parts",
    .values = part_counts,
    .value_count = sizeof part_counts / sizeof *part_counts,
    .operations = count,
    .supports = buffers_supported,
    .setup = setup,
    .reset = reset,
    .run = concat_run,
    .check = concat_check,
    .counters = memory_counters,
    .teardown = memory_close,
};

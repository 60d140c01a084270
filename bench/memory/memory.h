/* SPDX-License-Identifier: MIT */
/*
 * memory.h: a heap of the provider's, for the benchmarks of heap and buffers.
 *
 * Invariants:
 *  - A batch that the heap could not do, or whose objects are not all there, is
 *    an error and no time.
 *  - `struct memory` lies in front of everything that a benchmark adds, so its
 *    functions serve all of them.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include "provider.h"
#include "shim/benchmark.h"

enum {
  NODE_BYTES = 48,   /* with its header: V8's object of three fields, too */
  MOST_PAUSES = 4096 /* of one batch that are kept */
};

/* A pause, begun after the batch. */
struct stop {
  int64_t begin, length;
};

struct memory {
  struct pl_heap_table table; /* copied: what the provider lacks is NULL */
  struct pl_buffer_table buffers;
  void *heap;
  int64_t value;                 /* the benchmark's parameter */
  int refused;                   /* by the heap, in this batch */
  void *root;                    /* what reset() or run() has made, or NULL */
  struct pl_heap_figures before; /* the batch */
  int64_t begun_ns;
  struct stop stops[MOST_PAUSES][2]; /* by enum bench_clock */
  size_t stop_count, stops_lost;
};

/* The node of a tree: two slots, a number and eight bytes of data. */
extern const struct pl_shape memory_node;

/* The provider's tables, as far as it has them. */
void memory_tables(struct pl_heap_table *heap, struct pl_buffer_table *buffers,
                   const void *subject);
/* Opens a heap; `more`: how, or NULL. `bytes`: of the benchmark's own struct,
 * which begins with struct memory and is zeroed. NULL, or what went wrong. */
const char *memory_open(void **state, const void *subject, int64_t value,
                        size_t bytes, const struct pl_heap_options *more);
const char *memory_close(void *state);
/* A batch begins now: for the end of reset(). */
void memory_begin(struct memory *memory);
void memory_drop(struct memory *memory);
/* The bytes and collections of the batch; they depend on no machine. */
size_t memory_counters(void *state, struct bench_counter *counters);
/* Its pauses; of a batch that is nothing else. */
void memory_stops(void *state, struct bench_pauses *pauses);
/* The same with the batch's span on both clocks: of a program that goes on. */
void memory_pauses(void *state, struct bench_pauses *pauses);
/* How often something was collected since the batch began. */
uint64_t memory_collections(const struct memory *memory, enum pl_collect kind);
struct pl_heap_figures memory_figures(const struct memory *memory);

/* Whether the provider has many() at once, and figures. */
bool memory_supported(const void *subject, int64_t value);
bool buffers_supported(const void *subject, int64_t value);

int describe_bytes(int64_t value, char *text, size_t size);
int describe_live(int64_t value, char *text, size_t size);

/* The benchmarks of heap and buffers, NULL-terminated. */
extern const struct bench *const memory_benchmarks[];

extern const struct bench bench_heap_alloc, bench_heap_trees,
    bench_heap_scavenge, bench_heap_barrier_young, bench_heap_barrier_old,
    bench_heap_barrier_recorded, bench_heap_major_full,
    bench_heap_major_incremental, bench_heap_mutator, bench_heap_large,
    bench_heap_external, bench_heap_snapshot, bench_buffers_alloc,
    bench_buffers_unsafe, bench_buffers_from, bench_buffers_slice,
    bench_buffers_concat;

#endif

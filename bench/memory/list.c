/* SPDX-License-Identifier: MIT */
/*
 * list.c: the benchmarks of heap and buffers, in the order in which they run.
 */
#include "memory.h"

const struct bench *const memory_benchmarks[] = {
    &bench_heap_alloc,       &bench_heap_trees,
    &bench_heap_scavenge,    &bench_heap_barrier_young,
    &bench_heap_barrier_old, &bench_heap_barrier_recorded,
    &bench_heap_major_full,  &bench_heap_major_incremental,
    &bench_heap_mutator,     &bench_heap_large,
    &bench_heap_external,    &bench_heap_snapshot,
    &bench_buffers_alloc,    &bench_buffers_unsafe,
    &bench_buffers_from,     &bench_buffers_slice,
    &bench_buffers_concat,   NULL};

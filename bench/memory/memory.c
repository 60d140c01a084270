/* SPDX-License-Identifier: MIT */
/*
 * memory.c: opens and closes the heap of a benchmark, counts what a batch did.
 *
 * Invariant: counters and the logical clock are differences between the begin
 * of the batch and its end; nothing that reset() does is in them.
 */
#include "memory.h"
#include "library.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct pl_shape memory_node = {.name = "Node", .slots = 2, .bytes = 16};

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

void memory_tables(struct pl_heap_table *heap, struct pl_buffer_table *buffers,
                   const void *subject) {
  const struct pl_provider *own = ((const struct library *)subject)->provider;
  *heap = (struct pl_heap_table){0};
  *buffers = (struct pl_buffer_table){0};
  if (own->size >= offsetof(struct pl_provider, heap) + sizeof own->heap &&
      own->heap)
    memcpy(heap, own->heap, least(own->heap->size, sizeof *heap));
  if (own->size >= offsetof(struct pl_provider, buffer) + sizeof own->buffer &&
      own->buffer)
    memcpy(buffers, own->buffer, least(own->buffer->size, sizeof *buffers));
}

bool memory_supported(const void *subject, int64_t value) {
  struct pl_heap_table heap;
  struct pl_buffer_table buffers;
  (void)value;
  memory_tables(&heap, &buffers, subject);
  return heap.create && heap.destroy && heap.drop && heap.collect &&
         heap.figures && heap.plant && heap.tree && heap.reach && heap.fill;
}

bool buffers_supported(const void *subject, int64_t value) {
  struct pl_heap_table heap;
  struct pl_buffer_table buffers;
  (void)value;
  memory_tables(&heap, &buffers, subject);
  return heap.create && heap.destroy && heap.drop && heap.figures &&
         buffers.alloc && buffers.from && buffers.view && buffers.facts;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Within a collection: nothing of the heap may be called. */
static void on_paused(void *self, const struct pl_heap_pause *pause) {
  struct memory *memory = self;
  if (memory->stop_count == MOST_PAUSES) {
    memory->stops_lost++;
    return;
  }
  struct stop *stop = memory->stops[memory->stop_count++];
  stop[BENCH_WALL] = (struct stop){(int64_t)pause->begin_ns - memory->begun_ns,
                                   (int64_t)pause->ns};
  stop[BENCH_LOGICAL] = (struct stop){
      (int64_t)(pause->begin_work - memory->before.work), (int64_t)pause->work};
}

const char *memory_open(void **state, const void *subject, int64_t value,
                        size_t bytes, const struct pl_heap_options *more) {
  struct memory *memory = calloc(1, bytes);
  if (!memory) return "out of memory";
  struct pl_heap_options options = {0};
  if (more) options = *more;
  options.size = sizeof options;
  options.self = memory;
  options.paused = on_paused;
  memory_tables(&memory->table, &memory->buffers, subject);
  memory->value = value;
  if (memory->table.create(&options, &memory->heap) != 0) {
    free(memory);
    return "the heap could not be made";
  }
  *state = memory;
  return NULL;
}

void memory_drop(struct memory *memory) {
  if (memory->root) memory->table.drop(memory->heap, memory->root);
  memory->root = NULL;
}

const char *memory_close(void *state) {
  struct memory *memory = state;
  memory_drop(memory);
  memory->table.destroy(memory->heap);
  free(memory);
  return NULL;
}

struct pl_heap_figures memory_figures(const struct memory *memory) {
  struct pl_heap_figures figures = {.size = sizeof figures};
  memory->table.figures(memory->heap, &figures);
  return figures;
}

void memory_begin(struct memory *memory) {
  memory->refused = 0;
  memory->stop_count = memory->stops_lost = 0;
  memory->before = memory_figures(memory);
  memory->begun_ns = now_ns();
}

uint64_t memory_collections(const struct memory *memory, enum pl_collect kind) {
  return memory_figures(memory).collections[kind] -
         memory->before.collections[kind];
}

size_t memory_counters(void *state, struct bench_counter *counters) {
  const struct memory *memory = state;
  const struct pl_heap_figures *before = &memory->before;
  struct pl_heap_figures now = memory_figures(memory);
  const struct bench_counter found[] = {
      {"heap_bytes", (double)(now.allocated - before->allocated)},
      {"promoted_bytes", (double)(now.promoted - before->promoted)},
      {"copied_bytes", (double)(now.copied - before->copied)},
      {"minor_collections", (double)(now.collections[PL_COLLECT_MINOR] -
                                     before->collections[PL_COLLECT_MINOR])},
      {"major_collections", (double)(now.collections[PL_COLLECT_MAJOR] -
                                     before->collections[PL_COLLECT_MAJOR])},
      {"work", (double)(now.work - before->work)},
  };
  memcpy(counters, found, sizeof found);
  return sizeof found / sizeof *found;
}

void memory_stops(void *state, struct bench_pauses *pauses) {
  const struct memory *memory = state;
  if (memory->stops_lost) return;
  for (int clock = BENCH_WALL; clock <= BENCH_LOGICAL; clock++)
    for (size_t i = 0; i < memory->stop_count; i++)
      bench_pause(pauses, (enum bench_clock)clock,
                  memory->stops[i][clock].begin,
                  memory->stops[i][clock].length);
}

void memory_pauses(void *state, struct bench_pauses *pauses) {
  const struct memory *memory = state;
  memory_stops(state, pauses);
  if (memory->stops_lost) return;
  bench_span(pauses, BENCH_WALL, now_ns() - memory->begun_ns);
  bench_span(pauses, BENCH_LOGICAL,
             (int64_t)(memory_figures(memory).work - memory->before.work));
}

int describe_bytes(int64_t value, char *text, size_t size) {
  return bench_describe_bytes("bytes", value, text, size);
}

int describe_live(int64_t value, char *text, size_t size) {
  return bench_describe_bytes("live", value, text, size);
}

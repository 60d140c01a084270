/* SPDX-License-Identifier: MIT */
/*
 * snapshot_sample.c: writes two snapshots of a heap that holds something of
 * everything, for other programs to read: `snapshot_sample BEFORE AFTER`.
 *
 * Between the two 500 objects named Leaking come and are kept by one array, and
 * what there was before moves. One line of stdout for each: nodes, edges,
 * bytes.
 *
 * Invariant: the graph is the same at every run.
 */
#include <stdio.h>
#include <stdlib.h>

#include "plumb/buffer.h"
#include "plumb/snapshot.h"

enum { NODES = 20000, LEAKS = 500 };

struct item { /* 48 bytes */
  void *left, *right, *extra;
  uint64_t number[2];
};

static void *must(void *made) {
  if (made == NULL) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
  return made;
}

static uint64_t roll(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

static uint32_t type(struct pl_heap *heap, const struct pl_heap_type *what) {
  uint32_t number;
  if (pl_heap_type_add(heap, what, &number) != 0) must(NULL);
  return number;
}

static void save(struct pl_heap *heap, const char *path) {
  struct pl_snapshot_facts facts;
  int error = pl_snapshot_save(heap, path, &facts);
  if (error != 0) {
    fprintf(stderr, "%s: %s\n", path, pl_error_text(error));
    exit(1);
  }
  printf("%llu %llu %llu\n", (unsigned long long)facts.nodes,
         (unsigned long long)facts.edges, (unsigned long long)facts.bytes);
}

/* Items that refer to each other at random, all in an array. */
static void fill(struct pl_heap *heap, uint32_t list, uint32_t item,
                 struct pl_root *all) {
  uint64_t random = 12345;
  pl_root_add(heap, all, must(pl_heap_allocate(heap, list, 8 * NODES)));
  for (size_t i = 0; i < NODES; i++) {
    struct item *made = must(pl_heap_allocate(heap, item, sizeof *made));
    void **slots = all->object;
    if (i > 0) {
      made->left = slots[roll(&random) % i];
      made->right = slots[roll(&random) % i];
    }
    pl_heap_write(heap, slots, slots + i, made);
  }
  for (size_t i = 0; i < NODES; i++)
    if (i % 3 != 0) /* what nobody else refers to goes */
      pl_heap_write(heap, all->object, (void **)all->object + i, NULL);
}

int main(int argc, char **argv) {
  static const char *const names[] = {"left", "right"};
  const struct pl_heap_type item = {
      .name = "Item", .slots = 7, .slot_names = names, .name_count = 2};
  const struct pl_heap_type list = {.name = "Array", .array = true};
  const struct pl_heap_type leaking = {
      .name = "Leaking", .slots = 1, .slot_names = names, .name_count = 1};
  const struct pl_heap_type text = {.name = "Text"};
  struct pl_heap *heap;
  struct pl_buffers buffers;
  struct pl_root all, store, leaks;
  struct pl_weak weak;
  struct pl_ephemerons table;
  void *buffer;
  if (argc != 3) return 2;
  if (pl_heap_create(NULL, &heap) != 0) must(NULL);
  if (pl_buffers_init(&buffers, heap) != 0) must(NULL);
  uint32_t array = type(heap, &list), leak = type(heap, &leaking);
  uint32_t data = type(heap, &text);
  fill(heap, array, type(heap, &item), &all);
  if (pl_buffer_new(&buffers, 1 << 20, PL_BUFFER_OF_ZEROES, &buffer) != 0)
    must(NULL);
  pl_root_add(heap, &store, buffer);
  pl_root_add(heap, &leaks, must(pl_heap_allocate(heap, array, 8 * LEAKS)));
  void *key = ((void **)all.object)[0];
  pl_weak_add(heap, &weak, key, NULL, NULL, 0);
  pl_ephemerons_add(heap, &table, NULL);
  void *value = must(pl_heap_allocate(heap, data, 1000));
  if (pl_ephemeron_set(heap, &table, ((void **)all.object)[0], value) != 0)
    must(NULL);
  save(heap, argv[1]);
  for (size_t i = 0; i < LEAKS; i++) {
    void *made = must(pl_heap_allocate(heap, leak, 8));
    pl_heap_write(heap, leaks.object, (void **)leaks.object + i, made);
    void *kept = must(pl_heap_allocate(heap, data, 100));
    made = ((void **)leaks.object)[i];
    pl_heap_write(heap, made, made, kept);
  }
  pl_heap_collect(heap, PL_GC_COMPACT);
  save(heap, argv[2]);
  pl_buffers_end(&buffers);
  pl_heap_destroy(heap);
  return 0;
}

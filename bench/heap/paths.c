/* SPDX-License-Identifier: MIT */
/*
 * paths.c: the fast paths: allocation and the write barrier, beside the least
 * that they could cost.
 *
 * Invariant: the floor of an allocation zeroes as many bytes of as large a
 * buffer, and tells the cache as far ahead.
 */
#include "figures.h"

enum { COUNT = 4000000, TARGETS = 1024 };

static double allocation(size_t semi, size_t bytes) {
  struct stage stage;
  stage_begin(&stage, semi, NULL);
  const struct pl_heap_type data = {.name = "data"};
  uint32_t type;
  if (pl_heap_type_add(stage.heap, &data, &type) != 0) must(NULL);
  double round_ns[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t start = now_ns();
    for (uint64_t i = 0; i < COUNT; i++) {
      uint64_t *object;
      if (bytes == 8) object = pl_heap_allocate(stage.heap, type, 8);
      else object = pl_heap_allocate(stage.heap, type, 40);
      if (object == NULL) must(NULL);
      object[0] = i;
    }
    round_ns[round] = (double)(now_ns() - start) / COUNT;
  }
  stage_end(&stage);
  return median(round_ns, ROUNDS);
}

/* Bump, zero, store: the pointer in a register, no header, no collection. */
static double floor_of_allocation(size_t size, size_t bytes) {
  char *block = floor_memory(size);
  double round_ns[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t start = now_ns();
    char *top = block, *end = block + size - 512;
    for (uint64_t i = 0; i < COUNT; i++) {
      if (top > end) top = block;
      uint64_t *object = (uint64_t *)top;
      __builtin_prefetch(top + PL__HEAP_AHEAD, 1);
      if (bytes == 8) {
        top += 16;
        memset(object, 0, 16);
      } else {
        top += NODE_BYTES;
        memset(object, 0, NODE_BYTES);
      }
      object[1] = i;
      __asm__("" ::"r"(object) : "memory");
    }
    round_ns[round] = (double)(now_ns() - start) / COUNT;
  }
  return median(round_ns, ROUNDS);
}

static double writes(struct pl_heap *heap, struct node **objects,
                     struct node *value, int barrier) {
  double round_ns[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t start = now_ns();
    for (size_t i = 0; i < 2 * COUNT; i++) {
      struct node *object = objects[i % TARGETS];
      if (barrier) pl_heap_write(heap, object, &object->left, value);
      else object->left = value;
      __asm__("" ::: "memory");
    }
    round_ns[round] = (double)(now_ns() - start) / (2 * COUNT);
  }
  return median(round_ns, ROUNDS);
}

static void barriers(void) {
  struct stage stage;
  stage_begin(&stage, 1 << 20, NULL);
  struct node *young[TARGETS], *old[TARGETS];
  for (int i = 0; i < TARGETS; i++)
    old[i] =
        must(pl_heap_allocate_old(stage.heap, stage.node, sizeof **old));
  for (int i = 0; i < TARGETS; i++)
    young[i] =
        must(pl_heap_allocate(stage.heap, stage.node, sizeof **young));
  figure("store/plain", writes(stage.heap, old, old[0], 0), "ns");
  figure("store/young-object", writes(stage.heap, young, young[0], 1), "ns");
  figure("store/old-gets-old", writes(stage.heap, old, old[0], 1), "ns");
  figure("store/old-gets-null", writes(stage.heap, old, NULL, 1), "ns");
  figure("store/old-gets-young", writes(stage.heap, old, young[0], 1), "ns");
  stage_end(&stage);
}

uint64_t paths(void) {
  figure("allocate/16-bytes/1-MiB", allocation(1 << 20, 8), "ns");
  figure("allocate/16-bytes/floor", floor_of_allocation(1 << 20, 8), "ns");
  figure("allocate/48-bytes/1-MiB", allocation(1 << 20, 40), "ns");
  figure("allocate/48-bytes/1-MiB-floor", floor_of_allocation(1 << 20, 40),
         "ns");
  figure("allocate/48-bytes/16-MiB", allocation(16 << 20, 40), "ns");
  figure("allocate/48-bytes/16-MiB-floor", floor_of_allocation(16 << 20, 40),
         "ns");
  barriers();
  return 1;
}

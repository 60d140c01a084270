/* SPDX-License-Identifier: MIT */
/*
 * scavenges.c: a scavenge of a complete tree, beside the plain Cheney loop over
 * the same tree.
 *
 * Invariant: both copy every node of the tree, or the program ends.
 */
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>

/* A tree of `count` nodes, made in the order of its levels. */
static void make_levels(struct stage *stage, void **all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct node *node =
        must(pl_heap_allocate(stage->heap, stage->node, sizeof *node));
    node->number[0] = i;
    all[i] = node;
    if (i == 0) continue;
    struct node *parent = all[(i - 1) / 2];
    if (i % 2 == 1) parent->left = node;
    else parent->right = node;
  }
}

/* ns[0]: each object copied; ns[1]: promoted by a second scavenge. */
static uint64_t scavenge(size_t count, double ns[2]) {
  double round_ns[2][ROUNDS];
  void **all = must(malloc(count * sizeof *all));
  size_t semi = 1 << 18;
  uint64_t sum = 0;
  while (semi < count * NODE_BYTES)
    semi *= 2;
  struct stage stage;
  stage_begin(&stage, semi, NULL);
  void **root = must(pl_handle(stage.heap, NULL));
  for (int round = 0; round < ROUNDS; round++) {
    *root = NULL;
    pl_heap_collect(stage.heap, PL_GC_MAJOR);
    make_levels(&stage, all, count);
    *root = all[0];
    for (int pass = 0; pass < 2; pass++) {
      pl_heap_collect(stage.heap, PL_GC_MINOR);
      const struct pl_gc_event *event = &stage.pauses.last;
      if (event->copied + event->promoted != count * NODE_BYTES) must(NULL);
      round_ns[pass][round] = (double)event->pause_ns / (double)count;
    }
    sum += ((struct node *)*root)->left->number[0];
  }
  for (int pass = 0; pass < 2; pass++)
    ns[pass] = median(round_ns[pass], ROUNDS);
  stage_end(&stage);
  free(all);
  return sum;
}

static uint64_t *forward(uint64_t *object, char **top) {
  if (object == NULL) return NULL;
  if (object[0] & 1) return (uint64_t *)(uintptr_t)(object[0] - 1);
  uint64_t *copy = (uint64_t *)*top;
  *top += NODE_BYTES;
  memcpy(copy, object, NODE_BYTES);
  object[0] = (uintptr_t)copy + 1;
  return copy;
}

/* One type, no header to decode, no generations. */
static double plain_cheney(size_t count) {
  double round_ns[ROUNDS];
  size_t size = count * NODE_BYTES;
  char *space[2] = {floor_memory(size), floor_memory(size)};
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < count; i++) {
      uint64_t *node = (uint64_t *)(space[0] + i * NODE_BYTES);
      memset(node, 0, NODE_BYTES);
      node[3] = i;
      if (i == 0) continue;
      uint64_t *parent = (uint64_t *)(space[0] + (i - 1) / 2 * NODE_BYTES);
      parent[i % 2 == 1 ? 1 : 2] = (uintptr_t)node;
    }
    memset(space[1], 1, size);
    uint64_t start = now_ns();
    char *top = space[1];
    forward((uint64_t *)space[0], &top);
    for (char *scan = space[1]; scan < top; scan += NODE_BYTES) {
      uint64_t *object = (uint64_t *)scan;
      object[1] = (uintptr_t)forward((uint64_t *)(uintptr_t)object[1], &top);
      object[2] = (uintptr_t)forward((uint64_t *)(uintptr_t)object[2], &top);
    }
    round_ns[round] = (double)(now_ns() - start) / (double)count;
    if (top != space[1] + size) must(NULL);
  }
  free(space[0]);
  free(space[1]);
  return median(round_ns, ROUNDS);
}

uint64_t scavenges(void) {
  static const struct {
    const char *name;
    size_t count;
  } sizes[] = {{"0.4-MiB", 8000}, {"6-MiB", 130000}, {"15.6-MiB", 340000}};
  uint64_t sum = 0;
  for (int i = 0; i < 3; i++) {
    char name[64];
    double ns[2];
    double plain = plain_cheney(sizes[i].count);
    sum += scavenge(sizes[i].count, ns);
    snprintf(name, sizeof name, "scavenge/%s/plain-Cheney", sizes[i].name);
    figure(name, plain, "ns");
    snprintf(name, sizeof name, "scavenge/%s/copied", sizes[i].name);
    figure(name, ns[0], "ns");
    snprintf(name, sizeof name, "scavenge/%s/promoted", sizes[i].name);
    figure(name, ns[1], "ns");
  }
  return sum;
}

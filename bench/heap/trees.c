/* SPDX-License-Identifier: MIT */
/*
 * trees.c: GCBench: binary trees from the top down and from the bottom up
 * beside a long-lived tree and array (workload: Ellis, Kovac, Boehm).
 *
 * Invariant: trees.cjs and boehm.c plant the same trees of the same nodes.
 */
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>

static int times_of(int depth) {
  return 2 * ((1 << 19) - 1) / ((1 << (depth + 1)) - 1);
}

static uint64_t both_ways(struct stage *stage, int depth) {
  uint64_t sum = 0;
  for (int i = 0; i < times_of(depth); i++) {
    struct pl_scope scope;
    pl_scope_open(stage->heap, &scope);
    void **tree = must(pl_handle(stage->heap, make(stage, 0)));
    populate(stage, depth, tree);
    pl_scope_close(stage->heap, &scope);
  }
  for (int i = 0; i < times_of(depth); i++)
    sum += make(stage, depth)->left != NULL;
  return sum;
}

uint64_t trees(size_t semi) {
  struct stage stage;
  stage_begin(&stage, semi, NULL);
  const struct pl_heap_type doubles = {.name = "doubles"};
  uint32_t data;
  if (pl_heap_type_add(stage.heap, &doubles, &data) != 0) must(NULL);
  uint64_t start = now_ns();
  uint64_t sum = make(&stage, 18)->left != NULL;
  void **lived = must(pl_handle(stage.heap, make(&stage, 0)));
  populate(&stage, 16, lived);
  void **array = must(pl_handle(
      stage.heap,
      must(pl_heap_allocate(stage.heap, data, 500000 * sizeof(double)))));
  for (int depth = 4; depth <= 16; depth += 2)
    sum += both_ways(&stage, depth);
  sum += ((struct node *)*lived)->left != NULL && *array != NULL;
  figure("trees/total", (double)(now_ns() - start) / 1e6, "ms");
  figure("trees/longest-minor", (double)stage.pauses.worst[PL_GC_MINOR] / 1e6,
         "ms");
  figure("trees/longest-major", (double)stage.pauses.worst[PL_GC_MAJOR] / 1e6,
         "ms");
  tell_pauses(&stage, "trees");
  struct pl_heap_stats stats;
  pl_heap_stats(stage.heap, &stats);
  figure("trees/minor-collections", (double)stats.collections[PL_GC_MINOR],
         "");
  stage_end(&stage);
  return sum;
}

/* ---------------------------------------------------------------------- */
/* The floor: a bump pointer over memory that is never collected          */

static char *top, *end;

static struct node *bump(void) {
  if (top == end) must(NULL);
  struct node *node = (struct node *)top;
  top += NODE_BYTES;
  return node;
}

static void bump_populate(int depth, struct node *node) {
  if (depth == 0) return;
  node->left = bump();
  node->right = bump();
  bump_populate(depth - 1, node->left);
  bump_populate(depth - 1, node->right);
}

static struct node *bump_make(int depth) {
  struct node *left = depth == 0 ? NULL : bump_make(depth - 1);
  struct node *right = depth == 0 ? NULL : bump_make(depth - 1);
  struct node *node = bump();
  memset(node, 0, sizeof *node);
  node->left = left;
  node->right = right;
  return node;
}

/* Trees that die give their memory back at once: the same few megabytes are
 * used again and again, which is more than any collector can do. */
uint64_t trees_floor(void) {
  size_t size = (size_t)NODE_BYTES << 20;
  char *block = floor_memory(size);
  uint64_t sum = 0;
  uint64_t start = now_ns();
  top = block;
  end = block + size;
  sum += bump_make(18)->left != NULL;
  top = block;
  bump_populate(16, bump());
  char *kept = top;
  for (int depth = 4; depth <= 16; depth += 2)
    for (int i = 0; i < times_of(depth); i++) {
      top = kept;
      bump_populate(depth, bump());
      top = kept;
      sum += bump_make(depth)->left != NULL;
    }
  figure("trees/total", (double)(now_ns() - start) / 1e6, "ms");
  return sum;
}

/* SPDX-License-Identifier: MIT */
/*
 * boehm.c: the trees of trees.c on the Boehm collector (libgc), which is
 * optional: the peer that is conservative and does not move.
 *
 * Invariant: the same trees, the same 48 bytes for a node.
 */
#include <gc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct node {
  struct node *left, *right;
  uint64_t number[4];
};

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t began, worst;

static void on_event(GC_EventType event) {
  if (event == GC_EVENT_START) began = now_ns();
  if (event != GC_EVENT_END) return;
  uint64_t pause = now_ns() - began;
  if (pause > worst) worst = pause;
}

static struct node *new_node(void) {
  struct node *node = GC_MALLOC(sizeof *node);
  if (node == NULL) exit(1);
  return node;
}

static void populate(int depth, struct node *node) {
  if (depth == 0) return;
  node->left = new_node();
  node->right = new_node();
  populate(depth - 1, node->left);
  populate(depth - 1, node->right);
}

static struct node *make(int depth) {
  struct node *left = depth == 0 ? NULL : make(depth - 1);
  struct node *right = depth == 0 ? NULL : make(depth - 1);
  struct node *node = new_node();
  node->left = left;
  node->right = right;
  return node;
}

int main(void) {
  uint64_t sum = 0;
  GC_INIT();
  GC_set_on_collection_event(on_event);
  uint64_t start = now_ns();
  sum += make(18)->left != NULL;
  struct node *volatile lived = new_node();
  populate(16, lived);
  double *volatile array = GC_MALLOC_ATOMIC(500000 * sizeof *array);
  for (int depth = 4; depth <= 16; depth += 2) {
    int times = 2 * ((1 << 19) - 1) / ((1 << (depth + 1)) - 1);
    for (int i = 0; i < times; i++)
      populate(depth, new_node());
    for (int i = 0; i < times; i++)
      sum += make(depth)->left != NULL;
  }
  sum += lived->left != NULL && array != NULL;
  printf("trees/total %.3f ms\n", (double)(now_ns() - start) / 1e6);
  printf("trees/longest-pause %.3f ms\n", (double)worst / 1e6);
  return sum == 0;
}

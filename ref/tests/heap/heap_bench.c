/* SPDX-License-Identifier: MIT */
/*
 * heap_bench.c: what the heap's fast paths and collections cost, beside the
 * least that they could cost, in one run and in turns.
 *
 * Nodes of 48 bytes with two references, as in GCBench. Each figure is the
 * median of the rounds, in processor time. Not a test: nothing here passes or
 * fails.
 *
 * Invariant: what is measured is done, its results are summed up and printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plumb/heap.h"

enum { ROUNDS = 9 };

struct node {
  struct node *left, *right;
  uint64_t number[3];
};

static uint64_t sum; /* keeps the work from being optimised away */

/* Time of this thread on its processor: others may be at work beside it. */
static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *values) {
  qsort(values, ROUNDS, sizeof *values, by_value);
  return values[ROUNDS / 2];
}

static void *must(void *block) {
  if (block != NULL) return block;
  fputs("heap-bench: out of memory\n", stderr);
  exit(1);
}

static uint64_t clock_ns(void *self) {
  (void)self;
  return now_ns();
}

static uint64_t last_pause;
static size_t last_survived;

static uint64_t worst_pause[3]; /* by kind */

static void on_event(void *arg, const struct pl_gc_event *event) {
  (void)arg;
  last_pause = event->pause_ns;
  if (last_pause > worst_pause[event->kind])
    worst_pause[event->kind] = last_pause;
  last_survived = event->copied + event->promoted;
}

static struct pl_heap *new_heap(size_t semi, uint32_t *type) {
  const struct pl_heap_config config = {.semi_initial = semi,
                                        .semi_max = semi,
                                        .clock = {.now_ns = clock_ns},
                                        .on_event = on_event};
  const struct pl_heap_type node = {.name = "node", .slots = 3};
  struct pl_heap *heap;
  if (pl_heap_create(&config, &heap) != 0 ||
      pl_heap_type_add(heap, &node, type) != 0)
    must(NULL);
  return heap;
}

/* ---------------------------------------------------------------------- */
/* Allocation and barrier                                                 */

static double allocation(size_t semi) {
  uint32_t type;
  struct pl_heap *heap = new_heap(semi, &type);
  enum { COUNT = 4000000 };
  double best[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t start = now_ns();
    for (uint64_t i = 0; i < COUNT; i++) {
      struct node *node = must(pl_heap_allocate(heap, type, sizeof *node));
      node->number[0] = i;
    }
    best[round] = (double)(now_ns() - start) / COUNT;
  }
  pl_heap_destroy(heap);
  return median(best);
}

/* Bump and zero and store in a buffer of the same size, nothing else. */
static double bump(size_t size) {
  enum { COUNT = 4000000 };
  char *block = must(malloc(size));
  double best[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t start = now_ns();
    char *top = block, *end = block + size;
    for (uint64_t i = 0; i < COUNT; i++) {
      if ((size_t)(end - top) < 48) top = block;
      uint64_t *object = (uint64_t *)top;
      top += 48;
      object[0] = 1;
      memset(object + 1, 0, 40);
      object[3] = i;
      __asm__("" ::"r"(object) : "memory");
    }
    best[round] = (double)(now_ns() - start) / COUNT;
  }
  free(block);
  return median(best);
}

enum { TARGETS = 1024 };

/* Writes `value` into `objects`, with or without the barrier. */
static double writes(struct pl_heap *heap, struct node **objects,
                     struct node *value, int barrier) {
  enum { COUNT = 8000000 };
  double best[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t start = now_ns();
    for (size_t i = 0; i < COUNT; i++) {
      struct node *object = objects[i % TARGETS];
      if (barrier) pl_heap_write(heap, object, &object->left, value);
      else object->left = value;
      __asm__("" ::: "memory");
    }
    best[round] = (double)(now_ns() - start) / COUNT;
  }
  return median(best);
}

static void barriers(void) {
  uint32_t type;
  struct pl_heap *heap = new_heap(1 << 20, &type);
  struct node *young[TARGETS], *old[TARGETS];
  for (int i = 0; i < TARGETS; i++) {
    old[i] = must(pl_heap_allocate_old(heap, type, sizeof **old));
    young[i] = must(pl_heap_allocate(heap, type, sizeof **young));
  }
  double plain = writes(heap, old, old[0], 0);
  printf("store without barrier      %6.2f ns\n", plain);
  printf("barrier: young object      %6.2f ns\n",
         writes(heap, young, young[0], 1));
  printf("barrier: old gets old      %6.2f ns\n", writes(heap, old, old[0], 1));
  printf("barrier: old gets NULL     %6.2f ns\n", writes(heap, old, NULL, 1));
  printf("barrier: old gets young    %6.2f ns (remembers the slot)\n",
         writes(heap, old, young[0], 1));
  pl_heap_destroy(heap);
}

/* ---------------------------------------------------------------------- */
/* Scavenge                                                               */

/* A complete tree of `count` nodes, made in the order of its levels. */
static void make_tree(struct pl_heap *heap, uint32_t type, void **all,
                      size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct node *node = must(pl_heap_allocate(heap, type, sizeof *node));
    node->number[0] = i;
    all[i] = node;
    if (i == 0) continue;
    struct node *parent = all[(i - 1) / 2];
    if (i % 2 == 1) parent->left = node;
    else parent->right = node;
  }
}

static double scavenge(size_t count, int promote) {
  uint32_t type;
  double best[ROUNDS];
  void **all = must(malloc(count * sizeof *all));
  size_t semi = 1 << 18;
  while (semi < count * 48)
    semi *= 2;
  struct pl_heap *heap = new_heap(semi, &type);
  void **root = must(pl_handle(heap, NULL));
  for (int round = 0; round < ROUNDS; round++) {
    *root = NULL;
    pl_heap_collect(heap, PL_GC_MAJOR);
    make_tree(heap, type, all, count);
    *root = all[0];
    pl_heap_collect(heap, PL_GC_MINOR);
    if (promote) pl_heap_collect(heap, PL_GC_MINOR);
    if (last_survived != count * 48) must(NULL);
    best[round] = (double)last_pause / (double)count;
    sum += ((struct node *)*root)->left->number[0];
  }
  pl_heap_destroy(heap);
  free(all);
  return median(best);
}

static uint64_t *forward(uint64_t *object, char **top) {
  if (object == NULL) return NULL;
  if (object[0] & 1) return (uint64_t *)(uintptr_t)(object[0] - 1);
  uint64_t *copy = (uint64_t *)*top;
  *top += 48;
  memcpy(copy, object, 48);
  object[0] = (uintptr_t)copy + 1;
  return copy;
}

/* The plain Cheney loop: one type, no header to decode, no promotion. */
static double plain_cheney(size_t count) {
  double best[ROUNDS];
  char *space[2] = {must(malloc(count * 48)), must(malloc(count * 48))};
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < count; i++) {
      uint64_t *node = (uint64_t *)(space[0] + i * 48);
      memset(node, 0, 48);
      node[3] = i;
      if (i == 0) continue;
      uint64_t *parent = (uint64_t *)(space[0] + (i - 1) / 2 * 48);
      parent[i % 2 == 1 ? 1 : 2] = (uintptr_t)node;
    }
    memset(space[1], 1, count * 48);
    uint64_t start = now_ns();
    char *top = space[1];
    forward((uint64_t *)space[0], &top);
    for (char *scan = space[1]; scan < top; scan += 48) {
      uint64_t *object = (uint64_t *)scan;
      object[1] = (uintptr_t)forward((uint64_t *)(uintptr_t)object[1], &top);
      object[2] = (uintptr_t)forward((uint64_t *)(uintptr_t)object[2], &top);
    }
    best[round] = (double)(now_ns() - start) / (double)count;
    if (top != space[1] + count * 48) must(NULL);
  }
  free(space[0]);
  free(space[1]);
  return median(best);
}

static void scavenges(void) {
  const size_t counts[] = {8000, 130000, 340000};
  for (int i = 0; i < 3; i++) {
    size_t count = counts[i];
    double plain = plain_cheney(count);
    double copied = scavenge(count, 0);
    double promoted = scavenge(count, 1);
    printf("scavenge of %5.1f MiB live  %6.2f ns/object copied, %6.2f "
           "promoted; plain Cheney %6.2f (%.2f times)\n",
           (double)count * 48 / 1048576, copied, promoted, plain,
           copied / plain);
  }
}

/* ---------------------------------------------------------------------- */
/* GCBench: trees from the top down and from the bottom up                */

static struct pl_heap *bench;
static uint32_t bench_type;

static void populate(int depth, void **handle) {
  if (depth == 0) return;
  struct pl_scope scope;
  pl_scope_open(bench, &scope);
  for (int side = 0; side < 2; side++) {
    struct node *child = must(pl_heap_allocate(bench, bench_type, 40));
    struct node *parent = *handle;
    pl_heap_write(bench, parent, side ? &parent->right : &parent->left,
                  child);
  }
  void **child = must(pl_handle(bench, ((struct node *)*handle)->left));
  populate(depth - 1, child);
  *child = ((struct node *)*handle)->right;
  populate(depth - 1, child);
  pl_scope_close(bench, &scope);
}

static struct node *make(int depth) {
  if (depth == 0) return must(pl_heap_allocate(bench, bench_type, 40));
  struct pl_scope scope;
  pl_scope_open(bench, &scope);
  void **left = must(pl_handle(bench, make(depth - 1)));
  void **right = must(pl_handle(bench, make(depth - 1)));
  struct node *node = must(pl_heap_allocate(bench, bench_type, 40));
  node->left = *left;
  node->right = *right;
  pl_scope_close(bench, &scope);
  return node;
}

static double gcbench(size_t semi) {
  const struct pl_heap_config config = {.semi_initial = semi,
                                        .semi_max = semi,
                                        .clock = {.now_ns = clock_ns},
                                        .on_event = on_event};
  const struct pl_heap_type node = {.name = "node", .slots = 3};
  const struct pl_heap_type doubles = {.name = "doubles"};
  uint32_t data;
  if (pl_heap_create(&config, &bench) != 0 ||
      pl_heap_type_add(bench, &node, &bench_type) != 0 ||
      pl_heap_type_add(bench, &doubles, &data) != 0)
    must(NULL);
  uint64_t start = now_ns();
  make(18);
  void **lived = must(pl_handle(
      bench, must(pl_heap_allocate(bench, bench_type, 40))));
  populate(16, lived);
  void **array = must(pl_handle(
      bench, must(pl_heap_allocate(bench, data, 500000 * sizeof(double)))));
  for (int depth = 4; depth <= 16; depth += 2) {
    int times = 2 * ((1 << 19) - 1) / ((1 << (depth + 1)) - 1);
    for (int i = 0; i < times; i++) {
      struct pl_scope scope;
      pl_scope_open(bench, &scope);
      void **tree = must(pl_handle(
          bench, must(pl_heap_allocate(bench, bench_type, 40))));
      populate(depth, tree);
      pl_scope_close(bench, &scope);
    }
    for (int i = 0; i < times; i++)
      sum += make(depth)->number[0];
  }
  sum += ((struct node *)*lived)->left != NULL && *array != NULL;
  double ms = (double)(now_ns() - start) / 1e6;
  pl_heap_destroy(bench);
  return ms;
}

int main(void) {
  printf("allocate 48 bytes, 1 MiB   %6.2f ns (bump and zero %.2f)\n",
         allocation(1 << 20), bump(1 << 20));
  printf("allocate 48 bytes, 16 MiB  %6.2f ns (bump and zero %.2f)\n",
         allocation(16 << 20), bump(16 << 20));
  barriers();
  scavenges();
  for (size_t semi = 1 << 20; semi <= 16 << 20; semi *= 4) {
    double ms[ROUNDS];
    memset(worst_pause, 0, sizeof worst_pause);
    for (int round = 0; round < ROUNDS; round++)
      ms[round] = gcbench(semi);
    printf("GCBench, semi-space %2zu MiB %6.0f ms, longest minor %.2f ms, "
           "major %.2f ms\n",
           semi >> 20, median(ms), (double)worst_pause[PL_GC_MINOR] / 1e6,
           (double)worst_pause[PL_GC_MAJOR] / 1e6);
  }
  return sum == 0;
}

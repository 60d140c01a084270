/* SPDX-License-Identifier: MIT */
/*
 * stage.c: a heap to measure, its pauses, the trees that are planted in it.
 *
 * Invariant: memory that runs out ends the program; no figure is printed of
 * work that was not done.
 */
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t stage_clock(void *self) {
  (void)self;
  return now_ns();
}

void *must(void *block) {
  if (block != NULL) return block;
  fputs("heap-bench: out of memory\n", stderr);
  exit(1);
}

void *floor_memory(size_t size) {
  const size_t huge = (size_t)2 << 20;
  size_t whole = (size + huge - 1) & ~(huge - 1);
  char *block = must(aligned_alloc(huge, whole));
  if (size >= 2 * huge) madvise(block, whole, MADV_HUGEPAGE);
  return memset(block, 1, whole);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, by_value);
  return values[count / 2];
}

void figure(const char *name, double value, const char *unit) {
  printf("%s %.3f %s\n", name, value, unit);
  fflush(stdout);
}

static void on_event(void *arg, const struct pl_gc_event *event) {
  struct pauses *pauses = arg;
  pl_pauses_add(&pauses->record, event);
  pauses->last = *event;
  pauses->count[event->kind]++;
  pauses->sum[event->kind] += event->pause_ns;
  if (event->pause_ns > pauses->worst[event->kind])
    pauses->worst[event->kind] = event->pause_ns;
}

void stage_begin(struct stage *stage, size_t semi,
                 const struct pl_heap_config *more) {
  const struct pl_heap_type node = {.name = "node", .slots = 3};
  struct pl_heap_config config = {0};
  if (more != NULL) config = *more;
  config.semi_initial = config.semi_max = semi;
  config.clock.now_ns = stage_clock;
  config.arg = &stage->pauses;
  config.on_event = on_event;
  *stage = (struct stage){.pauses.since = now_ns()};
  pl_pauses_init(&stage->pauses.record, NULL);
  if (pl_heap_create(&config, &stage->heap) != 0 ||
      pl_heap_type_add(stage->heap, &node, &stage->node) != 0)
    must(NULL);
  for (int depth = 0; depth <= DEEPEST; depth++) {
    stage->left[depth] = must(pl_handle(stage->heap, NULL));
    stage->right[depth] = must(pl_handle(stage->heap, NULL));
  }
}

void stage_end(struct stage *stage) {
  pl_heap_destroy(stage->heap);
  pl_pauses_free(&stage->pauses.record);
}

void forget(struct stage *stage) {
  pl_pauses_free(&stage->pauses.record);
  stage->pauses = (struct pauses){.since = now_ns()};
  pl_pauses_init(&stage->pauses.record, NULL);
}

static void figure_of(const char *part, const char *what, double value,
                      const char *unit) {
  char name[96];
  snprintf(name, sizeof name, "%s/%s", part, what);
  figure(name, value, unit);
}

void tell_pauses(const struct stage *stage, const char *part) {
  const struct pl_pauses *record = &stage->pauses.record;
  const struct pl_histogram *wall = &record->histogram[PL_PAUSE_WALL];
  static const struct {
    const char *name;
    double quantile;
  } quantiles[] = {{"pause-p50", 0.5}, {"pause-p99", 0.99},
                   {"pause-p99.9", 0.999}, {"pause-max", 1}};
  for (int i = 0; i < 4; i++)
    figure_of(part, quantiles[i].name,
              (double)pl_histogram_quantile(wall, quantiles[i].quantile) / 1e6,
              "ms");
  uint64_t now = now_ns();
  struct pl_heap_stats stats;
  pl_heap_stats(stage->heap, &stats);
  uint64_t start = 0, end = stats.allocated + record->work;
  if (record->count != 0) start = record->list[PL_PAUSE_LOGICAL][0].start;
  for (uint64_t window = 1; window <= 100; window *= 10) {
    char name[32];
    snprintf(name, sizeof name, "mmu-%d-ms", (int)window);
    figure_of(part, name,
              100 * pl_pauses_mmu(record, PL_PAUSE_WALL, stage->pauses.since,
                                  now, window * 1000000), "%");
    snprintf(name, sizeof name, "mmu-%d-MB", (int)window);
    figure_of(part, name,
              100 * pl_pauses_mmu(record, PL_PAUSE_LOGICAL, start, end,
                                  window * 1000000), "%");
  }
}

static inline struct node *new_node(struct stage *stage) {
  return must(
      pl_heap_allocate(stage->heap, stage->node, sizeof(struct node)));
}

void populate(struct stage *stage, int depth, void **handle) {
  if (depth == 0) return;
  struct pl_heap *heap = stage->heap;
  for (int side = 0; side < 2; side++) {
    struct node *child = new_node(stage);
    struct node *parent = *handle;
    pl_heap_write(heap, parent, side ? &parent->right : &parent->left, child);
  }
  void **child = stage->left[depth];
  *child = ((struct node *)*handle)->left;
  populate(stage, depth - 1, child);
  *child = ((struct node *)*handle)->right;
  populate(stage, depth - 1, child);
  *child = NULL;
}

struct node *make(struct stage *stage, int depth) {
  if (depth == 0) return new_node(stage);
  void **left = stage->left[depth], **right = stage->right[depth];
  *left = make(stage, depth - 1);
  *right = make(stage, depth - 1);
  struct node *node = new_node(stage);
  node->left = *left;
  node->right = *right;
  *left = *right = NULL;
  return node;
}

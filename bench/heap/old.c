/* SPDX-License-Identifier: MIT */
/*
 * old.c: an old generation of gigabytes: a major collection at once, in steps
 * of a millisecond, and in steps beside a mutator that goes on allocating.
 *
 * Invariant: whatever collects, all trees are whole afterwards.
 */
#include "figures.h"

enum { DEPTH = 19, MOST = 128 };

static double ms(uint64_t ns) {
  return (double)ns / 1e6;
}

static void at_once(struct stage *stage) {
  forget(stage);
  pl_heap_collect(stage->heap, PL_GC_MAJOR);
  figure("old/at-once/pause", ms(stage->pauses.worst[PL_GC_MAJOR]), "ms");
}

static uint64_t longest(const struct pauses *pauses) {
  uint64_t worst = 0;
  for (int kind = 0; kind < PL_GC_KINDS; kind++)
    if (pauses->worst[kind] > worst) worst = pauses->worst[kind];
  return worst;
}

static void in_steps(struct stage *stage) {
  forget(stage);
  while (pl_heap_step(stage->heap, 1000000, 0))
    continue;
  const struct pauses *pauses = &stage->pauses;
  figure("old/in-steps/total",
         ms(pauses->sum[PL_GC_STEP] + pauses->sum[PL_GC_MAJOR]), "ms");
  figure("old/in-steps/longest-pause", ms(longest(pauses)), "ms");
  figure("old/in-steps/steps", (double)pauses->count[PL_GC_STEP], "");
}

static void beside_a_mutator(struct stage *stage, void ***trees, int count) {
  struct pl_heap_stats stats;
  forget(stage);
  pl_heap_step(stage->heap, 1000000, 0);
  int turn = 0;
  do {
    struct pl_scope scope;
    pl_scope_open(stage->heap, &scope);
    void **tree = must(pl_handle(stage->heap, make(stage, 0)));
    populate(stage, 10, tree);
    struct node *old = *trees[turn++ % count];
    pl_heap_write(stage->heap, old, &old->left, old->left);
    pl_scope_close(stage->heap, &scope);
    pl_heap_stats(stage->heap, &stats);
  } while (stats.marking || stats.sweeping);
  figure("old/beside-mutator/longest-pause", ms(longest(&stage->pauses)),
         "ms");
  tell_pauses(stage, "old/beside-mutator");
}

static uint64_t count_nodes(const struct node *node) {
  if (node == NULL) return 0;
  return 1 + count_nodes(node->left) + count_nodes(node->right);
}

uint64_t old_generation(int trees) {
  const size_t gigabyte = (size_t)1 << 30;
  const struct pl_heap_config config = {.old_max = 8 * gigabyte,
                                        .old_trigger = 7 * gigabyte,
                                        .step_ns = 1000000};
  struct stage stage;
  void **roots[MOST];
  stage_begin(&stage, 1 << 20, &config);
  if (trees > MOST) trees = MOST;
  for (int i = 0; i < trees; i++) {
    roots[i] = must(pl_handle(stage.heap, make(&stage, 0)));
    populate(&stage, DEPTH, roots[i]);
  }
  struct pl_heap_stats stats;
  pl_heap_stats(stage.heap, &stats);
  figure("old/live", (double)stats.used / 1e6, "MB");
  figure("old/side-tables", 100.0 * (double)stats.metadata /
                                (double)stats.used, "%");
  for (int round = 0; round < 3; round++) {
    at_once(&stage);
    in_steps(&stage);
    beside_a_mutator(&stage, roots, trees);
  }
  uint64_t sum = 0;
  for (int i = 0; i < trees; i++)
    sum += count_nodes(*roots[i]);
  if (sum != (uint64_t)trees * ((2u << DEPTH) - 1)) must(NULL);
  stage_end(&stage);
  return sum;
}

/* SPDX-License-Identifier: MIT */
/*
 * schedule.c: who gets the next connection.
 *
 * Invariant of the weighted one: the sum of `current` over the candidates does
 * not change by a pick, so over W picks (the sum of the weights) of the same
 * candidates each gets exactly its weight, spread as evenly as can be.
 */
#include "plumb/cluster.h"

static size_t pick_first(void *self, struct pl_worker *const *candidates,
                         size_t count) {
  (void)self;
  (void)candidates;
  (void)count;
  return 0;
}

static size_t pick_weighted(void *self, struct pl_worker *const *candidates,
                            size_t count) {
  int total = 0;
  size_t best = 0;
  (void)self;
  for (size_t i = 0; i < count; i++) {
    struct pl_worker *worker = candidates[i];
    worker->current += (int)worker->weight;
    total += (int)worker->weight;
    const struct pl_worker *leader = candidates[best];
    if (worker->current > leader->current ||
        (worker->current == leader->current && worker->id < leader->id))
      best = i;
  }
  candidates[best]->current -= total;
  return best;
}

const struct pl_scheduler pl_schedule_round_robin = {pick_first, NULL};
const struct pl_scheduler pl_schedule_weighted = {pick_weighted, NULL};

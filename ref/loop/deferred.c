/* SPDX-License-Identifier: MIT */
/*
 * deferred.c: the pending phase: calls that were put off to the next
 * iteration.
 *
 * Invariant: a pass makes the calls that waited when it began; what is
 * deferred meanwhile waits for the next pass.
 */
#include "internal.h"

void pl_deferred_init(struct pl_deferred *deferred, pl_event_fn *fn,
                      void *arg) {
  *deferred = (struct pl_deferred){.fn = fn, .arg = arg};
  pl__link_init(&deferred->link);
}

void pl_deferred_post(struct pl_loop *loop, struct pl_deferred *deferred,
                      int status) {
  deferred->status = status;
  if (pl__list_empty(&deferred->link))
    pl__list_append(&loop->deferred, &deferred->link);
}

void pl__deferred_cancel(struct pl_deferred *deferred) {
  pl__list_remove(&deferred->link);
}

void pl__run_deferred(struct pl_loop *loop) {
  if (pl__list_empty(&loop->deferred)) return;
  struct pl_link batch;
  pl__list_move(&loop->deferred, &batch);
  while (!pl__list_empty(&batch)) {
    struct pl_deferred *deferred =
        PL__OWNER(batch.next, struct pl_deferred, link);
    pl__list_remove(&deferred->link);
    pl__call_plain(loop, PL_RECORD_DEFERRED, deferred->fn, deferred->arg,
                   deferred->status);
    pl__drain_if_needed(loop);
  }
}

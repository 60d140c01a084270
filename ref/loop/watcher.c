/* SPDX-License-Identifier: MIT */
/*
 * watcher.c: idle, prepare and check handles.
 *
 * Invariant: a watcher is in its kind's list exactly while it is active, the
 * last started first. A pass works on a detached list, so what is started
 * meanwhile waits and what is stopped meanwhile is skipped.
 */
#include "internal.h"

void pl_watcher_init(struct pl_loop *loop, enum pl_object_kind kind,
                     struct pl_watcher *watcher, pl_event_fn *fn, void *arg) {
  pl__handle_init(loop, &watcher->head, kind, fn, arg);
}

int pl_watcher_start(struct pl_watcher *watcher) {
  struct pl_object *head = &watcher->head;
  if (head->flags & PL__CLOSING) return PL_EINVAL;
  if (head->flags & PL__ACTIVE) return 0;
  pl__list_prepend(pl__watchers(head->loop, head->kind), &head->link);
  pl__activate(head);
  return 0;
}

void pl__watcher_stop(struct pl_watcher *watcher) {
  if (!(watcher->head.flags & PL__ACTIVE)) return;
  pl__list_remove(&watcher->head.link);
  pl__deactivate(&watcher->head);
}

static PL__APART void run_batch(struct pl_loop *loop, struct pl_link *list) {
  struct pl_link batch;
  pl__list_move(list, &batch);
  while (!pl__list_empty(&batch)) {
    struct pl_object *head =
        PL__OWNER(pl__turn(loop, &batch), struct pl_object, link);
    pl__list_cut(&head->link);
    pl__list_append(list, &head->link);
    pl__call(loop, head, 0);
  }
}

void pl__run_watchers(struct pl_loop *loop, enum pl_object_kind kind) {
  struct pl_link *list = pl__watchers(loop, kind);
  if (list->next == list->prev) { /* one alone, or none, is its own batch */
    if (pl__list_empty(list)) return;
    pl__call(loop, PL__OWNER(list->next, struct pl_object, link), 0);
    return;
  }
  run_batch(loop, list);
}

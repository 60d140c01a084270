/* SPDX-License-Identifier: MIT */
/*
 * immediate.c: setImmediate, at the end of the check phase.
 *
 * Invariant: an immediate is in loop->immediates or in the running batch
 * exactly while it is active; loop->immediate_refs counts the referenced ones
 * of both. A batch is what waited when the phase began.
 */
#include "internal.h"

void pl_immediate_init(struct pl_loop *loop, struct pl_immediate *immediate,
                       pl_event_fn *fn, void *arg) {
  pl__object_init(loop, &immediate->head, PL_OBJECT_IMMEDIATE, fn, arg);
}

int pl_immediate_start(struct pl_immediate *immediate) {
  struct pl_object *head = &immediate->head;
  if (head->flags & PL__ACTIVE) return PL_EBUSY;
  head->flags |= PL__ACTIVE;
  if (head->flags & PL__REF) head->loop->immediate_refs++;
  pl__list_append(&head->loop->immediates, &head->link);
  return 0;
}

static void leave(struct pl_object *head) {
  head->flags &= (uint8_t)~PL__ACTIVE;
  if (head->flags & PL__REF) head->loop->immediate_refs--;
  pl__list_cut(&head->link);
}

void pl_immediate_clear(struct pl_immediate *immediate) {
  if (immediate->head.flags & PL__ACTIVE) leave(&immediate->head);
}

void pl__immediate_ref(struct pl_immediate *immediate, bool ref) {
  struct pl_object *head = &immediate->head;
  if (!(head->flags & PL__ACTIVE)) return;
  if (ref)
    head->loop->immediate_refs++;
  else
    head->loop->immediate_refs--;
}

void pl__run_immediates(struct pl_loop *loop) {
  if (pl__list_empty(&loop->immediates)) return;
  struct pl_link *batch = &loop->immediate_batch;
  pl__list_move(&loop->immediates, batch);
  while (!pl__list_empty(batch)) {
    struct pl_object *head = PL__OWNER(batch->next, struct pl_object, link);
    leave(head);
    pl__call(loop, head, 0);
  }
}

/* SPDX-License-Identifier: MIT */
/*
 * async.c: waking the loop from any thread, at a cost that depends on how many
 * handles were signalled and not on how many there are.
 *
 *   any thread   sent: 0 -> 1, push on loop->sent, wake the loop if it sleeps
 *   the loop     take the whole stack, sort by init order, for each: sent -> 0,
 *                call
 *
 * Invariant: a handle whose `sent` is 1 is in the stack, in loop->asyncs, or a
 * thread inside pl_async_send() is about to push it. `sent` is cleared only
 * after the handle left both, so its links are never used twice.
 *
 * A plain load of `sent` before the exchange (libuv's way) was rejected for
 * other threads: the sender's data may still be on its way when it sees the 1
 * that the loop is about to clear, and is then lost. On the loop's own thread
 * there is no such race, and no need for an exchange.
 */
#include "internal.h"

#include <sched.h>

void pl_async_init(struct pl_loop *loop, struct pl_async *async,
                   pl_event_fn *fn, void *arg) {
  pl__handle_init(loop, &async->head, PL_OBJECT_ASYNC, fn, arg);
  async->order = loop->async_count++;
  atomic_init(&async->below, NULL);
  atomic_init(&async->sent, 0);
  atomic_init(&async->senders, 0);
  pl__activate(&async->head);
}

static void push(struct pl_loop *loop, struct pl_async *async) {
  struct pl_async *top =
      atomic_load_explicit(&loop->sent, memory_order_relaxed);
  do {
    atomic_store_explicit(&async->below, top, memory_order_relaxed);
  } while (!atomic_compare_exchange_weak(&loop->sent, &top, async));
}

static bool on_own_thread(struct pl_loop *loop) {
  return atomic_load_explicit(&loop->owner, memory_order_relaxed) ==
         pl__this_thread();
}

int pl_async_send(struct pl_async *async) {
  struct pl_loop *loop = async->head.loop;
  if (on_own_thread(loop) &&
      atomic_load_explicit(&async->sent, memory_order_relaxed) != 0)
    return 0;
  atomic_fetch_add(&async->senders, 1);
  if (atomic_exchange(&async->sent, 1) == 0) {
    push(loop, async);
    pl__wake(loop);
  }
  atomic_fetch_sub(&async->senders, 1);
  return 0;
}

static uint64_t order_of(const struct pl_link *link) {
  return PL__OWNER(link, const struct pl_async, head.link)->order;
}

/* Moves the stack into a list, by init order. */
static void take_sent(struct pl_loop *loop, struct pl_link *list) {
  pl__link_init(list);
  if (atomic_load_explicit(&loop->sent, memory_order_relaxed) == NULL) return;
  struct pl_async *async = atomic_exchange(&loop->sent, NULL);
  while (async != NULL) {
    struct pl_async *below =
        atomic_load_explicit(&async->below, memory_order_relaxed);
    pl__list_prepend(list, &async->head.link); /* a stack: last sent first */
    async = below;
  }
  pl__list_sort(list, PL__KEY(struct pl_async, order));
}

/* Merges what was sent meanwhile into the pass, as far as its turn is still to
 * come; the rest waits for the next one. */
static void join_sent(struct pl_loop *loop, struct pl_link *pass,
                      uint64_t reached) {
  struct pl_link more;
  take_sent(loop, &more);
  struct pl_link *place = pass->next;
  while (!pl__list_empty(&more)) {
    struct pl_link *link = more.next;
    pl__list_cut(link);
    if (order_of(link) <= reached) {
      pl__list_append(&loop->asyncs, link);
      continue;
    }
    while (place != pass && order_of(place) < order_of(link))
      place = place->next;
    pl__list_append(place, link);
  }
}

void pl__run_asyncs(struct pl_loop *loop) {
  struct pl_link pass, left;
  pl__list_move(&loop->asyncs, &left);
  take_sent(loop, &pass);
  while (!pl__list_empty(&left)) {
    struct pl_link *link = left.next;
    pl__list_cut(link);
    pl__list_append(&pass, link);
  }
  if (pl__list_empty(&pass)) return;
  pl__list_sort(&pass, PL__KEY(struct pl_async, order));
  while (!pl__list_empty(&pass)) {
    struct pl_async *async =
        PL__OWNER(pl__turn(loop, &pass), struct pl_async, head.link);
    uint64_t reached = async->order;
    pl__list_remove(&async->head.link);
    atomic_exchange(&async->sent, 0);
    pl__call(loop, &async->head, 0);
    join_sent(loop, &pass, reached);
  }
}

/* Takes the handle out of the stack, and leaves the others there. */
static void leave_stack(struct pl_loop *loop, struct pl_async *async) {
  struct pl_link taken;
  take_sent(loop, &taken);
  pl__list_remove(&async->head.link);
  while (!pl__list_empty(&taken)) {
    struct pl_link *link = taken.next;
    pl__list_remove(link);
    push(loop, PL__OWNER(link, struct pl_async, head.link));
  }
}

void pl__async_end(struct pl_async *async) {
  if (!(async->head.flags & PL__ACTIVE)) return;
  pl__deactivate(&async->head);
  /* From here on no thread begins to push; wait for those that have begun. */
  bool was_sent = atomic_exchange(&async->sent, 1) != 0;
  while (atomic_load(&async->senders) != 0)
    sched_yield();
  if (!was_sent) return;
  if (pl__list_empty(&async->head.link))
    leave_stack(async->head.loop, async);
  else
    pl__list_remove(&async->head.link);
}

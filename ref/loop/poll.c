/* SPDX-License-Identifier: MIT */
/*
 * poll.c: the poll phase, and the poll handles over whatever poller the loop
 * was given.
 *
 * Invariants:
 *  - fds[fd].owner is the poll handle that hears of fd, from its first start
 *    until it is closed or started with another descriptor. `armed` is what
 *    the poller was told, `wanted` what the owner wants; the owner is in
 *    loop->changes whenever they differ.
 *  - The poller is told of changes right before it waits, so a mask that is
 *    again what it was costs nothing.
 *  - A token names the descriptor and its owner's generation: an event that
 *    outlives its owner finds nobody.
 */
#include "internal.h"

enum { PL__READY = 256, PL__FULL_ROUNDS = 48 };

/* ---------------------------------------------------------------------- */
/* The table of descriptors                                               */

static int grow_table(struct pl_loop *loop, size_t needed) {
  if (needed <= loop->fd_count) return 0;
  size_t count = loop->fd_count == 0 ? 64 : loop->fd_count;
  while (count < needed)
    count *= 2;
  struct pl__fd *fds =
      pl__resize(&loop->allocator, loop->fds, count * sizeof *fds);
  if (fds == NULL) return PL_ENOMEM;
  for (size_t i = loop->fd_count; i < count; i++)
    fds[i] = (struct pl__fd){0};
  loop->fds = fds;
  loop->fd_count = count;
  return 0;
}

/* Tells the poller, and notes what it knows now. */
static int tell(struct pl_loop *loop, int fd, unsigned wanted) {
  struct pl__fd *entry = &loop->fds[fd];
  int error = loop->poller->ops->modify(loop->poller, fd, entry->armed, wanted,
                                        pl__fd_token(loop, fd));
  if (error != 0) return error;
  loop->armed += (size_t)(wanted != 0) - (size_t)(entry->armed != 0);
  entry->armed = (uint8_t)wanted;
  return 0;
}

/* The poller forgets the descriptor, which may be closed already. */
static void forget(struct pl_loop *loop, int fd) {
  struct pl__fd *entry = &loop->fds[fd];
  entry->wanted = 0;
  if (entry->armed == 0) return;
  (void)tell(loop, fd, 0);
  if (entry->armed != 0) loop->armed--;
  entry->armed = 0;
}

/* ---------------------------------------------------------------------- */
/* Handles                                                                */

static void on_failed(void *arg, int status) {
  struct pl_poll *poll = arg;
  poll->head.fn(poll->head.arg, status);
}

void pl_poll_init(struct pl_loop *loop, struct pl_poll *poll, pl_event_fn *fn,
                  void *arg) {
  pl__handle_init(loop, &poll->head, PL_OBJECT_POLL, fn, arg);
  pl__link_init(&poll->change);
  pl_deferred_init(&poll->failed, on_failed, poll);
  poll->fd = -1;
}

void pl__poll_release(struct pl_poll *poll) {
  struct pl_loop *loop = poll->head.loop;
  pl__list_remove(&poll->change);
  if (poll->fd < 0) return;
  forget(loop, poll->fd);
  loop->fds[poll->fd].owner = NULL;
  poll->fd = -1;
}

/* The descriptor's entry, free for another owner, whose turn it becomes. */
static int vacate(struct pl_loop *loop, int fd) {
  int error = grow_table(loop, (size_t)fd + 1);
  if (error != 0) return error;
  struct pl__fd *entry = &loop->fds[fd];
  if (entry->owner != NULL) {
    if (entry->owner->head.flags & PL__ACTIVE ||
        entry->owner->head.kind == PL_OBJECT_STREAM)
      return PL_EEXIST;
    pl__poll_release(entry->owner);
  }
  entry->generation++;
  return 0;
}

/* Makes the handle the owner of a descriptor and registers it. */
static int own(struct pl_poll *poll, int fd, unsigned events) {
  struct pl_loop *loop = poll->head.loop;
  int error = vacate(loop, fd);
  if (error == 0) error = tell(loop, fd, events);
  if (error != 0) return error;
  if (poll->fd >= 0) pl__poll_release(poll);
  loop->fds[fd].owner = poll;
  loop->fds[fd].wanted = (uint8_t)events;
  poll->fd = fd;
  return 0;
}

int pl__poll_adopt(struct pl_poll *poll, int fd) {
  struct pl_loop *loop = poll->head.loop;
  int error = vacate(loop, fd);
  if (error != 0) return error;
  loop->fds[fd].owner = poll;
  poll->fd = fd;
  return 0;
}

/* Notes that the owner wants another mask; told before the next wait. */
static void want(struct pl_poll *poll, unsigned events) {
  struct pl_loop *loop = poll->head.loop;
  struct pl__fd *entry = &loop->fds[poll->fd];
  entry->wanted = (uint8_t)events;
  if (entry->wanted == entry->armed)
    pl__list_remove(&poll->change);
  else if (pl__list_empty(&poll->change))
    pl__list_append(&loop->changes, &poll->change);
}

int pl_poll_start(struct pl_poll *poll, int fd, unsigned events) {
  if (poll->head.flags & PL__CLOSING || events == 0 ||
      events & ~(unsigned)(PL_READABLE | PL_WRITABLE))
    return PL_EINVAL;
  if (fd < 0) return PL_EBADF;
  if (poll->fd == fd) {
    want(poll, events);
  } else {
    int error = own(poll, fd, events);
    if (error != 0) return error;
  }
  pl__deferred_cancel(&poll->failed);
  pl__activate(&poll->head);
  return 0;
}

void pl__poll_stop(struct pl_poll *poll) {
  pl__deferred_cancel(&poll->failed);
  if (!(poll->head.flags & PL__ACTIVE)) return;
  poll->head.word = poll->head.loop->polls; /* what is ready now is stale */
  want(poll, 0);
  pl__deactivate(&poll->head);
}

/* ---------------------------------------------------------------------- */
/* The phase                                                              */

static PL__APART void tell_changes(struct pl_loop *loop) {
  while (!pl__list_empty(&loop->changes)) {
    struct pl_poll *poll =
        PL__OWNER(loop->changes.next, struct pl_poll, change);
    pl__list_remove(&poll->change);
    int error = tell(loop, poll->fd, loop->fds[poll->fd].wanted);
    if (error == 0) continue;
    /* Stop it, and say so in the next pending phase. A refused removal means
     * that the descriptor is gone, which is what was wanted. */
    bool report = poll->head.flags & PL__ACTIVE;
    pl__poll_stop(poll);
    pl__poll_release(poll);
    if (report) pl_deferred_post(loop, &poll->failed, error);
  }
}

static void report(struct pl_loop *loop, const struct pl_ready *ready) {
  size_t fd = (uint32_t)ready->token;
  if (fd >= loop->fd_count) return;
  struct pl__fd *entry = &loop->fds[fd];
  struct pl_poll *poll = entry->owner;
  if (poll == NULL || entry->generation != ready->token >> 32) return;
  unsigned known = entry->wanted | (unsigned)PL_RECEIVED | (unsigned)PL_SENT;
  unsigned events = ready->events & known;
  /* Stopped, and maybe started again, by an earlier callback of this phase. */
  if (events == 0 || poll->head.word == loop->polls) return;
  if (poll->head.flags & PL__INTERNAL)
    pl__signals_readable(loop);
  else if (poll->head.kind == PL_OBJECT_STREAM)
    pl__stream_ready(poll->head.arg, ready, events);
  else
    pl__call(loop, &poll->head, (int)events);
}

/* What is ready now. The poller is not asked about nothing. */
static int look(struct pl_loop *loop, struct pl_ready *ready) {
  struct pl_poller *poller = loop->poller;
  if (loop->armed == 0 && !loop->picks) return 0;
  int count;
  do
    count = poller->ops->wait(poller, ready, PL__READY, 0);
  while (count == PL_EINTR);
  return count;
}

static int sleep_once(struct pl_loop *loop, struct pl_ready *ready,
                      int timeout_ms) {
  struct pl_poller *poller = loop->poller;
  uint64_t since = pl__is_recorded(loop) ? pl__record_wait_begin(loop) : 0;
  atomic_store(&loop->asleep, 1);
  /* A sender pushes first and looks at `asleep` then; we do the reverse. */
  int count = poller->ops->wait(poller, ready, PL__READY,
                                pl__woken(loop) ? 0 : timeout_ms);
  /* A sender that still sees 1 wakes us once more, and for nothing. */
  atomic_store_explicit(&loop->asleep, 0, memory_order_release);
  loop->calls++; /* time has passed */
  if (pl__is_recorded(loop)) pl__record_wait_end(loop, since);
  return count;
}

/* Gives jobs a moment to be done. */
static bool wait_for_jobs(struct pl_loop *loop) {
  if (loop->requests == 0) return false;
  uint64_t since = pl__is_recorded(loop) ? pl__record_wait_begin(loop) : 0;
  bool found = pl__pool_wait(loop);
  loop->calls++; /* time has passed */
  if (pl__is_recorded(loop)) pl__record_wait_end(loop, since);
  return found;
}

/* Waits until something is ready or a timer is due. Being woken too early, by
 * a signal, by a clamped wait, or at the begin of a crowded slot of the timing
 * wheel, is not something that a callback can see. */
static PL__APART int wait_for_ready(struct pl_loop *loop,
                                    struct pl_ready *ready, int timeout_ms) {
  while (timeout_ms != 0 && !pl__woken(loop)) {
    if (wait_for_jobs(loop)) break;
    int count = sleep_once(loop, ready, timeout_ms);
    pl__refresh_time(loop);
    if (count > 0 || (count < 0 && count != PL_EINTR)) return count;
    if (pl__woken(loop)) return 0;
    timeout_ms = pl__poll_timeout(loop);
    if (timeout_ms == 0 && count == 0) return 0;
  }
  int count = look(loop, ready);
  pl__refresh_time(loop);
  return count;
}

/* Serves what is ready in the order that the poller picks; the wake-ups, and
 * the signals, are one thing each. */
static PL__APART void serve_picked(struct pl_loop *loop,
                                   struct pl_ready *ready, int count) {
  struct pl_poller *poller = loop->poller;
  bool woken = pl__woken(loop);
  while (count > 0 || woken) {
    int at = poller->ops->pick(poller, ready, count, woken);
    if (at == count) {
      woken = false;
      pl__run_done(loop);
      pl__run_asyncs(loop);
      continue;
    }
    report(loop, &ready[at]);
    pl__run_signals(loop);
    count--;
    for (int i = at; i < count; i++)
      ready[i] = ready[i + 1];
  }
}

void pl__run_woken(struct pl_loop *loop) {
  pl__run_done(loop);
  pl__run_asyncs(loop);
}

/* Serves what is ready, and what is ready behind that. */
static PL__APART void serve(struct pl_loop *loop, struct pl_ready *ready,
                            int count) {
  for (int round = 0; count > 0; round++) {
    for (int i = 0; i < count; i++)
      report(loop, &ready[i]);
    if (count < PL__READY || round == PL__FULL_ROUNDS) return;
    count = look(loop, ready);
  }
}

int pl__run_poll(struct pl_loop *loop, int timeout_ms) {
  struct pl_ready ready[PL__READY];
  loop->polls++;
  if (!pl__list_empty(&loop->changes)) tell_changes(loop);
  if (!pl__list_empty(&loop->deferred)) timeout_ms = 0;
  int count;
  if (timeout_ms != 0) {
    count = wait_for_ready(loop, ready, timeout_ms);
  } else {
    count = look(loop, ready);
    pl__refresh_time(loop);
  }
  if (count < 0) return count;
  if (loop->picks) {
    serve_picked(loop, ready, count);
    return 0;
  }
  if (pl__woken(loop)) pl__run_woken(loop);
  if (count > 0) serve(loop, ready, count);
  if (loop->signals != NULL) pl__run_signals(loop);
  return 0;
}

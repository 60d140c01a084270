/* SPDX-License-Identifier: MIT */
/*
 * poller_epoll.c: a poller over epoll(7).
 *
 * Invariant: the eventfd that wakes it is registered edge-triggered and never
 * read, so a wake-up costs one write and nothing at the other end.
 */
#include "internal.h"

#if defined(__linux__)

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PL__EPOLL_BATCH = 256 };
#define PL__EPOLL_WAKE UINT64_MAX /* the token of the eventfd */

struct epoll_poller {
  struct pl_poller base;
  struct pl_allocator allocator;
  int epoll;
  int eventfd;
};

static uint32_t mask_of(unsigned events) {
  return (events & PL_READABLE ? (uint32_t)EPOLLIN : 0) |
         (events & PL_WRITABLE ? (uint32_t)EPOLLOUT : 0);
}

static unsigned events_of(uint32_t mask) {
  unsigned events = 0;
  if (mask & (EPOLLIN | EPOLLERR | EPOLLHUP)) events |= PL_READABLE;
  if (mask & (EPOLLOUT | EPOLLERR | EPOLLHUP)) events |= PL_WRITABLE;
  return events;
}

static int control(int epoll, int op, int fd, struct epoll_event *event) {
  return epoll_ctl(epoll, op, fd, event) == 0 ? 0 : -errno;
}

static int epoll_modify(struct pl_poller *self, int fd, unsigned armed,
                        unsigned wanted, uint64_t token) {
  struct epoll_poller *poller = (struct epoll_poller *)self;
  struct epoll_event event = {.events = mask_of(wanted), .data.u64 = token};
  if (wanted == 0) {
    control(poller->epoll, EPOLL_CTL_DEL, fd, &event);
    return 0; /* what cannot be removed is closed */
  }
  int op = armed == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  int error = control(poller->epoll, op, fd, &event);
  /* The descriptor's number now names another file than we thought. */
  if (error == PL_EEXIST)
    error = control(poller->epoll, EPOLL_CTL_MOD, fd, &event);
  else if (error == PL_ENOENT)
    error = control(poller->epoll, EPOLL_CTL_ADD, fd, &event);
  return error;
}

static int epoll_wait_ready(struct pl_poller *self, struct pl_ready *ready,
                            int capacity, int timeout_ms) {
  struct epoll_poller *poller = (struct epoll_poller *)self;
  struct epoll_event events[PL__EPOLL_BATCH];
  if (capacity > PL__EPOLL_BATCH) capacity = PL__EPOLL_BATCH;
  int count = epoll_wait(poller->epoll, events, capacity, timeout_ms);
  if (count < 0) return -errno;
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (events[i].data.u64 == PL__EPOLL_WAKE) continue;
    ready[kept++] = (struct pl_ready){.token = events[i].data.u64,
                                      .events = events_of(events[i].events)};
  }
  return kept;
}

static void epoll_wake(struct pl_poller *self) {
  struct epoll_poller *poller = (struct epoll_poller *)self;
  int saved = errno;
  uint64_t one = 1;
  while (write(poller->eventfd, &one, sizeof one) < 0 && errno == EINTR)
    continue;
  errno = saved;
}

static void epoll_destroy(struct pl_poller *self) {
  struct epoll_poller *poller = (struct epoll_poller *)self;
  struct pl_allocator allocator = poller->allocator;
  close(poller->eventfd);
  close(poller->epoll);
  pl__resize(&allocator, poller, 0);
}

static const struct pl_poller_ops epoll_ops = {.name = "epoll",
                                               .modify = epoll_modify,
                                               .wait = epoll_wait_ready,
                                               .wake = epoll_wake,
                                               .destroy = epoll_destroy};

int pl_poller_epoll_create(const struct pl_allocator *given,
                           struct pl_poller **out) {
  struct pl_allocator allocator = pl__allocator_or_default(given);
  struct epoll_poller *poller = pl__resize(&allocator, NULL, sizeof *poller);
  if (poller == NULL) return PL_ENOMEM;
  *poller =
      (struct epoll_poller){.base.ops = &epoll_ops, .allocator = allocator};
  int error;
  poller->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (poller->epoll < 0) {
    error = -errno;
    goto fail_epoll;
  }
  poller->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (poller->eventfd < 0) {
    error = -errno;
    goto fail_eventfd;
  }
  struct epoll_event event = {.events = EPOLLIN | (uint32_t)EPOLLET,
                              .data.u64 = PL__EPOLL_WAKE};
  error = control(poller->epoll, EPOLL_CTL_ADD, poller->eventfd, &event);
  if (error != 0) goto fail_register;
  *out = &poller->base;
  return 0;

fail_register:
  close(poller->eventfd);
fail_eventfd:
  close(poller->epoll);
fail_epoll:
  pl__resize(&allocator, poller, 0);
  return error;
}

#else

int pl_poller_epoll_create(const struct pl_allocator *given,
                           struct pl_poller **out) {
  (void)given;
  (void)out;
  return PL_ENOTSUP;
}

#endif

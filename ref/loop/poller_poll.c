/* SPDX-License-Identifier: MIT */
/*
 * poller_poll.c: a poller over poll(2), for systems without anything better.
 *
 *   fds[0]              the read end of the pipe that wakes it
 *   fds[1..count-1]     the watched descriptors, in no order
 *   tokens[i]           the token of fds[i]
 *   place[fd]           where fd stands in fds, 0: nowhere
 *
 * Invariant: fds[place[fd]].fd == fd for every watched descriptor.
 */
#include "internal.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct poll_poller {
  struct pl_poller base;
  struct pl_allocator allocator;
  struct pollfd *fds;
  uint64_t *tokens;
  size_t count, capacity;
  size_t *place;
  size_t places;
  size_t next; /* where the next look begins, for fairness */
  int wake_end;
};

static short mask_of(unsigned events) {
  return (short)((events & PL_READABLE ? POLLIN : 0) |
                 (events & PL_WRITABLE ? POLLOUT : 0));
}

static unsigned events_of(short mask) {
  unsigned events = 0;
  if (mask & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) events |= PL_READABLE;
  if (mask & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) events |= PL_WRITABLE;
  return events;
}

static int grow(struct poll_poller *poller) {
  if (poller->count < poller->capacity) return 0;
  size_t capacity = poller->capacity * 2;
  struct pollfd *fds =
      pl__resize(&poller->allocator, poller->fds, capacity * sizeof *fds);
  if (fds == NULL) return PL_ENOMEM;
  poller->fds = fds;
  uint64_t *tokens =
      pl__resize(&poller->allocator, poller->tokens, capacity * sizeof *tokens);
  if (tokens == NULL) return PL_ENOMEM;
  poller->tokens = tokens;
  poller->capacity = capacity;
  return 0;
}

static int grow_places(struct poll_poller *poller, size_t needed) {
  if (needed <= poller->places) return 0;
  size_t places = poller->places == 0 ? 64 : poller->places;
  while (places < needed)
    places *= 2;
  size_t *place =
      pl__resize(&poller->allocator, poller->place, places * sizeof *place);
  if (place == NULL) return PL_ENOMEM;
  memset(place + poller->places, 0, (places - poller->places) * sizeof *place);
  poller->place = place;
  poller->places = places;
  return 0;
}

static void remove_fd(struct poll_poller *poller, int fd) {
  size_t at = poller->place[fd];
  if (at == 0) return;
  size_t last = --poller->count;
  poller->fds[at] = poller->fds[last];
  poller->tokens[at] = poller->tokens[last];
  poller->place[poller->fds[at].fd] = at;
  poller->place[fd] = 0;
}

static int poll_modify(struct pl_poller *self, int fd, unsigned armed,
                       unsigned wanted, uint64_t token) {
  struct poll_poller *poller = (struct poll_poller *)self;
  (void)armed;
  if (wanted == 0) {
    remove_fd(poller, fd);
    return 0;
  }
  if (fcntl(fd, F_GETFD) < 0) return -errno;
  int error = grow_places(poller, (size_t)fd + 1);
  if (error == 0) error = grow(poller);
  if (error != 0) return error;
  size_t at = poller->place[fd] != 0 ? poller->place[fd] : poller->count++;
  poller->place[fd] = at;
  poller->fds[at] = (struct pollfd){.fd = fd, .events = mask_of(wanted)};
  poller->tokens[at] = token;
  return 0;
}

static void empty_pipe(int fd) {
  char bytes[256];
  for (;;) {
    ssize_t got = read(fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < (ssize_t)sizeof bytes) return;
  }
}

/* Collects from `from` up to `end`. */
static int collect(struct poll_poller *poller, size_t from, size_t end,
                   struct pl_ready *ready, int capacity, int kept) {
  for (size_t i = from; i < end && kept < capacity; i++) {
    if (poller->fds[i].revents == 0) continue;
    ready[kept++] =
        (struct pl_ready){.token = poller->tokens[i],
                          .events = events_of(poller->fds[i].revents)};
    poller->next = i + 1;
  }
  return kept;
}

static int poll_wait(struct pl_poller *self, struct pl_ready *ready,
                     int capacity, int timeout_ms) {
  struct poll_poller *poller = (struct poll_poller *)self;
  if (poll(poller->fds, poller->count, timeout_ms) < 0) return -errno;
  if (poller->fds[0].revents != 0) empty_pipe(poller->fds[0].fd);
  size_t begin = poller->next < poller->count ? poller->next : 1;
  int kept = collect(poller, begin, poller->count, ready, capacity, 0);
  return collect(poller, 1, begin, ready, capacity, kept);
}

static void poll_wake(struct pl_poller *self) {
  struct poll_poller *poller = (struct poll_poller *)self;
  int saved = errno;
  /* A full pipe wakes as well as one byte more. */
  while (write(poller->wake_end, "", 1) < 0 && errno == EINTR)
    continue;
  errno = saved;
}

static void poll_destroy(struct pl_poller *self) {
  struct poll_poller *poller = (struct poll_poller *)self;
  struct pl_allocator allocator = poller->allocator;
  close(poller->fds[0].fd);
  close(poller->wake_end);
  pl__resize(&allocator, poller->place, 0);
  pl__resize(&allocator, poller->tokens, 0);
  pl__resize(&allocator, poller->fds, 0);
  pl__resize(&allocator, poller, 0);
}

static const struct pl_poller_ops poll_ops = {.name = "poll",
                                              .modify = poll_modify,
                                              .wait = poll_wait,
                                              .wake = poll_wake,
                                              .destroy = poll_destroy};

int pl_poller_poll_create(const struct pl_allocator *given,
                          struct pl_poller **out) {
  enum { FIRST = 16 };
  struct pl_allocator allocator = pl__allocator_or_default(given);
  struct poll_poller *poller = pl__resize(&allocator, NULL, sizeof *poller);
  if (poller == NULL) return PL_ENOMEM;
  *poller = (struct poll_poller){.base.ops = &poll_ops,
                                 .allocator = allocator,
                                 .capacity = FIRST,
                                 .count = 1,
                                 .next = 1};
  int error = PL_ENOMEM;
  poller->fds = pl__resize(&allocator, NULL, FIRST * sizeof *poller->fds);
  if (poller->fds == NULL) goto fail_fds;
  poller->tokens = pl__resize(&allocator, NULL, FIRST * sizeof *poller->tokens);
  if (poller->tokens == NULL) goto fail_tokens;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    error = -errno;
    goto fail_pipe;
  }
  poller->fds[0] = (struct pollfd){.fd = ends[0], .events = POLLIN};
  poller->tokens[0] = 0;
  poller->wake_end = ends[1];
  *out = &poller->base;
  return 0;

fail_pipe:
  pl__resize(&allocator, poller->tokens, 0);
fail_tokens:
  pl__resize(&allocator, poller->fds, 0);
fail_fds:
  pl__resize(&allocator, poller, 0);
  return error;
}

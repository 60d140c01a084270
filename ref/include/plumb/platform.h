/* SPDX-License-Identifier: MIT */
/*
 * platform.h: what a loop stands on: memory, time, the place where it sleeps
 * and the place where its jobs run. Each is a table of functions, so that a
 * program, or a test, can bring its own (loop.h, struct pl_loop_config).
 *
 * Invariant: what a loop was given it does not bypass: with another clock and
 * poller it neither reads the time nor sleeps by itself.
 */
#ifndef PLUMB_PLATFORM_H
#define PLUMB_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#include "plumb/error.h"

/*
 * Memory. resize() behaves like realloc(): block NULL allocates, size 0 frees
 * and returns NULL, and NULL for another size means that there is none left
 * and the block is untouched. Called on the loop's thread only.
 */
struct pl_allocator {
  void *(*resize)(void *self, void *block, size_t size);
  void *self;
};

/* Time. now_ns() gives nanoseconds since an arbitrary start. A loop never goes
 * back: an earlier reading counts as the latest one. Any thread. */
struct pl_clock {
  uint64_t (*now_ns)(void *self);
  void *self;
};

enum pl_readiness { PL_READABLE = 1, PL_WRITABLE = 2 };

/* What a poller that moves bytes itself reports besides readiness. */
enum pl_completion { PL_RECEIVED = 4, PL_SENT = 8 };

/* A descriptor became ready: the token given to modify(), PL_READABLE and
 * PL_WRITABLE. An error or hang-up counts as both: the next read() or write()
 * tells which. Or a completion, alone. */
struct pl_ready {
  uint64_t token;
  unsigned events;
  int result;       /* completions: bytes, 0: the end, or a PL_E value */
  const void *data; /* PL_RECEIVED: borrowed until the next wait() */
};

/*
 * The place where a loop sleeps. Everything is level-triggered.
 *
 *   modify   what is wanted of `fd` changes from `armed` to `wanted` (masks of
 *            PL_READABLE and PL_WRITABLE, 0: not watched). Called only when it
 *            matters: an unchanged mask costs nothing. 0 or a PL_E value.
 *   wait     stores up to `capacity` ready descriptors and returns how many.
 *            timeout_ms: 0 does not block, -1 waits for ever. 0 also when
 *            woken. PL_EINTR when a signal came.
 *   wake     ends the present or the next blocking wait(). Any thread,
 *            async-signal-safe; errno is preserved.
 *   destroy  frees the poller and its descriptors.
 *   pick     NULL, but in a model (virtual.h): which of the ready descriptors
 *            is served next: an index of `ready`, or `count` for the wake-ups
 *            when `woken`. A poller that picks has its wait() called in every
 *            poll phase.
 *
 * NULL, where a poller tells readiness and no more (both or neither):
 *
 *   receive  begins (on), or ends, to receive what comes on a connected socket:
 *            each piece is reported as PL_RECEIVED, and the end or an error
 *            once. When it has been ended nothing is reported, and no send is
 *            under way any more.
 *   send     tries once to send bytes, which are borrowed until PL_SENT is
 *            reported: how many, or PL_EAGAIN when the socket is not writable.
 *            One at a time for a descriptor.
 */
struct pl_poller;
struct pl_poller_ops {
  const char *name;
  int (*modify)(struct pl_poller *self, int fd, unsigned armed, unsigned wanted,
                uint64_t token);
  int (*wait)(struct pl_poller *self, struct pl_ready *ready, int capacity,
              int timeout_ms);
  void (*wake)(struct pl_poller *self);
  void (*destroy)(struct pl_poller *self);
  int (*pick)(struct pl_poller *self, const struct pl_ready *ready, int count,
              int woken);
  int (*receive)(struct pl_poller *self, int fd, uint64_t token, int on);
  int (*send)(struct pl_poller *self, int fd, uint64_t token, const void *data,
              size_t length);
};
struct pl_poller {
  const struct pl_poller_ops *ops;
};

/*
 * The place where jobs run, when it is not the loop's own threads.
 *
 *   push      takes a request, first come, first served. 0 or a PL_E value.
 *   withdraw  gives a request back that was not begun: 1, or 0 when it was.
 *   destroy   ends and frees the pool, in which nothing is left.
 */
struct pl_work;
struct pl_pool;
struct pl_pool_ops {
  int (*push)(struct pl_pool *self, struct pl_work *work);
  int (*withdraw)(struct pl_pool *self, struct pl_work *work);
  void (*destroy)(struct pl_pool *self);
};
struct pl_pool {
  const struct pl_pool_ops *ops;
};

/*
 * Make a poller over epoll(7) (Linux), or over poll(2) (everywhere; wait() is
 * O(descriptors)). The allocator is copied. Gives *out, free with its
 * ops->destroy(), or hand it to a loop, which takes it.
 * Errors: PL_ENOMEM, PL_EMFILE, PL_ENFILE, PL_ENOTSUP.
 */
int pl_poller_epoll_create(const struct pl_allocator *allocator,
                           struct pl_poller **out);
int pl_poller_poll_create(const struct pl_allocator *allocator,
                          struct pl_poller **out);

/*
 * The same over io_uring(7), where the build has liburing and the kernel (5.19)
 * allows it; else PL_ENOTSUP. Streams are read and written by the kernel, and a
 * wait that need not sleep is no system call. It asks for more memory than
 * epoll (100 KB in the kernel, and 2 MB of buffers once a stream reads), and a
 * descriptor that is closed while it is watched stays open until the loop has
 * been told: so it is chosen, and not the default.
 */
int pl_poller_uring_create(const struct pl_allocator *allocator,
                           struct pl_poller **out);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * uring.h: what the poller over io_uring (poller_uring.c) and its streams
 * (uring_stream.c) share.
 *
 *   user_data   kind : 2 | turn : 30 | descriptor : 32
 *
 * Invariant: what the kernel is asked for a descriptor carries the number of
 * its turn. An answer whose turn is over belongs to nobody and is dropped, so
 * nothing waits for a cancelled request to be gone.
 */
#ifndef PLUMB_LOOP_URING_H
#define PLUMB_LOOP_URING_H

#include "internal.h"

#include <liburing.h>

enum {
  PL__URING_SUBMISSIONS = 256,
  PL__URING_COMPLETIONS = 4096,
  PL__URING_BUFFERS = 256, /* a power of two */
  PL__URING_BUFFER = 8192,
  PL__URING_TURN = (1 << 30) - 1
};

enum pl__uring_kind {
  PL__URING_WAKE,
  PL__URING_POLL,
  PL__URING_RECEIVE,
  PL__URING_SEND,
  PL__URING_KINDS
};

/* A request about a descriptor: that of its present turn, if any. */
struct pl__uring_request {
  uint64_t token;
  uint32_t turn;
  bool in_kernel;
};

/* By descriptor. */
struct pl__uring_fd {
  struct pl__uring_request request[PL__URING_KINDS];
  uint8_t wanted; /* readiness; a poll is one shot and is asked for again */
  bool receives;  /* wants what comes */
  bool again;     /* in the list of those to be asked for again */
};

struct pl__uring {
  struct pl_poller base;
  struct pl_allocator allocator;
  struct io_uring ring;
  int eventfd;
  bool deaf; /* the eventfd has to be watched again */
  struct pl__uring_fd *fds;
  int *again; /* descriptors whose requests have ended */
  size_t again_count;
  size_t fd_count; /* and room in `again` */

  /* -- what is received ---------------------------------------------------- */
  struct io_uring_buf_ring *buffer_ring; /* NULL until the first receive */
  char *buffers;
  uint16_t lent[PL__URING_BUFFERS]; /* given out since the last wait */
  size_t lent_count;
};

static inline uint64_t pl__uring_data(enum pl__uring_kind kind, uint32_t turn,
                                      int fd) {
  return (uint64_t)kind << 62 | (uint64_t)turn << 32 | (uint32_t)fd;
}

/* -- poller_uring.c -------------------------------------------------------- */

/* The descriptor's entry, which is made. NULL: no memory. */
struct pl__uring_fd *pl__uring_entry(struct pl__uring *uring, int fd);
/* A free submission, or NULL when the kernel takes none. */
struct io_uring_sqe *pl__uring_sqe(struct pl__uring *uring);
/* Begins a request's next turn: fills in `sqe`. */
void pl__uring_begin(struct pl__uring *uring, struct io_uring_sqe *sqe, int fd,
                     enum pl__uring_kind kind, uint64_t token);
/* Ends the present turn, in the kernel, too: at once. 0 or a PL_E value. */
int pl__uring_end(struct pl__uring *uring, int fd, enum pl__uring_kind kind);
/* Has the descriptor's requests looked at before the next wait. */
void pl__uring_again(struct pl__uring *uring, int fd);

/* -- uring_stream.c -------------------------------------------------------- */

int pl__uring_receive(struct pl_poller *self, int fd, uint64_t token, int on);
int pl__uring_send(struct pl_poller *self, int fd, uint64_t token,
                   const void *data, size_t length);
/* Asks for what comes, where that is wanted and not asked for. */
int pl__uring_receive_again(struct pl__uring *uring, int fd);
/* Gives the buffers back that were lent since the last wait. */
void pl__uring_take_back(struct pl__uring *uring);
/* What a completion of the entry's present turn says; 1, or 0 for nothing. */
int pl__uring_received(struct pl__uring *uring, struct pl__uring_fd *entry,
                       const struct io_uring_cqe *cqe, struct pl_ready *ready);
/* Drops a completion that nobody waits for. */
void pl__uring_drop(struct pl__uring *uring, const struct io_uring_cqe *cqe);
void pl__uring_free_buffers(struct pl__uring *uring);

#endif

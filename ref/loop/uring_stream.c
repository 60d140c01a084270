/* SPDX-License-Identifier: MIT */
/*
 * uring_stream.c: bytes of sockets through io_uring: what comes is there when
 * the loop wakes up, and what goes leaves in the system call in which it
 * sleeps.
 *
 *   receive   one multi-shot request per descriptor; the kernel takes a buffer
 *             of the ring's for each piece
 *   send      one attempt, which never waits: MSG_DONTWAIT
 *
 * Invariants:
 *  - A buffer is the kernel's, or lent from the wait in which its piece was
 *    reported until the next one.
 *  - A send is over when the submission of it is over, so the caller's bytes
 *    are never the kernel's while nobody is in it.
 */
#include "internal.h"

#if defined(PLUMB_HAVE_URING)

#include "uring.h"

#include <sys/mman.h>
#include <sys/socket.h>

enum { PL__GROUP = 0 };

/* ---------------------------------------------------------------------- */
/* Buffers                                                                */

static size_t ring_bytes(void) {
  return PL__URING_BUFFERS * sizeof(struct io_uring_buf);
}

static char *buffer_at(const struct pl__uring *uring, unsigned which) {
  return uring->buffers + (size_t)which * PL__URING_BUFFER;
}

static void give(struct pl__uring *uring, unsigned which, int place) {
  io_uring_buf_ring_add(uring->buffer_ring, buffer_at(uring, which),
                        PL__URING_BUFFER, (unsigned short)which,
                        io_uring_buf_ring_mask(PL__URING_BUFFERS), place);
}

static int make_buffers(struct pl__uring *uring) {
  if (uring->buffer_ring != NULL) return 0;
  uring->buffers = pl__resize(&uring->allocator, NULL,
                              (size_t)PL__URING_BUFFERS * PL__URING_BUFFER);
  if (uring->buffers == NULL) return PL_ENOMEM;
  void *ring = mmap(NULL, ring_bytes(), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int error = ring == MAP_FAILED ? -errno : 0;
  if (error == 0) {
    struct io_uring_buf_reg about = {.ring_addr = (uint64_t)(uintptr_t)ring,
                                     .ring_entries = PL__URING_BUFFERS,
                                     .bgid = PL__GROUP};
    error = io_uring_register_buf_ring(&uring->ring, &about, 0);
    if (error != 0) munmap(ring, ring_bytes());
  }
  if (error != 0) {
    pl__resize(&uring->allocator, uring->buffers, 0);
    uring->buffers = NULL;
    return error;
  }
  uring->buffer_ring = ring;
  io_uring_buf_ring_init(uring->buffer_ring);
  for (int i = 0; i < PL__URING_BUFFERS; i++)
    give(uring, (unsigned)i, i);
  io_uring_buf_ring_advance(uring->buffer_ring, PL__URING_BUFFERS);
  return 0;
}

void pl__uring_free_buffers(struct pl__uring *uring) {
  if (uring->buffer_ring == NULL) return;
  munmap(uring->buffer_ring, ring_bytes());
  pl__resize(&uring->allocator, uring->buffers, 0);
}

void pl__uring_take_back(struct pl__uring *uring) {
  if (uring->lent_count == 0) return;
  for (size_t i = 0; i < uring->lent_count; i++)
    give(uring, uring->lent[i], (int)i);
  io_uring_buf_ring_advance(uring->buffer_ring, (int)uring->lent_count);
  uring->lent_count = 0;
}

static const char *lend(struct pl__uring *uring,
                        const struct io_uring_cqe *cqe) {
  if (!(cqe->flags & IORING_CQE_F_BUFFER)) return NULL;
  unsigned which = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
  uring->lent[uring->lent_count++] = (uint16_t)which;
  return buffer_at(uring, which);
}

void pl__uring_drop(struct pl__uring *uring, const struct io_uring_cqe *cqe) {
  lend(uring, cqe);
}

/* ---------------------------------------------------------------------- */
/* Receiving and sending                                                  */

static int ask(struct pl__uring *uring, int fd, uint64_t token) {
  struct io_uring_sqe *sqe = pl__uring_sqe(uring);
  if (sqe == NULL) return PL_EAGAIN;
  io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = PL__GROUP;
  pl__uring_begin(uring, sqe, fd, PL__URING_RECEIVE, token);
  return 0;
}

int pl__uring_receive(struct pl_poller *self, int fd, uint64_t token, int on) {
  struct pl__uring *uring = (struct pl__uring *)self;
  struct pl__uring_fd *entry = pl__uring_entry(uring, fd);
  if (entry == NULL) return PL_ENOMEM;
  entry->receives = on;
  if (on) {
    int error = make_buffers(uring);
    entry->request[PL__URING_RECEIVE].token = token;
    if (error == 0) pl__uring_again(uring, fd);
    entry->receives = error == 0;
    return error;
  }
  pl__uring_end(uring, fd, PL__URING_SEND);
  return pl__uring_end(uring, fd, PL__URING_RECEIVE);
}

int pl__uring_receive_again(struct pl__uring *uring, int fd) {
  const struct pl__uring_fd *entry = &uring->fds[fd];
  const struct pl__uring_request *request = &entry->request[PL__URING_RECEIVE];
  if (!entry->receives || request->in_kernel) return 0;
  return ask(uring, fd, request->token);
}

int pl__uring_send(struct pl_poller *self, int fd, uint64_t token,
                   const void *data, size_t length) {
  struct pl__uring *uring = (struct pl__uring *)self;
  if (pl__uring_entry(uring, fd) == NULL) return PL_ENOMEM;
  struct io_uring_sqe *sqe = pl__uring_sqe(uring);
  if (sqe == NULL) return PL_ENOMEM;
  io_uring_prep_send(sqe, fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  pl__uring_begin(uring, sqe, fd, PL__URING_SEND, token);
  return 0;
}

int pl__uring_received(struct pl__uring *uring, struct pl__uring_fd *entry,
                       const struct io_uring_cqe *cqe, struct pl_ready *ready) {
  if (cqe->user_data >> 62 == PL__URING_SEND) {
    *ready = (struct pl_ready){.token = entry->request[PL__URING_SEND].token,
                               .events = PL_SENT,
                               .result = cqe->res};
    return 1;
  }
  /* All buffers are lent: the rest comes when they are back. */
  if (cqe->res == -ENOBUFS) return 0;
  const char *data = lend(uring, cqe);
  if (cqe->res <= 0) entry->receives = false;
  *ready = (struct pl_ready){.token = entry->request[PL__URING_RECEIVE].token,
                             .events = PL_RECEIVED,
                             .result = cqe->res,
                             .data = data};
  return 1;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * poller_uring.c: a poller over io_uring(7).
 *
 *   wait(0)   nothing to submit, no completion, no flag: three loads
 *   wait(ms)  submits what has gathered, and sleeps: one system call
 *
 * Invariants:
 *  - Readiness is level-triggered: a poll is one shot, and one that was
 *    reported is asked for again, in the system call of the next wait.
 *  - What is taken away (modify() to 0, a receive that ends) is taken away in
 *    the kernel before the call returns: the caller may close the descriptor.
 *  - What a thread asked for ends when that thread does, with ECANCELED: it is
 *    asked for again, so the loop may go on in another thread. (DEFER_TASKRUN
 *    forbids that; it would save 10% of a ping-pong.)
 *  - The eventfd that wakes it is watched by one multi-shot poll and is never
 *    read: a wake-up costs one write.
 */
#include "internal.h"

#if defined(PLUMB_HAVE_URING)

#include "uring.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static short mask_of(unsigned events) {
  return (short)((events & PL_READABLE ? POLLIN : 0) |
                 (events & PL_WRITABLE ? POLLOUT : 0));
}

static unsigned events_of(int mask) {
  unsigned events = 0;
  if (mask < 0) return PL_READABLE | PL_WRITABLE;
  if (mask & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) events |= PL_READABLE;
  if (mask & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) events |= PL_WRITABLE;
  return events;
}

/* ---------------------------------------------------------------------- */
/* Requests                                                               */

struct pl__uring_fd *pl__uring_entry(struct pl__uring *uring, int fd) {
  if ((size_t)fd < uring->fd_count) return &uring->fds[fd];
  size_t count = uring->fd_count == 0 ? 64 : uring->fd_count;
  while (count <= (size_t)fd)
    count *= 2;
  struct pl__uring_fd *fds =
      pl__resize(&uring->allocator, uring->fds, count * sizeof *fds);
  if (fds == NULL) return NULL;
  uring->fds = fds;
  int *again =
      pl__resize(&uring->allocator, uring->again, count * sizeof *again);
  if (again == NULL) return NULL;
  uring->again = again;
  for (size_t i = uring->fd_count; i < count; i++)
    fds[i] = (struct pl__uring_fd){0};
  uring->fd_count = count;
  return &fds[fd];
}

struct io_uring_sqe *pl__uring_sqe(struct pl__uring *uring) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
  if (sqe != NULL) return sqe;
  io_uring_submit_and_get_events(&uring->ring);
  return io_uring_get_sqe(&uring->ring);
}

void pl__uring_begin(struct pl__uring *uring, struct io_uring_sqe *sqe, int fd,
                     enum pl__uring_kind kind, uint64_t token) {
  struct pl__uring_request *request = &uring->fds[fd].request[kind];
  request->turn = (request->turn + 1) & PL__URING_TURN;
  request->token = token;
  request->in_kernel = true;
  io_uring_sqe_set_data64(sqe, pl__uring_data(kind, request->turn, fd));
}

/* Submits everything, and lets what was cancelled be gone. */
static int flush(struct pl__uring *uring) {
  int result;
  do
    result = io_uring_submit_and_get_events(&uring->ring);
  while (result == -EINTR);
  return result < 0 ? result : 0;
}

/* Makes a submission that the kernel has not seen yet do nothing. */
static bool take_out(struct pl__uring *uring, uint64_t data) {
  struct io_uring_sq *queue = &uring->ring.sq;
  unsigned head = IO_URING_READ_ONCE(*queue->khead);
  for (; head != queue->sqe_tail; head++) {
    struct io_uring_sqe *sqe = &queue->sqes[head & queue->ring_mask];
    if (sqe->user_data != data) continue;
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, pl__uring_data(PL__URING_WAKE, 1, 0));
    return true;
  }
  return false;
}

int pl__uring_end(struct pl__uring *uring, int fd, enum pl__uring_kind kind) {
  struct pl__uring_request *request = &uring->fds[fd].request[kind];
  if (!request->in_kernel) return 0;
  uint64_t data = pl__uring_data(kind, request->turn, fd);
  request->in_kernel = false;
  request->turn = (request->turn + 1) & PL__URING_TURN;
  if (take_out(uring, data) || kind == PL__URING_SEND) return 0;
  struct io_uring_sqe *sqe = pl__uring_sqe(uring);
  if (sqe == NULL) return PL_ENOMEM;
  io_uring_prep_cancel64(sqe, data, 0);
  io_uring_sqe_set_data64(sqe, pl__uring_data(PL__URING_WAKE, 1, 0));
  return flush(uring);
}

void pl__uring_again(struct pl__uring *uring, int fd) {
  struct pl__uring_fd *entry = &uring->fds[fd];
  if (entry->again) return;
  entry->again = true;
  uring->again[uring->again_count++] = fd;
}

/* ---------------------------------------------------------------------- */
/* Readiness                                                              */

/* The errors that epoll_ctl() would have. */
static int check_pollable(int fd) {
  struct stat about;
  if (fstat(fd, &about) != 0) return -errno;
  mode_t type = about.st_mode & S_IFMT;
  if (type == S_IFSOCK || type == S_IFIFO || type == 0) return 0;
  if (type == S_IFREG || type == S_IFDIR) return PL_EPERM;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return -errno;
  struct epoll_event event = {.events = 0};
  int error = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
  close(epoll);
  return error;
}

static int ask(struct pl__uring *uring, int fd, uint64_t token) {
  struct io_uring_sqe *sqe = pl__uring_sqe(uring);
  if (sqe == NULL) return PL_EAGAIN;
  io_uring_prep_poll_add(sqe, fd, (unsigned)mask_of(uring->fds[fd].wanted));
  pl__uring_begin(uring, sqe, fd, PL__URING_POLL, token);
  return 0;
}

static int uring_modify(struct pl_poller *self, int fd, unsigned armed,
                        unsigned wanted, uint64_t token) {
  struct pl__uring *uring = (struct pl__uring *)self;
  int error = wanted != 0 && armed == 0 ? check_pollable(fd) : 0;
  if (error != 0) return error;
  struct pl__uring_fd *entry = pl__uring_entry(uring, fd);
  if (entry == NULL) return PL_ENOMEM;
  error = pl__uring_end(uring, fd, PL__URING_POLL);
  if (error != 0) return error;
  unsigned before = entry->wanted;
  entry->wanted = (uint8_t)wanted;
  if (wanted == 0) return 0;
  error = ask(uring, fd, token);
  if (error == 0) return 0;
  entry->wanted = (uint8_t)before;
  return PL_ENOMEM;
}

/* ---------------------------------------------------------------------- */
/* Waiting                                                                */

static int listen_for_wakes(struct pl__uring *uring) {
  struct io_uring_sqe *sqe = pl__uring_sqe(uring);
  if (sqe == NULL) return PL_EAGAIN;
  io_uring_prep_poll_multishot(sqe, uring->eventfd, POLLIN);
  io_uring_sqe_set_data64(sqe, pl__uring_data(PL__URING_WAKE, 0, 0));
  uring->deaf = false;
  return 0;
}

/* Asks again for what has ended and is still wanted. PL_EAGAIN: the kernel
 * takes no more before completions have been taken; the rest is asked for then.
 */
static int ask_again(struct pl__uring *uring) {
  int error = uring->deaf ? listen_for_wakes(uring) : 0;
  pl__uring_take_back(uring);
  while (error == 0 && uring->again_count > 0) {
    int fd = uring->again[uring->again_count - 1];
    struct pl__uring_fd *entry = &uring->fds[fd];
    struct pl__uring_request *poll = &entry->request[PL__URING_POLL];
    if (entry->wanted != 0 && !poll->in_kernel)
      error = ask(uring, fd, poll->token);
    if (error == 0) error = pl__uring_receive_again(uring, fd);
    if (error != 0) break;
    entry->again = false;
    uring->again_count--;
  }
  return error;
}

/* Whether the kernel has something to say that it has not written down. */
static bool has_more(struct pl__uring *uring) {
  return IO_URING_READ_ONCE(*uring->ring.sq.kflags) &
         (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* Enters the kernel where that is needed. Returns 0 or a PL_E value. */
static int enter(struct pl__uring *uring, int timeout_ms) {
  struct io_uring *ring = &uring->ring;
  if (timeout_ms == 0 || io_uring_cq_ready(ring) != 0) {
    if (io_uring_sq_ready(ring) == 0 && !has_more(uring)) return 0;
    int result = io_uring_submit_and_get_events(ring);
    return result < 0 ? result : 0;
  }
  struct __kernel_timespec time = {.tv_sec = timeout_ms / 1000,
                                   .tv_nsec = (long long)(timeout_ms % 1000) *
                                              1000000};
  struct io_uring_cqe *cqe;
  int result = io_uring_submit_and_wait_timeout(
      ring, &cqe, 1, timeout_ms < 0 ? NULL : &time, NULL);
  return result < 0 && result != -ETIME ? result : 0;
}

/* What one completion says. Returns 1, or 0 for nothing. */
static int take(struct pl__uring *uring, const struct io_uring_cqe *cqe,
                struct pl_ready *ready) {
  uint64_t data = io_uring_cqe_get_data64(cqe);
  enum pl__uring_kind kind = (enum pl__uring_kind)(data >> 62);
  if (kind == PL__URING_WAKE) {
    if ((uint32_t)(data >> 32) == 0 && !(cqe->flags & IORING_CQE_F_MORE))
      uring->deaf = true;
    return 0;
  }
  int fd = (int)(uint32_t)data;
  struct pl__uring_fd *entry = &uring->fds[fd];
  struct pl__uring_request *request = &entry->request[kind];
  if (!request->in_kernel || (data >> 32 & PL__URING_TURN) != request->turn) {
    pl__uring_drop(uring, cqe);
    return 0;
  }
  if (!(cqe->flags & IORING_CQE_F_MORE)) {
    request->in_kernel = false;
    if (kind != PL__URING_SEND) pl__uring_again(uring, fd);
    if (cqe->res == -ECANCELED) return 0;
  }
  if (kind != PL__URING_POLL)
    return pl__uring_received(uring, entry, cqe, ready);
  *ready = (struct pl_ready){.token = request->token,
                             .events = events_of(cqe->res) & entry->wanted};
  return 1;
}

static int collect(struct pl__uring *uring, struct pl_ready *ready,
                   int capacity) {
  struct io_uring_cqe *cqe;
  unsigned head, seen = 0;
  int count = 0;
  io_uring_for_each_cqe(&uring->ring, head, cqe) {
    if (count == capacity) break;
    count += take(uring, cqe, &ready[count]);
    seen++;
  }
  io_uring_cq_advance(&uring->ring, seen);
  return count;
}

static int uring_wait(struct pl_poller *self, struct pl_ready *ready,
                      int capacity, int timeout_ms) {
  struct pl__uring *uring = (struct pl__uring *)self;
  int error = ask_again(uring);
  if (error == 0) error = enter(uring, timeout_ms);
  if (error == PL_EAGAIN || error == PL_EBUSY) error = 0;
  return error != 0 ? error : collect(uring, ready, capacity);
}

static void uring_wake(struct pl_poller *self) {
  struct pl__uring *uring = (struct pl__uring *)self;
  int saved = errno;
  uint64_t one = 1;
  while (write(uring->eventfd, &one, sizeof one) < 0 && errno == EINTR)
    continue;
  errno = saved;
}

/* ---------------------------------------------------------------------- */
/* Making and ending it                                                   */

static void uring_destroy(struct pl_poller *self) {
  struct pl__uring *uring = (struct pl__uring *)self;
  struct pl_allocator allocator = uring->allocator;
  io_uring_queue_exit(&uring->ring);
  pl__uring_free_buffers(uring);
  close(uring->eventfd);
  pl__resize(&allocator, uring->again, 0);
  pl__resize(&allocator, uring->fds, 0);
  pl__resize(&allocator, uring, 0);
}

static const struct pl_poller_ops uring_ops = {.name = "io_uring",
                                               .modify = uring_modify,
                                               .wait = uring_wait,
                                               .wake = uring_wake,
                                               .destroy = uring_destroy,
                                               .receive = pl__uring_receive,
                                               .send = pl__uring_send};

static int open_ring(struct io_uring *ring) {
  struct io_uring_params params = {.flags = IORING_SETUP_COOP_TASKRUN |
                                            IORING_SETUP_TASKRUN_FLAG |
                                            IORING_SETUP_CQSIZE,
                                   .cq_entries = PL__URING_COMPLETIONS};
  int error = io_uring_queue_init_params(PL__URING_SUBMISSIONS, ring, &params);
  if (error == 0 || error == -ENOMEM || error == -EMFILE || error == -ENFILE)
    return error;
  return PL_ENOTSUP; /* absent, too old, or forbidden */
}

int pl_poller_uring_create(const struct pl_allocator *given,
                           struct pl_poller **out) {
  struct pl_allocator allocator = pl__allocator_or_default(given);
  struct pl__uring *uring = pl__resize(&allocator, NULL, sizeof *uring);
  if (uring == NULL) return PL_ENOMEM;
  *uring = (struct pl__uring){
      .base.ops = &uring_ops, .allocator = allocator, .deaf = true};
  int error = open_ring(&uring->ring);
  if (error != 0) goto fail_ring;
  uring->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (uring->eventfd < 0) {
    error = -errno;
    goto fail_eventfd;
  }
  *out = &uring->base;
  return 0;

fail_eventfd:
  io_uring_queue_exit(&uring->ring);
fail_ring:
  pl__resize(&allocator, uring, 0);
  return error;
}

#else

int pl_poller_uring_create(const struct pl_allocator *given,
                           struct pl_poller **out) {
  (void)given;
  (void)out;
  return PL_ENOTSUP;
}

#endif

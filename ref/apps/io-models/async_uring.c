// SPDX-License-Identifier: MIT
// Asynchronous I/O by the kernel: io_uring.
//
//   user thread   submission ring ──io_uring_enter──> kernel
//                 completion ring <── "read of 3: 256 bytes" (plain memory)
//
// Invariant: every stream that has not ended has exactly one read under
// way, and its buffer belongs to the kernel until the completion is seen.
// `in_flight` counts them, and the ring is not left before it is 0.
//
// Who copies? A socket has no data when the read is submitted, so the
// kernel arms a poll; when data comes it does the read *in the user
// thread's context*, as task work: at the thread's next entry into the
// kernel, or by interrupting it. Only with IOSQE_ASYNC a kernel worker
// copies. So "the kernel copies" is true of the call, not of the CPU time.
#include "lab.h"

#ifndef IO_HAVE_URING

int io_async_uring(struct io_task *task, struct io_meter *user,
                   bool kernel_worker) {
  (void)task;
  (void)user;
  (void)kernel_worker;
  return -ENOSYS;
}

#else

#include <liburing.h>
#include <string.h>

#define IO_RING 4096u // submissions in one io_uring_enter, at most

struct uring {
  struct io_uring ring;
  struct io_task *task;
  struct io_meter *user;
  uint32_t in_flight;
  bool kernel_worker;
};

// Hands over what is prepared; waits for `wait` completions.
static int enter(struct uring *u, unsigned wait) {
  struct io_span s = io_span_begin(u->user);
  int n;
  do {
    n = io_uring_submit_and_wait(&u->ring, wait);
    io_count(u->user, IO_CALL_URING_ENTER);
  } while (n == -EINTR);
  io_span_end(u->user, s);
  // The kernel is short of memory or the completion ring is full: reap.
  if (n == -EAGAIN || n == -EBUSY) return 0;
  return n < 0 ? io_task_trouble(u->task, "io_uring_enter", -n) : 0;
}

static int submit_read(struct uring *u, struct io_stream *stream) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
  while (!sqe) {
    int error = enter(u, 0);
    if (error) return error;
    sqe = io_uring_get_sqe(&u->ring);
  }
  io_uring_prep_recv(sqe, stream->fd, stream->buf + stream->fill,
                     u->task->capacity - stream->fill, 0);
  io_uring_sqe_set_data(sqe, stream);
  if (u->kernel_worker) sqe->flags |= IOSQE_ASYNC;
  u->in_flight++;
  return 0;
}

static int completed(struct uring *u, struct io_stream *stream, int result) {
  int error = 0;
  if (result >= 0)
    error = io_stream_take(u->task, u->user, stream, (size_t)result);
  else if (result != -EINTR && result != -EAGAIN)
    return io_task_trouble(u->task, "completion", -result);
  if (error || stream->ended) return error;
  return submit_read(u, stream);
}

// Takes all completions that are there; looks at memory only.
static int reap(struct uring *u, bool *progress) {
  *progress = false;
  struct io_uring_cqe *cqe;
  int error = 0;
  while (!error && io_uring_peek_cqe(&u->ring, &cqe) == 0) {
    struct io_stream *stream = io_uring_cqe_get_data(cqe);
    int result = cqe->res;
    io_uring_cqe_seen(&u->ring, cqe);
    u->in_flight--;
    if (io_measured(u->user)) u->user->told++;
    *progress = true;
    error = completed(u, stream, result);
  }
  return error;
}

// After an error: the buffers are the kernel's until the last completion.
static void abandon(struct uring *u) {
  io_task_hang_up(u->task);
  while (u->in_flight > 0) {
    struct io_uring_cqe *cqe;
    if (enter(u, 1) || io_uring_peek_cqe(&u->ring, &cqe)) continue;
    io_uring_cqe_seen(&u->ring, cqe);
    u->in_flight--;
  }
}

static int loop(struct uring *u) {
  struct io_task *task = u->task;
  int error = 0;
  for (uint32_t i = 0; i < task->plan->n && !error; i++)
    error = submit_read(u, &task->streams[i]);
  while (!error && io_uring_sq_ready(&u->ring) > 0) error = enter(u, 0);
  if (!error) io_task_begin(task, u->user);
  while (!error && u->in_flight > 0) {
    bool progress;
    error = reap(u, &progress);
    if (error || u->in_flight == 0) break;
    if (!task->plan->work)
      error = enter(u, 1); // submits again and sleeps, in one call
    else if (io_uring_sq_ready(&u->ring) > 0)
      error = enter(u, 0);
    else if (!progress)
      io_own_work(u->user);
  }
  if (error) abandon(u);
  return error;
}

// A thread that has nothing else to do lets its completions be run when it
// enters the kernel (one wake-up for many); one that works must be
// interrupted for them, which is the ring's default.
static int ring_open(struct uring *u) {
  uint32_t n = u->task->plan->n;
  unsigned calm = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  int error = -EINVAL;
  for (int try = u->task->plan->work ? 1 : 0; try < 2 && error; try++) {
    struct io_uring_params params = {.cq_entries = 2 * n};
    params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    if (try == 0) params.flags |= calm;
    unsigned entries = n < IO_RING ? n : IO_RING;
    error = io_uring_queue_init_params(entries, &u->ring, &params);
  }
  return error;
}

int io_async_uring(struct io_task *task, struct io_meter *user,
                   bool kernel_worker) {
  struct uring u = {.task = task, .user = user,
                    .kernel_worker = kernel_worker};
  task->engine = kernel_worker ? "io_uring-worker" : "io_uring";
  int error = ring_open(&u);
  // Absent, switched off (EPERM), or not enough lockable memory: no ring.
  if (error) return -ENOSYS;
  unsigned workers[2] = {4, 4};
  if (kernel_worker) io_uring_register_iowq_max_workers(&u.ring, workers);
  error = loop(&u);
  io_uring_queue_exit(&u.ring);
  return error;
}

#endif

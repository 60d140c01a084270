// SPDX-License-Identifier: MIT
// Non-blocking I/O: read() answers at once, with data or with "not yet".
//
//   user thread  read 0? no  read 1? no ... work ... read 0? no  read 1?
//                  │  ^        │  ^                              │  ┌copy┐
//   kernel         └EAGAIN     └EAGAIN                           └──┴────┘
//
// Invariant: the thread never sleeps in a call. It asks for every
// descriptor again and again, ready or not, so the price of one round is N
// system calls whatever has arrived; what it gains is the time between two
// rounds, which is its own.
#include "lab.h"

// One round over all streams; *progress says that something had come.
static int sweep(struct io_task *task, struct io_meter *user,
                 bool *progress) {
  *progress = false;
  for (uint32_t i = 0; i < task->plan->n; i++) {
    struct io_stream *stream = &task->streams[i];
    if (stream->ended) continue;
    int error = io_stream_read(task, user, stream, NULL);
    if (error == -EAGAIN) continue;
    if (error) return error;
    *progress = true;
  }
  return 0;
}

static int run(struct io_task *task, struct io_meter *user) {
  task->engine = "polling";
  for (uint32_t i = 0; i < task->plan->n; i++) {
    int error = io_set_nonblocking(user, task->streams[i].fd, 0);
    if (error) return io_task_trouble(task, "O_NONBLOCK", -error);
  }
  io_task_begin(task, user);
  while (atomic_load(&task->open) > 0) {
    bool progress;
    int error = sweep(task, user, &progress);
    if (error) return error;
    if (!progress && task->plan->work) io_own_work(user);
  }
  return 0;
}

const struct io_model io_nonblocking = {"nonblocking", run};

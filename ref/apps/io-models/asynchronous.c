// SPDX-License-Identifier: MIT
// Asynchronous I/O: the thread hands over buffers and finds them filled.
//
//   user thread  submit(read 0..N-1)  work work work  look: 3 is done,
//                      │                              its bytes are here
//                      v                              ^
//   helper       ... data on 3 ──> ┌copy into buffer 3┐│ completion 3
//
// Invariant: the user thread never calls read() for data. Who the helper is
// is chosen at run time: the kernel (io_uring; async_uring.c) where it has
// one and lets us use it, else a small pool of threads (async_pool.c).
#include "lab.h"

static int run(struct io_task *task, struct io_meter *user) {
  enum io_engine engine = task->plan->engine;
  if (engine == IO_POOL) return io_async_pool(task, user);
  int error = io_async_uring(task, user, engine == IO_URING_WORKER);
  if (error != -ENOSYS) return error;
  if (engine != IO_AUTO) return io_task_trouble(task, "io_uring", ENOSYS);
  return io_async_pool(task, user);
}

const struct io_model io_asynchronous = {"asynchronous", run};

// SPDX-License-Identifier: MIT
// I/O multiplexing: one call waits for all descriptors, then read().
//
//   user thread  epoll_wait(0..N-1) ──zzz──┐{3,7}  read 3   read 7   epoll..
//                                          │       ┌copy┐   ┌copy┐
//   kernel       interest list 0..N-1 ─────┘───────┴────┴───┴────┴────────
//                          ^ waits here            ^ copies here
//
// Invariant: the thread sleeps in epoll_wait() only, never in read(); one
// question covers N descriptors and the answer names the ready ones, so the
// price of a round follows what has arrived and not N. Readiness is level
// triggered: what a read leaves behind is reported again.
#include "lab.h"

#define IO_EVENTS 256

static int watch_all(struct io_task *task, struct io_meter *user, int ep) {
  for (uint32_t i = 0; i < task->plan->n; i++) {
    struct io_stream *stream = &task->streams[i];
    // "Ready" can be a false alarm (see BUGS of select(2)).
    int error = io_set_nonblocking(user, stream->fd, 0);
    if (error) return io_task_trouble(task, "O_NONBLOCK", -error);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
    if (io_epoll_ctl(user, ep, EPOLL_CTL_ADD, stream->fd, &event) < 0)
      return io_task_trouble(task, "epoll_ctl", errno);
  }
  return 0;
}

static int serve(struct io_task *task, struct io_meter *user, int ep,
                 struct io_stream *stream) {
  int error = io_stream_read(task, user, stream, NULL);
  if (error == -EAGAIN) return 0;
  // An ended stream would be reported as ready for ever.
  if (stream->ended &&
      io_epoll_ctl(user, ep, EPOLL_CTL_DEL, stream->fd, NULL) < 0)
    return io_task_trouble(task, "epoll_ctl", errno);
  return error;
}

static int run(struct io_task *task, struct io_meter *user) {
  task->engine = "epoll";
  int ep = epoll_create1(EPOLL_CLOEXEC);
  if (ep < 0) return io_task_trouble(task, "epoll_create1", errno);
  int error = watch_all(task, user, ep);
  if (!error) io_task_begin(task, user);
  struct epoll_event events[IO_EVENTS];
  while (!error && atomic_load(&task->open) > 0) {
    int ready = io_epoll_wait(user, ep, events, IO_EVENTS);
    if (ready < 0) error = io_task_trouble(task, "epoll_wait", errno);
    for (int i = 0; i < ready && !error; i++)
      error = serve(task, user, ep, events[i].data.ptr);
  }
  close(ep);
  return error;
}

const struct io_model io_multiplexing = {"multiplexing", run};

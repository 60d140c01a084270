// SPDX-License-Identifier: MIT
// Asynchronous I/O by threads: what a kernel without io_uring can offer.
//
//   user thread  epoll_ctl(arm 3) ── work work ──> takes the finished list
//                      │                               ^ (plain memory)
//   worker       epoll_wait ──zzz── read 3 ┌copy┐ push ┘ eventfd if asleep
//
// Invariant: an armed stream belongs to the pool until it is on the
// finished list, then to the user thread until it is armed again
// (EPOLLONESHOT hands it to exactly one worker). A worker sleeps in
// epoll_wait and never in read(), or a few silent descriptors would hold
// all workers.
#include "lab.h"

#include <sys/eventfd.h>

#define IO_WORKERS 2

struct pool {
  struct io_task *task;
  int ep, news, stop;
  _Atomic(struct io_stream *) finished; // newest first
};

struct worker {
  struct pool *pool;
  struct io_meter meter;
  pthread_t thread;
};

static void finish(struct worker *w, struct io_stream *stream) {
  struct pool *p = w->pool;
  struct io_stream *head = atomic_load(&p->finished);
  do {
    stream->done = head;
  } while (!atomic_compare_exchange_weak(&p->finished, &head, stream));
  // Only the first one of a list has somebody to wake. A thread that works
  // looks at the list itself.
  if (!head && !p->task->plan->work) io_news_send(&w->meter, p->news);
}

static int arm(struct pool *p, struct io_meter *m, struct io_stream *stream,
               int op) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT,
                              .data.ptr = stream};
  atomic_store_explicit(&stream->lent, true, memory_order_release);
  return io_epoll_ctl(m, p->ep, op, stream->fd, &event) < 0 ? -errno : 0;
}

static void *worker_life(void *arg) {
  struct worker *w = arg;
  for (;;) {
    struct epoll_event event;
    if (io_epoll_wait(&w->meter, w->pool->ep, &event, 1) < 1) return NULL;
    struct io_stream *stream = event.data.ptr;
    if (!stream) return NULL; // the stop eventfd: ready for everybody
    // The kernel hands it to one worker; this says so to the C memory model.
    if (!atomic_exchange_explicit(&stream->lent, false, memory_order_acquire))
      continue;
    ssize_t n = io_read(&w->meter, stream->fd, stream->buf + stream->fill,
                        w->pool->task->capacity - stream->fill);
    stream->result = n < 0 ? -errno : n;
    finish(w, stream);
  }
}

static int completed(struct pool *p, struct io_meter *user,
                     struct io_stream *stream) {
  int error = 0;
  if (io_measured(user)) user->told++;
  if (stream->result >= 0)
    error = io_stream_take(p->task, user, stream, (size_t)stream->result);
  else if (stream->result != -EAGAIN)
    error = io_task_trouble(p->task, "worker's read", (int)-stream->result);
  if (error || stream->ended) return error;
  return arm(p, user, stream, EPOLL_CTL_MOD);
}

static int reap(struct pool *p, struct io_meter *user, bool *progress) {
  struct io_stream *list = atomic_exchange(&p->finished, NULL);
  *progress = list != NULL;
  int error = 0;
  while (list && !error) {
    struct io_stream *stream = list;
    list = stream->done; // completed() may give it away
    error = completed(p, user, stream);
  }
  return error;
}

static int loop(struct pool *p, struct io_meter *user) {
  struct io_task *task = p->task;
  int error = 0;
  for (uint32_t i = 0; i < task->plan->n && !error; i++)
    error = arm(p, user, &task->streams[i], EPOLL_CTL_ADD);
  if (error) return io_task_trouble(task, "epoll_ctl", -error);
  io_task_begin(task, user);
  while (!error && atomic_load(&task->open) > 0) {
    bool progress;
    error = reap(p, user, &progress);
    if (error || progress) continue;
    if (task->plan->work)
      io_own_work(user);
    else
      io_news_wait(user, p->news);
  }
  return error;
}

static int pool_open(struct pool *p, struct io_meter *user) {
  p->ep = epoll_create1(EPOLL_CLOEXEC);
  p->news = eventfd(0, EFD_CLOEXEC);
  p->stop = eventfd(0, EFD_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (p->ep < 0 || p->news < 0 || p->stop < 0 ||
      io_epoll_ctl(user, p->ep, EPOLL_CTL_ADD, p->stop, &event) < 0)
    return io_task_trouble(p->task, "pool", errno);
  for (uint32_t i = 0; i < p->task->plan->n; i++) {
    int error = io_set_nonblocking(user, p->task->streams[i].fd, 0);
    if (error) return io_task_trouble(p->task, "O_NONBLOCK", -error);
  }
  return 0;
}

int io_async_pool(struct io_task *task, struct io_meter *user) {
  task->engine = "pool";
  struct pool pool = {.task = task};
  struct worker workers[IO_WORKERS];
  int error = pool_open(&pool, user), running = 0;
  for (; running < IO_WORKERS && !error; running++) {
    struct worker *w = &workers[running];
    w->pool = &pool;
    io_meter_start(&w->meter, &task->phase, &task->begin.mono_ns,
                   task->plan->timed);
    int failed = pthread_create(&w->thread, NULL, worker_life, w);
    if (failed) error = io_task_trouble(task, "worker thread", failed);
    if (failed) break;
  }
  if (!error) error = loop(&pool, user);
  if (running > 0) io_news_send(user, pool.stop);
  for (int i = 0; i < running; i++) {
    pthread_join(workers[i].thread, NULL);
    io_meter_add(&task->helpers, &workers[i].meter);
  }
  if (pool.ep >= 0) close(pool.ep);
  if (pool.news >= 0) close(pool.news);
  if (pool.stop >= 0) close(pool.stop);
  return error;
}

// SPDX-License-Identifier: MIT
// Blocking I/O: the thread calls read() and sleeps in it until data came.
//
//   thread 0   read(fd 0) ────zzz─────────┐copy├─ verify ─ read ──zzz──
//   thread 1   read(fd 1) ──zzz─┐copy├─ verify ─ read ──zzz────────────
//   thread N-1 read(fd N-1) ──zzz────────────────────────────┐copy├────
//                              ^ waits here, and copies here
//
// Invariant: a thread waits for one descriptor only, because read() on a
// second one could not be called while the first one sleeps; so N
// descriptors need N threads. Threads rather than processes: both cost a
// kernel stack and a scheduler entry each, but threads share the page
// tables, the descriptors and the counters, and 10,000 of them start in a
// fraction of the time.
#include "lab.h"

#include <limits.h>
#include <stdlib.h>

// Enough for read() and the checksum; the default of 8 MiB times 10,000
// would reserve 80 GB of address space.
#define IO_STACK (64u * 1024u)

struct reader {
  struct io_task *task;
  struct io_stream *stream;
  struct io_meter meter;
  _Atomic(uint32_t) *started;
  pthread_t thread;
};

static void *reader_life(void *arg) {
  struct reader *r = arg;
  io_meter_first(&r->meter);
  atomic_fetch_add(r->started, 1);
  int error = 0;
  while (!r->stream->ended && !error)
    error = io_stream_read(r->task, &r->meter, r->stream, NULL);
  if (error) io_task_break(r->task, error);
  return NULL;
}

static size_t stack_size(void) {
  size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
  return least + IO_STACK;
}

// Returns how many threads run; fewer than n means *error is set.
static uint32_t readers_start(struct io_task *task, struct reader *readers,
                              _Atomic(uint32_t) *started, int *error) {
  pthread_attr_t attr;
  *error = pthread_attr_init(&attr);
  if (*error) return 0;
  pthread_attr_setstacksize(&attr, stack_size());
  uint32_t i = 0;
  for (; i < task->plan->n; i++) {
    struct reader *r = &readers[i];
    r->task = task;
    r->stream = &task->streams[i];
    r->started = started;
    io_meter_start(&r->meter, &task->phase, &task->begin.mono_ns,
                   task->plan->timed);
    *error = pthread_create(&r->thread, &attr, reader_life, r);
    if (*error) break;
  }
  pthread_attr_destroy(&attr);
  return i;
}

static int run(struct io_task *task, struct io_meter *user) {
  task->engine = "threads";
  uint32_t n = task->plan->n;
  struct reader *readers = calloc(n, sizeof *readers);
  if (!readers) return io_task_trouble(task, "readers", ENOMEM);
  _Atomic(uint32_t) started = 0;
  int error;
  uint32_t running = readers_start(task, readers, &started, &error);
  if (running == n) {
    while (atomic_load(&started) < n)
      nanosleep(&(struct timespec){0, 200000}, NULL);
    io_task_begin(task, user);
  } else {
    char what[64];
    snprintf(what, sizeof what, "thread %u of %u", running + 1, n);
    io_task_trouble(task, what, error);
    io_task_hang_up(task);
  }
  // The readers are the user threads; the one that waits for them is not.
  for (uint32_t i = 0; i < running; i++) {
    pthread_join(readers[i].thread, NULL);
    if (i == 0) user->threads = 0;
    io_meter_add(user, &readers[i].meter);
  }
  free(readers);
  if (running < n) return -error;
  return atomic_load(&task->broken);
}

const struct io_model io_blocking = {"blocking", run};

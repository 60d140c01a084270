// SPDX-License-Identifier: MIT
// Signal-driven I/O: the kernel interrupts the thread when data came.
//
//   user thread  work work work work ┐      read 3  work work work work
//                                    v      ┌copy┐  ^ copies here
//   handler                     note "3"
//   kernel       ... data on 3 ──> SIGRTMIN+1, si_fd = 3
//
// Invariant: the thread asks only about descriptors that it was told of. A
// realtime signal is queued once per arrival and carries the descriptor;
// the queue is finite (RLIMIT_SIGPENDING), and when it is full the kernel
// sends a plain SIGIO, which names nobody: then, and only then, every
// descriptor is asked. With work to do, a handler takes the news; with
// nothing to do, the signals stay blocked and sigwaitinfo() takes them.
#include "lab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

// What the handler leaves for the thread that it interrupts. A stream is
// in the ring at most once, so a ring of N never overflows.
struct inbox {
  struct io_task *task;
  uint32_t *ring;
  atomic_bool *queued; // per stream
  int *by_fd;          // descriptor -> stream, -1
  int fd_count;
  atomic_uint head; // written by the handler
  unsigned tail;    // written by the thread
  atomic_bool overflow;
  uint64_t delivered[IO_PHASES];
};

// A handler has no argument of its own; this is the lab's only variable
// with static storage. It is set before the first signal can come.
static struct inbox *volatile current;

static int signal_number(void) {
  return SIGRTMIN + 1;
}

static void note(struct inbox *in, int signo, int fd) {
  if (signo == SIGIO) {
    atomic_store(&in->overflow, true);
    return;
  }
  if (fd < 0 || fd >= in->fd_count || in->by_fd[fd] < 0) return;
  uint32_t index = (uint32_t)in->by_fd[fd];
  if (atomic_exchange(&in->queued[index], true)) return;
  unsigned head = atomic_load(&in->head);
  in->ring[head % in->task->plan->n] = index;
  atomic_store(&in->head, head + 1);
}

static void on_signal(int signo, siginfo_t *info, void *context) {
  (void)context;
  struct inbox *in = current;
  in->delivered[atomic_load(&in->task->phase)]++;
  note(in, signo, info->si_fd);
}

// Reads until nothing is left: one signal may stand for several arrivals.
static int serve(struct io_task *task, struct io_meter *user,
                 struct io_stream *stream) {
  bool drained = false;
  int error = 0;
  while (!drained && !stream->ended && !error)
    error = io_stream_read(task, user, stream, &drained);
  return error == -EAGAIN ? 0 : error;
}

static int serve_noted(struct inbox *in, struct io_meter *user,
                       bool *progress) {
  struct io_task *task = in->task;
  int error = 0;
  *progress = false;
  if (atomic_exchange(&in->overflow, false)) {
    task->overflows++;
    *progress = true;
    for (uint32_t i = 0; i < task->plan->n && !error; i++)
      error = serve(task, user, &task->streams[i]);
  }
  while (!error && in->tail != atomic_load(&in->head)) {
    uint32_t index = in->ring[in->tail++ % task->plan->n];
    // Before the read: an arrival during it must be noted again.
    atomic_store(&in->queued[index], false);
    *progress = true;
    error = serve(task, user, &task->streams[index]);
  }
  return error;
}

static int await(struct inbox *in, struct io_meter *user,
                 const sigset_t *set) {
  if (in->task->plan->work) {
    io_own_work(user); // the handler comes when it comes
    return 0;
  }
  siginfo_t info;
  int signo = io_sigwait(user, set, &info);
  if (signo < 0) return io_task_trouble(in->task, "sigwaitinfo", errno);
  if (io_measured(user)) user->told++;
  note(in, signo, info.si_fd);
  return 0;
}

static int arm(struct inbox *in, struct io_meter *user) {
  struct f_owner_ex owner = {F_OWNER_TID, gettid()};
  for (uint32_t i = 0; i < in->task->plan->n; i++) {
    int fd = in->task->streams[i].fd;
    in->by_fd[fd] = (int)i;
    // The owner first: O_ASYNC without one signals nobody.
    if (io_fcntl(user, fd, F_SETOWN_EX, (long)(intptr_t)&owner) < 0 ||
        io_fcntl(user, fd, F_SETSIG, signal_number()) < 0 ||
        io_set_nonblocking(user, fd, O_ASYNC) < 0)
      return io_task_trouble(in->task, "F_SETOWN_EX, F_SETSIG, O_ASYNC",
                             errno);
  }
  return 0;
}

static int inbox_open(struct inbox *in, struct io_task *task) {
  memset(in, 0, sizeof *in);
  in->task = task;
  for (uint32_t i = 0; i < task->plan->n; i++)
    if (task->streams[i].fd >= in->fd_count)
      in->fd_count = task->streams[i].fd + 1;
  in->ring = calloc(task->plan->n, sizeof *in->ring);
  in->queued = calloc(task->plan->n, sizeof *in->queued);
  in->by_fd = malloc((size_t)in->fd_count * sizeof *in->by_fd);
  if (!in->ring || !in->queued || !in->by_fd) return -ENOMEM;
  for (int fd = 0; fd < in->fd_count; fd++) in->by_fd[fd] = -1;
  return 0;
}

static void inbox_close(struct inbox *in, struct io_meter *user) {
  for (int p = 0; p < IO_PHASES; p++)
    user->calls[p][IO_CALL_SIGRETURN] += in->delivered[p];
  user->told += in->delivered[IO_MEASURE];
  free(in->ring);
  free(in->queued);
  free(in->by_fd);
}

static void limit_queue(const struct io_plan *plan) {
  struct rlimit limit;
  if (!plan->sigpending || getrlimit(RLIMIT_SIGPENDING, &limit) < 0) return;
  limit.rlim_cur = plan->sigpending;
  setrlimit(RLIMIT_SIGPENDING, &limit);
}

static int loop(struct inbox *in, struct io_meter *user,
                const sigset_t *set) {
  int error = arm(in, user);
  if (error) return error;
  io_task_begin(in->task, user);
  while (!error && atomic_load(&in->task->open) > 0) {
    bool progress;
    error = serve_noted(in, user, &progress);
    if (!error && !progress) error = await(in, user, set);
  }
  return error;
}

// Signals of descriptors that have already been read may still be queued;
// after this no handler can meet the inbox.
static void disarm(struct io_task *task, struct io_meter *user,
                   const sigset_t *set) {
  for (uint32_t i = 0; i < task->plan->n; i++)
    io_fcntl(user, task->streams[i].fd, F_SETFL, O_NONBLOCK);
  pthread_sigmask(SIG_BLOCK, set, NULL);
  const struct timespec at_once = {0, 0};
  while (sigtimedwait(set, NULL, &at_once) > 0 || errno == EINTR) {
  }
}

static int run(struct io_task *task, struct io_meter *user) {
  task->engine = task->plan->work ? "handler" : "sigwaitinfo";
  struct inbox inbox;
  if (inbox_open(&inbox, task)) {
    inbox_close(&inbox, user);
    return io_task_trouble(task, "inbox", ENOMEM);
  }
  limit_queue(task->plan);
  current = &inbox;
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, signal_number());
  sigaddset(&set, SIGIO);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_mask = set,
                             .sa_flags = SA_SIGINFO | SA_RESTART};
  struct sigaction old_rt, old_io;
  sigaction(signal_number(), &action, &old_rt);
  sigaction(SIGIO, &action, &old_io);
  pthread_sigmask(task->plan->work ? SIG_UNBLOCK : SIG_BLOCK, &set, &before);
  int error = loop(&inbox, user, &set);
  disarm(task, user, &set);
  sigaction(signal_number(), &old_rt, NULL);
  sigaction(SIGIO, &old_io, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  current = NULL;
  inbox_close(&inbox, user);
  return error;
}

const struct io_model io_signal_driven = {"signal", run};

/* SPDX-License-Identifier: MIT */
/*
 * signal.c: signals, brought into the poll phase through a pipe.
 *
 *   handler (any thread)   one byte, the number, into the pipe of every loop
 *                          that wants it
 *   poll phase             the pipe is readable; when all else of the phase is
 *                          done, each byte calls the handles of its number
 *
 * Invariants:
 *  - A sink belongs to one loop from its first signal handle until the loop is
 *    closed. The handler counts itself in `visitors` while it uses a sink, and
 *    a loop waits for the visitors before it closes its pipe.
 *  - wanted[n] counts the active handles of signal n in the process; while it
 *    is not 0 the disposition is ours, then it is again what it was.
 *
 * signalfd(2) was rejected: signals would have to be blocked in all threads of
 * the process, and three raises of one signal would be one delivery, where
 * libuv and Node give three.
 *
 * This file holds the only mutable statics of the reference: a disposition
 * belongs to the process, and a handler is given nothing but a number.
 */
#include "internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { PL__SINKS = 64, PL__SIGNALS = 65 };

struct sink {
  atomic_int pipe;      /* write end + 1; 0: unused */
  atomic_int visitors;  /* handlers at work with it */
  atomic_ullong wanted; /* bit n - 1: signal n */
};

static struct sink sinks[PL__SINKS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned wanted[PL__SIGNALS];         /* under the lock */
static struct sigaction before[PL__SIGNALS]; /* under the lock */

struct pl__signals {
  struct pl_link handles; /* active ones, by start */
  struct pl_poll poll;    /* of the read end */
  struct sink *sink;
  int read_end;
  bool readable;
  unsigned active[PL__SIGNALS]; /* handles of each, wherever they stand */
};

static unsigned long long bit_of(int signum) {
  return 1ull << (unsigned)(signum - 1);
}

/* ---------------------------------------------------------------------- */
/* The process's side                                                     */

static void visit(struct sink *sink, int signum) {
  atomic_fetch_add(&sink->visitors, 1);
  int pipe = atomic_load(&sink->pipe) - 1;
  if (pipe >= 0 && atomic_load(&sink->wanted) & bit_of(signum)) {
    unsigned char byte = (unsigned char)signum;
    /* A full pipe holds 64 Ki deliveries; further ones are lost. */
    while (write(pipe, &byte, 1) < 0 && errno == EINTR)
      continue;
  }
  atomic_fetch_sub(&sink->visitors, 1);
}

static void on_signal(int signum) {
  int saved = errno;
  for (int i = 0; i < PL__SINKS; i++)
    if (atomic_load(&sinks[i].pipe) != 0) visit(&sinks[i], signum);
  errno = saved;
}

static int take_disposition(int signum) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  int error = 0;
  pthread_mutex_lock(&lock);
  if (wanted[signum] == 0 && sigaction(signum, &action, &before[signum]) != 0)
    error = -errno;
  else
    wanted[signum]++;
  pthread_mutex_unlock(&lock);
  return error;
}

static void give_disposition_back(int signum) {
  pthread_mutex_lock(&lock);
  if (--wanted[signum] == 0) sigaction(signum, &before[signum], NULL);
  pthread_mutex_unlock(&lock);
}

static struct sink *take_sink(int write_end) {
  for (int i = 0; i < PL__SINKS; i++) {
    int unused = 0;
    if (atomic_compare_exchange_strong(&sinks[i].pipe, &unused, write_end + 1))
      return &sinks[i];
  }
  return NULL;
}

/* Closes the write end once no handler can be about to write to it. */
static void give_sink_back(struct sink *sink) {
  atomic_store(&sink->wanted, 0);
  int write_end = atomic_exchange(&sink->pipe, 0) - 1;
  while (atomic_load(&sink->visitors) != 0)
    continue;
  close(write_end);
}

/* ---------------------------------------------------------------------- */
/* The loop's side                                                        */

static void watch_nothing(void *arg, int status) {
  (void)arg;
  (void)status;
}

static int watch_pipe(struct pl_loop *loop, struct pl__signals *signals) {
  pl_poll_init(loop, &signals->poll, watch_nothing, NULL);
  loop->handles--;
  signals->poll.head.flags = PL__INTERNAL;
  return pl_poll_start(&signals->poll, signals->read_end, PL_READABLE);
}

static int make_signals(struct pl_loop *loop) {
  struct pl__signals *signals =
      pl__resize(&loop->allocator, NULL, sizeof *signals);
  if (signals == NULL) return PL_ENOMEM;
  *signals = (struct pl__signals){0};
  pl__link_init(&signals->handles);
  int ends[2];
  int error;
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    error = -errno;
    goto fail_pipe;
  }
  signals->read_end = ends[0];
  signals->sink = take_sink(ends[1]);
  if (signals->sink == NULL) {
    error = PL_ENOSPC;
    goto fail_sink;
  }
  error = watch_pipe(loop, signals);
  if (error != 0) goto fail_watch;
  loop->signals = signals;
  return 0;

fail_watch:
  give_sink_back(signals->sink);
  ends[1] = -1;
fail_sink:
  if (ends[1] >= 0) close(ends[1]);
  close(ends[0]);
fail_pipe:
  pl__resize(&loop->allocator, signals, 0);
  return error;
}

void pl__signals_free(struct pl_loop *loop) {
  struct pl__signals *signals = loop->signals;
  if (signals == NULL) return;
  pl__poll_release(&signals->poll);
  give_sink_back(signals->sink);
  close(signals->read_end);
  pl__resize(&loop->allocator, signals, 0);
  loop->signals = NULL;
}

void pl_signal_init(struct pl_loop *loop, struct pl_signal *handle,
                    pl_event_fn *fn, void *arg) {
  pl__handle_init(loop, &handle->head, PL_OBJECT_SIGNAL, fn, arg);
}

int pl_signal_start(struct pl_signal *handle, int signum) {
  struct pl_object *head = &handle->head;
  if (head->flags & PL__CLOSING || signum <= 0 || signum >= PL__SIGNALS)
    return PL_EINVAL;
  if (head->flags & PL__ACTIVE && head->word == (uint32_t)signum) return 0;
  int error = head->loop->signals == NULL ? make_signals(head->loop) : 0;
  if (error == 0) error = take_disposition(signum);
  if (error != 0) return error;
  pl__signal_stop(handle);
  struct pl__signals *signals = head->loop->signals;
  head->word = (uint32_t)signum;
  pl__list_append(&signals->handles, &head->link);
  signals->active[signum]++;
  atomic_fetch_or(&signals->sink->wanted, bit_of(signum));
  pl__activate(head);
  return 0;
}

void pl__signal_stop(struct pl_signal *handle) {
  struct pl_object *head = &handle->head;
  if (!(head->flags & PL__ACTIVE)) return;
  struct pl__signals *signals = head->loop->signals;
  pl__list_remove(&head->link);
  give_disposition_back((int)head->word);
  if (--signals->active[head->word] == 0)
    atomic_fetch_and(&signals->sink->wanted, ~bit_of((int)head->word));
  pl__deactivate(head);
}

void pl__signals_readable(struct pl_loop *loop) {
  loop->signals->readable = true;
}

/* Calls the handles of one delivery. A pass works on a detached list, so what
 * is stopped or started meanwhile is skipped. */
static void deliver(struct pl_loop *loop, uint32_t signum) {
  struct pl_link *list = &loop->signals->handles;
  struct pl_link batch;
  pl__list_move(list, &batch);
  while (!pl__list_empty(&batch)) {
    struct pl_object *head =
        PL__OWNER(pl__turn(loop, &batch), struct pl_object, link);
    pl__list_cut(&head->link);
    pl__list_append(list, &head->link);
    if (head->word == signum) pl__call(loop, head, (int)signum);
  }
}

void pl__run_signals(struct pl_loop *loop) {
  struct pl__signals *signals = loop->signals;
  if (signals == NULL || !signals->readable) return;
  signals->readable = false;
  unsigned char bytes[256];
  for (;;) {
    ssize_t count = read(signals->read_end, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    ssize_t kept = count;
    if (loop->any_order) kept = pl__any_signals(loop, bytes, count);
    for (ssize_t i = 0; i < kept; i++)
      deliver(loop, bytes[i]);
    if (count < (ssize_t)sizeof bytes) return;
  }
}

// SPDX-License-Identifier: MIT
// System calls, counted: every call that a model makes goes through here.
//
// Invariant: a call is counted under its kernel name, in the phase in which
// it returns, once per entry into the kernel (a call repeated after EINTR
// counts twice). A trace of the same run shows the same numbers.
#ifndef IO_METER_H
#define IO_METER_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define IO_CALL_MAP(XX)                                                        \
  XX(READ, read)                                                               \
  XX(WRITE, write)                                                             \
  XX(FCNTL, fcntl)                                                             \
  XX(EPOLL_CTL, epoll_ctl)                                                     \
  XX(EPOLL_WAIT, epoll_wait)                                                   \
  XX(SIGTIMEDWAIT, rt_sigtimedwait)                                            \
  XX(SIGRETURN, rt_sigreturn)                                                  \
  XX(URING_ENTER, io_uring_enter)

enum io_call {
#define XX(name, text) IO_CALL_##name,
  IO_CALL_MAP(XX)
#undef XX
      IO_CALLS
};

enum io_phase { IO_SETUP, IO_MEASURE, IO_DRAIN, IO_PHASES };

// What a thread has spent up to a moment.
struct io_moment {
  uint64_t mono_ns, cpu_ns;
  uint64_t switches; // voluntary context switches
  uint64_t forced;   // involuntary ones
};

// Bytes; kernel_bytes is the machine's, so an estimate (see memory.c).
struct io_memory {
  int64_t anonymous, address_space, kernel_stack, kernel_bytes;
};

// Of one thread, or of several added together. All but `calls` counts the
// measured phase alone.
struct io_meter {
  const _Atomic(int) *phase;
  const uint64_t *begin_ns; // when the measured phase began
  bool timed;
  uint32_t threads;
  uint64_t calls[IO_PHASES][IO_CALLS];
  uint64_t vain;   // asked for data, was told "not yet"
  uint64_t waited; // calls in which the thread slept for at least 1 ms
  uint64_t told;   // news that came without being asked for
  uint64_t copied; // bytes that the thread's own calls brought
  uint64_t wait_ns, copy_cpu_ns; // timed runs only
  uint64_t take_cpu_ns; // verifying and meter; timed runs only
  uint64_t work_ns, work_units;
  uint64_t lived_ns, cpu_ns, switches, forced; // first to last message
  struct io_moment first;
};

// A thread at the entry of a call.
struct io_span {
  uint64_t mono_ns, cpu_ns;
  uint64_t switches; // voluntary ones, so far
};

static inline uint64_t io_clock(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int io_meter_phase(const struct io_meter *m) {
  return atomic_load_explicit(m->phase, memory_order_acquire);
}

static inline void io_count(struct io_meter *m, enum io_call call) {
  m->calls[io_meter_phase(m)][call]++;
}

static inline bool io_measured(const struct io_meter *m) {
  return io_meter_phase(m) == IO_MEASURE;
}

uint64_t io_switches(void); // voluntary, of this thread

static inline struct io_span io_span_begin(const struct io_meter *m) {
  struct io_span s = {0, 0, 0};
  if (!m->timed) return s;
  s.switches = io_switches();
  s.mono_ns = io_clock(CLOCK_MONOTONIC);
  s.cpu_ns = io_clock(CLOCK_THREAD_CPUTIME_ID);
  return s;
}

// Adds the time asleep inside the call; returns the CPU time of the call.
// Off the CPU is not asleep: a thread that was pushed off by another one
// has not waited for data. It slept when it gave the CPU away itself.
uint64_t io_span_end(struct io_meter *m, struct io_span s);

void io_meter_start(struct io_meter *m, const _Atomic(int) *phase,
                    const uint64_t *begin_ns, bool timed);
void io_meter_add(struct io_meter *into, const struct io_meter *from);

struct io_moment io_moment_of_thread(void);
struct io_moment io_moment_of_process(void);
void io_meter_first(struct io_meter *m); // life begins
void io_meter_last(struct io_meter *m);  // ... and has lasted until now

struct io_memory io_memory_now(void);

// About 10 us of work that has nothing to do with I/O, without any call.
void io_own_work(struct io_meter *m);

// read(2) of stream data. -1 and errno as read; EINTR is repeated.
static inline ssize_t io_read(struct io_meter *m, int fd, void *buf,
                              size_t len) {
  struct io_span s = io_span_begin(m);
  ssize_t n;
  do {
    n = read(fd, buf, len);
    io_count(m, IO_CALL_READ);
  } while (n < 0 && errno == EINTR);
  int saved = errno;
  uint64_t cpu = io_span_end(m, s);
  if (io_measured(m)) {
    if (n > 0) m->copied += (uint64_t)n;
    if (n > 0) m->copy_cpu_ns += cpu;
    if (n < 0 && saved == EAGAIN) m->vain++;
  }
  errno = saved;
  return n;
}

// read(2) and write(2) of an eventfd's counter: news, no data.
static inline uint64_t io_news_wait(struct io_meter *m, int fd) {
  struct io_span s = io_span_begin(m);
  uint64_t count = 0;
  ssize_t n;
  do {
    n = read(fd, &count, sizeof count);
    io_count(m, IO_CALL_READ);
  } while (n < 0 && errno == EINTR);
  io_span_end(m, s);
  return count;
}

static inline void io_news_send(struct io_meter *m, int fd) {
  const uint64_t one = 1;
  ssize_t n;
  do {
    n = write(fd, &one, sizeof one);
    io_count(m, IO_CALL_WRITE);
  } while (n < 0 && errno == EINTR);
}

static inline int io_fcntl(struct io_meter *m, int fd, int cmd, long arg) {
  io_count(m, IO_CALL_FCNTL);
  return fcntl(fd, cmd, arg);
}

static inline int io_epoll_ctl(struct io_meter *m, int ep, int op, int fd,
                               struct epoll_event *event) {
  io_count(m, IO_CALL_EPOLL_CTL);
  return epoll_ctl(ep, op, fd, event);
}

// epoll_wait(2) without a limit of time; EINTR is repeated.
static inline int io_epoll_wait(struct io_meter *m, int ep,
                                struct epoll_event *events, int max) {
  struct io_span s = io_span_begin(m);
  int n;
  do {
    n = epoll_wait(ep, events, max, -1);
    io_count(m, IO_CALL_EPOLL_WAIT);
  } while (n < 0 && errno == EINTR);
  int saved = errno;
  io_span_end(m, s);
  errno = saved;
  return n;
}

// sigwaitinfo(2); EINTR (a signal outside the set) is repeated.
static inline int io_sigwait(struct io_meter *m, const sigset_t *set,
                             siginfo_t *info) {
  struct io_span s = io_span_begin(m);
  int signo;
  do {
    signo = sigwaitinfo(set, info);
    io_count(m, IO_CALL_SIGTIMEDWAIT);
  } while (signo < 0 && errno == EINTR);
  int saved = errno;
  io_span_end(m, s);
  errno = saved;
  return signo;
}

#endif

// SPDX-License-Identifier: MIT
// The task that all five I/O models do, and the meter that watches them.
//
// Invariant: a model decides only *how a thread learns that bytes are there
// and who moves them*. What is read, how it is checked and what is counted
// is the same code for all five, so that a difference in the counters is a
// difference of the model.
//
//     feeder process               this process
//     ┌────────────┐  socket 0    ┌──────────────────────────────┐
//     │ plan(k) -> │=============>│ stream 0  buf[4 messages]    │
//     │ descriptor │  socket 1    │ stream 1        │            │
//     │ and bytes  │=============>│   ...           v            │
//     │            │  socket N-1  │ stream N-1  io_stream_take() │
//     └─────^──────┘              │  whole? checksum? in order?  │
//           └──── consumed <──────┴──────────────────────────────┘
//                 (shared memory, no system call)
#ifndef IO_LAB_H
#define IO_LAB_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "meter.h"

struct io_model;

enum io_load {
  IO_BUSY,   // every descriptor gets one message per round
  IO_SPARSE, // at most `window` messages are under way, anywhere among N
};

enum io_engine { IO_AUTO, IO_URING, IO_URING_WORKER, IO_POOL };

// What one run does; the same plan gives the same bytes to every model.
struct io_plan {
  const struct io_model *model;
  enum io_engine engine; // asynchronous only
  uint32_t n;            // descriptors
  uint64_t total;        // messages over all of them
  uint32_t size;         // bytes of a message, header included
  uint32_t window;       // IO_SPARSE: messages under way, at most
  uint32_t split;        // every split-th message comes in two; 0: none
  uint32_t sigpending;   // RLIMIT_SIGPENDING of the run; 0: as it is
  uint64_t silence_ns;   // pause of the feeder before every round
  enum io_load load;
  bool work;  // the user thread has work of its own while it waits
  bool timed; // clocks around every call (costs system calls itself)
};

// One descriptor and the bytes that have come but are not yet a message.
struct io_stream {
  int fd;
  uint32_t index;
  uint32_t next; // sequence number of the next message
  bool ended;
  size_t fill; // bytes in buf that are not yet taken
  unsigned char *buf;
  ssize_t result;         // asynchronous: of the finished read
  struct io_stream *done; // asynchronous, pool: next finished read
  atomic_bool lent;       // asynchronous, pool: the workers' to read
};

struct io_shared;

// One run in this process. Only `open`, `digest`, `broken` and `phase` are
// written by more than one thread.
struct io_task {
  const struct io_plan *plan;
  const char *engine; // what really did the work, for the result
  struct io_stream *streams;
  unsigned char *buffers;
  size_t capacity; // bytes of one stream's buf
  struct io_shared *shared;
  pid_t feeder;
  int gate; // write end: one byte starts the feeder
  _Atomic(int) phase;
  _Atomic(int) broken; // first error of any thread, negative errno
  _Atomic(uint32_t) open;
  _Atomic(uint64_t) digest; // order-independent hash of all messages
  uint64_t overflows;       // signal queue overflows
  struct io_moment begin, end;
  struct io_memory memory_end;
  struct io_meter helpers; // threads that work for the user thread
  char trouble[160];
};

struct io_model {
  const char *name;
  // Reads everything to the end of every stream; 0 or a negative errno.
  // Calls io_task_begin() once it is armed. `user` is the user thread's.
  int (*run)(struct io_task *task, struct io_meter *user);
};

extern const struct io_model io_blocking, io_nonblocking, io_multiplexing,
    io_signal_driven, io_asynchronous;
extern const struct io_model *const io_models[5];

// The two ways to be asynchronous; -ENOSYS where a way does not exist.
int io_async_uring(struct io_task *task, struct io_meter *user,
                   bool kernel_worker);
int io_async_pool(struct io_task *task, struct io_meter *user);

// Starts the feeder and connects plan->n streams to it. `task` borrows
// `plan` until io_task_close(), which must follow, even after an error.
int io_task_open(struct io_task *task, const struct io_plan *plan);
void io_task_close(struct io_task *task);

// The measured part starts: call it when every stream is armed.
void io_task_begin(struct io_task *task, struct io_meter *user);

// Takes `n` fresh bytes at buf + fill (0: end of stream). Whole messages
// are verified and counted. 0, or -EBADMSG for a damaged, repeated or lost
// message, -EPIPE when the feeder ended before its work did. A stream is
// taken by one thread at a time.
int io_stream_take(struct io_task *task, struct io_meter *meter,
                   struct io_stream *stream, size_t n);

// One read(2) into the stream, then io_stream_take(). -EAGAIN when nothing
// was there. *drained (may be NULL) says that the read came back short:
// nothing is left.
int io_stream_read(struct io_task *task, struct io_meter *meter,
                   struct io_stream *stream, bool *drained);

// Ends every stream from this side, so that whoever waits comes back.
void io_task_hang_up(struct io_task *task);

// Remembers the first error of any thread, and ends the feeder: all
// streams come to their end and all threads to theirs.
void io_task_break(struct io_task *task, int error);

// Says in the result what failed; returns -error.
int io_task_trouble(struct io_task *task, const char *what, int error);

int io_set_nonblocking(struct io_meter *meter, int fd, int more_flags);

// The feeder's life, in its own process; never returns.
_Noreturn void io_feeder(const struct io_plan *plan, struct io_shared *shared,
                         const void *address, unsigned address_len, int gate);

// What both processes see.
struct io_shared {
  _Atomic(uint64_t) consumed; // messages, so far
  atomic_bool closing;        // measured; the feeder may end the streams
};

#define IO_HEAD 16u // bytes before a message's payload
struct io_head {
  uint32_t index, seq;
  uint64_t sum;
};
uint64_t io_mix(uint64_t x);
uint64_t io_checksum(uint64_t seed, const unsigned char *p, size_t len);

// Everything one run tells; plain data, so that it can lie in shared memory.
struct io_result {
  int error;
  char trouble[160], engine[16];
  uint64_t messages, bytes, digest, overflows;
  uint64_t wall_ns, cpu_ns, switches, forced;
  uint64_t silence_ns; // all pauses of the feeder together
  struct io_meter user, helpers;
  struct io_memory memory;
  int fds_left, threads_left; // after the run, more than before it
};

// Runs the plan here; run_apart does it in a process of its own, which is
// killed after `limit_s` seconds (0 or a negative errno, also in out->error).
int io_run(const struct io_plan *plan, struct io_result *out);
int io_run_apart(const struct io_plan *plan, unsigned limit_s,
                 struct io_result *out);
void io_result_print(FILE *to, const struct io_plan *plan,
                     const struct io_result *result);

// Descriptors that one process may have open, after the soft limit has been
// raised to the hard one.
uint64_t io_raise_descriptors(void);

int io_table(FILE *to, bool json);

struct io_bench_options {
  const uint32_t *sizes;
  size_t size_count;
  bool json, quick;
  uint32_t within_s; // seconds for all of it, 0: 10 where quick, else 60
};
int io_bench(FILE *to, const struct io_bench_options *options);

#endif

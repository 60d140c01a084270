/* SPDX-License-Identifier: MIT */
/*
 * ipc_bench.h: what the measured loops share.
 *
 * Invariants:
 *  - A measurement is two processes: the parent sends and takes the time until
 *    the child, which checks what it gets, says that it has all.
 *  - The same bytes, the same descriptor, the same work behind each message for
 *    every contender.
 */
#ifndef PLUMB_BENCH_IPC_H
#define PLUMB_BENCH_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One side of a contender for one workload; both return when all is done. The
 * child's exit status is 0 when what it got was right. */
struct contender {
  const char *name;     /* "raw", "ref", "libuv" */
  const char *workload; /* "fd-oneway" */
  void (*parent)(int fd, long count, int passed);
  int (*child)(int fd, long count);
};

extern const struct contender raw_contenders[];
extern const struct contender ref_contenders[];
extern const struct contender uv_contenders[];

/* The line that carries a handle, and its answer. */
#define HANDLE_LINE                                                            \
  "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":\"hi\"}\n"
#define ACK_LINE "{\"cmd\":\"NODE_HANDLE_ACK\"}\n"

/* Handles on their way: of libuv's, beside what the kernel has taken; of the
 * reference's, until they are acknowledged. The kernel takes 277 of them. */
enum { IN_FLIGHT = 64, IN_THE_KERNEL = 256, BATCH = 64 };

/* Ends the process with a message. */
void bench_die(const char *what) __attribute__((noreturn));

/* A loop of accept(), one byte, close(): `single`, or the workers of a cluster,
 * `shared` or `rr`. Says "listening PORT", ends with its input. */
int serve(const char *how, unsigned workers, unsigned depth);
int serve_as_worker(void);
/* Connections a second that `clients` processes get in `ms`. */
double load(int port, unsigned clients, unsigned ms);

#endif

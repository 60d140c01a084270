// SPDX-License-Identifier: MIT
// The other end of every descriptor: a process that sends the plan's bytes.
//
// Invariant: the k-th message of a plan is the same for every model and
// every run, and the feeder keeps all streams open until the reader has
// finished measuring, so the measured part contains no end of stream.
#include "lab.h"

#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define IO_PART 5u // bytes of the first half of a split message

struct feeder {
  const struct io_plan *plan;
  struct io_shared *shared;
  int *fds;
  uint32_t *seq; // next sequence number, per descriptor
  unsigned char *message;
};

uint64_t io_mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Four lanes, so that checking stays cheaper than copying. `len` is a
// multiple of 8; the lanes take turns, so order matters.
uint64_t io_checksum(uint64_t seed, const unsigned char *p, size_t len) {
  uint64_t lane[4] = {seed, seed + 1, seed + 2, seed + 3};
  for (size_t at = 0, i = 0; at + 8 <= len; at += 8, i++) {
    uint64_t word;
    memcpy(&word, p + at, 8);
    lane[i & 3] = (lane[i & 3] ^ word) * 0x100000001b3u;
  }
  return io_mix(lane[0]) ^ io_mix(lane[1] + 1) ^ io_mix(lane[2] + 2) ^
         io_mix(lane[3] + 3);
}

static void pause_ns(uint64_t ns) {
  struct timespec left = {(time_t)(ns / 1000000000u),
                          (long)(ns % 1000000000u)};
  while (nanosleep(&left, &left) < 0 && errno == EINTR) {
  }
}

static uint64_t consumed(const struct feeder *f) {
  return atomic_load_explicit(&f->shared->consumed, memory_order_acquire);
}

static uint32_t target(const struct io_plan *plan, uint64_t k) {
  return (uint32_t)((plan->load == IO_SPARSE ? io_mix(k) : k) % plan->n);
}

static void send_all(int fd, const unsigned char *p, size_t len) {
  while (len > 0) {
    ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) _exit(1); // the reader is gone
    p += n;
    len -= (size_t)n;
  }
}

static void send_message(struct feeder *f, uint64_t k) {
  const struct io_plan *plan = f->plan;
  uint32_t index = target(plan, k);
  struct io_head head = {index, f->seq[index]++, 0};
  uint64_t seed = (uint64_t)index << 32 | head.seq;
  size_t payload = plan->size - IO_HEAD;
  // A few fresh words are enough to tell any two messages apart.
  for (size_t at = 0; at + 8 <= payload && at < 64; at += 8) {
    uint64_t word = io_mix(seed + at);
    memcpy(f->message + IO_HEAD + at, &word, 8);
  }
  head.sum = io_checksum(seed, f->message + IO_HEAD, payload);
  memcpy(f->message, &head, sizeof head);
  if (plan->split && k % plan->split == 0) {
    send_all(f->fds[index], f->message, IO_PART);
    pause_ns(100000); // long enough that the first half is seen alone
    send_all(f->fds[index], f->message + IO_PART, plan->size - IO_PART);
    return;
  }
  send_all(f->fds[index], f->message, plan->size);
}

static void send_plan(struct feeder *f) {
  const struct io_plan *plan = f->plan;
  for (uint64_t k = 0; k < plan->total; k++) {
    if (plan->load == IO_SPARSE)
      while (consumed(f) + plan->window <= k) sched_yield();
    else if (plan->silence_ns && k % plan->n == 0)
      pause_ns(plan->silence_ns);
    send_message(f, k);
  }
  while (!atomic_load(&f->shared->closing)) pause_ns(100000);
}

static int connect_one(const void *address, unsigned len) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) _exit(1);
  while (connect(fd, address, len) < 0)
    if (errno != EINTR) _exit(1);
  return fd;
}

_Noreturn void io_feeder(const struct io_plan *plan, struct io_shared *shared,
                         const void *address, unsigned address_len,
                         int gate) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct feeder f = {plan, shared, calloc(plan->n, sizeof(int)),
                     calloc(plan->n, sizeof(uint32_t)),
                     malloc(plan->size)};
  if (!f.fds || !f.seq || !f.message) _exit(1);
  for (uint32_t i = 0; i < plan->size; i++)
    f.message[i] = (unsigned char)(i * 31u);
  for (uint32_t i = 0; i < plan->n; i++)
    f.fds[i] = connect_one(address, address_len);
  char go;
  ssize_t n;
  do {
    n = read(gate, &go, 1);
  } while (n < 0 && errno == EINTR);
  if (n == 1) send_plan(&f);
  _exit(n == 1 ? 0 : 1); // closes every stream at once
}

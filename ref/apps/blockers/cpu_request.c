/* SPDX-License-Identifier: MIT */
/*
 * cpu_request.c: a server counts primes for a client, and everybody waits; and
 * the two cures.
 *
 *   blocks       counts in the callback in which the request arrived
 *   pool         counts on a thread; the loop hears when it is done
 *   immediates   counts for a millisecond at a time, an immediate each
 *
 * Invariant: the client checks the answer, whichever way it was found.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "watch.h"

enum { BELOW = 400000, PRIMES = 33860, PIECE_NS = 1000000, GLANCE = 64 };
enum { ARRIVAL_MS = 20, REST_MS = 20, SERVER = 0, CLIENT = 1 };

/* How far the count is. */
struct count {
  uint32_t next, below, primes;
};

struct program {
  struct watch watch;
  const char *mode;
  int sockets[2];
  struct pl_poll server, client;
  struct pl_timer arrival, rest;
  struct pl_work work;
  struct pl_immediate piece;
  struct count count;
  uint64_t asked_at;
  bool correct;
};

/* ---------------------------------------------------------------------- */
/* The work                                                               */

static bool is_prime(uint32_t n) {
  if (n < 4) return n > 1;
  if (n % 2 == 0) return false;
  for (uint32_t i = 3; i * i <= n; i += 2)
    if (n % i == 0) return false;
  return true;
}

/* Counts until the end, or the deadline. Returns whether it is through. */
static bool count_until(struct count *count, uint64_t deadline_ns) {
  while (count->next < count->below) {
    count->primes += is_prime(count->next++);
    if (count->next % GLANCE == 0 && watch_now_ns() >= deadline_ns) break;
  }
  return count->next == count->below;
}

/* ---------------------------------------------------------------------- */
/* The server                                                             */

static void answer(struct program *program) {
  uint32_t primes = program->count.primes;
  if (write(program->sockets[SERVER], &primes, sizeof primes) < 0)
    perror("the answer");
}

WATCH_CALLBACK(on_counted) {
  (void)status;
  answer(arg);
}

static void count_on_thread(void *arg) {
  struct program *program = arg;
  count_until(&program->count, UINT64_MAX);
}

WATCH_CALLBACK(on_piece) {
  (void)status;
  struct program *program = arg;
  if (count_until(&program->count, watch_now_ns() + PIECE_NS))
    answer(program);
  else
    pl_immediate_start(&program->piece);
}

WATCH_CALLBACK(on_request) {
  struct program *program = arg;
  program->count = (struct count){0};
  if (status < 0 || read(program->sockets[SERVER], &program->count.below,
                         sizeof program->count.below) < 0) {
    fprintf(stderr, "no request\n");
    exit(2);
  }
  if (strcmp(program->mode, "pool") == 0) {
    if (pl_work_submit(&program->work, count_on_thread) == 0) return;
  } else if (strcmp(program->mode, "immediates") == 0) {
    pl_immediate_start(&program->piece);
    return;
  }
  count_until(&program->count, UINT64_MAX); /* also when there is no thread */
  answer(program);
}

/* ---------------------------------------------------------------------- */
/* The client                                                             */

WATCH_CALLBACK(on_arrival) {
  (void)status;
  struct program *program = arg;
  uint32_t below = BELOW;
  program->asked_at = watch_now_ns();
  if (write(program->sockets[CLIENT], &below, sizeof below) < 0)
    perror("the request");
}

WATCH_CALLBACK(on_answer) {
  (void)status;
  struct program *program = arg;
  uint32_t primes = 0;
  if (read(program->sockets[CLIENT], &primes, sizeof primes) < 0)
    perror("the answer");
  program->correct = primes == PRIMES;
  printf("%u primes, answered in %.1f ms\n", primes,
         (double)(watch_now_ns() - program->asked_at) / 1e6);
  pl_timer_start(&program->rest, REST_MS, 0);
}

WATCH_CALLBACK(on_rest) {
  (void)status;
  struct program *program = arg;
  pl_handle_close(&program->server, NULL);
  pl_handle_close(&program->client, NULL);
  pl_handle_close(&program->arrival, NULL);
  pl_handle_close(&program->rest, NULL);
  watch_stop(&program->watch);
}

/* ---------------------------------------------------------------------- */

static void prepare(struct program *program) {
  struct pl_loop *loop = program->watch.loop;
  pl_poll_init(loop, &program->server, on_request, program);
  pl_poll_init(loop, &program->client, on_answer, program);
  pl_timer_init(loop, &program->arrival, on_arrival, program);
  pl_timer_init(loop, &program->rest, on_rest, program);
  pl_work_init(loop, &program->work, on_counted, program);
  pl_immediate_init(loop, &program->piece, on_piece, program);
  WATCH_NAME(&program->watch, on_request);
  WATCH_NAME(&program->watch, on_answer);
  WATCH_NAME(&program->watch, on_arrival);
  WATCH_NAME(&program->watch, on_rest);
  WATCH_NAME(&program->watch, on_counted);
  WATCH_NAME(&program->watch, on_piece);
}

int main(int argc, char **argv) {
  struct program program = {0};
  program.mode = argc == 3 ? argv[1] : "";
  if (strcmp(program.mode, "blocks") != 0 &&
      strcmp(program.mode, "pool") != 0 &&
      strcmp(program.mode, "immediates") != 0) {
    fprintf(stderr, "usage: plumb-cpu-request blocks|pool|immediates "
                    "FILE.cpuprofile\n");
    return 2;
  }
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, program.sockets)) {
    perror("no sockets");
    return 2;
  }
  watch_begin(&program.watch);
  prepare(&program);
  if (pl_poll_start(&program.server, program.sockets[SERVER], PL_READABLE) ||
      pl_poll_start(&program.client, program.sockets[CLIENT], PL_READABLE)) {
    fprintf(stderr, "the sockets cannot be watched\n");
    return 2;
  }
  pl_timer_start(&program.arrival, ARRIVAL_MS, 0);
  int status = watch_end(&program.watch, argv[2]);
  close(program.sockets[0]);
  close(program.sockets[1]);
  return program.correct ? status : 2;
}

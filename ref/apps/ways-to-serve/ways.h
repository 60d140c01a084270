/* SPDX-License-Identifier: MIT */
/*
 * ways.h: the same service in seven ways, and who measures them.
 *
 * The service: a client connects and sends a line; it is answered with
 * ANSWER bytes, the first of which is the number of the process that answered,
 * and the end. So an answer is the client's proof, and its count is fairness.
 *
 * Invariant: a way differs from the others in who accepts and who waits, and in
 * nothing else: the bytes, the socket's options and the backlog are the same.
 */
#ifndef WAYS_H
#define WAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_loop;

enum { ANSWER = 64, QUESTION_MOST = 64, BACKLOG = 4096, WORKERS_MOST = 16 };

/* One way. serve() serves until its standard input ends, having printed the
 * port; returns the exit status. */
struct way {
  const char *name, *what;
  bool many; /* uses all workers; else one process (or one per connection) */
  int (*serve)(unsigned workers);
};
extern const struct way ways[];
extern const size_t way_count;
const struct way *way_named(const char *name);

/* -- sockets.c ---------------------------------------------------------------
 */

/* A listening socket of the loopback interface; ends the process on failure. */
int way_listen(int *port);
/* Tells the parent that clients may come. */
void way_tell(int port);
/* Reads a question and answers it, blocking; closes. */
void way_answer(int fd, unsigned worker);
/* The ANSWER bytes of a worker. */
void way_fill(char *answer, unsigned worker);
_Noreturn void way_die(const char *what);

/* -- one.c: one core ----------------------------------------------------------
 */

int serve_sequential(unsigned workers);
int serve_process(unsigned workers);
int serve_thread(unsigned workers);
int serve_event(unsigned workers);

/* -- event.c: on a loop
 * -------------------------------------------------------- */

struct pl_loop *way_loop(void);
/* Serves a connected socket on the loop. */
void event_serve(struct pl_loop *loop, int fd, unsigned worker);
/* Accepts from a socket for ever. */
void event_accept(struct pl_loop *loop, int listener,
                  void (*connection)(void *arg, int fd), void *arg);

/* -- many.c: over many cores
 * --------------------------------------------------- */

int serve_proxy(unsigned workers);
int serve_round_robin(unsigned workers);
int serve_round_robin_1(unsigned workers);
int serve_shared(unsigned workers);
/* A worker of the last three: this program again. */
int cluster_worker(int listener);

/* -- load.c
 * ---------------------------------------------------------------------- */

struct load {
  int port;
  uint32_t clients;  /* connected at a time */
  uint32_t ms;       /* new ones come for so long */
  uint32_t pause_us; /* of each 8th, between its connection and question */
};

struct load_result {
  double seconds;
  uint32_t connections;
  double p50_us, p99_us, most_us; /* from connect() to the end of the answer */
  uint32_t of_worker[WORKERS_MOST + 1];
  char trouble[96]; /* empty: every answer was whole */
};

void load_run(const struct load *load, struct load_result *result);
/* Connects up to `count` clients that ask nothing, in fds; how many it could.
 */
uint32_t load_hold(int port, uint32_t count, int *fds);

/* -- bench.c
 * --------------------------------------------------------------------- */

struct bench_options {
  uint32_t sizes[8];
  size_t size_count;
  unsigned workers;
  bool quick, json;
};
int bench_ways(const char *self, const struct bench_options *options);

#endif

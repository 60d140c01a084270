/* SPDX-License-Identifier: MIT */
/*
 * yard.h: a primary on a loop and its workers, for white-box tests of cluster:
 * it counts what it hears, and writes down who said what and how it ended.
 *
 * Invariant: yard_end() fails when a descriptor, a process or memory is left.
 */
#ifndef PLUMB_TESTS_IPC_YARD_H
#define PLUMB_TESTS_IPC_YARD_H

#include "ends.h"

#include "plumb/cluster.h"

struct yard {
  struct world *world;
  struct pl_cluster cluster;
  int open_before;
  char log[4096]; /* what happened, a word each */
  unsigned online, listening, exited, disconnected, messages;
  int ports[16]; /* that were heard of, in this order */
  bool closed;
  const char *argv[4];
};

extern const struct pl_cluster_config yard_plain;
extern const struct pl_cluster_config yard_shared;

/* The whole life of a worker, which is the test's program with arguments: what
 * it does, and the path or port that it does it with. Returns the status. */
int yard_worker(int argc, char **argv);

/* A primary with some workers that do `what` with `path`. */
struct yard *yard_begin(const char *what, const char *path,
                        struct pl_cluster_config config, unsigned workers);
void yard_end(struct yard *yard);

/* Runs the loop until then. */
#define yard_until(yard, condition)                                            \
  while (!(condition))                                                         \
  assert_true(pl_loop_run((yard)->world->loop, PL_LOOP_ONCE) >= 0)

/* Sends a worker a text: "leave", "close", "abandon" or "exit". */
void yard_tell(struct yard *yard, unsigned id, const char *text);

/* A client of a port; -1: nobody listens there. */
int yard_connect(int port);
/* Who answers a client, which it closes; 0: nobody did. The loop runs until
 * then. */
int yard_answer(struct yard *yard, int fd);
/* Who answers a new client of the port that was heard of first. */
int yard_ask(struct yard *yard);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * nursery.h: a loop with a child that is not started yet, for tests of real
 * processes.
 *
 * Invariant: nursery_teardown() fails when memory, a descriptor or a child is
 * left.
 */
#ifndef PLUMB_TESTS_IPC_NURSERY_H
#define PLUMB_TESTS_IPC_NURSERY_H

#include "ends.h"

#include "plumb/process.h"

struct child {
  struct pl_process process;
  int code, signal, exits;
  bool closed;
};

struct nursery {
  struct world *world;
  int open_before;
  struct child child;
};

#define NURSERY_TEST(name)                                                     \
  cmocka_unit_test_setup_teardown(name, nursery_setup, nursery_teardown)

int nursery_setup(void **state);
int nursery_teardown(void **state);
/* What whoever runs this has left open is no descriptor of ours. */
void nursery_inherits_nothing(void);

/* Writes down how a child has ended; arg: it. */
void nursery_on_exit(void *arg, int code, int signum);
/* Starts the shell with a script and its output in a pipe; *out: that pipe. */
int nursery_shell(struct nursery *nursery, const char *script,
                  struct pl_spawn_options *options, int *out);
/* Until the child has ended, once. */
void nursery_wait(struct nursery *nursery);
/* All that the child says until it ends; closes `out`. */
void nursery_expect(struct nursery *nursery, int out, const char *text);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * spawn.h: what a child needs between vfork() and exec().
 *
 * Invariant: the child shares the parent's memory: it reads this, and writes
 * nothing but its stack and what was handed to it for that.
 */
#ifndef PLUMB_IPC_SPAWN_H
#define PLUMB_IPC_SPAWN_H

#include "../loop/internal.h"
#include "plumb/process.h"

struct pl__spawn {
  const struct pl_spawn_options *options;
  char **argv;
  char **shell_argv; /* the same for /bin/sh, when it is no program */
  char **env;
  const char *path; /* the child's PATH */
  int *fds;         /* of the child, by number; -1: the parent's own */
  unsigned count;
  pid_t parent;
  int report; /* where errno goes when exec() fails */
};

/* Makes the arrays of a plan; `fds` and `report` are the caller's. */
int pl__spawn_prepare(struct pl__spawn *plan, const struct pl_allocator *memory,
                      const struct pl_spawn_options *options);
void pl__spawn_free(struct pl__spawn *plan, const struct pl_allocator *memory);

/* Starts the child. 0 or a PL_E value: the fork's, or what kept it from being
 * executed, and then there is none. */
int pl__spawn_run(struct pl__spawn *plan, pid_t *pid);

#endif

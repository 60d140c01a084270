/* SPDX-License-Identifier: MIT */
/*
 * Starts a program at the ends of three socket pairs.
 *
 * libuv's uv_spawn() has no place for what a child does before its exec, and
 * the adapter's end must not depend on its heeding a closed stdin: the child
 * asks the kernel to be killed when its parent is gone.
 *
 * Invariant: a program that was started is the leader of a session and of a
 * process group of its own, and does not outlive this process, however this
 * process ends. That holds for the program alone: what it starts itself ends
 * with its group, or is found by the audit, which both need a living judge.
 */
#ifndef PL_RUNNER_SPAWN_H
#define PL_RUNNER_SPAWN_H

#include <sys/types.h>

struct pl_spawned {
  pid_t pid;
  int end[3]; /* our ends of its stdin, stdout and stderr; not blocking */
};

/* Starts `argv` (NULL-terminated; searched for in PATH) with the environment
 * `env` (NULL: this process's own). Returns 0 and fills `*spawned`, whose
 * descriptors and child are the caller's; or a libuv error, also when the
 * program itself cannot be executed. Only for a process's main thread: the
 * child is tied to the thread that starts it. */
int pl_spawn(char **argv, char **env, struct pl_spawned *spawned);

#endif

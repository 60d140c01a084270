/* SPDX-License-Identifier: MIT */
/*
 * process.h: child processes, as Node's child_process has them: spawn, exec,
 * execFile, also blocking; a child with a channel (fork) is a spawn with
 * PL_STDIO_CHANNEL.
 *
 * Invariants, beside those of loop.h:
 *  - A child is reaped by its pl_process alone, once it has ended; until then
 *    its pid is its own.
 *  - A program that cannot be started is an error of the call that starts it:
 *    there was no child then, and no descriptor is left.
 *  - A child has the descriptors of its stdio and no others of ours, no signal
 *    blocked, and every signal's default disposition.
 */
#ifndef PLUMB_PROCESS_H
#define PLUMB_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "plumb/ipc.h"
#include "plumb/loop.h"

enum pl_stdio_kind {
  PL_STDIO_INHERIT, /* the parent's descriptor of the same number */
  PL_STDIO_IGNORE,  /* /dev/null */
  PL_STDIO_FD,      /* `fd`, borrowed during the call */
  PL_STDIO_PIPE,    /* a connected stream, both ways */
  PL_STDIO_CHANNEL  /* the same, and the environment tells the child of it */
};

/* One descriptor of the child. */
struct pl_stdio {
  enum pl_stdio_kind kind;
  int fd; /* FD: in; PIPE, CHANNEL: given, close it or hand it on */
};

/* What is started. Zeroed fields mean the default. */
struct pl_spawn_options {
  const char *file;        /* a path, or a name for the child's PATH */
  const char *const *argv; /* with argv[0], NULL behind; NULL: file alone */
  const char *const *env;  /* "NAME=value", NULL behind; NULL: the parent's */
  const char *cwd;
  struct pl_stdio *stdio; /* NULL: 0 to 2 are inherited */
  unsigned stdio_count;
  bool detached;    /* in a session of its own */
  int death_signal; /* gets it when the thread that started it ends; 0: none */
  bool set_uid, set_gid;
  uid_t uid;
  gid_t gid;
  enum pl_channel_mode channel_mode; /* what the environment says of it */
  const char *unique_id; /* NODE_UNIQUE_ID: a worker of a cluster; or NULL */
  bool without_pidfd;    /* waits by SIGCHLD, as where there are none */
};

/* It has ended: by exit(code), signal 0; or by a signal, code -1. */
typedef void pl_exit_fn(void *arg, int code, int signal);

struct pl_process {
  struct pl_poll watch;     /* of the pidfd */
  struct pl_signal sigchld; /* where there is none */
  struct pl_loop *loop;
  pl_exit_fn *exited;
  void *arg;
  pid_t pid; /* 0: was never started */
  int pidfd; /* -1: none */
  bool running;
  bool closing;
  pl_event_fn *closed;
};

/* Prepares a process, not started. Borrows it until its close callback. */
void pl_process_init(struct pl_loop *loop, struct pl_process *process,
                     pl_exit_fn *exited, void *arg);

/*
 * Starts it. It keeps the loop alive until `exited` was called, which comes in
 * the poll phase.
 * options: borrowed during the call; gives stdio[i].fd of pipes and channels,
 * which are close-on-exec.
 * Errors: PL_EBUSY (was started), PL_EINVAL (closing, two channels, more than
 * 256 descriptors), PL_ENOENT (no file), PL_ENOMEM, PL_EMFILE, PL_EAGAIN, and
 * what exec, chdir or setuid failed with: PL_ENOENT, PL_EACCES, PL_ENOTDIR,
 * PL_EPERM, ... Then no descriptor is given.
 */
int pl_process_spawn(struct pl_process *process,
                     const struct pl_spawn_options *options);

pid_t pl_process_pid(const struct pl_process *process);

/* 1 until `exited` is about to be called. */
int pl_process_is_running(const struct pl_process *process);

/* Sends a signal; 0 asks whether it could. group: to all of its session's
 * leader's group, for detached ones. Errors: PL_ESRCH (it has ended),
 * PL_EINVAL, PL_EPERM. */
int pl_process_kill(struct pl_process *process, int signum);
int pl_process_kill_group(struct pl_process *process, int signum);

/* Whether it keeps the loop alive while it runs; it does. */
void pl_process_ref(struct pl_process *process);
void pl_process_unref(struct pl_process *process);

/*
 * Forgets it. One that still runs goes on, and nobody reaps it: kill it first.
 * Calls `closed` (may be NULL) in the closing phase. Errors: PL_EINVAL when
 * already closing.
 */
int pl_process_close(struct pl_process *process, pl_event_fn *closed);

/* ---------------------------------------------------------------------- */
/* A child as Node's spawn() has it                                       */

/* Beyond what is started. Zeroed fields mean the default. */
struct pl_child_limits {
  uint64_t timeout_ms; /* 0: none */
  int kill_signal;     /* SIGTERM */
};

struct pl_child {
  struct pl_process process;
  struct pl_timer limit;
  struct pl_deferred start; /* tells `started` */
  pl_event_fn *started;     /* may be NULL */
  pl_exit_fn *exited;
  void *arg;
  int kill_signal;
  bool killed;   /* a signal was sent */
  unsigned open; /* handles that are not closed */
  pl_event_fn *closed;
};

/*
 * Prepares a child, not started. started: it runs, 0, before anything else of
 * it is told; or PL_EACCES, PL_EAGAIN, PL_EMFILE, PL_ENFILE, PL_ENOENT: it could
 * not be started, and nothing more is told. Borrows it until its close callback.
 */
void pl_child_init(struct pl_loop *loop, struct pl_child *child,
                   pl_event_fn *started, pl_exit_fn *exited, void *arg);

/*
 * Starts it. limits: NULL for none; after timeout_ms it gets the signal.
 * Errors: as pl_process_spawn(), but those that `started` tells are no errors
 * here. Rule: PROCESS-START-4, -7, -16, -19, PROCESS-TIMEOUT-1, -2.
 */
int pl_child_spawn(struct pl_child *child,
                   const struct pl_spawn_options *options,
                   const struct pl_child_limits *limits);

/* As pl_process_kill(); `killed` says that a signal was sent, 0 is none. */
int pl_child_kill(struct pl_child *child, int signum);

/* As pl_process_close(). */
int pl_child_close(struct pl_child *child, pl_event_fn *closed);

/* ---------------------------------------------------------------------- */
/* exec and execFile                                                      */

/* How a program is run to its end. Zeroed fields mean the default. */
struct pl_exec_options {
  const char *command; /* for /bin/sh -c; or NULL, and spawn.file is run */
  struct pl_spawn_options spawn; /* stdio is not looked at */
  uint64_t timeout_ms;           /* 0: none */
  int kill_signal;               /* SIGTERM */
  size_t max_buffer;             /* of each stream, bytes; 1 MiB */
  const char *input;             /* for its stdin, borrowed; NULL: empty */
  size_t input_length;
  int *input_fd; /* or: gives our end of its stdin, the caller's; NULL */
};

/*
 * How it ended. Everything is borrowed during the call.
 * error: 0; PL_ENOBUFS: it said more than max_buffer, and the texts are cut to
 * that; PL_ENOMEM; otherwise the exit tells. killed: we sent a signal.
 */
struct pl_exec_result {
  int error;
  int code, signal; /* as pl_exit_fn */
  bool killed;
  bool timed_out; /* killed for that */
  const char *out, *err;
  size_t out_length, err_length;
};

struct pl_exec;
typedef void pl_exec_fn(void *arg, const struct pl_exec_result *result);

struct pl__exec_stream {
  struct pl_stream stream;
  struct pl_exec *exec;
  struct pl__bytes text;
  int fd;
  bool open;
};

struct pl_exec {
  struct pl_process process;
  struct pl_timer timer;
  struct pl__exec_stream in, out, err;
  struct pl_write write; /* of the input */
  pl_exec_fn *done;
  void *arg;
  struct pl_exec_result result;
  size_t max_buffer;
  int kill_signal;
  unsigned open; /* handles that are not closed */
};

/*
 * Runs a program to its end; `done` is called once, when it has ended and both
 * of its streams have, or were given up after a kill.
 * Borrows `exec` until then.
 * Errors: as pl_process_spawn(); `done` is not called.
 */
int pl_exec_start(struct pl_loop *loop, struct pl_exec *exec,
                  const struct pl_exec_options *options, pl_exec_fn *done,
                  void *arg);

/* Sends the kill signal and gives its streams up, as a time-out does. */
void pl_exec_kill(struct pl_exec *exec);

/* Sends a signal and no more; `killed` will tell. As pl_process_kill(). */
int pl_exec_signal(struct pl_exec *exec, int signum);

/*
 * Runs a program to its end before it returns, on a loop of its own, so that
 * nothing of the caller's loops happens meanwhile. `done` is called from within.
 * Errors: as pl_exec_start() and pl_loop_init().
 * Rule: PROCESS-SYNC-1 to -9.
 */
int pl_exec_run(const struct pl_exec_options *options, pl_exec_fn *done,
                void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One child process with its three pipes, in a process group of its own.
 *
 * Invariants:
 *  - every wait has a deadline; time is uv_hrtime() in nanoseconds;
 *  - while one process is waited for, what the others write is read, too;
 *  - after pl_process_free() the process is reaped, its group was killed, and
 *    no descriptor of it is left.
 */
#ifndef PL_RUNNER_PROCESS_H
#define PL_RUNNER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "lines.h"

/* The loop of the judge: one thread, one timer, the signals. */
struct pl_driver {
  uv_loop_t loop;
  uv_timer_t timer;
  uv_signal_t signal[4];     /* SIGCHLD, then those that stop a run */
  struct pl_process *newest; /* of all processes not yet freed */
  bool ready;                /* all of it is set up */
  bool timed_out;            /* the timer's deadline has passed */
  int interrupted;           /* SIGINT, SIGTERM or SIGHUP, once one has come */
};

struct pl_process {
  struct pl_driver *driver;
  struct pl_process *older; /* in the driver's list */
  uv_pipe_t in, out, err;
  uv_pipe_t trace; /* what it and its children write to, in one order */
  bool tracing;    /* lines come from `trace`, and stdout is a log */
  struct pl_lines lines; /* its stdout */
  struct pl_tail log;    /* its stderr */
  size_t received;       /* bytes of stdout so far */
  bool exited;
  bool out_closed, err_closed;
  int64_t status; /* once exited */
  int signal;     /* once exited; 0: by itself */
  pid_t pid;
  unsigned open; /* handles not yet closed */
};

enum pl_wait {
  PL_WAIT_LINE,     /* a whole line is there */
  PL_WAIT_CLOSED,   /* stdout is closed, no whole line is left */
  PL_WAIT_EXITED,   /* the process ended, no whole line is left */
  PL_WAIT_TOO_LONG, /* a line is longer than PL_LINE_MAX */
  PL_WAIT_TIMEOUT,
  PL_WAIT_INTERRUPTED
};

/* Sets up the loop and the stop signals. Returns 0 or a libuv error. */
int pl_driver_init(struct pl_driver *driver);
void pl_driver_free(struct pl_driver *driver);

/* Starts `argv` (NULL-terminated) with the environment `env`. Returns 0 and
 * gives `*process` (free with pl_process_free()), or a libuv error. */
int pl_process_start(struct pl_driver *driver, char **argv, char **env,
                     struct pl_process **process);

/* Sends bytes to its stdin; they are copied. A closed stdin is no error: the
 * wait that follows tells. */
void pl_process_send(struct pl_process *process, const char *bytes,
                     size_t count);

/* Takes its lines from a FIFO from now on, which others may write to as well;
 * what comes on stdout goes to the log. `path` is opened, and held open, so
 * that the FIFO has no end. Returns 0 or a libuv error. */
int pl_process_trace(struct pl_process *process, const char *path);

/* With a trace: reads what has been written to it until now. */
void pl_process_read_trace(struct pl_process *process);

/* Runs the loop for `ms`, or until something happened. */
void pl_process_turn(struct pl_process *process, unsigned ms);

/* Closes its stdin once everything sent is written. */
void pl_process_end_input(struct pl_process *process);

/* Waits for a line of stdout, or for why none will come. */
enum pl_wait pl_process_wait_line(struct pl_process *process,
                                  uint64_t deadline);

/* Waits until it has ended and its pipes are closed. Returns whether it has
 * ended; a pipe that someone else keeps open is waited for only briefly. */
bool pl_process_wait_end(struct pl_process *process, uint64_t deadline);

/* SIGKILLs its process group and reaps it. */
void pl_process_kill(struct pl_process *process);

/* Kills it if it runs, releases everything. */
void pl_process_free(struct pl_process *process);

/* SIGKILLs the groups of all processes now running; safe at any point. */
void pl_process_kill_all(void);

#endif

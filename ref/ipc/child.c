/* SPDX-License-Identifier: MIT */
/*
 * child.c: a child as Node's spawn() has it: an event tells that it runs, or
 * that it could not be started, and its time may be limited.
 *
 * Invariant: `started` is called once after a successful pl_child_spawn(),
 * never from within it, and before `exited`.
 */
#include "../loop/internal.h"

#include <signal.h>

#include "plumb/process.h"

/* What is told by an event; other errors are the caller's own. */
static bool is_told_later(int error) {
  return error == PL_EACCES || error == PL_EAGAIN || error == PL_EMFILE ||
         error == PL_ENFILE || error == PL_ENOENT;
}

static void on_child_started(void *arg, int status) {
  struct pl_child *child = arg;
  if (child->started != NULL) child->started(child->arg, status);
}

static void on_child_exited(void *arg, int code, int signum) {
  struct pl_child *child = arg;
  pl_handle_stop(&child->limit);
  if (child->exited != NULL) child->exited(child->arg, code, signum);
}

static void on_child_limit(void *arg, int status) {
  struct pl_child *child = arg;
  (void)status;
  pl_child_kill(child, child->kill_signal);
}

void pl_child_init(struct pl_loop *loop, struct pl_child *child,
                   pl_event_fn *started, pl_exit_fn *exited, void *arg) {
  *child = (struct pl_child){.started = started, .exited = exited, .arg = arg};
  pl_process_init(loop, &child->process, on_child_exited, child);
  pl_timer_init(loop, &child->limit, on_child_limit, child);
  pl_object_unref(&child->limit); /* the process keeps the loop alive */
  pl_deferred_init(&child->start, on_child_started, child);
}

int pl_child_spawn(struct pl_child *child,
                   const struct pl_spawn_options *options,
                   const struct pl_child_limits *limits) {
  int error = pl_process_spawn(&child->process, options);
  if (error != 0 && !is_told_later(error)) return error;
  child->kill_signal = SIGTERM;
  if (limits != NULL && limits->kill_signal != 0)
    child->kill_signal = limits->kill_signal;
  if (error == 0 && limits != NULL && limits->timeout_ms != 0)
    pl_timer_start(&child->limit, limits->timeout_ms, 0);
  pl_deferred_post(child->process.loop, &child->start, error);
  return 0;
}

int pl_child_kill(struct pl_child *child, int signum) {
  int error = pl_process_kill(&child->process, signum);
  if (error == 0 && signum != 0) child->killed = true;
  return error;
}

static void on_part_of_child_closed(void *arg, int status) {
  struct pl_child *child = arg;
  if (--child->open == 0 && child->closed != NULL)
    child->closed(child->arg, status);
}

int pl_child_close(struct pl_child *child, pl_event_fn *closed) {
  if (child->process.closing) return PL_EINVAL;
  child->closed = closed;
  child->open = 2;
  pl__deferred_cancel(&child->start);
  pl_handle_close(&child->limit, on_part_of_child_closed);
  return pl_process_close(&child->process, on_part_of_child_closed);
}

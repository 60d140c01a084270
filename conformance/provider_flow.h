/* SPDX-License-Identifier: MIT */
/*
 * provider_flow.h: the part of provider.h about emitters, flows of tasks and
 * queues of jobs.
 *
 * Invariants, beside those of provider.h:
 *  - What a listener, a task or a job throws is a number, neither 0 nor 1: the
 *    caller's own, above 1, or a negative errno value.
 *  - Values are pointers that mean nothing to the provider.
 */
#ifndef PLUMBLINE_PROVIDER_FLOW_H
#define PLUMBLINE_PROVIDER_FLOW_H

#include <stddef.h>

typedef int pl_flow_listener(void *arg, void *value);

enum pl_flow_how {
  PL_FLOW_IN_SERIES,
  PL_FLOW_IN_PARALLEL,
  PL_FLOW_AS_WATERFALL
};

/* How a flow is made; borrowed until it is done. */
struct pl_flow_options {
  size_t size; /* sizeof(struct pl_flow_options) of the caller */
  enum pl_flow_how how;
  size_t limit; /* in parallel: at a time; 0: all */
  size_t count; /* of tasks */
  void *arg;
  /* Begins a task: 0, or what it threw. given: what the one before gave, in a
   * waterfall; else NULL. */
  int (*start)(void *arg, size_t index, void *given);
  /* All have ended (0), or what the first that failed was settled with. */
  void (*done)(void *arg, int status);
};

enum pl_job_is {
  PL_JOB_IS_QUEUED,
  PL_JOB_IS_RUNNING,
  PL_JOB_IS_DONE,
  PL_JOB_IS_FAILED,
  PL_JOB_IS_DROPPED
};

/* How a queue is made; copied. */
struct pl_queue_options {
  size_t size; /* sizeof(struct pl_queue_options) of the caller */
  unsigned limit;
  size_t high, capacity; /* 0: none */
  double timeout_ms;     /* 0: none */
  void *arg;
  int (*start)(void *arg, void *job_arg);
  /* 0, what it was settled with, -ETIMEDOUT, or -ECANCELED: dropped. */
  void (*ended)(void *arg, void *job_arg, int status);
  void (*drained)(void *arg);
  void (*idle)(void *arg);
};

/* The area. The caller owns all storage; that of flows, queues and jobs is its
 * own again when they were cancelled or closed, or have ended, and the ticks
 * were drained. */
struct pl_flow_table {
  size_t size;

  /* -- emitters ------------------------------------------------------------ */

  size_t emitter_size;
  void (*emitter_init)(void *emitter);
  void (*emitter_end)(void *emitter);
  /* A listener is the pair of fn and arg. 0, -ENOMEM, or what was thrown. */
  int (*on)(void *emitter, const char *event, pl_flow_listener *fn, void *arg,
            int once, int prepend);
  /* 1, 0: there was none, or an error as of on(). */
  int (*off)(void *emitter, const char *event, pl_flow_listener *fn, void *arg);
  /* NULL: of all events. */
  int (*off_all)(void *emitter, const char *event);
  /* 1, 0: nobody listens, what was thrown, or -EPROTO: `error` without anybody
   * who listens. newListener and removeListener get the event's name. */
  int (*emit)(void *emitter, const char *event, void *value);
  size_t (*count)(const void *emitter, const char *event);
  /* The event behind that one; NULL begins, and ends. */
  const char *(*next)(const void *emitter, const char *event);
  /* How many listeners of an event are no leak. */
  unsigned (*most)(const void *emitter);
  void (*set_most)(void *emitter, unsigned most);

  /* -- flows --------------------------------------------------------------- */

  size_t (*flow_size)(size_t count);
  void (*flow_run)(void *loop, void *flow,
                   const struct pl_flow_options *options);
  /* Ends a task, with an error or (0) a value. 1, or 0: it does not run. */
  int (*flow_settle)(void *flow, size_t index, int error, void *value);
  void *(*flow_value)(const void *flow, size_t index);
  void (*flow_cancel)(void *flow);

  /* -- queues -------------------------------------------------------------- */

  size_t queue_size, job_size;
  void (*queue_init)(void *loop, void *queue,
                     const struct pl_queue_options *options);
  /* 1; 0: taken, the caller should wait; -ENOBUFS: no room, dropped. */
  int (*push)(void *queue, void *job, void *job_arg);
  int (*settle)(void *job, int error); /* 1, or 0: it does not run */
  int (*drop)(void *job);              /* 1, or 0: it does not wait */
  size_t (*jobs)(const void *queue, enum pl_job_is state);
  void (*queue_close)(void *queue);
};

#endif

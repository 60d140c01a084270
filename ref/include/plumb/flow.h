/* SPDX-License-Identifier: MIT */
/*
 * flow.h: asynchrony within bounds: publish and subscribe, tasks one after the
 * other or some at a time, a queue of jobs whose states can be counted.
 *
 *   queued --> running --> done
 *     |           |------> failed     (its error, a throw, ETIMEDOUT)
 *     '-----------'------> dropped    (no room, or taken back)
 *
 * Invariants, beside those of loop.h:
 *  - A listener, a task, a job that returns something else than 0 has thrown
 * it; not 1, which functions here return when all is well.
 *  - The end of a flow and of a job is told from the tick queue, never from
 *    within the call that brought it about, and once.
 *  - A job is in one state at a time, so queued, running, done, failed and
 *    dropped add up to what was pushed.
 */
#ifndef PLUMB_FLOW_H
#define PLUMB_FLOW_H

#include <stdbool.h>

#include "plumb/loop.h"

/* ---------------------------------------------------------------------- */
/* Publish and subscribe: Node's EventEmitter                             */

/* Called with what was emitted. Not 0: thrown, and emit returns it. */
typedef int pl_listener_fn(void *arg, void *value);

enum pl_listener_flags { PL_LISTENER_ONCE = 1, PL_LISTENER_PREPEND = 2 };

struct pl__listener_list;
struct pl__event;

struct pl_emitter {
  struct pl_allocator allocator;
  struct pl__event *events; /* in the order of their first listener */
  unsigned most;            /* listeners of an event before `crowded`; 0: any */
  /* More than `most` listen, for the first time: a leak perhaps. May be NULL;
   * it is told and nothing is refused. */
  void (*crowded)(struct pl_emitter *emitter, const char *event,
                  size_t listeners);
  void *user; /* the caller's */
};

/* Prepares one without listeners, `most` 10. allocator: NULL for the C
 * library's; copied. Free with pl_emitter_end(), not while it emits. */
void pl_emitter_init(struct pl_emitter *emitter,
                     const struct pl_allocator *allocator);
void pl_emitter_end(struct pl_emitter *emitter);

/*
 * Adds a listener, which is the pair of fn and arg; the same may be added
 * again. First `newListener` is emitted, with the event's name as value.
 * Errors: PL_ENOMEM; what a listener of newListener threw.
 * Rule: FLOW-EMIT-1, -4, -6, -12.
 */
int pl_emitter_on(struct pl_emitter *emitter, const char *event,
                  pl_listener_fn *fn, void *arg, unsigned flags);

/* Removes the one of that pair that was added last, then emits
 * `removeListener`. Returns 1, or 0 when there is none. Errors: as
 * pl_emitter_on(). Rule: FLOW-EMIT-7, -8, -13. */
int pl_emitter_off(struct pl_emitter *emitter, const char *event,
                   pl_listener_fn *fn, void *arg);

/* Removes all of an event, or (NULL) of all. Errors: as pl_emitter_off(). */
int pl_emitter_off_all(struct pl_emitter *emitter, const char *event);

/*
 * Calls the listeners that an event has at this moment, in order. Returns 1, or
 * 0 when it has none; what a listener threw, which ends it. PL_EPROTO: the
 * event was `error` and nobody listens.
 * Allocates only where it calls one that is to be called once.
 * Rule: FLOW-EMIT-1 to -3, -8 to -11, -14.
 */
int pl_emitter_emit(struct pl_emitter *emitter, const char *event, void *value);

size_t pl_emitter_count(const struct pl_emitter *emitter, const char *event);

/* The event behind `event` (NULL: the first) that has listeners, or NULL. */
const char *pl_emitter_next(const struct pl_emitter *emitter,
                            const char *event);

/* ---------------------------------------------------------------------- */
/* Flow control                                                           */

enum pl_flow_kind {
  PL_FLOW_SERIES,   /* one after the other */
  PL_FLOW_PARALLEL, /* up to `limit` at a time */
  PL_FLOW_WATERFALL /* one after the other, each given the last one's value */
};

struct pl_flow;

struct pl_flow_task {
  /* Begins. given: in a waterfall what the task before gave, else NULL. It ends
   * with pl_flow_settle(), now or later. Not 0: it has failed with that. */
  int (*start)(struct pl_flow_task *task, void *given);
  void *arg;   /* the caller's */
  void *value; /* what it gave */
  struct pl_flow *flow;
  uint8_t state; /* enum pl__task_state */
};

struct pl_flow {
  struct pl_loop *loop;
  struct pl_flow_task *tasks;
  size_t count, begun, running, ended;
  size_t limit;
  enum pl_flow_kind kind;
  int error;
  bool finished; /* `done` was called, or never will be */
  struct pl_task pump;
  pl_event_fn *done;
  void *arg;
};

/*
 * Runs tasks. The first (parallel: the first `limit`; 0: all) begin in the
 * call, every other one from the tick queue. done: gets 0 when all have ended,
 * or the first error, after which nothing more begins; tasks that run then may
 * still settle, which changes nothing. Borrows flow and tasks until `done`;
 * then, as long as tasks run that may settle. Rule: FLOW-CONTROL-1 to -8.
 */
void pl_flow_run(struct pl_loop *loop, struct pl_flow *flow,
                 enum pl_flow_kind kind, size_t limit,
                 struct pl_flow_task *tasks, size_t count, pl_event_fn *done,
                 void *arg);

/* Ends a task: with a value (error 0), or an error. Returns 1, or 0 when it was
 * not running: it counts no more. */
int pl_flow_settle(struct pl_flow_task *task, int error, void *value);

/* Gives it up: nothing of it is called any more, and its memory is the caller's
 * when the tick queue has been drained. */
void pl_flow_cancel(struct pl_flow *flow);

/* ---------------------------------------------------------------------- */
/* A queue of jobs                                                        */

enum pl_job_state {
  PL_JOB_IDLE, /* in no queue */
  PL_JOB_QUEUED,
  PL_JOB_RUNNING,
  PL_JOB_DONE,
  PL_JOB_FAILED,
  PL_JOB_DROPPED
};
enum { PL_JOB_STATES = 6 };

struct pl_queue;

struct pl_job {
  struct pl_link link;
  struct pl_queue *queue;
  /* Begins; ends with pl_job_settle(). Not 0: it has failed with that. */
  int (*start)(struct pl_job *job);
  /* It has ended: 0; its error; PL_ECANCELED: dropped. May be NULL. */
  void (*ended)(struct pl_job *job, int status);
  struct pl_timeout timeout;
  int status;
  uint8_t state; /* enum pl_job_state */
  void *arg;     /* the caller's */
};

struct pl_queue_config {
  unsigned limit;    /* jobs that run at a time; 1 */
  size_t high;       /* queued jobs from which a pusher should wait; 0: never */
  size_t capacity;   /* queued jobs at most; 0: any number */
  double timeout_ms; /* of a running job; 0: none */
  /* May be NULL. drained: fewer than half of `high` are queued again, after a
   * push that returned 0. idle: nothing is queued and nothing runs. */
  pl_event_fn *drained, *idle;
  void *arg;
};

struct pl_queue {
  struct pl_loop *loop;
  struct pl_queue_config config;
  struct pl_link queued, running, ended;
  size_t counts[PL_JOB_STATES];
  bool wait; /* a pusher was told to wait */
  bool busy; /* something was pushed since it was idle */
  bool closed;
  struct pl_task pump;
};

/* Prepares a queue. Borrows it until pl_queue_close(). config: copied. */
void pl_queue_init(struct pl_loop *loop, struct pl_queue *queue,
                   const struct pl_queue_config *config);

/*
 * Takes a job, zeroed but for its functions, and borrows it until `ended`.
 * Returns 1, or 0: taken, but the pusher should wait for `drained`. Jobs begin
 * in the order of their pushes, from the tick queue.
 * Errors, told by the return value alone: PL_ENOBUFS, no room: dropped.
 * PL_EBUSY: it is in a queue. PL_ECANCELED: the queue is closed.
 */
int pl_queue_push(struct pl_queue *queue, struct pl_job *job);

/* Ends a running job. Returns 1, or 0 when it does not run: it has timed out,
 * say. */
int pl_job_settle(struct pl_job *job, int error);

/* Takes back a job that is queued. Returns 1, or 0 when it is not. */
int pl_job_drop(struct pl_job *job);

/* How many jobs are queued or running at present, or have ended so. */
size_t pl_queue_count(const struct pl_queue *queue, enum pl_job_state state);

/* Drops all; nothing of it is called any more. Queue and jobs are the caller's
 * when the tick queue has been drained. */
void pl_queue_close(struct pl_queue *queue);

#endif

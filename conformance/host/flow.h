/* SPDX-License-Identifier: MIT */
/*
 * flow.h: emitters, flows of tasks and queues of jobs of a run: what
 * flow_read.c reads, and flow.c does.
 *
 * Invariant: what is thrown stands in run->thrown as a number from FLOW_THROWN
 * on; message_of() says which message it is.
 */
#ifndef HOST_FLOW_H
#define HOST_FLOW_H

#include "run.h"

enum { FLOW_THROWN = 1 << 20 };

struct flow_args {
  int of; /* slots; -1: none */
  int listener;
  const char *event; /* NULL: all */
  const char *value; /* JSON text */
  const char *error; /* a message, or NULL */
  const char *message;
  unsigned most, limit;
  size_t high, capacity;
  uint32_t timeout;
  bool once, prepend;
  enum flow_show { FLOW_COUNT, FLOW_NAMES, FLOW_MOST } show;
  enum pl_flow_how how;
  enum pl_job_is state;
  struct body job, drained, idle;
};

/* An operation of this area, or NULL. */
const struct operation *flow_operation(const char *name);

void flow_emitter(struct run *, const struct op *, const struct call *);
void flow_on(struct run *, const struct op *, const struct call *);
void flow_off(struct run *, const struct op *, const struct call *);
void flow_emit(struct run *, const struct op *, const struct call *);
void flow_show(struct run *, const struct op *, const struct call *);
void flow_set_most(struct run *, const struct op *, const struct call *);
void flow_throw(struct run *, const struct op *, const struct call *);
void flow_make(struct run *, const struct op *, const struct call *);
void flow_add_task(struct run *, const struct op *, const struct call *);
void flow_start(struct run *, const struct op *, const struct call *);
void flow_settle(struct run *, const struct op *, const struct call *);
void flow_queue(struct run *, const struct op *, const struct call *);
void flow_push(struct run *, const struct op *, const struct call *);
void flow_drop(struct run *, const struct op *, const struct call *);
void flow_jobs(struct run *, const struct op *, const struct call *);

/* Nobody catches what was thrown: the run fails, if it was thrown here. */
bool flow_uncaught(struct run *run, const struct op *op);

/* Nothing of this area is called any more; then, when the ticks were drained,
 * its memory is freed. */
void flow_silence(struct run *run);
void flow_free(struct run *run);

#endif

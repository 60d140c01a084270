/* SPDX-License-Identifier: MIT */
/*
 * A session: one adapter process, spoken to by the protocol.
 *
 * Invariants:
 *  - every wait has a time limit;
 *  - a session whose run came back `over` is never read from or written to
 *    again: its process group is killed, and the next case gets a fresh one.
 */
#ifndef PL_RUNNER_SESSION_H
#define PL_RUNNER_SESSION_H

#include <jansson.h>
#include <stdbool.h>

#include "audit.h"
#include "process.h"
#include "protocol.h"
#include "schema.h"

struct pl_session_plan {
  struct pl_driver *driver;
  char **argv;
  unsigned start_ms;              /* time limit of the answer to start */
  const struct pl_schema *schema; /* holds for every message; or NULL */
};

struct pl_session {
  const struct pl_session_plan *plan;
  struct pl_process *process;
  json_t *hello;          /* the answer to start, once it has come */
  uint64_t answer_by;     /* the time limit of that */
  long long seq;          /* of the last request */
  bool (*others)(void *); /* whether processes that the program left live */
  void *others_data;
  struct pl_pids helpers; /* descendants it had when it answered start */
};

enum pl_run_kind {
  PL_RUN_TRACE,
  PL_RUN_UNSUPPORTED,
  PL_RUN_ERROR, /* the adapter said so, or broke the protocol */
  PL_RUN_TIMEOUT,
  PL_RUN_CRASH,
  PL_RUN_INTERRUPTED
};

struct pl_run {
  enum pl_run_kind kind;
  json_t *events;   /* a checked array; what came so far, or NULL */
  json_t *evidence; /* object or NULL */
  char *detail;     /* what happened, in words, or NULL */
  bool over;        /* the session must be ended */
  double late_ms;   /* with PL_RUN_TIMEOUT: how late it was noticed */
};

/* Starts the adapter and tells it to start, without waiting for its answer.
 * `env` NULL: this process's own. Gives the session, end with
 * pl_session_end(); or NULL with why in `*error`. */
struct pl_session *pl_session_begin(const struct pl_session_plan *plan,
                                    char **env, char **error);

/* Waits for the answer to start. Returns whether it is a good one; else takes
 * the session, which has ended, and gives why in `*error` (NULL:
 * interrupted). */
bool pl_session_ready(struct pl_session *session, char **error);

/* Runs one program; `request->seq` is filled in. With `request->stream` the
 * session is used up: events are read until the process has ended, which is
 * the trace's last event. With `request->trace`, a FIFO, they come from there,
 * of all processes of the program, until none of them is left; the request
 * stands in the file of that name with `.json` behind it. */
void pl_session_run(struct pl_session *session, struct pl_request *request,
                    unsigned timeout_ms, struct pl_run *run);
void pl_run_free(struct pl_run *run);

/* Returns what the adapter did unasked since its last answer (it ended, or
 * printed more), or NULL; free with free(). The session must then be ended. */
char *pl_session_unasked(struct pl_session *session);

/* Asks it to stop and waits `polite_ms` (0: does not ask), then kills what is
 * left. Takes `session`, which may be NULL. Returns whether it ended by
 * itself with status 0. */
bool pl_session_end(struct pl_session *session, unsigned polite_ms);

/* Gives the name of a signal: SIGKILL. */
char *pl_signal_name(int number);

#endif

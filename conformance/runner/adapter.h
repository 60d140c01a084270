/* SPDX-License-Identifier: MIT */
/*
 * The adapter under test, kept running: one shared session for most cases,
 * a fresh process for those that ask for it, and spares that start while such
 * a process runs, for the next of them.
 *
 * Invariants:
 *  - after each run no process that it started is left, but the shared
 *    session's own;
 *  - a session that broke is gone before the next run, which meets a fresh
 *    one;
 *  - a start that fails counts as one of the tries, spare or not; and nothing
 *    of a spare is taken for a leftover;
 *  - nothing starts while the shared session runs a program;
 *  - no descriptor outlives its session.
 */
#ifndef PL_RUNNER_ADAPTER_H
#define PL_RUNNER_ADAPTER_H

#include <jansson.h>

#include "corpus.h"
#include "session.h"
#include "spares.h"

struct pl_adapter {
  struct pl_driver driver;
  struct pl_session_plan plan;
  struct pl_session *shared;     /* NULL: none runs now */
  struct pl_session *alone;      /* a run's own, while it lasts; or NULL */
  struct pl_spares spares;       /* for the runs that come */
  json_t *hello;                 /* the first answer to start */
  char *fatal;                   /* why the run cannot go on */
  struct pl_text faults;         /* what went wrong outside of any case */
  const char *last_id;           /* of the last shared case; borrowed */
  bool obeyed_stop;              /* ended by itself, with 0, when asked to */
  unsigned sessions;             /* processes started */
  int files_before, files_after; /* own descriptors without any session */
};

/* What a case's runs leave behind for the report. */
struct pl_trail {
  struct pl_text leaks; /* processes that were found and killed */
  char *log;            /* the end of stderr, of the last run that wrote any */
};

enum pl_progress { PL_WENT_ON, PL_INTERRUPTED, PL_GAVE_UP };

/* Starts the adapter for the first time. `plan` is copied; its driver is
 * filled in. With PL_GAVE_UP, `adapter->fatal` says why. */
enum pl_progress pl_adapter_open(struct pl_adapter *adapter,
                                 const struct pl_session_plan *plan);

/* Runs a program in the shared session, starting it if need be. */
enum pl_progress pl_adapter_run(struct pl_adapter *adapter,
                                struct pl_request *request, unsigned timeout_ms,
                                struct pl_run *run, struct pl_trail *trail);

/* Runs a program in a process of its own, with the case's environment; its
 * end is the trace's last event. `next` are the `count` cases of the runs
 * after this one that get such a process, too: these start meanwhile. */
enum pl_progress pl_adapter_run_alone(struct pl_adapter *adapter,
                                      const struct pl_case *item,
                                      const struct pl_case *const *next,
                                      size_t count, struct pl_request *request,
                                      unsigned timeout_ms, struct pl_run *run,
                                      struct pl_trail *trail);

/* Ends the adapter, finds what it left behind, releases everything but
 * `fatal` and `faults`. */
void pl_adapter_close(struct pl_adapter *adapter);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The judge: runs a case on the adapter and reaches its verdict.
 *
 * Invariants:
 *  - a verdict is reached here and nowhere else;
 *  - after each case no process of it is left, and after a case whose session
 *    broke, the next case meets a fresh adapter;
 *  - the adapter is never told the case's id, rule or expectation.
 */
#ifndef PL_RUNNER_JUDGE_H
#define PL_RUNNER_JUDGE_H

#include <jansson.h>
#include <stdbool.h>

#include "corpus.h"
#include "explain.h"
#include "histogram.h"
#include "scratch.h"
#include "session.h"
#include "verdict.h"

struct pl_judge {
  struct pl_driver driver;
  struct pl_session_plan plan;
  struct pl_session *shared; /* NULL: none runs now */
  struct pl_scratch scratch;
  json_t *hello;             /* the first answer to start */
  const struct pl_expectations *known;
  unsigned repeat;           /* 1: none */
  unsigned timeout_ms;       /* 0: each case's own */
  char *fatal;               /* why the run cannot go on */
  struct pl_text faults;     /* what went wrong outside of any case */
  const char *last_id;       /* of the case before */
  double latest_ms;          /* the worst delay of a time-out */
  unsigned sessions;         /* processes started */
  int files_before, files_after; /* own descriptors without any session */
};

struct pl_outcome {
  enum pl_verdict verdict;
  struct pl_expected expected;
  bool unexpected;
  unsigned runs;
  double duration_ms;
  struct pl_histogram traces;
  struct pl_explanation *explanation;
  char *detail, *log;
  json_t *evidence;
};

enum pl_judged { PL_JUDGED, PL_JUDGE_INTERRUPTED, PL_JUDGE_FATAL };

/* Starts the adapter for the first time. `plan` is copied; its driver is
 * filled in. With PL_JUDGE_FATAL, `judge->fatal` says why. */
enum pl_judged pl_judge_open(struct pl_judge *judge,
                             const struct pl_session_plan *plan);

/* Judges a case. Gives `outcome`, free with pl_outcome_free(); only with
 * PL_JUDGED is it filled. */
enum pl_judged pl_judge_case(struct pl_judge *judge,
                             const struct pl_case *item,
                             struct pl_outcome *outcome);
void pl_outcome_free(struct pl_outcome *outcome);

/* Ends the adapter, finds what it left behind, releases everything but
 * `fatal` and `faults`. */
void pl_judge_close(struct pl_judge *judge);

#endif

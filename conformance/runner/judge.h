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

#include "adapter.h"
#include "corpus.h"
#include "explain.h"
#include "histogram.h"
#include "scratch.h"
#include "verdict.h"

struct pl_judge {
  struct pl_adapter adapter;
  struct pl_scratch scratch;
  char *peer; /* the path of plumb-peer */
  const struct pl_expectations *known;
  unsigned repeat;     /* 1: none */
  unsigned timeout_ms; /* 0: each case's own */
  double latest_ms;    /* the worst delay of a time-out */
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

/* Starts the adapter for the first time. With PL_GAVE_UP,
 * `judge->adapter.fatal` says why. */
enum pl_progress pl_judge_open(struct pl_judge *judge,
                               const struct pl_session_plan *plan);

/* Says whether a case is asked of this adapter at all. */
bool pl_judge_asks(const struct pl_judge *judge, const struct pl_case *item);

/* Judges a case. `rest` are the `count` cases that are judged after it, among
 * those that are asked. Gives `outcome`, free with pl_outcome_free(); only
 * with PL_WENT_ON is it filled. */
enum pl_progress pl_judge_case(struct pl_judge *judge,
                               const struct pl_case *item,
                               const struct pl_case *const *rest, size_t count,
                               struct pl_outcome *outcome);
void pl_outcome_free(struct pl_outcome *outcome);

/* Ends the adapter; see pl_adapter_close(). */
void pl_judge_close(struct pl_judge *judge);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Explanations: the one thing that is wrong with a trace.
 *
 * The longest viable prefix tells where the trace left every allowed one. What
 * is wrong there is found by trying the smallest edits (give the event another
 * value, move an event, add one, drop one) and keeping the edit after which
 * most of the trace is allowed.
 *
 * Invariant: an explanation never depends on how long a search takes: the
 * number of edits tried is bounded.
 */
#ifndef PL_RUNNER_EXPLAIN_H
#define PL_RUNNER_EXPLAIN_H

#include <stddef.h>

#include "pattern.h"

enum pl_why {
  PL_WHY_VALUE,   /* the right event with the wrong value */
  PL_WHY_ORDER,   /* `before` should have come before `after` */
  PL_WHY_MISSING, /* an event never came, others went on */
  PL_WHY_EXTRA,   /* an event that nothing allows */
  PL_WHY_END,     /* the trace ended too early */
  PL_WHY_PROCESS  /* the process ended otherwise than allowed */
};

struct pl_explanation {
  enum pl_why why;
  size_t at; /* index in the trace */
  char *summary;
  char **expected; /* labels possible there */
  size_t expected_count;
  char *before, *after; /* with PL_WHY_ORDER, else NULL */
};

const char *pl_why_name(enum pl_why why);

/* Explains why `trace`, which does not match, does not. Gives the
 * explanation, free with pl_explanation_free(). */
struct pl_explanation *pl_explain(struct pl_pattern *pattern,
                                  const struct pl_trace *trace);
void pl_explanation_free(struct pl_explanation *explanation);

#endif

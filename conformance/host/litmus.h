/* SPDX-License-Identifier: MIT */
/*
 * litmus.h: holds the patterns of the corpus against what an exploration
 * finds: a litmus test allows exactly the traces that there are.
 */
#ifndef HOST_LITMUS_H
#define HOST_LITMUS_H

#include "corpus.h"
#include "explore.h"
#include "scratch.h"
#include "select.h"

#include <stdio.h>

struct litmus_options {
  const struct library *library;
  const struct explore_limits *limits;
  const struct pl_selection *selection;
  bool all;     /* also cases with a single run */
  bool verbose; /* a line for each case */
  FILE *out;
};

/* What became of the cases that were selected. */
struct litmus_totals {
  size_t exact;       /* the pattern and the exploration agree */
  size_t subset;      /* the pattern may allow more, and says why */
  size_t skipped;     /* the case says why */
  size_t unsupported; /* the provider cannot run it */
  size_t wrong;       /* they disagree, or the case could not be explored */
  size_t runs;
};

/* Checks every selected case of the corpus, and says what disagrees. */
void litmus_check(const struct litmus_options *options,
                  struct pl_scratch *scratch, const struct pl_corpus *corpus,
                  struct litmus_totals *totals);

/* Explores a case of the corpus, in a directory below `scratch`. Orders that
 * are only usual are free, unless the case is of a rule that observes them.
 * With EXPLORE_FAILED `*unsupported` says whether the provider lacks something.
 */
enum explored litmus_explore(const struct library *library,
                             const struct explore_limits *limits,
                             struct pl_scratch *scratch,
                             const struct pl_case *item,
                             struct exploration *found, bool *unsupported);

#endif

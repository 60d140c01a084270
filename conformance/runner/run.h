/* SPDX-License-Identifier: MIT */
/*
 * A run: the selected cases, one after the other, through cmocka.
 *
 * Invariant: whatever ends a run early (a stop signal, an adapter that will
 * not start, a disk that is full), the adapter is ended, and the results are
 * closed with complete:false where that can still be written.
 */
#ifndef PL_RUNNER_RUN_H
#define PL_RUNNER_RUN_H

#include "corpus.h"
#include "options.h"

enum {
  PL_EXIT_GOOD,
  PL_EXIT_UNEXPECTED,
  PL_EXIT_NOTHING,
  PL_EXIT_INTERRUPTED = 130
};

/* Runs `cases` of `corpus`. Returns the exit status; what a user must know is
 * on stderr. */
int pl_run(const struct pl_options *options, const struct pl_corpus *corpus,
           struct pl_case *const *cases, size_t count, int argc, char **argv);

#endif

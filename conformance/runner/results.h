/* SPDX-License-Identifier: MIT */
/*
 * results.jsonl: a header, a line per case, a footer with totals.
 *
 * Invariant: each line is written and flushed whole before the next case
 * runs; a file without a footer is truncated, a footer with complete:false
 * says that the run was interrupted.
 */
#ifndef PL_RUNNER_RESULTS_H
#define PL_RUNNER_RESULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "judge.h"

struct pl_results {
  FILE *file; /* NULL: nothing is written, totals are kept all the same */
  const char *path;
  uint64_t begin;
  unsigned totals[PL_VERDICT_COUNT];
  unsigned unexpected;
  char *error; /* the first write error */
};

/* What the header tells, beside the answer to start. */
struct pl_run_facts {
  const char *suite;
  int argc;
  char **argv;
  size_t selected;
  unsigned seed;
};

/* Opens the file (NULL: none) and empties it. Returns 0, or -1 with
 * `results->error`. */
int pl_results_open(struct pl_results *results, const char *path);

/* Each returns 0, or -1 with `results->error` once a write has failed. */
int pl_results_header(struct pl_results *results, const json_t *hello,
                      const struct pl_run_facts *facts);
int pl_results_case(struct pl_results *results, const struct pl_case *item,
                    const struct pl_outcome *outcome);
int pl_results_footer(struct pl_results *results, bool complete,
                      const char *detail);

/* Closes the file. Returns 0, or -1 with `results->error`. */
int pl_results_close(struct pl_results *results);

#endif

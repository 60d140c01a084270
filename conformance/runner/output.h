/* SPDX-License-Identifier: MIT */
/*
 * What a person or a CI sees: cmocka's text, TAP or JUnit.
 *
 * Each case is a cmocka test. cmocka 1.1 writes to stdout and stderr; while
 * its tests run both are taken over, line by line, so that everything ends up
 * in one place and in order, and so that a skipped test is `ok` in TAP.
 *
 * Invariant: outside pl_output_begin() and pl_output_end(), stdout and stderr
 * are the process's own.
 */
#ifndef PL_RUNNER_OUTPUT_H
#define PL_RUNNER_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "judge.h"
#include "options.h"

struct pl_output;

/* Opens where the output goes (NULL: stdout). Gives the output, or NULL with
 * `*error`. */
struct pl_output *pl_output_open(enum pl_format format, const char *path,
                                 bool quiet, char **error);

/* Takes stdout and stderr over, and gives them back. */
void pl_output_begin(struct pl_output *output);
void pl_output_end(struct pl_output *output);

/* Ends the current cmocka test by an outcome: returns for a pass, jumps out
 * for a failure or a skip. Takes the outcome. `hint` may be NULL. */
void pl_output_verdict(struct pl_output *output, const struct pl_case *item,
                       struct pl_outcome *outcome, const char *hint);

/* Says why nothing more is shown (once), and skips the current test. */
void pl_output_bail(struct pl_output *output, const char *why);

/* Gives a test's name in the form that the format can hold. */
char *pl_output_name(const struct pl_output *output, const char *id);

/* Adds a line for people after the tests. */
void pl_output_say(struct pl_output *output, const char *words);

/* Closes it. Returns 0, or -1 when something could not be written. */
int pl_output_close(struct pl_output *output);

#endif

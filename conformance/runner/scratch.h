/* SPDX-License-Identifier: MIT */
/*
 * Directories for programs: one shared empty one, fresh ones for cases that
 * bring files.
 *
 * Invariant: everything is below one new directory that is removed at the
 * end; no file of a case is ever written outside its own directory.
 */
#ifndef PL_RUNNER_SCRATCH_H
#define PL_RUNNER_SCRATCH_H

#include <jansson.h>

struct pl_scratch {
  char *base;
  char *shared; /* for programs without files */
  unsigned made;
};

/* Makes the directories below $TMPDIR. Returns 0, or -1 with `*error`. */
int pl_scratch_open(struct pl_scratch *scratch, char **error);
void pl_scratch_close(struct pl_scratch *scratch);

/* Makes a fresh directory with `files` (relative path -> content) in it.
 * Gives its path, remove and free with pl_scratch_drop(); NULL with
 * `*error`. */
char *pl_scratch_make(struct pl_scratch *scratch, const json_t *files,
                      char **error);
void pl_scratch_drop(char *path);

/* Makes the FIFO that the processes of a program write to, in a directory that
 * pl_scratch_make() gave. Returns its path, free with free(); NULL with why in
 * `*error`. */
char *pl_scratch_trace(const char *dir, char **error);

#endif

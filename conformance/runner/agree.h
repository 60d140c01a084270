/* SPDX-License-Identifier: MIT */
/*
 * Agreement of a pattern with a set of traces: does it allow exactly these?
 *
 * Invariant: nothing is sampled. A pattern agrees when each trace of the set
 * matches it, and when at no place a trace that it allows goes on, or ends,
 * as none of the set does. A value that the pattern leaves open (a range, a
 * type) is covered by one value of the set.
 */
#ifndef PL_RUNNER_AGREE_H
#define PL_RUNNER_AGREE_H

#include <stdbool.h>
#include <stddef.h>

#include "memory.h"
#include "pattern.h"

enum pl_disagreement_kind {
  PL_TOO_NARROW, /* a trace of the set is forbidden */
  PL_TOO_WIDE,   /* an allowed trace is not in the set */
  PL_TOO_BIG     /* the pattern has too many states to be looked at */
};

struct pl_disagreement {
  enum pl_disagreement_kind kind;
  size_t trace;     /* too narrow: its index in the set */
  size_t at;        /* too narrow: the first event that is not allowed */
  const char *text; /* too wide: such a trace, "[a, b, at least 3]" */
};

/* What to look for. */
enum { PL_AGREE_NARROW = 1, PL_AGREE_WIDE = 2 };

/*
 * Compares the pattern with a set of different traces and tells of the
 * disagreements, of each kind at most `most`. Returns how many were found,
 * or would have been told.
 */
size_t
pl_pattern_agree(struct pl_pattern *pattern, const struct pl_trace *traces,
                 size_t count, unsigned what, size_t most,
                 void (*tell)(void *self, const struct pl_disagreement *found),
                 void *self);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The smoke cases: the least that an adapter must get right, each with the
 * advice that its author needs when it does not.
 *
 * Invariant: a smoke case tells about the plumbing alone, never about how an
 * implementation orders things.
 */
#ifndef PL_RUNNER_SMOKE_H
#define PL_RUNNER_SMOKE_H

#include "corpus.h"

/* Makes the corpus of smoke cases. Returns 0, or -1 with `*error`. */
int pl_smoke_load(struct pl_corpus *corpus, char **error);

/* Returns the advice that belongs to a smoke case, or NULL. */
const char *pl_smoke_hint(const char *id);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Selection: which cases of a corpus run.
 *
 * Invariant: the shards 1/n to n/n of a selection have no case in common and
 * leave none out, and where a case goes depends on its id alone.
 */
#ifndef PL_RUNNER_SELECT_H
#define PL_RUNNER_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "corpus.h"

struct pl_selection {
  char **include; /* none: everything */
  size_t includes;
  char **exclude;
  size_t excludes;
  unsigned shard, shards; /* shard from 1; shards 0: no sharding */
};

/* Says whether `text` matches a glob: `*` any run, also over `/`, `?` any one
 * character, `[a-z]`, `[!a-z]`. */
bool pl_glob_matches(const char *glob, const char *text);

/* Says whether a selector names a case: a glob over the full id, a subtree
 * (`loop`, `loop/timeouts`), or a rule's id. */
bool pl_selector_matches(const char *selector, const struct pl_case *item);

bool pl_selection_has(const struct pl_selection *selection,
                      const struct pl_case *item);

/* Reads `k/n`, 1 <= k <= n. Returns 0 or -1. */
int pl_shard_read(const char *text, unsigned *shard, unsigned *shards);

#endif

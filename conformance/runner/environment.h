/* SPDX-License-Identifier: MIT */
/*
 * The environment that a case's own process gets: this process's, with the
 * case's on top.
 *
 * Invariant: two environments with equal keys are equal.
 */
#ifndef PL_RUNNER_ENVIRONMENT_H
#define PL_RUNNER_ENVIRONMENT_H

#include <stddef.h>

#include "corpus.h"

struct pl_environment {
  char **at;  /* NULL-terminated, for exec */
  size_t own; /* that many at the end are ours, the others the process's */
  char *key;  /* what the case asks for, as text; may be taken */
};

/* Gives the environment of a case; release with pl_environment_free().
 * Borrows this process's own until then. */
struct pl_environment pl_environment_of(const struct pl_case *item);
void pl_environment_free(struct pl_environment *environment);

#endif

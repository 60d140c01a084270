/* SPDX-License-Identifier: MIT */
/*
 * Verdicts, and which of them are expected of whom.
 *
 * Invariant: a verdict that no expectation names is unexpected unless it is
 * pass or one that judges nothing (unsupported, inconclusive, differs,
 * disputed); a known failure that passes is unexpected.
 */
#ifndef PL_RUNNER_VERDICT_H
#define PL_RUNNER_VERDICT_H

#include <jansson.h>
#include <stdbool.h>

#include "corpus.h"

/* name, judges: says something about the implementation */
#define PL_VERDICTS(X)                                                         \
  X(PASS, "pass", true)                                                        \
  X(FAIL, "fail", true)                                                        \
  X(DIFFERS, "differs", true)                                                  \
  X(UNSUPPORTED, "unsupported", false)                                         \
  X(INCONCLUSIVE, "inconclusive", false)                                       \
  X(TIMEOUT, "timeout", true)                                                  \
  X(CRASH, "crash", true)                                                      \
  X(ERROR, "error", false)                                                     \
  X(LEAKED, "leaked", true)                                                    \
  X(FLAKY, "flaky", true)                                                      \
  X(DISPUTED, "disputed", false)

enum pl_verdict {
#define X(name, text, judges) PL_VERDICT_##name,
  PL_VERDICTS(X)
#undef X
      PL_VERDICT_COUNT
};

const char *pl_verdict_name(enum pl_verdict verdict);
bool pl_verdict_judges(enum pl_verdict verdict);

/* Finds a verdict by name. Returns whether there is one. */
bool pl_verdict_find(const char *name, enum pl_verdict *verdict);

/* What is expected of one case. */
struct pl_expected {
  unsigned verdicts;  /* bit per verdict */
  const char *reason; /* of a known failure; borrowed; NULL: none known */
};

/* The known failures of one implementation. */
struct pl_expectations {
  json_t *root;
  const json_t *entries; /* of the implementation; NULL: none */
  const char *version;
};

/* Reads expectations.json. Returns 0, or -1 with what is wrong in `*error`. */
int pl_expectations_load(struct pl_expectations *known, const char *path,
                         char **error);

/* Reads expectations from JSON; takes `root` on success. */
int pl_expectations_read(struct pl_expectations *known, json_t *root,
                         char **error);

/* Names whose they are; `version` is borrowed. */
void pl_expectations_choose(struct pl_expectations *known,
                            const char *implementation, const char *version);
void pl_expectations_free(struct pl_expectations *known);

/* Returns what is expected of a case: the first entry that names it and the
 * version, else pass. */
struct pl_expected pl_expectations_of(const struct pl_expectations *known,
                                      const struct pl_case *item);

bool pl_verdict_unexpected(enum pl_verdict verdict,
                           const struct pl_expected *expected);

/* Says whether `version` begins with the dotted components of `prefix`. */
bool pl_version_matches(const char *prefix, const char *version);

#endif

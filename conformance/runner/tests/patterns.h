/* SPDX-License-Identifier: MIT */
/*
 * Short notation for tests: patterns and traces as JSON text, with ' for ".
 *
 * Invariant: what a helper compiles it releases before it returns, except
 * where it gives something.
 */
#ifndef PL_TEST_PATTERNS_H
#define PL_TEST_PATTERNS_H

#include <jansson.h>
#include <stdbool.h>

#include "explain.h"
#include "pattern.h"

/* Gives the JSON of `text`, in which ' stands for ". */
json_t *parse_quoted(const char *text);

/* Matches a trace such as "['a',['b',3]]". */
enum pl_match match_quoted(const char *pattern, const char *trace);
bool allows(const char *pattern, const char *trace);

/* Gives the explanation of a trace that does not match; free with
 * pl_explanation_free(). */
struct pl_explanation *explain_quoted(const char *pattern, const char *trace);

/* Gives why a pattern does not compile, NULL when it does. */
char *why_not_compiled(const char *pattern);

#endif

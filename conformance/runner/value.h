/* SPDX-License-Identifier: MIT */
/*
 * Value matchers: what a pattern may ask of an event's value.
 *
 *   {"is": literal}  {"min": a, "max": b}  {"near": x, "within": y}
 *   {"type": "string|number|boolean|null"}  {"same_as": "label"}
 *
 * Invariant: a matcher that pl_value_check accepts gives an answer for every
 * value; numbers are compared as numbers, so 3 is 3.0.
 */
#ifndef PL_RUNNER_VALUE_H
#define PL_RUNNER_VALUE_H

#include <jansson.h>
#include <stdbool.h>

#include "memory.h"
#include "trace.h"

/* Returns NULL when `match` is a matcher, else what is wrong with it (static
 * text). */
const char *pl_value_check(const json_t *match);

/* Says whether `value` meets a checked matcher; `trace` is where same_as
 * looks. */
bool pl_value_matches(const json_t *match, const json_t *value,
                      const struct pl_trace *trace);

/* Adds a matcher in words: `at least 10`, `between 1 and 3`. */
void pl_value_describe(const json_t *match, struct pl_text *text);

/* Adds a value as JSON. */
void pl_value_show(const json_t *value, struct pl_text *text);

#endif

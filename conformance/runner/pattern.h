/* SPDX-License-Identifier: MIT */
/*
 * Patterns: which traces are allowed.
 *
 *   {"seq":[...]} {"ev":"label","value":MATCH?} {"any":[...]}
 *   {"interleave":[...]} {"atomic":P} {"one":[...]} {"opt":P}
 *   {"repeat":P,"min":n,"max":m|null}
 *
 * Invariant: the cost of a match is (events) x (live states), and states are
 * sets of equal remainders, not of ways to reach them. A pattern whose states
 * outgrow PL_PATTERN_MAX_STATES (or _BYTES) is answered PL_MATCH_TOO_BIG,
 * never waited for.
 */
#ifndef PL_RUNNER_PATTERN_H
#define PL_RUNNER_PATTERN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "term.h"
#include "trace.h"

#define PL_PATTERN_MAX_STATES 20000u
#define PL_PATTERN_MAX_BYTES ((size_t)256 << 20)

struct pl_pattern {
  struct pl_term_table table;
  struct pl_term *root;
  uint32_t step; /* stamps state sets */
};

/* The states that are alive at a place in a trace. */
struct pl_states {
  struct pl_term **at;
  size_t count;
  size_t room;
};

enum pl_match { PL_MATCH_YES, PL_MATCH_NO, PL_MATCH_TOO_BIG };

/* Compiles `ir`, which must outlive the pattern. Returns 0, or -1 with what
 * is wrong in `*error` (free with free()). */
int pl_pattern_compile(struct pl_pattern *pattern, const json_t *ir,
                       char **error);
void pl_pattern_free(struct pl_pattern *pattern);

/* Matches a whole trace. With PL_MATCH_NO, `*at` is the index of the first
 * event that no allowed trace has there (trace->count: the trace ended too
 * early) and `states` what was alive before it; release with
 * pl_states_free(). Both may be NULL. */
enum pl_match pl_pattern_match(struct pl_pattern *pattern,
                               const struct pl_trace *trace, size_t *at,
                               struct pl_states *states);

/* Adds the event terms with which one of the states may go on, each once. */
void pl_pattern_first(struct pl_pattern *pattern,
                      const struct pl_states *states, struct pl_states *first);

/* Replaces `*next` by the states behind event `at` of the trace, from those in
 * `now`. Returns false when there are too many. */
bool pl_pattern_step(struct pl_pattern *pattern, const struct pl_trace *trace,
                     size_t at, const struct pl_states *now,
                     struct pl_states *next);

/* Says whether an event term is met by event `at` of the trace. */
bool pl_term_takes(const struct pl_term *term, const struct pl_trace *trace,
                   size_t at);

/* Says whether the trace may end in one of the states. */
bool pl_states_nullable(const struct pl_states *states);

void pl_states_free(struct pl_states *states);

#endif

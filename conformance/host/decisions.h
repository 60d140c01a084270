/* SPDX-License-Identifier: MIT */
/*
 * decisions.h: what was asked during an exploration, and which answers lead
 * to which trace.
 *
 *     place -> nothing yet | a question | a trace | the same as at that place
 *                              |
 *                              +-- option 0 -> place, option 1 -> place, ...
 *
 * Once everything is known it is reduced: what leads to the same is one
 * decision, and a question whose answers make no difference is none.
 */
#ifndef HOST_DECISIONS_H
#define HOST_DECISIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decisions;

/* Gives an empty tree, free with decisions_free(). */
struct decisions *decisions_new(void);
void decisions_free(struct decisions *all);

/* The place where every run begins. */
enum { DECISIONS_ROOT = 0 };

/* Puts a question at an empty place ("question: first|second"; copied) and
 * gives its number. */
uint32_t decisions_ask(struct decisions *all, uint32_t place, const char *what,
                       unsigned options);
/* The place that an answer leads to. */
uint32_t decisions_answer(const struct decisions *all, uint32_t question,
                          unsigned option);
unsigned decisions_options(const struct decisions *all, uint32_t question);
/* What an empty place leads to: a trace, or what another place leads to. */
void decisions_trace(struct decisions *all, uint32_t place, uint32_t trace);
void decisions_same(struct decisions *all, uint32_t place, uint32_t as);

/* Reduces the tree. Nothing may be put into it afterwards; what was left empty
 * leads nowhere. */
void decisions_reduce(struct decisions *all);

/*
 * The reduced tree as JSON; give, free with json_decref():
 *
 *   tree   {"root": R, "decisions": [{"what": "...", "options": [{"answers":
 *          ["0 ms", ...], "to": R}, ...]}, ...]}, with R a {"decision": n}, a
 *          {"trace": n} or null
 *   way    ["question: answer", ...], the shortest way to a trace
 */
json_t *decisions_json(const struct decisions *all);
json_t *decisions_way(const struct decisions *all, uint32_t trace);

#endif

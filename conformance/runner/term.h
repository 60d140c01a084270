/* SPDX-License-Identifier: MIT */
/*
 * Terms: the states of a pattern while it is being matched.
 *
 * A pattern is a regular expression with shuffle. Matching derives it by one
 * event after the other (Antimirov's partial derivatives): what is left to be
 * matched is again a term. Terms are hash-consed: equal terms are one object,
 * and the children of unordered terms are kept sorted, so that two ways to
 * the same remainder meet in one state and a set of states stays small.
 *
 * Invariants:
 *  - equal terms have equal addresses within one table;
 *  - `nullable` says that a term matches the empty trace;
 *  - a `locked` term is inside an atomic block: in a shuffle only it may move,
 *    and it is never nullable (its end is a state of its own).
 */
#ifndef PL_RUNNER_TERM_H
#define PL_RUNNER_TERM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pl_term_kind {
  PL_TERM_EMPTY,   /* nothing more */
  PL_TERM_EVENT,   /* one event */
  PL_TERM_SEQ,     /* child 0, then child 1 */
  PL_TERM_SHUFFLE, /* every merge of the children */
  PL_TERM_ANY,     /* the children in any order, each whole */
  PL_TERM_ONE,     /* one of the children */
  PL_TERM_REPEAT,  /* child 0, min to max times */
  PL_TERM_ATOMIC,  /* child 0, not begun; nothing may come between */
  PL_TERM_LOCKED   /* child 0, the rest of an atomic block that has begun */
};

#define PL_TERM_NO_MAX (-1)

struct pl_term {
  enum pl_term_kind kind;
  bool nullable;
  bool locked;
  uint32_t id;   /* order of birth; the sort key of children */
  uint32_t mark; /* last step in which it was put into a state set */
  uint64_t hash;
  struct pl_term *next; /* in its bucket */
  const char *label;    /* event; borrowed from the pattern's JSON */
  const json_t *match;  /* event; NULL: no value */
  int64_t min, max;     /* repeat */
  size_t count;
  struct pl_term *child[];
};

struct pl_term_table {
  struct pl_term **bucket;
  size_t buckets;
  size_t count;
  size_t bytes; /* allocated for terms */
  struct pl_term *empty;
};

void pl_term_table_init(struct pl_term_table *table);
void pl_term_table_free(struct pl_term_table *table);

/* The makers below give terms that the table owns; each returns the simplest
 * equal term. `child` is read, and may be reordered, but is not kept. */
struct pl_term *pl_term_event(struct pl_term_table *table, const char *label,
                              const json_t *match);
struct pl_term *pl_term_seq(struct pl_term_table *table, struct pl_term *head,
                            struct pl_term *tail);
struct pl_term *pl_term_shuffle(struct pl_term_table *table,
                                struct pl_term **child, size_t count);
struct pl_term *pl_term_any(struct pl_term_table *table, struct pl_term **child,
                            size_t count);
struct pl_term *pl_term_one(struct pl_term_table *table, struct pl_term **child,
                            size_t count);
struct pl_term *pl_term_repeat(struct pl_term_table *table, struct pl_term *of,
                               int64_t min, int64_t max);
struct pl_term *pl_term_atomic(struct pl_term_table *table, struct pl_term *of);
struct pl_term *pl_term_locked(struct pl_term_table *table, struct pl_term *of);

#endif

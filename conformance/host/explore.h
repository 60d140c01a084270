/* SPDX-License-Identifier: MIT */
/*
 * explore.h: every trace that a program may leave, found by running it again
 * and again with other answers to what the provider asks.
 *
 * The provider is one that explores (provider.h, struct pl_exploration).
 */
#ifndef HOST_EXPLORE_H
#define HOST_EXPLORE_H

#include "decisions.h"
#include "library.h"
#include "program.h"

/* What is appended to the trace of a loop that sleeps or turns for ever. */
#define EXPLORE_STUCK "\"never-ends\""

struct explore_limits {
  size_t runs;       /* replays */
  size_t choices;    /* questions within one run */
  size_t turns;      /* poll phases within one run */
  unsigned slack_ms; /* time that may pass unasked in a run, in all */
  unsigned late_ms;  /* how late a job may begin, and end */
  bool any_order;    /* also orders that are only usual (provider.h) */
  bool no_merge;     /* explore a state again each time: slow, for tests */
  const char *like;  /* NULL, or the only trace that is looked for: a JSON
                        array, compact; whoever strays from it is given up */
};

/* What an exploration finds out unless it is told otherwise. */
extern const struct explore_limits explore_defaults;

enum explored {
  EXPLORED_ALL,
  EXPLORED_PART, /* a limit was reached: `message` says which */
  EXPLORE_FAILED /* the program failed: `message` says why */
};

struct exploration {
  char **traces; /* JSON arrays, in the order in which they were found */
  size_t trace_count, trace_room;
  uint32_t *index; /* of the traces, by hash; 0: none */
  size_t buckets;
  struct decisions *tree;
  size_t runs;   /* replays */
  size_t states; /* distinct ones in which a poll phase began */
  char message[640];
};

/*
 * Explores `program`, which program_digest() has seen. `dir` is where relative
 * paths begin; `tail`, which may be NULL, is an event that ends each trace.
 * Fills `found`; free with exploration_free(), whatever is returned.
 */
enum explored explore(const struct library *library,
                      const struct program *program, const char *dir,
                      const char *tail, const struct explore_limits *limits,
                      struct exploration *found);
void exploration_free(struct exploration *found);

#endif

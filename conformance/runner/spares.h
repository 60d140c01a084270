/* SPDX-License-Identifier: MIT */
/*
 * Spares: adapter processes that start while another runs, for the runs after
 * it that get a process of their own. A runtime takes far longer to start
 * than most programs to run.
 *
 * Invariant: a spare is as good as a process that is started when it is
 * needed. It has the environment of the run that it is for, and its answer to
 * start is read, with its time limit, only when it is taken: what is wrong
 * with it shows then, to whom it is given.
 */
#ifndef PL_RUNNER_SPARES_H
#define PL_RUNNER_SPARES_H

#include "audit.h"
#include "corpus.h"
#include "session.h"

/* More would only take turns on a few processors, and all of them disturb
 * the program that runs. */
enum { PL_SPARES_MAX = 4 };

struct pl_spare {
  struct pl_session *session;
  char *key; /* of its environment */
};

struct pl_spares {
  unsigned limit; /* at most so many at a time; 0: none ever */
  unsigned count;
  unsigned started; /* ever */
  struct pl_spare at[PL_SPARES_MAX];
};

/* Says how many this machine has processors for. */
unsigned pl_spares_worth_it(void);

/* Gives a spare with that environment, or NULL. */
struct pl_session *pl_spares_take(struct pl_spares *spares, const char *key);

/* Has a spare for each of the next runs, up to the limit. One that could not
 * be started is just not there. Returns whether some were ended that no run
 * needs any more: what those have started may be left. */
bool pl_spares_prepare(struct pl_spares *spares,
                       const struct pl_session_plan *plan,
                       const struct pl_case *const *runs, size_t count);

/* Ends all of them. Returns whether there were any. */
bool pl_spares_drop(struct pl_spares *spares);

/* Adds their sessions to what is known. */
void pl_spares_known(const struct pl_spares *spares, struct pl_known *known);

#endif

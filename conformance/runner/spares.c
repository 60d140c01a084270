/* SPDX-License-Identifier: MIT */
/* Starts, hands out and ends processes that wait for their run. */
#include "spares.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "environment.h"

unsigned pl_spares_worth_it(void) {
  unsigned processors = uv_available_parallelism();
  if (processors < 2) return 0; /* it would take the program's own time */
  return processors < PL_SPARES_MAX ? processors : PL_SPARES_MAX;
}

struct pl_session *pl_spares_take(struct pl_spares *spares, const char *key) {
  for (unsigned i = 0; i < spares->count; i++) {
    struct pl_session *session = spares->at[i].session;
    if (strcmp(spares->at[i].key, key) != 0) continue;
    free(spares->at[i].key);
    spares->count--;
    memmove(&spares->at[i], &spares->at[i + 1],
            (spares->count - i) * sizeof spares->at[0]);
    return session;
  }
  return NULL;
}

/* Adds a spare in the environment of `item`: one of `old`, or a new one. */
static void add(struct pl_spares *spares, struct pl_spares *old,
                const struct pl_session_plan *plan,
                const struct pl_case *item) {
  struct pl_environment environment = pl_environment_of(item);
  struct pl_session *session = pl_spares_take(old, environment.key);
  char *error = NULL;
  if (session == NULL) {
    session = pl_session_begin(plan, environment.at, &error);
    if (session != NULL) spares->started++;
    free(error);
  }
  if (session != NULL) {
    spares->at[spares->count++] = (struct pl_spare){session, environment.key};
    environment.key = NULL; /* taken */
  }
  pl_environment_free(&environment);
}

bool pl_spares_prepare(struct pl_spares *spares,
                       const struct pl_session_plan *plan,
                       const struct pl_case *const *runs, size_t count) {
  struct pl_spares old = *spares;
  spares->count = 0;
  for (size_t i = 0; i < count && i < spares->limit; i++)
    add(spares, &old, plan, runs[i]);
  return pl_spares_drop(&old);
}

bool pl_spares_drop(struct pl_spares *spares) {
  bool any = spares->count > 0;
  for (; spares->count > 0; spares->count--) {
    struct pl_spare *last = &spares->at[spares->count - 1];
    pl_session_end(last->session, 0);
    free(last->key);
  }
  return any;
}

void pl_spares_known(const struct pl_spares *spares, struct pl_known *known) {
  for (unsigned i = 0; i < spares->count; i++)
    pl_pids_add(&known->sessions, spares->at[i].session->process->pid);
}

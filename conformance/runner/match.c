/* SPDX-License-Identifier: MIT */
/*
 * Matches a trace: one set of states per event, each state derived.
 *
 * Invariant: a set holds no term twice (terms carry the step in which they
 * were added), and never more than PL_PATTERN_MAX_STATES terms.
 */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pattern.h"
#include "value.h"

/* Above this, a term's own derivatives are no longer kept free of doubles:
 * the state set they go into does that. */
enum { SMALL = 64 };

struct step {
  struct pl_term_table *table;
  const struct pl_trace *trace;
  const struct pl_event *event;
};

static void derive(const struct step *step, struct pl_term *term,
                   struct pl_states *out);

static void push(struct pl_states *states, struct pl_term *term) {
  if (states->count == states->room) {
    states->room = states->room > 0 ? states->room * 2 : 8;
    states->at =
        pl_mem_grow(states->at, states->room * sizeof(struct pl_term *));
  }
  states->at[states->count++] = term;
}

static void push_once(struct pl_states *states, struct pl_term *term) {
  if (states->count <= SMALL)
    for (size_t i = 0; i < states->count; i++)
      if (states->at[i] == term) return;
  push(states, term);
}

void pl_states_free(struct pl_states *states) {
  free(states->at);
  *states = (struct pl_states){0};
}

bool pl_states_nullable(const struct pl_states *states) {
  for (size_t i = 0; i < states->count; i++)
    if (states->at[i]->nullable) return true;
  return false;
}

static bool event_matches(const struct step *step, const struct pl_term *term) {
  const struct pl_event *event = step->event;
  if (strcmp(term->label, event->label) != 0) return false;
  if (event->wild) return true;
  if (term->match == NULL || event->value == NULL)
    return term->match == NULL && event->value == NULL;
  return pl_value_matches(term->match, event->value, step->trace);
}

/* Adds each derivative of `head`, followed by `tail`. */
static void derive_then(const struct step *step, struct pl_term *head,
                        struct pl_term *tail, struct pl_states *out) {
  struct pl_states heads = {0};
  derive(step, head, &heads);
  for (size_t i = 0; i < heads.count; i++)
    push_once(out, pl_term_seq(step->table, heads.at[i], tail));
  pl_states_free(&heads);
}

static void derive_seq(const struct step *step, struct pl_term *term,
                       struct pl_states *out) {
  while (term->kind == PL_TERM_SEQ) {
    derive_then(step, term->child[0], term->child[1], out);
    if (!term->child[0]->nullable) return;
    term = term->child[1];
  }
  derive(step, term, out);
}

/* Lets child `i` of a shuffle take the event. */
static void derive_member(const struct step *step, const struct pl_term *term,
                          size_t i, struct pl_states *out) {
  struct pl_states moved = {0};
  derive(step, term->child[i], &moved);
  if (moved.count > 0) {
    size_t size = term->count * sizeof(struct pl_term *);
    struct pl_term **child = pl_mem_alloc(size);
    for (size_t k = 0; k < moved.count; k++) {
      memcpy(child, term->child, size);
      child[i] = moved.at[k];
      push_once(out, pl_term_shuffle(step->table, child, term->count));
    }
    free(child);
  }
  pl_states_free(&moved);
}

static void derive_shuffle(const struct step *step, struct pl_term *term,
                           struct pl_states *out) {
  if (term->locked) {
    for (size_t i = 0; i < term->count; i++)
      if (term->child[i]->locked) derive_member(step, term, i, out);
    return;
  }
  for (size_t i = 0; i < term->count; i++)
    if (i == 0 || term->child[i] != term->child[i - 1])
      derive_member(step, term, i, out);
}

static void derive_any(const struct step *step, struct pl_term *term,
                       struct pl_states *out) {
  size_t rest = term->count - 1;
  struct pl_term **child = pl_mem_alloc(rest * sizeof(struct pl_term *));
  for (size_t i = 0; i < term->count; i++) {
    if (i > 0 && term->child[i] == term->child[i - 1]) continue;
    struct pl_states heads = {0};
    derive(step, term->child[i], &heads);
    if (heads.count > 0) {
      memcpy(child, term->child, i * sizeof(struct pl_term *));
      memcpy(child + i, term->child + i + 1,
             (rest - i) * sizeof(struct pl_term *));
      struct pl_term *others = pl_term_any(step->table, child, rest);
      for (size_t k = 0; k < heads.count; k++)
        push_once(out, pl_term_seq(step->table, heads.at[k], others));
    }
    pl_states_free(&heads);
  }
  free(child);
}

/* Once begun, an atomic block stays locked until it may end; that it ends
 * there is a state of its own. */
static void derive_atomic(const struct step *step, struct pl_term *term,
                          struct pl_states *out) {
  struct pl_states inner = {0};
  derive(step, term->child[0], &inner);
  for (size_t i = 0; i < inner.count; i++) {
    if (inner.at[i]->nullable) push_once(out, step->table->empty);
    if (inner.at[i]->kind != PL_TERM_EMPTY)
      push_once(out, pl_term_locked(step->table, inner.at[i]));
  }
  pl_states_free(&inner);
}

static void derive_repeat(const struct step *step, struct pl_term *term,
                          struct pl_states *out) {
  int64_t min = term->min > 0 ? term->min - 1 : 0;
  int64_t max = term->max > 0 ? term->max - 1 : term->max;
  struct pl_term *again = pl_term_repeat(step->table, term->child[0], min, max);
  derive_then(step, term->child[0], again, out);
}

static void derive(const struct step *step, struct pl_term *term,
                   struct pl_states *out) {
  switch (term->kind) {
  case PL_TERM_EMPTY:
    return;
  case PL_TERM_EVENT:
    if (event_matches(step, term)) push_once(out, step->table->empty);
    return;
  case PL_TERM_SEQ:
    derive_seq(step, term, out);
    return;
  case PL_TERM_SHUFFLE:
    derive_shuffle(step, term, out);
    return;
  case PL_TERM_ANY:
    derive_any(step, term, out);
    return;
  case PL_TERM_ONE:
    for (size_t i = 0; i < term->count; i++)
      derive(step, term->child[i], out);
    return;
  case PL_TERM_REPEAT:
    derive_repeat(step, term, out);
    return;
  case PL_TERM_ATOMIC:
  case PL_TERM_LOCKED:
    derive_atomic(step, term, out);
    return;
  }
}

/* Replaces `*now` by the states after the event. Returns false when there
 * are too many; `*now` is then partly filled. */
static bool advance(struct pl_pattern *pattern, const struct step *step,
                    const struct pl_states *now, struct pl_states *next) {
  uint32_t stamp = ++pattern->step;
  struct pl_states derived = {0};
  next->count = 0;
  for (size_t i = 0; i < now->count; i++) {
    derived.count = 0;
    derive(step, now->at[i], &derived);
    for (size_t k = 0; k < derived.count; k++) {
      if (derived.at[k]->mark == stamp) continue;
      derived.at[k]->mark = stamp;
      push(next, derived.at[k]);
    }
    if (next->count > PL_PATTERN_MAX_STATES ||
        pattern->table.bytes > PL_PATTERN_MAX_BYTES)
      break;
  }
  pl_states_free(&derived);
  return next->count <= PL_PATTERN_MAX_STATES &&
         pattern->table.bytes <= PL_PATTERN_MAX_BYTES;
}

static void swap(struct pl_states *a, struct pl_states *b) {
  struct pl_states c = *a;
  *a = *b;
  *b = c;
}

enum pl_match pl_pattern_match(struct pl_pattern *pattern,
                               const struct pl_trace *trace, size_t *at,
                               struct pl_states *states) {
  struct pl_states now = {0}, next = {0};
  struct step step = {.table = &pattern->table, .trace = trace};
  enum pl_match answer = PL_MATCH_NO;
  size_t i = 0;
  push(&now, pattern->root);
  for (; i < trace->count; i++) {
    step.event = &trace->at[i];
    if (!advance(pattern, &step, &now, &next)) {
      answer = PL_MATCH_TOO_BIG;
      break;
    }
    if (next.count == 0) break;
    swap(&now, &next);
  }
  if (i == trace->count && pl_states_nullable(&now)) answer = PL_MATCH_YES;
  if (at != NULL) *at = i;
  if (states != NULL) swap(states, &now);
  pl_states_free(&now);
  pl_states_free(&next);
  return answer;
}

static void first_of(struct pl_term *term, struct pl_states *first) {
  while (term->kind == PL_TERM_SEQ) {
    first_of(term->child[0], first);
    if (!term->child[0]->nullable) return;
    term = term->child[1];
  }
  if (term->kind == PL_TERM_EVENT) push_once(first, term);
  for (size_t i = 0; i < term->count; i++)
    if (term->kind != PL_TERM_SHUFFLE || !term->locked ||
        term->child[i]->locked)
      first_of(term->child[i], first);
}

void pl_pattern_first(struct pl_pattern *pattern,
                      const struct pl_states *states, struct pl_states *first) {
  uint32_t stamp = ++pattern->step;
  struct pl_states all = {0};
  for (size_t i = 0; i < states->count; i++)
    first_of(states->at[i], &all);
  for (size_t i = 0; i < all.count; i++)
    if (all.at[i]->mark != stamp) {
      all.at[i]->mark = stamp;
      push(first, all.at[i]);
    }
  pl_states_free(&all);
}

bool pl_pattern_step(struct pl_pattern *pattern, const struct pl_trace *trace,
                     size_t at, const struct pl_states *now,
                     struct pl_states *next) {
  struct step step = {
      .table = &pattern->table, .trace = trace, .event = &trace->at[at]};
  return advance(pattern, &step, now, next);
}

bool pl_term_takes(const struct pl_term *term, const struct pl_trace *trace,
                   size_t at) {
  struct step step = {.trace = trace, .event = &trace->at[at]};
  return event_matches(&step, term);
}

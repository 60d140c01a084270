/* SPDX-License-Identifier: MIT */
/*
 * Walks a pattern and a set of traces side by side, event by event.
 *
 *     states of the pattern     {s1, s2}      what it allows from here
 *     group of traces           {t0, t3, t7}  those that came here
 *
 * Invariant: the traces of a group agree with each other up to `depth` in
 * their labels and in every value that made a difference to the pattern.
 */
#include "agree.h"

#include <stdlib.h>
#include <string.h>

#include "value.h"

/* How long an example of an allowed trace may become. */
enum { LONGEST = 200 };

struct walk {
  struct pl_pattern *pattern;
  const struct pl_trace *traces;
  void (*tell)(void *self, const struct pl_disagreement *found);
  void *self;
  size_t most;
  size_t wide; /* found so far */
  bool too_big;
};

/* Traces that came the same way. */
struct group {
  size_t *at; /* indices */
  size_t count;
};

static void tell_too_big(struct walk *walk) {
  struct pl_disagreement found = {.kind = PL_TOO_BIG};
  if (!walk->too_big) walk->tell(walk->self, &found);
  walk->too_big = true;
}

/* -- words ----------------------------------------------------------------- */

static void say_comma(struct pl_text *text) {
  if (text->length > 1) pl_text_say(text, ", ");
}

static void say_event(struct pl_text *text, const struct pl_event *event) {
  say_comma(text);
  if (event->value == NULL) {
    pl_text_say(text, event->label);
    return;
  }
  pl_text_format(text, "[%s, ", event->label);
  pl_value_show(event->value, text);
  pl_text_say(text, "]");
}

static void say_term(struct pl_text *text, const struct pl_term *term) {
  say_comma(text);
  if (term->match == NULL) {
    pl_text_say(text, term->label);
    return;
  }
  pl_text_format(text, "[%s, ", term->label);
  pl_value_describe(term->match, text);
  pl_text_say(text, "]");
}

/* The states behind a term, whatever value it takes. */
static bool pass_term(struct walk *walk, const struct pl_states *states,
                      const struct pl_term *term, struct pl_states *next) {
  const struct pl_event event = {
      .label = term->label, .value = NULL, .wild = true};
  const struct pl_trace trace = {.at = &event, .count = 1};
  return pl_pattern_step(walk->pattern, &trace, 0, states, next);
}

static struct pl_states copy_of(const struct pl_states *states) {
  size_t size = states->count * sizeof(struct pl_term *);
  struct pl_states copy = {.count = states->count, .room = states->count};
  copy.at = pl_mem_alloc(size + sizeof(struct pl_term *));
  if (size > 0) memcpy(copy.at, states->at, size);
  return copy;
}

/* Adds `term` and then whatever comes first until the trace may end. */
static void say_rest(struct walk *walk, const struct pl_states *states,
                     struct pl_term *term, struct pl_text *text) {
  struct pl_states now = copy_of(states);
  for (int i = 0; i < LONGEST && term != NULL; i++) {
    struct pl_states next = {0}, first = {0};
    say_term(text, term);
    bool can = pass_term(walk, &now, term, &next);
    if (can && !pl_states_nullable(&next))
      pl_pattern_first(walk->pattern, &next, &first);
    term = first.count > 0 ? first.at[0] : NULL;
    pl_states_free(&first);
    pl_states_free(&now);
    now = next;
  }
  if (term != NULL) pl_text_say(text, ", ...");
  pl_states_free(&now);
}

/* Tells of an allowed trace: `depth` events like those of `like`, and then
 * `term` (NULL: the end). */
static void tell_wide(struct walk *walk, const struct pl_trace *like,
                      size_t depth, const struct pl_states *states,
                      struct pl_term *term) {
  struct pl_text text = {0};
  if (walk->wide++ >= walk->most) return;
  pl_text_say(&text, "[");
  for (size_t i = 0; i < depth; i++)
    say_event(&text, &like->at[i]);
  if (term != NULL) say_rest(walk, states, term, &text);
  pl_text_say(&text, "]");
  struct pl_disagreement found = {.kind = PL_TOO_WIDE, .text = text.bytes};
  walk->tell(walk->self, &found);
  pl_text_free(&text);
}

/* -- the walk -------------------------------------------------------------- */

static bool some_end(const struct walk *walk, const struct group *group,
                     size_t depth) {
  for (size_t i = 0; i < group->count; i++)
    if (walk->traces[group->at[i]].count == depth) return true;
  return false;
}

static bool some_go_on(const struct walk *walk, const struct group *group,
                       size_t depth, const struct pl_term *term) {
  for (size_t i = 0; i < group->count; i++) {
    const struct pl_trace *trace = &walk->traces[group->at[i]];
    if (trace->count > depth && pl_term_takes(term, trace, depth)) return true;
  }
  return false;
}

static bool same_event(const struct pl_event *a, const struct pl_event *b) {
  if (strcmp(a->label, b->label) != 0) return false;
  if (a->value == NULL || b->value == NULL) return a->value == b->value;
  return json_equal(a->value, b->value) != 0;
}

static bool same_states(const struct pl_states *a, const struct pl_states *b) {
  if (a->count != b->count) return false;
  for (size_t i = 0; i < a->count; i++) {
    size_t k = 0;
    while (k < b->count && b->at[k] != a->at[i])
      k++;
    if (k == b->count) return false;
  }
  return true;
}

static void look_at(struct walk *walk, const struct group *group, size_t depth,
                    const struct pl_states *states);

/* Traces that go on with one event, and with it all whose next event brings
 * the pattern into the same states; they leave `group`. */
static void look_behind(struct walk *walk, struct group *group, size_t depth,
                        const struct pl_states *states) {
  const struct pl_trace *first = &walk->traces[group->at[0]];
  struct group same = {0}, rest = {0};
  struct pl_states next = {0}, other = {0};
  same.at = pl_mem_alloc(group->count * sizeof(size_t));
  rest.at = group->at;
  if (!pl_pattern_step(walk->pattern, first, depth, states, &next))
    tell_too_big(walk);
  for (size_t i = 0; i < group->count; i++) {
    const struct pl_trace *trace = &walk->traces[group->at[i]];
    const struct pl_event *event = &trace->at[depth];
    bool together = same_event(event, &first->at[depth]);
    if (!together && strcmp(event->label, first->at[depth].label) == 0)
      together = pl_pattern_step(walk->pattern, trace, depth, states, &other) &&
                 same_states(&next, &other);
    if (together)
      same.at[same.count++] = group->at[i];
    else
      rest.at[rest.count++] = group->at[i];
  }
  *group = rest;
  if (next.count > 0) /* else the traces are not allowed: told elsewhere */
    look_at(walk, &same, depth + 1, &next);
  pl_states_free(&other);
  pl_states_free(&next);
  free(same.at);
}

static void look_at(struct walk *walk, const struct group *group, size_t depth,
                    const struct pl_states *states) {
  const struct pl_trace *like = &walk->traces[group->at[0]];
  struct pl_states first = {0};
  if (walk->too_big) return;
  if (pl_states_nullable(states) && !some_end(walk, group, depth))
    tell_wide(walk, like, depth, states, NULL);
  pl_pattern_first(walk->pattern, states, &first);
  for (size_t i = 0; i < first.count; i++)
    if (!some_go_on(walk, group, depth, first.at[i]))
      tell_wide(walk, like, depth, states, first.at[i]);
  pl_states_free(&first);
  struct group left = {.at = pl_mem_alloc(group->count * sizeof(size_t))};
  for (size_t i = 0; i < group->count; i++)
    if (walk->traces[group->at[i]].count > depth)
      left.at[left.count++] = group->at[i];
  size_t *at = left.at;
  while (left.count > 0)
    look_behind(walk, &left, depth, states);
  free(at);
}

static size_t find_narrow(struct walk *walk, size_t count) {
  size_t narrow = 0;
  for (size_t i = 0; i < count; i++) {
    struct pl_disagreement found = {.kind = PL_TOO_NARROW, .trace = i};
    enum pl_match match =
        pl_pattern_match(walk->pattern, &walk->traces[i], &found.at, NULL);
    if (match == PL_MATCH_TOO_BIG) tell_too_big(walk);
    if (match == PL_MATCH_NO && narrow++ < walk->most)
      walk->tell(walk->self, &found);
  }
  return narrow;
}

static void find_wide(struct walk *walk, size_t count) {
  struct pl_states states = {.at = &walk->pattern->root, .count = 1};
  struct group all = {.at = pl_mem_alloc((count + 1) * sizeof(size_t))};
  for (; all.count < count; all.count++)
    all.at[all.count] = all.count;
  if (count > 0) look_at(walk, &all, 0, &states);
  free(all.at);
}

size_t
pl_pattern_agree(struct pl_pattern *pattern, const struct pl_trace *traces,
                 size_t count, unsigned what, size_t most,
                 void (*tell)(void *self, const struct pl_disagreement *found),
                 void *self) {
  struct walk walk = {.pattern = pattern,
                      .traces = traces,
                      .tell = tell,
                      .self = self,
                      .most = most};
  size_t narrow = 0;
  if (what & PL_AGREE_NARROW) narrow = find_narrow(&walk, count);
  if (what & PL_AGREE_WIDE) find_wide(&walk, count);
  return narrow + walk.wide + walk.too_big;
}

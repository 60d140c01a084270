/* SPDX-License-Identifier: MIT */
/* Finds the smallest edit that mends a trace, and puts it into words. */
#include "explain.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "value.h"

/* Bounds of the search: candidates per kind of edit. */
enum { MAX_TRIES = 64, MAX_NAMED = 5 };

/* Events matched in all tries: a trace of a million events gets two tries, and
 * no search takes longer than about a second. */
#define MAX_EVENTS ((size_t)2000000)

/* An edit, how far it mends the trace, and what it would say. */
struct mend {
  bool found;
  bool whole;   /* the edited trace is allowed */
  size_t reach; /* else: how far it is */
  enum pl_why why;
  const struct pl_event *before, *after;
  const struct pl_term *term; /* the event term in question */
};

struct search {
  struct pl_pattern *pattern;
  const struct pl_trace *trace;
  size_t at;               /* longest viable prefix */
  struct pl_states first;  /* event terms possible there */
  struct pl_event *edited; /* room for the trace and one event more */
  struct mend best;
  size_t budget; /* events that tries may still match */
};

const char *pl_why_name(enum pl_why why) {
  static const char *const names[] = {"value", "order", "missing",
                                      "extra", "end",   "process"};
  return names[why];
}

/* Tries the first `count` events of `edited`; keeps the mend when it is the
 * best so far. Earlier tries win ties. An added event must let the trace go on
 * behind it: that it may itself stand there is no news. */
static void try_edit(struct search *search, size_t count, struct mend mend) {
  struct pl_trace trace = {search->edited, count};
  size_t reach = 0;
  if (count > search->budget) return;
  search->budget -= count;
  enum pl_match match = pl_pattern_match(search->pattern, &trace, &reach, NULL);
  mend.found = true;
  mend.whole = match == PL_MATCH_YES;
  mend.reach = reach;
  if (reach <= search->at + (mend.why == PL_WHY_MISSING) && !mend.whole)
    return; /* it mends nothing */
  if (!search->best.found || (mend.whole && !search->best.whole) ||
      (mend.whole == search->best.whole && mend.reach > search->best.reach))
    search->best = mend;
}

static void copy_trace(struct search *search) {
  if (search->trace->count > 0)
    memcpy(search->edited, search->trace->at,
           search->trace->count * sizeof *search->edited);
}

/* Moves the event at `from` to `to`, the ones between step aside. */
static void move_event(struct search *search, size_t from, size_t to) {
  struct pl_event *at = search->edited;
  struct pl_event moved = at[from];
  if (from > to)
    memmove(at + to + 1, at + to, (from - to) * sizeof *at);
  else
    memmove(at + from, at + from + 1, (to - from) * sizeof *at);
  at[to] = moved;
}

static void try_value(struct search *search) {
  const struct pl_event *event = &search->trace->at[search->at];
  for (size_t i = 0; i < search->first.count; i++) {
    const struct pl_term *term = search->first.at[i];
    if (strcmp(term->label, event->label) != 0) continue;
    copy_trace(search);
    search->edited[search->at].wild = true;
    try_edit(search, search->trace->count,
             (struct mend){.why = PL_WHY_VALUE, .term = term});
    return; /* a wild event stands for all terms of its label */
  }
}

/* The end of the process is the last event by its nature: no order. */
static bool ends_process(const struct pl_trace *trace, size_t at) {
  return at + 1 == trace->count && pl_label_is_end(trace->at[at].label);
}

static bool could_be(const struct pl_term *term, const struct pl_event *event,
                     const struct pl_trace *trace) {
  if (strcmp(term->label, event->label) != 0) return false;
  if (term->match == NULL || event->value == NULL)
    return term->match == NULL && event->value == NULL;
  return pl_value_matches(term->match, event->value, trace);
}

/* An event that is possible here comes later: it should have come now. */
static void try_later(struct search *search) {
  const struct pl_trace *trace = search->trace;
  unsigned tries = 0;
  for (size_t i = 0; i < search->first.count && tries < MAX_TRIES; i++) {
    for (size_t k = search->at + 1; k < trace->count; k++) {
      if (!could_be(search->first.at[i], &trace->at[k], trace)) continue;
      if (ends_process(trace, k)) break;
      copy_trace(search);
      move_event(search, k, search->at);
      try_edit(search, trace->count,
               (struct mend){.why = PL_WHY_ORDER,
                             .before = &trace->at[k],
                             .after = &trace->at[search->at]});
      tries++;
      break;
    }
  }
}

/* The event that is not possible here should have come earlier. */
static void try_earlier(struct search *search) {
  const struct pl_event *event = &search->trace->at[search->at];
  for (size_t back = 1; back <= search->at && back <= MAX_TRIES; back++) {
    copy_trace(search);
    move_event(search, search->at, search->at - back);
    try_edit(search, search->trace->count,
             (struct mend){.why = PL_WHY_ORDER,
                           .before = event,
                           .after = &search->trace->at[search->at - back]});
  }
}

/* The event that is not possible here should have come later: at the end,
 * before the end of the process, or soon. */
static void try_put_off(struct search *search) {
  size_t last = search->trace->count - 1;
  for (size_t i = 0; i < MAX_TRIES; i++) {
    size_t to = i < 2 ? last - i : search->at + i - 1;
    if (to > last || to <= search->at || ends_process(search->trace, to))
      continue;
    copy_trace(search);
    move_event(search, search->at, to);
    try_edit(search, search->trace->count,
             (struct mend){.why = PL_WHY_ORDER,
                           .before = &search->trace->at[to],
                           .after = &search->trace->at[search->at]});
  }
}

static void try_missing(struct search *search) {
  size_t rest = search->trace->count - search->at;
  for (size_t i = 0; i < search->first.count && i < MAX_TRIES; i++) {
    const struct pl_term *term = search->first.at[i];
    copy_trace(search);
    struct pl_event *here = search->edited + search->at;
    memmove(here + 1, here, rest * sizeof *here);
    *here = (struct pl_event){.label = term->label, .wild = true};
    try_edit(search, search->trace->count + 1,
             (struct mend){.why = PL_WHY_MISSING, .term = term});
  }
}

static void try_extra(struct search *search) {
  size_t rest = search->trace->count - search->at - 1;
  copy_trace(search);
  struct pl_event *here = search->edited + search->at;
  memmove(here, here + 1, rest * sizeof *here);
  try_edit(search, search->trace->count - 1,
           (struct mend){.why = PL_WHY_EXTRA});
}

static void name_event(const struct pl_event *event, struct pl_text *text) {
  pl_text_format(text, "`%s`", event->label);
  if (event->value != NULL) {
    pl_text_say(text, " with ");
    pl_value_show(event->value, text);
  }
}

static void name_term(const struct pl_term *term, struct pl_text *text) {
  pl_text_format(text, "`%s`", term->label);
  if (term->match != NULL) {
    pl_text_say(text, " with ");
    pl_value_describe(term->match, text);
  }
}

/* Adds what was possible: "`a`, `b` or `c`", or "nothing more". */
static void name_first(const struct search *search, struct pl_text *text) {
  size_t count = search->first.count;
  size_t named = count < MAX_NAMED ? count : MAX_NAMED;
  if (count == 0) pl_text_say(text, "nothing more");
  for (size_t i = 0; i < named; i++) {
    if (i > 0) pl_text_say(text, i + 1 == count ? " or " : ", ");
    name_term(search->first.at[i], text);
  }
  if (count > named)
    pl_text_format(text, " or one of %zu others", count - named);
}

static void say_value(const struct search *search, struct pl_text *text) {
  const struct pl_event *event = &search->trace->at[search->at];
  const struct pl_term *term = search->best.term;
  size_t same = 0;
  for (size_t i = 0; i < search->first.count; i++)
    same += strcmp(search->first.at[i]->label, event->label) == 0;
  pl_text_format(text, "`%s` ", event->label);
  if (event->value != NULL) {
    pl_text_say(text, "is ");
    pl_value_show(event->value, text);
  } else {
    pl_text_say(text, "has no value");
  }
  pl_text_say(text, ", expected ");
  if (same > 1)
    name_first(search, text);
  else if (term->match != NULL)
    pl_value_describe(term->match, text);
  else
    pl_text_say(text, "no value");
}

static void say_process(const struct search *search, struct pl_text *text) {
  const struct pl_event *event = &search->trace->at[search->at];
  if (strcmp(event->label, "exit") == 0)
    pl_text_say(text, "the process ended with exit status ");
  else
    pl_text_say(text, "the process was ended by ");
  if (json_is_string(event->value))
    pl_text_say(text, json_string_value(event->value));
  else if (event->value != NULL)
    pl_value_show(event->value, text);
  pl_text_say(text, ", expected ");
  name_first(search, text);
}

/* Values are named only where the labels do not tell the two apart. */
static void say_order(const struct mend *best, struct pl_text *text) {
  struct pl_event before = *best->before, after = *best->after;
  if (strcmp(before.label, after.label) != 0) before.value = after.value = NULL;
  pl_text_say(text, "expected ");
  name_event(&before, text);
  pl_text_say(text, " before ");
  name_event(&after, text);
}

static void say(const struct search *search, enum pl_why why,
                struct pl_text *text) {
  const struct mend *best = &search->best;
  switch (why) {
  case PL_WHY_VALUE:
    say_value(search, text);
    return;
  case PL_WHY_ORDER:
    say_order(best, text);
    return;
  case PL_WHY_MISSING:
    name_term(best->term, text);
    pl_text_format(text, " is missing before `%s`",
                   search->trace->at[search->at].label);
    return;
  case PL_WHY_EXTRA:
    name_event(&search->trace->at[search->at], text);
    pl_text_say(text, " is not expected here, ");
    name_first(search, text);
    pl_text_say(text, " is");
    return;
  case PL_WHY_END:
    pl_text_say(text, "the trace ends too early, expected ");
    name_first(search, text);
    return;
  case PL_WHY_PROCESS:
    say_process(search, text);
    return;
  }
}

static enum pl_why classify(struct search *search) {
  if (search->at == search->trace->count) return PL_WHY_END;
  if (ends_process(search->trace, search->at) && search->first.count > 0)
    return PL_WHY_PROCESS;
  try_value(search);
  try_later(search);
  try_earlier(search);
  try_put_off(search);
  try_missing(search);
  try_extra(search);
  return search->best.found ? search->best.why : PL_WHY_EXTRA;
}

static void list_expected(const struct search *search,
                          struct pl_explanation *explanation) {
  explanation->expected =
      pl_mem_alloc((search->first.count + 1) * sizeof(char *));
  for (size_t i = 0; i < search->first.count; i++) {
    const char *label = search->first.at[i]->label;
    bool listed = false;
    for (size_t k = 0; k < explanation->expected_count && !listed; k++)
      listed = strcmp(explanation->expected[k], label) == 0;
    if (!listed)
      explanation->expected[explanation->expected_count++] = pl_mem_copy(label);
  }
}

struct pl_explanation *pl_explain(struct pl_pattern *pattern,
                                  const struct pl_trace *trace) {
  struct search search = {
      .pattern = pattern, .trace = trace, .budget = MAX_EVENTS};
  struct pl_explanation *explanation = pl_mem_alloc(sizeof *explanation);
  struct pl_states states = {0};
  struct pl_text summary = {0};
  pl_pattern_match(pattern, trace, &search.at, &states);
  pl_pattern_first(pattern, &states, &search.first);
  search.edited = pl_mem_alloc((trace->count + 1) * sizeof *search.edited);
  enum pl_why why = classify(&search);
  say(&search, why, &summary);
  explanation->why = why;
  explanation->at = search.at;
  explanation->summary = summary.bytes;
  list_expected(&search, explanation);
  if (why == PL_WHY_ORDER) {
    explanation->before = pl_mem_copy(search.best.before->label);
    explanation->after = pl_mem_copy(search.best.after->label);
  }
  free(search.edited);
  pl_states_free(&search.first);
  pl_states_free(&states);
  return explanation;
}

void pl_explanation_free(struct pl_explanation *explanation) {
  if (explanation == NULL) return;
  for (size_t i = 0; i < explanation->expected_count; i++)
    free(explanation->expected[i]);
  free(explanation->expected);
  free(explanation->summary);
  free(explanation->before);
  free(explanation->after);
  free(explanation);
}

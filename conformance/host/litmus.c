/* SPDX-License-Identifier: MIT */
/*
 * litmus.c: each litmus test's pattern against its program's exploration.
 *
 * Invariant: a case is counted once, and nothing that could not be compared
 * counts as agreeing.
 */
#include "litmus.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agree.h"

/* Disagreements of one case that are shown. */
enum { SHOWN = 3 };

struct check {
  const struct litmus_options *options;
  const struct pl_case *item;
  const struct exploration *found;
};

static void say(const struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct check *check, const char *format, ...) {
  const struct pl_case *item = check->item;
  va_list list;
  fprintf(check->options->out, "%s (%s:%d): ", item->id,
          item->file ? item->file : "?", item->line);
  va_start(list, format);
  vfprintf(check->options->out, format, list);
  va_end(list);
  fputc('\n', check->options->out);
}

/* -- what applies to the provider ------------------------------------------ */

static bool has_trait(const struct library *library, const char *name) {
  const char *const *traits = library->provider->traits;
  for (size_t i = 0; traits && traits[i]; i++)
    if (strcmp(traits[i], name) == 0) return true;
  return false;
}

static bool has_capability(const struct library *library, const char *name) {
  for (unsigned i = 0; i < CAP_COUNT; i++)
    if (strcmp(capability_name((enum capability)i), name) == 0)
      return library_has(library, (enum capability)i);
  return false;
}

static bool applies(const struct library *library, const struct pl_case *item) {
  size_t i;
  json_t *name;
  json_array_foreach((json_t *)item->needs, i, name) {
    if (!has_capability(library, json_string_value(name))) return false;
  }
  json_array_foreach((json_t *)item->traits, i, name) {
    if (!has_trait(library, json_string_value(name))) return false;
  }
  json_array_foreach((json_t *)item->without, i, name) {
    if (has_trait(library, json_string_value(name))) return false;
  }
  return true;
}

static const json_t *expectation(const struct library *library,
                                 const struct pl_case *item) {
  size_t i;
  json_t *entry;
  json_array_foreach((json_t *)item->by_trait, i, entry) {
    const char *trait = json_string_value(json_object_get(entry, "trait"));
    if (has_trait(library, trait)) return json_object_get(entry, "expect");
  }
  return item->expect;
}

/* -- one case -------------------------------------------------------------- */

static enum explored explore_in(const struct library *library,
                                const struct explore_limits *limits,
                                const struct pl_case *item, const char *dir,
                                struct exploration *found, bool *unsupported) {
  struct arena arena = {0};
  struct program program;
  enum explored answer = EXPLORE_FAILED;
  json_t *json = json_loads(item->program, 0, NULL);
  enum read_status status = program_read(&program, &arena, library, json,
                                         found->message, sizeof found->message);
  *unsupported = status == READ_UNSUPPORTED;
  if (status == READ_OK) {
    struct explore_limits own = *limits;
    own.any_order = item->level != PL_OBSERVED;
    program_digest(&program);
    answer = explore(library, &program, dir,
                     item->isolated ? "[\"exit\",0]" : NULL, &own, found);
  }
  json_decref(json);
  arena_free(&arena);
  return answer;
}

enum explored litmus_explore(const struct library *library,
                             const struct explore_limits *limits,
                             struct pl_scratch *scratch,
                             const struct pl_case *item,
                             struct exploration *found, bool *unsupported) {
  char *error = NULL, *dir = NULL;
  *found = (struct exploration){0};
  *unsupported = !applies(library, item);
  if (*unsupported) {
    snprintf(found->message, sizeof found->message,
             "%s lacks what the case needs", library->provider->name);
    return EXPLORE_FAILED;
  }
  if (item->files) dir = pl_scratch_make(scratch, item->files, &error);
  enum explored answer = EXPLORE_FAILED;
  if (item->files && !dir)
    snprintf(found->message, sizeof found->message, "%s", error);
  else
    answer = explore_in(library, limits, item, dir ? dir : scratch->shared,
                        found, unsupported);
  if (dir) pl_scratch_drop(dir);
  free(error);
  return answer;
}

/* -- disagreements --------------------------------------------------------- */

/* The choices that lead to a trace, as "a: b; c: d". */
static char *way_to(const struct exploration *found, size_t trace) {
  json_t *way = decisions_way(found->tree, (uint32_t)trace);
  struct pl_text text = {0};
  for (size_t i = 0; i < json_array_size(way); i++)
    pl_text_format(&text, "%s%s", i ? "; " : "",
                   json_string_value(json_array_get(way, i)));
  json_decref(way);
  return text.bytes ? text.bytes : pl_mem_copy("no choice is needed");
}

static void tell_narrow(const struct check *check,
                        const struct pl_disagreement *disagreement) {
  const struct exploration *found = check->found;
  char *way = way_to(found, disagreement->trace);
  say(check,
      "the pattern is too narrow, or %s wrong: it forbids event %zu of\n"
      "    %s\n"
      "  which comes of: %s",
      check->options->library->provider->name, disagreement->at + 1,
      found->traces[disagreement->trace], way);
  free(way);
}

static void on_disagreement(void *self,
                            const struct pl_disagreement *disagreement) {
  const struct check *check = self;
  switch (disagreement->kind) {
  case PL_TOO_NARROW:
    tell_narrow(check, disagreement);
    break;
  case PL_TOO_WIDE:
    say(check,
        "the pattern is too wide, or %s does not do all it may: it allows\n"
        "    %s\n"
        "  which no choice leads to (%zu traces, first %s)",
        check->options->library->provider->name, disagreement->text,
        check->found->trace_count, check->found->traces[0]);
    break;
  case PL_TOO_BIG:
    say(check, "the pattern has too many states to be compared");
    break;
  }
}

static json_t **parse_all(const struct exploration *found,
                          struct pl_trace *traces) {
  json_t **json = pl_mem_alloc((found->trace_count + 1) * sizeof *json);
  for (size_t i = 0; i < found->trace_count; i++) {
    json[i] = pl_mem_need(json_loads(found->traces[i], 0, NULL));
    traces[i].at = pl_trace_events(json[i]);
    traces[i].count = json_array_size(json[i]);
  }
  return json;
}

static size_t compare(const struct check *check, unsigned what) {
  const struct exploration *found = check->found;
  struct pl_trace *traces =
      pl_mem_alloc((found->trace_count + 1) * sizeof *traces);
  json_t **json = parse_all(found, traces);
  struct pl_pattern pattern;
  char *error = NULL;
  size_t wrong = 1;
  if (pl_pattern_compile(&pattern,
                         expectation(check->options->library, check->item),
                         &error) == 0) {
    wrong = pl_pattern_agree(&pattern, traces, found->trace_count, what, SHOWN,
                             on_disagreement, (void *)(uintptr_t)check);
    pl_pattern_free(&pattern);
  } else {
    say(check, "%s", error);
    free(error);
  }
  for (size_t i = 0; i < found->trace_count; i++) {
    free((void *)(uintptr_t)traces[i].at);
    json_decref(json[i]);
  }
  free(json);
  free(traces);
  return wrong;
}

/* -- the corpus ------------------------------------------------------------ */

static void check_explored(struct check *check, struct litmus_totals *totals,
                           const char *subset) {
  unsigned what = PL_AGREE_NARROW | (subset ? 0 : PL_AGREE_WIDE);
  if (compare(check, what) > 0)
    totals->wrong++;
  else if (subset)
    totals->subset++;
  else
    totals->exact++;
  if (check->options->verbose)
    say(check, "%zu traces, %zu runs, %zu states%s%s",
        check->found->trace_count, check->found->runs, check->found->states,
        subset ? ", may allow more: " : "", subset ? subset : "");
}

static void check_case(const struct litmus_options *options,
                       struct pl_scratch *scratch, const struct pl_case *item,
                       struct litmus_totals *totals) {
  const json_t *how = json_object_get(item->object, "explore");
  const char *skip = json_string_value(json_object_get(how, "skip"));
  const char *subset = json_string_value(json_object_get(how, "subset"));
  struct exploration found;
  struct check check = {.options = options, .item = item, .found = &found};
  bool unsupported;
  if (skip) {
    totals->skipped++;
    if (options->verbose) say(&check, "skipped: %s", skip);
    return;
  }
  switch (litmus_explore(options->library, options->limits, scratch, item,
                         &found, &unsupported)) {
  case EXPLORED_ALL:
    check_explored(&check, totals, subset);
    break;
  case EXPLORED_PART:
    say(&check, "%s", found.message);
    totals->wrong++;
    break;
  case EXPLORE_FAILED:
    if (!unsupported || options->verbose) say(&check, "%s", found.message);
    if (unsupported)
      totals->unsupported++;
    else
      totals->wrong++;
    break;
  }
  totals->runs += found.runs;
  exploration_free(&found);
}

void litmus_check(const struct litmus_options *options,
                  struct pl_scratch *scratch, const struct pl_corpus *corpus,
                  struct litmus_totals *totals) {
  *totals = (struct litmus_totals){0};
  for (size_t i = 0; i < corpus->count; i++) {
    const struct pl_case *item = &corpus->at[i];
    if (pl_selection_has(options->selection, item) &&
        (item->runs > 1 || options->all))
      check_case(options, scratch, item, totals);
  }
}

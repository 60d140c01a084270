/* SPDX-License-Identifier: MIT */
/* Runs a case as often as it asks for and turns what came into a verdict. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "pattern.h"

/* What is gathered while one case runs. */
struct trial {
  struct pl_judge *judge;
  const struct pl_case *item;
  const struct pl_case *const *rest; /* the cases after it */
  size_t rest_count;
  struct pl_outcome *outcome;
  struct pl_pattern pattern;
  struct pl_trail trail;
  json_t *worst;  /* the first forbidden trace */
  unsigned unmet; /* runs whose evidence was too small */
  bool decided;   /* by something other than traces */
};

static bool lists(const json_t *names, const char *name) {
  for (size_t i = 0; i < json_array_size(names); i++)
    if (strcmp(json_string_value(json_array_get(names, i)), name) == 0)
      return true;
  return false;
}

static const json_t *traits_of(const struct pl_judge *judge) {
  return json_object_get(judge->adapter.hello, "traits");
}

/* Returns why the case cannot be asked of this adapter, or NULL. */
static char *why_unsupported(const struct pl_judge *judge,
                             const struct pl_case *item) {
  const json_t *promised =
      json_object_get(judge->adapter.hello, "capabilities");
  for (size_t i = 0; i < json_array_size(item->needs); i++) {
    const char *name = json_string_value(json_array_get(item->needs, i));
    if (!lists(promised, name)) return pl_mem_format("needs %s", name);
  }
  for (size_t i = 0; i < json_array_size(item->traits); i++) {
    const char *name = json_string_value(json_array_get(item->traits, i));
    if (!lists(traits_of(judge), name))
      return pl_mem_format("is about implementations with trait %s", name);
  }
  for (size_t i = 0; i < json_array_size(item->without); i++) {
    const char *name = json_string_value(json_array_get(item->without, i));
    if (lists(traits_of(judge), name))
      return pl_mem_format("does not apply with trait %s", name);
  }
  return NULL;
}

bool pl_judge_asks(const struct pl_judge *judge, const struct pl_case *item) {
  char *why = why_unsupported(judge, item);
  free(why);
  return why == NULL;
}

static const json_t *expected_trace(const struct pl_judge *judge,
                                    const struct pl_case *item) {
  for (size_t i = 0; i < json_array_size(item->by_trait); i++) {
    const json_t *entry = json_array_get(item->by_trait, i);
    if (lists(traits_of(judge),
              json_string_value(json_object_get(entry, "trait"))))
      return json_object_get(entry, "expect");
  }
  return item->expect;
}

static unsigned timeout_of(const struct trial *trial) {
  return trial->judge->timeout_ms > 0 ? trial->judge->timeout_ms
                                      : trial->item->timeout_ms;
}

/* Says whether a run's counters reach what the case asks for. */
static bool evidence_met(const struct pl_case *item, const json_t *evidence,
                         char **detail) {
  const char *name;
  json_t *bound;
  json_object_foreach((json_t *)item->evidence, name, bound) {
    const json_t *counter = json_object_get(evidence, name);
    double least = json_number_value(json_object_get(bound, "min"));
    if (counter != NULL && json_number_value(counter) >= least) continue;
    free(*detail);
    *detail = pl_mem_format("`%s` is %g, the case needs at least %g: what it "
                            "judges did not arise",
                            name, json_number_value(counter), least);
    return false;
  }
  return true;
}

static void add_evidence(struct pl_outcome *outcome, const json_t *evidence) {
  const char *name;
  json_t *counter;
  json_object_foreach((json_t *)evidence, name, counter) {
    json_t *sum = json_object_get(outcome->evidence, name);
    if (json_is_integer(sum) && json_is_integer(counter))
      json_integer_set(sum,
                       json_integer_value(sum) + json_integer_value(counter));
    else
      json_object_set_new(outcome->evidence, name, json_copy(counter));
  }
}

static void decide(struct trial *trial, enum pl_verdict verdict, char *detail) {
  trial->outcome->verdict = verdict;
  trial->decided = true;
  if (detail == NULL) return;
  free(trial->outcome->detail);
  trial->outcome->detail = detail;
}

/* Holds a trace against the pattern; equal traces are judged once. */
static void judge_trace(struct trial *trial, json_t *events) {
  struct pl_histogram *traces = &trial->outcome->traces;
  char *text = pl_mem_need(json_dumps(events, JSON_COMPACT));
  if (pl_histogram_again(traces, text) != NULL) {
    free(text);
    return;
  }
  struct pl_event *at = pl_trace_events(events);
  struct pl_trace trace = {at, json_array_size(events)};
  enum pl_match match = pl_pattern_match(&trial->pattern, &trace, NULL, NULL);
  free(at);
  pl_histogram_add(traces, events, text, match == PL_MATCH_YES);
  if (match == PL_MATCH_TOO_BIG)
    decide(trial, PL_VERDICT_ERROR,
           pl_mem_format("the case's pattern is too ambiguous: more than %u "
                         "states for this trace",
                         PL_PATTERN_MAX_STATES));
  else if (match == PL_MATCH_NO && trial->worst == NULL)
    trial->worst = json_incref(events);
}

/* What came before a time-out or a crash is shown, though not judged. */
static void keep_partial(struct trial *trial, json_t *events) {
  struct pl_histogram *traces = &trial->outcome->traces;
  if (json_array_size(events) == 0) return;
  char *text = pl_mem_need(json_dumps(events, JSON_COMPACT));
  if (pl_histogram_again(traces, text) != NULL)
    free(text);
  else
    pl_histogram_add(traces, events, text, false);
}

static void take_run(struct trial *trial, struct pl_run *run) {
  static const enum pl_verdict verdicts[] = {
      [PL_RUN_TRACE] = PL_VERDICT_PASS,
      [PL_RUN_UNSUPPORTED] = PL_VERDICT_UNSUPPORTED,
      [PL_RUN_ERROR] = PL_VERDICT_ERROR,
      [PL_RUN_TIMEOUT] = PL_VERDICT_TIMEOUT,
      [PL_RUN_CRASH] = PL_VERDICT_CRASH,
      [PL_RUN_INTERRUPTED] = PL_VERDICT_ERROR};
  add_evidence(trial->outcome, run->evidence);
  if (run->kind == PL_RUN_TRACE) {
    if (evidence_met(trial->item, run->evidence, &trial->outcome->detail))
      judge_trace(trial, run->events);
    else
      trial->unmet++;
    return;
  }
  if (run->kind == PL_RUN_TIMEOUT && run->late_ms > trial->judge->latest_ms)
    trial->judge->latest_ms = run->late_ms;
  keep_partial(trial, run->events);
  decide(trial, verdicts[run->kind], run->detail);
  run->detail = NULL;
}

static unsigned long runs_of(const struct pl_judge *judge,
                             const struct pl_case *item) {
  return (unsigned long)item->runs * judge->repeat;
}

/* Lists the cases of the next runs, as far as each gets a process of its own
 * and there can be a spare for it: `more` of this case, then the others. */
static size_t next_runs(const struct trial *trial, unsigned long more,
                        const struct pl_case *next[PL_SPARES_MAX]) {
  size_t count = 0;
  for (; more > 0 && count < PL_SPARES_MAX; more--)
    next[count++] = trial->item;
  for (size_t i = 0; i < trial->rest_count && trial->rest[i]->isolated; i++)
    for (unsigned long k = runs_of(trial->judge, trial->rest[i]); k > 0; k--)
      if (count == PL_SPARES_MAX)
        return count;
      else
        next[count++] = trial->rest[i];
  return count;
}

/* Has the adapter run the program; `more` runs of the case follow. */
static enum pl_progress ask(struct trial *trial, unsigned long more,
                            struct pl_request *request, struct pl_run *run) {
  struct pl_adapter *adapter = &trial->judge->adapter;
  unsigned timeout_ms = timeout_of(trial);
  if (!trial->item->isolated)
    return pl_adapter_run(adapter, request, timeout_ms, run, &trial->trail);
  const struct pl_case *next[PL_SPARES_MAX];
  size_t count = next_runs(trial, more, next);
  return pl_adapter_run_alone(adapter, trial->item, next, count, request,
                              timeout_ms, run, &trial->trail);
}

static enum pl_progress run_once(struct trial *trial, unsigned long more) {
  struct pl_judge *judge = trial->judge;
  const struct pl_case *item = trial->item;
  struct pl_request request = {.program = item->program,
                               .files = item->files_text,
                               .dir = judge->scratch.shared};
  struct pl_run run = {0};
  char *own_dir = NULL, *trace = NULL, *error = NULL;
  if (item->files_text != NULL || item->roles) {
    own_dir = pl_scratch_make(&judge->scratch, item->files, &error);
    if (own_dir != NULL && item->roles)
      trace = pl_scratch_trace(own_dir, &error);
    if (error != NULL) {
      pl_scratch_drop(own_dir);
      decide(trial, PL_VERDICT_ERROR, error);
      return PL_WENT_ON;
    }
    request.dir = own_dir;
  }
  request.trace = trace;
  request.peer = judge->peer;
  enum pl_progress progress = ask(trial, more, &request, &run);
  pl_scratch_drop(own_dir);
  free(trace);
  if (progress == PL_WENT_ON && run.kind == PL_RUN_INTERRUPTED)
    progress = PL_INTERRUPTED;
  if (progress == PL_WENT_ON) {
    trial->outcome->runs++;
    take_run(trial, &run);
  }
  pl_run_free(&run);
  return progress;
}

/* Says whether the process's end by a signal is what is wrong. */
static bool died_by_signal(const struct trial *trial,
                           const struct pl_explanation *explanation) {
  size_t count = json_array_size(trial->worst);
  const json_t *last =
      count > 0 ? json_array_get(trial->worst, count - 1) : NULL;
  const char *label = json_string_value(json_array_get(last, 0));
  return trial->item->isolated && explanation->at + 1 == count &&
         label != NULL && strcmp(label, "signal") == 0;
}

static void explain(struct trial *trial) {
  struct pl_event *at = pl_trace_events(trial->worst);
  struct pl_trace trace = {at, json_array_size(trial->worst)};
  trial->outcome->explanation = pl_explain(&trial->pattern, &trace);
  free(at);
}

/* The verdict that the traces alone give. */
static void conclude(struct trial *trial) {
  struct pl_outcome *outcome = trial->outcome;
  if (trial->decided) return;
  if (trial->unmet == outcome->runs) {
    outcome->verdict = PL_VERDICT_INCONCLUSIVE;
    return;
  }
  free(outcome->detail); /* runs without evidence do not count */
  outcome->detail = NULL;
  outcome->verdict = PL_VERDICT_PASS;
  if (trial->worst == NULL) return;
  explain(trial);
  outcome->verdict = PL_VERDICT_FAIL;
  if (trial->judge->repeat > 1 && outcome->traces.allowed > 0)
    outcome->verdict = PL_VERDICT_FLAKY;
  if (trial->item->level == PL_OBSERVED)
    outcome->verdict = PL_VERDICT_DIFFERS;
  else if (outcome->verdict == PL_VERDICT_FAIL &&
           died_by_signal(trial, outcome->explanation))
    outcome->verdict = PL_VERDICT_CRASH;
}

static void add_leaks(struct trial *trial) {
  struct pl_outcome *outcome = trial->outcome;
  if (trial->trail.leaks.length == 0) return;
  char *detail = pl_mem_format("%s%sleft behind and killed: %s",
                               outcome->detail != NULL ? outcome->detail : "",
                               outcome->detail != NULL ? "\n" : "",
                               trial->trail.leaks.bytes);
  free(outcome->detail);
  outcome->detail = detail;
  if (outcome->verdict != PL_VERDICT_FAIL &&
      outcome->verdict != PL_VERDICT_TIMEOUT &&
      outcome->verdict != PL_VERDICT_CRASH &&
      outcome->verdict != PL_VERDICT_ERROR)
    outcome->verdict = PL_VERDICT_LEAKED;
}

static void quarantine(struct trial *trial) {
  struct pl_outcome *outcome = trial->outcome;
  if (trial->item->disputed == NULL ||
      outcome->verdict == PL_VERDICT_UNSUPPORTED)
    return;
  const char *link =
      json_string_value(json_object_get(trial->item->disputed, "link"));
  char *detail = pl_mem_format(
      "disputed (%s); would be %s%s%s", link != NULL ? link : "no link",
      pl_verdict_name(outcome->verdict), outcome->detail ? ": " : "",
      outcome->detail ? outcome->detail : "");
  free(outcome->detail);
  outcome->detail = detail;
  outcome->verdict = PL_VERDICT_DISPUTED;
}

static enum pl_progress run_all(struct trial *trial) {
  const json_t *ir = expected_trace(trial->judge, trial->item);
  unsigned long runs = runs_of(trial->judge, trial->item);
  char *error = NULL;
  enum pl_progress progress = PL_WENT_ON;
  if (pl_pattern_compile(&trial->pattern, ir, &error) != 0) {
    decide(trial, PL_VERDICT_ERROR, error); /* loading it checked that */
    return PL_WENT_ON;
  }
  for (unsigned long i = 0;
       i < runs && progress == PL_WENT_ON && !trial->decided; i++)
    progress = run_once(trial, runs - i - 1);
  if (progress == PL_WENT_ON) conclude(trial);
  pl_pattern_free(&trial->pattern);
  return progress;
}

enum pl_progress pl_judge_case(struct pl_judge *judge,
                               const struct pl_case *item,
                               const struct pl_case *const *rest, size_t count,
                               struct pl_outcome *outcome) {
  struct trial trial = {.judge = judge,
                        .item = item,
                        .rest = rest,
                        .rest_count = count,
                        .outcome = outcome};
  uint64_t begin = uv_hrtime();
  enum pl_progress progress = PL_WENT_ON;
  *outcome = (struct pl_outcome){.evidence = pl_mem_need(json_object())};
  char *why = why_unsupported(judge, item);
  if (why != NULL)
    decide(&trial, PL_VERDICT_UNSUPPORTED, why);
  else
    progress = run_all(&trial);
  if (why == NULL && !item->isolated) judge->adapter.last_id = item->id;
  outcome->log = trial.trail.log;
  if (progress == PL_WENT_ON) {
    add_leaks(&trial);
    quarantine(&trial);
    outcome->expected = pl_expectations_of(judge->known, item);
    outcome->unexpected =
        pl_verdict_unexpected(outcome->verdict, &outcome->expected);
    outcome->duration_ms = (double)(uv_hrtime() - begin) / 1e6;
  } else {
    pl_outcome_free(outcome);
  }
  pl_text_free(&trial.trail.leaks);
  json_decref(trial.worst);
  return progress;
}

void pl_outcome_free(struct pl_outcome *outcome) {
  pl_histogram_free(&outcome->traces);
  pl_explanation_free(outcome->explanation);
  free(outcome->detail);
  free(outcome->log);
  json_decref(outcome->evidence);
  *outcome = (struct pl_outcome){0};
}

enum pl_progress pl_judge_open(struct pl_judge *judge,
                               const struct pl_session_plan *plan) {
  *judge =
      (struct pl_judge){.repeat = 1, .peer = pl_path_beside("peer/plumb-peer")};
  char *error = NULL;
  if (pl_scratch_open(&judge->scratch, &error) == 0)
    return pl_adapter_open(&judge->adapter, plan);
  judge->adapter.fatal = error;
  return PL_GAVE_UP;
}

void pl_judge_close(struct pl_judge *judge) {
  pl_adapter_close(&judge->adapter);
  pl_scratch_close(&judge->scratch);
  free(judge->peer);
}

/* SPDX-License-Identifier: MIT */
/* Runs a case as often as it asks for and turns what came into a verdict. */
#include "judge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pattern.h"

enum {
  START_TRIES = 3,   /* in a row; then the run is given up */
  GRACE_MS = 100,    /* for processes that are about to end */
  POLITE_MS = 2000   /* for an adapter that was asked to stop */
};

/* What is gathered while one case runs. */
struct trial {
  struct pl_judge *judge;
  const struct pl_case *item;
  struct pl_outcome *outcome;
  struct pl_pattern pattern;
  struct pl_text leaks;
  json_t *worst;        /* the first forbidden trace */
  unsigned unmet;       /* runs whose evidence was too small */
  bool decided;         /* by something other than traces */
};

static bool lists(const json_t *names, const char *name) {
  for (size_t i = 0; i < json_array_size(names); i++)
    if (strcmp(json_string_value(json_array_get(names, i)), name) == 0)
      return true;
  return false;
}

static const json_t *traits_of(const struct pl_judge *judge) {
  return json_object_get(judge->hello, "traits");
}

/* Returns why the case cannot be asked of this adapter, or NULL. */
static char *why_unsupported(const struct pl_judge *judge,
                             const struct pl_case *item) {
  const json_t *promised = json_object_get(judge->hello, "capabilities");
  for (size_t i = 0; i < json_array_size(item->needs); i++) {
    const char *name = json_string_value(json_array_get(item->needs, i));
    if (!lists(promised, name))
      return pl_mem_format("needs %s", name);
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

static char *command_text(char **argv) {
  struct pl_text text = {0};
  for (size_t i = 0; argv[i] != NULL; i++)
    pl_text_format(&text, "%s%s", i > 0 ? " " : "", argv[i]);
  return text.bytes;
}

/* Starts a session, trying again a few times. */
static enum pl_judged start_session(struct pl_judge *judge, char **env,
                                    struct pl_session **session) {
  char *error = NULL;
  for (unsigned i = 0; i < START_TRIES; i++) {
    free(error);
    *session = pl_session_start(&judge->plan, env, &error);
    judge->sessions++;
    if (*session != NULL)
      return PL_JUDGED;
    if (error == NULL)
      return PL_JUDGE_INTERRUPTED;
  }
  char *command = command_text(judge->plan.argv);
  judge->fatal = pl_mem_format("cannot start the adapter `%s` (%d tries): %s",
                               command, START_TRIES, error);
  free(command);
  free(error);
  return PL_JUDGE_FATAL;
}

/* The processes that may live now: the shared adapter and its helpers. */
static void add_known(const struct pl_judge *judge, struct pl_pids *known) {
  if (judge->shared == NULL)
    return;
  pl_pids_add(known, judge->shared->process->pid);
  for (size_t i = 0; i < judge->shared->helpers.count; i++)
    pl_pids_add(known, judge->shared->helpers.at[i]);
}

/* Names and kills what is alive and not known. Returns whether there was
 * anything. */
static bool sweep(struct pl_judge *judge, struct pl_text *leaks) {
  struct pl_pids known = {0}, found = {0};
  add_known(judge, &known);
  pl_audit_survivors(&known, GRACE_MS, &found);
  bool leaked = found.count > 0;
  if (leaked) {
    if (leaks->length > 0)
      pl_text_say(leaks, ", ");
    pl_audit_name(&found, leaks);
    pl_audit_kill(&known);
  }
  pl_pids_free(&found);
  pl_pids_free(&known);
  return leaked;
}

static void end_shared(struct pl_judge *judge, unsigned polite_ms,
                       struct pl_text *leaks) {
  struct pl_session *session = judge->shared;
  judge->shared = NULL;
  pl_session_end(session, polite_ms);
  sweep(judge, leaks);
}

/* Notes something that no case can be blamed for. */
static void note_fault(struct pl_judge *judge, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note_fault(struct pl_judge *judge, const char *format, ...) {
  enum { ENOUGH = 2000 };
  va_list arguments;
  if (judge->faults.length > ENOUGH)
    return;
  if (judge->faults.length > 0)
    pl_text_say(&judge->faults, "; ");
  va_start(arguments, format);
  pl_text_format_list(&judge->faults, format, arguments);
  va_end(arguments);
}

/* An adapter that did something between two cases is not asked again; the
 * next case is not to blame. */
static void drop_unasked(struct pl_judge *judge) {
  struct pl_text leaks = {0};
  char *what = pl_session_unasked(judge->shared);
  if (what == NULL)
    return;
  note_fault(judge, "after %s and before the next case: %s",
             judge->last_id != NULL ? judge->last_id : "the start", what);
  end_shared(judge, 0, &leaks);
  pl_text_free(&leaks);
  free(what);
}

static void keep_log(struct trial *trial, const struct pl_session *session) {
  char *log = pl_tail_text(&session->process->log);
  if (log == NULL)
    return;
  free(trial->outcome->log);
  trial->outcome->log = log;
}

/* Gives this process's environment with the case's on top; free the array and
 * its last `*own` entries. */
static char **make_env(const struct pl_case *item, size_t *own) {
  size_t count = 0, kept = 0;
  while (environ[count] != NULL)
    count++;
  char **env =
      pl_mem_alloc((count + json_object_size(item->env) + 2) * sizeof(char *));
  for (size_t i = 0; i < count; i++) {
    size_t length = strcspn(environ[i], "=");
    char *name = pl_mem_format("%.*s", (int)length, environ[i]);
    bool replaced = json_object_get(item->env, name) != NULL ||
                    (item->pool > 0 && strcmp(name, "UV_THREADPOOL_SIZE") == 0);
    free(name);
    if (!replaced)
      env[kept++] = environ[i];
  }
  *own = 0;
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)item->env, name, value) {
    env[kept + (*own)++] =
        pl_mem_format("%s=%s", name, json_string_value(value));
  }
  if (item->pool > 0)
    env[kept + (*own)++] =
        pl_mem_format("UV_THREADPOOL_SIZE=%u", item->pool);
  return env;
}

static void free_env(char **env, size_t own) {
  size_t count = 0;
  while (env[count] != NULL)
    count++;
  for (size_t i = count - own; i < count; i++)
    free(env[i]);
  free(env);
}

static unsigned timeout_of(const struct trial *trial) {
  return trial->judge->timeout_ms > 0 ? trial->judge->timeout_ms
                                      : trial->item->timeout_ms;
}

static enum pl_judged run_isolated(struct trial *trial,
                                   struct pl_request *request,
                                   struct pl_run *run) {
  struct pl_session *session;
  size_t own;
  char **env = make_env(trial->item, &own);
  enum pl_judged judged = start_session(trial->judge, env, &session);
  free_env(env, own);
  if (judged != PL_JUDGED)
    return judged;
  request->stream = 1;
  pl_session_run(session, request, timeout_of(trial), run);
  keep_log(trial, session);
  pl_session_end(session, 0);
  sweep(trial->judge, &trial->leaks);
  return PL_JUDGED;
}

static enum pl_judged run_shared(struct trial *trial,
                                 struct pl_request *request,
                                 struct pl_run *run) {
  struct pl_judge *judge = trial->judge;
  if (judge->shared != NULL)
    drop_unasked(judge);
  if (judge->shared == NULL) {
    enum pl_judged judged = start_session(judge, NULL, &judge->shared);
    if (judged != PL_JUDGED)
      return judged;
  }
  pl_session_run(judge->shared, request, timeout_of(trial), run);
  keep_log(trial, judge->shared);
  if (run->over)
    end_shared(judge, 0, &trial->leaks);
  else if (sweep(judge, &trial->leaks))
    end_shared(judge, 0, &trial->leaks);
  return PL_JUDGED;
}

/* Says whether a run's counters reach what the case asks for. */
static bool evidence_met(const struct pl_case *item, const json_t *evidence,
                         char **detail) {
  const char *name;
  json_t *bound;
  json_object_foreach((json_t *)item->evidence, name, bound) {
    const json_t *counter = json_object_get(evidence, name);
    double least = json_number_value(json_object_get(bound, "min"));
    if (counter != NULL && json_number_value(counter) >= least)
      continue;
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

static void decide(struct trial *trial, enum pl_verdict verdict,
                   char *detail) {
  trial->outcome->verdict = verdict;
  trial->decided = true;
  if (detail == NULL)
    return;
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
                         "states for this trace", PL_PATTERN_MAX_STATES));
  else if (match == PL_MATCH_NO && trial->worst == NULL)
    trial->worst = json_incref(events);
}

/* What came before a time-out or a crash is shown, though not judged. */
static void keep_partial(struct trial *trial, json_t *events) {
  struct pl_histogram *traces = &trial->outcome->traces;
  if (json_array_size(events) == 0)
    return;
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

static enum pl_judged run_once(struct trial *trial) {
  struct pl_judge *judge = trial->judge;
  const struct pl_case *item = trial->item;
  struct pl_request request = {.program = item->program,
                               .files = item->files_text,
                               .dir = judge->scratch.shared};
  struct pl_run run = {0};
  char *own_dir = NULL, *error = NULL;
  if (item->files_text != NULL) {
    own_dir = pl_scratch_make(&judge->scratch, item->files, &error);
    if (own_dir == NULL) {
      decide(trial, PL_VERDICT_ERROR, error);
      return PL_JUDGED;
    }
    request.dir = own_dir;
  }
  enum pl_judged judged = item->isolated ? run_isolated(trial, &request, &run)
                                         : run_shared(trial, &request, &run);
  pl_scratch_drop(own_dir);
  if (judged == PL_JUDGED && run.kind == PL_RUN_INTERRUPTED)
    judged = PL_JUDGE_INTERRUPTED;
  if (judged == PL_JUDGED) {
    trial->outcome->runs++;
    take_run(trial, &run);
  }
  pl_run_free(&run);
  return judged;
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
  if (trial->decided)
    return;
  if (trial->unmet == outcome->runs) {
    outcome->verdict = PL_VERDICT_INCONCLUSIVE;
    return;
  }
  free(outcome->detail); /* runs without evidence do not count */
  outcome->detail = NULL;
  outcome->verdict = PL_VERDICT_PASS;
  if (trial->worst == NULL)
    return;
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
  if (trial->leaks.length == 0)
    return;
  char *detail = pl_mem_format(
      "%s%sleft behind and killed: %s",
      outcome->detail != NULL ? outcome->detail : "",
      outcome->detail != NULL ? "\n" : "", trial->leaks.bytes);
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

static enum pl_judged run_all(struct trial *trial) {
  const json_t *ir = expected_trace(trial->judge, trial->item);
  unsigned long runs =
      (unsigned long)trial->item->runs * trial->judge->repeat;
  char *error = NULL;
  enum pl_judged judged = PL_JUDGED;
  if (pl_pattern_compile(&trial->pattern, ir, &error) != 0) {
    decide(trial, PL_VERDICT_ERROR, error); /* loading it checked that */
    return PL_JUDGED;
  }
  for (unsigned long i = 0;
       i < runs && judged == PL_JUDGED && !trial->decided; i++)
    judged = run_once(trial);
  if (judged == PL_JUDGED)
    conclude(trial);
  pl_pattern_free(&trial->pattern);
  return judged;
}

enum pl_judged pl_judge_case(struct pl_judge *judge,
                             const struct pl_case *item,
                             struct pl_outcome *outcome) {
  struct trial trial = {.judge = judge, .item = item, .outcome = outcome};
  uint64_t begin = uv_hrtime();
  enum pl_judged judged = PL_JUDGED;
  *outcome = (struct pl_outcome){.evidence = pl_mem_need(json_object())};
  char *why = why_unsupported(judge, item);
  if (why != NULL)
    decide(&trial, PL_VERDICT_UNSUPPORTED, why);
  else
    judged = run_all(&trial);
  judge->last_id = item->id;
  if (judged == PL_JUDGED) {
    add_leaks(&trial);
    quarantine(&trial);
    outcome->expected = pl_expectations_of(judge->known, item);
    outcome->unexpected =
        pl_verdict_unexpected(outcome->verdict, &outcome->expected);
    outcome->duration_ms = (double)(uv_hrtime() - begin) / 1e6;
  } else {
    pl_outcome_free(outcome);
  }
  pl_text_free(&trial.leaks);
  json_decref(trial.worst);
  return judged;
}

void pl_outcome_free(struct pl_outcome *outcome) {
  pl_histogram_free(&outcome->traces);
  pl_explanation_free(outcome->explanation);
  free(outcome->detail);
  free(outcome->log);
  json_decref(outcome->evidence);
  *outcome = (struct pl_outcome){0};
}

enum pl_judged pl_judge_open(struct pl_judge *judge,
                             const struct pl_session_plan *plan) {
  *judge = (struct pl_judge){.plan = *plan, .repeat = 1};
  judge->plan.driver = &judge->driver;
  int error = pl_driver_init(&judge->driver);
  if (error != 0) {
    judge->fatal = pl_mem_format("cannot set up the event loop: %s",
                                 uv_strerror(error));
    return PL_JUDGE_FATAL;
  }
  if (pl_audit_begin() != 0) {
    judge->fatal = pl_mem_format("cannot watch over child processes: %s",
                                 strerror(errno));
    return PL_JUDGE_FATAL;
  }
  if (pl_scratch_open(&judge->scratch, &judge->fatal) != 0)
    return PL_JUDGE_FATAL;
  judge->files_before = pl_audit_open_files();
  enum pl_judged judged = start_session(judge, NULL, &judge->shared);
  if (judged == PL_JUDGED)
    judge->hello = json_incref(judge->shared->hello);
  return judged;
}

void pl_judge_close(struct pl_judge *judge) {
  unsigned polite = judge->driver.interrupted != 0 ? 0 : POLITE_MS;
  struct pl_text leaks = {0};
  end_shared(judge, polite, &leaks);
  if (leaks.length > 0 && polite > 0)
    note_fault(judge, "left behind at the end and killed: %s", leaks.bytes);
  pl_text_free(&leaks);
  judge->files_after = pl_audit_open_files();
  pl_scratch_close(&judge->scratch);
  json_decref(judge->hello);
  pl_driver_free(&judge->driver);
}

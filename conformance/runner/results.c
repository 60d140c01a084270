/* SPDX-License-Identifier: MIT */
/* Writes results.jsonl. */
#include "results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void set(json_t *object, const char *key, json_t *value) {
  if (json_object_set_new(object, key, pl_mem_need(value)) != 0)
    pl_mem_need(NULL);
}

static void set_text(json_t *object, const char *key, const char *text) {
  set(object, key, text != NULL ? json_string(text) : json_null());
}

static void set_shared(json_t *object, const char *key, const json_t *value) {
  set(object, key, value != NULL ? json_incref((json_t *)value) : json_array());
}

int pl_results_open(struct pl_results *results, const char *path) {
  *results = (struct pl_results){.path = path, .begin = uv_hrtime()};
  if (path == NULL) return 0;
  results->file = fopen(path, "we");
  if (results->file != NULL) return 0;
  results->error = pl_mem_format("cannot write %s: %s", path, strerror(errno));
  return -1;
}

static int note_error(struct pl_results *results) {
  if (results->error == NULL)
    results->error =
        pl_mem_format("cannot write %s: %s", results->path, strerror(errno));
  return -1;
}

/* Writes a line and flushes it. Takes `object`. */
static int write_line(struct pl_results *results, json_t *object) {
  char *line =
      pl_mem_need(json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15)));
  size_t length = strlen(line);
  json_decref(object);
  line[length] = '\n'; /* in place of the terminator */
  bool good = fwrite(line, 1, length + 1, results->file) == length + 1 &&
              fflush(results->file) == 0;
  free(line);
  return good ? 0 : note_error(results);
}

static json_t *machine(void) {
  struct utsname name;
  json_t *object = pl_mem_need(json_object());
  if (uname(&name) != 0) memset(&name, 0, sizeof name);
  set_text(object, "os", name.sysname);
  set_text(object, "kernel", name.release);
  set_text(object, "arch", name.machine);
  set(object, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
  return object;
}

static json_t *started(void) {
  char text[32];
  struct tm parts;
  time_t now = time(NULL);
  gmtime_r(&now, &parts);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return json_string(text);
}

int pl_results_header(struct pl_results *results, const json_t *hello,
                      const struct pl_run_facts *facts) {
  if (results->file == NULL) return 0;
  json_t *line = pl_mem_need(json_object());
  json_t *command = pl_mem_need(json_array());
  for (int i = 0; i < facts->argc; i++)
    json_array_append_new(command, json_string(facts->argv[i]));
  set_text(line, "kind", "header");
  set(line, "format", json_integer(1));
  set_text(line, "suite", facts->suite);
  set_shared(line, "implementation", json_object_get(hello, "implementation"));
  set_shared(line, "capabilities", json_object_get(hello, "capabilities"));
  set_shared(line, "traits", json_object_get(hello, "traits"));
  set(line, "machine", machine());
  set(line, "command", command);
  set(line, "selected", json_integer((json_int_t)facts->selected));
  set(line, "started", started());
  set(line, "seed", json_integer(facts->seed));
  return write_line(results, line);
}

/* Milliseconds with three decimals. */
static json_t *milliseconds(double ms) {
  return json_real((double)(long long)(ms * 1000 + 0.5) / 1000);
}

static json_t *expected_list(const struct pl_expected *expected) {
  json_t *list = pl_mem_need(json_array());
  for (int i = 0; i < PL_VERDICT_COUNT; i++)
    if (expected->verdicts & (1u << i))
      json_array_append_new(list,
                            json_string(pl_verdict_name((enum pl_verdict)i)));
  return list;
}

static json_t *trace_list(const struct pl_histogram *traces) {
  json_t *list = pl_mem_need(json_array());
  for (size_t i = 0; i < traces->count; i++) {
    json_t *entry = pl_mem_need(json_object());
    set_shared(entry, "events", traces->at[i].events);
    set(entry, "count", json_integer(traces->at[i].count));
    set(entry, "allowed", json_boolean(traces->at[i].allowed));
    json_array_append_new(list, entry);
  }
  return list;
}

static json_t *explanation_of(const struct pl_explanation *explanation) {
  if (explanation == NULL) return json_null();
  json_t *object = pl_mem_need(json_object());
  json_t *labels = pl_mem_need(json_array());
  for (size_t i = 0; i < explanation->expected_count; i++)
    json_array_append_new(labels, json_string(explanation->expected[i]));
  set_text(object, "summary", explanation->summary);
  set_text(object, "kind", pl_why_name(explanation->why));
  set(object, "at", json_integer((json_int_t)explanation->at));
  set(object, "expected", labels);
  set_text(object, "before", explanation->before);
  set_text(object, "after", explanation->after);
  return object;
}

int pl_results_case(struct pl_results *results, const struct pl_case *item,
                    const struct pl_outcome *outcome) {
  results->totals[outcome->verdict]++;
  results->unexpected += outcome->unexpected;
  if (results->file == NULL) return 0;
  json_t *line = pl_mem_need(json_object());
  set_text(line, "kind", "case");
  set_text(line, "id", item->id);
  set_text(line, "rule", item->rule);
  set_text(line, "level", item->level_name);
  set_text(line, "area", item->area);
  set_text(line, "verdict", pl_verdict_name(outcome->verdict));
  set(line, "expected", expected_list(&outcome->expected));
  set(line, "unexpected", json_boolean(outcome->unexpected));
  set_text(line, "reason", outcome->expected.reason);
  set(line, "runs", json_integer(outcome->runs));
  set(line, "duration_ms", milliseconds(outcome->duration_ms));
  set(line, "traces", trace_list(&outcome->traces));
  if (outcome->traces.other_count > 0)
    set(line, "more_traces",
        json_integer((json_int_t)outcome->traces.other_count));
  set(line, "explanation", explanation_of(outcome->explanation));
  set_text(line, "detail", outcome->detail);
  set_text(line, "stderr", outcome->log);
  set_shared(line, "evidence", outcome->evidence);
  return write_line(results, line);
}

int pl_results_footer(struct pl_results *results, bool complete,
                      const char *detail) {
  if (results->file == NULL) return 0;
  json_t *line = pl_mem_need(json_object());
  json_t *totals = pl_mem_need(json_object());
  for (int i = 0; i < PL_VERDICT_COUNT; i++)
    if (results->totals[i] > 0)
      set(totals, pl_verdict_name((enum pl_verdict)i),
          json_integer(results->totals[i]));
  set_text(line, "kind", "footer");
  set(line, "complete", json_boolean(complete));
  set(line, "totals", totals);
  set(line, "unexpected", json_integer(results->unexpected));
  set(line, "duration_ms",
      milliseconds((double)(uv_hrtime() - results->begin) / 1e6));
  if (detail != NULL) set_text(line, "detail", detail);
  return write_line(results, line);
}

int pl_results_close(struct pl_results *results) {
  FILE *file = results->file;
  results->file = NULL;
  if (file != NULL && fclose(file) != 0) note_error(results);
  return results->error == NULL ? 0 : -1;
}

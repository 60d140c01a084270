/* SPDX-License-Identifier: MIT */
/* Patterns and traces from short texts. */
#include "patterns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "memory.h"

json_t *parse_quoted(const char *text) {
  json_error_t error;
  char *json = pl_mem_copy(text);
  for (char *c = json; *c != '\0'; c++)
    if (*c == '\'') *c = '"';
  json_t *value = json_loads(json, JSON_DECODE_ANY, &error);
  if (value == NULL) fail_msg("%s: %s", json, error.text);
  free(json);
  return value;
}

enum pl_match match_quoted(const char *pattern, const char *trace) {
  struct pl_pattern compiled;
  char *error = NULL;
  json_t *ir = parse_quoted(pattern), *events = parse_quoted(trace);
  if (pl_pattern_compile(&compiled, ir, &error) != 0) fail_msg("%s", error);
  assert_int_equal(pl_trace_check(events), -1);
  struct pl_event *at = pl_trace_events(events);
  struct pl_trace list = {at, json_array_size(events)};
  enum pl_match match = pl_pattern_match(&compiled, &list, NULL, NULL);
  free(at);
  pl_pattern_free(&compiled);
  json_decref(ir);
  json_decref(events);
  return match;
}

bool allows(const char *pattern, const char *trace) {
  return match_quoted(pattern, trace) == PL_MATCH_YES;
}

struct pl_explanation *explain_quoted(const char *pattern, const char *trace) {
  struct pl_pattern compiled;
  char *error = NULL;
  json_t *ir = parse_quoted(pattern), *events = parse_quoted(trace);
  assert_int_equal(pl_pattern_compile(&compiled, ir, &error), 0);
  struct pl_event *at = pl_trace_events(events);
  struct pl_trace list = {at, json_array_size(events)};
  assert_int_equal(pl_pattern_match(&compiled, &list, NULL, NULL), PL_MATCH_NO);
  struct pl_explanation *explanation = pl_explain(&compiled, &list);
  free(at);
  pl_pattern_free(&compiled);
  json_decref(ir);
  json_decref(events);
  return explanation;
}

char *why_not_compiled(const char *pattern) {
  struct pl_pattern compiled;
  char *error = NULL;
  json_t *ir = parse_quoted(pattern);
  if (pl_pattern_compile(&compiled, ir, &error) == 0)
    pl_pattern_free(&compiled);
  json_decref(ir);
  return error;
}

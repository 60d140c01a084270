/* SPDX-License-Identifier: MIT */
/*
 * oracle.c: answers what a program may do, as often as it is asked.
 *
 * Invariant: nothing of a question is left for the next one.
 */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* A number of the question replaces a limit; false when it is none. */
static bool take_size(const json_t *question, const char *key, size_t most,
                      size_t *limit) {
  const json_t *value = json_object_get(question, key);
  if (!value) return true;
  if (!json_is_integer(value) || json_integer_value(value) < 0 ||
      (uint64_t)json_integer_value(value) > most)
    return false;
  *limit = (size_t)json_integer_value(value);
  return true;
}

static const char *take_limits(const json_t *question,
                               struct explore_limits *limits) {
  size_t slack = limits->slack_ms, late = limits->late_ms;
  if (!take_size(question, "limit", 100000000, &limits->runs))
    return "limit: a number of runs is wanted";
  if (!take_size(question, "choices", 1000000, &limits->choices))
    return "choices: a number is wanted";
  if (!take_size(question, "slack", 1000, &slack) ||
      !take_size(question, "late", 1000, &late))
    return "slack, late: milliseconds up to 1000 are wanted";
  limits->slack_ms = (unsigned)slack;
  limits->late_ms = (unsigned)late;
  const json_t *like = json_object_get(question, "like");
  if (like && !json_is_array(like)) return "like: a list of events is wanted";
  const json_t *order = json_object_get(question, "any-order");
  if (order && !json_is_boolean(order))
    return "any-order: true or false is wanted";
  if (order) limits->any_order = json_is_true(order);
  return NULL;
}

static json_t *explored_json(enum explored answer,
                             const struct exploration *found) {
  if (answer == EXPLORE_FAILED)
    return json_pack("{s:s}", "error", found->message);
  json_t *traces = json_array();
  for (size_t i = 0; i < found->trace_count; i++)
    json_array_append_new(traces, json_loads(found->traces[i], 0, NULL));
  json_t *json =
      json_pack("{s:o, s:b, s:I, s:I}", "traces", traces, "complete",
                answer == EXPLORED_ALL, "runs", (json_int_t)found->runs,
                "states", (json_int_t)found->states);
  if (answer == EXPLORED_PART)
    json_object_set_new(json, "limit", json_string(found->message));
  return json;
}

static json_t *explore_program(const struct library *library,
                               const struct explore_limits *limits,
                               const json_t *question, const char *dir) {
  struct arena arena = {0};
  struct program program;
  char message[512];
  json_t *answer = NULL;
  switch (program_read(&program, &arena, library,
                       json_object_get(question, "program"), message,
                       sizeof message)) {
  case READ_UNSUPPORTED:
    answer = json_pack("{s:s}", "unsupported", message);
    break;
  case READ_MALFORMED:
    answer = json_pack("{s:s}", "error", message);
    break;
  case READ_OK: {
    struct exploration found;
    program_digest(&program);
    struct explore_limits own = *limits;
    const json_t *like = json_object_get(question, "like");
    char *text = like ? pl_mem_need(json_dumps(like, JSON_COMPACT)) : NULL;
    own.like = text;
    enum explored how = explore(library, &program, dir, NULL, &own, &found);
    answer = explored_json(how, &found);
    exploration_free(&found);
    free(text);
    break;
  }
  }
  arena_free(&arena);
  return answer;
}

static json_t *answer_line(const struct library *library,
                           const struct explore_limits *limits,
                           const char *line, size_t length) {
  json_error_t error;
  json_t *question = json_loadb(line, length, 0, &error);
  if (!question) return json_pack("{s:s}", "error", error.text);
  struct explore_limits own = *limits;
  const char *wrong = take_limits(question, &own);
  const json_t *dir = json_object_get(question, "dir");
  if (dir && !json_is_string(dir)) wrong = "dir: a path is wanted";
  json_t *answer = wrong ? json_pack("{s:s}", "error", wrong)
                         : explore_program(library, &own, question,
                                           dir ? json_string_value(dir) : ".");
  json_decref(question);
  return answer;
}

int oracle_serve(const struct library *library,
                 const struct explore_limits *limits, FILE *in, FILE *out) {
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  while (!ferror(out) && (length = getline(&line, &room, in)) >= 0) {
    json_t *answer =
        pl_mem_need(answer_line(library, limits, line, (size_t)length));
    json_dumpf(answer, out, JSON_COMPACT);
    putc('\n', out);
    fflush(out);
    json_decref(answer);
  }
  free(line);
  return ferror(out) ? -1 : 0;
}

/* SPDX-License-Identifier: MIT */
/* Makes requests, reads answers, explains what is wrong with them. */
#include "protocol.h"

#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "trace.h"

enum { SHOWN = 160 }; /* bytes of a bad line that a message shows */

void pl_message_start(struct pl_text *text) {
  pl_text_format(text, "{\"cmd\":\"start\",\"protocol\":%d}\n",
                 PL_PROTOCOL_VERSION);
}

void pl_message_stop(struct pl_text *text) {
  pl_text_say(text, "{\"cmd\":\"stop\"}\n");
}

static void add_string(struct pl_text *text, const char *words) {
  json_t *string = pl_mem_need(json_string(words));
  char *json = pl_mem_need(json_dumps(string, JSON_ENCODE_ANY));
  pl_text_say(text, json);
  free(json);
  json_decref(string);
}

void pl_message_run(const struct pl_request *request, struct pl_text *text) {
  pl_text_format(text,
                 "{\"cmd\":\"run\",\"seq\":%lld,\"program\":", request->seq);
  pl_text_say(text, request->program);
  pl_text_say(text, ",\"files\":");
  pl_text_say(text, request->files != NULL ? request->files : "{}");
  pl_text_say(text, ",\"dir\":");
  add_string(text, request->dir);
  if (request->trace != NULL) {
    pl_text_say(text, ",\"trace\":");
    add_string(text, request->trace);
    pl_text_say(text, ",\"peer\":");
    add_string(text, request->peer);
  }
  pl_text_say(text, request->stream ? ",\"stream\":true}\n" : "}\n");
}

char *pl_message_teach(const char *line, size_t length, const char *why) {
  char *shown = pl_text_clean(line, length < SHOWN ? length : SHOWN);
  char *words = pl_mem_format(
      "the adapter printed a line on stdout that is not a JSON object:\n"
      "    %s%s\n  (%s)\n"
      "stdout carries the protocol alone, one JSON object per line. "
      "Was this line meant for stderr?",
      shown, length > SHOWN ? "..." : "", why);
  free(shown);
  return words;
}

/* Parses a line into an object, or says how it is none. */
static json_t *parse(const char *line, size_t length, char **error) {
  json_error_t reason;
  json_t *message = json_loadb(line, length, JSON_DECODE_ANY, &reason);
  if (json_is_object(message)) return message;
  const char *why = message != NULL ? "JSON, but not an object" : reason.text;
  *error = pl_message_teach(line, length, length > 0 ? why : "an empty line");
  json_decref(message);
  return NULL;
}

static bool strings_only(const json_t *list) {
  if (!json_is_array(list)) return false;
  size_t i;
  json_t *entry;
  json_array_foreach((json_t *)list, i, entry) {
    if (!json_is_string(entry)) return false;
  }
  return true;
}

static char *wrong_start(const json_t *message) {
  const json_t *version = json_object_get(message, "protocol");
  const json_t *who = json_object_get(message, "implementation");
  if (!json_is_integer(version))
    return pl_mem_copy("the answer to start has no number `protocol`");
  if (json_integer_value(version) != PL_PROTOCOL_VERSION)
    return pl_mem_format("the adapter speaks protocol %lld, this is %d",
                         (long long)json_integer_value(version),
                         PL_PROTOCOL_VERSION);
  if (!json_is_string(json_object_get(who, "name")) ||
      !json_is_string(json_object_get(who, "version")))
    return pl_mem_copy("the answer to start has no `implementation` with "
                       "`name` and `version`");
  if (!strings_only(json_object_get(message, "capabilities")))
    return pl_mem_copy("the answer to start has no list `capabilities`");
  const json_t *traits = json_object_get(message, "traits");
  if (traits != NULL && !strings_only(traits))
    return pl_mem_copy("`traits` in the answer to start is no list of names");
  return NULL;
}

json_t *pl_message_read_start(const char *line, size_t length, char **error) {
  json_t *message = parse(line, length, error);
  if (message == NULL) return NULL;
  *error = wrong_start(message);
  if (*error == NULL) return message;
  json_decref(message);
  return NULL;
}

static void breach(struct pl_answer *answer, char *detail) {
  answer->kind = PL_ANSWER_BREACH;
  answer->detail = detail;
}

static void read_events(json_t *events, struct pl_answer *answer) {
  long bad = json_is_array(events) ? pl_trace_check(events) : 0;
  if (!json_is_array(events)) {
    breach(answer, pl_mem_copy("`events` is not a list"));
  } else if (bad >= 0) {
    breach(answer, pl_mem_format("entry %ld of `events` is not an event: an "
                                 "event is a label or [label, scalar]",
                                 bad));
  } else {
    answer->kind = PL_ANSWER_EVENTS;
    answer->events = json_incref(events);
  }
}

/* The event of a child: its label with the child's id in front. */
static json_t *with_id(const char *of, json_t *event) {
  const json_t *label = json_is_array(event) ? json_array_get(event, 0) : event;
  char *text = pl_mem_format("%s.%s", of, json_string_value(label));
  json_t *name = pl_mem_need(json_string(text));
  free(text);
  if (!json_is_array(event)) return name;
  json_t *pair = pl_mem_need(json_pack("[oO]", name, json_array_get(event, 1)));
  return pair;
}

static void read_error(const json_t *error, struct pl_answer *answer) {
  const char *message = json_string_value(json_object_get(error, "message"));
  const char *detail = json_string_value(json_object_get(error, "detail"));
  if (message == NULL) {
    breach(answer, pl_mem_copy("`error` has no text `message`"));
    return;
  }
  answer->kind = PL_ANSWER_ERROR;
  answer->detail = pl_mem_format("%s%s%s", message, detail ? "\n" : "",
                                 detail ? detail : "");
}

static void read_body(const json_t *message, struct pl_answer *answer) {
  json_t *events = json_object_get(message, "events");
  json_t *event = json_object_get(message, "event");
  json_t *evidence = json_object_get(message, "evidence");
  json_t *why = json_object_get(message, "unsupported");
  json_t *error = json_object_get(message, "error");
  const json_t *of = json_object_get(message, "of");
  if (of != NULL && json_string_length(of) == 0) {
    breach(answer, pl_mem_copy("`of` is the id of a child, a text"));
    return;
  }
  if (evidence != NULL && !json_is_object(evidence)) {
    breach(answer, pl_mem_copy("`evidence` is not an object"));
    return;
  }
  answer->evidence = json_incref(evidence);
  int said =
      (events != NULL) + (event != NULL) + (why != NULL) + (error != NULL);
  if (said > 1 || (said == 0 && evidence == NULL)) {
    breach(answer, pl_mem_copy("an answer has one of `events`, `event`, "
                               "`unsupported`, `error`"));
  } else if (events != NULL) {
    read_events(events, answer);
  } else if (error != NULL) {
    read_error(error, answer);
  } else if (why != NULL) {
    answer->kind = PL_ANSWER_UNSUPPORTED;
    answer->detail = pl_mem_copy(json_is_string(why) ? json_string_value(why)
                                                     : "no reason given");
  } else if (event != NULL && !pl_event_valid(event)) {
    breach(answer, pl_mem_copy("`event` is not an event: an event is a label "
                               "or [label, scalar]"));
  } else {
    answer->kind = event != NULL ? PL_ANSWER_EVENT : PL_ANSWER_EVIDENCE;
    answer->events = of != NULL && event != NULL
                         ? with_id(json_string_value(of), event)
                         : json_incref(event);
  }
}

void pl_message_read(const char *line, size_t length, long long seq,
                     struct pl_answer *answer) {
  char *error = NULL;
  *answer = (struct pl_answer){0};
  json_t *message = parse(line, length, &error);
  if (message == NULL) {
    breach(answer, error);
    return;
  }
  const json_t *number = json_object_get(message, "seq");
  if (!json_is_integer(number))
    breach(answer, pl_mem_copy("the answer has no number `seq`"));
  else if (json_integer_value(number) != seq)
    breach(answer, pl_mem_format("the answer has seq %lld, the request had "
                                 "%lld",
                                 (long long)json_integer_value(number), seq));
  else
    read_body(message, answer);
  json_decref(message);
}

void pl_answer_free(struct pl_answer *answer) {
  json_decref(answer->events);
  json_decref(answer->evidence);
  free(answer->detail);
  *answer = (struct pl_answer){0};
}

/* SPDX-License-Identifier: MIT */
/*
 * several_values.c: values of a program, on their way to the provider and into
 * the trace.
 *
 * Invariant: a number and a text stand in the trace as the provider wrote them;
 * nothing reads and writes them once more.
 */
#include "several.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is told of a value -------------------------------------------- */

/* The provider's text, from `at` on, becomes what a trace shows. */
struct description {
  const char *at, *end;
  char *out; /* room for twice the text */
  size_t length;
};

static void say(struct description *told, const char *text, size_t length) {
  memcpy(told->out + told->length, text, length);
  told->length += length;
}

static bool skip(struct description *told, const char *text) {
  size_t length = strlen(text);
  if ((size_t)(told->end - told->at) < length ||
      memcmp(told->at, text, length) != 0)
    return false;
  told->at += length;
  return true;
}

/* A text with its quotes, or a number, a literal. */
static void say_token(struct description *told) {
  const char *begin = told->at;
  if (*told->at == '"') {
    for (told->at++; *told->at != '"'; told->at++)
      if (*told->at == '\\') told->at++;
    told->at++;
  } else {
    while (told->at < told->end && strchr(",]}", *told->at) == NULL)
      told->at++;
  }
  say(told, begin, (size_t)(told->at - begin));
}

static void say_value(struct description *told);

/* What lies between brackets, of which the first is passed. */
static void say_items(struct description *told, const char *between) {
  bool first = true;
  while (told->at < told->end && *told->at != ']') {
    if (!first) {
      told->at++; /* the comma */
      say(told, between, strlen(between));
    }
    first = false;
    say_value(told);
  }
  told->at++;
}

static void say_hex(struct description *told) {
  static const char digits[] = "0123456789abcdef";
  while (*told->at != ']') {
    if (*told->at == ',') told->at++;
    char *rest;
    unsigned long byte = strtoul(told->at, &rest, 10);
    told->at = rest;
    told->out[told->length++] = digits[byte >> 4 & 15];
    told->out[told->length++] = digits[byte & 15];
  }
  told->at++;
}

static void say_pairs(struct description *told) {
  for (bool first = true; *told->at != ']'; first = false) {
    if (!first) {
      told->at++;
      say(told, ",", 1);
    }
    told->at++; /* [ */
    say_value(told);
    told->at++; /* , */
    say(told, "=>", 2);
    say_value(told);
    told->at++; /* ] */
  }
  told->at++;
}

/* {"$...: one of the values that JSON has not; false: it is none. */
static bool say_special(struct description *told) {
  if (skip(told, "{\"$undefined\":true")) {
    say(told, "undefined", 9);
  } else if (skip(told, "{\"$nan\":true")) {
    say(told, "NaN", 3);
  } else if (skip(told, "{\"$infinity\":true")) {
    say(told, "Infinity", 8);
  } else if (skip(told, "{\"$infinity\":\"-\"")) {
    say(told, "-Infinity", 9);
  } else if (skip(told, "{\"$bigint\":\"")) {
    const char *begin = told->at;
    told->at = strchr(begin, '"');
    say(told, begin, (size_t)(told->at++ - begin));
    say(told, "n", 1);
  } else if (skip(told, "{\"$date\":")) {
    say(told, "Date(", 5);
    say_value(told);
    say(told, ")", 1);
  } else if (skip(told, "{\"$buffer\":[")) {
    say(told, "Buffer(", 7);
    say_hex(told);
    say(told, ")", 1);
  } else if (skip(told, "{\"$bytes\":[")) {
    say(told, "Uint8Array(", 11);
    say_items(told, ",");
    say(told, ")", 1);
  } else if (skip(told, "{\"$map\":[")) {
    say(told, "Map(", 4);
    say_pairs(told);
    say(told, ")", 1);
  } else if (skip(told, "{\"$set\":[")) {
    say(told, "Set(", 4);
    say_items(told, ",");
    say(told, ")", 1);
  } else if (skip(told, "{\"$up\":")) {
    strtoul(told->at, (char **)(uintptr_t)&told->at, 10);
    say(told, "^", 1);
  } else if (skip(told, "{\"$plain\":{")) {
    say(told, "{", 1);
    say_token(told);
    say(told, ":", 1);
    told->at++;
    say_value(told);
    told->at++;
    say(told, "}", 1);
  } else {
    return false;
  }
  told->at++; /* } */
  return true;
}

static void say_object(struct description *told) {
  told->at++;
  say(told, "{", 1);
  for (bool first = true; *told->at != '}'; first = false) {
    if (!first) {
      told->at++;
      say(told, ",", 1);
    }
    say_token(told);
    told->at++;
    say(told, ":", 1);
    say_value(told);
  }
  told->at++;
  say(told, "}", 1);
}

static void say_value(struct description *told) {
  if (told->at >= told->end) return;
  if (*told->at == '[') {
    told->at++;
    say(told, "[", 1);
    say_items(told, ",");
    say(told, "]", 1);
  } else if (*told->at != '{') {
    say_token(told);
  } else if (!say_special(told)) {
    say_object(told);
  }
}

json_t *several_described(const char *text, size_t length) {
  /* Texts are long, and mostly stand there as they are. */
  if (length >= 2 && text[0] == '"' && memchr(text, '\\', length) == NULL)
    return several_shown(text + 1, length - 2);
  json_t *value = json_loadb(text, length, JSON_DECODE_ANY, NULL);
  json_t *result;
  if (json_is_string(value)) {
    result = several_shown(json_string_value(value), json_string_length(value));
  } else if (value != NULL && !json_is_object(value) && !json_is_array(value)) {
    return value;
  } else {
    struct description told = {text, text + length, malloc(2 * length + 64), 0};
    if (told.out == NULL) abort();
    say_value(&told);
    result = several_shown(told.out, told.length);
    free(told.out);
  }
  json_decref(value);
  return result;
}

/* ---- what is sent -------------------------------------------------------- */

static json_t *long_text(size_t length) {
  char *text = malloc(length + 1);
  if (text == NULL) abort();
  memset(text, 'x', length);
  json_t *result = json_stringn(text, length);
  free(text);
  return result;
}

static json_t *what_was_given(const struct frame *frame) {
  if (frame->raw != NULL) return json_loads(frame->raw, JSON_DECODE_ANY, NULL);
  return frame->result != NULL ? json_incref(frame->result) : json_null();
}

json_t *several_made(struct several *host, const json_t *value,
                     const struct frame *frame) {
  const char *key;
  json_t *part;
  size_t i;
  if (json_is_array(value)) {
    json_t *list = json_array();
    json_array_foreach((json_t *)value, i, part) {
      json_array_append_new(list, several_made(host, part, frame));
    }
    return list;
  }
  if (!json_is_object(value)) return json_incref((json_t *)value);
  part = json_object_get(value, "$text");
  if (part != NULL) return long_text((size_t)json_integer_value(part));
  if (json_object_get(value, "$result") != NULL) return what_was_given(frame);
  if (json_object_get(value, "$cycle") != NULL)
    return json_pack("{s:i,s:{s:i}}", "a", 1, "me", "$up", 1);
  part = json_object_get(value, "$port");
  if (part != NULL) {
    json_t *port = several_socket_field(several_find(host, part), "$port");
    return port != NULL ? port : json_null();
  }
  json_t *object = json_object();
  json_object_foreach((json_t *)value, key, part) {
    json_object_set_new(object, key, several_made(host, part, frame));
  }
  return object;
}

bool several_knows(const json_t *value) {
  static const char *const known[] = {
      "$text",     "$result", "$cycle",  "$port",   "$undefined",
      "$nan",      "$date",   "$bigint", "$buffer", "$bytes",
      "$infinity", "$map",    "$set",    NULL};
  const char *key;
  json_t *part;
  size_t i;
  if (json_is_array(value)) {
    json_array_foreach((json_t *)value, i, part) {
      if (!several_knows(part)) return false;
    }
  }
  json_object_foreach((json_t *)value, key, part) {
    for (i = 0; key[0] == '$' && known[i] != NULL; i++)
      if (strcmp(known[i], key) == 0) break;
    if (key[0] == '$' && known[i] == NULL) return false;
    if (!several_knows(part)) return false;
  }
  return true;
}

/* SPDX-License-Identifier: MIT */
/* Value matchers: their shape, their answer, their words. */
#include "value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool only_keys(const json_t *object, const char *one, const char *two) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    if (strcmp(key, one) != 0 && (two == NULL || strcmp(key, two) != 0))
      return false;
  }
  return true;
}

static bool number_or_absent(const json_t *value) {
  return value == NULL || json_is_number(value);
}

static const char *check_bounds(const json_t *match) {
  const json_t *min = json_object_get(match, "min");
  const json_t *max = json_object_get(match, "max");
  if (!only_keys(match, "min", "max"))
    return "a bounds matcher has `min` and `max` alone";
  if (!number_or_absent(min) || !number_or_absent(max))
    return "`min` and `max` are numbers";
  return NULL;
}

static const char *check_near(const json_t *match) {
  if (!only_keys(match, "near", "within") ||
      !json_is_number(json_object_get(match, "near")) ||
      !json_is_number(json_object_get(match, "within")))
    return "`near` goes with `within`, both numbers";
  return NULL;
}

static const char *check_type(const json_t *match) {
  const char *type = json_string_value(json_object_get(match, "type"));
  if (only_keys(match, "type", NULL) && type != NULL &&
      (strcmp(type, "string") == 0 || strcmp(type, "number") == 0 ||
       strcmp(type, "boolean") == 0 || strcmp(type, "null") == 0))
    return NULL;
  return "`type` is one of string, number, boolean, null";
}

const char *pl_value_check(const json_t *match) {
  if (!json_is_object(match)) return "a value matcher is an object";
  const json_t *literal = json_object_get(match, "is");
  if (literal != NULL)
    return only_keys(match, "is", NULL) && !json_is_object(literal) &&
                   !json_is_array(literal)
               ? NULL
               : "`is` stands alone, with a scalar";
  if (json_object_get(match, "min") || json_object_get(match, "max"))
    return check_bounds(match);
  if (json_object_get(match, "near")) return check_near(match);
  if (json_object_get(match, "type")) return check_type(match);
  if (json_object_get(match, "same_as"))
    return only_keys(match, "same_as", NULL) &&
                   json_is_string(json_object_get(match, "same_as"))
               ? NULL
               : "`same_as` stands alone, with a label";
  return "a value matcher has one of is, min, max, near, type, same_as";
}

static bool equal(const json_t *a, const json_t *b) {
  if (json_is_integer(a) && json_is_integer(b))
    return json_integer_value(a) == json_integer_value(b);
  if (json_is_number(a) && json_is_number(b))
    return json_number_value(a) == json_number_value(b);
  return json_equal(a, b);
}

static bool has_type(const char *type, const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_STRING:
    return strcmp(type, "string") == 0;
  case JSON_INTEGER:
  case JSON_REAL:
    return strcmp(type, "number") == 0;
  case JSON_TRUE:
  case JSON_FALSE:
    return strcmp(type, "boolean") == 0;
  case JSON_NULL:
    return strcmp(type, "null") == 0;
  default:
    return false;
  }
}

static bool within(const json_t *match, double x) {
  const json_t *near = json_object_get(match, "near");
  if (near != NULL)
    return fabs(x - json_number_value(near)) <=
           json_number_value(json_object_get(match, "within"));
  const json_t *min = json_object_get(match, "min");
  const json_t *max = json_object_get(match, "max");
  return (min == NULL || x >= json_number_value(min)) &&
         (max == NULL || x <= json_number_value(max));
}

bool pl_value_matches(const json_t *match, const json_t *value,
                      const struct pl_trace *trace) {
  const json_t *part = json_object_get(match, "is");
  if (part != NULL) return equal(part, value);
  part = json_object_get(match, "type");
  if (part != NULL) return has_type(json_string_value(part), value);
  part = json_object_get(match, "same_as");
  if (part != NULL) {
    const json_t *other = pl_trace_value(trace, json_string_value(part));
    return other != NULL && equal(other, value);
  }
  return json_is_number(value) && within(match, json_number_value(value));
}

void pl_value_show(const json_t *value, struct pl_text *text) {
  char *json = pl_mem_need(json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT));
  pl_text_say(text, json);
  free(json);
}

static void show(const json_t *object, const char *key, const char *before,
                 struct pl_text *text) {
  pl_text_say(text, before);
  pl_value_show(json_object_get(object, key), text);
}

void pl_value_describe(const json_t *match, struct pl_text *text) {
  bool min = json_object_get(match, "min") != NULL;
  bool max = json_object_get(match, "max") != NULL;
  if (json_object_get(match, "is") != NULL) {
    show(match, "is", "", text);
  } else if (json_object_get(match, "near") != NULL) {
    show(match, "near", "", text);
    show(match, "within", " give or take ", text);
  } else if (min && max) {
    show(match, "min", "between ", text);
    show(match, "max", " and ", text);
  } else if (min) {
    show(match, "min", "at least ", text);
  } else if (max) {
    show(match, "max", "at most ", text);
  } else if (json_object_get(match, "type") != NULL) {
    pl_text_format(text, "a %s",
                   json_string_value(json_object_get(match, "type")));
  } else {
    pl_text_format(text, "the value of `%s`",
                   json_string_value(json_object_get(match, "same_as")));
  }
}

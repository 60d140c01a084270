/* SPDX-License-Identifier: MIT */
/* Validates JSON against the subset of JSON Schema that schema.h names. */
#include "schema.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "value.h"

/* $ref chains longer than this are taken for a cycle. */
enum { MAX_DEPTH = 256 };

struct check {
  const json_t *root;
  struct pl_text *error;
};

static bool valid(const struct check *check, const json_t *schema,
                  const json_t *value, const char *path, unsigned depth);

static const char *const annotations[] = {"$schema", "$id",         "$comment",
                                          "title",   "description", "examples",
                                          "default", "definitions", "$defs"};
static const char *const keywords[] = {
    "type",      "const",      "enum",
    "required",  "properties", "additionalProperties",
    "items",     "oneOf",      "anyOf",
    "allOf",     "not",        "minimum",
    "maximum",   "minItems",   "maxItems",
    "minLength", "$ref"};

static bool listed(const char *word, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(word, list[i]) == 0) return true;
  return false;
}

#define LISTED(word, list) listed(word, list, sizeof list / sizeof list[0])

static const json_t *resolve(const json_t *root, const char *ref) {
  static const char *const places[] = {"definitions", "$defs"};
  for (size_t i = 0; i < 2; i++) {
    size_t length = strlen(places[i]);
    if (strncmp(ref, "#/", 2) == 0 &&
        strncmp(ref + 2, places[i], length) == 0 && ref[2 + length] == '/')
      return json_object_get(json_object_get(root, places[i]),
                             ref + 3 + length);
  }
  return strcmp(ref, "#") == 0 ? root : NULL;
}

static int lint(const json_t *root, const json_t *schema, char **error);

static int lint_members(const json_t *root, const json_t *members,
                        char **error) {
  const char *name;
  json_t *member;
  json_object_foreach((json_t *)members, name, member) {
    if (lint(root, member, error) != 0) return -1;
  }
  return 0;
}

static int lint_keyword(const json_t *root, const char *key,
                        const json_t *value, char **error) {
  if (strcmp(key, "properties") == 0 || strcmp(key, "definitions") == 0 ||
      strcmp(key, "$defs") == 0)
    return lint_members(root, value, error);
  if (strcmp(key, "items") == 0 || strcmp(key, "not") == 0 ||
      strcmp(key, "additionalProperties") == 0)
    return lint(root, value, error);
  if (strcmp(key, "oneOf") == 0 || strcmp(key, "anyOf") == 0 ||
      strcmp(key, "allOf") == 0) {
    for (size_t i = 0; i < json_array_size(value); i++)
      if (lint(root, json_array_get(value, i), error) != 0) return -1;
  }
  if (strcmp(key, "$ref") == 0 &&
      (!json_is_string(value) || !resolve(root, json_string_value(value)))) {
    struct pl_text text = {0};
    pl_text_say(&text, "$ref leads nowhere: ");
    pl_value_show(value, &text);
    *error = text.bytes;
    return -1;
  }
  return 0;
}

static int lint(const json_t *root, const json_t *schema, char **error) {
  const char *key;
  json_t *value;
  if (json_is_boolean(schema)) return 0;
  if (!json_is_object(schema)) {
    *error = pl_mem_copy("a schema is an object, true or false");
    return -1;
  }
  json_object_foreach((json_t *)schema, key, value) {
    if (!LISTED(key, annotations) && !LISTED(key, keywords)) {
      *error = pl_mem_format("keyword `%s` is not known to the validator", key);
      return -1;
    }
    if (lint_keyword(root, key, value, error) != 0) return -1;
  }
  return 0;
}

int pl_schema_init(struct pl_schema *schema, json_t *root, char **error) {
  if (lint(root, root, error) != 0) return -1;
  schema->root = root;
  return 0;
}

int pl_schema_load(struct pl_schema *schema, const char *path, char **error) {
  json_error_t reason;
  json_t *root = json_load_file(path, 0, &reason);
  if (root == NULL) {
    *error = pl_mem_format("%s:%d: %s", path, reason.line, reason.text);
    return -1;
  }
  char *why = NULL;
  if (pl_schema_init(schema, root, &why) == 0) return 0;
  *error = pl_mem_format("%s: %s", path, why);
  free(why);
  json_decref(root);
  return -1;
}

void pl_schema_free(struct pl_schema *schema) {
  json_decref(schema->root);
  schema->root = NULL;
}

static const char *type_name(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    return "object";
  case JSON_ARRAY:
    return "array";
  case JSON_STRING:
    return "string";
  case JSON_INTEGER:
    return "integer";
  case JSON_REAL:
    return "number";
  case JSON_NULL:
    return "null";
  default:
    return "boolean";
  }
}

static bool is_type(const char *type, const json_t *value) {
  if (strcmp(type, "number") == 0) return json_is_number(value);
  if (strcmp(type, "integer") == 0 && json_is_real(value)) {
    double real = json_real_value(value);
    return real > -9e15 && real < 9e15 && real == (double)(long long)real;
  }
  return strcmp(type, type_name(value)) == 0;
}

static bool fail(const struct check *check, const char *path,
                 const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool fail(const struct check *check, const char *path,
                 const char *format, ...) {
  va_list arguments;
  if (check->error == NULL) return false;
  pl_text_free(check->error);
  pl_text_format(check->error, "%s: ", path[0] != '\0' ? path : "/");
  va_start(arguments, format);
  pl_text_format_list(check->error, format, arguments);
  va_end(arguments);
  return false;
}

static bool fail_showing(const struct check *check, const char *path,
                         const char *words, const json_t *shown) {
  struct pl_text text = {0};
  pl_value_show(shown, &text);
  fail(check, path, "%s %s", words, text.bytes);
  pl_text_free(&text);
  return false;
}

static bool check_type(const struct check *check, const json_t *type,
                       const json_t *value, const char *path) {
  if (json_is_string(type) && is_type(json_string_value(type), value))
    return true;
  for (size_t i = 0; i < json_array_size(type); i++)
    if (is_type(json_string_value(json_array_get(type, i)), value)) return true;
  struct pl_text text = {0};
  pl_value_show(type, &text);
  fail(check, path, "expected %s, is %s", text.bytes, type_name(value));
  pl_text_free(&text);
  return false;
}

static bool check_scalar(const struct check *check, const json_t *schema,
                         const json_t *value, const char *path) {
  const json_t *rule = json_object_get(schema, "type");
  if (rule != NULL && !check_type(check, rule, value, path)) return false;
  rule = json_object_get(schema, "const");
  if (rule != NULL && !json_equal(rule, value))
    return fail_showing(check, path, "expected", rule);
  rule = json_object_get(schema, "enum");
  if (rule != NULL) {
    bool found = false;
    for (size_t i = 0; i < json_array_size(rule) && !found; i++)
      found = json_equal(json_array_get(rule, i), value);
    if (!found) return fail_showing(check, path, "expected one of", rule);
  }
  rule = json_object_get(schema, "minimum");
  if (rule != NULL && json_is_number(value) &&
      json_number_value(value) < json_number_value(rule))
    return fail_showing(check, path, "expected at least", rule);
  rule = json_object_get(schema, "maximum");
  if (rule != NULL && json_is_number(value) &&
      json_number_value(value) > json_number_value(rule))
    return fail_showing(check, path, "expected at most", rule);
  rule = json_object_get(schema, "minLength");
  if (rule != NULL && json_is_string(value) &&
      (json_int_t)json_string_length(value) < json_integer_value(rule))
    return fail_showing(check, path, "expected a length of at least", rule);
  return true;
}

static bool check_array(const struct check *check, const json_t *schema,
                        const json_t *value, const char *path, unsigned depth) {
  const json_t *items = json_object_get(schema, "items");
  const json_t *min = json_object_get(schema, "minItems");
  const json_t *max = json_object_get(schema, "maxItems");
  json_int_t size = (json_int_t)json_array_size(value);
  if (min != NULL && size < json_integer_value(min))
    return fail_showing(check, path, "expected a size of at least", min);
  if (max != NULL && size > json_integer_value(max))
    return fail_showing(check, path, "expected a size of at most", max);
  for (json_int_t i = 0; items != NULL && i < size; i++) {
    char *below = pl_mem_format("%s/%lld", path, (long long)i);
    bool good =
        valid(check, items, json_array_get(value, (size_t)i), below, depth);
    free(below);
    if (!good) return false;
  }
  return true;
}

static bool check_member(const struct check *check, const json_t *schema,
                         const char *key, const json_t *value, const char *path,
                         unsigned depth) {
  const json_t *rule =
      json_object_get(json_object_get(schema, "properties"), key);
  if (rule == NULL) rule = json_object_get(schema, "additionalProperties");
  if (rule == NULL || json_is_true(rule)) return true;
  if (json_is_false(rule)) return fail(check, path, "unknown key `%s`", key);
  char *below = pl_mem_format("%s/%s", path, key);
  bool good = valid(check, rule, value, below, depth);
  free(below);
  return good;
}

static bool check_object(const struct check *check, const json_t *schema,
                         const json_t *value, const char *path,
                         unsigned depth) {
  const json_t *required = json_object_get(schema, "required");
  for (size_t i = 0; i < json_array_size(required); i++) {
    const char *key = json_string_value(json_array_get(required, i));
    if (key != NULL && json_object_get(value, key) == NULL)
      return fail(check, path, "key `%s` is missing", key);
  }
  const char *key;
  json_t *member;
  json_object_foreach((json_t *)value, key, member) {
    if (!check_member(check, schema, key, member, path, depth)) return false;
  }
  return true;
}

/* Says how much an alternative seems to be meant: the more of the value's
 * keys it knows, the more. */
static size_t affinity(const struct check *check, const json_t *schema,
                       const json_t *value) {
  const json_t *ref = json_object_get(schema, "$ref");
  if (ref != NULL) schema = resolve(check->root, json_string_value(ref));
  const json_t *properties = json_object_get(schema, "properties");
  const json_t *type = json_object_get(schema, "type");
  size_t known =
      json_is_string(type) && is_type(json_string_value(type), value);
  const char *key;
  json_t *member;
  json_object_foreach((json_t *)value, key, member) {
    known += json_object_get(properties, key) != NULL;
  }
  return known;
}

/* Counts how many of a list of schemas hold. When none does, the error worth
 * reading is that of the alternative that seems to be meant. */
static size_t count_valid(const struct check *check, const json_t *list,
                          const json_t *value, const char *path,
                          unsigned depth) {
  struct pl_text best = {0};
  size_t good = 0, best_affinity = 0;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *one = json_array_get(list, i);
    struct pl_text error = {0};
    struct check quiet = {check->root, &error};
    if (valid(&quiet, one, value, path, depth)) {
      good++;
    } else if (best.bytes == NULL ||
               affinity(check, one, value) > best_affinity) {
      best_affinity = affinity(check, one, value);
      pl_text_free(&best);
      best = error;
      error = (struct pl_text){0};
    }
    pl_text_free(&error);
  }
  if (good == 0 && check->error != NULL && best.bytes != NULL) {
    pl_text_free(check->error);
    *check->error = best;
  } else {
    pl_text_free(&best);
  }
  return good;
}

static bool check_combined(const struct check *check, const json_t *schema,
                           const json_t *value, const char *path,
                           unsigned depth) {
  const json_t *list = json_object_get(schema, "allOf");
  for (size_t i = 0; i < json_array_size(list); i++)
    if (!valid(check, json_array_get(list, i), value, path, depth))
      return false;
  list = json_object_get(schema, "anyOf");
  if (list != NULL && count_valid(check, list, value, path, depth) == 0)
    return false;
  list = json_object_get(schema, "oneOf");
  if (list != NULL) {
    size_t good = count_valid(check, list, value, path, depth);
    if (good > 1)
      return fail(check, path, "matches %zu of the alternatives, not one",
                  good);
    if (good == 0) return false;
  }
  const json_t *inverse = json_object_get(schema, "not");
  struct check quiet = {check->root, NULL};
  if (inverse != NULL && valid(&quiet, inverse, value, path, depth))
    return fail(check, path, "is what it must not be");
  return true;
}

static bool valid(const struct check *check, const json_t *schema,
                  const json_t *value, const char *path, unsigned depth) {
  if (depth >= MAX_DEPTH) return fail(check, path, "nested too deeply");
  if (json_is_boolean(schema))
    return json_is_true(schema) || fail(check, path, "is not allowed");
  const json_t *ref = json_object_get(schema, "$ref");
  if (ref != NULL && !valid(check, resolve(check->root, json_string_value(ref)),
                            value, path, depth + 1))
    return false;
  if (!check_scalar(check, schema, value, path)) return false;
  if (json_is_array(value) &&
      !check_array(check, schema, value, path, depth + 1))
    return false;
  if (json_is_object(value) &&
      !check_object(check, schema, value, path, depth + 1))
    return false;
  return check_combined(check, schema, value, path, depth + 1);
}

char *pl_schema_check(const struct pl_schema *schema, const char *name,
                      const json_t *value) {
  struct pl_text error = {0};
  struct check check = {schema->root, &error};
  const json_t *part = schema->root;
  if (name != NULL) {
    part = json_object_get(json_object_get(schema->root, "definitions"), name);
    if (part == NULL)
      part = json_object_get(json_object_get(schema->root, "$defs"), name);
    if (part == NULL)
      return pl_mem_format("the schema has no definition `%s`", name);
  }
  if (valid(&check, part, value, "", 0)) {
    pl_text_free(&error);
    return NULL;
  }
  if (error.bytes == NULL) pl_text_say(&error, "is not valid");
  return error.bytes;
}

/* SPDX-License-Identifier: MIT */
/* Compiles a pattern's JSON into a term; refuses what it does not know. */
#include "pattern.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "value.h"

static struct pl_term *compile(struct pl_pattern *pattern, const json_t *ir,
                               char **error);

static struct pl_term *wrong(char **error, const char *what, const json_t *ir) {
  struct pl_text text = {0};
  pl_text_format(&text, "%s: ", what);
  if (ir != NULL) pl_value_show(ir, &text);
  if (text.length > 200) strcpy(text.bytes + 197, "...");
  *error = text.bytes;
  return NULL;
}

/* Compiles each entry of a list. Gives the array, NULL on error. */
static struct pl_term **compile_list(struct pl_pattern *pattern,
                                     const json_t *list, char **error) {
  size_t count = json_array_size(list);
  struct pl_term **child = pl_mem_alloc((count + 1) * sizeof(struct pl_term *));
  for (size_t i = 0; i < count; i++) {
    child[i] = compile(pattern, json_array_get(list, i), error);
    if (child[i] == NULL) {
      free(child);
      return NULL;
    }
  }
  return child;
}

static struct pl_term *fold_seq(struct pl_term_table *table,
                                struct pl_term **child, size_t count) {
  struct pl_term *term = table->empty;
  for (size_t i = count; i-- > 0;)
    term = pl_term_seq(table, child[i], term);
  return term;
}

static struct pl_term *compile_group(struct pl_pattern *pattern,
                                     const char *key, const json_t *list,
                                     char **error) {
  if (!json_is_array(list))
    return wrong(error, "a pattern's list is not a list", list);
  struct pl_term **child = compile_list(pattern, list, error);
  if (child == NULL) return NULL;
  size_t count = json_array_size(list);
  struct pl_term *term;
  if (strcmp(key, "seq") == 0)
    term = fold_seq(&pattern->table, child, count);
  else if (strcmp(key, "any") == 0)
    term = pl_term_any(&pattern->table, child, count);
  else if (strcmp(key, "interleave") == 0)
    term = pl_term_shuffle(&pattern->table, child, count);
  else
    term = pl_term_one(&pattern->table, child, count);
  free(child);
  if (term == pattern->table.empty && strcmp(key, "one") == 0 && count == 0)
    return wrong(error, "`one` needs at least one pattern", list);
  return term;
}

static struct pl_term *compile_event(struct pl_pattern *pattern,
                                     const json_t *ir, char **error) {
  const json_t *label = json_object_get(ir, "ev");
  const json_t *match = json_object_get(ir, "value");
  size_t keys = match != NULL ? 2 : 1;
  if (!json_is_string(label) || json_object_size(ir) != keys)
    return wrong(error, "`ev` is a label, alone or with `value`", ir);
  const char *reason = match != NULL ? pl_value_check(match) : NULL;
  if (reason != NULL) return wrong(error, reason, match);
  return pl_term_event(&pattern->table, json_string_value(label), match);
}

static struct pl_term *compile_repeat(struct pl_pattern *pattern,
                                      const json_t *ir, char **error) {
  const json_t *min = json_object_get(ir, "min");
  const json_t *max = json_object_get(ir, "max");
  int64_t low = min != NULL ? json_integer_value(min) : 0;
  int64_t high =
      json_is_integer(max) ? json_integer_value(max) : PL_TERM_NO_MAX;
  size_t keys = 1u + (min != NULL) + (max != NULL);
  if ((min != NULL && !json_is_integer(min)) || low < 0 ||
      (max != NULL && !json_is_integer(max) && !json_is_null(max)) ||
      (json_is_integer(max) && high < low) || json_object_size(ir) != keys)
    return wrong(error, "`repeat` has `min` and `max`, 0 <= min <= max", ir);
  struct pl_term *of = compile(pattern, json_object_get(ir, "repeat"), error);
  return of != NULL ? pl_term_repeat(&pattern->table, of, low, high) : NULL;
}

static struct pl_term *compile_optional(struct pl_pattern *pattern,
                                        const json_t *ir, char **error) {
  struct pl_term *of = compile(pattern, ir, error);
  struct pl_term *child[2] = {pattern->table.empty, of};
  return of != NULL ? pl_term_one(&pattern->table, child, 2) : NULL;
}

static struct pl_term *compile_atomic(struct pl_pattern *pattern,
                                      const json_t *ir, char **error) {
  struct pl_term *of = compile(pattern, ir, error);
  return of != NULL ? pl_term_atomic(&pattern->table, of) : NULL;
}

static struct pl_term *compile(struct pl_pattern *pattern, const json_t *ir,
                               char **error) {
  static const char *const groups[] = {"seq", "any", "interleave", "one"};
  if (!json_is_object(ir)) return wrong(error, "a pattern is an object", ir);
  if (json_object_get(ir, "ev") != NULL)
    return compile_event(pattern, ir, error);
  if (json_object_get(ir, "repeat") != NULL)
    return compile_repeat(pattern, ir, error);
  if (json_object_size(ir) != 1)
    return wrong(error, "a pattern has one key", ir);
  for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
    if (json_object_get(ir, groups[i]) != NULL)
      return compile_group(pattern, groups[i], json_object_get(ir, groups[i]),
                           error);
  if (json_object_get(ir, "opt") != NULL)
    return compile_optional(pattern, json_object_get(ir, "opt"), error);
  if (json_object_get(ir, "atomic") != NULL)
    return compile_atomic(pattern, json_object_get(ir, "atomic"), error);
  return wrong(error, "unknown pattern", ir);
}

int pl_pattern_compile(struct pl_pattern *pattern, const json_t *ir,
                       char **error) {
  *pattern = (struct pl_pattern){0};
  pl_term_table_init(&pattern->table);
  pattern->root = compile(pattern, ir, error);
  if (pattern->root != NULL) return 0;
  pl_pattern_free(pattern);
  return -1;
}

void pl_pattern_free(struct pl_pattern *pattern) {
  if (pattern->table.bucket != NULL) pl_term_table_free(&pattern->table);
}

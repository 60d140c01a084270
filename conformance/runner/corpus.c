/* SPDX-License-Identifier: MIT */
/* Reads corpus.jsonl; says file, line and reason of what it refuses. */
#include "corpus.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pattern.h"

enum { MAX_RUNS = 1000000, MAX_TIMEOUT = 3600000, MAX_POOL = 1024 };

static const struct {
  const char *name;
  enum pl_level level;
} levels[] = {{"MUST", PL_MUST},
              {"SHOULD", PL_SHOULD},
              {"MAY", PL_MAY},
              {"OBSERVED", PL_OBSERVED}};

static const char *text_of(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

/* Returns a member, with null taken for absent. */
static const json_t *member(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_null(value) ? NULL : value;
}

static bool read_number(const json_t *object, const char *key, unsigned low,
                        unsigned high, unsigned fallback, unsigned *number) {
  const json_t *value = member(object, key);
  *number = fallback;
  if (value == NULL) return true;
  json_int_t integer = json_integer_value(value);
  if (!json_is_integer(value) || integer < low || integer > high) return false;
  *number = (unsigned)integer;
  return true;
}

static bool names_or_absent(const json_t *list) {
  if (list == NULL) return true;
  for (size_t i = 0; i < json_array_size(list); i++)
    if (!json_is_string(json_array_get(list, i))) return false;
  return json_is_array(list);
}

static bool texts_or_absent(const json_t *object) {
  const char *key;
  json_t *value;
  if (object == NULL) return true;
  json_object_foreach((json_t *)object, key, value) {
    if (!json_is_string(value)) return false;
  }
  return json_is_object(object);
}

static int check_pattern(const json_t *ir, const char *where, char **error) {
  struct pl_pattern pattern;
  char *reason = NULL;
  if (pl_pattern_compile(&pattern, ir, &reason) == 0) {
    pl_pattern_free(&pattern);
    return 0;
  }
  *error = pl_mem_format("%s: %s", where, reason);
  free(reason);
  return -1;
}

static int check_patterns(const struct pl_case *item, char **error) {
  if (item->expect == NULL) {
    *error = pl_mem_copy("`expect` is missing");
    return -1;
  }
  if (check_pattern(item->expect, "expect", error) != 0) return -1;
  for (size_t i = 0; i < json_array_size(item->by_trait); i++) {
    const json_t *entry = json_array_get(item->by_trait, i);
    if (text_of(entry, "trait") == NULL) {
      *error = pl_mem_copy("an entry of `by_trait` has no `trait`");
      return -1;
    }
    if (check_pattern(json_object_get(entry, "expect"), "by_trait", error))
      return -1;
  }
  return 0;
}

/* Returns what is wrong with the fields that need no pattern, or NULL. */
static const char *read_names(struct pl_case *item, const json_t *object) {
  item->id = text_of(object, "id");
  item->rule = text_of(object, "rule");
  item->area = text_of(object, "area");
  item->level_name = text_of(object, "level");
  if (item->id == NULL || item->id[0] == '\0') return "`id` is missing";
  if (item->rule == NULL || item->area == NULL || item->level_name == NULL)
    return "`rule`, `area` and `level` must be texts";
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
    if (strcmp(levels[i].name, item->level_name) == 0) {
      item->level = levels[i].level;
      return NULL;
    }
  return "`level` is one of MUST, SHOULD, MAY, OBSERVED";
}

static const char *read_numbers(struct pl_case *item, const json_t *object) {
  const char *isolation = text_of(object, "isolation");
  const char *hash = text_of(object, "hash");
  char *end = NULL;
  if (!read_number(object, "runs", 1, MAX_RUNS, 1, &item->runs))
    return "`runs` is a number from 1";
  if (!read_number(object, "timeout_ms", 1, MAX_TIMEOUT, 5000,
                   &item->timeout_ms))
    return "`timeout_ms` is a number from 1";
  if (!read_number(object, "pool", 1, MAX_POOL, 0, &item->pool))
    return "`pool` is a number of threads or null";
  item->isolated = isolation != NULL && strcmp(isolation, "process") == 0;
  if (isolation != NULL && !item->isolated && strcmp(isolation, "shared") != 0)
    return "`isolation` is shared or process";
  item->hash = hash != NULL ? strtoull(hash, &end, 16) : 0;
  if (hash == NULL || strlen(hash) != 16 || *end != '\0')
    return "`hash` is 16 hexadecimal digits";
  return NULL;
}

static const char *read_parts(struct pl_case *item, const json_t *object) {
  item->needs = member(object, "needs");
  item->without = member(object, "without");
  item->traits = member(object, "traits");
  item->expect = member(object, "expect");
  item->by_trait = member(object, "by_trait");
  item->evidence = member(object, "evidence");
  item->disputed = member(object, "disputed");
  item->env = member(object, "env");
  item->files = member(object, "files");
  if (!names_or_absent(item->needs) || !names_or_absent(item->without) ||
      !names_or_absent(item->traits))
    return "`needs`, `without` and `traits` are lists of names";
  if (!texts_or_absent(item->env) || !texts_or_absent(item->files))
    return "`env` and `files` are objects of texts";
  if (item->by_trait != NULL && !json_is_array(item->by_trait))
    return "`by_trait` is a list";
  if (item->evidence != NULL && !json_is_object(item->evidence))
    return "`evidence` is an object";
  if (item->disputed != NULL && !json_is_object(item->disputed))
    return "`disputed` is null or an object";
  if (!json_is_object(json_object_get(object, "program")))
    return "`program` is an object";
  return NULL;
}

static void read_source(struct pl_case *item, const json_t *object) {
  const json_t *source = json_object_get(object, "source");
  json_int_t line = json_integer_value(json_object_get(source, "line"));
  item->file = text_of(source, "file");
  item->line = line > 0 && line < INT_MAX ? (int)line : 1;
}

/* The program is sent as often as it is run: its text is made once. */
static void write_program(struct pl_case *item, json_t *object) {
  json_t *program = json_object_get(object, "program");
  item->roles = json_object_get(program, "roles") != NULL;
  if (item->pool > 0)
    json_object_set_new(program, "pool", json_integer(item->pool));
  item->program = pl_mem_need(json_dumps(program, JSON_COMPACT));
  json_object_del(object, "program");
  if (json_object_size(item->files) > 0)
    item->files_text = pl_mem_need(json_dumps(item->files, JSON_COMPACT));
}

int pl_case_read(struct pl_case *item, json_t *object, char **error) {
  *item = (struct pl_case){0};
  const char *reason = read_names(item, object);
  if (reason == NULL) reason = read_numbers(item, object);
  if (reason == NULL) reason = read_parts(item, object);
  if (reason != NULL) {
    *error = pl_mem_copy(reason);
    return -1;
  }
  if (check_patterns(item, error) != 0) return -1;
  read_source(item, object);
  write_program(item, object);
  item->object = object;
  return 0;
}

void pl_case_free(struct pl_case *item) {
  json_decref(item->object);
  free(item->program);
  free(item->files_text);
}

void pl_corpus_free(struct pl_corpus *corpus) {
  for (size_t i = 0; i < corpus->count; i++)
    pl_case_free(&corpus->at[i]);
  free(corpus->at);
  free(corpus->suite);
  *corpus = (struct pl_corpus){0};
}

/* What is known while a corpus is read. */
struct reading {
  struct pl_corpus *corpus;
  json_t *ids;         /* id -> true */
  json_int_t promised; /* cases, by the first line */
  size_t room;
};

static int read_header(struct reading *reading, const json_t *object,
                       char **error) {
  const char *kind = text_of(object, "kind");
  const json_t *format = json_object_get(object, "format");
  const json_t *cases = json_object_get(object, "cases");
  if (kind == NULL || strcmp(kind, "corpus") != 0 ||
      json_integer_value(format) != 1 || !json_is_integer(cases)) {
    *error = pl_mem_copy("the first line is not a corpus header of format 1");
    return -1;
  }
  const char *suite = text_of(object, "suite");
  reading->promised = json_integer_value(cases);
  reading->corpus->suite = pl_mem_copy(suite != NULL ? suite : "unknown");
  return 0;
}

static int add_case(struct reading *reading, json_t *object, char **error) {
  struct pl_corpus *corpus = reading->corpus;
  const char *kind = text_of(object, "kind");
  if (kind == NULL || strcmp(kind, "case") != 0) {
    *error = pl_mem_copy("`kind` is not `case`");
    return -1;
  }
  const char *id = text_of(object, "id");
  if (id != NULL && json_object_get(reading->ids, id) != NULL) {
    *error = pl_mem_format("id `%s` is there twice", id);
    return -1;
  }
  if (corpus->count == reading->room) {
    reading->room = reading->room > 0 ? reading->room * 2 : 256;
    corpus->at = pl_mem_grow(corpus->at, reading->room * sizeof *corpus->at);
  }
  if (pl_case_read(&corpus->at[corpus->count], object, error) != 0) return -1;
  json_object_set_new(reading->ids, corpus->at[corpus->count].id, json_true());
  corpus->count++;
  return 0;
}

static int read_line(struct reading *reading, const char *line, size_t length,
                     char **error) {
  json_error_t why;
  json_t *object = json_loadb(line, length, 0, &why);
  if (object == NULL) {
    *error = pl_mem_format("not JSON: %s", why.text);
    return -1;
  }
  if (reading->corpus->suite != NULL) {
    if (add_case(reading, object, error) == 0)
      return 0; /* the case keeps the object */
    json_decref(object);
    return -1;
  }
  int result = read_header(reading, object, error);
  json_decref(object);
  return result;
}

static int read_all(struct reading *reading, FILE *file, const char *path,
                    char **error) {
  char *line = NULL, *reason = NULL;
  size_t size = 0;
  unsigned number = 0;
  ssize_t length;
  int result = 0;
  while (result == 0 && (length = getline(&line, &size, file)) >= 0) {
    number++;
    result = read_line(reading, line, (size_t)length, &reason);
  }
  free(line);
  if (result != 0) {
    *error = pl_mem_format("%s:%u: %s", path, number, reason);
    free(reason);
  } else if (ferror(file)) {
    *error = pl_mem_format("%s: %s", path, strerror(errno));
    result = -1;
  } else if (reading->corpus->suite == NULL) {
    *error = pl_mem_format("%s:1: the corpus is empty", path);
    result = -1;
  } else if (reading->promised != (json_int_t)reading->corpus->count) {
    *error = pl_mem_format("%s:%u: the header promises %lld cases, %zu are "
                           "there: the corpus is truncated, build it again",
                           path, number, (long long)reading->promised,
                           reading->corpus->count);
    result = -1;
  }
  return result;
}

int pl_corpus_load(struct pl_corpus *corpus, const char *path, char **error) {
  *corpus = (struct pl_corpus){0};
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    *error = pl_mem_format("%s: %s", path, strerror(errno));
    return -1;
  }
  struct reading reading = {.corpus = corpus,
                            .ids = pl_mem_need(json_object())};
  int result = read_all(&reading, file, path, error);
  json_decref(reading.ids);
  fclose(file);
  if (result != 0) pl_corpus_free(corpus);
  return result;
}

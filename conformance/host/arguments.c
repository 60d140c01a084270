/* SPDX-License-Identifier: MIT */
/*
 * arguments.c: reads what an operation is given, key by key.
 *
 * Invariant: whatever is let through lies within the bounds that
 * schema/vocabulary gives, so that the interpreter converts and
 * allocates without looking again.
 */
#include "reader.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY_KIND (~0u)
#define MAX_MS 10000

/* -- scalars ------------------------------------------------------------- */

static bool read_integer(struct reader *reader, struct op *op, const char *name,
                         json_t *json, json_int_t least, json_int_t most,
                         json_int_t *value) {
  if (json_is_integer(json)) {
    *value = json_integer_value(json);
    if (*value >= least && *value <= most) return true;
  }
  return reader_fail(reader, op,
                     "%s: a whole number from %lld to %lld is wanted", name,
                     (long long)least, (long long)most);
}

static bool read_count(struct reader *reader, struct op *op, const char *name,
                       json_t *json, json_int_t least, json_int_t most,
                       uint32_t *count) {
  json_int_t value = 0;
  if (!read_integer(reader, op, name, json, least, most, &value)) return false;
  *count = (uint32_t)value;
  return true;
}

static bool read_milliseconds(struct reader *reader, struct op *op,
                              const char *name, json_t *json, uint64_t *ms) {
  json_int_t value = 0;
  if (!read_integer(reader, op, name, json, 0, LLONG_MAX, &value)) return false;
  *ms = (uint64_t)value;
  return true;
}

static bool read_bool(struct reader *reader, struct op *op, const char *name,
                      json_t *json, bool *value) {
  if (!json_is_boolean(json))
    return reader_fail(reader, op, "%s: true or false is wanted", name);
  *value = json_is_true(json);
  return true;
}

bool read_label(struct reader *reader, struct op *op, json_t *json) {
  const char *label = json_string_value(json);
  if (!label || !*label)
    return reader_fail(reader, op, "a label, which is a string, is wanted");
  return read_json_text(reader, op, label, &op->label, &op->label_length);
}

int signal_number(const char *name) {
  static const struct {
    const char *name;
    int number;
  } signals[] = {{"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2},
                 {"SIGHUP", SIGHUP},   {"SIGWINCH", SIGWINCH},
                 {"SIGTERM", SIGTERM}, {"SIGCHLD", SIGCHLD}};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (strcmp(signals[i].name, name) == 0) return signals[i].number;
  return 0;
}

static bool read_signal(struct reader *reader, struct op *op, json_t *json) {
  const char *name = json_string_value(json);
  op->signum = name ? signal_number(name) : 0;
  if (op->signum == 0)
    return reader_fail(reader, op, "a signal's name (SIGUSR1, ...) is wanted");
  return true;
}

/* setTimeout's delay: a number, or the name of what is none. */
static bool read_delay(struct reader *reader, struct op *op, const char *name,
                       json_t *json) {
  static const char *const names[] = {"NaN", "undefined", "Infinity",
                                      "-Infinity"};
  const double values[] = {(double)NAN, (double)NAN, HUGE_VAL, -HUGE_VAL};
  if (json_is_number(json)) {
    op->delay = json_number_value(json);
    return true;
  }
  const char *text = json_string_value(json);
  for (size_t i = 0; text && i < sizeof names / sizeof *names; i++) {
    if (strcmp(text, names[i]) != 0) continue;
    op->delay = values[i];
    return true;
  }
  return reader_fail(reader, op,
                     "%s: a number, or NaN, Infinity, -Infinity or undefined "
                     "in quotes is wanted",
                     name);
}

/* -- bodies -------------------------------------------------------------- */

static bool read_then(struct reader *reader, struct op *op, json_t *json) {
  if (op->calls.count)
    return reader_fail(reader, op, "`then` or `each`, not both");
  struct body *body = arena_alloc(reader->arena, sizeof *body);
  if (!body) return reader_fail(reader, op, "out of memory");
  op->calls = (struct calls){.bodies = body, .count = 1};
  return read_body(reader, op, "then", 0, json, body);
}

static bool read_each(struct reader *reader, struct op *op, json_t *json) {
  if (op->calls.count)
    return reader_fail(reader, op, "`then` or `each`, not both");
  size_t count = json_array_size(json);
  if (count == 0)
    return reader_fail(reader, op, "each: a list of lists is wanted");
  struct body *bodies = arena_alloc(reader->arena, count * sizeof *bodies);
  if (!bodies) return reader_fail(reader, op, "out of memory");
  op->calls = (struct calls){.bodies = bodies, .count = count};
  for (size_t i = 0; i < count; i++)
    if (!read_body(reader, op, "each", i, json_array_get(json, i), &bodies[i]))
      return false;
  return true;
}

bool read_calls(struct reader *reader, struct op *op, const char *key,
                json_t *json) {
  if (strcmp(key, "each") == 0) return read_each(reader, op, json);
  return read_then(reader, op, json);
}

/* -- keys ---------------------------------------------------------------- */

static bool read_chain_of(struct reader *reader, struct op *op, json_t *json) {
  static const struct {
    const char *name;
    int kind;
    enum capability capability;
  } links[] = {{"tick", PL_KIND_TICK, CAP_TICK},
               {"microtask", PL_KIND_MICROTASK, CAP_MICROTASK},
               {"immediate", PL_KIND_IMMEDIATE, CAP_IMMEDIATE},
               {"timeout", PL_KIND_TIMEOUT, CAP_TIMEOUT}};
  const char *name = json_string_value(json);
  for (size_t i = 0; name && i < sizeof links / sizeof *links; i++) {
    if (strcmp(links[i].name, name) != 0) continue;
    reader_need(reader, op, links[i].capability);
    op->kind = links[i].kind;
    return true;
  }
  return reader_fail(reader, op,
                     "of: tick, microtask, immediate or timeout is wanted");
}

static bool read_mode(struct reader *reader, struct op *op, json_t *json) {
  static const char *const modes[] = {[PL_RUN_DEFAULT] = "default",
                                      [PL_RUN_ONCE] = "once",
                                      [PL_RUN_NOWAIT] = "nowait"};
  const char *name = json_string_value(json);
  for (size_t i = 0; name && i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(modes[i], name) != 0) continue;
    op->mode = (enum pl_run_mode)i;
    return true;
  }
  return reader_fail(reader, op, "mode: default, once or nowait is wanted");
}

static bool read_path(struct reader *reader, struct op *op, json_t *json) {
  const char *path = json_string_value(json);
  if (!path || !*path) return reader_fail(reader, op, "path: a path is wanted");
  size_t size = strlen(path) + 1;
  char *copy = arena_alloc(reader->arena, size);
  if (!copy) return reader_fail(reader, op, "out of memory");
  op->text = memcpy(copy, path, size);
  op->text_length = size - 1;
  return true;
}

static bool read_name(struct reader *reader, struct op *op,
                      const struct operation *operation, json_t *json) {
  const char *name = json_string_value(json);
  if (!name || !*name)
    return reader_fail(reader, op, "the name of an object is wanted");
  return read_reference(reader, op, name, operation->refers);
}

static const struct {
  const char *name;
  enum key key;
} key_names[] = {
    {"id", KEY_ID},         {"then", KEY_CALLBACK | KEY_THEN},
    {"each", KEY_CALLBACK}, {"after", KEY_DELAY | KEY_AFTER},
    {"every", KEY_EVERY},   {"repeat", KEY_REPEAT},
    {"start", KEY_START},   {"drain", KEY_DRAIN},
    {"path", KEY_PATH},     {"of", KEY_OF | KEY_CHAIN_OF},
    {"to", KEY_TO},         {"log", KEY_LOG},
    {"times", KEY_TIMES},   {"threads", KEY_THREADS},
    {"signal", KEY_SIGNAL}, {"block", KEY_BLOCK},
    {"mode", KEY_MODE},     {"length", KEY_LENGTH},
};

/* Which of the operation's keys `name` is; 0: none. */
static unsigned find_key(const struct operation *operation, const char *name) {
  for (size_t i = 0; i < sizeof key_names / sizeof *key_names; i++)
    if (strcmp(key_names[i].name, name) == 0)
      return operation->keys & key_names[i].key;
  return 0;
}

static const char *key_text(unsigned key) {
  for (size_t i = 0; i < sizeof key_names / sizeof *key_names; i++)
    if (key_names[i].key & key) return key_names[i].name;
  return "";
}

static bool read_key(struct reader *reader, struct op *op,
                     const struct operation *operation, unsigned key,
                     const char *name, json_t *json) {
  switch (key) {
  case KEY_ID:
    return read_id(reader, op, json);
  case KEY_CALLBACK:
    return read_calls(reader, op, name, json);
  case KEY_THEN:
    return read_then(reader, op, json);
  case KEY_DELAY:
  case KEY_EVERY:
    return read_delay(reader, op, name, json);
  case KEY_AFTER:
    return read_milliseconds(reader, op, name, json, &op->after);
  case KEY_REPEAT:
    return read_milliseconds(reader, op, name, json, &op->repeat);
  case KEY_START:
    return read_bool(reader, op, name, json, &op->start);
  case KEY_DRAIN:
    return read_bool(reader, op, name, json, &op->drain);
  case KEY_PATH:
    return read_path(reader, op, json);
  case KEY_OF:
  case KEY_TO:
    return read_name(reader, op, operation, json);
  case KEY_LOG:
    return read_label(reader, op, json);
  case KEY_TIMES:
  case KEY_LENGTH:
    return read_count(reader, op, name, json, 1, 100000, &op->number);
  case KEY_THREADS:
    return read_count(reader, op, name, json, 1, 16, &op->threads);
  case KEY_SIGNAL:
    return read_signal(reader, op, json);
  case KEY_BLOCK:
    return read_count(reader, op, name, json, 0, MAX_MS, &op->number);
  case KEY_MODE:
    return read_mode(reader, op, json);
  case KEY_CHAIN_OF:
    return read_chain_of(reader, op, json);
  default:
    return false;
  }
}

static bool read_args(struct reader *reader, struct op *op,
                      const struct operation *operation, json_t *json) {
  if (!json_is_object(json))
    return reader_fail(reader, op, "an object is wanted");
  op->delay = (double)NAN; /* setTimeout(f) */
  if (operation->keys & KEY_TIMES) op->number = 1;
  unsigned seen = 0;
  const char *name;
  json_t *value;
  json_object_foreach(json, name, value) {
    unsigned key = find_key(operation, name);
    if (key == 0) return reader_fail(reader, op, "unknown key `%.80s`", name);
    if (!read_key(reader, op, operation, key, name, value)) return false;
    seen |= key;
  }
  unsigned lacking = operation->required & ~seen;
  if (lacking == 0) return true;
  return reader_fail(reader, op, "`%s` is missing",
                     key_text(lacking & ~(lacking - 1)));
}

/* -- events -------------------------------------------------------------- */

static const struct {
  const char *name;
  enum value_kind kind;
  int capability; /* -1: none */
} plain_values[] = {
    {"$result", VALUE_RESULT, -1},    {"$count", VALUE_COUNT, -1},
    {"$elapsed", VALUE_ELAPSED, -1},  {"$now", VALUE_NOW, CAP_RUN},
    {"$alive", VALUE_ALIVE, CAP_RUN}, {"$timeout", VALUE_TIMEOUT, CAP_RUN},
};

static const struct {
  const char *prefix;
  enum value_kind kind;
  enum capability capability;
} object_values[] = {
    {"$active:", VALUE_ACTIVE, CAP_RUN},
    {"$closing:", VALUE_CLOSING, CAP_CLOSE},
    {"$hasref:", VALUE_HASREF, CAP_REF},
};

/* These two a provider with loop.run may be unable to tell. */
static void need_value(struct reader *reader, enum value_kind kind) {
  const struct pl_loop_table *loop = &reader->library->loop;
  if ((kind == VALUE_ALIVE && !loop->alive) ||
      (kind == VALUE_TIMEOUT && !loop->backend_timeout))
    reader_miss(reader, "the provider does not tell `%s`",
                kind == VALUE_ALIVE ? "$alive" : "$timeout");
}

static bool read_named_value(struct reader *reader, struct op *op,
                             const char *name) {
  for (size_t i = 0; i < sizeof plain_values / sizeof *plain_values; i++) {
    if (strcmp(plain_values[i].name, name) != 0) continue;
    op->value = plain_values[i].kind;
    if (plain_values[i].capability >= 0)
      reader_need(reader, op, (enum capability)plain_values[i].capability);
    need_value(reader, op->value);
    return true;
  }
  for (size_t i = 0; i < sizeof object_values / sizeof *object_values; i++) {
    size_t length = strlen(object_values[i].prefix);
    if (strncmp(object_values[i].prefix, name, length) != 0) continue;
    op->value = object_values[i].kind;
    reader_need(reader, op, object_values[i].capability);
    return read_reference(reader, op, name + length, ANY_KIND);
  }
  reader_miss(reader, "this host does not know the value `%.80s`", name);
  return true;
}

static bool read_value(struct reader *reader, struct op *op, json_t *json) {
  const char *string = json_string_value(json);
  if (string && *string == '$') return read_named_value(reader, op, string);
  op->value = VALUE_LITERAL;
  if (string)
    return read_json_text(reader, op, string, &op->text, &op->text_length);
  if (!json || json_is_object(json) || json_is_array(json))
    return reader_fail(reader, op,
                       "a value is a string, a number, true, "
                       "false or null");
  char number[64];
  size_t length = json_dumpb(json, number, sizeof number, JSON_ENCODE_ANY);
  char *copy = arena_alloc(reader->arena, sizeof number);
  if (length == 0 || length > sizeof number || !copy)
    return reader_fail(reader, op, "out of memory");
  op->text = memcpy(copy, number, length);
  op->text_length = length;
  return true;
}

static bool read_event(struct reader *reader, struct op *op, json_t *json) {
  if (!json_is_array(json)) return read_label(reader, op, json);
  if (json_array_size(json) != 2)
    return reader_fail(reader, op, "an event is a label or [label, value]");
  return read_label(reader, op, json_array_get(json, 0)) &&
         read_value(reader, op, json_array_get(json, 1));
}

bool read_arguments(struct reader *reader, struct op *op,
                    const struct operation *operation, json_t *json) {
  switch (operation->shape) {
  case SHAPE_ARGS:
    return read_args(reader, op, operation, json);
  case SHAPE_REF:
    return read_name(reader, op, operation, json);
  case SHAPE_EVENT:
    return read_event(reader, op, json);
  case SHAPE_NUMBER:
    return read_count(reader, op, "block", json, 0, MAX_MS, &op->number);
  case SHAPE_SIGNAL:
    return read_signal(reader, op, json);
  case SHAPE_OWN:
    return operation->read(reader, op, operation, json);
  }
  return false;
}

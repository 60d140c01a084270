/* SPDX-License-Identifier: MIT */
/*
 * reader.c: walks a program and builds its operations.
 *
 * Invariant: after the first fault nothing is overwritten, so the message is
 * about the first one in the order of reading; an unsupported operation does
 * not hide a malformed one behind it.
 */
#include "reader.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A reference, kept until every id is known. */
struct use {
  struct use *next;
  const struct op *op;
  const char *name;
  unsigned kinds; /* which it may name, bits 1u << kind */
  int slot;
};

/* -- places and faults --------------------------------------------------- */

static size_t add(char *buffer, size_t size, size_t at, const char *text) {
  size_t length = strlen(text);
  size_t left = at + 1 < size ? size - 1 - at : 0;
  if (length > left) length = left;
  memcpy(buffer + at, text, length);
  buffer[at + length] = '\0';
  return at + length;
}

size_t op_place(const struct op *op, char *buffer, size_t size) {
  char part[64];
  size_t at = 0;
  if (op->parent) {
    at = op_place(op->parent, buffer, size);
    at = add(buffer, size, at, ".");
  }
  if (strcmp(op->list, "each") == 0 || strcmp(op->list, "bodies") == 0)
    snprintf(part, sizeof part, "%s[%zu][%zu]", op->list, op->each, op->index);
  else
    snprintf(part, sizeof part, "%s[%zu]", op->list, op->index);
  at = add(buffer, size, at, part);
  if (!op->name) return at;
  at = add(buffer, size, at, ".");
  return add(buffer, size, at, op->name);
}

bool reader_fail(struct reader *reader, const struct op *op, const char *format,
                 ...) {
  if (reader->failed) return false;
  reader->failed = true;
  char place[160] = "program";
  if (op && op_place(op, place, sizeof place) == sizeof place - 1)
    memcpy(place + sizeof place - 4, "...", 4);
  char what[256];
  va_list list;
  va_start(list, format);
  vsnprintf(what, sizeof what, format, list);
  va_end(list);
  snprintf(reader->message, reader->message_size, "%s: %s", place, what);
  return false;
}

void reader_miss(struct reader *reader, const char *format, ...) {
  if (reader->unsupported) return;
  reader->unsupported = true;
  va_list list;
  va_start(list, format);
  vsnprintf(reader->missing, sizeof reader->missing, format, list);
  va_end(list);
}

void reader_need(struct reader *reader, const struct op *op,
                 enum capability capability) {
  if (library_has(reader->library, capability)) return;
  const struct pl_provider *provider = reader->library->provider;
  reader_miss(reader, "`%s` needs %s, which %s %s does not offer", op->name,
              capability_name(capability), provider->name, provider->version);
}

/* -- ids ----------------------------------------------------------------- */

static bool grow_kinds(struct reader *reader) {
  size_t room = reader->room ? reader->room * 2 : 16;
  int *kinds = realloc(reader->kinds, room * sizeof *kinds);
  if (!kinds) return false;
  reader->kinds = kinds;
  reader->room = room;
  return true;
}

/* The slot of a name, a new one where it is the first time; -1: no memory. */
static int slot_of(struct reader *reader, const char *name) {
  json_t *known = json_object_get(reader->ids, name);
  if (known) return (int)json_integer_value(known);
  size_t slot = reader->program->slots;
  if (slot == reader->room && !grow_kinds(reader)) return -1;
  json_t *number = json_integer((json_int_t)slot);
  if (json_object_set_new(reader->ids, name, number) != 0) return -1;
  reader->kinds[slot] = KIND_NONE;
  reader->program->slots++;
  return (int)slot;
}

bool read_id(struct reader *reader, struct op *op, json_t *json) {
  const char *name = json_string_value(json);
  if (!name || !*name) return reader_fail(reader, op, "id: a name is wanted");
  int slot = slot_of(reader, name);
  if (slot < 0) return reader_fail(reader, op, "out of memory");
  int *kind = &reader->kinds[slot];
  if (*kind != KIND_NONE && *kind != op->kind)
    return reader_fail(reader, op, "id: `%.80s` already names a %s", name,
                       kind_name(*kind));
  *kind = op->kind;
  op->slot = slot;
  return true;
}

bool read_reference(struct reader *reader, struct op *op, const char *name,
                    unsigned kinds) {
  struct use *use = arena_alloc(reader->arena, sizeof *use);
  size_t size = strlen(name) + 1;
  char *copy = arena_alloc(reader->arena, size);
  int slot = use && copy ? slot_of(reader, name) : -1;
  if (slot < 0) return reader_fail(reader, op, "out of memory");
  memcpy(copy, name, size);
  *use = (struct use){.next = reader->uses,
                      .op = op,
                      .name = copy,
                      .kinds = kinds,
                      .slot = slot};
  reader->uses = use;
  op->slot = slot;
  return true;
}

/* Every reference names something that the program makes, of a fit kind. */
static bool check_uses(struct reader *reader) {
  for (const struct use *use = reader->uses; use; use = use->next) {
    int kind = reader->kinds[use->slot];
    if (kind == KIND_NONE)
      return reader_fail(reader, use->op, "nothing in the program is `%.80s`",
                         use->name);
    if ((use->kinds & (1u << (unsigned)kind)) == 0)
      return reader_fail(reader, use->op,
                         "`%.80s` is a %s, which cannot be "
                         "used here",
                         use->name, kind_name(kind));
  }
  return true;
}

/* -- operations ---------------------------------------------------------- */

bool read_json_text(struct reader *reader, const struct op *op,
                    const char *string, const char **text, size_t *length) {
  struct text json = {0};
  text_add_json(&json, string);
  char *copy = json.failed ? NULL : arena_alloc(reader->arena, json.length);
  if (copy) {
    memcpy(copy, json.bytes, json.length);
    *text = copy;
    *length = json.length;
  }
  text_free(&json);
  return copy ? true : reader_fail(reader, op, "out of memory");
}

static bool read_op(struct reader *reader, struct op *op, json_t *json) {
  if (!json_is_object(json) || json_object_size(json) != 1)
    return reader_fail(reader, op, "an operation is an object with one key");
  void *entry = json_object_iter(json);
  const char *name = json_object_iter_key(entry);
  const struct operation *operation = operation_find(name);
  if (!operation) {
    reader_miss(reader, "this host does not know the operation `%.80s`", name);
    return true;
  }
  op->name = operation->name;
  op->code = operation->code;
  op->kind = operation->kind;
  op->perform = operation->perform;
  if (operation->capability >= 0)
    reader_need(reader, op, (enum capability)operation->capability);
  if (op->code == OP_RUN) {
    if (op->parent) return reader_fail(reader, op, "`run` stands in main only");
    reader->program->runs_itself = true;
  }
  return read_arguments(reader, op, operation, json_object_iter_value(entry));
}

bool read_body(struct reader *reader, const struct op *parent, const char *list,
               size_t each, json_t *json, struct body *body) {
  if (!json_is_array(json))
    return reader_fail(reader, parent, "%s: a list of operations is wanted",
                       list);
  size_t count = json_array_size(json);
  struct op *ops = arena_alloc(reader->arena, count * sizeof *ops);
  if (!ops) return reader_fail(reader, parent, "out of memory");
  for (size_t i = 0; i < count; i++) {
    ops[i].parent = parent;
    ops[i].list = list;
    ops[i].each = each;
    ops[i].index = i;
    ops[i].slot = -1;
    ops[i].start = ops[i].drain = true;
    if (!read_op(reader, &ops[i], json_array_get(json, i))) return false;
  }
  *body = (struct body){.ops = ops, .count = count};
  return true;
}

/* -- the program --------------------------------------------------------- */

static bool read_pool(struct reader *reader, json_t *json) {
  if (!json || json_is_null(json)) return true;
  json_int_t threads = json_integer_value(json);
  if (!json_is_integer(json) || threads < 1 || threads > 1024)
    return reader_fail(reader, NULL, "pool: a number from 1 to 1024 is wanted");
  reader->program->pool = (unsigned)threads;
  return true;
}

/* What the modules do that the program loads; an ES module's body is an
 * object. */
static bool read_bodies(struct reader *reader, json_t *json) {
  if (!json) return true;
  if (!json_is_array(json))
    return reader_fail(reader, NULL, "bodies: a list is wanted");
  size_t count = json_array_size(json);
  struct body *bodies = arena_alloc(reader->arena, count * sizeof *bodies);
  if (!bodies) return reader_fail(reader, NULL, "out of memory");
  reader->program->bodies = bodies;
  reader->program->body_count = count;
  reader->program->uses_modules = true;
  reader->in_module = true;
  for (size_t i = 0; i < count; i++) {
    json_t *body = json_array_get(json, i);
    if (json_is_object(body)) {
      reader_miss(reader, "a program of ES modules, which the host lacks");
      body = json_object_get(body, "do");
    }
    if (!read_body(reader, NULL, "bodies", i, body, &bodies[i])) return false;
  }
  return true;
}

static bool read_program(struct reader *reader, json_t *json) {
  if (!json_is_object(json))
    return reader_fail(reader, NULL, "an object with `main` is wanted");
  const char *key;
  json_t *value;
  json_object_foreach(json, key, value) {
    if (strcmp(key, "main") != 0 && strcmp(key, "pool") != 0 &&
        strcmp(key, "bodies") != 0)
      return reader_fail(reader, NULL, "unknown key `%.80s`", key);
  }
  return read_pool(reader, json_object_get(json, "pool")) &&
         read_body(reader, NULL, "main", 0, json_object_get(json, "main"),
                   &reader->program->main) &&
         read_bodies(reader, json_object_get(json, "bodies"));
}

enum read_status program_read(struct program *program, struct arena *arena,
                              const struct library *library, json_t *json,
                              char *message, size_t message_size) {
  struct reader reader = {.arena = arena,
                          .library = library,
                          .program = program,
                          .ids = json_object(),
                          .message = message,
                          .message_size = message_size};
  *program = (struct program){0};
  if (!reader.ids)
    reader_fail(&reader, NULL, "out of memory");
  else if (read_program(&reader, json) && !reader.unsupported)
    check_uses(&reader); /* what is unsupported may be what makes the id */
  json_decref(reader.ids);
  free(reader.kinds);
  if (reader.failed) return READ_MALFORMED;
  if (!reader.unsupported) return READ_OK;
  snprintf(message, message_size, "%s", reader.missing);
  return READ_UNSUPPORTED;
}

/* SPDX-License-Identifier: MIT */
/*
 * heap_check.c: what a heap provider offers; checks a program about memory.
 *
 * Invariant: a program that was found right has, at every operation, members
 * of the types that its row says, and uses no id that nothing makes; so what
 * performs it asks no more than whether an object is there yet.
 */
#include "heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- what is offered ------------------------------------------------------- */

/* Whether the provider's own struct has a field that ends there. */
static bool reaches(const struct pl_provider *provider, size_t offset) {
  return provider->size >= offset + sizeof(void *);
}

void heap_tables_take(struct heap_tables *tables,
                      const struct pl_provider *provider) {
  *tables = (struct heap_tables){0};
  const struct pl_heap_table *heap =
      reaches(provider, offsetof(struct pl_provider, heap)) ? provider->heap
                                                            : NULL;
  const struct pl_buffer_table *buffer =
      reaches(provider, offsetof(struct pl_provider, buffer)) ? provider->buffer
                                                              : NULL;
  if (heap)
    memcpy(&tables->heap, heap,
           heap->size < sizeof *heap ? heap->size : sizeof *heap);
  if (buffer)
    memcpy(&tables->buffer, buffer,
           buffer->size < sizeof *buffer ? buffer->size : sizeof *buffer);
}

const char *heap_capability_name(enum heap_capability capability) {
  static const char *const names[] = {
#define X(name, text) text,
      HEAP_CAPABILITIES(X)
#undef X
  };
  return names[capability];
}

static bool has_objects(const struct pl_heap_table *t) {
  return t->create && t->destroy && t->alloc && t->drop && t->link && t->get &&
         t->same && t->collect && t->watch && t->alive && t->unwatch &&
         t->set_number && t->number;
}

static bool has_buffers(const struct pl_buffer_table *b) {
  return b->alloc && b->from && b->view && b->facts;
}

bool heap_offers(const struct heap_tables *tables,
                 enum heap_capability capability) {
  const struct pl_heap_table *t = &tables->heap;
  const struct pl_buffer_table *b = &tables->buffer;
  if (!has_objects(t)) return false;
  switch (capability) {
  case HEAP_OBJECT:
  case HEAP_MINOR:
  case HEAP_COMPACT:
    return true;
  case HEAP_GENERATION:
  case HEAP_SPACE:
  case HEAP_LARGE:
  case HEAP_IDENTITY:
    return t->where;
  case HEAP_FRAME:
    return t->enter && t->leave;
  case HEAP_WEAK:
    return t->weak && t->deref && t->weak_end;
  case HEAP_TARGET:
    return t->weak && t->target && t->weak_end;
  case HEAP_TABLE:
    return t->table && t->table_set && t->table_has && t->table_delete;
  case HEAP_TABLE_SIZE:
    return t->table && t->table_count;
  case HEAP_REGISTRY:
    return t->on_death && t->forget && t->settle;
  case HEAP_EXTERNAL:
    return t->outside && t->figures;
  case HEAP_ADJUST:
    return t->adjust && t->figures;
  case HEAP_USAGE:
  case HEAP_COUNT:
    return t->figures;
  case HEAP_EVENTS:
  case HEAP_EVENT_DETAILS:
  case HEAP_CONFIG:
    return t->policies && t->settle;
  case HEAP_LIMIT:
    return t->set_limit;
  case HEAP_STEP:
    return t->step;
  case HEAP_VERIFY:
    return t->verify;
  case HEAP_SNAPSHOT:
    return t->snapshot;
  case HEAP_RETAINED:
    return t->snapshot && t->retained;
  case HEAP_LEAK:
    return t->leak_size && t->leak_init && t->leak_collection &&
           t->leak_figure && t->leak_reason;
  case HEAP_TRACE:
    return t->trace;
  case HEAP_STORE:
    return has_buffers(b);
  case HEAP_POOL:
    return has_buffers(b) && b->pool_size && b->set_pool_size;
  case HEAP_STORE_TRANSFER:
    return has_buffers(b) && b->transfer;
  default:
    return false;
  }
}

/* -- operations ------------------------------------------------------------ */

const struct heap_operation *heap_operation_find(const char *name) {
  const struct heap_operation *const tables[] = {
      heap_object_operations, heap_weak_operations, heap_figure_operations,
      heap_snapshot_operations, heap_trace_operations, heap_buffer_operations};
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
    for (const struct heap_operation *row = tables[i]; row->name; row++)
      if (strcmp(row->name, name) == 0) return row;
  return NULL;
}

static bool about_memory(const char *name) {
  return strncmp(name, "heap.", 5) == 0 || strncmp(name, "buffer.", 7) == 0 ||
         strncmp(name, "leak.", 5) == 0;
}

bool heap_program(json_t *program) {
  size_t i;
  json_t *operation;
  json_array_foreach(json_object_get(program, "main"), i, operation) {
    const char *name = json_object_iter_key(json_object_iter(operation));
    if (name && about_memory(name)) return true;
  }
  return false;
}

/* -- checking -------------------------------------------------------------- */

struct checker {
  const struct heap_tables *tables;
  json_t *made; /* id -> true */
  json_t *used; /* id -> place */
  char *message;
  size_t size;
  enum heap_reading reading;
};

/* The first fault is told; a malformed program is no unsupported one. */
static void note(struct checker *checker, enum heap_reading reading,
                 const char *place, const char *what) {
  if (checker->reading >= reading) return;
  checker->reading = reading;
  if (reading == HEAP_MALFORMED)
    snprintf(checker->message, checker->size, "%s: %s", place, what);
  else
    snprintf(checker->message, checker->size, "%s", what);
}

static void malformed(struct checker *checker, const char *place,
                      const char *what) {
  note(checker, HEAP_MALFORMED, place, what);
}

static void check_body(struct checker *checker, json_t *body,
                       const char *place);

static void use(struct checker *checker, json_t *value, const char *place) {
  if (json_is_string(value))
    json_object_set_new(checker->used, json_string_value(value),
                        json_string(place));
  else
    malformed(checker, place, "the id of an object is wanted");
}

static bool is_one_of(const char *words, size_t length, const char *value) {
  size_t size = strlen(value);
  for (const char *at = words, *end = words + length; at < end;) {
    const char *bar = memchr(at, '|', (size_t)(end - at));
    size_t width = (size_t)((bar ? bar : end) - at);
    if (width == size && memcmp(at, value, size) == 0) return true;
    at += width + 1;
  }
  return false;
}

static bool fits(const char *type, size_t length, json_t *value) {
  if (length > 1)
    return json_is_string(value) &&
           is_one_of(type, length, json_string_value(value));
  bool whole = json_is_integer(value);
  switch (*type) {
  case 'n':
    return whole && json_integer_value(value) >= 0;
  case 'i':
    return whole;
  case 'd':
    return json_is_number(value);
  case 's':
    return json_is_string(value);
  case 'b':
    return json_is_boolean(value);
  case 'l':
    return json_is_array(value);
  case 'v':
    return whole || json_is_string(value);
  case 'w':
    return !json_is_array(value) && !json_is_object(value);
  default:
    return true;
  }
}

static void check_callback(struct checker *checker, json_t *args,
                           const char *place) {
  char inner[256];
  json_t *then = json_object_get(args, "then");
  json_t *each = json_object_get(args, "each");
  if (then) {
    snprintf(inner, sizeof inner, "%.200s.then", place);
    check_body(checker, then, inner);
  }
  if (!each) return;
  if (then) malformed(checker, place, "has both `then` and `each`");
  if (!json_is_array(each) || json_array_size(each) == 0)
    malformed(checker, place, "`each` is a list of bodies");
  size_t i;
  json_t *body;
  json_array_foreach(each, i, body) {
    snprintf(inner, sizeof inner, "%.200s.each[%zu]", place, i);
    check_body(checker, body, inner);
  }
}

/* One "name:type" of a row. */
struct member {
  const char *name, *type;
  size_t name_length, type_length;
  bool optional;
};

/* Reads the member at `at`; what follows it, or NULL behind the last. */
static const char *next_member(const char *at, struct member *member) {
  while (*at == ' ')
    at++;
  if (!*at) return NULL;
  size_t length = strcspn(at, " ");
  const char *colon = memchr(at, ':', length);
  member->optional = at[length - 1] == '?';
  member->name = at;
  member->name_length = colon ? (size_t)(colon - at) : length;
  member->type = colon ? colon + 1 : "";
  member->type_length =
      colon ? length - member->name_length - 1 - member->optional : 0;
  return at + length;
}

static bool takes(const char *members, const char *key) {
  struct member member;
  for (const char *at = members; (at = next_member(at, &member)) != NULL;) {
    if (*member.type == 'c' && member.type_length == 1 &&
        (strcmp(key, "then") == 0 || strcmp(key, "each") == 0))
      return true;
    if (strlen(key) == member.name_length &&
        memcmp(key, member.name, member.name_length) == 0)
      return true;
  }
  return false;
}

static void check_member(struct checker *checker, json_t *args,
                         const struct member *member, const char *place) {
  char name[64], inner[320];
  snprintf(name, sizeof name, "%.*s", (int)member->name_length, member->name);
  snprintf(inner, sizeof inner, "%s.%s", place, name);
  if (member->type_length == 1 && *member->type == 'c') {
    check_callback(checker, args, place);
    return;
  }
  json_t *value = json_object_get(args, name);
  if (!value) {
    if (!member->optional) malformed(checker, inner, "is wanted");
    return;
  }
  if (strcmp(name, "id") == 0) {
    if (json_is_string(value))
      json_object_set_new(checker->made, json_string_value(value), json_true());
    else
      malformed(checker, inner, "an id is a text");
  } else if (member->type_length == 1 && *member->type == 'r') {
    use(checker, value, inner);
  } else if (member->type_length == 1 && *member->type == 't') {
    check_body(checker, value, inner);
  } else if (!fits(member->type, member->type_length, value)) {
    malformed(checker, inner, "is not what may stand there");
  }
}

static void check_event(struct checker *checker, json_t *event,
                        const char *place) {
  if (json_is_string(event)) return;
  json_t *value = json_array_get(event, 1);
  if (json_array_size(event) != 2 ||
      !json_is_string(json_array_get(event, 0)) || json_is_array(value) ||
      json_is_object(value)) {
    malformed(checker, place, "an event is a label or [label, value]");
    return;
  }
  const char *text = json_string_value(value);
  if (text && text[0] == '$' && strcmp(text, "$result") != 0 &&
      strcmp(text, "$count") != 0)
    note(checker, HEAP_UNSUPPORTED, place,
         "a value that programs about memory do not have");
}

static void check_arguments(struct checker *checker,
                            const struct heap_operation *row, json_t *args,
                            const char *place) {
  if (!*row->members) {
    use(checker, args, place);
    return;
  }
  if (strcmp(row->members, "e") == 0) {
    check_event(checker, args, place);
    return;
  }
  if (!json_is_object(args)) {
    malformed(checker, place, "an object is wanted");
    return;
  }
  const char *key;
  json_t *value;
  json_object_foreach(args, key, value) {
    char what[128];
    snprintf(what, sizeof what, "unknown key `%.64s`", key);
    if (!takes(row->members, key)) malformed(checker, place, what);
  }
  struct member member;
  for (const char *at = row->members; (at = next_member(at, &member));)
    check_member(checker, args, &member, place);
}

static void check_operation(struct checker *checker, json_t *operation,
                            const char *place) {
  if (json_object_size(operation) != 1) {
    malformed(checker, place, "an operation is an object with one key");
    return;
  }
  const char *name = json_object_iter_key(json_object_iter(operation));
  const struct heap_operation *row = heap_operation_find(name);
  char what[160];
  snprintf(what, sizeof what, "operation `%.100s`", name);
  if (!row ||
      (row->capability >= 0 &&
       !heap_offers(checker->tables, (enum heap_capability)row->capability))) {
    note(checker, HEAP_UNSUPPORTED, place, what);
    return;
  }
  char inner[256];
  snprintf(inner, sizeof inner, "%.150s.%.60s", place, name);
  check_arguments(checker, row, json_object_get(operation, name), inner);
}

static void check_body(struct checker *checker, json_t *body,
                       const char *place) {
  if (!json_is_array(body)) {
    malformed(checker, place, "a list of operations is wanted");
    return;
  }
  size_t i;
  json_t *operation;
  json_array_foreach(body, i, operation) {
    char inner[256];
    snprintf(inner, sizeof inner, "%.200s[%zu]", place, i);
    check_operation(checker, operation, inner);
  }
}

enum heap_reading heap_check(const struct heap_tables *tables, json_t *program,
                             char *message, size_t size) {
  struct checker checker = {.tables = tables,
                            .made = json_object(),
                            .used = json_object(),
                            .message = message,
                            .size = size};
  check_body(&checker, json_object_get(program, "main"), "main");
  const char *id;
  json_t *place;
  json_object_foreach(checker.used, id, place) {
    char what[160];
    snprintf(what, sizeof what, "`%.100s` is made by no operation", id);
    if (!json_object_get(checker.made, id))
      malformed(&checker, json_string_value(place), what);
  }
  json_decref(checker.made);
  json_decref(checker.used);
  return checker.reading;
}

/* SPDX-License-Identifier: MIT */
/*
 * heap_run.c: one run of a program about memory, from a heap to none.
 *
 * Invariant: the run holds no address. Everything that the program named is a
 * thing; at the end each is given back, and the heap is destroyed.
 */
#include "heap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void heap_fail(struct heap_run *run, const char *format, ...) {
  if (run->failed) return;
  run->failed = true;
  va_list list;
  va_start(list, format);
  vsnprintf(run->message, sizeof run->message, format, list);
  va_end(list);
}

/* -- arguments ------------------------------------------------------------- */

size_t heap_size(json_t *args, const char *key, size_t otherwise) {
  json_t *value = json_object_get(args, key);
  return json_is_integer(value) ? (size_t)json_integer_value(value) : otherwise;
}

const char *heap_text(json_t *args, const char *key, const char *otherwise) {
  const char *value = json_string_value(json_object_get(args, key));
  return value ? value : otherwise;
}

/* -- events ---------------------------------------------------------------- */

static void record_text(struct heap_run *run, const char *text) {
  int err = trace_event(run->trace, text, strlen(text), NULL, 0);
  if (err != 0)
    heap_fail(run, "the event cannot be recorded: %s", strerror(-err));
}

static void record(struct heap_run *run, json_t *event) {
  char *text = event ? json_dumps(event, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
  if (text)
    record_text(run, text);
  else
    heap_fail(run, "out of memory");
  free(text);
}

void heap_tell(struct heap_run *run, json_t *args, json_t *value) {
  const char *label = heap_text(args, "log", NULL);
  if (label && !run->failed) {
    json_t *event = json_pack("[sO]", label, value);
    record(run, event);
    json_decref(event);
  }
  json_decref(value);
}

void heap_tell_bool(struct heap_run *run, json_t *args, bool value) {
  heap_tell(run, args, json_boolean(value));
}

void heap_tell_size(struct heap_run *run, json_t *args, long long value) {
  heap_tell(run, args, json_integer(value));
}

void heap_tell_text(struct heap_run *run, json_t *args, const char *value) {
  heap_tell(run, args, value ? json_string(value) : json_null());
}

static void log_event(struct heap_run *run, json_t *event) {
  const char *name = json_string_value(json_array_get(event, 1));
  json_t *value = NULL;
  if (name && strcmp(name, "$result") == 0)
    value = run->call && run->call->result ? json_incref(run->call->result)
                                           : json_null();
  else if (name && strcmp(name, "$count") == 0)
    value = json_integer(run->call ? (json_int_t)run->call->count : 0);
  if (!value) {
    record(run, event);
    return;
  }
  json_t *made = json_pack("[Oo]", json_array_get(event, 0), value);
  record(run, made);
  json_decref(made);
}

/* -- things ---------------------------------------------------------------- */

static struct thing *new_thing(struct heap_run *run, const char *id) {
  json_t *at = id ? json_object_get(run->ids, id) : NULL;
  if (at) { /* made again: what it named before is a root no longer */
    struct thing *thing = &run->things[json_integer_value(at)];
    heap_thing_end(run, thing);
    return thing;
  }
  if (run->thing_count == run->thing_room) {
    heap_fail(run, "more objects have ids than the program has operations");
    return NULL;
  }
  if (id)
    json_object_set_new(run->ids, id,
                        json_integer((json_int_t)run->thing_count));
  return &run->things[run->thing_count++];
}

struct thing *heap_thing(struct heap_run *run, json_t *args,
                         enum thing_kind kind, void *root) {
  const char *id = heap_text(args, "id", NULL);
  struct thing *thing = id ? new_thing(run, id) : NULL;
  if (!thing) {
    if (root) run->table->drop(run->heap, root);
    return NULL;
  }
  *thing = (struct thing){.run = run, .kind = kind, .root = root};
  bool objects = root && kind != THING_REGISTRY;
  if (objects && run->table->watch(run->heap, root, &thing->watch) != 0)
    heap_fail(run, "`%s`: no memory to watch it", id);
  if (objects && run->table->where) {
    struct pl_where where;
    run->table->where(run->heap, root, &where);
    thing->address = where.address;
  }
  return thing;
}

static struct thing *find(struct heap_run *run, const char *id) {
  json_t *at = json_object_get(run->ids, id);
  if (at && !run->failed) return &run->things[json_integer_value(at)];
  heap_fail(run, "`%s` is used before it is made", id);
  return NULL;
}

struct thing *heap_named(struct heap_run *run, json_t *args, const char *key) {
  return find(run, heap_text(args, key, ""));
}

void *heap_root(struct heap_run *run, json_t *args, const char *key) {
  if (!json_object_get(args, key)) return NULL;
  struct thing *thing = heap_named(run, args, key);
  if (thing && !thing->root)
    heap_fail(run, "`%s` is a root no longer", heap_text(args, key, ""));
  return thing ? thing->root : NULL;
}

void heap_drop(struct heap_run *run, struct thing *thing) {
  if (thing->kind == THING_REGISTRY) heap_registry_end(run, thing);
  if (thing->kind == THING_WEAK && thing->weak)
    run->table->weak_end(run->heap, thing->weak);
  thing->weak = NULL;
  if (thing->root) run->table->drop(run->heap, thing->root);
  thing->root = NULL;
}

void heap_thing_end(struct heap_run *run, struct thing *thing) {
  heap_drop(run, thing);
  if (thing->watch) run->table->unwatch(run->heap, thing->watch);
  json_decref(thing->snapshot);
  free(thing->text);
  free(thing->detector);
  *thing = (struct thing){0};
}

/* -- bodies ---------------------------------------------------------------- */

static void collected(void *self, const struct pl_collected *event) {
  struct heap_run *run = self;
  if (!event->requested || !run->events) return;
  if (run->told_count == run->told_room) {
    size_t room = run->told_room ? 2 * run->told_room : 16;
    struct told *more = realloc(run->told, room * sizeof *more);
    if (!more) {
      heap_fail(run, "out of memory");
      return;
    }
    run->told = more;
    run->told_room = room;
  }
  run->told[run->told_count++] = (struct told){.kind = event->kind,
                                               .reason = event->reason,
                                               .number = event->number,
                                               .clock = event->clock,
                                               .freed = event->freed,
                                               .promoted = event->promoted};
}

/* The callback itself may not use the heap: its body runs afterwards. */
static size_t near_limit(void *self) {
  struct heap_run *run = self;
  if (!run->near_limit) return 0;
  if (run->near_calls >= heap_size(run->near_limit, "times", 1)) return 0;
  run->near_calls++;
  return heap_size(run->near_limit, "raise", 0);
}

static json_t *told_value(const struct told *told, const char *show) {
  static const char *const kinds[] = {"minor", "major", "compact"};
  if (strcmp(show, "kind") == 0) return json_string(kinds[told->kind]);
  if (strcmp(show, "reason") == 0) return json_string(told->reason);
  if (strcmp(show, "number") == 0)
    return json_integer((json_int_t)told->number);
  if (strcmp(show, "clock") == 0) return json_integer((json_int_t)told->clock);
  return json_integer(
      (json_int_t)(strcmp(show, "freed") == 0 ? told->freed : told->promoted));
}

void heap_told_deliver(struct heap_run *run) {
  for (size_t i = 0; i < run->told_count && !run->failed; i++) {
    json_t *value =
        told_value(&run->told[i], heap_text(run->events, "show", "kind"));
    heap_call_back(run, run->events, ++run->event_calls, value);
    json_decref(value);
  }
  run->told_count = 0;
}

/* Makes the heap, as `config` says (heap.config's argument, or NULL). */
static void make_heap(struct heap_run *run, json_t *config) {
  struct pl_heap_options options = {
      .size = sizeof options,
      .policy = heap_text(config, "policy", NULL),
      .semi = heap_size(config, "semi", 0),
      .semi_max = heap_size(config, "semi-max", 0),
      .old_max = heap_size(config, "old-max", 0),
      .old_trigger = heap_size(config, "old-trigger", 0),
      .external_trigger = heap_size(config, "external-trigger", 0),
      .stress = (unsigned)heap_size(config, "stress", 0),
      .verify = json_is_true(json_object_get(config, "verify")),
      .self = run,
      .collected = collected,
      .near_limit = near_limit};
  int err = run->table->create(&options, &run->heap);
  if (err != 0)
    heap_fail(run, "no heap: %s", strerror(-err));
  else if (run->table->figures)
    run->table->figures(run->heap, &run->base);
}

void heap_body(struct heap_run *run, json_t *body,
               const struct heap_call *call) {
  const struct heap_call *outer = run->call;
  size_t i;
  json_t *operation;
  json_array_foreach(body, i, operation) {
    if (run->failed) break;
    void *at = json_object_iter(operation);
    const char *name = json_object_iter_key(at);
    json_t *args = json_object_iter_value(at);
    bool config = strcmp(name, "heap.config") == 0;
    if (config && run->heap) heap_fail(run, "`heap.config` comes first");
    if (!run->heap) make_heap(run, config ? args : NULL);
    run->call = call;
    if (run->failed || config) continue;
    if (strcmp(name, "log") == 0)
      log_event(run, args);
    else
      heap_operation_find(name)->perform(run, args);
  }
  run->call = outer;
}

void heap_call_back(struct heap_run *run, json_t *args, size_t count,
                    json_t *result) {
  const struct heap_call call = {.result = result, .count = count};
  json_t *each = json_object_get(args, "each");
  size_t bodies = json_array_size(each);
  json_t *body =
      bodies ? json_array_get(each, count <= bodies ? count - 1 : bodies - 1)
             : json_object_get(args, "then");
  heap_body(run, body, &call);
}

/* How many ids the operations of a body may make, those inside included. */
static size_t operations_in(json_t *json) {
  size_t count = 0;
  if (json_is_array(json)) {
    size_t i;
    json_t *part;
    json_array_foreach(json, i, part) count += operations_in(part);
  } else if (json_is_object(json)) {
    const char *key;
    json_t *part;
    json_object_foreach(json, key, part) count += operations_in(part);
    count++;
  }
  return count;
}

bool heap_run_program(struct heap_run *run) {
  run->table = &run->tables->heap;
  run->buffers = &run->tables->buffer;
  json_t *body = json_object_get(run->program, "main");
  run->thing_room = operations_in(body);
  run->ids = json_object();
  run->things = calloc(run->thing_room + 1, sizeof *run->things);
  if (run->ids && run->things)
    heap_body(run, body, NULL);
  else
    heap_fail(run, "out of memory");
  for (size_t i = run->thing_count; i-- > 0;)
    heap_thing_end(run, &run->things[i]);
  if (run->heap) run->table->destroy(run->heap);
  json_decref(run->ids);
  free(run->things);
  free(run->told);
  return !run->failed;
}

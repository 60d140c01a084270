/* SPDX-License-Identifier: MIT */
/*
 * modules_exports.c: what modules export, and what is done with it.
 *
 * Invariant: a getter's body and a function's run when they are read or called,
 * in the frame of the module that made them.
 */
#include "modules.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- calls ------------------------------------------------------------- */

static void run_calls(struct run *run, struct thing_calls *calls) {
  if (!calls->op) return;
  calls->count++;
  const struct body *body = body_of_call(&calls->op->calls, calls->count);
  const struct call now = {.count = calls->count};
  struct frame *around = run->frame;
  run->frame = calls->frame;
  if (body) run_body(run, body, &now);
  run->frame = around;
}

/* A property as it is now: NULL where a getter threw. */
static struct thing *read_property(struct run *run,
                                   const struct property *property) {
  if (property->getter) run_calls(run, property->getter);
  return run->thrown || run->silent ? NULL : property->value;
}

/* -- as JSON ----------------------------------------------------------- */

/* The number of an array index in its only form, or -1. */
static long index_of(const char *name) {
  char *end, shown[24];
  if (*name < '0' || *name > '9') return -1;
  long index = strtol(name, &end, 10);
  snprintf(shown, sizeof shown, "%ld", index);
  return *end == '\0' && strcmp(shown, name) == 0 ? index : -1;
}

/* Indices come first, by number, and then the names in their order. */
static const struct property *next_property(const struct thing *thing,
                                            const struct property *last) {
  long after = last ? index_of(last->name) : -1;
  const struct property *found = NULL;
  if (!last || after >= 0) {
    long least = LONG_MAX;
    for (const struct property *at = thing->first; at; at = at->next) {
      long index = index_of(at->name);
      if (index <= after || index >= least) continue;
      least = index;
      found = at;
    }
    if (found) return found;
    last = NULL;
  }
  found = last ? last->next : thing->first;
  while (found && index_of(found->name) >= 0)
    found = found->next;
  return found;
}

static bool write_thing(struct run *run, struct text *text,
                        struct thing *thing);

static bool write_members(struct run *run, struct text *text,
                          struct thing *thing) {
  bool array = thing->kind == THING_ARRAY, first = true;
  text_add(text, array ? "[" : "{", 1);
  for (const struct property *at = next_property(thing, NULL); at;
       at = next_property(thing, at)) {
    struct thing *value = read_property(run, at);
    if (!value) return false;
    bool none = value->kind == THING_UNDEFINED || value->kind == THING_FUNCTION;
    if (none && !array) continue;
    if (!first) text_add(text, ",", 1);
    first = false;
    if (!array) {
      text_add_json_bytes(text, at->name, strlen(at->name));
      text_add(text, ":", 1);
    }
    if (none)
      text_add_string(text, "null");
    else if (!write_thing(run, text, value))
      return false;
  }
  text_add(text, array ? "]" : "}", 1);
  return true;
}

/* JSON.stringify(); false where it throws. */
static bool write_thing(struct run *run, struct text *text,
                        struct thing *thing) {
  if (thing->kind == THING_SCALAR) {
    text_add(text, thing->json, thing->json_length);
    return true;
  }
  if (thing->open) return false;
  thing->open = true;
  bool done = write_members(run, text, thing);
  thing->open = false;
  return done;
}

void tell_thing(struct run *run, const struct op *op, struct thing *thing) {
  struct text text = {0}, json = {0};
  switch (thing->kind) {
  case THING_UNDEFINED:
    event_json(run, op, "\"undefined\"", 11);
    return;
  case THING_FUNCTION:
    event_json(run, op, "\"function\"", 10);
    return;
  case THING_SCALAR:
    event_json(run, op, thing->json, thing->json_length);
    return;
  case THING_OBJECT:
  case THING_ARRAY:
    break;
  }
  if (!write_thing(run, &text, thing)) {
    run->thrown = 0; /* of a getter */
    text_clear(&text);
    text_add_string(&text, "object");
  }
  text_add_json_bytes(&json, text.bytes, text.length);
  json.failed |= text.failed;
  text_free(&text);
  if (run->silent)
    text_free(&json);
  else
    tell_text(run, op, &json);
}

/* -- what was loaded --------------------------------------------------- */

/* A TypeError: of what an undefined value is asked. */
static void throw_type(struct run *run) {
  struct failure *failure = failure_new(run->modules);
  if (!failure) return;
  failure->name = strdup("TypeError");
  failure_throw(run, failure);
}

static struct property *property_of(const struct thing *thing,
                                    const char *name) {
  return thing ? thing_property(thing, name) : NULL;
}

void module_get(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  const struct outcome *outcome = outcome_named(run, op, op->module->of);
  if (!outcome) return;
  if (!outcome->value) {
    throw_type(run);
  } else {
    const struct property *property =
        property_of(outcome->value, op->module->name);
    struct thing *value = property ? read_property(run, property) : NULL;
    if (value)
      tell_thing(run, op, value);
    else if (!run->thrown && !run->silent)
      event_json(run, op, "\"undefined\"", 11);
  }
  if (!run->thrown) return;
  const struct failure *failure = failure_caught(run);
  if (failure) tell_failure(run, op, failure);
}

void module_call(struct run *run, const struct op *op,
                 const struct call *call) {
  (void)call;
  const struct outcome *outcome = outcome_named(run, op, op->module->of);
  if (!outcome) return;
  struct thing *thing = outcome->value;
  if (op->module->name) {
    const struct property *property = property_of(thing, op->module->name);
    thing = property ? read_property(run, property) : NULL;
    if (run->thrown) return;
  }
  if (thing && thing->kind == THING_FUNCTION)
    run_calls(run, &thing->calls);
  else
    throw_type(run);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void module_names(struct run *run, const struct op *op,
                  const struct call *call) {
  (void)call;
  const struct outcome *outcome = outcome_named(run, op, op->module->of);
  if (!outcome) return;
  const struct property *first = outcome->value ? outcome->value->first : NULL;
  size_t count = 0;
  for (const struct property *at = first; at; at = at->next)
    count++;
  const char **names = calloc(count + 1, sizeof *names);
  if (!names) {
    run_fail(run, op, "out of memory");
    return;
  }
  count = 0;
  for (const struct property *at = first; at; at = at->next)
    names[count++] = at->name;
  qsort(names, count, sizeof *names, by_name);
  struct text text = {0}, json = {0};
  for (size_t i = 0; i < count; i++) {
    if (i > 0) text_add(&text, " ", 1);
    text_add_string(&text, names[i]);
  }
  free(names);
  text_add_json_bytes(&json, text.bytes, text.length);
  json.failed |= text.failed;
  text_free(&text);
  tell_text(run, op, &json);
}

void module_same(struct run *run, const struct op *op,
                 const struct call *call) {
  (void)call;
  const struct outcome *a = outcome_named(run, op, op->module->of);
  const struct outcome *b = outcome_named(run, op, op->module->as);
  if (a && b)
    event_flag(run, op,
               things_same(a->value, b->value) && a->failure == b->failure);
}

/* -- what is exported -------------------------------------------------- */

struct thing *thing_literal(struct run *run, const struct op *op) {
  struct things *things = &run->modules->things;
  const char *value = op->module->value;
  struct thing *thing;
  if (value) {
    json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
    thing = json ? thing_of_json(things, json) : NULL;
    json_decref(json);
  } else {
    thing = thing_new(things, THING_UNDEFINED);
  }
  if (!thing) run_fail(run, op, "out of memory");
  return thing;
}

/* What `of` or `value` says. */
static struct thing *thing_named(struct run *run, const struct op *op) {
  if (op->module->of < 0) return thing_literal(run, op);
  const struct outcome *outcome = outcome_named(run, op, op->module->of);
  if (!outcome) return NULL;
  if (outcome->value) return outcome->value;
  return thing_new(&run->modules->things, THING_UNDEFINED);
}

static struct property *export_property(struct run *run, const struct op *op,
                                        struct thing *value) {
  struct property *property =
      thing_set(run->frame->exports, op->module->name, value);
  if (!property) run_fail(run, op, "out of memory");
  return property;
}

static void export_whole(struct run *run, struct thing *value) {
  value->uses++;
  run->modules->table->set_exports(run->frame->module, value);
}

void module_set(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  struct thing *value = thing_named(run, op);
  if (value) export_property(run, op, value);
}

void module_replace(struct run *run, const struct op *op,
                    const struct call *call) {
  (void)call;
  struct thing *value = thing_named(run, op);
  if (value) export_whole(run, value);
}

void module_rebind(struct run *run, const struct op *op,
                   const struct call *call) {
  (void)call;
  struct thing *value = thing_literal(run, op);
  if (value) run->frame->exports = value;
}

void module_function(struct run *run, const struct op *op,
                     const struct call *call) {
  (void)call;
  struct thing *made = thing_new(&run->modules->things, THING_FUNCTION);
  if (!made) {
    run_fail(run, op, "out of memory");
    return;
  }
  made->calls = (struct thing_calls){.op = op, .frame = run->frame};
  if (op->module->name)
    export_property(run, op, made);
  else
    export_whole(run, made);
}

void module_getter(struct run *run, const struct op *op,
                   const struct call *call) {
  (void)call;
  struct thing *value = thing_literal(run, op);
  struct property *property = value ? export_property(run, op, value) : NULL;
  if (!property) return;
  property->getter = calloc(1, sizeof *property->getter);
  if (property->getter)
    *property->getter = (struct thing_calls){.op = op, .frame = run->frame};
  else
    run_fail(run, op, "out of memory");
}

void module_throw(struct run *run, const struct op *op,
                  const struct call *call) {
  (void)call;
  struct failure *failure = failure_new(run->modules);
  if (!failure) return;
  if (op->module->message) {
    failure->programs = true;
    failure->message = strdup(op->module->message);
    failure->name = strdup("Error");
  } else {
    failure->value = thing_literal(run, op);
  }
  failure_throw(run, failure);
}

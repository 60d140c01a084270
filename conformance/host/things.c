/* SPDX-License-Identifier: MIT */
/*
 * things.c: makes, changes and frees the values that modules export.
 *
 * Invariant: the properties of a thing have different names.
 */
#include "things.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct thing *thing_new(struct things *things, enum thing_kind kind) {
  struct thing *thing = calloc(1, sizeof *thing);
  if (!thing) return NULL;
  thing->kind = kind;
  thing->next = things->all;
  things->all = thing;
  return thing;
}

struct property *thing_property(const struct thing *thing, const char *name) {
  struct property *at = thing->first;
  while (at && strcmp(at->name, name) != 0)
    at = at->next;
  return at;
}

static void property_free(struct property *property) {
  free(property->name);
  free(property->getter);
  free(property);
}

struct property *thing_set(struct thing *thing, const char *name,
                           struct thing *value) {
  struct property *property = thing_property(thing, name);
  if (!property) {
    property = calloc(1, sizeof *property);
    if (property) property->name = strdup(name);
    if (!property || !property->name) {
      free(property);
      return NULL;
    }
    if (thing->last)
      thing->last->next = property;
    else
      thing->first = property;
    thing->last = property;
  }
  free(property->getter);
  property->getter = NULL;
  property->value = value;
  return property;
}

/* -- from JSON --------------------------------------------------------- */

/* The shortest decimal that stands for the number, as JavaScript's. */
static void number_text(double number, struct text *text) {
  char shown[40];
  if (fabs(number) < 1e15 && trunc(number) == number) {
    text_addf(text, "%.0f", number);
    return;
  }
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(shown, sizeof shown, "%.*g", digits, number);
    if (strtod(shown, NULL) == number) break;
  }
  text_add_string(text, shown);
}

bool scalar_text(json_t *json, struct text *text) {
  if (json_is_real(json)) {
    number_text(json_real_value(json), text);
    return !text->failed;
  }
  size_t size = json_dumpb(json, NULL, 0, JSON_ENCODE_ANY);
  char *room = malloc(size + 1);
  if (!room) return false;
  json_dumpb(json, room, size, JSON_ENCODE_ANY);
  text_add(text, room, size);
  free(room);
  return !text->failed;
}

static struct thing *scalar_of(struct things *things, json_t *json) {
  struct thing *thing = thing_new(things, THING_SCALAR);
  struct text text = {0};
  if (!thing || !scalar_text(json, &text)) {
    text_free(&text);
    return NULL;
  }
  thing->json = text.bytes;
  thing->json_length = text.length;
  return thing;
}

static bool add_members(struct things *things, struct thing *thing,
                        json_t *json) {
  const char *name;
  json_t *value;
  json_object_foreach(json, name, value) {
    struct thing *member = thing_of_json(things, value);
    if (!member || !thing_set(thing, name, member)) return false;
  }
  return true;
}

static bool add_entries(struct things *things, struct thing *thing,
                        json_t *json) {
  for (size_t i = 0; i < json_array_size(json); i++) {
    char name[24];
    snprintf(name, sizeof name, "%zu", i);
    struct thing *entry = thing_of_json(things, json_array_get(json, i));
    if (!entry || !thing_set(thing, name, entry)) return false;
  }
  return true;
}

struct thing *thing_of_json(struct things *things, json_t *json) {
  struct thing *thing;
  if (json_is_object(json)) {
    thing = thing_new(things, THING_OBJECT);
    return thing && add_members(things, thing, json) ? thing : NULL;
  }
  if (json_is_array(json)) {
    thing = thing_new(things, THING_ARRAY);
    return thing && add_entries(things, thing, json) ? thing : NULL;
  }
  return scalar_of(things, json);
}

/* -- all of them ------------------------------------------------------- */

bool things_same(const struct thing *a, const struct thing *b) {
  if (a == b) return true;
  if (!a || !b || a->kind != b->kind) return false;
  if (a->kind == THING_UNDEFINED) return true;
  return a->kind == THING_SCALAR && a->json_length == b->json_length &&
         memcmp(a->json, b->json, a->json_length) == 0;
}

long things_used(const struct things *things) {
  long uses = 0;
  for (const struct thing *at = things->all; at; at = at->next)
    uses += at->uses < 0 ? -at->uses : at->uses;
  return uses;
}

void things_free(struct things *things) {
  while (things->all) {
    struct thing *thing = things->all;
    things->all = thing->next;
    while (thing->first) {
      struct property *property = thing->first;
      thing->first = property->next;
      property_free(property);
    }
    free(thing->json);
    free(thing);
  }
}

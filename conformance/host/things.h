/* SPDX-License-Identifier: MIT */
/*
 * things.h: the values that modules export, as JavaScript would have them:
 * scalars, objects and arrays whose properties keep their order, functions and
 * getters whose calls are bodies of the program.
 *
 * Invariant: a thing lives until things_free(), whoever still has it; `uses`
 * counts what the provider has, and must be 0 by then.
 */
#ifndef HOST_THINGS_H
#define HOST_THINGS_H

#include "program.h"
#include "text.h"

#include <jansson.h>

struct frame;

enum thing_kind {
  THING_UNDEFINED,
  THING_SCALAR, /* null, true, a number, a text: as JSON */
  THING_OBJECT,
  THING_ARRAY,
  THING_FUNCTION
};

/* What a function or getter does, and how often it did. */
struct thing_calls {
  const struct op *op;
  struct frame *frame;
  uint32_t count;
};

struct property {
  struct property *next;
  char *name;
  struct thing *value;
  struct thing_calls *getter; /* NULL: a plain one */
};

struct thing {
  struct thing *next; /* all of the run */
  enum thing_kind kind;
  long uses;
  char *json; /* SCALAR; of a core module's exports, its name */
  size_t json_length;
  struct property *first, *last; /* in the order of their making */
  struct thing_calls calls;      /* FUNCTION */
  bool open;                     /* is being written: it contains itself */
};

struct things {
  struct thing *all;
};

/* A thing of that kind; NULL: no memory. */
struct thing *thing_new(struct things *things, enum thing_kind kind);
/* What a JSON value stands for; NULL: no memory. */
struct thing *thing_of_json(struct things *things, json_t *json);
struct property *thing_property(const struct thing *thing, const char *name);
/* Sets a property, which becomes a plain one with that value. NULL: no
 * memory. */
struct property *thing_set(struct thing *thing, const char *name,
                           struct thing *value);
/* Whether JavaScript's === says that they are one. */
bool things_same(const struct thing *a, const struct thing *b);
/* The JSON text of a scalar as JavaScript writes it, in *text. */
bool scalar_text(json_t *json, struct text *text);
/* How many uses the provider still has, over all things. */
long things_used(const struct things *things);
void things_free(struct things *things);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * value.h: what a message is made of: JSON's values, and those that structured
 * cloning adds (undefined, BigInt, Date, bytes, Map, Set, shared parts and
 * cycles).
 *
 * Invariants:
 *  - A value lives in the pl_values that it was made in, until that is reset;
 *    nothing is freed one by one.
 *  - Making a value fails by returning NULL, and `values->failed` stays set, so
 *    that a message is built without a test in each line:
 *
 *      struct pl_value *message = pl_value_object(values);
 *      pl_value_set(values, message, "cmd", pl_value_string(values, "go"));
 *      if (values->failed) return PL_ENOMEM;
 *
 *  - Strings are UTF-8; half a surrogate pair is kept as the three bytes that
 *    UTF-8 would have for it (WTF-8).
 *  - Fields are read freely, and changed by functions.
 */
#ifndef PLUMB_VALUE_H
#define PLUMB_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plumb/loop.h"

enum pl_value_type {
  PL_VALUE_UNDEFINED,
  PL_VALUE_NULL,
  PL_VALUE_FALSE,
  PL_VALUE_TRUE,
  PL_VALUE_NUMBER, /* number */
  PL_VALUE_BIGINT, /* bytes: magnitude, the lowest first; negative */
  PL_VALUE_STRING, /* bytes */
  PL_VALUE_DATE,   /* number: milliseconds since 1970, NaN: invalid */
  PL_VALUE_BYTES,  /* bytes: a Buffer, or another view */
  PL_VALUE_ARRAY,  /* entries without keys */
  PL_VALUE_OBJECT, /* entries with strings as keys */
  PL_VALUE_MAP,    /* entries with any keys */
  PL_VALUE_SET     /* entries without keys */
};

/* What a view of bytes is for JavaScript. */
enum pl_value_view { PL_VIEW_BUFFER, PL_VIEW_UINT8 };

struct pl_value;

struct pl_entry {
  struct pl_entry *next;
  struct pl_value *key; /* NULL in arrays and sets */
  struct pl_value *value;
};

struct pl_value {
  uint8_t type;     /* enum pl_value_type */
  uint8_t negative; /* a BigInt below 0 */
  uint8_t view;     /* of bytes: enum pl_value_view */
  uint8_t walk;     /* of whoever walks the graph */
  uint32_t id;      /* likewise */
  size_t length;    /* bytes, or entries */
  union {
    double number;
    const char *bytes;
    struct pl_entry *first;
  };
  struct pl_entry *last;
  struct pl_value *up; /* of whoever walks the graph */
  struct pl_entry *at;
};

struct pl_values_block;
struct pl_values {
  struct pl_allocator allocator;
  struct pl_values_block *blocks; /* the one in use first */
  char *free, *end;               /* what is left of it */
  bool failed;                    /* memory ran out */
};

/* Bytes that grow: the implementation's. */
struct pl__bytes {
  const struct pl_allocator *allocator;
  char *data;
  size_t length, capacity;
  bool failed; /* could not grow: stays as it was */
};

/* Prepares a place for values. allocator: NULL for the C library's; copied. */
void pl_values_init(struct pl_values *values,
                    const struct pl_allocator *allocator);

/* Forgets all values. A block of memory is kept for the next ones. */
void pl_values_reset(struct pl_values *values);

/* Frees everything. */
void pl_values_free(struct pl_values *values);

/* Memory of the same life, aligned for pointers; NULL: none is left. */
void *pl_values_take(struct pl_values *values, size_t size);

/* Values. What is given as bytes is copied by pl_value_text() and the two
 * functions that end in _copy, and else borrowed as long as the value. */
struct pl_value *pl_value_plain(struct pl_values *values,
                                enum pl_value_type type);
struct pl_value *pl_value_bool(struct pl_values *values, bool truth);
struct pl_value *pl_value_number(struct pl_values *values, double number);
struct pl_value *pl_value_date(struct pl_values *values, double ms);
struct pl_value *pl_value_string(struct pl_values *values, const char *text);
struct pl_value *pl_value_text(struct pl_values *values, const char *text,
                               size_t length);
struct pl_value *pl_value_borrowed(struct pl_values *values,
                                   enum pl_value_type type, const char *bytes,
                                   size_t length);
struct pl_value *pl_value_copy(struct pl_values *values,
                               enum pl_value_type type, const char *bytes,
                               size_t length);
struct pl_value *pl_value_bigint(struct pl_values *values, int64_t number);

/* Containers, empty. */
struct pl_value *pl_value_array(struct pl_values *values);
struct pl_value *pl_value_object(struct pl_values *values);

/* Appends to an array or a set. */
void pl_value_push(struct pl_values *values, struct pl_value *array,
                   struct pl_value *item);
/* Appends to a map. */
void pl_value_put(struct pl_values *values, struct pl_value *map,
                  struct pl_value *key, struct pl_value *value);
/* Appends a property, which the object has not yet. The key is borrowed. */
void pl_value_set(struct pl_values *values, struct pl_value *object,
                  const char *key, struct pl_value *value);

/* A property of an object, or NULL: no object, or it has none. */
const struct pl_value *pl_value_get(const struct pl_value *object,
                                    const char *key);
/* An item of an array, or NULL. */
const struct pl_value *pl_value_at(const struct pl_value *array, size_t index);

/* Whether a value (may be NULL) is this string. */
bool pl_value_is(const struct pl_value *value, const char *text);
/* The number of a number (may be NULL), else `otherwise`. */
double pl_value_to_number(const struct pl_value *value, double otherwise);

/*
 * Whether two values are the same, entry by entry; numbers by Object.is().
 * Cycles must run the same way; a shared part is compared once per place.
 */
bool pl_value_equal(const struct pl_value *a, const struct pl_value *b);

#endif

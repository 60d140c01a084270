/* SPDX-License-Identifier: MIT */
/*
 * value.c: values in blocks of memory that are forgotten together.
 *
 * Invariant: the first block of the chain is the one in use, [free, end) is
 * what is left of it; a reset keeps the one block that was used last, unless it
 * is large.
 */
#include "value.h"

#include <math.h>
#include <string.h>

enum {
  PL__VALUES_BLOCK = 4096,
  PL__VALUES_KEPT = 64 * 1024,
  PL__EQUAL_DEPTH = 1000
};

struct pl_values_block {
  struct pl_values_block *next;
  size_t size; /* with this head */
};

void pl_values_init(struct pl_values *values,
                    const struct pl_allocator *allocator) {
  *values = (struct pl_values){0};
  values->allocator = pl__allocator_or_default(
      allocator != NULL ? allocator : &(struct pl_allocator){0});
}

static void free_blocks(struct pl_values *values,
                        struct pl_values_block *block) {
  while (block != NULL) {
    struct pl_values_block *next = block->next;
    pl__resize(&values->allocator, block, 0);
    block = next;
  }
}

void pl_values_reset(struct pl_values *values) {
  struct pl_values_block *kept = values->blocks;
  values->failed = false;
  if (kept == NULL) return;
  if (kept->size > PL__VALUES_KEPT) {
    pl_values_free(values);
    return;
  }
  if (kept->next != NULL) free_blocks(values, kept->next);
  kept->next = NULL;
  values->free = (char *)(kept + 1);
}

void pl_values_free(struct pl_values *values) {
  free_blocks(values, values->blocks);
  values->blocks = NULL;
  values->free = values->end = NULL;
}

/* Another block, at least of this size. */
static void *take_block(struct pl_values *values, size_t size) {
  size_t whole =
      values->blocks == NULL ? PL__VALUES_BLOCK : values->blocks->size * 2;
  if (whole > PL__VALUES_KEPT) whole = PL__VALUES_KEPT;
  if (size > SIZE_MAX / 2) goto fail;
  if (whole < size + sizeof(struct pl_values_block))
    whole = size + sizeof(struct pl_values_block);
  struct pl_values_block *block = pl__resize(&values->allocator, NULL, whole);
  if (block == NULL) goto fail;
  *block = (struct pl_values_block){values->blocks, whole};
  values->blocks = block;
  values->free = (char *)(block + 1) + size;
  values->end = (char *)block + whole;
  return block + 1;

fail:
  values->failed = true;
  return NULL;
}

void *pl_values_take(struct pl_values *values, size_t size) {
  size = (size + 7) & ~(size_t)7;
  if ((size_t)(values->end - values->free) < size)
    return take_block(values, size);
  char *start = values->free;
  values->free += size;
  return start;
}

/* ---------------------------------------------------------------------- */
/* Making                                                                 */

struct pl_value *pl_value_plain(struct pl_values *values,
                                enum pl_value_type type) {
  struct pl_value *value = pl_values_take(values, sizeof *value);
  if (value == NULL) return NULL;
  *value = (struct pl_value){.type = (uint8_t)type};
  return value;
}

struct pl_value *pl_value_bool(struct pl_values *values, bool truth) {
  return pl_value_plain(values, truth ? PL_VALUE_TRUE : PL_VALUE_FALSE);
}

static struct pl_value *numeric(struct pl_values *values,
                                enum pl_value_type type, double number) {
  struct pl_value *value = pl_value_plain(values, type);
  if (value != NULL) value->number = number;
  return value;
}

struct pl_value *pl_value_number(struct pl_values *values, double number) {
  return numeric(values, PL_VALUE_NUMBER, number);
}

struct pl_value *pl_value_date(struct pl_values *values, double ms) {
  return numeric(values, PL_VALUE_DATE, ms);
}

struct pl_value *pl_value_borrowed(struct pl_values *values,
                                   enum pl_value_type type, const char *bytes,
                                   size_t length) {
  struct pl_value *value = pl_value_plain(values, type);
  if (value == NULL) return NULL;
  value->bytes = bytes;
  value->length = length;
  return value;
}

struct pl_value *pl_value_copy(struct pl_values *values,
                               enum pl_value_type type, const char *bytes,
                               size_t length) {
  char *copy = pl_values_take(values, length + 1);
  if (copy == NULL) return NULL;
  if (length > 0) memcpy(copy, bytes, length);
  copy[length] = '\0';
  return pl_value_borrowed(values, type, copy, length);
}

struct pl_value *pl_value_string(struct pl_values *values, const char *text) {
  return pl_value_borrowed(values, PL_VALUE_STRING, text, strlen(text));
}

struct pl_value *pl_value_text(struct pl_values *values, const char *text,
                               size_t length) {
  return pl_value_copy(values, PL_VALUE_STRING, text, length);
}

struct pl_value *pl_value_bigint(struct pl_values *values, int64_t number) {
  uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  char bytes[8];
  size_t length = 0;
  for (; magnitude != 0; magnitude >>= 8)
    bytes[length++] = (char)(magnitude & 0xff);
  struct pl_value *value =
      pl_value_copy(values, PL_VALUE_BIGINT, bytes, length);
  if (value != NULL) value->negative = number < 0;
  return value;
}

struct pl_value *pl_value_array(struct pl_values *values) {
  return pl_value_plain(values, PL_VALUE_ARRAY);
}

struct pl_value *pl_value_object(struct pl_values *values) {
  return pl_value_plain(values, PL_VALUE_OBJECT);
}

void pl_value_put(struct pl_values *values, struct pl_value *map,
                  struct pl_value *key, struct pl_value *value) {
  if (map == NULL || value == NULL) return;
  struct pl_entry *entry = pl_values_take(values, sizeof *entry);
  if (entry == NULL) return;
  *entry = (struct pl_entry){NULL, key, value};
  if (map->last == NULL)
    map->first = entry;
  else
    map->last->next = entry;
  map->last = entry;
  map->length++;
}

void pl_value_push(struct pl_values *values, struct pl_value *array,
                   struct pl_value *item) {
  pl_value_put(values, array, NULL, item);
}

void pl_value_set(struct pl_values *values, struct pl_value *object,
                  const char *key, struct pl_value *value) {
  if (object == NULL || value == NULL) return;
  struct pl_value *name = pl_value_string(values, key);
  if (name != NULL) pl_value_put(values, object, name, value);
}

/* ---------------------------------------------------------------------- */
/* Looking                                                                */

bool pl_value_is(const struct pl_value *value, const char *text) {
  if (value == NULL || value->type != PL_VALUE_STRING) return false;
  if (value->length == 0) return text[0] == '\0';
  if (value->bytes[0] != text[0]) return false; /* most names differ there */
  size_t length = strlen(text);
  return value->length == length && memcmp(value->bytes, text, length) == 0;
}

const struct pl_value *pl_value_get(const struct pl_value *object,
                                    const char *key) {
  if (object == NULL || object->type != PL_VALUE_OBJECT) return NULL;
  for (const struct pl_entry *e = object->first; e != NULL; e = e->next)
    if (pl_value_is(e->key, key)) return e->value;
  return NULL;
}

const struct pl_value *pl_value_at(const struct pl_value *array, size_t index) {
  if (array == NULL || array->type != PL_VALUE_ARRAY) return NULL;
  const struct pl_entry *entry = array->first;
  while (entry != NULL && index-- > 0)
    entry = entry->next;
  return entry == NULL ? NULL : entry->value;
}

double pl_value_to_number(const struct pl_value *value, double otherwise) {
  return value != NULL && value->type == PL_VALUE_NUMBER ? value->number
                                                         : otherwise;
}

static bool same_number(double a, double b) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
  return memcmp(&a, &b, sizeof a) == 0;
}

/* A pair that is being compared; equal values have equal cycles. */
struct pair {
  const struct pair *above;
  const struct pl_value *a, *b;
  int depth;
};

static bool equal(const struct pl_value *a, const struct pl_value *b,
                  const struct pair *above) {
  if (a == NULL || b == NULL) return a == b;
  if (a->type != b->type || a->length != b->length) return false;
  if (a->type <= PL_VALUE_TRUE) return true;
  if (a->type == PL_VALUE_NUMBER || a->type == PL_VALUE_DATE)
    return same_number(a->number, b->number);
  if (a->type < PL_VALUE_ARRAY)
    return a->negative == b->negative && a->view == b->view &&
           (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
  struct pair here = {above, a, b, above == NULL ? 0 : above->depth + 1};
  if (here.depth > PL__EQUAL_DEPTH) return false;
  for (const struct pair *up = above; up != NULL; up = up->above)
    if (up->a == a || up->b == b) return up->a == a && up->b == b;
  const struct pl_entry *in_b = b->first;
  for (const struct pl_entry *in_a = a->first; in_a != NULL;
       in_a = in_a->next, in_b = in_b->next)
    if (!equal(in_a->key, in_b->key, &here) ||
        !equal(in_a->value, in_b->value, &here))
      return false;
  return true;
}

bool pl_value_equal(const struct pl_value *a, const struct pl_value *b) {
  return equal(a, b, NULL);
}

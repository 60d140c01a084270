/* SPDX-License-Identifier: MIT */
/* Makes terms, one object for all equal ones. */
#include "term.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* What a term is before it is known whether there is one already. */
struct draft {
  enum pl_term_kind kind;
  const char *label;
  const json_t *match;
  int64_t min, max;
  struct pl_term **child;
  size_t count;
};

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash ^= word;
  hash *= UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ (hash >> 29);
}

static uint64_t hash_of(const struct draft *draft) {
  uint64_t hash = mix(0, (uint64_t)draft->kind);
  for (const char *c = draft->label; c != NULL && *c != '\0'; c++)
    hash = mix(hash, (unsigned char)*c);
  hash = mix(hash, (uint64_t)draft->min);
  hash = mix(hash, (uint64_t)draft->max);
  for (size_t i = 0; i < draft->count; i++)
    hash = mix(hash, draft->child[i]->id);
  return hash;
}

static bool same_match(const json_t *a, const json_t *b) {
  if (a == NULL || b == NULL) return a == b;
  return a == b || json_equal(a, b);
}

static bool is_draft(const struct pl_term *term, const struct draft *draft) {
  if (term->kind != draft->kind || term->count != draft->count ||
      term->min != draft->min || term->max != draft->max)
    return false;
  for (size_t i = 0; i < draft->count; i++)
    if (term->child[i] != draft->child[i]) return false;
  if (draft->kind != PL_TERM_EVENT) return true;
  return strcmp(term->label, draft->label) == 0 &&
         same_match(term->match, draft->match);
}

static void rehash(struct pl_term_table *table) {
  size_t buckets = table->buckets * 2;
  struct pl_term **bucket = pl_mem_alloc(buckets * sizeof(struct pl_term *));
  for (size_t i = 0; i < table->buckets; i++)
    for (struct pl_term *term = table->bucket[i], *next; term; term = next) {
      next = term->next;
      term->next = bucket[term->hash & (buckets - 1)];
      bucket[term->hash & (buckets - 1)] = term;
    }
  free(table->bucket);
  table->bucket = bucket;
  table->buckets = buckets;
}

static bool all_nullable(const struct draft *draft) {
  for (size_t i = 0; i < draft->count; i++)
    if (!draft->child[i]->nullable) return false;
  return true;
}

static bool some_nullable(const struct draft *draft) {
  for (size_t i = 0; i < draft->count; i++)
    if (draft->child[i]->nullable) return true;
  return false;
}

static bool is_nullable(const struct draft *draft) {
  switch (draft->kind) {
  case PL_TERM_EMPTY:
    return true;
  case PL_TERM_SEQ:
  case PL_TERM_SHUFFLE:
  case PL_TERM_ANY:
  case PL_TERM_ATOMIC:
    return all_nullable(draft);
  case PL_TERM_ONE:
    return some_nullable(draft);
  case PL_TERM_REPEAT:
    return draft->min == 0;
  case PL_TERM_EVENT:
  case PL_TERM_LOCKED:
    return false;
  }
  return false;
}

static bool is_locked(const struct draft *draft) {
  if (draft->kind == PL_TERM_LOCKED) return true;
  if (draft->kind == PL_TERM_SEQ) return draft->child[0]->locked;
  if (draft->kind != PL_TERM_SHUFFLE) return false;
  for (size_t i = 0; i < draft->count; i++)
    if (draft->child[i]->locked) return true;
  return false;
}

static struct pl_term *intern(struct pl_term_table *table,
                              const struct draft *draft) {
  uint64_t hash = hash_of(draft);
  struct pl_term **bucket = &table->bucket[hash & (table->buckets - 1)];
  for (struct pl_term *term = *bucket; term != NULL; term = term->next)
    if (term->hash == hash && is_draft(term, draft)) return term;
  size_t size = sizeof(struct pl_term) + draft->count * sizeof(void *);
  struct pl_term *term = pl_mem_alloc(size);
  term->kind = draft->kind;
  term->hash = hash;
  term->id = (uint32_t)++table->count;
  term->label = draft->label;
  term->match = draft->match;
  term->min = draft->min;
  term->max = draft->max;
  term->count = draft->count;
  if (draft->count > 0)
    memcpy(term->child, draft->child, draft->count * sizeof(void *));
  term->nullable = is_nullable(draft);
  term->locked = is_locked(draft);
  term->next = *bucket;
  *bucket = term;
  table->bytes += size;
  if (table->count > table->buckets) rehash(table);
  return term;
}

void pl_term_table_init(struct pl_term_table *table) {
  *table = (struct pl_term_table){.buckets = 32};
  table->bucket = pl_mem_alloc(table->buckets * sizeof(struct pl_term *));
  table->empty = intern(table, &(struct draft){.kind = PL_TERM_EMPTY});
}

void pl_term_table_free(struct pl_term_table *table) {
  for (size_t i = 0; i < table->buckets; i++)
    for (struct pl_term *term = table->bucket[i], *next; term; term = next) {
      next = term->next;
      free(term);
    }
  free(table->bucket);
  *table = (struct pl_term_table){0};
}

struct pl_term *pl_term_event(struct pl_term_table *table, const char *label,
                              const json_t *match) {
  struct draft draft = {.kind = PL_TERM_EVENT, .label = label, .match = match};
  return intern(table, &draft);
}

static struct pl_term *pair(struct pl_term_table *table, struct pl_term *head,
                            struct pl_term *tail) {
  struct pl_term *child[2] = {head, tail};
  struct draft draft = {.kind = PL_TERM_SEQ, .child = child, .count = 2};
  return intern(table, &draft);
}

/* Sequences lean to the right, so that equal ones are one object. */
struct pl_term *pl_term_seq(struct pl_term_table *table, struct pl_term *head,
                            struct pl_term *tail) {
  if (head->kind == PL_TERM_EMPTY) return tail;
  if (tail->kind == PL_TERM_EMPTY) return head;
  size_t depth = 0;
  for (struct pl_term *t = head; t->kind == PL_TERM_SEQ; t = t->child[1])
    depth++;
  if (depth == 0) return pair(table, head, tail);
  struct pl_term **part = pl_mem_alloc((depth + 1) * sizeof(struct pl_term *));
  struct pl_term *rest = head;
  for (size_t i = 0; i < depth; i++, rest = rest->child[1])
    part[i] = rest->child[0];
  part[depth] = rest;
  struct pl_term *term = tail;
  for (size_t i = depth + 1; i-- > 0;)
    term = pair(table, part[i], term);
  free(part);
  return term;
}

static int by_id(const void *a, const void *b) {
  uint32_t left = (*(struct pl_term *const *)a)->id;
  uint32_t right = (*(struct pl_term *const *)b)->id;
  return (left > right) - (left < right);
}

/* Copies children, opening those of the same kind and leaving out empty ones
 * (unless `keep_empty`), sorted. Gives the array. */
static struct pl_term **gather(enum pl_term_kind kind, bool open,
                               bool keep_empty, struct pl_term **child,
                               size_t *count) {
  size_t room = 1;
  for (size_t i = 0; i < *count; i++)
    room += child[i]->kind == kind ? child[i]->count : 1;
  struct pl_term **flat = pl_mem_alloc(room * sizeof(struct pl_term *));
  size_t n = 0;
  for (size_t i = 0; i < *count; i++) {
    if (open && child[i]->kind == kind)
      for (size_t j = 0; j < child[i]->count; j++)
        flat[n++] = child[i]->child[j];
    else if (keep_empty || child[i]->kind != PL_TERM_EMPTY)
      flat[n++] = child[i];
  }
  qsort(flat, n, sizeof(struct pl_term *), by_id);
  *count = n;
  return flat;
}

static struct pl_term *unordered(struct pl_term_table *table,
                                 enum pl_term_kind kind, bool open,
                                 struct pl_term **child, size_t count) {
  struct pl_term **flat = gather(kind, open, false, child, &count);
  struct pl_term *term = count == 0 ? table->empty : flat[0];
  if (count > 1)
    term = intern(table,
                  &(struct draft){.kind = kind, .child = flat, .count = count});
  free(flat);
  return term;
}

struct pl_term *pl_term_shuffle(struct pl_term_table *table,
                                struct pl_term **child, size_t count) {
  return unordered(table, PL_TERM_SHUFFLE, true, child, count);
}

struct pl_term *pl_term_any(struct pl_term_table *table, struct pl_term **child,
                            size_t count) {
  return unordered(table, PL_TERM_ANY, false, child, count);
}

struct pl_term *pl_term_one(struct pl_term_table *table, struct pl_term **child,
                            size_t count) {
  struct pl_term **flat = gather(PL_TERM_ONE, true, true, child, &count);
  size_t n = 0;
  for (size_t i = 0; i < count; i++)
    if (i == 0 || flat[i] != flat[i - 1]) flat[n++] = flat[i];
  struct pl_term *term = n == 0 ? table->empty : flat[0];
  if (n > 1)
    term = intern(
        table, &(struct draft){.kind = PL_TERM_ONE, .child = flat, .count = n});
  free(flat);
  return term;
}

static struct pl_term *wrap(struct pl_term_table *table, enum pl_term_kind kind,
                            struct pl_term *of, int64_t min, int64_t max) {
  struct draft draft = {
      .kind = kind, .min = min, .max = max, .child = &of, .count = 1};
  return intern(table, &draft);
}

struct pl_term *pl_term_repeat(struct pl_term_table *table, struct pl_term *of,
                               int64_t min, int64_t max) {
  if (of->kind == PL_TERM_EMPTY || max == 0) return table->empty;
  if (min == 1 && max == 1) return of;
  return wrap(table, PL_TERM_REPEAT, of, of->nullable ? 0 : min, max);
}

struct pl_term *pl_term_atomic(struct pl_term_table *table,
                               struct pl_term *of) {
  if (of->kind == PL_TERM_EMPTY || of->kind == PL_TERM_EVENT ||
      of->kind == PL_TERM_ATOMIC)
    return of;
  return wrap(table, PL_TERM_ATOMIC, of, 0, 0);
}

struct pl_term *pl_term_locked(struct pl_term_table *table,
                               struct pl_term *of) {
  if (of->kind == PL_TERM_EMPTY || of->kind == PL_TERM_LOCKED) return of;
  return wrap(table, PL_TERM_LOCKED, of, 0, 0);
}

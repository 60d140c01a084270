/* SPDX-License-Identifier: MIT */
/*
 * snapshot_text.h: the text of a snapshot: rows of numbers, and the strings
 * that they name by index.
 *
 * Invariant: after the first error of the caller's function it is not called
 * again; that error is what pl__prose_end() returns.
 */
#ifndef PLUMB_HEAP_SNAPSHOT_TEXT_H
#define PLUMB_HEAP_SNAPSHOT_TEXT_H

#include "internal.h"
#include "plumb/snapshot.h"

/* What is put together before it is written. */
struct pl__prose {
  struct pl__heap *heap;
  pl_snapshot_fn *write;
  void *self;
  char *bytes;
  size_t length;
  uint64_t total; /* written so far */
  bool first;     /* no row yet */
  int error;
};

/* Whether there was memory. Free with pl__prose_free(), in any case. */
bool pl__prose_start(struct pl__prose *text, struct pl__heap *heap,
                     pl_snapshot_fn *write, void *self);
void pl__prose_free(struct pl__prose *text);
void pl__prose_add(struct pl__prose *text, const char *chars);
void pl__prose_number(struct pl__prose *text, uint64_t number);
/* Rows are separated as in V8's files: the first number of all but the first
 * has a comma on a new line. */
void pl__prose_begin_rows(struct pl__prose *text);
void pl__prose_row(struct pl__prose *text, const uint64_t *numbers,
                   size_t count);
/* A JSON string; what is not ASCII is escaped, what is not UTF-8 replaced. */
void pl__prose_string(struct pl__prose *text, const char *chars);
/* Writes what is left; 0 or the first error. */
int pl__prose_end(struct pl__prose *text);

/* Strings with fixed indexes. */
enum {
  PL__LABEL_EMPTY,
  PL__LABEL_ROOTS, /* (GC roots) */
  PL__LABEL_BYTES, /* of the nodes outside */
  PL__LABEL_STORE, /* of the edges to them */
  PL__LABEL_VALUE, /* from a key to its value */
  PL__LABEL_WEAK,
  PL__LABEL_KIND /* the first of the caller's */
};
static inline uint64_t pl__label_fixed(unsigned name) {
  return name;
}

/* The texts of types and slots, each once. */
struct pl__labels {
  const char **texts; /* in the order of their indexes */
  uint32_t *table;    /* by hash; index + 1 */
  uint32_t *types;    /* by type: the index of its name */
  size_t count, type_count;
  size_t capacity; /* of the table: twice that of texts */
};

bool pl__labels_start(struct pl__labels *names, struct pl__heap *heap,
                      const char *const *kinds, size_t kind_count);
void pl__labels_free(struct pl__labels *names, struct pl__heap *heap);
void pl__labels_write(const struct pl__labels *names, struct pl__prose *text);
static inline uint64_t pl__label_of_type(const struct pl__labels *names,
                                         uint32_t type) {
  return names->types[type];
}
uint64_t pl__label_of_slot(const struct pl__labels *names, const char *name);

#endif

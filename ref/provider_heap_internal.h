/* SPDX-License-Identifier: MIT */
/*
 * provider_heap_internal.h: what the heap and the buffer part of the
 * reference's provider share.
 */
#ifndef REF_PROVIDER_HEAP_INTERNAL_H
#define REF_PROVIDER_HEAP_INTERNAL_H

#include "plumb/buffer.h"
#include "plumb/heap.h"
#include "plumb/trace.h"
#include "provider_heap.h"

/* A type of the heap, found again by what it is. */
struct ref_type {
  struct ref_type *next;
  enum pl_born born;
  size_t slots;
  bool array;
  uint32_t number;
  char name[];
};

struct ref_outside;
struct ref_table;

/* What the caller has as a heap. */
struct ref_heap {
  struct pl_heap *heap;
  struct pl_heap_options options;
  struct ref_type *types;
  struct pl_buffers buffers;
  struct ref_outside *outside; /* bytes that objects hold */
  struct ref_table *tables;
  struct pl_trace trace; /* .line NULL: nobody listens */
  uint64_t work; /* of all pauses that were told */
};

/* The type of objects of that name, home and number of slots; made when it is
 * asked for first. Returns 0 or an error. */
int ref_heap_type(struct ref_heap *heap, const struct pl_shape *shape,
                  bool array, uint32_t *out);
/* provider_heap_many.c */
int ref_heap_plant(void *heap, const struct pl_shape *shape, size_t count,
                   size_t kept, void **root);
int ref_heap_tree(void *heap, const struct pl_shape *shape, unsigned depth,
                  void **root);
size_t ref_heap_reach(void *heap, const void *tree);
void ref_heap_fill(void *heap, void *from, size_t slots, void *to,
                   size_t count);
/* A root of its own in *out, given back with drop(). -ENOMEM. */
int ref_root_new(struct ref_heap *heap, void *object, void **out);
/* provider_snapshot.c */
int ref_heap_snapshot(void *heap,
                      int (*write)(void *self, const void *bytes,
                                   size_t length),
                      void *self);
int ref_heap_retained(const void *snapshot, size_t length, const char *name,
                      uint64_t *bytes);
size_t ref_leak_size(void);
void ref_leak_init(void *detector, int exact);
int ref_leak_collection(void *detector, int full, uint64_t used,
                        uint64_t seconds);
int ref_leak_figure(const void *detector, const char *name, double *value);
const char *ref_leak_reason(const void *detector);
int ref_heap_trace(void *heap, void (*line)(void *self, const char *text),
                   void *self);
extern const struct pl_heap_table ref_heap_table;
extern const struct pl_buffer_table ref_buffer_table;

#endif

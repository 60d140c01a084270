/* SPDX-License-Identifier: MIT */
/*
 * provider_buffer.c: the reference's buffers as the suite's provider sees them.
 *
 * Invariant: a reference that a call gave is in a root before another call.
 */
#include "provider_heap_internal.h"

static void *buffer_of(const void *root) {
  return ((const struct pl_root *)root)->object;
}

/* Puts what was made into a root. */
static int rooted(struct ref_heap *heap, int err, void *object, void **out) {
  return err != 0 ? err : ref_root_new(heap, object, out);
}

static int ref_buffer_alloc(void *self, size_t length, enum pl_buffer_how how,
                            void **out) {
  static const enum pl_buffer_content contents[] = {
      [PL_BUFFER_ZEROED] = PL_BUFFER_OF_ZEROES,
      [PL_BUFFER_UNSAFE] = PL_BUFFER_OF_ANYTHING,
      [PL_BUFFER_SLOW] = PL_BUFFER_OF_ITS_OWN};
  struct ref_heap *heap = self;
  void *made;
  int err = pl_buffer_new(&heap->buffers, length, contents[how], &made);
  return rooted(heap, err, made, out);
}

static int ref_buffer_from(void *self, const void *bytes, size_t length,
                           void **out) {
  struct ref_heap *heap = self;
  void *made;
  int err = pl_buffer_copy_of(&heap->buffers, bytes, length, &made);
  return rooted(heap, err, made, out);
}

static int ref_buffer_view(void *self, void *of, size_t offset, size_t length,
                           void **out) {
  struct ref_heap *heap = self;
  struct pl_root *root = of;
  void *made;
  int err =
      pl_buffer_over(&heap->buffers, &root->object, offset, length, &made);
  return rooted(heap, err, made, out);
}

static void ref_buffer_facts(void *self, const void *of,
                             struct pl_buffer_facts *facts) {
  struct pl_buffer_view view;
  (void)self;
  pl_buffer_look(buffer_of(of), &view);
  *facts = (struct pl_buffer_facts){.length = view.length,
                                    .offset = view.offset,
                                    .store_length = view.store_length,
                                    .store = view.detached ? NULL : view.store,
                                    .bytes = view.bytes,
                                    .pooled = view.pooled,
                                    .detached = view.detached};
}

static int ref_buffer_transfer(void *self, void *of, size_t length,
                               void **out) {
  struct ref_heap *heap = self;
  struct pl_root *root = of;
  void *made;
  int err = pl_buffer_transfer(&heap->buffers, &root->object, length, &made);
  return rooted(heap, err, made, out);
}

static size_t ref_buffer_pool_size(void *self) {
  return ((struct ref_heap *)self)->buffers.pool_bytes;
}

static void ref_buffer_set_pool_size(void *self, size_t bytes) {
  ((struct ref_heap *)self)->buffers.pool_bytes = bytes;
}

static size_t ref_buffer_max_length(void) {
  return PL_BUFFER_MAX;
}

const struct pl_buffer_table ref_buffer_table = {
    .size = sizeof(struct pl_buffer_table),
    .alloc = ref_buffer_alloc,
    .from = ref_buffer_from,
    .view = ref_buffer_view,
    .facts = ref_buffer_facts,
    .transfer = ref_buffer_transfer,
    .pool_size = ref_buffer_pool_size,
    .set_pool_size = ref_buffer_set_pool_size,
    .max_length = ref_buffer_max_length,
};

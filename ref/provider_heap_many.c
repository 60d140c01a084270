/* SPDX-License-Identifier: MIT */
/*
 * provider_heap_many.c: many objects with one call, so that a benchmark
 * measures the heap and not the roots that name its objects.
 *
 * Invariant: what is found again after an allocation is found through a handle;
 * an object is written to directly only as the last one allocated.
 */
#include "provider_heap_internal.h"

#include <errno.h>
#include <stdlib.h>

static void *object_of(const void *root) {
  return ((const struct pl_root *)root)->object;
}

/* The slots of an object: behind its number. */
static void **slots_of(void *object) {
  return (void **)object + 1;
}

/* The type of objects that a tree is made of. */
static int prepare(struct ref_heap *heap, const struct pl_shape *shape,
                   bool tree, uint32_t *type, size_t *bytes) {
  if (shape->born != PL_BORN_YOUNG || shape->slots > 62) return -EINVAL;
  if (tree && shape->slots < 2) return -EINVAL;
  *bytes = 8 + 8 * shape->slots + shape->bytes;
  return ref_heap_type(heap, shape, false, type);
}

/* Hangs the newest object, the k-th of a tree, below its parent. */
static int keep(struct ref_heap *heap, void ***kept, size_t k, void *object) {
  kept[k] = pl_handle(heap->heap, object);
  if (!kept[k]) return -ENOMEM;
  if (k == 0) return 0;
  void *parent = *kept[(k - 1) / 2];
  pl_heap_write(heap->heap, parent, slots_of(parent) + (k % 2 == 0), object);
  return 0;
}

/* kept: room for the handles of the tree. */
static int plant(struct ref_heap *heap, uint32_t type, size_t bytes,
                 size_t count, size_t wanted, void ***kept) {
  size_t made = 0, share = 0; /* share: of count, below it */
  for (size_t i = 0; i < count; i++) {
    void *object = pl_heap_allocate(heap->heap, type, bytes);
    if (!object) return -ENOMEM;
    share += wanted;
    if (share < count) continue;
    share -= count;
    int err = keep(heap, kept, made++, object);
    if (err != 0) return err;
  }
  return 0;
}

int ref_heap_plant(void *self, const struct pl_shape *shape, size_t count,
                   size_t wanted, void **root) {
  struct ref_heap *heap = self;
  uint32_t type;
  size_t bytes;
  if (wanted > count) return -EINVAL;
  int err = prepare(heap, shape, wanted > 0, &type, &bytes);
  if (err != 0) return err;
  void ***kept = wanted > 0 ? calloc(wanted, sizeof *kept) : NULL;
  if (wanted > 0 && !kept) return -ENOMEM;
  struct pl_scope scope;
  pl_scope_open(heap->heap, &scope);
  err = plant(heap, type, bytes, count, wanted, kept);
  if (err == 0 && wanted > 0) err = ref_root_new(heap, *kept[0], root);
  pl_scope_close(heap->heap, &scope);
  free(kept);
  return err;
}

/* A complete tree, the leaves first; NULL: there is no memory. */
static void *grow(struct pl_heap *heap, uint32_t type, size_t bytes,
                  unsigned depth) {
  if (depth == 0) return pl_heap_allocate(heap, type, bytes);
  struct pl_scope scope;
  pl_scope_open(heap, &scope);
  void **half[2] = {NULL, NULL};
  for (int side = 0; side < 2; side++) {
    void *below = grow(heap, type, bytes, depth - 1);
    if (below) half[side] = pl_handle(heap, below);
    if (!half[side]) break;
  }
  void *node = half[1] ? pl_heap_allocate(heap, type, bytes) : NULL;
  if (node)
    for (int side = 0; side < 2; side++)
      pl_heap_write(heap, node, slots_of(node) + side, *half[side]);
  pl_scope_close(heap, &scope);
  return node;
}

int ref_heap_tree(void *self, const struct pl_shape *shape, unsigned depth,
                  void **root) {
  struct ref_heap *heap = self;
  uint32_t type;
  size_t bytes;
  if (depth > 40) return -EINVAL;
  int err = prepare(heap, shape, true, &type, &bytes);
  if (err != 0) return err;
  void *top = grow(heap->heap, type, bytes, depth);
  return top ? ref_root_new(heap, top, root) : -ENOMEM;
}

static size_t reach(void *object) {
  if (!object) return 0;
  return 1 + reach(slots_of(object)[0]) + reach(slots_of(object)[1]);
}

size_t ref_heap_reach(void *heap, const void *tree) {
  (void)heap;
  return reach(object_of(tree));
}

void ref_heap_fill(void *self, void *from, size_t slots, void *to,
                   size_t count) {
  struct ref_heap *heap = self;
  void **first = slots_of(object_of(from));
  void *value = to ? object_of(to) : NULL;
  for (size_t i = 0, slot = 0; i < count; i++) {
    pl_heap_write(heap->heap, object_of(from), first + slot, value);
    if (++slot == slots) slot = 0;
  }
}

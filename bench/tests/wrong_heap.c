/* SPDX-License-Identifier: MIT */
/*
 * wrong_heap.c: a very fast heap: it allocates nothing and collects nothing.
 *
 * Invariant: all its calls succeed, so that only a benchmark's check can find
 * out that nothing was done.
 */
#include "provider.h"

static char anything;

static int create(const struct pl_heap_options *options, void **heap) {
  (void)options;
  *heap = &anything;
  return 0;
}

static void ignore(void *heap) {
  (void)heap;
}

static void drop(void *heap, void *root) {
  (void)heap;
  (void)root;
}

static int alloc(void *heap, const struct pl_shape *shape, void **root) {
  (void)heap;
  (void)shape;
  *root = &anything;
  return 0;
}

static int get(void *heap, void *of, size_t slot, void **root) {
  (void)heap;
  (void)of;
  (void)slot;
  *root = NULL;
  return 0;
}

static int same(void *heap, const void *one, const void *other) {
  (void)heap;
  return one == other;
}

static void collect(void *heap, enum pl_collect kind) {
  (void)heap;
  (void)kind;
}

static int step(void *heap, size_t work, int *done) {
  (void)heap;
  (void)work;
  *done = 1;
  return 0;
}

static void where(void *heap, const void *of, struct pl_where *where) {
  (void)heap;
  (void)of;
  *where = (struct pl_where){.space = "new"};
}

static void figures(void *heap, struct pl_heap_figures *figures) {
  (void)heap;
  (void)figures;
}

static int outside(void *heap, void *of, size_t bytes_outside) {
  (void)heap;
  (void)of;
  (void)bytes_outside;
  return 0;
}

static int snapshot(void *heap,
                    int (*write)(void *self, const void *bytes, size_t length),
                    void *self) {
  (void)heap;
  return write(self, "{}", 2);
}

static int plant(void *heap, const struct pl_shape *shape, size_t count,
                 size_t kept, void **root) {
  (void)heap;
  (void)shape;
  (void)count;
  if (kept) *root = &anything;
  return 0;
}

static int tree(void *heap, const struct pl_shape *shape, unsigned depth,
                void **root) {
  (void)depth;
  return alloc(heap, shape, root);
}

static size_t reach(void *heap, const void *root) {
  (void)heap;
  (void)root;
  return 1;
}

static void fill(void *heap, void *from, size_t slots, void *to, size_t count) {
  (void)heap;
  (void)from;
  (void)slots;
  (void)to;
  (void)count;
}

static int make_buffer(void *heap, size_t length, enum pl_buffer_how how,
                       void **root) {
  (void)length;
  (void)how;
  return alloc(heap, NULL, root);
}

static int from(void *heap, const void *bytes, size_t length, void **root) {
  (void)bytes;
  (void)length;
  return alloc(heap, NULL, root);
}

static int view(void *heap, void *of, size_t offset, size_t length,
                void **root) {
  (void)of;
  (void)offset;
  (void)length;
  return alloc(heap, NULL, root);
}

static unsigned char bytes[65536];

static void facts(void *heap, const void *of, struct pl_buffer_facts *facts) {
  (void)heap;
  (void)of;
  *facts = (struct pl_buffer_facts){.bytes = bytes, .store = bytes};
}

static const struct pl_heap_table heap_table = {
    .size = sizeof heap_table,
    .create = create,
    .destroy = ignore,
    .alloc = alloc,
    .drop = drop,
    .get = get,
    .same = same,
    .collect = collect,
    .step = step,
    .where = where,
    .figures = figures,
    .outside = outside,
    .snapshot = snapshot,
    .plant = plant,
    .tree = tree,
    .reach = reach,
    .fill = fill,
};

static const struct pl_buffer_table buffer_table = {
    .size = sizeof buffer_table,
    .alloc = make_buffer,
    .from = from,
    .view = view,
    .facts = facts,
};

static const struct pl_provider provider = {
    .abi = PL_PROVIDER_ABI,
    .size = sizeof provider,
    .name = "wrong-heap",
    .version = "0",
    .language = "C",
    .heap = &heap_table,
    .buffer = &buffer_table,
};

const struct pl_provider *pl_provider_v1(void) {
  return &provider;
}

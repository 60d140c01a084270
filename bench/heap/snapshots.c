/* SPDX-License-Identifier: MIT */
/*
 * snapshots.c: what a snapshot takes beside its heap: memory, time; and what
 * ids cost afterwards.
 *
 * Invariant: memory is counted where the heap asks for it, the greatest sum
 * there was.
 */
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>

#include "plumb/snapshot.h"

enum { SNAPSHOT_DEPTH = 17 };

/* Every block has its size in front of it. */
struct counted {
  size_t now, most;
};

static void *resize(void *self, void *block, size_t size) {
  struct counted *counted = self;
  size_t *head = block == NULL ? NULL : (size_t *)block - 2;
  if (head != NULL) counted->now -= *head;
  if (size == 0) {
    free(head);
    return NULL;
  }
  head = must(realloc(head, size + 16));
  *head = size;
  counted->now += size;
  if (counted->now > counted->most) counted->most = counted->now;
  return head + 2;
}

static int swallow(void *self, const void *bytes, size_t length) {
  const unsigned char *at = bytes;
  *(uint64_t *)self += length + at[length - 1];
  return 0;
}

static uint64_t take(struct stage *stage, struct counted *counted,
                     const char *name) {
  struct pl_heap_stats stats;
  struct pl_snapshot_facts facts;
  char text[64];
  uint64_t sum = 0;
  pl_heap_collect(stage->heap, PL_GC_MAJOR);
  pl_heap_stats(stage->heap, &stats);
  size_t before = counted->most = counted->now;
  uint64_t start = now_ns();
  if (pl_snapshot_write(stage->heap, swallow, &sum, &facts) != 0) must(NULL);
  double ns = (double)(now_ns() - start);
  snprintf(text, sizeof text, "snapshot/%s/memory", name);
  figure(text, 100.0 * (double)(counted->most - before) / (double)stats.used,
         "%");
  snprintf(text, sizeof text, "snapshot/%s/per-object", name);
  figure(text, ns / (double)facts.nodes, "ns");
  snprintf(text, sizeof text, "snapshot/%s/text", name);
  figure(text, (double)facts.bytes / 1e6, "MB");
  snprintf(text, sizeof text, "snapshot/%s/kept-for-ids", name);
  figure(text, 100.0 * (double)(counted->now - before) / (double)stats.used,
         "%");
  return sum;
}

uint64_t snapshots(int trees) {
  struct counted counted = {0};
  struct pl_heap *plain;
  if (pl_heap_create(NULL, &plain) != 0) must(NULL);
  struct pl_heap_config config = {.memory = *pl_heap_memory(plain)};
  config.memory.resize = resize;
  config.memory.zeroed = NULL;
  config.memory.self = &counted;
  struct stage stage;
  stage_begin(&stage, 1 << 20, &config);
  void **all = must(calloc((size_t)trees, sizeof *all));
  uint64_t sum = 0;
  for (int i = 0; i < trees; i++) {
    all[i] = must(pl_handle(stage.heap, make(&stage, 0)));
    populate(&stage, SNAPSHOT_DEPTH, all[i]);
  }
  sum += take(&stage, &counted, "first");
  sum += take(&stage, &counted, "second");
  /* Half of the objects die, others come in their places. */
  for (int i = 0; i < trees; i++) {
    struct node *root = *(void **)all[i];
    pl_heap_write(stage.heap, root, &root->left, NULL);
  }
  pl_heap_collect(stage.heap, PL_GC_MAJOR);
  for (int i = 0; i < trees; i++) {
    void **young = must(pl_handle(stage.heap, make(&stage, 0)));
    populate(&stage, SNAPSHOT_DEPTH - 1, young);
    struct node *root = *(void **)all[i];
    pl_heap_write(stage.heap, root, &root->left, *young);
    *young = NULL;
  }
  sum += take(&stage, &counted, "half-new");
  free(all);
  stage_end(&stage);
  pl_heap_destroy(plain);
  return sum;
}

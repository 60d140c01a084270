/* SPDX-License-Identifier: MIT */
/*
 * provider_snapshot.c: retained sizes for the suite's provider, by the code of
 * plumb-heap.
 *
 * Invariant: the text is only read, and nothing of it is kept.
 */
#include "provider_heap_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/plumb-heap/classes.h"

static int look_up(const struct snapshot *snapshot, const char *name,
                   uint64_t *bytes) {
  struct graph graph;
  struct classes classes;
  if (!graph_build(&graph, snapshot)) return -ENOMEM;
  bool built = classes_build(&classes, &graph);
  if (built) {
    uint32_t found = classes_find(&classes, name);
    *bytes = found == GRAPH_NONE ? 0 : classes.at[found].retained;
    classes_free(&classes);
  }
  graph_free(&graph);
  return built ? 0 : -ENOMEM;
}

int ref_heap_retained(const void *text, size_t length, const char *name,
                      uint64_t *bytes) {
  struct snapshot snapshot;
  char message[256];
  char *copy = malloc(length + 1);
  if (!copy) return -ENOMEM;
  memcpy(copy, text, length);
  int err = -EINVAL;
  if (snapshot_parse(&snapshot, "snapshot", copy, length, message,
                     sizeof message)) {
    err = look_up(&snapshot, name, bytes);
    snapshot.file = NULL; /* the copy */
    snapshot_free(&snapshot);
  }
  free(copy);
  return err;
}

/* SPDX-License-Identifier: MIT */
/*
 * provider_snapshot.c: what the reference's heap tells of itself, as the
 * suite's provider sees it: snapshots, leak events, lines of text. Retained
 * sizes are those of plumb-heap's code.
 *
 * Invariant: nothing here changes what a heap does.
 */
#include "provider_heap_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apps/plumb-heap/classes.h"
#include "plumb/leaks.h"
#include "plumb/snapshot.h"

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

int ref_heap_snapshot(void *self,
                      int (*write)(void *self, const void *bytes,
                                   size_t length),
                      void *to) {
  struct ref_heap *heap = self;
  return pl_snapshot_write(heap->heap, write, to, NULL);
}

/* -- leak events ----------------------------------------------------------- */

size_t ref_leak_size(void) {
  return sizeof(struct pl_leaks);
}

void ref_leak_init(void *detector, int exact) {
  pl_leaks_init(detector, exact ? PL_LEAKS_EXACT : PL_LEAKS_MEMWATCH);
}

int ref_leak_collection(void *detector, int full, uint64_t used,
                        uint64_t seconds) {
  int told = pl_leaks_collection(detector, full != 0, used, seconds);
  return (told & PL_LEAKS_STATS ? 1 : 0) | (told & PL_LEAKS_LEAK ? 2 : 0);
}

int ref_leak_figure(const void *detector, const char *name, double *value) {
  const struct pl_leaks *leaks = detector;
  const struct {
    const char *name;
    double value;
  } figures[] = {{"num-full-gc", (double)leaks->full},
                 {"num-inc-gc", (double)leaks->others},
                 {"heap-compactions", (double)leaks->full},
                 {"usage-trend", leaks->usage_trend},
                 {"estimated-base", (double)leaks->estimated_base},
                 {"current-base", (double)leaks->current_base},
                 {"min", (double)leaks->min},
                 {"max", (double)leaks->max},
                 {"growth", (double)leaks->growth}};
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    if (strcmp(figures[i].name, name) != 0) continue;
    *value = figures[i].value;
    return 0;
  }
  return -EINVAL;
}

const char *ref_leak_reason(const void *detector) {
  return ((const struct pl_leaks *)detector)->reason;
}

/* -- lines ----------------------------------------------------------------- */

/* The clock of a heap that was given none. */
static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int ref_heap_trace(void *self, void (*line)(void *self, const char *text),
                   void *to) {
  struct ref_heap *heap = self;
  pl_trace_begin(&heap->trace, heap->heap, (unsigned long)getpid(), now_ns(),
                 line, to);
  return 0;
}

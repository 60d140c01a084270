/* SPDX-License-Identifier: MIT */
/*
 * report.h: the answers of plumb-heap, as text or JSON. Each returns false when
 * memory is short.
 */
#ifndef HEAP_REPORT_H
#define HEAP_REPORT_H

#include "classes.h"

struct options {
  const char *verb;
  uint32_t top; /* lines of a table */
  const char *sort;
  uint64_t id;
  bool has_id, json, help;
};

bool report_stats(const struct options *options, const struct graph *graph);
bool report_summary(const struct options *options, const struct graph *graph,
                    const struct classes *classes);
bool report_dominators(const struct options *options, const struct graph *graph,
                       const struct classes *classes);
/* *status: 2 when no node has that id. */
bool report_path(const struct options *options, const struct graph *graph,
                 const struct classes *classes, int *status);
/* Both of one process: nodes are the same when their ids are. */
bool report_diff(const struct options *options, const struct graph *old,
                 const struct classes *old_classes, const struct graph *new,
                 const struct classes *new_classes);

#endif

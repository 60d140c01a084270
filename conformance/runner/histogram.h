/* SPDX-License-Identifier: MIT */
/*
 * The distinct traces of a case's runs, with how often each was seen.
 *
 * Invariant: at most PL_TRACES_KEPT traces are kept, and among them is a
 * forbidden one if there was any; the rest is counted.
 */
#ifndef PL_RUNNER_HISTOGRAM_H
#define PL_RUNNER_HISTOGRAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_TRACES_KEPT 20u

struct pl_seen {
  json_t *events;
  char *text; /* the events as compact JSON: the key */
  unsigned count;
  bool allowed;
};

struct pl_histogram {
  struct pl_seen at[PL_TRACES_KEPT];
  size_t count;
  uint64_t *others; /* hashes of distinct traces that are not kept */
  size_t other_count, other_room;
  unsigned allowed, forbidden; /* runs */
};

/* Counts a trace that was seen before. Returns it, or NULL when it is new.
 * `text` is the events as compact JSON. */
struct pl_seen *pl_histogram_again(struct pl_histogram *histogram,
                                   const char *text);

/* Counts a new trace. Takes `text`, shares `events`. */
void pl_histogram_add(struct pl_histogram *histogram, json_t *events,
                      char *text, bool allowed);
void pl_histogram_free(struct pl_histogram *histogram);

#endif

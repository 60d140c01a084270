/* SPDX-License-Identifier: MIT */
/*
 * A trace: what a program logged, in order, as the adapter reported it.
 *
 * Invariant: every event is a label, alone or with one scalar value; a trace
 * that is not made so never gets this far (pl_trace_check refuses it).
 */
#ifndef PL_RUNNER_TRACE_H
#define PL_RUNNER_TRACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct pl_event {
  const char *label;
  const json_t *value; /* NULL: a label alone */
  bool wild;           /* stands for any value; only explanations use it */
};

/* Events with what it takes to look values up by label. */
struct pl_trace {
  const struct pl_event *at;
  size_t count;
};

/* Says whether `event` has an event's shape. */
bool pl_event_valid(const json_t *event);

/* Returns the index of the first entry of the array `events` that is no
 * event, or -1 when all are. */
long pl_trace_check(const json_t *events);

/* Gives the events of a checked array, free with free(); borrows labels and
 * values until `events` is released. */
struct pl_event *pl_trace_events(const json_t *events);

/* Returns the value of the first event with that label, or NULL when there
 * is none or it has no value. */
const json_t *pl_trace_value(const struct pl_trace *trace, const char *label);

/* Says whether the label is one that the runner appends: exit or signal. */
bool pl_label_is_end(const char *label);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * trace.h: a line of text for each collection, in the form of V8's --trace-gc:
 *
 *   [4711:0x55d0c8a0]       30 ms: Scavenge 2.3 (3.0) -> 1.9 (4.0) MB,
 *   0.60 / 0.00 ms  (average mu = 0.990, current mu = 0.985) new space full
 *
 * (one line): process and heap, time since the beginning; what was done; bytes
 * in use and committed before and after, in units of 1048576; the pause and
 * what of it was spent in callbacks; of the time since the collection before
 * this one's end, the share that the mutator had (mu), and the average of that
 * with the averages before; the reason. What ends a collection in steps also
 * tells how many there were, how long they took, and the longest.
 *
 * Steps themselves have no line, as in V8. Rules: HEAP-TRACE-1 to HEAP-TRACE-3.
 *
 * Invariant: nothing is allocated and nothing can fail.
 */
#ifndef PLUMB_TRACE_H
#define PLUMB_TRACE_H

#include "plumb/heap.h"

enum { PL_TRACE_LINE = 416 };

/* Gets a line without its end; borrows it until it returns. Called within the
 * collection: it must not call into the heap. */
typedef void pl_trace_fn(void *self, const char *line);

/* The caller's storage; everything may be read. */
struct pl_trace {
  pl_trace_fn *line;
  void *self;
  const struct pl_heap *heap;
  unsigned long process;
  uint64_t started_ns, ended_ns; /* ended: of the last collection */
  double average_mu, current_mu; /* 0 to 1; 0 before the first collection */
  uint64_t steps, steps_ns, longest_step_ns; /* of the marking under way */
};

/* Begins, with nothing told yet. process: a number to tell processes apart.
 * now_ns: the reading of the heap's clock. */
void pl_trace_begin(struct pl_trace *trace, const struct pl_heap *heap,
                    unsigned long process, uint64_t now_ns, pl_trace_fn *line,
                    void *self);

/* A pause of the heap; as its on_event, arg being the trace. */
void pl_trace_on_event(void *arg, const struct pl_gc_event *event);

/* The words for a reason: "requested", "new space full", ... */
const char *pl_trace_reason(enum pl_gc_reason reason);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pauses.h: what a heap's pauses do to the mutator: a histogram and the minimum
 * mutator utilization, on the wall clock and on the logical clock.
 *
 *   config.arg = pauses;   config.on_event = pl_pauses_on_event;
 *
 * The logical clock (struct pl_gc_event) is the same on every machine, so what
 * is read from it may be a test's expectation.
 *
 * Invariants:
 *  - A histogram's buckets are log-linear: 32 to each power of two, so a value
 *    is known to 1 part in 32, and exactly below 32.
 *  - Pauses are kept in the order in which they happened and do not overlap.
 */
#ifndef PLUMB_PAUSES_H
#define PLUMB_PAUSES_H

#include "plumb/heap.h"

enum { PL_HISTOGRAM_BUCKETS = 60 * 32 };

/* Counts of values; zeroed, it is empty. */
struct pl_histogram {
  uint64_t count, max;
  uint64_t bucket[PL_HISTOGRAM_BUCKETS];
};

void pl_histogram_add(struct pl_histogram *histogram, uint64_t value);

/* The least value that at least the share `quantile` (0 to 1) of all values do
 * not exceed: the end of its bucket, or the maximum. 0 when it is empty. */
uint64_t pl_histogram_quantile(const struct pl_histogram *histogram,
                               double quantile);

enum pl_pause_clock {
  PL_PAUSE_WALL,   /* nanoseconds of the heap's clock */
  PL_PAUSE_LOGICAL /* units of work: bytes allocated, copied, marked, ... */
};
enum { PL_PAUSE_CLOCKS = 2 };

struct pl_pause {
  uint64_t start, length;
};

/* The pauses of a heap; everything may be read. */
struct pl_pauses {
  struct pl_heap_memory memory;
  struct pl_histogram histogram[PL_PAUSE_CLOCKS];
  struct pl_pause *list[PL_PAUSE_CLOCKS]; /* `count` of each */
  size_t count, capacity;
  uint64_t work; /* units of work so far */
  bool complete; /* no pause was lost to a shortage of memory */
};

/* Makes an empty record in the caller's storage. memory: where the list comes
 * from, NULL for malloc(); only `resize` is called. Free with
 * pl_pauses_free(). */
void pl_pauses_init(struct pl_pauses *pauses,
                    const struct pl_heap_memory *memory);
void pl_pauses_free(struct pl_pauses *pauses);

/* Records a pause. Errors: PL_ENOMEM: it is in the histograms, but not in the
 * list, and `complete` is false from now on. */
int pl_pauses_add(struct pl_pauses *pauses, const struct pl_gc_event *event);
/* The same as a heap's on_event; arg: the record. */
void pl_pauses_on_event(void *arg, const struct pl_gc_event *event);

/*
 * The minimum mutator utilization: the least share (0 to 1) of any `window` of
 * time, between the start of the record and `end`, that the mutator had. start,
 * end: readings of that clock; the logical one starts at 0. A window that is
 * longer than that is all of it; of no length: 0 if there is a pause.
 * Source: Cheng and Blelloch, A Parallel, Real-Time Garbage Collector (2001).
 */
double pl_pauses_mmu(const struct pl_pauses *pauses, enum pl_pause_clock clock,
                     uint64_t start, uint64_t end, uint64_t window);

#endif

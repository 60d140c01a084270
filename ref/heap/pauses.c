/* SPDX-License-Identifier: MIT */
/*
 * pauses.c: histograms of pauses and the mutator's share between them.
 *
 *   value  0 .. 31 | 32 .. 63 | 64 .. 127 in twos | 128 .. 255 in fours | ...
 *
 * The minimum of a window's utilization is reached where the window begins with
 * a pause or ends with one: moving it otherwise does not add to the time that
 * it shares with pauses. So only these windows are looked at.
 *
 * Invariant: nothing here knows a heap but by its events.
 */
#include "plumb/pauses.h"

#include <stdlib.h>

enum { LINEAR_BITS = 5, LINEAR = 1 << LINEAR_BITS };

/* ---------------------------------------------------------------------- */
/* The histogram                                                          */

static size_t bucket_of(uint64_t value) {
  if (value < LINEAR) return (size_t)value;
  unsigned shift = 63 - (unsigned)__builtin_clzll(value) - LINEAR_BITS;
  return (shift + 1) * LINEAR + (size_t)(value >> shift) - LINEAR;
}

/* The greatest value of a bucket. */
static uint64_t end_of(size_t bucket) {
  if (bucket < LINEAR) return bucket;
  unsigned shift = (unsigned)(bucket / LINEAR) - 1;
  uint64_t first = (uint64_t)(LINEAR + bucket % LINEAR) << shift;
  return first + ((UINT64_C(1) << shift) - 1);
}

void pl_histogram_add(struct pl_histogram *histogram, uint64_t value) {
  histogram->count++;
  histogram->bucket[bucket_of(value)]++;
  if (value > histogram->max) histogram->max = value;
}

uint64_t pl_histogram_quantile(const struct pl_histogram *histogram,
                               double quantile) {
  double wanted = quantile * (double)histogram->count;
  uint64_t seen = 0;
  if (histogram->count == 0) return 0;
  for (size_t i = 0; i < PL_HISTOGRAM_BUCKETS; i++) {
    seen += histogram->bucket[i];
    if (seen == 0 || (double)seen < wanted) continue;
    return end_of(i) < histogram->max ? end_of(i) : histogram->max;
  }
  return histogram->max;
}

/* ---------------------------------------------------------------------- */
/* The record                                                             */

static void *resize(void *self, void *block, size_t size) {
  (void)self;
  if (size != 0) return realloc(block, size);
  free(block);
  return NULL;
}

void pl_pauses_init(struct pl_pauses *pauses,
                    const struct pl_heap_memory *memory) {
  memset(pauses, 0, sizeof *pauses);
  pauses->complete = true;
  if (memory != NULL) pauses->memory = *memory;
  if (pauses->memory.resize == NULL) pauses->memory.resize = resize;
}

void pl_pauses_free(struct pl_pauses *pauses) {
  for (int clock = 0; clock < PL_PAUSE_CLOCKS; clock++) {
    if (pauses->list[clock] != NULL)
      pauses->memory.resize(pauses->memory.self, pauses->list[clock], 0);
    pauses->list[clock] = NULL;
  }
  pauses->count = pauses->capacity = 0;
}

static int grow(struct pl_pauses *pauses) {
  size_t capacity = pauses->capacity == 0 ? 64 : pauses->capacity * 2;
  for (int clock = 0; clock < PL_PAUSE_CLOCKS; clock++) {
    struct pl_pause *list =
        pauses->memory.resize(pauses->memory.self, pauses->list[clock],
                              capacity * sizeof *list);
    if (list == NULL) return PL_ENOMEM;
    pauses->list[clock] = list;
  }
  pauses->capacity = capacity;
  return 0;
}

int pl_pauses_add(struct pl_pauses *pauses, const struct pl_gc_event *event) {
  const struct pl_pause pause[PL_PAUSE_CLOCKS] = {
      [PL_PAUSE_WALL] = {event->start_ns, event->pause_ns},
      [PL_PAUSE_LOGICAL] = {event->clock + pauses->work, event->work}};
  pauses->work += event->work;
  for (int clock = 0; clock < PL_PAUSE_CLOCKS; clock++)
    pl_histogram_add(&pauses->histogram[clock], pause[clock].length);
  if (pauses->count == pauses->capacity && grow(pauses) != 0) {
    pauses->complete = false;
    return PL_ENOMEM;
  }
  for (int clock = 0; clock < PL_PAUSE_CLOCKS; clock++)
    pauses->list[clock][pauses->count] = pause[clock];
  pauses->count++;
  return 0;
}

void pl_pauses_on_event(void *arg, const struct pl_gc_event *event) {
  pl_pauses_add(arg, event);
}

/* ---------------------------------------------------------------------- */
/* Utilization                                                            */

/* A window that moves over the record; `first` and `last` only go up. */
struct scan {
  const struct pl_pause *list;
  size_t count, first, last;
  uint64_t inside; /* lengths of pauses first .. last-1, whole */
};

static uint64_t end_of_pause(const struct pl_pause *pause) {
  return pause->start + pause->length;
}

/* Time of pauses within [from, to). */
static uint64_t paused(struct scan *scan, uint64_t from, uint64_t to) {
  while (scan->last < scan->count && scan->list[scan->last].start < to)
    scan->inside += scan->list[scan->last++].length;
  while (scan->first < scan->last &&
         end_of_pause(&scan->list[scan->first]) <= from)
    scan->inside -= scan->list[scan->first++].length;
  uint64_t time = scan->inside;
  if (scan->first == scan->last) return 0;
  const struct pl_pause *first = &scan->list[scan->first];
  const struct pl_pause *last = &scan->list[scan->last - 1];
  if (first->start < from) time -= from - first->start;
  if (end_of_pause(last) > to) time -= end_of_pause(last) - to;
  return time;
}

/* The most time of pauses in a window that begins, or ends, with one. */
static uint64_t most_paused(const struct pl_pauses *pauses,
                            enum pl_pause_clock clock, uint64_t start,
                            uint64_t end, uint64_t window, bool ends) {
  struct scan scan = {.list = pauses->list[clock], .count = pauses->count};
  uint64_t most = 0;
  for (size_t i = 0; i < pauses->count; i++) {
    uint64_t from = scan.list[i].start;
    if (ends) {
      uint64_t to = end_of_pause(&scan.list[i]);
      from = to > start + window ? to - window : start;
    }
    if (from < start) from = start;
    if (from > end - window) from = end - window;
    uint64_t time = paused(&scan, from, from + window);
    if (time > most) most = time;
  }
  return most;
}

double pl_pauses_mmu(const struct pl_pauses *pauses, enum pl_pause_clock clock,
                     uint64_t start, uint64_t end, uint64_t window) {
  if (end <= start) return 1;
  if (window > end - start) window = end - start;
  if (window == 0) return pauses->count == 0 ? 1 : 0;
  uint64_t begins = most_paused(pauses, clock, start, end, window, false);
  uint64_t ends = most_paused(pauses, clock, start, end, window, true);
  uint64_t most = begins > ends ? begins : ends;
  return 1 - (double)most / (double)window;
}

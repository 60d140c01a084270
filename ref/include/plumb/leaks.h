/* SPDX-License-Identifier: MIT */
/*
 * leaks.h: statistics of full collections, and the event that says "this
 * leaks".
 *
 *   struct pl_leaks leaks;
 *   pl_leaks_init(&leaks, PL_LEAKS_EXACT);
 *   on_event:  int told = pl_leaks_on_gc(&leaks, event);
 *   later:     if (told & PL_LEAKS_LEAK) puts(leaks.reason);
 *              if (told & PL_LEAKS_STATS) ... leaks.current_base ...
 *
 * The rules are those of node-memwatch (lloyd/node-memwatch, src/memwatch.cc).
 * Nothing is called back: as memwatch told its listeners by a later task and
 * never within the collection, what to do with the events is the caller's.
 *
 * Invariants:
 *  - Nothing is allocated, nothing can fail, and every field may be read.
 *  - Only full collections change anything but `others`.
 *  - growth is less than PL_LEAKS_GROWTH.
 */
#ifndef PLUMB_LEAKS_H
#define PLUMB_LEAKS_H

#include "plumb/heap.h"

enum {
  PL_LEAKS_STATS = 1, /* a full collection: the statistics are new */
  PL_LEAKS_LEAK = 2   /* it was the fifth that grew; comes before the other */
};

enum {
  PL_LEAKS_GROWTH = 5,    /* growing full collections in a row: a leak */
  PL_LEAKS_RECENT = 10,   /* collections that estimated_base looks back */
  PL_LEAKS_ANCIENT = 120, /* and that ancient_base does */
  PL_LEAKS_REASON = 128
};

/*
 * PL_LEAKS_MEMWATCH: with memwatch's two mistakes. usage_trend subtracts
 * numbers of 32 bits without sign, so a heap that shrinks seems to grow by
 * thousands of percent; a growth within one second overflows the rate, which
 * reads -2147483648 bytes/hr. Rules: HEAP-LEAK-10, HEAP-LEAK-11.
 * PL_LEAKS_EXACT: without them; a growth within one second is told without a
 * rate.
 */
enum pl_leaks_rules { PL_LEAKS_MEMWATCH, PL_LEAKS_EXACT };

/*
 * What is known so far. Bytes are those in use right after a full collection,
 * headers included. In brackets what memwatch calls it.
 */
struct pl_leaks {
  enum pl_leaks_rules rules;
  uint64_t full;           /* full collections [num_full_gc and
                              heap_compactions] */
  uint64_t others;         /* other collections [num_inc_gc] */
  uint64_t current_base;   /* bytes after the last full one */
  uint64_t estimated_base; /* bytes: nine parts itself, one part the last;
                              up to the ninth the last one itself */
  uint64_t ancient_base;   /* bytes: the same over PL_LEAKS_ANCIENT */
  uint64_t min, max;       /* bytes, from the third full one on; 0 before */
  double usage_trend;      /* per cent that estimated_base is above
                              ancient_base, in tenths */
  unsigned growth;         /* full collections in a row that grew */
  uint64_t grown_since_s;  /* when the first of these was, seconds */
  uint64_t grown_from;     /* bytes after it */
  /* Of the last leak event, after growth has begun anew. */
  uint64_t leaks;               /* how many so far */
  uint64_t leak_bytes;          /* from the first to the fifth */
  uint64_t leak_seconds;        /* and the time between them */
  char reason[PL_LEAKS_REASON]; /* "heap growth over 5 consecutive GCs (1m 30s)
                                   - 1.5 mb/hr"; "" before */
};

/* Begins with nothing known. Storage: the caller's; nothing to free. */
void pl_leaks_init(struct pl_leaks *leaks, enum pl_leaks_rules rules);

/*
 * A collection has ended. full: of the whole heap. used: bytes in use after
 * it. seconds: since any start, which never goes back. Returns the events, a
 * sum of PL_LEAKS_STATS and PL_LEAKS_LEAK; 0 for one that was not full.
 * Rules: HEAP-LEAK-1 to HEAP-LEAK-11.
 */
int pl_leaks_collection(struct pl_leaks *leaks, bool full, uint64_t used,
                        uint64_t seconds);

/* The same for an event of a heap, of its own clock: major collections and
 * compactions are full ones, at once or in steps; steps themselves are none.
 * May be called from on_event. */
int pl_leaks_on_gc(struct pl_leaks *leaks, const struct pl_gc_event *event);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * usage.h: the memory of a process with a heap, and of its machine, under the
 * names that process.memoryUsage() and os.freemem() made known.
 *
 * Invariant: figures of one call belong to one moment, but for rss, which the
 * kernel counts on its own.
 */
#ifndef PLUMB_USAGE_H
#define PLUMB_USAGE_H

#include "plumb/heap.h"

/* Bytes. */
struct pl_memory_usage {
  size_t rss;           /* resident: heap, stacks, code, all of the process */
  size_t heap_total;    /* committed by the heap */
  size_t heap_used;     /* of these, of objects */
  size_t external;      /* outside of the heap, held by objects */
  size_t array_buffers; /* of these, of holdings: the bytes of buffers */
};

struct pl_memory_system {
  size_t total;     /* of the machine */
  size_t free;      /* that nobody uses for anything */
  size_t available; /* that a program could get without swapping */
};

/* Reads the figures of the process. Errors: of opening and reading
 * /proc/self/statm. */
int pl_memory_usage(const struct pl_heap *heap, struct pl_memory_usage *out);

/* Reads the figures of the machine. Errors: of opening and reading
 * /proc/meminfo; PL_EPROTO when it has not these lines. */
int pl_memory_system(struct pl_memory_system *out);

#endif

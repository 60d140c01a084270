/* SPDX-License-Identifier: MIT */
/*
 * short_memory.h: memory of which there is none left from some request on, to
 * see what a leak does then.
 *
 * Invariant: what was given is taken back as ever; only giving ends.
 */
#ifndef LEAK_LAB_SHORT_MEMORY_H
#define LEAK_LAB_SHORT_MEMORY_H

#include "plumb/heap.h"

struct short_memory {
  unsigned long left; /* requests that are granted */
};

/* Puts it into the configuration, which borrows it as long as the heap lives:
 * the n-th request and all after it are refused. */
void short_memory_init(struct short_memory *memory, unsigned long n,
                       struct pl_heap_config *config);

#endif

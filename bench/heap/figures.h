/* SPDX-License-Identifier: MIT */
/*
 * figures.h: what the parts of heap-bench share.
 *
 * Invariant: each figure is one line on stdout, `name value unit`; its rounds
 * are in processor time, since others may be at work beside it.
 */
#ifndef PLUMBLINE_BENCH_HEAP_H
#define PLUMBLINE_BENCH_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "plumb/heap.h"
#include "plumb/pauses.h"

enum { ROUNDS = 9, NODE_BYTES = 48, DEEPEST = 20 };

struct node { /* 48 bytes with its header: the tree node of GCBench */
  struct node *left, *right;
  uint64_t number[3];
};

/* What the pauses since the last forget() were, by kind and altogether. */
struct pauses {
  struct pl_pauses record;
  uint64_t since;
  uint64_t worst[PL_GC_KINDS], sum[PL_GC_KINDS];
  size_t count[PL_GC_KINDS];
  struct pl_gc_event last;
};

struct stage {
  struct pl_heap *heap;
  uint32_t node;
  struct pauses pauses;
  /* Where make() and populate() keep what they are at, by depth: handles that
   * are made once, since one for every node would cost more than the node. */
  void **left[DEEPEST + 1], **right[DEEPEST + 1];
};

uint64_t now_ns(void);
uint64_t stage_clock(void *self);
void *must(void *block);
/* Memory as a heap of that size has it, written to once: in huge pages where
 * the heap would ask for them. For floors; kept until the program ends. */
void *floor_memory(size_t size);
double median(double *values, size_t count);
void figure(const char *name, double value, const char *unit);

/* A heap with semi-spaces of that size; `more`: what else is configured, or
 * NULL. */
void stage_begin(struct stage *stage, size_t semi,
                 const struct pl_heap_config *more);
void stage_end(struct stage *stage);
void forget(struct stage *stage);
/* Quantiles of the pauses since the last forget(), and the mutator's least
 * share of windows of 1 to 100 ms; on the logical clock of 1 to 100 MB. */
void tell_pauses(const struct stage *stage, const char *part);

/* Hangs a complete tree of `depth` below *handle, from the top down; makes one
 * from the bottom up. */
void populate(struct stage *stage, int depth, void **handle);
struct node *make(struct stage *stage, int depth);

/* The parts. Each prints its figures and returns a sum of what it computed. */
uint64_t paths(void);
uint64_t scavenges(void);
uint64_t trees(size_t semi);
uint64_t trees_floor(void);
uint64_t old_generation(int trees);
uint64_t snapshots(int trees);

#endif

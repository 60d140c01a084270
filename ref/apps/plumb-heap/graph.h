/* SPDX-License-Identifier: MIT */
/*
 * graph.h: who keeps what alive: dominators, retained sizes, retaining paths.
 *
 * A node's retained size is its own and that of every node which only it keeps
 * alive: those that it dominates (Lengauer and Tarjan, A Fast Algorithm for
 * Finding Dominators in a Flowgraph, 1979).
 *
 * Which edges keep alive: no weak edge, and a shortcut from the root alone,
 * where it marks a global object. So the numbers are memlab's (isEssentialEdge
 * in its core). Chrome's tools differ in two places: what global objects reach
 * is taken away from the engine's own roots, and of a weak map's pair the
 * table's edge does not count. (Chromium,
 * front_end/entrypoints/heap_snapshot_worker/ HeapSnapshot.ts)
 *
 * Invariant: nothing here recurses: a list may be as long as memory is.
 */
#ifndef HEAP_GRAPH_H
#define HEAP_GRAPH_H

#include "snapshot.h"

#define GRAPH_NONE UINT32_MAX

struct graph {
  const struct snapshot *snapshot;
  uint32_t *order;     /* the nodes by depth first search, the root first;
                          unreachable ones last */
  uint32_t reached;    /* how many the root reaches */
  uint32_t *dominator; /* GRAPH_NONE for the root; the root for what it does
                          not reach */
  uint64_t *retained;  /* bytes */
};

/* Makes a graph of a snapshot, which it borrows. False when memory is short.
 * Ownership: gives a graph, free with graph_free(). */
bool graph_build(struct graph *graph, const struct snapshot *snapshot);
void graph_free(struct graph *graph);

/*
 * The shortest way to a node by edges that keep alive, from a global object, or
 * where none leads there from the root (a stack's, say, is no reason that
 * lasts): fills `edges` with up to `most` edge numbers, the first one leaving
 * the root, and gives how many there are in all; 0 when the root does not reach
 * it. False in
 * `*good` when memory is short.
 */
uint32_t graph_path(const struct graph *graph, uint32_t node, uint32_t *edges,
                    uint32_t most, bool *good);

#endif

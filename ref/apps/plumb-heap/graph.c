/* SPDX-License-Identifier: MIT */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#define NONE GRAPH_NONE

/* -- which edges keep alive ------------------------------------------------ */

static bool keeps(const struct snapshot *snapshot, uint32_t from, uint32_t n) {
  const struct edge *edge = &snapshot->edges[n];
  if (edge->type == EDGE_WEAK || edge->to == from) return false;
  return edge->type != EDGE_SHORTCUT || from == 0;
}

/* -- depth first search ---------------------------------------------------- */

/* Numbers the nodes in preorder; `parent` and `number` are by node. */
static uint32_t search(const struct snapshot *snapshot, uint32_t *order,
                       uint32_t *number, uint32_t *parent, uint32_t *stack,
                       uint32_t *next) {
  uint32_t top = 0, count = 0;
  for (uint32_t n = 0; n < snapshot->node_count; n++) {
    number[n] = NONE;
    next[n] = snapshot->nodes[n].edges;
  }
  number[0] = 0;
  parent[0] = NONE;
  order[count++] = 0;
  stack[top++] = 0;
  while (top) {
    uint32_t node = stack[top - 1];
    if (next[node] == snapshot->nodes[node + 1].edges) {
      top--;
      continue;
    }
    uint32_t edge = next[node]++, to = snapshot->edges[edge].to;
    if (number[to] != NONE || !keeps(snapshot, node, edge)) continue;
    number[to] = count;
    parent[to] = node;
    order[count++] = to;
    stack[top++] = to;
  }
  uint32_t reached = count;
  for (uint32_t n = 0; n < snapshot->node_count; n++)
    if (number[n] == NONE) order[count++] = n;
  return reached;
}

/* -- dominators ------------------------------------------------------------ */

/* Lengauer and Tarjan's forest, over preorder numbers. */
struct forest {
  uint32_t *ancestor, *label, *semi;
  uint32_t *stack;
};

static uint32_t eval(struct forest *forest, uint32_t v) {
  uint32_t *ancestor = forest->ancestor, *label = forest->label;
  uint32_t top = 0;
  if (ancestor[v] == NONE) return v;
  /* The path up to the child of a root, then compressed from there down. */
  uint32_t at = v;
  while (ancestor[ancestor[at]] != NONE) {
    forest->stack[top++] = at;
    at = ancestor[at];
  }
  while (top) {
    uint32_t node = forest->stack[--top], above = ancestor[node];
    if (forest->semi[label[above]] < forest->semi[label[node]])
      label[node] = label[above];
    ancestor[node] = ancestor[above];
  }
  return label[v];
}

/* Predecessors by preorder number, in one array. */
struct arrivals {
  uint32_t *begin, *from;
};

static bool collect(const struct snapshot *snapshot, const uint32_t *order,
                    const uint32_t *number, uint32_t reached,
                    struct arrivals *arrivals) {
  uint32_t *begin = calloc((size_t)reached + 2, sizeof *begin);
  uint32_t *from = malloc(((size_t)snapshot->edge_count + 1) * sizeof *from);
  arrivals->begin = begin;
  arrivals->from = from;
  if (!begin || !from) return false;
  for (int fill = 0; fill < 2; fill++) {
    for (uint32_t v = 0; v < reached; v++) {
      uint32_t node = order[v];
      for (uint32_t n = snapshot->nodes[node].edges;
           n < snapshot->nodes[node + 1].edges; n++) {
        if (!keeps(snapshot, node, n)) continue;
        uint32_t to = number[snapshot->edges[n].to];
        if (fill)
          from[begin[to + 1]++] = v;
        else
          begin[to + 2]++;
      }
    }
    /* After the sum begin[w + 1] is where w's begin; filling moves it to its
     * end, which is where those of w + 1 begin. */
    for (uint32_t w = 0; !fill && w < reached; w++)
      begin[w + 2] += begin[w + 1];
  }
  return true;
}

static bool dominate(const struct snapshot *snapshot, struct graph *graph,
                     const uint32_t *number, const uint32_t *parent,
                     uint32_t *stack) {
  uint32_t count = graph->reached;
  struct arrivals arrivals = {0};
  struct forest forest = {.stack = stack};
  size_t bytes = (size_t)count * sizeof(uint32_t);
  uint32_t *idom = malloc(bytes), *bucket = malloc(bytes),
           *link = malloc(bytes);
  forest.ancestor = malloc(bytes);
  forest.label = malloc(bytes);
  forest.semi = malloc(bytes);
  bool good = idom && bucket && link && forest.ancestor && forest.label &&
              forest.semi &&
              collect(snapshot, graph->order, number, count, &arrivals);
  if (good) {
    for (uint32_t v = 0; v < count; v++) {
      forest.ancestor[v] = bucket[v] = link[v] = NONE;
      forest.label[v] = forest.semi[v] = v;
    }
    for (uint32_t w = count - 1; w > 0; w--) {
      uint32_t up = number[parent[graph->order[w]]];
      for (uint32_t n = arrivals.begin[w]; n < arrivals.begin[w + 1]; n++) {
        uint32_t u = eval(&forest, arrivals.from[n]);
        if (forest.semi[u] < forest.semi[w]) forest.semi[w] = forest.semi[u];
      }
      link[w] = bucket[forest.semi[w]];
      bucket[forest.semi[w]] = w;
      forest.ancestor[w] = up;
      for (uint32_t v = bucket[up]; v != NONE; v = link[v]) {
        uint32_t u = eval(&forest, v);
        idom[v] = forest.semi[u] < forest.semi[v] ? u : up;
      }
      bucket[up] = NONE;
    }
    for (uint32_t w = 1; w < count; w++) {
      if (idom[w] != forest.semi[w]) idom[w] = idom[idom[w]];
      graph->dominator[graph->order[w]] = graph->order[idom[w]];
    }
  }
  free(idom);
  free(bucket);
  free(link);
  free(forest.ancestor);
  free(forest.label);
  free(forest.semi);
  free(arrivals.begin);
  free(arrivals.from);
  return good;
}

/* -- all of it ------------------------------------------------------------- */

/* A dominator is before what it dominates in `order`. */
static void sum(struct graph *graph) {
  const struct snapshot *snapshot = graph->snapshot;
  graph->dominator[0] = NONE;
  for (uint32_t n = graph->reached; n < snapshot->node_count; n++)
    graph->dominator[graph->order[n]] = 0;
  for (uint32_t n = 0; n < snapshot->node_count; n++)
    graph->retained[n] = snapshot->nodes[n].size;
  for (uint32_t n = snapshot->node_count; n-- > 1;) {
    uint32_t node = graph->order[n];
    graph->retained[graph->dominator[node]] += graph->retained[node];
  }
}

bool graph_build(struct graph *graph, const struct snapshot *snapshot) {
  size_t count = snapshot->node_count, bytes = count * sizeof(uint32_t);
  *graph = (struct graph){.snapshot = snapshot};
  uint32_t *number = malloc(bytes), *parent = malloc(bytes),
           *stack = malloc(bytes), *next = malloc(bytes);
  graph->order = malloc(bytes);
  graph->dominator = malloc(bytes);
  graph->retained = malloc(count * sizeof *graph->retained);
  bool good = number && parent && stack && next && graph->order &&
              graph->dominator && graph->retained;
  if (good) {
    graph->reached =
        search(snapshot, graph->order, number, parent, stack, next);
    good = dominate(snapshot, graph, number, parent, stack);
    if (good) sum(graph);
  }
  free(number);
  free(parent);
  free(stack);
  free(next);
  if (!good) graph_free(graph);
  return good;
}

void graph_free(struct graph *graph) {
  free(graph->order);
  free(graph->dominator);
  free(graph->retained);
  *graph = (struct graph){0};
}

/* A search by breadth, from what is in the queue on. */
struct breadth {
  uint32_t *queue, *by, *from; /* by: the edge that led to a node */
  uint32_t first, last;
};

static void visit(struct breadth *breadth, const struct snapshot *snapshot,
                  uint32_t at, bool shortcuts) {
  for (uint32_t n = snapshot->nodes[at].edges;
       n < snapshot->nodes[at + 1].edges; n++) {
    uint32_t to = snapshot->edges[n].to;
    if (to == 0 || breadth->by[to] != NONE || !keeps(snapshot, at, n)) continue;
    if (at == 0 && (snapshot->edges[n].type == EDGE_SHORTCUT) != shortcuts)
      continue;
    breadth->by[to] = n;
    breadth->from[to] = at;
    breadth->queue[breadth->last++] = to;
  }
}

uint32_t graph_path(const struct graph *graph, uint32_t node, uint32_t *edges,
                    uint32_t most, bool *good) {
  const struct snapshot *snapshot = graph->snapshot;
  size_t bytes = (size_t)snapshot->node_count * sizeof(uint32_t);
  struct breadth breadth = {malloc(bytes), malloc(bytes), malloc(bytes), 0, 0};
  uint32_t length = 0;
  *good = breadth.queue && breadth.by && breadth.from;
  if (*good) {
    memset(breadth.by, 0xff, bytes);
    for (int turn = 0; turn < 2 && breadth.by[node] == NONE; turn++) {
      visit(&breadth, snapshot, 0, turn == 0);
      while (breadth.first < breadth.last && breadth.by[node] == NONE)
        visit(&breadth, snapshot, breadth.queue[breadth.first++], false);
    }
    if (breadth.by[node] != NONE)
      for (uint32_t at = node; at != 0; at = breadth.from[at])
        length++;
    uint32_t n = length;
    for (uint32_t at = node; n > 0; at = breadth.from[at])
      if (--n < most) edges[n] = breadth.by[at];
  }
  free(breadth.queue);
  free(breadth.by);
  free(breadth.from);
  return length;
}

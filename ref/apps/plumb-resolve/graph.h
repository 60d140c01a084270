/* SPDX-License-Identifier: MIT */
/*
 * graph.h: the modules that an entry leads to.
 *
 * Invariant: a module stands in it once, by its real path; edges are in the
 * order of the source.
 */
#ifndef PLUMB_RESOLVE_GRAPH_H
#define PLUMB_RESOLVE_GRAPH_H

#include "app.h"

struct vertex;

struct edge {
  enum pl_scan_kind kind;
  char *specifier;
  size_t line, at;
  struct vertex *to; /* NULL: a core module, a URL, or an error */
  char *other;       /* its path, or the error's code */
  bool failed;
  bool partial; /* require() of a module whose body has not ended */
  size_t until; /* partial: that module's exports before this byte are there */
};

/* An assignment to exports. */
struct name {
  char *text; /* NULL: module.exports itself */
  size_t at;
};

struct vertex {
  char *path;
  const char *format;
  struct edge *edges;
  struct name *names;
  size_t edge_count, name_count;
  size_t index;            /* in the order of discovery */
  size_t turn;             /* the edge that is followed */
  bool busy, done, broken; /* on the way to here; left; no memory, not read */
  struct vertex *next, *chain;
};

struct graph {
  struct pl_fs *fs;
  struct pl_resolver *resolver;
  struct vertex *first, **end;
  struct vertex *slots[4096];
  size_t count, cycles;
  bool no_memory;
};

/* Follows an entry. 0 or a PL_E value. Free with graph_free(). */
int graph_build(struct graph *graph, struct pl_fs *fs,
                struct pl_resolver *resolver, const char *entry);
void graph_free(struct graph *graph);
void graph_print_json(const struct graph *graph, FILE *out);
void graph_print_dot(const struct graph *graph, FILE *out);

#endif

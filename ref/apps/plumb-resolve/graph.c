/* SPDX-License-Identifier: MIT */
/*
 * graph.c: follows requires and imports from an entry, depth first, in the
 * order in which bodies would begin.
 *
 * When an edge leads to a module that is on the way to here, it closes a cycle:
 * a require() then gets what that module has exported up to the require() that
 * is under way in it. All is told of the source as it stands: that calls are
 * made when they are reached, one after the other.
 *
 * Invariant: the way is kept in the vertices (`up`, `turn`), so that a graph of
 * any depth needs no stack.
 */
#include <stdlib.h>
#include <string.h>

#include "graph.h"

static void *grown(struct graph *graph, void *items, size_t count,
                   size_t size) {
  if (count & (count - 1) && count != 0) return items;
  void *more = realloc(items, (count == 0 ? 1 : count * 2) * size);
  if (more == NULL) graph->no_memory = true;
  return more;
}

static char *copy(struct graph *graph, const char *text, size_t length) {
  char *result = strndup(text, length);
  if (result == NULL) graph->no_memory = true;
  return result;
}

static struct vertex *vertex_of(struct graph *graph, const char *path,
                                size_t length) {
  size_t hash = 5381;
  for (size_t i = 0; i < length; i++)
    hash = hash * 33 + (unsigned char)path[i];
  struct vertex **slot = &graph->slots[hash % 4096];
  for (struct vertex *at = *slot; at != NULL; at = at->chain)
    if (strlen(at->path) == length && memcmp(at->path, path, length) == 0)
      return at;
  struct vertex *vertex = calloc(1, sizeof *vertex);
  char *own = copy(graph, path, length);
  if (vertex == NULL || own == NULL) {
    graph->no_memory = true;
    free(vertex);
    free(own);
    return NULL;
  }
  vertex->path = own;
  vertex->index = graph->count++;
  vertex->chain = *slot;
  *slot = vertex;
  *graph->end = vertex;
  graph->end = &vertex->next;
  return vertex;
}

struct collecting {
  struct graph *graph;
  struct vertex *vertex;
};

static void collect(void *arg, const struct pl_scanned *found) {
  struct collecting *collecting = arg;
  struct graph *graph = collecting->graph;
  struct vertex *vertex = collecting->vertex;
  if (graph->no_memory) return;
  bool names = found->kind == PL_SCAN_EXPORT || found->kind == PL_SCAN_REPLACE;
  char *text = found->kind == PL_SCAN_REPLACE
                   ? NULL
                   : copy(graph, found->text, found->length);
  if (graph->no_memory) return;
  if (names) {
    struct name *items =
        grown(graph, vertex->names, vertex->name_count, sizeof *items);
    if (items == NULL) {
      free(text);
      return;
    }
    vertex->names = items;
    items[vertex->name_count++] = (struct name){text, found->at};
    return;
  }
  struct edge *items =
      grown(graph, vertex->edges, vertex->edge_count, sizeof *items);
  if (items == NULL) {
    free(text);
    return;
  }
  vertex->edges = items;
  items[vertex->edge_count++] = (struct edge){.kind = found->kind,
                                              .specifier = text,
                                              .line = found->line,
                                              .at = found->at};
}

static bool has_source(const char *path) {
  const char *name = strrchr(path, '/');
  const char *dot = strrchr(name == NULL ? path : name, '.');
  return dot == NULL ||
         (strcmp(dot, ".json") != 0 && strcmp(dot, ".node") != 0 &&
          strcmp(dot, ".wasm") != 0);
}

static void *plain_resize(void *self, void *block, size_t size) {
  (void)self;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

static void open_vertex(struct graph *graph, struct vertex *vertex) {
  struct pl_resolution self = {.path = vertex->path,
                               .path_length = strlen(vertex->path)};
  struct pl_module_about about;
  if (pl_resolver_about(graph->resolver, &self, &about) == 0)
    vertex->format = pl_module_format_name(about.format);
  vertex->busy = true;
  if (!has_source(vertex->path)) return;
  struct pl_module_memory memory = {.resize = plain_resize};
  char *text;
  size_t length;
  int error = graph->fs->ops->read(graph->fs, vertex->path, &memory, &text,
                                   &length, NULL);
  if (error != 0) {
    vertex->broken = true;
    return;
  }
  struct collecting collecting = {graph, vertex};
  pl_source_scan(text, length, collect, &collecting);
  free(text);
}

static void resolve_edge(struct graph *graph, const struct vertex *vertex,
                         struct edge *edge) {
  const char *slash = strrchr(vertex->path, '/');
  size_t length = slash == vertex->path ? 1 : (size_t)(slash - vertex->path);
  const struct pl_resolution *resolution;
  int error = (edge->kind == PL_SCAN_REQUIRE ? pl_resolver_require
                                             : pl_resolver_import)(
      graph->resolver, vertex->path, length, edge->specifier,
      strlen(edge->specifier), &resolution);
  if (error != 0) {
    graph->no_memory = true;
    return;
  }
  edge->failed = resolution->code != PL_RESOLVED;
  if (edge->failed) {
    const char *code = pl_module_code_name(resolution->code);
    if (code == NULL) code = pl_module_code_class(resolution->code);
    edge->other = copy(graph, code, strlen(code));
  } else if (resolution->kind == PL_MODULE_FILE) {
    edge->to = vertex_of(graph, resolution->path, resolution->path_length);
  } else {
    edge->other = copy(graph, resolution->path, resolution->path_length);
  }
}

/* The way to here, as a list: a vertex's `up` is whose edge is followed. */
struct way {
  struct vertex **steps;
  size_t count;
};

static void follow(struct graph *graph, struct way *way) {
  struct vertex *vertex = way->steps[way->count - 1];
  if (vertex->turn == vertex->edge_count) {
    vertex->busy = false;
    vertex->done = true;
    way->count--;
    return;
  }
  struct edge *edge = &vertex->edges[vertex->turn++];
  resolve_edge(graph, vertex, edge);
  struct vertex *to = edge->to;
  if (to == NULL || to->done || graph->no_memory) return;
  if (to->busy) {
    edge->partial = true;
    edge->until = to->edges[to->turn - 1].at;
    graph->cycles++;
    return;
  }
  struct vertex **steps = grown(graph, way->steps, way->count, sizeof *steps);
  if (steps == NULL) return;
  way->steps = steps;
  way->steps[way->count++] = to;
  open_vertex(graph, to);
}

int graph_build(struct graph *graph, struct pl_fs *fs,
                struct pl_resolver *resolver, const char *entry) {
  *graph = (struct graph){.fs = fs, .resolver = resolver};
  graph->end = &graph->first;
  const struct pl_resolution *resolution;
  int error =
      pl_resolver_require(resolver, "/", 1, entry, strlen(entry), &resolution);
  if (error != 0) return error;
  if (resolution->code != PL_RESOLVED) return PL_ENOENT;
  struct vertex *first =
      vertex_of(graph, resolution->path, resolution->path_length);
  struct way way = {.steps = malloc(sizeof *way.steps), .count = 1};
  if (first == NULL || way.steps == NULL) {
    free(way.steps);
    return PL_ENOMEM;
  }
  way.steps[0] = first;
  open_vertex(graph, first);
  while (way.count > 0 && !graph->no_memory)
    follow(graph, &way);
  free(way.steps);
  return graph->no_memory ? PL_ENOMEM : 0;
}

void graph_free(struct graph *graph) {
  for (struct vertex *at = graph->first, *next; at != NULL; at = next) {
    next = at->next;
    for (size_t i = 0; i < at->edge_count; i++) {
      free(at->edges[i].specifier);
      free(at->edges[i].other);
    }
    for (size_t i = 0; i < at->name_count; i++)
      free(at->names[i].text);
    free(at->edges);
    free(at->names);
    free(at->path);
    free(at);
  }
}

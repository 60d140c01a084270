/* SPDX-License-Identifier: MIT */
/*
 * graph_print.c: a graph as JSON or DOT, cycles marked.
 *
 * Invariant: an edge that closes a cycle is marked as such in both.
 */
#include <string.h>

#include "graph.h"

static const char *kind_name(enum pl_scan_kind kind) {
  return kind == PL_SCAN_REQUIRE  ? "require"
         : kind == PL_SCAN_IMPORT ? "import"
                                  : "import()";
}

static void print_text(FILE *out, const char *text) {
  print_string(out, text, strlen(text));
}

/* The names that a module has exported before a byte of its source. A new
 * module.exports drops what was there. */
static void print_names(FILE *out, const struct vertex *vertex, size_t until) {
  size_t start = 0;
  for (size_t i = 0; i < vertex->name_count; i++)
    if (vertex->names[i].at < until && vertex->names[i].text == NULL)
      start = i + 1;
  const char *comma = "";
  for (size_t i = start; i < vertex->name_count; i++) {
    if (vertex->names[i].at >= until || vertex->names[i].text == NULL) continue;
    fputs(comma, out);
    print_text(out, vertex->names[i].text);
    comma = ",";
  }
}

static void print_edge(FILE *out, const struct edge *edge) {
  fprintf(out,
          "{\"kind\":\"%s\",\"line\":%zu,\"specifier\":", kind_name(edge->kind),
          edge->line);
  print_text(out, edge->specifier);
  if (edge->to != NULL) {
    fprintf(out, ",\"to\":%zu", edge->to->index);
  } else if (edge->other != NULL) {
    fputs(edge->failed ? ",\"error\":" : ",\"path\":", out);
    print_text(out, edge->other);
  }
  if (edge->partial) {
    fputs(",\"cycle\":true", out);
    if (edge->kind == PL_SCAN_REQUIRE) {
      fputs(",\"exportsSoFar\":[", out);
      print_names(out, edge->to, edge->until);
      putc(']', out);
    }
  }
  putc('}', out);
}

void graph_print_json(const struct graph *graph, FILE *out) {
  fprintf(out, "{\"modules\":[");
  for (const struct vertex *at = graph->first; at != NULL; at = at->next) {
    fputs(at == graph->first ? "\n" : ",\n", out);
    fprintf(out, " {\"id\":%zu,\"path\":", at->index);
    print_text(out, at->path);
    if (at->format != NULL) fprintf(out, ",\"format\":\"%s\"", at->format);
    if (at->broken) fputs(",\"unreadable\":true", out);
    fputs(",\"edges\":[", out);
    for (size_t i = 0; i < at->edge_count; i++) {
      fputs(i == 0 ? "\n  " : ",\n  ", out);
      print_edge(out, &at->edges[i]);
    }
    fputs("]}", out);
  }
  fprintf(out, "],\n\"cycles\":%zu}\n", graph->cycles);
}

void graph_print_dot(const struct graph *graph, FILE *out) {
  fputs("digraph modules {\n", out);
  for (const struct vertex *at = graph->first; at != NULL; at = at->next) {
    fprintf(out, "  m%zu [label=", at->index);
    print_text(out, at->path);
    fputs("]\n", out);
    for (size_t i = 0; i < at->edge_count; i++) {
      const struct edge *edge = &at->edges[i];
      if (edge->to == NULL) continue;
      fprintf(out, "  m%zu -> m%zu [style=%s%s]\n", at->index, edge->to->index,
              edge->kind == PL_SCAN_REQUIRE  ? "solid"
              : edge->kind == PL_SCAN_IMPORT ? "bold"
                                             : "dashed",
              edge->partial ? ",color=red,constraint=false" : "");
    }
  }
  fputs("}\n", out);
}

/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 121, STEPS_MOST = 24 };

/* -- small things ---------------------------------------------------------- */

static void set(json_t *object, const char *key, uint64_t number) {
  json_object_set_new(object, key, json_integer((json_int_t)number));
}

static bool print_json(json_t *whole) {
  bool good = whole && json_dumpf(whole, stdout, JSON_INDENT(1)) == 0;
  if (good) putchar('\n');
  json_decref(whole);
  return good;
}

static const char *name_of(const struct graph *graph,
                           const struct classes *classes, uint32_t node,
                           char *into) {
  const struct snapshot *snapshot = graph->snapshot;
  uint8_t type = snapshot->nodes[node].type;
  if (type == NODE_OBJECT || type == NODE_NATIVE)
    return classes->at[classes->of[node]].name;
  char text[NAME_SIZE - 40];
  snapshot_text(snapshot, snapshot->nodes[node].name, text, sizeof text);
  snprintf(into, NAME_SIZE, type == NODE_STRING ? "\"%s\"%s" : "%s%s", text,
           type == NODE_CLOSURE ? "()" : "");
  return *into ? into : classes->at[classes->of[node]].name;
}

/* -- stats ----------------------------------------------------------------- */

bool report_stats(const struct options *options, const struct graph *graph) {
  const struct snapshot *snapshot = graph->snapshot;
  uint64_t counts[NODE_TYPES] = {0}, sizes[NODE_TYPES] = {0}, total = 0;
  for (uint32_t n = 0; n < snapshot->node_count; n++) {
    const struct node *node = &snapshot->nodes[n];
    counts[node->type]++;
    sizes[node->type] += node->size;
    total += node->size;
  }
  uint32_t lost = snapshot->node_count - graph->reached;
  if (options->json) {
    json_t *whole = json_object(), *types = json_object();
    set(whole, "nodes", snapshot->node_count);
    set(whole, "edges", snapshot->edge_count);
    set(whole, "strings", snapshot->string_count);
    set(whole, "size", total);
    set(whole, "unreachable", lost);
    for (int n = 0; n < NODE_TYPES; n++) {
      if (!counts[n]) continue;
      json_t *type = json_object();
      set(type, "count", counts[n]);
      set(type, "size", sizes[n]);
      json_object_set_new(types, node_type_names[n], type);
    }
    json_object_set_new(whole, "types", types);
    return print_json(whole);
  }
  printf("%" PRIu32 " nodes, %" PRIu32 " edges, %" PRIu32 " strings, %" PRIu64
         " bytes; %" PRIu32 " nodes that nothing keeps alive\n\n",
         snapshot->node_count, snapshot->edge_count, snapshot->string_count,
         total, lost);
  printf("%12s %14s  %s\n", "count", "bytes", "type");
  for (int n = 0; n < NODE_TYPES; n++)
    if (counts[n])
      printf("%12" PRIu64 " %14" PRIu64 "  %s\n", counts[n], sizes[n],
             node_type_names[n]);
  return true;
}

/* -- summary --------------------------------------------------------------- */

/* qsort() has no argument for what to sort by. */
struct ranked {
  uint64_t key;
  uint32_t index;
};

static int by_key(const void *a, const void *b) {
  const struct ranked *one = a, *two = b;
  if (one->key != two->key) return one->key < two->key ? 1 : -1;
  return one->index < two->index ? -1 : one->index > two->index;
}

bool report_summary(const struct options *options, const struct graph *graph,
                    const struct classes *classes) {
  (void)graph;
  struct ranked *ranked = malloc((classes->count + 1) * sizeof *ranked);
  if (!ranked) return false;
  for (uint32_t n = 0; n < classes->count; n++) {
    const struct heap_class *class = &classes->at[n];
    ranked[n] =
        (struct ranked){strcmp(options->sort, "size") == 0    ? class->size
                        : strcmp(options->sort, "count") == 0 ? class->count
                                                              : class->retained,
                        n};
  }
  qsort(ranked, classes->count, sizeof *ranked, by_key);
  uint32_t most = options->top < classes->count ? options->top : classes->count;
  json_t *list = options->json ? json_array() : NULL;
  if (!list)
    printf("%12s %14s %14s  %s\n", "count", "shallow", "retained",
           "constructor");
  for (uint32_t n = 0; n < most; n++) {
    const struct heap_class *class = &classes->at[ranked[n].index];
    if (!list) {
      printf("%12" PRIu32 " %14" PRIu64 " %14" PRIu64 "  %s\n", class->count,
             class->size, class->retained, class->name);
      continue;
    }
    json_t *item = json_object();
    json_object_set_new(item, "constructor", json_string(class->name));
    set(item, "count", class->count);
    set(item, "size", class->size);
    set(item, "retained", class->retained);
    json_array_append_new(list, item);
  }
  if (!list && most < classes->count)
    printf("… and %" PRIu32 " more constructors\n", classes->count - most);
  free(ranked);
  return !list || print_json(list);
}

/* -- dominators ------------------------------------------------------------ */

bool report_dominators(const struct options *options, const struct graph *graph,
                       const struct classes *classes) {
  const struct snapshot *snapshot = graph->snapshot;
  struct ranked *ranked = malloc((size_t)snapshot->node_count * sizeof *ranked);
  if (!ranked) return false;
  uint32_t count = 0;
  /* What the engine itself is made of would head every list. */
  for (uint32_t n = 1; n < snapshot->node_count; n++)
    if (snapshot->nodes[n].type != NODE_SYNTHETIC)
      ranked[count++] = (struct ranked){graph->retained[n], n};
  qsort(ranked, count, sizeof *ranked, by_key);
  uint32_t most = options->top < count ? options->top : count;
  json_t *list = options->json ? json_array() : NULL;
  if (!list)
    printf("%12s %14s %12s  %s\n", "shallow", "retained", "id", "node");
  for (uint32_t n = 0; n < most; n++) {
    uint32_t node = ranked[n].index;
    char text[NAME_SIZE];
    const char *name = name_of(graph, classes, node, text);
    if (!list) {
      printf("%12" PRIu64 " %14" PRIu64 " %12" PRIu64 "  %s\n",
             snapshot->nodes[node].size, graph->retained[node],
             snapshot->nodes[node].id, name);
      continue;
    }
    json_t *item = json_object();
    set(item, "id", snapshot->nodes[node].id);
    json_object_set_new(item, "name", json_string(name));
    json_object_set_new(
        item, "type", json_string(node_type_names[snapshot->nodes[node].type]));
    set(item, "size", snapshot->nodes[node].size);
    set(item, "retained", graph->retained[node]);
    json_array_append_new(list, item);
  }
  free(ranked);
  return !list || print_json(list);
}

/* -- paths ----------------------------------------------------------------- */

static void edge_text(const struct snapshot *snapshot, const struct edge *edge,
                      char *into, size_t size) {
  char name[64];
  if (edge->type == EDGE_ELEMENT || edge->type == EDGE_HIDDEN) {
    snprintf(into, size, "[%" PRIu32 "]", edge->name);
    return;
  }
  snapshot_text(snapshot, edge->name, name, sizeof name);
  const char *how = edge->type == EDGE_CONTEXT    ? "variable "
                    : edge->type == EDGE_INTERNAL ? "internal "
                                                  : ".";
  snprintf(into, size, "%s%s", how, name);
}

/* The way from the root to a node, a step a line; into `list` where it is not
 * NULL. */
static bool path(const struct graph *graph, const struct classes *classes,
                 uint32_t node, json_t *list) {
  const struct snapshot *snapshot = graph->snapshot;
  uint32_t edges[STEPS_MOST];
  bool good;
  uint32_t length = graph_path(graph, node, edges, STEPS_MOST, &good);
  if (!good) return false;
  if (!length && !list) puts("  nothing keeps it alive");
  for (uint32_t n = 0; n < length && n < STEPS_MOST; n++) {
    const struct edge *edge = &snapshot->edges[edges[n]];
    char how[96], text[NAME_SIZE];
    edge_text(snapshot, edge, how, sizeof how);
    const char *name = name_of(graph, classes, edge->to, text);
    if (!list) {
      printf("  %s → %s @%" PRIu64 "\n", how, name,
             snapshot->nodes[edge->to].id);
      continue;
    }
    json_t *step = json_object();
    json_object_set_new(step, "edge", json_string(how));
    json_object_set_new(step, "name", json_string(name));
    set(step, "id", snapshot->nodes[edge->to].id);
    json_array_append_new(list, step);
  }
  if (!list && length > STEPS_MOST)
    printf("  … %" PRIu32 " steps more\n", length - STEPS_MOST);
  return true;
}

bool report_path(const struct options *options, const struct graph *graph,
                 const struct classes *classes, int *status) {
  const struct snapshot *snapshot = graph->snapshot;
  uint32_t node = 0;
  while (node < snapshot->node_count && snapshot->nodes[node].id != options->id)
    node++;
  if (node == snapshot->node_count) {
    fprintf(stderr, "plumb-heap: %s: no node has the id %" PRIu64 "\n",
            snapshot->path, options->id);
    *status = 2;
    return true;
  }
  if (options->json) {
    json_t *list = json_array();
    if (path(graph, classes, node, list)) return print_json(list);
    json_decref(list);
    return false;
  }
  char text[NAME_SIZE];
  printf("%s @%" PRIu64 ": %" PRIu64 " bytes, %" PRIu64
         " retained; kept alive by\n",
         name_of(graph, classes, node, text), options->id,
         snapshot->nodes[node].size, graph->retained[node]);
  return path(graph, classes, node, NULL);
}

/* -- diff ------------------------------------------------------------------ */

struct change {
  const char *name;
  uint32_t added, removed;
  uint64_t added_size, removed_size, retained;
  uint64_t kept;    /* what the new members retain, no byte twice in a chain */
  uint32_t largest; /* the new member that retains most, or GRAPH_NONE */
};

static int by_id(const void *a, const void *b) {
  const struct ranked *one = a, *two = b;
  return one->key < two->key ? -1 : one->key > two->key;
}

static struct ranked *ids(const struct snapshot *snapshot) {
  struct ranked *sorted = malloc((size_t)snapshot->node_count * sizeof *sorted);
  if (!sorted) return NULL;
  for (uint32_t n = 0; n < snapshot->node_count; n++)
    sorted[n] = (struct ranked){snapshot->nodes[n].id, n};
  qsort(sorted, snapshot->node_count, sizeof *sorted, by_id);
  return sorted;
}

/* `is_new` has a flag per node of the new snapshot. */
static void note_added(struct change *change, const struct graph *graph,
                       const struct classes *classes, const uint8_t *is_new,
                       uint32_t node) {
  uint32_t above = graph->dominator[node];
  change->added++;
  change->added_size += graph->snapshot->nodes[node].size;
  if (above == GRAPH_NONE || !is_new[above] ||
      classes->of[above] != classes->of[node])
    change->kept += graph->retained[node];
  if (change->largest == GRAPH_NONE ||
      graph->retained[node] > graph->retained[change->largest])
    change->largest = node;
}

/* Changes by the new snapshot's classes, then by those that only the old one
 * has. NULL when memory is short. */
static struct change *compare(const struct graph *old,
                              const struct classes *old_classes,
                              const struct graph *new,
                              const struct classes *new_classes,
                              uint32_t *count) {
  struct ranked *before = ids(old->snapshot), *after = ids(new->snapshot);
  uint32_t *of_old = malloc(((size_t)old_classes->count + 1) * 4);
  struct change *changes = calloc(
      (size_t)old_classes->count + new_classes->count + 1, sizeof *changes);
  uint8_t *is_new = calloc(new->snapshot->node_count, 1);
  if (before && after && of_old && changes && is_new) {
    uint32_t found = new_classes->count;
    for (uint32_t n = 0; n < found; n++)
      changes[n] = (struct change){.name = new_classes->at[n].name,
                                   .retained = new_classes->at[n].retained,
                                   .largest = GRAPH_NONE};
    for (uint32_t n = 0; n < old_classes->count; n++) {
      of_old[n] = classes_find(new_classes, old_classes->at[n].name);
      if (of_old[n] != GRAPH_NONE) continue;
      of_old[n] = found;
      changes[found++] = (struct change){.name = old_classes->at[n].name,
                                         .largest = GRAPH_NONE};
    }
    uint32_t a = 0, b = 0;
    while (a < old->snapshot->node_count || b < new->snapshot->node_count) {
      bool has_old = a < old->snapshot->node_count;
      bool has_new = b < new->snapshot->node_count;
      if (has_old && has_new && before[a].key == after[b].key) {
        a++;
        b++;
      } else if (has_new && (!has_old || after[b].key < before[a].key)) {
        is_new[after[b++].index] = 1;
      } else {
        uint32_t node = before[a++].index;
        struct change *change = &changes[of_old[old_classes->of[node]]];
        change->removed++;
        change->removed_size += old->snapshot->nodes[node].size;
      }
    }
    for (uint32_t n = 0; n < new->snapshot->node_count; n++)
      if (is_new[n])
        note_added(&changes[new_classes->of[n]], new, new_classes, is_new, n);
    *count = found;
  } else {
    free(changes);
    changes = NULL;
  }
  free(is_new);
  free(before);
  free(after);
  free(of_old);
  return changes;
}

static json_t *change_json(const struct change *change, bool is_culprit,
                           const struct graph *graph,
                           const struct classes *classes) {
  json_t *item = json_object();
  json_object_set_new(item, "constructor", json_string(change->name));
  set(item, "added", change->added);
  set(item, "removed", change->removed);
  set(item, "added_size", change->added_size);
  set(item, "removed_size", change->removed_size);
  set(item, "retained", change->retained);
  set(item, "kept", change->kept);
  json_object_set_new(item, "culprit", json_boolean(is_culprit));
  if (change->largest != GRAPH_NONE) {
    json_t *list = json_array();
    if (path(graph, classes, change->largest, list))
      json_object_set(item, "path", list);
    json_decref(list);
  }
  return item;
}

/* By how many bytes it grew, as a number that sorts. */
static uint64_t growth(const struct change *change) {
  int64_t grown = (int64_t)change->added_size - (int64_t)change->removed_size;
  return (uint64_t)(grown + INT64_C(0x4000000000000000));
}

/* Of the constructors (the engine's own kinds stand in parentheses) that have
 * become more, the one whose new members keep most alive. */
static const struct change *culprit(const struct change *changes,
                                    uint32_t count) {
  const struct change *found = NULL;
  for (uint32_t n = 0; n < count; n++)
    if (changes[n].added > changes[n].removed && changes[n].name[0] != '(' &&
        (!found || changes[n].kept > found->kept))
      found = &changes[n];
  return found;
}

static void print_change(const struct change *change) {
  printf("%9" PRIu32 " %9" PRIu32 " %+10" PRId64 " %+14" PRId64 " %14" PRIu64
         "  %s\n",
         change->added, change->removed,
         (int64_t)change->added - (int64_t)change->removed,
         (int64_t)change->added_size - (int64_t)change->removed_size,
         change->retained, change->name);
}

bool report_diff(const struct options *options, const struct graph *old,
                 const struct classes *old_classes, const struct graph *new,
                 const struct classes *new_classes) {
  uint32_t count = 0;
  struct change *changes = compare(old, old_classes, new, new_classes, &count);
  struct ranked *ranked = malloc(((size_t)count + 1) * sizeof *ranked);
  bool good = changes && ranked;
  if (good) {
    uint32_t differ = 0;
    for (uint32_t n = 0; n < count; n++)
      if (changes[n].added || changes[n].removed)
        ranked[differ++] = (struct ranked){growth(&changes[n]), n};
    qsort(ranked, differ, sizeof *ranked, by_key);
    uint32_t most = options->top < differ ? options->top : differ;
    if (options->json) {
      json_t *list = json_array();
      const struct change *first = culprit(changes, count);
      for (uint32_t n = 0; n < most; n++) {
        const struct change *change = &changes[ranked[n].index];
        json_array_append_new(
            list, change_json(change, change == first, new, new_classes));
      }
      good = print_json(list);
    } else {
      printf("%9s %9s %10s %14s %14s  %s\n", "new", "deleted", "delta", "bytes",
             "retained", "constructor");
      for (uint32_t n = 0; n < most; n++)
        print_change(&changes[ranked[n].index]);
      if (most < differ)
        printf("… and %" PRIu32 " more constructors\n", differ - most);
      const struct change *first = culprit(changes, count);
      if (first) {
        printf("\nof %s the one that retains most, @%" PRIu64
               ", is kept alive by\n",
               first->name, new->snapshot->nodes[first->largest].id);
        good = path(new, new_classes, first->largest, NULL);
      }
    }
  }
  free(changes);
  free(ranked);
  return good;
}

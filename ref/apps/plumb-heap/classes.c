/* SPDX-License-Identifier: MIT */
#include "classes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MOST = 120 }; /* bytes of a constructor's name that are shown */

/* A hash table of class numbers by name. */
struct table {
  uint32_t *slots;
  uint32_t size; /* a power of two */
};

static uint32_t hash(const char *name) {
  uint32_t found = 2166136261u;
  for (; *name; name++)
    found = (found ^ (unsigned char)*name) * 16777619u;
  return found;
}

static uint32_t *slot(const struct table *table, const struct classes *classes,
                      const char *name) {
  uint32_t n = hash(name) & (table->size - 1);
  while (table->slots[n] != GRAPH_NONE &&
         strcmp(classes->at[table->slots[n]].name, name) != 0)
    n = (n + 1) & (table->size - 1);
  return &table->slots[n];
}

static bool grow(struct table *table, const struct classes *classes) {
  struct table larger = {.size = table->size ? table->size * 2 : 1024};
  larger.slots = malloc(larger.size * sizeof *larger.slots);
  if (!larger.slots) return false;
  memset(larger.slots, 0xff, larger.size * sizeof *larger.slots);
  for (uint32_t n = 0; n < classes->count; n++)
    *slot(&larger, classes, classes->at[n].name) = n;
  free(table->slots);
  *table = larger;
  return true;
}

static uint32_t add(struct table *table, struct classes *classes,
                    const char *name) {
  if (classes->count * 2 >= table->size && !grow(table, classes))
    return GRAPH_NONE;
  uint32_t *found = slot(table, classes, name);
  if (*found != GRAPH_NONE) return *found;
  if (classes->count % 256 == 0) {
    struct heap_class *at =
        realloc(classes->at, (classes->count + 256) * sizeof *at);
    if (!at) return GRAPH_NONE;
    classes->at = at;
  }
  char *copy = strdup(name);
  if (!copy) return GRAPH_NONE;
  classes->at[classes->count] = (struct heap_class){.name = copy};
  *found = classes->count;
  return classes->count++;
}

/* What Chrome calls a node's class. */
static const char *class_of(const struct snapshot *snapshot,
                            const struct node *node, char *into) {
  switch (node->type) {
  case NODE_HIDDEN:
    return "(system)";
  case NODE_OBJECT:
  case NODE_NATIVE:
    return snapshot_text(snapshot, node->name, into, NAME_MOST);
  case NODE_CODE:
    return "(compiled code)";
  case NODE_CLOSURE:
    return "Function";
  case NODE_REGEXP:
    return "RegExp";
  default:
    snprintf(into, NAME_MOST, "(%s)", node_type_names[node->type]);
    return into;
  }
}

static bool assign(struct classes *classes, const struct graph *graph) {
  const struct snapshot *snapshot = graph->snapshot;
  struct table table = {0};
  char name[NAME_MOST];
  /* Nodes of one type and name are of one class: a string is looked at once. */
  uint32_t *of_name = malloc(((size_t)snapshot->string_count + 1) * 4);
  uint32_t of_type[NODE_TYPES];
  memset(of_type, 0xff, sizeof of_type);
  bool good = of_name;
  if (good) memset(of_name, 0xff, ((size_t)snapshot->string_count + 1) * 4);
  for (uint32_t n = 0; good && n < snapshot->node_count; n++) {
    const struct node *node = &snapshot->nodes[n];
    bool named = node->type == NODE_OBJECT || node->type == NODE_NATIVE;
    uint32_t *known = named ? &of_name[node->name] : &of_type[node->type];
    if (*known == GRAPH_NONE)
      *known = add(&table, classes, class_of(snapshot, node, name));
    good = *known != GRAPH_NONE;
    if (!good) break;
    classes->of[n] = *known;
    classes->at[*known].count++;
    classes->at[*known].size += node->size;
  }
  free(of_name);
  free(table.slots);
  return good;
}

/* Walks the tree of dominators; `inside` counts the members of each class on
 * the way from the root. */
static bool retain(struct classes *classes, const struct graph *graph) {
  uint32_t count = graph->snapshot->node_count;
  uint32_t *child = malloc((size_t)count * 4),
           *sibling = malloc((size_t)count * 4),
           *stack = malloc((size_t)count * 4);
  uint32_t *inside = calloc((size_t)classes->count + 1, 4);
  bool good = child && sibling && stack && inside;
  if (good) {
    memset(child, 0xff, (size_t)count * 4);
    memset(sibling, 0xff, (size_t)count * 4);
    for (uint32_t n = 1; n < count; n++) {
      uint32_t above = graph->dominator[n];
      sibling[n] = child[above];
      child[above] = n;
    }
    uint32_t top = 0;
    stack[top++] = 0;
    bool down = true;
    while (top) {
      uint32_t node = stack[top - 1], class = classes->of[node];
      if (down && inside[class]++ == 0)
        classes->at[class].retained += graph->retained[node];
      if (down && child[node] != GRAPH_NONE) {
        stack[top++] = child[node];
        continue;
      }
      inside[class]--;
      top--;
      down = sibling[node] != GRAPH_NONE;
      if (down) stack[top++] = sibling[node];
    }
  }
  free(child);
  free(sibling);
  free(stack);
  free(inside);
  return good;
}

bool classes_build(struct classes *classes, const struct graph *graph) {
  *classes = (struct classes){0};
  classes->of = malloc((size_t)graph->snapshot->node_count * 4);
  if (classes->of && assign(classes, graph) && retain(classes, graph))
    return true;
  classes_free(classes);
  return false;
}

void classes_free(struct classes *classes) {
  for (uint32_t n = 0; n < classes->count; n++)
    free(classes->at[n].name);
  free(classes->at);
  free(classes->of);
  *classes = (struct classes){0};
}

uint32_t classes_find(const struct classes *classes, const char *name) {
  for (uint32_t n = 0; n < classes->count; n++)
    if (strcmp(classes->at[n].name, name) == 0) return n;
  return GRAPH_NONE;
}

/* SPDX-License-Identifier: MIT */
/*
 * heap_snapshots.c: reads the .heapsnapshot that a provider writes, by what its
 * own `meta` says, and tells what a program asks of it.
 *
 * Invariant: nothing is believed: a field that is not there, or is of another
 * type, makes the rule that needs it false and every count 0.
 */
#include "heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- taking one ------------------------------------------------------------ */

struct sink {
  char *bytes;
  size_t length, room;
};

static int add(void *self, const void *bytes, size_t length) {
  struct sink *sink = self;
  if (sink->length + length > sink->room) {
    size_t room = 2 * (sink->length + length);
    char *more = realloc(sink->bytes, room);
    if (!more) return -ENOMEM;
    sink->bytes = more;
    sink->room = room;
  }
  memcpy(sink->bytes + sink->length, bytes, length);
  sink->length += length;
  return 0;
}

static void op_snapshot(struct heap_run *run, json_t *args) {
  struct sink sink = {0};
  int err = run->table->snapshot(run->heap, add, &sink);
  json_t *document =
      err == 0 ? json_loadb(sink.bytes, sink.length, 0, NULL) : NULL;
  struct thing *thing = heap_thing(run, args, THING_SNAPSHOT, NULL);
  if (!document || !thing) {
    heap_fail(run, "heap.snapshot: %s",
              err != 0 ? strerror(-err) : "the text is not JSON");
    free(sink.bytes);
    json_decref(document);
    return;
  }
  thing->snapshot = document;
  thing->text = sink.bytes;
  thing->length = sink.length;
}

/* -- reading one ----------------------------------------------------------- */

enum field { TYPE, NAME, ID, SELF, EDGES, FIELDS };

struct view {
  json_t *document, *meta, *nodes, *edges, *strings;
  size_t at[FIELDS];
  size_t width, step, count;
};

static size_t index_of(json_t *list, const char *name) {
  size_t i;
  json_t *entry;
  json_array_foreach(list, i, entry) {
    const char *text = json_string_value(entry);
    if (text && strcmp(text, name) == 0) return i;
  }
  return SIZE_MAX;
}

static const char *const node_fields[FIELDS] = {[TYPE] = "type",
                                                [NAME] = "name",
                                                [ID] = "id",
                                                [SELF] = "self_size",
                                                [EDGES] = "edge_count"};

static bool view_of(json_t *document, struct view *view) {
  json_t *meta = json_object_get(json_object_get(document, "snapshot"), "meta");
  json_t *fields = json_object_get(meta, "node_fields");
  *view = (struct view){
      .document = document,
      .meta = meta,
      .nodes = json_object_get(document, "nodes"),
      .edges = json_object_get(document, "edges"),
      .strings = json_object_get(document, "strings"),
      .width = json_array_size(fields),
      .step = json_array_size(json_object_get(meta, "edge_fields"))};
  if (view->width == 0 || view->step < 3) return false;
  view->count = json_array_size(view->nodes) / view->width;
  for (size_t i = 0; i < FIELDS; i++) {
    view->at[i] = index_of(fields, node_fields[i]);
    if (view->at[i] == SIZE_MAX) return false;
  }
  return true;
}

static json_int_t field_of(const struct view *view, size_t node,
                           enum field field) {
  return json_integer_value(
      json_array_get(view->nodes, node * view->width + view->at[field]));
}

static const char *name_of(const struct view *view, size_t node) {
  json_int_t at = field_of(view, node, NAME);
  return at < 0 ? NULL
                : json_string_value(json_array_get(view->strings, (size_t)at));
}

static const char *type_name(const struct view *view, const char *types,
                             json_int_t type) {
  json_t *names = json_array_get(json_object_get(view->meta, types), 0);
  return type < 0 ? NULL
                  : json_string_value(json_array_get(names, (size_t)type));
}

static bool is_named(const struct view *view, size_t node, const char *name) {
  const char *type = type_name(view, "node_types", field_of(view, node, TYPE));
  const char *own = name_of(view, node);
  return own && strcmp(own, name) == 0 && type && strcmp(type, "object") == 0;
}

/* -- rules ----------------------------------------------------------------- */

static bool has_all(json_t *list, const char *const *names) {
  for (; *names; names++)
    if (index_of(list, *names) == SIZE_MAX) return false;
  return true;
}

static json_int_t said(const struct view *view, const char *key) {
  return json_integer_value(
      json_object_get(json_object_get(view->document, "snapshot"), key));
}

static bool holds_nodes(const struct view *view, const char *rule) {
  bool ids = strcmp(rule, "ids-unique") == 0;
  json_t *seen = ids ? json_object() : NULL;
  bool right = true;
  for (size_t node = 0; node < view->count && right; node++) {
    if (!ids) {
      right = name_of(view, node) != NULL;
      continue;
    }
    char key[24];
    snprintf(key, sizeof key, "%lld", (long long)field_of(view, node, ID));
    right = !json_object_get(seen, key);
    json_object_set_new(seen, key, json_true());
  }
  json_decref(seen);
  return right;
}

static bool holds_edges(const struct view *view, const char *rule) {
  bool names = strcmp(rule, "edge-names") == 0;
  size_t count = json_array_size(view->edges);
  for (size_t at = 0; at + view->step <= count; at += view->step) {
    json_int_t type = json_integer_value(json_array_get(view->edges, at));
    json_int_t name = json_integer_value(json_array_get(view->edges, at + 1));
    json_int_t to = json_integer_value(json_array_get(view->edges, at + 2));
    if (!names) {
      if (to < 0 || (size_t)to % view->width != 0 ||
          (size_t)to >= json_array_size(view->nodes))
        return false;
      continue;
    }
    const char *kind = type_name(view, "edge_types", type);
    if (!kind) return false;
    bool numbered = strcmp(kind, "element") == 0 || strcmp(kind, "hidden") == 0;
    if (!numbered && (name < 0 || !json_array_get(view->strings, (size_t)name)))
      return false;
  }
  return true;
}

static bool holds(const struct view *view, const char *rule) {
  static const char *const keys[] = {"nodes", "edges", "strings", NULL};
  static const char *const types[] = {"hidden", "array",     "string",
                                      "object", "code",      "closure",
                                      "native", "synthetic", NULL};
  static const char *const edges[] = {"context",  "element", "property",
                                      "internal", "hidden",  "shortcut",
                                      "weak",     NULL};
  json_int_t nodes = said(view, "node_count"), lines = said(view, "edge_count");
  json_int_t sum = 0;
  if (strcmp(rule, "keys") == 0) {
    for (const char *const *key = keys; *key; key++)
      if (!json_is_array(json_object_get(view->document, *key))) return false;
    return true;
  }
  if (strcmp(rule, "meta-fields") == 0) {
    static const char *const fields[] = {"type", "name_or_index", "to_node",
                                         NULL};
    return has_all(json_object_get(view->meta, "edge_fields"), fields);
  }
  if (strcmp(rule, "node-types") == 0)
    return has_all(json_array_get(json_object_get(view->meta, "node_types"), 0),
                   types);
  if (strcmp(rule, "edge-types") == 0)
    return has_all(json_array_get(json_object_get(view->meta, "edge_types"), 0),
                   edges);
  if (strcmp(rule, "counts") == 0) return nodes > 0 && lines > 0;
  if (strcmp(rule, "node-fields-length") == 0)
    return json_array_size(view->nodes) == (size_t)nodes * view->width;
  if (strcmp(rule, "edge-fields-length") == 0)
    return json_array_size(view->edges) == (size_t)lines * view->step;
  if (strcmp(rule, "edge-counts") == 0) {
    for (size_t node = 0; node < view->count; node++)
      sum += field_of(view, node, EDGES);
    return sum == lines;
  }
  if (strcmp(rule, "root-first") == 0) {
    const char *type = type_name(view, "node_types", field_of(view, 0, TYPE));
    return type && strcmp(type, "synthetic") == 0;
  }
  if (strcmp(rule, "root-id") == 0) return field_of(view, 0, ID) == 1;
  if (strncmp(rule, "edge", 4) == 0) return holds_edges(view, rule);
  return holds_nodes(view, rule);
}

/* -- operations ------------------------------------------------------------ */

static bool viewed(struct heap_run *run, json_t *args, const char *key,
                   struct view *view) {
  struct thing *thing = heap_named(run, args, key);
  return thing && thing->snapshot && view_of(thing->snapshot, view);
}

static void op_check(struct heap_run *run, json_t *args) {
  struct view view;
  bool right = viewed(run, args, "of", &view) &&
               holds(&view, heap_text(args, "rule", ""));
  heap_tell_bool(run, args, right);
}

static long long sum(struct heap_run *run, json_t *args, bool sizes) {
  struct view view;
  long long total = 0;
  if (!viewed(run, args, "of", &view)) return 0;
  for (size_t node = 0; node < view.count; node++)
    if (is_named(&view, node, heap_text(args, "name", "")))
      total += sizes ? (long long)field_of(&view, node, SELF) : 1;
  return total;
}

static void op_count(struct heap_run *run, json_t *args) {
  heap_tell_size(run, args, sum(run, args, false));
}

static void op_size(struct heap_run *run, json_t *args) {
  if (strcmp(heap_text(args, "which", ""), "shallow") == 0) {
    heap_tell_size(run, args, sum(run, args, true));
    return;
  }
  struct thing *thing = heap_named(run, args, "of");
  uint64_t bytes = 0;
  if (!thing) return;
  int err = run->table->retained
                ? run->table->retained(thing->text, thing->length,
                                       heap_text(args, "name", ""), &bytes)
                : -ENOTSUP;
  if (err != 0) heap_fail(run, "heap.snapshot.size: %s", strerror(-err));
  heap_tell_size(run, args, (long long)bytes);
}

static void op_edges(struct heap_run *run, json_t *args) {
  struct view view;
  long long count = 0;
  size_t at = 0;
  if (!viewed(run, args, "of", &view)) return;
  for (size_t node = 0; node < view.count; node++) {
    size_t end = at + (size_t)field_of(&view, node, EDGES) * view.step;
    bool source = is_named(&view, node, heap_text(args, "from", ""));
    for (; at < end && source; at += view.step) {
      json_int_t to = json_integer_value(json_array_get(view.edges, at + 2));
      if (to >= 0 &&
          is_named(&view, (size_t)to / view.width, heap_text(args, "to", "")))
        count++;
    }
    at = end;
  }
  heap_tell_size(run, args, count);
}

/* The ids of the nodes of a name, as keys. */
static json_t *ids_of(const struct view *view, const char *name) {
  json_t *ids = json_object();
  for (size_t node = 0; node < view->count; node++) {
    if (!is_named(view, node, name)) continue;
    char key[24];
    snprintf(key, sizeof key, "%lld", (long long)field_of(view, node, ID));
    json_object_set_new(ids, key, json_true());
  }
  return ids;
}

static void op_diff(struct heap_run *run, json_t *args) {
  struct view before, after;
  if (!viewed(run, args, "from", &before) || !viewed(run, args, "to", &after))
    return;
  const char *name = heap_text(args, "name", "");
  const char *which = heap_text(args, "which", "");
  json_t *old = ids_of(&before, name), *new = ids_of(&after, name);
  long long kept = 0;
  const char *key;
  json_t *value;
  json_object_foreach(new, key, value) if (json_object_get(old, key)) kept++;
  long long news = (long long)json_object_size(new) - kept;
  long long gone = (long long)json_object_size(old) - kept;
  heap_tell_size(run, args,
                 strcmp(which, "new") == 0       ? news
                 : strcmp(which, "deleted") == 0 ? gone
                 : strcmp(which, "kept") == 0    ? kept
                                                 : news - gone);
  json_decref(old);
  json_decref(new);
}

const struct heap_operation heap_snapshot_operations[] = {
    {"heap.snapshot", HEAP_SNAPSHOT, "id:x", op_snapshot},
    {"heap.snapshot.check", HEAP_SNAPSHOT, "of:r rule:s log:s", op_check},
    {"heap.snapshot.count", HEAP_SNAPSHOT, "of:r name:s log:s", op_count},
    {"heap.snapshot.edges", HEAP_SNAPSHOT, "of:r from:s to:s log:s", op_edges},
    {"heap.snapshot.size", HEAP_SNAPSHOT,
     "of:r name:s which:shallow|retained log:s", op_size},
    {"heap.snapshot.diff", HEAP_SNAPSHOT,
     "from:r to:r name:s which:new|deleted|kept|delta log:s", op_diff},
    {0}};

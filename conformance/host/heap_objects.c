/* SPDX-License-Identifier: MIT */
/*
 * heap_objects.c: objects, links, graphs; collections, and what one can see of
 * them from outside.
 *
 * Invariant: nothing here keeps a root longer than its operation, but for the
 * thing of an id; so an object is alive because the program says so.
 */
#include "heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum pl_born born_of(const char *space) {
  if (strcmp(space, "old") == 0) return PL_BORN_OLD;
  if (strcmp(space, "code") == 0) return PL_BORN_CODE;
  if (strcmp(space, "map") == 0) return PL_BORN_MAP;
  if (strcmp(space, "cell") == 0) return PL_BORN_CELL;
  return PL_BORN_YOUNG;
}

static const char *outcome(int err) {
  return err == 0 ? "ok" : err == -ENOMEM ? "out-of-memory" : strerror(-err);
}

static void op_alloc(struct heap_run *run, json_t *args) {
  enum pl_born born = born_of(heap_text(args, "space", "young"));
  struct pl_shape shape = {
      .name = heap_text(args, "name", "Plumb"),
      .slots = heap_size(args, "slots", born == PL_BORN_CODE ? 0 : 4),
      .bytes = heap_size(args, "bytes", 0),
      .born = born};
  void *root;
  int err = run->table->alloc(run->heap, &shape, &root);
  size_t outside = heap_size(args, "external", 0);
  if (err == 0 && outside > 0)
    err = run->table->outside(run->heap, root, outside);
  if (err == 0) {
    if (json_object_get(args, "id"))
      heap_thing(run, args, THING_OBJECT, root);
    else
      run->table->drop(run->heap, root);
  } else if (!json_object_get(args, "log")) {
    heap_fail(run, "heap.alloc: %s", outcome(err));
  }
  heap_tell_text(run, args, outcome(err));
}

static void op_link(struct heap_run *run, json_t *args) {
  void *from = heap_root(run, args, "from");
  void *to = heap_root(run, args, "to");
  if (!run->failed)
    run->table->link(run->heap, from, heap_size(args, "slot", 0), to);
}

static void op_get(struct heap_run *run, json_t *args) {
  void *of = heap_root(run, args, "of");
  if (!of) return;
  size_t slot = heap_size(args, "slot", 0);
  void *root;
  int err = run->table->get(run->heap, of, slot, &root);
  if (err != 0)
    heap_fail(run, "heap.get: %s", strerror(-err));
  else if (!root)
    heap_fail(run, "heap.get: slot %zu is empty", slot);
  else
    heap_thing(run, args, THING_OBJECT, root);
}

static void op_drop(struct heap_run *run, json_t *id) {
  json_t *args = json_pack("{sO}", "of", id);
  struct thing *thing = heap_named(run, args, "of");
  if (thing) heap_drop(run, thing);
  json_decref(args);
}

static void op_same(struct heap_run *run, json_t *args) {
  void *of = heap_root(run, args, "of");
  void *as = heap_root(run, args, "as");
  if (!run->failed)
    heap_tell_bool(run, args, run->table->same(run->heap, of, as) != 0);
}

static void *make(struct heap_run *run, size_t slots, size_t bytes,
                  uint64_t number) {
  struct pl_shape shape = {.name = "Plumb", .slots = slots, .bytes = bytes};
  void *root = NULL;
  if (run->failed) return NULL;
  if (run->table->alloc(run->heap, &shape, &root) != 0) {
    heap_fail(run, "out of memory");
    return NULL;
  }
  run->table->set_number(run->heap, root, number);
  return root;
}

static void drop(struct heap_run *run, void *root) {
  if (root) run->table->drop(run->heap, root);
}

static void op_garbage(struct heap_run *run, json_t *args) {
  size_t slots = heap_size(args, "slots", 4);
  size_t bytes = heap_size(args, "bytes", 0);
  for (size_t i = heap_size(args, "count", 1); i-- > 0 && !run->failed;)
    drop(run, make(run, slots, bytes, i));
}

/* -- graphs ----------------------------------------------------------------
 * Slot 0 is the next object or the left child, slot 1 the previous one or the
 * right child; an array has a slot for each. */

static void *graph_line(struct heap_run *run, size_t count, bool back,
                        bool ring) {
  void *first = make(run, 2, 0, 0);
  void *last = first;
  for (size_t n = 1; n < count && !run->failed; n++) {
    void *next = make(run, 2, 0, n);
    if (!next) break;
    run->table->link(run->heap, last, 0, next);
    if (back) run->table->link(run->heap, next, 1, last);
    if (last != first) drop(run, last);
    last = next;
  }
  if (ring && !run->failed) run->table->link(run->heap, last, 0, first);
  if (last != first) drop(run, last);
  return first;
}

static void *graph_array(struct heap_run *run, size_t count) {
  void *all = make(run, count, 0, 0);
  for (size_t n = 0; n < count && !run->failed; n++) {
    void *object = make(run, 0, 0, n);
    if (!object) break;
    run->table->link(run->heap, all, n, object);
    drop(run, object);
  }
  return all;
}

static void *graph_tree(struct heap_run *run, size_t count) {
  void **all = calloc(count, sizeof *all);
  if (!all) {
    heap_fail(run, "out of memory");
    return NULL;
  }
  for (size_t n = 0; n < count && !run->failed; n++) {
    all[n] = make(run, 2, 0, n);
    if (n > 0 && all[n])
      run->table->link(run->heap, all[(n - 1) / 2], n % 2 ? 0 : 1, all[n]);
  }
  for (size_t n = 1; n < count; n++)
    drop(run, all[n]);
  void *root = all[0];
  free(all);
  return root;
}

static void op_graph(struct heap_run *run, json_t *args) {
  const char *shape = heap_text(args, "shape", "");
  size_t count = heap_size(args, "count", 1);
  void *root = strcmp(shape, "tree") == 0 ? graph_tree(run, count)
               : strcmp(shape, "array") == 0
                   ? graph_array(run, count)
                   : graph_line(run, count, strcmp(shape, "chain") == 0,
                                strcmp(shape, "ring") == 0);
  if (!root) return;
  struct thing *thing = heap_thing(run, args, THING_GRAPH, root);
  if (!thing) return;
  thing->shape = shape;
  thing->count = count;
}

static void op_scatter(struct heap_run *run, json_t *args) {
  struct thing *all = heap_named(run, args, "in");
  if (!all || !heap_root(run, args, "in")) return;
  uint32_t x = 1;
  for (size_t i = heap_size(args, "writes", 1); i-- > 0 && !run->failed;) {
    x = (x * UINT32_C(1103515245) + 12345) & 0x7fffffff;
    size_t n = x % all->count;
    void *object = make(run, 0, 0, n);
    if (!object) break;
    run->table->link(run->heap, all->root, n, object);
    drop(run, object);
  }
}

/* What a slot holds, as a root; NULL for nothing. */
static void *held(struct heap_run *run, void *of, size_t slot) {
  void *root = NULL;
  int err = run->table->get(run->heap, of, slot, &root);
  if (err != 0) heap_fail(run, "heap.walk: %s", strerror(-err));
  return root;
}

static bool is_number(struct heap_run *run, const void *object, uint64_t n) {
  return run->table->number(run->heap, object) == n;
}

static long long walk_line(struct heap_run *run, const struct thing *graph) {
  bool back = strcmp(graph->shape, "chain") == 0;
  bool ring = strcmp(graph->shape, "ring") == 0;
  long long right = 0;
  void *at = graph->root;
  while (at && (size_t)right < graph->count &&
         is_number(run, at, (uint64_t)right)) {
    void *next = held(run, at, 0);
    if (back && next) {
      void *previous = held(run, next, 1);
      bool same = previous && run->table->same(run->heap, previous, at);
      drop(run, previous);
      if (!same) right = -(long long)graph->count;
    }
    if (at != graph->root) drop(run, at);
    at = next;
    right++;
  }
  if (ring && at && !run->table->same(run->heap, at, graph->root)) right = -1;
  if (at != graph->root) drop(run, at);
  return right;
}

static long long walk_array(struct heap_run *run, const struct thing *graph) {
  long long right = 0;
  for (size_t n = 0; n < graph->count && !run->failed; n++) {
    void *object = held(run, graph->root, n);
    if (object && is_number(run, object, n)) right++;
    drop(run, object);
  }
  return right;
}

/* Children of n are 2n + 1 and 2n + 2: numbers tell the way, a path at a
 * time, without a stack of roots. */
static long long walk_tree(struct heap_run *run, const struct thing *graph) {
  long long right = 0;
  for (size_t n = 0; n < graph->count && !run->failed; n++) {
    size_t path[64], depth = 0;
    for (size_t at = n; at > 0; at = (at - 1) / 2)
      path[depth++] = at;
    void *object = graph->root;
    while (depth > 0 && object) {
      void *child = held(run, object, path[--depth] % 2 ? 0 : 1);
      if (object != graph->root) drop(run, object);
      object = child;
    }
    if (object && is_number(run, object, n)) right++;
    if (object != graph->root) drop(run, object);
  }
  return right;
}

static void op_walk(struct heap_run *run, json_t *args) {
  struct thing *graph = heap_named(run, args, "of");
  if (!graph || !heap_root(run, args, "of")) return;
  long long right = strcmp(graph->shape, "array") == 0  ? walk_array(run, graph)
                    : strcmp(graph->shape, "tree") == 0 ? walk_tree(run, graph)
                                                        : walk_line(run, graph);
  heap_tell_size(run, args, right);
}

/* -- frames ---------------------------------------------------------------- */

static void op_frame(struct heap_run *run, json_t *args) {
  void *of = heap_root(run, args, "holds");
  if (!of) return;
  void *frame;
  int err = run->table->enter(run->heap, of, &frame);
  if (err != 0) {
    heap_fail(run, "heap.frame: %s", strerror(-err));
    return;
  }
  heap_body(run, json_object_get(args, "then"), run->call);
  run->table->leave(run->heap, frame);
}

/* -- collections ----------------------------------------------------------- */

/* A piece of garbage that the collection has to find; NULL: no memory. */
static void *canary(struct heap_run *run) {
  void *root = make(run, 1, 0, 0);
  void *watch = NULL;
  if (root && run->table->watch(run->heap, root, &watch) != 0) watch = NULL;
  drop(run, root);
  return watch;
}

static void op_collect(struct heap_run *run, json_t *args) {
  const char *name = heap_text(args, "kind", "major");
  enum pl_collect kind = strcmp(name, "minor") == 0   ? PL_COLLECT_MINOR
                         : strcmp(name, "major") == 0 ? PL_COLLECT_MAJOR
                                                      : PL_COLLECT_COMPACT;
  void *watch = canary(run);
  if (!watch) return;
  run->table->collect(run->heap, kind);
  if (!run->table->alive(run->heap, watch))
    run->evidence[kind != PL_COLLECT_MINOR]++;
  run->table->unwatch(run->heap, watch);
}

static void op_step(struct heap_run *run, json_t *args) {
  int done = 0;
  int err = run->table->step(run->heap, heap_size(args, "work", 1), &done);
  if (err != 0) heap_fail(run, "heap.step: %s", strerror(-err));
  heap_tell_bool(run, args, done != 0);
}

static void op_settle(struct heap_run *run, json_t *args) {
  (void)args;
  if (run->settling) return; /* by a callback that settle() runs */
  run->settling = true;
  if (run->table->settle) run->table->settle(run->heap);
  heap_told_deliver(run);
  run->settling = false;
}

static void op_verify(struct heap_run *run, json_t *args) {
  const char *sentence = "";
  bool broken = run->table->verify(run->heap, &sentence) != 0;
  heap_tell_text(run, args, broken ? sentence : "ok");
}

/* -- looking --------------------------------------------------------------- */

static void op_alive(struct heap_run *run, json_t *args) {
  struct thing *thing = heap_named(run, args, "of");
  if (!thing) return;
  if (!thing->watch)
    heap_fail(run, "`%s` is no object", heap_text(args, "of", ""));
  else
    heap_tell_bool(run, args, run->table->alive(run->heap, thing->watch) != 0);
}

static bool look(struct heap_run *run, json_t *args, struct pl_where *where) {
  void *root = heap_root(run, args, "of");
  if (root) run->table->where(run->heap, root, where);
  return root != NULL;
}

static void op_generation(struct heap_run *run, json_t *args) {
  struct pl_where where;
  if (look(run, args, &where))
    heap_tell_text(run, args, where.old ? "old" : "young");
}

static void op_space(struct heap_run *run, json_t *args) {
  struct pl_where where;
  if (look(run, args, &where)) heap_tell_text(run, args, where.space);
}

static void op_large(struct heap_run *run, json_t *args) {
  struct pl_where where;
  if (look(run, args, &where)) heap_tell_bool(run, args, where.large != 0);
}

static void op_moved(struct heap_run *run, json_t *args) {
  struct pl_where where;
  if (!look(run, args, &where)) return;
  struct thing *thing = heap_named(run, args, "of");
  heap_tell_bool(run, args, where.address != thing->address);
  thing->address = where.address;
}

const struct heap_operation heap_object_operations[] = {
    {"log", -1, "e", NULL},
    {"heap.alloc", HEAP_OBJECT,
     "id:x? slots:n? bytes:n? space:young|old|code|map|cell? "
     "kind:object|object? name:s? external:n? log:s?",
     op_alloc},
    {"heap.link", HEAP_OBJECT, "from:r slot:n to:r?", op_link},
    {"heap.get", HEAP_OBJECT, "id:x of:r slot:n", op_get},
    {"heap.drop", -1, "", op_drop},
    {"heap.same", HEAP_OBJECT, "of:r as:r log:s", op_same},
    {"heap.garbage", HEAP_OBJECT, "count:n slots:n? bytes:n?", op_garbage},
    {"heap.graph", HEAP_OBJECT, "id:x shape:list|ring|tree|array|chain count:n",
     op_graph},
    {"heap.scatter", HEAP_OBJECT, "in:r writes:n", op_scatter},
    {"heap.walk", HEAP_OBJECT, "of:r log:s", op_walk},
    {"heap.frame", HEAP_FRAME, "holds:r then:t", op_frame},
    {"heap.collect", HEAP_OBJECT, "kind:minor|major|compact now:b?",
     op_collect},
    {"heap.step", HEAP_STEP, "work:n log:s?", op_step},
    {"heap.settle", -1, "none:x?", op_settle},
    {"heap.verify", HEAP_VERIFY, "log:s", op_verify},
    {"heap.alive", HEAP_OBJECT, "of:r log:s", op_alive},
    {"heap.generation", HEAP_GENERATION, "of:r log:s", op_generation},
    {"heap.space", HEAP_SPACE, "of:r log:s", op_space},
    {"heap.large", HEAP_LARGE, "of:r log:s", op_large},
    {"heap.moved", HEAP_IDENTITY, "of:r log:s", op_moved},
    {0}};

/* SPDX-License-Identifier: MIT */
/*
 * heap_weak.c: weak references, tables with weak keys, registries.
 *
 * Invariant: a registration belongs to its registry from the call that makes
 * it to its callback or its end, and is in no list after either.
 */
#include "heap.h"

#include <stdlib.h>
#include <string.h>

static void op_weak(struct heap_run *run, json_t *args) {
  void *of = heap_root(run, args, "of");
  if (!of) return;
  void *weak;
  int err = run->table->weak(run->heap, of, &weak);
  if (err != 0) {
    heap_fail(run, "heap.weak: %s", strerror(-err));
    return;
  }
  struct thing *thing = heap_thing(run, args, THING_WEAK, NULL);
  if (thing)
    thing->weak = weak;
  else
    run->table->weak_end(run->heap, weak);
}

static void op_deref(struct heap_run *run, json_t *args) {
  struct thing *thing = heap_named(run, args, "of");
  if (thing)
    heap_tell_bool(run, args,
                   thing->weak && run->table->deref(run->heap, thing->weak));
}

static void op_target(struct heap_run *run, json_t *args) {
  struct thing *thing = heap_named(run, args, "of");
  void *root = NULL;
  if (!thing || !thing->weak) return;
  int err = run->table->target(run->heap, thing->weak, &root);
  if (err != 0)
    heap_fail(run, "heap.target: %s", strerror(-err));
  else if (!root)
    heap_fail(run, "heap.target: the object is gone");
  else
    heap_thing(run, args, THING_OBJECT, root);
}

/* -- tables ---------------------------------------------------------------- */

static void op_table(struct heap_run *run, json_t *args) {
  if (strncmp(heap_text(args, "kind", ""), "weak", 4) != 0) {
    heap_fail(run, "heap.table: only tables with weak keys");
    return;
  }
  void *root;
  int err = run->table->table(run->heap, &root);
  if (err != 0)
    heap_fail(run, "heap.table: %s", strerror(-err));
  else
    heap_thing(run, args, THING_TABLE, root);
}

static void op_table_set(struct heap_run *run, json_t *args) {
  void *table = heap_root(run, args, "in");
  void *key = heap_root(run, args, "key");
  void *value = heap_root(run, args, "value");
  if (run->failed) return;
  int err = run->table->table_set(run->heap, table, key, value);
  if (err != 0) heap_fail(run, "heap.table.set: %s", strerror(-err));
}

static void op_table_has(struct heap_run *run, json_t *args) {
  void *table = heap_root(run, args, "in");
  void *key = heap_root(run, args, "key");
  if (!run->failed)
    heap_tell_bool(run, args,
                   run->table->table_has(run->heap, table, key) != 0);
}

static void op_table_delete(struct heap_run *run, json_t *args) {
  void *table = heap_root(run, args, "in");
  void *key = heap_root(run, args, "key");
  if (!run->failed) run->table->table_delete(run->heap, table, key);
}

static void op_table_size(struct heap_run *run, json_t *args) {
  void *table = heap_root(run, args, "of");
  if (table)
    heap_tell_size(run, args,
                   (long long)run->table->table_count(run->heap, table));
}

/* -- registries ------------------------------------------------------------ */

struct registration {
  struct registration *next;
  struct thing *registry;
  json_t *args;  /* of heap.register: borrowed from the program */
  void *watched; /* a struct pl_heap_table's */
  void *kept;    /* a root, or NULL */
};

static void registration_end(struct heap_run *run, struct registration *entry) {
  struct registration **link = &entry->registry->registrations;
  while (*link != entry)
    link = &(*link)->next;
  *link = entry->next;
  run->table->forget(run->heap, entry->watched);
  if (entry->kept) run->table->drop(run->heap, entry->kept);
  free(entry);
}

void heap_registry_end(struct heap_run *run, struct thing *thing) {
  while (thing->registrations)
    registration_end(run, thing->registrations);
}

static void on_gone(void *arg) {
  struct registration *entry = arg;
  struct thing *registry = entry->registry;
  struct heap_run *run = registry->run;
  json_t *result = json_object_get(entry->args, "held");
  json_t *callback = registry->callback;
  size_t count = ++registry->calls;
  /* Its end comes after the callback: until then it holds what it keeps. */
  if (!run->failed) heap_call_back(run, callback, count, result);
  for (struct registration *at = registry->registrations; at; at = at->next)
    if (at == entry) {
      registration_end(run, entry);
      return;
    }
}

static void op_registry(struct heap_run *run, json_t *args) {
  struct thing *thing = heap_thing(run, args, THING_REGISTRY, NULL);
  if (thing) thing->callback = args;
}

/* Another root of the same object. */
static void *another(struct heap_run *run, void *root) {
  struct pl_shape shape = {.name = "Plumb", .slots = 1};
  void *cell, *copy = NULL;
  if (run->table->alloc(run->heap, &shape, &cell) != 0) return NULL;
  run->table->link(run->heap, cell, 0, root);
  if (run->table->get(run->heap, cell, 0, &copy) != 0) copy = NULL;
  run->table->drop(run->heap, cell);
  return copy;
}

static void op_register(struct heap_run *run, json_t *args) {
  struct thing *registry = heap_named(run, args, "in");
  void *of = heap_root(run, args, "of");
  void *keeps = heap_root(run, args, "keeps");
  if (run->failed) return;
  struct registration *entry = calloc(1, sizeof *entry);
  int err = entry ? 0 : -1;
  if (entry) {
    *entry = (struct registration){.registry = registry, .args = args};
    if (keeps && !(entry->kept = another(run, keeps))) err = -1;
    if (err == 0)
      err =
          run->table->on_death(run->heap, of, on_gone, entry, &entry->watched);
  }
  if (err != 0) {
    if (entry && entry->kept) run->table->drop(run->heap, entry->kept);
    free(entry);
    heap_fail(run, "heap.register: no memory");
    return;
  }
  entry->next = registry->registrations;
  registry->registrations = entry;
}

static void op_unregister(struct heap_run *run, json_t *args) {
  struct thing *registry = heap_named(run, args, "in");
  const char *token = heap_text(args, "token", "");
  if (!registry || !heap_root(run, args, "token")) return;
  bool any = false;
  for (struct registration *at = registry->registrations, *next; at;
       at = next) {
    next = at->next;
    if (strcmp(heap_text(at->args, "token", ""), token) != 0) continue;
    any = true;
    registration_end(run, at);
  }
  heap_tell_bool(run, args, any);
}

const struct heap_operation heap_weak_operations[] = {
    {"heap.weak", HEAP_WEAK, "id:x of:r", op_weak},
    {"heap.deref", HEAP_WEAK, "of:r log:s", op_deref},
    {"heap.target", HEAP_TARGET, "id:x of:r", op_target},
    {"heap.table", HEAP_TABLE, "id:x kind:weak-map|weak-set|map|set", op_table},
    {"heap.table.set", HEAP_TABLE, "in:r key:r value:r?", op_table_set},
    {"heap.table.has", HEAP_TABLE, "in:r key:r log:s", op_table_has},
    {"heap.table.delete", HEAP_TABLE, "in:r key:r", op_table_delete},
    {"heap.table.size", HEAP_TABLE_SIZE, "of:r log:s", op_table_size},
    {"heap.registry", HEAP_REGISTRY, "id:x callback:c", op_registry},
    {"heap.register", HEAP_REGISTRY, "in:r of:r held:w? keeps:r? token:r?",
     op_register},
    {"heap.unregister", HEAP_REGISTRY, "in:r token:r log:s", op_unregister},
    {0}};

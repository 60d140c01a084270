/* SPDX-License-Identifier: MIT */
/*
 * test_heap_walk.c: what a walk says of a heap whose every object and edge the
 * test knows.
 *
 * Invariant: each walk is held against the graph itself: no object is missing,
 * none comes twice, each number is the object's place.
 */
#include "ground.h"

#include "plumb/heap_walk.h"

#include <stdlib.h>

struct seen {
  struct pl_walk *walk;
  size_t edges, named, elements, internal, ephemerons;
  size_t roots[4];
  size_t bytes;
  const char *last_name;
  const void *last_to;
};

static void on_edge(void *arg, const struct pl_edge *edge) {
  struct seen *seen = arg;
  seen->edges++;
  seen->named += edge->kind == PL_EDGE_NAMED;
  seen->elements += edge->kind == PL_EDGE_ELEMENT;
  seen->internal += edge->kind == PL_EDGE_INTERNAL;
  seen->ephemerons += edge->kind == PL_EDGE_EPHEMERON;
  assert_true(pl_walk_number(seen->walk, edge->to) < pl_walk_count(seen->walk));
  seen->last_name = edge->name;
  seen->last_to = edge->to;
}

static void on_root(void *arg, enum pl_root_kind kind, const void *object) {
  struct seen *seen = arg;
  assert_true(pl_walk_number(seen->walk, object) < pl_walk_count(seen->walk));
  seen->roots[kind]++;
}

static void on_bytes(void *arg, const void *object, size_t bytes) {
  struct seen *seen = arg;
  assert_non_null(object);
  seen->bytes += bytes;
}

/* Every object has its place as its number; returns the sum of the bytes. */
static size_t walk_all(struct pl_walk *walk, struct seen *seen) {
  size_t count = 0, bytes = 0;
  pl_walk_rewind(walk);
  for (void *object; (object = pl_walk_next(walk)) != NULL; count++) {
    struct pl_walk_object what;
    pl_walk_describe(walk, object, &what);
    assert_int_equal(pl_walk_number(walk, object), count);
    assert_true(what.bytes == pl_heap_bytes_of(object) + 8);
    bytes += what.bytes;
    if (seen != NULL) pl_walk_edges(walk, object, on_edge, seen);
  }
  assert_int_equal(count, pl_walk_count(walk));
  return bytes;
}

static void walk_comes_by_every_object_and_edge_of_every_space(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  struct pl_heap *heap = ground.heap;
  void **wide = pl_handle(heap, new_array(&ground, 30000)); /* large */
  for (size_t i = 0; i < 30000; i++) {
    void *object = i % 3 == 0 ? (void *)new_pair(&ground, i)
                              : pl_heap_allocate(heap, ground.data, i % 90);
    struct array *array = *wide;
    pl_heap_write(heap, array, &array->slot[i], object);
  }
  pl_heap_collect(heap, PL_GC_MAJOR);
  for (size_t i = 0; i < 30000; i += 7) { /* gaps */
    struct array *array = *wide;
    pl_heap_write(heap, array, &array->slot[i], NULL);
  }
  (void)pl_handle(heap, pl_heap_allocate_old(heap, ground.map, 72));
  (void)pl_handle(heap, pl_heap_allocate_old(heap, ground.code, 200));
  (void)pl_handle(heap, new_pair(&ground, 1));
  size_t kept = 30000 - (30000 + 6) / 7;
  struct seen seen = {0};
  assert_int_equal(pl_walk_begin(heap, &seen.walk), 0);
  assert_int_equal(pl_walk_count(seen.walk), kept + 4);
  struct pl_heap_stats stats;
  pl_heap_stats(heap, &stats);
  assert_int_equal(walk_all(seen.walk, &seen), stats.used);
  assert_int_equal(seen.edges, kept);
  assert_int_equal(seen.elements, kept);
  pl_walk_roots(seen.walk, on_root, &seen);
  assert_int_equal(seen.roots[PL_ROOT_HANDLE], 4);
  pl_walk_end(seen.walk);
  ground_end(&ground);
}

static void edges_have_the_names_that_their_type_gives(void **state) {
  (void)state;
  static const char *const names[] = {"name", NULL, "next"};
  const struct pl_heap_type person = {.name = "Person",
                                      .slots = 7,
                                      .slot_names = names,
                                      .name_count = 3,
                                      .array = true,
                                      .array_from = 4};
  struct ground ground;
  uint32_t type;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  assert_int_equal(pl_heap_type_add(ground.heap, &person, &type), 0);
  void **slots = pl_heap_allocate(ground.heap, type, 6 * 8);
  void **root = pl_handle(ground.heap, slots);
  slots[0] = slots; /* itself */
  slots[1] = slots;
  slots[2] = (void *)(uintptr_t)3;
  slots[5] = slots;
  struct seen seen = {0};
  assert_int_equal(pl_walk_begin(ground.heap, &seen.walk), 0);
  struct pl_walk_object what;
  pl_walk_describe(seen.walk, *root, &what);
  assert_string_equal(what.name, "Person");
  assert_int_equal(what.space, pl_heap_space_of(ground.heap, *root));
  walk_all(seen.walk, &seen);
  assert_int_equal(seen.named, 1);
  assert_int_equal(seen.internal, 1);
  assert_int_equal(seen.elements, 1);
  assert_ptr_equal(seen.last_to, *root);
  pl_walk_end(seen.walk);
  slots = *root;
  pl_heap_write(ground.heap, slots, &slots[2], slots);
  seen = (struct seen){0};
  assert_int_equal(pl_walk_begin(ground.heap, &seen.walk), 0);
  walk_all(seen.walk, &seen);
  assert_int_equal(seen.named, 2);
  pl_walk_end(seen.walk);
  ground_end(&ground);
}

static void never(struct pl_weak *weak, void *arg) {
  (void)weak;
  (void)arg;
}

static void
roots_weak_handles_bytes_and_ephemerons_are_told_apart(void **state) {
  (void)state;
  struct ground ground;
  struct pl_root root;
  struct pl_weak weak, due, holding;
  struct pl_ephemerons table;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  struct pl_heap *heap = ground.heap;
  pl_root_add(heap, &root, new_pair(&ground, 1));
  pl_weak_add(heap, &weak, root.object, NULL, NULL, 0);
  pl_holding_add(heap, &holding, root.object, NULL, NULL, 777);
  pl_finalizer_add(heap, &due, new_pair(&ground, 2), never, NULL);
  pl_ephemerons_add(heap, &table, NULL);
  assert_int_equal(
      pl_ephemeron_set(heap, &table, root.object, new_pair(&ground, 3)), 0);
  struct seen seen = {0};
  assert_int_equal(pl_walk_begin(heap, &seen.walk), 0);
  assert_int_equal(pl_walk_count(seen.walk), 3);
  pl_walk_roots(seen.walk, on_root, &seen);
  assert_int_equal(seen.roots[PL_ROOT_HANDLE], 0);
  assert_int_equal(seen.roots[PL_ROOT_ROOT], 1);
  assert_int_equal(seen.roots[PL_ROOT_WEAK], 1);
  assert_int_equal(seen.roots[PL_ROOT_FINALIZER], 1);
  pl_walk_bytes(seen.walk, on_bytes, &seen);
  assert_int_equal(seen.bytes, 777);
  walk_all(seen.walk, &seen);
  assert_int_equal(seen.ephemerons, 1);
  pl_walk_end(seen.walk);
  pl_ephemerons_remove(heap, &table);
  pl_root_remove(&root);
  ground_end(&ground);
}

/* A heap with a list of pairs, which has grown old. */
static void begin_with_list(struct ground *ground, int count) {
  ground_begin(ground);
  ground->config.verify = false;
  assert_int_equal(ground_heap(ground), 0);
  void **list = pl_handle(ground->heap, NULL);
  for (int i = 0; i < count; i++) {
    struct pair *pair = new_pair(ground, 1);
    pair->left = *list;
    *list = pair;
  }
  pl_heap_collect(ground->heap, PL_GC_MAJOR);
}

static void walk_costs_less_than_five_percent_of_the_heap(void **state) {
  (void)state;
  struct ground ground;
  begin_with_list(&ground, 200000);
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  size_t before = ground.live;
  struct pl_walk *walk;
  assert_int_equal(pl_walk_begin(ground.heap, &walk), 0);
  assert_true((ground.live - before) * 100 < stats.used * 3);
  pl_walk_end(walk);
  ground_end(&ground);
}

static void refused_memory_begins_no_walk(void **state) {
  (void)state;
  struct ground ground;
  begin_with_list(&ground, 30000);
  int refused = 0;
  for (long call = 0;; call++) {
    struct pl_walk *walk = NULL;
    size_t before = ground.live;
    ground.refuse_at = ground.calls + call;
    int error = pl_walk_begin(ground.heap, &walk);
    ground.refuse_at = -1;
    if (error == 0) {
      assert_int_equal(walk_all(walk, NULL), 30000 * 48);
      pl_walk_end(walk);
      break;
    }
    assert_int_equal(error, PL_ENOMEM);
    assert_null(walk);
    assert_int_equal(ground.live, before);
    refused++;
  }
  assert_true(refused > 10);
  ground_end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(walk_comes_by_every_object_and_edge_of_every_space),
      cmocka_unit_test(edges_have_the_names_that_their_type_gives),
      cmocka_unit_test(roots_weak_handles_bytes_and_ephemerons_are_told_apart),
      cmocka_unit_test(walk_costs_less_than_five_percent_of_the_heap),
      cmocka_unit_test(refused_memory_begins_no_walk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

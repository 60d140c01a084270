/* SPDX-License-Identifier: MIT */
/*
 * test_heap_ids.c: an object keeps its id, and nobody else ever gets it.
 *
 * A random program makes labelled objects, lets them go and collects; a census
 * is what a snapshot does: a walk that reads the id of every object. What a
 * census sees is held against all earlier ones.
 */
#include "ground.h"
#include "ids.h"

#include <stdlib.h>

enum { PLACES = 400, LABELS = 200000 };

struct world {
  struct ground ground;
  struct pl_root root; /* an array of PLACES */
  uint64_t *ids;       /* by label: the last one; 0: not seen yet */
  uint64_t *labels;    /* by (id - PL__FIRST_ID) / 2: the label, plus 1 */
  uint64_t next, random, greatest;
  uint32_t chunk;  /* a type without slots: its label and filling */
  size_t renewed;  /* labels that had another id before */
  bool may_renew;  /* memory was refused */
  uint64_t before; /* what is new has a greater one */
};

static uint64_t roll(struct world *world, uint64_t below) {
  return ground_random(&world->random) % below;
}

static void world_begin(struct world *world,
                        const struct pl_heap_policy *policy) {
  *world = (struct world){.random = 7, .next = 1};
  ground_begin(&world->ground);
  world->ground.config.policy = policy;
  assert_int_equal(ground_heap(&world->ground), 0);
  const struct pl_heap_type chunk = {.name = "chunk"};
  assert_int_equal(pl_heap_type_add(world->ground.heap, &chunk, &world->chunk),
                   0);
  pl_root_add(world->ground.heap, &world->root, NULL);
  world->root.object = new_array(&world->ground, PLACES);
  world->ids = calloc(LABELS, sizeof *world->ids);
  world->labels = calloc(8 * LABELS, sizeof *world->labels);
  assert_non_null(world->labels);
}

static void world_end(struct world *world) {
  free(world->ids);
  free(world->labels);
  ground_end(&world->ground);
}

/* Pairs, chunks of many sizes, large ones; the label is a chunk's first word, a
 * pair's first number. */
static uint64_t *label_in(const struct world *world, void *object) {
  if (pl_heap_type_of(object) == world->ground.pair)
    return &((struct pair *)object)->number[0];
  return (uint64_t *)object;
}

static void put(struct world *world) {
  struct pl_heap *heap = world->ground.heap;
  uint64_t kind = roll(world, 100);
  void *made;
  if (kind < 60)
    made = pl_heap_allocate(heap, world->ground.pair, 40);
  else if (kind < 70)
    made = pl_heap_allocate_old(heap, world->chunk, 40);
  else if (kind < 99)
    made = pl_heap_allocate(heap, world->chunk, 8 + 8 * roll(world, 60));
  else
    made = pl_heap_allocate(heap, world->chunk, 150000);
  if (made == NULL) return;
  *label_in(world, made) = world->next++;
  assert_true(world->next < LABELS);
  struct array *array = world->root.object;
  pl_heap_write(heap, array, &array->slot[roll(world, PLACES)], made);
}

static void remember(struct world *world, uint64_t label, uint64_t id) {
  assert_int_equal(id % 2, 1);
  assert_true(id >= PL__FIRST_ID);
  assert_true((id - PL__FIRST_ID) / 2 < 8 * LABELS);
  uint64_t *owner = &world->labels[(id - PL__FIRST_ID) / 2];
  if (*owner != 0 && *owner != label + 1)
    fail_msg("%ju is the id of %ju and was that of %ju", (uintmax_t)id,
             (uintmax_t)label, (uintmax_t)*owner - 1);
  *owner = label + 1;
  uint64_t old = world->ids[label];
  if (old != 0 && old != id) {
    world->renewed++;
    if (!world->may_renew)
      fail_msg("%ju was %ju and is %ju", (uintmax_t)label, (uintmax_t)old,
               (uintmax_t)id);
  }
  if (old != id) assert_true(id > world->before);
  world->ids[label] = id;
  if (id > world->greatest) world->greatest = id;
}

/* 0 or PL_ENOMEM. */
static int census(struct world *world) {
  struct pl__heap *heap = pl__heap(world->ground.heap);
  struct pl_walk *walk;
  world->before = world->greatest;
  int error = pl_walk_begin(world->ground.heap, &walk);
  if (error != 0) return error;
  error = pl__ids_update(heap);
  struct pl__id_reader reader = {0};
  void *object;
  while (error == 0 && (object = pl_walk_next(walk)) != NULL) {
    uint64_t id = pl__id_now(heap, &reader, object);
    if (object == world->root.object)
      remember(world, 0, id);
    else
      remember(world, *label_in(world, object), id);
  }
  pl_walk_end(walk);
  return error;
}

static void some_work(struct world *world) {
  static const enum pl_gc_kind kinds[] = {PL_GC_MINOR, PL_GC_MINOR, PL_GC_MAJOR,
                                          PL_GC_COMPACT};
  for (uint64_t left = roll(world, 600); left > 0; left--) {
    if (roll(world, 4) == 0) {
      struct array *array = world->root.object;
      pl_heap_write(world->ground.heap, array,
                    &array->slot[roll(world, PLACES)], NULL);
    } else {
      put(world);
    }
  }
  if (roll(world, 3) != 0)
    pl_heap_collect(world->ground.heap, kinds[roll(world, 4)]);
  else if (roll(world, 3) == 0)
    while (pl_heap_step(world->ground.heap, 0, 5000))
      put(world);
}

/* full_promotes is false: a snapshot leaves young objects, which move. */
static const struct pl_heap_policy stays_young = {.name = "stays-young",
                                                  .large_born_young = true};
static const struct pl_heap_policy *const policies[] = {
    &pl_heap_policy_classic, &pl_heap_policy_age_mark, &stays_young};

static void
id_lasts_as_long_as_its_object_over_all_that_moves_it(void **state) {
  (void)state;
  for (int p = 0; p < 3; p++) {
    struct world world;
    world_begin(&world, policies[p]);
    for (int round = 0; round < 150; round++) {
      some_work(&world);
      if (roll(&world, 3) != 0) assert_int_equal(census(&world), 0);
    }
    assert_int_equal(census(&world), 0);
    assert_int_equal(world.renewed, 0);
    assert_true(world.greatest > 10000);
    world_end(&world);
  }
}

static void
without_memory_an_id_may_be_lost_and_is_never_used_again(void **state) {
  (void)state;
  for (int p = 0; p < 3; p++) {
    struct world world;
    size_t refused = 0;
    world_begin(&world, policies[p]);
    world.may_renew = true;
    for (int round = 0; round < 300; round++) {
      struct ground *ground = &world.ground;
      bool short_of = roll(&world, 2) == 0;
      ground->refuse_at = -1;
      if (short_of) {
        ground->refuse_at = ground->calls + (long)roll(&world, 12);
        ground->refuse_all = roll(&world, 2) == 0;
      }
      some_work(&world);
      if (roll(&world, 2) == 0 && census(&world) != 0) refused++;
    }
    world.ground.refuse_at = -1;
    assert_int_equal(census(&world), 0);
    assert_true(refused > 10);
    world_end(&world);
  }
}

static void failed_census_leaves_the_ids_that_there_were(void **state) {
  (void)state;
  struct world world;
  world_begin(&world, &pl_heap_policy_age_mark);
  for (int i = 0; i < 5; i++)
    some_work(&world);
  assert_int_equal(census(&world), 0);
  int failed = 0;
  for (long call = 0;; call++) {
    for (int i = 0; i < 30; i++)
      put(&world);
    world.ground.refuse_at = world.ground.calls + call;
    world.ground.refuse_all = true;
    int error = census(&world);
    world.ground.refuse_at = -1;
    if (error == 0) break;
    assert_int_equal(error, PL_ENOMEM);
    failed++;
    if (call % 3 == 0) assert_int_equal(census(&world), 0);
  }
  assert_true(failed > 5);
  assert_int_equal(world.renewed, 0);
  world_end(&world);
}

static void forgotten_ids_are_new_ones_next_time(void **state) {
  (void)state;
  struct world world;
  world_begin(&world, &stays_young);
  for (int i = 0; i < 5; i++)
    some_work(&world);
  struct pl_heap_stats before, after;
  pl_heap_collect(world.ground.heap, PL_GC_MAJOR);
  assert_int_equal(census(&world), 0);
  pl_heap_stats(world.ground.heap, &before);
  pl_snapshot_forget(world.ground.heap);
  pl_heap_stats(world.ground.heap, &after);
  assert_true(after.metadata < before.metadata);
  world.may_renew = true;
  for (int i = 0; i < 3; i++)
    pl_heap_collect(world.ground.heap, PL_GC_COMPACT);
  assert_int_equal(census(&world), 0);
  assert_true(world.renewed > 100);
  world.may_renew = false;
  pl_heap_collect(world.ground.heap, PL_GC_COMPACT);
  assert_int_equal(census(&world), 0);
  world_end(&world);
}

static void heap_without_snapshots_pays_nothing_for_ids(void **state) {
  (void)state;
  struct world world;
  world_begin(&world, &pl_heap_policy_age_mark);
  for (int i = 0; i < 20; i++)
    some_work(&world);
  assert_null(pl__heap(world.ground.heap)->ids.strays);
  assert_int_equal(pl__heap(world.ground.heap)->ids.next, 0);
  world_end(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(id_lasts_as_long_as_its_object_over_all_that_moves_it),
      cmocka_unit_test(
          without_memory_an_id_may_be_lost_and_is_never_used_again),
      cmocka_unit_test(failed_census_leaves_the_ids_that_there_were),
      cmocka_unit_test(forgotten_ids_are_new_ones_next_time),
      cmocka_unit_test(heap_without_snapshots_pays_nothing_for_ids),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

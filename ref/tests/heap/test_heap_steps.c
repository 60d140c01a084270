/* SPDX-License-Identifier: MIT */
/*
 * test_heap_steps.c: major collections in steps: the budget, what the mutator
 * does in between, lazy sweeping, growth and shrinking.
 *
 * Invariant: every step is verified, the tri-colour invariant included.
 */
#include "ground.h"

#include "internal.h"

static void begin(struct ground *ground) {
  ground_begin(ground);
  ground->config.step_work = 4 * KIB;
  ground->config.step_bytes = 8 * KIB;
  assert_int_equal(ground_heap(ground), 0);
}

static struct pair *old_pair(struct ground *ground, uint64_t number) {
  struct pair *pair =
      pl_heap_allocate_old(ground->heap, ground->pair, sizeof *pair);
  assert_non_null(pair);
  pair->number[0] = number;
  return pair;
}

/* A list of old pairs, numbers count-1 .. 0. */
static void old_list(struct ground *ground, void **list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct pair *pair = old_pair(ground, i);
    pl_heap_write(ground->heap, pair, &pair->left, *list);
    *list = pair;
  }
}

static bool is_marking(struct ground *ground) {
  struct pl_heap_stats stats;
  pl_heap_stats(ground->heap, &stats);
  return stats.marking;
}

static void step_costs_what_its_budget_says(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void **list = pl_handle(ground.heap, NULL);
  old_list(&ground, list, 10000);
  size_t steps = 0, marked = 0;
  for (; pl_heap_step(ground.heap, 0, 48 * 1000); steps++) {
    if (ground.event.kind == PL_GC_STEP && ground.event.swept == 0) {
      assert_true(ground.event.incremental);
      assert_true(ground.event.marked < 48 * 1200);
      marked += ground.event.marked;
    }
  }
  assert_int_equal(marked, 480000);
  assert_in_range(steps, 10, 40);
  assert_int_equal(((struct pair *)*list)->number[0], 9999);
  ground_end(&ground);
}

static void time_budget_ends_a_step(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void **list = pl_handle(ground.heap, NULL);
  old_list(&ground, list, 10000);
  /* A reading of the clock takes a microsecond, and is made now and then. */
  assert_true(pl_heap_step(ground.heap, 3000, 0));
  size_t first = ground.event.marked;
  assert_in_range(first, 1, 48 * 2000);
  assert_true(pl_heap_step(ground.heap, 12000, 0));
  assert_true(ground.event.marked > 2 * first);
  ground_end(&ground);
}

static void allocation_drives_the_steps_to_the_end(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.step_work = 64 * KIB;
  ground.config.step_bytes = 8 * KIB;
  ground.config.old_trigger = 400000;
  assert_int_equal(ground_heap(&ground), 0);
  void **list = pl_handle(ground.heap, NULL);
  old_list(&ground, list, 10000);
  *list = NULL;
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  for (int i = 0; i < 100000 && (stats.marking || stats.sweeping ||
                                 stats.collections[PL_GC_MAJOR] == 0);
       i++) {
    assert_non_null(new_pair(&ground, 1));
    pl_heap_stats(ground.heap, &stats);
  }
  assert_false(stats.marking || stats.sweeping);
  assert_true(stats.collections[PL_GC_MAJOR] >= 1);
  assert_true(stats.collections[PL_GC_STEP] > 4);
  assert_int_equal(stats.collections[PL_GC_COMPACT], 0);
  ground_end(&ground);
}

struct spacing {
  uint64_t end, least;
  size_t steps;
};

static void on_paced_event(void *arg, const struct pl_gc_event *event) {
  struct spacing *spacing = arg;
  if (event->kind == PL_GC_STEP && spacing->end != 0) {
    uint64_t gap = event->start_ns - spacing->end;
    spacing->steps++;
    if (gap < spacing->least) spacing->least = gap;
  }
  if (event->kind != PL_GC_MINOR)
    spacing->end = event->start_ns + event->pause_ns;
}

static void mutator_has_the_time_of_a_step_between_two(void **state) {
  (void)state;
  struct ground ground;
  struct spacing spacing = {.least = UINT64_MAX};
  ground_begin(&ground);
  ground.config.step_work = 0;
  ground.config.step_ns = 5000; /* five readings of the clock */
  ground.config.step_bytes = 1 * KIB;
  ground.config.old_trigger = 400000;
  ground.config.arg = &spacing;
  ground.config.on_event = on_paced_event;
  ground.config.near_limit = NULL;
  ground.config.on_fault = NULL;
  assert_int_equal(ground_heap(&ground), 0);
  void **list = pl_handle(ground.heap, NULL);
  old_list(&ground, list, 11000);
  for (int i = 0; i < 20000; i++)
    assert_non_null(new_pair(&ground, 1));
  assert_true(spacing.steps > 5);
  assert_true(spacing.least >= 5000);
  ground_end(&ground);
}

/* The only reference to an object moves from where marking has not been to
 * where it has. */
static void object_that_is_hidden_from_the_marker_survives(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void **first = pl_handle(ground.heap, old_pair(&ground, 1));
  void **list = pl_handle(ground.heap, NULL);
  old_list(&ground, list, 3000);
  struct pair *last = *list;
  while (last->left != NULL) last = last->left;
  struct pair *hidden = old_pair(&ground, 77);
  pl_heap_write(ground.heap, last, &last->right, hidden);
  for (int i = 0; i < 3; i++)
    assert_true(pl_heap_step(ground.heap, 0, 4 * KIB));
  assert_true(is_marking(&ground));
  assert_true(pl__is_marked(*first));
  assert_false(pl__is_marked(hidden));
  struct pair *black = *first;
  pl_heap_write(ground.heap, black, &black->left, hidden);
  pl_heap_write(ground.heap, last, &last->right, NULL);
  while (pl_heap_step(ground.heap, 0, 64 * KIB)) continue;
  assert_int_equal(((struct pair *)*first)->left->number[0], 77);
  ground_end(&ground);
}

static void dropped_barrier_of_the_marker_is_caught(void **state) {
  (void)state;
  struct ground ground;
  struct pl_heap_fault fault;
  begin(&ground);
  void **first = pl_handle(ground.heap, old_pair(&ground, 1));
  void **list = pl_handle(ground.heap, NULL);
  old_list(&ground, list, 3000);
  struct pair *last = *list;
  while (last->left != NULL) last = last->left;
  for (int i = 0; i < 3; i++) pl_heap_step(ground.heap, 0, 4 * KIB);
  assert_int_equal(pl_heap_verify(ground.heap, &fault), 0);
  ((struct pair *)*first)->left = last; /* no barrier */
  assert_int_equal(pl_heap_verify(ground.heap, &fault), PL_EFAULT);
  assert_string_equal(fault.invariant, "no object that was looked at refers to "
                                       "one that was not seen");
  ((struct pair *)*first)->left = NULL;
  ground_end(&ground);
}

static void what_is_promoted_or_born_old_while_marking_survives(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void **list = pl_handle(ground.heap, NULL);
  old_list(&ground, list, 3000);
  struct pair *last = *list;
  while (last->left != NULL) last = last->left;
  pl_heap_step(ground.heap, 0, 4 * KIB);
  assert_false(pl__is_marked(last));
  /* Young, refers to what is not marked, and is promoted. */
  struct pair *young = new_pair(&ground, 5);
  young->left = last;
  void **root = pl_handle(ground.heap, young);
  void **large = pl_handle(ground.heap, new_array(&ground, 20000));
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_true(pl_heap_is_old(*root) && is_marking(&ground));
  struct array *array = *large;
  pl_heap_write(ground.heap, array, &array->slot[19999], old_pair(&ground, 6));
  while (pl_heap_step(ground.heap, 0, 64 * KIB)) continue;
  assert_int_equal(((struct pair *)*root)->left->number[0], 0);
  array = *large;
  assert_int_equal(((struct pair *)array->slot[19999])->number[0], 6);
  ground_end(&ground);
}

static void young_object_of_an_old_one_survives_the_end_of_marking(
    void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void **first = pl_handle(ground.heap, old_pair(&ground, 1));
  pl_heap_step(ground.heap, 0, 64 * KIB);
  struct pair *young = new_pair(&ground, 2);
  struct pair *black = *first;
  pl_heap_write(ground.heap, black, &black->left, young);
  young->left = old_pair(&ground, 3);
  while (pl_heap_step(ground.heap, 0, 64 * KIB)) continue;
  assert_int_equal(((struct pair *)*first)->left->left->number[0], 3);
  ground_end(&ground);
}

static void long_array_is_marked_in_parts(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  enum { SLOTS = 100000 };
  struct array *array =
      pl_heap_allocate_old(ground.heap, ground.array, SLOTS * 8);
  void **wide = pl_handle(ground.heap, array);
  for (size_t i = 0; i < SLOTS; i += 10)
    pl_heap_write(ground.heap, array, &array->slot[i], old_pair(&ground, i));
  size_t steps = 0;
  for (; pl_heap_step(ground.heap, 0, 32 * KIB); steps++)
    if (ground.event.marked < SLOTS * 8) /* but for the array itself */
      assert_true(ground.event.marked < 48 * KIB);
  assert_true(steps > 10);
  array = *wide;
  for (size_t i = 0; i < SLOTS; i += 10)
    assert_int_equal(((struct pair *)array->slot[i])->number[0], i);
  ground_end(&ground);
}

static void collection_at_once_ends_the_one_in_steps_and_takes_its_garbage(
    void **state) {
  (void)state;
  for (int phase = 0; phase < 3; phase++) {
    struct ground ground;
    begin(&ground);
    void **list = pl_handle(ground.heap, NULL);
    old_list(&ground, list, 20000);
    for (int i = 0; i < 100; i++) {
      pl_heap_step(ground.heap, 0, 64 * KIB);
      if (phase == 0 || ground.event.kind == PL_GC_MAJOR) break;
    }
    *list = NULL;
    pl_heap_collect(ground.heap, phase == 2 ? PL_GC_COMPACT : PL_GC_MAJOR);
    assert_int_equal(ground.event.after, 0);
    ground_end(&ground);
  }
}

static void memory_that_runs_out_while_marking_in_steps_harms_nothing(
    void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.verify = false;
  assert_int_equal(ground_heap(&ground), 0);
  enum { SLOTS = 30000 };
  struct array *array =
      pl_heap_allocate_old(ground.heap, ground.array, SLOTS * 8);
  void **wide = pl_handle(ground.heap, array);
  for (size_t i = 0; i < SLOTS; i++) {
    struct pair *pair = old_pair(&ground, i);
    pl_heap_write(ground.heap, array, &array->slot[i], pair);
    pl_heap_write(ground.heap, pair, &pair->right, old_pair(&ground, i));
  }
  ground.refuse_at = 0;
  ground.refuse_all = 1;
  while (pl_heap_step(ground.heap, 0, 64 * KIB)) continue;
  ground.refuse_at = -1;
  struct pl_heap_fault fault;
  assert_int_equal(pl_heap_verify(ground.heap, &fault), 0);
  array = *wide;
  for (size_t i = 0; i < SLOTS; i++) {
    struct pair *pair = array->slot[i];
    assert_true(pair->number[0] == i && pair->right->number[0] == i);
  }
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* Sweeping, growth, shrinking                                            */

static void allocation_sweeps_the_room_that_it_needs(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void **list = pl_handle(ground.heap, NULL);
  old_list(&ground, list, 30000);
  for (struct pair *pair = *list; pair != NULL; pair = pair->left)
    if (pair->left != NULL) /* every second one is dead */
      pl_heap_write(ground.heap, pair, &pair->left, pair->left->left);
  struct pl_heap_stats before, stats;
  pl_heap_stats(ground.heap, &before);
  while (pl_heap_step(ground.heap, 0, 1 * MIB) &&
         ground.event.kind != PL_GC_MAJOR)
    continue;
  pl_heap_stats(ground.heap, &stats);
  assert_true(stats.sweeping);
  assert_int_equal(stats.space[PL_SPACE_OLD_POINTER].used, 15000 * 48);
  for (int i = 0; i < 10000; i++) old_pair(&ground, 0);
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.space[PL_SPACE_OLD_POINTER].committed,
                   before.space[PL_SPACE_OLD_POINTER].committed);
  assert_int_equal(stats.space[PL_SPACE_OLD_POINTER].used, 25000 * 48);
  ground_end(&ground);
}

static void semi_space_grows_with_survival_and_shrinks_on_request(
    void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.semi_capacity, 256 * KIB);
  void **list = pl_handle(ground.heap, NULL);
  for (int i = 0; i < 100000; i++) {
    struct pair *pair = new_pair(&ground, 0);
    pair->left = *list;
    *list = pair;
  }
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.semi_capacity, 1 * MIB);
  assert_true(stats.committed > 4 * MIB);
  *list = NULL;
  pl_heap_shrink(ground.heap);
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.semi_capacity, 256 * KIB);
  assert_int_equal(stats.pooled, 0);
  assert_int_equal(stats.committed, 2 * 256 * KIB);
  for (int i = 0; i < 20000; i++) assert_non_null(new_pair(&ground, 0));
  ground_end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(step_costs_what_its_budget_says),
      cmocka_unit_test(time_budget_ends_a_step),
      cmocka_unit_test(allocation_drives_the_steps_to_the_end),
      cmocka_unit_test(mutator_has_the_time_of_a_step_between_two),
      cmocka_unit_test(object_that_is_hidden_from_the_marker_survives),
      cmocka_unit_test(dropped_barrier_of_the_marker_is_caught),
      cmocka_unit_test(what_is_promoted_or_born_old_while_marking_survives),
      cmocka_unit_test(
          young_object_of_an_old_one_survives_the_end_of_marking),
      cmocka_unit_test(long_array_is_marked_in_parts),
      cmocka_unit_test(
          collection_at_once_ends_the_one_in_steps_and_takes_its_garbage),
      cmocka_unit_test(
          memory_that_runs_out_while_marking_in_steps_harms_nothing),
      cmocka_unit_test(allocation_sweeps_the_room_that_it_needs),
      cmocka_unit_test(semi_space_grows_with_survival_and_shrinks_on_request),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

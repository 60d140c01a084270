/* SPDX-License-Identifier: MIT */
/*
 * test_heap_memory.c: memory that runs out, limits, external memory, large
 * objects, compaction.
 *
 * Invariant: whatever was refused, what is reachable is intact afterwards.
 */
#include "ground.h"

/* A list of `count` pairs with numbers count-1 .. 0, in a handle. */
static int build_list(struct ground *ground, void **list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct pair *pair = new_pair(ground, i);
    if (pair == NULL) return PL_ENOMEM;
    pair->left = *list;
    *list = pair;
  }
  return 0;
}

static void check_list(void *list, size_t count) {
  struct pair *pair = list;
  for (size_t i = count; i-- > 0; pair = pair->left) {
    if (pair == NULL || pair->number[0] != i)
      fail_msg("the list is broken at %zu of %zu", i, count);
  }
  assert_null(pair);
}

static size_t length_of(const struct pair *pair) {
  size_t count = 0;
  for (; pair != NULL; pair = pair->left)
    count++;
  return count;
}

/* One of everything that asks for memory. */
static int everything(struct ground *ground) {
  int error = ground_heap(ground);
  if (error != 0) return error;
  struct pl_scope scope;
  pl_scope_open(ground->heap, &scope);
  void **list = pl_handle(ground->heap, NULL);
  if (list == NULL) return PL_ENOMEM;
  if (build_list(ground, list, 12000) != 0) error = PL_ENOMEM;
  check_list(*list, length_of(*list));
  for (int i = 0; i < 1100; i++)
    if (pl_handle(ground->heap, *list) == NULL) error = PL_ENOMEM;
  if (new_array(ground, 40000) == NULL) error = PL_ENOMEM;
  if (pl_heap_allocate_old(ground->heap, ground->map, PL_HEAP_MAP_BYTES) ==
          NULL ||
      pl_heap_allocate_old(ground->heap, ground->code, 100) == NULL)
    error = PL_ENOMEM;
  struct array *array = new_array(ground, 8000);
  if (array == NULL) return PL_ENOMEM;
  void **wide = pl_handle(ground->heap, array);
  if (wide == NULL) return PL_ENOMEM;
  for (size_t i = 0; i < 8000; i++) {
    struct pair *pair = new_pair(ground, i);
    if (pair == NULL) error = PL_ENOMEM;
    array = *wide;
    pl_heap_write(ground->heap, array, &array->slot[i], pair);
  }
  struct pl_ephemerons table;
  pl_ephemerons_add(ground->heap, &table, NULL);
  array = *wide;
  for (size_t i = 0; i < 100; i++)
    if (array->slot[i] != NULL &&
        pl_ephemeron_set(ground->heap, &table, array->slot[i], *list) != 0)
      error = PL_ENOMEM;
  while (pl_heap_step(ground->heap, 0, 64 * KIB))
    if (new_pair(ground, 1) == NULL) error = PL_ENOMEM;
  pl_heap_collect(ground->heap, PL_GC_COMPACT);
  pl_ephemerons_remove(ground->heap, &table);
  array = *wide;
  for (size_t i = 0; i < 8000; i++)
    if (array->slot[i] != NULL)
      assert_int_equal(((struct pair *)array->slot[i])->number[0], i);
  check_list(*list, length_of(*list));
  pl_scope_close(ground->heap, &scope);
  return error;
}

static long calls_of_everything(size_t step_work) {
  struct ground ground;
  ground_begin(&ground);
  ground.config.verify = false;
  ground.config.step_work = step_work;
  ground.config.old_trigger = 500 * KIB;
  assert_int_equal(everything(&ground), 0);
  long calls = ground.calls;
  ground_end(&ground);
  return calls;
}

/* Returns whether somebody was told. */
static int refuse(long call, int all, size_t step_work) {
  struct ground ground;
  ground_begin(&ground);
  ground.config.verify = false;
  ground.config.step_work = step_work;
  ground.config.old_trigger = 500 * KIB;
  ground.refuse_at = call;
  ground.refuse_all = all;
  int error = everything(&ground);
  if (error != 0) assert_int_equal(error, PL_ENOMEM);
  if (ground.heap != NULL) {
    ground.refuse_at = -1;
    struct pl_heap_fault fault;
    if (pl_heap_verify(ground.heap, &fault) != 0)
      fail_msg("call %ld: %s", call, fault.invariant);
    assert_non_null(new_pair(&ground, 1));
    pl_heap_collect(ground.heap, PL_GC_COMPACT);
    assert_int_equal(pl_heap_verify(ground.heap, &fault), 0);
  }
  ground_end(&ground);
  return error != 0;
}

static void every_refused_allocation_leaves_a_heap_that_works(void **state) {
  (void)state;
  for (size_t step_work = 0; step_work <= 16 * KIB; step_work += 16 * KIB) {
    long calls = calls_of_everything(step_work);
    int told = 0;
    assert_true(calls > 15);
    for (long call = 0; call < calls; call++) {
      refuse(call, 0, step_work);
      told += refuse(call, 1, step_work);
    }
    assert_true(told > 10); /* not all: what may stay where it is, does */
  }
}

static void marking_needs_no_memory(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.semi_max = ground.config.semi_initial = 4 * MIB;
  assert_int_equal(ground_heap(&ground), 0);
  /* 16000 children wait at once: the first segment holds 1021. */
  void **wide = pl_handle(ground.heap, new_array(&ground, 16000));
  for (size_t i = 0; i < 16000; i++) {
    struct pair *pair = new_pair(&ground, i);
    struct array *array = *wide;
    pl_heap_write(ground.heap, array, &array->slot[i], pair);
    pair->right = new_pair(&ground, i);
  }
  ground.config.verify = false;
  ground.refuse_at = 0;
  ground.refuse_all = 1;
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  ground.refuse_at = -1;
  struct array *array = *wide;
  for (size_t i = 0; i < 16000; i++) {
    struct pair *pair = array->slot[i];
    assert_int_equal(pair->number[0], i);
    assert_int_equal(pair->right->number[0], i);
  }
  pl_heap_collect(ground.heap, PL_GC_MINOR); /* verified */
  ground_end(&ground);
}

static void list_of_ten_million_survives_every_kind_of_collection(
    void **state) {
  (void)state;
  enum { COUNT = 10 * 1000 * 1000 };
  struct pl_heap_config config = {.semi_max = 4 * MIB};
  struct ground ground = {.refuse_at = -1};
  ground.config = config;
  assert_int_equal(ground_heap(&ground), 0);
  void **list = pl_handle(ground.heap, NULL);
  assert_int_equal(build_list(&ground, list, COUNT), 0);
  for (int kind = PL_GC_MINOR; kind <= PL_GC_COMPACT; kind++)
    pl_heap_collect(ground.heap, (enum pl_gc_kind)kind);
  check_list(*list, COUNT);
  pl_heap_destroy(ground.heap);
}

/* ---------------------------------------------------------------------- */
/* Limits                                                                 */

static void limit_is_an_out_of_memory_result_and_the_heap_goes_on(
    void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct ground ground;
    ground_begin(&ground);
    ground.config.old_max = 2 * MIB;
    ground.config.policy =
        i == 0 ? &pl_heap_policy_classic : &pl_heap_policy_age_mark;
    assert_int_equal(ground_heap(&ground), 0);
    void **list = pl_handle(ground.heap, NULL);
    assert_int_equal(build_list(&ground, list, SIZE_MAX), PL_ENOMEM);
    size_t count = length_of(*list);
    check_list(*list, count);
    assert_true(count * 48 > 2 * MIB);
    assert_true(count * 48 < 3 * MIB + 256 * KIB);
    assert_true(ground.near_limits >= 1);
    struct pl_heap_stats stats;
    pl_heap_stats(ground.heap, &stats);
    assert_true(stats.committed - stats.space[PL_SPACE_NEW].committed <=
                2 * MIB);
    assert_null(new_pair(&ground, 0));
    check_list(*list, count);
    *list = NULL;
    assert_int_equal(build_list(&ground, list, 20000), 0);
    check_list(*list, 20000);
    ground_end(&ground);
  }
}

static void near_limit_callback_may_raise_the_limit(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.old_max = 1 * MIB;
  ground.raise_to = 8 * MIB;
  assert_int_equal(ground_heap(&ground), 0);
  void **list = pl_handle(ground.heap, NULL);
  assert_int_equal(build_list(&ground, list, 100000), 0);
  assert_int_equal(ground.near_limits, 1);
  check_list(*list, 100000);
  assert_int_equal(pl_heap_set_old_max(ground.heap, 256 * KIB), PL_EBUSY);
  ground_end(&ground);
}

static void limit_below_one_page_keeps_everything_young(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.old_max = 1;
  assert_int_equal(ground_heap(&ground), 0);
  void **list = pl_handle(ground.heap, NULL);
  assert_int_equal(build_list(&ground, list, SIZE_MAX), PL_ENOMEM);
  assert_true(length_of(*list) * 48 > 200 * KIB);
  check_list(*list, length_of(*list));
  assert_null(new_array(&ground, 100000));
  assert_null(pl_heap_allocate(ground.heap, ground.data, SIZE_MAX - 3));
  assert_null(pl_heap_allocate_old(ground.heap, ground.data, SIZE_MAX / 8));
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* Large objects                                                          */

static void object_of_more_than_131072_bytes_is_large(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  void *regular = pl_heap_allocate(ground.heap, ground.data, 131064);
  assert_int_equal(pl_heap_space_of(ground.heap, regular), PL_SPACE_NEW);
  void *large = pl_heap_allocate(ground.heap, ground.data, 131065);
  assert_int_equal(pl_heap_space_of(ground.heap, large), PL_SPACE_NEW_LARGE);
  ground_end(&ground);
}

static void large_object_is_born_young_or_old_and_never_moves(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct ground ground;
    ground_begin(&ground);
    ground.config.policy =
        i == 0 ? &pl_heap_policy_classic : &pl_heap_policy_age_mark;
    assert_int_equal(ground_heap(&ground), 0);
    void **large = pl_handle(ground.heap, new_array(&ground, 50000));
    void *before = *large;
    assert_int_equal(pl_heap_is_old(before), i == 0);
    struct array *array = before;
    struct pair *pair = new_pair(&ground, 9);
    pl_heap_write(ground.heap, array, &array->slot[49999], pair);
    for (int kind = PL_GC_MINOR; kind <= PL_GC_COMPACT; kind++) {
      pl_heap_collect(ground.heap, (enum pl_gc_kind)kind);
      assert_ptr_equal(*large, before);
      assert_int_equal(pl_heap_space_of(ground.heap, before), PL_SPACE_LARGE);
      assert_int_equal(((struct pair *)array->slot[49999])->number[0], 9);
    }
    *large = NULL;
    pl_heap_collect(ground.heap, PL_GC_MINOR);
    assert_true(ground.event.after > 400000);
    pl_heap_collect(ground.heap, PL_GC_MAJOR);
    assert_int_equal(ground.event.after, 0);
    ground_end(&ground);
  }
}

static void dead_large_young_objects_are_freed_by_a_minor_collection(
    void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  for (int i = 0; i < 1000; i++)
    assert_non_null(new_array(&ground, 20000));
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  assert_true(stats.space[PL_SPACE_NEW_LARGE].used <= 256 * KIB);
  assert_int_equal(stats.collections[PL_GC_MAJOR], 0);
  assert_int_equal(stats.promoted, 0);
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* Compaction, external memory                                            */

/* Keeps one of ten of `count` promoted pairs; returns the committed bytes
 * after a collection of that kind. */
static size_t committed_after(enum pl_gc_kind kind, size_t count) {
  struct ground ground;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  void **wide = pl_handle(ground.heap, new_array(&ground, count));
  for (size_t i = 0; i < count; i++) {
    struct pair *pair = new_pair(&ground, i);
    struct array *array = *wide;
    pl_heap_write(ground.heap, array, &array->slot[i], pair);
  }
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  struct array *array = *wide;
  for (size_t i = 0; i < count; i++)
    if (i % 10 != 0)
      pl_heap_write(ground.heap, array, &array->slot[i], NULL);
  pl_heap_collect(ground.heap, kind);
  array = *wide;
  for (size_t i = 0; i < count; i += 10)
    assert_int_equal(((struct pair *)array->slot[i])->number[0], i);
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  size_t committed = stats.space[PL_SPACE_OLD_POINTER].committed;
  assert_true(stats.space[PL_SPACE_OLD_POINTER].used >= count / 10 * 48);
  ground_end(&ground);
  return committed;
}

static void compaction_gives_back_what_sweeping_leaves_as_gaps(void **state) {
  (void)state;
  size_t swept = committed_after(PL_GC_MAJOR, 60000);
  size_t compacted = committed_after(PL_GC_COMPACT, 60000);
  assert_true(swept >= 60000 * 48);
  assert_true(compacted <= 2 * 256 * KIB);
}

static void external_memory_makes_the_next_allocation_collect(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak weak[8];
  ground_begin(&ground);
  ground.config.external_trigger = 4 * MIB;
  assert_int_equal(ground_heap(&ground), 0);
  struct pl_heap_stats stats;
  for (int i = 0; i < 8; i++) {
    struct pair *pair = new_pair(&ground, 0);
    assert_int_equal(ground.events, i < 4 ? 0 : 1);
    pl_weak_add(ground.heap, &weak[i], pair, NULL, NULL, i < 7 ? 1 * MIB : 1);
  }
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.collections[PL_GC_MAJOR], 1);
  assert_int_equal(ground.event.reason, PL_GC_EXTERNAL);
  assert_int_equal(ground.event.cleared, 4);
  assert_int_equal(stats.external, 3 * MIB + 1);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.external, 0);
  ground_end(&ground);
}

static void side_tables_are_below_four_percent_of_the_heap(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.verify = false;
  ground.config.old_trigger = 64 * MIB;
  assert_int_equal(ground_heap(&ground), 0);
  void **list = pl_handle(ground.heap, NULL);
  assert_int_equal(build_list(&ground, list, 400000), 0);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  assert_true(stats.used > 19 * MIB * 96 / 100);
  assert_true(stats.metadata * 100 < stats.used * 4);
  ground_end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_refused_allocation_leaves_a_heap_that_works),
      cmocka_unit_test(marking_needs_no_memory),
      cmocka_unit_test(list_of_ten_million_survives_every_kind_of_collection),
      cmocka_unit_test(limit_is_an_out_of_memory_result_and_the_heap_goes_on),
      cmocka_unit_test(near_limit_callback_may_raise_the_limit),
      cmocka_unit_test(limit_below_one_page_keeps_everything_young),
      cmocka_unit_test(object_of_more_than_131072_bytes_is_large),
      cmocka_unit_test(large_object_is_born_young_or_old_and_never_moves),
      cmocka_unit_test(
          dead_large_young_objects_are_freed_by_a_minor_collection),
      cmocka_unit_test(compaction_gives_back_what_sweeping_leaves_as_gaps),
      cmocka_unit_test(external_memory_makes_the_next_allocation_collect),
      cmocka_unit_test(side_tables_are_below_four_percent_of_the_heap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

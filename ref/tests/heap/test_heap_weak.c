/* SPDX-License-Identifier: MIT */
/*
 * test_heap_weak.c: finalizers that resurrect, holdings, external memory and
 * the collections that it causes, ephemerons.
 *
 * Invariant: whoever is said to be dead is found dead by the collection that
 * the test names, and by none before.
 */
#include "ground.h"

#include "internal.h"

static void begin(struct ground *ground) {
  ground_begin(ground);
  assert_int_equal(ground_heap(ground), 0);
}

static size_t external_of(struct ground *ground) {
  struct pl_heap_stats stats;
  pl_heap_stats(ground->heap, &stats);
  return stats.external;
}

/* ---------------------------------------------------------------------- */
/* Finalizers                                                             */

struct rescue {
  struct ground *ground;
  void **into; /* NULL: do not resurrect */
  int calls;
};

static void on_final(struct pl_weak *weak, void *arg) {
  struct rescue *rescue = arg;
  assert_non_null(weak->object);
  rescue->calls++;
  if (rescue->into != NULL) *rescue->into = weak->object;
}

static void finalizer_gets_the_object_and_may_make_it_reachable(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak final, weak;
  begin(&ground);
  struct rescue rescue = {&ground, pl_handle(ground.heap, NULL), 0};
  struct pair *pair = new_pair(&ground, 7);
  pair->left = new_pair(&ground, 8);
  pl_finalizer_add(ground.heap, &final, pair, on_final, &rescue);
  pl_weak_add(ground.heap, &weak, pair, NULL, NULL, 0);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.due, 0);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.due, 1);
  assert_null(weak.object); /* although the object is still there */
  pl_heap_collect(ground.heap, PL_GC_COMPACT); /* a due one is kept */
  assert_int_equal(pl_heap_run_finalizers(ground.heap), 1);
  assert_int_equal(rescue.calls, 1);
  pair = *rescue.into;
  assert_true(pair->number[0] == 7 && pair->left->number[0] == 8);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 96);
  *rescue.into = NULL;
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 0);
  assert_int_equal(pl_heap_run_finalizers(ground.heap), 0);
  ground_end(&ground);
}

static void finalized_object_that_nobody_wants_goes_next_time(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak final;
  begin(&ground);
  struct rescue rescue = {&ground, NULL, 0};
  pl_finalizer_add(ground.heap, &final, new_pair(&ground, 7), on_final,
                   &rescue);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 48);
  pl_heap_run_finalizers(ground.heap);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 0);
  assert_int_equal(rescue.calls, 1);
  ground_end(&ground);
}

static void minor_collection_finalizes_if_the_policy_says_so(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak final[2];
  struct pl_heap_policy policy = pl_heap_policy_age_mark;
  policy.minor_clears_weak = true;
  ground_begin(&ground);
  ground.config.policy = &policy;
  assert_int_equal(ground_heap(&ground), 0);
  struct rescue rescue = {&ground, pl_handle(ground.heap, NULL), 0};
  for (int i = 0; i < 2; i++) {
    struct pair *pair = new_pair(&ground, 7);
    pl_finalizer_add(ground.heap, &final[i], pair, on_final, &rescue);
    pair->left = new_pair(&ground, 8);
  }
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.due, 2);
  assert_int_equal(ground.event.after, 4 * 48);
  pl_weak_remove(ground.heap, &final[1]);
  assert_int_equal(pl_heap_run_finalizers(ground.heap), 1);
  assert_int_equal(((struct pair *)*rescue.into)->left->number[0], 8);
  ground_end(&ground);
}

/* Everything that a finalizer may do, again and again. */
static void riot(struct pl_weak *weak, void *arg) {
  struct rescue *rescue = arg;
  struct pl_heap *heap = rescue->ground->heap;
  void **object = pl_handle(heap, weak->object);
  for (int i = 0; i < 100; i++)
    assert_non_null(new_pair(rescue->ground, 1));
  pl_heap_collect(heap, (enum pl_gc_kind)(rescue->calls % 4));
  assert_int_equal(((struct pair *)*object)->number[0], 5);
  if (++rescue->calls < 12) pl_finalizer_add(heap, weak, *object, riot, arg);
}

static void finalizer_may_allocate_collect_and_add_itself_again(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak final;
  begin(&ground);
  struct rescue rescue = {&ground, NULL, 0};
  pl_finalizer_add(ground.heap, &final, new_pair(&ground, 5), riot, &rescue);
  for (int i = 0; i < 12; i++) {
    pl_heap_collect(ground.heap, PL_GC_MAJOR);
    assert_int_equal(pl_heap_run_finalizers(ground.heap), 1);
  }
  assert_int_equal(rescue.calls, 12);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 0);
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* Holdings                                                               */

static void count_release(struct pl_weak *weak, void *arg) {
  assert_null(weak->object);
  ++*(int *)arg;
}

static void holding_is_released_by_the_collection_that_finds_its_object_dead(
    void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak holding[3];
  int released = 0;
  begin(&ground);
  void **kept = pl_handle(ground.heap, new_pair(&ground, 1));
  void **old = pl_handle(
      ground.heap, pl_heap_allocate_old(ground.heap, ground.pair, 40));
  pl_holding_add(ground.heap, &holding[0], *kept, count_release, &released,
                 100);
  pl_holding_add(ground.heap, &holding[1], new_pair(&ground, 2),
                 count_release, &released, 1000);
  pl_holding_add(ground.heap, &holding[2], *old, count_release, &released,
                 10000);
  assert_int_equal(external_of(&ground), 11100);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(released, 1);
  assert_int_equal(ground.event.released, 1000);
  *old = NULL;
  pl_holding_resize(ground.heap, &holding[0], 300);
  pl_heap_collect(ground.heap, PL_GC_MINOR); /* does not look at old ones */
  assert_int_equal(released, 1);
  assert_int_equal(external_of(&ground), 10300);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(released, 2);
  assert_int_equal(external_of(&ground), 300);
  pl_heap_destroy(ground.heap);
  ground.heap = NULL;
  assert_int_equal(released, 3);
  ground_end(&ground);
}

static void holding_of_a_resurrected_object_is_not_released(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak final, holding;
  int released = 0;
  begin(&ground);
  struct rescue rescue = {&ground, pl_handle(ground.heap, NULL), 0};
  struct pair *pair = new_pair(&ground, 7);
  pl_finalizer_add(ground.heap, &final, pair, on_final, &rescue);
  pl_holding_add(ground.heap, &holding, pair, count_release, &released, 50);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(pl_heap_run_finalizers(ground.heap), 1);
  assert_int_equal(released, 0);
  *rescue.into = NULL;
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(released, 1);
  ground_end(&ground);
}

static void young_holdings_ask_for_a_minor_collection_first(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak holding[64];
  int released = 0;
  ground_begin(&ground);
  ground.config.external_trigger = 1 * MIB;
  assert_int_equal(ground_heap(&ground), 0);
  for (int i = 0; i < 64; i++) { /* garbage: bounded by minor ones alone */
    pl_holding_add(ground.heap, &holding[i], new_pair(&ground, 2),
                   count_release, &released, 100 * KIB);
    assert_true(external_of(&ground) <= 1 * MIB + 100 * KIB);
  }
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.collections[PL_GC_MAJOR], 0);
  assert_true(stats.collections[PL_GC_MINOR] >= 4);
  assert_int_equal(ground.event.reason, PL_GC_EXTERNAL);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(released, 64);
  assert_int_equal(external_of(&ground), 0);
  ground_end(&ground);
}

static void holdings_that_live_lead_to_a_major_collection(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak holding[32];
  int released = 0;
  ground_begin(&ground);
  ground.config.external_trigger = 1 * MIB;
  assert_int_equal(ground_heap(&ground), 0);
  for (int i = 0; i < 32; i++) {
    void **kept = pl_handle(ground.heap, new_pair(&ground, 2));
    pl_holding_add(ground.heap, &holding[i], *kept, count_release, &released,
                   100 * KIB);
  }
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  assert_in_range(stats.collections[PL_GC_MAJOR], 1, 4);
  assert_int_equal(released, 0);
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* Ephemerons                                                             */

static void *value_of(struct ground *ground, struct pl_ephemerons *table,
                      void *key) {
  void *value = NULL;
  int error = pl_ephemeron_get(ground->heap, table, key, &value);
  if (error != 0) assert_int_equal(error, PL_ENOENT);
  return value;
}

static void entry_lives_as_long_as_its_key_and_follows_it(void **state) {
  (void)state;
  struct ground ground;
  struct pl_ephemerons table;
  begin(&ground);
  pl_ephemerons_add(ground.heap, &table, NULL);
  void **key = pl_handle(ground.heap, new_pair(&ground, 1));
  assert_int_equal(pl_ephemeron_set(ground.heap, &table, *key,
                                    new_pair(&ground, 2)), 0);
  for (int kind = PL_GC_MINOR; kind <= PL_GC_STEP; kind++)
    for (int i = 0; i < 3; i++) {
      pl_heap_collect(ground.heap, (enum pl_gc_kind)kind);
      struct pair *value = value_of(&ground, &table, *key);
      assert_non_null(value);
      assert_int_equal(value->number[0], 2);
    }
  *key = NULL;
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(table.count, 0);
  assert_int_equal(ground.event.after, 0);
  pl_ephemerons_remove(ground.heap, &table);
  ground_end(&ground);
}

static void value_that_refers_to_its_own_key_does_not_keep_it(void **state) {
  (void)state;
  struct ground ground;
  struct pl_ephemerons table;
  begin(&ground);
  pl_ephemerons_add(ground.heap, &table, NULL);
  struct pair *key = new_pair(&ground, 1), *value = new_pair(&ground, 2);
  value->left = key;
  assert_int_equal(pl_ephemeron_set(ground.heap, &table, key, value), 0);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(table.count, 0);
  assert_int_equal(ground.event.cleared, 1);
  assert_int_equal(ground.event.after, 0);
  pl_ephemerons_remove(ground.heap, &table);
  ground_end(&ground);
}

/* Each value is the next key: as badly ordered as can be. */
static void chain_of_many_ephemerons_lives_from_one_root(void **state) {
  (void)state;
  enum { LENGTH = 100000 };
  struct ground ground;
  struct pl_ephemerons table;
  ground_begin(&ground);
  ground.config.verify = false;
  ground.config.step_work = 16 * KIB;
  assert_int_equal(ground_heap(&ground), 0);
  pl_ephemerons_add(ground.heap, &table, NULL);
  void **first = pl_handle(ground.heap, NULL);
  for (int i = 0; i < LENGTH; i++) {
    struct pair *key = new_pair(&ground, (uint64_t)i);
    assert_int_equal(pl_ephemeron_set(ground.heap, &table, key, *first), 0);
    *first = key;
  }
  for (int kind = PL_GC_MINOR; kind <= PL_GC_COMPACT; kind++)
    pl_heap_collect(ground.heap, (enum pl_gc_kind)kind);
  while (pl_heap_step(ground.heap, 0, 0)) continue;
  assert_int_equal(table.count, LENGTH);
  int count = 0;
  for (struct pair *key = *first; key != NULL; count++)
    key = value_of(&ground, &table, key);
  assert_int_equal(count, LENGTH);
  *first = NULL;
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(table.count, 0);
  assert_int_equal(ground.event.after, 0);
  pl_ephemerons_remove(ground.heap, &table);
  ground_end(&ground);
}

static void table_of_a_dead_owner_loses_its_entries(void **state) {
  (void)state;
  for (int steps = 0; steps < 2; steps++) {
    struct ground ground;
    struct pl_ephemerons table;
    begin(&ground);
    void **key = pl_handle(ground.heap, new_pair(&ground, 1));
    void **owner = pl_handle(ground.heap, new_pair(&ground, 3));
    pl_ephemerons_add(ground.heap, &table, *owner);
    assert_int_equal(pl_ephemeron_set(ground.heap, &table, *key,
                                      new_pair(&ground, 2)), 0);
    pl_heap_collect(ground.heap, PL_GC_MAJOR); /* all old now */
    assert_int_equal(table.count, 1);
    assert_ptr_equal(table.owner, *owner);
    *owner = NULL;
    if (steps) while (pl_heap_step(ground.heap, 0, 0)) continue;
    else pl_heap_collect(ground.heap, PL_GC_MAJOR);
    assert_true(table.dead && table.count == 0);
    assert_int_equal(pl_ephemeron_set(ground.heap, &table, *key, NULL),
                     PL_EINVAL);
    pl_heap_collect(ground.heap, PL_GC_MAJOR);
    assert_int_equal(ground.event.after, 48);
    pl_ephemerons_remove(ground.heap, &table);
    ground_end(&ground);
  }
}

static void key_that_is_set_again_deleted_or_in_two_tables_is_told_apart(
    void **state) {
  (void)state;
  struct ground ground;
  struct pl_ephemerons table[2];
  begin(&ground);
  void **key = pl_handle(ground.heap, new_pair(&ground, 1));
  for (int i = 0; i < 2; i++) {
    pl_ephemerons_add(ground.heap, &table[i], NULL);
    assert_int_equal(pl_ephemeron_set(ground.heap, &table[i], *key,
                                      (void *)(uintptr_t)(i * 2 + 1)), 0);
  }
  assert_int_equal(pl_ephemeron_set(ground.heap, &table[0], *key,
                                    (void *)(uintptr_t)9), 0);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(table[0].count, 1);
  assert_ptr_equal(value_of(&ground, &table[0], *key), (void *)9);
  assert_ptr_equal(value_of(&ground, &table[1], *key), (void *)3);
  assert_int_equal(pl_ephemeron_delete(ground.heap, &table[0], *key), 0);
  assert_int_equal(pl_ephemeron_delete(ground.heap, &table[0], *key),
                   PL_ENOENT);
  assert_ptr_equal(value_of(&ground, &table[1], *key), (void *)3);
  pl_ephemerons_remove(ground.heap, &table[1]);
  pl_ephemerons_remove(ground.heap, &table[0]);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  ground_end(&ground);
}

static void refused_entry_changes_nothing(void **state) {
  (void)state;
  struct ground ground;
  struct pl_ephemerons table;
  begin(&ground);
  pl_ephemerons_add(ground.heap, &table, NULL);
  int refused = 0;
  for (int i = 0; i < 300; i++) {
    void **key = pl_handle(ground.heap, new_pair(&ground, 1));
    ground.refuse_at = 0;
    ground.refuse_all = 1;
    int error = pl_ephemeron_set(ground.heap, &table, *key, *key);
    ground.refuse_at = -1;
    if (error == 0) continue;
    refused++;
    assert_int_equal(error, PL_ENOMEM);
    assert_null(value_of(&ground, &table, *key));
    for (long second = 0; second < 2; second++) {
      ground.refuse_all = 0;
      ground.refuse_at = ground.calls + second;
      error = pl_ephemeron_set(ground.heap, &table, *key, *key);
      ground.refuse_at = -1;
      assert_int_equal(error, PL_ENOMEM);
    }
    assert_int_equal(pl_ephemeron_set(ground.heap, &table, *key, *key), 0);
  }
  assert_true(refused >= 5);
  assert_int_equal(table.count, 300);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(table.count, 300);
  pl_ephemerons_remove(ground.heap, &table);
  ground_end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finalizer_gets_the_object_and_may_make_it_reachable),
      cmocka_unit_test(finalized_object_that_nobody_wants_goes_next_time),
      cmocka_unit_test(minor_collection_finalizes_if_the_policy_says_so),
      cmocka_unit_test(finalizer_may_allocate_collect_and_add_itself_again),
      cmocka_unit_test(
          holding_is_released_by_the_collection_that_finds_its_object_dead),
      cmocka_unit_test(holding_of_a_resurrected_object_is_not_released),
      cmocka_unit_test(young_holdings_ask_for_a_minor_collection_first),
      cmocka_unit_test(holdings_that_live_lead_to_a_major_collection),
      cmocka_unit_test(entry_lives_as_long_as_its_key_and_follows_it),
      cmocka_unit_test(value_that_refers_to_its_own_key_does_not_keep_it),
      cmocka_unit_test(chain_of_many_ephemerons_lives_from_one_root),
      cmocka_unit_test(table_of_a_dead_owner_loses_its_entries),
      cmocka_unit_test(
          key_that_is_set_again_deleted_or_in_two_tables_is_told_apart),
      cmocka_unit_test(refused_entry_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

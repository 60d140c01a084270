/* SPDX-License-Identifier: MIT */
/*
 * test_heap_ages.c: when objects are young, old and gone, by policy.
 *
 * An age table is a word: the age of an object after its birth, after the
 * first collection, and so on. Y young, O old, - gone.
 *
 * Invariant: the words are those of the literature and of real runtimes.
 */
#include "ground.h"

static char age_of(const void *object) {
  if (object == NULL) return '-';
  return pl_heap_is_old(object) ? 'O' : 'Y';
}

static void begin(struct ground *ground, const struct pl_heap_policy *policy) {
  ground_begin(ground);
  ground->config.policy = policy;
  assert_int_equal(ground_heap(ground), 0);
}

/* The ages of a pair through collections; `kinds` is a word of m and M. */
static void check_ages(const struct pl_heap_policy *policy, const char *kinds,
                       const char *expected) {
  struct ground ground;
  begin(&ground, policy);
  void **handle = pl_handle(ground.heap, new_pair(&ground, 7));
  assert_int_equal(age_of(*handle), expected[0]);
  for (size_t i = 0; kinds[i] != 0; i++) {
    pl_heap_collect(ground.heap,
                    kinds[i] == 'm' ? PL_GC_MINOR : PL_GC_MAJOR);
    if (age_of(*handle) != expected[i + 1])
      fail_msg("%s, %s: after %zu collections the object is %c, not %c",
               policy->name, kinds, i + 1, age_of(*handle), expected[i + 1]);
  }
  assert_int_equal(((struct pair *)*handle)->number[0], 7);
  ground_end(&ground);
}

static void object_is_promoted_by_the_second_minor_collection_it_survives(
    void **state) {
  (void)state;
  check_ages(&pl_heap_policy_classic, "mmm", "YYOO");
  check_ages(&pl_heap_policy_age_mark, "mmm", "YYOO");
}

static void full_collection_promotes_every_survivor_or_counts_as_one_more(
    void **state) {
  (void)state;
  check_ages(&pl_heap_policy_age_mark, "MM", "YOO");
  check_ages(&pl_heap_policy_classic, "M", "YO");
  check_ages(&pl_heap_policy_age_mark, "mM", "YYO");
  const struct pl_heap_policy ageing = {.name = "ageing"};
  check_ages(&ageing, "MM", "YYO");
  check_ages(&ageing, "mM", "YYO");
}

static void age_is_of_each_object_and_not_of_the_space(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground, &pl_heap_policy_age_mark);
  void **a = pl_handle(ground.heap, new_pair(&ground, 1));
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  void **b = pl_handle(ground.heap, new_pair(&ground, 2));
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(age_of(*a), 'O');
  assert_int_equal(age_of(*b), 'Y');
  ground_end(&ground);
}

static void young_child_of_an_old_object_is_not_promoted_early(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground, &pl_heap_policy_age_mark);
  void **old = pl_handle(ground.heap, pl_heap_allocate_old(
                                          ground.heap, ground.pair,
                                          sizeof(struct pair)));
  struct pair *child = new_pair(&ground, 2);
  struct pair *parent = *old;
  pl_heap_write(ground.heap, parent, &parent->left, child);
  char ages[4] = {age_of(parent->left)};
  for (int i = 0; i < 2; i++) {
    pl_heap_collect(ground.heap, PL_GC_MINOR);
    ages[i + 1] = age_of(((struct pair *)*old)->left);
  }
  assert_string_equal(ages, "YYO");
  ground_end(&ground);
}

/* Fills `bytes` of the semi-space with live data objects of 1 KiB. */
static void fill(struct ground *ground, size_t bytes) {
  void **list = pl_handle(ground->heap, NULL);
  for (size_t done = 0; done < bytes; done += KIB) {
    struct pair *pair = pl_heap_allocate(ground->heap, ground->pair, KIB - 8);
    assert_non_null(pair);
    pair->left = *list;
    *list = pair;
  }
}

static void classic_scavenge_keeps_no_more_than_a_quarter_of_to_space(
    void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.policy = &pl_heap_policy_classic;
  ground.config.semi_initial = 1 * MIB;
  assert_int_equal(ground_heap(&ground), 0);
  fill(&ground, 1015 * KIB);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.copied, 255 * KIB);
  assert_int_equal(ground.event.promoted, (1015 - 255) * KIB);
  ground_end(&ground);
}

static void age_mark_scavenge_promotes_nothing_new_however_full_it_is(
    void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.policy = &pl_heap_policy_age_mark;
  ground.config.semi_initial = 1 * MIB;
  assert_int_equal(ground_heap(&ground), 0);
  fill(&ground, 1015 * KIB);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.copied, 1015 * KIB);
  assert_int_equal(ground.event.promoted, 0);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.copied, 0);
  assert_int_equal(ground.event.promoted, 1015 * KIB);
  ground_end(&ground);
}

static void object_exactly_at_the_quarter_is_promoted(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground, &pl_heap_policy_classic); /* capacity 256 KiB */
  void **a = pl_handle(ground.heap, pl_heap_allocate(ground.heap, ground.data,
                                                     64 * KIB - 8 - 16));
  void **b =
      pl_handle(ground.heap, pl_heap_allocate(ground.heap, ground.data, 8));
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(age_of(*a), 'Y'); /* 65520 of 65536 bytes */
  assert_int_equal(age_of(*b), 'O'); /* would make it 65536: not less */
  ground_end(&ground);
}

static void semi_space_doubles_when_as_much_as_it_holds_has_survived(
    void **state) {
  (void)state;
  struct ground ground;
  struct pl_heap_stats stats;
  begin(&ground, &pl_heap_policy_age_mark);
  for (int i = 0; i < 100000; i++)
    assert_non_null(new_pair(&ground, 0)); /* garbage */
  pl_heap_stats(ground.heap, &stats);
  assert_true(stats.collections[PL_GC_MINOR] >= 18);
  assert_int_equal(stats.semi_capacity, 256 * KIB);
  fill(&ground, 200 * KIB);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.semi_capacity, 512 * KIB);
  fill(&ground, 4 * MIB);
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.semi_capacity, 1 * MIB); /* its maximum */
  ground_end(&ground);
}

static void young_cycle_dies_in_one_minor_collection(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground, &pl_heap_policy_age_mark);
  struct pair *a = new_pair(&ground, 1);
  struct pair *b = new_pair(&ground, 2);
  a->left = b;
  b->left = a;
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.before, 96);
  assert_int_equal(ground.event.after, 0);
  ground_end(&ground);
}

static void dead_cycle_across_generations_dies_in_a_major_collection_only(
    void **state) {
  (void)state;
  struct ground ground;
  begin(&ground, &pl_heap_policy_age_mark);
  struct pair *old =
      pl_heap_allocate_old(ground.heap, ground.pair, sizeof *old);
  struct pair *young = new_pair(&ground, 2);
  pl_heap_write(ground.heap, old, &old->left, young);
  pl_heap_write(ground.heap, young, &young->left, old);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.after, 96); /* nepotism */
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 0);
  ground_end(&ground);
}

static void promoted_garbage_waits_for_a_major_collection(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground, &pl_heap_policy_age_mark);
  void **handle = pl_handle(ground.heap, new_pair(&ground, 1));
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  *handle = NULL;
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.after, 48);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 0);
  ground_end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          object_is_promoted_by_the_second_minor_collection_it_survives),
      cmocka_unit_test(
          full_collection_promotes_every_survivor_or_counts_as_one_more),
      cmocka_unit_test(age_is_of_each_object_and_not_of_the_space),
      cmocka_unit_test(young_child_of_an_old_object_is_not_promoted_early),
      cmocka_unit_test(
          classic_scavenge_keeps_no_more_than_a_quarter_of_to_space),
      cmocka_unit_test(
          age_mark_scavenge_promotes_nothing_new_however_full_it_is),
      cmocka_unit_test(object_exactly_at_the_quarter_is_promoted),
      cmocka_unit_test(
          semi_space_doubles_when_as_much_as_it_holds_has_survived),
      cmocka_unit_test(young_cycle_dies_in_one_minor_collection),
      cmocka_unit_test(
          dead_cycle_across_generations_dies_in_a_major_collection_only),
      cmocka_unit_test(promoted_garbage_waits_for_a_major_collection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

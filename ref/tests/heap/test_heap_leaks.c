/* SPDX-License-Identifier: MIT */
/*
 * test_heap_leaks.c: statistics and leak events. The rules themselves are held
 * by the suite's cases; here stands what it does not ask for: exact rules,
 * great numbers, a heap's own events.
 */
#include "ground.h"
#include "plumb/leaks.h"

static void
growing_heap_announces_a_leak_at_each_fifth_major_collection(void **state) {
  (void)state;
  struct ground ground;
  struct pl_leaks leaks;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  pl_leaks_init(&leaks, PL_LEAKS_EXACT);
  void **list = pl_handle(ground.heap, NULL);
  static const enum pl_gc_kind kinds[] = {PL_GC_MAJOR, PL_GC_COMPACT};
  for (int round = 1; round <= 10; round++) {
    for (int i = 0; i < 100; i++) {
      struct pair *pair = new_pair(&ground, 0);
      pair->left = *list;
      *list = pair;
    }
    pl_heap_collect(ground.heap, PL_GC_MINOR);
    assert_int_equal(pl_leaks_on_gc(&leaks, &ground.event), 0);
    if (round == 7) { /* in steps: the steps are none, their end is one */
      while (pl_heap_step(ground.heap, 0, 4000) &&
             ground.event.kind == PL_GC_STEP)
        assert_int_equal(pl_leaks_on_gc(&leaks, &ground.event), 0);
      assert_true(ground.event.incremental);
    } else {
      pl_heap_collect(ground.heap, kinds[round % 2]);
    }
    int told = pl_leaks_on_gc(&leaks, &ground.event);
    assert_int_equal(told, round % 5 == 0 ? PL_LEAKS_STATS | PL_LEAKS_LEAK
                                          : PL_LEAKS_STATS);
    assert_int_equal(leaks.current_base, ground.event.after);
  }
  assert_int_equal(leaks.full, 10);
  assert_int_equal(leaks.others, 10);
  assert_int_equal(leaks.leaks, 2);
  assert_true(leaks.leak_bytes >= 4 * 4800);
  assert_true(
      strncmp(leaks.reason, "heap growth over 5 consecutive GCs (", 36) == 0);
  ground_end(&ground);
}

static void steady_heap_announces_nothing(void **state) {
  (void)state;
  struct ground ground;
  struct pl_leaks leaks;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  pl_leaks_init(&leaks, PL_LEAKS_EXACT);
  assert_non_null(pl_handle(ground.heap, new_pair(&ground, 1)));
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 100; i++)
      assert_non_null(new_pair(&ground, 0));
    pl_heap_collect(ground.heap, PL_GC_MAJOR);
    assert_int_equal(pl_leaks_on_gc(&leaks, &ground.event), PL_LEAKS_STATS);
  }
  assert_int_equal(leaks.usage_trend * 10, 0);
  assert_string_equal(leaks.reason, "");
  ground_end(&ground);
}

/* Five collections that grow by `step` each. */
static const char *reason_of(struct pl_leaks *leaks, enum pl_leaks_rules rules,
                             uint64_t step, uint64_t seconds) {
  pl_leaks_init(leaks, rules);
  for (uint64_t i = 1; i <= 5; i++)
    pl_leaks_collection(leaks, true, i * step, i * seconds);
  return leaks->reason;
}

static void exact_reason_has_no_rate_of_no_time_and_no_overflow(void **state) {
  (void)state;
  struct pl_leaks leaks;
  const uint64_t gib = UINT64_C(1) << 30;
  assert_string_equal(reason_of(&leaks, PL_LEAKS_EXACT, 1000, 0),
                      "heap growth over 5 consecutive GCs (0s) - 3.91 kb");
  assert_string_equal(
      reason_of(&leaks, PL_LEAKS_EXACT, gib, 1),
      "heap growth over 5 consecutive GCs (4s) - 3686400 mb/hr");
}

static void
memwatch_overflows_what_is_more_than_two_gigabytes_an_hour(void **state) {
  (void)state;
  struct pl_leaks leaks;
  const uint64_t mib = UINT64_C(1) << 20;
  const char *over =
      "heap growth over 5 consecutive GCs (4s) - -2147483648 bytes/hr";
  assert_string_equal(reason_of(&leaks, PL_LEAKS_MEMWATCH, mib, 1), over);
  assert_string_equal(reason_of(&leaks, PL_LEAKS_EXACT, mib, 1),
                      "heap growth over 5 consecutive GCs (4s) - 3600 mb/hr");
}

static void trend_of_a_heap_of_many_gigabytes_is_exact(void **state) {
  (void)state;
  struct pl_leaks leaks;
  const uint64_t gib = UINT64_C(1) << 30;
  pl_leaks_init(&leaks, PL_LEAKS_EXACT);
  for (int i = 0; i < 10; i++)
    pl_leaks_collection(&leaks, true, 100 * gib, 0);
  pl_leaks_collection(&leaks, true, 50 * gib, 0);
  assert_int_equal(leaks.current_base, 50 * gib);
  assert_int_equal(leaks.estimated_base, 95 * gib);
  assert_true(leaks.usage_trend < 0);
  assert_int_equal(leaks.min, 50 * gib);
  assert_int_equal(leaks.max, 100 * gib);
}

static void greatest_numbers_fit_the_reason(void **state) {
  (void)state;
  for (int rules = 0; rules < 2; rules++) {
    struct pl_leaks leaks;
    pl_leaks_init(&leaks, (enum pl_leaks_rules)rules);
    for (uint64_t i = 0; i < 5; i++)
      pl_leaks_collection(&leaks, true, i == 0 ? 1 : UINT64_MAX - 4 + i,
                          i == 4 ? UINT64_MAX : 0);
    assert_true(strlen(leaks.reason) < PL_LEAKS_REASON - 1);
    assert_int_equal(leaks.leaks, 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          growing_heap_announces_a_leak_at_each_fifth_major_collection),
      cmocka_unit_test(steady_heap_announces_nothing),
      cmocka_unit_test(exact_reason_has_no_rate_of_no_time_and_no_overflow),
      cmocka_unit_test(
          memwatch_overflows_what_is_more_than_two_gigabytes_an_hour),
      cmocka_unit_test(trend_of_a_heap_of_many_gigabytes_is_exact),
      cmocka_unit_test(greatest_numbers_fit_the_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_heap_pauses.c: histograms, utilization, and that the logical clock tells
 * the same whatever the wall clock does.
 *
 * Invariant: utilization is held against the definition itself: every window,
 * one by one.
 */
#include "ground.h"

#include "plumb/pauses.h"

#include <math.h>

static void values_below_thirty_two_are_exact(void **state) {
  (void)state;
  struct pl_histogram histogram = {0};
  assert_int_equal(pl_histogram_quantile(&histogram, 0.5), 0);
  for (uint64_t i = 1; i <= 31; i++)
    pl_histogram_add(&histogram, i);
  assert_int_equal(pl_histogram_quantile(&histogram, 0), 1);
  assert_int_equal(pl_histogram_quantile(&histogram, 0.5), 16);
  assert_int_equal(pl_histogram_quantile(&histogram, 1), 31);
}

static void any_quantile_is_known_to_one_part_in_thirty_two(void **state) {
  (void)state;
  struct pl_histogram histogram = {0};
  for (uint64_t i = 1; i <= 100000; i++)
    pl_histogram_add(&histogram, i * 37);
  const double quantiles[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
  for (int i = 0; i < 6; i++) {
    double exact = quantiles[i] * 3700000;
    double told = (double)pl_histogram_quantile(&histogram, quantiles[i]);
    assert_true(told >= exact && told <= exact * 33 / 32 + 37);
  }
  assert_int_equal(pl_histogram_quantile(&histogram, 1), 3700000);
  pl_histogram_add(&histogram, UINT64_MAX);
  assert_true(pl_histogram_quantile(&histogram, 1) == UINT64_MAX);
}

static void add(struct pl_pauses *pauses, uint64_t start, uint64_t length) {
  const struct pl_gc_event event = {.start_ns = start, .pause_ns = length};
  assert_int_equal(pl_pauses_add(pauses, &event), 0);
}

/* By the definition. */
static double slow_mmu(const struct pl_pauses *pauses, uint64_t end,
                       uint64_t window) {
  double least = 1;
  for (uint64_t from = 0; from + window <= end; from++) {
    uint64_t time = 0;
    for (uint64_t at = from; at < from + window; at++)
      for (size_t i = 0; i < pauses->count; i++)
        time += at - pauses->list[PL_PAUSE_WALL][i].start <
                pauses->list[PL_PAUSE_WALL][i].length;
    double share = 1 - (double)time / (double)window;
    if (share < least) least = share;
  }
  return least;
}

static void utilization_is_the_least_of_all_windows(void **state) {
  (void)state;
  uint64_t random = 11;
  for (int round = 0; round < 30; round++) {
    struct pl_pauses pauses;
    pl_pauses_init(&pauses, NULL);
    uint64_t now = 0;
    for (int i = 0; i < 8; i++) {
      now += ground_random(&random) % 12;
      uint64_t length = ground_random(&random) % 7;
      add(&pauses, now, length);
      now += length;
    }
    now += ground_random(&random) % 5;
    for (uint64_t window = 1; window <= now; window++) {
      double mmu = pl_pauses_mmu(&pauses, PL_PAUSE_WALL, 0, now, window);
      assert_true(fabs(mmu - slow_mmu(&pauses, now, window)) < 1e-9);
    }
    pl_pauses_free(&pauses);
  }
}

static void utilization_of_no_time_and_of_more_than_all_is_defined(
    void **state) {
  (void)state;
  struct pl_pauses pauses;
  pl_pauses_init(&pauses, NULL);
  assert_true(pl_pauses_mmu(&pauses, PL_PAUSE_WALL, 0, 0, 5) == 1);
  assert_true(pl_pauses_mmu(&pauses, PL_PAUSE_WALL, 0, 10, 0) == 1);
  add(&pauses, 4, 2);
  assert_true(pl_pauses_mmu(&pauses, PL_PAUSE_WALL, 0, 10, 0) == 0);
  assert_true(fabs(pl_pauses_mmu(&pauses, PL_PAUSE_WALL, 0, 10, 99) - 0.8) <
              1e-9);
  pl_pauses_free(&pauses);
}

static uint64_t hasty(void *self) {
  uint64_t *now = self;
  return *now += 77;
}

/* A program that collects in every way; returns a digest of its record. */
static double digest_of_a_run(bool other_clock) {
  struct ground ground;
  struct pl_pauses pauses;
  uint64_t now = 0;
  ground_begin(&ground);
  pl_pauses_init(&pauses, NULL);
  ground.config.verify = false;
  ground.config.step_work = 8 * KIB;
  ground.config.old_trigger = 500 * KIB;
  if (other_clock) ground.config.clock = (struct pl_heap_clock){hasty, &now};
  ground.config.arg = &pauses;
  ground.config.on_event = pl_pauses_on_event;
  ground.config.near_limit = NULL;
  assert_int_equal(ground_heap(&ground), 0);
  void **list = pl_handle(ground.heap, NULL);
  for (int i = 0; i < 400000; i++) {
    struct pair *pair = new_pair(&ground, 1);
    if (i % 3 == 0) {
      pair->left = *list;
      *list = i % 120000 == 0 ? NULL : pair;
    }
  }
  const struct pl_histogram *work = &pauses.histogram[PL_PAUSE_LOGICAL];
  assert_true(pauses.complete && pauses.count > 20);
  uint64_t end = pauses.work + 400000 * 48;
  double digest = (double)work->max;
  for (uint64_t window = 1000; window < end; window *= 3)
    digest = digest * 1.25 +
             pl_pauses_mmu(&pauses, PL_PAUSE_LOGICAL, 0, end, window);
  for (int q = 1; q < 20; q++)
    digest += (double)pl_histogram_quantile(work, q / 20.0);
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  assert_true(stats.collections[PL_GC_STEP] > 0);
  assert_int_equal(stats.work, pauses.work);
  pl_pauses_free(&pauses);
  ground_end(&ground);
  return digest;
}

static void logical_clock_tells_the_same_whatever_the_wall_clock_does(
    void **state) {
  (void)state;
  assert_true(digest_of_a_run(false) == digest_of_a_run(true));
}

static void shortage_of_memory_is_told_and_the_histogram_goes_on(
    void **state) {
  (void)state;
  struct ground ground;
  struct pl_pauses pauses;
  ground_begin(&ground);
  for (long call = 0; call < 2; call++) {
    pl_pauses_init(&pauses, &ground.config.memory);
    ground.calls = 0;
    ground.refuse_at = call;
    const struct pl_gc_event event = {.pause_ns = 5};
    assert_int_equal(pl_pauses_add(&pauses, &event), PL_ENOMEM);
    assert_false(pauses.complete);
    assert_int_equal(pauses.histogram[PL_PAUSE_WALL].count, 1);
    ground.refuse_at = -1;
    assert_int_equal(pl_pauses_add(&pauses, &event), 0);
    pl_pauses_free(&pauses);
  }
  ground_end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_below_thirty_two_are_exact),
      cmocka_unit_test(any_quantile_is_known_to_one_part_in_thirty_two),
      cmocka_unit_test(utilization_is_the_least_of_all_windows),
      cmocka_unit_test(utilization_of_no_time_and_of_more_than_all_is_defined),
      cmocka_unit_test(
          logical_clock_tells_the_same_whatever_the_wall_clock_does),
      cmocka_unit_test(
          shortage_of_memory_is_told_and_the_histogram_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

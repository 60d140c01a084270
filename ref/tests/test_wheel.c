/* SPDX-License-Identifier: MIT */
/*
 * test_wheel.c: the timing wheel against a naive model: sort by (due, order).
 *
 * Invariant: the seed is fixed, so a failure comes back.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static int by_due_and_order(const void *a, const void *b) {
  const struct pl_timer *x = *(struct pl_timer *const *)a;
  const struct pl_timer *y = *(struct pl_timer *const *)b;
  if (x->due != y->due) return x->due < y->due ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static struct pl__wheel *new_wheel(uint64_t base) {
  struct pl__wheel *wheel = malloc(sizeof *wheel);
  assert_non_null(wheel);
  pl__wheel_init(wheel, base);
  return wheel;
}

/* Empties the wheel up to `until` in steps and compares with `model`. */
static void fire_all(struct pl__wheel *wheel, struct pl_timer **model,
                     size_t count, uint64_t step) {
  uint64_t now = wheel->base;
  for (size_t fired = 0; fired < count; now += step) {
    struct pl_timer *timer;
    while ((timer = pl__wheel_seek(wheel, now)) != NULL) {
      assert_ptr_equal(timer, model[fired]);
      assert_true(timer->due == wheel->base);
      assert_true(timer->due <= now);
      pl__wheel_remove(wheel, timer);
      fired++;
    }
    if (fired < count) {
      assert_true(model[fired]->due > now);
      assert_true(pl__wheel_next(wheel, SIZE_MAX) == model[fired]->due);
      uint64_t bound = pl__wheel_next(wheel, 4);
      assert_true(bound > now && bound <= model[fired]->due);
    }
  }
  assert_int_equal(wheel->count, 0);
  assert_true(pl__wheel_next(wheel, SIZE_MAX) == UINT64_MAX);
}

/* Arms `count` timers within `range` ms while time passes, moves a third of
 * them and cancels a tenth, then fires the rest. */
static void check_random(size_t count, uint64_t range, uint64_t step,
                         uint64_t base) {
  struct pl__wheel *wheel = new_wheel(base);
  struct pl_timer *timers = calloc(count, sizeof *timers);
  struct pl_timer **model = calloc(count, sizeof *model);
  bool *armed = calloc(count, sizeof *armed);
  assert_non_null(timers);
  assert_non_null(model);
  assert_non_null(armed);
  for (size_t i = 0; i < count; i++) {
    timers[i].due = wheel->base + next_random() % range;
    pl__wheel_add(wheel, &timers[i]);
    armed[i] = true;
    size_t other = next_random() % (i + 1);
    if (armed[other] && next_random() % 3 == 0)
      pl__wheel_move(wheel, &timers[other],
                     wheel->base + next_random() % range);
    if (armed[other] && next_random() % 10 == 0) {
      pl__wheel_remove(wheel, &timers[other]);
      armed[other] = false;
    }
    /* Time passes, but nothing is fired yet: up to the next due time. */
    if (next_random() % 4 == 0 && wheel->count != 0) {
      uint64_t next = pl__wheel_next(wheel, SIZE_MAX);
      if (next > wheel->base) assert_null(pl__wheel_seek(wheel, next - 1));
    }
  }
  size_t left = 0;
  for (size_t i = 0; i < count; i++)
    if (armed[i]) model[left++] = &timers[i];
  qsort(model, left, sizeof *model, by_due_and_order);
  fire_all(wheel, model, left, step);
  free(armed);
  free(model);
  free(timers);
  free(wheel);
}

static void
a_hundred_thousand_timers_fire_by_due_time_and_start_order(void **unused) {
  (void)unused;
  state = 0x9e3779b97f4a7c15;
  check_random(100000, 300, 7, 1000);
}

static void timers_of_every_level_fire_in_order(void **unused) {
  (void)unused;
  state = 12345;
  check_random(20000, 5000, 100, 255);
  check_random(20000, UINT64_C(1) << 20, 60000, 65535);
  check_random(20000, UINT64_C(1) << 30, 10000000, 16777215);
}

static void timers_beyond_the_last_level_fire_in_order(void **unused) {
  (void)unused;
  state = 777;
  check_random(1000, UINT64_C(1) << 36, UINT64_C(1) << 31, 1);
  check_random(1000, UINT64_C(1) << 62, UINT64_C(1) << 58,
               (UINT64_C(1) << 32) - 3);
}

static void wheels_that_begin_at_any_time_keep_the_order(void **unused) {
  (void)unused;
  state = 4242;
  for (int i = 0; i < 300; i++) {
    uint64_t range = UINT64_C(1) << (1 + next_random() % 20);
    check_random(50, range, 1 + range / 8, next_random() >> 20);
  }
}

static void
a_timer_moved_to_a_later_time_fires_behind_those_already_there(void **unused) {
  (void)unused;
  struct pl__wheel *wheel = new_wheel(0);
  struct pl_timer moved = {.due = 10}, old = {.due = 20}, new = {.due = 20};
  pl__wheel_add(wheel, &moved);
  pl__wheel_add(wheel, &old);
  pl__wheel_move(wheel, &moved, 20);
  pl__wheel_add(wheel, &new);
  struct pl_timer *order[] = {&old, &moved, &new};
  fire_all(wheel, order, 3, 1);
  free(wheel);
}

static void
a_timer_moved_to_its_own_time_goes_behind_its_equals(void **unused) {
  (void)unused;
  struct pl__wheel *wheel = new_wheel(5);
  struct pl_timer a = {.due = 9}, b = {.due = 9};
  pl__wheel_add(wheel, &a);
  pl__wheel_add(wheel, &b);
  pl__wheel_move(wheel, &a, 9);
  struct pl_timer *order[] = {&b, &a};
  fire_all(wheel, order, 2, 1);
  free(wheel);
}

/* Sorts `count` timers with the given orders; `due` is their place before. */
static void check_sort(const uint64_t *orders, size_t count) {
  struct pl_timer *timers = calloc(count, sizeof *timers);
  struct pl_link list;
  pl__link_init(&list);
  for (size_t i = 0; i < count; i++) {
    timers[i].order = orders[i];
    timers[i].due = i;
    pl__list_append(&list, &timers[i].head.link);
  }
  pl__list_sort(&list, PL__KEY(struct pl_timer, order));
  size_t seen = 0;
  for (struct pl_link *link = list.next; link != &list; link = link->next) {
    assert_ptr_equal(link->next->prev, link);
    seen++;
    if (link->next == &list) break;
    struct pl_timer *a = PL__OWNER(link, struct pl_timer, head.link);
    struct pl_timer *b = PL__OWNER(link->next, struct pl_timer, head.link);
    assert_true(a->order < b->order ||
                (a->order == b->order && a->due < b->due));
  }
  assert_int_equal(seen, count);
  free(timers);
}

static void a_list_is_sorted_and_equal_keys_keep_their_places(void **unused) {
  (void)unused;
  enum { MOST = 1000 };
  static const size_t counts[] = {0, 1, 2, 3, 63, 64, 65, MOST};
  static const uint64_t ranges[] = {1, 2, 100, 511, 512, 513, UINT64_MAX};
  uint64_t orders[MOST];
  state = 99;
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
      for (int shift = 0; shift < 64; shift += 21) {
        uint64_t base = UINT64_MAX - ranges[r] - 5;
        for (size_t i = 0; i < counts[c]; i++)
          orders[i] = base + (next_random() << shift) % ranges[r];
        check_sort(orders, counts[c]);
      }
}

static void a_list_of_sorted_runs_is_merged(void **unused) {
  (void)unused;
  enum { COUNT = 240 };
  uint64_t orders[COUNT];
  for (size_t runs = 1; runs <= COUNT; runs++) {
    for (size_t i = 0; i < COUNT; i++)
      orders[i] = i * runs % COUNT;
    check_sort(orders, COUNT);
  }
}

/* All but a few keys are close together: dealing out by first digits leaves
 * them in one heap, and does so again. */
static void a_list_whose_keys_lie_in_one_corner_is_sorted(void **unused) {
  (void)unused;
  enum { COUNT = 4000 };
  static uint64_t orders[COUNT];
  state = 31;
  for (unsigned far = 20; far < 64; far += 4) {
    for (size_t i = 0; i < COUNT; i++)
      orders[i] = next_random() % (COUNT / 2);
    orders[COUNT / 3] = UINT64_C(1) << far;
    orders[COUNT / 2] = UINT64_C(1) << far / 2;
    orders[COUNT - 1] = UINT64_MAX;
    check_sort(orders, COUNT);
  }
}

/* Timers that stand in one slot as they lie in memory, started again in a
 * random order: those of the first `far` places long before the others; a
 * fifth of them for a later time than the others. */
static void check_crowd(size_t count, size_t far) {
  struct pl__wheel *wheel = new_wheel(1000);
  struct pl_timer *timers = calloc(count, sizeof *timers);
  struct pl_timer **model = calloc(count, sizeof *model);
  assert_non_null(timers);
  assert_non_null(model);
  for (size_t i = 0; i < count; i++) {
    timers[i].due = 1010 + i % 3;
    pl__wheel_add(wheel, &timers[i]);
    model[i] = &timers[i];
  }
  for (size_t i = 1; i < count; i++) {
    size_t least = i < far ? 0 : far;
    size_t other = least + next_random() % (i - least + 1);
    struct pl_timer *kept = model[i];
    model[i] = model[other];
    model[other] = kept;
  }
  for (size_t i = 0; i < count; i++) {
    if (i == far) wheel->starts += UINT64_C(1) << 40;
    uint64_t due = next_random() % 5 == 0 ? 1040 + next_random() % 2000 : 1040;
    pl__wheel_move(wheel, model[i], due);
  }
  qsort(model, count, sizeof *model, by_due_and_order);
  fire_all(wheel, model, count, 7);
  free(timers);
  free(model);
  free(wheel);
}

static void a_crowded_slot_is_sorted_and_left_by_who_is_not_due(void **unused) {
  (void)unused;
  state = 4711;
  for (size_t count = 200; count <= 6400; count *= 2) {
    check_crowd(count, 0);
    check_crowd(count, 150);
    check_crowd(count, 300);
    check_crowd(count, count / 2);
    check_crowd(count, count - 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          a_hundred_thousand_timers_fire_by_due_time_and_start_order),
      cmocka_unit_test(timers_of_every_level_fire_in_order),
      cmocka_unit_test(timers_beyond_the_last_level_fire_in_order),
      cmocka_unit_test(wheels_that_begin_at_any_time_keep_the_order),
      cmocka_unit_test(
          a_timer_moved_to_a_later_time_fires_behind_those_already_there),
      cmocka_unit_test(a_timer_moved_to_its_own_time_goes_behind_its_equals),
      cmocka_unit_test(a_list_is_sorted_and_equal_keys_keep_their_places),
      cmocka_unit_test(a_list_of_sorted_runs_is_merged),
      cmocka_unit_test(a_list_whose_keys_lie_in_one_corner_is_sorted),
      cmocka_unit_test(a_crowded_slot_is_sorted_and_left_by_who_is_not_due),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

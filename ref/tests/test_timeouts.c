/* SPDX-License-Identifier: MIT */
/*
 * test_timeouts.c: setTimeout and setInterval.
 *
 * Invariant: virtual time; every trace here is exact, and where Node has an
 * opinion it was taken from Node 20.
 */
#include "world.h"

#include <stdlib.h>

static void delays_are_coerced_as_node_does(void **unused) {
  (void)unused;
  const double delays[] = {-5,           0,    0.0 / 0.0, 1.0 / 0.0, -1.0 / 0.0,
                           2147483648.0, 0.99, 1,         1.9};
  for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
    struct world *world = world_begin();
    soon_timeout(world, delays[i], "t", NULL);
    assert_int_equal(pl_loop_backend_timeout(world->loop), 1);
    world_end(world);
  }
  struct world *world = world_begin();
  soon_timeout(world, 2147483647.0, "t", NULL);
  assert_int_equal(pl_loop_backend_timeout(world->loop), INT32_MAX);
  world_end(world);
}

static void an_overdue_list_runs_whole_before_the_next_list(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timeout(world, 10, "a10", NULL);
  soon_timeout(world, 14, "b14", NULL);
  world_block(world, 8);
  soon_timeout(world, 10, "c10", NULL);
  world_block(world, 50);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a10 c10 b14");
  world_end(world);
}

static void a_timeout_counts_from_a_fresh_clock(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  world_block(world, 30);
  struct act *timeout = soon_timeout(world, 10, "t", NULL);
  assert_int_equal(timeout->as.timeout.start, 1030);
  assert_int_equal(pl_loop_now(world->loop), 1030);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(pl_loop_now(world->loop), 1040);
  world_end(world);
}

static void block_and_immediate(struct act *self) {
  world_block(self->world, 30);
  soon_immediate(self->world, "i", NULL);
}

static void a_pass_uses_one_clock_reading(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timeout(world, 1, "a", block_and_immediate);
  soon_timeout(world, 20, "other-list", NULL);
  world_block(world, 5);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a i other-list");
  soon_timeout(world, 20, "a", block_and_immediate);
  world_block(world, 15);
  soon_timeout(world, 20, "same-list", NULL);
  world_block(world, 10);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a i same-list");
  world_end(world);
}

static void new_and_block(struct act *self) {
  soon_timeout(self->world, 1, "new", NULL);
  block_and_immediate(self);
}

static void a_new_timeout_never_joins_the_running_pass(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timeout(world, 1, "a", new_and_block);
  soon_timeout(world, 1, "b", NULL);
  world_block(world, 5);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a b i new");
  world_end(world);
}

static void work_40_ms(struct act *self) {
  world_block(self->world, 40);
  if (self->calls == 3) pl_timeout_clear(&self->as.timeout);
}

static void an_interval_counts_from_the_start_of_its_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *interval = act_timeout(world, "t", work_40_ms);
  pl_timeout_start(&interval->as.timeout, 60, 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "t t t");
  pl_loop_update_time(world->loop);
  assert_int_equal(pl_loop_now(world->loop), 1000 + 3 * 60 + 40);
  world_end(world);
}

static void start_sibling_timeout(struct act *self) {
  if (self->calls == 1) soon_timeout(self->world, 10, "to", NULL);
  if (self->calls == 2) pl_timeout_clear(&self->as.timeout);
}

static void
an_interval_goes_behind_a_timeout_made_in_its_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *interval = act_timeout(world, "int", start_sibling_timeout);
  pl_timeout_start(&interval->as.timeout, 10, 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "int to int");
  world_end(world);
}

static void clear_b(struct act *self) {
  pl_timeout_clear(&act_find(self, "b")->as.timeout);
}
static void tick_clear_b(struct act *self) {
  act_tick(self->world, "n", clear_b);
}
static void clear_all(struct act *self) {
  pl_timeout_clear(&self->as.timeout);
  clear_b(self);
  pl_timeout_clear(&act_find(self, "c")->as.timeout);
}
static void clear_all_and_add(struct act *self) {
  clear_all(self);
  soon_timeout(self->world, 10, "b2", NULL);
  soon_immediate(self->world, "i", NULL);
}

static void a_timeout_can_clear_later_ones_of_its_pass(void **unused) {
  (void)unused;
  void (*const bodies[])(struct act *) = {clear_b, tick_clear_b, clear_all,
                                          clear_all_and_add};
  const char *const traces[] = {"a c", "a n c", "a", "a i b2"};
  for (int i = 0; i < 4; i++) {
    struct world *world = world_begin();
    soon_timeout(world, 10, "a", bodies[i]);
    soon_timeout(world, 10, "b", NULL);
    soon_timeout(world, 10, "c", NULL);
    world_block(world, 20);
    expect_run(world, PL_LOOP_DEFAULT, 0);
    expect_trace(world, traces[i]);
    world_end(world);
  }
}

static void clear_self_and_start(struct act *self) {
  pl_timeout_clear(&self->as.timeout);
  if (self->calls < 3) pl_timeout_start(&self->as.timeout, 10, 1);
}

static void
an_interval_may_be_cleared_and_started_in_its_own_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *interval = act_timeout(world, "t", clear_self_and_start);
  pl_timeout_start(&interval->as.timeout, 10, 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "t t t");
  assert_int_equal(pl_loop_now(world->loop), 1030);
  world_end(world);
}

static void free_interval(void *arg, int status) {
  (void)status;
  pl_timeout_clear(arg);
  free(arg);
}
static void free_timeout(void *arg, int status) {
  (void)status;
  free(arg);
}

static void a_timeout_may_be_freed_in_its_own_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  for (int repeating = 0; repeating < 2; repeating++) {
    struct pl_timeout *timeout = malloc(sizeof *timeout);
    pl_timeout_init(world->loop, timeout,
                    repeating ? free_interval : free_timeout, timeout);
    assert_int_equal(pl_timeout_start(timeout, 1, repeating), 0);
  }
  expect_run(world, PL_LOOP_DEFAULT, 0);
  world_end(world);
}

static void refresh_until_three(struct act *self) {
  if (self->calls < 3) pl_timeout_refresh(&self->as.timeout);
}

static void
refresh_restarts_also_after_it_fired_but_not_after_clear(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = soon_timeout(world, 10, "a", NULL);
  soon_timeout(world, 10, "b", refresh_until_three);
  pl_timeout_refresh(&a->as.timeout);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "b a b b");
  assert_int_equal(pl_timeout_refresh(&a->as.timeout), 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a");
  pl_timeout_clear(&a->as.timeout);
  assert_int_equal(pl_timeout_refresh(&a->as.timeout), 0);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  world_end(world);
}

static void clearing_and_references_never_disturb_the_count(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = soon_timeout(world, 5, "a", NULL);
  struct act *b = soon_timeout(world, 5, "b", NULL);
  struct act *c = soon_timeout(world, 5, "c", NULL);
  soon_timeout(world, 10, "r", NULL);
  pl_timeout_clear(&a->as.timeout);
  pl_timeout_clear(&a->as.timeout);
  pl_object_unref(a);
  pl_object_ref(a);
  pl_object_unref(b);
  pl_timeout_clear(&b->as.timeout);
  assert_int_equal(pl_loop_alive(world->loop), 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "c r");
  pl_object_unref(c);
  pl_object_ref(c);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  assert_int_equal(world->loop->timeouts.refs, 0);
  world_end(world);
}

static void
an_unreferenced_timeout_fires_only_while_something_lives(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *u = soon_timeout(world, 10, "u", NULL);
  pl_object_unref(u);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  soon_timeout(world, 10, "r", NULL);
  pl_object_unref(soon_timeout(world, 50, "never", NULL));
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "u r");
  world_end(world);
}

static void thousands_of_durations_keep_node_order(void **unused) {
  (void)unused;
  enum { COUNT = 5000 };
  struct world *world = world_begin();
  struct pl_timeout *timeouts = calloc(COUNT, sizeof *timeouts);
  for (int i = 0; i < COUNT; i++) {
    pl_timeout_init(world->loop, &timeouts[i], NULL, NULL);
    pl_timeout_start(&timeouts[i], 1 + i * 7919 % COUNT, 0);
  }
  assert_int_equal(world->loop->timeouts.lists, COUNT);
  for (size_t i = 1; i < COUNT; i++) {
    struct pl_timeout_list **heap = world->loop->timeouts.heap;
    assert_ptr_not_equal(heap[i], heap[(i - 1) / 2]);
  }
  assert_int_equal(pl_loop_backend_timeout(world->loop), 1);
  for (int i = 0; i < COUNT; i++)
    pl_timeout_clear(&timeouts[i]);
  assert_int_equal(world->loop->timeouts.lists, 0);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  free(timeouts);
  world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(delays_are_coerced_as_node_does),
      cmocka_unit_test(an_overdue_list_runs_whole_before_the_next_list),
      cmocka_unit_test(a_timeout_counts_from_a_fresh_clock),
      cmocka_unit_test(a_pass_uses_one_clock_reading),
      cmocka_unit_test(a_new_timeout_never_joins_the_running_pass),
      cmocka_unit_test(an_interval_counts_from_the_start_of_its_callback),
      cmocka_unit_test(an_interval_goes_behind_a_timeout_made_in_its_callback),
      cmocka_unit_test(a_timeout_can_clear_later_ones_of_its_pass),
      cmocka_unit_test(
          an_interval_may_be_cleared_and_started_in_its_own_callback),
      cmocka_unit_test(a_timeout_may_be_freed_in_its_own_callback),
      cmocka_unit_test(
          refresh_restarts_also_after_it_fired_but_not_after_clear),
      cmocka_unit_test(clearing_and_references_never_disturb_the_count),
      cmocka_unit_test(
          an_unreferenced_timeout_fires_only_while_something_lives),
      cmocka_unit_test(thousands_of_durations_keep_node_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

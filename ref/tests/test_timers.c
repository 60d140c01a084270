/* SPDX-License-Identifier: MIT */
/*
 * test_timers.c: timer handles.
 *
 * Invariant: virtual time; every trace here is exact.
 */
#include "world.h"

#include <stdlib.h>

static void equal_deadlines_fire_in_start_order(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = soon_timer(world, 5, "a", NULL);
  soon_timer(world, 5, "b", NULL);
  soon_timer(world, 5, "c", NULL);
  pl_timer_start(&a->as.timer, 5, 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "b c a");
  world_end(world);
}

static void overdue_timers_fire_by_deadline_and_not_by_duration(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, 10, "a10", NULL);
  soon_timer(world, 14, "b14", NULL);
  world_block(world, 8);
  pl_loop_update_time(world->loop);
  soon_timer(world, 10, "c10", NULL);
  world_block(world, 50);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a10 b14 c10");
  world_end(world);
}

static void restart_now(struct act *self) {
  if (self->calls < 3) pl_timer_start(&self->as.timer, 0, 0);
}

static void
a_zero_timer_started_in_a_timer_waits_for_the_next_iteration(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  pl_object_unref(act_find(&world->acts[0], "check"));
  soon_timer(world, 0, "t", restart_now);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "t check t check t");
  world_end(world);
}

static void start_new(struct act *self) {
  soon_timer(self->world, 0, "new", NULL);
}

static void a_new_zero_timer_runs_behind_those_already_due(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, 0, "a", start_new);
  world_block(world, 5);
  pl_loop_update_time(world->loop);
  soon_timer(world, 0, "b", NULL);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "a b");
  expect_run(world, PL_LOOP_NOWAIT, 0);
  expect_trace(world, "new");
  world_end(world);
}

static void block_20(struct act *self) {
  world_block(self->world, 20);
}

static void a_timer_that_becomes_due_during_the_pass_waits(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", NULL);
  pl_object_unref(act_find(&world->acts[0], "prepare"));
  soon_timer(world, 1, "a", block_20);
  soon_timer(world, 10, "b", NULL);
  world_block(world, 5);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a prepare b");
  world_end(world);
}

static void start_10(struct act *self) {
  world_block(self->world, 30);
  soon_timer(self->world, 10, "early", NULL);
  soon_immediate(self->world, "immediate", NULL);
}

static void a_timer_counts_from_the_cached_time(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_immediate(world, "i", start_10);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "i early");
  world_end(world);
}

static void stop_after_three(struct act *self) {
  assert_int_equal(pl_object_is_active(self), 1);
  if (self->calls == 3) pl_handle_stop(self);
}

static void
a_repeating_timer_is_armed_again_before_its_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *timer = act_timer(world, "t", stop_after_three);
  uint64_t before = pl_loop_now(world->loop);
  pl_timer_start(&timer->as.timer, 5, 10);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "t t t");
  assert_int_equal(pl_loop_now(world->loop) - before, 25);
  world_end(world);
}

static void overrun(struct act *self) {
  world_block(self->world, 35);
  if (self->calls == 2) pl_handle_stop(self);
}

static void a_repeating_timer_that_overran_does_not_catch_up(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", NULL);
  pl_object_unref(act_find(&world->acts[0], "prepare"));
  struct act *timer = act_timer(world, "t", overrun);
  pl_timer_start(&timer->as.timer, 10, 10);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "prepare t prepare t");
  world_end(world);
}

static void expect_inactive(struct act *self) {
  assert_int_equal(pl_object_is_active(self), 0);
}

static void a_one_shot_timer_is_inactive_in_its_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *timer = soon_timer(world, 1, "t", expect_inactive);
  assert_int_equal(pl_object_is_active(timer), 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "t");
  world_end(world);
}

static void again_restarts_a_repeating_timer_only(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *timer = act_timer(world, "t", close_self);
  assert_int_equal(pl_timer_again(&timer->as.timer), PL_EINVAL);
  pl_timer_start(&timer->as.timer, 1000, 0);
  assert_int_equal(pl_timer_again(&timer->as.timer), 0);
  assert_int_equal(pl_loop_backend_timeout(world->loop), 1000);
  pl_timer_set_repeat(&timer->as.timer, 5);
  assert_int_equal(pl_loop_backend_timeout(world->loop), 1000);
  assert_int_equal(pl_timer_again(&timer->as.timer), 0);
  assert_int_equal(pl_loop_backend_timeout(world->loop), 5);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "t ~t");
  world_end(world);
}

static void stop_b(struct act *self) {
  pl_handle_stop(act_find(self, "b"));
}

static void restart_b(struct act *self) {
  pl_timer_start(&act_find(self, "b")->as.timer, 7, 0);
}

static void close_b(struct act *self) {
  act_close(act_find(self, "b"));
}

static void
a_due_timer_can_be_stopped_restarted_and_closed_by_another(void **unused) {
  (void)unused;
  void (*const bodies[])(struct act *) = {stop_b, restart_b, close_b};
  const char *const traces[] = {"a c", "a c b", "a c ~b"};
  for (int i = 0; i < 3; i++) {
    struct world *world = world_begin();
    soon_timer(world, 1, "a", bodies[i]);
    soon_timer(world, 2, "b", NULL);
    soon_timer(world, 3, "c", NULL);
    world_block(world, 10);
    expect_run(world, PL_LOOP_DEFAULT, 0);
    expect_trace(world, traces[i]);
    world_end(world);
  }
}

static void a_closing_timer_cannot_be_started(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *timer = soon_timer(world, 0, "t", NULL);
  act_close(timer);
  assert_int_equal(pl_object_is_active(timer), 0);
  assert_int_equal(pl_object_is_closing(timer), 1);
  assert_int_equal(pl_timer_start(&timer->as.timer, 0, 0), PL_EINVAL);
  assert_int_equal(pl_timer_again(&timer->as.timer), PL_EINVAL);
  assert_int_equal(pl_handle_stop(timer), 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "~t");
  world_end(world);
}

static void a_clock_that_goes_back_does_not_move_the_loop_time(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  world_block(world, 100);
  pl_loop_update_time(world->loop);
  uint64_t before = pl_loop_now(world->loop);
  world->now_ns -= 50 * 1000000;
  pl_loop_update_time(world->loop);
  assert_int_equal(pl_loop_now(world->loop), before);
  soon_timer(world, 1, "t", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "t");
  world_end(world);
}

static void a_clock_that_jumps_a_year_fires_everything_in_order(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, 100000, "b", NULL);
  soon_timer(world, 1, "a", NULL);
  soon_timer(world, UINT64_C(1) << 34, "c", NULL);
  world_block(world, UINT64_C(31536000000));
  expect_run(world, PL_LOOP_NOWAIT, 0);
  expect_trace(world, "a b c");
  world_end(world);
}

static void count_closed(void *arg, int status) {
  (void)status;
  ++*(size_t *)arg;
}

static void a_hundred_thousand_live_timers_close_at_once(void **unused) {
  (void)unused;
  enum { COUNT = 100000 };
  struct world *world = world_begin();
  struct pl_timer *timers = calloc(COUNT, sizeof *timers);
  size_t closed = 0;
  assert_non_null(timers);
  for (size_t i = 0; i < COUNT; i++) {
    pl_timer_init(world->loop, &timers[i], NULL, &closed);
    pl_timer_start(&timers[i], i * 7919 % 1000000, i % 3);
  }
  for (size_t i = 0; i < COUNT; i++)
    assert_int_equal(pl_handle_close(&timers[i], count_closed), 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(closed, COUNT);
  free(timers);
  world_end(world);
}

static void a_timer_is_one_cache_line(void **unused) {
  (void)unused;
  assert_int_equal(sizeof(struct pl_timer), 64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_deadlines_fire_in_start_order),
      cmocka_unit_test(overdue_timers_fire_by_deadline_and_not_by_duration),
      cmocka_unit_test(
          a_zero_timer_started_in_a_timer_waits_for_the_next_iteration),
      cmocka_unit_test(a_new_zero_timer_runs_behind_those_already_due),
      cmocka_unit_test(a_timer_that_becomes_due_during_the_pass_waits),
      cmocka_unit_test(a_timer_counts_from_the_cached_time),
      cmocka_unit_test(a_repeating_timer_is_armed_again_before_its_callback),
      cmocka_unit_test(a_repeating_timer_that_overran_does_not_catch_up),
      cmocka_unit_test(a_one_shot_timer_is_inactive_in_its_callback),
      cmocka_unit_test(again_restarts_a_repeating_timer_only),
      cmocka_unit_test(
          a_due_timer_can_be_stopped_restarted_and_closed_by_another),
      cmocka_unit_test(a_closing_timer_cannot_be_started),
      cmocka_unit_test(a_clock_that_goes_back_does_not_move_the_loop_time),
      cmocka_unit_test(a_clock_that_jumps_a_year_fires_everything_in_order),
      cmocka_unit_test(a_hundred_thousand_live_timers_close_at_once),
      cmocka_unit_test(a_timer_is_one_cache_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_phases.c: which phase follows which, the run modes, stop, liveness and
 * what poll would wait.
 *
 * Invariant: virtual time; every trace here is exact.
 */
#include "world.h"

#include <stdlib.h>

static void defer_again(struct act *self) {
  pl_deferred_post(self->world->loop, &self->as.deferred, 0);
}

static void one_iteration_runs_the_phases_in_order(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = act_poll(world, "poll", close_self);
  pl_poll_start(&poll->as.poll, 3, PL_READABLE);
  world_ready(world, 3, PL_READABLE, 0);
  soon_watcher(world, PL_OBJECT_CHECK, "check", close_self);
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", close_self);
  soon_watcher(world, PL_OBJECT_IDLE, "idle", close_self);
  struct act *deferred = act_deferred(world, "pending", NULL);
  pl_deferred_post(world->loop, &deferred->as.deferred, 0);
  soon_immediate(world, "immediate", NULL);
  soon_timer(world, 0, "timer", close_self);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "pending idle prepare poll check immediate ~check ~poll "
                      "~prepare ~idle timer");
  expect_run(world, PL_LOOP_NOWAIT, 0);
  expect_trace(world, "~timer");
  world_end(world);
}

static void
default_mode_looks_at_timers_before_the_first_iteration(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", close_self);
  soon_timer(world, 0, "timer", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "timer prepare ~prepare");
  world_end(world);
}

static void once_waits_for_a_timer_and_runs_it(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *prepare = soon_watcher(world, PL_OBJECT_PREPARE, "prepare", NULL);
  pl_object_unref(prepare);
  soon_timer(world, 10, "timer", NULL);
  uint64_t before = pl_loop_now(world->loop);
  expect_run(world, PL_LOOP_ONCE, 0);
  expect_trace(world, "prepare timer");
  assert_int_equal(pl_loop_now(world->loop) - before, 10);
  world_end(world);
}

static void once_runs_one_of_two_timers_that_are_due_apart(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, 0, "first", NULL);
  soon_timer(world, 15, "second", NULL);
  expect_run(world, PL_LOOP_ONCE, 1);
  expect_trace(world, "first");
  expect_run(world, PL_LOOP_ONCE, 0);
  expect_trace(world, "second");
  world_end(world);
}

static void nowait_never_waits(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = act_poll(world, "poll", NULL);
  pl_poll_start(&poll->as.poll, 3, PL_READABLE);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  assert_int_equal(world->wait_count, 1);
  assert_int_equal(world->waits[0], 0);
  world_end(world);
}

static void
nothing_watched_and_nothing_to_wait_for_needs_no_wait(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *idle = soon_watcher(world, PL_OBJECT_IDLE, "idle", NULL);
  for (int i = 0; i < 3; i++)
    expect_run(world, PL_LOOP_NOWAIT, 1);
  assert_int_equal(idle->calls, 3);
  assert_int_equal(world->wait_count, 0);
  world_end(world);
}

static void an_empty_loop_runs_no_iteration(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *check = soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  pl_object_unref(check);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_run(world, PL_LOOP_ONCE, 0);
  expect_run(world, PL_LOOP_NOWAIT, 0);
  expect_trace(world, "");
  world_end(world);
}

static void stop_before_run_runs_nothing_and_is_cleared(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, 0, "timer", NULL);
  pl_loop_stop(world->loop);
  expect_run(world, PL_LOOP_DEFAULT, 1);
  expect_trace(world, "");
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "timer");
  world_end(world);
}

static void
stop_in_prepare_completes_the_iteration_without_waiting(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, 1000, "timer", NULL);
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", stop_loop);
  soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  uint64_t before = pl_loop_now(world->loop);
  expect_run(world, PL_LOOP_DEFAULT, 1);
  expect_trace(world, "prepare check");
  assert_int_equal(pl_loop_now(world->loop), before);
  world_end(world);
}

static void run_nested(struct act *self) {
  assert_int_equal(pl_loop_run(self->world->loop, PL_LOOP_NOWAIT), PL_EBUSY);
  assert_int_equal(pl_loop_close(self->world->loop), PL_EBUSY);
}

static void
a_loop_neither_runs_nor_ends_inside_its_own_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, 0, "timer", run_nested);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "timer");
  world_end(world);
}

static void check_timeout(struct world *world, int expected) {
  assert_int_equal(pl_loop_backend_timeout(world->loop), expected);
}

static void poll_waits_as_long_as_nothing_else_is_to_be_done(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  check_timeout(world, 0); /* nothing is alive */
  struct act *timer = soon_timer(world, 100, "timer", NULL);
  check_timeout(world, 100);
  pl_object_unref(timer);
  check_timeout(world, 0);
  pl_object_ref(timer);
  struct act *idle = soon_watcher(world, PL_OBJECT_IDLE, "idle", NULL);
  check_timeout(world, 0);
  pl_handle_stop(idle);
  check_timeout(world, 100);
  struct act *immediate = soon_immediate(world, "immediate", NULL);
  check_timeout(world, 0);
  pl_object_unref(immediate);
  check_timeout(world, 100);
  struct act *prepare = soon_watcher(world, PL_OBJECT_PREPARE, "p", NULL);
  pl_handle_stop(timer);
  check_timeout(world, -1);
  act_close(timer);
  check_timeout(world, 0);
  pl_handle_stop(prepare);
  expect_run(world, PL_LOOP_NOWAIT, 0);
  pl_watcher_start(&prepare->as.watcher);
  pl_loop_stop(world->loop);
  check_timeout(world, 0);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  check_timeout(world, -1);
  world_end(world);
}

static void poll_timeout_is_counted_from_the_cached_time(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, 10, "timer", NULL);
  world_block(world, 50);
  check_timeout(world, 10);
  pl_loop_update_time(world->loop);
  check_timeout(world, 0);
  world_end(world);
}

static void
a_far_timer_is_waited_for_in_pieces_that_nobody_sees(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_timer(world, UINT64_MAX, "never", NULL);
  check_timeout(world, INT32_MAX);
  struct act *timer = soon_timer(world, UINT64_C(3) << 31, "timer", NULL);
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", NULL);
  uint64_t due = timer->as.timer.due;
  expect_run(world, PL_LOOP_ONCE, 1);
  expect_trace(world, "prepare timer");
  assert_true(pl_loop_now(world->loop) == due);
  assert_true(world->wait_count >= 3);
  world_end(world);
}

static void
many_timers_far_away_cost_no_search_and_wake_in_time(void **unused) {
  (void)unused;
  enum { COUNT = 500 };
  struct world *world = world_begin();
  struct pl_timer *timers = calloc(COUNT, sizeof *timers);
  struct act *prepare = soon_watcher(world, PL_OBJECT_PREPARE, "prepare", NULL);
  struct act *first = soon_timer(world, 70000, "first", NULL);
  for (int i = 0; i < COUNT; i++) {
    pl_timer_init(world->loop, &timers[i], NULL, NULL);
    pl_timer_start(&timers[i], 70001 + (uint64_t)i, 0);
  }
  expect_run(world, PL_LOOP_ONCE, 1);
  expect_trace(world, "prepare first");
  assert_int_equal(prepare->calls, 1);
  assert_int_equal(first->calls, 1);
  for (int i = 0; i < COUNT; i++)
    pl_handle_close(&timers[i], NULL);
  world_end(world);
  free(timers);
}

static void
a_deferred_call_that_defers_itself_does_not_starve_the_loop(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *act = act_deferred(world, "d", defer_again);
  pl_deferred_post(world->loop, &act->as.deferred, 0);
  soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "d d d d d d d d d check");
  act->body = NULL;
  world_end(world);
}

static void count_time(struct act *self) {
  self->calls = (int)(pl_loop_now(self->world->loop) - 1000);
  world_block(self->world, 7);
}

static void cached_time_moves_in_poll_and_before_timers_only(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *idle = soon_watcher(world, PL_OBJECT_IDLE, "i", count_time);
  struct act *prepare = soon_watcher(world, PL_OBJECT_PREPARE, "p", count_time);
  struct act *check = soon_watcher(world, PL_OBJECT_CHECK, "c", count_time);
  struct act *timer = soon_timer(world, 0, "t", count_time);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  assert_int_equal(idle->calls, 0);
  assert_int_equal(prepare->calls, 0);
  assert_int_equal(check->calls, 14);
  assert_int_equal(timer->calls, 21);
  world_end(world);
}

static void a_poller_that_fails_ends_the_run_with_its_error(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = act_poll(world, "poll", NULL);
  pl_poll_start(&poll->as.poll, 3, PL_READABLE);
  expect_run(world, PL_LOOP_DEFAULT, PL_EIO); /* nothing will ever be ready */
  world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_iteration_runs_the_phases_in_order),
      cmocka_unit_test(default_mode_looks_at_timers_before_the_first_iteration),
      cmocka_unit_test(once_waits_for_a_timer_and_runs_it),
      cmocka_unit_test(once_runs_one_of_two_timers_that_are_due_apart),
      cmocka_unit_test(nowait_never_waits),
      cmocka_unit_test(nothing_watched_and_nothing_to_wait_for_needs_no_wait),
      cmocka_unit_test(an_empty_loop_runs_no_iteration),
      cmocka_unit_test(stop_before_run_runs_nothing_and_is_cleared),
      cmocka_unit_test(stop_in_prepare_completes_the_iteration_without_waiting),
      cmocka_unit_test(a_loop_neither_runs_nor_ends_inside_its_own_callback),
      cmocka_unit_test(poll_waits_as_long_as_nothing_else_is_to_be_done),
      cmocka_unit_test(poll_timeout_is_counted_from_the_cached_time),
      cmocka_unit_test(a_far_timer_is_waited_for_in_pieces_that_nobody_sees),
      cmocka_unit_test(many_timers_far_away_cost_no_search_and_wake_in_time),
      cmocka_unit_test(
          a_deferred_call_that_defers_itself_does_not_starve_the_loop),
      cmocka_unit_test(cached_time_moves_in_poll_and_before_timers_only),
      cmocka_unit_test(a_poller_that_fails_ends_the_run_with_its_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

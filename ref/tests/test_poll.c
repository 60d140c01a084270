/* SPDX-License-Identifier: MIT */
/*
 * test_poll.c: when the poller is told of a mask, and what becomes of its
 * refusals, in virtual time.
 *
 * Invariant: the virtual poller counts what it is told.
 */
#include "world.h"

static struct act *watch(struct world *world, const char *label, int fd) {
  struct act *poll = act_poll(world, label, NULL);
  assert_int_equal(pl_poll_start(&poll->as.poll, fd, PL_READABLE), 0);
  return poll;
}

static void a_mask_that_is_again_what_it_was_is_not_told(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = watch(world, "poll", 3);
  assert_int_equal(world->modifications, 1);
  for (int i = 0; i < 100; i++) {
    pl_handle_stop(poll);
    pl_poll_start(&poll->as.poll, 3, PL_WRITABLE);
    pl_poll_start(&poll->as.poll, 3, PL_READABLE);
    expect_run(world, PL_LOOP_NOWAIT, 1);
  }
  assert_int_equal(world->modifications, 1);
  pl_poll_start(&poll->as.poll, 3, PL_WRITABLE);
  assert_int_equal(world->modifications, 1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  assert_int_equal(world->modifications, 2);
  world_end(world);
}

static void
a_stop_is_told_before_the_next_wait_and_a_close_at_once(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = watch(world, "poll", 3);
  soon_watcher(world, PL_OBJECT_IDLE, "idle", NULL);
  pl_handle_stop(poll);
  assert_int_equal(world->fds[3].armed, PL_READABLE);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  assert_int_equal(world->fds[3].armed, 0);
  assert_int_equal(world->loop->armed, 0);
  pl_poll_start(&poll->as.poll, 3, PL_READABLE);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  assert_int_equal(world->fds[3].armed, PL_READABLE);
  act_close(poll);
  assert_int_equal(world->fds[3].armed, 0);
  world_end(world);
}

static void a_refused_start_leaves_the_handle_as_it_was(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = act_poll(world, "poll", NULL);
  world->modify_error = PL_EPERM;
  assert_int_equal(pl_poll_start(&poll->as.poll, 3, PL_READABLE), PL_EPERM);
  assert_int_equal(pl_object_is_active(poll), 0);
  assert_int_equal(world->loop->armed, 0);
  world->modify_error = 0;
  assert_int_equal(pl_poll_start(&poll->as.poll, 3, PL_READABLE), 0);
  world_ready(world, 3, PL_READABLE, 0);
  world->modify_error = PL_EPERM;
  assert_int_equal(pl_poll_start(&poll->as.poll, 4, PL_READABLE), PL_EPERM);
  world->modify_error = 0;
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "poll");
  world_end(world);
}

static void a_refused_change_is_reported_in_the_pending_phase(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = watch(world, "poll", 3);
  soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  pl_poll_start(&poll->as.poll, 3, PL_WRITABLE);
  world->modify_error = PL_ENOSPC;
  expect_run(world, PL_LOOP_NOWAIT, 1);
  world->modify_error = 0;
  expect_trace(world, "poll check");
  assert_int_equal(poll->status, PL_ENOSPC);
  assert_int_equal(pl_object_is_active(poll), 0);
  assert_int_equal(pl_poll_start(&poll->as.poll, 3, PL_READABLE), 0);
  world_ready(world, 3, PL_READABLE, 0);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "poll check");
  assert_int_equal(poll->status, PL_READABLE);
  world_end(world);
}

static void the_error_of_a_closed_handle_is_not_reported(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = watch(world, "poll", 3);
  pl_deferred_post(world->loop, &poll->as.poll.failed, PL_EIO);
  act_close(poll);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "~poll");
  world_end(world);
}

static void poll_wakes_for_what_comes_first(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = watch(world, "poll", 3);
  poll->body = stop_loop;
  soon_timer(world, 20, "timer", NULL);
  world_ready(world, 3, PL_READABLE, 10);
  expect_run(world, PL_LOOP_DEFAULT, 1);
  expect_trace(world, "poll");
  assert_int_equal(pl_loop_now(world->loop), 1010);
  world_read(world, 3);
  expect_run(world, PL_LOOP_ONCE, 1);
  expect_trace(world, "timer");
  assert_int_equal(pl_loop_now(world->loop), 1020);
  world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_mask_that_is_again_what_it_was_is_not_told),
      cmocka_unit_test(a_stop_is_told_before_the_next_wait_and_a_close_at_once),
      cmocka_unit_test(a_refused_start_leaves_the_handle_as_it_was),
      cmocka_unit_test(a_refused_change_is_reported_in_the_pending_phase),
      cmocka_unit_test(the_error_of_a_closed_handle_is_not_reported),
      cmocka_unit_test(poll_wakes_for_what_comes_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

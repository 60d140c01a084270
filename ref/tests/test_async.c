/* SPDX-License-Identifier: MIT */
/*
 * test_async.c: wake-ups from the loop's own thread, in virtual time.
 *
 * Invariant: no thread but one, so every trace here is exact.
 */
#include "world.h"

static void send(struct act *act) {
  assert_int_equal(pl_async_send(&act->as.async), 0);
}

static void sends_coalesce_into_one_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *async = act_async(world, "a", NULL);
  for (int i = 0; i < 10; i++)
    send(async);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "a");
  assert_int_equal(world->wait_count, 0);
  world_end(world);
}

static void callbacks_come_in_init_order_and_not_in_send_order(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = act_async(world, "a", NULL);
  struct act *b = act_async(world, "b", NULL);
  struct act *c = act_async(world, "c", NULL);
  struct act *const orders[][3] = {{a, b, c}, {c, b, a}, {b, c, a}, {c, a, b}};
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 3; k++)
      send(orders[i][k]);
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, "a b c");
  }
  world_end(world);
}

static void send_a(struct act *self) {
  send(act_find(self, "a"));
}
static void send_c(struct act *self) {
  send(act_find(self, "c"));
}

static void a_later_handle_sent_in_a_callback_joins_the_pass(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  act_async(world, "a", NULL);
  struct act *b = act_async(world, "b", send_c);
  act_async(world, "c", NULL);
  struct act *d = act_async(world, "d", NULL);
  send(d);
  send(b);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "b c d");
  world_end(world);
}

static void
an_earlier_handle_sent_in_a_callback_waits_without_sleeping(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  act_async(world, "a", stop_loop);
  struct act *b = act_async(world, "b", send_a);
  send(b);
  soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 1);
  expect_trace(world, "b check a check");
  world_end(world);
}

static void send_self(struct act *self) {
  if (self->calls < 3) send(self);
}

static void
a_handle_that_sends_to_itself_waits_for_the_next_iteration(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = act_async(world, "a", send_self);
  soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  send(a);
  for (int i = 0; i < 4; i++)
    expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "a check a check a check check");
  world_end(world);
}

static void close_c(struct act *self) {
  act_close(act_find(self, "c"));
}

static void send_d_and_close_c(struct act *self) {
  send(act_find(self, "c"));
  send(act_find(self, "d"));
  send_a(self);
  close_c(self);
}

static void
closing_a_sent_handle_keeps_it_silent_and_the_others_not(void **unused) {
  (void)unused;
  void (*const bodies[])(struct act *) = {close_c, send_d_and_close_c};
  const char *const traces[] = {"b ~c", "b d ~c"};
  const char *const later[] = {"", "a"};
  for (int i = 0; i < 2; i++) {
    struct world *world = world_begin();
    act_async(world, "a", NULL);
    struct act *b = act_async(world, "b", bodies[i]);
    struct act *c = act_async(world, "c", NULL);
    act_async(world, "d", NULL);
    send(c);
    send(b);
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, traces[i]);
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, later[i]);
    world_end(world);
  }
}

static void a_sent_handle_closed_before_the_loop_runs_is_silent(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = act_async(world, "a", NULL);
  struct act *b = act_async(world, "b", NULL);
  send(a);
  send(b);
  act_close(a);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "b ~a");
  world_end(world);
}

static void
an_async_handle_keeps_the_loop_alive_unless_unreferenced(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = act_async(world, "a", NULL);
  assert_int_equal(pl_loop_alive(world->loop), 1);
  assert_int_equal(pl_loop_backend_timeout(world->loop), -1);
  pl_object_unref(a);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  send(a);
  soon_immediate(world, "i", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a i");
  world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sends_coalesce_into_one_callback),
      cmocka_unit_test(callbacks_come_in_init_order_and_not_in_send_order),
      cmocka_unit_test(a_later_handle_sent_in_a_callback_joins_the_pass),
      cmocka_unit_test(
          an_earlier_handle_sent_in_a_callback_waits_without_sleeping),
      cmocka_unit_test(
          a_handle_that_sends_to_itself_waits_for_the_next_iteration),
      cmocka_unit_test(
          closing_a_sent_handle_keeps_it_silent_and_the_others_not),
      cmocka_unit_test(a_sent_handle_closed_before_the_loop_runs_is_silent),
      cmocka_unit_test(
          an_async_handle_keeps_the_loop_alive_unless_unreferenced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_queues.c: Node's queues: ticks, microtasks and immediates.
 *
 * Invariant: virtual time; every trace here is exact, and where Node has an
 * opinion it was taken from Node 20.
 */
#include "world.h"

/* -- ticks and microtasks ---------------------------------------------------
 */

static void n3(struct act *self) {
  act_tick(self->world, "n3", NULL);
}
static void m3(struct act *self) {
  act_microtask(self->world, "m3", NULL);
  act_tick(self->world, "n4", NULL);
}

static void ticks_then_microtasks_are_emptied_in_turns(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  act_microtask(world, "m1", m3);
  act_tick(world, "n1", n3);
  act_microtask(world, "m2", NULL);
  act_tick(world, "n2", NULL);
  pl_loop_drain(world->loop);
  expect_trace(world, "n1 n2 n3 m1 m2 m3 n4");
  world_end(world);
}

static void both(struct act *self) {
  act_microtask(self->world, "m", NULL);
  act_tick(self->world, "n", NULL);
}

static void
queues_are_drained_after_each_callback_of_every_phase(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_watcher(world, PL_OBJECT_CHECK, "check", both);
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", both);
  soon_watcher(world, PL_OBJECT_IDLE, "idle", both);
  struct act *deferred = act_deferred(world, "pending", both);
  pl_deferred_post(world->loop, &deferred->as.deferred, 0);
  struct act *async = act_async(world, "async", both);
  pl_async_send(&async->as.async);
  struct act *poll = act_poll(world, "poll", both);
  pl_poll_start(&poll->as.poll, 1, PL_READABLE);
  world_ready(world, 1, PL_READABLE, 0);
  soon_immediate(world, "i1", both);
  soon_immediate(world, "i2", both);
  soon_timer(world, 0, "t1", both);
  soon_timer(world, 0, "t2", both);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "pending n m idle n m prepare n m async n m poll n m "
                      "check n m i1 n m i2 n m t1 n m t2 n m");
  world_end(world);
}

static void drain_nested(struct act *self) {
  act_tick(self->world, "inner", NULL);
  pl_loop_drain(self->world->loop);
  world_say(self->world, "end");
}

static void a_drain_inside_a_tick_does_nothing(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  act_tick(world, "outer", drain_nested);
  pl_loop_drain(world->loop);
  expect_trace(world, "outer end inner");
  world_end(world);
}

static void a_queued_task_cannot_be_queued_again(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *task = act_tick(world, "n", NULL);
  assert_int_equal(pl_task_tick(&task->as.task), PL_EBUSY);
  assert_int_equal(pl_task_microtask(&task->as.task), PL_EBUSY);
  pl_loop_drain(world->loop);
  assert_int_equal(pl_task_microtask(&task->as.task), 0);
  pl_loop_drain(world->loop);
  expect_trace(world, "n n");
  world_end(world);
}

static long chain_left;

static void chain_on(void *arg, int status) {
  (void)status;
  if (--chain_left > 0) pl_task_tick(arg);
}

static void a_chain_of_a_million_ticks_takes_no_stack(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_task task;
  chain_left = 1000000;
  pl_task_init(world->loop, &task, chain_on, &task);
  pl_task_tick(&task);
  pl_loop_drain(world->loop);
  assert_int_equal(chain_left, 0);
  world_end(world);
}

/* -- immediates -------------------------------------------------------------
 */

static void nested_immediate(struct act *self) {
  soon_immediate(self->world, "nested", NULL);
  soon_timer(self->world, 0, "timer", NULL);
}

static void immediates_are_a_batch_and_nested_ones_wait(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_immediate(world, "a", nested_immediate);
  soon_immediate(world, "b", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a b timer nested");
  world_end(world);
}

static void clear_rest(struct act *self) {
  pl_immediate_clear(&self->as.immediate);
  pl_immediate_clear(&act_find(self, "b")->as.immediate);
  pl_immediate_clear(&act_find(self, "b")->as.immediate);
}

static void an_immediate_can_clear_a_later_one_of_its_batch(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_immediate(world, "a", clear_rest);
  soon_immediate(world, "b", NULL);
  soon_immediate(world, "c", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a c");
  world_end(world);
}

static void tick_clears_b(struct act *self) {
  act_tick(self->world, "n", clear_rest);
}

static void a_tick_of_an_immediate_can_clear_the_next(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_immediate(world, "a", tick_clears_b);
  soon_immediate(world, "b", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a n");
  world_end(world);
}

static void unreferenced_immediates_do_not_keep_the_loop_alive(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = soon_immediate(world, "a", NULL);
  assert_int_equal(pl_object_has_ref(a), 1);
  pl_object_unref(a);
  assert_int_equal(pl_object_has_ref(a), 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "");
  struct act *b = soon_immediate(world, "b", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a b");
  assert_int_equal(pl_object_has_ref(b), 0);
  pl_object_unref(b);
  pl_object_ref(b);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  assert_int_equal(pl_immediate_start(&b->as.immediate), 0);
  assert_int_equal(pl_immediate_start(&b->as.immediate), PL_EBUSY);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "b");
  world_end(world);
}

static void poll_body(struct act *self) {
  world_read(self->world, 1);
  soon_timeout(self->world, 1, "T", NULL);
  soon_immediate(self->world, "I", NULL);
  act_microtask(self->world, "P", NULL);
  act_tick(self->world, "N", NULL);
  act_close(act_find(self, "C"));
  struct act *second = act_find(self, "S");
  pl_poll_start(&second->as.poll, 2, PL_READABLE);
  world_ready(self->world, 2, PL_READABLE, 0);
  world_block(self->world, 10);
}

static void
from_a_poll_callback_everything_comes_in_nodes_order(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  act_timer(world, "C", NULL);
  act_poll(world, "S", stop_loop);
  struct act *poll = act_poll(world, "poll", poll_body);
  pl_poll_start(&poll->as.poll, 1, PL_READABLE);
  world_ready(world, 1, PL_READABLE, 0);
  expect_run(world, PL_LOOP_DEFAULT, 1);
  expect_trace(world, "poll N P I ~C T S");
  world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ticks_then_microtasks_are_emptied_in_turns),
      cmocka_unit_test(queues_are_drained_after_each_callback_of_every_phase),
      cmocka_unit_test(a_drain_inside_a_tick_does_nothing),
      cmocka_unit_test(a_queued_task_cannot_be_queued_again),
      cmocka_unit_test(a_chain_of_a_million_ticks_takes_no_stack),
      cmocka_unit_test(immediates_are_a_batch_and_nested_ones_wait),
      cmocka_unit_test(an_immediate_can_clear_a_later_one_of_its_batch),
      cmocka_unit_test(a_tick_of_an_immediate_can_clear_the_next),
      cmocka_unit_test(unreferenced_immediates_do_not_keep_the_loop_alive),
      cmocka_unit_test(from_a_poll_callback_everything_comes_in_nodes_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

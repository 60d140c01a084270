/* SPDX-License-Identifier: MIT */
/*
 * test_watchers.c: idle, prepare and check handles, references and closing.
 *
 * Invariant: virtual time; every trace here is exact.
 */
#include "world.h"

static const enum pl_object_kind kinds[] = {PL_OBJECT_IDLE, PL_OBJECT_PREPARE,
                                            PL_OBJECT_CHECK};

static void watchers_run_the_last_started_first(void **unused) {
  (void)unused;
  for (int i = 0; i < 3; i++) {
    struct world *world = world_begin();
    struct act *a = soon_watcher(world, kinds[i], "a", NULL);
    soon_watcher(world, kinds[i], "b", NULL);
    soon_watcher(world, kinds[i], "c", NULL);
    pl_watcher_start(&a->as.watcher); /* changes nothing */
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, "c b a");
    pl_handle_stop(a);
    pl_watcher_start(&a->as.watcher);
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, "a c b");
    world_end(world);
  }
}

static void start_sibling(struct act *self) {
  if (self->calls == 1)
    soon_watcher(self->world, self->as.head.kind, "new", NULL);
}

static void a_watcher_started_in_its_own_phase_waits(void **unused) {
  (void)unused;
  for (int i = 0; i < 3; i++) {
    struct world *world = world_begin();
    soon_watcher(world, kinds[i], "a", start_sibling);
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, "a");
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, "new a");
    world_end(world);
  }
}

static void stop_a(struct act *self) {
  pl_handle_stop(act_find(self, "a"));
}
static void close_a(struct act *self) {
  act_close(act_find(self, "a"));
}

static void restart_all(struct act *self) {
  const char *const labels[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++) {
    struct act *act = act_find(self, labels[i]);
    pl_handle_stop(act);
    pl_watcher_start(&act->as.watcher);
  }
}

static void a_watcher_can_stop_close_and_restart_its_siblings(void **unused) {
  (void)unused;
  void (*const bodies[])(struct act *) = {stop_a, close_a, restart_all};
  const char *const traces[] = {"c b", "c b ~a", "c"};
  for (int i = 0; i < 3; i++) {
    struct world *world = world_begin();
    soon_watcher(world, PL_OBJECT_CHECK, "a", NULL);
    soon_watcher(world, PL_OBJECT_CHECK, "b", NULL);
    soon_watcher(world, PL_OBJECT_CHECK, "c", bodies[i]);
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, traces[i]);
    world_end(world);
  }
}

static void start_check(struct act *self) {
  if (self->calls == 1)
    soon_watcher(self->world, PL_OBJECT_CHECK, "check", NULL);
}

static void
a_check_started_in_prepare_runs_in_the_same_iteration(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", start_check);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "prepare check");
  world_end(world);
}

static void references_are_flags_and_not_counters(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *prepare = soon_watcher(world, PL_OBJECT_PREPARE, "p", NULL);
  assert_int_equal(pl_object_has_ref(prepare), 1);
  pl_object_unref(prepare);
  pl_object_unref(prepare);
  assert_int_equal(pl_object_has_ref(prepare), 0);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  pl_object_ref(prepare);
  pl_object_ref(prepare);
  assert_int_equal(pl_loop_alive(world->loop), 1);
  pl_handle_stop(prepare);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  pl_object_unref(prepare);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  pl_object_ref(prepare);
  pl_watcher_start(&prepare->as.watcher);
  assert_int_equal(pl_loop_alive(world->loop), 1);
  world_end(world);
}

static void close_callbacks_run_the_last_closed_first(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *a = act_timer(world, "a", NULL);
  struct act *b = soon_watcher(world, PL_OBJECT_IDLE, "b", NULL);
  struct act *c = act_async(world, "c", NULL);
  act_close(a);
  act_close(b);
  act_close(c);
  assert_int_equal(pl_handle_close(c, NULL), PL_EINVAL);
  assert_int_equal(pl_loop_close(world->loop), PL_EBUSY);
  assert_int_equal(pl_loop_alive(world->loop), 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "~c ~b ~a");
  world_end(world);
}

static void closed_first(void *arg, int status) {
  (void)status;
  struct act *self = arg;
  world_say(self->world, "~first");
  act_close(act_find(self, "second"));
}

static void a_handle_closed_in_a_close_callback_waits(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *first = act_timer(world, "first", NULL);
  act_timer(world, "second", NULL);
  struct act *check = soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  pl_object_unref(check);
  pl_handle_close(first, closed_first);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "check ~first check ~second");
  world_end(world);
}

static void
an_unreferenced_handle_keeps_the_loop_alive_while_closing(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *timer = soon_timer(world, 5, "t", NULL);
  pl_object_unref(timer);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  act_close(timer);
  pl_object_ref(timer); /* changes nothing that counts */
  assert_int_equal(pl_loop_alive(world->loop), 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "~t");
  world_end(world);
}

static void unreferenced_handles_run_while_another_one_lives(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  pl_object_unref(soon_timer(world, 5, "unref", NULL));
  soon_timer(world, 10, "ref", NULL);
  pl_object_unref(soon_timer(world, 20, "never", NULL));
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "unref ref");
  world_end(world);
}

static void queues_and_requests_are_not_handles(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *timeout = act_timeout(world, "t", NULL);
  struct act *async = act_async(world, "a", NULL);
  assert_int_equal(pl_handle_close(timeout, NULL), PL_EINVAL);
  assert_int_equal(pl_handle_stop(timeout), PL_EINVAL);
  assert_int_equal(pl_handle_stop(async), PL_EINVAL);
  assert_int_equal(pl_object_is_active(async), 1);
  world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(watchers_run_the_last_started_first),
      cmocka_unit_test(a_watcher_started_in_its_own_phase_waits),
      cmocka_unit_test(a_watcher_can_stop_close_and_restart_its_siblings),
      cmocka_unit_test(a_check_started_in_prepare_runs_in_the_same_iteration),
      cmocka_unit_test(references_are_flags_and_not_counters),
      cmocka_unit_test(close_callbacks_run_the_last_closed_first),
      cmocka_unit_test(a_handle_closed_in_a_close_callback_waits),
      cmocka_unit_test(
          an_unreferenced_handle_keeps_the_loop_alive_while_closing),
      cmocka_unit_test(unreferenced_handles_run_while_another_one_lives),
      cmocka_unit_test(queues_and_requests_are_not_handles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

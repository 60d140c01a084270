/* SPDX-License-Identifier: MIT */
/*
 * test_recorder.c: what a recorder keeps of callbacks and of timers.
 */
#include "world.h"

#include "../loop/recorder.h"

#define MS UINT64_C(1000000)

static size_t kept(const struct pl_recorder *recorder) {
  return (size_t)(pl_recorder_count(recorder) - pl_recorder_dropped(recorder));
}

/* The next record that is no wait, from *number on. */
static const struct pl_record *next_call(const struct pl_recorder *recorder,
                                         size_t *number) {
  while (*number < kept(recorder)) {
    const struct pl_record *record = pl_recorder_at(recorder, (*number)++);
    if (record->kind != PL_RECORD_WAIT) return record;
  }
  fail_msg("there is no further record");
  return NULL;
}

static void block_30(struct act *self) {
  world_block(self->world, 30);
}

static void a_callback_is_recorded_from_its_begin_to_its_end(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 8);
  soon_immediate(world, "i", block_30);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(pl_recorder_count(recorder), 1);
  const struct pl_record *record = pl_recorder_at(recorder, 0);
  assert_int_equal(record->start_ns, 1000 * MS);
  assert_int_equal(record->duration_ns, 30 * MS);
  assert_int_equal(record->late_ns, PL_RECORD_NOT_DUE);
  assert_int_equal(record->kind, PL_OBJECT_IMMEDIATE);
  assert_int_equal(record->phase, PL_PHASE_CHECK);
  assert_ptr_not_equal(record->fn, NULL);
  world_end_recorded(world, recorder);
}

static void a_timer_is_late_by_what_held_the_loop(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 8);
  soon_timer(world, 10, "blocks", block_30);
  soon_timer(world, 12, "late", NULL);
  soon_timeout(world, 15, "later", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "blocks late later");
  /* Poll counts from the cached time, as libuv's does: 2 ms are waited that
   * had passed already. */
  static const uint64_t late[] = {0, 30 * MS, 27 * MS};
  size_t number = 0;
  for (int i = 0; i < 3; i++)
    assert_int_equal(next_call(recorder, &number)->late_ns, late[i]);
  world_end_recorded(world, recorder);
}

static void lateness_is_finer_than_loop_time(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 8);
  soon_timer(world, 1, "t", NULL);
  world->now_ns += 1 * MS + 250000;
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(pl_recorder_at(recorder, 0)->late_ns, 250000);
  world_end_recorded(world, recorder);
}

static void block_twice(struct act *self) {
  if (self->calls < 3) world_block(self->world, 25);
}

static void a_repeating_timer_is_measured_by_each_of_its_times(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 16);
  struct act *timer = act_timer(world, "t", block_twice);
  pl_timer_start(&timer->as.timer, 10, 10);
  expect_run(world, PL_LOOP_ONCE, 1);
  expect_run(world, PL_LOOP_ONCE, 1);
  expect_run(world, PL_LOOP_ONCE, 1);
  size_t number = 0;
  assert_int_equal(next_call(recorder, &number)->late_ns, 0);
  assert_int_equal(next_call(recorder, &number)->late_ns, 25 * MS);
  assert_int_equal(next_call(recorder, &number)->late_ns, 25 * MS);
  world_end_recorded(world, recorder);
}

static void interval_once_more(struct act *self) {
  world_block(self->world, 25);
  if (self->calls == 2) pl_timeout_clear(&self->as.timeout);
}

static void an_interval_is_measured_from_the_start_of_its_call(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 16);
  struct act *interval = act_timeout(world, "t", interval_once_more);
  pl_timeout_start(&interval->as.timeout, 10, 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  size_t number = 0;
  assert_int_equal(next_call(recorder, &number)->late_ns, 0);
  assert_int_equal(next_call(recorder, &number)->late_ns, 16 * MS);
  world_end_recorded(world, recorder);
}

static void send_and_close(struct act *self) {
  act_close(act_find(self, "async"));
  pl_handle_stop(self);
}

static void every_kind_has_its_phase(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 64);
  struct act *deferred = act_deferred(world, "deferred", NULL);
  pl_deferred_post(world->loop, &deferred->as.deferred, 0);
  soon_watcher(world, PL_OBJECT_IDLE, "idle", NULL);
  soon_watcher(world, PL_OBJECT_PREPARE, "prepare", NULL);
  soon_watcher(world, PL_OBJECT_CHECK, "check", send_and_close);
  pl_async_send(&act_async(world, "async", NULL)->as.async);
  struct act *poll = act_poll(world, "poll", NULL);
  pl_poll_start(&poll->as.poll, 3, PL_READABLE);
  world_ready(world, 3, PL_READABLE, 0);
  soon_immediate(world, "immediate", NULL);
  soon_timer(world, 0, "timer", NULL);
  soon_timeout(world, 1, "timeout", NULL);
  world_block(world, 1);
  expect_run(world, PL_LOOP_ONCE, 1);
  expect_trace(world, "deferred idle prepare async poll check immediate ~async "
                      "timer timeout");
  static const uint8_t expected[][2] = {{PL_RECORD_DEFERRED, PL_PHASE_PENDING},
                                        {PL_OBJECT_IDLE, PL_PHASE_IDLE},
                                        {PL_OBJECT_PREPARE, PL_PHASE_PREPARE},
                                        {PL_OBJECT_ASYNC, PL_PHASE_POLL},
                                        {PL_OBJECT_POLL, PL_PHASE_POLL},
                                        {PL_OBJECT_CHECK, PL_PHASE_CHECK},
                                        {PL_OBJECT_IMMEDIATE, PL_PHASE_CHECK},
                                        {PL_RECORD_CLOSE, PL_PHASE_CLOSING},
                                        {PL_OBJECT_TIMER, PL_PHASE_TIMERS},
                                        {PL_OBJECT_TIMEOUT, PL_PHASE_TIMERS}};
  assert_int_equal(kept(recorder), 10);
  for (size_t i = 0; i < 10; i++) {
    assert_int_equal(pl_recorder_at(recorder, i)->kind, expected[i][0]);
    assert_int_equal(pl_recorder_at(recorder, i)->phase, expected[i][1]);
  }
  world_end_recorded(world, recorder);
}

static void tick_and_microtask(struct act *self) {
  act_microtask(self->world, "m", NULL);
  act_tick(self->world, "n", block_30);
}

static void tasks_have_the_phase_of_what_they_are_drained_behind(void **u) {
  (void)u;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 16);
  act_tick(world, "main", NULL);
  pl_loop_drain(world->loop);
  soon_immediate(world, "i", tick_and_microtask);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "main i n m");
  static const uint8_t expected[][2] = {{PL_RECORD_TICK, PL_PHASE_MAIN},
                                        {PL_OBJECT_IMMEDIATE, PL_PHASE_CHECK},
                                        {PL_RECORD_TICK, PL_PHASE_CHECK},
                                        {PL_RECORD_MICROTASK, PL_PHASE_CHECK}};
  assert_int_equal(kept(recorder), 4);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(pl_recorder_at(recorder, i)->kind, expected[i][0]);
    assert_int_equal(pl_recorder_at(recorder, i)->phase, expected[i][1]);
  }
  assert_int_equal(pl_recorder_at(recorder, 1)->duration_ns, 0);
  assert_int_equal(pl_recorder_at(recorder, 2)->duration_ns, 30 * MS);
  world_end_recorded(world, recorder);
}

static void waiting_is_recorded_as_such(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 8);
  soon_timer(world, 40, "t", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  const struct pl_record *wait = pl_recorder_at(recorder, 0);
  assert_int_equal(wait->kind, PL_RECORD_WAIT);
  assert_null(wait->fn);
  assert_int_equal(wait->start_ns, 1000 * MS);
  assert_int_equal(wait->duration_ns, 40 * MS);
  world_end_recorded(world, recorder);
}

static void again_until_nine(struct act *self) {
  world_block(self->world, 1);
  if (self->calls < 9) pl_immediate_start(&self->as.immediate);
}

static void a_full_ring_keeps_the_newest_and_counts_the_others(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 4);
  soon_immediate(world, "i", again_until_nine);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(pl_recorder_count(recorder), 9);
  assert_int_equal(pl_recorder_dropped(recorder), 5);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(pl_recorder_at(recorder, i)->start_ns, (1005 + i) * MS);
  world_end_recorded(world, recorder);
}

static void drain_three(struct act *self) {
  for (int i = 0; i < 3; i++)
    act_tick(self->world, "n", NULL);
  pl_loop_drain(self->world->loop);
  world_block(self->world, 30);
}

static void a_callback_that_outlives_the_ring_spoils_no_record(void **unused) {
  (void)unused;
  for (size_t capacity = 1; capacity <= 4; capacity++) {
    struct world *world = world_begin();
    struct pl_recorder *recorder = world_record(world, capacity);
    soon_immediate(world, "i", drain_three);
    expect_run(world, PL_LOOP_DEFAULT, 0);
    assert_int_equal(pl_recorder_count(recorder), 4);
    const struct pl_record *oldest = pl_recorder_at(recorder, 0);
    if (capacity == 4)
      assert_int_equal(oldest->duration_ns, 30 * MS);
    else
      assert_int_equal(oldest->duration_ns, 0);
    world_end_recorded(world, recorder);
  }
}

static void detach(struct act *self) {
  world_block(self->world, 7);
  pl_loop_record(self->world->loop, NULL);
}

static void a_recorder_may_be_detached_in_a_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 8);
  soon_immediate(world, "i", detach);
  soon_immediate(world, "j", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(pl_recorder_count(recorder), 1);
  assert_int_equal(pl_recorder_at(recorder, 0)->duration_ns, 7 * MS);
  pl_loop_record(world->loop, recorder);
  soon_immediate(world, "k", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(pl_recorder_count(recorder), 2);
  world_end_recorded(world, recorder);
}

static void recording_allocates_nothing(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 4);
  struct act *tick = act_timer(world, "t", tick_and_microtask);
  pl_timer_start(&tick->as.timer, 1, 0);
  soon_immediate(world, "i", again_until_nine);
  world->until_fail = 0;
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(world->until_fail, 0);
  world->until_fail = -1;
  world_end_recorded(world, recorder);
}

static void recorders_report_what_they_have_no_memory_for(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_allocator allocator = world_allocator(world);
  struct pl_recorder *recorder = NULL;
  assert_int_equal(pl_recorder_create(&allocator, 0, &recorder), PL_EINVAL);
  assert_int_equal(pl_recorder_create(&allocator, SIZE_MAX / 8, &recorder),
                   PL_ENOMEM);
  world->until_fail = 0;
  assert_int_equal(pl_recorder_create(&allocator, 4, &recorder), PL_ENOMEM);
  assert_null(recorder);
  world->until_fail = -1;
  recorder = world_record(world, 4);
  uint16_t label = 77;
  for (int i = 0; i < 2; i++) {
    world->until_fail = i;
    assert_int_equal(pl_recorder_name(recorder, "n", NULL, 0, NULL, &label),
                     PL_ENOMEM);
    assert_int_equal(label, 77);
  }
  world->until_fail = -1;
  assert_int_equal(pl_recorder_name(recorder, "n", NULL, 0, NULL, &label), 0);
  assert_int_equal(label, 1);
  world_end_recorded(world, recorder);
}

static void there_are_65535_labels_and_no_more(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 1);
  uint16_t label = 0;
  for (int i = 1; i <= UINT16_MAX; i++) {
    assert_int_equal(pl_recorder_name(recorder, "n", "u", i, NULL, &label), 0);
    assert_int_equal(label, i);
  }
  assert_int_equal(pl_recorder_name(recorder, "n", "u", 1, NULL, &label),
                   PL_ENOSPC);
  world_end_recorded(world, recorder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_callback_is_recorded_from_its_begin_to_its_end),
      cmocka_unit_test(a_timer_is_late_by_what_held_the_loop),
      cmocka_unit_test(lateness_is_finer_than_loop_time),
      cmocka_unit_test(a_repeating_timer_is_measured_by_each_of_its_times),
      cmocka_unit_test(an_interval_is_measured_from_the_start_of_its_call),
      cmocka_unit_test(every_kind_has_its_phase),
      cmocka_unit_test(tasks_have_the_phase_of_what_they_are_drained_behind),
      cmocka_unit_test(waiting_is_recorded_as_such),
      cmocka_unit_test(a_full_ring_keeps_the_newest_and_counts_the_others),
      cmocka_unit_test(a_callback_that_outlives_the_ring_spoils_no_record),
      cmocka_unit_test(a_recorder_may_be_detached_in_a_callback),
      cmocka_unit_test(recording_allocates_nothing),
      cmocka_unit_test(recorders_report_what_they_have_no_memory_for),
      cmocka_unit_test(there_are_65535_labels_and_no_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

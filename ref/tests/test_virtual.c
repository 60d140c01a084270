/* SPDX-License-Identifier: MIT */
/*
 * test_virtual.c: a loop in a world of choices: how time passes, what is ready
 * in which order, and that the answers alone decide.
 */
#include "scene.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* -- time ------------------------------------------------------------------ */

static void timer_and_elapsed(struct scene *scene) {
  uint64_t begin = scene_now_ms(scene);
  scene_timer(scene, 0, 5)->more = scene_close_self;
  scene_run(scene);
  assert_int_equal(scene_now_ms(scene) - begin, 5);
  assert_int_equal(scene->depth, 0);
}

static void without_slack_a_timer_fires_to_the_millisecond(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, timer_and_elapsed, "aA");
}

static void timeout_and_immediate(struct scene *scene) {
  scene_timeout(scene, 0, 0);
  scene_immediate(scene, 1);
  scene_run(scene);
}

static void
a_millisecond_of_slack_puts_a_timeout_before_or_behind(void **state) {
  (void)state;
  struct scene scene = {.config.slack_ms = 1};
  scene_expect(&scene, timeout_and_immediate, "ab ba");
}

static void without_slack_an_immediate_is_always_first(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, timeout_and_immediate, "ba");
}

static void far_timeout(struct scene *scene) {
  scene_timeout(scene, 0, 3);
  scene_immediate(scene, 1);
  scene_run(scene);
}

static void slack_is_what_may_pass_in_a_whole_run(void **state) {
  (void)state;
  struct scene two = {.config.slack_ms = 2};
  scene_expect(&two, far_timeout, "ba");
  struct scene three = {.config.slack_ms = 3};
  scene_expect(&three, far_timeout, "ab ba");
}

static void busy_main(struct scene *scene) {
  scene_timeout(scene, 0, 1);
  scene_immediate(scene, 1);
  pl_virtual_pass(scene->loop, 1);
  scene_run(scene);
}

static void a_busy_thread_needs_no_slack(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, busy_main, "ab");
}

static void on_turn(void *arg, int status) {
  (void)arg;
  (void)status;
}

static void spin(struct scene *scene) {
  struct part *part = scene_part(scene, 3);
  scene_timer(scene, 0, 2)->more = scene_close_self;
  pl_watcher_init(scene->loop, PL_OBJECT_IDLE, &part->as.watcher, on_turn,
                  part);
  pl_watcher_start(&part->as.watcher);
  pl_object_unref(&part->as.watcher);
  scene_run(scene);
  pl_handle_close(&part->as, NULL);
}

static void a_loop_that_turns_takes_time(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, spin, "aA");
}

/* -- the poll phase -------------------------------------------------------- */

static void wake_up_and_signal(struct scene *scene) {
  scene_wake_up(scene, 0)->more = scene_close_self;
  struct part *part = scene_part(scene, 1);
  part->more = scene_close_self;
  pl_signal_init(scene->loop, &part->as.signal, scene_on_part, part);
  assert_int_equal(pl_signal_start(&part->as.signal, SIGUSR2), 0);
  raise(SIGUSR2);
  scene_run(scene);
}

static void ready_events_are_served_in_any_order(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, wake_up_and_signal, "abBA baAB");
}

static void two_wake_ups(struct scene *scene) {
  scene_wake_up(scene, 0)->more = scene_close_self;
  scene_wake_up(scene, 1)->more = scene_close_self;
  scene_run(scene);
}

static void usual_orders_are_kept_unless_they_are_asked_for(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, two_wake_ups, "abBA");
  struct scene any = {.config.any_order = 1};
  scene_expect(&any, two_wake_ups, "abAB abBA baAB baBA");
}

static void three_raises(struct scene *scene) {
  struct part *part = scene_part(scene, 0);
  pl_signal_init(scene->loop, &part->as.signal, scene_on_part, part);
  assert_int_equal(pl_signal_start(&part->as.signal, SIGUSR2), 0);
  for (int i = 0; i < 3; i++)
    raise(SIGUSR2);
  pl_loop_run(scene->loop, PL_LOOP_NOWAIT);
  pl_handle_close(&part->as, NULL);
}

static void several_raises_may_be_one_delivery(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, three_raises, "aaa");
  struct scene any = {.config.any_order = 1};
  scene_expect(&any, three_raises, "a aa aaa");
}

static void asleep(struct scene *scene) {
  struct part *part = scene_part(scene, 0);
  pl_async_init(scene->loop, &part->as.async, scene_on_part, part);
  scene_run(scene);
  assert_int_equal(scene->ended, PL_EDEADLK);
  pl_handle_close(&part->as, scene_on_closed);
}

static void a_loop_that_would_sleep_for_ever_says_so(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, asleep, "");
}

/* -- the world ------------------------------------------------------------- */

static void a_mix(struct scene *scene) {
  scene_timeout(scene, 0, 1);
  scene_immediate(scene, 1);
  scene_job(scene, 2, 1);
  scene_wake_up(scene, 3)->more = scene_close_self;
  scene_run(scene);
}

static void the_same_answers_make_the_same_run(void **state) {
  (void)state;
  struct scene scene = {.config = {.slack_ms = 2, .late_ms = 2}};
  free(scene_all_traces(&scene, a_mix)); /* sets the config up */
  char trace[sizeof scene.trace], asked[sizeof scene.asked];
  int runs = 0;
  scene.given = 0;
  do {
    scene_run_once(&scene, a_mix);
    memcpy(trace, scene.trace, sizeof trace);
    memcpy(asked, scene.asked, sizeof asked);
    scene_run_once(&scene, a_mix);
    assert_string_equal(scene.trace, trace);
    assert_string_equal(scene.asked, asked);
  } while (scene_next_answers(&scene) && ++runs < 200);
  assert_true(runs > 10);
}

static enum pl_virtual_seen always_known(void *self, uint64_t digest) {
  (void)self;
  (void)digest;
  return PL_VIRTUAL_KNOWN;
}

static void a_known_state_ends_the_run(void **state) {
  (void)state;
  struct scene scene = {.config.seen = always_known};
  struct pl_loop *loop = test_malloc(pl_loop_size());
  struct part part = {.scene = &scene, .letter = 'a'};
  assert_int_equal(pl_virtual_loop_init(loop, &scene.config), 0);
  pl_timeout_init(loop, &part.as.timeout, scene_on_part, &part);
  pl_timeout_start(&part.as.timeout, 5, 0);
  assert_int_equal(pl_loop_run(loop, PL_LOOP_DEFAULT), PL_ECANCELED);
  assert_string_equal(scene.trace, "");
  assert_int_equal(pl_loop_close(loop), 0);
  test_free(loop);
}

static void *scarce(void *self, void *block, size_t size) {
  int *left = self;
  if (size == 0) {
    free(block);
    return NULL;
  }
  return (*left)-- > 0 ? realloc(block, size) : NULL;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  int failures = 0;
  for (int most = 0;; most++) {
    int left = most;
    struct pl_virtual_config config = {
        .allocator = {.resize = scarce, .self = &left}};
    struct scene scene = {.loop = test_malloc(pl_loop_size())};
    struct part *part = scene_part(&scene, 0);
    int error = pl_virtual_loop_init(scene.loop, &config);
    if (error == 0) {
      pl_work_init(scene.loop, &part->as.work, scene_on_part, part);
      error = pl_work_submit(&part->as.work, scene_no_job);
      assert_int_equal(pl_loop_run(scene.loop, PL_LOOP_DEFAULT), 0);
      assert_int_equal(pl_loop_close(scene.loop), 0);
    }
    test_free(scene.loop);
    assert_true(error == 0 || error == PL_ENOMEM);
    if (error == 0) break;
    failures++;
  }
  assert_true(failures >= 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_slack_a_timer_fires_to_the_millisecond),
      cmocka_unit_test(a_millisecond_of_slack_puts_a_timeout_before_or_behind),
      cmocka_unit_test(without_slack_an_immediate_is_always_first),
      cmocka_unit_test(slack_is_what_may_pass_in_a_whole_run),
      cmocka_unit_test(a_busy_thread_needs_no_slack),
      cmocka_unit_test(a_loop_that_turns_takes_time),
      cmocka_unit_test(ready_events_are_served_in_any_order),
      cmocka_unit_test(usual_orders_are_kept_unless_they_are_asked_for),
      cmocka_unit_test(several_raises_may_be_one_delivery),
      cmocka_unit_test(a_loop_that_would_sleep_for_ever_says_so),
      cmocka_unit_test(the_same_answers_make_the_same_run),
      cmocka_unit_test(a_known_state_ends_the_run),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

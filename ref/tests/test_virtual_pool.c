/* SPDX-License-Identifier: MIT */
/*
 * test_virtual_pool.c: the pool in a world of choices: which jobs have ended
 * when, and which can still be cancelled.
 */
#include "scene.h"

#include <stdlib.h>

static void three_jobs(struct scene *scene) {
  for (int n = 0; n < 3; n++)
    scene_job(scene, n, 0);
  scene_run(scene);
}

static void one_thread_ends_jobs_in_order(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 1, .late_ms = 5}};
  scene_expect(&scene, three_jobs, "abc");
}

static void two_threads_let_the_third_job_pass_one(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 2, .late_ms = 5}};
  scene_expect(&scene, three_jobs, "abc acb bac bca");
}

static void enough_threads_end_jobs_in_any_order(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 3, .late_ms = 5}};
  scene_expect(&scene, three_jobs, "abc acb bac bca cab cba");
}

static void long_and_short(struct scene *scene) {
  scene_job(scene, 0, 60);
  scene_job(scene, 1, 0);
  scene_run(scene);
}

static void a_job_takes_its_time(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 2, .late_ms = 10}};
  scene_expect(&scene, long_and_short, "ba");
  struct scene late = {.config = {.threads = 2, .late_ms = 61}};
  scene_expect(&late, long_and_short, "ab ba");
}

static void job_and_timer(struct scene *scene) {
  scene_job(scene, 0, 0);
  scene_timer(scene, 1, 5)->more = scene_close_self;
  scene_run(scene);
}

static void a_job_is_late_by_so_much_and_no_more(void **state) {
  (void)state;
  struct scene scene = {.config.late_ms = 4};
  scene_expect(&scene, job_and_timer, "abB");
  struct scene late = {.config.late_ms = 6};
  scene_expect(&late, job_and_timer, "abB bBa baB");
}

static void cancelled(struct scene *scene) {
  struct part *part = scene_job(scene, 0, 0);
  scene_leave(scene, pl_work_cancel(&part->as.work) == 0 ? '+' : '-');
  scene_run(scene);
}

static void a_job_is_cancelled_or_has_begun(void **state) {
  (void)state;
  struct scene scene = {.config.late_ms = 5};
  scene_expect(&scene, cancelled, "+a! -a");
}

static void cancelled_behind(struct scene *scene) {
  scene_job(scene, 0, 40);
  struct part *part = scene_job(scene, 1, 0);
  pl_virtual_pass(scene->loop, 5);
  scene_leave(scene, pl_work_cancel(&part->as.work) == 0 ? '+' : '-');
  scene_run(scene);
}

static void a_job_behind_a_running_one_can_be_cancelled(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 1, .late_ms = 2}};
  scene_expect(&scene, cancelled_behind, "+b!a");
}

static void cancelled_second(struct scene *scene) {
  scene_job(scene, 0, 0);
  struct part *part = scene_job(scene, 1, 0);
  scene_leave(scene, pl_work_cancel(&part->as.work) == 0 ? '+' : '-');
  scene_run(scene);
}

static void the_job_before_a_cancelled_one_may_have_ended(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 1, .late_ms = 5}};
  scene_expect(&scene, cancelled_second, "+ab! +b!a -ab");
}

static void waited_and_cancelled(struct scene *scene) {
  struct part *part = scene_job(scene, 0, 80);
  pl_virtual_pass(scene->loop, 40);
  scene_leave(scene, pl_work_cancel(&part->as.work) == 0 ? '+' : '-');
  scene_run(scene);
}

static void a_job_has_begun_when_it_had_the_time_to(void **state) {
  (void)state;
  struct scene scene = {.config.late_ms = 10};
  scene_expect(&scene, waited_and_cancelled, "-a");
}

static void stat_request(struct scene *scene) {
  struct part *part = scene_part(scene, 0);
  pl_stat_init(scene->loop, &part->as.stat, scene_on_part, part);
  assert_int_equal(pl_stat_submit(&part->as.stat, "/"), 0);
  scene_run(scene);
  assert_true(S_ISDIR(part->as.stat.result.st_mode));
}

static void a_stat_request_is_really_made(void **state) {
  (void)state;
  scene_expect(&(struct scene){0}, stat_request, "a");
}

static uint64_t alike(void *self, const void *arg) {
  (void)self;
  (void)arg;
  return 7;
}

static void jobs_that_cannot_be_told_apart_are_offered_once(void **state) {
  (void)state;
  struct scene scene = {
      .config = {.threads = 3, .late_ms = 5, .digest = alike}};
  scene_expect(&scene, three_jobs, "abc");
}

static void a_question_names_its_options(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 2, .late_ms = 1}};
  free(scene_all_traces(&scene, long_and_short));
  scene.given = 0;
  scene_run_once(&scene, long_and_short);
  assert_string_equal(scene.asked,
                      "what happens: 1 ms pass|b ends (request 2)\n"
                      "what happens: 1 ms pass|a ends (request 1)\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_thread_ends_jobs_in_order),
      cmocka_unit_test(two_threads_let_the_third_job_pass_one),
      cmocka_unit_test(enough_threads_end_jobs_in_any_order),
      cmocka_unit_test(a_job_takes_its_time),
      cmocka_unit_test(a_job_is_late_by_so_much_and_no_more),
      cmocka_unit_test(a_job_is_cancelled_or_has_begun),
      cmocka_unit_test(a_job_behind_a_running_one_can_be_cancelled),
      cmocka_unit_test(the_job_before_a_cancelled_one_may_have_ended),
      cmocka_unit_test(a_job_has_begun_when_it_had_the_time_to),
      cmocka_unit_test(a_stat_request_is_really_made),
      cmocka_unit_test(jobs_that_cannot_be_told_apart_are_offered_once),
      cmocka_unit_test(a_question_names_its_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

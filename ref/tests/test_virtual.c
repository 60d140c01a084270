/* SPDX-License-Identifier: MIT */
/*
 * test_virtual.c: a loop in a world of choices: what is asked, what may come of
 * it, and that the answers alone decide.
 *
 * A program is run with every answer; what its callbacks leave is a trace of
 * letters, and the set of all traces is what a test expects.
 */
#include "plumb/virtual.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEEP = 400, TRACES = 64, ACTS = 16 };

struct scene;

/* An object that leaves its letter, and then does more. */
struct act {
  union {
    struct pl_timer timer;
    struct pl_timeout timeout;
    struct pl_immediate immediate;
    struct pl_watcher watcher;
    struct pl_async async;
    struct pl_signal signal;
    struct pl_work work;
    struct pl_stat stat;
  } as;
  struct scene *scene;
  char letter;
  uint64_t ms; /* a job's */
  void (*more)(struct act *self);
};

struct scene {
  struct pl_loop *loop;
  struct pl_virtual_config config;
  struct act acts[ACTS];
  char trace[64];
  int ended; /* what the run returned */
  unsigned answers[DEEP], options[DEEP];
  size_t depth, given;
  char asked[8192]; /* every question of a run */
};

/* -- a run ----------------------------------------------------------------- */

static unsigned choose(void *self, const char *what, unsigned options) {
  struct scene *scene = self;
  assert_true(options >= 2);
  assert_true(scene->depth < DEEP);
  size_t length = strlen(scene->asked);
  snprintf(scene->asked + length, sizeof scene->asked - length, "%s\n", what);
  if (scene->depth == scene->given) {
    scene->answers[scene->given] = 0;
    scene->options[scene->given++] = options;
  }
  assert_int_equal(scene->options[scene->depth], options);
  return scene->answers[scene->depth++];
}

static uint64_t duration(void *self, const void *arg) {
  (void)self;
  return ((const struct act *)arg)->ms;
}

static const char *label(void *self, const void *arg) {
  static char text[2];
  (void)self;
  text[0] = ((const struct act *)arg)->letter;
  return text;
}

static void leave(struct scene *scene, char letter) {
  size_t length = strlen(scene->trace);
  assert_true(length + 1 < sizeof scene->trace);
  scene->trace[length] = letter;
  scene->trace[length + 1] = '\0';
}

static void on_act(void *arg, int status) {
  struct act *act = arg;
  leave(act->scene, act->letter);
  if (status == PL_ECANCELED) leave(act->scene, '!');
  if (act->more != NULL) act->more(act);
}

static void on_closed(void *arg, int status) {
  (void)status;
  struct act *act = arg;
  leave(act->scene, (char)(act->letter - 'a' + 'A'));
}

static void no_job(void *arg) {
  (void)arg;
}

typedef void program_fn(struct scene *scene);

static struct act *act_of(struct scene *scene, int n) {
  struct act *act = &scene->acts[n];
  act->scene = scene;
  act->letter = (char)('a' + n);
  return act;
}

static void run_once(struct scene *scene, program_fn *program) {
  scene->depth = 0;
  scene->trace[0] = scene->asked[0] = '\0';
  memset(scene->acts, 0, sizeof scene->acts);
  scene->loop = test_malloc(pl_loop_size());
  assert_int_equal(pl_virtual_loop_init(scene->loop, &scene->config), 0);
  program(scene);
  int closed;
  while ((closed = pl_loop_close(scene->loop)) == PL_EBUSY) {
    size_t kept = strlen(scene->trace); /* the rest is cleaning up */
    scene->ended = pl_loop_run(scene->loop, PL_LOOP_DEFAULT);
    scene->trace[kept] = '\0';
  }
  assert_int_equal(closed, 0);
  test_free(scene->loop);
}

static bool next_answers(struct scene *scene) {
  while (scene->given > 0) {
    if (++scene->answers[scene->given - 1] < scene->options[scene->given - 1])
      return true;
    scene->given--;
  }
  return false;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The set of traces, sorted, with a blank between them. Gives, free with
 * free(). */
static char *all_traces(struct scene *scene, program_fn *program) {
  char *traces[TRACES];
  size_t count = 0;
  scene->config.self = scene;
  scene->config.choose = choose;
  scene->config.duration_ms = duration;
  scene->config.label = label;
  do {
    run_once(scene, program);
    size_t i = 0;
    while (i < count && strcmp(traces[i], scene->trace) != 0)
      i++;
    assert_true(i < TRACES);
    if (i == count) traces[count++] = strdup(scene->trace);
  } while (next_answers(scene));
  qsort(traces, count, sizeof *traces, by_text);
  char *text = calloc(1, count * sizeof scene->trace + 1);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) strcat(text, " ");
    strcat(text, traces[i]);
    free(traces[i]);
  }
  return text;
}

static void assert_traces(struct scene *scene, program_fn *program,
                          const char *expected) {
  char *found = all_traces(scene, program);
  assert_string_equal(found, expected);
  free(found);
}

/* -- parts of programs ----------------------------------------------------- */

static struct act *timer(struct scene *scene, int n, uint64_t after) {
  struct act *act = act_of(scene, n);
  pl_timer_init(scene->loop, &act->as.timer, on_act, act);
  pl_timer_start(&act->as.timer, after, 0);
  return act;
}

static struct act *timeout(struct scene *scene, int n, double after) {
  struct act *act = act_of(scene, n);
  pl_timeout_init(scene->loop, &act->as.timeout, on_act, act);
  pl_timeout_start(&act->as.timeout, after, 0);
  return act;
}

static struct act *immediate(struct scene *scene, int n) {
  struct act *act = act_of(scene, n);
  pl_immediate_init(scene->loop, &act->as.immediate, on_act, act);
  pl_immediate_start(&act->as.immediate);
  return act;
}

static struct act *job(struct scene *scene, int n, uint64_t ms) {
  struct act *act = act_of(scene, n);
  act->ms = ms;
  pl_work_init(scene->loop, &act->as.work, on_act, act);
  assert_int_equal(pl_work_submit(&act->as.work, no_job), 0);
  return act;
}

static struct act *wake_up(struct scene *scene, int n) {
  struct act *act = act_of(scene, n);
  pl_async_init(scene->loop, &act->as.async, on_act, act);
  pl_async_send(&act->as.async);
  return act;
}

static void run(struct scene *scene) {
  scene->ended = pl_loop_run(scene->loop, PL_LOOP_DEFAULT);
}

static uint64_t now_ms(struct scene *scene) {
  return pl_virtual_ns(scene->loop) / 1000000;
}

static void close_self(struct act *self) {
  pl_handle_close(&self->as, on_closed);
}

/* -- time ------------------------------------------------------------------ */

static void timer_and_elapsed(struct scene *scene) {
  uint64_t begin = now_ms(scene);
  timer(scene, 0, 5)->more = close_self;
  run(scene);
  assert_int_equal(now_ms(scene) - begin, 5);
  assert_int_equal(scene->depth, 0);
}

static void without_slack_a_timer_fires_to_the_millisecond(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, timer_and_elapsed, "aA");
}

static void timeout_and_immediate(struct scene *scene) {
  timeout(scene, 0, 0);
  immediate(scene, 1);
  run(scene);
}

static void
a_millisecond_of_slack_puts_a_timeout_before_or_behind(void **state) {
  (void)state;
  struct scene scene = {.config.slack_ms = 1};
  assert_traces(&scene, timeout_and_immediate, "ab ba");
}

static void without_slack_an_immediate_is_always_first(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, timeout_and_immediate, "ba");
}

static void far_timeout(struct scene *scene) {
  timeout(scene, 0, 3);
  immediate(scene, 1);
  run(scene);
}

static void slack_is_what_may_pass_in_a_whole_run(void **state) {
  (void)state;
  struct scene two = {.config.slack_ms = 2};
  assert_traces(&two, far_timeout, "ba");
  struct scene three = {.config.slack_ms = 3};
  assert_traces(&three, far_timeout, "ab ba");
}

static void busy_main(struct scene *scene) {
  timeout(scene, 0, 1);
  immediate(scene, 1);
  pl_virtual_pass(scene->loop, 1);
  run(scene);
}

static void a_busy_thread_needs_no_slack(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, busy_main, "ab");
}

static void on_turn(void *arg, int status) {
  (void)arg;
  (void)status;
}

static void spin(struct scene *scene) {
  struct act *act = act_of(scene, 3);
  timer(scene, 0, 2)->more = close_self;
  pl_watcher_init(scene->loop, PL_OBJECT_IDLE, &act->as.watcher, on_turn, act);
  pl_watcher_start(&act->as.watcher);
  pl_object_unref(&act->as.watcher);
  run(scene);
  pl_handle_close(&act->as, NULL);
}

static void a_loop_that_turns_takes_time(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, spin, "aA");
}

/* -- the pool -------------------------------------------------------------- */

static void three_jobs(struct scene *scene) {
  for (int n = 0; n < 3; n++)
    job(scene, n, 0);
  run(scene);
}

static void one_thread_ends_jobs_in_order(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 1, .late_ms = 5}};
  assert_traces(&scene, three_jobs, "abc");
}

static void two_threads_let_the_third_job_pass_one(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 2, .late_ms = 5}};
  assert_traces(&scene, three_jobs, "abc acb bac bca");
}

static void enough_threads_end_jobs_in_any_order(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 3, .late_ms = 5}};
  assert_traces(&scene, three_jobs, "abc acb bac bca cab cba");
}

static void long_and_short(struct scene *scene) {
  job(scene, 0, 60);
  job(scene, 1, 0);
  run(scene);
}

static void a_job_takes_its_time(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 2, .late_ms = 10}};
  assert_traces(&scene, long_and_short, "ba");
  struct scene late = {.config = {.threads = 2, .late_ms = 61}};
  assert_traces(&late, long_and_short, "ab ba");
}

static void job_and_timer(struct scene *scene) {
  job(scene, 0, 0);
  timer(scene, 1, 5)->more = close_self;
  run(scene);
}

static void a_job_is_late_by_so_much_and_no_more(void **state) {
  (void)state;
  struct scene scene = {.config.late_ms = 4};
  assert_traces(&scene, job_and_timer, "abB");
  struct scene late = {.config.late_ms = 6};
  assert_traces(&late, job_and_timer, "abB bBa baB");
}

static void cancelled(struct scene *scene) {
  struct act *act = job(scene, 0, 0);
  leave(scene, pl_work_cancel(&act->as.work) == 0 ? '+' : '-');
  run(scene);
}

static void a_job_is_cancelled_or_has_begun(void **state) {
  (void)state;
  struct scene scene = {.config.late_ms = 5};
  assert_traces(&scene, cancelled, "+a! -a");
}

static void cancelled_behind(struct scene *scene) {
  job(scene, 0, 40);
  struct act *act = job(scene, 1, 0);
  pl_virtual_pass(scene->loop, 5);
  leave(scene, pl_work_cancel(&act->as.work) == 0 ? '+' : '-');
  run(scene);
}

static void a_job_behind_a_running_one_can_be_cancelled(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 1, .late_ms = 2}};
  assert_traces(&scene, cancelled_behind, "+b!a");
}

static void cancelled_second(struct scene *scene) {
  job(scene, 0, 0);
  struct act *act = job(scene, 1, 0);
  leave(scene, pl_work_cancel(&act->as.work) == 0 ? '+' : '-');
  run(scene);
}

static void the_job_before_a_cancelled_one_may_have_ended(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 1, .late_ms = 5}};
  assert_traces(&scene, cancelled_second, "+ab! +b!a -ab");
}

static void waited_and_cancelled(struct scene *scene) {
  struct act *act = job(scene, 0, 80);
  pl_virtual_pass(scene->loop, 40);
  leave(scene, pl_work_cancel(&act->as.work) == 0 ? '+' : '-');
  run(scene);
}

static void a_job_has_begun_when_it_had_the_time_to(void **state) {
  (void)state;
  struct scene scene = {.config.late_ms = 10};
  assert_traces(&scene, waited_and_cancelled, "-a");
}

static void stat_request(struct scene *scene) {
  struct act *act = act_of(scene, 0);
  pl_stat_init(scene->loop, &act->as.stat, on_act, act);
  assert_int_equal(pl_stat_submit(&act->as.stat, "/"), 0);
  run(scene);
  assert_true(S_ISDIR(act->as.stat.result.st_mode));
}

static void a_stat_request_is_really_made(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, stat_request, "a");
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
  assert_traces(&scene, three_jobs, "abc");
}

/* -- the poll phase -------------------------------------------------------- */

static void wake_up_and_signal(struct scene *scene) {
  wake_up(scene, 0)->more = close_self;
  struct act *act = act_of(scene, 1);
  act->more = close_self;
  pl_signal_init(scene->loop, &act->as.signal, on_act, act);
  assert_int_equal(pl_signal_start(&act->as.signal, SIGUSR2), 0);
  raise(SIGUSR2);
  run(scene);
}

static void ready_events_are_served_in_any_order(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, wake_up_and_signal, "abBA baAB");
}

static void two_wake_ups(struct scene *scene) {
  wake_up(scene, 0)->more = close_self;
  wake_up(scene, 1)->more = close_self;
  run(scene);
}

static void usual_orders_are_kept_unless_they_are_asked_for(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, two_wake_ups, "abBA");
  struct scene any = {.config.any_order = 1};
  assert_traces(&any, two_wake_ups, "abAB abBA baAB baBA");
}

static void three_raises(struct scene *scene) {
  struct act *act = act_of(scene, 0);
  pl_signal_init(scene->loop, &act->as.signal, on_act, act);
  assert_int_equal(pl_signal_start(&act->as.signal, SIGUSR2), 0);
  for (int i = 0; i < 3; i++)
    raise(SIGUSR2);
  pl_loop_run(scene->loop, PL_LOOP_NOWAIT);
  pl_handle_close(&act->as, NULL);
}

static void several_raises_may_be_one_delivery(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, three_raises, "aaa");
  struct scene any = {.config.any_order = 1};
  assert_traces(&any, three_raises, "a aa aaa");
}

static void asleep(struct scene *scene) {
  struct act *act = act_of(scene, 0);
  pl_async_init(scene->loop, &act->as.async, on_act, act);
  run(scene);
  assert_int_equal(scene->ended, PL_EDEADLK);
  pl_handle_close(&act->as, on_closed);
}

static void a_loop_that_would_sleep_for_ever_says_so(void **state) {
  (void)state;
  assert_traces(&(struct scene){0}, asleep, "");
}

/* -- the world ------------------------------------------------------------- */

static void a_mix(struct scene *scene) {
  timeout(scene, 0, 1);
  immediate(scene, 1);
  job(scene, 2, 1);
  wake_up(scene, 3)->more = close_self;
  run(scene);
}

static void the_same_answers_make_the_same_run(void **state) {
  (void)state;
  struct scene scene = {.config = {.slack_ms = 2, .late_ms = 2}};
  free(all_traces(&scene, a_mix)); /* sets the config up */
  char trace[sizeof scene.trace], asked[sizeof scene.asked];
  int runs = 0;
  scene.given = 0;
  do {
    run_once(&scene, a_mix);
    memcpy(trace, scene.trace, sizeof trace);
    memcpy(asked, scene.asked, sizeof asked);
    run_once(&scene, a_mix);
    assert_string_equal(scene.trace, trace);
    assert_string_equal(scene.asked, asked);
  } while (next_answers(&scene) && ++runs < 200);
  assert_true(runs > 10);
}

static void a_question_names_its_options(void **state) {
  (void)state;
  struct scene scene = {.config = {.threads = 2, .late_ms = 1}};
  free(all_traces(&scene, long_and_short));
  scene.given = 0;
  run_once(&scene, long_and_short);
  assert_string_equal(scene.asked,
                      "what happens: 1 ms pass|b ends (request 2)\n"
                      "what happens: 1 ms pass|a ends (request 1)\n");
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
  struct act act = {.scene = &scene, .letter = 'a'};
  assert_int_equal(pl_virtual_loop_init(loop, &scene.config), 0);
  pl_timeout_init(loop, &act.as.timeout, on_act, &act);
  pl_timeout_start(&act.as.timeout, 5, 0);
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
    struct act *act = act_of(&scene, 0);
    int error = pl_virtual_loop_init(scene.loop, &config);
    if (error == 0) {
      pl_work_init(scene.loop, &act->as.work, on_act, act);
      error = pl_work_submit(&act->as.work, no_job);
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
      cmocka_unit_test(ready_events_are_served_in_any_order),
      cmocka_unit_test(usual_orders_are_kept_unless_they_are_asked_for),
      cmocka_unit_test(several_raises_may_be_one_delivery),
      cmocka_unit_test(a_loop_that_would_sleep_for_ever_says_so),
      cmocka_unit_test(the_same_answers_make_the_same_run),
      cmocka_unit_test(a_question_names_its_options),
      cmocka_unit_test(a_known_state_ends_the_run),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

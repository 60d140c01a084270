/* SPDX-License-Identifier: MIT */
/*
 * test_flow.c: what no program of the suite sees: memory that runs out, the
 * crowd of listeners, ends in the middle. The rest is in
 * conformance/cases/flow.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "plumb/flow.h"

/* -- emitters ---------------------------------------------------------------
 */

static struct world memory = {.until_fail = -1};
static struct pl_emitter emitter;

static int count_call(void *arg, void *value) {
  (void)value;
  ++*(int *)arg;
  return 0;
}

static void emitter_begin(void) {
  struct pl_allocator allocator = world_allocator(&memory);
  memory.until_fail = -1;
  pl_emitter_init(&emitter, &allocator);
}

static void emitter_finish(void) {
  memory.until_fail = -1;
  pl_emitter_end(&emitter);
  assert_int_equal(memory.blocks, 0);
}

static void a_refused_allocation_adds_nobody(void **unused) {
  (void)unused;
  int calls = 0, refused = 0, error;
  emitter_begin();
  do {
    memory.until_fail = refused;
    error = pl_emitter_on(&emitter, "x", count_call, &calls, 0);
    if (error == 0) break;
    assert_int_equal(error, PL_ENOMEM);
    assert_int_equal(pl_emitter_count(&emitter, "x"), 0);
    assert_null(pl_emitter_next(&emitter, NULL));
    assert_int_equal(memory.blocks, 0);
  } while (++refused < 16);
  assert_in_range(refused, 2, 15);
  memory.until_fail = -1;
  assert_int_equal(pl_emitter_emit(&emitter, "x", NULL), 1);
  assert_int_equal(calls, 1);
  emitter_finish();
}

/* Removes itself while memory is refused: the list in use cannot be copied. */
static int remove_without_memory(void *arg, void *value) {
  (void)value;
  memory.until_fail = 0;
  int result = pl_emitter_off(&emitter, "x", remove_without_memory, arg);
  memory.until_fail = -1;
  assert_int_equal(result, PL_ENOMEM);
  ++*(int *)arg;
  return 0;
}

static void who_cannot_be_removed_stays(void **unused) {
  (void)unused;
  int first = 0, second = 0;
  emitter_begin();
  pl_emitter_on(&emitter, "x", remove_without_memory, &first, 0);
  pl_emitter_on(&emitter, "x", count_call, &second, 0);
  assert_int_equal(pl_emitter_emit(&emitter, "x", NULL), 1);
  assert_int_equal(pl_emitter_emit(&emitter, "x", NULL), 1);
  assert_int_equal(first, 2);
  assert_int_equal(second, 2);
  emitter_finish();
}

static void an_ended_emitter_keeps_nothing(void **unused) {
  (void)unused;
  int calls = 0;
  emitter_begin();
  char name[8];
  for (int i = 0; i < 40; i++) {
    name[0] = (char)('a' + i % 4);
    name[1] = '\0';
    unsigned flags = i % 3 == 0 ? PL_LISTENER_ONCE : PL_LISTENER_PREPEND;
    assert_int_equal(pl_emitter_on(&emitter, name, count_call, &calls, flags),
                     0);
  }
  assert_int_equal(pl_emitter_emit(&emitter, "a", NULL), 1);
  emitter_finish();
}

static size_t crowd;
static void tell_crowd(struct pl_emitter *of, const char *event,
                       size_t listeners) {
  (void)of;
  assert_string_equal(event, "x");
  crowd = crowd * 100 + listeners;
}

static void a_crowd_is_told_once(void **unused) {
  (void)unused;
  int calls = 0;
  emitter_begin();
  crowd = 0;
  emitter.crowded = tell_crowd;
  for (int i = 0; i < 13; i++)
    pl_emitter_on(&emitter, "x", count_call, &calls, 0);
  assert_int_equal(crowd, 11);
  pl_emitter_emit(&emitter, "x", NULL);
  assert_int_equal(calls, 13);
  emitter_finish();
}

/* -- flows and queues ---------------------------------------------------------
 */

static int begin_nothing(struct pl_flow_task *task, void *given) {
  (void)task;
  (void)given;
  return 0;
}

static void never_done(void *arg, int status) {
  (void)arg;
  fail_msg("it was cancelled, and ended with %d", status);
}

static void a_flow_that_is_given_up_tells_nobody(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_flow_task tasks[2] = {{.start = begin_nothing},
                                  {.start = begin_nothing}};
  struct pl_flow flow;
  pl_flow_run(world->loop, &flow, PL_FLOW_PARALLEL, 0, tasks, 2, never_done,
              NULL);
  assert_int_equal(pl_flow_settle(&tasks[0], 0, NULL), 1);
  pl_flow_cancel(&flow);
  assert_int_equal(pl_flow_settle(&tasks[1], 0, NULL), 0);
  pl_loop_drain(world->loop);
  world_end(world);
}

static int begin_job(struct pl_job *job) {
  (void)job;
  return 0;
}

static void never_ended(struct pl_job *job, int status) {
  (void)job;
  fail_msg("its queue was closed, and it ended with %d", status);
}

/* With one that runs (against a clock), one that waits, one that has ended. */
static void a_queue_that_is_closed_lets_the_loop_go(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_queue_config config = {.limit = 2, .timeout_ms = 1000};
  struct pl_queue queue;
  struct pl_job jobs[3] = {{.start = begin_job, .ended = never_ended},
                           {.start = begin_job, .ended = never_ended},
                           {.start = begin_job, .ended = never_ended}};
  pl_queue_init(world->loop, &queue, &config);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pl_queue_push(&queue, &jobs[i]), 1);
  assert_int_equal(pl_queue_push(&queue, &jobs[0]), PL_EBUSY);
  pl_loop_drain(world->loop);
  assert_int_equal(pl_queue_count(&queue, PL_JOB_RUNNING), 2);
  assert_int_equal(pl_job_settle(&jobs[0], 0), 1);
  pl_queue_close(&queue);
  assert_int_equal(pl_queue_count(&queue, PL_JOB_DROPPED), 2);
  assert_int_equal(pl_queue_count(&queue, PL_JOB_DONE), 1);
  assert_int_equal(pl_queue_count(&queue, PL_JOB_QUEUED) +
                       pl_queue_count(&queue, PL_JOB_RUNNING),
                   0);
  assert_int_equal(pl_job_settle(&jobs[1], 0), 0);
  assert_int_equal(pl_job_drop(&jobs[2]), 0);
  assert_int_equal(pl_queue_push(&queue, &jobs[1]), PL_ECANCELED);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  world_end(world);
}

static int begin_and_settle(struct pl_job *job) {
  return pl_job_settle(job, 0) == 1 ? 0 : PL_EINVAL;
}

static struct pl_queue again;
static void push_again(struct pl_job *job, int status) {
  int *left = job->arg;
  assert_int_equal(status, 0);
  if (--*left > 0) assert_int_equal(pl_queue_push(&again, job), 1);
}

/* A job's memory is its owner's when it has ended: it may come again. */
static void a_job_may_come_again_when_it_has_ended(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_queue_config config = {.limit = 1};
  int left = 100000;
  struct pl_job job = {
      .start = begin_and_settle, .ended = push_again, .arg = &left};
  pl_queue_init(world->loop, &again, &config);
  assert_int_equal(pl_queue_push(&again, &job), 1);
  pl_loop_drain(world->loop);
  assert_int_equal(left, 0);
  assert_int_equal(pl_queue_count(&again, PL_JOB_DONE), 100000);
  pl_queue_close(&again);
  world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_refused_allocation_adds_nobody),
      cmocka_unit_test(who_cannot_be_removed_stays),
      cmocka_unit_test(an_ended_emitter_keeps_nothing),
      cmocka_unit_test(a_crowd_is_told_once),
      cmocka_unit_test(a_flow_that_is_given_up_tells_nobody),
      cmocka_unit_test(a_queue_that_is_closed_lets_the_loop_go),
      cmocka_unit_test(a_job_may_come_again_when_it_has_ended),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

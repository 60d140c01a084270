/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_children_real_time.c: children as Node's spawn() tells of them, and
 * programs that are run while the caller waits.
 */
#include "ends.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plumb/process.h"

struct family {
  struct world *world;
  struct pl_child child;
  int open_before;
  char log[128];
};

static void say(struct family *family, const char *what, int number) {
  size_t length = strlen(family->log);
  snprintf(family->log + length, sizeof family->log - length, "%s%s %d",
           length > 0 ? ", " : "", what, number);
}

static void on_started(void *arg, int status) {
  say(arg, "started", status);
}
static void on_exited(void *arg, int code, int signum) {
  say(arg, "exited", signum != 0 ? -signum : code);
}
static void on_closed(void *arg, int status) {
  say(arg, "closed", status);
}

static int family_setup(void **state) {
  struct family *family = calloc(1, sizeof *family);
  family->open_before = count_open_fds();
  family->world = world_begin_pool(1);
  pl_child_init(family->world->loop, &family->child, on_started, on_exited,
                family);
  *state = family;
  return 0;
}

static int family_teardown(void **state) {
  struct family *family = *state;
  family->log[0] = '\0';
  assert_int_equal(pl_child_close(&family->child, on_closed), 0);
  assert_int_equal(pl_child_close(&family->child, on_closed), PL_EINVAL);
  pl_loop_run(family->world->loop, PL_LOOP_DEFAULT);
  assert_string_equal(family->log, "closed 0");
  world_end(family->world);
  assert_int_equal(count_open_fds(), family->open_before);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
  free(family);
  return 0;
}

static int start(struct family *family, const char *file, const char *script,
                 const struct pl_child_limits *limits) {
  const char *const argv[] = {file, "-c", script, NULL};
  const struct pl_spawn_options options = {.file = file, .argv = argv};
  return pl_child_spawn(&family->child, &options, limits);
}

static void a_start_is_told_before_the_end_and_never_from_within(void **state) {
  struct family *family = *state;
  assert_int_equal(start(family, "sh", "exit 3", NULL), 0);
  assert_string_equal(family->log, "");
  pl_loop_run(family->world->loop, PL_LOOP_DEFAULT);
  assert_string_equal(family->log, "started 0, exited 3");
  assert_false(family->child.killed);
}

static void a_program_that_is_not_there_is_told_later(void **state) {
  struct family *family = *state;
  assert_int_equal(start(family, "/no/such/program", "", NULL), 0);
  assert_int_equal(pl_process_pid(&family->child.process), 0);
  assert_int_equal(pl_child_kill(&family->child, SIGTERM), PL_ESRCH);
  assert_string_equal(family->log, "");
  pl_loop_run(family->world->loop, PL_LOOP_DEFAULT);
  char expected[40];
  snprintf(expected, sizeof expected, "started %d", PL_ENOENT);
  assert_string_equal(family->log, expected);
}

static void other_errors_are_the_calls_own(void **state) {
  struct family *family = *state;
  assert_int_equal(start(family, "/bin/sh/x", "", NULL), PL_ENOTDIR);
  pl_loop_run(family->world->loop, PL_LOOP_DEFAULT);
  assert_string_equal(family->log, "");
}

static void a_limit_ends_a_child_by_its_signal(void **state) {
  struct family *family = *state;
  const struct pl_child_limits limits = {.timeout_ms = 5,
                                         .kill_signal = SIGINT};
  assert_int_equal(start(family, "sh", "exec sleep 1000", &limits), 0);
  pl_loop_run(family->world->loop, PL_LOOP_DEFAULT);
  char expected[60];
  snprintf(expected, sizeof expected, "started 0, exited %d", -SIGINT);
  assert_string_equal(family->log, expected);
  assert_true(family->child.killed);
}

static void a_limit_that_is_not_reached_keeps_nothing_alive(void **state) {
  struct family *family = *state;
  const struct pl_child_limits limits = {.timeout_ms = 1000000};
  assert_int_equal(start(family, "sh", "exit 0", &limits), 0);
  pl_loop_run(family->world->loop, PL_LOOP_DEFAULT);
  assert_string_equal(family->log, "started 0, exited 0");
}

static void signal_0_asks_and_kills_nobody(void **state) {
  struct family *family = *state;
  assert_int_equal(start(family, "sh", "exec sleep 1000", NULL), 0);
  assert_int_equal(pl_child_kill(&family->child, 0), 0);
  assert_false(family->child.killed);
  assert_int_equal(pl_child_kill(&family->child, SIGKILL), 0);
  assert_true(family->child.killed);
  pl_loop_run(family->world->loop, PL_LOOP_DEFAULT);
}

/* ---------------------------------------------------------------------- */
/* While the caller waits                                                 */

struct outcome {
  int error, code, signal;
  bool killed, timed_out;
  size_t length;
  char out[64];
  int calls;
};

static void on_done(void *arg, const struct pl_exec_result *result) {
  struct outcome *outcome = arg;
  outcome->error = result->error;
  outcome->code = result->code;
  outcome->signal = result->signal;
  outcome->killed = result->killed;
  outcome->timed_out = result->timed_out;
  outcome->length = result->out_length;
  snprintf(outcome->out, sizeof outcome->out, "%.*s",
           (int)(result->out_length < 60 ? result->out_length : 60),
           result->out);
  outcome->calls++;
}

static struct outcome run(const struct pl_exec_options *options) {
  struct outcome outcome = {0};
  int open_before = count_open_fds();
  assert_int_equal(pl_exec_run(options, on_done, &outcome), 0);
  assert_int_equal(outcome.calls, 1);
  assert_int_equal(count_open_fds(), open_before);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  return outcome;
}

static void a_blocking_run_has_what_the_program_said(void **state) {
  (void)state;
  struct outcome outcome =
      run(&(struct pl_exec_options){.command = "echo a; exit 4"});
  assert_string_equal(outcome.out, "a\n");
  assert_int_equal(outcome.code, 4);
  assert_false(outcome.killed);
}

static void a_programs_input_is_written_whole(void **state) {
  (void)state;
  enum { LENGTH = 1 << 20 };
  char *text = malloc(LENGTH);
  memset(text, 'x', LENGTH);
  struct outcome outcome = run(&(struct pl_exec_options){
      .command = "wc -c", .input = text, .input_length = LENGTH});
  assert_int_equal(atol(outcome.out), LENGTH);
  free(text);
}

static void input_that_nobody_reads_is_let_go(void **state) {
  (void)state;
  enum { LENGTH = 1 << 20 };
  char *text = calloc(1, LENGTH);
  struct outcome outcome = run(&(struct pl_exec_options){
      .command = "exit 2", .input = text, .input_length = LENGTH});
  assert_int_equal(outcome.code, 2);
  free(text);
}

static void a_blocking_run_is_ended_in_time(void **state) {
  (void)state;
  struct outcome outcome = run(
      &(struct pl_exec_options){.command = "exec sleep 1000", .timeout_ms = 5});
  assert_int_equal(outcome.signal, SIGTERM);
  assert_true(outcome.killed);
  assert_true(outcome.timed_out);
}

static void a_blocking_run_is_cut_at_its_limit(void **state) {
  (void)state;
  struct outcome outcome = run(&(struct pl_exec_options){
      .command = "head -c 100000 /dev/zero", .max_buffer = 1000});
  assert_int_equal(outcome.error, PL_ENOBUFS);
  assert_int_equal(outcome.length, 1000);
}

static void a_blocking_run_of_nothing_is_an_error(void **state) {
  (void)state;
  struct outcome outcome = {0};
  const struct pl_exec_options options = {.spawn = {.file = "/no/such"}};
  int open_before = count_open_fds();
  assert_int_equal(pl_exec_run(&options, on_done, &outcome), PL_ENOENT);
  assert_int_equal(outcome.calls, 0);
  assert_int_equal(count_open_fds(), open_before);
}

#define CHILD_TEST(name)                                                       \
  cmocka_unit_test_setup_teardown(name, family_setup, family_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CHILD_TEST(a_start_is_told_before_the_end_and_never_from_within),
      CHILD_TEST(a_program_that_is_not_there_is_told_later),
      CHILD_TEST(other_errors_are_the_calls_own),
      CHILD_TEST(a_limit_ends_a_child_by_its_signal),
      CHILD_TEST(a_limit_that_is_not_reached_keeps_nothing_alive),
      CHILD_TEST(signal_0_asks_and_kills_nobody),
      cmocka_unit_test(a_blocking_run_has_what_the_program_said),
      cmocka_unit_test(a_programs_input_is_written_whole),
      cmocka_unit_test(input_that_nobody_reads_is_let_go),
      cmocka_unit_test(a_blocking_run_is_ended_in_time),
      cmocka_unit_test(a_blocking_run_is_cut_at_its_limit),
      cmocka_unit_test(a_blocking_run_of_nothing_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

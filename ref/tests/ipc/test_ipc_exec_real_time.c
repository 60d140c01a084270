/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_exec_real_time.c: programs that are run for what they write: all of
 * it, up to a limit, for so long.
 */
#include "nursery.h"

#include <signal.h>

struct run {
  struct pl_exec exec;
  struct pl_exec_result result;
  char *out, *err;
  int done;
};

static void on_done(void *arg, const struct pl_exec_result *result) {
  struct run *run = arg;
  run->result = *result;
  run->out = strndup(result->out, result->out_length);
  run->err = strndup(result->err, result->err_length);
  run->done++;
}

static void exec_to_the_end(struct nursery *nursery, struct run *run,
                            const struct pl_exec_options *options) {
  *run = (struct run){0};
  assert_int_equal(
      pl_exec_start(nursery->world->loop, &run->exec, options, on_done, run),
      0);
  assert_int_equal(pl_loop_run(nursery->world->loop, PL_LOOP_DEFAULT), 0);
  assert_int_equal(run->done, 1);
}

static void forget(struct run *run) {
  free(run->out);
  free(run->err);
}

static void exec_tells_all_that_was_said(void **state) {
  struct run run;
  exec_to_the_end(*state, &run,
                  &(struct pl_exec_options){
                      .command = "echo $((1+1)); echo oops >&2; exit 7"});
  assert_string_equal(run.out, "2\n");
  assert_string_equal(run.err, "oops\n");
  assert_int_equal(run.result.code, 7);
  assert_int_equal(run.result.error, 0);
  assert_false(run.result.killed);
  forget(&run);
}

static void exec_file_runs_no_shell(void **state) {
  struct run run;
  const char *const argv[] = {"echo", "$HOME;ls", NULL};
  exec_to_the_end(
      *state, &run,
      &(struct pl_exec_options){.spawn = {.file = "echo", .argv = argv}});
  assert_string_equal(run.out, "$HOME;ls\n");
  assert_int_equal(run.result.code, 0);
  forget(&run);
}

static void a_time_out_kills(void **state) {
  struct run run;
  exec_to_the_end(*state, &run,
                  &(struct pl_exec_options){.command = "echo a; exec sleep 60",
                                            .timeout_ms = 300});
  assert_true(run.result.killed);
  assert_int_equal(run.result.signal, SIGTERM);
  assert_int_equal(run.result.code, -1);
  forget(&run);
  exec_to_the_end(*state, &run,
                  &(struct pl_exec_options){.command = "exec sleep 60",
                                            .timeout_ms = 50,
                                            .kill_signal = SIGKILL});
  assert_int_equal(run.result.signal, SIGKILL);
  forget(&run);
}

/* A grandchild that has the pipe is not waited for. */
static void a_kill_gives_the_streams_up(void **state) {
  struct run run;
  exec_to_the_end(*state, &run,
                  &(struct pl_exec_options){
                      .command = "sleep 2 & exec sleep 60", .timeout_ms = 50});
  assert_int_equal(run.result.signal, SIGTERM);
  forget(&run);
}

static void too_much_output_is_cut_and_kills(void **state) {
  struct run run;
  exec_to_the_end(
      *state, &run,
      &(struct pl_exec_options){.command = "printf 12345; exec sleep 60",
                                .max_buffer = 4});
  assert_string_equal(run.out, "1234");
  assert_int_equal(run.result.error, PL_ENOBUFS);
  assert_true(run.result.killed);
  forget(&run);
  exec_to_the_end(
      *state, &run,
      &(struct pl_exec_options){.command = "printf 1234", .max_buffer = 4});
  assert_string_equal(run.out, "1234");
  assert_int_equal(run.result.error, 0);
  forget(&run);
}

static void the_default_limit_is_one_mebibyte(void **state) {
  struct run run;
  exec_to_the_end(
      *state, &run,
      &(struct pl_exec_options){.command = "head -c 1048576 /dev/zero"});
  assert_int_equal(run.result.error, 0);
  assert_int_equal(run.result.out_length, 1048576);
  forget(&run);
  exec_to_the_end(
      *state, &run,
      &(struct pl_exec_options){.command = "head -c 1048577 /dev/zero"});
  assert_int_equal(run.result.error, PL_ENOBUFS);
  assert_int_equal(run.result.out_length, 1048576);
  forget(&run);
}

static void what_exec_cannot_start_is_an_error(void **state) {
  struct nursery *nursery = *state;
  struct run run = {0};
  assert_int_equal(
      pl_exec_start(nursery->world->loop, &run.exec,
                    &(struct pl_exec_options){.spawn = {.file = "/no/such"}},
                    on_done, &run),
      PL_ENOENT);
  assert_int_equal(pl_loop_run(nursery->world->loop, PL_LOOP_DEFAULT), 0);
  assert_int_equal(run.done, 0);
}

int main(void) {
  nursery_inherits_nothing();
  const struct CMUnitTest tests[] = {
      NURSERY_TEST(exec_tells_all_that_was_said),
      NURSERY_TEST(exec_file_runs_no_shell),
      NURSERY_TEST(a_time_out_kills),
      NURSERY_TEST(a_kill_gives_the_streams_up),
      NURSERY_TEST(too_much_output_is_cut_and_kills),
      NURSERY_TEST(the_default_limit_is_one_mebibyte),
      NURSERY_TEST(what_exec_cannot_start_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_process_real_time.c: real children: how they are started, what they
 * are given, how they end; with pidfds and without.
 */
#include "ends.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plumb/process.h"

struct child {
  struct pl_process process;
  int code, signal, exits;
  bool closed;
};

struct nursery {
  struct world *world;
  int open_before;
  struct child child;
};

static void on_exit_of(void *arg, int code, int signum) {
  struct child *child = arg;
  child->code = code;
  child->signal = signum;
  child->exits++;
  assert_false(pl_process_is_running(&child->process));
}

static void on_child_closed(void *arg, int status) {
  (void)status;
  ((struct child *)arg)->closed = true;
}

static int nursery_setup(void **state) {
  struct nursery *nursery = calloc(1, sizeof *nursery);
  nursery->open_before = count_open_fds();
  nursery->world = world_begin_pool(1);
  pl_process_init(nursery->world->loop, &nursery->child.process, on_exit_of,
                  &nursery->child);
  *state = nursery;
  return 0;
}

static int nursery_teardown(void **state) {
  struct nursery *nursery = *state;
  pl_process_close(&nursery->child.process, on_child_closed);
  pl_loop_run(nursery->world->loop, PL_LOOP_DEFAULT);
  assert_true(nursery->child.closed);
  world_end(nursery->world);
  assert_int_equal(count_open_fds(), nursery->open_before);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
  free(nursery);
  return 0;
}

/* Starts the shell with a script and its output in a pipe; *out: that pipe. */
static int start_shell(struct nursery *nursery, const char *script,
                       struct pl_spawn_options *options, int *out) {
  const char *const argv[] = {"sh", "-c", script, NULL};
  struct pl_stdio stdio[] = {
      {PL_STDIO_IGNORE, -1}, {PL_STDIO_PIPE, -1}, {PL_STDIO_INHERIT, -1}};
  options->file = "sh";
  options->argv = argv;
  options->stdio = stdio;
  options->stdio_count = 3;
  int error = pl_process_spawn(&nursery->child.process, options);
  *out = stdio[1].fd;
  return error;
}

static void wait_for_exit(struct nursery *nursery) {
  while (nursery->child.exits == 0)
    pl_loop_run(nursery->world->loop, PL_LOOP_ONCE);
  assert_int_equal(nursery->child.exits, 1);
}

/* All that the child says until it ends. */
static void expect_output(struct nursery *nursery, int out, const char *text) {
  char said[4096];
  size_t length = 0;
  ssize_t got;
  while ((got = read(out, said + length, sizeof said - 1 - length)) > 0)
    length += (size_t)got;
  said[length] = '\0';
  close(out);
  assert_string_equal(said, text);
  wait_for_exit(nursery);
}

static void a_child_says_something_and_exits(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {0};
  int out;
  assert_int_equal(start_shell(nursery, "echo hello; exit 7", &options, &out),
                   0);
  assert_true(pl_process_pid(&nursery->child.process) > 1);
  assert_int_equal(pl_process_spawn(&nursery->child.process, &options),
                   PL_EBUSY);
  expect_output(nursery, out, "hello\n");
  assert_int_equal(nursery->child.code, 7);
  assert_int_equal(nursery->child.signal, 0);
  assert_int_equal(pl_process_kill(&nursery->child.process, 0), PL_ESRCH);
}

static void a_child_ends_by_a_signal_without_a_pidfd_too(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {.without_pidfd = true};
  int out;
  assert_int_equal(start_shell(nursery, "kill -USR2 $$", &options, &out), 0);
  expect_output(nursery, out, "");
  assert_int_equal(nursery->child.code, -1);
  assert_int_equal(nursery->child.signal, SIGUSR2);
}

static void a_child_is_killed(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {0};
  int out;
  assert_int_equal(start_shell(nursery, "exec sleep 60", &options, &out), 0);
  assert_int_equal(pl_process_kill(&nursery->child.process, 0), 0);
  assert_int_equal(pl_process_kill(&nursery->child.process, 9999), PL_EINVAL);
  assert_int_equal(pl_process_kill(&nursery->child.process, SIGTERM), 0);
  expect_output(nursery, out, "");
  assert_int_equal(nursery->child.signal, SIGTERM);
}

static void
what_cannot_be_started_is_an_error_and_leaves_nothing(void **state) {
  struct nursery *nursery = *state;
  struct pl_process *process = &nursery->child.process;
  struct pl_stdio stdio[] = {{PL_STDIO_PIPE, -1}, {PL_STDIO_PIPE, -1}};
  struct pl_spawn_options options = {
      .file = "/no/such/bin", .stdio = stdio, .stdio_count = 2};
  int before = count_open_fds();
  assert_int_equal(pl_process_spawn(process, &options), PL_ENOENT);
  options.file = "no-such-program-anywhere";
  assert_int_equal(pl_process_spawn(process, &options), PL_ENOENT);
  options.file = "/etc/passwd";
  assert_int_equal(pl_process_spawn(process, &options), PL_EACCES);
  options.file = "/etc/passwd/x";
  assert_int_equal(pl_process_spawn(process, &options), PL_ENOTDIR);
  options.file = "";
  assert_int_equal(pl_process_spawn(process, &options), PL_ENOENT);
  options.file = "true";
  options.cwd = "/no/such/dir";
  assert_int_equal(pl_process_spawn(process, &options), PL_ENOENT);
  options.cwd = NULL;
  stdio[0] = (struct pl_stdio){PL_STDIO_FD, 9999};
  assert_int_equal(pl_process_spawn(process, &options), PL_EBADF);
  stdio[0] = stdio[1] = (struct pl_stdio){PL_STDIO_CHANNEL, -1};
  assert_int_equal(pl_process_spawn(process, &options), PL_EINVAL);
  assert_int_equal(stdio[0].fd, -1);
  /* The signal's pipe is the loop's own. */
  assert_true(count_open_fds() <= before + 2);
  assert_int_equal(pl_process_pid(process), 0);
}

static void the_environment_is_what_was_given(void **state) {
  struct nursery *nursery = *state;
  const char *const env[] = {"A=1", "PATH=/usr/bin:/bin", "B=x y", NULL};
  struct pl_spawn_options options = {.env = env};
  int out;
  setenv("PLUMB_NOT_GIVEN", "1", 1);
  assert_int_equal(
      start_shell(nursery, "echo \"$A$B$PLUMB_NOT_GIVEN\"", &options, &out), 0);
  expect_output(nursery, out, "1x y\n");
}

static void a_program_is_searched_in_the_childs_path(void **state) {
  struct nursery *nursery = *state;
  const char *const env[] = {"PATH=/no/such/dir", NULL};
  struct pl_spawn_options options = {.env = env};
  int out;
  assert_int_equal(start_shell(nursery, "true", &options, &out), PL_ENOENT);
}

static void the_child_runs_where_it_was_told(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {.cwd = "/usr"};
  int out;
  assert_int_equal(start_shell(nursery, "pwd", &options, &out), 0);
  expect_output(nursery, out, "/usr\n");
}

static void arguments_are_not_expanded(void **state) {
  struct nursery *nursery = *state;
  const char *const argv[] = {"zero", "%s|", "$HOME", "*", "a b", NULL};
  struct pl_stdio stdio[] = {{PL_STDIO_IGNORE, -1}, {PL_STDIO_PIPE, -1}};
  struct pl_spawn_options options = {
      .file = "printf", .argv = argv, .stdio = stdio, .stdio_count = 2};
  assert_int_equal(pl_process_spawn(&nursery->child.process, &options), 0);
  expect_output(nursery, stdio[1].fd, "$HOME|*|a b|");
}

static void a_script_without_an_interpreter_goes_to_the_shell(void **state) {
  struct nursery *nursery = *state;
  char path[] = "/tmp/plumb-script-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_int_equal(write(file, "echo \"got $1\"\n", 14), 14);
  fchmod(file, 0700);
  close(file);
  const char *const argv[] = {"script", "one", NULL};
  struct pl_stdio stdio[] = {{PL_STDIO_IGNORE, -1}, {PL_STDIO_PIPE, -1}};
  struct pl_spawn_options options = {
      .file = path, .argv = argv, .stdio = stdio, .stdio_count = 2};
  assert_int_equal(pl_process_spawn(&nursery->child.process, &options), 0);
  expect_output(nursery, stdio[1].fd, "got one\n");
  unlink(path);
}

/* Nothing of the parent's is open, and 3 and 4 are where they were asked. */
static void the_child_has_its_descriptors_and_no_others(void **state) {
  struct nursery *nursery = *state;
  int pipes[2];
  assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
  const char *const argv[] = {
      "sh", "-c",
      "ls -1 /proc/self/fd | tr '\\n' ' ';" /* 6 is the folder */
      " echo five >&5; echo four >&4",
      NULL};
  struct pl_stdio stdio[] = {{PL_STDIO_IGNORE, -1}, {PL_STDIO_PIPE, -1},
                             {PL_STDIO_IGNORE, -1}, {PL_STDIO_IGNORE, -1},
                             {PL_STDIO_PIPE, -1},   {PL_STDIO_FD, pipes[1]}};
  struct pl_spawn_options options = {
      .file = "sh", .argv = argv, .stdio = stdio, .stdio_count = 6};
  assert_int_equal(pl_process_spawn(&nursery->child.process, &options), 0);
  expect_output(nursery, stdio[1].fd, "0 1 2 3 4 5 6 ");
  char said[16];
  assert_int_equal(read(pipes[0], said, sizeof said), 5);
  assert_int_equal(read(stdio[4].fd, said, sizeof said), 5);
  close(stdio[4].fd);
  close(pipes[0]);
  close(pipes[1]);
}

/* Descriptors that lie where others will be. */
static void descriptors_may_change_places(void **state) {
  struct nursery *nursery = *state;
  int one[2], two[2];
  assert_int_equal(pipe2(one, O_CLOEXEC), 0);
  assert_int_equal(pipe2(two, O_CLOEXEC), 0);
  int low = one[1] < two[1] ? one[1] : two[1], high = one[1] ^ two[1] ^ low;
  int low_read = low == one[1] ? one[0] : two[0];
  int high_read = one[0] ^ two[0] ^ low_read;
  struct pl_stdio stdio[64];
  assert_true(high < 64);
  for (int i = 0; i <= high; i++)
    stdio[i] = (struct pl_stdio){PL_STDIO_IGNORE, -1};
  stdio[low] = (struct pl_stdio){PL_STDIO_FD, high};
  stdio[high] = (struct pl_stdio){PL_STDIO_FD, low};
  char script[96];
  snprintf(script, sizeof script,
           "printf low >/proc/self/fd/%d; printf high >/proc/self/fd/%d", low,
           high);
  const char *const argv[] = {"sh", "-c", script, NULL};
  struct pl_spawn_options options = {.file = "sh",
                                     .argv = argv,
                                     .stdio = stdio,
                                     .stdio_count = (unsigned)high + 1};
  assert_int_equal(pl_process_spawn(&nursery->child.process, &options), 0);
  wait_for_exit(nursery);
  char said[8] = {0};
  assert_int_equal(read(high_read, said, sizeof said), 3);
  assert_memory_equal(said, "low", 3);
  assert_int_equal(read(low_read, said, sizeof said), 4);
  assert_memory_equal(said, "high", 4);
  close(one[0]);
  close(one[1]);
  close(two[0]);
  close(two[1]);
}

static void a_detached_child_has_its_own_session(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {.detached = true};
  int out;
  assert_int_equal(
      start_shell(nursery, "sleep 60 & exec sleep 60", &options, &out), 0);
  pid_t pid = pl_process_pid(&nursery->child.process);
  assert_int_equal(getsid(pid), pid);
  assert_int_equal(pl_process_kill_group(&nursery->child.process, SIGKILL), 0);
  expect_output(nursery, out, ""); /* both had the pipe */
  assert_int_equal(nursery->child.signal, SIGKILL);
}

static void the_child_has_default_signals_and_none_blocked(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {0};
  sigset_t blocked, before;
  int out;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
  assert_int_equal(start_shell(nursery,
                               "grep -E 'SigBlk|SigIgn' /proc/self/status |"
                               " tr -d '\\t\\n'",
                               &options, &out),
                   0);
  signal(SIGPIPE, pipe_before);
  sigprocmask(SIG_SETMASK, &before, NULL);
  expect_output(nursery, out, "SigBlk:0000000000000000SigIgn:0000000000000000");
}

/* A parent in between dies, and its child with it. */
static void a_child_may_die_with_its_parent(void **state) {
  struct nursery *nursery = *state;
  int alive[2], status;
  char byte;
  assert_int_equal(pipe(alive), 0);
  pid_t between = fork();
  if (between == 0) {
    struct pl_loop *loop = malloc(pl_loop_size());
    struct pl_process process;
    const char *const argv[] = {"sleep", "60", NULL};
    struct pl_spawn_options options = {
        .file = "sleep", .argv = argv, .death_signal = SIGKILL};
    close(alive[0]);
    if (pl_loop_init(loop, NULL) != 0) _exit(1);
    pl_process_init(loop, &process, NULL, NULL);
    _exit(pl_process_spawn(&process, &options) == 0 ? 0 : 2);
  }
  close(alive[1]);
  assert_int_equal(waitpid(between, &status, 0), between);
  assert_int_equal(status, 0);
  assert_int_equal(read(alive[0], &byte, 1), 0); /* the last writer is gone */
  close(alive[0]);
  (void)nursery;
}

static void the_channel_stands_in_the_childs_environment(void **state) {
  struct nursery *nursery = *state;
  const char *const argv[] = {
      "sh", "-c",
      "echo \"\\\"$NODE_CHANNEL_FD $NODE_CHANNEL_SERIALIZATION_MODE"
      " $NODE_UNIQUE_ID\\\"\" >&3",
      NULL};
  struct pl_stdio stdio[] = {{PL_STDIO_IGNORE, -1},
                             {PL_STDIO_INHERIT, -1},
                             {PL_STDIO_INHERIT, -1},
                             {PL_STDIO_CHANNEL, -1}};
  struct pl_spawn_options options = {.file = "sh",
                                     .argv = argv,
                                     .stdio = stdio,
                                     .stdio_count = 4,
                                     .unique_id = "12",
                                     .channel_mode = PL_CHANNEL_ADVANCED};
  setenv("NODE_UNIQUE_ID", "99", 1);
  assert_int_equal(pl_process_spawn(&nursery->child.process, &options), 0);
  unsetenv("NODE_UNIQUE_ID");
  assert_int_equal(fcntl(stdio[3].fd, F_GETFD), FD_CLOEXEC);
  expect_output(nursery, stdio[3].fd, "\"3 advanced 12\"\n");
}

static void an_unreferenced_child_keeps_nothing_alive(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {0};
  int out;
  assert_int_equal(start_shell(nursery, "exec sleep 60", &options, &out), 0);
  assert_int_equal(pl_loop_alive(nursery->world->loop), 1);
  pl_process_unref(&nursery->child.process);
  assert_int_equal(pl_loop_run(nursery->world->loop, PL_LOOP_DEFAULT), 0);
  pl_process_ref(&nursery->child.process);
  pl_process_kill(&nursery->child.process, SIGKILL);
  close(out);
  wait_for_exit(nursery);
}

static void every_shortage_leaves_nothing_behind(void **state) {
  struct nursery *nursery = *state;
  struct pl_stdio stdio[] = {{PL_STDIO_IGNORE, -1}, {PL_STDIO_PIPE, -1}};
  struct pl_spawn_options options = {
      .file = "true", .stdio = stdio, .stdio_count = 2};
  int error = PL_ENOMEM, failures = 0;
  for (int i = 0; error == PL_ENOMEM; i++, failures++) {
    nursery->world->until_fail = i;
    error = pl_process_spawn(&nursery->child.process, &options);
  }
  nursery->world->until_fail = -1;
  assert_int_equal(error, 0);
  assert_true(failures > 4);
  close(stdio[1].fd);
  wait_for_exit(nursery);
}

static void running_out_of_descriptors_leaves_nothing_behind(void **state) {
  struct nursery *nursery = *state;
  struct pl_stdio stdio[] = {{PL_STDIO_IGNORE, -1}, {PL_STDIO_PIPE, -1}};
  struct pl_spawn_options options = {
      .file = "true", .stdio = stdio, .stdio_count = 2};
  struct rlimit limit, low;
  int error = PL_EMFILE, first = dup(0);
  close(first);
  getrlimit(RLIMIT_NOFILE, &limit);
  for (int room = 0; error == PL_EMFILE && room < 32; room++) {
    low = limit;
    low.rlim_cur = (rlim_t)(first + room);
    setrlimit(RLIMIT_NOFILE, &low);
    error = pl_process_spawn(&nursery->child.process, &options);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  assert_int_equal(error, 0);
  close(stdio[1].fd);
  wait_for_exit(nursery);
}

/* ---------------------------------------------------------------------- */
/* exec                                                                   */

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

/* Many at a time, by either way of waiting. */
static void a_hundred_children_end_each_once(void **state) {
  struct nursery *nursery = *state;
  enum { MANY = 100 };
  struct child *children = calloc(MANY, sizeof *children);
  for (int i = 0; i < MANY; i++) {
    char script[32];
    snprintf(script, sizeof script, "exit %d", i);
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct pl_spawn_options options = {
        .file = "/bin/sh", .argv = argv, .without_pidfd = i % 2 != 0};
    pl_process_init(nursery->world->loop, &children[i].process, on_exit_of,
                    &children[i]);
    assert_int_equal(pl_process_spawn(&children[i].process, &options), 0);
  }
  assert_int_equal(pl_loop_run(nursery->world->loop, PL_LOOP_DEFAULT), 0);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(children[i].exits, 1);
    assert_int_equal(children[i].code, i);
    pl_process_close(&children[i].process, NULL);
  }
  assert_int_equal(pl_loop_run(nursery->world->loop, PL_LOOP_DEFAULT), 0);
  free(children);
}

int main(void) {
  /* What whoever runs this has left open is no descriptor of ours. */
  for (int fd = 3; fd < 1024; fd++)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, nursery_setup, nursery_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_child_says_something_and_exits),
      TEST(a_child_ends_by_a_signal_without_a_pidfd_too),
      TEST(a_child_is_killed),
      TEST(what_cannot_be_started_is_an_error_and_leaves_nothing),
      TEST(the_environment_is_what_was_given),
      TEST(a_program_is_searched_in_the_childs_path),
      TEST(the_child_runs_where_it_was_told),
      TEST(arguments_are_not_expanded),
      TEST(a_script_without_an_interpreter_goes_to_the_shell),
      TEST(the_child_has_its_descriptors_and_no_others),
      TEST(descriptors_may_change_places),
      TEST(a_detached_child_has_its_own_session),
      TEST(the_child_has_default_signals_and_none_blocked),
      TEST(a_child_may_die_with_its_parent),
      TEST(the_channel_stands_in_the_childs_environment),
      TEST(an_unreferenced_child_keeps_nothing_alive),
      TEST(every_shortage_leaves_nothing_behind),
      TEST(running_out_of_descriptors_leaves_nothing_behind),
      TEST(exec_tells_all_that_was_said),
      TEST(exec_file_runs_no_shell),
      TEST(a_time_out_kills),
      TEST(a_kill_gives_the_streams_up),
      TEST(too_much_output_is_cut_and_kills),
      TEST(the_default_limit_is_one_mebibyte),
      TEST(what_exec_cannot_start_is_an_error),
      TEST(a_hundred_children_end_each_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

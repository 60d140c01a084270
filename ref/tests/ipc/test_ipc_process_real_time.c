/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_process_real_time.c: real children: how they are started, what they
 * are given, how they end; with pidfds and without.
 */
#include "nursery.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_child_says_something_and_exits(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {0};
  int out;
  assert_int_equal(nursery_shell(nursery, "echo hello; exit 7", &options, &out),
                   0);
  assert_true(pl_process_pid(&nursery->child.process) > 1);
  assert_int_equal(pl_process_spawn(&nursery->child.process, &options),
                   PL_EBUSY);
  nursery_expect(nursery, out, "hello\n");
  assert_int_equal(nursery->child.code, 7);
  assert_int_equal(nursery->child.signal, 0);
  assert_int_equal(pl_process_kill(&nursery->child.process, 0), PL_ESRCH);
}

static void a_child_ends_by_a_signal_without_a_pidfd_too(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {.without_pidfd = true};
  int out;
  assert_int_equal(nursery_shell(nursery, "kill -USR2 $$", &options, &out), 0);
  nursery_expect(nursery, out, "");
  assert_int_equal(nursery->child.code, -1);
  assert_int_equal(nursery->child.signal, SIGUSR2);
}

static void a_child_is_killed(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {0};
  int out;
  assert_int_equal(nursery_shell(nursery, "exec sleep 60", &options, &out), 0);
  assert_int_equal(pl_process_kill(&nursery->child.process, 0), 0);
  assert_int_equal(pl_process_kill(&nursery->child.process, 9999), PL_EINVAL);
  assert_int_equal(pl_process_kill(&nursery->child.process, SIGTERM), 0);
  nursery_expect(nursery, out, "");
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
      nursery_shell(nursery, "echo \"$A$B$PLUMB_NOT_GIVEN\"", &options, &out),
      0);
  nursery_expect(nursery, out, "1x y\n");
}

static void a_program_is_searched_in_the_childs_path(void **state) {
  struct nursery *nursery = *state;
  const char *const env[] = {"PATH=/no/such/dir", NULL};
  struct pl_spawn_options options = {.env = env};
  int out;
  assert_int_equal(nursery_shell(nursery, "true", &options, &out), PL_ENOENT);
}

static void the_child_runs_where_it_was_told(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {.cwd = "/usr"};
  int out;
  assert_int_equal(nursery_shell(nursery, "pwd", &options, &out), 0);
  nursery_expect(nursery, out, "/usr\n");
}

static void arguments_are_not_expanded(void **state) {
  struct nursery *nursery = *state;
  const char *const argv[] = {"zero", "%s|", "$HOME", "*", "a b", NULL};
  struct pl_stdio stdio[] = {{PL_STDIO_IGNORE, -1}, {PL_STDIO_PIPE, -1}};
  struct pl_spawn_options options = {
      .file = "printf", .argv = argv, .stdio = stdio, .stdio_count = 2};
  assert_int_equal(pl_process_spawn(&nursery->child.process, &options), 0);
  nursery_expect(nursery, stdio[1].fd, "$HOME|*|a b|");
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
  nursery_expect(nursery, stdio[1].fd, "got one\n");
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
  nursery_expect(nursery, stdio[1].fd, "0 1 2 3 4 5 6 ");
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
  nursery_wait(nursery);
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
      nursery_shell(nursery, "sleep 60 & exec sleep 60", &options, &out), 0);
  pid_t pid = pl_process_pid(&nursery->child.process);
  assert_int_equal(getsid(pid), pid);
  assert_int_equal(pl_process_kill_group(&nursery->child.process, SIGKILL), 0);
  nursery_expect(nursery, out, ""); /* both had the pipe */
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
  assert_int_equal(nursery_shell(nursery,
                                 "grep -E 'SigBlk|SigIgn' /proc/self/status |"
                                 " tr -d '\\t\\n'",
                                 &options, &out),
                   0);
  signal(SIGPIPE, pipe_before);
  sigprocmask(SIG_SETMASK, &before, NULL);
  nursery_expect(nursery, out,
                 "SigBlk:0000000000000000SigIgn:0000000000000000");
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
  nursery_expect(nursery, stdio[3].fd, "\"3 advanced 12\"\n");
}

static void an_unreferenced_child_keeps_nothing_alive(void **state) {
  struct nursery *nursery = *state;
  struct pl_spawn_options options = {0};
  int out;
  assert_int_equal(nursery_shell(nursery, "exec sleep 60", &options, &out), 0);
  assert_int_equal(pl_loop_alive(nursery->world->loop), 1);
  pl_process_unref(&nursery->child.process);
  assert_int_equal(pl_loop_run(nursery->world->loop, PL_LOOP_DEFAULT), 0);
  pl_process_ref(&nursery->child.process);
  pl_process_kill(&nursery->child.process, SIGKILL);
  close(out);
  nursery_wait(nursery);
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
  nursery_wait(nursery);
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
  nursery_wait(nursery);
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
    pl_process_init(nursery->world->loop, &children[i].process, nursery_on_exit,
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
  nursery_inherits_nothing();
  const struct CMUnitTest tests[] = {
      NURSERY_TEST(a_child_says_something_and_exits),
      NURSERY_TEST(a_child_ends_by_a_signal_without_a_pidfd_too),
      NURSERY_TEST(a_child_is_killed),
      NURSERY_TEST(what_cannot_be_started_is_an_error_and_leaves_nothing),
      NURSERY_TEST(the_environment_is_what_was_given),
      NURSERY_TEST(a_program_is_searched_in_the_childs_path),
      NURSERY_TEST(the_child_runs_where_it_was_told),
      NURSERY_TEST(arguments_are_not_expanded),
      NURSERY_TEST(a_script_without_an_interpreter_goes_to_the_shell),
      NURSERY_TEST(the_child_has_its_descriptors_and_no_others),
      NURSERY_TEST(descriptors_may_change_places),
      NURSERY_TEST(a_detached_child_has_its_own_session),
      NURSERY_TEST(the_child_has_default_signals_and_none_blocked),
      NURSERY_TEST(a_child_may_die_with_its_parent),
      NURSERY_TEST(the_channel_stands_in_the_childs_environment),
      NURSERY_TEST(an_unreferenced_child_keeps_nothing_alive),
      NURSERY_TEST(every_shortage_leaves_nothing_behind),
      NURSERY_TEST(running_out_of_descriptors_leaves_nothing_behind),
      NURSERY_TEST(a_hundred_children_end_each_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

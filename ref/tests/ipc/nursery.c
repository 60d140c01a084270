/* SPDX-License-Identifier: MIT */
/*
 * nursery.c: a child that is started, heard and waited for.
 *
 * Invariant: as in nursery.h.
 */
#include "nursery.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

void nursery_inherits_nothing(void) {
  for (int fd = 3; fd < 1024; fd++)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void nursery_on_exit(void *arg, int code, int signum) {
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

int nursery_setup(void **state) {
  struct nursery *nursery = calloc(1, sizeof *nursery);
  nursery->open_before = count_open_fds();
  nursery->world = world_begin_pool(1);
  pl_process_init(nursery->world->loop, &nursery->child.process,
                  nursery_on_exit, &nursery->child);
  *state = nursery;
  return 0;
}

int nursery_teardown(void **state) {
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

int nursery_shell(struct nursery *nursery, const char *script,
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

void nursery_wait(struct nursery *nursery) {
  while (nursery->child.exits == 0)
    pl_loop_run(nursery->world->loop, PL_LOOP_ONCE);
  assert_int_equal(nursery->child.exits, 1);
}

void nursery_expect(struct nursery *nursery, int out, const char *text) {
  char said[4096];
  size_t length = 0;
  ssize_t got;
  while ((got = read(out, said + length, sizeof said - 1 - length)) > 0)
    length += (size_t)got;
  said[length] = '\0';
  close(out);
  assert_string_equal(said, text);
  nursery_wait(nursery);
}

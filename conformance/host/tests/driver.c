/* SPDX-License-Identifier: MIT */
/*
 * driver.c: starts a host, talks to it, ends it.
 *
 * Invariant: nothing of a host outlives host_end(), or a test that is ended:
 * neither a process nor a descriptor.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void become_host(const char *program, const char *library,
                        const char *error_path, int in, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when SIGALRM ends the test */
  int error = open(error_path ? error_path : "/dev/null",
                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (error >= 0) dup2(error, STDERR_FILENO);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  execl(program, program, library, (char *)NULL);
  _exit(127);
}

void host_start(struct host *host, const char *program, const char *library,
                const char *error_path) {
  int to[2], from[2];
  *host = (struct host){0};
  assert_int_equal(pipe2(to, O_CLOEXEC), 0);
  assert_int_equal(pipe2(from, O_CLOEXEC), 0);
  alarm(60);
  host->pid = fork();
  assert_true(host->pid >= 0);
  if (host->pid == 0) become_host(program, library, error_path, to[0], from[1]);
  close(to[0]);
  close(from[1]);
  host->to = fdopen(to[1], "w");
  host->from = fdopen(from[0], "r");
  assert_non_null(host->to);
  assert_non_null(host->from);
}

void host_send(struct host *host, const char *line) {
  fputs(line, host->to);
  fputc('\n', host->to);
  fflush(host->to);
}

json_t *host_answer(struct host *host) {
  ssize_t length = getline(&host->line, &host->room, host->from);
  if (length <= 0) return NULL;
  json_error_t error;
  json_t *answer = json_loadb(host->line, (size_t)length, 0, &error);
  if (!answer) fail_msg("not JSON: %s", host->line);
  return answer;
}

json_t *host_ask(struct host *host, const char *line) {
  host_send(host, line);
  json_t *answer = host_answer(host);
  if (!answer) fail_msg("no answer to %.200s", line);
  return answer;
}

json_t *host_run(struct host *host, const char *program) {
  fprintf(host->to,
          "{\"cmd\":\"run\",\"seq\":1,\"program\":%s,\"files\":{},"
          "\"dir\":\"/\"}",
          program);
  return host_ask(host, "");
}

int host_end(struct host *host, long *peak_kib) {
  int status = 0;
  struct rusage usage = {0};
  fclose(host->to);
  pid_t ended;
  do
    ended = wait4(host->pid, &status, 0, &usage);
  while (ended < 0 && errno == EINTR);
  assert_int_equal(ended, host->pid);
  fclose(host->from);
  free(host->line);
  alarm(0);
  if (peak_kib) *peak_kib = usage.ru_maxrss;
  return status;
}

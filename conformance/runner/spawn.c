/* SPDX-License-Identifier: MIT */
/* fork, and what the child does until it is another program. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <linux/close_range.h>

static void close_all(const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (fds[i] >= 0) close(fds[i]);
}

/* Opens the pairs: ours, not blocking, and the child's. Nothing is inherited
 * by accident. Returns 0 or a libuv error. */
static int open_pairs(int ours[3], int theirs[3]) {
  for (int i = 0; i < 3; i++)
    ours[i] = theirs[i] = -1;
  for (int i = 0; i < 3; i++) {
    uv_os_sock_t pair[2];
    int error = uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, 0);
    if (error != 0) {
      close_all(ours, 3);
      close_all(theirs, 3);
      return error;
    }
    ours[i] = pair[0];
    theirs[i] = pair[1];
  }
  return 0;
}

/* Puts the child's ends in place, from above where they must not be lost. */
static int place(const int theirs[3]) {
  int kept[3];
  for (int i = 0; i < 3; i++)
    if ((kept[i] = fcntl(theirs[i], F_DUPFD_CLOEXEC, 3)) < 0) return -1;
  for (int i = 0; i < 3; i++)
    if (dup2(kept[i], i) < 0) return -1;
  return 0;
}

static void reset_signals(void) {
  sigset_t none;
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL); /* SIGKILL and SIGSTOP refuse, rightly */
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child. Comes back only with an errno. */
static int become(char **argv, char **env, const int theirs[3], pid_t parent) {
  setsid();
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
  if (getppid() != parent) _exit(127); /* it ended before we asked */
  if (place(theirs) != 0) return errno;
  reset_signals();
  /* What this process was started with besides is none of the adapter's; a
   * kernel that does not know the call leaves it as it was. */
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (env != NULL) environ = env;
  execvp(argv[0], argv);
  return errno;
}

/* Waits until the child has become the program. Returns 0 or its errno. */
static int await_exec(int news) {
  int error = 0;
  ssize_t count;
  do
    count = read(news, &error, sizeof error);
  while (count < 0 && errno == EINTR);
  return count == (ssize_t)sizeof error ? error : 0;
}

static pid_t fork_into(char **argv, char **env, const int theirs[3], int news) {
  pid_t parent = getpid();
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before); /* no handler of ours runs in it */
  pid_t pid = fork();
  if (pid == 0) {
    int above = fcntl(news, F_DUPFD_CLOEXEC, 3); /* not in stdio's way */
    int error = above < 0 ? errno : become(argv, env, theirs, parent);
    ssize_t written = write(above < 0 ? news : above, &error, sizeof error);
    _exit(written > 0 ? 127 : 126);
  }
  int error = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return pid;
}

int pl_spawn(char **argv, char **env, struct pl_spawned *spawned) {
  int theirs[3], news[2];
  int error = open_pairs(spawned->end, theirs);
  if (error != 0) return error;
  if (pipe2(news, O_CLOEXEC) != 0) {
    error = uv_translate_sys_error(errno);
    close_all(theirs, 3);
    close_all(spawned->end, 3);
    return error;
  }
  spawned->pid = fork_into(argv, env, theirs, news[1]);
  int reason = spawned->pid < 0 ? errno : 0;
  close_all(theirs, 3);
  close(news[1]);
  if (spawned->pid > 0 && (reason = await_exec(news[0])) != 0)
    while (waitpid(spawned->pid, NULL, 0) < 0 && errno == EINTR)
      ;
  close(news[0]);
  if (reason != 0) close_all(spawned->end, 3);
  return reason != 0 ? uv_translate_sys_error(reason) : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * trace.c: counts system calls by ptrace(2).
 *
 *   tracer    fork                 wait .. count entries of all threads .. exit
 *   program   stop, exec, run  mark ------------------ mark
 *
 * Invariant: nothing of the tracer's is running when it returns, and no child
 * of it is left. A mark is a call of prctl(2) that no kernel knows; it is not
 * counted.
 */
#include "trace.h"
#include "sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__) && !BENCH_SANITIZED
#include <sys/prctl.h>
#include <sys/ptrace.h>

enum { MARK = 0x504c4d42 };

struct count {
  pid_t child;
  bool marked; /* counting */
  bool ever;
  int64_t calls;
};

void trace_mark(bool on) {
  prctl(MARK, (unsigned long)on, 0ul, 0ul, 0ul);
}

static void become_program(char *const argv[]) {
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; null >= 0 && fd <= 2; fd++)
    dup2(null, fd);
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(126);
  raise(SIGSTOP);
  execv(argv[0], argv);
  _exit(127);
}

static pid_t wait_for(pid_t pid, int *status) {
  pid_t found;
  do
    found = waitpid(pid, status, __WALL);
  while (found < 0 && errno == EINTR);
  return found;
}

/* A thread stands before or behind a system call. */
static int look_at(struct count *count, pid_t thread) {
  struct __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) < 0)
    return errno == ESRCH ? 0 : -errno;
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return 0;
  if (info.entry.nr == SYS_prctl && info.entry.args[0] == MARK) {
    count->marked = info.entry.args[1] != 0;
    count->ever = true;
  } else if (count->marked) {
    count->calls++;
  }
  return 0;
}

/* Which signal a stopped thread is to get when it goes on. */
static int signal_of(int status) {
  int signal = WSTOPSIG(status);
  bool of_ptrace = signal == (SIGTRAP | 0x80) || signal == SIGTRAP ||
                   status >> 16 != 0 || signal == SIGSTOP;
  return of_ptrace ? 0 : signal;
}

/* Follows the program to its end. Returns 0 or a negative errno value. */
static int follow(struct count *count) {
  for (;;) {
    int status;
    pid_t thread = wait_for(-1, &status);
    if (thread < 0) return -errno;
    if (!WIFSTOPPED(status)) {
      if (thread != count->child) continue;
      return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
    }
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      int error = look_at(count, thread);
      if (error != 0) return error;
    }
    /* It may have been killed meanwhile: its end will be reported. */
    ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(intptr_t)signal_of(status));
  }
}

static int trace(struct count *count) {
  int status;
  if (wait_for(count->child, &status) < 0) return -errno;
  if (!WIFSTOPPED(status)) return -EPERM; /* it was refused */
  long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD |
                 PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC;
  if (ptrace(PTRACE_SETOPTIONS, count->child, NULL, (void *)options) != 0 ||
      ptrace(PTRACE_SYSCALL, count->child, NULL, NULL) != 0)
    return -errno;
  return follow(count);
}

int trace_count(char *const argv[], int64_t *calls) {
  struct count count = {.child = fork()};
  if (count.child < 0) return -errno;
  if (count.child == 0) become_program(argv);
  int error = trace(&count);
  if (error != 0 && kill(count.child, SIGKILL) == 0) {
    int status;
    while (wait_for(-1, &status) > 0) {
    }
  }
  if (error == 0 && !count.ever) error = -EIO;
  if (error == 0) *calls = count.calls;
  return error;
}

#else

void trace_mark(bool on) {
  (void)on;
}

int trace_count(char *const argv[], int64_t *calls) {
  (void)argv;
  (void)calls;
  return -ENOTSUP;
}

#endif

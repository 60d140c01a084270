/* SPDX-License-Identifier: MIT */
/*
 * process.c: the life of a child: its descriptors, its end, its signals.
 *
 * Invariants:
 *  - `running` from a successful spawn until the child was reaped, which is
 *    where its end is told; so a signal never goes to a pid that is another's.
 *  - Its end is seen through a pidfd, which is one child's; where there is none
 *    through SIGCHLD, at which every process asks for its own.
 */
#include "spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------------- */
/* The end                                                                */

static void stop_watching(struct pl_process *process) {
  pl_handle_stop(&process->sigchld);
  if (process->pidfd < 0) return;
  pl__poll_stop(&process->watch);
  pl__poll_release(&process->watch);
  close(process->pidfd);
  process->pidfd = -1;
}

/* Reaps it if it has ended. */
static void look(struct pl_process *process) {
  int status;
  pid_t got;
  if (!process->running) return;
  do
    got = waitpid(process->pid, &status, WNOHANG);
  while (got < 0 && errno == EINTR);
  if (got == 0) return;
  int code = -1, signum = 0;
  if (got > 0 && WIFEXITED(status)) code = WEXITSTATUS(status);
  if (got > 0 && WIFSIGNALED(status)) signum = WTERMSIG(status);
  process->running = false;
  stop_watching(process);
  if (process->exited != NULL) process->exited(process->arg, code, signum);
}

static void on_event(void *arg, int status) {
  (void)status;
  look(arg);
}

void pl_process_init(struct pl_loop *loop, struct pl_process *process,
                     pl_exit_fn *exited, void *arg) {
  *process = (struct pl_process){
      .loop = loop, .exited = exited, .arg = arg, .pidfd = -1};
  pl_poll_init(loop, &process->watch, on_event, process);
  pl_signal_init(loop, &process->sigchld, on_event, process);
}

/* ---------------------------------------------------------------------- */
/* The begin                                                              */

/* The parent's and the child's end of one descriptor. */
struct ends {
  int parent, child;
  bool own; /* the child's end is ours to close */
};

static int open_ends(const struct pl_stdio *stdio, struct ends *ends) {
  int pair[2];
  *ends = (struct ends){-1, -1, false};
  switch (stdio->kind) {
  case PL_STDIO_INHERIT:
    return 0;
  case PL_STDIO_FD:
    if (fcntl(stdio->fd, F_GETFD) < 0) return -errno;
    ends->child = stdio->fd;
    return 0;
  case PL_STDIO_IGNORE:
    ends->child = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (ends->child < 0) return -errno;
    ends->own = true;
    return 0;
  case PL_STDIO_PIPE:
  case PL_STDIO_CHANNEL:
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
      return -errno;
    *ends = (struct ends){pair[0], pair[1], true};
    return 0;
  }
  return PL_EINVAL;
}

static void close_ends(const struct ends *ends, unsigned count, bool parents) {
  for (unsigned i = 0; i < count; i++) {
    if (ends[i].own) close(ends[i].child);
    if (parents && ends[i].parent >= 0) close(ends[i].parent);
  }
}

/* Starts the child with the descriptors that its options ask for. */
static int start(struct pl_process *process, struct pl__spawn *plan,
                 struct ends *ends) {
  const struct pl_spawn_options *options = plan->options;
  static const struct pl_stdio inherit = {PL_STDIO_INHERIT, -1};
  unsigned opened = 0;
  int error = 0;
  for (; opened < plan->count; opened++) {
    const struct pl_stdio *stdio =
        opened < options->stdio_count ? &options->stdio[opened] : &inherit;
    error = open_ends(stdio, &ends[opened]);
    if (error != 0) break;
    plan->fds[opened] = ends[opened].child;
  }
  if (error == 0) error = pl__spawn_run(plan, &process->pid);
  close_ends(ends, opened, error != 0);
  for (unsigned i = 0; error == 0 && i < options->stdio_count; i++)
    if (ends[i].parent >= 0) options->stdio[i].fd = ends[i].parent;
  return error;
}

static int open_pidfd(pid_t pid) {
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, pid, 0);
#else
  (void)pid;
  return -1;
#endif
}

/* SIGCHLD was asked for before the child was started: none is missed. */
static void watch(struct pl_process *process, bool without_pidfd) {
  process->running = true;
  if (without_pidfd) return;
  process->pidfd = open_pidfd(process->pid);
  if (process->pidfd < 0) return;
  if (pl_poll_start(&process->watch, process->pidfd, PL_READABLE) == 0) {
    pl_handle_stop(&process->sigchld);
  } else {
    close(process->pidfd);
    process->pidfd = -1;
  }
}

int pl_process_spawn(struct pl_process *process,
                     const struct pl_spawn_options *options) {
  const struct pl_allocator *memory = &process->loop->allocator;
  struct pl__spawn plan;
  struct ends *ends = NULL;
  if (process->closing) return PL_EINVAL;
  if (process->pid != 0) return PL_EBUSY;
  int error = pl__spawn_prepare(&plan, memory, options);
  if (error != 0) goto done;
  error = PL_ENOMEM;
  plan.count = options->stdio_count > 3 ? options->stdio_count : 3;
  plan.fds = pl__resize(memory, NULL, plan.count * sizeof *plan.fds);
  ends = pl__resize(memory, NULL, plan.count * sizeof *ends);
  if (plan.fds == NULL || ends == NULL) goto done;
  error = pl_signal_start(&process->sigchld, SIGCHLD);
  if (error != 0) goto done;
  error = start(process, &plan, ends);
  if (error == 0)
    watch(process, options->without_pidfd);
  else
    pl_handle_stop(&process->sigchld);

done:
  if (ends != NULL) pl__resize(memory, ends, 0);
  pl__spawn_free(&plan, memory);
  return error;
}

/* ---------------------------------------------------------------------- */
/* What is done to it                                                     */

pid_t pl_process_pid(const struct pl_process *process) {
  return process->pid;
}

int pl_process_is_running(const struct pl_process *process) {
  return process->running;
}

static int send_signal(const struct pl_process *process, pid_t whom,
                       int signum) {
  if (!process->running) return PL_ESRCH;
  return kill(whom, signum) == 0 ? 0 : -errno;
}

int pl_process_kill(struct pl_process *process, int signum) {
  return send_signal(process, process->pid, signum);
}

int pl_process_kill_group(struct pl_process *process, int signum) {
  return send_signal(process, -process->pid, signum);
}

void pl_process_ref(struct pl_process *process) {
  pl_object_ref(&process->watch);
  pl_object_ref(&process->sigchld);
}

void pl_process_unref(struct pl_process *process) {
  pl_object_unref(&process->watch);
  pl_object_unref(&process->sigchld);
}

static void on_closed(void *arg, int status) {
  struct pl_process *process = arg;
  if (process->closed != NULL) process->closed(process->arg, status);
}

int pl_process_close(struct pl_process *process, pl_event_fn *closed) {
  if (process->closing) return PL_EINVAL;
  process->closing = true;
  process->closed = closed;
  process->running = false;
  stop_watching(process);
  pl_handle_close(&process->sigchld, on_closed); /* is called last */
  return pl_handle_close(&process->watch, NULL);
}

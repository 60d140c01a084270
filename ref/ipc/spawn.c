/* SPDX-License-Identifier: MIT */
/*
 * spawn.c: a child process, from vfork() to exec().
 *
 * Invariants:
 *  - vfork() and not fork(): a large parent's page tables are not copied (a
 *    parent of 1 GB forks in 10 ms). So the child runs on the parent's memory,
 *    calls what is async-signal-safe alone, with every signal blocked until the
 *    handlers, which are the parent's, are gone.
 *  - The parent knows of a failure by four bytes in a pipe that exec() closes;
 *    it does not rely on shared memory, which a sanitizer's vfork() has not.
 */
#include "spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---------------------------------------------------------------------- */
/* The child                                                              */

static void give_up(const struct pl__spawn *plan, int error) {
  ssize_t unused = write(plan->report, &error, sizeof error);
  (void)unused;
  _exit(127);
}

static void reset_signals(void) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  for (int signum = 1; signum < NSIG; signum++)
    sigaction(signum, &action, NULL); /* refused for a few: they have it */
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts the descriptors where they belong. What lies where another one will come
 * moves out of the way first. */
static int place_fds(const struct pl__spawn *plan, int *fds) {
  int count = (int)plan->count;
  for (int i = 0; i < count; i++) {
    fds[i] = plan->fds[i] < 0 ? i : plan->fds[i];
    if (fds[i] == i || fds[i] >= count) continue;
    fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, count);
    if (fds[i] < 0) return errno;
  }
  for (int i = 0; i < count; i++) {
    if (fds[i] == i) {
      int flags = fcntl(i, F_GETFD);
      if (flags >= 0) fcntl(i, F_SETFD, flags & ~FD_CLOEXEC);
      continue; /* inherited: it may be closed in the parent, too */
    }
    if (dup2(fds[i], i) < 0) return errno;
  }
  return 0;
}

static int change_identity(const struct pl_spawn_options *options) {
  if (options->set_uid || options->set_gid) {
    /* Without the right to do so there are no groups to give up. */
    int unused = setgroups(0, NULL);
    (void)unused;
  }
  if (options->set_gid && setgid(options->gid) != 0) return errno;
  if (options->set_uid && setuid(options->uid) != 0) return errno;
  return 0;
}

/* exec(), and as execvp() a script without an interpreter goes to the shell. */
static int try_file(const struct pl__spawn *plan, const char *file) {
  execve(file, plan->argv, plan->env);
  if (errno != ENOEXEC) return errno;
  execve("/bin/sh", plan->shell_argv, plan->env);
  return errno;
}

/* Whether the search goes on behind such a failure. */
static bool is_elsewhere(int error) {
  return error == ENOENT || error == ENOTDIR || error == EACCES ||
         error == ENODEV || error == ETIMEDOUT || error == ESTALE;
}

static int search_path(const struct pl__spawn *plan, char *buffer,
                       size_t size) {
  const char *file = plan->options->file, *at = plan->path;
  size_t length = strlen(file);
  int result = ENOENT;
  for (;;) {
    size_t dir = strcspn(at, ":");
    if (dir + length + 2 <= size) {
      memcpy(buffer, at, dir);
      if (dir > 0) buffer[dir] = '/';
      memcpy(buffer + dir + (dir > 0), file, length + 1);
      plan->shell_argv[1] = buffer;
      int error = try_file(plan, buffer);
      if (!is_elsewhere(error)) return error;
      if (error == EACCES) result = EACCES;
    }
    if (at[dir] == '\0') return result;
    at += dir + 1;
  }
}

static void run_child(const struct pl__spawn *plan, int *fds, char *buffer,
                      size_t size) {
  const struct pl_spawn_options *options = plan->options;
  if (options->detached) setsid();
  int error = place_fds(plan, fds);
  if (error == 0 && options->cwd != NULL && chdir(options->cwd) != 0)
    error = errno;
  if (error == 0) error = change_identity(options);
  if (error == 0 && options->death_signal != 0) {
    prctl(PR_SET_PDEATHSIG, options->death_signal);
    if (getppid() != plan->parent) raise(options->death_signal);
  }
  reset_signals();
  if (error == 0)
    error = strchr(options->file, '/') != NULL
                ? try_file(plan, options->file)
                : search_path(plan, buffer, size);
  give_up(plan, error);
}

/* ---------------------------------------------------------------------- */
/* The parent                                                             */

/* Its own frame, so that the child, which runs on it first, harms no local of
 * the parent's. */
static __attribute__((noinline)) pid_t
start_child(const struct pl__spawn *plan, int *fds, char *buffer, size_t size) {
  pid_t pid = vfork();
  if (pid == 0) run_child(plan, fds, buffer, size);
  return pid;
}

/* 0 when exec() has closed the pipe, else the error that came through it. */
static int read_report(int fd) {
  int error = 0;
  ssize_t got;
  do
    got = read(fd, &error, sizeof error);
  while (got < 0 && errno == EINTR);
  return got == (ssize_t)sizeof error ? -error : 0;
}

static void reap(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
}

int pl__spawn_run(struct pl__spawn *plan, pid_t *pid) {
  enum { PATH_SIZE = 8192 };
  int report[2], fds[256];
  char buffer[PATH_SIZE];
  if (plan->count > 256) return PL_EINVAL;
  plan->parent = getpid();
  if (pipe2(report, O_CLOEXEC) != 0) return -errno;
  /* It must not lie where the child puts one of its own. */
  plan->report = fcntl(report[1], F_DUPFD_CLOEXEC, (int)plan->count);
  int error = plan->report < 0 ? -errno : 0;
  close(report[1]);
  if (error == 0) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = start_child(plan, fds, buffer, sizeof buffer);
    if (child < 0) error = -errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(plan->report);
    if (error == 0) error = read_report(report[0]);
    if (error == 0)
      *pid = child;
    else if (child > 0)
      reap(child);
  }
  close(report[0]);
  return error;
}

/* ---------------------------------------------------------------------- */
/* Arguments and environment                                              */

static const char *const told[] = {
    "NODE_CHANNEL_FD=", "NODE_CHANNEL_SERIALIZATION_MODE=", "NODE_UNIQUE_ID="};

static bool is_told(const char *entry) {
  for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
    if (strncmp(entry, told[i], strlen(told[i])) == 0) return true;
  return false;
}

static size_t count_of(const char *const *list) {
  size_t count = 0;
  while (list != NULL && list[count] != NULL)
    count++;
  return count;
}

/* exec() takes what it does not change. */
static char *plain(const char *text) {
  return (char *)(uintptr_t)text;
}

static int channel_index(const struct pl_spawn_options *options, int *index) {
  *index = -1;
  for (unsigned i = 0; i < options->stdio_count; i++) {
    if (options->stdio[i].kind != PL_STDIO_CHANNEL) continue;
    if (*index >= 0) return PL_EINVAL;
    *index = (int)i;
  }
  return 0;
}

/* "NAME=text" at the end of the block of the environment. */
static char *tell(char *at, size_t which, const char *text) {
  size_t name = strlen(told[which]), length = strlen(text);
  memcpy(at, told[which], name);
  memcpy(at + name, text, length + 1);
  return at + name + length + 1;
}

static int make_env(struct pl__spawn *plan, const struct pl_allocator *memory,
                    const struct pl_spawn_options *options) {
  const char *const *given =
      options->env != NULL ? options->env : (const char *const *)environ;
  int index;
  int error = channel_index(options, &index);
  if (error != 0) return error;
  const char *id = options->unique_id;
  size_t count = count_of(given), texts = 128 + (id != NULL ? strlen(id) : 0);
  plan->env = pl__resize(memory, NULL, (count + 4) * sizeof(char *) + texts);
  if (plan->env == NULL) return PL_ENOMEM;
  size_t kept = 0;
  plan->path = "/usr/local/bin:/bin:/usr/bin";
  for (size_t i = 0; i < count; i++) {
    if (strncmp(given[i], "PATH=", 5) == 0) plan->path = given[i] + 5;
    if (!is_told(given[i])) plan->env[kept++] = plain(given[i]);
  }
  char *at = (char *)(plan->env + count + 4), number[16];
  if (index >= 0) {
    plan->env[kept++] = at;
    snprintf(number, sizeof number, "%d", index);
    at = tell(at, 0, number);
    plan->env[kept++] = at;
    at = tell(at, 1,
              options->channel_mode == PL_CHANNEL_ADVANCED ? "advanced"
                                                           : "json");
  }
  if (id != NULL) {
    plan->env[kept++] = at;
    tell(at, 2, id);
  }
  plan->env[kept] = NULL;
  return 0;
}

int pl__spawn_prepare(struct pl__spawn *plan, const struct pl_allocator *memory,
                      const struct pl_spawn_options *options) {
  size_t count = count_of(options->argv);
  *plan = (struct pl__spawn){.options = options};
  if (options->file == NULL || options->file[0] == '\0') return PL_ENOENT;
  plan->argv = pl__resize(memory, NULL, (2 * count + 6) * sizeof(char *));
  if (plan->argv == NULL) return PL_ENOMEM;
  plan->shell_argv = plan->argv + count + 2;
  plan->argv[0] = plain(options->file);
  for (size_t i = 0; i < count; i++)
    plan->argv[i] = plain(options->argv[i]);
  if (count == 0) count = 1;
  plan->argv[count] = NULL;
  plan->shell_argv[0] = plain("/bin/sh");
  plan->shell_argv[1] = plain(options->file);
  for (size_t i = 1; i <= count; i++)
    plan->shell_argv[i + 1] = plan->argv[i];
  return make_env(plan, memory, options);
}

void pl__spawn_free(struct pl__spawn *plan, const struct pl_allocator *memory) {
  pl__resize(memory, plan->argv, 0);
  pl__resize(memory, plan->env, 0);
  pl__resize(memory, plan->fds, 0);
}

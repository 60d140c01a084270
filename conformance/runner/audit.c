/* SPDX-License-Identifier: MIT */
/* Walks /proc for descendants; kills and reaps the unknown ones. */
#include "audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int pl_audit_begin(void) {
  return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

void pl_pids_add(struct pl_pids *pids, pid_t pid) {
  if (pids->count == pids->room) {
    pids->room = pids->room > 0 ? pids->room * 2 : 8;
    pids->at = pl_mem_grow(pids->at, pids->room * sizeof(pid_t));
  }
  pids->at[pids->count++] = pid;
}

bool pl_pids_have(const struct pl_pids *pids, pid_t pid) {
  for (size_t i = 0; i < pids->count; i++)
    if (pids->at[i] == pid) return true;
  return false;
}

void pl_pids_free(struct pl_pids *pids) {
  free(pids->at);
  *pids = (struct pl_pids){0};
}

/* Reads a small file of /proc whole. Returns its length, 0 when it is gone. */
static size_t slurp(const char *path, char *bytes, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  size_t length = 0;
  while (length < size - 1) {
    ssize_t count = read(fd, bytes + length, size - 1 - length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    length += (size_t)count;
  }
  close(fd);
  bytes[length] = '\0';
  return length;
}

static void add_children_of_task(const char *pid, const char *task,
                                 struct pl_pids *children) {
  char path[96], list[16 * 1024];
  snprintf(path, sizeof path, "/proc/%.20s/task/%.20s/children", pid, task);
  if (slurp(path, list, sizeof list) == 0) return;
  char *at = list, *end;
  for (long child = strtol(at, &end, 10); end != at;
       child = strtol(at, &end, 10)) {
    pl_pids_add(children, (pid_t)child);
    at = end;
  }
}

static void add_children(pid_t parent, struct pl_pids *children) {
  char pid[24], path[64];
  snprintf(pid, sizeof pid, "%d", parent > 0 ? (int)parent : (int)getpid());
  if (parent == 0) { /* the judge has one thread */
    add_children_of_task(pid, pid, children);
    return;
  }
  snprintf(path, sizeof path, "/proc/%.20s/task", pid);
  DIR *tasks = opendir(path);
  if (tasks == NULL) return; /* it has ended; its children are ours now */
  for (struct dirent *task = readdir(tasks); task; task = readdir(tasks))
    if (task->d_name[0] != '.')
      add_children_of_task(pid, task->d_name, children);
  closedir(tasks);
}

static bool is_zombie(pid_t pid) {
  char path[64], stat[512];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  if (slurp(path, stat, sizeof stat) == 0) return true;
  const char *name_end = strrchr(stat, ')');
  return name_end == NULL || name_end[1] == '\0' || name_end[2] == 'Z' ||
         name_end[2] == 'X';
}

void pl_known_free(struct pl_known *known) {
  pl_pids_free(&known->pids);
  pl_pids_free(&known->sessions);
}

/* Says whether a process belongs to a known session. A member that has made a
 * session of its own is found through its parents, as long as they live. */
static bool in_session(const struct pl_known *known, pid_t pid) {
  return known->sessions.count > 0 &&
         pl_pids_have(&known->sessions, getsid(pid));
}

void pl_audit_descendants(pid_t root, const struct pl_known *known,
                          struct pl_pids *found) {
  struct pl_pids all = {0};
  add_children(root, &all);
  for (size_t i = 0; i < all.count; i++) {
    pid_t pid = all.at[i];
    if (in_session(known, pid)) continue;
    if (!pl_pids_have(&known->pids, pid)) {
      if (root == 0) waitpid(pid, NULL, WNOHANG); /* only ours, only unknown */
      if (!is_zombie(pid)) pl_pids_add(found, pid);
    }
    add_children(pid, &all);
  }
  pl_pids_free(&all);
}

static void sleep_ms(unsigned ms) {
  struct timespec time = {.tv_sec = ms / 1000,
                          .tv_nsec = (long)(ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

void pl_audit_survivors(const struct pl_known *known, unsigned grace_ms,
                        struct pl_pids *found) {
  enum { STEP = 5 };
  for (unsigned waited = 0;; waited += STEP) {
    found->count = 0;
    pl_audit_descendants(0, known, found);
    if (found->count == 0 || waited >= grace_ms) return;
    sleep_ms(STEP);
  }
}

void pl_audit_name(const struct pl_pids *pids, struct pl_text *text) {
  for (size_t i = 0; i < pids->count; i++) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pids->at[i]);
    size_t length = slurp(path, line, sizeof line);
    while (length > 0 && line[length - 1] == '\0')
      length--;
    for (size_t k = 0; k < length; k++)
      if ((unsigned char)line[k] < 0x20 || (unsigned char)line[k] > 0x7E)
        line[k] = ' ';
    pl_text_format(text, "%spid %d (%.*s)", i > 0 ? ", " : "", (int)pids->at[i],
                   (int)length, line);
  }
}

size_t pl_audit_kill(const struct pl_known *known) {
  struct pl_pids found = {0};
  for (unsigned round = 0; round < 400; round++) {
    found.count = 0;
    pl_audit_descendants(0, known, &found);
    if (found.count == 0) break;
    for (size_t i = 0; i < found.count; i++)
      kill(found.at[i], SIGKILL);
    sleep_ms(round < 10 ? 1 : 5);
  }
  size_t left = found.count;
  pl_pids_free(&found);
  return left;
}

int pl_audit_open_files(void) {
  DIR *files = opendir("/proc/self/fd");
  if (files == NULL) return -1;
  int count = -1; /* the directory's own */
  for (struct dirent *file = readdir(files); file; file = readdir(files))
    if (file->d_name[0] != '.') count++;
  closedir(files);
  return count;
}

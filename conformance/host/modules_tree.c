/* SPDX-License-Identifier: MIT */
/*
 * modules_tree.c: changes of the case's tree while its program runs.
 *
 * Invariant: only names below the case's directory are touched, unless the
 * program writes an absolute path.
 */
#include "modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void settle(struct run *run, const struct op *op, int err) {
  if (err != 0) run_fail(run, op, "%s", error_name(err));
}

/* Makes a directory and those above it. `path` is changed and restored. */
static int make_directory(char *path) {
  for (char *slash = path + 1;; slash++) {
    char saved = *slash;
    if (saved != '/' && saved != '\0') continue;
    *slash = '\0';
    int err = mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -errno;
    *slash = saved;
    if (err != 0 || saved == '\0') return err;
  }
}

static int make_parents(char *path) {
  char *slash = strrchr(path, '/');
  if (slash == path) return 0;
  *slash = '\0';
  int err = make_directory(path);
  *slash = '/';
  return err;
}

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return -errno;
  size_t left = strlen(text);
  while (left > 0) {
    ssize_t n = write(fd, text, left);
    if (n < 0 && errno != EINTR) break;
    if (n < 0) continue;
    text += n;
    left -= (size_t)n;
  }
  int err = left > 0 ? -errno : 0;
  return close(fd) == 0 || err != 0 ? err : -errno;
}

void module_tree_write(struct run *run, const struct op *op,
                       const struct call *call) {
  (void)call;
  char *path = path_at(run->modules, op->module->path);
  int err = path ? make_parents(path) : -ENOMEM;
  if (err == 0) err = write_file(path, op->module->text);
  settle(run, op, err);
  free(path);
}

static int remove_inside(int dir);

/* A name and all below it. */
static int remove_at(int dir, const char *name) {
  if (unlinkat(dir, name, 0) == 0) return 0;
  if (errno != EISDIR && errno != EPERM) return -errno;
  int inside =
      openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inside < 0) return -errno;
  int err = remove_inside(inside);
  if (err != 0) return err;
  return unlinkat(dir, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

/* Takes the descriptor. */
static int remove_inside(int dir) {
  DIR *list = fdopendir(dir);
  int err = 0;
  if (!list) {
    err = -errno;
    close(dir);
    return err;
  }
  for (struct dirent *entry; err == 0 && (entry = readdir(list)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      err = remove_at(dirfd(list), entry->d_name);
  closedir(list);
  return err;
}

void module_tree_remove(struct run *run, const struct op *op,
                        const struct call *call) {
  (void)call;
  char *path = path_at(run->modules, op->module->path);
  settle(run, op, path ? remove_at(AT_FDCWD, path) : -ENOMEM);
  free(path);
}

void module_tree_rename(struct run *run, const struct op *op,
                        const struct call *call) {
  (void)call;
  char *path = path_at(run->modules, op->module->path);
  char *to = path_at(run->modules, op->module->to);
  int err = -ENOMEM;
  if (path && to) err = rename(path, to) == 0 ? 0 : -errno;
  settle(run, op, err);
  free(path);
  free(to);
}

void module_tree_directory(struct run *run, const struct op *op,
                           const struct call *call) {
  (void)call;
  char *path = path_at(run->modules, op->module->path);
  settle(run, op, path ? make_directory(path) : -ENOMEM);
  free(path);
}

static int make_link(const char *target, const char *path) {
  if (unlink(path) != 0 && errno != ENOENT) return -errno;
  return symlink(target, path) == 0 ? 0 : -errno;
}

void module_tree_link(struct run *run, const struct op *op,
                      const struct call *call) {
  (void)call;
  const char *to = op->module->to;
  struct text target = {0};
  if (strncmp(to, "$dir", 4) == 0) {
    text_add_string(&target, run->modules->dir);
    to += 4;
  }
  text_add_string(&target, to);
  text_add(&target, "", 1);
  char *path = path_at(run->modules, op->module->path);
  int err = path && !target.failed ? make_parents(path) : -ENOMEM;
  if (err == 0) err = make_link(target.bytes, path);
  settle(run, op, err);
  text_free(&target);
  free(path);
}

void module_tree_hard_link(struct run *run, const struct op *op,
                           const struct call *call) {
  (void)call;
  char *path = path_at(run->modules, op->module->path);
  char *to = path_at(run->modules, op->module->to);
  int err = -ENOMEM;
  if (path && to) err = link(to, path) == 0 ? 0 : -errno;
  settle(run, op, err);
  free(path);
  free(to);
}

/* SPDX-License-Identifier: MIT */
/* Makes, fills and removes the directories in which programs run. */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *place) {
  (void)status;
  (void)type;
  (void)place;
  remove(path); /* what cannot be removed must not stop the rest */
  return 0;
}

static void remove_tree(const char *path) {
  nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int pl_scratch_open(struct pl_scratch *scratch, char **error) {
  const char *place = getenv("TMPDIR");
  *scratch = (struct pl_scratch){0};
  if (place == NULL || place[0] != '/') place = "/tmp";
  char *base = pl_mem_format("%s/plumbline-XXXXXX", place);
  if (mkdtemp(base) == NULL) {
    *error = pl_mem_format("cannot make a directory in %s: %s", place,
                           strerror(errno));
    free(base);
    return -1;
  }
  scratch->base = base;
  scratch->shared = pl_mem_format("%s/shared", base);
  if (mkdir(scratch->shared, 0700) == 0) return 0;
  *error =
      pl_mem_format("cannot make %s: %s", scratch->shared, strerror(errno));
  pl_scratch_close(scratch);
  return -1;
}

void pl_scratch_close(struct pl_scratch *scratch) {
  if (scratch->base != NULL) remove_tree(scratch->base);
  free(scratch->shared);
  free(scratch->base);
  *scratch = (struct pl_scratch){0};
}

/* A path that stays below the directory: relative, no `..`, no empty name. */
static bool stays_below(const char *path) {
  for (const char *name = path;; name++) {
    size_t length = strcspn(name, "/");
    if (length == 0 || (length == 1 && name[0] == '.') ||
        (length == 2 && name[0] == '.' && name[1] == '.'))
      return false;
    name += length;
    if (*name == '\0') return true;
  }
}

static bool make_parents(char *path, size_t from) {
  for (char *slash = strchr(path + from, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    int result = mkdir(path, 0700);
    int reason = errno;
    *slash = '/';
    if (result != 0 && reason != EEXIST) return false;
  }
  return true;
}

static bool write_all(int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(fd, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    count -= (size_t)written;
  }
  return true;
}

static bool write_file(const char *dir, const char *name,
                       const json_t *content) {
  char *path = pl_mem_format("%s/%s", dir, name);
  bool good = make_parents(path, strlen(dir) + 1);
  if (good) {
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    good = fd >= 0 && write_all(fd, json_string_value(content),
                                json_string_length(content));
    if (fd >= 0 && close(fd) != 0) good = false;
  }
  free(path);
  return good;
}

char *pl_scratch_make(struct pl_scratch *scratch, const json_t *files,
                      char **error) {
  char *dir = pl_mem_format("%s/case-%u", scratch->base, ++scratch->made);
  const char *name;
  json_t *content;
  if (mkdir(dir, 0700) != 0) {
    *error = pl_mem_format("cannot make %s: %s", dir, strerror(errno));
    free(dir);
    return NULL;
  }
  json_object_foreach((json_t *)files, name, content) {
    if (stays_below(name) && write_file(dir, name, content)) continue;
    *error = stays_below(name)
                 ? pl_mem_format("cannot write %s/%s: %s", dir, name,
                                 strerror(errno))
                 : pl_mem_format("file `%s` of the case is not below the "
                                 "case's directory",
                                 name);
    pl_scratch_drop(dir);
    return NULL;
  }
  return dir;
}

void pl_scratch_drop(char *path) {
  if (path == NULL) return;
  remove_tree(path);
  free(path);
}

char *pl_scratch_trace(const char *dir, char **error) {
  char *place = pl_mem_format("%s/.plumb", dir);
  char *path = pl_mem_format("%s/trace", place);
  bool good = mkdir(place, 0700) == 0 && mkfifo(path, 0600) == 0;
  if (!good)
    *error = pl_mem_format("cannot make %s: %s", path, strerror(errno));
  free(place);
  if (good) return path;
  free(path);
  return NULL;
}

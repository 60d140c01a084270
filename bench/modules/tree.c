/* SPDX-License-Identifier: MIT */
/*
 * tree.c: writes trees of packages, and takes them away.
 *
 * Invariant: a tree is whole or it is not there; nobody changes one. They live
 * as long as the process: writing one takes longer than measuring in it.
 */
#include "modules.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ROOM = PATH_MAX + 64 };

/* Joins the root and a formatted path; false where it does not fit. */
__attribute__((format(printf, 3, 4))) static bool
place(const struct tree *tree, char *path, const char *format, ...) {
  char below[128];
  va_list rest;
  va_start(rest, format);
  int wanted = vsnprintf(below, sizeof below, format, rest);
  va_end(rest);
  if (wanted < 0 || (size_t)wanted >= sizeof below) return false;
  return snprintf(path, ROOM, "%s/%s", tree->root, below) < ROOM;
}

static bool make_folder(const char *path) {
  return mkdir(path, 0777) == 0;
}

static bool write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  if (!file) return false;
  bool written = fputs(text, file) >= 0;
  return fclose(file) == 0 && written;
}

static bool write_plain(const struct tree *tree, size_t i) {
  char path[ROOM];
  return place(tree, path, "node_modules/p%zu", i) && make_folder(path) &&
         place(tree, path, "node_modules/p%zu/lib", i) && make_folder(path) &&
         place(tree, path, "node_modules/p%zu/package.json", i) &&
         write_text(path, "{\"name\": \"p\", \"version\": \"1.0.0\", "
                          "\"main\": \"lib/index.js\"}\n") &&
         place(tree, path, "node_modules/p%zu/lib/index.js", i) &&
         write_text(path, "module.exports = 1;\n");
}

static bool write_exports(const struct tree *tree, size_t i) {
  char path[ROOM];
  return place(tree, path, "node_modules/e%zu", i) && make_folder(path) &&
         place(tree, path, "node_modules/e%zu/package.json", i) &&
         write_text(path, "{\"name\": \"e\", \"exports\": {\".\": \"./no.js\", "
                          "\"./features/*.js\": \"./no/*.js\", \"./x\": "
                          "{\"import\": \"./x.mjs\", \"browser\": \"./b.js\", "
                          "\"node\": {\"require\": \"./x.js\"}, "
                          "\"default\": \"./no.js\"}}}\n") &&
         place(tree, path, "node_modules/e%zu/x.js", i) &&
         write_text(path, "module.exports = 1;\n");
}

static bool write_askers(const struct tree *tree) {
  char path[ROOM];
  const char *const folders[] = {"node_modules", "a", "a/b", "a/b/c",
                                 "a/b/c/d"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    if (!place(tree, path, "%s", folders[i]) || !make_folder(path))
      return false;
  return place(tree, path, "main.js") && write_text(path, "\n") &&
         place(tree, path, "a/b/c/d/deep.js") && write_text(path, "\n");
}

const char *tree_write(struct tree *tree, size_t packages) {
  const char *folder = getenv("TMPDIR");
  char wanted[PATH_MAX];
  int length = snprintf(wanted, sizeof wanted, "%s/plumb-tree-XXXXXX",
                        folder && *folder ? folder : "/tmp");
  if (length < 0 || (size_t)length >= sizeof wanted || !mkdtemp(wanted) ||
      !realpath(wanted, tree->root))
    return "the tree's folder could not be made";
  tree->packages = packages;
  bool written = write_askers(tree);
  for (size_t i = 0; i < packages && written; i++)
    written = write_plain(tree, i) && write_exports(tree, i);
  if (written) return NULL;
  tree_remove(tree);
  return "the tree could not be written";
}

static int remove_one(const char *path, const struct stat *about, int kind,
                      struct FTW *where) {
  (void)about;
  (void)kind;
  (void)where;
  return remove(path);
}

void tree_remove(struct tree *tree) {
  nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* -- those of this process ------------------------------------------------- */

enum { MOST_TREES = 8 };

static struct tree trees[MOST_TREES];
static size_t tree_count;

static void remove_all(void) {
  for (size_t i = 0; i < tree_count; i++)
    tree_remove(&trees[i]);
}

const char *tree_of(const struct tree **tree, size_t packages) {
  for (size_t i = 0; i < tree_count; i++)
    if (trees[i].packages == packages) {
      *tree = &trees[i];
      return NULL;
    }
  if (tree_count == MOST_TREES) return "too many trees";
  if (tree_count == 0 && atexit(remove_all) != 0) return "out of memory";
  const char *error = tree_write(&trees[tree_count], packages);
  if (!error) *tree = &trees[tree_count++];
  return error;
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz.c: what all fuzzers share: the tree, the questions, the checks.
 *
 * Invariant: a check that fails aborts, with optimisation as without.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *fuzz_resize(void *self, void *block, size_t size) {
  (void)self;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

const struct pl_module_memory fuzz_memory = {.resize = fuzz_resize};

void fuzz_check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "it does not hold that %s\n", what);
  abort();
}

void fuzz_write(struct pl_fs_memory *tree, const char *path, const void *bytes,
                size_t length) {
  fuzz_check(pl_fs_memory_write(tree, path, bytes, length) == 0,
             "a file can be written");
}

struct pl_fs_memory *fuzz_tree(void) {
  static const char *const folders[] = {"/node_modules/p", "/node_modules/q",
                                        "/node_modules/@s/p"};
  static const char *const files[] = {"a.js", "index.js", "lib/a.js",
                                      "lib/x/b.js", "a b.js"};
  struct pl_fs_memory *tree = NULL;
  fuzz_check(pl_fs_memory_create(NULL, &tree) == 0, "there is memory");
  fuzz_write(tree, "/a.js", "", 0);
  fuzz_write(tree, "/main.js", "", 0);
  fuzz_write(tree, "/out/a.js", "", 0);
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
      char path[64];
      snprintf(path, sizeof path, "%s/%s", folders[i], files[k]);
      fuzz_write(tree, path, "", 0);
    }
  return tree;
}

void fuzz_tree_free(struct pl_fs_memory *tree) {
  pl_fs_memory_destroy(tree);
}

/* No empty name, no dot segments. */
static bool is_normal(const char *path, size_t length) {
  if (length == 0 || path[0] != '/') return false;
  for (size_t i = 0; i < length;) {
    size_t end = i + 1;
    while (end < length && path[end] != '/')
      end++;
    size_t size = end - i - 1;
    if (size == 0 || (size == 1 && path[i + 1] == '.') ||
        (size == 2 && path[i + 1] == '.' && path[i + 2] == '.'))
      return false;
    i = end;
  }
  return true;
}

static void check_file(struct pl_fs_memory *tree,
                       const struct pl_resolution *answer, const char *below) {
  struct pl_fs *fs = pl_fs_memory_base(tree);
  enum pl_fs_kind kind;
  fuzz_check(is_normal(answer->path, answer->path_length),
             "a path that is found is normal");
  fuzz_check(strlen(answer->path) == answer->path_length,
             "a path that is found has no NUL byte");
  fuzz_check(fs->ops->stat(fs, answer->path, true, &kind, NULL) == 0 &&
                 kind == PL_FS_FILE,
             "what is found is a file");
  fuzz_check(below == NULL || strncmp(answer->path, below, strlen(below)) == 0,
             "what is found lies where it may");
}

/* Each length is the same for a buffer that is too short. */
static void check_texts(const struct pl_resolution *answer) {
  static const char *const stack[] = {"/main.js", "/out/a.js"};
  char text[512];
  size_t length = pl_resolution_message(answer, stack, 2, text, sizeof text);
  fuzz_check(pl_resolution_message(answer, stack, 2, text, 1) == length &&
                 text[0] == '\0',
             "a message has one length");
  if (answer->code != PL_RESOLVED) {
    fuzz_check(length > 0, "a failure has a message");
    fuzz_check(pl_module_code_class(answer->code) != NULL,
               "a failure has a class");
    return;
  }
  length = pl_resolution_url(answer, text, sizeof text);
  fuzz_check(length > 0 && pl_resolution_url(answer, text, 1) == length,
             "a URL has one length");
}

static void on_step(void *arg, const char *text, size_t length,
                    const char *outcome) {
  size_t *steps = arg;
  fuzz_check(text != NULL && outcome != NULL, "a step has a text and an end");
  *steps += length > 0 && text[length - 1] == 0 ? 2 : 1;
}

/* Explaining finds out the same, step by step. */
static void check_explained(struct pl_resolver *resolver, const char *from,
                            const char *specifier, size_t length, bool import,
                            const struct pl_resolution *answer) {
  struct pl_place *place;
  const struct pl_resolution *again;
  size_t steps = 0;
  fuzz_check(pl_resolver_place(resolver, from, strlen(from), &place) == 0 &&
                 pl_place_explain(place, specifier, length, import, on_step,
                                  &steps, &again) == 0,
             "a question can be explained");
  fuzz_check(again->code == answer->code &&
                 again->path_length == answer->path_length &&
                 (answer->path == NULL ||
                  memcmp(again->path, answer->path, answer->path_length) == 0),
             "an explanation ends with the answer");
}

static void ask(struct pl_fs_memory *tree, struct pl_resolver *resolver,
                const char *from, const char *specifier, size_t length,
                const char *below, bool import) {
  const struct pl_resolution *first, *again;
  int (*resolve)(struct pl_resolver *, const char *, size_t, const char *,
                 size_t, const struct pl_resolution **) =
      import ? pl_resolver_import : pl_resolver_require;
  fuzz_check(resolve(resolver, from, strlen(from), specifier, length, &first) ==
                 0,
             "a question has an answer");
  fuzz_check(resolve(resolver, from, strlen(from), specifier, length, &again) ==
                     0 &&
                 again == first,
             "an answer is kept");
  check_texts(first);
  check_explained(resolver, from, specifier, length, import, first);
  if (first->code != PL_RESOLVED || first->kind != PL_MODULE_FILE) return;
  check_file(tree, first, below);
  struct pl_module_about about;
  fuzz_check(pl_resolver_about(resolver, first, &about) == 0,
             "something is known about what was found");
}

void fuzz_ask(struct pl_fs_memory *tree, const char *from,
              const char *specifier, size_t length, const char *below) {
  static const int nodes[] = {20, 22};
  for (int i = 0; i < 2; i++) {
    struct pl_resolver_config config = {.fs = pl_fs_memory_base(tree),
                                        .node = nodes[i]};
    struct pl_resolver *resolver = NULL;
    fuzz_check(pl_resolver_create(&config, &resolver) == 0,
               "a resolver can be made");
    ask(tree, resolver, from, specifier, length, below, false);
    ask(tree, resolver, from, specifier, length, below, true);
    pl_resolver_destroy(resolver);
  }
}

/* SPDX-License-Identifier: MIT */
/*
 * forest.c: trees for tests of resolution.
 *
 * Invariant: every allocation of a forest's resolver goes through
 * forest_memory.
 */
#include "forest.h"

#include <stdlib.h>

static void *counted_resize(void *self, void *block, size_t size) {
  struct forest *forest = self;
  if (size == 0) {
    if (block != NULL) forest->blocks--;
    free(block);
    return NULL;
  }
  if (forest->until_fail == 0) {
    forest->failed++;
    if (forest->once) forest->until_fail = -1;
    return NULL;
  }
  if (forest->until_fail > 0) forest->until_fail--;
  void *result = realloc(block, size);
  if (block == NULL && result != NULL) forest->blocks++;
  return result;
}

struct pl_module_memory forest_memory(struct forest *forest) {
  return (struct pl_module_memory){counted_resize, forest};
}

void forest_add(struct forest *forest, const char *line) {
  char path[8192];
  size_t length = strcspn(line, " ");
  assert_true(length < sizeof path);
  memcpy(path, line, length);
  path[length] = '\0';
  for (char *at = path; *at != '\0'; at++)
    if (*at == '\1') *at = ' ';
  const char *rest = line[length] == '\0' ? "" : line + length + 1;
  int error;
  if (strncmp(rest, "-> ", 3) == 0) {
    error = pl_fs_memory_link(forest->fs, path, rest + 3);
  } else if (path[length - 1] == '/') {
    path[length - 1] = '\0';
    error = pl_fs_memory_mkdir(forest->fs, path);
  } else {
    error = pl_fs_memory_write(forest->fs, path, rest, strlen(rest));
  }
  assert_int_equal(error, 0);
}

void forest_resolver(struct forest *forest) {
  if (forest->resolver != NULL) pl_resolver_destroy(forest->resolver);
  forest->resolver = NULL;
  forest->config.memory = forest_memory(forest);
  forest->config.fs = pl_fs_memory_base(forest->fs);
  assert_int_equal(pl_resolver_create(&forest->config, &forest->resolver), 0);
}

void forest_begin(struct forest *forest, const char *const *lines) {
  *forest = (struct forest){.until_fail = -1};
  assert_int_equal(pl_fs_memory_create(NULL, &forest->fs), 0);
  for (size_t i = 0; lines[i] != NULL; i++)
    forest_add(forest, lines[i]);
  forest_resolver(forest);
}

void forest_end(struct forest *forest) {
  if (forest->resolver != NULL) pl_resolver_destroy(forest->resolver);
  pl_fs_memory_destroy(forest->fs);
  assert_int_equal(forest->blocks, 0);
}

const struct pl_resolution *forest_ask(struct forest *forest, const char *from,
                                       const char *specifier, bool import) {
  const struct pl_resolution *resolution = NULL;
  int error =
      import ? pl_resolver_import(forest->resolver, from, strlen(from),
                                  specifier, strlen(specifier), &resolution)
             : pl_resolver_require(forest->resolver, from, strlen(from),
                                   specifier, strlen(specifier), &resolution);
  assert_int_equal(error, 0);
  return resolution;
}

bool forest_is(const struct pl_resolution *resolution, const char *expected,
               const char *asked) {
  const char *got = resolution->path;
  bool failed = resolution->code != PL_RESOLVED;
  if (failed) {
    got = pl_module_code_name(resolution->code);
    if (got == NULL) got = pl_module_code_class(resolution->code);
  }
  if (failed == (expected[0] == '!') &&
      strcmp(got, expected[0] == '!' ? expected + 1 : expected) == 0)
    return true;
  print_error("%s: expected %s, got %s%s\n", asked, expected, failed ? "!" : "",
              got);
  return false;
}

/* Asked twice: what is kept must be the same answer. */
static void ask_all(struct forest *forest, const struct question *questions,
                    bool import) {
  bool right = true;
  for (int pass = 0; pass < 2; pass++)
    for (const struct question *at = questions; at->from != NULL; at++)
      right &= forest_is(forest_ask(forest, at->from, at->specifier, import),
                         at->expected, at->specifier);
  assert_true(right);
}

void forest_require(struct forest *forest, const struct question *questions) {
  ask_all(forest, questions, false);
}

void forest_import(struct forest *forest, const struct question *questions) {
  ask_all(forest, questions, true);
}

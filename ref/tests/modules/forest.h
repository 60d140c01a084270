/* SPDX-License-Identifier: MIT */
/*
 * forest.h: what a test of resolution stands in: a tree in memory, a resolver
 * over it, memory that runs out on demand.
 *
 * Invariant: a forest that is ended fails the test when memory is left behind.
 */
#ifndef PLUMB_TESTS_FOREST_H
#define PLUMB_TESTS_FOREST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plumb/modules.h"

struct forest {
  struct pl_fs_memory *fs;
  struct pl_resolver *resolver;
  struct pl_resolver_config config; /* of the next resolver */
  long blocks;                      /* allocated and not freed */
  long until_fail; /* allocations until one fails; negative: never */
  bool once;       /* only that one fails, not all behind it */
  long failed;     /* how many did */
};

/* A tree's lines, and what is asked in it, with the end that each needs. */
#define TREE(...)                                                              \
  (const char *const[]) {                                                      \
    __VA_ARGS__, NULL                                                          \
  }
#define ASK(...)                                                               \
  (const struct question[]) {                                                  \
    __VA_ARGS__, {                                                             \
      0                                                                        \
    }                                                                          \
  }
#define MISSING "!MODULE_NOT_FOUND"

/* Begins with a tree: each line is "path" (an empty file), "path content",
 * "path -> target" or "path/" (a directory); NULL ends. "\1" in a path is a
 * space. */
void forest_begin(struct forest *forest, const char *const *lines);
void forest_add(struct forest *forest, const char *line);
/* Makes the resolver anew, with forest->config. */
void forest_resolver(struct forest *forest);
void forest_end(struct forest *forest);
struct pl_module_memory forest_memory(struct forest *forest);

/* What is asked, and the path that is expected, or "!CODE"; a class for an
 * error without a code. */
struct question {
  const char *from, *specifier, *expected;
};
void forest_require(struct forest *forest, const struct question *questions);
void forest_import(struct forest *forest, const struct question *questions);
/* The answer to one question. */
const struct pl_resolution *forest_ask(struct forest *forest, const char *from,
                                       const char *specifier, bool import);
/* Whether it is what is expected; prints what it is when not. */
bool forest_is(const struct pl_resolution *resolution, const char *expected,
               const char *asked);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * resolve.c: one specifier of n packages is resolved, as require() does it.
 *
 *   cold      by an instance that has seen nothing yet
 *   warm      by one that has resolved all of them before
 *   exports   warm, a subpath through "exports" and its conditions
 *   deep      warm, from four folders below
 *   miss      of packages that are not there; again and again
 *
 * Invariant: every answer is compared with the path that it has to be, before
 * and after the measured region (an instance gives the same again); the
 * instance looks at the real file system, whose cache is warm for all.
 */
#include "library.h"
#include "modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 32 };

enum what { COLD, WARM, EXPORTS, DEEP, MISS };

static const int64_t packages[] = {10, 100, 1000};

struct resolving {
  const struct pl_modules_table *table;
  enum what what;
  const struct tree *tree;
  void *instance;
  void *module;        /* who asks */
  char (*names)[NAME]; /* the specifiers */
  size_t right;        /* answers of the batch that were found, or not */
};

static uint64_t count(int64_t n) {
  return (uint64_t)n;
}

static bool supports(const void *subject, int64_t n) {
  const struct pl_modules_table *table =
      &((const struct library *)subject)->modules;
  (void)n;
  return table->create && table->destroy && table->asker && table->resolve;
}

static struct pl_bytes bytes(const char *text) {
  return (struct pl_bytes){text, strlen(text)};
}

/* -- an instance ----------------------------------------------------------- */

static const char *open_instance(struct resolving *own) {
  const struct pl_modules_options options = {.size = sizeof options};
  if (own->table->create(&options, &own->instance) != 0)
    return "create() failed";
  char path[PATH_MAX + 32];
  snprintf(path, sizeof path, "%s/%s", own->tree->root,
           own->what == DEEP ? "a/b/c/d/deep.js" : "main.js");
  if (own->table->asker(own->instance, bytes(path), &own->module) == 0)
    return NULL;
  own->table->destroy(own->instance);
  own->instance = NULL;
  return "asker() failed";
}

static void close_instance(struct resolving *own) {
  if (own->instance) own->table->destroy(own->instance);
  own->instance = NULL;
}

/* -- a batch --------------------------------------------------------------- */

/* Whether the outcome is what it has to be for package number i. */
static bool is_right(const struct resolving *own, size_t i, int status,
                     const struct pl_module_outcome *outcome) {
  if (own->what == MISS)
    return status == 1 && outcome->code &&
           strcmp(outcome->code, "MODULE_NOT_FOUND") == 0;
  char path[PATH_MAX + 64];
  int length = snprintf(path, sizeof path,
                        own->what == EXPORTS ? "%s/node_modules/e%zu/x.js"
                                             : "%s/node_modules/p%zu/lib/index"
                                               ".js",
                        own->tree->root, i);
  return status == 0 && outcome->path.length == (size_t)length &&
         memcmp(outcome->path.at, path, (size_t)length) == 0;
}

static int resolve_one(struct resolving *own, size_t i,
                       struct pl_module_outcome *outcome) {
  const struct pl_module_request request = {.specifier = bytes(own->names[i])};
  return own->table->resolve(own->instance, own->module, &request, outcome);
}

/* Whether something was found is counted here; whether it is right is looked
 * at outside of the measured region. */
static void run(void *state) {
  struct resolving *own = state;
  struct pl_module_outcome outcome;
  for (size_t i = 0; i < own->tree->packages; i++) {
    int status = resolve_one(own, i, &outcome);
    own->right += own->what == MISS ? status == 1 : status == 0;
  }
}

static const char *reset(void *state) {
  struct resolving *own = state;
  own->right = 0;
  if (own->what != COLD) return NULL;
  close_instance(own);
  return open_instance(own);
}

static const char *check_answers(struct resolving *own) {
  struct pl_module_outcome outcome = {0};
  for (size_t i = 0; i < own->tree->packages; i++) {
    int status = resolve_one(own, i, &outcome);
    if (!is_right(own, i, status, &outcome))
      return "a specifier led somewhere else";
  }
  return NULL;
}

static const char *check(void *state) {
  struct resolving *own = state;
  if (own->right != own->tree->packages)
    return own->what == MISS ? "a package that is not there was found"
                             : "a specifier was not found";
  return own->what == COLD ? check_answers(own) : NULL;
}

/* -- setup ----------------------------------------------------------------- */

static const char *name_all(struct resolving *own) {
  const char *first = own->what == MISS      ? "missing"
                      : own->what == EXPORTS ? "e"
                                             : "p";
  const char *last = own->what == EXPORTS ? "/x" : "";
  own->names = calloc(own->tree->packages, sizeof *own->names);
  if (!own->names) return "out of memory";
  for (size_t i = 0; i < own->tree->packages; i++)
    snprintf(own->names[i], NAME, "%s%zu%s", first, i, last);
  return NULL;
}

static const char *setup(void **state, const void *subject, int64_t n,
                         enum what what) {
  const struct library *library = subject;
  struct resolving *own = calloc(1, sizeof *own);
  if (!own) return "out of memory";
  own->table = &library->modules;
  own->what = what;
  const char *error = tree_of(&own->tree, (size_t)n);
  if (error) goto fail_tree;
  if ((error = name_all(own)) != NULL) goto fail_tree;
  if ((error = open_instance(own)) != NULL) goto fail_instance;
  /* All of them once: right, and from now on known. */
  if ((error = check_answers(own)) != NULL) goto fail_answers;
  *state = own;
  return NULL;

fail_answers:
  close_instance(own);
fail_instance:
  free(own->names);
fail_tree:
  free(own);
  return error;
}

static const char *teardown(void *state) {
  struct resolving *own = state;
  const char *error = own->instance ? check_answers(own) : NULL;
  close_instance(own);
  free(own->names);
  free(own);
  return error;
}

#define RESOLVE_BENCH(variable, title, kind)                                   \
  static const char *setup_##variable(void **state, const void *subject,       \
                                      int64_t n) {                             \
    return setup(state, subject, n, kind);                                     \
  }                                                                            \
  const struct bench variable = {.name = "modules/resolve/" title,             \
                                 .version = 1,                                 \
                                 .parameter = "packages",                      \
                                 .values = packages,                           \
                                 .value_count =                                \
                                     sizeof packages / sizeof *packages,       \
                                 .operations = count,                          \
                                 .supports = supports,                         \
                                 .setup = setup_##variable,                    \
                                 .reset = reset,                               \
                                 .run = run,                                   \
                                 .check = check,                               \
                                 .teardown = teardown}

RESOLVE_BENCH(bench_resolve_cold, "cold", COLD);
RESOLVE_BENCH(bench_resolve_warm, "warm", WARM);
RESOLVE_BENCH(bench_resolve_exports, "exports", EXPORTS);
RESOLVE_BENCH(bench_resolve_deep, "deep", DEEP);
RESOLVE_BENCH(bench_resolve_miss, "miss", MISS);

/* SPDX-License-Identifier: MIT */
/*
 * require.c: require() of n packages that are loaded already.
 *
 * Invariant: every module has exports of its own, and each require() gives
 * those that it gave when it was loaded; a body does nothing.
 */
#include "library.h"
#include "modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 24 };

static const int64_t packages[] = {10, 100, 1000};

struct requiring {
  const struct pl_modules_table *table;
  struct pl_modules_host host;
  struct tree tree;
  void *instance;
  void *module;        /* who asks */
  char (*names)[NAME]; /* the specifiers */
  struct pl_bytes *specifiers;
  void **exports; /* what each gave first */
  uint64_t wrong; /* of the batch */
};

static uint64_t count(int64_t n) {
  return (uint64_t)n;
}

static bool supports(const void *subject, int64_t n) {
  const struct pl_modules_table *table =
      &((const struct library *)subject)->modules;
  (void)n;
  return table->create && table->destroy && table->asker && table->require;
}

/* -- the host: a value is a byte of its own ---------------------------- */

static void *make(void *self) {
  (void)self;
  return malloc(1);
}
static void hold(void *self, void *value) {
  (void)self;
  (void)value;
}
/* A body's own use of its exports is given back as well: freed at the end. */
static void release(void *self, void *value) {
  (void)self;
  (void)value;
}
static int run_body(void *self, void *module, void *exports,
                    struct pl_bytes text) {
  (void)self;
  (void)module;
  (void)exports;
  (void)text;
  return 0;
}
static int no_value(void *self, struct pl_bytes text, void **exports) {
  (void)self;
  (void)text;
  (void)exports;
  return 1;
}

/* -- a batch ----------------------------------------------------------- */

static void run(void *state) {
  struct requiring *own = state;
  struct pl_module_outcome outcome;
  for (size_t i = 0; i < own->tree.packages; i++) {
    int status = own->table->require(own->instance, own->module,
                                     own->specifiers[i], &outcome);
    own->wrong += status != 0 || outcome.exports != own->exports[i];
  }
}

static const char *reset(void *state) {
  ((struct requiring *)state)->wrong = 0;
  return NULL;
}

static const char *check(void *state) {
  return ((struct requiring *)state)->wrong == 0
             ? NULL
             : "a module that is loaded gave other exports";
}

/* -- setup ------------------------------------------------------------- */

static const char *open_instance(struct requiring *own) {
  own->host = (struct pl_modules_host){.size = sizeof own->host,
                                       .self = own,
                                       .make = make,
                                       .hold = hold,
                                       .release = release,
                                       .run = run_body,
                                       .json = no_value,
                                       .core = no_value};
  const struct pl_modules_options options = {.size = sizeof options,
                                             .host = &own->host};
  if (own->table->create(&options, &own->instance) != 0)
    return "create() failed";
  char path[PATH_MAX + 16];
  int length = snprintf(path, sizeof path, "%s/main.js", own->tree.root);
  if (own->table->asker(own->instance, (struct pl_bytes){path, (size_t)length},
                        &own->module) != 0)
    return "asker() failed";
  return NULL;
}

static const char *load_all(struct requiring *own) {
  for (size_t i = 0; i < own->tree.packages; i++) {
    struct pl_module_outcome outcome = {0};
    int length = snprintf(own->names[i], NAME, "p%u", (unsigned)i);
    own->specifiers[i] = (struct pl_bytes){own->names[i], (size_t)length};
    if (own->table->require(own->instance, own->module, own->specifiers[i],
                            &outcome) != 0)
      return "a module could not be loaded";
    own->exports[i] = outcome.exports;
    for (size_t k = 0; k < i; k++)
      if (own->exports[k] == own->exports[i])
        return "two modules have the same exports";
  }
  return NULL;
}

static const char *teardown(void *state) {
  struct requiring *own = state;
  if (own->instance) own->table->destroy(own->instance);
  for (size_t i = 0; own->exports && i < own->tree.packages; i++)
    free(own->exports[i]);
  free(own->exports);
  free(own->specifiers);
  free(own->names);
  tree_remove(&own->tree);
  free(own);
  return NULL;
}

static const char *setup(void **state, const void *subject, int64_t n) {
  const struct library *library = subject;
  struct requiring *own = calloc(1, sizeof *own);
  if (!own) return "out of memory";
  own->table = &library->modules;
  const char *error = tree_write(&own->tree, (size_t)n);
  if (error) {
    free(own);
    return error;
  }
  own->names = calloc(own->tree.packages, sizeof *own->names);
  own->specifiers = calloc(own->tree.packages, sizeof *own->specifiers);
  own->exports = calloc(own->tree.packages, sizeof *own->exports);
  if (!own->names || !own->specifiers || !own->exports) error = "out of memory";
  if (!error) error = open_instance(own);
  if (!error) error = load_all(own);
  if (error)
    teardown(own);
  else
    *state = own;
  return error;
}

const struct bench bench_require_loaded = {.name = "modules/require/loaded",
                                           .version = 1,
                                           .parameter = "packages",
                                           .values = packages,
                                           .value_count = sizeof packages /
                                                          sizeof *packages,
                                           .operations = count,
                                           .supports = supports,
                                           .setup = setup,
                                           .reset = reset,
                                           .run = run,
                                           .check = check,
                                           .teardown = teardown};

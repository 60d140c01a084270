/* SPDX-License-Identifier: MIT */
/*
 * exports.c: a module with an array at its top, and a function to add to it.
 * The cache of modules keeps the module, the module the array.
 *
 * Cure: the module offers to take away what it has, and that is called.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "lab.h"

enum { TAKEN_AT = 50, TEXT = 1024 };

struct module {
  struct pl_root cache; /* the module */
  uint32_t module, result;
  uint64_t read;
};

static void *results_of(const struct module *module) {
  return *(void **)module->cache.object;
}

static int begin(struct lab *lab, void **state) {
  static const char *const of_module[] = {"results", NULL};
  static const char *const of_result[] = {"text", NULL};
  struct module *module = calloc(1, sizeof *module);
  if (module == NULL) return PL_ENOMEM;
  *state = module;
  pl_root_add(lab->heap, &module->cache, NULL);
  void *made;
  int err = lab_type(lab, "Module", of_module, &module->module);
  if (err == 0) err = lab_type(lab, "Result", of_result, &module->result);
  if (err == 0) err = lab_object(lab, module->module, 1, &module->cache.object);
  if (err == 0) err = lab_list_new(lab, &made);
  if (err == 0) lab_write(lab, module->cache.object, 0, made);
  return err;
}

static int turn(struct lab *lab, void *state, uint64_t n) {
  struct module *module = state;
  void **result, **results, *made;
  int err = lab_text(lab, TEXT, n, &made);
  if (err == 0) err = lab_handle(lab, made, &result);
  if (err == 0) err = lab_object(lab, module->result, 2, &made);
  if (err != 0) return err;
  lab_write(lab, made, 0, *result);
  ((uint64_t *)made)[1] = n;
  *result = made;
  err = lab_handle(lab, results_of(module), &results);
  if (err == 0) err = lab_list_push(lab, results, result);
  if (err != 0 || !lab->cured || lab_list_count(*results) < TAKEN_AT)
    return err;
  err = lab_list_new(lab, &made);
  if (err != 0) return err;
  lab_write(lab, module->cache.object, 0, made);
  module->read += lab_list_count(*results);
  return 0;
}

static size_t kept(const void *state) {
  return lab_list_count(results_of(state));
}

static void told(const void *state, FILE *out) {
  fprintf(out, ", \"read\": %" PRIu64, ((const struct module *)state)->read);
}

static void end(void *state) {
  if (state == NULL) return;
  pl_root_remove(&((struct module *)state)->cache);
  free(state);
}

const struct leak leak_exports = {"exports", "Result", begin, turn,
                                  kept,      told,     end};

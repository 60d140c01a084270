/* SPDX-License-Identifier: MIT */
/*
 * closure.c: the closures of one call share one scope. `forgotten` is never
 * kept, but because it uses `previous` the scope has it, and the thing's
 * method, which uses nothing, keeps the scope: each thing keeps the one before.
 *
 * Cure: the variable is emptied when the function is done with it.
 *
 * Rule: HEAP-ROOT-5.
 */
#include <stdlib.h>

#include "lab.h"

enum { TEXT = 2048 };

struct closure {
  struct pl_root thing;
  uint32_t type;
};

static int begin(struct lab *lab, void **state) {
  static const char *const names[] = {"text", "method", NULL};
  struct closure *closure = calloc(1, sizeof *closure);
  if (closure == NULL) return PL_ENOMEM;
  *state = closure;
  pl_root_add(lab->heap, &closure->thing, NULL);
  return lab_type(lab, "Thing", names, &closure->type);
}

/* thing = {text, method}, where method has the scope. */
static int replace(struct lab *lab, struct closure *closure, uint64_t n,
                   void *const *scope) {
  void **text, **method, *made;
  int err = lab_text(lab, TEXT, n, &made);
  if (err == 0) err = lab_handle(lab, made, &text);
  if (err == 0) err = lab_function(lab, scope, &made);
  if (err == 0) err = lab_handle(lab, made, &method);
  if (err == 0) err = lab_object(lab, closure->type, 2, &made);
  if (err != 0) return err;
  lab_write(lab, made, 0, *text);
  lab_write(lab, made, 1, *method);
  closure->thing.object = made;
  return 0;
}

static int turn(struct lab *lab, void *state, uint64_t n) {
  struct closure *closure = state;
  void **scope, *made;
  int err = lab_object(lab, lab->scope, 1, &made);
  if (err == 0) err = lab_handle(lab, made, &scope);
  if (err != 0) return err;
  lab_write(lab, *scope, 0, closure->thing.object); /* previous */
  void *forgotten;
  err = lab_function(lab, scope, &forgotten);
  if (err == 0) err = replace(lab, closure, n, scope);
  if (lab->cured) lab_write(lab, *scope, 0, NULL);
  return err;
}

static size_t kept(const void *state) {
  return ((const struct closure *)state)->thing.object != NULL;
}

static void end(void *state) {
  if (state == NULL) return;
  pl_root_remove(&((struct closure *)state)->thing);
  free(state);
}

const struct leak leak_closure = {"closure", "Thing", begin, turn,
                                  kept,      NULL,    end};

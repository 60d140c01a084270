/* SPDX-License-Identifier: MIT */
/*
 * listeners.c: each request listens to an emitter that lives as long as the
 * program; its listener keeps the request when it was answered long ago.
 *
 * Cure: a request that is over takes its listener away. Five are under way at
 * a time.
 */
#include <stdlib.h>

#include "lab.h"

enum { UNDER_WAY = 5, BODY = 1024 };

struct request {
  void *body, *listener; /* slots */
  uint64_t beats;
};

struct listeners {
  struct pl_root emitter; /* a list of functions */
  struct pl_root open;    /* a list of requests */
  uint32_t request;
};

static int begin(struct lab *lab, void **state) {
  static const char *const names[] = {"body", "listener", NULL};
  struct listeners *all = calloc(1, sizeof *all);
  if (all == NULL) return PL_ENOMEM;
  *state = all;
  pl_root_add(lab->heap, &all->emitter, NULL);
  pl_root_add(lab->heap, &all->open, NULL);
  int err = lab_type(lab, "Request", names, &all->request);
  if (err == 0) err = lab_list_new(lab, &all->emitter.object);
  if (err == 0) err = lab_list_new(lab, &all->open.object);
  return err;
}

/* A request and its listener, whose scope has the request. */
static int make(struct lab *lab, struct listeners *all, uint64_t n,
                void ***request, void ***listener) {
  void **scope, *made;
  int err = lab_text(lab, BODY, n, &made);
  if (err == 0) err = lab_handle(lab, made, request);
  if (err == 0) err = lab_object(lab, all->request, 3, &made);
  if (err != 0) return err;
  lab_write(lab, made, 0, **request);
  **request = made;
  err = lab_object(lab, lab->scope, 1, &made);
  if (err == 0) err = lab_handle(lab, made, &scope);
  if (err != 0) return err;
  lab_write(lab, *scope, 0, **request);
  err = lab_function(lab, scope, &made);
  if (err == 0) err = lab_handle(lab, made, listener);
  if (err == 0) lab_write(lab, **request, 1, **listener);
  return err;
}

static int turn(struct lab *lab, void *state, uint64_t n) {
  struct listeners *all = state;
  void **request, **listener;
  int err = make(lab, all, n, &request, &listener);
  if (err == 0) err = lab_list_push(lab, &all->emitter.object, listener);
  if (err == 0) err = lab_list_push(lab, &all->open.object, request);
  if (err != 0) return err;
  if (lab_list_count(all->open.object) > UNDER_WAY) {
    const struct request *over = lab_list_shift(lab, all->open.object);
    if (lab->cured) lab_list_remove(lab, all->emitter.object, over->listener);
  }
  return 0;
}

static size_t kept(const void *state) {
  return lab_list_count(((const struct listeners *)state)->emitter.object);
}

static void end(void *state) {
  if (state == NULL) return;
  pl_root_remove(&((struct listeners *)state)->emitter);
  pl_root_remove(&((struct listeners *)state)->open);
  free(state);
}

const struct leak leak_listeners = {"listeners", "Function", begin, turn,
                                    kept,        NULL,       end};

/* SPDX-License-Identifier: MIT */
/*
 * objects.c: the life of the objects that a program makes.
 *
 * Invariant: storage is freed only while the provider does not borrow it:
 * handles after their close callback (or, with a provider that closes
 * nothing, once stopped for good), everything else when it has fired or was
 * cleared, and never while its own callback is on the stack.
 */
#include "modules.h"
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum pl_kind object_kind(const struct object *object) {
  if (object->kind == KIND_INTERVAL) return PL_KIND_TIMEOUT;
  return (enum pl_kind)object->kind;
}

static bool is_handle(int kind) {
  return kind <= PL_KIND_SIGNAL;
}

static void link_object(struct run *run, struct object *object) {
  object->next = run->objects;
  if (run->objects) run->objects->previous = object;
  run->objects = object;
}

static void unlink_object(struct object *object) {
  if (object->next) object->next->previous = object->previous;
  if (object->previous)
    object->previous->next = object->next;
  else
    object->run->objects = object->next;
}

static void destroy(struct object *object) {
  unlink_object(object);
  for (int i = 0; i < 2; i++)
    if (object->fds[i] >= 0) close(object->fds[i]);
  free(object->path);
  free(object);
}

void object_release(struct object *object) {
  bool used = object->handle ? !object->closed : object->pending;
  if (!used && !object->bound && !object->running) destroy(object);
}

/* The id names this object from now on; the one before may go when it can. */
static void bind_object(struct object *object, int slot) {
  struct object **place = &object->run->slots[slot];
  struct object *before = *place;
  *place = object;
  object->bound = true;
  if (!before) return;
  before->bound = false;
  object_release(before);
}

struct object *object_new(struct run *run, const struct op *op) {
  enum pl_kind kind =
      op->kind == KIND_INTERVAL ? PL_KIND_TIMEOUT : (enum pl_kind)op->kind;
  size_t size = run->library->loop.size_of(kind);
  struct object *object = calloc(1, sizeof *object + size);
  if (!object) {
    run_fail(run, op, "out of memory");
    return NULL;
  }
  object->run = run;
  object->op = op;
  object->calls = op->calls;
  object->kind = op->kind;
  object->handle = is_handle(op->kind);
  object->drain = op->drain;
  object->number = op->number;
  object->frame = run->frame;
  object->fds[0] = object->fds[1] = -1;
  int err = run->library->loop.init(run->loop, kind, object->storage,
                                    object_fired, object);
  if (err != 0) {
    free(object);
    run_fail(run, op, "init: %s", error_name(err));
    return NULL;
  }
  link_object(run, object);
  if (op->slot >= 0) bind_object(object, op->slot);
  return object;
}

void object_borrow(struct object *object) {
  object->pending = true;
}

struct object *object_named(struct run *run, const struct op *op) {
  struct object *object = run->slots[op->slot];
  if (!object) run_fail(run, op, "what it names has not been made yet");
  return object;
}

/* -- callbacks ----------------------------------------------------------- */

static void drain_socket(const struct object *object) {
  char bytes[256];
  ssize_t n;
  do
    n = read(object->fds[0], bytes, sizeof bytes);
  while (n > 0 || (n < 0 && errno == EINTR));
}

const struct body *body_of_call(const struct calls *calls, uint32_t count) {
  if (calls->count == 0) return NULL;
  size_t index = count - 1 < calls->count ? count - 1 : calls->count - 1;
  return &calls->bodies[index];
}

static void next_link(struct object *object) {
  const struct pl_loop_table *loop = &object->run->library->loop;
  struct run *run = object->run;
  run_note(run, object->number);
  struct object *next = object_new(run, object->op);
  if (!next) return;
  next->chain = true;
  next->number = object->number - 1;
  int err = 0;
  object_borrow(next);
  switch (next->kind) {
  case PL_KIND_TICK:
    err = loop->tick(next->storage);
    break;
  case PL_KIND_MICROTASK:
    err = loop->microtask(next->storage);
    break;
  case PL_KIND_IMMEDIATE:
    err = loop->immediate_start(next->storage);
    break;
  default:
    err = loop->timeout_start(next->storage, 0, 0);
    break;
  }
  if (err == 0) return;
  next->pending = false;
  object_release(next);
  run_fail(run, object->op, "%s", error_name(err));
}

static void call(struct object *object, int status) {
  struct run *run = object->run;
  if (run->silent) return;
  if (object->chain && object->number > 1) {
    next_link(object);
    return;
  }
  if (object->kind == PL_KIND_POLL && object->drain) drain_socket(object);
  const struct body *body = body_of_call(&object->calls, object->count);
  struct call now = {
      .status = status, .object = object, .count = object->count};
  if (body) run_callback(run, object->frame, object->op, body, &now);
}

void object_fired(void *arg, int status) {
  struct object *object = arg;
  if (!object->handle && object->kind != KIND_INTERVAL) object->pending = false;
  object->count++;
  object->running = true;
  call(object, status);
  object->running = false;
  object_release(object);
}

void object_closed(void *arg, int status) {
  struct object *object = arg;
  object->closed = true;
  object->running = true;
  const struct body *body = body_of_call(&object->close_calls, 1);
  struct call now = {.status = status, .count = 1};
  if (body && !object->run->silent)
    run_callback(object->run, object->frame, object->op, body, &now);
  object->running = false;
  object_release(object);
}

int object_close(struct object *object, const struct calls *calls) {
  if (object->closed) return -EINVAL; /* the provider has let go of it */
  int err =
      object->run->library->loop.handle_close(object->storage, object_closed);
  if (err != 0) return err;
  object->closing = true;
  if (calls) object->close_calls = *calls;
  return 0;
}

/* -- the end ------------------------------------------------------------- */

static int end_handle(struct object *object) {
  const struct pl_loop_table *loop = &object->run->library->loop;
  if (object->closing) return 0;
  if (loop->handle_close) return object_close(object, NULL);
  object->closing = object->closed = true;
  return loop->handle_stop(object->storage);
}

static void let_go(struct object *object) {
  const struct pl_loop_table *loop = &object->run->library->loop;
  int err = 0;
  if (object->handle) {
    err = end_handle(object);
  } else if (object->pending) {
    switch (object_kind(object)) {
    case PL_KIND_TIMEOUT:
    case PL_KIND_IMMEDIATE:
      err = loop->clear(object->storage);
      object->pending = false;
      break;
    case PL_KIND_WORK:
    case PL_KIND_STAT:
      if (loop->cancel)
        loop->cancel(object->storage); /* or it ends by itself */
      break;
    default:
      break; /* ticks and microtasks: the last drain */
    }
  }
  if (err != 0)
    run_fail(object->run, object->op, "cleaning up: %s", error_name(err));
}

void objects_of_module(struct run *run, const void *module) {
  for (struct object *object = run->objects, *next; object; object = next) {
    next = object->next;
    if (!object->frame || object->frame->module != module) continue;
    if (object->handle || object->pending) let_go(object);
    object_release(object);
  }
}

void objects_clean(struct run *run) {
  const struct pl_loop_table *loop = &run->library->loop;
  run->silent = true;
  memset(run->slots, 0, run->program->slots * sizeof *run->slots);
  for (struct object *object = run->objects, *next; object; object = next) {
    next = object->next;
    object->bound = false;
    let_go(object);
    object_release(object);
  }
  if (loop->drain) loop->drain(run->loop);
  /* A stop that was asked for ends a run before it has done anything. */
  int alive = 1;
  for (int tries = 0; alive > 0 && tries < 8; tries++)
    alive = loop->run(run->loop, PL_RUN_DEFAULT);
  if (alive < 0)
    run_fail(run, NULL, "cleaning up: run: %s", error_name(alive));
  else if (alive > 0 || run->objects)
    run_fail(run, run->objects ? run->objects->op : NULL,
             "cleaning up: all handles were closed and the loop is %s",
             alive > 0 ? "still alive" : "done without telling");
}

/* SPDX-License-Identifier: MIT */
/*
 * object.c: objects of all kinds are made, closed, stopped and counted.
 *
 * Invariant: a poll handle that libuv has not seen yet (FRESH_POLL) is touched
 * by no function of libuv's.
 */
#include "object.h"

#include <stddef.h>

static void on_async(uv_async_t *async) {
  report(async->data, 0);
}

static void on_closed(uv_handle_t *handle) {
  const struct object *object = handle->data;
  if (object->then.closed) object->then.closed(object->arg, 0);
}

static size_t handle_size(uv_handle_type type) {
  return offsetof(struct object, uv) + uv_handle_size(type);
}

static size_t request_size(uv_req_type type) {
  return offsetof(struct object, uv) + uv_req_size(type);
}

/* libuv's struct, and behind it what a file read has to remember. */
static size_t file_read_size(void) {
  const size_t step = _Alignof(struct reading);
  size_t size = request_size(UV_FS);
  return (size + step - 1) / step * step + sizeof(struct reading);
}

/* A poll handle that libuv never saw is closed as an idle handle. */
static size_t poll_size(void) {
  size_t poll = handle_size(UV_POLL), idle = handle_size(UV_IDLE);
  return poll > idle ? poll : idle;
}

size_t libuv_size_of(enum pl_kind kind) {
  switch (kind) {
  case PL_KIND_TIMER:
    return handle_size(UV_TIMER);
  case PL_KIND_IDLE:
    return handle_size(UV_IDLE);
  case PL_KIND_PREPARE:
    return handle_size(UV_PREPARE);
  case PL_KIND_CHECK:
    return handle_size(UV_CHECK);
  case PL_KIND_ASYNC:
    return handle_size(UV_ASYNC);
  case PL_KIND_POLL:
    return poll_size();
  case PL_KIND_SIGNAL:
    return handle_size(UV_SIGNAL);
  case PL_KIND_WORK:
    return request_size(UV_WORK);
  case PL_KIND_STAT:
    return request_size(UV_FS);
  case PL_KIND_FILE_READ:
    return file_read_size();
  case PL_KIND_STREAM:
    return handle_size(UV_NAMED_PIPE);
  case PL_KIND_WRITE:
    return request_size(UV_WRITE);
  default:
    return 0;
  }
}

int libuv_init(void *storage, enum pl_kind kind, void *memory,
               pl_callback *callback, void *arg) {
  struct loop *loop = storage;
  struct object *object = memory;
  if (libuv_size_of(kind) == 0) return -ENOTSUP;
  object->callback = callback;
  object->then.closed = NULL;
  object->arg = arg;
  object->loop = loop;
  object->fd = -1;
  object->kind = (short)kind;
  object->fresh = 0;
  int err = 0;
  switch (kind) {
  case PL_KIND_TIMER:
    err = uv_timer_init(&loop->uv, &object->uv.timer);
    break;
  case PL_KIND_IDLE:
    err = uv_idle_init(&loop->uv, &object->uv.idle);
    break;
  case PL_KIND_PREPARE:
    err = uv_prepare_init(&loop->uv, &object->uv.prepare);
    break;
  case PL_KIND_CHECK:
    err = uv_check_init(&loop->uv, &object->uv.check);
    break;
  case PL_KIND_ASYNC:
    err = uv_async_init(&loop->uv, &object->uv.async, on_async);
    break;
  case PL_KIND_SIGNAL:
    err = uv_signal_init(&loop->uv, &object->uv.signal);
    break;
  case PL_KIND_POLL:
    object->fresh = FRESH_POLL;
    break;
  case PL_KIND_STREAM:
    err = uv_pipe_init(&loop->uv, &object->uv.pipe, 0);
    break;
  case PL_KIND_FILE_READ:
    object->then.reading =
        (void *)((char *)memory + file_read_size() - sizeof(struct reading));
    break;
  default:
    break;
  }
  object->uv.handle.data = object; /* `data` is first in handles and requests */
  return err;
}

int libuv_is_closing(const void *memory) {
  const struct object *object = memory;
  return !object->fresh && uv_is_closing(&object->uv.handle);
}

int libuv_handle_close(void *memory, pl_callback *closed) {
  struct object *object = memory;
  if (object->fresh) {
    /* libuv has never seen this one: a handle that does nothing is closed in
     * its place, so that the callback comes in the closing phase. */
    int err = uv_idle_init(&object->loop->uv, &object->uv.idle);
    if (err != 0) return err;
    object->uv.handle.data = object;
    object->fresh = 0;
  }
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  object->then.closed = closed;
  uv_close(&object->uv.handle, on_closed);
  return 0;
}

int libuv_handle_stop(void *memory) {
  struct object *object = memory;
  if (object->fresh || uv_is_closing(&object->uv.handle)) return 0;
  switch (object->kind) {
  case PL_KIND_TIMER:
    return uv_timer_stop(&object->uv.timer);
  case PL_KIND_IDLE:
    return uv_idle_stop(&object->uv.idle);
  case PL_KIND_PREPARE:
    return uv_prepare_stop(&object->uv.prepare);
  case PL_KIND_CHECK:
    return uv_check_stop(&object->uv.check);
  case PL_KIND_POLL:
    return uv_poll_stop(&object->uv.poll);
  case PL_KIND_SIGNAL:
    return uv_signal_stop(&object->uv.signal);
  case PL_KIND_STREAM:
    return uv_read_stop(&object->uv.stream);
  default:
    return -EINVAL;
  }
}

void libuv_ref(void *memory) {
  struct object *object = memory;
  if (object->fresh)
    object->fresh = FRESH_POLL;
  else
    uv_ref(&object->uv.handle);
}

void libuv_unref(void *memory) {
  struct object *object = memory;
  if (object->fresh)
    object->fresh = FRESH_POLL | FRESH_UNREF;
  else
    uv_unref(&object->uv.handle);
}

int libuv_has_ref(const void *memory) {
  const struct object *object = memory;
  if (object->fresh) return (object->fresh & FRESH_UNREF) == 0;
  return uv_has_ref(&object->uv.handle) != 0;
}

int libuv_is_active(const void *memory) {
  const struct object *object = memory;
  return !object->fresh && uv_is_active(&object->uv.handle) != 0;
}

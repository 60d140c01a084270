/* SPDX-License-Identifier: MIT */
/*
 * handles.c: timers, watchers of phases, wake-ups, descriptors and signals are
 * started.
 *
 * Invariant: a handle that is closing is refused where libuv would not.
 */
#include "object.h"

_Static_assert((int)PL_POLL_READABLE == (int)UV_READABLE &&
                   (int)PL_POLL_WRITABLE == (int)UV_WRITABLE,
               "a poll mask passes through unchanged");

static void on_timer(uv_timer_t *timer) {
  report(timer->data, 0);
}

static void on_idle(uv_idle_t *idle) {
  report(idle->data, 0);
}

static void on_prepare(uv_prepare_t *prepare) {
  report(prepare->data, 0);
}

static void on_check(uv_check_t *check) {
  report(check->data, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  report(poll->data, status < 0 ? status : events);
}

static void on_signal(uv_signal_t *signal, int signum) {
  report(signal->data, signum);
}

int libuv_timer_start(void *memory, uint64_t after, uint64_t repeat) {
  struct object *object = memory;
  return uv_timer_start(&object->uv.timer, on_timer, after, repeat);
}

int libuv_timer_again(void *memory) {
  struct object *object = memory;
  return uv_timer_again(&object->uv.timer);
}

void libuv_timer_set_repeat(void *memory, uint64_t repeat) {
  struct object *object = memory;
  uv_timer_set_repeat(&object->uv.timer, repeat);
}

/* libuv checks only timers for being closed; the others it would start, or
 * end the process with an assertion. */
int libuv_watcher_start(void *memory) {
  struct object *object = memory;
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  switch (object->kind) {
  case PL_KIND_IDLE:
    return uv_idle_start(&object->uv.idle, on_idle);
  case PL_KIND_PREPARE:
    return uv_prepare_start(&object->uv.prepare, on_prepare);
  case PL_KIND_CHECK:
    return uv_check_start(&object->uv.check, on_check);
  default:
    return -EINVAL;
  }
}

int libuv_async_send(void *memory) {
  struct object *object = memory;
  return uv_async_send(&object->uv.async);
}

int libuv_poll_start(void *memory, int fd, int events) {
  struct object *object = memory;
  if (object->fresh) {
    int err = uv_poll_init(&object->loop->uv, &object->uv.poll, fd);
    if (err != 0) return err;
    object->uv.handle.data = object;
    if (object->fresh & FRESH_UNREF) uv_unref(&object->uv.handle);
    object->fresh = 0;
    object->fd = fd;
  }
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  if (fd != object->fd) return -ENOTSUP; /* libuv's handle keeps its fd */
  return uv_poll_start(&object->uv.poll, events, on_poll);
}

int libuv_signal_start(void *memory, int signum) {
  struct object *object = memory;
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  return uv_signal_start(&object->uv.signal, on_signal, signum);
}

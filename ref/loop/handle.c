/* SPDX-License-Identifier: MIT */
/*
 * handle.c: what all handles have in common: references, stopping, closing.
 *
 * Invariant: a handle that is closing is inactive, in no list but the stack of
 * the closing ones, and still counted in loop->handles until its close
 * callback is called.
 */
#include "internal.h"

void pl__object_init(struct pl_loop *loop, struct pl_object *object,
                     enum pl_object_kind kind, pl_event_fn *fn, void *arg) {
  *object = (struct pl_object){.loop = loop,
                               .fn = fn,
                               .arg = arg,
                               .kind = (uint8_t)kind,
                               .flags = PL__REF};
  pl__link_init(&object->link);
}

void pl__handle_init(struct pl_loop *loop, struct pl_object *handle,
                     enum pl_object_kind kind, pl_event_fn *fn, void *arg) {
  pl__object_init(loop, handle, kind, fn, arg);
  loop->handles++;
}

static void stop(struct pl_object *handle) {
  switch ((enum pl_object_kind)handle->kind) {
  case PL_OBJECT_TIMER:
    pl__timer_stop((struct pl_timer *)handle);
    break;
  case PL_OBJECT_IDLE:
  case PL_OBJECT_PREPARE:
  case PL_OBJECT_CHECK:
    pl__watcher_stop((struct pl_watcher *)handle);
    break;
  case PL_OBJECT_POLL:
    pl__poll_stop((struct pl_poll *)handle);
    break;
  case PL_OBJECT_SIGNAL:
    pl__signal_stop((struct pl_signal *)handle);
    break;
  case PL_OBJECT_ASYNC:
    pl__async_end((struct pl_async *)handle);
    break;
  case PL_OBJECT_STREAM:
    pl__stream_end((struct pl_stream *)handle);
    break;
  case PL_OBJECT_TIMEOUT:
  case PL_OBJECT_IMMEDIATE:
  case PL_OBJECT_WORK:
  case PL_OBJECT_STAT:
  case PL_OBJECT_FILE_READ:
  case PL_OBJECT_WRITE:
    break;
  }
}

static bool is_handle(const struct pl_object *object) {
  return object->kind <= PL_OBJECT_SIGNAL || object->kind == PL_OBJECT_STREAM;
}

int pl_handle_stop(void *handle) {
  struct pl_object *object = handle;
  if (object->kind == PL_OBJECT_TIMER) { /* the one that is stopped often */
    pl__timer_stop(handle);
    return 0;
  }
  if (!is_handle(object) || object->kind == PL_OBJECT_ASYNC ||
      object->kind == PL_OBJECT_STREAM)
    return PL_EINVAL;
  stop(object);
  return 0;
}

int pl_handle_close(void *handle, pl_event_fn *closed) {
  struct pl_object *object = handle;
  if (!is_handle(object) || object->flags & PL__CLOSING) return PL_EINVAL;
  stop(object);
  if (object->kind == PL_OBJECT_POLL)
    pl__poll_release((struct pl_poll *)object);
  object->flags |= PL__CLOSING;
  object->fn = closed;
  object->link.next =
      object->loop->closing == NULL ? NULL : &object->loop->closing->link;
  object->loop->closing = object;
  return 0;
}

void pl__run_closing(struct pl_loop *loop) {
  struct pl_object *handle = loop->closing;
  loop->closing = NULL;
  if (loop->any_order) handle = pl__any_closing(loop, handle);
  while (handle != NULL) {
    struct pl_link *next = handle->link.next;
    loop->handles--;
    if (handle->kind == PL_OBJECT_STREAM)
      pl__stream_report((struct pl_stream *)handle);
    if (handle->fn != NULL) pl__call(loop, handle, 0);
    handle = next == NULL ? NULL : PL__OWNER(next, struct pl_object, link);
  }
}

/* ---------------------------------------------------------------------- */
/* References                                                             */

static void set_ref(struct pl_object *object, bool ref) {
  if (object->kind == PL_OBJECT_TIMEOUT) {
    pl__timeout_ref((struct pl_timeout *)object, ref);
  } else if (object->kind == PL_OBJECT_IMMEDIATE) {
    pl__immediate_ref((struct pl_immediate *)object, ref);
  } else if (object->flags & PL__ACTIVE) {
    if (ref)
      object->loop->active++;
    else
      object->loop->active--;
  }
}

void pl_object_ref(void *object) {
  struct pl_object *head = object;
  if (head->flags & PL__REF) return;
  head->flags |= PL__REF;
  set_ref(head, true);
}

void pl_object_unref(void *object) {
  struct pl_object *head = object;
  if (!(head->flags & PL__REF)) return;
  head->flags &= (uint8_t)~PL__REF;
  set_ref(head, false);
}

int pl_object_has_ref(const void *object) {
  const struct pl_object *head = object;
  if (head->kind == PL_OBJECT_IMMEDIATE && !(head->flags & PL__ACTIVE))
    return 0;
  return (head->flags & PL__REF) != 0;
}

int pl_object_is_active(const void *object) {
  return (((const struct pl_object *)object)->flags & PL__ACTIVE) != 0;
}

int pl_object_is_closing(const void *object) {
  return (((const struct pl_object *)object)->flags & PL__CLOSING) != 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * provider.c: hands libev to the suite through the provider ABI.
 *
 * Invariant: what libev does not have is not made up for. A kind is one libev
 * watcher of default priority, a run is one ev_run(), and nothing is queued,
 * ordered or put off here, so that a case which fails shows libev and not
 * this file. Nothing is allocated here either: an object is a short header
 * and libev's watcher in the caller's storage.
 *
 *     caller's storage   +---------------------------+
 *                        | callback arg loop kind    |  struct object
 *                        | unreferenced uncounted    |
 *                        +---------------------------+
 *                        | ev_timer / ev_io / ...    |  .ev
 *                        +---------------------------+
 *
 * Not offered, since libev has none: closing handles, requests, Node's
 * queues, whether a loop is alive outside of a run, how long poll would wait.
 */
#include "provider.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

_Static_assert((int)PL_POLL_READABLE == (int)EV_READ &&
                   (int)PL_POLL_WRITABLE == (int)EV_WRITE,
               "a poll mask passes through unchanged");

struct loop {
  struct ev_loop *ev; /* libev allocates its loops itself */
};

/* libev counts its active watchers, and ev_unref() takes one off that count.
 * A flag is made of it by taking off exactly one while the watcher is both
 * unreferenced and active. */
struct object {
  pl_callback *callback;
  void *arg;
  struct loop *loop;
  short kind; /* enum pl_kind */
  bool unreferenced;
  bool uncounted; /* an ev_unref() stands for it */
  union {
    ev_watcher any;
    ev_timer timer;
    ev_idle idle;
    ev_prepare prepare;
    ev_check check;
    ev_async async;
    ev_io io;
    ev_signal signal;
  } ev;
};

/* -- the loop ------------------------------------------------------------ */

static size_t loop_size(void) {
  return sizeof(struct loop);
}

static int loop_init(void *storage, const struct pl_loop_options *options) {
  struct loop *loop = storage;
  if (options && options->size >= sizeof *options && options->pool_threads)
    return -ENOTSUP; /* there is no pool */
  errno = 0;
  loop->ev = ev_loop_new(EVFLAG_AUTO);
  if (loop->ev) return 0;
  return errno ? -errno : -ENOMEM;
}

/* libev ends a loop whatever is active in it. */
static int loop_close(void *storage) {
  struct loop *loop = storage;
  ev_loop_destroy(loop->ev);
  return 0;
}

static int run(void *storage, enum pl_run_mode mode) {
  static const int flags[] = {
      [PL_RUN_DEFAULT] = 0,
      [PL_RUN_ONCE] = EVRUN_ONCE,
      [PL_RUN_NOWAIT] = EVRUN_NOWAIT,
  };
  struct loop *loop = storage;
  if ((size_t)mode >= sizeof flags / sizeof *flags) return -EINVAL;
  if (ev_depth(loop->ev) != 0) return -EBUSY;
  return ev_run(loop->ev, flags[mode]) != 0;
}

static void stop(void *storage) {
  struct loop *loop = storage;
  ev_break(loop->ev, EVBREAK_ONE);
}

static uint64_t now(const void *storage) {
  const struct loop *loop = storage;
  return (uint64_t)(ev_now(loop->ev) * 1000);
}

static void update_time(void *storage) {
  struct loop *loop = storage;
  ev_now_update(loop->ev);
}

/* -- references ---------------------------------------------------------- */

static int is_active(const void *memory) {
  const struct object *object = memory;
  return ev_is_active(&object->ev.any) != 0;
}

/* Before libev stops a watcher, and when it has stopped one by itself. */
static void count(struct object *object) {
  if (object->uncounted) ev_ref(object->loop->ev);
  object->uncounted = false;
}

/* After a watcher was started. */
static void discount(struct object *object) {
  if (!object->unreferenced || object->uncounted || !is_active(object)) return;
  ev_unref(object->loop->ev);
  object->uncounted = true;
}

static void ref(void *memory) {
  struct object *object = memory;
  object->unreferenced = false;
  count(object);
}

static void unref(void *memory) {
  struct object *object = memory;
  object->unreferenced = true;
  discount(object);
}

static int has_ref(const void *memory) {
  const struct object *object = memory;
  return !object->unreferenced;
}

/* -- callbacks: from libev's to the caller's ------------------------------ */

static void report(struct object *object, int status) {
  if (!is_active(object)) count(object); /* a timer that fired once */
  if (object->callback) object->callback(object->arg, status);
}

static void on_event(struct ev_loop *ev, ev_watcher *watcher, int events) {
  (void)ev;
  (void)events;
  report(watcher->data, 0);
}

static void on_io(struct ev_loop *ev, ev_io *io, int events) {
  (void)ev;
  const int mask = EV_READ | EV_WRITE;
  /* libev stopped the watcher: its descriptor was closed under it. */
  report(io->data, events & EV_ERROR ? -EBADF : events & mask);
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int events) {
  (void)ev;
  (void)events;
  report(watcher->data, watcher->signum);
}

/* -- objects ------------------------------------------------------------- */

#define SIZE_WITH(member)                                                      \
  (offsetof(struct object, ev) + sizeof(((struct object *)0)->ev.member))

static size_t size_of(enum pl_kind kind) {
  switch (kind) {
  case PL_KIND_TIMER:
    return SIZE_WITH(timer);
  case PL_KIND_IDLE:
    return SIZE_WITH(idle);
  case PL_KIND_PREPARE:
    return SIZE_WITH(prepare);
  case PL_KIND_CHECK:
    return SIZE_WITH(check);
  case PL_KIND_ASYNC:
    return SIZE_WITH(async);
  case PL_KIND_POLL:
    return SIZE_WITH(io);
  case PL_KIND_SIGNAL:
    return SIZE_WITH(signal);
  default:
    return 0;
  }
}

static int init(void *storage, enum pl_kind kind, void *memory,
                pl_callback *callback, void *arg) {
  struct object *object = memory;
  if (size_of(kind) == 0) return -ENOTSUP;
  object->callback = callback;
  object->arg = arg;
  object->loop = storage;
  object->kind = (short)kind;
  object->unreferenced = object->uncounted = false;
  switch (kind) {
  case PL_KIND_TIMER:
    ev_timer_set(&object->ev.timer, 0, 0);
    break;
  case PL_KIND_POLL:
    ev_io_set(&object->ev.io, -1, 0);
    break;
  case PL_KIND_SIGNAL:
    ev_signal_set(&object->ev.signal, 0);
    break;
  default:
    break;
  }
  ev_init(&object->ev.any, on_event);
  if (kind == PL_KIND_POLL) ev_set_cb(&object->ev.io, on_io);
  if (kind == PL_KIND_SIGNAL) ev_set_cb(&object->ev.signal, on_signal);
  object->ev.any.data = object;
  if (kind == PL_KIND_ASYNC)
    ev_async_start(object->loop->ev, &object->ev.async);
  return 0;
}

static int handle_stop(void *memory) {
  struct object *object = memory;
  struct ev_loop *ev = object->loop->ev;
  count(object);
  switch (object->kind) {
  case PL_KIND_TIMER:
    ev_timer_stop(ev, &object->ev.timer);
    break;
  case PL_KIND_IDLE:
    ev_idle_stop(ev, &object->ev.idle);
    break;
  case PL_KIND_PREPARE:
    ev_prepare_stop(ev, &object->ev.prepare);
    break;
  case PL_KIND_CHECK:
    ev_check_stop(ev, &object->ev.check);
    break;
  case PL_KIND_ASYNC:
    ev_async_stop(ev, &object->ev.async);
    break;
  case PL_KIND_POLL:
    ev_io_stop(ev, &object->ev.io);
    break;
  default:
    ev_signal_stop(ev, &object->ev.signal);
    break;
  }
  return 0;
}

/* -- handles ------------------------------------------------------------- */

static ev_tstamp seconds(uint64_t milliseconds) {
  return (ev_tstamp)milliseconds / 1000;
}

static int timer_start(void *memory, uint64_t after, uint64_t repeat) {
  struct object *object = memory;
  handle_stop(object);
  ev_timer_set(&object->ev.timer, seconds(after), seconds(repeat));
  ev_timer_start(object->loop->ev, &object->ev.timer);
  discount(object);
  return 0;
}

static int timer_again(void *memory) {
  struct object *object = memory;
  count(object);
  ev_timer_again(object->loop->ev, &object->ev.timer);
  discount(object);
  return 0;
}

static void timer_set_repeat(void *memory, uint64_t repeat) {
  struct object *object = memory;
  object->ev.timer.repeat = seconds(repeat);
}

static int watcher_start(void *memory) {
  struct object *object = memory;
  struct ev_loop *ev = object->loop->ev;
  switch (object->kind) {
  case PL_KIND_IDLE:
    ev_idle_start(ev, &object->ev.idle);
    break;
  case PL_KIND_PREPARE:
    ev_prepare_start(ev, &object->ev.prepare);
    break;
  case PL_KIND_CHECK:
    ev_check_start(ev, &object->ev.check);
    break;
  default:
    return -EINVAL;
  }
  discount(object);
  return 0;
}

static int async_send(void *memory) {
  struct object *object = memory;
  ev_async_send(object->loop->ev, &object->ev.async);
  return 0;
}

/* libev ends the process over an fd or a signal that cannot be one. */
static int poll_start(void *memory, int fd, int events) {
  struct object *object = memory;
  const int mask = EV_READ | EV_WRITE;
  if (fd < 0) return -EBADF;
  if (!(events & mask) || events & ~mask) return -EINVAL;
  handle_stop(object);
  ev_io_set(&object->ev.io, fd, events);
  ev_io_start(object->loop->ev, &object->ev.io);
  discount(object);
  return 0;
}

static int signal_start(void *memory, int signum) {
  struct object *object = memory;
  if (signum <= 0 || signum >= NSIG) return -EINVAL;
  handle_stop(object);
  ev_signal_set(&object->ev.signal, signum);
  ev_signal_start(object->loop->ev, &object->ev.signal);
  discount(object);
  return 0;
}

/* -- what is handed out -------------------------------------------------- */

static const struct pl_loop_table table = {
    .size = sizeof table,
    .loop_size = loop_size,
    .loop_init = loop_init,
    .loop_close = loop_close,
    .run = run,
    .stop = stop,
    .now = now,
    .update_time = update_time,
    .size_of = size_of,
    .init = init,
    .handle_stop = handle_stop,
    .ref = ref,
    .unref = unref,
    .has_ref = has_ref,
    .is_active = is_active,
    .timer_start = timer_start,
    .timer_again = timer_again,
    .timer_set_repeat = timer_set_repeat,
    .watcher_start = watcher_start,
    .async_send = async_send,
    .poll_start = poll_start,
    .signal_start = signal_start,
};

/* libev looks at its timers once per iteration, after its wait. */
static const char *const traits[] = {"timers-after-poll",
                                     "zero-timer-next-iteration", NULL};

/* Which libev this is is known only when it runs: it is a shared library. */
static char version[24];
static pthread_once_t version_made = PTHREAD_ONCE_INIT;

static void make_version(void) {
  snprintf(version, sizeof version, "%d.%d", ev_version_major(),
           ev_version_minor());
}

static const struct pl_provider provider = {
    .abi = PL_PROVIDER_ABI,
    .size = sizeof provider,
    .name = "libev",
    .version = version,
    .language = "C",
    .homepage = "http://software.schmorp.de/pkg/libev.html",
    .traits = traits,
    .loop = &table,
};

const struct pl_provider *pl_provider_v1(void) {
  pthread_once(&version_made, make_version);
  return &provider;
}

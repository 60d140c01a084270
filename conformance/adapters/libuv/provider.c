/* SPDX-License-Identifier: MIT */
/*
 * provider.c: hands libuv to the suite through the provider ABI.
 *
 * Invariant: nothing is allocated here. An object is a short header and
 * libuv's own struct behind it, in the caller's storage; the struct finds its
 * header again by its data. What is measured or judged through this file is
 * therefore libuv and a function call.
 *
 * The libuv that runs may be older or newer than the header that this was
 * compiled with, since it is loaded (or is a part of Node, see
 * ../libuv-in-node): its structs are as long as that libuv says, they stand
 * last, and of their fields only `data`, the first, is touched.
 *
 *     caller's storage   +--------------------------+
 *                        | callback then arg kind   |  struct object
 *                        +--------------------------+
 *                        | uv_timer_t / uv_idle_t   |  .uv, as long as this
 *                        | / uv_work_t / ...        |  libuv's kind is
 *                        +--------------------------+
 */
#include "provider.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

_Static_assert((int)PL_POLL_READABLE == (int)UV_READABLE &&
                   (int)PL_POLL_WRITABLE == (int)UV_WRITABLE,
               "a poll mask passes through unchanged");
_Static_assert(UV_ECANCELED == -ECANCELED && UV_EINVAL == -EINVAL,
               "libuv's errors are negative errno values");

/* What results and expectations are keyed by. */
#ifndef PROVIDER_NAME
#define PROVIDER_NAME "libuv"
#endif

struct loop {
  int running;  /* uv_run() cannot tell that it is called within itself */
  uv_loop_t uv; /* uv_loop_size() bytes */
};

/* One process has one libuv pool, made by the first job with the size that
 * the environment names then. These two remember which size that was, because
 * libuv cannot be asked. */
static atomic_bool pool_started;
static atomic_uint pool_threads; /* 0: nobody asked for a size */

/* A poll handle needs its fd when libuv makes it, and provider.h tells the fd
 * only when it is started: until then the header stands in for it. */
enum { FRESH_POLL = 1, FRESH_UNREF = 2 };

struct object {
  pl_callback *callback;
  union {
    pl_callback *closed;     /* handles, when they are closed */
    pl_read_callback *read;  /* streams, until then */
    void (*run)(void *arg);  /* work */
    struct reading *reading; /* file reads: behind libuv's struct */
  } then;
  void *arg;
  struct loop *loop;
  int fd;      /* poll: what it watches; file read: what is open */
  short kind;  /* enum pl_kind */
  short fresh; /* FRESH_*: a poll handle that libuv does not know yet */
  union {
    uv_handle_t handle;
    uv_req_t request;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_async_t async;
    uv_poll_t poll;
    uv_signal_t signal;
    uv_work_t work;
    uv_fs_t fs;
    uv_pipe_t pipe;
    uv_stream_t stream;
    uv_write_t write;
  } uv;
};

struct reading {
  char *buffer;
  size_t capacity;
  int status; /* bytes read so far, or the first error */
};

/* -- the loop ------------------------------------------------------------ */

static size_t loop_size(void) {
  return offsetof(struct loop, uv) + uv_loop_size();
}

/* libuv takes the size of its pool from the environment, when the first job
 * comes. A size that is not the running pool's cannot be had any more. */
static int choose_pool(unsigned threads) {
  if (threads == 0 || threads == atomic_load(&pool_threads)) return 0;
  if (atomic_load(&pool_started)) return -ENOTSUP;
  char text[16];
  snprintf(text, sizeof text, "%u", threads);
  if (setenv("UV_THREADPOOL_SIZE", text, 1) != 0) return -errno;
  atomic_store(&pool_threads, threads);
  return 0;
}

static int loop_init(void *storage, const struct pl_loop_options *options) {
  struct loop *loop = storage;
  unsigned threads = 0;
  if (options && options->size >= sizeof *options)
    threads = options->pool_threads;
  int err = choose_pool(threads);
  if (err != 0) return err;
  loop->running = 0;
  return uv_loop_init(&loop->uv);
}

static int loop_close(void *storage) {
  struct loop *loop = storage;
  return uv_loop_close(&loop->uv);
}

static int run(void *storage, enum pl_run_mode mode) {
  static const uv_run_mode modes[] = {
      [PL_RUN_DEFAULT] = UV_RUN_DEFAULT,
      [PL_RUN_ONCE] = UV_RUN_ONCE,
      [PL_RUN_NOWAIT] = UV_RUN_NOWAIT,
  };
  struct loop *loop = storage;
  if ((size_t)mode >= sizeof modes / sizeof *modes) return -EINVAL;
  if (loop->running) return -EBUSY;
  loop->running = 1;
  int alive = uv_run(&loop->uv, modes[mode]);
  loop->running = 0;
  return alive != 0;
}

static void stop(void *storage) {
  struct loop *loop = storage;
  uv_stop(&loop->uv);
}

static int alive(const void *storage) {
  const struct loop *loop = storage;
  return uv_loop_alive(&loop->uv) != 0;
}

static uint64_t now(const void *storage) {
  const struct loop *loop = storage;
  return uv_now(&loop->uv);
}

static void update_time(void *storage) {
  struct loop *loop = storage;
  uv_update_time(&loop->uv);
}

static int backend_timeout(const void *storage) {
  const struct loop *loop = storage;
  return uv_backend_timeout(&loop->uv);
}

/* -- callbacks: from libuv's to the caller's ----------------------------- */

static void report(void *data, int status) {
  const struct object *object = data;
  if (object->callback) object->callback(object->arg, status);
}

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

static void on_async(uv_async_t *async) {
  report(async->data, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  report(poll->data, status < 0 ? status : events);
}

static void on_signal(uv_signal_t *signal, int signum) {
  report(signal->data, signum);
}

static void on_closed(uv_handle_t *handle) {
  const struct object *object = handle->data;
  if (object->then.closed) object->then.closed(object->arg, 0);
}

static void on_pool_thread(uv_work_t *request) {
  const struct object *object = request->data;
  object->then.run(object->arg);
}

static void on_worked(uv_work_t *request, int status) {
  report(request->data, status);
}

static void on_stat(uv_fs_t *request) {
  ssize_t result = uv_fs_get_result(request);
  int status = result < 0 ? (int)result : 0;
  uv_fs_req_cleanup(request);
  report(request->data, status);
}

static void on_write(uv_write_t *request, int status) {
  report(request->data, status);
}

/* -- objects ------------------------------------------------------------- */

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

static size_t size_of(enum pl_kind kind) {
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

static int init(void *storage, enum pl_kind kind, void *memory,
                pl_callback *callback, void *arg) {
  struct loop *loop = storage;
  struct object *object = memory;
  if (size_of(kind) == 0) return -ENOTSUP;
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
    object->then.reading = (void *)((char *)memory + file_read_size() -
                                    sizeof(struct reading));
    break;
  default:
    break;
  }
  object->uv.handle.data = object; /* `data` is first in handles and requests */
  return err;
}

static int is_closing(const void *memory) {
  const struct object *object = memory;
  return !object->fresh && uv_is_closing(&object->uv.handle);
}

static int handle_close(void *memory, pl_callback *closed) {
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

static int handle_stop(void *memory) {
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

static void ref(void *memory) {
  struct object *object = memory;
  if (object->fresh)
    object->fresh = FRESH_POLL;
  else
    uv_ref(&object->uv.handle);
}

static void unref(void *memory) {
  struct object *object = memory;
  if (object->fresh)
    object->fresh = FRESH_POLL | FRESH_UNREF;
  else
    uv_unref(&object->uv.handle);
}

static int has_ref(const void *memory) {
  const struct object *object = memory;
  if (object->fresh) return (object->fresh & FRESH_UNREF) == 0;
  return uv_has_ref(&object->uv.handle) != 0;
}

static int is_active(const void *memory) {
  const struct object *object = memory;
  return !object->fresh && uv_is_active(&object->uv.handle) != 0;
}

/* -- handles ------------------------------------------------------------- */

static int timer_start(void *memory, uint64_t after, uint64_t repeat) {
  struct object *object = memory;
  return uv_timer_start(&object->uv.timer, on_timer, after, repeat);
}

static int timer_again(void *memory) {
  struct object *object = memory;
  return uv_timer_again(&object->uv.timer);
}

static void timer_set_repeat(void *memory, uint64_t repeat) {
  struct object *object = memory;
  uv_timer_set_repeat(&object->uv.timer, repeat);
}

/* libuv checks only timers for being closed; the others it would start, or
 * end the process with an assertion. */
static int watcher_start(void *memory) {
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

static int async_send(void *memory) {
  struct object *object = memory;
  return uv_async_send(&object->uv.async);
}

static int poll_start(void *memory, int fd, int events) {
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

static int signal_start(void *memory, int signum) {
  struct object *object = memory;
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  return uv_signal_start(&object->uv.signal, on_signal, signum);
}

/* -- requests ------------------------------------------------------------ */

static int work_submit(void *memory, void (*work)(void *arg)) {
  struct object *object = memory;
  object->then.run = work;
  atomic_store_explicit(&pool_started, true, memory_order_relaxed);
  return uv_queue_work(&object->loop->uv, &object->uv.work, on_pool_thread,
                       on_worked);
}

static int stat_submit(void *memory, const char *path) {
  struct object *object = memory;
  atomic_store_explicit(&pool_started, true, memory_order_relaxed);
  return uv_fs_stat(&object->loop->uv, &object->uv.fs, path, on_stat);
}

/* -- a whole file: four requests, one after the other ---------------------- */

static void on_file_closed(uv_fs_t *fs) {
  struct object *object = fs->data;
  uv_fs_req_cleanup(fs);
  report(object, object->then.reading->status);
}

/* Closes the file, and then reports; a refusal leaves nothing to wait for. */
static void finish_reading(struct object *object, ssize_t status) {
  object->then.reading->status = (int)status;
  if (uv_fs_close(&object->loop->uv, &object->uv.fs, object->fd,
                  on_file_closed) != 0)
    report(object, (int)status);
}

static void on_file_read(uv_fs_t *fs) {
  struct object *object = fs->data;
  ssize_t result = uv_fs_get_result(fs);
  uv_fs_req_cleanup(fs);
  finish_reading(object, result);
}

static void on_file_size(uv_fs_t *fs) {
  struct object *object = fs->data;
  const struct reading *reading = object->then.reading;
  ssize_t result = uv_fs_get_result(fs);
  uint64_t size = result < 0 ? 0 : uv_fs_get_statbuf(fs)->st_size;
  uv_fs_req_cleanup(fs);
  if (result == 0 && size > reading->capacity) result = UV_EFBIG;
  uv_buf_t buffer = uv_buf_init(reading->buffer, (unsigned)size);
  if (result == 0)
    result = uv_fs_read(&object->loop->uv, fs, object->fd, &buffer, 1, 0,
                        on_file_read);
  if (result != 0) finish_reading(object, result);
}

static void on_file_open(uv_fs_t *fs) {
  struct object *object = fs->data;
  ssize_t result = uv_fs_get_result(fs);
  uv_fs_req_cleanup(fs);
  if (result < 0) {
    report(object, (int)result);
    return;
  }
  object->fd = (int)result;
  result = uv_fs_fstat(&object->loop->uv, fs, object->fd, on_file_size);
  if (result != 0) finish_reading(object, result);
}

static int file_read(void *memory, const char *path, void *buffer,
                     size_t capacity) {
  struct object *object = memory;
  if (capacity > INT_MAX) return -EINVAL;
  atomic_store_explicit(&pool_started, true, memory_order_relaxed);
  *object->then.reading =
      (struct reading){.buffer = buffer, .capacity = capacity};
  return uv_fs_open(&object->loop->uv, &object->uv.fs, path, UV_FS_O_RDONLY, 0,
                    on_file_open);
}

/* -- streams --------------------------------------------------------------- */

/* libuv asks for memory right before it reads into it. */
static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
  static _Thread_local char buffer[65536];
  (void)handle;
  (void)suggested;
  *out = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *data) {
  const struct object *object = stream->data;
  if (length == 0) return; /* nothing came after all */
  if (length < 0) uv_read_stop(stream);
  object->then.read(object->arg, data->base, length == UV_EOF ? 0 : length);
}

/* libuv closes the descriptor with the handle, the ABI's caller does so, too. */
static int stream_open(void *memory, int fd) {
  struct object *object = memory;
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -errno;
  int err = uv_pipe_open(&object->uv.pipe, own);
  if (err != 0) close(own);
  return err;
}

static int stream_read(void *memory, pl_read_callback *callback) {
  struct object *object = memory;
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  object->then.read = callback;
  return uv_read_start(&object->uv.stream, lend_buffer, on_read);
}

static int stream_write(void *memory, void *write, const void *data,
                        size_t length) {
  struct object *object = memory;
  struct object *request = write;
  if (uv_is_closing(&object->uv.handle) || length > UINT_MAX) return -EINVAL;
  uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)data, (unsigned)length);
  return uv_write(&request->uv.write, &object->uv.stream, &buffer, 1, on_write);
}

static int cancel(void *memory) {
  struct object *object = memory;
  return uv_cancel(&object->uv.request);
}

/* -- what is handed out -------------------------------------------------- */

static const struct pl_loop_table table = {
    .size = sizeof table,
    .loop_size = loop_size,
    .loop_init = loop_init,
    .loop_close = loop_close,
    .run = run,
    .stop = stop,
    .alive = alive,
    .now = now,
    .update_time = update_time,
    .backend_timeout = backend_timeout,
    .size_of = size_of,
    .init = init,
    .handle_close = handle_close,
    .handle_stop = handle_stop,
    .ref = ref,
    .unref = unref,
    .has_ref = has_ref,
    .is_active = is_active,
    .is_closing = is_closing,
    .timer_start = timer_start,
    .timer_again = timer_again,
    .timer_set_repeat = timer_set_repeat,
    .watcher_start = watcher_start,
    .async_send = async_send,
    .poll_start = poll_start,
    .signal_start = signal_start,
    .work_submit = work_submit,
    .stat_submit = stat_submit,
    .cancel = cancel,
    .file_read = file_read,
    .stream_open = stream_open,
    .stream_read = stream_read,
    .stream_write = stream_write,
};

/* Which libuv this is is known only when it runs: it is a shared library. */
static struct pl_provider provider;
static pthread_once_t provider_made = PTHREAD_ONCE_INIT;

static void make_provider(void) {
  static const char *const zero_waits[] = {"timers-after-poll",
                                           "zero-timer-next-iteration", NULL};
  static const char *const after_poll[] = {"timers-after-poll", NULL};
  static const char *const no_traits[] = {NULL};
  const unsigned v1_45 = (1u << 16) | (45u << 8);
  const unsigned v1_48 = (1u << 16) | (48u << 8);
  unsigned version = uv_version();
  provider = (struct pl_provider){
      .abi = PL_PROVIDER_ABI,
      .size = sizeof provider,
      .name = PROVIDER_NAME,
      .version = uv_version_string(),
      .language = "C",
      .homepage = "https://libuv.org",
      .traits = version >= v1_48   ? zero_waits
                : version >= v1_45 ? after_poll
                                   : no_traits,
      .loop = &table,
  };
}

const struct pl_provider *pl_provider_v1(void) {
  pthread_once(&provider_made, make_provider);
  return &provider;
}

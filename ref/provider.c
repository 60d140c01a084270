/* SPDX-License-Identifier: MIT */
/*
 * provider.c: hands the reference to the suite through the provider ABI.
 *
 * Invariant: the files provider*.c are those of ref/ that know the suite. A
 * function here calls one function of the reference and decides nothing.
 */
#include "plumb/loop.h"
#include "plumb/virtual.h"
#include "provider.h"
#include "provider_flow_table.h"
#include "provider_heap_internal.h"
#include "provider_modules.h"
#include "provider_processes_table.h"

static const size_t sizes[PL_KIND_COUNT] = {
    [PL_KIND_TIMER] = sizeof(struct pl_timer),
    [PL_KIND_IDLE] = sizeof(struct pl_watcher),
    [PL_KIND_PREPARE] = sizeof(struct pl_watcher),
    [PL_KIND_CHECK] = sizeof(struct pl_watcher),
    [PL_KIND_ASYNC] = sizeof(struct pl_async),
    [PL_KIND_POLL] = sizeof(struct pl_poll),
    [PL_KIND_SIGNAL] = sizeof(struct pl_signal),
    [PL_KIND_TIMEOUT] = sizeof(struct pl_timeout),
    [PL_KIND_IMMEDIATE] = sizeof(struct pl_immediate),
    [PL_KIND_TICK] = sizeof(struct pl_task),
    [PL_KIND_MICROTASK] = sizeof(struct pl_task),
    [PL_KIND_WORK] = sizeof(struct pl_work),
    [PL_KIND_STAT] = sizeof(struct pl_stat),
    [PL_KIND_FILE_READ] = sizeof(struct pl_file_read),
    [PL_KIND_STREAM] = sizeof(struct pl_stream),
    [PL_KIND_WRITE] = sizeof(struct pl_write),
};

/* -- the loop ------------------------------------------------------------ */

/* Whether the caller's struct, of `size` bytes, has that field. */
#define HAS(size, type, field)                                                 \
  ((size) >= offsetof(type, field) + sizeof((type *)NULL)->field)

static enum pl_virtual_seen ref_seen(void *self, uint64_t state) {
  const struct pl_exploration *explore = self;
  return (enum pl_virtual_seen)explore->seen(explore->self, state);
}
static unsigned ref_choose(void *self, const char *what, unsigned options) {
  const struct pl_exploration *explore = self;
  return explore->choose(explore->self, what, options);
}
static uint64_t ref_duration_ms(void *self, const void *arg) {
  const struct pl_exploration *explore = self;
  return explore->duration_ms(explore->self, arg);
}
static uint64_t ref_digest(void *self, const void *arg) {
  const struct pl_exploration *explore = self;
  return explore->digest(explore->self, arg);
}
static const char *ref_label(void *self, const void *arg) {
  const struct pl_exploration *explore = self;
  return explore->label(explore->self, arg);
}

static int explored_init(void *loop, const struct pl_exploration *explore,
                         unsigned threads) {
  if (!HAS(explore->size, struct pl_exploration, any_order)) return PL_EINVAL;
  struct pl_virtual_config config = {.threads = threads,
                                     .slack_ms = explore->slack_ms,
                                     .late_ms = explore->late_ms,
                                     .any_order = explore->any_order,
                                     .self = (void *)(uintptr_t)explore,
                                     .choose = ref_choose};
  if (explore->choose == NULL) return PL_EINVAL;
  if (explore->seen != NULL) config.seen = ref_seen;
  if (explore->duration_ms != NULL) config.duration_ms = ref_duration_ms;
  if (explore->digest != NULL) config.digest = ref_digest;
  if (explore->label != NULL) config.label = ref_label;
  return pl_virtual_loop_init(loop, &config);
}

#ifdef PROVIDER_URING
#define PROVIDER_NAME "ref-uring"

/* What is measured under this name is io_uring, or nothing. */
static int init_chosen(void *loop, const struct pl_loop_config *config) {
  struct pl_loop_config chosen = *config;
  int error = pl_poller_uring_create(NULL, &chosen.poller);
  if (error != 0) return error;
  error = pl_loop_init(loop, &chosen);
  if (error != 0) chosen.poller->ops->destroy(chosen.poller);
  return error;
}
#else
#define PROVIDER_NAME "ref"
static int init_chosen(void *loop, const struct pl_loop_config *config) {
  return pl_loop_init(loop, config);
}
#endif

static int ref_loop_init(void *loop, const struct pl_loop_options *options) {
  struct pl_loop_config config = {.pool_threads = 0};
  if (options == NULL) return init_chosen(loop, &config);
  if (HAS(options->size, struct pl_loop_options, pool_threads))
    config.pool_threads = options->pool_threads;
  if (HAS(options->size, struct pl_loop_options, explore) &&
      options->explore != NULL)
    return explored_init(loop, options->explore, config.pool_threads);
  return init_chosen(loop, &config);
}

static int ref_loop_close(void *loop) {
  return pl_loop_close(loop);
}

_Static_assert((int)PL_RUN_DEFAULT == (int)PL_LOOP_DEFAULT &&
                   (int)PL_RUN_ONCE == (int)PL_LOOP_ONCE &&
                   (int)PL_RUN_NOWAIT == (int)PL_LOOP_NOWAIT,
               "a mode passes through unchanged");

static int ref_run(void *loop, enum pl_run_mode mode) {
  if ((unsigned)mode > PL_RUN_NOWAIT) return PL_EINVAL;
  return pl_loop_run(loop, (enum pl_loop_mode)mode);
}

static void ref_stop(void *loop) {
  pl_loop_stop(loop);
}
static int ref_alive(const void *loop) {
  return pl_loop_alive(loop);
}
static uint64_t ref_now(const void *loop) {
  return pl_loop_now(loop);
}
static void ref_update_time(void *loop) {
  pl_loop_update_time(loop);
}
static int ref_backend_timeout(const void *loop) {
  return pl_loop_backend_timeout(loop);
}
static void ref_drain(void *loop) {
  pl_loop_drain(loop);
}

/* -- objects -------------------------------------------------------------- */

static size_t ref_size_of(enum pl_kind kind) {
  return (unsigned)kind < PL_KIND_COUNT ? sizes[kind] : 0;
}

static int ref_init(void *loop, enum pl_kind kind, void *object,
                    pl_callback *callback, void *arg) {
  switch (kind) {
  case PL_KIND_TIMER:
    pl_timer_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_IDLE:
    pl_watcher_init(loop, PL_OBJECT_IDLE, object, callback, arg);
    return 0;
  case PL_KIND_PREPARE:
    pl_watcher_init(loop, PL_OBJECT_PREPARE, object, callback, arg);
    return 0;
  case PL_KIND_CHECK:
    pl_watcher_init(loop, PL_OBJECT_CHECK, object, callback, arg);
    return 0;
  case PL_KIND_ASYNC:
    pl_async_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_POLL:
    pl_poll_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_SIGNAL:
    pl_signal_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_TIMEOUT:
    pl_timeout_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_IMMEDIATE:
    pl_immediate_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_TICK:
  case PL_KIND_MICROTASK:
    pl_task_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_WORK:
    pl_work_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_STAT:
    pl_stat_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_FILE_READ:
    pl_file_read_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_STREAM:
    pl_stream_init(loop, object, arg);
    return 0;
  case PL_KIND_WRITE:
    pl_write_init(loop, object, callback, arg);
    return 0;
  case PL_KIND_COUNT:
    break;
  }
  return PL_ENOTSUP;
}

/* -- handles ------------------------------------------------------------- */

static int ref_timer_start(void *timer, uint64_t after, uint64_t repeat) {
  return pl_timer_start(timer, after, repeat);
}
static int ref_timer_again(void *timer) {
  return pl_timer_again(timer);
}
static void ref_timer_set_repeat(void *timer, uint64_t repeat) {
  pl_timer_set_repeat(timer, repeat);
}
static int ref_watcher_start(void *watcher) {
  return pl_watcher_start(watcher);
}
static int ref_async_send(void *async) {
  return pl_async_send(async);
}
static int ref_poll_start(void *poll, int fd, int events) {
  return pl_poll_start(poll, fd, (unsigned)events);
}
static int ref_signal_start(void *signal, int signum) {
  return pl_signal_start(signal, signum);
}

/* -- Node's queues ------------------------------------------------------- */

static int ref_timeout_start(void *timeout, double delay, int repeating) {
  return pl_timeout_start(timeout, delay, repeating);
}
static int ref_timeout_refresh(void *timeout) {
  return pl_timeout_refresh(timeout);
}
static int ref_immediate_start(void *immediate) {
  return pl_immediate_start(immediate);
}
static int ref_clear(void *object) {
  switch (((const struct pl_object *)object)->kind) {
  case PL_OBJECT_TIMEOUT:
    pl_timeout_clear(object);
    return 0;
  case PL_OBJECT_IMMEDIATE:
    pl_immediate_clear(object);
    return 0;
  default:
    return PL_EINVAL;
  }
}
static int ref_tick(void *tick) {
  return pl_task_tick(tick);
}
static int ref_microtask(void *microtask) {
  return pl_task_microtask(microtask);
}

/* -- requests ------------------------------------------------------------ */

static int ref_work_submit(void *request, void (*work)(void *arg)) {
  return pl_work_submit(request, work);
}
static int ref_stat_submit(void *request, const char *path) {
  return pl_stat_submit(request, path);
}

static int ref_file_read(void *request, const char *path, void *buffer,
                         size_t capacity) {
  return pl_file_read_submit(request, path, buffer, capacity);
}

static int ref_stream_open(void *stream, int fd) {
  return pl_stream_open(stream, fd);
}
static int ref_stream_read(void *stream, pl_read_callback *callback) {
  return pl_stream_read(stream, callback);
}
static int ref_stream_write(void *stream, void *write, const void *data,
                            size_t length) {
  return pl_stream_write(stream, write, data, length);
}

/* -- exploration ----------------------------------------------------------- */

static uint64_t ref_time_ns(const void *loop) {
  return pl_virtual_ns(loop);
}
static void ref_time_pass(void *loop, uint64_t ms) {
  pl_virtual_pass(loop, ms);
}

static const struct pl_loop_table loop_table = {
    .size = sizeof(struct pl_loop_table),
    .loop_size = pl_loop_size,
    .loop_init = ref_loop_init,
    .loop_close = ref_loop_close,
    .run = ref_run,
    .stop = ref_stop,
    .alive = ref_alive,
    .now = ref_now,
    .update_time = ref_update_time,
    .backend_timeout = ref_backend_timeout,
    .drain = ref_drain,
    .size_of = ref_size_of,
    .init = ref_init,
    .handle_close = pl_handle_close,
    .handle_stop = pl_handle_stop,
    .ref = pl_object_ref,
    .unref = pl_object_unref,
    .has_ref = pl_object_has_ref,
    .is_active = pl_object_is_active,
    .is_closing = pl_object_is_closing,
    .timer_start = ref_timer_start,
    .timer_again = ref_timer_again,
    .timer_set_repeat = ref_timer_set_repeat,
    .watcher_start = ref_watcher_start,
    .async_send = ref_async_send,
    .poll_start = ref_poll_start,
    .signal_start = ref_signal_start,
    .timeout_start = ref_timeout_start,
    .timeout_refresh = ref_timeout_refresh,
    .immediate_start = ref_immediate_start,
    .clear = ref_clear,
    .tick = ref_tick,
    .microtask = ref_microtask,
    .work_submit = ref_work_submit,
    .stat_submit = ref_stat_submit,
    .cancel = pl_work_cancel,
    .time_ns = ref_time_ns,
    .time_pass = ref_time_pass,
    .file_read = ref_file_read,
    .stream_open = ref_stream_open,
    .stream_read = ref_stream_read,
    .stream_write = ref_stream_write,
};

static const char *const traits[] = {"timers-after-poll", "timer-lists",
                                     "zero-timer-next-iteration",
                                     "full-promotes", "pools-lists",
                                     "spawn-event", "spawn-timeout",
                                     "messages-are-kept", "v8-clone",
                                     "survives-bad-input", NULL};

static const struct pl_provider provider = {
    .abi = PL_PROVIDER_ABI,
    .size = sizeof(struct pl_provider),
    .name = PROVIDER_NAME,
    .version = "0.1.0",
    .language = "C",
    .homepage = NULL,
    .traits = traits,
    .loop = &loop_table,
    .modules = &provider_modules_table,
    .heap = &ref_heap_table,
    .buffer = &ref_buffer_table,
    .processes = &ref_processes_table,
    .flow = &ref_flow_table,
};

__attribute__((visibility("default"))) const struct pl_provider *
pl_provider_v1(void) {
  return &provider;
}

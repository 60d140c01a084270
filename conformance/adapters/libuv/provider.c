/* SPDX-License-Identifier: MIT */
/*
 * provider.c: hands libuv to the suite through the provider ABI.
 *
 * Invariant: what is measured or judged through these files is libuv and a
 * function call (object.h).
 */
#include "object.h"

#include <pthread.h>
#include <stddef.h>

_Static_assert(UV_ECANCELED == -ECANCELED && UV_EINVAL == -EINVAL,
               "libuv's errors are negative errno values");

/* What results and expectations are keyed by. */
#ifndef PROVIDER_NAME
#define PROVIDER_NAME "libuv"
#endif

/* -- the loop ------------------------------------------------------------ */

static size_t loop_size(void) {
  return offsetof(struct loop, uv) + uv_loop_size();
}

static int loop_init(void *storage, const struct pl_loop_options *options) {
  struct loop *loop = storage;
  unsigned threads = 0;
  if (options && options->size >= sizeof *options)
    threads = options->pool_threads;
  int err = libuv_choose_pool(threads);
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
    .size_of = libuv_size_of,
    .init = libuv_init,
    .handle_close = libuv_handle_close,
    .handle_stop = libuv_handle_stop,
    .ref = libuv_ref,
    .unref = libuv_unref,
    .has_ref = libuv_has_ref,
    .is_active = libuv_is_active,
    .is_closing = libuv_is_closing,
    .timer_start = libuv_timer_start,
    .timer_again = libuv_timer_again,
    .timer_set_repeat = libuv_timer_set_repeat,
    .watcher_start = libuv_watcher_start,
    .async_send = libuv_async_send,
    .poll_start = libuv_poll_start,
    .signal_start = libuv_signal_start,
    .work_submit = libuv_work_submit,
    .stat_submit = libuv_stat_submit,
    .cancel = libuv_cancel,
    .file_read = libuv_file_read,
    .stream_open = libuv_stream_open,
    .stream_read = libuv_stream_read,
    .stream_write = libuv_stream_write,
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

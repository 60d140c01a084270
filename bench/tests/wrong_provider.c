/* SPDX-License-Identifier: MIT */
/*
 * wrong_provider.c: a very fast loop: it forgets every wake-up.
 *
 * Invariant: all its calls succeed, so that only a benchmark's check can find
 * out that nothing was done.
 */
#include "provider.h"

#include <errno.h>

static size_t loop_size(void) {
  return 8;
}

static int loop_init(void *loop, const struct pl_loop_options *options) {
  (void)loop;
  (void)options;
  return 0;
}

static int succeed(void *object) {
  (void)object;
  return 0;
}

static int is_nothing(const void *object) {
  (void)object;
  return 0;
}

static int run(void *loop, enum pl_run_mode mode) {
  (void)loop;
  (void)mode;
  return 0;
}

static size_t size_of(enum pl_kind kind) {
  return kind == PL_KIND_ASYNC ? 8 : 0;
}

static int init(void *loop, enum pl_kind kind, void *object,
                pl_callback *callback, void *arg) {
  (void)loop;
  (void)object;
  (void)callback;
  (void)arg;
  return size_of(kind) ? 0 : -ENOTSUP;
}

static int handle_close(void *handle, pl_callback *closed) {
  (void)handle;
  (void)closed;
  return 0;
}

static const struct pl_loop_table table = {
    .size = sizeof table,
    .loop_size = loop_size,
    .loop_init = loop_init,
    .loop_close = succeed,
    .run = run,
    .size_of = size_of,
    .init = init,
    .handle_close = handle_close,
    .handle_stop = succeed,
    .is_active = is_nothing,
    .is_closing = is_nothing,
    .async_send = succeed,
};

static const struct pl_provider provider = {
    .abi = PL_PROVIDER_ABI,
    .size = sizeof provider,
    .name = "wrong",
    .version = "0",
    .language = "C",
    .loop = &table,
};

const struct pl_provider *pl_provider_v1(void) {
  return &provider;
}

/* SPDX-License-Identifier: MIT */
/*
 * fake_provider.c: provider libraries with one fault each, by FAKE.
 *
 * Invariant: apart from its fault each is a valid provider of a loop on which
 * nothing can be made. (UNCLOSED is no fault: it makes timers, which keep the
 * loop alive until they are stopped, and tells neither $alive nor $timeout.)
 */
#include "provider.h"

#include <errno.h>

#define FAKE_GOOD 0
#define FAKE_WRONG_ABI 1
#define FAKE_SMALL 2
#define FAKE_NULL 3
#define FAKE_NO_SYMBOL 4
#define FAKE_NAMELESS 5
#define FAKE_NO_FILES 6     /* loop_init fails with -EMFILE */
#define FAKE_NEVER_CLOSED 7 /* loop_close always refuses */
#define FAKE_ALWAYS_ALIVE 8 /* run always says that something is alive */
#define FAKE_OLD 9          /* a table that ends after `run` */
#define FAKE_UNCLOSED 10    /* timers that are stopped and never closed */

#if FAKE == FAKE_NO_SYMBOL
int pl_provider_v0(void);

int pl_provider_v0(void) {
  return 0;
}
#else

static int started; /* UNCLOSED: timers */

static size_t loop_size(void) {
  return 8;
}

static int loop_init(void *loop, const struct pl_loop_options *options) {
  (void)loop;
  (void)options;
  return FAKE == FAKE_NO_FILES ? -EMFILE : 0;
}

static int loop_close(void *loop) {
  (void)loop;
  return FAKE == FAKE_NEVER_CLOSED ? -EBUSY : 0;
}

static int run(void *loop, enum pl_run_mode mode) {
  (void)loop;
  (void)mode;
  return FAKE == FAKE_ALWAYS_ALIVE || started != 0;
}

static size_t size_of(enum pl_kind kind) {
  return FAKE == FAKE_UNCLOSED && kind == PL_KIND_TIMER ? sizeof(int) : 0;
}

static int init(void *loop, enum pl_kind kind, void *object,
                pl_callback *callback, void *arg) {
  (void)loop;
  (void)callback;
  (void)arg;
  if (size_of(kind) == 0) return -ENOTSUP;
  *(int *)object = 0;
  return 0;
}

#if FAKE == FAKE_UNCLOSED
static int timer_start(void *timer, uint64_t after, uint64_t repeat) {
  (void)after;
  (void)repeat;
  started += !*(int *)timer;
  *(int *)timer = 1;
  return 0;
}

static int handle_stop(void *handle) {
  started -= *(int *)handle;
  *(int *)handle = 0;
  return 0;
}

static int is_active(const void *handle) {
  return *(const int *)handle;
}

static int timer_again(void *timer) {
  return timer_start(timer, 0, 0);
}

static void timer_set_repeat(void *timer, uint64_t repeat) {
  (void)timer;
  (void)repeat;
}

static void stop(void *loop) {
  (void)loop;
}

static uint64_t now(const void *loop) {
  (void)loop;
  return 7;
}
#endif

static const struct pl_loop_table table = {
    .size =
        FAKE == FAKE_OLD ? offsetof(struct pl_loop_table, stop) : sizeof table,
    .loop_size = loop_size,
    .loop_init = loop_init,
    .loop_close = loop_close,
    .run = run,
    .size_of = size_of,
    .init = init,
#if FAKE == FAKE_UNCLOSED
    .stop = stop,
    .now = now,
    .update_time = stop,
    .handle_stop = handle_stop,
    .is_active = is_active,
    .timer_start = timer_start,
    .timer_again = timer_again,
    .timer_set_repeat = timer_set_repeat,
#endif
};

static const struct pl_provider provider = {
    .abi = FAKE == FAKE_WRONG_ABI ? 77 : PL_PROVIDER_ABI,
    .size = FAKE == FAKE_SMALL ? 8 : sizeof provider,
    .name = FAKE == FAKE_NAMELESS ? NULL : "fake",
    .version = "0",
    .language = "C",
    .loop = &table,
};

const struct pl_provider *pl_provider_v1(void) {
  return FAKE == FAKE_NULL ? NULL : &provider;
}
#endif

/* SPDX-License-Identifier: MIT */
/*
 * fake_provider.c: provider libraries with one fault each, by FAKE.
 *
 * Invariant: apart from its fault each is a valid provider of a loop on which
 * nothing can be made.
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

#if FAKE == FAKE_NO_SYMBOL
int pl_provider_v0(void);

int pl_provider_v0(void) {
  return 0;
}
#else

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
  return FAKE == FAKE_ALWAYS_ALIVE;
}

static size_t size_of(enum pl_kind kind) {
  (void)kind;
  return 0;
}

static int init(void *loop, enum pl_kind kind, void *object,
                pl_callback *callback, void *arg) {
  (void)loop;
  (void)kind;
  (void)object;
  (void)callback;
  (void)arg;
  return -ENOTSUP;
}

static const struct pl_loop_table table = {
    .size =
        FAKE == FAKE_OLD ? offsetof(struct pl_loop_table, stop) : sizeof table,
    .loop_size = loop_size,
    .loop_init = loop_init,
    .loop_close = loop_close,
    .run = run,
    .size_of = size_of,
    .init = init,
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

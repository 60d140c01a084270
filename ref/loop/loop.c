/* SPDX-License-Identifier: MIT */
/*
 * loop.c: makes and ends a loop; its memory and its clock.
 *
 * Invariant: a loop that failed to start leaves nothing behind, and one that
 * refuses to end is unchanged.
 */
#include "internal.h"

#include <stdlib.h>

static void *libc_resize(void *self, void *block, size_t size) {
  (void)self;
  if (size != 0) return realloc(block, size);
  free(block);
  return NULL;
}

struct pl_allocator pl__allocator_or_default(const struct pl_allocator *given) {
  if (given != NULL && given->resize != NULL) return *given;
  return (struct pl_allocator){.resize = libc_resize};
}

void *pl__resize(const struct pl_allocator *allocator, void *block,
                 size_t size) {
  return allocator->resize(allocator->self, block, size);
}

size_t pl_loop_size(void) {
  return sizeof(struct pl_loop);
}

static void init_lists(struct pl_loop *loop) {
  for (int i = 0; i < 3; i++)
    pl__link_init(&loop->watchers[i]);
  pl__link_init(&loop->immediates);
  pl__link_init(&loop->immediate_batch);
  pl__link_init(&loop->deferred);
  pl__link_init(&loop->changes);
  pl__link_init(&loop->asyncs);
  pl__tasks_init(&loop->ticks);
  pl__tasks_init(&loop->microtasks);
}

/* The best that there is; a shortage is an error, and no reason for another. */
static int make_poller(struct pl_loop *loop, enum pl_poller_choice choice) {
  const struct pl_allocator *allocator = &loop->allocator;
  int error = PL_ENOTSUP;
  if (choice == PL_POLLER_URING)
    error = pl_poller_uring_create(allocator, &loop->poller);
  if (error == PL_ENOTSUP)
    error = pl_poller_epoll_create(allocator, &loop->poller);
  if (error == PL_ENOTSUP)
    error = pl_poller_poll_create(allocator, &loop->poller);
  return error;
}

const char *pl_loop_poller_name(const struct pl_loop *loop) {
  return loop->poller->ops->name;
}

int pl_loop_init(struct pl_loop *loop, const struct pl_loop_config *config) {
  static const struct pl_loop_config defaults;
  if (config == NULL) config = &defaults;
  *loop = (struct pl_loop){
      .allocator = pl__allocator_or_default(&config->allocator),
      .clock = config->clock,
      .poller = config->poller,
      .given_pool = config->pool,
      .file_calls = &pl__file_calls,
      .pool_threads = config->pool_threads != 0 ? config->pool_threads : 4};
  if (loop->clock.now_ns == NULL) loop->clock = pl__clock_init(&loop->gate);
  if (loop->poller == NULL) {
    int error = make_poller(loop, config->choice);
    if (error != 0) return error;
  }
  loop->picks = loop->poller->ops->pick != NULL;
  init_lists(loop);
  pl_loop_update_time(loop);
  pl__wheel_init(&loop->wheel, loop->time);
  pl__timeouts_init(loop);
  return 0;
}

int pl_loop_close(struct pl_loop *loop) {
  if (loop->running || loop->handles != 0 || loop->requests != 0)
    return PL_EBUSY;
  pl__pool_free(loop);
  pl__signals_free(loop);
  pl__timeouts_free(loop);
  pl__resize(&loop->allocator, loop->fds, 0);
  pl__resize(&loop->allocator, loop->stream_buffer, 0);
  loop->poller->ops->destroy(loop->poller);
  return 0;
}

uint64_t pl_loop_now(const struct pl_loop *loop) {
  return loop->time;
}

void pl_loop_update_time(struct pl_loop *loop) {
  uint64_t now = loop->clock.now_ns(loop->clock.self) / 1000000;
  if (now > loop->time) loop->time = now;
}

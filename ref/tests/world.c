/* SPDX-License-Identifier: MIT */
/*
 * world.c: the virtual clock, poller, memory and trace of world.h.
 *
 * Invariant: virtual time moves only in world_block(), in a virtual wait and,
 * when a test asked for it, by a reading of the clock.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "../loop/recorder.h"

/* -- memory -------------------------------------------------------------- */

static void *world_resize(void *self, void *block, size_t size) {
  struct world *world = self;
  if (size == 0) {
    world->blocks -= block != NULL;
    free(block);
    return NULL;
  }
  if (world->until_fail >= 0 && world->until_fail-- == 0) return NULL;
  world->blocks += block == NULL;
  return realloc(block, size);
}

struct pl_allocator world_allocator(struct world *world) {
  return (struct pl_allocator){.resize = world_resize, .self = world};
}

/* -- clock and poller ------------------------------------------------------ */

static uint64_t world_now_ns(void *self) {
  struct world *world = self;
  world->now_ns += world->ns_per_reading;
  return world->now_ns;
}

void world_block(struct world *world, uint64_t ms) {
  world->now_ns += ms * 1000000;
}

static int virtual_modify(struct pl_poller *self, int fd, unsigned armed,
                          unsigned wanted, uint64_t token) {
  struct world *world = (struct world *)self;
  assert_in_range(fd, 0, WORLD_FDS - 1);
  assert_int_equal(world->fds[fd].armed, armed);
  assert_int_not_equal(armed, wanted);
  if (world->modify_error != 0 && wanted != 0) return world->modify_error;
  world->modifications++;
  world->fds[fd].armed = wanted;
  world->fds[fd].token = token;
  return 0;
}

static int collect(struct world *world, struct pl_ready *ready) {
  int count = 0;
  for (int fd = 0; fd < WORLD_FDS; fd++) {
    unsigned events = world->fds[fd].ready & world->fds[fd].armed;
    if (events == 0 || world->fds[fd].ready_at > world->now_ns / 1000000)
      continue;
    ready[count++] =
        (struct pl_ready){.token = world->fds[fd].token, .events = events};
  }
  return count;
}

static uint64_t next_ready(const struct world *world) {
  uint64_t next = UINT64_MAX;
  for (int fd = 0; fd < WORLD_FDS; fd++)
    if (world->fds[fd].ready & world->fds[fd].armed &&
        world->fds[fd].ready_at < next)
      next = world->fds[fd].ready_at;
  return next;
}

static int virtual_wait(struct pl_poller *self, struct pl_ready *ready,
                        int capacity, int timeout_ms) {
  struct world *world = (struct world *)self;
  assert_true(capacity >= WORLD_FDS);
  if (world->wait_count < WORLD_WAITS)
    world->waits[world->wait_count++] = timeout_ms;
  int count = collect(world, ready);
  if (count > 0 || timeout_ms == 0) return count;
  if (world->woken) {
    world->woken = false;
    return 0;
  }
  uint64_t until = next_ready(world) * 1000000;
  if (next_ready(world) == UINT64_MAX) until = UINT64_MAX;
  if (timeout_ms > 0 && world->now_ns + (uint64_t)timeout_ms * 1000000 < until)
    until = world->now_ns + (uint64_t)timeout_ms * 1000000;
  if (until == UINT64_MAX) return PL_EIO;
  world->now_ns = until;
  return collect(world, ready);
}

static void virtual_wake(struct pl_poller *self) {
  ((struct world *)self)->woken = true;
}

static void virtual_destroy(struct pl_poller *self) {
  (void)self; /* part of the world */
}

static const struct pl_poller_ops virtual_ops = {.name = "virtual",
                                                 .modify = virtual_modify,
                                                 .wait = virtual_wait,
                                                 .wake = virtual_wake,
                                                 .destroy = virtual_destroy};

void world_ready(struct world *world, int fd, unsigned events,
                 uint64_t after_ms) {
  world->fds[fd].ready = events;
  world->fds[fd].ready_at = world->now_ns / 1000000 + after_ms;
}

void world_read(struct world *world, int fd) {
  world->fds[fd].ready = 0;
}

/* -- begin and end ----------------------------------------------------------
 */

static struct world *begin(struct pl_loop_config *config) {
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  world->poller.ops = &virtual_ops;
  world->now_ns = UINT64_C(1000) * 1000000;
  world->until_fail = -1;
  world->loop = malloc(pl_loop_size());
  assert_non_null(world->loop);
  config->allocator = world_allocator(world);
  if (config->poller == NULL) {
    config->poller = &world->poller;
    config->clock = (struct pl_clock){.now_ns = world_now_ns, .self = world};
  }
  assert_int_equal(pl_loop_init(world->loop, config), 0);
  return world;
}

struct world *world_begin(void) {
  struct pl_loop_config config = {0};
  return begin(&config);
}

struct world *world_begin_real(struct pl_poller *poller) {
  struct pl_loop_config config = {.poller = poller};
  assert_non_null(poller);
  return begin(&config);
}

struct world *world_begin_pool(unsigned threads) {
  struct pl_loop_config config = {.pool_threads = threads};
  const char *wanted = getenv("PLUMB_TEST_POLLER");
  int error = PL_ENOTSUP;
  if (wanted != NULL && strcmp(wanted, "io_uring") == 0)
    error = pl_poller_uring_create(NULL, &config.poller);
  if (error == PL_ENOTSUP) error = pl_poller_epoll_create(NULL, &config.poller);
  assert_int_equal(error, 0);
  return begin(&config);
}

/* Tasks and deferred calls have no head. */
static void end_act(struct act *act) {
  if (!act->has_head) return;
  struct pl_object *head = &act->as.head;
  if (head->kind == PL_OBJECT_TIMEOUT)
    pl_timeout_clear(&act->as.timeout);
  else if (head->kind == PL_OBJECT_IMMEDIATE)
    pl_immediate_clear(&act->as.immediate);
  else if (head->kind <= PL_OBJECT_SIGNAL && !pl_object_is_closing(head))
    assert_int_equal(pl_handle_close(head, NULL), 0);
}

void world_end(struct world *world) {
  for (int i = 0; i < world->act_count; i++)
    end_act(&world->acts[i]);
  assert_int_equal(pl_loop_run(world->loop, PL_LOOP_DEFAULT), 0);
  assert_int_equal(pl_loop_close(world->loop), 0);
  assert_int_equal(world->blocks, 0);
  free(world->loop);
  free(world);
}

struct pl_poller *world_poller(void **state) {
  struct pl_poller *poller = NULL;
  int (*create)(const struct pl_allocator *, struct pl_poller **) = *state;
  int error = create(NULL, &poller);
  if (error == PL_ENOTSUP) skip();
  assert_int_equal(error, 0);
  return poller;
}

struct pl_recorder *world_record(struct world *world, size_t capacity) {
  struct pl_allocator allocator = world_allocator(world);
  struct pl_recorder *recorder = NULL;
  assert_int_equal(pl_recorder_create(&allocator, capacity, &recorder), 0);
  pl_loop_record(world->loop, recorder);
  return recorder;
}

void world_end_recorded(struct world *world, struct pl_recorder *recorder) {
  pl_loop_record(world->loop, NULL);
  pl_recorder_destroy(recorder);
  world_end(world);
}

/* -- acts -------------------------------------------------------------------
 */

void world_say(struct world *world, const char *label) {
  size_t used = strlen(world->trace);
  assert_true(used + strlen(label) + 2 < sizeof world->trace);
  if (used != 0) world->trace[used++] = ' ';
  strcpy(world->trace + used, label);
}

static void hear(void *arg, int status) {
  struct act *act = arg;
  act->calls++;
  act->status = status;
  world_say(act->world, act->label);
  if (act->body != NULL) act->body(act);
}

static struct act *new_act(struct world *world, const char *label,
                           void (*body)(struct act *)) {
  assert_true(world->act_count < WORLD_ACTS);
  struct act *act = &world->acts[world->act_count++];
  *act = (struct act){.world = world, .label = label, .body = body};
  return act;
}

#define DEFINE_ACT(noun, member)                                               \
  struct act *act_##noun(struct world *world, const char *label,               \
                         void (*body)(struct act *)) {                         \
    struct act *act = new_act(world, label, body);                             \
    act->has_head = true;                                                      \
    pl_##noun##_init(world->loop, &act->as.member, hear, act);                 \
    return act;                                                                \
  }
DEFINE_ACT(timer, timer)
DEFINE_ACT(async, async)
DEFINE_ACT(poll, poll)
DEFINE_ACT(signal, signal)
DEFINE_ACT(timeout, timeout)
DEFINE_ACT(immediate, immediate)
DEFINE_ACT(work, work)
DEFINE_ACT(stat, stat)
DEFINE_ACT(file_read, file_read)
#undef DEFINE_ACT

struct act *act_watcher(struct world *world, enum pl_object_kind kind,
                        const char *label, void (*body)(struct act *)) {
  struct act *act = new_act(world, label, body);
  act->has_head = true;
  pl_watcher_init(world->loop, kind, &act->as.watcher, hear, act);
  return act;
}

struct act *act_deferred(struct world *world, const char *label,
                         void (*body)(struct act *)) {
  struct act *act = new_act(world, label, body);
  pl_deferred_init(&act->as.deferred, hear, act);
  return act;
}

static struct act *act_task(struct world *world, const char *label,
                            void (*body)(struct act *)) {
  struct act *act = new_act(world, label, body);
  pl_task_init(world->loop, &act->as.task, hear, act);
  return act;
}

struct act *act_tick(struct world *world, const char *label,
                     void (*body)(struct act *)) {
  struct act *act = act_task(world, label, body);
  assert_int_equal(pl_task_tick(&act->as.task), 0);
  return act;
}

struct act *act_microtask(struct world *world, const char *label,
                          void (*body)(struct act *)) {
  struct act *act = act_task(world, label, body);
  assert_int_equal(pl_task_microtask(&act->as.task), 0);
  return act;
}

struct act *soon_immediate(struct world *world, const char *label,
                           void (*body)(struct act *)) {
  struct act *act = act_immediate(world, label, body);
  assert_int_equal(pl_immediate_start(&act->as.immediate), 0);
  return act;
}

struct act *soon_timeout(struct world *world, double after, const char *label,
                         void (*body)(struct act *)) {
  struct act *act = act_timeout(world, label, body);
  assert_int_equal(pl_timeout_start(&act->as.timeout, after, 0), 0);
  return act;
}

struct act *soon_timer(struct world *world, uint64_t after, const char *label,
                       void (*body)(struct act *)) {
  struct act *act = act_timer(world, label, body);
  assert_int_equal(pl_timer_start(&act->as.timer, after, 0), 0);
  return act;
}

struct act *soon_watcher(struct world *world, enum pl_object_kind kind,
                         const char *label, void (*body)(struct act *)) {
  struct act *act = act_watcher(world, kind, label, body);
  assert_int_equal(pl_watcher_start(&act->as.watcher), 0);
  return act;
}

static void hear_closed(void *arg, int status) {
  struct act *act = arg;
  char label[64] = "~";
  assert_int_equal(status, 0);
  assert_true(strlen(act->label) < sizeof label - 1);
  world_say(act->world, strcat(label, act->label));
}

void act_close(struct act *act) {
  assert_int_equal(pl_handle_close(&act->as.head, hear_closed), 0);
}

struct act *act_find(struct act *self, const char *label) {
  struct world *world = self->world;
  for (int i = 0; i < world->act_count; i++)
    if (strcmp(world->acts[i].label, label) == 0) return &world->acts[i];
  fail_msg("no act is called %s", label);
  return NULL;
}

void stop_loop(struct act *self) {
  pl_loop_stop(self->world->loop);
}

void close_self(struct act *self) {
  act_close(self);
}

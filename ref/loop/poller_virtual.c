/* SPDX-License-Identifier: MIT */
/*
 * poller_virtual.c: the place where a loop only seems to sleep: time passes
 * because nothing else can happen, and what is ready first is a choice.
 *
 * Invariant: real time is never looked at and nothing here blocks, so the
 * answers alone decide what a loop does.
 */
#include "virtual.h"

#include <stdarg.h>
#include <stdio.h>

enum {
  PL__VIRTUAL_BEGIN = 1000000, /* ms: any time will do but 0 */
  PL__VIRTUAL_TURNS = 64       /* poll phases in which a millisecond passes */
};

/* ---------------------------------------------------------------------- */
/* Questions                                                              */

static void add(struct pl__world *world, const char *format, va_list list) {
  size_t room = PL__QUESTION - world->length;
  int length =
      vsnprintf(world->question + world->length, room, format, list);
  if (length > 0)
    world->length += (size_t)length < room ? (size_t)length : room - 1;
}

void pl__question(struct pl__world *world, const char *what) {
  world->length = 0;
  world->options = 0;
  while (*what != '\0')
    world->question[world->length++] = *what++;
  world->question[world->length] = '\0';
}

void pl__option(struct pl__world *world, const char *format, ...) {
  char text[96];
  va_list list;
  va_start(list, format);
  if (world->config.choose != NULL) {
    int length = snprintf(text, sizeof text, "%s%s",
                          world->options == 0 ? ": " : "|", format);
    if (length > 0) add(world, text, list);
  }
  va_end(list);
  world->options++;
}

unsigned pl__answer(struct pl__world *world) {
  const struct pl_virtual_config *config = &world->config;
  if (world->options < 2 || config->choose == NULL) return 0;
  unsigned answer =
      config->choose(config->self, world->question, world->options);
  return answer < world->options ? answer : 0;
}

const char *pl__label(struct pl__world *world, const void *arg) {
  const struct pl_virtual_config *config = &world->config;
  if (config->label == NULL || config->choose == NULL) return "something";
  return config->label(config->self, arg);
}

/* ---------------------------------------------------------------------- */
/* The clock                                                              */

static void move_to(struct pl__world *world, uint64_t time) {
  if (time <= world->now) return;
  world->now = time;
  world->turns = 0;
}

static uint64_t virtual_now_ns(void *self) {
  struct pl__world *world = self;
  if (world->loop != NULL && world->slack > 0 &&
      world->loop->wheel.count > 0) {
    pl__question(world, "time that passes");
    for (uint64_t ms = 0; ms <= world->slack; ms++)
      pl__option(world, "%llu ms", (unsigned long long)ms);
    uint64_t ms = pl__answer(world);
    world->slack -= ms;
    move_to(world, world->now + ms);
  }
  return world->now * 1000000;
}

/* ---------------------------------------------------------------------- */
/* The poller                                                             */

static struct pl__world *world_of(const struct pl_poller *self) {
  return PL__OWNER(self, struct pl__world, poller);
}

static int virtual_modify(struct pl_poller *self, int fd, unsigned armed,
                          unsigned wanted, uint64_t token) {
  struct pl__world *world = world_of(self);
  if (world->ready == NULL) {
    int error =
        pl_poller_poll_create(&world->config.allocator, &world->ready);
    if (error != 0) return error;
  }
  return world->ready->ops->modify(world->ready, fd, armed, wanted, token);
}

/* What the loop knows and its callers do not. */
static uint64_t digest_of(const struct pl__world *world) {
  const struct pl_loop *loop = world->loop;
  uint64_t digest = pl__mix(world->now, loop->time);
  digest = pl__mix(digest, world->slack);
  digest = pl__mix(digest, pl__timeouts_digest(loop));
  digest = pl__mix(digest, loop->timeouts.timer.order);
  digest = pl__mix(digest, pl__jobs_digest(world));
  if (world->config.digest == NULL) return digest;
  for (struct pl_work *work = atomic_load(&world->loop->done); work != NULL;
       work = work->below)
    digest = pl__mix(digest, world->config.digest(world->config.self,
                                                  work->head.arg));
  return digest;
}

static uint64_t next_event(const struct pl__world *world, uint64_t limit) {
  uint64_t job = pl__jobs_next(world);
  return job < limit ? job : limit;
}

static enum pl_virtual_seen ask_seen(struct pl__world *world) {
  const struct pl_virtual_config *config = &world->config;
  if (config->seen == NULL) return PL_VIRTUAL_NEW;
  return config->seen(config->self, digest_of(world));
}

/* A poll phase begins. Where nothing has happened since the last one, time
 * moves on: that it stands still has been looked at. */
static int begin_phase(struct pl__world *world) {
  world->polls = world->loop->polls;
  if (++world->turns > PL__VIRTUAL_TURNS) move_to(world, world->now + 1);
  enum pl_virtual_seen seen = ask_seen(world);
  if (seen == PL_VIRTUAL_SAME) {
    uint64_t timer = pl__wheel_next(&world->loop->wheel, SIZE_MAX);
    uint64_t next = next_event(world, timer);
    if (next == UINT64_MAX) return PL_EDEADLK;
    move_to(world, next);
    seen = ask_seen(world);
  }
  return seen == PL_VIRTUAL_NEW ? 0 : PL_ECANCELED;
}

static int really_ready(struct pl__world *world, struct pl_ready *ready,
                        int capacity) {
  if (world->ready == NULL) return 0;
  int count;
  do
    count = world->ready->ops->wait(world->ready, ready, capacity, 0);
  while (count == PL_EINTR);
  return count;
}

static uint64_t deadline_of(const struct pl__world *world, int timeout_ms) {
  if (timeout_ms < 0) return UINT64_MAX;
  return world->now + (unsigned)timeout_ms;
}

/* One thing happens: a job ends, or time passes. Returns whether the loop
 * wakes up instead, or PL_EDEADLK. */
static int step(struct pl__world *world, bool has_news, uint64_t deadline) {
  bool awake = has_news || deadline <= world->now;
  bool must_end = pl__jobs_must_end(world);
  uint64_t next = next_event(world, deadline);
  pl__question(world, "what happens");
  if (!must_end && awake) pl__option(world, "the loop goes on");
  bool can_pass = !must_end && !awake && next != UINT64_MAX;
  if (can_pass)
    pl__option(world, "%llu ms pass",
               (unsigned long long)(next - world->now));
  unsigned others = world->options;
  pl__jobs_options(world);
  if (world->options == 0) return PL_EDEADLK;
  unsigned answer = pl__answer(world);
  if (answer >= others)
    pl__job_end(world, answer - others);
  else if (can_pass)
    move_to(world, next);
  else
    return 1;
  return 0;
}

static int virtual_wait(struct pl_poller *self, struct pl_ready *ready,
                        int capacity, int timeout_ms) {
  struct pl__world *world = world_of(self);
  if (world->polls != world->loop->polls) {
    int error = begin_phase(world);
    if (error != 0) return error;
  }
  uint64_t deadline = deadline_of(world, timeout_ms);
  int count = really_ready(world, ready, capacity);
  while (count >= 0) {
    bool has_news = count > 0 || pl__woken(world->loop);
    int awake = step(world, has_news, deadline);
    if (awake < 0) return awake;
    if (awake) break;
  }
  return count;
}

/* Nobody sleeps, and all senders are this thread, or have ended. */
static void virtual_wake(struct pl_poller *self) { (void)self; }

static const char *name_of(struct pl__world *world,
                           const struct pl_ready *ready) {
  const struct pl_loop *loop = world->loop;
  size_t fd = (uint32_t)ready->token;
  const struct pl_poll *poll = fd < loop->fd_count ? loop->fds[fd].owner : NULL;
  if (poll == NULL) return "a descriptor";
  if (poll->head.flags & PL__INTERNAL) return "signals";
  return pl__label(world, poll->head.arg);
}

static int virtual_pick(struct pl_poller *self, const struct pl_ready *ready,
                        int count, int woken) {
  struct pl__world *world = world_of(self);
  pl__question(world, "which event is next");
  for (int i = 0; i < count; i++)
    pl__option(world, "%s", name_of(world, &ready[i]));
  if (woken) pl__option(world, "wake-ups");
  return (int)pl__answer(world);
}

static void virtual_destroy(struct pl_poller *self) {
  struct pl__world *world = world_of(self);
  struct pl_allocator allocator = world->config.allocator;
  if (world->ready != NULL) world->ready->ops->destroy(world->ready);
  pl__jobs_free(world);
  pl__resize(&allocator, world, 0);
}

static const struct pl_poller_ops virtual_ops = {.name = "virtual",
                                                 .modify = virtual_modify,
                                                 .wait = virtual_wait,
                                                 .wake = virtual_wake,
                                                 .destroy = virtual_destroy,
                                                 .pick = virtual_pick};

/* ---------------------------------------------------------------------- */
/* The loop                                                               */

int pl_virtual_loop_init(struct pl_loop *loop,
                         const struct pl_virtual_config *config) {
  struct pl_allocator allocator = pl__allocator_or_default(&config->allocator);
  struct pl__world *world = pl__resize(&allocator, NULL, sizeof *world);
  if (world == NULL) return PL_ENOMEM;
  *world = (struct pl__world){.poller.ops = &virtual_ops,
                              .config = *config,
                              .now = PL__VIRTUAL_BEGIN,
                              .slack = config->slack_ms};
  world->config.allocator = allocator;
  if (world->config.threads == 0) world->config.threads = 4;
  int error = pl__jobs_init(world);
  if (error == 0) {
    struct pl_loop_config settings = {
        .allocator = allocator,
        .clock = {.now_ns = virtual_now_ns, .self = world},
        .poller = &world->poller,
        .pool = &world->pool,
        .pool_threads = world->config.threads};
    error = pl_loop_init(loop, &settings);
  }
  if (error == 0)
    world->loop = loop;
  else
    virtual_destroy(&world->poller);
  return error;
}

uint64_t pl_virtual_ns(const struct pl_loop *loop) {
  return world_of(loop->poller)->now * 1000000;
}

void pl_virtual_pass(struct pl_loop *loop, uint64_t ms) {
  struct pl__world *world = world_of(loop->poller);
  if (ms == 0) return;
  move_to(world, world->now + ms);
  world->passes++;
  world->passed = world->now;
}

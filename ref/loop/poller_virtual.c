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

static void add(struct pl__world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_list(struct pl__world *world, const char *format,
                     va_list list) {
  size_t room = PL__QUESTION - world->length;
  int length =
      vsnprintf(world->question + world->length, room, format, list);
  if (length > 0)
    world->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void add(struct pl__world *world, const char *format, ...) {
  va_list list;
  va_start(list, format);
  add_list(world, format, list);
  va_end(list);
}

void pl__question(struct pl__world *world, const char *what) {
  world->length = 0;
  world->options = 0;
  world->key = 0;
  add(world, "%s", what);
}

void pl__option(struct pl__world *world, unsigned meant, const char *format,
                ...) {
  if (world->options == PL__OPTIONS) {
    world->error = PL_ENOSPC; /* not all can be looked at: wait() says so */
    return;
  }
  world->meant[world->options] = meant;
  world->keys[world->options] = world->key;
  world->key = 0;
  if (world->config.choose != NULL) {
    va_list list;
    va_start(list, format);
    add(world, "%s", world->options == 0 ? ": " : "|");
    add_list(world, format, list);
    va_end(list);
  }
  world->options++;
}

bool pl__is_double(struct pl__world *world, uint64_t key) {
  for (unsigned i = 0; i < world->options; i++)
    if (world->keys[i] == key) return true;
  world->key = key;
  return false;
}

unsigned pl__answer(struct pl__world *world) {
  const struct pl_virtual_config *config = &world->config;
  unsigned answer = 0;
  if (world->options > 1 && config->choose != NULL)
    answer = config->choose(config->self, world->question, world->options);
  return world->meant[answer < world->options ? answer : 0];
}

const char *pl__label(struct pl__world *world, const void *arg) {
  const struct pl_virtual_config *config = &world->config;
  if (config->label == NULL || config->choose == NULL) return "something";
  return config->label(config->self, arg);
}

uint64_t pl__digest(const struct pl__world *world, const void *arg) {
  const struct pl_virtual_config *config = &world->config;
  if (config->digest == NULL) return (uintptr_t)arg;
  return config->digest(config->self, arg);
}

/* ---------------------------------------------------------------------- */
/* The clock                                                              */

static void move_to(struct pl__world *world, uint64_t time) {
  if (time <= world->now) return;
  world->now = time;
  world->turns = 0;
}

/* Whether it matters what time it is. While the timeouts that are due are run
 * their timer is not in the wheel, but the next ones wait all the same. */
static bool somebody_waits(const struct pl_loop *loop) {
  return loop->wheel.count > 0 || loop->timeouts.lists > 0;
}

static uint64_t virtual_now_ns(void *self) {
  struct pl__world *world = self;
  if (world->loop != NULL && world->slack > 0 && somebody_waits(world->loop)) {
    pl__question(world, "time that passes");
    for (unsigned ms = 0; ms <= world->slack; ms++)
      pl__option(world, ms, "%u ms", ms);
    uint64_t ms = pl__answer(world);
    world->slack -= ms;
    move_to(world, world->now + ms);
  }
  world->read_before = world->read;
  world->read = world->now;
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

/*
 * Whether a pass of timeouts has just ended with a list that is due already,
 * and its timer only waits for the millisecond that it waits at least. Node
 * counts that one from the last reading before the end of the pass (uv_now() in
 * Environment::RunTimers), and libuv, which polls without sleeping first where
 * idle time is measured, does not sleep any more when its clock is past it.
 */
static bool is_overdue(const struct pl__world *world) {
  uint64_t due = world->loop->timeouts.next_expiry;
  if (world->loop->timeouts.lists == 0) return false;
  return due <= world->now && world->read_before < world->now;
}

/* What the loop knows and its callers do not. */
static uint64_t digest_of(const struct pl__world *world) {
  const struct pl_loop *loop = world->loop;
  uint64_t digest = pl__mix(world->now, loop->time);
  digest = pl__mix(digest, world->slack);
  digest = pl__mix(digest, is_overdue(world));
  digest = pl__mix(digest, pl__timeouts_digest(loop));
  digest = pl__mix(digest, pl__wheel_digest(&loop->wheel));
  digest = pl__mix(digest, pl__jobs_digest(world));
  for (const struct pl_work *work = atomic_load(&world->loop->done);
       work != NULL; work = work->below) {
    digest = pl__mix(digest, pl__digest(world, work->head.arg));
    digest = pl__mix(digest, (uint64_t)work->status);
  }
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
  enum { GO_ON, PASS, AT_ONCE, PLACE };
  bool awake = has_news || deadline <= world->now;
  bool must_end = pl__jobs_must_end(world);
  uint64_t next = next_event(world, deadline);
  pl__question(world, "what happens");
  if (!must_end && awake) pl__option(world, GO_ON, "the loop goes on");
  if (!must_end && !awake && next != UINT64_MAX)
    pl__option(world, PASS, "%llu ms pass",
               (unsigned long long)(next - world->now));
  if (!must_end && !awake && is_overdue(world))
    pl__option(world, AT_ONCE, "what is overdue comes at once");
  pl__jobs_options(world, PLACE);
  if (world->options == 0) return PL_EDEADLK;
  unsigned answer = pl__answer(world);
  if (answer == GO_ON) return 1;
  if (answer == AT_ONCE) {
    pl_timer_start(&world->loop->timeouts.timer, 0, 0);
    return 1;
  }
  if (answer == PASS)
    move_to(world, next);
  else
    pl__job_end(world, answer - PLACE);
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
    if (world->error != 0) return world->error;
    bool has_news = count > 0 || pl__woken(world->loop);
    int awake = step(world, has_news, deadline);
    if (awake < 0) return awake;
    if (awake) break;
  }
  return count;
}

/* Nobody sleeps, and all senders are this thread, or have ended. */
static void virtual_wake(struct pl_poller *self) { (void)self; }

/* What the object that hears of a descriptor was initialised with. */
static const void *arg_of(const struct pl_poll *poll) {
  if (poll->head.kind != PL_OBJECT_STREAM) return poll->head.arg;
  return ((const struct pl_stream *)poll->head.arg)->head.arg;
}

/* The poll handle that hears of a descriptor. */
static const struct pl_poll *owner_of(const struct pl__world *world,
                                      const struct pl_ready *ready) {
  const struct pl_loop *loop = world->loop;
  size_t fd = (uint32_t)ready->token;
  return fd < loop->fd_count ? loop->fds[fd].owner : NULL;
}

static void offer(struct pl__world *world, unsigned meant,
                  const struct pl_ready *ready) {
  const struct pl_poll *poll = owner_of(world, ready);
  if (poll == NULL)
    pl__option(world, meant, "nobody's");
  else if (poll->head.flags & PL__INTERNAL)
    pl__option(world, meant, "signals");
  else if (!pl__is_double(world, pl__digest(world, arg_of(poll))))
    pl__option(world, meant, "%s", pl__label(world, arg_of(poll)));
}

static int virtual_pick(struct pl_poller *self, const struct pl_ready *ready,
                        int count, int woken) {
  struct pl__world *world = world_of(self);
  pl__question(world, "which event is next");
  for (int i = 0; i < count; i++)
    offer(world, (unsigned)i, &ready[i]);
  if (woken) pl__option(world, (unsigned)count, "wake-ups");
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
/* Orders that are nobody's promise                                       */

struct pl_link *pl__any_turn(struct pl_loop *loop, struct pl_link *list) {
  struct pl__world *world = world_of(loop->poller);
  pl__question(world, "whose turn is it");
  unsigned place = 0;
  for (struct pl_link *link = list->next; link != list; link = link->next) {
    const void *arg = PL__OWNER(link, struct pl_object, link)->arg;
    if (!pl__is_double(world, pl__digest(world, arg)))
      pl__option(world, place, "%s", pl__label(world, arg));
    place++;
  }
  struct pl_link *link = list->next;
  for (unsigned turn = pl__answer(world); turn > 0; turn--)
    link = link->next;
  return link;
}

/* Takes the one whose turn it is out of the chain. */
static struct pl_object *any_of_chain(struct pl__world *world,
                                      struct pl_link **first) {
  pl__question(world, "what is closed first");
  unsigned place = 0;
  for (struct pl_link *link = *first; link != NULL; link = link->next) {
    const void *arg = PL__OWNER(link, struct pl_object, link)->arg;
    if (!pl__is_double(world, pl__digest(world, arg)))
      pl__option(world, place, "%s", pl__label(world, arg));
    place++;
  }
  struct pl_link **at = first;
  for (unsigned turn = pl__answer(world); turn > 0; turn--)
    at = &(*at)->next;
  struct pl_link *link = *at;
  *at = link->next;
  return PL__OWNER(link, struct pl_object, link);
}

struct pl_object *pl__any_closing(struct pl_loop *loop,
                                  struct pl_object *first) {
  struct pl__world *world = world_of(loop->poller);
  struct pl_link *left = first == NULL ? NULL : &first->link;
  struct pl_object *handle = NULL;
  struct pl_link *end = NULL;
  while (left != NULL) {
    struct pl_object *next = any_of_chain(world, &left);
    if (end == NULL)
      handle = next;
    else
      end->next = &next->link;
    end = &next->link;
    end->next = NULL;
  }
  return handle;
}

/* A signal that was raised again before it was delivered may be one with it;
 * different signals have no order. */
ssize_t pl__any_signals(struct pl_loop *loop, unsigned char *signums,
                        ssize_t count) {
  struct pl__world *world = world_of(loop->poller);
  for (ssize_t i = 0; i < count; i++) {
    pl__question(world, "which signal is next");
    for (ssize_t k = i; k < count; k++)
      if (!pl__is_double(world, signums[k]))
        pl__option(world, (unsigned)k, "%d", signums[k]);
    ssize_t k = (ssize_t)pl__answer(world);
    unsigned char signum = signums[k];
    signums[k] = signums[i];
    signums[i] = signum;
    if (i == 0 || signums[i - 1] != signum) continue;
    pl__question(world, "a signal raised again is");
    pl__option(world, 0, "delivered again");
    pl__option(world, 1, "one with the first");
    if (pl__answer(world) == 0) continue;
    for (k = i; k + 1 < count; k++)
      signums[k] = signums[k + 1];
    count--;
    i--;
  }
  return count;
}

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
  if (error != 0) {
    virtual_destroy(&world->poller);
    return error;
  }
  world->loop = loop;
  loop->any_order = config->any_order != 0;
  return 0;
}

uint64_t pl_virtual_ns(const struct pl_loop *loop) {
  return world_of(loop->poller)->now * 1000000;
}

void pl_virtual_pass(struct pl_loop *loop, uint64_t ms) {
  struct pl__world *world = world_of(loop->poller);
  move_to(world, world->now + ms);
}

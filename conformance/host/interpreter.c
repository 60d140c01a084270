/* SPDX-License-Identifier: MIT */
/*
 * interpreter.c: executes operations over a provider's table.
 *
 * Invariant: an operation either has its effect or fails the run with its
 * place; only operations that can log their outcome may be refused in
 * silence. Bodies never nest: a callback's body runs when the provider calls,
 * so no program makes this recurse.
 */
#include "flow.h"
#include "modules.h"
#include "run.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* -- failures and clocks ------------------------------------------------- */

const char *error_name(int err) {
  const char *name = strerrorname_np(-err);
  return name ? name : "EUNKNOWN";
}

static int64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The clock that a loop may read instead: a tick behind, or more where ticks
 * come late. */
static int64_t clock_tick_ns(void) {
#ifdef CLOCK_MONOTONIC_COARSE
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#else
  return clock_ns();
#endif
}

int64_t run_clock_ns(const struct run *run) {
  if (run->explore) return (int64_t)run->library->loop.time_ns(run->loop);
  return clock_ns();
}

void run_fail(struct run *run, const struct op *op, const char *format, ...) {
  run->silent = true;
  if (run->failed) return;
  run->failed = true;
  char place[160] = "program";
  if (op) op_place(op, place, sizeof place);
  char what[256];
  va_list list;
  va_start(list, format);
  vsnprintf(what, sizeof what, format, list);
  va_end(list);
  snprintf(run->message, sizeof run->message, "%s: %s", place, what);
  if (run->loop && run->library->loop.stop) run->library->loop.stop(run->loop);
}

/* For operations that have no way to log their outcome. */
static void must(struct run *run, const struct op *op, int err) {
  if (err < 0) run_fail(run, op, "%s", error_name(err));
}

/* -- exploration ---------------------------------------------------------- */

void run_note(struct run *run, uint64_t digest) {
  if (!run->explore) return;
  const struct pl_loop_table *loop = &run->library->loop;
  const uint64_t parts[] = {digest, loop->time_ns(run->loop),
                            loop->now(run->loop)};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    run->history = (run->history ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
    run->history ^= run->history >> 29;
  }
}

int run_loop(struct run *run, enum pl_run_mode mode) {
  int alive = run->library->loop.run(run->loop, mode);
  if (!run->explore || (alive != -ECANCELED && alive != -EDEADLK)) return alive;
  run->end = alive == -ECANCELED ? RUN_KNOWN : RUN_STUCK;
  run->silent = true;
  return 0;
}

/* -- time ---------------------------------------------------------------- */

static void op_block(const struct run *run, const struct op *op) {
  if (run->explore) {
    run->library->loop.time_pass(run->loop, op->number);
    return;
  }
  int64_t wait = (int64_t)op->number * 1000000;
  int64_t end = clock_ns() + wait;
  int64_t tick_end = clock_tick_ns() + wait;
  while (clock_ns() < end || clock_tick_ns() < tick_end) {
  }
}

/* -- Node's queues ------------------------------------------------------- */

/* Starts an object of the queues, which is the provider's from then on. */
static int queue_start(struct run *run, struct object *object, double delay) {
  const struct pl_loop_table *loop = &run->library->loop;
  object_borrow(object);
  switch (object->kind) {
  case PL_KIND_TIMEOUT:
    return loop->timeout_start(object->storage, delay, 0);
  case KIND_INTERVAL:
    return loop->timeout_start(object->storage, delay, 1);
  case PL_KIND_IMMEDIATE:
    return loop->immediate_start(object->storage);
  case PL_KIND_TICK:
    return loop->tick(object->storage);
  default:
    return loop->microtask(object->storage);
  }
}

static void op_queue(struct run *run, const struct op *op) {
  struct object *object = object_new(run, op);
  if (!object) return;
  object->chain = op->code == OP_CHAIN;
  int err = queue_start(run, object, object->chain ? 0 : op->delay);
  if (err != 0) object->pending = false;
  must(run, op, err);
}

static void op_clear(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (!object) return;
  must(run, op, run->library->loop.clear(object->storage));
  object->pending = false;
}

static void op_refresh(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (!object) return;
  object_borrow(object);
  must(run, op, run->library->loop.timeout_refresh(object->storage));
}

/* -- requests ------------------------------------------------------------ */

static void on_pool_thread(void *arg) {
  const struct object *object = arg;
  if (object->run->explore) return; /* it has taken its time already */
  int64_t end = clock_ns() + (int64_t)object->number * 1000000;
  struct timespec until = {.tv_sec = end / 1000000000,
                           .tv_nsec = end % 1000000000};
  if (object->number == 0) return;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
         EINTR) {
  }
}

static char *path_below(const char *dir, const struct op *op) {
  size_t base = op->text[0] == '/' ? 0 : strlen(dir) + 1;
  char *path = malloc(base + op->text_length + 1);
  if (!path) return NULL;
  if (base) {
    memcpy(path, dir, base - 1);
    path[base - 1] = '/';
  }
  memcpy(path + base, op->text, op->text_length + 1);
  return path;
}

static int submit(struct run *run, const struct op *op, struct object *object) {
  const struct pl_loop_table *loop = &run->library->loop;
  if (op->code == OP_WORK)
    return loop->work_submit(object->storage, on_pool_thread);
  object->path = path_below(run->dir, op);
  if (!object->path) return -ENOMEM;
  return loop->stat_submit(object->storage, object->path);
}

static void op_request(struct run *run, const struct op *op) {
  struct object *object = object_new(run, op);
  if (!object) return;
  object_borrow(object);
  int err = submit(run, op, object);
  if (err != 0) object->pending = false;
  must(run, op, err);
}

static void op_cancel(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (!object) return;
  int err = -EBUSY; /* done: its storage is not the provider's any more */
  if (object->pending && run->library->loop.cancel)
    err = run->library->loop.cancel(object->storage);
  event_outcome(run, op, err);
}

/* -- handles ------------------------------------------------------------- */

static int handle_start(struct run *run, struct object *object) {
  const struct pl_loop_table *loop = &run->library->loop;
  if (object->closed) return -EINVAL;
  if (object->kind == PL_KIND_POLL)
    return loop->poll_start(object->storage, object->fds[0], PL_POLL_READABLE);
  return loop->watcher_start(object->storage);
}

static int timer_start(struct run *run, struct object *object,
                       const struct op *op) {
  if (object->closed) return -EINVAL;
  return run->library->loop.timer_start(object->storage, op->after, op->repeat);
}

static void op_watcher(struct run *run, const struct op *op) {
  struct object *object = object_new(run, op);
  if (object && op->start) must(run, op, handle_start(run, object));
}

/* A timer is made on the id's first use, and again once it was closed. */
static void op_timer(struct run *run, const struct op *op) {
  struct object *object = run->slots[op->slot];
  if (object && !object->closing) {
    object->calls = op->calls;
    object->count = 0;
  } else {
    object = object_new(run, op);
  }
  if (object && op->start) must(run, op, timer_start(run, object, op));
}

static void op_poll(struct run *run, const struct op *op) {
  struct object *object = object_new(run, op);
  if (!object) return;
  int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  int err = socketpair(AF_UNIX, type, 0, object->fds) == 0 ? 0 : -errno;
  if (err == 0 && op->start) err = handle_start(run, object);
  must(run, op, err);
}

static void op_signal(struct run *run, const struct op *op) {
  struct object *object = object_new(run, op);
  if (object)
    must(run, op, run->library->loop.signal_start(object->storage, op->signum));
}

static void op_timer_start(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (object) event_outcome(run, op, timer_start(run, object, op));
}

static void op_timer_again(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (!object) return;
  int err = -EINVAL;
  if (!object->closed) err = run->library->loop.timer_again(object->storage);
  event_outcome(run, op, err);
}

static void op_set_repeat(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (object && !object->closed)
    run->library->loop.timer_set_repeat(object->storage, op->repeat);
}

static void op_start(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (object) must(run, op, handle_start(run, object));
}

static void op_stop(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (object && !object->closed)
    must(run, op, run->library->loop.handle_stop(object->storage));
}

static void op_close(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (object) event_outcome(run, op, object_close(object, &op->calls));
}

static void op_ref(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (!object || object->closed) return;
  if (op->code == OP_REF)
    run->library->loop.ref(object->storage);
  else
    run->library->loop.unref(object->storage);
}

static void op_poll_write(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (!object) return;
  ssize_t n;
  do
    n = send(object->fds[1], "x", 1, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n < 0) run_fail(run, op, "%s", error_name(-errno));
}

/* -- async --------------------------------------------------------------- */

struct sender {
  const struct pl_loop_table *loop;
  struct object *object;
  uint32_t times;
  int err;
  pthread_t thread;
};

static void *send_all(void *arg) {
  struct sender *sender = arg;
  for (uint32_t i = 0; i < sender->times && sender->err == 0; i++)
    sender->err = sender->loop->async_send(sender->object->storage);
  return NULL;
}

static int send_from_threads(const struct sender *pattern, uint32_t threads) {
  struct sender senders[16];
  uint32_t made = 0;
  int err = 0;
  if (pattern->object->run->explore) { /* one after the other is one order */
    struct sender all = *pattern;
    all.times *= threads;
    send_all(&all);
    return all.err;
  }
  for (; made < threads && err == 0; made++) {
    senders[made] = *pattern;
    err =
        -pthread_create(&senders[made].thread, NULL, send_all, &senders[made]);
    if (err != 0) break;
  }
  for (uint32_t i = 0; i < made; i++) {
    pthread_join(senders[i].thread, NULL);
    if (err == 0) err = senders[i].err;
  }
  return err;
}

static void op_async_send(struct run *run, const struct op *op) {
  struct object *object = object_named(run, op);
  if (!object || object->closed) return;
  struct sender sender = {
      .loop = &run->library->loop, .object = object, .times = op->number};
  if (op->threads)
    sender.err = send_from_threads(&sender, op->threads);
  else
    send_all(&sender);
  must(run, op, sender.err);
}

/* -- the loop ------------------------------------------------------------ */

static void op_run(struct run *run, const struct op *op) {
  const struct pl_loop_table *loop = &run->library->loop;
  if (loop->drain) loop->drain(run->loop); /* what main queued until here */
  int alive = run_loop(run, op->mode);
  must(run, op, alive);
  if (alive >= 0 && !run->silent && op->label) event_flag(run, op, alive != 0);
}

static void run_op(struct run *run, const struct op *op,
                   const struct call *call) {
  switch (op->code) {
  case OP_LOG:
    event_log(run, op, call);
    break;
  case OP_BLOCK:
    op_block(run, op);
    break;
  case OP_CHAIN:
  case OP_TIMEOUT:
  case OP_INTERVAL:
  case OP_IMMEDIATE:
  case OP_TICK:
  case OP_MICROTASK:
    op_queue(run, op);
    break;
  case OP_CLEAR:
    op_clear(run, op);
    break;
  case OP_REFRESH:
    op_refresh(run, op);
    break;
  case OP_STAT:
  case OP_WORK:
    op_request(run, op);
    break;
  case OP_CANCEL:
    op_cancel(run, op);
    break;
  case OP_TIMER:
    op_timer(run, op);
    break;
  case OP_TIMER_START:
    op_timer_start(run, op);
    break;
  case OP_TIMER_AGAIN:
    op_timer_again(run, op);
    break;
  case OP_TIMER_SET_REPEAT:
    op_set_repeat(run, op);
    break;
  case OP_WATCHER:
    op_watcher(run, op);
    break;
  case OP_ASYNC:
    object_new(run, op);
    break;
  case OP_POLL:
    op_poll(run, op);
    break;
  case OP_SIGNAL:
    op_signal(run, op);
    break;
  case OP_START:
    op_start(run, op);
    break;
  case OP_STOP:
    op_stop(run, op);
    break;
  case OP_CLOSE:
    op_close(run, op);
    break;
  case OP_REF:
  case OP_UNREF:
    op_ref(run, op);
    break;
  case OP_ASYNC_SEND:
    op_async_send(run, op);
    break;
  case OP_POLL_WRITE:
    op_poll_write(run, op);
    break;
  case OP_RAISE:
    raise(op->signum);
    break;
  case OP_RUN:
    op_run(run, op);
    break;
  case OP_STOP_LOOP:
    run->library->loop.stop(run->loop);
    break;
  case OP_UPDATE_TIME:
    run->library->loop.update_time(run->loop);
    break;
  case OP_OWN:
    op->perform(run, op, call);
    break;
  }
}

void run_callback(struct run *run, struct frame *frame, const struct op *op,
                  const struct body *body, const struct call *call) {
  struct frame *around = run->frame;
  run->frame = frame;
  run_body(run, body, call);
  run->frame = around;
  if (run->thrown && !flow_uncaught(run, op)) modules_uncaught(run, op);
}

void run_body(struct run *run, const struct body *body,
              const struct call *call) {
  for (size_t i = 0; i < body->count && !run->silent && !run->thrown; i++) {
    run_note(run, body->ops[i].digest);
    run_op(run, &body->ops[i], call);
  }
}

/* SPDX-License-Identifier: MIT */
/*
 * internal.h: what the files of loop/ share: the loop's layout, and the few
 * inline steps that every handle takes.
 *
 * Invariants:
 *  - loop->active counts the handles that are active and referenced and not
 *    internal; pl__activate() and its kin are the only ones to touch it.
 *  - A user's function is called through pl__call() and its kin alone, which
 *    drain the tick and microtask queues behind it, and tell the recorder.
 *    After such a call the object may be gone: only the loop is touched.
 *  - `asleep` and the two stacks are all that other threads see of a loop.
 */
#ifndef PLUMB_LOOP_INTERNAL_H
#define PLUMB_LOOP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "clock.h"
#include "list.h"
#include "plumb/loop.h"
#include "plumb/recorder.h"
#include "spin.h"
#include "wheel.h"

enum pl__flag {
  PL__ACTIVE = 1,
  PL__REF = 2,
  PL__CLOSING = 4,       /* pl_handle_close() was called */
  PL__INTERNAL = 8,      /* belongs to the loop; counts for nothing */
  PL__ONCE_STARTED = 16, /* a timer that pl_timer_again() accepts */
  PL__REPEATING = 32,    /* a timeout that is an interval */
  PL__CLEARED = 64       /* a timeout that refresh() does not revive */
};

enum pl__stream_state {
  PL__STREAM_SOCKET = 1,
  PL__STREAM_RECEIVING = 2, /* the poller receives */
  PL__STREAM_SENDING = 4,   /* the poller has the first write */
  PL__STREAM_BLOCKED = 8    /* waits until it is writable */
};

enum pl__work_state { PL__WORK_IDLE, PL__WORK_QUEUED, PL__WORK_TAKEN };

enum { PL__CACHE_LINE = 64 };

/* Out of the way of what runs in every iteration: what a function calls in its
 * place costs registers that are saved whether it is reached or not. */
#define PL__APART __attribute__((noinline))

/* A first in, first out queue of tasks. The last one's `next` is `&last`, so
 * that NULL means "in no queue". */
struct pl__tasks {
  struct pl_task *first;
  struct pl_task last; /* never run */
  struct pl_task **end;
};

/* One descriptor, in a table indexed by descriptor. */
struct pl__fd {
  struct pl_poll *owner; /* who hears of it, or NULL */
  uint32_t generation;   /* tells the present owner's events from older ones */
  uint8_t armed;         /* what the poller knows */
  uint8_t wanted;        /* what the owner wants */
};

/* Node's timeouts: the map and the heap of timer lists. */
struct pl__timeouts {
  struct pl_timer timer;         /* fires for the first list that is due */
  struct pl_timeout_list **map;  /* by duration, chained */
  size_t map_size;               /* a power of two, or 0 */
  struct pl_timeout_list **heap; /* by (expiry, id), binary */
  size_t heap_capacity;
  size_t lists;                   /* in the heap and in the map */
  struct pl_timeout_list *spare;  /* unused ones, chained */
  void *slabs;                    /* what `spare` came from, chained */
  struct pl_timeout_list *passed; /* the one that a pass is working on */
  struct pl_timeout *running;     /* the interval whose callback runs */
  uint64_t next_expiry;           /* when `timer` fires; UINT64_MAX: not */
  uint64_t next_id;
  size_t refs; /* active and referenced timeouts */
};

/* How file_read.c reaches files; tests have other ones. A descriptor or a
 * number of bytes, or a negative errno value. */
struct pl__file_calls {
  /* What would have to wait fails with PL_EAGAIN. */
  int (*open_cached)(const char *path);
  ssize_t (*read_cached)(int fd, const struct iovec *parts, int count,
                         off_t offset);
  int (*open)(const char *path);
  ssize_t (*read)(int fd, const struct iovec *parts, int count, off_t offset);
};

struct pl_loop {
  /* -- hot: every iteration ---------------------------------------------- */
  uint64_t time;   /* cached, ms */
  size_t active;   /* active referenced handles */
  size_t requests; /* not yet reported */
  bool stop;
  bool running;
  bool draining;
  bool any_order;      /* a model asks whose turn it is (virtual.h) */
  struct pl_recorder *recorder; /* NULL: nobody records */
  uint64_t calls;      /* callbacks made: tells whether time can have passed */
  uint64_t time_calls; /* `calls` when the loop last read the clock */
  struct pl__tasks ticks;
  struct pl__tasks microtasks;
  struct pl_link watchers[3]; /* idle, prepare, check: last started first */
  struct pl_link immediates;
  struct pl_link immediate_batch; /* what is left of the running batch */
  size_t immediate_refs;
  struct pl_link deferred;   /* pending phase */
  struct pl_object *closing; /* a stack through link.next */
  size_t handles;            /* initialised and not yet closed */

  /* -- poll --------------------------------------------------------------- */
  struct pl_poller *poller;
  struct pl__fd *fds;
  size_t fd_count;
  size_t armed;                /* descriptors that the poller watches */
  bool picks;                  /* the poller has pick() */
  struct pl_link changes;      /* poll handles whose mask has to be told */
  uint32_t polls;              /* poll phases so far */
  struct pl_link asyncs;       /* taken from the stack, by init order */
  uint64_t async_count;        /* init orders given so far */
  struct pl__signals *signals; /* NULL until the first signal_start */
  char *stream_buffer;         /* NULL until the first stream is read */
  struct pl__pool *pool;       /* NULL until the first submission */
  struct pl_pool *given_pool;  /* instead of that one; NULL: none */
  unsigned pool_threads;
  struct pl__spin spin;        /* how the loop waits for the pool */
  const struct pl__file_calls *file_calls;
  bool no_cached_files; /* the kernel cannot tell what is cached */

  struct pl_allocator allocator;
  struct pl_clock clock;
  struct pl__gate gate;
  struct pl__timeouts timeouts;

  /* -- other threads ------------------------------------------------------ */
  char pad[PL__CACHE_LINE];
  atomic_uintptr_t owner;          /* the thread that ran the loop last */
  atomic_int asleep;               /* poll blocks, or is about to */
  _Atomic(struct pl_async *) sent; /* stack of async handles */
  _Atomic(struct pl_work *) done;  /* stack of finished requests */
  char pad_behind[PL__CACHE_LINE];

  struct pl__wheel wheel;
};

/* The list of a kind of watchers: PL_OBJECT_IDLE, _PREPARE or _CHECK. */
static inline struct pl_link *pl__watchers(struct pl_loop *loop,
                                           unsigned kind) {
  return &loop->watchers[kind - PL_OBJECT_IDLE];
}

/* -- callbacks (task.c) -------------------------------------------------- */

void pl__drain(struct pl_loop *loop);

static inline bool pl__tasks_empty(const struct pl__tasks *tasks) {
  return tasks->first == &tasks->last;
}

static inline void pl__drain_if_needed(struct pl_loop *loop) {
  if (!pl__tasks_empty(&loop->ticks) || !pl__tasks_empty(&loop->microtasks))
    pl__drain(loop);
}

/* Not a timer, or one that nobody measures. */
#define PL__NO_DUE UINT64_MAX

/* The same calls with a recorder (recorder.c). */
void pl__record_object(struct pl_loop *loop, const struct pl_object *object,
                       uint64_t due, int status);
void pl__record_plain(struct pl_loop *loop, enum pl_record_kind kind,
                      pl_event_fn *fn, void *arg, int status);
uint64_t pl__record_wait_begin(struct pl_loop *loop);
void pl__record_wait_end(struct pl_loop *loop, uint64_t start_ns);

/* Without a recorder a call costs one branch more, always the same way. */
static inline bool pl__is_recorded(const struct pl_loop *loop) {
  return __builtin_expect(loop->recorder != NULL, 0);
}

/* Calls an object without draining: for queues that drain before their next
 * call. due: loop time, ms, at which a timer had to fire; PL__NO_DUE. */
static inline void pl__call_bare(struct pl_loop *loop,
                                 const struct pl_object *object, uint64_t due,
                                 int status) {
  loop->calls++;
  if (pl__is_recorded(loop))
    pl__record_object(loop, object, due, status);
  else
    object->fn(object->arg, status);
}

/* Calls what has no head, without draining: tasks and deferred calls. */
static inline void pl__call_plain(struct pl_loop *loop,
                                  enum pl_record_kind kind, pl_event_fn *fn,
                                  void *arg, int status) {
  loop->calls++;
  if (pl__is_recorded(loop))
    pl__record_plain(loop, kind, fn, arg, status);
  else
    fn(arg, status);
}

static inline void pl__call(struct pl_loop *loop,
                            const struct pl_object *object, int status) {
  pl__call_bare(loop, object, PL__NO_DUE, status);
  pl__drain_if_needed(loop);
}

/* -- handles (handle.c) -------------------------------------------------- */

/* Fills an object's head; handles are counted, queues and requests not. */
void pl__object_init(struct pl_loop *loop, struct pl_object *object,
                     enum pl_object_kind kind, pl_event_fn *fn, void *arg);
void pl__handle_init(struct pl_loop *loop, struct pl_object *handle,
                     enum pl_object_kind kind, pl_event_fn *fn, void *arg);

static inline void pl__activate(struct pl_object *handle) {
  if (handle->flags & PL__ACTIVE) return;
  handle->flags |= PL__ACTIVE;
  if (handle->flags & PL__REF) handle->loop->active++;
}

/* The same for one that has just got that flag: `flags` are those before. */
static inline void pl__count_active(const struct pl_object *handle,
                                    unsigned flags) {
  handle->loop->active += (flags & (PL__ACTIVE | PL__REF)) == PL__REF;
}

static inline void pl__deactivate(struct pl_object *handle) {
  if (!(handle->flags & PL__ACTIVE)) return;
  handle->flags &= (uint8_t)~PL__ACTIVE;
  if (handle->flags & PL__REF) handle->loop->active--;
}

void pl__run_closing(struct pl_loop *loop);

static inline void pl__timer_stop(struct pl_timer *timer) {
  if (!(timer->head.flags & PL__ACTIVE)) return;
  pl__wheel_remove(&timer->head.loop->wheel, timer);
  pl__deactivate(&timer->head);
}

/* -- loop.c -------------------------------------------------------------- */

/* The default clock, which remembers in `gate`. */
struct pl_clock pl__clock_init(struct pl__gate *gate); /* clock.c */
/* The loop's clock to the nanosecond: the default one without its gate. */
uint64_t pl__precise_ns(struct pl_loop *loop); /* clock.c */

/* Allocates, changes (block) or frees (size 0) the loop's memory. */
void *pl__resize(const struct pl_allocator *allocator, void *block,
                 size_t size);
struct pl_allocator pl__allocator_or_default(const struct pl_allocator *given);

/* Reads the clock, unless no callback was made since the last time, or the
 * default clock knows that its millisecond is not over. */
static inline void pl__refresh_time(struct pl_loop *loop) {
  if (loop->time_calls == loop->calls) return;
  loop->time_calls = loop->calls;
  if (!pl__gate_is_quiet(&loop->gate)) pl_loop_update_time(loop);
}

/* A number that no other living thread has. */
static inline uintptr_t pl__this_thread(void) {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  return (uintptr_t)__builtin_thread_pointer();
#else
  return (uintptr_t)pthread_self();
#endif
}

/* Ends a poll that blocks; any thread, async-signal-safe. */
static inline void pl__wake(struct pl_loop *loop) {
  if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, 0))
    loop->poller->ops->wake(loop->poller);
}

/* -- digests of states, for models ----------------------------------------- */

/* A digest with one more number in it. */
static inline uint64_t pl__mix(uint64_t digest, uint64_t number) {
  digest = (digest ^ number) * UINT64_C(0x9e3779b97f4a7c15);
  return digest ^ digest >> 29;
}

/* -- models (poller_virtual.c) --------------------------------------------- */

/* Whose turn it is in a list of objects; which close callback is first; the
 * signals that count, in their order. */
struct pl_link *pl__any_turn(struct pl_loop *loop, struct pl_link *list);
struct pl_object *pl__any_closing(struct pl_loop *loop,
                                  struct pl_object *first);
ssize_t pl__any_signals(struct pl_loop *loop, unsigned char *signums,
                        ssize_t count);

static inline struct pl_link *pl__turn(struct pl_loop *loop,
                                       struct pl_link *list) {
  return loop->any_order ? pl__any_turn(loop, list) : list->next;
}

/* -- phases -------------------------------------------------------------- */

void pl__run_deferred(struct pl_loop *loop);            /* deferred.c */
void pl__deferred_cancel(struct pl_deferred *deferred); /* deferred.c */
void pl__run_watchers(struct pl_loop *loop,
                      enum pl_object_kind kind);        /* watcher.c */
void pl__run_immediates(struct pl_loop *loop);          /* immediate.c */
void pl__run_timers(struct pl_loop *loop);              /* timer.c */
int pl__run_poll(struct pl_loop *loop, int timeout_ms); /* poll.c */
void pl__run_woken(struct pl_loop *loop);               /* poll.c */
void pl__run_asyncs(struct pl_loop *loop);              /* async.c */
void pl__run_done(struct pl_loop *loop);                /* work.c */
void pl__run_signals(struct pl_loop *loop);             /* signal.c */

/* What poll may wait, with a lower bound in place of long searches. */
int pl__poll_timeout(struct pl_loop *loop); /* run.c */

/* -- stopping and ending, by kind ---------------------------------------- */

void pl__watcher_stop(struct pl_watcher *watcher);
void pl__poll_stop(struct pl_poll *poll);
void pl__poll_release(struct pl_poll *poll);
void pl__stream_end(struct pl_stream *stream);
void pl__signal_stop(struct pl_signal *signal);
void pl__async_end(struct pl_async *async);

/* Makes the handle the owner of a descriptor, of which the poller is not told
 * yet. 0 or a PL_E value. */
int pl__poll_adopt(struct pl_poll *poll, int fd);

/* What a descriptor's events carry while it has its present owner. */
static inline uint64_t pl__fd_token(const struct pl_loop *loop, int fd) {
  return (uint64_t)loop->fds[fd].generation << 32 | (uint32_t)fd;
}

/* Events of a stream's descriptor; the callbacks of what it has written. */
void pl__stream_ready(struct pl_stream *stream, const struct pl_ready *ready,
                      unsigned events);
void pl__stream_report(struct pl_stream *stream);

/* Whether an async handle or a finished request waits to be reported. */
static inline bool pl__woken(struct pl_loop *loop) {
  return atomic_load(&loop->sent) != NULL || atomic_load(&loop->done) != NULL ||
         !pl__list_empty(&loop->asyncs);
}

/* Nothing but a wake-up can be ready, and nobody waits for one. */
static inline bool pl__poll_is_quiet(const struct pl_loop *loop,
                                     int timeout_ms) {
  return timeout_ms == 0 && loop->armed == 0 && !loop->picks &&
         pl__list_empty(&loop->changes);
}

/* -- parts of the loop ---------------------------------------------------- */

void pl__tasks_init(struct pl__tasks *tasks); /* task.c */
void pl__timeouts_init(struct pl_loop *loop); /* timeout.c */
void pl__timeouts_free(struct pl_loop *loop);
uint64_t pl__timeouts_digest(const struct pl_loop *loop);
void pl__timeout_ref(struct pl_timeout *timeout, bool ref);
void pl__immediate_ref(struct pl_immediate *immediate, bool ref);
int pl__pool_push(struct pl_loop *loop, struct pl_work *work); /* pool.c */
bool pl__pool_withdraw(struct pl_loop *loop, struct pl_work *work);
/* Before the loop sleeps: whether it was woken meanwhile. */
bool pl__pool_wait(struct pl_loop *loop);
void pl__pool_free(struct pl_loop *loop);
int pl__work_run(struct pl_work *work); /* its result */ /* work.c */
void pl__work_done(struct pl_work *work, int status);
int pl__stat_run(struct pl_stat *request);   /* stat.c */
int pl__file_read_run(struct pl_file_read *request); /* file_read.c */
extern const struct pl__file_calls pl__file_calls;
void pl__signals_free(struct pl_loop *loop); /* signal.c */
void pl__signals_readable(struct pl_loop *loop);

#endif

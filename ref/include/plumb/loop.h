/* SPDX-License-Identifier: MIT */
/*
 * loop.h: an event loop of seven phases with Node's queues on top.
 *
 * One iteration: pending, idle, prepare, poll, check, closing, timers. Mode
 * DEFAULT looks at timers once more, before the first iteration. Whenever a
 * callback has returned, the tick queue and the microtask queue are drained,
 * in turns, until both are empty.
 *
 * Invariants, for everything below:
 *  - The caller owns the storage of every object and lends it to the loop;
 *    each init function says until when. Nothing is allocated where a callback
 *    is scheduled, fired or cancelled. (Two tables grow with what is new to
 *    the loop: pl_poll_start() and pl_timeout_start() say when.)
 *  - The fields of an object are the loop's. Read and write them by functions.
 *  - A function is called on the thread that runs the loop unless it says
 *    "any thread".
 *  - A callback may call every function, also for the object whose callback it
 *    is, except pl_loop_run() and pl_loop_close() of the same loop, which then
 *    return PL_EBUSY.
 *  - A fallible function returns 0 or a PL_E value of error.h.
 *  - After fork() the loop belongs to the parent. The child must neither run
 *    nor close it: its poller's descriptor is shared with the parent, and its
 *    pool threads do not exist there. exec() is safe, every descriptor of the
 *    loop is close-on-exec.
 */
#ifndef PLUMB_LOOP_H
#define PLUMB_LOOP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "plumb/error.h"
#include "plumb/platform.h"

struct pl_loop;

/*
 * What a loop calls when something happened. `arg` is what the object was
 * initialised with. `status` is 0, with these exceptions: a poll handle gets
 * the mask of ready events or a PL_E value, a signal handle the signal's
 * number, a request its result (0 or a PL_E value, PL_ECANCELED when it was
 * cancelled; a file read the number of bytes instead of 0).
 */
typedef void pl_event_fn(void *arg, int status);

/* ---------------------------------------------------------------------- */
/* The loop                                                               */

enum pl_poller_choice {
  PL_POLLER_DEFAULT, /* epoll where it exists, else poll */
  PL_POLLER_URING    /* io_uring where it is allowed, else the default */
};

/* What a loop is made of (platform.h). Zeroed fields mean the default. */
struct pl_loop_config {
  struct pl_allocator allocator; /* the C library's */
  struct pl_clock clock;         /* CLOCK_MONOTONIC */
  struct pl_poller *poller;      /* taken when init succeeds; by `choice` */
  enum pl_poller_choice choice;  /* without a poller: which one is made */
  struct pl_pool *pool;          /* taken when init succeeds; threads */
  unsigned pool_threads;         /* the most that the pool may start; 4 */
};

enum pl_loop_mode {
  PL_LOOP_DEFAULT, /* until nothing is alive or stop was called */
  PL_LOOP_ONCE,    /* one iteration, may block in poll */
  PL_LOOP_NOWAIT   /* one iteration, does not block */
};

/* Bytes of storage that a loop needs, aligned for max_align_t. */
size_t pl_loop_size(void);

/*
 * Makes a loop in `loop`. config: NULL for the default.
 * Borrows `loop` until pl_loop_close() returned 0. When it fails nothing is
 * left behind and config->poller still is the caller's.
 * Errors: PL_ENOMEM, PL_EMFILE, PL_ENFILE.
 */
int pl_loop_init(struct pl_loop *loop, const struct pl_loop_config *config);

/*
 * Ends a loop: joins the pool's threads and frees what the loop allocated.
 * Node's queues need not be empty, what they hold is forgotten.
 * Errors: PL_EBUSY while it runs, or while a handle is not closed or a request
 * not reported; the loop is then unchanged.
 * Source: libuv documentation, uv_loop_close().
 */
int pl_loop_close(struct pl_loop *loop);

/*
 * Runs the loop. Returns 1 when something is still alive, 0 when not.
 * Errors: PL_EBUSY when the loop already runs; what the poller's wait()
 * failed with, other than PL_EINTR, which is retried.
 * Rule: LOOP-PHASE-1 to -9, LOOP-RUN-1 to -7, with the trait
 * timers-after-poll.
 */
int pl_loop_run(struct pl_loop *loop, enum pl_loop_mode mode);

/* What the loop sleeps in: "epoll", "poll", "io_uring", "virtual". */
const char *pl_loop_poller_name(const struct pl_loop *loop);

/* Makes the running, or else the next, pl_loop_run() return early: the
 * iteration under way is completed and poll does not block.
 * Rule: LOOP-STOP-1 to -6. */
void pl_loop_stop(struct pl_loop *loop);

/* 1 when an active referenced handle, a request, a deferred call, a referenced
 * timeout or immediate, or a closing handle exists.
 * Rule: LOOP-ALIVE-1 to -11. */
int pl_loop_alive(const struct pl_loop *loop);

/* Cached loop time in milliseconds, arbitrary start. It moves after poll,
 * before timers, and where a timeout is started.
 * Rule: LOOP-TIME-1, LOOP-TIME-3. */
uint64_t pl_loop_now(const struct pl_loop *loop);

/* Reads the clock into the cached loop time. Rule: LOOP-TIME-2. */
void pl_loop_update_time(struct pl_loop *loop);

/* What poll would wait if entered now: 0, milliseconds (up to INT_MAX), or -1
 * for ever. Unlike libuv's it makes no exception for a loop that has not run
 * yet. Rule: LOOP-POLL-1 to -10. */
int pl_loop_backend_timeout(const struct pl_loop *loop);

/* Drains ticks and microtasks until both queues are empty: the end of a main
 * script. Called inside a tick or a microtask it does nothing.
 * Rule: LOOP-TICK-1, LOOP-TICK-2. */
void pl_loop_drain(struct pl_loop *loop);

/* ---------------------------------------------------------------------- */
/* What objects have in common                                            */

enum pl_object_kind {
  PL_OBJECT_TIMER,
  PL_OBJECT_IDLE,
  PL_OBJECT_PREPARE,
  PL_OBJECT_CHECK,
  PL_OBJECT_ASYNC,
  PL_OBJECT_POLL,
  PL_OBJECT_SIGNAL,
  PL_OBJECT_TIMEOUT,
  PL_OBJECT_IMMEDIATE,
  PL_OBJECT_WORK,
  PL_OBJECT_STAT,
  PL_OBJECT_FILE_READ,
  PL_OBJECT_STREAM,
  PL_OBJECT_WRITE
};

/* A place in a circular list; an unlinked one points to itself. */
struct pl_link {
  struct pl_link *next, *prev;
};

/* The head of every object but tasks: 48 bytes, `word` is the kind's. */
struct pl_object {
  struct pl_loop *loop;
  pl_event_fn *fn; /* the close callback once closing */
  void *arg;
  uint8_t kind;  /* enum pl_object_kind */
  uint8_t flags; /* PL__ACTIVE and so on, internal.h */
  uint16_t label; /* of a recorder, recorder.h; 0: none */
  uint32_t word;
  struct pl_link link; /* in the one list where an object of its kind waits */
};

/*
 * Handles (timer, idle, prepare, check, async, poll, signal, stream) live from
 * init until their close callback; `handle` is the address of any of them.
 *
 * pl_handle_close   stops it; no callback of it comes any more but `closed`
 *                   (may be NULL), in the closing phase, the last closed one
 *                   first; one closed there waits for the next iteration. The
 *                   storage is the caller's again when `closed` is called.
 *                   PL_EINVAL when already closing. From now on starting it
 *                   is PL_EINVAL and stopping it changes nothing; neither needs
 *                   the loop, which may have ended.
 *                   Rule: LOOP-CLOSE-1 to -7.
 * pl_handle_stop    makes it inactive; stopping a stopped one is no error. An
 *                   async handle cannot be stopped: PL_EINVAL.
 * pl_object_ref     flags, not counters: whether an active handle keeps the
 * pl_object_unref   loop alive. New ones do. Rule: LOOP-ALIVE-2.
 */
int pl_handle_close(void *handle, pl_event_fn *closed);
int pl_handle_stop(void *handle);

/* These also serve timeouts and immediates. A closing handle is not active.
 * An immediate that waits no more has no reference. */
void pl_object_ref(void *object);
void pl_object_unref(void *object);
int pl_object_has_ref(const void *object);
int pl_object_is_active(const void *object);
int pl_object_is_closing(const void *object);

/* ---------------------------------------------------------------------- */
/* Handles                                                                */

/* A repeat longer than this many milliseconds (49 days) counts as this. */
#define PL_TIMER_REPEAT_MAX UINT32_MAX

/* One cache line. */
struct pl_timer {
  struct pl_object head; /* word: repeat, ms */
  uint64_t due;          /* loop time, ms */
  uint64_t order;        /* start order: decides between equal `due` */
};

/* Prepares a timer, inactive. Borrows it until its close callback. */
void pl_timer_init(struct pl_loop *loop, struct pl_timer *timer,
                   pl_event_fn *fn, void *arg);

/*
 * Makes the timer due `after_ms` from the cached loop time (saturating), and
 * then every `repeat_ms` (0: one shot), counted from the loop time at which it
 * fires. Starting a started timer moves it behind all that are due at the same
 * time. A timer started in a timer callback waits for the next timers phase,
 * also with 0 ms. Timers fire in order of (due, start order).
 * Errors: PL_EINVAL on a closing handle.
 * Rule: LOOP-TIMER-1 to -17, LOOP-TIME-4, with the trait
 * zero-timer-next-iteration.
 */
int pl_timer_start(struct pl_timer *timer, uint64_t after_ms,
                   uint64_t repeat_ms);

/* Restarts a repeating timer with its repeat value; does nothing to a one-shot
 * timer. Errors: PL_EINVAL when it was never started or is closing.
 * Rule: LOOP-TIMER-7 to -9. */
int pl_timer_again(struct pl_timer *timer);

/* Sets the repeat value, milliseconds; the shot under way keeps its time.
 * Rule: LOOP-TIMER-10. */
void pl_timer_set_repeat(struct pl_timer *timer, uint64_t repeat_ms);

/* An idle, prepare or check handle. Each runs once per iteration, the last
 * started first. While an idle handle is active, poll does not block. */
struct pl_watcher {
  struct pl_object head;
};

/* kind: PL_OBJECT_IDLE, PL_OBJECT_PREPARE or PL_OBJECT_CHECK. Borrows the
 * watcher until its close callback. */
void pl_watcher_init(struct pl_loop *loop, enum pl_object_kind kind,
                     struct pl_watcher *watcher, pl_event_fn *fn, void *arg);

/* Starts it; one started during its own phase waits for the next iteration.
 * Starting a started one changes nothing. Errors: PL_EINVAL when closing.
 * Rule: LOOP-WATCH-1 to -6. */
int pl_watcher_start(struct pl_watcher *watcher);

struct pl_async {
  struct pl_object head;
  uint64_t order;                   /* init order */
  _Atomic(struct pl_async *) below; /* in the stack of the sent */
  atomic_int sent;
  atomic_int senders; /* threads inside pl_async_send() */
};

/* Prepares an async handle, active until closed. Borrows it until its close
 * callback. */
void pl_async_init(struct pl_loop *loop, struct pl_async *async,
                   pl_event_fn *fn, void *arg);

/*
 * Wakes the loop and has the callback called in the poll phase, once for any
 * number of sends before it. What the sender wrote before is visible to the
 * callback. Of several sent handles the one initialised first is first; one
 * sent from an async callback still runs in this pass if it was initialised
 * later than the running one, else in the next iteration.
 * Any thread, async-signal-safe. After pl_handle_close() it does nothing, and is
 * allowed until the close callback.
 * Rule: LOOP-ASYNC-1 to -7.
 */
int pl_async_send(struct pl_async *async);

/* A call in the pending phase, for completions that must not be reported
 * where they were found: streams, and failed registrations of pl_poll. */
struct pl_deferred {
  struct pl_link link;
  pl_event_fn *fn;
  void *arg;
  int status;
};

/* Queues the call; an already queued one keeps its place. Borrows it until it
 * is called. */
void pl_deferred_init(struct pl_deferred *deferred, pl_event_fn *fn, void *arg);
void pl_deferred_post(struct pl_loop *loop, struct pl_deferred *deferred,
                      int status);

struct pl_poll {
  struct pl_object head;     /* word: the poll in which it was stopped */
  struct pl_link change;     /* in the list of masks to tell the poller */
  struct pl_deferred failed; /* reports a change that the poller refused */
  int fd;                    /* -1: none */
};

/* Prepares a poll handle, inactive. Borrows it until its close callback. */
void pl_poll_init(struct pl_loop *loop, struct pl_poll *poll, pl_event_fn *fn,
                  void *arg);

/*
 * Watches `fd` for `events` (PL_READABLE, PL_WRITABLE), level-triggered. The
 * first start for a descriptor registers it at once; later changes of the
 * mask, stops included, wait for the next poll and cost nothing when the mask
 * is then what it was.
 * fd: borrowed from the first start until the handle is closed or started with
 * another descriptor; after a stop it may be closed once the loop has polled.
 * Closed earlier while a duplicate of it is open, the kernel goes on reporting
 * it.
 * May allocate for a descriptor higher than all before.
 * Errors: PL_EINVAL (closing, bad mask), PL_EBADF, PL_EPERM (a regular file),
 * PL_EEXIST (another active handle watches it), PL_ENOMEM, PL_ENOSPC.
 * Rule: LOOP-IO-1 to -5.
 */
int pl_poll_start(struct pl_poll *poll, int fd, unsigned events);

/*
 * A connected stream: a socket or a pipe.
 *
 * Bytes came: `data` is borrowed during the call. `length` 0 is the end of the
 * stream, and a negative one is a PL_E value; both come once, and last.
 */
typedef void pl_stream_fn(void *arg, const void *data, ptrdiff_t length);

struct pl_stream {
  struct pl_object head;
  struct pl_poll io;          /* the loop's own: readiness */
  struct pl_deferred finish;  /* reports `written` */
  struct pl_link writes;      /* under way, in order */
  struct pl_link written;     /* to be reported */
  pl_stream_fn *read;         /* NULL: not reading */
  const void *data;           /* what is being reported */
  ptrdiff_t length;
  uint8_t state; /* enum pl__stream_state, internal.h */
};

struct pl_write {
  struct pl_object head; /* link: in one of the stream's lists */
  struct pl_stream *stream;
  const char *data;
  size_t left;
  int status;
};

/* Prepares a stream, inactive. Borrows it until its close callback. */
void pl_stream_init(struct pl_loop *loop, struct pl_stream *stream, void *arg);

/*
 * Gives the stream its descriptor, which is made non-blocking. fd: borrowed
 * until the close callback.
 * Errors: PL_EINVAL (closing), PL_EBUSY (it has one), PL_EBADF, PL_EEXIST
 * (a handle of the loop has it), PL_ENOMEM.
 */
int pl_stream_open(struct pl_stream *stream, int fd);

/*
 * Calls back with what comes, in the poll phase, until the end, an error, or
 * the stream is closed; pl_handle_stop() does not stop it (PL_EINVAL). The
 * stream is active meanwhile. May allocate for the first stream of a loop.
 * Errors: PL_EINVAL (closing), PL_EBADF (not open), PL_EBUSY (it reads),
 * PL_ENOMEM, and as pl_poll_start().
 */
int pl_stream_read(struct pl_stream *stream, pl_stream_fn *fn);

/* Prepares a request. Borrows it from pl_stream_write() until its callback is
 * called. */
void pl_write_init(struct pl_loop *loop, struct pl_write *write,
                   pl_event_fn *fn, void *arg);

/*
 * Writes all of `data`, behind what was to be written before. The callback
 * comes in the pending phase, or, with PL_ECANCELED, right before the stream's
 * close callback; a write to a closed peer gets PL_EPIPE.
 * Borrows `data` until the callback. Errors: PL_EINVAL (closing), PL_EBADF (not
 * open), PL_EBUSY (the request is under way).
 */
int pl_stream_write(struct pl_stream *stream, struct pl_write *write,
                    const void *data, size_t length);

struct pl_signal {
  struct pl_object head; /* word: signal number */
};

/* Prepares a signal handle, inactive. Borrows it until its close callback. */
void pl_signal_init(struct pl_loop *loop, struct pl_signal *signal,
                    pl_event_fn *fn, void *arg);

/*
 * Has the callback called at the end of a poll phase, once per delivery, in
 * order of arrival; of several handles of one signal the one started first is
 * first. Starting again replaces the number. The process's disposition of
 * `signum` is the loop's while a handle of it is active and then what it was.
 * Errors: PL_EINVAL (closing, or a signal that cannot be caught), PL_EMFILE,
 * PL_ENOMEM, PL_ENOSPC (more than 64 loops of a process with signals).
 * Rule: LOOP-SIGNAL-1 to -6.
 */
int pl_signal_start(struct pl_signal *signal, int signum);

/* ---------------------------------------------------------------------- */
/* Node's queues                                                          */

/* setTimeout and setInterval. */
struct pl_timeout {
  struct pl_object head; /* word: duration, ms */
  uint64_t start;        /* loop time at which the countdown began, ms */
  struct pl_timeout_list *list;
};

/* Prepares a timeout. Borrows it from its start until it fired (a one-shot) or
 * was cleared; its own callback may free it, then. */
void pl_timeout_init(struct pl_loop *loop, struct pl_timeout *timeout,
                     pl_event_fn *fn, void *arg);

/*
 * Starts the countdown from a fresh reading of the clock (which becomes the
 * cached loop time). delay_ms: what a JavaScript number may be; fractions are
 * truncated, what is not within [1, 2^31-1] is 1. repeating: 0 or 1, and then
 * counted from the start of each callback.
 * Timeouts of one duration form a list; a list that is due runs whole, up to
 * the first that is not due by the one clock reading of the pass.
 * May allocate for more distinct durations at a time than ever before.
 * Errors: PL_ENOMEM.
 * Rule: LOOP-TIMEOUT-1 to -16, LOOP-TIME-6, with the trait timer-lists.
 * Source: Node 20, lib/internal/timers.js.
 */
int pl_timeout_start(struct pl_timeout *timeout, double delay_ms,
                     int repeating);

/* timeout.refresh(): the countdown begins again, also after it fired; nothing
 * happens to a cleared one. Errors: PL_ENOMEM.
 * Rule: LOOP-TIMEOUT-12 to -14. */
int pl_timeout_refresh(struct pl_timeout *timeout);

/* clearTimeout(): a no-op on what is not waiting. Rule: LOOP-CLEAR-1 to -7. */
void pl_timeout_clear(struct pl_timeout *timeout);

/* setImmediate. */
struct pl_immediate {
  struct pl_object head;
};

/* Prepares an immediate. Borrows it from its start until its callback is
 * called or it is cleared. */
void pl_immediate_init(struct pl_loop *loop, struct pl_immediate *immediate,
                       pl_event_fn *fn, void *arg);

/* Runs it at the end of the check phase; poll does not block until then. One
 * started by a running immediate waits for the next iteration.
 * Errors: PL_EBUSY when it waits already.
 * Rule: LOOP-CHECK-1 to -8, LOOP-POLL-10. */
int pl_immediate_start(struct pl_immediate *immediate);

/* clearImmediate(): a no-op on what is not waiting. */
void pl_immediate_clear(struct pl_immediate *immediate);

/* A call in the tick queue (process.nextTick) or the microtask queue
 * (queueMicrotask). */
struct pl_task {
  struct pl_loop *loop;
  pl_event_fn *fn;
  void *arg;
  struct pl_task *next; /* NULL when in no queue */
};

/* Prepares a task. Borrows it from its queueing until it is called. */
void pl_task_init(struct pl_loop *loop, struct pl_task *task, pl_event_fn *fn,
                  void *arg);

/* Append the task to a queue. Errors: PL_EBUSY when it waits already.
 * Rule: LOOP-TICK-1 to -11, LOOP-MICRO-1 to -4. */
int pl_task_tick(struct pl_task *task);
int pl_task_microtask(struct pl_task *task);

/* ---------------------------------------------------------------------- */
/* Requests                                                               */

/* A job on the loop's thread pool. */
struct pl_work {
  struct pl_object head; /* word: enum pl__work_state */
  void (*job)(void *arg);
  struct pl_work *below;           /* in the stack of the done */
  _Atomic(struct pl_work *) *slot; /* where it waits for a thread */
  int status;
};

/* Prepares a request. Borrows it from its submission until its callback is
 * called. */
void pl_work_init(struct pl_loop *loop, struct pl_work *work, pl_event_fn *fn,
                  void *arg);

/*
 * Runs job(arg) on a thread of the pool, first come, first served, then the
 * callback in the poll phase. The pool starts its threads when it needs them;
 * they block all signals. When it has just been busy, and as long as the loop
 * does not come to its poll phase, a job may wait up to a millisecond behind a
 * long one before another thread looks after it.
 * Errors: PL_EBUSY when it is under way already, PL_ENOMEM, PL_EAGAIN (no
 * thread could be started).
 * Rule: LOOP-POOL-1 to -10.
 */
int pl_work_submit(struct pl_work *work, void (*job)(void *arg));

/*
 * Takes a request that no thread has begun out of the queue; its callback gets
 * PL_ECANCELED. Cancelled requests report in the order of their cancelling,
 * without waiting for those that run.
 * work: a pl_work, or the address of a pl_stat or pl_file_read.
 * Errors: PL_EBUSY when it is running or done.
 * Rule: LOOP-POOL-3, LOOP-POOL-4, LOOP-POOL-8.
 */
int pl_work_cancel(void *work);

/* stat(2) on the pool. */
struct pl_stat {
  struct pl_work work;
  const char *path;
  struct stat result; /* valid in a callback whose status is 0 */
};

/* As pl_work_init(). */
void pl_stat_init(struct pl_loop *loop, struct pl_stat *request,
                  pl_event_fn *fn, void *arg);

/* Borrows `path` until the callback. Errors: as pl_work_submit().
 * Rule: LOOP-FS-1 to -8. */
int pl_stat_submit(struct pl_stat *request, const char *path);

/* A whole file, of up to PL_FILE_READ_MOST bytes, read into memory. */
#define PL_FILE_READ_MOST (INT32_MAX - 1)
struct pl_file_read {
  struct pl_work work;
  const char *path;
  char *buffer;
  size_t capacity;
};

/* As pl_work_init(). */
void pl_file_read_init(struct pl_loop *loop, struct pl_file_read *request,
                       pl_event_fn *fn, void *arg);

/*
 * Reads the file at `path` from its begin to its end into `buffer`. The
 * callback's status is how many bytes it has; PL_EFBIG when it has more than
 * `capacity`; or why it cannot be opened or read (PL_EISDIR for a directory).
 * After an error the buffer holds anything.
 * What the kernel has in its caches (the path's parts, the file's pages), up to
 * 64 KB, is read at once, which never blocks; everything else is read on the
 * pool. The callback comes in the poll phase either way.
 * Borrows `path` and `buffer` until the callback.
 * Errors: PL_EINVAL (a capacity above PL_FILE_READ_MOST), and as
 * pl_work_submit().
 */
int pl_file_read_submit(struct pl_file_read *request, const char *path,
                        void *buffer, size_t capacity);

#endif

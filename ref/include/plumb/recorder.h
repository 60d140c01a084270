/* SPDX-License-Identifier: MIT */
/*
 * recorder.h: who held the loop: the time of every callback, and how late every
 * timer was.
 *
 * A recorder is attached to a loop and keeps the last `capacity` records in a
 * ring. It reads the loop's clock (the default one to the nanosecond) twice per
 * callback; a loop without a recorder pays one branch per callback and reads
 * nothing.
 *
 * Invariants:
 *  - Nothing is allocated after pl_recorder_create() but for names.
 *  - Records are in the order in which they began. pl_recorder_count() is how
 *    many were ever begun; what the ring has no room for any more is the
 *    oldest, and counted as dropped.
 *  - Every function is called on the thread that runs the loop.
 */
#ifndef PLUMB_RECORDER_H
#define PLUMB_RECORDER_H

#include "plumb/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pl_phase {
  PL_PHASE_MAIN, /* outside pl_loop_run() */
  PL_PHASE_PENDING,
  PL_PHASE_IDLE,
  PL_PHASE_PREPARE,
  PL_PHASE_POLL,
  PL_PHASE_CHECK,
  PL_PHASE_CLOSING,
  PL_PHASE_TIMERS
};

/* What was called; the kinds of objects keep their numbers. */
enum pl_record_kind {
  PL_RECORD_TIMER = PL_OBJECT_TIMER,
  PL_RECORD_TIMEOUT = PL_OBJECT_TIMEOUT,
  PL_RECORD_DEFERRED = PL_OBJECT_WRITE + 1,
  PL_RECORD_CLOSE, /* the close callback of any handle */
  PL_RECORD_TICK,
  PL_RECORD_MICROTASK,
  PL_RECORD_WAIT /* no callback: the loop waits in its poller */
};

/* `late_ns` of what has no time at which it is due. */
#define PL_RECORD_NOT_DUE UINT64_MAX

/* Times by the loop's clock, nanoseconds. */
struct pl_record {
  uint64_t start_ns;
  uint64_t duration_ns; /* 0 while it runs */
  uint64_t late_ns;     /* timers and timeouts: begun minus due */
  pl_event_fn *fn;      /* NULL: a wait */
  uint16_t label;       /* the object's, 0: none */
  uint8_t phase;        /* enum pl_phase; a task has that of its drain */
  uint8_t kind;         /* enum pl_record_kind */
};

struct pl_recorder;

/*
 * Makes a recorder of at most `capacity` records (32 to 48 bytes each), which
 * are allocated here. allocator: NULL for the C library's; copied.
 * Gives *out, free with pl_recorder_destroy().
 * Errors: PL_EINVAL (a capacity of 0), PL_ENOMEM.
 */
int pl_recorder_create(const struct pl_allocator *allocator, size_t capacity,
                       struct pl_recorder **out);

/* Frees a recorder, which no loop has any more. NULL is no error. */
void pl_recorder_destroy(struct pl_recorder *recorder);

/*
 * Attaches a recorder, instead of the one that the loop has, or (NULL) detaches
 * that one. Recorded time begins when a recorder is first attached and ends
 * when it is detached. Borrows it until then, and until the callback has
 * returned in which it is detached. A recorder keeps what it has, and may be
 * attached again, to the same loop.
 */
void pl_loop_record(struct pl_loop *loop, struct pl_recorder *recorder);

/*
 * Makes a label: a name for people, where the code is (`url`: a path or URL,
 * may be NULL; `line` from 1, 0: unknown), copied. `fn`, unless NULL: every
 * callback by this function has the label, if its object has none.
 * *label, unless `label` is NULL, is for pl_object_set_label().
 * Errors: PL_ENOMEM, PL_ENOSPC (65,535 labels).
 */
int pl_recorder_name(struct pl_recorder *recorder, const char *name,
                     const char *url, int line, pl_event_fn *fn,
                     uint16_t *label);

/* Labels an object (not a task) for its recorder; init functions reset it.
 * 0: none. */
void pl_object_set_label(void *object, uint16_t label);

/* How many records were begun, and how many of them are gone. */
uint64_t pl_recorder_count(const struct pl_recorder *recorder);
uint64_t pl_recorder_dropped(const struct pl_recorder *recorder);

/* The kept record of that number, 0 to count - dropped - 1, oldest first, until
 * the next callback. */
const struct pl_record *pl_recorder_at(const struct pl_recorder *recorder,
                                       size_t number);

#ifdef __cplusplus
}
#endif
#endif

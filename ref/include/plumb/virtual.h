/* SPDX-License-Identifier: MIT */
/*
 * virtual.h: a loop in a world of choices: its clock, its poller and its pool
 * ask what happens next, so that whoever answers can walk through every run
 * that a program may have.
 *
 * What is asked, and what is taken for granted (all times in milliseconds):
 *  - The clock. A reading finds that no time has passed since the last one, or
 *    up to what is left of `slack_ms`: so much may pass unasked in a run, in
 *    all. It is asked only while a timer waits. What passes in
 *    pl_virtual_pass() and while the loop sleeps is not counted.
 *  - Overdue timeouts. Those that became due while others ran come in the next
 *    iteration: whether it sleeps for a millisecond first, as this loop does, or
 *    not at all, as Node's does, is asked.
 *  - Readiness. Descriptors of this process, and signals to it, are ready when
 *    they are; which of the ready ones is served first is asked.
 *  - The pool. Jobs are begun in the order of their submission, by as many
 *    threads as there are, and take the time that `duration_ms` says. Each may
 *    begin, and end, up to `late_ms` late. Which of those that may have ended have, in which order,
 *    is asked whenever the loop looks or a request is cancelled, and so is
 *    whether that one has begun. A job runs when it ends, on the loop's thread.
 *  - Order. With `any_order` the order in which the loop calls idle, prepare,
 *    check and async handles, the handles of a signal, and close callbacks of
 *    one phase is asked too, and how many of several deliveries of a signal
 *    become one; without it, it is the loop's own.
 *  - A loop that turns 64 times without time passing has taken a millisecond.
 *
 * Invariant: with the same answers a loop does the same.
 */
#ifndef PLUMB_VIRTUAL_H
#define PLUMB_VIRTUAL_H

#include "plumb/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a poll phase is told about the state in which it begins. */
enum pl_virtual_seen {
  PL_VIRTUAL_NEW,   /* go on */
  PL_VIRTUAL_KNOWN, /* give up: pl_loop_run() returns PL_ECANCELED */
  PL_VIRTUAL_SAME   /* nothing happened since the last one: let time pass */
};

/* Zeroed fields mean: the C library's memory, 4 threads, no slack, jobs that
 * take no time, one answer (0) to every question. `arg` is the argument that
 * an object was initialised with. */
struct pl_virtual_config {
  struct pl_allocator allocator;
  unsigned threads;
  unsigned slack_ms;
  unsigned late_ms;
  int any_order;
  void *self; /* the first argument of all that follow */
  /* Answers with less than `options`, which is at least 2. `what` names the
   * question and the options: "question: first|second". Borrowed during the
   * call. */
  unsigned (*choose)(void *self, const char *what, unsigned options);
  /* A poll phase begins in a state with that digest: of what the loop knows
   * and its callers do not. */
  enum pl_virtual_seen (*seen)(void *self, uint64_t state);
  /* How long a job or stat request blocks its thread. */
  uint64_t (*duration_ms)(void *self, const void *arg);
  /* A digest of what an object's callback will do; NULL: all are different.
   * Of objects with one digest only one is offered at a time. */
  uint64_t (*digest)(void *self, const void *arg);
  /* What an object is called in a question; valid until the next call. */
  const char *(*label)(void *self, const void *arg);
};

/*
 * Makes a loop in `loop` whose world is virtual; everything else about it is as
 * pl_loop_init() says. When nothing can happen any more pl_loop_run() returns
 * PL_EDEADLK instead of sleeping for ever, and PL_ENOSPC when a question had
 * more than 256 options.
 * Errors: PL_ENOMEM.
 */
int pl_virtual_loop_init(struct pl_loop *loop,
                         const struct pl_virtual_config *config);

/* What the clock of such a loop shows, nanoseconds; asks nothing. */
uint64_t pl_virtual_ns(const struct pl_loop *loop);

/* The thread that runs such a loop is busy for so many milliseconds. */
void pl_virtual_pass(struct pl_loop *loop, uint64_t ms);

#ifdef __cplusplus
}
#endif

#endif

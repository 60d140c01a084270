/* SPDX-License-Identifier: MIT */
/*
 * timers.h: n one-shot timers in a loop, for the benchmarks of timers.
 *
 * Invariant: a timer's delay is drawn before a batch and lies in its item's
 * key, so that neither drawing nor shuffling is measured.
 */
#ifndef BENCH_TIMERS_H
#define BENCH_TIMERS_H

#include "fixture.h"

struct timers {
  struct fixture fixture;
  uint64_t random;
  uint32_t *order; /* a shuffled list of all indices */
  int refused;     /* calls that returned an error */
};

/* The numbers of timers that are measured. */
enum { TIMER_SIZES = 4 };
extern const int64_t timer_sizes[TIMER_SIZES];

/* For bench.supports. */
bool timers_supported(const void *subject, int64_t n);

/* Opens a loop with n timers. NULL, or what went wrong; then nothing is left.
 * timers_close() ends them, and tells when a call was refused. */
const char *timers_open(struct timers *timers, const void *subject, int64_t n);
const char *timers_close(struct timers *timers);

/* Draws delays: equal ones of `most` ms, or random ones of 1 to `most`. */
void timers_draw(struct timers *timers, uint64_t most, bool equal);
/* Starts, or stops, all of them, in the order of their indices. */
void timers_arm(struct timers *timers);
void timers_stop(struct timers *timers);
/* Starts all of them in the shuffled order. */
void timers_arm_shuffled(struct timers *timers);

/* Some loops with n timers each, where one would not be enough work for a
 * batch: the processor comes to it from a system call, with nothing in mind. */
enum { TIMER_LOOPS = 16 };

struct timer_loops {
  size_t count;
  struct timers loops[TIMER_LOOPS];
};

/* Opens `count` of them; ends all. NULL, or what went wrong; then nothing is
 * left, or as much as possible has been ended. */
const char *timer_loops_open(struct timer_loops *all, const void *subject,
                             int64_t n, size_t count);
const char *timer_loops_close(struct timer_loops *all);

/* Lets real time pass, which is not measured. */
void pass_ms(long ms);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * clock.h: what the default clock remembers, and the one question that is
 * asked of it in every iteration: whether its millisecond is over.
 */
#ifndef PLUMB_LOOP_CLOCK_H
#define PLUMB_LOOP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <x86intrin.h>
#define PL__HAVE_COUNTER 1
#else
#define PL__HAVE_COUNTER 0
#endif

struct pl__gate {
  uint64_t ns, ticks;    /* the last reading, and the counter at it */
  uint64_t quiet;        /* ticks after it for which the ms cannot change */
  uint64_t ticks_per_us; /* 0: not known */
  uint64_t base_ns, base_ticks; /* where the rate is measured from */
};

/* The processor's counter; 0 where there is none. */
static inline uint64_t pl__counter(void) {
#if PL__HAVE_COUNTER
  return __rdtsc();
#else
  return 0;
#endif
}

/* Whether a reading would give the last one's millisecond again. Never so for
 * a zeroed gate: that of a loop with another clock. */
static inline bool pl__gate_is_quiet(const struct pl__gate *gate) {
  return gate->quiet != 0 && pl__counter() - gate->ticks < gate->quiet;
}

#endif

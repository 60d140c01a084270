/* SPDX-License-Identifier: MIT */
/*
 * spin.h: waiting awake for what another processor is about to do, since to
 * wake one that idles takes longer (bench/FIGURES.md, "Pool").
 *
 * Invariants:
 *  - Nobody waits awake where there is one processor, nor longer than
 *    PL__SPIN_NS at a time.
 *  - Each time it was in vain doubles how often it is left out before the
 *    next try, up to PL__SPIN_SKIPS times; so who idles does not spin.
 */
#ifndef PLUMB_LOOP_SPIN_H
#define PLUMB_LOOP_SPIN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { PL__SPIN_NS = 50000, PL__SPIN_PAUSES = 32, PL__SPIN_SKIPS = 255 };

struct pl__spin {
  bool allowed;   /* there is more than one processor */
  unsigned skips; /* how often to leave it out, once it was in vain */
  unsigned left;  /* of those */
};

static inline void pl__relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

/* Some tenths of a microsecond, in which nobody's cache line is asked for. */
static inline void pl__spin_pause(void) {
  for (int i = 0; i < PL__SPIN_PAUSES; i++)
    pl__relax();
}

static inline uint64_t pl__spin_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline bool pl__spin_wanted(struct pl__spin *spin) {
  if (!spin->allowed) return false;
  if (spin->left == 0) return true;
  spin->left--;
  return false;
}

static inline void pl__spin_learn(struct pl__spin *spin, bool found) {
  unsigned skips = found ? 0 : 2 * spin->skips + 1;
  spin->skips = skips < PL__SPIN_SKIPS ? skips : PL__SPIN_SKIPS;
  spin->left = spin->skips;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * clock.c: the default clock: CLOCK_MONOTONIC, asked only when its answer, in
 * milliseconds, can have changed.
 *
 *   last reading            next millisecond
 *   |<------ quiet ------->|<- 1/8 ->|
 *   answers with the last    asks
 *
 * A loop counts in milliseconds and reads its clock twice per iteration, at
 * 20 to 30 ns each. The processor's time stamp counter tells for 10 to 15 that
 * the millisecond is not over yet.
 *
 * Invariant: what is answered, cut to milliseconds, is what a reading would
 * have given. `quiet` ends an eighth early, so the counter's rate may be wrong
 * by that much; a counter that went back ends it at once; and where the counter
 * is not known to be steady, every answer is a reading.
 */
#include "internal.h"

#include <time.h>

#if PL__HAVE_COUNTER
#include <cpuid.h>

/* Bit 8 of EDX: the counter runs at one rate, whatever the processor does. */
static bool counter_is_steady(void) {
  unsigned eax, ebx, ecx, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && edx & 1u << 8;
}
#else
static bool counter_is_steady(void) {
  return false;
}
#endif

enum {
  PL__NS_PER_MS = 1000000,
  PL__UNDISTURBED = 30000 /* ticks; a reading takes a few hundred */
};

static uint64_t read_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Takes the counter's rate between two readings at least 1 ms apart. */
static void calibrate(struct pl__gate *gate, uint64_t ticks, uint64_t ns) {
  uint64_t passed = ns - gate->base_ns;
  if (passed < PL__NS_PER_MS) return;
  bool first = gate->base_ns == 0 || ticks < gate->base_ticks;
  gate->ticks_per_us = first ? 0 : (ticks - gate->base_ticks) / (passed / 1000);
  gate->base_ns = ns;
  gate->base_ticks = ticks;
}

static uint64_t gated_ns(void *self) {
  struct pl__gate *gate = self;
  if (pl__gate_is_quiet(gate)) return gate->ns;
  uint64_t ticks = pl__counter();
  uint64_t ns = read_clock();
  /* Interrupted between the two: they do not belong together. */
  if (pl__counter() - ticks > PL__UNDISTURBED) {
    gate->quiet = 0;
    return ns;
  }
  calibrate(gate, ticks, ns);
  uint64_t left = PL__NS_PER_MS - ns % PL__NS_PER_MS;
  gate->quiet = left * gate->ticks_per_us / 1000 / 8 * 7;
  gate->ns = ns;
  gate->ticks = ticks;
  return ns;
}

static uint64_t plain_ns(void *self) {
  (void)self;
  return read_clock();
}

uint64_t pl__precise_ns(struct pl_loop *loop) {
  if (loop->clock.now_ns == gated_ns) return read_clock();
  return loop->clock.now_ns(loop->clock.self);
}

struct pl_clock pl__clock_init(struct pl__gate *gate) {
  *gate = (struct pl__gate){0};
  if (!counter_is_steady()) return (struct pl_clock){.now_ns = plain_ns};
  return (struct pl_clock){.now_ns = gated_ns, .self = gate};
}

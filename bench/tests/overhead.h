/* SPDX-License-Identifier: MIT */
/*
 * overhead.h: the step that is measured twice, in C and in C++.
 */
#ifndef BENCH_OVERHEAD_H
#define BENCH_OVERHEAD_H

#include "../shim/benchmark.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const struct bench overhead_bench;

/* A step of xorshift that is taken every time: each needs the last one. */
static inline uint64_t overhead_step(uint64_t value) {
  value ^= value << 13;
  value ^= value >> 7;
  value ^= value << 17;
  __asm__ volatile("" : "+r"(value));
  return value;
}

#ifdef __cplusplus
}
#endif
#endif

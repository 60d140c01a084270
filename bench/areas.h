/* SPDX-License-Identifier: MIT */
/*
 * areas.h: all benchmarks, area by area.
 */
#ifndef BENCH_AREAS_H
#define BENCH_AREAS_H

#include "shim/benchmark.h"

/* The benchmark with that number, or NULL behind the last one. */
const struct bench *bench_at(size_t index);

#endif

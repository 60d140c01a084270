/* SPDX-License-Identifier: MIT */
/*
 * raw.h: what a planned benchmark writes down: samples, counters, pauses.
 *
 *   {"begin": NAME}
 *   {"name": NAME, "version", "batch", "batches", "cpu_ns": [...],
 *    "real_ns": [...], "counters": {...}, "involuntary": n, "elapsed_ns",
 *    "error": null, "pauses": [{"clock", "span", "list": [[begin, length],
 * ...]}, ...]}
 *
 * Invariant: a line is whole and flushed when the next one begins, so that a
 * crash loses one benchmark and can be told which.
 */
#ifndef PLUMBLINE_BENCH_RAW_H
#define PLUMBLINE_BENCH_RAW_H

#include "benchmark.h"

#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

/* The pauses of one clock, over all batches, each batch behind the last. */
struct bench_pauses {
  struct Clock {
    std::vector<std::pair<int64_t, int64_t>> list;
    int64_t before = 0; /* the spans of earlier batches */
    int64_t span = -1;  /* of this batch; negative: not told */
  };
  Clock clocks[BENCH_LOGICAL + 1];
};

class Raw {
public:
  explicit Raw(uint64_t samples);

  static void write_begin(FILE *file, const char *name);

  bench_pauses *pauses() {
    return &pauses_;
  }
  void end_batch();
  /* Nanoseconds of all the batches of a sample. */
  void add_sample(double cpu_ns, double real_ns);
  void write(FILE *file, const char *name, const struct bench &bench,
             uint64_t operations, uint64_t batches,
             const struct bench_counter *counters, size_t count,
             int64_t allocations, double syscalls, const char *error) const;

private:
  std::vector<double> cpu_;
  std::vector<double> real_;
  bench_pauses pauses_;
  bool spans_[BENCH_LOGICAL + 1] = {true, true};
  int64_t begun_; /* setup and all, until it is written */
  long switches_; /* involuntary ones, before */
};

#endif

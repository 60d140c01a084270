// SPDX-License-Identifier: MIT
//
// overhead.cc: one workload as a descriptor in C through the shim, and as
// google-benchmark's own loop in C++: what the shim costs per iteration.
//
// Invariant: both do the same step, one that no compiler can shorten.
#include "overhead.h"

#include <benchmark/benchmark.h>

static void native(benchmark::State &state) {
  uint64_t value = 88172645463325252u;
  for (auto _ : state)
    value = overhead_step(value);
  benchmark::DoNotOptimize(value);
}
BENCHMARK(native)->Name("overhead/step/impl:native");

int main(int argc, char **argv) {
  if (bench_initialize(&argc, argv, false) != 0) return 2;
  bench_register(&overhead_bench, 0, "shim", nullptr, nullptr, nullptr);
  return bench_run();
}

// SPDX-License-Identifier: MIT
//
// shim.cc: the only C++ of the project: descriptors become google-benchmark's
// benchmarks.
//
// Invariant: between ResumeTiming() and PauseTiming() there is one call of
// run() and nothing else.
#include "benchmark.h"

#include <benchmark/benchmark.h>
#include <ctime>
#include <string>

namespace {

int failures;

double process_cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 +
         static_cast<double>(now.tv_nsec);
}

// One measurement of one benchmark: the state is made and taken down here.
class Measurement {
public:
  Measurement(const struct bench &bench, const void *subject, int64_t value)
      : bench_(bench), subject_(subject), value_(value) {
  }

  void run(benchmark::State &state) {
    if (bench_.setup) {
      const char *error = bench_.setup(&data_, subject_, value_);
      if (error) return fail(state, error);
    }
    const char *error = measure(state);
    if (!error) report(state);
    const char *late = bench_.teardown ? bench_.teardown(data_) : nullptr;
    if (error || late) fail(state, error ? error : late);
  }

private:
  const char *measure(benchmark::State &state) {
    const uint64_t operations = bench_.operations(value_);
    const char *error = reset();
    if (error) return error;
    double started = process_cpu_ns();
    int64_t allocated = bench_allocations();
    while (state.KeepRunningBatch(
        static_cast<benchmark::IterationCount>(operations))) {
      bench_.run(data_);
      state.PauseTiming();
      cpu_ns_ += process_cpu_ns() - started;
      allocations_ = bench_allocations() - allocated;
      done_ += operations;
      error = bench_.check ? bench_.check(data_) : nullptr;
      if (bench_.counters) count_ = bench_.counters(data_, counters_);
      if (!error) error = reset();
      if (error) break;
      started = process_cpu_ns();
      allocated = bench_allocations();
      state.ResumeTiming();
    }
    return error;
  }

  const char *reset() const {
    return bench_.reset ? bench_.reset(data_) : nullptr;
  }

  // CPU time of all threads, per operation: google-benchmark's cpu_time is
  // that of the loop's thread, and its way to change that changes the name.
  void report(benchmark::State &state) const {
    for (size_t i = 0; i < count_; i++)
      state.counters[counters_[i].name] = counters_[i].value;
    if (bench_allocations() >= 0)
      state.counters["allocations"] = static_cast<double>(allocations_);
    state.counters["version"] = bench_.version;
    state.counters["batch"] = static_cast<double>(bench_.operations(value_));
    if (done_)
      state.counters["process_cpu_ns"] = cpu_ns_ / static_cast<double>(done_);
    state.SetItemsProcessed(static_cast<int64_t>(done_));
  }

  static void fail(benchmark::State &state, const char *error) {
    failures++;
    state.SkipWithError(error);
  }

  const struct bench &bench_;
  const void *subject_;
  const int64_t value_;
  void *data_ = nullptr;
  struct bench_counter counters_[BENCH_COUNTERS]; // of the last batch
  size_t count_ = 0;
  int64_t allocations_ = 0; // of the last batch
  double cpu_ns_ = 0;
  uint64_t done_ = 0;
};

} // namespace

int bench_initialize(int *argc, char **argv) {
  benchmark::Initialize(argc, argv);
  return benchmark::ReportUnrecognizedArguments(*argc, argv) ? -1 : 0;
}

void bench_context(const char *key, const char *value) {
  benchmark::AddCustomContext(key, value);
}

size_t bench_value_count(const struct bench *bench) {
  return bench->parameter ? bench->value_count : 1;
}

bool bench_register(const struct bench *bench, size_t index, const char *impl,
                    const void *subject) {
  const int64_t value = bench->parameter ? bench->values[index] : 0;
  if (bench->supports && !bench->supports(subject, value)) return false;
  std::string name = bench->name;
  if (bench->parameter)
    name += std::string("/") + bench->parameter + ":" + std::to_string(value);
  name += std::string("/impl:") + impl;
  benchmark::RegisterBenchmark(
      name.c_str(), [bench, subject, value](benchmark::State &state) {
        Measurement(*bench, subject, value).run(state);
      });
  return true;
}

int bench_run(void) {
  const size_t matched = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (matched == 0) return 2;
  return failures ? 1 : 0;
}

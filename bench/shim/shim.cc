// SPDX-License-Identifier: MIT
//
// shim.cc: the only C++ of the project: descriptors become google-benchmark's
// benchmarks.
//
// Invariant: between ResumeTiming() and PauseTiming() there is one call of
// run() and nothing else.
#include "benchmark.h"
#include "trace.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>

namespace {

int failures;

double process_cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 +
         static_cast<double>(now.tv_nsec);
}

// What two readings of that clock cost, which every batch has between them.
double reading_ns() {
  static const double least = [] {
    double best = 1e9;
    for (int i = 0; i < 200; i++) {
      const double started = process_cpu_ns();
      best = std::min(best, process_cpu_ns() - started);
    }
    return best;
  }();
  return least;
}

int64_t value_of(const struct bench &bench, size_t index) {
  return bench.parameter ? bench.values[index] : 0;
}

// How many system calls an operation makes, asked once.
class Syscalls {
public:
  Syscalls(char *const *command, uint64_t operations)
      : command_(command), operations_(operations) {
  }

  // Negative when they cannot be counted.
  double per_operation() {
    if (!command_) return found_;
    int64_t calls = 0;
    if (trace_count(command_, &calls) == 0)
      found_ = static_cast<double>(calls) / static_cast<double>(operations_);
    command_ = nullptr;
    return found_;
  }

private:
  char *const *command_;
  uint64_t operations_;
  double found_ = -1;
};

// One measurement of one benchmark: the state is made and taken down here.
class Measurement {
public:
  Measurement(const struct bench &bench, const void *subject, int64_t value,
              double syscalls)
      : bench_(bench), subject_(subject), value_(value), syscalls_(syscalls) {
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
      cpu_ns_ += std::max(0.0, process_cpu_ns() - started - reading_ns());
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
    if (syscalls_ >= 0) state.counters["syscalls"] = syscalls_;
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
  const double syscalls_; // per operation; negative: not counted
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

int bench_name(const struct bench *bench, size_t index, char *name,
               size_t size) {
  if (!bench->parameter) return std::snprintf(name, size, "%s", bench->name);
  return std::snprintf(name, size, "%s/%s:%lld", bench->name, bench->parameter,
                       static_cast<long long>(bench->values[index]));
}

bool bench_supports(const struct bench *bench, size_t index,
                    const void *subject) {
  return !bench->supports || bench->supports(subject, value_of(*bench, index));
}

void bench_register(const struct bench *bench, size_t index, const char *impl,
                    const void *subject, char *const *traced) {
  const int64_t value = value_of(*bench, index);
  char name[256];
  bench_name(bench, index, name, sizeof name);
  auto syscalls = std::make_shared<Syscalls>(traced, bench->operations(value));
  benchmark::RegisterBenchmark(
      (std::string(name) + "/impl:" + impl).c_str(),
      [bench, subject, value, syscalls](benchmark::State &state) {
        Measurement(*bench, subject, value, syscalls->per_operation())
            .run(state);
      });
}

const char *bench_run_traced(const struct bench *bench, size_t index,
                             const void *subject) {
  void *data = nullptr;
  const int64_t value = value_of(*bench, index);
  if (bench->setup)
    if (const char *error = bench->setup(&data, subject, value)) return error;
  const char *error = nullptr;
  for (int batch = 0; batch < 2 && !error; batch++) {
    if (bench->reset) error = bench->reset(data);
    if (error) break;
    if (batch == 1) trace_mark(true);
    bench->run(data);
    if (batch == 1) trace_mark(false);
    if (bench->check) error = bench->check(data);
  }
  const char *late = bench->teardown ? bench->teardown(data) : nullptr;
  return error ? error : late;
}

int bench_run(void) {
  const size_t matched = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (matched == 0) return 2;
  return failures ? 1 : 0;
}

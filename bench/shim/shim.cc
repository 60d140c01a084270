// SPDX-License-Identifier: MIT
//
// shim.cc: descriptors become google-benchmark's benchmarks.
//
// Invariant: between ResumeTiming() and PauseTiming() there is one call of
// run() and nothing else (but the waste that a plan asks for).
#include "benchmark.h"
#include "raw.h"
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

double real_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 +
         static_cast<double>(now.tv_nsec);
}

// Wastes CPU time: this share of what was used since `started`.
void waste(double started, double share) {
  const double used = process_cpu_ns() - started - reading_ns();
  const double end = started + used * (1 + share) - reading_ns();
  while (process_cpu_ns() < end) {
  }
}

const char *const went_backwards = "the clock went backwards";

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
              double syscalls, const struct bench_plan *plan)
      : bench_(bench), subject_(subject), value_(value), syscalls_(syscalls),
        plan_(plan), raw_(plan ? plan->samples : 0) {
  }

  // Returns NULL or the error.
  const char *run(benchmark::State &state) {
    if (bench_.setup) {
      const char *error = bench_.setup(&data_, subject_, value_);
      if (error) return fail(state, error);
    }
    const char *error = plan_ ? follow_plan(state) : measure(state);
    if (!error) report(state);
    const char *late = bench_.teardown ? bench_.teardown(data_) : nullptr;
    return error || late ? fail(state, error ? error : late) : nullptr;
  }

  void write_raw(const char *name, const char *error) const {
    raw_.write(plan_->raw, name, bench_, bench_.operations(value_),
               plan_->batches, counters_, count_, allocations_, syscalls_,
               error);
  }

private:
  // As many batches as google-benchmark wants.
  const char *measure(benchmark::State &state) {
    const char *error = begin();
    while (!error && state.KeepRunningBatch(iterations(1))) {
      error = batch(state);
      if (!error) error = begin();
      if (!error) state.ResumeTiming();
    }
    return error;
  }

  // As many as the plan says, all of them in what google-benchmark takes for
  // one batch.
  const char *follow_plan(benchmark::State &state) {
    const uint64_t batches = plan_->samples * plan_->batches;
    const char *error = begin();
    while (!error && state.KeepRunningBatch(iterations(batches)))
      for (uint64_t i = 1; i <= batches && !error; i++) {
        error = batch(state);
        if (!error) keep(i % plan_->batches == 0);
        if (!error) error = begin();
        if (!error) state.ResumeTiming();
      }
    return error;
  }

  // Keeps what the batch gave; `last`: the sample is full.
  void keep(bool last) {
    if (bench_.pauses) {
      bench_.pauses(data_, raw_.pauses());
      raw_.end_batch();
    }
    if (!last) return;
    raw_.add_sample(cpu_ns_ - cpu_before_, real_ns_ - real_before_);
    cpu_before_ = cpu_ns_;
    real_before_ = real_ns_;
  }

  benchmark::IterationCount iterations(uint64_t batches) const {
    return static_cast<benchmark::IterationCount>(bench_.operations(value_) *
                                                  batches);
  }

  const char *begin() {
    const char *error = bench_.reset ? bench_.reset(data_) : nullptr;
    allocated_ = bench_allocations();
    real_started_ = real_ns();
    started_ = process_cpu_ns();
    return error;
  }

  // One batch, begun; google-benchmark's clock runs when it is called, and is
  // stopped when it returns.
  const char *batch(benchmark::State &state) {
    bench_.run(data_);
    if (plan_ && plan_->extra > 0) waste(started_, plan_->extra);
    const double cpu = process_cpu_ns() - started_;
    const double real = real_ns() - real_started_;
    state.PauseTiming();
    allocations_ = bench_allocations() - allocated_;
    if (cpu < 0 || real < 0) return went_backwards;
    cpu_ns_ += std::max(0.0, cpu - reading_ns());
    real_ns_ += real;
    done_ += bench_.operations(value_);
    const char *error = bench_.check ? bench_.check(data_) : nullptr;
    if (bench_.counters) count_ = bench_.counters(data_, counters_);
    return error;
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

  static const char *fail(benchmark::State &state, const char *error) {
    failures++;
    state.SkipWithError(error);
    return error;
  }

  const struct bench &bench_;
  const void *subject_;
  const int64_t value_;
  const double syscalls_; // per operation; negative: not counted
  const struct bench_plan *const plan_;
  Raw raw_;
  void *data_ = nullptr;
  struct bench_counter counters_[BENCH_COUNTERS]; // of the last batch
  size_t count_ = 0;
  int64_t allocations_ = 0; // of the last batch
  int64_t allocated_ = 0;   // when the batch began
  double started_ = 0;
  double real_started_ = 0;
  double cpu_ns_ = 0;
  double real_ns_ = 0;
  double cpu_before_ = 0; // this sample
  double real_before_ = 0;
  uint64_t done_ = 0;
};

} // namespace

extern "C" void bench_measured(void (*run)(void *), void *state) {
  run(state);
  // What is behind the call keeps it from becoming a jump, which would leave
  // this function before the work begins.
  asm volatile("" ::: "memory");
}

int bench_initialize(int *argc, char **argv, bool planned) {
  benchmark::Initialize(argc, argv);
  if (planned) { // the first batch is long enough, whatever the flags say
    char shortest[] = "--benchmark_min_time=0.000000001";
    char *words[] = {argv[0], shortest, nullptr};
    int count = 2;
    benchmark::Initialize(&count, words);
  }
  return benchmark::ReportUnrecognizedArguments(*argc, argv) ? -1 : 0;
}

void bench_context(const char *key, const char *value) {
  benchmark::AddCustomContext(key, value);
}

size_t bench_value_count(const struct bench *bench) {
  return bench->parameter ? bench->value_count : 1;
}

int bench_describe_bytes(const char *name, int64_t bytes, char *text,
                         size_t size) {
  const char *units[] = {"", "K", "M", "G"};
  int unit = 0;
  while (unit < 3 && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    unit++;
  }
  return std::snprintf(text, size, "%s:%lld%s", name,
                       static_cast<long long>(bytes), units[unit]);
}

int bench_name(const struct bench *bench, size_t index, char *name,
               size_t size) {
  if (!bench->parameter) return std::snprintf(name, size, "%s", bench->name);
  if (bench->describe) {
    char value[96];
    bench->describe(bench->values[index], value, sizeof value);
    return std::snprintf(name, size, "%s/%s", bench->name, value);
  }
  return std::snprintf(name, size, "%s/%s:%lld", bench->name, bench->parameter,
                       static_cast<long long>(bench->values[index]));
}

bool bench_supports(const struct bench *bench, size_t index,
                    const void *subject) {
  return !bench->supports || bench->supports(subject, value_of(*bench, index));
}

void bench_register(const struct bench *bench, size_t index, const char *impl,
                    const void *subject, char *const *traced,
                    const struct bench_plan *plan) {
  const int64_t value = value_of(*bench, index);
  char name[256];
  bench_name(bench, index, name, sizeof name);
  auto syscalls = std::make_shared<Syscalls>(traced, bench->operations(value));
  const std::string full = std::string(name) + "/impl:" + impl;
  benchmark::RegisterBenchmark(
      full.c_str(),
      [bench, subject, value, syscalls, plan, full](benchmark::State &state) {
        if (plan) Raw::write_begin(plan->raw, full.c_str());
        Measurement measurement(*bench, subject, value,
                                syscalls->per_operation(), plan);
        const char *error = measurement.run(state);
        if (plan) measurement.write_raw(full.c_str(), error);
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
    if (batch == 0) {
      bench->run(data);
    } else {
      trace_mark(true);
      bench_measured(bench->run, data);
      trace_mark(false);
    }
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

// SPDX-License-Identifier: MIT
//
// raw.cc: raw samples as lines of JSON.
//
// Invariant: nothing is computed here; means, bounds and percentiles are the
// harness's.
#include "raw.h"

#include <ctime>
#include <sys/resource.h>

namespace {

const char *const clock_names[] = {"wall", "logical"};

int64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

long involuntary_switches() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

void write_text(FILE *file, const char *text) {
  std::fputc('"', file);
  for (; *text; text++) {
    const unsigned char byte = static_cast<unsigned char>(*text);
    if (byte == '"' || byte == '\\')
      std::fprintf(file, "\\%c", byte);
    else if (byte < 0x20)
      std::fprintf(file, "\\u%04x", byte);
    else
      std::fputc(byte, file);
  }
  std::fputc('"', file);
}

void write_numbers(FILE *file, const char *key,
                   const std::vector<double> &numbers) {
  std::fprintf(file, ",\"%s\":[", key);
  for (size_t i = 0; i < numbers.size(); i++)
    std::fprintf(file, "%s%.0f", i ? "," : "", numbers[i]);
  std::fputc(']', file);
}

void write_counter(FILE *file, bool *first, const char *name, double value) {
  std::fputs(*first ? "" : ",", file);
  write_text(file, name);
  std::fprintf(file, ":%.17g", value);
  *first = false;
}

void write_clock(FILE *file, const char *name, bool spans,
                 const bench_pauses::Clock &clock) {
  std::fprintf(file, "{\"clock\":\"%s\",\"span\":", name);
  if (spans)
    std::fprintf(file, "%lld", static_cast<long long>(clock.before));
  else
    std::fputs("null", file);
  std::fputs(",\"list\":[", file);
  const char *comma = "";
  for (const auto &[begin, length] : clock.list) {
    std::fprintf(file, "%s[%lld,%lld]", comma, static_cast<long long>(begin),
                 static_cast<long long>(length));
    comma = ",";
  }
  std::fputs("]}", file);
}

} // namespace

void bench_pause(struct bench_pauses *pauses, enum bench_clock clock,
                 int64_t begin, int64_t length) {
  bench_pauses::Clock &own = pauses->clocks[clock];
  own.list.emplace_back(own.before + begin, length);
}

void bench_span(struct bench_pauses *pauses, enum bench_clock clock,
                int64_t span) {
  pauses->clocks[clock].span = span;
}

Raw::Raw(uint64_t samples)
    : begun_(monotonic_ns()), switches_(involuntary_switches()) {
  cpu_.reserve(samples);
  real_.reserve(samples);
}

void Raw::end_batch() {
  for (int clock = 0; clock <= BENCH_LOGICAL; clock++) {
    bench_pauses::Clock &own = pauses_.clocks[clock];
    if (own.span < 0)
      spans_[clock] = false;
    else
      own.before += own.span;
    own.span = -1;
  }
}

void Raw::add_sample(double cpu_ns, double real_ns) {
  cpu_.push_back(cpu_ns);
  real_.push_back(real_ns);
}

void Raw::write_begin(FILE *file, const char *name) {
  std::fputs("{\"begin\":", file);
  write_text(file, name);
  std::fputs("}\n", file);
  std::fflush(file);
}

void Raw::write(FILE *file, const char *name, const struct bench &bench,
                uint64_t operations, uint64_t batches,
                const struct bench_counter *counters, size_t count,
                int64_t allocations, double syscalls, const char *error) const {
  std::fputs("{\"name\":", file);
  write_text(file, name);
  std::fprintf(file, ",\"version\":%d,\"batch\":%llu,\"batches\":%llu",
               bench.version, static_cast<unsigned long long>(operations),
               static_cast<unsigned long long>(batches));
  write_numbers(file, "cpu_ns", cpu_);
  write_numbers(file, "real_ns", real_);
  std::fputs(",\"counters\":{", file);
  bool first = true;
  for (size_t i = 0; i < count; i++)
    write_counter(file, &first, counters[i].name, counters[i].value);
  if (bench_allocations() >= 0)
    write_counter(file, &first, "allocations",
                  static_cast<double>(allocations));
  if (syscalls >= 0) write_counter(file, &first, "syscalls", syscalls);
  std::fprintf(file, "},\"involuntary\":%ld,\"elapsed_ns\":%lld,\"pauses\":[",
               involuntary_switches() - switches_,
               static_cast<long long>(monotonic_ns() - begun_));
  const char *comma = "";
  for (int clock = 0; clock <= BENCH_LOGICAL; clock++) {
    if (pauses_.clocks[clock].list.empty()) continue;
    std::fputs(comma, file);
    write_clock(file, clock_names[clock], spans_[clock], pauses_.clocks[clock]);
    comma = ",";
  }
  std::fputs("],\"error\":", file);
  if (error)
    write_text(file, error);
  else
    std::fputs("null", file);
  std::fputs("}\n", file);
  std::fflush(file);
}

// SPDX-License-Identifier: MIT
// Clocks, context switches and memory: what the meter reads.
//
// Invariant: nothing here runs between two messages of an untimed run, so a
// benchmark measures the model and not the meter.
#include "meter.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define IO_ASLEEP_NS 1000000u // shorter is the scheduler, not the model

uint64_t io_span_end(struct io_meter *m, struct io_span s) {
  if (!m->timed || !io_measured(m)) return 0;
  uint64_t cpu = io_clock(CLOCK_THREAD_CPUTIME_ID) - s.cpu_ns;
  uint64_t now = io_clock(CLOCK_MONOTONIC);
  // A thread may have gone to sleep before the measured part began.
  uint64_t from = s.mono_ns > *m->begin_ns ? s.mono_ns : *m->begin_ns;
  uint64_t wall = now > from ? now - from : 0;
  uint64_t asleep = wall > cpu ? wall - cpu : 0;
  if (io_switches() == s.switches) return cpu;
  m->wait_ns += asleep;
  if (asleep >= IO_ASLEEP_NS) m->waited++;
  return cpu;
}

void io_meter_start(struct io_meter *m, const _Atomic(int) *phase,
                    const uint64_t *begin_ns, bool timed) {
  memset(m, 0, sizeof *m);
  m->phase = phase;
  m->begin_ns = begin_ns;
  m->timed = timed;
  m->threads = 1;
}

void io_meter_add(struct io_meter *into, const struct io_meter *from) {
  for (int p = 0; p < IO_PHASES; p++)
    for (int c = 0; c < IO_CALLS; c++) into->calls[p][c] += from->calls[p][c];
  into->threads += from->threads;
  into->vain += from->vain;
  into->waited += from->waited;
  into->told += from->told;
  into->copied += from->copied;
  into->wait_ns += from->wait_ns;
  into->copy_cpu_ns += from->copy_cpu_ns;
  into->take_cpu_ns += from->take_cpu_ns;
  into->work_ns += from->work_ns;
  into->work_units += from->work_units;
  into->lived_ns += from->lived_ns;
  into->cpu_ns += from->cpu_ns;
  into->switches += from->switches;
  into->forced += from->forced;
}

uint64_t io_switches(void) {
  struct rusage r;
  getrusage(RUSAGE_THREAD, &r);
  return (uint64_t)r.ru_nvcsw;
}

static struct io_moment moment(clockid_t cpu, int who) {
  struct rusage r;
  getrusage(who, &r);
  return (struct io_moment){io_clock(CLOCK_MONOTONIC), io_clock(cpu),
                            (uint64_t)r.ru_nvcsw, (uint64_t)r.ru_nivcsw};
}

struct io_moment io_moment_of_thread(void) {
  return moment(CLOCK_THREAD_CPUTIME_ID, RUSAGE_THREAD);
}

struct io_moment io_moment_of_process(void) {
  return moment(CLOCK_PROCESS_CPUTIME_ID, RUSAGE_SELF);
}

void io_meter_first(struct io_meter *m) {
  m->first = io_moment_of_thread();
}

void io_meter_last(struct io_meter *m) {
  struct io_moment now = io_moment_of_thread();
  uint64_t from = m->first.mono_ns;
  if (from < *m->begin_ns) from = *m->begin_ns;
  m->lived_ns = now.mono_ns > from ? now.mono_ns - from : 0;
  m->cpu_ns = now.cpu_ns - m->first.cpu_ns;
  m->switches = now.switches - m->first.switches;
  m->forced = now.forced - m->first.forced;
}

// The kibibytes behind `key` in a file of the kernel's "key: value kB"
// kind, as bytes; 0 when the file or the key is missing.
static int64_t kernel_value(const char *path, const char *key) {
  FILE *f = fopen(path, "re");
  if (!f) return 0;
  char line[256];
  long long kib = 0;
  size_t len = strlen(key);
  while (fgets(line, sizeof line, f))
    if (strncmp(line, key, len) == 0 && line[len] == ':') {
      if (sscanf(line + len + 1, "%lld", &kib) != 1) kib = 0;
      break;
    }
  fclose(f);
  return (int64_t)kib * 1024;
}

// The process's own figures are exact. What the kernel keeps for it is only
// known for the whole machine: unreclaimable slab, stacks and page tables.
// Over 10,000 descriptors the difference of two readings is a usable
// estimate; over ten it is noise.
struct io_memory io_memory_now(void) {
  struct io_memory m;
  m.anonymous = kernel_value("/proc/self/smaps_rollup", "Anonymous");
  m.address_space = kernel_value("/proc/self/status", "VmSize");
  m.kernel_stack = kernel_value("/proc/meminfo", "KernelStack");
  m.kernel_bytes = m.kernel_stack +
                   kernel_value("/proc/meminfo", "SUnreclaim") +
                   kernel_value("/proc/meminfo", "PageTables");
  return m;
}

void io_own_work(struct io_meter *m) {
  uint64_t from = io_clock(CLOCK_MONOTONIC);
  volatile uint32_t sum = 0;
  for (uint32_t i = 0; i < 16000; i++) sum = sum + i;
  if (!io_measured(m)) return;
  m->work_ns += io_clock(CLOCK_MONOTONIC) - from;
  m->work_units++;
}

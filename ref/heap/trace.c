/* SPDX-License-Identifier: MIT */
/*
 * trace.c: collections as lines of text.
 *
 * Invariant: a line has the parts of V8's, in V8's order
 * (src/heap/gc-tracer.cc, PrintTrace), so that what reads those reads these.
 */
#include "plumb/trace.h"

#include <stdio.h>

void pl_trace_begin(struct pl_trace *trace, const struct pl_heap *heap,
                    unsigned long process, uint64_t now_ns, pl_trace_fn *line,
                    void *self) {
  *trace = (struct pl_trace){.line = line,
                             .self = self,
                             .heap = heap,
                             .process = process,
                             .started_ns = now_ns,
                             .ended_ns = now_ns};
}

const char *pl_trace_reason(enum pl_gc_reason reason) {
  static const char *const words[] = {
      [PL_GC_REQUESTED] = "requested",     [PL_GC_NEW_FULL] = "new space full",
      [PL_GC_OLD_GREW] = "old space grew", [PL_GC_EXTERNAL] = "external memory",
      [PL_GC_LIMIT] = "last resort",       [PL_GC_STRESS] = "stress"};
  return words[reason];
}

static double ms(uint64_t ns) {
  return (double)ns / 1e6;
}

static double mib(size_t bytes) {
  return (double)bytes / 1048576.0;
}

/* What the mutator had since the end of the collection before. */
static void share(struct pl_trace *trace, const struct pl_gc_event *event) {
  uint64_t end = event->start_ns + event->pause_ns;
  uint64_t whole = end - trace->ended_ns;
  uint64_t paused = event->pause_ns + trace->steps_ns;
  double mu = whole == 0 || paused >= whole
                  ? 0
                  : (double)(whole - paused) / (double)whole;
  bool first = trace->current_mu == 0 && trace->average_mu == 0;
  trace->current_mu = mu;
  trace->average_mu = first ? mu : (trace->average_mu + mu) / 2;
  trace->ended_ns = end;
}

static void add_step(struct pl_trace *trace, uint64_t ns) {
  trace->steps++;
  trace->steps_ns += ns;
  if (ns > trace->longest_step_ns) trace->longest_step_ns = ns;
}

static void tell_steps(const struct pl_trace *trace, char *into, size_t size) {
  if (trace->steps == 0) return;
  snprintf(into, size,
           "(+ %.1f ms in %llu steps since start of marking, biggest step "
           "%.1f ms) ",
           ms(trace->steps_ns), (unsigned long long)trace->steps,
           ms(trace->longest_step_ns));
}

void pl_trace_on_event(void *arg, const struct pl_gc_event *event) {
  struct pl_trace *trace = arg;
  char line[PL_TRACE_LINE], steps[160] = "";
  if (event->kind == PL_GC_STEP) {
    add_step(trace, event->pause_ns);
    return;
  }
  bool minor = event->kind == PL_GC_MINOR;
  share(trace, event);
  if (!minor) tell_steps(trace, steps, sizeof steps);
  snprintf(line, sizeof line,
           "[%lu:%p] %8.0f ms: %s %.1f (%.1f) -> %.1f (%.1f) MB, %.2f / 0.00 "
           "ms %s (average mu = %.3f, current mu = %.3f) %s",
           trace->process, (const void *)trace->heap,
           ms(event->start_ns - trace->started_ns),
           minor ? "Scavenge" : "Mark-Compact", mib(event->before),
           mib(event->committed_before), mib(event->after),
           mib(event->committed_after), ms(event->pause_ns), steps,
           trace->average_mu, trace->current_mu,
           pl_trace_reason(event->reason));
  if (!minor) trace->steps = trace->steps_ns = trace->longest_step_ns = 0;
  trace->line(trace->self, line);
}

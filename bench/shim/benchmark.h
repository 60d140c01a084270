/* SPDX-License-Identifier: MIT */
/*
 * benchmark.h: google-benchmark for C: a benchmark is a descriptor.
 *
 * Invariants:
 *  - What is measured is run() alone, a batch of operations at a time: the
 *    boundary between C and C++ and the reading of clocks are paid per batch
 *    and lie outside the measured region.
 *  - No right answer, no time: check() sees every batch; a benchmark whose
 *    check fails is reported as an error and the exit status is not 0.
 *
 *     setup -> reset -> run | check -> reset -> run | ... | check -> teardown
 *                       ^^^                    ^^^  the only parts measured
 */
#ifndef PLUMBLINE_BENCH_SHIM_H
#define PLUMBLINE_BENCH_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_COUNTERS = 8 };

/* A figure that must not depend on time, about one batch: loop turns, calls,
 * bytes. */
struct bench_counter {
  const char *name; /* a literal */
  double value;
};

/* What a pause is told in. */
enum bench_clock {
  BENCH_WALL,    /* nanoseconds */
  BENCH_LOGICAL, /* units of work: the same on every machine */
};

/* Where a benchmark puts its pauses: one stop of the world, or how late
 * something came, each with when it began. */
struct bench_pauses;

/* Hands over one pause of the batch. begin, length: on `clock`; begin counts
 * from the start of the batch. Pauses come in the order of their begins. */
void bench_pause(struct bench_pauses *pauses, enum bench_clock clock,
                 int64_t begin, int64_t length);
/* How long the batch was on `clock`: without it there are percentiles, but no
 * mutator utilization. */
void bench_span(struct bench_pauses *pauses, enum bench_clock clock,
                int64_t span);

/*
 * A benchmark. Functions that return text return NULL, or a literal that says
 * what went wrong: it becomes the benchmark's error. Only `operations` and
 * `run` may not be NULL.
 */
struct bench {
  const char *name;      /* a path: "loop/timers/arm" */
  int version;           /* of the workload: other versions do not compare */
  const char *parameter; /* its name, "n", or NULL without one */
  const int64_t *values; /* registered once for each of them */
  size_t value_count;
  /* Writes what a value is called, as snprintf() does, where that is not
   * parameter:value: "survivors:50%/semi:16M". */
  int (*describe)(int64_t value, char *text, size_t size);

  /* How many operations a batch is; times are per operation. */
  uint64_t (*operations)(int64_t value);
  /* Whether `subject` (bench_register's) can do it at all. */
  bool (*supports)(const void *subject, int64_t value);
  /* Makes the state; called several times, with teardown() between. When it
   * fails it has cleaned up, and teardown() is not called. */
  const char *(*setup)(void **state, const void *subject, int64_t value);
  /* Before each batch. */
  const char *(*reset)(void *state);
  /* The batch. */
  void (*run)(void *state);
  /* After each batch. */
  const char *(*check)(void *state);
  /* After check(), about the same batch: writes at most BENCH_COUNTERS and
   * returns how many. The last batch's are reported. */
  size_t (*counters)(void *state, struct bench_counter *counters);
  /* After counters(), about the same batch: hands over its pauses. Asked for
   * under a plan only. */
  void (*pauses)(void *state, struct bench_pauses *pauses);
  const char *(*teardown)(void *state);
};

/*
 * How often to measure, where that is not left to google-benchmark: `samples`
 * times `batches` batches, whatever they take, so that both sides of a
 * comparison do the same work.
 */
struct bench_plan {
  uint64_t samples;
  uint64_t batches;
  double extra; /* this share of each batch's CPU time is wasted on top of it,
                   measured: what a gate must notice */
  FILE *raw;    /* each benchmark writes two lines of JSON: that it begins, and
                   its samples */
};

/* Reads google-benchmark's own flags and takes them out of argv; `planned`:
 * every benchmark has a plan. Returns 0, or -1 when something is left that
 * nobody knows (said on stderr). */
int bench_initialize(int *argc, char **argv, bool planned);
/* Adds a line to the context that results carry. Keys are unique. */
void bench_context(const char *key, const char *value);
/* For `describe`: "NAME:48", "NAME:256K", "NAME:16M". */
int bench_describe_bytes(const char *name, int64_t bytes, char *text,
                         size_t size);
/* Writes the name of `bench` for its value number `index`,
 * name/parameter:value, and returns its length, as snprintf() does. */
int bench_name(const struct bench *bench, size_t index, char *name,
               size_t size);
/* Whether `subject` can do it. */
bool bench_supports(const struct bench *bench, size_t index,
                    const void *subject);
/*
 * Registers `bench` for its value number `index`, which `subject` supports,
 * under its name and /impl:IMPL; benchmarks run in the order of registration.
 * traced: the command that runs this one with bench_run_traced(), its words
 * NULL-terminated: its system calls are counted; NULL: they are not.
 * plan: how often to measure; NULL: google-benchmark decides.
 * Ownership: borrows everything but `impl` until bench_run() returned.
 */
void bench_register(const struct bench *bench, size_t index, const char *impl,
                    const void *subject, char *const *traced,
                    const struct bench_plan *plan);
/* Runs two batches, the second one with the mark of trace.h on and through
 * bench_measured(), whose instructions a simulator can count. Returns NULL, or
 * a literal that says what went wrong. */
const char *bench_run_traced(const struct bench *bench, size_t index,
                             const void *subject);
/* How many values a benchmark has: 1 for one without a parameter. */
size_t bench_value_count(const struct bench *bench);
/* Runs what the flags select. Exit status: 0, 1 when a benchmark was wrong,
 * 2 when nothing was selected. */
int bench_run(void);

/*
 * How often memory was asked for since the program began, by anybody in the
 * process, on any thread; -1 where that is not counted (sanitizer builds).
 */
int64_t bench_allocations(void);

#ifdef __cplusplus
}
#endif
#endif

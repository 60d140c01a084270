/* SPDX-License-Identifier: MIT */
/*
 * recorder_cost.c: what a callback costs without a recorder, with one, and
 * without it again: nanoseconds per callback, the best of many interleaved
 * rounds, because whatever disturbs a round makes it longer.
 *
 * Invariant: a round whose callbacks were not all called is an error, and so is
 * a recorder that did not hear of all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plumb/loop.h"
#include "plumb/recorder.h"

enum { BATCH = 1000, ROUNDS = 300, TURNS = 10, CAPACITY = 1 << 12 };

struct bench {
  struct pl_loop *loop;
  uint64_t calls;
  struct pl_task tasks[BATCH];
  struct pl_immediate immediates[BATCH];
  struct pl_timer timers[BATCH];
};

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void count(void *arg, int status) {
  (void)status;
  struct bench *bench = arg;
  bench->calls++;
}

static void run_ticks(struct bench *bench) {
  for (int i = 0; i < BATCH; i++)
    pl_task_tick(&bench->tasks[i]);
  pl_loop_drain(bench->loop);
}

static void run_immediates(struct bench *bench) {
  for (int i = 0; i < BATCH; i++)
    pl_immediate_start(&bench->immediates[i]);
  pl_loop_run(bench->loop, PL_LOOP_NOWAIT);
}

static void run_timers(struct bench *bench) {
  for (int i = 0; i < BATCH; i++)
    pl_timer_start(&bench->timers[i], 0, 0);
  pl_loop_run(bench->loop, PL_LOOP_NOWAIT);
}

static const struct {
  const char *name;
  void (*run)(struct bench *bench);
} workloads[] = {
    {"tick", run_ticks}, {"immediate", run_immediates}, {"timer", run_timers}};

/* Nanoseconds per callback of one round. */
static double measure(struct bench *bench, void (*run)(struct bench *bench),
                      struct pl_recorder *recorder) {
  uint64_t heard = recorder == NULL ? 0 : pl_recorder_count(recorder);
  pl_loop_record(bench->loop, recorder);
  bench->calls = 0;
  uint64_t start = now_ns();
  for (int i = 0; i < TURNS; i++)
    run(bench);
  uint64_t end = now_ns();
  pl_loop_record(bench->loop, NULL);
  if (bench->calls != TURNS * BATCH ||
      (recorder != NULL &&
       pl_recorder_count(recorder) - heard < bench->calls)) {
    fprintf(stderr, "not every callback was called, or recorded\n");
    exit(1);
  }
  return (double)(end - start) / (TURNS * BATCH);
}

static void compare(struct bench *bench, size_t workload,
                    struct pl_recorder *recorder) {
  double best[3] = {1e9, 1e9, 1e9};
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < 3; i++) {
      double ns =
          measure(bench, workloads[workload].run, i == 1 ? recorder : NULL);
      if (ns < best[i]) best[i] = ns;
    }
  printf("%-10s  %6.1f ns off  %6.1f ns on  %6.1f ns off again\n",
         workloads[workload].name, best[0], best[1], best[2]);
}

int main(void) {
  struct bench *bench = calloc(1, sizeof *bench);
  struct pl_loop *loop = malloc(pl_loop_size());
  struct pl_recorder *recorder;
  if (bench == NULL || loop == NULL || pl_loop_init(loop, NULL) != 0 ||
      pl_recorder_create(NULL, CAPACITY, &recorder) != 0) {
    fprintf(stderr, "out of memory\n");
    return 2;
  }
  bench->loop = loop;
  for (int i = 0; i < BATCH; i++) {
    pl_task_init(loop, &bench->tasks[i], count, bench);
    pl_immediate_init(loop, &bench->immediates[i], count, bench);
    pl_timer_init(loop, &bench->timers[i], count, bench);
  }
  for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
    compare(bench, i, recorder);
  for (int i = 0; i < BATCH; i++)
    pl_handle_close(&bench->timers[i], NULL);
  pl_loop_run(loop, PL_LOOP_DEFAULT);
  pl_recorder_destroy(recorder);
  int error = pl_loop_close(loop);
  free(loop);
  free(bench);
  return error == 0 ? 0 : 2;
}

/* SPDX-License-Identifier: MIT */
/*
 * run.c: a leak on a loop and a heap of its own: a turn per immediate, a full
 * collection per round, and what memory does meanwhile as lines of JSON.
 *
 * Invariant: whatever fails, the last line says how it ended, and everything
 * that was made is given back.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab.h"
#include "plumb/leaks.h"
#include "plumb/loop.h"
#include "plumb/snapshot.h"
#include "plumb/usage.h"
#include "short_memory.h"

enum { PER_ROUND = 4, NAME_MOST = 4096 };

struct run {
  const struct run_options *options;
  FILE *out;
  struct lab lab;
  void *state;
  struct short_memory memory;
  struct pl_loop *loop;
  struct pl_immediate immediate;
  struct pl_leaks memwatch; /* its rule to the letter, on the heap's objects */
  struct pl_leaks leaks;    /* the same on all that they hold, with a grain */
  uint64_t collections;     /* full ones, as the heap's events tell */
  uint64_t seen;            /* of these, after rounds that count */
  uint64_t begun_ns, n;
  int round; /* below 0: not judged */
  unsigned turn;
  int err;
};

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void on_event(void *arg, const struct pl_gc_event *event) {
  struct run *run = arg;
  if (event->kind == PL_GC_MAJOR || event->kind == PL_GC_COMPACT)
    run->collections++;
}

/* -- lines ----------------------------------------------------------------- */

static void print_start(const struct run *run) {
  const struct run_options *options = run->options;
  fprintf(run->out,
          "{\"kind\": \"start\", \"format\": 1, \"leak\": \"%s\", \"state\": "
          "\"%s\", \"implementation\": \"ref\", \"version\": \"0.1.0\", "
          "\"culprit\": \"%s\", \"rounds\": %u, \"turns\": %u}\n",
          options->leak->name, options->cured ? "cured" : "leaks",
          options->leak->culprit, options->rounds, options->turns);
}

/* Gives what is in use: the objects, and what they hold outside. */
static int sample(struct run *run, const char *at, size_t *in_use) {
  struct pl_memory_usage usage;
  int err = pl_memory_usage(run->lab.heap, &usage);
  if (err != 0) return err;
  *in_use = usage.heap_used + usage.external;
  if (run->round < 0) return 0;
  fprintf(run->out,
          "{\"kind\": \"sample\", \"at\": \"%s\", \"round\": %d, \"turn\": "
          "%" PRIu64 ", \"ms\": %" PRIu64
          ", \"kept\": %zu, \"rss\": %zu, \"heapTotal\": %zu, \"heapUsed\": "
          "%zu, \"external\": %zu, \"arrayBuffers\": %zu, \"inUse\": %zu}\n",
          at, run->round, run->n, (now_ns() - run->begun_ns) / 1000000,
          run->options->leak->kept(run->state), usage.rss, usage.heap_total,
          usage.heap_used, usage.external, usage.array_buffers, *in_use);
  return 0;
}

static const char *verdict(const struct run *run) {
  if (run->err == PL_ENOMEM) return "out-of-memory";
  if (run->leaks.leaks > 0) return "leak";
  return run->seen < PL_LEAKS_GROWTH ? "inconclusive" : "steady";
}

static void print_end(const struct run *run) {
  const struct leak *leak = run->options->leak;
  bool begun = run->lab.heap != NULL && run->round >= -(int)run->options->warm;
  fprintf(run->out,
          "{\"kind\": \"end\", \"verdict\": \"%s\", \"collections\": %" PRIu64
          ", \"leaks\": %" PRIu64 ", \"memwatch\": %" PRIu64
          ", \"seenBy\": \"events\", \"kept\": %zu",
          verdict(run), run->seen, run->leaks.leaks, run->memwatch.leaks,
          begun ? leak->kept(run->state) : 0);
  if (begun && leak->told != NULL) leak->told(run->state, run->out);
  fputs("}\n", run->out);
}

/* -- rounds ---------------------------------------------------------------- */

static int snapshot(struct run *run, const char *when) {
  char name[NAME_MOST];
  if (run->options->snapshots == NULL) return 0;
  int length = snprintf(name, sizeof name, "%s-%s.heapsnapshot",
                        run->options->snapshots, when);
  if (length < 0 || (size_t)length >= sizeof name) return PL_ENAMETOOLONG;
  return pl_snapshot_save(run->lab.heap, name, NULL);
}

/* Growth of less than the grain is none. */
static uint64_t without_grain(const struct run *run, uint64_t used) {
  uint64_t last = run->leaks.current_base;
  return used > last && used - last < run->options->grain ? last : used;
}

/* A full collection; whether it was one, the heap's events tell. */
static int end_round(struct run *run) {
  struct pl_heap_stats stats;
  uint64_t before = run->collections;
  size_t in_use = 0;
  pl_heap_collect(run->lab.heap, PL_GC_MAJOR);
  int err = sample(run, "collection", &in_use);
  if (err != 0 || run->round++ < 0 || run->collections == before) return err;
  run->seen++;
  pl_heap_stats(run->lab.heap, &stats);
  uint64_t seconds = (now_ns() - run->begun_ns) / 1000000000;
  pl_leaks_collection(&run->memwatch, true, stats.used, seconds);
  if (pl_leaks_collection(&run->leaks, true, without_grain(run, in_use),
                          seconds) &
      PL_LEAKS_LEAK)
    fprintf(run->out,
            "{\"kind\": \"leak\", \"round\": %d, \"growth\": %" PRIu64
            ", \"reason\": \"%s\"}\n",
            run->round - 1, run->leaks.leak_bytes, run->leaks.reason);
  return 0;
}

static int one_turn(struct run *run) {
  struct pl_scope scope;
  size_t in_use;
  unsigned part = (run->options->turns + PER_ROUND - 1) / PER_ROUND;
  pl_scope_open(run->lab.heap, &scope);
  int err = run->options->leak->turn(&run->lab, run->state, run->n);
  pl_scope_close(run->lab.heap, &scope);
  run->n++;
  run->turn++;
  if (err == 0 && run->turn % part == 0) err = sample(run, "turn", &in_use);
  return err;
}

static void on_immediate(void *arg, int status) {
  struct run *run = arg;
  (void)status;
  if (run->turn < run->options->turns) {
    run->err = one_turn(run);
  } else {
    run->turn = 0;
    run->err = end_round(run);
    if (run->err == 0 && run->round == 0) run->err = snapshot(run, "before");
  }
  if (run->err == 0 && run->round < (int)run->options->rounds)
    run->err = pl_immediate_start(&run->immediate);
}

/* -- a whole run ------------------------------------------------------------
 */

static int begin(struct run *run) {
  const struct run_options *options = run->options;
  struct pl_heap_config config = {.old_max = options->old_max,
                                  .stress = options->stress,
                                  .verify = options->verify,
                                  .semi_initial = 256 * 1024,
                                  .arg = run,
                                  .on_event = on_event};
  if (options->fail > 0)
    short_memory_init(&run->memory, options->fail, &config);
  int err = pl_heap_create(&config, &run->lab.heap);
  if (err != 0) return err;
  run->lab.cured = options->cured;
  err = pl_buffers_init(&run->lab.buffers, run->lab.heap);
  if (err == 0) err = lab_types(&run->lab);
  if (err == 0) err = options->leak->begin(&run->lab, &run->state);
  if (err == 0) run->round = -(int)options->warm;
  return err;
}

static int work(struct run *run) {
  run->loop = malloc(pl_loop_size());
  if (run->loop == NULL) return PL_ENOMEM;
  int err = pl_loop_init(run->loop, NULL);
  if (err != 0) return err;
  pl_immediate_init(run->loop, &run->immediate, on_immediate, run);
  run->err = pl_immediate_start(&run->immediate);
  if (run->err == 0) err = pl_loop_run(run->loop, PL_LOOP_DEFAULT);
  int closed = pl_loop_close(run->loop);
  return run->err != 0 ? run->err : err < 0 ? err : closed;
}

static void finish(struct run *run) {
  if (run->lab.heap != NULL) {
    run->options->leak->end(run->state);
    if (run->lab.buffers.heap != NULL) pl_buffers_end(&run->lab.buffers);
    pl_heap_destroy(run->lab.heap);
  }
  free(run->loop);
}

int lab_run(const struct run_options *options, FILE *out) {
  struct run run = {
      .options = options, .out = out, .begun_ns = now_ns(), .round = INT32_MIN};
  pl_leaks_init(&run.memwatch, PL_LEAKS_MEMWATCH);
  pl_leaks_init(&run.leaks, PL_LEAKS_EXACT);
  print_start(&run);
  run.err = begin(&run);
  if (run.err == 0) run.err = work(&run);
  if (run.err == 0) run.err = snapshot(&run, "after");
  print_end(&run);
  finish(&run);
  if (run.err == 0 && fflush(out) != 0) run.err = PL_EIO;
  return run.err;
}

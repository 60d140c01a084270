/* SPDX-License-Identifier: MIT */
/*
 * run.c: a program's run from a fresh loop to a closed one.
 *
 * Invariant: a run leaves nothing behind: no handle, no request, no storage,
 * and loop_close() said so. A loop that cannot be closed is an error of the
 * run, and is left allocated, since the provider may still look at it.
 */
#include "flow.h"
#include "modules.h"
#include "run.h"

#include <errno.h>
#include <stdlib.h>

static bool open_loop(struct run *run) {
  const struct pl_loop_table *loop = &run->library->loop;
  struct pl_loop_options options = {.size = sizeof options,
                                    .pool_threads = run->program->pool,
                                    .explore = run->explore};
  if (!loop->loop_init) {
    run->unsupported = true;
    run_fail(run, NULL, "the provider offers no loop");
    return false;
  }
  size_t slots = run->program->slots;
  run->slots = calloc(slots ? slots : 1, sizeof *run->slots);
  void *storage = calloc(1, loop->loop_size());
  if (!run->slots || !storage) {
    free(storage);
    run_fail(run, NULL, "out of memory");
    return false;
  }
  int err = loop->loop_init(storage, &options);
  if (err != 0) {
    free(storage);
    run->unsupported = err == -ENOTSUP;
    run_fail(run, NULL, "loop_init (%u pool threads): %s", options.pool_threads,
             error_name(err));
    return false;
  }
  run->loop = storage;
  return true;
}

static void close_loop(struct run *run) {
  int err = run->library->loop.loop_close(run->loop);
  if (err == 0)
    free(run->loop);
  else
    run_fail(run, NULL, "loop_close: %s after everything was closed",
             error_name(err));
  run->loop = NULL;
}

static void run_main(struct run *run) {
  const struct pl_loop_table *loop = &run->library->loop;
  const struct call none = {0};
  run->started = run_clock_ns(run);
  run->started_loop = loop->now ? loop->now(run->loop) : 0;
  run_callback(run, NULL, NULL, &run->program->main, &none);
  if (run->silent) return;
  if (loop->drain) loop->drain(run->loop);
  if (run->silent || run->program->runs_itself) return;
  int alive = run_loop(run, PL_RUN_DEFAULT);
  if (alive < 0) run_fail(run, NULL, "run: %s", error_name(alive));
}

bool run_program(struct run *run) {
  if (open_loop(run)) {
    if (!run->program->uses_modules || modules_open(run)) run_main(run);
    flow_silence(run);
    objects_clean(run);
    flow_free(run);
    if (run->modules) modules_close(run);
    close_loop(run);
  }
  free(run->slots);
  run->slots = NULL;
  return !run->failed;
}

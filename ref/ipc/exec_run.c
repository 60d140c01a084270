/* SPDX-License-Identifier: MIT */
/*
 * exec_run.c: a program that is run to its end while the caller waits.
 *
 * Invariant: it has a loop of its own, which is closed when it returns.
 */
#include "../loop/internal.h"

#include "plumb/process.h"

int pl_exec_run(const struct pl_exec_options *options, pl_exec_fn *done,
                void *arg) {
  const struct pl_allocator memory =
      pl__allocator_or_default(&(struct pl_allocator){0});
  struct pl_loop *loop = pl__resize(&memory, NULL, pl_loop_size());
  struct pl_exec *exec = pl__resize(&memory, NULL, sizeof *exec);
  int error = PL_ENOMEM;
  if (loop == NULL || exec == NULL) goto free_memory;
  error = pl_loop_init(loop, NULL);
  if (error != 0) goto free_memory;
  error = pl_exec_start(loop, exec, options, done, arg);
  /* The last handle to close tells, so nothing is alive behind it. */
  if (error == 0) pl_loop_run(loop, PL_LOOP_DEFAULT);
  pl_loop_close(loop);

free_memory:
  pl__resize(&memory, exec, 0);
  pl__resize(&memory, loop, 0);
  return error;
}

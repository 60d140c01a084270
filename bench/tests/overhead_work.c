/* SPDX-License-Identifier: MIT */
/*
 * overhead_work.c: the step as a benchmark in C.
 *
 * Invariant: a batch takes a hundred microseconds, as batches should.
 */
#include "overhead.h"

enum { STEPS = 40000 };

static uint64_t value;

static uint64_t steps(int64_t parameter) {
  (void)parameter;
  return STEPS;
}

static const char *setup(void **state, const void *subject, int64_t parameter) {
  (void)subject;
  (void)parameter;
  value = 88172645463325252u;
  *state = &value;
  return NULL;
}

static void run(void *state) {
  uint64_t own = *(uint64_t *)state;
  for (int i = 0; i < STEPS; i++)
    own = overhead_step(own);
  *(uint64_t *)state = own;
}

static const char *check(void *state) {
  return *(uint64_t *)state ? NULL : "xorshift never comes to 0";
}

const struct bench overhead_bench = {
    .name = "overhead/step",
    .version = 1,
    .operations = steps,
    .setup = setup,
    .run = run,
    .check = check,
};

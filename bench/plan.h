/* SPDX-License-Identifier: MIT */
/*
 * plan.h: which benchmarks are to run, and how often.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum { PLAN_NAME = 192 };

struct plan_line {
  char name[PLAN_NAME]; /* NAME/PARAMETER:VALUE/impl:IMPL */
  uint64_t samples;
  uint64_t batches; /* of one sample */
};

struct plan {
  struct plan_line *lines;
  size_t count;
};

/* Reads a file of lines "NAME SAMPLES BATCHES". Returns 0, or -1 and says on
 * stderr what is wrong. Ownership: gives the lines, free with plan_free(). */
int plan_read(struct plan *plan, const char *path);
void plan_free(struct plan *plan);

#endif

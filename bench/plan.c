/* SPDX-License-Identifier: MIT */
/*
 * plan.c: reads a plan.
 *
 * Invariant: a plan is whole or refused: a line that is not understood ends
 * the reading, so nobody measures half of what was asked for.
 */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1000000000 };

static int read_line(const char *text, struct plan_line *line) {
  char rest;
  if (sscanf(text, "%191s %" SCNu64 " %" SCNu64 " %c", line->name,
             &line->samples, &line->batches, &rest) != 3)
    return -1;
  if (line->samples < 1 || line->batches < 1) return -1;
  if (line->samples > MOST || line->batches > MOST) return -1;
  return 0;
}

static struct plan_line *append(struct plan *plan) {
  size_t size = (plan->count + 1) * sizeof *plan->lines;
  struct plan_line *lines = realloc(plan->lines, size);
  if (!lines) return NULL;
  plan->lines = lines;
  return &lines[plan->count++];
}

static const char *read_lines(struct plan *plan, FILE *file) {
  char text[PLAN_NAME + 64];
  while (fgets(text, sizeof text, file)) {
    struct plan_line *line = append(plan);
    if (!line) return "out of memory";
    if (read_line(text, line) != 0) return "not NAME SAMPLES BATCHES";
  }
  if (ferror(file)) return strerror(errno);
  return plan->count ? NULL : "it is empty";
}

int plan_read(struct plan *plan, const char *path) {
  *plan = (struct plan){0};
  FILE *file = fopen(path, "r");
  const char *error = file ? read_lines(plan, file) : strerror(errno);
  if (file) fclose(file);
  if (!error) return 0;
  fprintf(stderr, "plumb-bench: %s:%zu: %s\n", path, plan->count, error);
  plan_free(plan);
  return -1;
}

void plan_free(struct plan *plan) {
  free(plan->lines);
  *plan = (struct plan){0};
}

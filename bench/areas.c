/* SPDX-License-Identifier: MIT */
/*
 * areas.c: the areas' lists, one after the other.
 *
 * Invariant: an area's list ends with NULL and lies in its own folder; a new
 * area is a line here.
 */
#include "areas.h"

#include "loop/fixture.h"
#include "memory/memory.h"
#include "messages/messages.h"
#include "modules/modules.h"

static const struct bench *const *const areas[] = {
    loop_benchmarks,
    modules_benchmarks,
    memory_benchmarks,
    messages_benchmarks,
};

const struct bench *bench_at(size_t index) {
  for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
    for (size_t b = 0; areas[i][b]; b++)
      if (index-- == 0) return areas[i][b];
  return NULL;
}

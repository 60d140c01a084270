/* SPDX-License-Identifier: MIT */
/* Counts distinct traces. */
#include "histogram.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct pl_seen *pl_histogram_again(struct pl_histogram *histogram,
                                   const char *text) {
  for (size_t i = 0; i < histogram->count; i++) {
    struct pl_seen *seen = &histogram->at[i];
    if (strcmp(seen->text, text) != 0) continue;
    seen->count++;
    *(seen->allowed ? &histogram->allowed : &histogram->forbidden) += 1;
    return seen;
  }
  return NULL;
}

static uint64_t hash_text(const char *text) {
  uint64_t hash = UINT64_C(0xCBF29CE484222325);
  for (; *text != '\0'; text++)
    hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
  return hash;
}

static void count_other(struct pl_histogram *histogram, const char *text) {
  uint64_t hash = hash_text(text);
  for (size_t i = 0; i < histogram->other_count; i++)
    if (histogram->others[i] == hash) return;
  if (histogram->other_count == histogram->other_room) {
    histogram->other_room += 64;
    histogram->others = pl_mem_grow(
        histogram->others, histogram->other_room * sizeof *histogram->others);
  }
  histogram->others[histogram->other_count++] = hash;
}

static void drop(struct pl_seen *seen) {
  json_decref(seen->events);
  free(seen->text);
}

void pl_histogram_add(struct pl_histogram *histogram, json_t *events,
                      char *text, bool allowed) {
  bool first_forbidden = !allowed && histogram->forbidden == 0;
  *(allowed ? &histogram->allowed : &histogram->forbidden) += 1;
  if (histogram->count == PL_TRACES_KEPT) {
    if (!first_forbidden) {
      count_other(histogram, text);
      free(text);
      return;
    }
    struct pl_seen *last = &histogram->at[--histogram->count];
    count_other(histogram, last->text);
    drop(last);
  }
  histogram->at[histogram->count++] =
      (struct pl_seen){json_incref(events), text, 1, allowed};
}

void pl_histogram_free(struct pl_histogram *histogram) {
  for (size_t i = 0; i < histogram->count; i++)
    drop(&histogram->at[i]);
  free(histogram->others);
  *histogram = (struct pl_histogram){0};
}

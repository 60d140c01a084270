/* SPDX-License-Identifier: MIT */
/*
 * watch.c: a loop that is watched.
 *
 * Invariant: the beat does nothing, so whatever makes it late is somebody else.
 */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plumb/profile.h"

enum { RECORDS = 1 << 16 };

uint64_t watch_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void must(int error, const char *what) {
  if (error == 0) return;
  fprintf(stderr, "%s: %s\n", what, pl_error_text(error));
  exit(2);
}

WATCH_CALLBACK(on_beat) {
  (void)status;
  struct watch *watch = arg;
  watch->beats++;
}

void watch_name(struct watch *watch, pl_event_fn *fn, const char *name,
                const char *file, int line) {
  char url[128];
  const char *slash = strrchr(file, '/');
  snprintf(url, sizeof url, "ref/apps/blockers/%s",
           slash == NULL ? file : slash + 1);
  must(pl_recorder_name(watch->recorder, name, url, line, fn, NULL),
       "no label");
}

void watch_begin(struct watch *watch) {
  *watch = (struct watch){.loop = malloc(pl_loop_size())};
  must(watch->loop == NULL ? PL_ENOMEM : 0, "no loop");
  must(pl_loop_init(watch->loop, NULL), "no loop");
  must(pl_recorder_create(NULL, RECORDS, &watch->recorder), "no recorder");
  pl_loop_record(watch->loop, watch->recorder);
  WATCH_NAME(watch, on_beat);
  pl_timer_init(watch->loop, &watch->beat, on_beat, watch);
  must(pl_timer_start(&watch->beat, WATCH_BEAT_MS, WATCH_BEAT_MS), "no beat");
}

void watch_stop(struct watch *watch) {
  pl_handle_close(&watch->beat, NULL);
}

static void print_worst_beat(const struct watch *watch) {
  uint64_t kept =
      pl_recorder_count(watch->recorder) - pl_recorder_dropped(watch->recorder);
  uint64_t worst = 0;
  for (size_t i = 0; i < kept; i++) {
    const struct pl_record *record = pl_recorder_at(watch->recorder, i);
    if (record->fn == on_beat && record->kind == PL_RECORD_TIMER &&
        record->late_ns > worst)
      worst = record->late_ns;
  }
  printf("%d beats, the worst %.1f ms late\n", watch->beats,
         (double)worst / 1e6);
}

int watch_end(struct watch *watch, const char *path) {
  int error = pl_loop_run(watch->loop, PL_LOOP_DEFAULT);
  pl_loop_record(watch->loop, NULL);
  print_worst_beat(watch);
  if (error == 0) error = pl_loop_close(watch->loop);
  if (error != 0) fprintf(stderr, "the loop: %s\n", pl_error_text(error));
  int unsaved = pl_profile_save(watch->recorder, path);
  if (unsaved != 0) fprintf(stderr, "%s: %s\n", path, pl_error_text(unsaved));
  pl_recorder_destroy(watch->recorder);
  free(watch->loop);
  return error != 0 || unsaved != 0 ? 2 : 0;
}

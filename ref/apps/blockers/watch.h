/* SPDX-License-Identifier: MIT */
/*
 * watch.h: what the examples have in common: a loop with a recorder and a
 * timer that beats every 5 ms, so that whoever holds the loop is caught.
 *
 * Invariant: watch_end() writes the profile whatever the example did.
 */
#ifndef PLUMB_BLOCKERS_WATCH_H
#define PLUMB_BLOCKERS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "plumb/loop.h"
#include "plumb/recorder.h"

enum { WATCH_BEAT_MS = 5 };

struct watch {
  struct pl_loop *loop;
  struct pl_recorder *recorder;
  struct pl_timer beat;
  int beats;
};

/* Makes the loop and starts the beat, or ends the program with a message. */
void watch_begin(struct watch *watch);

/* A callback of the example: WATCH_CALLBACK(on_beat) { ... } defines the
 * function and remembers its line, for WATCH_NAME(watch, on_beat), which names
 * it for the profile. */
#define WATCH_CALLBACK(fn)                                                     \
  enum { fn##_line = __LINE__ };                                               \
  static void fn(void *arg, int status)
#define WATCH_NAME(watch, fn) watch_name(watch, fn, #fn, __FILE__, fn##_line)
void watch_name(struct watch *watch, pl_event_fn *fn, const char *name,
                const char *file, int line);

/* The beat is over: the loop ends when nothing else is alive. */
void watch_stop(struct watch *watch);

/* Runs the loop, writes the profile and frees everything. Gives the exit
 * status of the program. */
int watch_end(struct watch *watch, const char *path);

/* Nanoseconds since an arbitrary start; CPU time does not stop it. */
uint64_t watch_now_ns(void);

#endif

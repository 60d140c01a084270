/* SPDX-License-Identifier: MIT */
/*
 * profile.h: writes what a recorder has as a .cpuprofile, which Chrome's
 * DevTools, VS Code and speedscope open.
 *
 *   (root) -> phase -> callback -> the ticks and microtasks drained behind it
 *          -> (program)     the loop did not run
 *          -> (idle)        it waited in its poller
 *          -> (event loop)  it was between two callbacks
 *
 * A sampling profiler writes what ran at every tick of its clock; here nothing
 * is sampled: there is a sample wherever something begins or ends, so every
 * time is exact to the microsecond. Names come from pl_recorder_name(), else
 * from the symbol table, else "timer at program+0x1234".
 *
 * A member `plumb` is added, which other readers pass over:
 *   {"format": 1, "recorded": records, "dropped": records that are gone,
 *    "kinds": {"node id": "timer", ...},
 *    "timers": [[node id, microseconds when fired, microseconds late], ...]}
 *
 * Invariant: the deltas add up to endTime - startTime, exactly.
 */
#ifndef PLUMB_PROFILE_H
#define PLUMB_PROFILE_H

#include "plumb/recorder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where text goes: write() takes all `size` bytes, or fails with a PL_E value,
 * after which it is not called again. */
struct pl_sink {
  int (*write)(void *self, const char *bytes, size_t size);
  void *self;
};

/*
 * Writes the profile to a sink, in pieces of a few KiB. Not in a callback that
 * is being recorded: it would be told as one that took no time.
 * Errors: PL_ENOMEM (the tree is made in the recorder's memory), or the sink's.
 */
int pl_profile_write(const struct pl_recorder *recorder,
                     const struct pl_sink *sink);

/* Writes it to a file, which is made or replaced, and removed again when
 * writing fails. Errors: PL_ENOMEM, those of open(2), write(2), close(2). */
int pl_profile_save(const struct pl_recorder *recorder, const char *path);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/*
 * fixture.h: a loop with n objects of one kind, for the loop's benchmarks.
 *
 *     objects --> | item 0 | storage 0 | item 1 | storage 1 | ...
 *
 * An item lies in front of its object's storage, so that what the callback
 * touches is in the cache for the same reason in every implementation.
 */
#ifndef BENCH_FIXTURE_H
#define BENCH_FIXTURE_H

#include "library.h"
#include "shim/benchmark.h"

#include <stdalign.h>
#include <stdint.h>

struct fixture;

struct item {
  struct fixture *fixture;
  uint64_t key; /* the benchmark's own: a deadline, an order */
  uint32_t index;
  uint32_t count;
};

struct fixture {
  const struct pl_loop_table *table;
  void *loop;
  unsigned char *objects;
  size_t stride; /* bytes from item to item */
  size_t count;
  enum pl_kind kind;
  bool handles;      /* the kind is closed */
  uint64_t fired;    /* callbacks since fixture_begin() */
  bool disorder;     /* a callback came before one with a lesser key */
  uint64_t overtook; /* callbacks that came before one of their own key and a
                        lesser index */
  uint64_t last_key;
  uint32_t last_index;
};

/* Opens a loop and makes `count` objects. NULL, or what went wrong, and then
 * nothing is left open. The objects are borrowed until fixture_close(). */
const char *fixture_open(struct fixture *fixture, const struct library *library,
                         enum pl_kind kind, size_t count,
                         pl_callback *callback);
/* Closes the objects, if they are handles, and the loop, which must agree. */
const char *fixture_close(struct fixture *fixture);
/* Ends a handle in the fixture's loop: closes it, or stops it where the
 * provider closes nothing. 0 or -errno. */
int fixture_end(const struct fixture *fixture, void *handle);
/* Forgets what the last batch did. */
void fixture_begin(struct fixture *fixture);
/* For bench.counters, where the state begins with a fixture: how many
 * callbacks a batch had, as `callbacks`. */
size_t fixture_counters(void *state, struct bench_counter *counters);

static inline struct item *fixture_item(const struct fixture *fixture,
                                        size_t index) {
  return (struct item *)(void *)(fixture->objects + index * fixture->stride);
}

static inline void *item_storage(struct item *item) {
  const size_t step = alignof(max_align_t);
  return (unsigned char *)item + (sizeof *item + step - 1) / step * step;
}

/* Whether an object of that kind has to be ended. */
static inline bool is_handle(enum pl_kind kind) {
  return kind <= PL_KIND_SIGNAL || kind == PL_KIND_STREAM;
}

/* Counts a call and notes whether it came by (key, index). */
static inline void item_in_order(struct item *item) {
  struct fixture *fixture = item->fixture;
  if (fixture->fired++) {
    if (item->key < fixture->last_key)
      fixture->disorder = true;
    else if (item->key == fixture->last_key &&
             item->index < fixture->last_index)
      fixture->overtook++;
  }
  fixture->last_key = item->key;
  fixture->last_index = item->index;
}

/* A number in [1, most], the same ones in every run (xorshift). */
static inline uint64_t next_random(uint64_t *state, uint64_t most) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state % most + 1;
}

/* The benchmarks of the loop, NULL-terminated. */
extern const struct bench *const loop_benchmarks[];

extern const struct bench bench_timer_arm, bench_timer_arm_equal,
    bench_timer_fire, bench_timer_fire_equal, bench_timer_fire_rearmed,
    bench_timer_cancel, bench_timer_cancel_equal, bench_timer_rearm,
    bench_timer_rearm_equal, bench_iteration, bench_iteration_asleep,
    bench_async_wake, bench_async_coalesced, bench_async_among,
    bench_async_sleeping, bench_poll_ping_pong, bench_stream_ping_pong,
    bench_poll_stop_start, bench_poll_register, bench_poll_among,
    bench_pool_jobs, bench_pool_short_jobs, bench_fs_stat, bench_fs_read,
    bench_fs_read_job, bench_immediate, bench_tick, bench_microtask,
    bench_timeout_arm, bench_timer_lateness;

#endif

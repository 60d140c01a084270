/* SPDX-License-Identifier: MIT */
/*
 * leaks.c: what node-memwatch made of full collections.
 *
 * Invariant: a number is what memwatch would have told of the same collections,
 * but for what leaks.h says of PL_LEAKS_EXACT, and for heaps of 4 GiB and more,
 * which its numbers of 32 bits could not hold.
 */
#include "plumb/leaks.h"

#include <limits.h>
#include <stdio.h>

void pl_leaks_init(struct pl_leaks *leaks, enum pl_leaks_rules rules) {
  *leaks = (struct pl_leaks){.rules = rules};
}

/* ---------------------------------------------------------------------- */
/* The reason of a leak event                                             */

/* To the nearest whole number, halves away from 0; of what is beyond all
 * numbers of 64 bits there is no fraction. */
static double nearest(double value) {
  if (!(value < 9e18 && value > -9e18)) return value;
  return (double)(int64_t)(value < 0 ? value - 0.5 : value + 0.5);
}

struct text {
  char *at;
  size_t room;
};

#define ADD(text, ...)                                                         \
  do {                                                                         \
    int length = snprintf((text)->at, (text)->room, __VA_ARGS__);              \
    size_t added = length < 0 ? 0 : (size_t)length;                            \
    if (added >= (text)->room) added = (text)->room - 1;                       \
    (text)->at += added;                                                       \
    (text)->room -= added;                                                     \
  } while (0)

/* "2h 5m 10s". An hour to the second is still 60 minutes, a minute 60 seconds,
 * as memwatch had it. */
static void add_time(struct text *text, uint64_t seconds) {
  if (seconds > 3600) {
    ADD(text, "%lluh ", (unsigned long long)(seconds / 3600));
    seconds %= 3600;
  }
  if (seconds > 60) {
    ADD(text, "%llum ", (unsigned long long)(seconds / 60));
    seconds %= 60;
  }
  ADD(text, "%llus", (unsigned long long)seconds);
}

static void add_size(struct text *text, double bytes) {
  const double kib = 1024, mib = 1024 * 1024;
  if (bytes > mib)
    ADD(text, "%.12g mb", nearest(bytes / (mib / 100)) / 100);
  else if (bytes > kib)
    ADD(text, "%.12g kb", nearest(bytes / (kib / 100)) / 100);
  else
    ADD(text, "%.0f bytes", bytes);
}

/* The growth of an hour. memwatch made a number of 32 bits of it: too much, or
 * in no time at all, was the least of them. */
static void add_rate(struct text *text, const struct pl_leaks *leaks) {
  bool exact = leaks->rules == PL_LEAKS_EXACT;
  double growth = (double)leaks->leak_bytes;
  if (leaks->leak_seconds == 0 && exact) {
    add_size(text, growth);
    return;
  }
  double rate = growth / ((double)leaks->leak_seconds / 3600.0);
  if (!exact && !(rate <= INT_MAX))
    ADD(text, "%d bytes", INT_MIN);
  else if (exact)
    add_size(text, rate);
  else
    add_size(text, (double)(int64_t)rate);
  ADD(text, "/hr");
}

static void report(struct pl_leaks *leaks, uint64_t used, uint64_t seconds) {
  struct text text = {leaks->reason, sizeof leaks->reason};
  leaks->leaks++;
  leaks->leak_bytes = used - leaks->grown_from;
  leaks->leak_seconds = seconds - leaks->grown_since_s;
  ADD(&text, "heap growth over %d consecutive GCs (", PL_LEAKS_GROWTH);
  add_time(&text, leaks->leak_seconds);
  ADD(&text, ") - ");
  add_rate(&text, leaks);
}

/* ---------------------------------------------------------------------- */

/* Whether this is the fifth that grew. The first one counts as growth: the base
 * before it is 0. */
static bool has_leaked(struct pl_leaks *leaks, uint64_t used,
                       uint64_t seconds) {
  if (used <= leaks->current_base) {
    leaks->growth = 0;
    return false;
  }
  if (leaks->growth == 0) {
    leaks->grown_since_s = seconds;
    leaks->grown_from = used;
  }
  if (++leaks->growth < PL_LEAKS_GROWTH) return false;
  leaks->growth = 0;
  report(leaks, used, seconds);
  return true;
}

/* Fractions are cut off. */
static uint64_t decayed(uint64_t base, uint64_t last, uint64_t periods) {
  double parts = (double)periods;
  return (uint64_t)(((double)base * (parts - 1) + (double)last) / parts);
}

/* memwatch meant to damp the first nine as well, by a power of the integer
 * division of their number by ten: of 0. */
static void estimate(struct pl_leaks *leaks, uint64_t used) {
  if (leaks->full < PL_LEAKS_RECENT) {
    leaks->estimated_base = leaks->ancient_base = used;
    return;
  }
  uint64_t ancient =
      leaks->full < PL_LEAKS_ANCIENT ? leaks->full : PL_LEAKS_ANCIENT;
  leaks->estimated_base = decayed(leaks->estimated_base, used, PL_LEAKS_RECENT);
  leaks->ancient_base = decayed(leaks->ancient_base, used, ancient);
}

static double trend(const struct pl_leaks *leaks) {
  if (leaks->ancient_base == 0) return 0;
  double ancient = (double)leaks->ancient_base;
  double more = (double)leaks->estimated_base - ancient;
  if (leaks->rules == PL_LEAKS_MEMWATCH)
    more = (double)(uint32_t)(leaks->estimated_base - leaks->ancient_base);
  return nearest(more / ancient * 1000.0) / 10.0;
}

/* The first two are left to settle. */
static void record_extremes(struct pl_leaks *leaks, uint64_t used) {
  if (leaks->full < 3) return;
  if (leaks->min == 0 || leaks->min > used) leaks->min = used;
  if (leaks->max < used) leaks->max = used;
}

int pl_leaks_collection(struct pl_leaks *leaks, bool full, uint64_t used,
                        uint64_t seconds) {
  if (!full) {
    leaks->others++;
    return 0;
  }
  bool leaked = has_leaked(leaks, used, seconds);
  leaks->full++;
  leaks->current_base = used;
  estimate(leaks, used);
  leaks->usage_trend = trend(leaks);
  record_extremes(leaks, used);
  return PL_LEAKS_STATS | (leaked ? PL_LEAKS_LEAK : 0);
}

int pl_leaks_on_gc(struct pl_leaks *leaks, const struct pl_gc_event *event) {
  if (event->kind == PL_GC_STEP) return 0;
  uint64_t end = event->start_ns + event->pause_ns;
  return pl_leaks_collection(leaks, event->kind != PL_GC_MINOR, event->after,
                             end / UINT64_C(1000000000));
}

/* SPDX-License-Identifier: MIT */
/*
 * heap_figures.c: figures, memory outside, limits; leak detectors.
 *
 * Invariant: a figure is told as the provider tells it at that moment, less
 * what it was at heap.zero; nothing is kept up here.
 */
#include "heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Resident bytes of this process; 0 where they cannot be known. */
static size_t resident(void) {
  unsigned long long size, pages = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file) return 0;
  if (fscanf(file, "%llu %llu", &size, &pages) != 2) pages = 0;
  fclose(file);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t system_memory(void) {
  return (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}

static void take_figures(struct heap_run *run,
                         struct pl_heap_figures *figures) {
  *figures = (struct pl_heap_figures){.size = sizeof *figures};
  run->table->figures(run->heap, figures);
}

static size_t figure(const struct pl_heap_figures *f, const char *name,
                     size_t rss) {
  if (strcmp(name, "used") == 0) return f->used;
  if (strcmp(name, "total") == 0) return f->total;
  if (strcmp(name, "external") == 0) return f->external;
  if (strcmp(name, "old") == 0) return f->old;
  if (strcmp(name, "young") == 0) return f->young;
  if (strcmp(name, "semi") == 0) return f->semi;
  if (strcmp(name, "metadata") == 0) return f->metadata;
  if (strcmp(name, "pooled") == 0) return f->pooled;
  if (strcmp(name, "rss") == 0) return rss;
  return strcmp(name, "system") == 0 ? system_memory() : 0;
}

static void op_zero(struct heap_run *run, json_t *args) {
  (void)args;
  if (run->table->figures) take_figures(run, &run->base);
  run->base_rss = resident();
}

static void op_usage(struct heap_run *run, json_t *args) {
  const char *name = heap_text(args, "figure", "");
  struct pl_heap_figures now;
  take_figures(run, &now);
  long long value = (long long)figure(&now, name, resident());
  if (!json_is_true(json_object_get(args, "whole")))
    value -= (long long)figure(&run->base, name, run->base_rss);
  heap_tell_size(run, args, value);
}

static void op_at_most(struct heap_run *run, json_t *args) {
  struct pl_heap_figures now;
  take_figures(run, &now);
  size_t rss = resident();
  heap_tell_bool(run, args,
                 figure(&now, heap_text(args, "figure", ""), rss) <=
                     figure(&now, heap_text(args, "than", ""), rss));
}

static void op_count(struct heap_run *run, json_t *args) {
  const char *of = heap_text(args, "of", "all");
  static const char *const kinds[] = {"minor", "major", "compact"};
  struct pl_heap_figures now;
  take_figures(run, &now);
  long long count = 0;
  for (size_t i = 0; i < PL_COLLECT_KINDS; i++)
    if (strcmp(of, "all") == 0 || strcmp(of, kinds[i]) == 0)
      count += (long long)(now.collections[i] - run->base.collections[i]);
  heap_tell_size(run, args, count);
}

static void op_external(struct heap_run *run, json_t *args) {
  json_int_t bytes = json_integer_value(json_object_get(args, "bytes"));
  run->table->adjust(run->heap, (ptrdiff_t)bytes);
}

static void op_events(struct heap_run *run, json_t *args) {
  run->events = args;
}

/* -- limits ---------------------------------------------------------------- */

static void op_exhaust(struct heap_run *run, json_t *args) {
  struct pl_shape shape = {
      .name = "Plumb", .slots = 1, .bytes = heap_size(args, "bytes", 16) - 8};
  void *last = NULL;
  int err = 0;
  for (size_t i = heap_size(args, "most", 1); i-- > 0 && err == 0;) {
    void *next;
    err = run->table->alloc(run->heap, &shape, &next);
    if (err != 0) break;
    run->table->link(run->heap, next, 0, last);
    if (last) run->table->drop(run->heap, last);
    last = next;
  }
  if (last) run->table->drop(run->heap, last);
  heap_tell_text(run, args,
                 err == 0         ? "ok"
                 : err == -ENOMEM ? "out-of-memory"
                                  : strerror(-err));
}

static void op_set_limit(struct heap_run *run, json_t *args) {
  int err = run->table->set_limit(run->heap, heap_size(args, "bytes", 0));
  heap_tell_text(run, args, err == 0 ? "ok" : strerrorname_np(-err));
}

static void op_near_limit(struct heap_run *run, json_t *args) {
  run->near_limit = args;
  run->near_calls = 0;
}

/* -- leak detectors -------------------------------------------------------- */

static void op_detector(struct heap_run *run, json_t *args) {
  struct thing *thing = heap_thing(run, args, THING_DETECTOR, NULL);
  if (!thing) return;
  thing->callback = args;
  thing->detector = calloc(1, run->table->leak_size());
  if (thing->detector)
    run->table->leak_init(thing->detector,
                          json_is_false(json_object_get(args, "unsigned")));
  else
    heap_fail(run, "leak.detector: out of memory");
}

static void announce(struct heap_run *run, struct thing *thing,
                     const char *event) {
  json_t *result = json_string(event);
  heap_call_back(run, thing->callback, ++thing->calls, result);
  json_decref(result);
}

static void op_collection(struct heap_run *run, json_t *args) {
  struct thing *thing = heap_named(run, args, "of");
  if (!thing) return;
  bool full = strcmp(heap_text(args, "kind", ""), "full") == 0;
  int events = run->table->leak_collection(thing->detector, full,
                                           heap_size(args, "used", 0),
                                           heap_size(args, "at", 0));
  if (events & 2) announce(run, thing, "leak");
  if (events & 1) announce(run, thing, "stats");
}

static void op_show(struct heap_run *run, json_t *args) {
  struct thing *thing = heap_named(run, args, "of");
  if (!thing) return;
  const char *what = heap_text(args, "what", "");
  double value;
  if (strcmp(what, "reason") == 0)
    heap_tell_text(run, args, run->table->leak_reason(thing->detector));
  else if (run->table->leak_figure(thing->detector, what, &value) != 0)
    heap_fail(run, "leak.show: no figure `%s`", what);
  else if (value == (double)(long long)value)
    heap_tell_size(run, args, (long long)value);
  else
    heap_tell(run, args, json_real(value));
}

const struct heap_operation heap_figure_operations[] = {
    {"heap.config", HEAP_CONFIG,
     "policy:classic|age-mark? semi:n? semi-max:n? old-max:n? old-trigger:n? "
     "external-trigger:n? stress:n? verify:b?",
     NULL},
    {"heap.zero", -1, "none:x?", op_zero},
    {"heap.usage", HEAP_USAGE,
     "figure:used|total|external|rss|old|young|semi|metadata|pooled whole:b? "
     "log:s",
     op_usage},
    {"heap.at-most", HEAP_USAGE,
     "figure:used|total|external|rss|zero|system "
     "than:used|total|external|rss|system log:s",
     op_at_most},
    {"heap.count", HEAP_COUNT, "of:minor|major|compact|all log:s", op_count},
    {"heap.external", HEAP_ADJUST, "bytes:i", op_external},
    {"heap.events", HEAP_EVENTS,
     "show:kind|reason|number|freed|promoted|clock callback:c", op_events},
    {"heap.exhaust", HEAP_LIMIT, "bytes:n most:n log:s?", op_exhaust},
    {"heap.set-limit", HEAP_LIMIT, "bytes:n log:s", op_set_limit},
    {"heap.near-limit", HEAP_LIMIT, "raise:n times:n? callback:c",
     op_near_limit},
    {"leak.detector", HEAP_LEAK, "id:x unsigned:b? callback:c", op_detector},
    {"leak.collection", HEAP_LEAK, "of:r kind:full|incremental used:n at:n?",
     op_collection},
    {"leak.show", HEAP_LEAK, "of:r what:s log:s", op_show},
    {0}};

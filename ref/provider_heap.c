/* SPDX-License-Identifier: MIT */
/*
 * provider_heap.c: the reference's heap as the suite's provider sees it.
 *
 * Invariant: an address is used between two calls that may collect and never
 * longer; what the caller has are roots (struct pl_root in memory of its own).
 *
 * An object's payload: its number, its slots, its data. An array type says
 * where the slots begin, so data of objects with slots has a type for each
 * number of slots.
 */
#include "provider_heap_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tables_end(struct ref_heap *heap);

/* -- types ----------------------------------------------------------------- */

int ref_heap_type(struct ref_heap *heap, const struct pl_shape *shape,
                  bool array, uint32_t *out) {
  for (struct ref_type *at = heap->types; at; at = at->next) {
    if (at->born == shape->born && at->array == array &&
        (array || at->slots == shape->slots) &&
        strcmp(at->name, shape->name) == 0) {
      *out = at->number;
      return 0;
    }
  }
  struct ref_type *made = calloc(1, sizeof *made + strlen(shape->name) + 1);
  if (!made) return -ENOMEM;
  strcpy(made->name, shape->name);
  made->born = shape->born;
  made->slots = shape->slots;
  made->array = array;
  struct pl_heap_type type = {
      .name = made->name,
      .slots = array || shape->slots == 0
                   ? 0
                   : ((UINT64_C(1) << shape->slots) - 1) << 1,
      .array = array,
      .array_from = 1,
      .home = shape->born == PL_BORN_CODE   ? PL_SPACE_CODE
              : shape->born == PL_BORN_MAP  ? PL_SPACE_MAP
              : shape->born == PL_BORN_CELL ? PL_SPACE_CELL
                                            : PL_SPACE_NEW};
  int err = pl_heap_type_add(heap->heap, &type, &made->number);
  if (err != 0) {
    free(made);
    return err;
  }
  made->next = heap->types;
  heap->types = made;
  *out = made->number;
  return 0;
}

/* -- roots ----------------------------------------------------------------- */

int ref_root_new(struct ref_heap *heap, void *object, void **out) {
  struct pl_root *root = malloc(sizeof *root);
  if (!root) return -ENOMEM;
  pl_root_add(heap->heap, root, object);
  *out = root;
  return 0;
}

static void ref_heap_drop(void *heap, void *root) {
  (void)heap;
  pl_root_remove(root);
  free(root);
}

static void *object_of(const void *root) {
  return ((const struct pl_root *)root)->object;
}

/* -- the heap -------------------------------------------------------------- */

static const char *reason_name(enum pl_gc_reason reason) {
  switch (reason) {
  case PL_GC_REQUESTED:
    return "requested";
  case PL_GC_NEW_FULL:
    return "new-space-full";
  case PL_GC_OLD_GREW:
    return "old-space-grew";
  case PL_GC_EXTERNAL:
    return "external";
  case PL_GC_LIMIT:
    return "limit";
  default:
    return "stress";
  }
}

static void tell_pause(struct ref_heap *heap, const struct pl_gc_event *event) {
  const struct pl_heap_pause told = {.size = sizeof told,
                                     .begin_ns = event->start_ns,
                                     .ns = event->pause_ns,
                                     .begin_work = event->clock + heap->work,
                                     .work = event->work};
  heap->work += event->work;
  heap->options.paused(heap->options.self, &told);
}

static void on_event(void *arg, const struct pl_gc_event *event) {
  struct ref_heap *heap = arg;
  if (heap->trace.line) pl_trace_on_event(&heap->trace, event);
  if (heap->options.paused) tell_pause(heap, event);
  if (event->kind > PL_GC_COMPACT || !heap->options.collected) return;
  struct pl_collected told = {
      .size = sizeof told,
      .kind = event->kind == PL_GC_MINOR   ? PL_COLLECT_MINOR
              : event->kind == PL_GC_MAJOR ? PL_COLLECT_MAJOR
                                           : PL_COLLECT_COMPACT,
      .requested = event->reason == PL_GC_REQUESTED,
      .reason = reason_name(event->reason),
      .number = event->number,
      .clock = event->clock,
      .freed = event->before > event->after ? event->before - event->after : 0,
      .promoted = event->promoted};
  heap->options.collected(heap->options.self, &told);
}

static size_t on_near_limit(void *arg, size_t limit) {
  struct ref_heap *heap = arg;
  if (!heap->options.near_limit) return limit;
  return limit + heap->options.near_limit(heap->options.self);
}

static int ref_heap_create(const struct pl_heap_options *options, void **out) {
  struct ref_heap *heap = calloc(1, sizeof *heap);
  if (!heap) return -ENOMEM;
  memcpy(&heap->options, options,
         options->size < sizeof *options ? options->size : sizeof *options);
  bool classic = options->policy && strcmp(options->policy, "classic") == 0;
  struct pl_heap_config config = {.policy = classic ? &pl_heap_policy_classic
                                                    : &pl_heap_policy_age_mark,
                                  .semi_initial = options->semi,
                                  .semi_max = options->semi_max,
                                  .old_max = options->old_max,
                                  .old_trigger = options->old_trigger,
                                  .external_trigger = options->external_trigger,
                                  .step_work = heap->options.step_work,
                                  .stress = options->stress,
                                  .verify = options->verify != 0,
                                  .arg = heap,
                                  .on_event = on_event,
                                  .near_limit = on_near_limit};
  int err = pl_heap_create(&config, &heap->heap);
  if (err == 0) err = pl_buffers_init(&heap->buffers, heap->heap);
  if (err != 0) {
    if (heap->heap) pl_heap_destroy(heap->heap);
    free(heap);
    return err;
  }
  *out = heap;
  return 0;
}

static void ref_heap_destroy(void *self) {
  struct ref_heap *heap = self;
  pl_buffers_end(&heap->buffers);
  tables_end(heap);
  pl_heap_destroy(heap->heap);
  while (heap->types) {
    struct ref_type *next = heap->types->next;
    free(heap->types);
    heap->types = next;
  }
  free(heap);
}

/* -- objects --------------------------------------------------------------- */

/* Bytes of payload for the number, the slots and the data. */
static size_t payload_of(const struct pl_shape *shape) {
  if (shape->born == PL_BORN_MAP) return PL_HEAP_MAP_BYTES;
  if (shape->born == PL_BORN_CELL) return PL_HEAP_CELL_BYTES;
  return 8 + 8 * shape->slots + shape->bytes;
}

static int ref_heap_alloc(void *self, const struct pl_shape *shape,
                          void **out) {
  struct ref_heap *heap = self;
  uint32_t type;
  bool array = shape->slots > 62;
  if (array && (shape->bytes > 0 || shape->born != PL_BORN_YOUNG))
    return -EINVAL;
  int err = ref_heap_type(heap, shape, array, &type);
  if (err != 0) return err;
  size_t bytes = payload_of(shape);
  void *object = shape->born == PL_BORN_YOUNG
                     ? pl_heap_allocate(heap->heap, type, bytes)
                     : pl_heap_allocate_old(heap->heap, type, bytes);
  return object ? ref_root_new(heap, object, out) : -ENOMEM;
}

static void ref_heap_link(void *self, void *from, size_t slot, void *to) {
  struct ref_heap *heap = self;
  void *object = object_of(from);
  pl_heap_write(heap->heap, object, (void **)object + 1 + slot,
                to ? object_of(to) : NULL);
}

static int ref_heap_get(void *self, void *of, size_t slot, void **out) {
  void *held = ((void **)object_of(of))[1 + slot];
  if (!held) {
    *out = NULL;
    return 0;
  }
  return ref_root_new(self, held, out);
}

static int ref_heap_same(void *heap, const void *one, const void *other) {
  (void)heap;
  return object_of(one) == object_of(other);
}

static void ref_heap_set_number(void *heap, void *of, uint64_t number) {
  (void)heap;
  *(uint64_t *)object_of(of) = number;
}

static uint64_t ref_heap_number(void *heap, const void *of) {
  (void)heap;
  return *(const uint64_t *)object_of(of);
}

/* -- collections ----------------------------------------------------------- */

static void ref_heap_collect(void *self, enum pl_collect kind) {
  struct ref_heap *heap = self;
  pl_heap_collect(heap->heap, kind == PL_COLLECT_MINOR   ? PL_GC_MINOR
                              : kind == PL_COLLECT_MAJOR ? PL_GC_MAJOR
                                                         : PL_GC_COMPACT);
}

static size_t ref_heap_settle(void *self) {
  struct ref_heap *heap = self;
  return pl_heap_run_finalizers(heap->heap);
}

static int ref_heap_step(void *self, size_t work, int *done) {
  struct ref_heap *heap = self;
  *done = !pl_heap_step(heap->heap, 0, work);
  return 0;
}

static int ref_heap_verify(void *self, const char **sentence) {
  struct ref_heap *heap = self;
  struct pl_heap_fault fault;
  int err = pl_heap_verify(heap->heap, &fault);
  if (err == 0) return 0;
  *sentence = err == PL_EFAULT ? fault.invariant : "no memory for the check";
  return 1;
}

/* -- bytes outside --------------------------------------------------------- */

/* What tells that an object is gone, in minor collections as well: it holds
 * something, and that has been released. */
struct ref_outside {
  struct pl_weak holding;
  bool released;
  bool owned; /* by the object alone: freed when it is released */
};

static void on_release(struct pl_weak *holding, void *arg) {
  struct ref_outside *outside = arg;
  (void)holding;
  outside->released = true;
  if (outside->owned) free(outside);
}

static int hold(struct ref_heap *heap, void *of, size_t bytes, bool owned,
                struct ref_outside **out) {
  struct ref_outside *outside = calloc(1, sizeof *outside);
  if (!outside) return -ENOMEM;
  outside->owned = owned;
  pl_holding_add(heap->heap, &outside->holding, object_of(of), on_release,
                 outside, bytes);
  if (out) *out = outside;
  return 0;
}

static int ref_heap_outside(void *self, void *of, size_t bytes) {
  return hold(self, of, bytes, true, NULL);
}

static int ref_heap_watch(void *self, void *of, void **out) {
  struct ref_outside *watch;
  int err = hold(self, of, 0, false, &watch);
  if (err == 0) *out = watch;
  return err;
}

static int ref_heap_alive(void *heap, const void *watch) {
  (void)heap;
  return !((const struct ref_outside *)watch)->released;
}

static void ref_heap_unwatch(void *self, void *watch) {
  struct ref_heap *heap = self;
  struct ref_outside *outside = watch;
  if (!outside->released) pl_weak_remove(heap->heap, &outside->holding);
  free(outside);
}

/* -- looking --------------------------------------------------------------- */

static int ref_weak_new(void *self, void *of, void **out) {
  struct ref_heap *heap = self;
  struct pl_weak *weak = malloc(sizeof *weak);
  if (!weak) return -ENOMEM;
  pl_weak_add(heap->heap, weak, object_of(of), NULL, NULL, 0);
  *out = weak;
  return 0;
}

static int ref_weak_there(void *heap, const void *weak) {
  (void)heap;
  return ((const struct pl_weak *)weak)->object != NULL;
}

static int ref_weak_target(void *self, const void *weak, void **out) {
  void *object = ((const struct pl_weak *)weak)->object;
  if (object) return ref_root_new(self, object, out);
  *out = NULL;
  return 0;
}

static void ref_weak_end(void *self, void *weak) {
  struct ref_heap *heap = self;
  if (((struct pl_weak *)weak)->object) pl_weak_remove(heap->heap, weak);
  free(weak);
}

static void ref_heap_where(void *self, const void *of, struct pl_where *where) {
  static const char *const names[] = {
      [PL_SPACE_NEW] = "new",           [PL_SPACE_OLD_POINTER] = "old-pointer",
      [PL_SPACE_OLD_DATA] = "old-data", [PL_SPACE_CODE] = "code",
      [PL_SPACE_MAP] = "map",           [PL_SPACE_CELL] = "cell",
      [PL_SPACE_LARGE] = "large",       [PL_SPACE_NEW_LARGE] = "new-large"};
  struct ref_heap *heap = self;
  const void *object = object_of(of);
  enum pl_space space = pl_heap_space_of(heap->heap, object);
  *where = (struct pl_where){.space = names[space],
                             .old = pl_heap_is_old(object),
                             .large = space == PL_SPACE_LARGE ||
                                      space == PL_SPACE_NEW_LARGE,
                             .address = (uintptr_t)object};
}

static void ref_heap_figures(void *self, struct pl_heap_figures *out) {
  struct ref_heap *heap = self;
  struct pl_heap_stats stats;
  pl_heap_stats(heap->heap, &stats);
  size_t young =
      stats.space[PL_SPACE_NEW].used + stats.space[PL_SPACE_NEW_LARGE].used;
  struct pl_heap_figures figures = {
      .size = sizeof figures,
      .used = stats.used,
      .total = stats.committed,
      .external = stats.external,
      .old = stats.used - young,
      .young = young,
      .semi = stats.semi_capacity,
      .metadata = stats.metadata,
      .pooled = stats.pooled,
      .collections = {stats.collections[PL_GC_MINOR],
                      stats.collections[PL_GC_MAJOR],
                      stats.collections[PL_GC_COMPACT]},
      .allocated = stats.allocated,
      .copied = stats.copied,
      .promoted = stats.promoted,
      .work = stats.allocated + stats.work};
  memcpy(out, &figures,
         out->size < sizeof figures ? out->size : sizeof figures);
}

/* -- frames ---------------------------------------------------------------- */

static int ref_heap_enter(void *self, void *of, void **out) {
  struct ref_heap *heap = self;
  struct pl_scope *scope = malloc(sizeof *scope);
  if (!scope) return -ENOMEM;
  pl_scope_open(heap->heap, scope);
  if (!pl_handle(heap->heap, object_of(of))) {
    pl_scope_close(heap->heap, scope);
    free(scope);
    return -ENOMEM;
  }
  *out = scope;
  return 0;
}

static void ref_heap_leave(void *self, void *frame) {
  struct ref_heap *heap = self;
  pl_scope_close(heap->heap, frame);
  free(frame);
}

/* -- death ----------------------------------------------------------------- */

struct registration {
  struct pl_weak weak;
  struct ref_heap *heap;
  void (*gone)(void *arg);
  void *arg;
  bool called;
};

static void on_death(struct pl_weak *weak, void *arg) {
  struct registration *entry = arg;
  (void)weak;
  entry->called = true;
  entry->gone(entry->arg);
}

static int ref_heap_on_death(void *self, void *of, void (*gone)(void *arg),
                             void *arg, void **out) {
  struct ref_heap *heap = self;
  struct registration *entry = calloc(1, sizeof *entry);
  if (!entry) return -ENOMEM;
  *entry = (struct registration){.heap = heap, .gone = gone, .arg = arg};
  pl_weak_add(heap->heap, &entry->weak, object_of(of), on_death, entry, 0);
  *out = entry;
  return 0;
}

static void ref_heap_forget(void *self, void *registration) {
  struct ref_heap *heap = self;
  struct registration *entry = registration;
  if (!entry->called) pl_weak_remove(heap->heap, &entry->weak);
  free(entry);
}

/* -- tables ---------------------------------------------------------------- */

/* The entries of a table; its object is their owner and has nothing else. */
struct ref_table {
  struct ref_table *next;
  struct pl_ephemerons entries;
};

static void tables_end(struct ref_heap *heap) {
  while (heap->tables) {
    struct ref_table *table = heap->tables;
    heap->tables = table->next;
    pl_ephemerons_remove(heap->heap, &table->entries);
    free(table);
  }
}

static int ref_heap_table_new(void *self, void **out) {
  const struct pl_shape shape = {.name = "WeakMap"};
  struct ref_heap *heap = self;
  struct ref_table *table = calloc(1, sizeof *table);
  if (!table) return -ENOMEM;
  int err = ref_heap_alloc(heap, &shape, out);
  if (err != 0) {
    free(table);
    return err;
  }
  pl_ephemerons_add(heap->heap, &table->entries, object_of(*out));
  *(struct ref_table **)object_of(*out) = table;
  table->next = heap->tables;
  heap->tables = table;
  return 0;
}

static struct pl_ephemerons *entries_of(const void *root) {
  return &(*(struct ref_table **)object_of(root))->entries;
}

static int ref_heap_table_set(void *self, void *table, void *key, void *value) {
  struct ref_heap *heap = self;
  return pl_ephemeron_set(heap->heap, entries_of(table), object_of(key),
                          value ? object_of(value) : NULL);
}

static int ref_heap_table_has(void *self, const void *table, const void *key) {
  struct ref_heap *heap = self;
  void *value;
  return pl_ephemeron_get(heap->heap, entries_of(table), object_of(key),
                          &value) == 0;
}

static void ref_heap_table_delete(void *self, void *table, void *key) {
  struct ref_heap *heap = self;
  pl_ephemeron_delete(heap->heap, entries_of(table), object_of(key));
}

static size_t ref_heap_table_count(void *heap, const void *table) {
  (void)heap;
  return entries_of(table)->count;
}

static void ref_heap_adjust(void *self, ptrdiff_t bytes) {
  struct ref_heap *heap = self;
  if (bytes < 0)
    pl_heap_external_remove(heap->heap, (size_t)-bytes);
  else
    pl_heap_external_add(heap->heap, (size_t)bytes);
}

static int ref_heap_set_limit(void *self, size_t bytes) {
  struct ref_heap *heap = self;
  return pl_heap_set_old_max(heap->heap, bytes);
}

static const char *const policies[] = {"age-mark", "classic", NULL};

const struct pl_heap_table ref_heap_table = {
    .size = sizeof(struct pl_heap_table),
    .policies = policies,
    .create = ref_heap_create,
    .destroy = ref_heap_destroy,
    .alloc = ref_heap_alloc,
    .drop = ref_heap_drop,
    .link = ref_heap_link,
    .get = ref_heap_get,
    .same = ref_heap_same,
    .set_number = ref_heap_set_number,
    .number = ref_heap_number,
    .collect = ref_heap_collect,
    .step = ref_heap_step,
    .settle = ref_heap_settle,
    .verify = ref_heap_verify,
    .watch = ref_heap_watch,
    .alive = ref_heap_alive,
    .unwatch = ref_heap_unwatch,
    .where = ref_heap_where,
    .figures = ref_heap_figures,
    .enter = ref_heap_enter,
    .leave = ref_heap_leave,
    .weak = ref_weak_new,
    .deref = ref_weak_there,
    .weak_end = ref_weak_end,
    .on_death = ref_heap_on_death,
    .forget = ref_heap_forget,
    .table = ref_heap_table_new,
    .table_set = ref_heap_table_set,
    .table_has = ref_heap_table_has,
    .table_delete = ref_heap_table_delete,
    .table_count = ref_heap_table_count,
    .outside = ref_heap_outside,
    .adjust = ref_heap_adjust,
    .set_limit = ref_heap_set_limit,
    .snapshot = ref_heap_snapshot,
    .retained = ref_heap_retained,
    .leak_size = ref_leak_size,
    .leak_init = ref_leak_init,
    .leak_collection = ref_leak_collection,
    .leak_figure = ref_leak_figure,
    .leak_reason = ref_leak_reason,
    .plant = ref_heap_plant,
    .tree = ref_heap_tree,
    .reach = ref_heap_reach,
    .fill = ref_heap_fill,
    .target = ref_weak_target,
    .trace = ref_heap_trace,
};

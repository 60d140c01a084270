/* SPDX-License-Identifier: MIT */
/*
 * fixture.c: opens and closes the loop of a benchmark.
 *
 * Invariant: a fixture that was opened is closed without a trace, or the
 * benchmark is an error: a loop that cannot be closed has no time.
 */
#include "fixture.h"

#include <stdlib.h>

static const char *open_objects(struct fixture *fixture,
                                pl_callback *callback) {
  for (size_t i = 0; i < fixture->count; i++) {
    struct item *item = fixture_item(fixture, i);
    item->fixture = fixture;
    item->index = (uint32_t)i;
    if (fixture->table->init(fixture->loop, fixture->kind, item_storage(item),
                             callback, item) != 0) {
      fixture->count = i;
      return "init() of an object failed";
    }
  }
  return NULL;
}

const char *fixture_open(struct fixture *fixture, const struct library *library,
                         enum pl_kind kind, size_t count,
                         pl_callback *callback) {
  const struct pl_loop_table *table = &library->loop;
  const size_t step = alignof(max_align_t);
  struct pl_loop_options options = {.size = sizeof options};
  *fixture = (struct fixture){.table = table, .kind = kind, .count = count};
  fixture->handles = is_handle(kind);
  fixture->stride = (sizeof(struct item) + step - 1) / step * step +
                    (table->size_of(kind) + step - 1) / step * step;
  fixture->loop = calloc(1, table->loop_size());
  fixture->objects = calloc(count, fixture->stride);
  const char *error = "out of memory";
  if (!fixture->loop || !fixture->objects) goto fail_memory;
  error = "loop_init() failed";
  if (table->loop_init(fixture->loop, &options) != 0) goto fail_memory;
  error = open_objects(fixture, callback);
  if (!error) return NULL;
  fixture_close(fixture);
  return error;

fail_memory:
  free(fixture->loop);
  free(fixture->objects);
  return error;
}

static void ignore_closed(void *arg, int status) {
  (void)arg;
  (void)status;
}

int fixture_end(const struct fixture *fixture, void *handle) {
  const struct pl_loop_table *table = fixture->table;
  if (!table->handle_close) return table->handle_stop(handle);
  return table->handle_close(handle, ignore_closed);
}

const char *fixture_close(struct fixture *fixture) {
  const struct pl_loop_table *table = fixture->table;
  for (size_t i = 0; fixture->handles && i < fixture->count; i++)
    if (fixture_end(fixture, item_storage(fixture_item(fixture, i))) != 0)
      return "handle_close() refused a handle";
  /* The first run may end at once because of a stop() of the batch. */
  int alive = 1;
  for (int tries = 0; alive > 0 && tries < 3; tries++)
    alive = table->run(fixture->loop, PL_RUN_DEFAULT);
  if (alive != 0) return "the loop is alive after all handles were closed";
  if (table->loop_close(fixture->loop) != 0)
    return "loop_close() refused an empty loop";
  free(fixture->loop);
  free(fixture->objects);
  return NULL;
}

void fixture_begin(struct fixture *fixture) {
  fixture->fired = 0;
  fixture->disorder = false;
  fixture->overtook = 0;
}

size_t fixture_counters(void *state, struct bench_counter *counters) {
  const struct fixture *fixture = state;
  counters[0] = (struct bench_counter){.name = "callbacks",
                                       .value = (double)fixture->fired};
  return 1;
}

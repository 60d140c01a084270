/* SPDX-License-Identifier: MIT */
/*
 * queues.c: Node's queues: immediates, ticks, microtasks and timeouts.
 *
 * Invariant: an operation is an object's whole life: made, queued, called
 * (or, for timeouts, cleared), in the order of queueing.
 */
#include "fixture.h"

#include <stdlib.h>

enum { BATCH = 1000 };

struct queue {
  struct fixture fixture;
  int refused;
};

static uint64_t batch(int64_t value) {
  (void)value;
  return BATCH;
}

static bool has_immediates(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_IMMEDIATE);
}

static bool has_ticks(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_TICK);
}

static bool has_microtasks(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_MICROTASK);
}

static bool has_timeouts(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_TIMEOUT);
}

static void on_called(void *arg, int status) {
  (void)status;
  item_in_order(arg);
}

static const char *open_queue(void **state, const void *subject,
                              enum pl_kind kind) {
  struct queue *queue = calloc(1, sizeof *queue);
  if (!queue) return "out of memory";
  const char *error =
      fixture_open(&queue->fixture, subject, kind, BATCH, on_called);
  if (error)
    free(queue);
  else
    *state = queue;
  return error;
}

static const char *setup_immediates(void **state, const void *subject,
                                    int64_t value) {
  (void)value;
  return open_queue(state, subject, PL_KIND_IMMEDIATE);
}

static const char *setup_ticks(void **state, const void *subject,
                               int64_t value) {
  (void)value;
  return open_queue(state, subject, PL_KIND_TICK);
}

static const char *setup_microtasks(void **state, const void *subject,
                                    int64_t value) {
  (void)value;
  return open_queue(state, subject, PL_KIND_MICROTASK);
}

static const char *setup_timeouts(void **state, const void *subject,
                                  int64_t value) {
  (void)value;
  return open_queue(state, subject, PL_KIND_TIMEOUT);
}

static const char *teardown(void *state) {
  struct queue *queue = state;
  const char *error = fixture_close(&queue->fixture);
  free(queue);
  return error;
}

static const char *reset(void *state) {
  struct queue *queue = state;
  fixture_begin(&queue->fixture);
  return NULL;
}

/* Makes item `index` anew and returns its storage. */
static void *renew(struct queue *queue, size_t index) {
  const struct fixture *fixture = &queue->fixture;
  struct item *item = fixture_item(fixture, index);
  void *storage = item_storage(item);
  queue->refused |= fixture->table->init(fixture->loop, fixture->kind, storage,
                                         on_called, item);
  return storage;
}

static void immediate_run(void *state) {
  struct queue *queue = state;
  const struct fixture *fixture = &queue->fixture;
  for (size_t i = 0; i < BATCH; i++)
    queue->refused |= fixture->table->immediate_start(renew(queue, i));
  fixture->table->run(fixture->loop, PL_RUN_DEFAULT);
}

static void tick_run(void *state) {
  struct queue *queue = state;
  const struct fixture *fixture = &queue->fixture;
  for (size_t i = 0; i < BATCH; i++)
    queue->refused |= fixture->table->tick(renew(queue, i));
  fixture->table->drain(fixture->loop);
}

static void microtask_run(void *state) {
  struct queue *queue = state;
  const struct fixture *fixture = &queue->fixture;
  for (size_t i = 0; i < BATCH; i++)
    queue->refused |= fixture->table->microtask(renew(queue, i));
  fixture->table->drain(fixture->loop);
}

/* Most timeouts of a server never fire: it arms one and clears it. */
static void timeout_run(void *state) {
  struct queue *queue = state;
  const struct fixture *fixture = &queue->fixture;
  for (size_t i = 0; i < BATCH; i++)
    queue->refused |= fixture->table->timeout_start(renew(queue, i), 1000.0, 0);
  for (size_t i = 0; i < BATCH; i++)
    queue->refused |=
        fixture->table->clear(item_storage(fixture_item(fixture, i)));
}

static const char *check_called(void *state) {
  const struct queue *queue = state;
  if (queue->refused) return "an object was refused";
  if (queue->fixture.fired != BATCH) return "not everything was called once";
  if (queue->fixture.disorder || queue->fixture.overtook)
    return "not called in the order of queueing";
  return NULL;
}

static const char *check_cleared(void *state) {
  const struct queue *queue = state;
  if (queue->refused) return "an object was refused";
  return queue->fixture.fired ? "a cleared timeout was called" : NULL;
}

const struct bench bench_immediate = {
    .name = "loop/queues/immediate",
    .version = 1,
    .operations = batch,
    .supports = has_immediates,
    .setup = setup_immediates,
    .reset = reset,
    .run = immediate_run,
    .check = check_called,
    .counters = fixture_counters,
    .teardown = teardown,
};

const struct bench bench_tick = {
    .name = "loop/queues/tick",
    .version = 1,
    .operations = batch,
    .supports = has_ticks,
    .setup = setup_ticks,
    .reset = reset,
    .run = tick_run,
    .check = check_called,
    .counters = fixture_counters,
    .teardown = teardown,
};

const struct bench bench_microtask = {
    .name = "loop/queues/microtask",
    .version = 1,
    .operations = batch,
    .supports = has_microtasks,
    .setup = setup_microtasks,
    .reset = reset,
    .run = microtask_run,
    .check = check_called,
    .counters = fixture_counters,
    .teardown = teardown,
};

const struct bench bench_timeout_arm = {
    .name = "loop/queues/timeout-clear",
    .version = 1,
    .operations = batch,
    .supports = has_timeouts,
    .setup = setup_timeouts,
    .reset = reset,
    .run = timeout_run,
    .check = check_cleared,
    .counters = fixture_counters,
    .teardown = teardown,
};

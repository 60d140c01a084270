/* SPDX-License-Identifier: MIT */
/*
 * wakeup.c: waking a loop that sleeps in another thread.
 *
 *   this thread    send(far) .. sleeps .. woken: send(far) .. sleeps ..
 *   the other      .. woken: send(near) .. sleeps .. woken: send(near) ..
 *
 * Invariant: an operation is one way: a send, and the turn of a loop that was
 * asleep. At any time at most one of the two loops is awake, so what is
 * measured is for the most part the kernel's and the machine's: read real_time
 * and do not expect a difference.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdlib.h>

enum { WAYS = 400 };

struct side {
  struct fixture fixture; /* a loop with one async handle */
  struct side *other;
  uint32_t answers; /* still to send */
};

struct wakeup {
  struct side near, far;
};

static uint64_t ways(int64_t value) {
  (void)value;
  return WAYS;
}

static bool supports(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_ASYNC) && library_has(subject, CAP_RUN);
}

static void *handle_of(struct side *side) {
  return item_storage(fixture_item(&side->fixture, 0));
}

/* The message has come: answer it. Each stops after its last one. */
static void on_message(void *arg, int status) {
  const struct item *item = arg;
  struct side *side = (struct side *)(void *)item->fixture;
  (void)status;
  side->fixture.fired++;
  if (side->answers > 0) {
    side->answers--;
    side->fixture.table->async_send(handle_of(side->other));
  }
  if (side->fixture.fired == WAYS / 2)
    side->fixture.table->stop(side->fixture.loop);
}

static const char *teardown(void *state) {
  struct wakeup *wakeup = state;
  const char *error = fixture_close(&wakeup->near.fixture);
  const char *late = fixture_close(&wakeup->far.fixture);
  free(wakeup);
  return error ? error : late;
}

static const char *setup(void **state, const void *subject, int64_t value) {
  (void)value;
  struct wakeup *wakeup = calloc(1, sizeof *wakeup);
  if (!wakeup) return "out of memory";
  wakeup->near.other = &wakeup->far;
  wakeup->far.other = &wakeup->near;
  const char *error = fixture_open(&wakeup->near.fixture, subject,
                                   PL_KIND_ASYNC, 1, on_message);
  if (error) goto fail;
  error =
      fixture_open(&wakeup->far.fixture, subject, PL_KIND_ASYNC, 1, on_message);
  if (!error) {
    *state = wakeup;
    return NULL;
  }
  fixture_close(&wakeup->near.fixture);
fail:
  free(wakeup);
  return error;
}

static const char *reset(void *state) {
  struct wakeup *wakeup = state;
  fixture_begin(&wakeup->near.fixture);
  fixture_begin(&wakeup->far.fixture);
  wakeup->near.answers = WAYS / 2 - 1; /* the first message is no answer */
  wakeup->far.answers = WAYS / 2;
  return NULL;
}

static void *run_far(void *arg) {
  struct side *far = arg;
  far->fixture.table->run(far->fixture.loop, PL_RUN_DEFAULT);
  return NULL;
}

static void run(void *state) {
  struct wakeup *wakeup = state;
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_far, &wakeup->far) != 0) return;
  wakeup->near.fixture.table->async_send(handle_of(&wakeup->far));
  wakeup->near.fixture.table->run(wakeup->near.fixture.loop, PL_RUN_DEFAULT);
  pthread_join(thread, NULL);
}

static const char *check(void *state) {
  const struct wakeup *wakeup = state;
  return wakeup->near.fixture.fired == WAYS / 2 &&
                 wakeup->far.fixture.fired == WAYS / 2
             ? NULL
             : "a message was lost between the threads";
}

const struct bench bench_async_sleeping = {
    .name = "loop/async/sleeping",
    .version = 1,
    .operations = ways,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = run,
    .check = check,
    .teardown = teardown,
};

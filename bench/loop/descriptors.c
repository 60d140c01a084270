/* SPDX-License-Identifier: MIT */
/*
 * descriptors.c: many descriptors in one loop: registered, stopped and started
 * again, and a hundred events among them.
 *
 * Invariant: the descriptors are eventfds. "stop-start" and "register" end
 * with a turn of the loop, in which whatever was put off is done; among n
 * descriptors the same hundred are written to, and each is read by its
 * callback.
 */
#include "fixture.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ACTIVE = 100, SPARE_FDS = 64 };

static const int64_t sizes[] = {100, 1000, 10000};

struct crowd {
  struct fixture fixture; /* n poll handles */
  int *fds;               /* theirs */
  int broken;
};

static uint64_t per_handle(int64_t n) {
  return (uint64_t)n;
}

static uint64_t per_event(int64_t n) {
  (void)n;
  return ACTIVE;
}

/* Raises the process's limit of descriptors to what it may be. */
static bool may_open(int64_t n) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_max < (rlim_t)n + SPARE_FDS) return false;
  if (limit.rlim_cur >= (rlim_t)n + SPARE_FDS) return true;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static bool supports(const void *subject, int64_t n) {
  return library_has(subject, CAP_POLL) && library_has(subject, CAP_RUN) &&
         may_open(n);
}

/* Of the hundred that become ready, the k-th. */
static size_t active(const struct crowd *crowd, size_t k) {
  return k * (crowd->fixture.count / ACTIVE);
}

static void on_ready(void *arg, int status) {
  const struct item *item = arg;
  struct crowd *crowd = (struct crowd *)(void *)item->fixture;
  uint64_t value;
  if (status < 0 || read(crowd->fds[item->index], &value, sizeof value) < 0)
    crowd->broken = 1;
  crowd->fixture.fired++;
}

static void close_fds(struct crowd *crowd, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (crowd->fds[i] >= 0) close(crowd->fds[i]);
  free(crowd->fds);
}

static const char *open_fds(struct crowd *crowd, size_t count) {
  crowd->fds = malloc(count * sizeof *crowd->fds);
  if (!crowd->fds) return "out of memory";
  for (size_t i = 0; i < count; i++)
    crowd->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  for (size_t i = 0; i < count; i++) {
    if (crowd->fds[i] >= 0) continue;
    close_fds(crowd, count);
    return "eventfd() failed";
  }
  return NULL;
}

static void *handle_at(const struct crowd *crowd, size_t index) {
  return item_storage(fixture_item(&crowd->fixture, index));
}

static void start_all(struct crowd *crowd) {
  const struct fixture *fixture = &crowd->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    crowd->broken |= fixture->table->poll_start(
        handle_at(crowd, i), crowd->fds[i], PL_POLL_READABLE);
}

static void turn(const struct crowd *crowd) {
  crowd->fixture.table->run(crowd->fixture.loop, PL_RUN_NOWAIT);
}

static const char *setup_idle(void **state, const void *subject, int64_t n) {
  struct crowd *crowd = calloc(1, sizeof *crowd);
  if (!crowd) return "out of memory";
  const char *error = open_fds(crowd, (size_t)n);
  if (error) goto fail;
  error =
      fixture_open(&crowd->fixture, subject, PL_KIND_POLL, (size_t)n, on_ready);
  if (!error) {
    *state = crowd;
    return NULL;
  }
  close_fds(crowd, (size_t)n);
fail:
  free(crowd);
  return error;
}

static const char *setup(void **state, const void *subject, int64_t n) {
  const char *error = setup_idle(state, subject, n);
  if (error) return error;
  start_all(*state);
  turn(*state);
  return NULL;
}

static const char *teardown(void *state) {
  struct crowd *crowd = state;
  size_t count = crowd->fixture.count;
  const char *error = fixture_close(&crowd->fixture);
  if (!error && crowd->broken) error = "a descriptor was refused";
  close_fds(crowd, count);
  free(crowd);
  return error;
}

static const char *reset(void *state) {
  struct crowd *crowd = state;
  fixture_begin(&crowd->fixture);
  return NULL;
}

/* Every handle hears of its descriptor. */
static const char *check_alive(void *state) {
  struct crowd *crowd = state;
  const uint64_t one = 1;
  if (crowd->fixture.fired) return "a callback came from nowhere";
  for (size_t k = 0; k < ACTIVE; k++)
    if (write(crowd->fds[active(crowd, k)], &one, sizeof one) < 0)
      return "write() failed";
  for (int i = 0; i < ACTIVE && crowd->fixture.fired < ACTIVE; i++)
    turn(crowd);
  return crowd->fixture.fired == ACTIVE ? NULL : "an event was lost";
}

/* -- stopped and started again --------------------------------------------- */

static void stop_start_run(void *state) {
  struct crowd *crowd = state;
  const struct fixture *fixture = &crowd->fixture;
  for (size_t i = 0; i < fixture->count; i++) {
    void *handle = handle_at(crowd, i);
    fixture->table->handle_stop(handle);
    fixture->table->poll_start(handle, crowd->fds[i], PL_POLL_READABLE);
  }
  turn(crowd);
}

const struct bench bench_poll_stop_start = {
    .name = "loop/poll/stop-start",
    .version = 1,
    .parameter = "n",
    .values = sizes,
    .value_count = 3,
    .operations = per_handle,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = stop_start_run,
    .check = check_alive,
    .teardown = teardown,
};

/* -- registered ------------------------------------------------------------ */

/* Other handles, and descriptors of which nobody has heard. */
static const char *register_reset(void *state) {
  struct crowd *crowd = state;
  struct fixture *fixture = &crowd->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    if (fixture_end(fixture, handle_at(crowd, i)) != 0)
      return "a handle could not be closed";
  turn(crowd);
  turn(crowd);
  for (size_t i = 0; i < fixture->count; i++)
    close(crowd->fds[i]);
  for (size_t i = 0; i < fixture->count; i++) {
    crowd->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (crowd->fds[i] < 0) return "eventfd() failed";
    if (fixture->table->init(fixture->loop, PL_KIND_POLL, handle_at(crowd, i),
                             on_ready, fixture_item(fixture, i)) != 0)
      return "init() of an object failed";
  }
  fixture_begin(fixture);
  return NULL;
}

static void register_run(void *state) {
  start_all(state);
  turn(state);
}

const struct bench bench_poll_register = {
    .name = "loop/poll/register",
    .version = 1,
    .parameter = "n",
    .values = sizes,
    .value_count = 3,
    .operations = per_handle,
    .supports = supports,
    .setup = setup_idle,
    .reset = register_reset,
    .run = register_run,
    .check = check_alive,
    .teardown = teardown,
};

/* -- events among many ----------------------------------------------------- */

static void among_run(void *state) {
  struct crowd *crowd = state;
  const uint64_t one = 1;
  for (size_t k = 0; k < ACTIVE; k++)
    if (write(crowd->fds[active(crowd, k)], &one, sizeof one) < 0)
      crowd->broken = 1;
  for (int i = 0; i < ACTIVE && crowd->fixture.fired < ACTIVE; i++)
    turn(crowd);
}

static const char *among_check(void *state) {
  const struct crowd *crowd = state;
  return crowd->fixture.fired == ACTIVE ? NULL : "an event was lost";
}

const struct bench bench_poll_among = {
    .name = "loop/poll/among",
    .version = 1,
    .parameter = "n",
    .values = sizes,
    .value_count = 3,
    .operations = per_event,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = among_run,
    .check = among_check,
    .counters = fixture_counters,
    .teardown = teardown,
};

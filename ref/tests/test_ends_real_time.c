/* SPDX-License-Identifier: MIT */
/*
 * test_ends_real_time.c: what comes after the end: calls that reach a handle
 * while it is being closed, and handles whose loop is no more.
 *
 * Invariant: a loop's storage is overwritten and freed as soon as the loop has
 * ended, so whoever still looks at it is found by a sanitizer, or crashes.
 */
#include "world.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SENDERS = 3, ROUNDS = 8 };

/* ---------------------------------------------------------------------- */
/* A storm of wake-ups                                                    */

struct storm {
  struct pl_async async;
  atomic_bool over;
  atomic_long sends;
  long seen;
  bool closing;
  int closed;
};

static void on_wake(void *arg, int status) {
  struct storm *storm = arg;
  assert_int_equal(status, 0);
  assert_false(storm->closing);
  storm->seen++;
}

static void on_closed(void *arg, int status) {
  (void)status;
  ((struct storm *)arg)->closed++;
}

static void *send_until_over(void *arg) {
  struct storm *storm = arg;
  while (!atomic_load(&storm->over)) {
    assert_int_equal(pl_async_send(&storm->async), 0);
    atomic_fetch_add(&storm->sends, 1);
  }
  return NULL;
}

/* The threads go on sending to it when it has been closed already. */
static void a_handle_closes_under_a_storm_of_its_own(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(1);
  for (int round = 0; round < ROUNDS; round++) {
    struct storm storm = {0};
    pthread_t threads[SENDERS];
    pl_async_init(world->loop, &storm.async, on_wake, &storm);
    for (int i = 0; i < SENDERS; i++)
      pthread_create(&threads[i], NULL, send_until_over, &storm);
    while (storm.seen < 3)
      expect_run(world, PL_LOOP_ONCE, 1);
    assert_int_equal(pl_handle_close(&storm.async, on_closed), 0);
    storm.closing = true;
    long sends = atomic_load(&storm.sends);
    while (atomic_load(&storm.sends) < sends + SENDERS)
      sched_yield();
    atomic_store(&storm.over, true);
    for (int i = 0; i < SENDERS; i++)
      pthread_join(threads[i], NULL);
    expect_run(world, PL_LOOP_DEFAULT, 0);
    assert_int_equal(storm.closed, 1);
  }
  world_end(world);
}

/* ---------------------------------------------------------------------- */
/* A loop that is no more                                                 */

struct left {
  struct pl_timer timer;
  struct pl_watcher watchers[3];
  struct pl_async async;
  struct pl_poll poll;
  struct pl_signal signal;
  struct pl_stream stream;
  int fds[2];
};

enum { HANDLES = 8 };

static void list(struct left *left, void *handles[HANDLES]) {
  void *all[HANDLES] = {&left->timer,       &left->watchers[0],
                        &left->watchers[1], &left->watchers[2],
                        &left->async,       &left->poll,
                        &left->signal,      &left->stream};
  memcpy(handles, all, sizeof all);
}

static void never(void *arg, int status) {
  (void)arg;
  (void)status;
  fail();
}

static void never_read(void *arg, const void *data, ptrdiff_t length) {
  (void)arg;
  (void)data;
  (void)length;
  fail();
}

static void init_all(struct pl_loop *loop, struct left *left) {
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
                              left->fds),
                   0);
  pl_timer_init(loop, &left->timer, never, NULL);
  for (unsigned i = 0; i < 3; i++)
    pl_watcher_init(loop, (enum pl_object_kind)(PL_OBJECT_IDLE + i),
                    &left->watchers[i], never, NULL);
  pl_async_init(loop, &left->async, never, NULL);
  pl_poll_init(loop, &left->poll, never, NULL);
  pl_signal_init(loop, &left->signal, never, NULL);
  pl_stream_init(loop, &left->stream, NULL);
  assert_int_equal(pl_stream_open(&left->stream, left->fds[1]), 0);
}

static void start_all(struct left *left, int expected) {
  assert_int_equal(pl_timer_start(&left->timer, 1000, 1000), expected);
  assert_int_equal(pl_timer_again(&left->timer), expected);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pl_watcher_start(&left->watchers[i]), expected);
  assert_int_equal(pl_poll_start(&left->poll, left->fds[0], PL_READABLE),
                   expected);
  assert_int_equal(pl_signal_start(&left->signal, SIGUSR2), expected);
  assert_int_equal(pl_stream_read(&left->stream, never_read), expected);
}

static void expect_closed_for_good(struct left *left) {
  void *handles[HANDLES];
  list(left, handles);
  start_all(left, PL_EINVAL);
  for (int i = 0; i < HANDLES; i++) {
    assert_int_equal(pl_object_is_closing(handles[i]), 1);
    assert_int_equal(pl_object_is_active(handles[i]), 0);
    assert_int_equal(pl_handle_close(handles[i], never), PL_EINVAL);
    (void)pl_handle_stop(handles[i]);
    pl_object_unref(handles[i]);
    pl_object_ref(handles[i]);
    assert_int_equal(pl_object_is_active(handles[i]), 0);
  }
}

static void a_handle_of_a_dead_loop_is_a_closed_one(void **started) {
  struct pl_loop *loop = malloc(pl_loop_size());
  assert_non_null(loop);
  struct left left;
  void *handles[HANDLES];
  list(&left, handles);
  assert_int_equal(pl_loop_init(loop, NULL), 0);
  init_all(loop, &left);
  if (*started != NULL) start_all(&left, 0);
  assert_int_equal(pl_loop_close(loop), PL_EBUSY);
  for (int i = 0; i < HANDLES; i++)
    assert_int_equal(pl_handle_close(handles[i], NULL), 0);
  expect_closed_for_good(&left);
  assert_int_equal(pl_loop_run(loop, PL_LOOP_DEFAULT), 0);
  expect_closed_for_good(&left);
  assert_int_equal(pl_loop_close(loop), 0);
  memset(loop, 0xa5, pl_loop_size());
  free(loop);
  expect_closed_for_good(&left);
  close(left.fds[0]);
  close(left.fds[1]);
}

static struct pl_loop *started_loop;

static void end_the_loop(void *arg, int status) {
  (void)status;
  *(int *)arg = pl_loop_close(started_loop);
}

/* Not even its last close callback may end a loop, since it still runs. */
static void a_loop_does_not_end_in_its_last_callback(void **unused) {
  (void)unused;
  struct pl_loop *loop = started_loop = malloc(pl_loop_size());
  assert_non_null(loop);
  struct pl_timer timer;
  int error = 0;
  assert_int_equal(pl_loop_init(loop, NULL), 0);
  pl_timer_init(loop, &timer, never, &error);
  assert_int_equal(pl_handle_close(&timer, end_the_loop), 0);
  assert_int_equal(pl_loop_run(loop, PL_LOOP_DEFAULT), 0);
  assert_int_equal(error, PL_EBUSY);
  assert_int_equal(pl_loop_close(loop), 0);
  free(loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_handle_closes_under_a_storm_of_its_own),
      {"handles_of_a_dead_loop_that_were_never_started",
       a_handle_of_a_dead_loop_is_a_closed_one, NULL, NULL, NULL},
      {"handles_of_a_dead_loop_that_were_active",
       a_handle_of_a_dead_loop_is_a_closed_one, NULL, NULL, (void *)1},
      cmocka_unit_test(a_loop_does_not_end_in_its_last_callback),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

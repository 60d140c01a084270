/* SPDX-License-Identifier: MIT */
/*
 * test_poll_real_time.c: poll handles over real descriptors, each test over
 * epoll(7), over poll(2) and over io_uring(7), where that is allowed; signals.
 *
 * Invariant: what a test waits for has been written before it runs the loop,
 * so real time decides nothing.
 */
#include "world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct pair {
  int near, far;
};

static struct pair new_pair(void) {
  int ends[2];
  assert_int_equal(
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
      0);
  return (struct pair){.near = ends[0], .far = ends[1]};
}

static void put(int fd) {
  assert_int_equal(write(fd, "x", 1), 1);
}

static void close_pair(struct pair pair) {
  close(pair.near);
  close(pair.far);
}

static void read_all(struct act *self) {
  char bytes[64];
  while (read(self->as.poll.fd, bytes, sizeof bytes) > 0)
    continue;
}

static void readiness_is_level_triggered(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair();
  struct act *poll = act_poll(world, "poll", NULL);
  assert_int_equal(pl_poll_start(&poll->as.poll, pair.near, PL_READABLE), 0);
  put(pair.far);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "poll poll");
  assert_int_equal(poll->status, PL_READABLE);
  poll->body = read_all;
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "poll");
  world_end(world);
  close_pair(pair);
}

static void starting_again_replaces_the_mask(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair();
  struct act *poll = act_poll(world, "poll", NULL);
  put(pair.far);
  pl_poll_start(&poll->as.poll, pair.near, PL_READABLE);
  pl_poll_start(&poll->as.poll, pair.near, PL_WRITABLE);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  assert_int_equal(poll->status, PL_WRITABLE);
  pl_poll_start(&poll->as.poll, pair.near, PL_READABLE | PL_WRITABLE);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  assert_int_equal(poll->status, PL_READABLE | PL_WRITABLE);
  expect_trace(world, "poll poll");
  world_end(world);
  close_pair(pair);
}

static void a_stopped_handle_hears_nothing_until_started(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair();
  struct act *poll = act_poll(world, "poll", NULL);
  put(pair.far);
  pl_poll_start(&poll->as.poll, pair.near, PL_READABLE);
  pl_handle_stop(poll);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  struct act *idle = soon_watcher(world, PL_OBJECT_IDLE, "idle", NULL);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "idle");
  pl_handle_stop(idle);
  pl_poll_start(&poll->as.poll, pair.near, PL_READABLE);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "poll");
  world_end(world);
  close_pair(pair);
}

static void stop_other(struct act *self) {
  const char *other = self->label[0] == 'a' ? "b" : "a";
  pl_handle_stop(act_find(self, other));
}
static void close_other(struct act *self) {
  const char *other = self->label[0] == 'a' ? "b" : "a";
  struct act *act = act_find(self, other);
  if (!pl_object_is_closing(act)) pl_handle_close(act, NULL);
}
static void restart_other(struct act *self) {
  const char *other = self->label[0] == 'a' ? "b" : "a";
  struct act *act = act_find(self, other);
  int fd = act->as.poll.fd;
  stop_other(self);
  pl_poll_start(&act->as.poll, fd, PL_READABLE);
}

static void a_ready_handle_stopped_by_another_is_skipped(void **state) {
  void (*const bodies[])(struct act *) = {stop_other, close_other,
                                          restart_other};
  for (int i = 0; i < 3; i++) {
    struct world *world = world_begin_real(world_poller(state));
    struct pair pairs[2] = {new_pair(), new_pair()};
    struct act *acts[2] = {act_poll(world, "a", bodies[i]),
                           act_poll(world, "b", bodies[i])};
    for (int k = 0; k < 2; k++) {
      put(pairs[k].far);
      pl_poll_start(&acts[k]->as.poll, pairs[k].near, PL_READABLE);
    }
    expect_run(world, PL_LOOP_NOWAIT, 1);
    assert_int_equal(acts[0]->calls + acts[1]->calls, 1);
    world_end(world);
    close_pair(pairs[0]);
    close_pair(pairs[1]);
  }
}

static void a_hang_up_is_reported_as_what_is_wanted(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair();
  struct act *poll = act_poll(world, "poll", NULL);
  pl_poll_start(&poll->as.poll, pair.near, PL_READABLE);
  close(pair.far);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "poll");
  assert_int_equal(poll->status, PL_READABLE);
  world_end(world);
  close(pair.near);
}

static void bad_starts_are_refused(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair();
  struct act *a = act_poll(world, "a", NULL);
  struct act *b = act_poll(world, "b", NULL);
  struct pl_poll *poll = &a->as.poll;
  assert_int_equal(pl_poll_start(poll, pair.near, 0), PL_EINVAL);
  assert_int_equal(pl_poll_start(poll, pair.near, 8), PL_EINVAL);
  assert_int_equal(pl_poll_start(poll, -1, PL_READABLE), PL_EBADF);
  assert_int_equal(pl_poll_start(poll, 900, PL_READABLE), PL_EBADF);
  assert_int_equal(pl_object_is_active(a), 0);
  assert_int_equal(pl_poll_start(poll, pair.near, PL_READABLE), 0);
  assert_int_equal(pl_poll_start(&b->as.poll, pair.near, PL_READABLE),
                   PL_EEXIST);
  pl_handle_stop(a);
  assert_int_equal(pl_poll_start(&b->as.poll, pair.near, PL_READABLE), 0);
  put(pair.far);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "b");
  act_close(a);
  assert_int_equal(pl_poll_start(poll, pair.far, PL_READABLE), PL_EINVAL);
  world_end(world);
  close_pair(pair);
}

static void a_descriptor_number_may_be_used_again_after_close(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair();
  for (int i = 0; i < 3; i++) {
    struct act *poll = act_poll(world, "poll", NULL);
    struct pair again = new_pair();
    assert_int_equal(dup2(again.near, pair.near), pair.near);
    close(again.near);
    put(again.far);
    assert_int_equal(pl_poll_start(&poll->as.poll, pair.near, PL_READABLE), 0);
    expect_run(world, PL_LOOP_NOWAIT, 1);
    expect_trace(world, "poll");
    assert_int_equal(pl_handle_close(poll, NULL), 0);
    close(again.far);
  }
  world_end(world);
  close_pair(pair);
}

static void a_descriptor_replaced_under_a_handle_is_found_again(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair(), other = new_pair();
  struct act *poll = act_poll(world, "poll", NULL);
  pl_poll_start(&poll->as.poll, pair.near, PL_READABLE);
  assert_int_equal(dup2(other.near, pair.near), pair.near);
  put(other.far);
  pl_poll_start(&poll->as.poll, pair.near, PL_READABLE | PL_WRITABLE);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "poll");
  assert_int_equal(poll->status, PL_READABLE | PL_WRITABLE);
  world_end(world);
  close_pair(pair);
  close_pair(other);
}

/* The kernel keeps what it knew of a closed descriptor while a duplicate is
 * open, and remembers when the number comes back. */
static void
a_descriptor_that_comes_back_from_a_duplicate_is_watched(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair();
  struct act *first = act_poll(world, "first", NULL);
  pl_poll_start(&first->as.poll, pair.near, PL_READABLE);
  int duplicate = dup(pair.near);
  close(pair.near);
  act_close(first);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(dup2(duplicate, pair.near), pair.near);
  struct act *second = act_poll(world, "second", NULL);
  assert_int_equal(pl_poll_start(&second->as.poll, pair.near, PL_READABLE), 0);
  put(pair.far);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "~first second");
  world_end(world);
  close(duplicate);
  close_pair(pair);
}

enum { MANY = 300 };

struct ear {
  struct pl_poll poll;
  struct pair pair;
  int heard;
};

static void hear_once(void *arg, int status) {
  struct ear *ear = arg;
  char byte;
  assert_int_equal(status, PL_READABLE);
  assert_int_equal(read(ear->pair.near, &byte, 1), 1);
  ear->heard++;
}

static void
more_ready_descriptors_than_one_wait_returns_are_all_heard(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct ear *ears = calloc(MANY, sizeof *ears);
  assert_non_null(ears);
  for (int i = 0; i < MANY; i++) {
    ears[i].pair = new_pair();
    put(ears[i].pair.far);
    pl_poll_init(world->loop, &ears[i].poll, hear_once, &ears[i]);
    assert_int_equal(
        pl_poll_start(&ears[i].poll, ears[i].pair.near, PL_READABLE), 0);
  }
  expect_run(world, PL_LOOP_NOWAIT, 1);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(ears[i].heard, 1);
    pl_handle_close(&ears[i].poll, NULL);
    close_pair(ears[i].pair);
  }
  expect_run(world, PL_LOOP_DEFAULT, 0);
  world_end(world);
  free(ears);
}

static void hear_again(void *arg, int status) {
  struct ear *ear = arg;
  assert_int_equal(status, PL_READABLE);
  ear->heard++;
}

static void descriptors_that_are_always_ready_starve_no_other(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct ear *ears = calloc(MANY, sizeof *ears);
  assert_non_null(ears);
  for (int i = 0; i < MANY; i++) {
    ears[i].pair = new_pair();
    put(ears[i].pair.far);
    pl_poll_init(world->loop, &ears[i].poll, hear_again, &ears[i]);
    pl_poll_start(&ears[i].poll, ears[i].pair.near, PL_READABLE);
  }
  expect_run(world, PL_LOOP_NOWAIT, 1);
  for (int i = 0; i < MANY; i++) {
    assert_true(ears[i].heard > 0);
    pl_handle_close(&ears[i].poll, NULL);
    close_pair(ears[i].pair);
  }
  expect_run(world, PL_LOOP_DEFAULT, 0);
  world_end(world);
  free(ears);
}

/* -- signals ----------------------------------------------------------------
 */

static void three_raises_are_three_callbacks_at_the_end_of_poll(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct pair pair = new_pair();
  struct act *poll = act_poll(world, "poll", read_all);
  pl_poll_start(&poll->as.poll, pair.near, PL_READABLE);
  struct act *signal = act_signal(world, "usr1", NULL);
  assert_int_equal(pl_signal_start(&signal->as.signal, SIGUSR1), 0);
  soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  put(pair.far);
  for (int i = 0; i < 3; i++)
    raise(SIGUSR1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "poll usr1 usr1 usr1 check");
  assert_int_equal(signal->status, SIGUSR1);
  world_end(world);
  close_pair(pair);
}

static void signals_arrive_in_order_and_reach_all_their_handles(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct act *a = act_signal(world, "a1", NULL);
  struct act *b = act_signal(world, "b1", NULL);
  struct act *c = act_signal(world, "c2", NULL);
  pl_signal_start(&a->as.signal, SIGUSR1);
  pl_signal_start(&b->as.signal, SIGUSR1);
  pl_signal_start(&c->as.signal, SIGUSR2);
  raise(SIGUSR2);
  raise(SIGUSR1);
  raise(SIGUSR2);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "c2 a1 b1 c2");
  pl_handle_stop(a);
  raise(SIGUSR1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "b1");
  world_end(world);
}

static void the_disposition_comes_back_when_nobody_listens(void **state) {
  struct sigaction before;
  signal(SIGUSR1, SIG_IGN);
  struct world *world = world_begin_real(world_poller(state));
  struct act *a = act_signal(world, "a", NULL);
  assert_int_equal(pl_signal_start(&a->as.signal, SIGUSR1), 0);
  sigaction(SIGUSR1, NULL, &before);
  assert_true(before.sa_handler != SIG_IGN);
  assert_int_equal(pl_signal_start(&a->as.signal, SIGUSR2), 0);
  sigaction(SIGUSR1, NULL, &before);
  assert_true(before.sa_handler == SIG_IGN);
  raise(SIGUSR2);
  pl_handle_stop(a); /* raised and not yet delivered: not delivered */
  pl_object_unref(a);
  expect_run(world, PL_LOOP_NOWAIT, 0);
  expect_trace(world, "");
  assert_int_equal(pl_signal_start(&a->as.signal, SIGKILL), PL_EINVAL);
  assert_int_equal(pl_signal_start(&a->as.signal, 0), PL_EINVAL);
  assert_int_equal(pl_object_is_active(a), 0);
  world_end(world);
  signal(SIGUSR1, SIG_DFL);
}

static void stop_self(struct act *self) {
  pl_handle_stop(&self->as.signal);
}

/* The others of its signal wait in the pass in which the first one stops. */
static void a_handle_that_stops_itself_takes_nothing_from_others(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct act *a = act_signal(world, "a", stop_self);
  struct act *b = act_signal(world, "b", NULL);
  pl_signal_start(&a->as.signal, SIGUSR1);
  pl_signal_start(&b->as.signal, SIGUSR1);
  raise(SIGUSR1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  raise(SIGUSR1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "a b b");
  world_end(world);
}

static void two_loops_hear_one_signal(void **state) {
  struct world *worlds[2];
  struct act *acts[2];
  for (int i = 0; i < 2; i++) {
    worlds[i] = world_begin_real(world_poller(state));
    acts[i] = act_signal(worlds[i], "s", NULL);
    assert_int_equal(pl_signal_start(&acts[i]->as.signal, SIGUSR1), 0);
  }
  raise(SIGUSR1);
  for (int i = 0; i < 2; i++) {
    expect_run(worlds[i], PL_LOOP_NOWAIT, 1);
    expect_trace(worlds[i], "s");
    world_end(worlds[i]);
  }
}

static void raise_alarm(struct act *self) {
  (void)self;
  raise(SIGALRM);
}

static void on_alarm(int signum) {
  (void)signum;
}

/* A handler without SA_RESTART interrupts the wait; the timer still is in
 * time, and no iteration is made for it. */
static void an_interrupted_wait_goes_on_waiting(void **state) {
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  struct world *world = world_begin_real(world_poller(state));
  struct act *prepare =
      soon_watcher(world, PL_OBJECT_PREPARE, "prepare", raise_alarm);
  pl_object_unref(prepare);
  ualarm(20000, 0);
  soon_timer(world, 60, "timer", NULL);
  expect_run(world, PL_LOOP_ONCE, 0);
  ualarm(0, 0); /* the timer may come first: its time began before */
  expect_trace(world, "prepare timer");
  world_end(world);
  signal(SIGALRM, SIG_DFL);
}

/* Again and again: what is left is counted from the deadline, and not from what
 * was left before. */
static void a_wait_interrupted_often_ends_at_its_timer(void **state) {
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  struct world *world = world_begin_real(world_poller(state));
  struct act *prepare = soon_watcher(world, PL_OBJECT_PREPARE, "prepare", NULL);
  pl_object_unref(prepare);
  soon_timer(world, 90, "timer", NULL);
  uint64_t start = pl_loop_now(world->loop);
  ualarm(10000, 10000);
  expect_run(world, PL_LOOP_ONCE, 0);
  ualarm(0, 0);
  expect_trace(world, "prepare timer");
  assert_true(pl_loop_now(world->loop) - start >= 90);
  world_end(world);
  signal(SIGALRM, SIG_DFL);
}

/* -- no descriptors left -------------------------------------------------- */

enum { FEW = 64 };

struct shortage {
  struct rlimit before;
  int spare[FEW];
  int count;
};

/* Uses up what the process may have, which is little from now on. */
static void begin_shortage(struct shortage *shortage) {
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &shortage->before), 0);
  struct rlimit few = shortage->before;
  few.rlim_cur = FEW;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  shortage->count = 0;
  while ((shortage->spare[shortage->count] = dup(STDIN_FILENO)) >= 0)
    shortage->count++;
  assert_int_equal(errno, EMFILE);
  assert_true(shortage->count > 0);
}

static void end_shortage(struct shortage *shortage) {
  while (shortage->count > 0)
    close(shortage->spare[--shortage->count]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &shortage->before), 0);
}

static struct shortage shortage;
static int refused, accepted;

/* The third refusal is answered with a descriptor that is given up. */
static void accept_one(struct act *self) {
  int fd = accept(self->as.poll.fd, NULL, NULL);
  if (fd < 0) {
    assert_int_equal(errno, EMFILE);
    if (++refused == 3) close(shortage.spare[--shortage.count]);
    return;
  }
  accepted++;
  close(fd);
  pl_handle_stop(self);
}

static int new_listener(struct sockaddr_un *name, socklen_t *length) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  *name = (struct sockaddr_un){.sun_family = AF_UNIX};
  *length = sizeof name->sun_family; /* the kernel finds a name */
  assert_int_equal(bind(fd, (struct sockaddr *)name, *length), 0);
  assert_int_equal(listen(fd, 4), 0);
  *length = sizeof *name;
  assert_int_equal(getsockname(fd, (struct sockaddr *)name, length), 0);
  return fd;
}

/* accept(2) fails with EMFILE: the connection waits, its listener is heard of
 * in every iteration, and so is everybody else. */
static void a_listener_without_descriptors_starves_nobody(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct sockaddr_un name;
  socklen_t length;
  int listener = new_listener(&name, &length);
  int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(client, (struct sockaddr *)&name, length), 0);
  struct pair pair = new_pair();
  struct act *other = act_poll(world, "other", read_all);
  struct act *heard = act_poll(world, "l", accept_one);
  pl_poll_start(&heard->as.poll, listener, PL_READABLE);
  pl_poll_start(&other->as.poll, pair.near, PL_READABLE);
  refused = accepted = 0;
  begin_shortage(&shortage);
  for (int turn = 1; turn <= 3; turn++) {
    put(pair.far);
    expect_run(world, PL_LOOP_ONCE, 1);
    assert_int_equal(other->calls, turn);
    assert_int_equal(refused, turn);
    assert_int_equal(accepted, 0);
  }
  expect_run(world, PL_LOOP_ONCE, 1);
  assert_int_equal(accepted, 1);
  assert_int_equal(refused, 3);
  end_shortage(&shortage);
  world->trace[0] = '\0';
  world_end(world);
  close(listener);
  close(client);
  close_pair(pair);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      OVER_ALL_POLLERS(readiness_is_level_triggered),
      OVER_ALL_POLLERS(starting_again_replaces_the_mask),
      OVER_ALL_POLLERS(a_stopped_handle_hears_nothing_until_started),
      OVER_ALL_POLLERS(a_ready_handle_stopped_by_another_is_skipped),
      OVER_ALL_POLLERS(a_hang_up_is_reported_as_what_is_wanted),
      OVER_ALL_POLLERS(bad_starts_are_refused),
      OVER_ALL_POLLERS(a_descriptor_number_may_be_used_again_after_close),
      OVER_ALL_POLLERS(
          more_ready_descriptors_than_one_wait_returns_are_all_heard),
      OVER_ALL_POLLERS(descriptors_that_are_always_ready_starve_no_other),
      OVER_ALL_POLLERS(a_descriptor_replaced_under_a_handle_is_found_again),
      OVER_ALL_POLLERS(
          a_descriptor_that_comes_back_from_a_duplicate_is_watched),
      OVER_ALL_POLLERS(three_raises_are_three_callbacks_at_the_end_of_poll),
      OVER_ALL_POLLERS(signals_arrive_in_order_and_reach_all_their_handles),
      OVER_ALL_POLLERS(the_disposition_comes_back_when_nobody_listens),
      OVER_ALL_POLLERS(a_handle_that_stops_itself_takes_nothing_from_others),
      OVER_ALL_POLLERS(two_loops_hear_one_signal),
      OVER_ALL_POLLERS(an_interrupted_wait_goes_on_waiting),
      OVER_ALL_POLLERS(a_wait_interrupted_often_ends_at_its_timer),
      OVER_ALL_POLLERS(a_listener_without_descriptors_starves_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

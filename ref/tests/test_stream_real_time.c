/* SPDX-License-Identifier: MIT */
/*
 * test_stream_real_time.c: streams over sockets and pipes, each test over
 * epoll(7), over poll(2) and over io_uring(7), where that is allowed.
 *
 * Invariant: the other end of a pair is a plain descriptor of the test's, or
 * another stream of the same loop, so real time decides nothing.
 */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct world *begin(void **state) {
  return world_begin_real(world_poller(state));
}

static void new_pair(int ends[2]) {
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

/* A stream that traces what happens to it: "label:bytes", "label.end",
 * "label!error", and "~label". */
struct tap {
  struct pl_stream stream; /* first */
  struct world *world;
  const char *label;
  void (*body)(struct tap *); /* after each piece */
  size_t total;
  uint64_t sum; /* of all bytes, weighted by their places */
  bool quiet;   /* traces no pieces */
};

static void on_data(void *arg, const void *data, ptrdiff_t length) {
  struct tap *tap = arg;
  char text[64];
  if (length > 0)
    snprintf(text, sizeof text, "%s:%.*s", tap->label,
             (int)(length < 16 ? length : 16), (const char *)data);
  else if (length == 0)
    snprintf(text, sizeof text, "%s.end", tap->label);
  else
    snprintf(text, sizeof text, "%s!%s", tap->label,
             pl_error_name((int)length));
  for (ptrdiff_t i = 0; i < length; i++)
    tap->sum += ++tap->total * ((const unsigned char *)data)[i];
  if (!tap->quiet || length <= 0) world_say(tap->world, text);
  if (tap->body != NULL) tap->body(tap);
}

static void on_closed(void *arg, int status) {
  struct tap *tap = arg;
  char text[32];
  assert_int_equal(status, 0);
  snprintf(text, sizeof text, "~%s", tap->label);
  world_say(tap->world, text);
}

static void open_tap(struct world *world, struct tap *tap, const char *label,
                     int fd) {
  *tap = (struct tap){.world = world, .label = label};
  pl_stream_init(world->loop, &tap->stream, tap);
  assert_int_equal(pl_stream_open(&tap->stream, fd), 0);
}

static void read_tap(struct world *world, struct tap *tap, const char *label,
                     int fd) {
  open_tap(world, tap, label, fd);
  assert_int_equal(pl_stream_read(&tap->stream, on_data), 0);
}

static void close_tap(struct tap *tap) {
  assert_int_equal(pl_handle_close(&tap->stream, on_closed), 0);
}

struct letter {
  struct pl_write write; /* first */
  struct world *world;
  const char *label;
  void (*body)(struct letter *);
};

static void on_written(void *arg, int status) {
  struct letter *letter = arg;
  char text[64];
  snprintf(text, sizeof text, "%s=%s", letter->label,
           status == 0 ? "ok" : pl_error_name(status));
  world_say(letter->world, text);
  if (letter->body != NULL) letter->body(letter);
}

static void post(struct tap *tap, struct letter *letter, const char *label,
                 const void *data, size_t length) {
  *letter = (struct letter){.world = tap->world, .label = label};
  pl_write_init(tap->world->loop, &letter->write, on_written, letter);
  assert_int_equal(pl_stream_write(&tap->stream, &letter->write, data, length),
                   0);
}

static void close_self_tap(struct tap *tap) {
  close_tap(tap);
}

/* ---------------------------------------------------------------------- */

/* One turn after the other, until nothing is new. */
static void turn(struct world *world) {
  for (int i = 0; i < 4; i++)
    assert_true(pl_loop_run(world->loop, PL_LOOP_NOWAIT) >= 0);
}

static void a_letter_is_read_and_reported_once(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap near, far;
  struct letter letter;
  new_pair(ends);
  open_tap(world, &near, "near", ends[0]);
  read_tap(world, &far, "far", ends[1]);
  post(&near, &letter, "w", "hello", 5);
  expect_trace(world, ""); /* never where it is written */
  assert_int_equal(pl_stream_write(&near.stream, &letter.write, "x", 1),
                   PL_EBUSY);
  turn(world);
  bool first = strcmp(world->trace, "w=ok far:hello") == 0;
  if (!first) assert_string_equal(world->trace, "far:hello w=ok");
  world->trace[0] = '\0';
  turn(world);
  expect_trace(world, "");
  close_tap(&near);
  close_tap(&far);
  turn(world);
  expect_trace(world, "~far ~near");
  world_end(world);
  close(ends[0]);
  close(ends[1]);
}

static void letters_keep_their_order(void **state) {
  enum { COUNT = 20 };
  struct world *world = begin(state);
  int ends[2];
  struct tap near;
  struct letter letters[COUNT];
  new_pair(ends);
  open_tap(world, &near, "near", ends[0]);
  for (int i = 0; i < COUNT; i++)
    post(&near, &letters[i], "w", &"abcdefghijklmnopqrst"[i], 1);
  for (int i = 0; i < COUNT; i++)
    turn(world);
  char bytes[64];
  assert_int_equal(read(ends[1], bytes, sizeof bytes), COUNT);
  assert_memory_equal(bytes, "abcdefghijklmnopqrst", COUNT);
  assert_int_equal(strlen(world->trace), COUNT * 5 - 1);
  world->trace[0] = '\0';
  close_tap(&near);
  turn(world);
  expect_trace(world, "~near");
  world_end(world);
  close(ends[0]);
  close(ends[1]);
}

static void an_empty_letter_is_reported(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap near;
  struct letter letter;
  new_pair(ends);
  open_tap(world, &near, "near", ends[0]);
  post(&near, &letter, "w", "", 0);
  expect_trace(world, "");
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "w=ok");
  close_tap(&near);
  turn(world);
  expect_trace(world, "~near");
  world_end(world);
  close(ends[0]);
  close(ends[1]);
}

/* More than the socket's buffers hold, and more than a pool of buffers. */
static void a_large_letter_arrives_whole(void **state) {
  enum { SIZE = 5000000 };
  struct world *world = begin(state);
  int ends[2];
  struct tap near, far;
  struct letter letters[2];
  unsigned char *bytes = malloc(SIZE);
  uint64_t sum = 0;
  for (size_t i = 0; i < SIZE; i++) {
    bytes[i] = (unsigned char)(i * 7 + i / 4096);
    sum += (i + 1) * bytes[i];
  }
  new_pair(ends);
  open_tap(world, &near, "near", ends[0]);
  post(&near, &letters[0], "w1", bytes, SIZE - 10);
  post(&near, &letters[1], "w2", bytes + SIZE - 10, 10);
  turn(world);
  expect_trace(world, "");
  read_tap(world, &far, "far", ends[1]);
  far.quiet = true;
  for (int i = 0; i < 100000 && far.total < SIZE; i++)
    pl_loop_run(world->loop, PL_LOOP_ONCE);
  turn(world);
  assert_int_equal(far.total, SIZE);
  assert_int_equal(far.sum, sum);
  expect_trace(world, "w1=ok w2=ok");
  close_tap(&near);
  close_tap(&far);
  turn(world);
  expect_trace(world, "~far ~near");
  world_end(world);
  close(ends[0]);
  close(ends[1]);
  free(bytes);
}

static void the_end_is_reported_once_and_ends_the_loop(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap far;
  new_pair(ends);
  read_tap(world, &far, "far", ends[1]);
  assert_int_equal(pl_object_is_active(&far), 1);
  assert_int_equal(write(ends[0], "bye", 3), 3);
  close(ends[0]);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "far:bye far.end");
  assert_int_equal(pl_object_is_active(&far), 0);
  turn(world);
  close_tap(&far);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "~far");
  world_end(world);
  close(ends[1]);
}

static void a_letter_to_nobody_is_epipe(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap near;
  struct letter letters[2];
  new_pair(ends);
  close(ends[1]);
  open_tap(world, &near, "near", ends[0]);
  post(&near, &letters[0], "w1", "x", 1);
  post(&near, &letters[1], "w2", "y", 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "w1=EPIPE w2=EPIPE");
  close_tap(&near);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "~near");
  world_end(world);
  close(ends[0]);
}

/* Of a full socket, and of a letter that nobody has seen yet. */
static void closing_cancels_letters_before_its_own_callback(void **state) {
  enum { SIZE = 3000000 };
  char *bytes = calloc(1, SIZE);
  for (int turns = 0; turns < 3; turns++) {
    struct world *world = begin(state);
    int ends[2];
    struct tap near;
    struct letter letters[2];
    new_pair(ends);
    open_tap(world, &near, "near", ends[0]);
    post(&near, &letters[0], "w1", bytes, SIZE);
    post(&near, &letters[1], "w2", bytes, SIZE);
    for (int i = 0; i < turns; i++)
      pl_loop_run(world->loop, PL_LOOP_NOWAIT);
    expect_trace(world, "");
    close_tap(&near);
    assert_int_equal(pl_handle_close(&near.stream, NULL), PL_EINVAL);
    expect_run(world, PL_LOOP_DEFAULT, 0);
    expect_trace(world, "w1=ECANCELED w2=ECANCELED ~near");
    world_end(world);
    close(ends[0]);
    close(ends[1]);
  }
  free(bytes);
}

static void a_stream_may_be_closed_by_its_own_reader(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap far;
  new_pair(ends);
  read_tap(world, &far, "far", ends[1]);
  far.body = close_self_tap;
  assert_int_equal(write(ends[0], "one", 3), 3);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "far:one ~far");
  world_end(world);
  close(ends[0]);
  close(ends[1]);
}

static struct tap *other_tap;
static void close_other_tap(struct tap *tap) {
  (void)tap;
  if (!pl_object_is_closing(other_tap)) close_tap(other_tap);
}

static void a_ready_stream_closed_by_another_is_silent(void **state) {
  struct world *world = begin(state);
  int a[2], b[2];
  struct tap taps[2];
  new_pair(a);
  new_pair(b);
  read_tap(world, &taps[0], "a", a[0]);
  read_tap(world, &taps[1], "b", b[0]);
  pl_loop_run(world->loop, PL_LOOP_NOWAIT);
  assert_int_equal(write(a[1], "1", 1), 1);
  assert_int_equal(write(b[1], "2", 1), 1);
  taps[0].body = taps[1].body = close_other_tap;
  other_tap = &taps[1]; /* whoever is first closes this one */
  pl_loop_run(world->loop, PL_LOOP_NOWAIT);
  bool b_first = strncmp(world->trace, "b:2", 3) == 0;
  if (!b_first) expect_trace(world, "a:1 ~b");
  world->trace[0] = '\0';
  if (!pl_object_is_closing(&taps[0])) close_tap(&taps[0]);
  if (!pl_object_is_closing(&taps[1])) close_tap(&taps[1]);
  turn(world);
  world_end(world);
  for (int i = 0; i < 2; i++) {
    close(a[i]);
    close(b[i]);
  }
}

/* The peer of a closed stream hears of it although the loop turns no more. */
static void a_closed_stream_lets_its_descriptor_go(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap far;
  char byte;
  new_pair(ends);
  read_tap(world, &far, "far", ends[1]);
  turn(world);
  close_tap(&far);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "~far");
  close(ends[1]);
  assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  assert_int_equal(read(ends[0], &byte, 1), 0);
  world_end(world);
  close(ends[0]);
}

static void a_descriptor_number_may_be_used_again(void **state) {
  struct world *world = begin(state);
  for (int i = 0; i < 5; i++) {
    int ends[2];
    struct tap far;
    char text[2] = {(char)('0' + i), '\0'}, trace[16];
    new_pair(ends);
    read_tap(world, &far, "far", ends[1]);
    assert_int_equal(write(ends[0], text, 1), 1);
    turn(world);
    snprintf(trace, sizeof trace, "far:%s", text);
    expect_trace(world, trace);
    assert_int_equal(write(ends[0], "lost", 4), 4);
    close_tap(&far);
    turn(world);
    expect_trace(world, "~far");
    close(ends[0]);
    close(ends[1]);
  }
  world_end(world);
}

static void a_pipe_is_a_stream(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap in, out;
  struct letter letter;
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  read_tap(world, &in, "in", ends[0]);
  open_tap(world, &out, "out", ends[1]);
  post(&out, &letter, "w", "water", 5);
  turn(world);
  assert_non_null(strstr(world->trace, "in:water"));
  assert_non_null(strstr(world->trace, "w=ok"));
  world->trace[0] = '\0';
  close_tap(&out);
  turn(world);
  expect_trace(world, "~out");
  close(ends[1]);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "in.end");
  close_tap(&in);
  turn(world);
  expect_trace(world, "~in");
  world_end(world);
  close(ends[0]);
}

static void bad_calls_are_refused(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap tap, twin;
  struct letter letter = {.world = world, .label = "w"};
  new_pair(ends);
  tap = twin = (struct tap){.world = world, .label = "tap"};
  pl_stream_init(world->loop, &tap.stream, &tap);
  pl_stream_init(world->loop, &twin.stream, &twin);
  pl_write_init(world->loop, &letter.write, on_written, &letter);
  assert_int_equal(pl_stream_open(&tap.stream, -1), PL_EBADF);
  assert_int_equal(pl_stream_read(&tap.stream, on_data), PL_EBADF);
  assert_int_equal(pl_stream_write(&tap.stream, &letter.write, "x", 1),
                   PL_EBADF);
  assert_int_equal(pl_stream_open(&tap.stream, ends[0]), 0);
  assert_int_equal(pl_stream_open(&tap.stream, ends[1]), PL_EBUSY);
  assert_int_equal(pl_stream_open(&twin.stream, ends[0]), PL_EEXIST);
  assert_int_equal(pl_stream_read(&tap.stream, NULL), PL_EINVAL);
  assert_int_equal(pl_stream_read(&tap.stream, on_data), 0);
  assert_int_equal(pl_stream_read(&tap.stream, on_data), PL_EBUSY);
  assert_int_equal(pl_handle_stop(&tap.stream), PL_EINVAL);
  struct act *poll = act_poll(world, "poll", NULL);
  assert_int_equal(pl_poll_start(&poll->as.poll, ends[0], PL_READABLE),
                   PL_EEXIST);
  close_tap(&tap);
  close_tap(&twin);
  assert_int_equal(pl_stream_open(&tap.stream, ends[0]), PL_EINVAL);
  assert_int_equal(pl_stream_read(&tap.stream, on_data), PL_EINVAL);
  assert_int_equal(pl_stream_write(&tap.stream, &letter.write, "x", 1),
                   PL_EINVAL);
  turn(world);
  expect_trace(world, "~tap ~tap");
  world_end(world);
  close(ends[0]);
  close(ends[1]);
}

static void more_streams_than_buffers_are_all_heard(void **state) {
  enum { COUNT = 300 };
  struct world *world = begin(state);
  struct tap *taps = calloc(COUNT, sizeof *taps);
  int(*ends)[2] = calloc(COUNT, sizeof *ends);
  for (int i = 0; i < COUNT; i++) {
    new_pair(ends[i]);
    read_tap(world, &taps[i], "t", ends[i][1]);
    taps[i].quiet = true;
  }
  for (int round = 1; round <= 3; round++) {
    for (int i = 0; i < COUNT; i++)
      assert_int_equal(write(ends[i][0], "z", 1), 1);
    for (int i = 0; i < 5; i++)
      turn(world);
    for (int i = 0; i < COUNT; i++)
      assert_int_equal(taps[i].total, round);
  }
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(pl_handle_close(&taps[i].stream, NULL), 0);
    close(ends[i][0]);
  }
  turn(world);
  for (int i = 0; i < COUNT; i++)
    close(ends[i][1]);
  world_end(world);
  free(taps);
  free(ends);
}

static void every_refused_allocation_is_reported(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap tap = {.world = world, .label = "tap"};
  new_pair(ends);
  pl_stream_init(world->loop, &tap.stream, &tap);
  world->until_fail = 0;
  assert_int_equal(pl_stream_open(&tap.stream, ends[1]), PL_ENOMEM);
  world->until_fail = -1;
  assert_int_equal(pl_stream_open(&tap.stream, ends[1]), 0);
  world->until_fail = 0;
  int error = pl_stream_read(&tap.stream, on_data);
  world->until_fail = -1;
  /* The ring's buffers come from the allocator that the ring was given. */
  bool of_loop = *state != (void *)pl_poller_uring_create;
  assert_int_equal(error, of_loop ? PL_ENOMEM : 0);
  if (of_loop) assert_int_equal(pl_object_is_active(&tap), 0);
  if (of_loop) assert_int_equal(pl_stream_read(&tap.stream, on_data), 0);
  assert_int_equal(write(ends[0], "ok", 2), 2);
  turn(world);
  expect_trace(world, "tap:ok");
  close_tap(&tap);
  turn(world);
  expect_trace(world, "~tap");
  world_end(world);
  close(ends[0]);
  close(ends[1]);
}

static void *turn_once(void *arg) {
  turn(arg);
  return NULL;
}

/* What a thread asked for ends when it does; the loop asks again. */
static void a_loop_goes_on_in_another_thread(void **state) {
  struct world *world = begin(state);
  int ends[2];
  struct tap far;
  pthread_t thread;
  new_pair(ends);
  read_tap(world, &far, "far", ends[1]);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pthread_create(&thread, NULL, turn_once, world), 0);
    pthread_join(thread, NULL);
    assert_int_equal(write(ends[0], "x", 1), 1);
    while (world->trace[0] == '\0')
      pl_loop_run(world->loop, PL_LOOP_ONCE);
    expect_trace(world, "far:x");
  }
  close_tap(&far);
  turn(world);
  expect_trace(world, "~far");
  world_end(world);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      OVER_ALL_POLLERS(a_letter_is_read_and_reported_once),
      OVER_ALL_POLLERS(letters_keep_their_order),
      OVER_ALL_POLLERS(an_empty_letter_is_reported),
      OVER_ALL_POLLERS(a_large_letter_arrives_whole),
      OVER_ALL_POLLERS(the_end_is_reported_once_and_ends_the_loop),
      OVER_ALL_POLLERS(a_letter_to_nobody_is_epipe),
      OVER_ALL_POLLERS(closing_cancels_letters_before_its_own_callback),
      OVER_ALL_POLLERS(a_stream_may_be_closed_by_its_own_reader),
      OVER_ALL_POLLERS(a_ready_stream_closed_by_another_is_silent),
      OVER_ALL_POLLERS(a_closed_stream_lets_its_descriptor_go),
      OVER_ALL_POLLERS(a_descriptor_number_may_be_used_again),
      OVER_ALL_POLLERS(a_pipe_is_a_stream),
      OVER_ALL_POLLERS(bad_calls_are_refused),
      OVER_ALL_POLLERS(more_streams_than_buffers_are_all_heard),
      OVER_ALL_POLLERS(every_refused_allocation_is_reported),
      OVER_ALL_POLLERS(a_loop_goes_on_in_another_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_many_handles.c: many descriptors through a channel: both ways at
 * once, in flight, with one message, at random, in a row, and without memory.
 */
#include "ends.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void count_and_close(struct end *end, struct pl_message *message) {
  for (unsigned i = 0; i < message->fd_count; i++)
    assert_true(fd_is_open(message->fds[i]));
  end->fd_count = 0;
  (void)message;
}

static void handles_pass_both_ways_at_once(void **state) {
  (void)state;
  static const unsigned windows[] = {1, 64, 2000};
  for (int w = 0; w < 3; w++)
    for (int mode = 0; mode < 2; mode++) {
      struct pl_channel_config config = {.window = windows[w], .mode = mode};
      struct ends *ends = ends_both(&config);
      int sent = 0, total = 3400 / 2, fd = open_server();
      ends->a.on_message = ends->b.on_message = count_and_close;
      while (ends->a.messages < total || ends->b.messages < total) {
        for (int i = 0; i < 50 && sent < total; i++, sent++) {
          assert_true(end_pass(&ends->a, "x", PL_HANDLE_NET_SERVER, dup(fd),
                               NULL) >= 0);
          assert_true(end_pass(&ends->b, "x", PL_HANDLE_NET_SERVER, dup(fd),
                               NULL) >= 0);
        }
        pl_loop_run(ends->world->loop, PL_LOOP_NOWAIT);
      }
      ends_turn(ends);
      close(fd);
      assert_int_equal(ends->a.channel.unacknowledged, 0);
      ends_teardown(ends);
    }
}

static void expect_next(struct end *end, struct pl_message *message) {
  assert_int_equal((int)message->value->number, end->fd_count);
  assert_int_equal(message->fd_count, 1);
  end->fd_count++;
}

static void ten_thousand_handles_are_in_flight(void **state) {
  (void)state;
  enum { MANY = 10000 };
  struct pl_channel_config config = {.window = MANY};
  struct ends *ends = ends_both(&config);
  int server = open_server(), before = count_open_fds();
  ends->b.on_message = expect_next;
  pl_channel_pause(&ends->b.channel);
  for (int i = 0; i < MANY; i++) {
    struct pl_passing passing = {
        .type = PL_HANDLE_NET_SERVER, .keep_open = 1, .fd = server};
    struct pl_value number = {.type = PL_VALUE_NUMBER, .number = i};
    assert_true(pl_channel_send(&ends->a.channel, &number, &passing, NULL) >=
                0);
  }
  ends_turn(ends);
  assert_int_equal(ends->a.channel.unacknowledged, MANY);
  pl_channel_resume(&ends->b.channel);
  while (ends->a.channel.unacknowledged > 0)
    pl_loop_run(ends->world->loop, PL_LOOP_ONCE);
  assert_int_equal(ends->b.fd_count, MANY);
  assert_int_equal(count_open_fds(), before);
  ends->b.fd_count = 0;
  close(server);
  ends_teardown(ends);
}

/* What each side has sent, and what it has to hear next. */
struct soak {
  uint64_t random;
  int sent, handles;
};

static size_t length_of(int number) {
  return (size_t)number * 7919 % 3001;
}

static void soak_message(struct end *end, struct pl_message *message) {
  /* The number, and a text as long as it says. */
  const struct pl_value *number = pl_value_at(message->value, 0);
  const struct pl_value *text = pl_value_at(message->value, 1);
  if ((int)pl_value_to_number(number, -1) != end->fd_count)
    fail_msg("%g, not %d: %s", pl_value_to_number(number, -1), end->fd_count,
             end->log);
  assert_int_equal(text->length, length_of(end->fd_count));
  end->fd_count++;
  if (message->type != PL_HANDLE_NONE) assert_int_equal(message->fd_count, 1);
}

static void soak_send(struct end *end, struct soak *soak, const char *filler,
                      int server) {
  struct pl_values *values = &end->ends->values;
  pl_values_reset(values);
  struct pl_value *value = pl_value_array(values);
  struct pl_passing passing = {
      .type = PL_HANDLE_NET_SERVER, .keep_open = 1, .fd = server};
  pl_value_push(values, value, pl_value_number(values, soak->sent));
  pl_value_push(values, value,
                pl_value_borrowed(values, PL_VALUE_STRING, filler,
                                  length_of(soak->sent)));
  bool passes = soak->random % 5 == 0;
  assert_true(pl_channel_send(&end->channel, value, passes ? &passing : NULL,
                              NULL) >= 0);
  soak->sent++;
  soak->handles += passes;
}

/* Random messages, handles and pauses; the environment asks for more. */
static void a_soak_loses_nothing(void **state) {
  (void)state;
  const char *wanted = getenv("PLUMB_TEST_SOAK");
  int rounds = wanted != NULL ? atoi(wanted) : 4000;
  char filler[3001];
  memset(filler, 'f', sizeof filler);
  for (int mode = 0; mode < 2; mode++) {
    struct pl_channel_config config = {.mode = mode, .window = 3};
    struct ends *ends = ends_both(&config);
    struct end *sides[2] = {&ends->a, &ends->b};
    struct soak soaks[2] = {{.random = 88172645463325252u},
                            {.random = 362436069521288629u}};
    int server = open_server(), before = count_open_fds();
    ends->a.on_message = ends->b.on_message = soak_message;
    for (int i = 0; i < rounds * 2; i++) {
      struct soak *soak = &soaks[i % 2];
      soak->random ^= soak->random << 13;
      soak->random ^= soak->random >> 7;
      soak->random ^= soak->random << 17;
      struct pl_channel *other = &sides[(i + 1) % 2]->channel;
      if (soak->random % 64 == 0) pl_channel_pause(other);
      if (soak->random % 16 == 1) pl_channel_resume(other);
      soak_send(sides[i % 2], soak, filler, server);
      if (soak->random % 8 == 2) pl_loop_run(ends->world->loop, PL_LOOP_NOWAIT);
    }
    pl_channel_resume(&ends->a.channel);
    pl_channel_resume(&ends->b.channel);
    while (ends->a.fd_count < soaks[1].sent ||
           ends->b.fd_count < soaks[0].sent ||
           ends->a.channel.unacknowledged + ends->b.channel.unacknowledged > 0)
      pl_loop_run(ends->world->loop, PL_LOOP_ONCE);
    assert_true(soaks[0].handles > rounds / 10);
    assert_int_equal(count_open_fds(), before);
    ends->a.fd_count = ends->b.fd_count = 0;
    close(server);
    ends->a.log[0] = ends->b.log[0] = '\0';
    ends_teardown(ends);
  }
}

static void take_all(struct end *end, struct pl_message *message) {
  end_say(end, "%u", message->fd_count);
  for (unsigned i = 0; i < message->fd_count; i++)
    assert_true(fd_is_open(message->fds[i]));
  end->on_message = NULL;
}

static void many_descriptors_go_with_one_message(void **state) {
  (void)state;
  for (int mode = 0; mode < 2; mode++) {
    struct pl_channel_config config = {.mode = mode};
    struct ends *ends = ends_both(&config);
    struct pl_send send = {.acknowledged = end_acknowledged, .arg = &ends->a};
    int fds[PL_CHANNEL_MOST_FDS];
    for (int i = 0; i < PL_CHANNEL_MOST_FDS; i++)
      fds[i] = open_udp();
    struct pl_value *value = pl_value_string(&ends->values, "x");
    struct pl_channel *channel = &ends->a.channel;
    assert_int_equal(pl_channel_send_many(channel, value,
                                          PL_HANDLE_DGRAM_NATIVE, fds, 254,
                                          false, NULL),
                     PL_EINVAL);
    assert_int_equal(pl_channel_send_many(channel, value,
                                          PL_HANDLE_DGRAM_NATIVE, fds, 253,
                                          false, &send),
                     1);
    ends->b.on_message = take_all;
    ends_turn(ends);
    expect_log(&ends->b, "253");
    expect_log(&ends->a, "acknowledged:0");
    assert_false(fd_is_open(fds[0]));
    ends_teardown(ends);
  }
}

enum { ROW = 64 };

/* How many answers the sender could read when the last of a row was told. */
static void look_at_answers(struct end *end, struct pl_message *message) {
  int bytes = 0;
  (void)message;
  assert_int_equal(ioctl(end->ends->peer, FIONREAD, &bytes), 0);
  end->fd_count = bytes / (int)sizeof PL__ACK_LINE; /* a newline for its NUL */
}

/* Of a sender that waits for answers the second half is read while it wakes up.
 */
static void a_row_is_answered_by_halves(void **state) {
  (void)state;
  static const char line[] =
      "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":1}\n";
  struct ends *ends = ends_raw(NULL);
  int server = open_server(), seen[3];
  char answers[ROW * sizeof PL__ACK_LINE];
  ends->a.on_message = look_at_answers;
  for (int row = 0; row < 3; row++) {
    for (int i = 0; i < ROW; i++)
      peer_send_fds(ends, line, &server, 1);
    ends_turn(ends);
    assert_int_equal(recv(ends->peer, answers, sizeof answers, MSG_WAITALL),
                     sizeof answers);
    seen[row] = ends->a.fd_count;
    ends->a.log[0] = '\0';
  }
  assert_int_equal(seen[0], 0);
  assert_int_equal(seen[1], ROW / 2);
  assert_int_equal(seen[2], ROW / 2);
  ends->a.fd_count = 0;
  close(server);
  ends_teardown(ends);
}

/* More descriptors than the sender has memory for, at each allocation. */
static void shortages_of_memory_close_what_they_must(void **state) {
  (void)state;
  for (int i = 0; i < 30; i++) {
    struct pl_channel_config config = {.window = 3};
    struct ends *ends = ends_both(&config);
    ends->world->until_fail = i;
    for (int k = 0; k < 12; k++) {
      int fd = open_server();
      int result = end_pass(&ends->a, "x", PL_HANDLE_NET_SERVER, fd, NULL);
      if (result < 0) close(fd);
      if (k % 4 == 0) ends_turn(ends);
    }
    ends_turn(ends);
    ends->world->until_fail = -1;
    ends_teardown(ends); /* counts the descriptors */
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handles_pass_both_ways_at_once),
      cmocka_unit_test(ten_thousand_handles_are_in_flight),
      cmocka_unit_test(a_soak_loses_nothing),
      cmocka_unit_test(many_descriptors_go_with_one_message),
      cmocka_unit_test(a_row_is_answered_by_halves),
      cmocka_unit_test(shortages_of_memory_close_what_they_must),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_channel.c: messages through a channel: the bytes, their order, what
 * waits, and how it ends.
 */
#include "ends.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_message_is_its_json_and_a_newline(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_value *object = pl_value_object(&ends->values);
  pl_value_set(&ends->values, object, "hello",
               pl_value_number(&ends->values, 1));
  assert_int_equal(pl_channel_send(&ends->a.channel, object, NULL, NULL), 1);
  assert_int_equal(end_send(&ends->a, "hi"), 1);
  assert_int_equal(pl_channel_send_text(&ends->a.channel, "[1]", 3, NULL, NULL),
                   1);
  ends_turn(ends);
  expect_peer(ends, "{\"hello\":1}\n\"hi\"\n[1]\n");
  ends_teardown(ends);
}

static void a_clone_is_its_length_and_its_bytes(void **state) {
  (void)state;
  struct pl_channel_config config = {.mode = PL_CHANNEL_ADVANCED};
  struct ends *ends = ends_raw(&config);
  char data[64];
  int fd;
  assert_int_equal(end_send(&ends->a, "hi"), 1);
  assert_int_equal(pl_channel_send_text(&ends->a.channel, "1", 1, NULL, NULL),
                   PL_EINVAL);
  ends_turn(ends);
  assert_int_equal(peer_read(ends, data, sizeof data, &fd), 10);
  assert_memory_equal(data, "\0\0\0\x06\xff\x0f\x22\x02hi", 10);
  send(ends->peer, "\0\0\0\x04\xff\x0f\x49\x54\0\0\0", 11, 0);
  ends_turn(ends);
  send(ends->peer, "\x03\xff\x0f\x54\0\0", 6, 0);
  ends_turn(ends);
  send(ends->peer, "\0\x01X", 3, 0);
  ends_turn(ends);
  send(ends->peer, "\0\0\0\0\0\0\0\x03\xff\x0f\x46", 11, 0);
  ends_turn(ends);
  expect_log(&ends->a, "42 true !EBADMSG !EBADMSG false");
  ends_teardown(ends);
}

static void messages_come_in_any_pieces(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  peer_send(ends, "{\"a\":1}\n\"x\"\n");
  ends_turn(ends);
  peer_send(ends, "\"\xc3");
  ends_turn(ends);
  peer_send(ends, "\xa9");
  ends_turn(ends);
  peer_send(ends, "\"\n 1 \r\nnull\n[");
  ends_turn(ends);
  peer_send(ends, "]\n\"\xff\"\n1e400\n");
  ends_turn(ends);
  expect_log(&ends->a,
             "{\"a\":1} \"x\" \"\xc3\xa9\" 1 null [] \"\xef\xbf\xbd\" null");
  ends_teardown(ends);
}

static void what_is_no_message_is_told_and_skipped(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  peer_send(ends, "\n{\n \n\"a\" \"b\"\nundefined\n\"after\"\n");
  ends_turn(ends);
  expect_log(&ends->a, "!EBADMSG !EBADMSG !EBADMSG !EBADMSG !EBADMSG "
                       "\"after\"");
  ends_teardown(ends);
}

static void internal_messages_are_told_apart(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  peer_send(ends, "{\"cmd\":\"NODE_CLUSTER\"}\n{\"cmd\":\"NODE_\"}\n"
                  "{\"cmd\":\"node_x\"}\n{\"cmd\":7}\n{\"x\":1,\"cmd\":"
                  "\"NODE_x\"}\n");
  ends_turn(ends);
  expect_log(&ends->a, "internal {\"cmd\":\"NODE_\"} {\"cmd\":\"node_x\"} "
                       "{\"cmd\":7} internal");
  ends_teardown(ends);
}

/* Once it is heard, NODE_CLUSTER goes out in the same way. */
static void buns_dialect_is_taken_up(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_value *object = pl_value_object(&ends->values);
  pl_value_set(&ends->values, object, "cmd",
               pl_value_string(&ends->values, "NODE_CLUSTER"));
  pl_channel_send(&ends->a.channel, object, NULL, NULL);
  ends_turn(ends);
  expect_peer(ends, "{\"cmd\":\"NODE_CLUSTER\"}\n");
  peer_send(ends, "\002{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\"}\n"
                  "\002{\"ack\":1}\n\0027\n\002{\n");
  ends_turn(ends);
  expect_log(&ends->a, "internal internal !EPROTO !EBADMSG");
  struct pl_passing passing = {
      .type = PL_HANDLE_NET_NATIVE, .keep_open = 1, .fd = ends->peer};
  pl_channel_send(&ends->a.channel, object, &passing, NULL);
  end_send(&ends->a, "plain");
  ends_turn(ends);
  expect_peer(ends, "\002{\"cmd\":\"NODE_CLUSTER\",\"$hasHandle\":true}\n");
  peer_send(ends, "{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
  ends_turn(ends);
  expect_peer(ends, "\"plain\"\n");
  int fd = open_server();
  peer_send_fds(ends, "\002{\"act\":\"newconn\",\"$hasHandle\":true}\n", &fd,
                1);
  ends_turn(ends);
  expect_peer(ends, "{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
  peer_send(ends, "\002{\"act\":\"newconn\",\"$hasHandle\":true}\n");
  ends_turn(ends);
  expect_peer(ends, "{\"cmd\":\"NODE_HANDLE_NACK\"}\n");
  expect_log(&ends->a, "internal !EPROTO");
  close(fd);
  ends_teardown(ends);
}

static void on_written(struct pl_send *send, int status) {
  end_say(send->arg, "written:%s", status == 0 ? "0" : pl_error_name(status));
}

static void a_request_is_called_when_its_message_is_out(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_send one = {.written = on_written, .arg = &ends->a}, two = one;
  struct pl_value *value = pl_value_bool(&ends->values, true);
  assert_int_equal(pl_channel_send(&ends->a.channel, value, NULL, &one), 1);
  assert_int_equal(pl_channel_send(&ends->a.channel, value, NULL, &two), 1);
  expect_log(&ends->a, ""); /* never from within */
  ends_turn(ends);
  expect_log(&ends->a, "written:0 written:0");
  expect_peer(ends, "true\ntrue\n");
  ends_teardown(ends);
}

static void what_cannot_be_said_is_refused(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_values *v = &ends->values;
  struct pl_value *cycle = pl_value_array(v);
  pl_value_push(v, cycle, cycle);
  struct pl_channel *channel = &ends->a.channel;
  assert_int_equal(pl_channel_send(channel, NULL, NULL, NULL), PL_EINVAL);
  assert_int_equal(pl_channel_send(channel,
                                   pl_value_plain(v, PL_VALUE_UNDEFINED), NULL,
                                   NULL),
                   PL_EINVAL);
  assert_int_equal(pl_channel_send(channel, cycle, NULL, NULL), PL_EINVAL);
  assert_int_equal(pl_channel_send(channel, pl_value_bigint(v, 1), NULL, NULL),
                   PL_EINVAL);
  assert_int_equal(end_pass(&ends->a, "x", 9, 0, NULL), PL_EINVAL);
  assert_int_equal(end_pass(&ends->a, "x", PL_HANDLE_NET_SOCKET, -1, NULL),
                   PL_EBADF);
  assert_int_equal(end_send(&ends->a, "fine"), 1);
  ends_turn(ends);
  expect_peer(ends, "\"fine\"\n");
  ends_teardown(ends);
}

/* More than the socket takes. */
static void a_full_channel_says_so_and_drains(void **state) {
  (void)state;
  struct ends *ends = ends_both(NULL);
  char text[1001] = {0};
  memset(text, 'x', 1000);
  int sent = 0, refused = 0;
  for (; sent < 2000; sent++)
    refused += end_send(&ends->a, text) == 0;
  assert_true(refused > 0);
  assert_true(pl_channel_queued(&ends->a.channel) > 128 * 1024);
  while (ends->b.messages < sent)
    pl_loop_run(ends->world->loop, PL_LOOP_ONCE);
  ends_turn(ends);
  expect_log(&ends->a, "drained");
  assert_int_equal(pl_channel_queued(&ends->a.channel), 0);
  ends_teardown(ends);
}

static void a_line_of_100_mb_arrives(void **state) {
  (void)state;
  struct ends *ends = ends_both(NULL);
  size_t length = 100u << 20;
  char *text = malloc(length);
  memset(text, 'y', length);
  text[0] = text[length - 1] = '"';
  assert_int_equal(
      pl_channel_send_text(&ends->a.channel, text, length, NULL, NULL), 0);
  free(text);
  while (ends->b.messages == 0)
    pl_loop_run(ends->world->loop, PL_LOOP_ONCE);
  assert_int_equal(ends->b.longest, length);
  assert_null(ends->b.channel.partial); /* given back */
  ends_teardown(ends);
}

static void a_message_that_is_too_long_ends_it(void **state) {
  (void)state;
  for (int whole = 0; whole < 2; whole++) {
    struct pl_channel_config config = {.most_length = 10};
    struct ends *ends = ends_raw(&config);
    peer_send(ends, "\"12345678\"\n");
    ends_turn(ends);
    peer_send(ends, whole ? "\"123456789\"\n" : "\"1234567890");
    ends_turn(ends);
    expect_log(&ends->a, "\"12345678\" ended:EMSGSIZE");
    ends_teardown(ends);
  }
  struct pl_channel_config config = {.mode = PL_CHANNEL_ADVANCED,
                                     .most_length = 1000};
  struct ends *ends = ends_raw(&config);
  send(ends->peer, "\xff\xff\xff\xff", 4, 0);
  ends_turn(ends);
  expect_log(&ends->a, "ended:EMSGSIZE");
  ends_teardown(ends);
}

static void the_end_between_messages_is_in_order(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  peer_send(ends, "1\n2\n");
  shutdown(ends->peer, SHUT_WR);
  ends_turn(ends);
  expect_log(&ends->a, "1 2 ended:0");
  assert_int_equal(end_send(&ends->a, "late"), PL_ENOTCONN);
  assert_int_equal(pl_channel_disconnect(&ends->a.channel), PL_ENOTCONN);
  ends_teardown(ends);
}

static void the_end_within_a_message_is_told(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  peer_send(ends, "1\n\"half");
  close(ends->peer);
  ends->peer = -1;
  ends_turn(ends);
  expect_log(&ends->a, "1 ended:ECONNRESET");
  ends_teardown(ends);
}

static void a_disconnect_writes_what_was_sent_first(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  end_send(&ends->a, "last");
  assert_int_equal(pl_channel_disconnect(&ends->a.channel), 0);
  assert_false(pl_channel_is_connected(&ends->a.channel));
  assert_int_equal(pl_channel_disconnect(&ends->a.channel), PL_ENOTCONN);
  assert_int_equal(end_send(&ends->a, "later"), PL_ENOTCONN);
  expect_log(&ends->a, "");
  ends_turn(ends);
  expect_log(&ends->a, "ended:0");
  char data[64];
  assert_int_equal(recv(ends->peer, data, sizeof data, 0), 7);
  assert_int_equal(recv(ends->peer, data, sizeof data, 0), 0);
  ends_teardown(ends);
}

/* What it has said before it died is heard; what is sent fails. */
static void a_peer_that_died_is_read_to_its_end(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_send send = {.written = on_written, .arg = &ends->a};
  peer_send(ends, "1\n2\n");
  close(ends->peer);
  ends->peer = -1;
  pl_channel_send(&ends->a.channel, pl_value_number(&ends->values, 3), NULL,
                  &send);
  ends_turn(ends);
  expect_log(&ends->a, "written:EPIPE 1 2 ended:0");
  ends_teardown(ends);
}

static void a_paused_channel_hears_nothing(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  pl_channel_pause(&ends->a.channel);
  peer_send(ends, "1\n");
  ends_turn(ends);
  expect_log(&ends->a, "");
  assert_int_equal(pl_channel_resume(&ends->a.channel), 0);
  ends_turn(ends);
  expect_log(&ends->a, "1");
  ends_teardown(ends);
}

static void pause_at_first(struct end *end, struct pl_message *message) {
  end_say(end, "%g", message->value->number);
  if (end->messages % 2 == 1) pl_channel_pause(&end->channel);
}

static void pausing_in_a_callback_keeps_the_rest(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  ends->a.on_message = pause_at_first;
  peer_send(ends, "1\n2\n3\n4\n5");
  ends_turn(ends);
  expect_log(&ends->a, "1");
  peer_send(ends, "6\n7\n");
  ends_turn(ends);
  expect_log(&ends->a, "");
  for (int i = 0; i < 3; i++) {
    pl_channel_resume(&ends->a.channel);
    ends_turn(ends);
  }
  expect_log(&ends->a, "2 3 4 56 7");
  ends_teardown(ends);
}

static void on_closed(void *arg, int status) {
  (void)status;
  ((struct end *)arg)->closed = true;
  end_say(arg, "closed");
}

static void close_in_message(struct end *end, struct pl_message *message) {
  (void)message;
  end_say(end, "message");
  pl_channel_close(&end->channel, on_closed);
}

static void closing_in_a_callback_ends_everything(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_send send = {.written = on_written, .arg = &ends->a};
  ends->a.on_message = close_in_message;
  pl_channel_pause(&ends->a.channel);
  peer_send(ends, "1\n2\n3");
  char big[65536];
  memset(big, 'z', sizeof big);
  while (pl_channel_send_text(&ends->a.channel, big, sizeof big, NULL, NULL))
    continue;
  pl_channel_send(&ends->a.channel, pl_value_bool(&ends->values, true), NULL,
                  &send);
  pl_channel_resume(&ends->a.channel);
  ends_turn(ends);
  expect_log(&ends->a, "message written:ECANCELED closed");
  assert_int_equal(pl_channel_close(&ends->a.channel, NULL), PL_EINVAL);
  ends_teardown(ends);
}

static void a_channel_keeps_the_loop_alive_unless_unreferenced(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  assert_int_equal(pl_loop_alive(ends->world->loop), 1);
  pl_channel_unref(&ends->a.channel);
  assert_int_equal(pl_loop_alive(ends->world->loop), 0);
  end_send(&ends->a, "x"); /* a write under way does */
  assert_int_equal(pl_loop_run(ends->world->loop, PL_LOOP_DEFAULT), 0);
  expect_peer(ends, "\"x\"\n");
  pl_channel_ref(&ends->a.channel);
  assert_int_equal(pl_loop_alive(ends->world->loop), 1);
  pl_channel_disconnect(&ends->a.channel);
  assert_int_equal(pl_loop_run(ends->world->loop, PL_LOOP_DEFAULT), 0);
  ends_teardown(ends);
}

static void listeners_keep_the_loop_alive(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_channel *channel = &ends->a.channel;
  pl_channel_listen(channel, 0);
  pl_channel_listen(channel, PL_LISTENS_INTERNAL); /* keeps nobody alive */
  assert_int_equal(pl_loop_alive(ends->world->loop), 0);
  pl_channel_listen(channel, PL_LISTENS_MESSAGE);
  assert_int_equal(pl_loop_alive(ends->world->loop), 1);
  pl_channel_listen(channel, PL_LISTENS_DISCONNECT);
  assert_int_equal(pl_loop_alive(ends->world->loop), 1);
  pl_channel_listen(channel, 0);
  assert_int_equal(pl_loop_alive(ends->world->loop), 0);
  ends_teardown(ends);
}

static void ref_and_unref_ask_no_listener(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_channel *channel = &ends->a.channel;
  pl_channel_listen(channel, 0);
  pl_channel_ref(channel);
  pl_channel_listen(channel, 0);
  assert_int_equal(pl_loop_alive(ends->world->loop), 1);
  pl_channel_unref(channel);
  pl_channel_listen(channel, PL_LISTENS_MESSAGE);
  assert_int_equal(pl_loop_alive(ends->world->loop), 0);
  ends_teardown(ends);
}

static void a_disconnect_without_listeners_sees_the_end(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  pl_channel_listen(&ends->a.channel, 0);
  pl_channel_disconnect(&ends->a.channel);
  ends_turn(ends);
  expect_log(&ends->a, "ended:0");
  ends_teardown(ends);
}

static void the_parents_channel_stands_in_the_environment(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_channel *b = &ends->b.channel;
  char number[16];
  pl_channel_init(ends->world->loop, b, ends->a.channel.events, &ends->b);
  ends->b.closed = false;
  assert_int_equal(pl_channel_open_parent(b, NULL), PL_ENOENT);
  setenv("NODE_CHANNEL_FD", "3x", 1);
  assert_int_equal(pl_channel_open_parent(b, NULL), PL_EINVAL);
  int pair[2];
  assert_int_equal(pl_channel_pair(pair), 0);
  snprintf(number, sizeof number, "%d", pair[0]);
  setenv("NODE_CHANNEL_FD", number, 1);
  setenv("NODE_CHANNEL_SERIALIZATION_MODE", "other", 1);
  assert_int_equal(pl_channel_open_parent(b, NULL), PL_EINVAL);
  setenv("NODE_CHANNEL_SERIALIZATION_MODE", "advanced", 1);
  assert_int_equal(pl_channel_open_parent(b, NULL), 0);
  assert_null(getenv("NODE_CHANNEL_FD"));
  assert_null(getenv("NODE_CHANNEL_SERIALIZATION_MODE"));
  assert_int_equal(b->mode, PL_CHANNEL_ADVANCED);
  close(pair[1]);
  ends_turn(ends);
  expect_log(&ends->b, "ended:0");
  ends_teardown(ends);
}

static void what_is_no_channel_is_refused(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_channel *b = &ends->b.channel;
  pl_channel_init(ends->world->loop, b, ends->a.channel.events, &ends->b);
  ends->b.closed = false;
  int server = open_server(), pipes[2];
  assert_int_equal(pipe(pipes), 0);
  assert_int_equal(pl_channel_open(b, -1, NULL), PL_EBADF);
  assert_int_equal(pl_channel_open(b, 9999, NULL), PL_EBADF);
  assert_int_equal(pl_channel_open(b, server, NULL), PL_ENOTSOCK);
  assert_int_equal(pl_channel_open(b, pipes[0], NULL), PL_ENOTSOCK);
  assert_int_equal(pl_channel_open(&ends->a.channel, server, NULL), PL_EBUSY);
  close(server);
  close(pipes[0]);
  close(pipes[1]);
  ends_teardown(ends);
}

/* Both ends send what the other one sent before, and more. */
static void two_channels_exchange_many_messages(void **state) {
  (void)state;
  for (int mode = 0; mode < 2; mode++) {
    struct pl_channel_config config = {.mode = mode};
    struct ends *ends = ends_both(&config);
    ends->b.echo = true;
    struct pl_value *value = pl_value_array(&ends->values);
    for (int i = 0; i < 50; i++)
      pl_value_push(&ends->values, value, pl_value_number(&ends->values, i));
    for (int i = 0; i < 20000; i++)
      assert_true(pl_channel_send(&ends->a.channel, value, NULL, NULL) >= 0);
    ends->a.channel.events = ends->b.channel.events;
    while (ends->a.messages < 20000)
      pl_loop_run(ends->world->loop, PL_LOOP_ONCE);
    assert_int_equal(ends->b.messages, 20000);
    ends_teardown(ends);
  }
}

/* Every allocation on the way fails once: it is told, or the channel ends. */
static void every_shortage_of_memory_is_survived(void **state) {
  (void)state;
  for (int mode = 0; mode < 2; mode++)
    for (int i = 0; i < 40; i++) {
      struct pl_channel_config config = {.mode = mode};
      struct ends *ends = ends_both(&config);
      ends->world->until_fail = i;
      ends->b.echo = false;
      ends->b.on_message = NULL;
      int sent = 0;
      for (int k = 0; k < 40; k++) {
        int result = end_send(&ends->a, "a message that is not too short");
        assert_true(result == 1 || result == PL_ENOMEM ||
                    (result == PL_ENOTCONN && ends->a.ended));
        sent += result == 1;
        if (k % 8 == 0) ends_turn(ends);
      }
      ends_turn(ends);
      ends->world->until_fail = -1;
      ends_turn(ends);
      if (ends->b.ended)
        assert_true(ends->b.reason == PL_ENOMEM || ends->a.ended);
      else if (!ends->a.ended)
        assert_int_equal(ends->b.messages, sent);
      ends_teardown(ends);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_its_json_and_a_newline),
      cmocka_unit_test(a_clone_is_its_length_and_its_bytes),
      cmocka_unit_test(messages_come_in_any_pieces),
      cmocka_unit_test(what_is_no_message_is_told_and_skipped),
      cmocka_unit_test(internal_messages_are_told_apart),
      cmocka_unit_test(buns_dialect_is_taken_up),
      cmocka_unit_test(a_request_is_called_when_its_message_is_out),
      cmocka_unit_test(what_cannot_be_said_is_refused),
      cmocka_unit_test(a_full_channel_says_so_and_drains),
      cmocka_unit_test(a_line_of_100_mb_arrives),
      cmocka_unit_test(a_message_that_is_too_long_ends_it),
      cmocka_unit_test(the_end_between_messages_is_in_order),
      cmocka_unit_test(the_end_within_a_message_is_told),
      cmocka_unit_test(a_disconnect_writes_what_was_sent_first),
      cmocka_unit_test(a_peer_that_died_is_read_to_its_end),
      cmocka_unit_test(a_paused_channel_hears_nothing),
      cmocka_unit_test(pausing_in_a_callback_keeps_the_rest),
      cmocka_unit_test(closing_in_a_callback_ends_everything),
      cmocka_unit_test(a_channel_keeps_the_loop_alive_unless_unreferenced),
      cmocka_unit_test(listeners_keep_the_loop_alive),
      cmocka_unit_test(ref_and_unref_ask_no_listener),
      cmocka_unit_test(a_disconnect_without_listeners_sees_the_end),
      cmocka_unit_test(the_parents_channel_stands_in_the_environment),
      cmocka_unit_test(what_is_no_channel_is_refused),
      cmocka_unit_test(two_channels_exchange_many_messages),
      cmocka_unit_test(every_shortage_of_memory_is_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

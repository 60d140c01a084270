/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_kept.c: messages that come before anybody listens to them: what is
 * kept, in which order it is told, and that nothing of it stays.
 */
#include "ends.h"

#include <sys/socket.h>
#include <unistd.h>

#define SERVER_HI                                                              \
  "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":\"hi\"}\n"
#define ACK "{\"cmd\":\"NODE_HANDLE_ACK\"}\n"

static void internal_messages_and_the_end_are_told_at_once(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  pl_channel_listen(&ends->a.channel, PL_LISTENS_DISCONNECT);
  peer_send(ends, "1\n{\"cmd\":\"NODE_X\"}\n2\n");
  ends_turn(ends);
  expect_log(&ends->a, "internal");
  shutdown(ends->peer, SHUT_WR);
  ends_turn(ends);
  expect_log(&ends->a, "ended:0");
  pl_channel_listen(&ends->a.channel, PL_LISTENS_MESSAGE);
  ends_turn(ends);
  expect_log(&ends->a, ""); /* they went with the channel */
  ends_teardown(ends);
}

static void what_comes_later_comes_behind(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_channel *channel = &ends->a.channel;
  pl_channel_listen(channel, 0);
  pl_channel_ref(channel);
  peer_send(ends, "1\n2\n");
  ends_turn(ends);
  expect_log(&ends->a, "");
  peer_send(ends, "3\n");
  pl_channel_listen(channel, PL_LISTENS_MESSAGE);
  expect_log(&ends->a, ""); /* never from within */
  ends_turn(ends);
  peer_send(ends, "4\n");
  ends_turn(ends);
  expect_log(&ends->a, "1 2 3 4");
  ends_teardown(ends);
}

static void a_pause_holds_what_was_kept_too(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_channel *channel = &ends->a.channel;
  pl_channel_listen(channel, PL_LISTENS_DISCONNECT);
  peer_send(ends, "1\n");
  ends_turn(ends);
  pl_channel_pause(channel);
  pl_channel_listen(channel, PL_LISTENS_MESSAGE);
  ends_turn(ends);
  expect_log(&ends->a, "");
  assert_int_equal(pl_channel_resume(channel), 0);
  ends_turn(ends);
  expect_log(&ends->a, "1");
  ends_teardown(ends);
}

/* The end is told behind what somebody listens to by now. */
static void kept_messages_come_before_the_end(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  pl_channel_listen(&ends->a.channel, PL_LISTENS_DISCONNECT);
  peer_send(ends, "1\n2\n");
  ends_turn(ends);
  pl_channel_listen(&ends->a.channel, PL_LISTENS_MESSAGE);
  shutdown(ends->peer, SHUT_WR);
  ends_turn(ends);
  expect_log(&ends->a, "1 2 ended:0");
  ends_teardown(ends);
}

static void listen_to_the_end_alone(struct end *end,
                                    struct pl_message *message) {
  end_say(end, "%.*s", (int)message->length, message->text);
  pl_channel_listen(&end->channel, PL_LISTENS_DISCONNECT);
}

static void who_stops_listening_gets_no_more(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  ends->a.on_message = listen_to_the_end_alone;
  pl_channel_listen(&ends->a.channel, PL_LISTENS_DISCONNECT);
  peer_send(ends, "1\n2\n");
  ends_turn(ends);
  for (int i = 1; i <= 2; i++) {
    pl_channel_listen(&ends->a.channel, PL_LISTENS_MESSAGE);
    ends_turn(ends);
    expect_log(&ends->a, i == 1 ? "1" : "2");
  }
  ends_teardown(ends);
}

static void close_it(struct end *end, struct pl_message *message) {
  (void)message;
  end_say(end, "closing");
  pl_channel_close(&end->channel, NULL);
  end->closed = true;
}

static void the_channel_may_be_closed_by_the_first(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int server = open_server();
  ends->a.on_message = close_it;
  pl_channel_listen(&ends->a.channel, PL_LISTENS_DISCONNECT);
  peer_send_fds(ends, SERVER_HI, &server, 1);
  peer_send_fds(ends, SERVER_HI, &server, 1);
  ends_turn(ends);
  pl_channel_listen(&ends->a.channel, PL_LISTENS_MESSAGE);
  ends_turn(ends);
  expect_log(&ends->a, "closing");
  close(server);
  ends_teardown(ends); /* and no descriptor stays */
}

static void a_handle_is_acknowledged_and_kept(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int server = open_server();
  ends->a.keep = true;
  pl_channel_listen(&ends->a.channel, PL_LISTENS_DISCONNECT);
  peer_send(ends, "\"before\"\n");
  peer_send_fds(ends, SERVER_HI, &server, 1);
  peer_send_fds(ends, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\"}\n",
                &server, 1);
  ends_turn(ends);
  expect_peer(ends, ACK ACK);
  expect_log(&ends->a, "");
  pl_channel_listen(&ends->a.channel, PL_LISTENS_MESSAGE);
  ends_turn(ends);
  expect_log(&ends->a, "\"before\" \"hi\" net.Server*1  net.Server*1");
  assert_int_equal(ends->a.fd_count, 2);
  for (int i = 0; i < 2; i++) {
    assert_true(fd_is_open(ends->a.fds[i]));
    close(ends->a.fds[i]);
  }
  close(server);
  ends_teardown(ends);
}

static void a_clone_is_kept(void **state) {
  (void)state;
  const struct pl_channel_config config = {.mode = PL_CHANNEL_ADVANCED};
  struct ends *ends = ends_raw(&config);
  pl_channel_listen(&ends->a.channel, PL_LISTENS_DISCONNECT);
  send(ends->peer, "\0\0\0\x04\xff\x0f\x49\x54", 8, 0);
  ends_turn(ends);
  pl_channel_listen(&ends->a.channel, PL_LISTENS_MESSAGE);
  ends_turn(ends);
  expect_log(&ends->a, "42");
  ends_teardown(ends);
}

/* Each allocation fails once: all comes, or the channel ends and says so. */
static void every_shortage_of_memory_is_told(void **state) {
  (void)state;
  int server = open_server();
  for (int i = 0; i < 12; i++) {
    struct ends *ends = ends_raw(NULL);
    pl_channel_listen(&ends->a.channel, PL_LISTENS_DISCONNECT);
    ends->world->until_fail = i;
    peer_send(ends, "{\"a\":[1,{\"b\":\"c\"}]}\n");
    peer_send_fds(ends, SERVER_HI, &server, 1);
    ends_turn(ends);
    pl_channel_listen(&ends->a.channel, PL_LISTENS_MESSAGE);
    ends_turn(ends);
    ends->world->until_fail = -1;
    ends_turn(ends);
    if (ends->a.ended)
      assert_int_equal(ends->a.reason, PL_ENOMEM);
    else
      assert_int_equal(ends->a.messages, 2);
    ends_teardown(ends);
  }
  close(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(internal_messages_and_the_end_are_told_at_once),
      cmocka_unit_test(what_comes_later_comes_behind),
      cmocka_unit_test(a_pause_holds_what_was_kept_too),
      cmocka_unit_test(kept_messages_come_before_the_end),
      cmocka_unit_test(who_stops_listening_gets_no_more),
      cmocka_unit_test(the_channel_may_be_closed_by_the_first),
      cmocka_unit_test(a_handle_is_acknowledged_and_kept),
      cmocka_unit_test(a_clone_is_kept),
      cmocka_unit_test(every_shortage_of_memory_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

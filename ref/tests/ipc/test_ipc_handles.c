/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_handles.c: descriptors through a channel: acknowledged, refused,
 * early, late, twice, missing, and when there is no room for them.
 */
#include "ends.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACK "{\"cmd\":\"NODE_HANDLE_ACK\"}\n"
#define NACK "{\"cmd\":\"NODE_HANDLE_NACK\"}\n"
#define SERVER_HI                                                              \
  "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":\"hi\"}\n"
#define SOCKET_HI                                                              \
  "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":\"hi\"}\n"

static bool same_file(int a, int b) {
  struct stat one, two;
  return fstat(a, &one) == 0 && fstat(b, &two) == 0 &&
         one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

static void on_written(struct pl_send *send, int status) {
  end_say(send->arg, "written:%s", status == 0 ? "0" : pl_error_name(status));
}

static struct pl_send watched(struct end *end) {
  return (struct pl_send){
      .written = on_written, .acknowledged = end_acknowledged, .arg = end};
}

static void a_handle_has_the_bytes_that_node_sends(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_send send = watched(&ends->a);
  int server = open_server(), fd;
  char data[256];
  assert_int_equal(
      end_pass(&ends->a, "hi", PL_HANDLE_NET_SERVER, server, &send), 1);
  ends_turn(ends);
  ssize_t got = peer_read(ends, data, sizeof data, &fd);
  assert_int_equal(got, 53);
  assert_memory_equal(data, SERVER_HI, 53);
  assert_true(same_file(fd, server));
  close(fd);
  expect_log(&ends->a, "written:0");
  assert_true(fd_is_open(server));
  peer_send(ends, ACK);
  ends_turn(ends);
  expect_log(&ends->a, "acknowledged:0");
  assert_false(fd_is_open(server));
  ends_teardown(ends);
}

static void each_type_has_its_name_and_members(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct {
    struct pl_passing passing;
    const char *text;
  } all[] = {
      {{.type = PL_HANDLE_NET_SOCKET, .key = "4:127.0.0.1:0"},
       "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":1,\"key\":"
       "\"4:127.0.0.1:0\"}\n"},
      {{.type = PL_HANDLE_NET_NATIVE},
       "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":1}\n"},
      {{.type = PL_HANDLE_DGRAM_SOCKET},
       "{\"cmd\":\"NODE_HANDLE\",\"type\":\"dgram.Socket\",\"msg\":1,"
       "\"dgramType\":\"udp4\"}\n"},
      {{.type = PL_HANDLE_DGRAM_SOCKET, .dgram_type = "udp6"},
       "{\"cmd\":\"NODE_HANDLE\",\"type\":\"dgram.Socket\",\"msg\":1,"
       "\"dgramType\":\"udp6\"}\n"},
      {{.type = PL_HANDLE_DGRAM_NATIVE},
       "{\"cmd\":\"NODE_HANDLE\",\"type\":\"dgram.Native\",\"msg\":1}\n"}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    all[i].passing.fd = open_udp();
    assert_int_equal(pl_channel_send(&ends->a.channel,
                                     pl_value_number(&ends->values, 1),
                                     &all[i].passing, NULL),
                     1);
    ends_turn(ends);
    expect_peer(ends, all[i].text);
    peer_send(ends, ACK);
    ends_turn(ends);
    assert_false(fd_is_open(all[i].passing.fd));
  }
  expect_log(&ends->a, "");
  ends_teardown(ends);
}

static void what_is_sent_behind_a_handle_waits_for_its_answer(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int one = open_server(), two = open_server();
  assert_int_equal(end_pass(&ends->a, "hi", PL_HANDLE_NET_SERVER, one, NULL),
                   1);
  assert_int_equal(end_send(&ends->a, "a"), 1); /* the first one that waits */
  assert_int_equal(end_send(&ends->a, "b"), 0);
  assert_int_equal(end_pass(&ends->a, "hi", PL_HANDLE_NET_SERVER, two, NULL),
                   0);
  assert_int_equal(end_send(&ends->a, "c"), 0);
  assert_int_equal(pl_channel_held(&ends->a.channel), 4);
  ends_turn(ends);
  expect_peer(ends, SERVER_HI);
  peer_send(ends, ACK);
  ends_turn(ends);
  expect_peer(ends, "\"a\"\n\"b\"\n" SERVER_HI);
  expect_log(&ends->a, "");
  peer_send(ends, NACK); /* of a server: not sent again, the queue goes on */
  ends_turn(ends);
  expect_peer(ends, "\"c\"\n");
  expect_log(&ends->a, "!EIO drained");
  ends_teardown(ends);
}

static void an_answer_waits_behind_no_handle(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int mine = open_server(), theirs = open_server();
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SERVER, mine, NULL);
  end_send(&ends->a, "behind");
  ends_turn(ends);
  expect_peer(ends, SERVER_HI);
  peer_send_fds(ends, SERVER_HI, &theirs, 1);
  ends_turn(ends);
  expect_peer(ends, ACK);
  close(theirs);
  expect_log(&ends->a, "\"hi\" net.Server*1");
  peer_send(ends, ACK);
  ends_turn(ends);
  expect_peer(ends, "\"behind\"\n");
  ends_teardown(ends);
}

static void a_refused_socket_is_sent_three_times_more(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_send send = watched(&ends->a);
  int fd = open_udp();
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SOCKET, fd, &send);
  end_send(&ends->a, "behind");
  for (int i = 0; i < 4; i++) {
    char data[256];
    int got;
    ends_turn(ends);
    assert_int_equal(peer_read(ends, data, sizeof data, &got), 53);
    assert_memory_equal(data, SOCKET_HI, 53);
    assert_true(got >= 0);
    close(got);
    assert_true(fd_is_open(fd));
    peer_send(ends, NACK);
  }
  ends_turn(ends);
  expect_peer(ends, "\"behind\"\n");
  expect_log(&ends->a, "written:0 !EIO acknowledged:EIO");
  assert_false(fd_is_open(fd));
  ends_teardown(ends);
}

static void a_refused_socket_may_arrive_at_last(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_send send = {.acknowledged = end_acknowledged, .arg = &ends->a};
  int fd = open_udp();
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SOCKET, fd, &send);
  ends_turn(ends);
  expect_peer(ends, SOCKET_HI);
  peer_send(ends, NACK);
  ends_turn(ends);
  expect_peer(ends, SOCKET_HI);
  peer_send(ends, ACK);
  ends_turn(ends);
  expect_log(&ends->a, "acknowledged:0");
  ends_teardown(ends);
}

static void a_kept_handle_stays_the_callers(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int fd = open_server();
  struct pl_passing passing = {
      .type = PL_HANDLE_NET_SERVER, .keep_open = 1, .fd = fd};
  pl_channel_send(&ends->a.channel, pl_value_string(&ends->values, "hi"),
                  &passing, NULL);
  ends_turn(ends);
  expect_peer(ends, SERVER_HI);
  peer_send(ends, ACK);
  ends_turn(ends);
  assert_true(fd_is_open(fd));
  close(fd);
  ends_teardown(ends);
}

static void
handles_that_were_not_acknowledged_are_closed_at_the_end(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_send one = watched(&ends->a), two = one;
  int first = open_udp(), second = open_udp();
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SOCKET, first, &one);
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SOCKET, second, &two);
  ends_turn(ends);
  expect_peer(ends, SOCKET_HI);
  close(ends->peer);
  ends->peer = -1;
  ends_turn(ends);
  expect_log(&ends->a, "written:0 acknowledged:EPIPE written:EPIPE "
                       "acknowledged:EPIPE ended:0");
  assert_false(fd_is_open(first));
  assert_false(fd_is_open(second));
  ends_teardown(ends);
}

static void a_disconnect_waits_for_answers(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SERVER, open_server(), NULL);
  end_send(&ends->a, "behind");
  pl_channel_disconnect(&ends->a.channel);
  ends_turn(ends);
  expect_peer(ends, SERVER_HI);
  expect_log(&ends->a, "");
  peer_send(ends, ACK);
  ends_turn(ends);
  char data[64];
  assert_int_equal(recv(ends->peer, data, sizeof data, 0), 9);
  assert_int_equal(recv(ends->peer, data, sizeof data, 0), 0);
  expect_log(&ends->a, "ended:0");
  ends_teardown(ends);
}

static void a_bad_descriptor_is_told_and_the_rest_goes_on(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  struct pl_send send = watched(&ends->a);
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SERVER, 9999, &send);
  end_send(&ends->a, "behind");
  ends_turn(ends);
  expect_log(&ends->a, "!EBADF written:EBADF acknowledged:EBADF");
  expect_peer(ends, "\"behind\"\n");
  ends_teardown(ends);
}

/* ---------------------------------------------------------------------- */
/* Receiving                                                              */

static void a_handle_arrives_with_its_message(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int server = open_server();
  ends->a.keep = true;
  peer_send_fds(ends, SERVER_HI, &server, 1);
  ends_turn(ends);
  expect_peer(ends, ACK);
  expect_log(&ends->a, "\"hi\" net.Server*1");
  assert_true(same_file(ends->a.fds[0], server));
  assert_int_equal(fcntl(ends->a.fds[0], F_GETFD), FD_CLOEXEC);
  close(server);
  ends_teardown(ends);
}

static void a_handle_that_nobody_takes_is_closed(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int server = open_server(), before = count_open_fds();
  peer_send_fds(ends, SERVER_HI, &server, 1);
  ends_turn(ends);
  expect_log(&ends->a, "\"hi\" net.Server*1");
  assert_int_equal(count_open_fds(), before);
  close(server);
  ends_teardown(ends);
}

static void a_handle_may_come_early_or_late_in_its_line(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int server = open_server();
  peer_send_fds(ends, "\"before\"\n{\"cmd\":\"NODE_HANDLE\",", &server, 1);
  ends_turn(ends);
  peer_send(ends, "\"type\":\"net.Server\",\"msg\":\"early\"}\n");
  ends_turn(ends);
  expect_log(&ends->a, "\"before\" \"early\" net.Server*1");
  peer_send(ends, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",");
  ends_turn(ends);
  peer_send_fds(ends, "\"msg\":\"late\"}\n\"behind\"\n", &server, 1);
  ends_turn(ends);
  expect_log(&ends->a, "\"late\" net.Server*1 \"behind\"");
  expect_peer(ends, ACK ACK);
  close(server);
  ends_teardown(ends);
}

static void a_handle_without_a_descriptor_is_refused(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  peer_send(ends, SERVER_HI "\"after\"\n");
  ends_turn(ends);
  expect_peer(ends, NACK);
  expect_log(&ends->a, "!EPROTO \"after\"");
  ends_teardown(ends);
}

static void of_two_descriptors_the_first_counts(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int fds[2] = {open_server(), open_server()};
  ends->a.keep = true;
  peer_send_fds(ends, SERVER_HI, fds, 2);
  ends_turn(ends);
  expect_peer(ends, ACK);
  expect_log(&ends->a, "!EPROTO \"hi\" net.Server*1");
  assert_true(same_file(ends->a.fds[0], fds[0]));
  close(fds[0]);
  close(fds[1]);
  ends_teardown(ends);
}

static void a_later_descriptor_replaces_one_that_nobody_claimed(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int fds[2] = {open_server(), open_server()};
  ends->a.keep = true;
  peer_send_fds(ends, "\"no handle\"\n", &fds[0], 1);
  ends_turn(ends);
  expect_log(&ends->a, "\"no handle\"");
  peer_send_fds(ends, SERVER_HI, &fds[1], 1);
  ends_turn(ends);
  expect_log(&ends->a, "!EPROTO \"hi\" net.Server*1");
  assert_true(same_file(ends->a.fds[0], fds[1]));
  peer_send_fds(ends, "\"at the end\"\n", &fds[0], 1);
  ends_turn(ends);
  close(fds[0]);
  close(fds[1]);
  ends_teardown(ends); /* and it is closed with the channel */
}

/* The kernel gives the end of a message that a read has cut together with the
 * next one and that one's descriptor. */
static void a_cut_message_keeps_its_descriptor(void **state) {
  (void)state;
  struct pl_channel_config config = {.window = 8};
  struct ends *ends = ends_both(&config);
  int one = open_server(), two = open_server();
  char filler[65500];
  memset(filler, 'f', sizeof filler);
  filler[0] = filler[sizeof filler - 1] = '"';
  pl_channel_pause(&ends->b.channel);
  ends->b.keep = true;
  pl_channel_send_text(&ends->a.channel, filler, sizeof filler, NULL, NULL);
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SERVER, one, NULL);
  end_pass(&ends->a, "ho", PL_HANDLE_NET_SERVER, two, NULL);
  int kept_one = dup(one), kept_two = dup(two);
  ends_turn(ends);
  pl_channel_resume(&ends->b.channel);
  ends_turn(ends);
  expect_log(&ends->b, "\"hi\" net.Server*1 \"ho\" net.Server*1");
  assert_true(same_file(ends->b.fds[0], kept_one));
  assert_true(same_file(ends->b.fds[1], kept_two));
  close(kept_one);
  close(kept_two);
  ends_teardown(ends);
}

static void what_is_no_socket_is_no_handle(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int file = open("/dev/null", O_RDONLY | O_CLOEXEC), udp = open_udp();
  int tcp = open_server(), pipes[2];
  assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
  peer_send_fds(ends, SERVER_HI, &file, 1);
  ends_turn(ends);
  peer_send_fds(ends, SERVER_HI, &udp, 1);
  ends_turn(ends);
  peer_send_fds(ends, SERVER_HI, &pipes[0], 1);
  ends_turn(ends);
  peer_send_fds(ends,
                "{\"cmd\":\"NODE_HANDLE\",\"type\":\"dgram.Socket\",\"msg\":1,"
                "\"dgramType\":\"udp4\"}\n",
                &tcp, 1);
  ends_turn(ends);
  expect_peer(ends, NACK NACK NACK NACK);
  expect_log(&ends->a, "!ENOTSOCK !ENOTSOCK !ENOTSOCK !ENOTSOCK");
  peer_send_fds(ends, SOCKET_HI, &pipes[0], 1); /* a pipe is a net.Socket */
  ends_turn(ends);
  expect_peer(ends, ACK);
  expect_log(&ends->a, "\"hi\" net.Socket*1");
  close(file);
  close(udp);
  close(tcp);
  close(pipes[0]);
  close(pipes[1]);
  ends_teardown(ends);
}

static void an_unknown_type_is_refused(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int tcp = open_server();
  peer_send_fds(ends, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"x\",\"msg\":1}\n",
                &tcp, 1);
  ends_turn(ends);
  peer_send_fds(ends, "{\"cmd\":\"NODE_HANDLE\"}\n", &tcp, 1);
  ends_turn(ends);
  peer_send_fds(ends,
                "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"count\":"
                "1e9,\"msg\":1}\n",
                &tcp, 1);
  ends_turn(ends);
  expect_peer(ends, NACK NACK NACK);
  expect_log(&ends->a, "!EPROTO !EPROTO !EPROTO");
  close(tcp);
  ends_teardown(ends);
}

static void an_answer_to_no_handle_is_told(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  peer_send(ends, ACK NACK "\"after\"\n");
  ends_turn(ends);
  expect_log(&ends->a, "!EPROTO !EPROTO \"after\"");
  ends_teardown(ends);
}

static void an_internal_message_may_bring_a_handle(void **state) {
  (void)state;
  struct ends *ends = ends_raw(NULL);
  int tcp = open_server();
  peer_send_fds(ends,
                "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{"
                "\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn\"}}\n",
                &tcp, 1);
  ends_turn(ends);
  expect_log(&ends->a, "internal");
  expect_peer(ends, ACK);
  close(tcp);
  ends_teardown(ends);
}

/* The sender hears of it when there is room again, and sends it once more. */
static void nothing_is_lost_when_descriptors_run_out(void **state) {
  (void)state;
  struct ends *ends = ends_both(NULL);
  struct pl_send send = {.acknowledged = end_acknowledged, .arg = &ends->a};
  struct rlimit limit, low;
  int fd = open_udp(), full[256], count = 0;
  ends->b.keep = true;
  /* Of the kind that a net.Socket is. */
  close(fd);
  int pair[2];
  assert_int_equal(pl_channel_pair(pair), 0);
  close(pair[1]);
  fd = pair[0];
  getrlimit(RLIMIT_NOFILE, &limit);
  low = limit;
  low.rlim_cur = (rlim_t)(count_open_fds() + 40);
  setrlimit(RLIMIT_NOFILE, &low);
  while (count < 256 && (full[count] = dup(fd)) >= 0)
    count++;
  assert_int_equal(errno, EMFILE);
  end_pass(&ends->a, "hi", PL_HANDLE_NET_SOCKET, fd, &send);
  end_send(&ends->a, "behind");
  ends_turn(ends);
  expect_log(&ends->b, "!EMFILE");
  expect_log(&ends->a, "");
  while (count > 0)
    close(full[--count]);
  while (ends->b.messages < 2)
    pl_loop_run(ends->world->loop, PL_LOOP_ONCE);
  ends_turn(ends);
  setrlimit(RLIMIT_NOFILE, &limit);
  expect_log(&ends->b, "\"hi\" net.Socket*1 \"behind\"");
  expect_log(&ends->a, "acknowledged:0");
  ends_teardown(ends);
}

static void a_window_lets_many_handles_go_at_a_time(void **state) {
  (void)state;
  struct pl_channel_config config = {.window = 4};
  struct ends *ends = ends_raw(&config);
  for (int i = 0; i < 6; i++)
    assert_int_equal(
        end_pass(&ends->a, "hi", PL_HANDLE_NET_SERVER, open_server(), NULL),
        i < 5);
  ends_turn(ends);
  expect_peer(ends, SERVER_HI SERVER_HI SERVER_HI SERVER_HI);
  peer_send(ends, ACK ACK);
  ends_turn(ends);
  expect_peer(ends, SERVER_HI SERVER_HI);
  peer_send(ends, ACK ACK ACK ACK);
  ends_turn(ends);
  expect_log(&ends->a, "drained");
  ends_teardown(ends);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_handle_has_the_bytes_that_node_sends),
      cmocka_unit_test(each_type_has_its_name_and_members),
      cmocka_unit_test(what_is_sent_behind_a_handle_waits_for_its_answer),
      cmocka_unit_test(an_answer_waits_behind_no_handle),
      cmocka_unit_test(a_refused_socket_is_sent_three_times_more),
      cmocka_unit_test(a_refused_socket_may_arrive_at_last),
      cmocka_unit_test(a_kept_handle_stays_the_callers),
      cmocka_unit_test(
          handles_that_were_not_acknowledged_are_closed_at_the_end),
      cmocka_unit_test(a_disconnect_waits_for_answers),
      cmocka_unit_test(a_bad_descriptor_is_told_and_the_rest_goes_on),
      cmocka_unit_test(a_handle_arrives_with_its_message),
      cmocka_unit_test(a_handle_that_nobody_takes_is_closed),
      cmocka_unit_test(a_handle_may_come_early_or_late_in_its_line),
      cmocka_unit_test(a_handle_without_a_descriptor_is_refused),
      cmocka_unit_test(of_two_descriptors_the_first_counts),
      cmocka_unit_test(a_later_descriptor_replaces_one_that_nobody_claimed),
      cmocka_unit_test(a_cut_message_keeps_its_descriptor),
      cmocka_unit_test(what_is_no_socket_is_no_handle),
      cmocka_unit_test(an_unknown_type_is_refused),
      cmocka_unit_test(an_answer_to_no_handle_is_told),
      cmocka_unit_test(an_internal_message_may_bring_a_handle),
      cmocka_unit_test(nothing_is_lost_when_descriptors_run_out),
      cmocka_unit_test(a_window_lets_many_handles_go_at_a_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_cluster_real_time.c: a primary and its workers: who listens where,
 * and who gets connections.
 */
#include "yard.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void workers_say_that_they_are_there_and_share_a_port(void **state) {
  (void)state;
  for (int how = 0; how < 2; how++) {
    struct yard *yard =
        yard_begin("serve", NULL, how ? yard_shared : yard_plain, 3);
    yard_until(yard, yard->listening == 3);
    assert_int_equal(yard->online, 3);
    assert_true(yard->ports[0] > 0);
    assert_int_equal(yard->ports[0], yard->ports[1]);
    assert_int_equal(yard->ports[0], yard->ports[2]);
    for (int i = 0; i < 9; i++)
      assert_in_range(yard_ask(yard), 1, 3);
    expect_log(yard, "");
    yard_end(yard);
  }
}

/* Six connections at a time that are not read: each worker may have one on its
 * way, so each gets a third. */
static void connections_go_round(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, yard_plain, 3);
  int counts[4] = {0};
  yard_until(yard, yard->listening == 3);
  for (int i = 0; i < 60; i++) {
    int who = yard_ask(yard);
    assert_in_range(who, 1, 3);
    counts[who]++;
  }
  for (int i = 1; i <= 3; i++)
    assert_in_range(counts[i], 10, 30);
  yard_end(yard);
}

static void the_last_one_that_closes_takes_the_port_away(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, yard_plain, 2);
  yard_until(yard, yard->listening == 2);
  yard_tell(yard, 1, "close");
  yard_until(yard, yard->messages == 1);
  assert_int_equal(yard_ask(yard), 2);
  yard_tell(yard, 2, "close");
  yard_until(yard, yard->messages == 2);
  assert_int_equal(yard_connect(yard->ports[0]), -1);
  yard_end(yard);
}

static void an_exclusive_server_has_a_port_of_its_own(void **state) {
  (void)state;
  struct yard *yard = yard_begin("exclusive", NULL, yard_plain, 2);
  yard_until(yard, yard->listening == 2);
  assert_int_not_equal(yard->ports[0], yard->ports[1]);
  int one = yard_answer(yard, yard_connect(yard->ports[0]));
  int two = yard_answer(yard, yard_connect(yard->ports[1]));
  assert_int_equal(one + two, 3);
  yard_end(yard);
}

static void two_servers_of_a_worker_are_two_sockets(void **state) {
  (void)state;
  struct yard *yard = yard_begin("two", NULL, yard_plain, 1);
  yard_until(yard, yard->listening == 2);
  assert_int_not_equal(yard->ports[0], yard->ports[1]);
  assert_int_equal(yard_answer(yard, yard_connect(yard->ports[1])), 1);
  yard_end(yard);
}

static void a_taken_port_is_the_workers_error(void **state) {
  (void)state;
  char number[16];
  int port, taken = open_server();
  char address[64];
  assert_int_equal(pl_listen_name(taken, &port, address, sizeof address), 0);
  snprintf(number, sizeof number, "%d", port);
  for (int how = 0; how < 2; how++) {
    struct yard *yard =
        yard_begin("taken", number, how ? yard_shared : yard_plain, 1);
    yard_until(yard, yard->messages == 2);
    expect_log(yard, "1:EADDRINUSE 1:closed");
    yard_end(yard);
  }
  close(taken);
}

static void a_path_is_served(void **state) {
  (void)state;
  char folder[] = "/tmp/plumb-cluster-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/socket", folder);
  struct yard *yard = yard_begin("path", path, yard_plain, 2);
  yard_until(yard, yard->listening == 2);
  assert_int_equal(yard->ports[0], -1);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  strcpy(name.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(connect(fd, (void *)&name, sizeof name), 0);
  assert_in_range(yard_answer(yard, fd), 1, 2);
  yard_end(yard);
  unlink(path);
  rmdir(folder);
}

static void a_datagram_socket_is_always_shared(void **state) {
  (void)state;
  struct yard *yard = yard_begin("udp", NULL, yard_plain, 2);
  yard_until(yard, yard->listening == 2);
  assert_true(yard->ports[0] > 0);
  assert_int_equal(yard->ports[0], yard->ports[1]);
  yard_end(yard);
}

static void connections_wait_while_nobody_is_free(void **state) {
  (void)state;
  struct yard *yard =
      yard_begin("serve", NULL, (struct pl_cluster_config){.waiting = 4}, 1);
  int clients[20];
  yard_until(yard, yard->listening == 1);
  struct pl_worker *worker = pl_cluster_worker(&yard->cluster, 1);
  pl_worker_kill(worker, SIGSTOP);
  for (int i = 0; i < 20; i++)
    clients[i] = yard_connect(yard->ports[0]);
  for (int i = 0; i < 50; i++)
    pl_loop_run(yard->world->loop, PL_LOOP_NOWAIT);
  assert_in_range(pl_cluster_waiting(&yard->cluster), 2, 4);
  assert_int_equal(worker->handoff_count, 1);
  pl_worker_kill(worker, SIGCONT);
  for (int i = 0; i < 20; i++)
    assert_int_equal(yard_answer(yard, clients[i]), 1);
  yard_end(yard);
}

static void weights_of_one_two_and_six_are_spread(void **state) {
  (void)state;
  struct pl_worker a = {.id = 1, .weight = 1}, b = {.id = 2, .weight = 2},
                   c = {.id = 3, .weight = 6};
  struct pl_worker *all[] = {&a, &b, &c};
  char order[28] = {0};
  for (int i = 0; i < 27; i++)
    order[i] = (char)('a' + (int)pl_schedule_weighted.pick(NULL, all, 3));
  assert_string_equal(order, "cbccaccbccbccaccbccbccaccbc");
}

static size_t pick_last(void *self, struct pl_worker *const *candidates,
                        size_t count) {
  (*(int *)self)++;
  (void)candidates;
  return count - 1;
}

static void a_schedule_may_be_the_callers(void **state) {
  (void)state;
  int asked = 0;
  const struct pl_scheduler own = {pick_last, &asked};
  struct yard *yard = yard_begin(
      "serve", NULL, (struct pl_cluster_config){.scheduler = &own}, 2);
  yard_until(yard, yard->listening == 2);
  int first = yard_ask(yard);
  for (int i = 0; i < 5; i++)
    yard_ask(yard);
  assert_true(asked > 0);
  assert_in_range(first, 1, 2);
  yard_end(yard);
}

int main(int argc, char **argv) {
  if (argc > 1) return yard_worker(argc, argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(workers_say_that_they_are_there_and_share_a_port),
      cmocka_unit_test(connections_go_round),
      cmocka_unit_test(the_last_one_that_closes_takes_the_port_away),
      cmocka_unit_test(an_exclusive_server_has_a_port_of_its_own),
      cmocka_unit_test(two_servers_of_a_worker_are_two_sockets),
      cmocka_unit_test(a_taken_port_is_the_workers_error),
      cmocka_unit_test(a_path_is_served),
      cmocka_unit_test(a_datagram_socket_is_always_shared),
      cmocka_unit_test(connections_wait_while_nobody_is_free),
      cmocka_unit_test(weights_of_one_two_and_six_are_spread),
      cmocka_unit_test(a_schedule_may_be_the_callers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

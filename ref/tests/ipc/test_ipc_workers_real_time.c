/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_workers_real_time.c: a primary and its workers: who leaves, who
 * dies, who is started again, and what is left of them.
 */
#include "yard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_worker_that_disconnects_is_served_no_more(void **state) {
  (void)state;
  for (int how = 0; how < 2; how++) {
    struct yard *yard =
        yard_begin("serve", NULL, how ? yard_shared : yard_plain, 2);
    yard_until(yard, yard->listening == 2);
    struct pl_worker *first = pl_cluster_worker(&yard->cluster, 1);
    assert_int_equal(pl_worker_disconnect(first), 0);
    yard_until(yard, yard->exited == 1 && yard->disconnected == 1);
    expect_log(yard, "1:closed exit1:0/0*");
    for (int i = 0; i < 6; i++)
      assert_int_equal(yard_ask(yard), 2);
    assert_null(pl_cluster_worker(&yard->cluster, 1));
    yard_end(yard);
  }
}

static void a_worker_may_leave_by_itself(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, yard_plain, 2);
  yard_until(yard, yard->listening == 2);
  yard_tell(yard, 2, "leave");
  yard_until(yard, yard->exited == 1 && yard->disconnected == 1);
  expect_log(yard, "2:closed exit2:0/0*");
  assert_int_equal(yard_ask(yard), 1);
  yard_end(yard);
}

static unsigned all_gone;
static void on_all_gone(void *arg, int status) {
  const struct yard *yard = arg;
  assert_int_equal(status, 0);
  assert_int_equal(yard->exited, yard->disconnected);
  all_gone++;
}

static void all_are_disconnected_with_one_call(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, yard_plain, 3);
  yard_until(yard, yard->listening == 3);
  all_gone = 0;
  pl_cluster_disconnect(&yard->cluster, on_all_gone);
  assert_int_equal(all_gone, 0);
  yard_until(yard, all_gone == 1);
  assert_int_equal(yard->exited, 3);
  assert_null(pl_cluster_next(&yard->cluster, NULL));
  pl_cluster_disconnect(&yard->cluster, on_all_gone); /* there are none */
  assert_int_equal(all_gone, 1);
  yard_until(yard, all_gone == 2);
  yard_end(yard);
}

static void a_dead_worker_is_told_and_stays_dead(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, yard_plain, 2);
  yard_until(yard, yard->listening == 2);
  pl_worker_kill(pl_cluster_worker(&yard->cluster, 1), SIGKILL);
  yard_tell(yard, 2, "exit");
  yard_until(yard, yard->exited == 2 && yard->disconnected == 2);
  assert_non_null(strstr(yard->log, "exit1:-1/9"));
  assert_non_null(strstr(yard->log, "exit2:5/0"));
  assert_null(pl_cluster_next(&yard->cluster, NULL));
  struct pl_worker *worker;
  assert_int_equal(pl_cluster_fork(&yard->cluster, &worker), 0);
  assert_int_equal(worker->id, 3); /* never used again */
  yard_end(yard);
}

/* Whoever has taken a connection and died has lost it; the others go on. */
static void a_crash_loses_one_connection_alone(void **state) {
  (void)state;
  struct yard *yard = yard_begin("crash", NULL, yard_plain, 1);
  yard_until(yard, yard->listening == 1);
  int lost = yard_connect(yard->ports[0]);
  assert_int_equal(yard_answer(yard, lost), 0);
  yard_until(yard, yard->exited == 1 && yard->disconnected == 1);
  expect_log(yard, "exit1:3/0");
  yard_end(yard);
}

/* The worker is stopped: what is on its way to it goes to the other one when it
 * is killed. */
static void what_a_dead_worker_has_not_taken_goes_to_another(void **state) {
  (void)state;
  struct yard *yard =
      yard_begin("serve", NULL, (struct pl_cluster_config){.depth = 8}, 2);
  int clients[12];
  yard_until(yard, yard->listening == 2);
  struct pl_worker *first = pl_cluster_worker(&yard->cluster, 1);
  pl_worker_kill(first, SIGSTOP);
  for (int i = 0; i < 12; i++)
    clients[i] = yard_connect(yard->ports[0]);
  for (int i = 0; i < 50 && first->handoff_count < 4; i++)
    pl_loop_run(yard->world->loop, PL_LOOP_NOWAIT);
  assert_true(first->handoff_count > 0);
  pl_worker_kill(first, SIGKILL);
  for (int i = 0; i < 12; i++)
    assert_int_equal(yard_answer(yard, clients[i]), 2);
  yard_until(yard, yard->exited == 1);
  assert_int_equal(pl_cluster_waiting(&yard->cluster), 0);
  yard_end(yard);
}

static void the_workers_end_with_their_primary(void **state) {
  (void)state;
  int alive[2], status;
  char byte;
  assert_int_equal(pipe(alive), 0);
  pid_t primary = fork();
  if (primary == 0) {
    close(alive[0]);
    struct yard *yard = yard_begin("serve", NULL, yard_plain, 2);
    yard_until(yard, yard->listening == 2);
    raise(SIGKILL);
  }
  close(alive[1]);
  assert_int_equal(waitpid(primary, &status, 0), primary);
  assert_int_equal(read(alive[0], &byte, 1), 0); /* nobody has it any more */
  close(alive[0]);
}

/* The only worker is stopped, has clients that wait, and gives up: none of them
 * is lost, and it serves what it has taken. */
static void who_gives_up_leaves_what_waits_to_the_next(void **state) {
  (void)state;
  struct pl_cluster_config config = {
      .supervision = {.restart = true, .first_ms = 1}};
  struct yard *yard = yard_begin("serve", NULL, config, 1);
  int clients[12];
  yard_until(yard, yard->listening == 1);
  struct pl_worker *first = pl_cluster_worker(&yard->cluster, 1);
  pl_worker_kill(first, SIGSTOP);
  for (int i = 0; i < 12; i++)
    clients[i] = yard_connect(yard->ports[0]);
  yard_until(yard, first->handoff_count == 1 &&
                       pl_cluster_waiting(&yard->cluster) == 11);
  yard_tell(yard, 1, "abandon"); /* behind the first of them */
  pl_worker_kill(first, SIGCONT);
  for (int i = 0; i < 12; i++)
    assert_int_equal(yard_answer(yard, clients[i]), i == 0 ? 1 : 2);
  expect_log(yard, "exit1:7/0");
  assert_int_equal(pl_cluster_waiting(&yard->cluster), 0);
  yard_end(yard);
}

static void supervision_starts_them_again_and_gives_up(void **state) {
  (void)state;
  struct pl_cluster_config config = {
      .supervision = {
          .restart = true, .first_ms = 1, .longest_ms = 4, .most = 3}};
  struct yard *yard = yard_begin("die", NULL, config, 1);
  yard_until(yard, yard->exited == 4 && yard->disconnected == 4);
  for (int i = 0; i < 20; i++)
    pl_loop_run(yard->world->loop, PL_LOOP_NOWAIT);
  expect_log(yard, "exit1:4/0 exit2:4/0 exit3:4/0 exit4:4/0");
  assert_null(pl_cluster_next(&yard->cluster, NULL));
  yard_end(yard);
}

static void supervision_lets_go_whom_it_asked_to_go(void **state) {
  (void)state;
  struct pl_cluster_config config = {
      .supervision = {.restart = true, .first_ms = 1}};
  struct yard *yard = yard_begin("serve", NULL, config, 2);
  yard_until(yard, yard->listening == 2);
  pl_worker_disconnect(pl_cluster_worker(&yard->cluster, 1));
  yard_until(yard, yard->exited == 1 && yard->disconnected == 1);
  pl_worker_kill(pl_cluster_worker(&yard->cluster, 2), SIGKILL);
  yard_until(yard, yard->exited == 2 && yard->disconnected == 2);
  /* While nobody listens clients wait, at the same port. */
  int fd = yard_connect(yard->ports[0]);
  yard_until(yard, yard->listening == 3);
  assert_int_equal(yard->ports[2], yard->ports[0]);
  assert_int_equal(yard_answer(yard, fd), 3);
  assert_null(pl_cluster_worker(&yard->cluster, 1));
  yard_end(yard);
}

/* Its question is there when the cluster ends. */
static void a_late_question_opens_nothing(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, yard_plain, 1);
  struct pl_worker *worker = pl_cluster_worker(&yard->cluster, 1);
  struct timeval wait = {.tv_sec = 20};
  char data[4096];
  ssize_t got = 0;
  int fd = worker->channel.fd; /* not read by the loop yet */
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  do
    got = recv(fd, data, sizeof data - 1, MSG_PEEK);
  while (got > 0 && memmem(data, (size_t)got, "queryServer", 11) == NULL);
  assert_true(got > 0);
  yard_end(yard);
}

static void what_cannot_be_started_leaves_nothing(void **state) {
  (void)state;
  struct yard *yard = yard_begin("idle", NULL, yard_plain, 0);
  struct pl_worker *worker;
  yard->cluster.config.spawn.file = "/no/such/file";
  assert_int_equal(pl_cluster_fork(&yard->cluster, &worker), PL_ENOENT);
  yard->cluster.config.spawn.file = "/proc/self/exe";
  struct pl_stdio pipes[1] = {{PL_STDIO_PIPE, -1}};
  yard->cluster.config.spawn.stdio = pipes;
  yard->cluster.config.spawn.stdio_count = 1;
  assert_int_equal(pl_cluster_fork(&yard->cluster, &worker), PL_EINVAL);
  assert_null(pl_cluster_next(&yard->cluster, NULL));
  yard_end(yard);
}

/* How many are started and stopped in all; more by the environment. */
static void many_workers_come_and_go(void **state) {
  (void)state;
  const char *wanted = getenv("PLUMB_TEST_WORKERS");
  unsigned many = wanted != NULL ? (unsigned)atoi(wanted) : 60;
  struct yard *yard = yard_begin("idle", NULL, yard_plain, 0);
  struct pl_worker *worker;
  for (unsigned i = 0; i < many; i++) {
    assert_int_equal(pl_cluster_fork(&yard->cluster, &worker), 0);
    if (i % 10 != 9) continue;
    yard_until(yard, yard->online == i + 1);
    while ((worker = pl_cluster_next(&yard->cluster, NULL)) != NULL) {
      unsigned gone = yard->exited;
      if (worker->id % 2 != 0)
        pl_worker_disconnect(worker);
      else
        pl_worker_kill(worker, SIGKILL);
      yard_until(yard,
                 yard->exited == gone + 1 && yard->disconnected == gone + 1);
    }
    yard->log[0] = '\0';
  }
  yard_end(yard);
}

int main(int argc, char **argv) {
  if (argc > 1) return yard_worker(argc, argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_worker_that_disconnects_is_served_no_more),
      cmocka_unit_test(a_worker_may_leave_by_itself),
      cmocka_unit_test(all_are_disconnected_with_one_call),
      cmocka_unit_test(a_dead_worker_is_told_and_stays_dead),
      cmocka_unit_test(a_crash_loses_one_connection_alone),
      cmocka_unit_test(what_a_dead_worker_has_not_taken_goes_to_another),
      cmocka_unit_test(the_workers_end_with_their_primary),
      cmocka_unit_test(who_gives_up_leaves_what_waits_to_the_next),
      cmocka_unit_test(supervision_starts_them_again_and_gives_up),
      cmocka_unit_test(supervision_lets_go_whom_it_asked_to_go),
      cmocka_unit_test(a_late_question_opens_nothing),
      cmocka_unit_test(what_cannot_be_started_leaves_nothing),
      cmocka_unit_test(many_workers_come_and_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

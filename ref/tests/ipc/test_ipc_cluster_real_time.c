/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_cluster_real_time.c: a primary and its workers, which are this
 * program again: who gets connections, who dies, what is left.
 */
#include "ends.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plumb/cluster.h"

/* ---------------------------------------------------------------------- */
/* The worker: what it does is its argument                               */

static struct pl_member member;
static struct pl_server servers[2];
static const char *role;
static struct pl_loop *worker_loop;

static void say_to_primary(const char *text) {
  struct pl_values values;
  pl_values_init(&values, NULL);
  if (pl_member_send(&member, pl_value_string(&values, text), NULL, NULL) < 0)
    _exit(9);
  pl_values_free(&values);
}

static void on_listening(void *arg, int error) {
  (void)arg;
  if (error != 0) say_to_primary(pl_error_name(error));
}

static void on_connection(void *arg, int fd) {
  char text[16];
  (void)arg;
  if (strcmp(role, "crash") == 0) _exit(3);
  int length = snprintf(text, sizeof text, "%u", member.id);
  if (send(fd, text, (size_t)length, MSG_NOSIGNAL) < 0) _exit(9);
  close(fd);
}

static void on_server_closed(void *arg) {
  (void)arg;
  say_to_primary("closed");
}

static const struct pl_server_events server_events = {
    .listening = on_listening,
    .connection = on_connection,
    .closed = on_server_closed};

static void on_member_message(void *arg, struct pl_message *message) {
  (void)arg;
  if (pl_value_is(message->value, "leave")) pl_member_disconnect(&member);
  if (pl_value_is(message->value, "close")) pl_server_close(&servers[0]);
  if (pl_value_is(message->value, "exit")) _exit(5);
}

static void on_member_ended(void *arg, int reason) {
  (void)arg;
  (void)reason;
  pl_member_close(&member, NULL);
}

static const struct pl_member_events member_events = {
    .message = on_member_message, .ended = on_member_ended};

static int be_worker(const char *path) {
  worker_loop = malloc(pl_loop_size());
  if (worker_loop == NULL || pl_loop_init(worker_loop, NULL) != 0) return 9;
  if (!pl_member_is_worker() ||
      pl_member_init(worker_loop, &member, NULL, &member_events, NULL) != 0)
    return 9;
  if (strcmp(role, "die") == 0) return 4;
  struct pl_listen what = {
      .address = "127.0.0.1", .type = PL_ADDRESS_IPV4, .fd = -1};
  if (strcmp(role, "path") == 0)
    what = (struct pl_listen){
        .address = path, .port = -1, .type = PL_ADDRESS_PIPE, .fd = -1};
  if (strcmp(role, "taken") == 0) what.port = atoi(path);
  if (strcmp(role, "udp") == 0) what.type = PL_ADDRESS_UDP4;
  bool exclusive = strcmp(role, "exclusive") == 0;
  if (strcmp(role, "idle") != 0 &&
      pl_member_listen(&member, &servers[0], &what, exclusive, &server_events,
                       NULL) != 0)
    return 9;
  if (strcmp(role, "two") == 0 &&
      pl_member_listen(&member, &servers[1], &what, false, &server_events,
                       NULL) != 0)
    return 9;
  int alive = pl_loop_run(worker_loop, PL_LOOP_DEFAULT);
  if (alive != 0 || pl_loop_close(worker_loop) != 0) return 9;
  free(worker_loop);
  return 0;
}

/* ---------------------------------------------------------------------- */
/* The primary                                                            */

struct yard {
  struct world *world;
  struct pl_cluster cluster;
  int open_before;
  char log[4096];
  unsigned online, listening, exited, disconnected, messages;
  int ports[16];
  bool closed;
  const char *argv[4];
};

static void yard_say(struct yard *yard, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void yard_say(struct yard *yard, const char *format, ...) {
  size_t length = strlen(yard->log);
  va_list list;
  va_start(list, format);
  if (length > 0) yard->log[length++] = ' ';
  vsnprintf(yard->log + length, sizeof yard->log - length, format, list);
  va_end(list);
}

static void on_online(void *arg, struct pl_worker *worker) {
  struct yard *yard = arg;
  assert_int_equal(worker->state, PL_WORKER_ONLINE);
  yard->online++;
}

static void on_worker_listening(void *arg, struct pl_worker *worker,
                                const struct pl_listen *what) {
  struct yard *yard = arg;
  assert_int_equal(worker->state, PL_WORKER_LISTENING);
  yard->ports[yard->listening++ % 16] = what->port;
}

static void on_worker_message(void *arg, struct pl_worker *worker,
                              struct pl_message *message) {
  struct yard *yard = arg;
  yard->messages++;
  yard_say(yard, "%u:%.*s", worker->id, (int)message->value->length,
           message->value->bytes);
}

static void on_disconnected(void *arg, struct pl_worker *worker) {
  struct yard *yard = arg;
  (void)worker;
  yard->disconnected++;
}

static void on_exited(void *arg, struct pl_worker *worker, int code,
                      int signum) {
  struct yard *yard = arg;
  yard->exited++;
  yard_say(yard, "exit%u:%d/%d%s", worker->id, code, signum,
           worker->exited_after_disconnect ? "*" : "");
}

static void on_problem(void *arg, struct pl_worker *worker, int error,
                       const char *what) {
  struct yard *yard = arg;
  (void)what;
  yard_say(yard, "problem%u:%s", worker->id, pl_error_name(error));
}

static const struct pl_cluster_events cluster_events = {
    .online = on_online,
    .listening = on_worker_listening,
    .message = on_worker_message,
    .disconnected = on_disconnected,
    .exited = on_exited,
    .problem = on_problem};

static struct yard *yard_begin(const char *what, const char *path,
                               struct pl_cluster_config config,
                               unsigned workers) {
  struct yard *yard = calloc(1, sizeof *yard);
  struct pl_worker *worker;
  yard->open_before = count_open_fds();
  yard->world = world_begin_pool(1);
  yard->argv[0] = "worker";
  yard->argv[1] = what;
  yard->argv[2] = path;
  config.spawn.file = "/proc/self/exe";
  config.spawn.argv = yard->argv;
  pl_cluster_init(yard->world->loop, &yard->cluster, &config, &cluster_events,
                  yard);
  for (unsigned i = 0; i < workers; i++) {
    assert_int_equal(pl_cluster_fork(&yard->cluster, &worker), 0);
    assert_int_equal(worker->id, i + 1);
    assert_int_equal(worker->state, PL_WORKER_NONE);
  }
  return yard;
}

static void on_cluster_closed(void *arg, int status) {
  (void)status;
  ((struct yard *)arg)->closed = true;
}

static void yard_end(struct yard *yard) {
  assert_int_equal(pl_cluster_close(&yard->cluster, on_cluster_closed), 0);
  assert_int_equal(pl_loop_run(yard->world->loop, PL_LOOP_DEFAULT), 0);
  assert_true(yard->closed);
  world_end(yard->world);
  assert_int_equal(count_open_fds(), yard->open_before);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  free(yard);
}

#define wait_until(yard, condition)                                            \
  while (!(condition))                                                         \
  assert_true(pl_loop_run((yard)->world->loop, PL_LOOP_ONCE) >= 0)

static void tell(struct yard *yard, unsigned id, const char *text) {
  struct pl_values values;
  struct pl_worker *worker = pl_cluster_worker(&yard->cluster, id);
  assert_non_null(worker);
  pl_values_init(&values, NULL);
  assert_int_equal(
      pl_worker_send(worker, pl_value_string(&values, text), NULL, NULL), 1);
  pl_values_free(&values);
}

static int try_connect(int port) {
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  if (connect(fd, (void *)&name, sizeof name) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

/* Who answers, 0: nobody did. The loop runs until then. */
static int answer_of(struct yard *yard, int fd) {
  char text[16] = {0};
  ssize_t got;
  assert_true(fd >= 0);
  while ((got = recv(fd, text, sizeof text - 1, MSG_DONTWAIT)) < 0 &&
         errno == EAGAIN)
    assert_true(pl_loop_run(yard->world->loop, PL_LOOP_NOWAIT) >= 0);
  close(fd);
  return got > 0 ? atoi(text) : 0;
}

static int ask(struct yard *yard) {
  return answer_of(yard, try_connect(yard->ports[0]));
}

static const struct pl_cluster_config plain = {0};
static const struct pl_cluster_config shared = {.shared = true};

static void workers_say_that_they_are_there_and_share_a_port(void **state) {
  (void)state;
  for (int how = 0; how < 2; how++) {
    struct yard *yard = yard_begin("serve", NULL, how ? shared : plain, 3);
    wait_until(yard, yard->listening == 3);
    assert_int_equal(yard->online, 3);
    assert_true(yard->ports[0] > 0);
    assert_int_equal(yard->ports[0], yard->ports[1]);
    assert_int_equal(yard->ports[0], yard->ports[2]);
    for (int i = 0; i < 9; i++)
      assert_in_range(ask(yard), 1, 3);
    expect_log(yard, "");
    yard_end(yard);
  }
}

/* Six connections at a time that are not read: each worker may have one on its
 * way, so each gets a third. */
static void connections_go_round(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, plain, 3);
  int counts[4] = {0};
  wait_until(yard, yard->listening == 3);
  for (int i = 0; i < 60; i++) {
    int who = ask(yard);
    assert_in_range(who, 1, 3);
    counts[who]++;
  }
  for (int i = 1; i <= 3; i++)
    assert_in_range(counts[i], 10, 30);
  yard_end(yard);
}

static void a_worker_that_disconnects_is_served_no_more(void **state) {
  (void)state;
  for (int how = 0; how < 2; how++) {
    struct yard *yard = yard_begin("serve", NULL, how ? shared : plain, 2);
    wait_until(yard, yard->listening == 2);
    struct pl_worker *first = pl_cluster_worker(&yard->cluster, 1);
    assert_int_equal(pl_worker_disconnect(first), 0);
    wait_until(yard, yard->exited == 1 && yard->disconnected == 1);
    expect_log(yard, "1:closed exit1:0/0*");
    for (int i = 0; i < 6; i++)
      assert_int_equal(ask(yard), 2);
    assert_null(pl_cluster_worker(&yard->cluster, 1));
    yard_end(yard);
  }
}

static void a_worker_may_leave_by_itself(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, plain, 2);
  wait_until(yard, yard->listening == 2);
  tell(yard, 2, "leave");
  wait_until(yard, yard->exited == 1 && yard->disconnected == 1);
  expect_log(yard, "2:closed exit2:0/0*");
  assert_int_equal(ask(yard), 1);
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
  struct yard *yard = yard_begin("serve", NULL, plain, 3);
  wait_until(yard, yard->listening == 3);
  all_gone = 0;
  pl_cluster_disconnect(&yard->cluster, on_all_gone);
  assert_int_equal(all_gone, 0);
  wait_until(yard, all_gone == 1);
  assert_int_equal(yard->exited, 3);
  assert_null(pl_cluster_next(&yard->cluster, NULL));
  pl_cluster_disconnect(&yard->cluster, on_all_gone); /* there are none */
  assert_int_equal(all_gone, 1);
  wait_until(yard, all_gone == 2);
  yard_end(yard);
}

static void a_dead_worker_is_told_and_stays_dead(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, plain, 2);
  wait_until(yard, yard->listening == 2);
  pl_worker_kill(pl_cluster_worker(&yard->cluster, 1), SIGKILL);
  tell(yard, 2, "exit");
  wait_until(yard, yard->exited == 2 && yard->disconnected == 2);
  assert_non_null(strstr(yard->log, "exit1:-1/9"));
  assert_non_null(strstr(yard->log, "exit2:5/0"));
  assert_null(pl_cluster_next(&yard->cluster, NULL));
  struct pl_worker *worker;
  assert_int_equal(pl_cluster_fork(&yard->cluster, &worker), 0);
  assert_int_equal(worker->id, 3); /* never used again */
  yard_end(yard);
}

static void the_last_one_that_closes_takes_the_port_away(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, plain, 2);
  wait_until(yard, yard->listening == 2);
  tell(yard, 1, "close");
  wait_until(yard, yard->messages == 1);
  assert_int_equal(ask(yard), 2);
  tell(yard, 2, "close");
  wait_until(yard, yard->messages == 2);
  assert_int_equal(try_connect(yard->ports[0]), -1);
  yard_end(yard);
}

static void an_exclusive_server_has_a_port_of_its_own(void **state) {
  (void)state;
  struct yard *yard = yard_begin("exclusive", NULL, plain, 2);
  wait_until(yard, yard->listening == 2);
  assert_int_not_equal(yard->ports[0], yard->ports[1]);
  int one = answer_of(yard, try_connect(yard->ports[0]));
  int two = answer_of(yard, try_connect(yard->ports[1]));
  assert_int_equal(one + two, 3);
  yard_end(yard);
}

static void two_servers_of_a_worker_are_two_sockets(void **state) {
  (void)state;
  struct yard *yard = yard_begin("two", NULL, plain, 1);
  wait_until(yard, yard->listening == 2);
  assert_int_not_equal(yard->ports[0], yard->ports[1]);
  assert_int_equal(answer_of(yard, try_connect(yard->ports[1])), 1);
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
    struct yard *yard = yard_begin("taken", number, how ? shared : plain, 1);
    wait_until(yard, yard->messages == 2);
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
  struct yard *yard = yard_begin("path", path, plain, 2);
  wait_until(yard, yard->listening == 2);
  assert_int_equal(yard->ports[0], -1);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  strcpy(name.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(connect(fd, (void *)&name, sizeof name), 0);
  assert_in_range(answer_of(yard, fd), 1, 2);
  yard_end(yard);
  unlink(path);
  rmdir(folder);
}

static void a_datagram_socket_is_always_shared(void **state) {
  (void)state;
  struct yard *yard = yard_begin("udp", NULL, plain, 2);
  wait_until(yard, yard->listening == 2);
  assert_true(yard->ports[0] > 0);
  assert_int_equal(yard->ports[0], yard->ports[1]);
  yard_end(yard);
}

/* Whoever has taken a connection and died has lost it; the others go on. */
static void a_crash_loses_one_connection_alone(void **state) {
  (void)state;
  struct yard *yard = yard_begin("crash", NULL, plain, 1);
  wait_until(yard, yard->listening == 1);
  int lost = try_connect(yard->ports[0]);
  assert_int_equal(answer_of(yard, lost), 0);
  wait_until(yard, yard->exited == 1 && yard->disconnected == 1);
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
  wait_until(yard, yard->listening == 2);
  struct pl_worker *first = pl_cluster_worker(&yard->cluster, 1);
  pl_worker_kill(first, SIGSTOP);
  for (int i = 0; i < 12; i++)
    clients[i] = try_connect(yard->ports[0]);
  for (int i = 0; i < 50 && first->handoff_count < 4; i++)
    pl_loop_run(yard->world->loop, PL_LOOP_NOWAIT);
  assert_true(first->handoff_count > 0);
  pl_worker_kill(first, SIGKILL);
  for (int i = 0; i < 12; i++)
    assert_int_equal(answer_of(yard, clients[i]), 2);
  wait_until(yard, yard->exited == 1);
  assert_int_equal(pl_cluster_waiting(&yard->cluster), 0);
  yard_end(yard);
}

static void connections_wait_while_nobody_is_free(void **state) {
  (void)state;
  struct yard *yard =
      yard_begin("serve", NULL, (struct pl_cluster_config){.waiting = 4}, 1);
  int clients[20];
  wait_until(yard, yard->listening == 1);
  struct pl_worker *worker = pl_cluster_worker(&yard->cluster, 1);
  pl_worker_kill(worker, SIGSTOP);
  for (int i = 0; i < 20; i++)
    clients[i] = try_connect(yard->ports[0]);
  for (int i = 0; i < 50; i++)
    pl_loop_run(yard->world->loop, PL_LOOP_NOWAIT);
  assert_in_range(pl_cluster_waiting(&yard->cluster), 2, 4);
  assert_int_equal(worker->handoff_count, 1);
  pl_worker_kill(worker, SIGCONT);
  for (int i = 0; i < 20; i++)
    assert_int_equal(answer_of(yard, clients[i]), 1);
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
    struct yard *yard = yard_begin("serve", NULL, plain, 2);
    wait_until(yard, yard->listening == 2);
    raise(SIGKILL);
  }
  close(alive[1]);
  assert_int_equal(waitpid(primary, &status, 0), primary);
  assert_int_equal(read(alive[0], &byte, 1), 0); /* nobody has it any more */
  close(alive[0]);
}

/* -- schedules, supervision ------------------------------------------------ */

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
  wait_until(yard, yard->listening == 2);
  int first = ask(yard);
  for (int i = 0; i < 5; i++)
    ask(yard);
  assert_true(asked > 0);
  assert_in_range(first, 1, 2);
  yard_end(yard);
}

static void supervision_starts_them_again_and_gives_up(void **state) {
  (void)state;
  struct pl_cluster_config config = {
      .supervision = {
          .restart = true, .first_ms = 1, .longest_ms = 4, .most = 3}};
  struct yard *yard = yard_begin("die", NULL, config, 1);
  wait_until(yard, yard->exited == 4 && yard->disconnected == 4);
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
  wait_until(yard, yard->listening == 2);
  pl_worker_disconnect(pl_cluster_worker(&yard->cluster, 1));
  wait_until(yard, yard->exited == 1 && yard->disconnected == 1);
  pl_worker_kill(pl_cluster_worker(&yard->cluster, 2), SIGKILL);
  wait_until(yard, yard->exited == 2 && yard->disconnected == 2);
  /* While nobody listens clients wait, at the same port. */
  int fd = try_connect(yard->ports[0]);
  wait_until(yard, yard->listening == 3);
  assert_int_equal(yard->ports[2], yard->ports[0]);
  assert_int_equal(answer_of(yard, fd), 3);
  assert_null(pl_cluster_worker(&yard->cluster, 1));
  yard_end(yard);
}

/* Its question is there when the cluster ends. */
static void a_late_question_opens_nothing(void **state) {
  (void)state;
  struct yard *yard = yard_begin("serve", NULL, plain, 1);
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
  struct yard *yard = yard_begin("idle", NULL, plain, 0);
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
  struct yard *yard = yard_begin("idle", NULL, plain, 0);
  struct pl_worker *worker;
  for (unsigned i = 0; i < many; i++) {
    assert_int_equal(pl_cluster_fork(&yard->cluster, &worker), 0);
    if (i % 10 != 9) continue;
    wait_until(yard, yard->online == i + 1);
    while ((worker = pl_cluster_next(&yard->cluster, NULL)) != NULL) {
      unsigned gone = yard->exited;
      if (worker->id % 2 != 0)
        pl_worker_disconnect(worker);
      else
        pl_worker_kill(worker, SIGKILL);
      wait_until(yard,
                 yard->exited == gone + 1 && yard->disconnected == gone + 1);
    }
    yard->log[0] = '\0';
  }
  yard_end(yard);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    role = argv[1];
    return be_worker(argc > 2 ? argv[2] : NULL);
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(workers_say_that_they_are_there_and_share_a_port),
      cmocka_unit_test(connections_go_round),
      cmocka_unit_test(a_worker_that_disconnects_is_served_no_more),
      cmocka_unit_test(a_worker_may_leave_by_itself),
      cmocka_unit_test(all_are_disconnected_with_one_call),
      cmocka_unit_test(a_dead_worker_is_told_and_stays_dead),
      cmocka_unit_test(the_last_one_that_closes_takes_the_port_away),
      cmocka_unit_test(an_exclusive_server_has_a_port_of_its_own),
      cmocka_unit_test(two_servers_of_a_worker_are_two_sockets),
      cmocka_unit_test(a_taken_port_is_the_workers_error),
      cmocka_unit_test(a_path_is_served),
      cmocka_unit_test(a_datagram_socket_is_always_shared),
      cmocka_unit_test(a_crash_loses_one_connection_alone),
      cmocka_unit_test(what_a_dead_worker_has_not_taken_goes_to_another),
      cmocka_unit_test(connections_wait_while_nobody_is_free),
      cmocka_unit_test(the_workers_end_with_their_primary),
      cmocka_unit_test(weights_of_one_two_and_six_are_spread),
      cmocka_unit_test(a_schedule_may_be_the_callers),
      cmocka_unit_test(supervision_starts_them_again_and_gives_up),
      cmocka_unit_test(supervision_lets_go_whom_it_asked_to_go),
      cmocka_unit_test(a_late_question_opens_nothing),
      cmocka_unit_test(what_cannot_be_started_leaves_nothing),
      cmocka_unit_test(many_workers_come_and_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

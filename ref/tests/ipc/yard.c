/* SPDX-License-Identifier: MIT */
/*
 * yard.c: a primary and its workers, which are the same program again.
 *
 * Invariant: a worker in which something goes wrong ends with status 9, of
 * which the primary hears.
 */
#include "yard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------------- */
/* The worker: what it does is its argument                               */

static struct pl_member member;
static struct pl_server servers[2];
static const char *role;
static struct pl_loop *worker_loop;
static int worker_status;

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
  if (pl_channel_is_connected(&member.channel)) say_to_primary("closed");
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
  if (pl_value_is(message->value, "abandon")) {
    if (pl_member_abandon(&member) != 0) _exit(9);
    if (pl_member_abandon(&member) != PL_ENOTCONN) _exit(9);
    worker_status = 7;
  }
}

static void on_member_ended(void *arg, int reason) {
  (void)arg;
  (void)reason;
  pl_member_close(&member, NULL);
}

static const struct pl_member_events member_events = {
    .message = on_member_message, .ended = on_member_ended};

int yard_worker(int argc, char **argv) {
  const char *path = argc > 2 ? argv[2] : NULL;
  role = argv[1];
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
  return worker_status;
}

/* ---------------------------------------------------------------------- */
/* The primary                                                            */

const struct pl_cluster_config yard_plain = {0};
const struct pl_cluster_config yard_shared = {.shared = true};

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

struct yard *yard_begin(const char *what, const char *path,
                        struct pl_cluster_config config, unsigned workers) {
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

void yard_end(struct yard *yard) {
  assert_int_equal(pl_cluster_close(&yard->cluster, on_cluster_closed), 0);
  assert_int_equal(pl_loop_run(yard->world->loop, PL_LOOP_DEFAULT), 0);
  assert_true(yard->closed);
  world_end(yard->world);
  assert_int_equal(count_open_fds(), yard->open_before);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  free(yard);
}

void yard_tell(struct yard *yard, unsigned id, const char *text) {
  struct pl_values values;
  struct pl_worker *worker = pl_cluster_worker(&yard->cluster, id);
  assert_non_null(worker);
  pl_values_init(&values, NULL);
  assert_int_equal(
      pl_worker_send(worker, pl_value_string(&values, text), NULL, NULL), 1);
  pl_values_free(&values);
}

int yard_connect(int port) {
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

int yard_answer(struct yard *yard, int fd) {
  char text[16] = {0};
  ssize_t got;
  assert_true(fd >= 0);
  while ((got = recv(fd, text, sizeof text - 1, MSG_DONTWAIT)) < 0 &&
         errno == EAGAIN)
    assert_true(pl_loop_run(yard->world->loop, PL_LOOP_NOWAIT) >= 0);
  close(fd);
  return got > 0 ? atoi(text) : 0;
}

int yard_ask(struct yard *yard) {
  return yard_answer(yard, yard_connect(yard->ports[0]));
}

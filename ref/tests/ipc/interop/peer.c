/* SPDX-License-Identifier: MIT */
/*
 * peer.c: the reference as one side of a conversation with a real runtime.
 *
 *   peer parent json|advanced COMMAND...    talks to a child
 *   peer child                              is one
 *   peer primary rr|none|weighted COUNT COMMAND...   a cluster
 *   peer worker [PORT [bun]]                is a worker
 *
 * Invariant: whatever goes wrong is a line on standard error and status 1; what
 * went well is a word on standard output.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plumb/cluster.h"

enum { MOST_COMMAND = 16 };

static struct pl_loop *loop;
static struct pl_values values;

static void die(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("peer: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  exit(1);
}

static void say(const char *word) {
  printf("%s\n", word);
  fflush(stdout);
}

static void check(int error, const char *what) {
  if (error < 0) die("%s: %s", what, pl_error_name(error));
}

static void check_errno(bool good, const char *what) {
  if (!good) die("%s: %s", what, strerror(errno));
}

/* ---------------------------------------------------------------------- */
/* Sockets                                                                */

static int open_local(enum pl_address_type type, int *port) {
  struct pl_listen what = {.address = "127.0.0.1", .type = type, .fd = -1};
  char address[64];
  int fd;
  check(pl_listen_open(&what, true, &fd), "listen");
  check(pl_listen_name(fd, port, address, sizeof address), "name");
  return fd;
}

static int connect_local(int port, int kind) {
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct timeval wait = {.tv_sec = 20};
  int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
  check_errno(fd >= 0 && connect(fd, (void *)&name, sizeof name) == 0,
              "connect");
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  return fd;
}

/* Reads to the end, blocking; the descriptor is closed. */
static void expect_text(int fd, const char *text) {
  char data[256];
  size_t length = 0;
  ssize_t got;
  while ((got = read(fd, data + length, sizeof data - 1 - length)) > 0)
    length += (size_t)got;
  data[length] = '\0';
  close(fd);
  if (strcmp(data, text) != 0) die("got '%s', not '%s'", data, text);
}

static void write_all(int fd, const char *text) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  check_errno(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
  close(fd);
}

/* ---------------------------------------------------------------------- */
/* A parent                                                               */

struct parent {
  struct pl_process process;
  struct pl_channel channel;
  struct pl_value *sample;
  int port;   /* of what the child was given */
  int client; /* the other end of the socket that it was given */
  bool left;
};

/* A value that both formats can say, and the same from both. */
static struct pl_value *make_sample(bool advanced) {
  struct pl_value *object = pl_value_object(&values);
  struct pl_value *array = pl_value_array(&values);
  static const double numbers[] = {0, -1, 1.5, 1e21, 5e-324, 2147483648.0};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    pl_value_push(&values, array, pl_value_number(&values, numbers[i]));
  pl_value_push(&values, array, pl_value_plain(&values, PL_VALUE_NULL));
  pl_value_push(&values, array, pl_value_bool(&values, true));
  pl_value_set(&values, object, "array", array);
  pl_value_set(&values, object, "text",
               pl_value_string(&values, "a\n\"\\\xc3\xa9\xe2\x82\xac"
                                        "\xf0\x9f\x98\x80"));
  pl_value_set(&values, object, "empty", pl_value_object(&values));
  if (!advanced) return object;
  struct pl_value *map = pl_value_plain(&values, PL_VALUE_MAP);
  struct pl_value *set = pl_value_plain(&values, PL_VALUE_SET);
  pl_value_put(&values, map, pl_value_string(&values, "k"), object);
  pl_value_push(&values, set, pl_value_bigint(&values, -123456789012345));
  pl_value_set(&values, object, "map", map);
  pl_value_set(&values, object, "set", set);
  pl_value_set(&values, object, "date", pl_value_date(&values, 86400000));
  pl_value_set(&values, object, "none",
               pl_value_plain(&values, PL_VALUE_UNDEFINED));
  pl_value_set(&values, object, "buffer",
               pl_value_copy(&values, PL_VALUE_BYTES, "\0\xff", 2));
  return object;
}

static void pass(struct parent *parent, const char *word,
                 enum pl_handle_type type, int fd) {
  struct pl_passing passing = {.type = (uint8_t)type, .fd = fd};
  check(pl_channel_send(&parent->channel, pl_value_string(&values, word),
                        &passing, NULL),
        word);
}

static void pass_socket(struct parent *parent) {
  int port, server = open_local(PL_ADDRESS_IPV4, &port);
  parent->client = connect_local(port, SOCK_STREAM);
  int fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  check_errno(fd >= 0, "accept");
  close(server);
  pass(parent, "socket", PL_HANDLE_NET_SOCKET, fd);
}

static void check_udp(struct parent *parent) {
  char data[16];
  int fd = connect_local(parent->port, SOCK_DGRAM);
  check_errno(send(fd, "hi", 2, 0) == 2, "send");
  ssize_t got = recv(fd, data, sizeof data, 0);
  if (got != 6 || memcmp(data, "udp:hi", 6) != 0) die("no datagram");
  close(fd);
}

/* The child gives a server: a client of ours is accepted here. */
static void check_given(struct pl_message *message) {
  char address[64];
  int port, fd = pl_message_take(message);
  if (message->type != PL_HANDLE_NET_SERVER) die("given no server");
  check(pl_listen_name(fd, &port, address, sizeof address), "name");
  int client = connect_local(port, SOCK_STREAM);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  int accepted = accept(fd, NULL, NULL);
  check_errno(accepted >= 0, "accept");
  write_all(accepted, "by parent");
  expect_text(client, "by parent");
  close(fd);
}

static void on_parent_message(void *arg, struct pl_message *message) {
  struct parent *parent = arg;
  const struct pl_value *value = message->value;
  const struct pl_value *echo = pl_value_get(value, "echo");
  if (pl_value_is(value, "ready")) {
    struct pl_value *object = pl_value_object(&values);
    pl_value_set(&values, object, "op", pl_value_string(&values, "echo"));
    pl_value_set(&values, object, "value", parent->sample);
    check(pl_channel_send(&parent->channel, object, NULL, NULL), "echo");
  } else if (echo != NULL) {
    if (!pl_value_equal(echo, parent->sample)) die("the echo differs");
    say("echo");
    pass(parent, "server", PL_HANDLE_NET_SERVER,
         open_local(PL_ADDRESS_IPV4, &parent->port));
  } else if (pl_value_is(value, "server ok")) {
    expect_text(connect_local(parent->port, SOCK_STREAM), "from child");
    say("server");
    pass_socket(parent);
  } else if (pl_value_is(value, "socket ok")) {
    expect_text(parent->client, "hello");
    say("socket");
    pass(parent, "udp", PL_HANDLE_DGRAM_SOCKET,
         open_local(PL_ADDRESS_UDP4, &parent->port));
  } else if (pl_value_is(value, "udp ok")) {
    check_udp(parent);
    say("udp");
    check(pl_channel_send_text(&parent->channel, "\"give\"", 6, NULL, NULL) ==
                  PL_EINVAL
              ? pl_channel_send(&parent->channel,
                                pl_value_string(&values, "give"), NULL, NULL)
              : 0,
          "give");
  } else if (pl_value_is(value, "given")) {
    check_given(message);
    say("given");
    check(pl_channel_send(&parent->channel, pl_value_string(&values, "leave"),
                          NULL, NULL),
          "leave");
  } else {
    die("an unknown message");
  }
}

static void on_problem(void *arg, int error, const char *what) {
  (void)arg;
  die("%s: %s", pl_error_name(error), what);
}

static void on_parent_ended(void *arg, int reason) {
  struct parent *parent = arg;
  check(reason, "the channel");
  say("ended");
  pl_channel_close(&parent->channel, NULL);
}

static void on_child_exit(void *arg, int code, int signum) {
  struct parent *parent = arg;
  if (code != 0) die("the child ended with %d, signal %d", code, signum);
  say("exit");
  pl_process_close(&parent->process, NULL);
}

static const struct pl_channel_events parent_events = {
    .message = on_parent_message,
    .problem = on_problem,
    .ended = on_parent_ended};

static int be_parent(const char *mode, char **command) {
  struct parent parent = {0};
  struct pl_stdio stdio[] = {{PL_STDIO_INHERIT, -1},
                             {PL_STDIO_INHERIT, -1},
                             {PL_STDIO_INHERIT, -1},
                             {PL_STDIO_CHANNEL, -1}};
  struct pl_channel_config config = {0};
  if (strcmp(mode, "advanced") == 0) config.mode = PL_CHANNEL_ADVANCED;
  struct pl_spawn_options options = {.file = command[0],
                                     .argv = (const char *const *)command,
                                     .stdio = stdio,
                                     .stdio_count = 4,
                                     .channel_mode = config.mode};
  parent.sample = make_sample(config.mode == PL_CHANNEL_ADVANCED);
  pl_process_init(loop, &parent.process, on_child_exit, &parent);
  pl_channel_init(loop, &parent.channel, &parent_events, &parent);
  check(pl_process_spawn(&parent.process, &options), command[0]);
  check(pl_channel_open(&parent.channel, stdio[3].fd, &config), "channel");
  check(pl_loop_run(loop, PL_LOOP_DEFAULT), "run");
  return 0;
}

/* ---------------------------------------------------------------------- */
/* A child                                                                */

struct child {
  struct pl_channel channel;
  struct pl_poll poll; /* of the server or the UDP socket */
  int fd;
};

static void reply(struct child *child, const char *word) {
  check(pl_channel_send(&child->channel, pl_value_string(&values, word), NULL,
                        NULL),
        word);
}

static void on_child_server(void *arg, int status) {
  struct child *child = arg;
  (void)status;
  int fd = accept4(child->fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  write_all(fd, "from child");
  pl_handle_close(&child->poll, NULL);
  close(child->fd);
}

static void on_child_udp(void *arg, int status) {
  struct child *child = arg;
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  char data[64] = "udp:";
  (void)status;
  ssize_t got = recvfrom(child->fd, data + 4, sizeof data - 4, 0,
                         (struct sockaddr *)&from, &size);
  if (got < 0) return;
  sendto(child->fd, data, (size_t)got + 4, 0, (struct sockaddr *)&from, size);
  pl_handle_close(&child->poll, NULL);
  close(child->fd);
}

static void serve(struct child *child, struct pl_message *message,
                  pl_event_fn *fn) {
  child->fd = pl_message_take(message);
  if (child->fd < 0) die("a message without its handle");
  pl_poll_init(loop, &child->poll, fn, child);
  check(pl_poll_start(&child->poll, child->fd, PL_READABLE), "poll");
}

static void give_server(struct child *child) {
  int port;
  struct pl_passing passing = {.type = PL_HANDLE_NET_SERVER,
                               .fd = open_local(PL_ADDRESS_IPV4, &port)};
  check(pl_channel_send(&child->channel, pl_value_string(&values, "given"),
                        &passing, NULL),
        "given");
}

static void on_child_message(void *arg, struct pl_message *message) {
  struct child *child = arg;
  const struct pl_value *value = message->value;
  if (pl_value_is(pl_value_get(value, "op"), "echo")) {
    struct pl_value *object = pl_value_object(&values);
    pl_value_set(&values, object, "echo",
                 (struct pl_value *)(uintptr_t)pl_value_get(value, "value"));
    check(pl_channel_send(&child->channel, object, NULL, NULL), "echo");
  } else if (pl_value_is(value, "server")) {
    serve(child, message, on_child_server);
    reply(child, "server ok");
  } else if (pl_value_is(value, "socket")) {
    write_all(pl_message_take(message), "hello");
    reply(child, "socket ok");
  } else if (pl_value_is(value, "udp")) {
    serve(child, message, on_child_udp);
    reply(child, "udp ok");
  } else if (pl_value_is(value, "give")) {
    give_server(child);
  } else if (pl_value_is(value, "leave")) {
    pl_channel_disconnect(&child->channel);
  } else {
    die("the child got an unknown message");
  }
}

static void on_child_ended(void *arg, int reason) {
  struct child *child = arg;
  check(reason, "the child's channel");
  pl_channel_close(&child->channel, NULL);
}

static const struct pl_channel_events child_events = {.message =
                                                          on_child_message,
                                                      .problem = on_problem,
                                                      .ended = on_child_ended};

static int be_child(void) {
  struct child child = {.fd = -1};
  pl_channel_init(loop, &child.channel, &child_events, &child);
  check(pl_channel_open_parent(&child.channel, NULL), "the parent's channel");
  reply(&child, "ready");
  check(pl_loop_run(loop, PL_LOOP_DEFAULT), "run");
  return 0;
}

/* ---------------------------------------------------------------------- */
/* A primary                                                              */

struct primary {
  struct pl_cluster cluster;
  struct pl_poll input; /* its end is the order to disconnect */
  unsigned count, listening;
};

static void on_listening(void *arg, struct pl_worker *worker,
                         const struct pl_listen *what) {
  struct primary *primary = arg;
  (void)worker;
  if (++primary->listening == primary->count) {
    printf("listening %d\n", what->port);
    fflush(stdout);
  }
}

static void on_worker_exited(void *arg, struct pl_worker *worker, int code,
                             int signum) {
  struct primary *primary = arg;
  printf("exited %u %d %d %d\n", worker->id, code, signum,
         worker->exited_after_disconnect);
  fflush(stdout);
  if (--primary->count == 0) pl_cluster_close(&primary->cluster, NULL);
}

static void on_worker_problem(void *arg, struct pl_worker *worker, int error,
                              const char *what) {
  (void)arg;
  die("worker %u: %s: %s", worker->id, pl_error_name(error), what);
}

static const struct pl_cluster_events primary_events = {
    .listening = on_listening,
    .exited = on_worker_exited,
    .problem = on_worker_problem};

static void on_input(void *arg, int status) {
  struct primary *primary = arg;
  char line[64];
  (void)status;
  ssize_t got = read(0, line, sizeof line - 1);
  if (got > 0) { /* "kill ID" */
    line[got] = '\0';
    struct pl_worker *worker = pl_cluster_worker(
        &primary->cluster, (unsigned)strtoul(line + 5, NULL, 10));
    if (worker == NULL) die("no worker %s", line);
    pl_worker_kill(worker, 9);
    return;
  }
  pl_handle_close(&primary->input, NULL);
  for (struct pl_worker *worker = pl_cluster_next(&primary->cluster, NULL);
       worker != NULL; worker = pl_cluster_next(&primary->cluster, worker))
    pl_worker_disconnect(worker);
}

static int be_primary(const char *policy, unsigned count, char **command) {
  struct primary primary = {.count = count};
  struct pl_cluster_config config = {
      .spawn = {.file = command[0], .argv = (const char *const *)command},
      .shared = strcmp(policy, "none") == 0};
  static const unsigned weights[] = {1, 2, 6};
  bool weighted = strcmp(policy, "weighted") == 0;
  if (weighted) config.scheduler = &pl_schedule_weighted;
  pl_cluster_init(loop, &primary.cluster, &config, &primary_events, &primary);
  for (unsigned i = 0; i < count; i++) {
    struct pl_worker *worker;
    check(pl_cluster_fork(&primary.cluster, &worker), command[0]);
    if (weighted) worker->weight = weights[i % 3];
  }
  pl_poll_init(loop, &primary.input, on_input, &primary);
  check(pl_poll_start(&primary.input, 0, PL_READABLE), "input");
  check(pl_loop_run(loop, PL_LOOP_DEFAULT), "run");
  return 0;
}

/* ---------------------------------------------------------------------- */
/* A worker                                                               */

struct worker {
  struct pl_member member;
  struct pl_server server;
};

static void on_server_listening(void *arg, int error) {
  (void)arg;
  check(error, "listening");
}

static void on_connection(void *arg, int fd) {
  struct worker *worker = arg;
  char text[32];
  snprintf(text, sizeof text, "%u", worker->member.id);
  write_all(fd, text);
}

static const struct pl_server_events server_events = {
    .listening = on_server_listening, .connection = on_connection};

static void on_member_ended(void *arg, int reason) {
  struct worker *worker = arg;
  (void)reason;
  pl_member_close(&worker->member, NULL);
}

static const struct pl_member_events member_events = {.problem = on_problem,
                                                      .ended = on_member_ended};

static int be_worker(int port, bool bun) {
  struct pl_channel_config config = {.window = 64, .bun = bun};
  struct worker worker;
  struct pl_listen what = {
      .address = "127.0.0.1", .type = PL_ADDRESS_IPV4, .port = port, .fd = -1};
  check(pl_member_init(loop, &worker.member, &config, &member_events, &worker),
        "member");
  check(pl_member_listen(&worker.member, &worker.server, &what, false,
                         &server_events, &worker),
        "listen");
  check(pl_loop_run(loop, PL_LOOP_DEFAULT), "run");
  return 0;
}

int main(int argc, char **argv) {
  int status = 2;
  loop = malloc(pl_loop_size());
  if (loop == NULL || pl_loop_init(loop, NULL) != 0) die("no loop");
  pl_values_init(&values, NULL);
  const char *role = argc > 1 ? argv[1] : "";
  if (strcmp(role, "parent") == 0 && argc > 3)
    status = be_parent(argv[2], argv + 3);
  else if (argc > 1 && strcmp(argv[argc - 1], "child") == 0)
    status = be_child(); /* Deno has words of its own before it */
  else if (strcmp(role, "primary") == 0 && argc > 4)
    status = be_primary(argv[2], (unsigned)atoi(argv[3]), argv + 4);
  else if (strcmp(role, "worker") == 0)
    status = be_worker(argc > 2 ? atoi(argv[2]) : 0,
                       argc > 3 && strcmp(argv[3], "bun") == 0);
  else
    die("peer parent|child|primary|worker ...");
  pl_values_free(&values);
  check(pl_loop_close(loop), "close");
  free(loop);
  return status;
}

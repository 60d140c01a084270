/* SPDX-License-Identifier: MIT */
/*
 * many.c: over many cores: the primary relays bytes, hands connections on, or
 * lets the workers accept.
 *
 *   proxy         client --TCP-- primary --unix socket-- worker
 *   round robin   client --TCP-- worker, by way of the primary
 *   shared        client --TCP-- worker
 *
 * Invariant: workers serve with event.c, so the ways differ in what the primary
 * does and in nothing else.
 */
#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <plumb/cluster.h>

/* -- proxying -----------------------------------------------------------------
 */

struct backend {
  struct sockaddr_un name;
  socklen_t size;
  unsigned worker;
};

struct proxy {
  struct pl_loop *loop;
  struct backend backends[WORKERS_MOST];
  unsigned count, next;
};

struct relay;

/* One side of a connection. */
struct side {
  struct relay *relay;
  struct side *other;
  struct pl_stream stream;
  struct pl_write write;
  int fd;
  bool closed, writing;
  size_t length;
  char bytes[QUESTION_MOST > ANSWER ? QUESTION_MOST : ANSWER];
};

struct relay {
  struct side client, worker;
  bool closing, worker_ended;
};

static void on_side_closed(void *arg, int status) {
  struct side *side = arg;
  struct relay *relay = side->relay;
  (void)status;
  close(side->fd);
  side->closed = true;
  if (side->other->closed) free(relay);
}

static void close_relay(struct relay *relay) {
  if (relay->closing) return;
  relay->closing = true;
  pl_handle_close(&relay->client.stream, on_side_closed);
  pl_handle_close(&relay->worker.stream, on_side_closed);
}

static void on_relayed(void *arg, int status) {
  struct side *side = arg;
  side->writing = false;
  if (status == PL_ECANCELED) return;
  if (status || (side->relay->worker_ended && side == &side->relay->client))
    close_relay(side->relay);
}

static void on_bytes(void *arg, const void *data, ptrdiff_t length) {
  struct side *side = arg, *to = side->other;
  struct relay *relay = side->relay;
  if (relay->closing) return;
  if (length <= 0) {
    /* The worker's end is the client's, once all is written. */
    relay->worker_ended = side == &relay->worker;
    if (!relay->worker_ended || !to->writing) close_relay(relay);
    return;
  }
  if (to->writing || (size_t)length > sizeof to->bytes) {
    close_relay(relay); /* more than this service's messages */
    return;
  }
  memcpy(to->bytes, data, (size_t)length);
  to->writing = true;
  if (pl_stream_write(&to->stream, &to->write, to->bytes, (size_t)length))
    close_relay(relay);
}

static int open_side(struct pl_loop *loop, struct relay *relay,
                     struct side *side, struct side *other, int fd) {
  side->relay = relay;
  side->other = other;
  side->fd = fd;
  pl_stream_init(loop, &side->stream, side);
  pl_write_init(loop, &side->write, on_relayed, side);
  int error = pl_stream_open(&side->stream, fd);
  return error ? error : pl_stream_read(&side->stream, on_bytes);
}

static int connect_to(const struct backend *backend) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 ||
      connect(fd, (const struct sockaddr *)&backend->name, backend->size) == 0)
    return fd;
  close(fd);
  return -1;
}

static void on_client(void *arg, int fd) {
  struct proxy *proxy = arg;
  const struct backend *backend =
      &proxy->backends[proxy->next++ % proxy->count];
  int worker = connect_to(backend);
  struct relay *relay = worker < 0 ? NULL : calloc(1, sizeof *relay);
  if (!relay) {
    if (worker >= 0) close(worker);
    close(fd);
    return;
  }
  int error = open_side(proxy->loop, relay, &relay->client, &relay->worker, fd);
  int other =
      open_side(proxy->loop, relay, &relay->worker, &relay->client, worker);
  if (error || other) close_relay(relay);
}

struct proxied {
  struct pl_loop *loop;
  unsigned worker;
};

static void on_worker_client(void *arg, int fd) {
  struct proxied *proxied = arg;
  event_serve(proxied->loop, fd, proxied->worker);
}

static _Noreturn void be_proxied(int listener, unsigned worker) {
  static struct proxied proxied;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  proxied.loop = way_loop();
  proxied.worker = worker;
  event_accept(proxied.loop, listener, on_worker_client, &proxied);
  _exit(pl_loop_run(proxied.loop, PL_LOOP_DEFAULT) < 0);
}

static void start_proxied(struct backend *backend, unsigned worker) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  backend->name = (struct sockaddr_un){.sun_family = AF_UNIX};
  backend->size = sizeof backend->name;
  backend->worker = worker;
  /* The kernel chooses a name. */
  if (fd < 0 || bind(fd, (void *)&backend->name, sizeof(sa_family_t)) ||
      listen(fd, BACKLOG) ||
      getsockname(fd, (void *)&backend->name, &backend->size))
    way_die("a worker's socket");
  pid_t pid = fork();
  if (pid < 0) way_die("fork");
  if (pid == 0) be_proxied(fd, worker);
  close(fd);
}

int serve_proxy(unsigned workers) {
  static struct proxy proxy;
  for (unsigned n = 0; n < workers; n++)
    start_proxied(&proxy.backends[n], n + 1);
  int port, listener = way_listen(&port);
  proxy.loop = way_loop();
  proxy.count = workers;
  event_accept(proxy.loop, listener, on_client, &proxy);
  way_tell(port);
  return pl_loop_run(proxy.loop, PL_LOOP_DEFAULT) < 0;
}

/* -- clusters
 * ------------------------------------------------------------------ */

struct primary {
  struct pl_cluster cluster;
  unsigned wanted, listening;
  int port;
};

static void on_listening(void *arg, struct pl_worker *worker,
                         const struct pl_listen *what) {
  struct primary *primary = arg;
  (void)worker;
  (void)what;
  if (++primary->listening == primary->wanted) way_tell(primary->port);
}

static const struct pl_cluster_events cluster_events = {.listening =
                                                            on_listening};

static int serve_cluster(unsigned workers, bool shared, unsigned depth) {
  static struct primary primary;
  static char self[4096];
  char number[16];
  int listener = way_listen(&primary.port);
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) way_die("readlink");
  fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
  snprintf(number, sizeof number, "%d", listener);
  const char *const argv[] = {self, "--worker", number, NULL};
  const struct pl_cluster_config config = {
      .spawn = {.file = self, .argv = argv, .death_signal = SIGKILL},
      .shared = shared,
      .depth = depth};
  struct pl_loop *loop = way_loop();
  primary.wanted = workers;
  pl_cluster_init(loop, &primary.cluster, &config, &cluster_events, &primary);
  for (unsigned n = 0; n < workers; n++) {
    struct pl_worker *worker;
    if (pl_cluster_fork(&primary.cluster, &worker)) way_die("fork");
  }
  return pl_loop_run(loop, PL_LOOP_DEFAULT) < 0;
}

int serve_round_robin(unsigned workers) {
  return serve_cluster(workers, false, 4);
}
int serve_round_robin_1(unsigned workers) {
  return serve_cluster(workers, false, 1);
}
int serve_shared(unsigned workers) {
  return serve_cluster(workers, true, 1);
}

/* -- a worker
 * -------------------------------------------------------------------- */

struct member {
  struct pl_loop *loop;
  struct pl_member member;
  struct pl_server server;
};

static void on_connection(void *arg, int fd) {
  struct member *member = arg;
  event_serve(member->loop, fd, member->member.id);
}

static void on_ended(void *arg, int reason) {
  (void)arg;
  (void)reason;
  _exit(0);
}

int cluster_worker(int listener) {
  static const struct pl_member_events events = {.ended = on_ended};
  static const struct pl_server_events server_events = {.connection =
                                                            on_connection};
  static struct member member;
  struct pl_listen what = {.address = "127.0.0.1",
                           .type = PL_ADDRESS_IPV4,
                           .fd = listener,
                           .backlog = BACKLOG};
  member.loop = malloc(pl_loop_size());
  if (!member.loop || pl_loop_init(member.loop, NULL) ||
      pl_member_init(member.loop, &member.member, NULL, &events, &member) ||
      pl_member_listen(&member.member, &member.server, &what, false,
                       &server_events, &member))
    way_die("a worker");
  return pl_loop_run(member.loop, PL_LOOP_DEFAULT) < 0;
}

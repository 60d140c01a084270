/* SPDX-License-Identifier: MIT */
/*
 * accept.c: connections: one process that accepts, a cluster that does, and the
 * clients that count.
 *
 * Invariant: a connection counts when its client has read the one byte and the
 * end behind it.
 */
#include "ipc_bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plumb/cluster.h"

static struct pl_loop *loop;

static void make_loop(void) {
  loop = malloc(pl_loop_size());
  if (loop == NULL || pl_loop_init(loop, NULL) != 0) bench_die("loop");
}

static const struct pl_listen local = {
    .address = "127.0.0.1", .type = PL_ADDRESS_IPV4, .fd = -1};

static void answer(int fd) {
  send(fd, "x", 1, MSG_NOSIGNAL);
  close(fd);
}

/* ---------------------------------------------------------------------- */

static void on_connection(void *arg, int fd) {
  (void)arg;
  answer(fd);
}

static const struct pl_server_events server_events = {.connection =
                                                          on_connection};

static void on_member_ended(void *arg, int reason) {
  (void)arg;
  _exit(reason == 0 ? 0 : 1);
}

static const struct pl_member_events member_events = {.ended = on_member_ended};

int serve_as_worker(void) {
  struct pl_member member;
  struct pl_server server;
  make_loop();
  if (pl_member_init(loop, &member, NULL, &member_events, NULL) != 0 ||
      pl_member_listen(&member, &server, &local, false, &server_events, NULL) !=
          0)
    bench_die("worker");
  return pl_loop_run(loop, PL_LOOP_DEFAULT) < 0;
}

/* ---------------------------------------------------------------------- */

struct primary {
  struct pl_cluster cluster;
  struct pl_poll input;
  unsigned wanted, listening;
};

static void on_listening(void *arg, struct pl_worker *worker,
                         const struct pl_listen *what) {
  struct primary *primary = arg;
  (void)worker;
  if (++primary->listening < primary->wanted) return;
  printf("listening %d\n", what->port);
  fflush(stdout);
}

static void on_input(void *arg, int status) {
  struct primary *primary = arg;
  (void)status;
  pl_handle_close(&primary->input, NULL);
  pl_cluster_close(&primary->cluster, NULL);
}

static const struct pl_cluster_events cluster_events = {.listening =
                                                            on_listening};

static int serve_cluster(bool shared, unsigned workers, unsigned depth) {
  struct primary primary = {.wanted = workers};
  char self[4096];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) bench_die("readlink");
  self[length] = '\0';
  const char *const argv[] = {self, "worker", NULL};
  struct pl_cluster_config config = {
      .spawn = {.file = self, .argv = argv}, .shared = shared, .depth = depth};
  make_loop();
  pl_cluster_init(loop, &primary.cluster, &config, &cluster_events, &primary);
  for (unsigned i = 0; i < workers; i++) {
    struct pl_worker *worker;
    if (pl_cluster_fork(&primary.cluster, &worker) != 0) bench_die("fork");
  }
  pl_poll_init(loop, &primary.input, on_input, &primary);
  pl_poll_start(&primary.input, 0, PL_READABLE);
  return pl_loop_run(loop, PL_LOOP_DEFAULT) < 0;
}

/* The C accept loop: blocking, one process. */
static int serve_single(void) {
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (server < 0 || bind(server, (void *)&name, size) != 0 ||
      listen(server, 511) != 0 ||
      getsockname(server, (void *)&name, &size) != 0)
    bench_die("listen");
  printf("listening %d\n", ntohs(name.sin_port));
  fflush(stdout);
  for (;;) {
    int fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) bench_die("accept");
    answer(fd);
  }
}

int serve(const char *how, unsigned workers, unsigned depth) {
  if (strcmp(how, "single") == 0) return serve_single();
  return serve_cluster(strcmp(how, "shared") == 0, workers, depth);
}

/* ---------------------------------------------------------------------- */

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long connect_until(int port, double end) {
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct linger at_once = {1, 0}; /* no TIME_WAIT: ports are few */
  long count = 0;
  char byte[4];
  while (now() < end) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (void *)&name, sizeof name) != 0)
      bench_die("connect");
    if (recv(fd, byte, 1, 0) != 1 || recv(fd, byte, 1, 0) != 0)
      bench_die("a wrong answer");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    count++;
  }
  return count;
}

double load(int port, unsigned clients, unsigned ms) {
  int pipes[2];
  if (pipe(pipes) != 0) bench_die("pipe");
  double begin = now(), end = begin + ms / 1000.0;
  for (unsigned i = 0; i < clients; i++) {
    pid_t pid = fork();
    if (pid < 0) bench_die("fork");
    if (pid == 0) {
      long count = connect_until(port, end);
      _exit(write(pipes[1], &count, sizeof count) == sizeof count ? 0 : 1);
    }
  }
  close(pipes[1]);
  long total = 0, count;
  unsigned told = 0;
  while (read(pipes[0], &count, sizeof count) == sizeof count) {
    total += count;
    told++;
  }
  double seconds = now() - begin;
  close(pipes[0]);
  while (wait(NULL) > 0)
    continue;
  if (told != clients) bench_die("a client failed");
  return (double)total / seconds;
}

/* SPDX-License-Identifier: MIT */
/*
 * several_dgram.c: datagram sockets.
 *
 * Invariant: one that is a worker's reads from its cluster's descriptor, which
 * it does not close.
 */
#include "several_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct udp {
  struct several *host;
  struct actor *thing;
  struct listener *callback;
  void *poll, *shared;
  int fd;
  bool closed;
};

static void on_readable(void *arg, int events) {
  struct udp *udp = arg;
  char text[2048];
  (void)events;
  while (!udp->closed) {
    ssize_t got = recv(udp->fd, text, sizeof text, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    json_t *shown = several_shown(text, (size_t)got);
    several_call(udp->callback, json_incref(shown), NULL);
    several_fire(udp->thing, "message", shown, NULL);
  }
}

static void tell_listening(void *arg, int status) {
  struct udp *udp = arg;
  (void)status;
  if (!udp->closed) several_fire(udp->thing, "listening", NULL, NULL);
}

static void read_from(struct udp *udp, int fd) {
  const struct pl_loop_table *loop = &udp->host->library->loop;
  udp->fd = fd;
  udp->poll = several_new(udp->host, loop->size_of(PL_KIND_POLL));
  if (loop->init(udp->host->loop, PL_KIND_POLL, udp->poll, on_readable, udp) !=
          0 ||
      loop->poll_start(udp->poll, fd, PL_POLL_READABLE) != 0)
    several_refuse(udp->host, "a datagram socket");
}

static void on_shared_listening(void *arg, int error) {
  struct udp *udp = arg;
  if (error != 0) {
    several_fire(udp->thing, "error", several_error_name(error), NULL);
    return;
  }
  read_from(udp, udp->host->cluster->server_fd(udp->shared));
  tell_listening(udp, 0);
}
static void on_shared_connection(void *arg, int fd) {
  (void)arg;
  close(fd);
}
static void on_shared_closed(void *arg) {
  struct udp *udp = arg;
  if (udp->poll != NULL && !udp->closed)
    udp->host->library->loop.handle_close(udp->poll, NULL);
  udp->closed = true;
  several_fire(udp->thing, "close", NULL, NULL);
}

static const struct pl_cluster_server_calls shared_calls = {
    .size = sizeof shared_calls,
    .listening = on_shared_listening,
    .connection = on_shared_connection,
    .closed = on_shared_closed};

static struct udp *new_udp(struct several *host, const json_t *value) {
  struct udp *udp = several_new(host, sizeof *udp);
  udp->host = host;
  udp->thing = several_make(host, ACTOR_UDP, value);
  udp->thing->own = udp;
  udp->fd = -1;
  return udp;
}

static void make_udp(struct several *host, const json_t *value) {
  struct udp *udp = new_udp(host, value);
  udp->callback = several_callback(host, value);
  if (host->member != NULL) {
    const struct pl_cluster_listen what = {.address = "127.0.0.1", .type = 14};
    udp->shared = several_new(host, host->cluster->server_size);
    if (host->cluster->listen(host->member, udp->shared, &what,
                              several_true(value, "exclusive"), &shared_calls,
                              udp) != 0)
      several_refuse(host, "a datagram socket");
    return;
  }
  union address address = {.four = {.sin_family = AF_INET}};
  address.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, &address.any, sizeof address.four) != 0)
    several_refuse(host, "a datagram socket");
  read_from(udp, fd);
  several_later(host, tell_listening, udp);
}

struct actor *several_udp(struct several *host, int fd) {
  struct udp *udp = new_udp(host, NULL);
  read_from(udp, fd);
  several_later(host, tell_listening, udp);
  return udp->thing;
}

bool several_udp_passing(struct actor *thing,
                         struct pl_channel_passing *passing) {
  const struct udp *udp = thing->own;
  *passing = (struct pl_channel_passing){
      .type = "dgram.Socket", .fd = fcntl(udp->fd, F_DUPFD_CLOEXEC, 0)};
  return passing->fd >= 0;
}

json_t *several_udp_field(struct actor *thing, const char *name) {
  (void)thing;
  return strcmp(name, "address") == 0 ? json_string("127.0.0.1") : NULL;
}

static void send_datagram(struct several *host, const json_t *value) {
  const struct udp *to = several_find(host, json_object_get(value, "to"))->own;
  const struct udp *from =
      several_find(host, json_object_get(value, "from"))->own;
  const char *text = several_text(value, "text");
  union address address;
  socklen_t size = sizeof address;
  getsockname(to->fd, &address.any, &size);
  ssize_t sent = sendto(from->fd, text, strlen(text), 0, &address.any, size);
  several_call_later(several_callback(host, value),
                     sent >= 0 ? json_string("ok") : several_error_name(-errno),
                     NULL);
}

static void on_closed(void *arg, int status) {
  struct udp *udp = arg;
  (void)status;
  close(udp->fd);
  several_fire(udp->thing, "close", NULL, NULL);
}

static void close_udp(struct several *host, const json_t *id) {
  struct udp *udp = several_find(host, id)->own;
  if (udp->closed) return;
  if (udp->shared != NULL) {
    host->cluster->server_close(udp->shared);
    return;
  }
  udp->closed = true;
  host->library->loop.handle_close(udp->poll, on_closed);
}

bool several_dgram_operation(struct several *host, const char *name,
                             const json_t *argument) {
  if (strcmp(name, "udp") == 0)
    make_udp(host, argument);
  else if (strcmp(name, "udp.send") == 0)
    send_datagram(host, argument);
  else if (strcmp(name, "udp.close") == 0)
    close_udp(host, argument);
  else
    return false;
  return true;
}

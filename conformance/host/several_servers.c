/* SPDX-License-Identifier: MIT */
/*
 * several_servers.c: servers: a socket of this process, one that came from
 * another process, or, in a worker, one of its cluster.
 *
 * Invariant: `close` is told once, when the socket is closed and every
 * connection that it has accepted has ended.
 */
#include "several_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 511, CONNECTIONS_AT_A_TIME = 64 };

struct server {
  struct several *host;
  struct actor *thing;
  struct listener *callback, *closed_callback;
  void *poll;     /* of a socket of our own */
  void *shared;   /* the cluster's server */
  char *path;     /* bound by us, as long as we listen */
  const char *at; /* the path, or the address */
  char key[64];
  int fd, error;
  unsigned connections;
  bool paused, http, listening, closing, socket_closed, told;
};

/* ---- the end ---------------------------------------------------------------
 */

static void tell_close(void *arg, int status) {
  struct server *server = arg;
  (void)status;
  several_fire(server->thing, "close", NULL, NULL);
  several_call(server->closed_callback, json_string("ok"), NULL);
}

static void close_if_over(struct server *server) {
  if (!server->socket_closed || server->connections > 0 || server->told) return;
  server->told = true;
  several_later(server->host, tell_close, server);
}

void several_server_lost(struct server *server) {
  server->connections--;
  close_if_over(server);
}

static void on_closed(void *arg, int status) {
  struct server *server = arg;
  (void)status;
  if (server->fd >= 0) close(server->fd);
  server->fd = -1;
  server->socket_closed = true;
  close_if_over(server);
}

static void close_server(struct several *host, const json_t *value) {
  struct server *server = several_find(host, json_object_get(value, "of"))->own;
  struct listener *callback = several_callback(host, value);
  if (server->closing || (server->poll == NULL && server->shared == NULL)) {
    several_call_later(callback, json_string("ERR_SERVER_NOT_RUNNING"), NULL);
    return;
  }
  server->closing = true;
  server->listening = false;
  server->closed_callback = callback;
  if (server->path != NULL) unlink(server->path);
  if (server->shared != NULL)
    host->cluster->server_close(server->shared);
  else
    host->library->loop.handle_close(server->poll, on_closed);
}

/* ---- connections
 * -------------------------------------------------------------
 */

void several_http(struct connection *c, const char *data, size_t length) {
  several_append(c->host, &c->text, data, length);
  several_append(c->host, &c->text, "", 1);
  c->text.length--;
  char path[256];
  if (strstr(c->text.at, "\r\n\r\n") == NULL ||
      sscanf(c->text.at, "%*s %255s", path) != 1)
    return;
  struct listener *callback = c->http;
  c->http = NULL;
  several_write(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhttp", true,
                NULL);
  several_call(callback, json_string(path), NULL);
}

static void got_connection(struct server *server, int fd) {
  struct actor *thing = several_connection(server->host, fd, server->paused);
  struct connection *c = thing->own;
  struct gift gift = {.thing = thing};
  c->server = server;
  server->connections++;
  if (server->http) {
    c->http = server->callback != NULL
                  ? server->callback
                  : several_new(server->host, sizeof *c->http);
    several_flow(thing);
    return;
  }
  several_call_with(server->callback, NULL, NULL, NULL, &gift);
  several_fire_with(server->thing, "connection", NULL, NULL, NULL, &gift);
}

static void on_acceptable(void *arg, int events) {
  struct server *server = arg;
  (void)events;
  for (int i = 0; i < CONNECTIONS_AT_A_TIME && !server->closing; i++) {
    int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno != EINTR && errno != ECONNABORTED) return;
    if (fd >= 0) got_connection(server, fd);
  }
}

/* ---- listening
 * --------------------------------------------------------------- */

static void tell_listening(void *arg, int status) {
  struct server *server = arg;
  (void)status;
  if (server->closing) return;
  server->listening = server->error == 0;
  if (server->listening)
    several_fire(server->thing, "listening", NULL, NULL);
  else
    several_fire(server->thing, "error", several_error_name(server->error),
                 NULL);
}

static void accept_from(struct server *server, int fd) {
  struct several *host = server->host;
  const struct pl_loop_table *loop = &host->library->loop;
  server->fd = fd;
  server->poll = several_new(host, loop->size_of(PL_KIND_POLL));
  if (loop->init(host->loop, PL_KIND_POLL, server->poll, on_acceptable,
                 server) != 0 ||
      loop->poll_start(server->poll, fd, PL_POLL_READABLE) != 0)
    several_refuse(host, "accepting");
}

static socklen_t address_of(const char *path, const char *host, long port,
                            union address *address) {
  *address = (union address){0};
  if (path != NULL) {
    address->path.sun_family = AF_UNIX;
    snprintf(address->path.sun_path, sizeof address->path.sun_path, "%s", path);
    return sizeof address->path;
  }
  if (host == NULL) {
    address->six.sin6_family = AF_INET6;
    address->six.sin6_addr = in6addr_any;
    address->six.sin6_port = htons((uint16_t)port);
    return sizeof address->six;
  }
  address->four.sin_family = AF_INET;
  address->four.sin_port = htons((uint16_t)port);
  inet_pton(AF_INET, host, &address->four.sin_addr);
  return sizeof address->four;
}

/* What a server listens on, as an operation says it. */
struct place {
  char *path;
  const char *host; /* NULL: any */
  long port, backlog;
};

static struct place place_of(struct several *host, const json_t *value) {
  const char *path = several_text(value, "path");
  const char *name = several_text(value, "host");
  return (struct place){
      path != NULL ? several_copy(host, several_place(host, path)) : NULL,
      name == NULL               ? "127.0.0.1"
      : strcmp(name, "any") == 0 ? NULL
                                 : name,
      several_number(value, "port", 0),
      several_number(value, "backlog", BACKLOG)};
}

static void listen_alone(struct server *server, const struct place *place) {
  union address address;
  socklen_t size = address_of(place->path, place->host, place->port, &address);
  int on = 1;
  int fd = socket(address.any.sa_family,
                  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  server->error = 0;
  if (address.any.sa_family != AF_UNIX)
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind(fd, &address.any, size) != 0 ||
      listen(fd, (int)place->backlog) != 0) {
    server->error = -errno;
    if (fd >= 0) close(fd);
  } else {
    server->path = place->path;
    accept_from(server, fd);
  }
  several_later(server->host, tell_listening, server);
}

static void on_shared_listening(void *arg, int error) {
  struct server *server = arg;
  server->error = error;
  tell_listening(server, 0);
}
static void on_shared_connection(void *arg, int fd) {
  got_connection(arg, fd);
}
static void on_shared_closed(void *arg) {
  on_closed(arg, 0);
}

static const struct pl_cluster_server_calls shared_calls = {
    .size = sizeof shared_calls,
    .listening = on_shared_listening,
    .connection = on_shared_connection,
    .closed = on_shared_closed};

static void listen_together(struct server *server, const struct place *place,
                            bool exclusive) {
  struct several *host = server->host;
  const struct pl_cluster_listen what = {
      .address = place->path != NULL ? place->path : place->host,
      .port = place->path != NULL ? -1 : (int)place->port,
      .type = place->path != NULL ? -1 : 4,
      .backlog = (int)place->backlog};
  server->shared = several_new(host, host->cluster->server_size);
  server->at = place->path != NULL ? "path" : place->host;
  if (host->cluster->listen(host->member, server->shared, &what, exclusive,
                            &shared_calls, server) != 0)
    several_refuse(host, "listening in a worker");
}

static void let_listen(struct server *server, const json_t *value) {
  const struct place place = place_of(server->host, value);
  server->closing = server->socket_closed = server->told = false;
  snprintf(server->key, sizeof server->key, "%d:%s:%ld",
           place.path != NULL ? -1 : 4,
           place.path != NULL   ? place.path
           : place.host != NULL ? place.host
                                : "null",
           place.path != NULL ? -1 : place.port);
  if (server->host->member != NULL)
    listen_together(server, &place, several_true(value, "exclusive"));
  else
    listen_alone(server, &place);
}

static struct server *new_server(struct several *host, const json_t *value) {
  struct server *server = several_new(host, sizeof *server);
  server->host = host;
  server->thing = several_make(host, ACTOR_SERVER, value);
  server->thing->own = server;
  server->fd = -1;
  return server;
}

static void make_server(struct several *host, const json_t *value) {
  struct server *server = new_server(host, value);
  server->callback = several_callback(host, value);
  server->paused = several_true(value, "paused");
  server->http = several_true(value, "http");
  if (!several_true(value, "idle")) let_listen(server, value);
}

/* ---- questions
 * ----------------------------------------------------------------- */

int several_bound_port(int fd) {
  union address address = {0};
  socklen_t size = sizeof address;
  if (getsockname(fd, &address.any, &size) != 0) return -1;
  if (address.any.sa_family == AF_INET) return ntohs(address.four.sin_port);
  return address.any.sa_family == AF_INET6 ? ntohs(address.six.sin6_port) : -1;
}

static int port_of(const struct server *server) {
  if (server->shared != NULL)
    return server->host->cluster->server_port(server->shared);
  return several_bound_port(server->fd);
}

static json_t *server_field(const struct server *server, const char *name) {
  if (strcmp(name, "listening") == 0) return json_boolean(server->listening);
  if (strcmp(name, "$port") == 0) return json_integer(port_of(server));
  bool address = strcmp(name, "address") == 0;
  if (!address && strcmp(name, "port") != 0) return NULL;
  if (!server->listening) return json_null();
  int port = port_of(server);
  if (!address) return port > 0 ? json_string("some") : json_integer(port);
  if (server->at != NULL) return json_string(server->at);
  return json_string(port < 0 ? "path" : "127.0.0.1");
}

json_t *several_socket_field(struct actor *thing, const char *name) {
  if (thing->kind == ACTOR_SERVER) return server_field(thing->own, name);
  return several_connection_field(thing->own, name);
}

const char *several_server_key(struct server *server) {
  return server->key[0] != '\0' ? server->key : NULL;
}

socklen_t several_target(struct several *host, const json_t *value,
                         const struct frame *frame, union address *address) {
  const json_t *to = json_object_get(value, "to");
  const json_t *port = json_object_get(value, "port");
  const char *path = several_place(host, several_text(value, "path"));
  if (to == NULL && path == NULL)
    return address_of(
        NULL, "127.0.0.1",
        (long)json_integer_value(json_is_string(port) ? frame->result : port),
        address);
  if (to == NULL) return address_of(path, NULL, 0, address);
  struct actor *thing = several_find(host, to);
  int number = -1;
  if (thing->kind == ACTOR_WORKER) {
    path = several_worker_place(thing, &number);
    return address_of(path, "127.0.0.1", number, address);
  }
  socklen_t size = sizeof *address;
  const struct server *server = thing->own;
  if (server->shared != NULL)
    return address_of(NULL, "127.0.0.1", port_of(server), address);
  getsockname(server->fd, &address->any, &size);
  if (address->any.sa_family == AF_UNIX) return size;
  return address_of(NULL, "127.0.0.1", port_of(server), address);
}

/* ---- between processes
 * ------------------------------------------------------------
 */

bool several_passing(struct actor *thing, bool keep_open,
                     struct pl_channel_passing *passing) {
  if (thing->kind == ACTOR_CONNECTION)
    return several_connection_passing(thing->own, keep_open, passing);
  if (thing->kind != ACTOR_SERVER) return false;
  const struct server *server = thing->own;
  *passing = (struct pl_channel_passing){
      .type = "net.Server", .fd = fcntl(server->fd, F_DUPFD_CLOEXEC, 0)};
  return passing->fd >= 0;
}

struct actor *several_receive(struct several *host, const char *type, int fd) {
  if (strncmp(type, "dgram.", 6) == 0) return several_udp(host, fd);
  if (strcmp(type, "net.Socket") == 0)
    return several_connection(host, fd, false);
  struct server *server = new_server(host, NULL);
  accept_from(server, fd);
  several_later(host, tell_listening, server);
  return server->thing;
}

bool several_server_operation(struct several *host, const char *name,
                              const json_t *argument) {
  if (strcmp(name, "server") == 0)
    make_server(host, argument);
  else if (strcmp(name, "server.close") == 0)
    close_server(host, argument);
  else if (strcmp(name, "server.listen") == 0)
    let_listen(several_find(host, json_object_get(argument, "of"))->own,
               argument);
  else
    return false;
  return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * server.c: takes connections, and ends without losing an answer.
 *
 * Invariant: every connection is in the list until its memory is freed, and
 * `closed` is called when the list is empty.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"

enum { ACCEPTS = 64 }; /* at a time, so that others get their turn */

static void one_closed(struct http_server *server) {
  if (--server->open == 0 && server->ended && server->closed)
    server->closed(server->arg);
}

static void on_listener_closed(void *arg, int status) {
  (void)status;
  struct http_server *server = arg;
  close(server->fd);
  if (server->spare >= 0) close(server->spare);
  server->fd = server->spare = -1;
  one_closed(server);
}

static void on_grace_closed(void *arg, int status) {
  (void)status;
  struct http_server *server = arg;
  server->ended = true;
  one_closed(server);
}

void server_forget(struct connection *connection) {
  struct http_server *server = connection->server;
  if (connection->next) connection->next->previous = connection->previous;
  if (connection->previous)
    connection->previous->next = connection->next;
  else
    server->first = connection->next;
  server->connections--;
  bytes_drop(&connection->text);
  bytes_drop(&connection->body);
  bytes_drop(&connection->ahead);
  bytes_drop(&connection->out);
  free(connection->exchange.user);
  free(connection);
  if (server->closing && !server->first) pl_timer_start(&server->grace, 0, 0);
}

int http_server_take(struct http_server *server, int fd) {
  struct connection *connection =
      server->closing ? NULL : calloc(1, sizeof *connection);
  if (!connection) {
    close(fd);
    return server->closing ? PL_ECANCELED : PL_ENOMEM;
  }
  connection->server = server;
  connection->fd = fd;
  connection->next = server->first;
  if (server->first) server->first->previous = connection;
  server->first = connection;
  server->connections++;
  int err = connection_open(connection);
  if (err) connection_close(connection);
  return err;
}

/* No descriptor is left: one is kept to take the client and turn it away, or
 * the loop would be told of it for ever. */
static void turn_away(struct http_server *server) {
  if (server->spare < 0) return;
  close(server->spare);
  int fd = accept(server->fd, NULL, NULL);
  if (fd >= 0) close(fd);
  server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connection(void *arg, int status) {
  struct http_server *server = arg;
  if (status < 0) return;
  for (int n = 0; n < ACCEPTS; n++) {
    int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      http_server_take(server, fd);
    } else if (errno == EMFILE || errno == ENFILE) {
      turn_away(server);
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

static void on_grace(void *arg, int status) {
  (void)status;
  struct http_server *server = arg;
  struct connection *next;
  for (struct connection *c = server->first; c; c = next) {
    next = c->next;
    connection_close(c);
  }
  /* With nobody left this was the wish to end. */
  if (!server->first && !pl_object_is_closing(&server->grace)) {
    server->open++;
    pl_handle_close(&server->grace, on_grace_closed);
  }
}

void http_server_init(struct http_server *server, struct pl_loop *loop,
                      http_handler *handler, void *arg) {
  *server = (struct http_server){.loop = loop,
                                 .handler = handler,
                                 .arg = arg,
                                 .body_most = HTTP_BODY_MOST,
                                 .fd = -1,
                                 .spare = -1};
  pl_timer_init(loop, &server->grace, on_grace, server);
}

int http_server_listen(struct http_server *server, int fd) {
  server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (server->spare < 0) return -errno;
  server->fd = fd;
  pl_poll_init(server->loop, &server->listener, on_connection, server);
  int err = pl_poll_start(&server->listener, fd, PL_READABLE);
  if (!err) server->listening = true;
  return err;
}

void http_server_close(struct http_server *server, void (*closed)(void *arg)) {
  if (server->closing) return;
  server->closing = true;
  server->closed = closed;
  if (server->listening) {
    server->open++;
    pl_handle_close(&server->listener, on_listener_closed);
  }
  struct connection *next;
  for (struct connection *c = server->first; c; c = next) {
    next = c->next;
    connection_retire(c);
  }
  pl_timer_start(&server->grace, server->first ? HTTP_GRACE_MS : 0, 0);
}

int http_listen(const char *host, int port, int *out) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                             .sin6_port = htons((uint16_t)port)};
  struct sockaddr_in four = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
  struct sockaddr *address;
  socklen_t length;
  if (inet_pton(AF_INET, host, &four.sin_addr) == 1) {
    address = (struct sockaddr *)&four;
    length = sizeof four;
  } else if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1) {
    address = (struct sockaddr *)&six;
    length = sizeof six;
  } else {
    return PL_EINVAL;
  }
  int fd =
      socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, address, length) || listen(fd, 511)) {
    int err = -errno;
    close(fd);
    return err;
  }
  *out = fd;
  return 0;
}

int http_port(int fd) {
  struct sockaddr_in6 any = {0};
  socklen_t length = sizeof any;
  if (getsockname(fd, (struct sockaddr *)&any, &length)) return -errno;
  return ntohs(any.sin6_port); /* where sin_port is, too */
}

/* SPDX-License-Identifier: MIT */
/*
 * listen.c: sockets that are bound, and what they are bound to.
 *
 * Invariant: a socket that could not be bound is closed.
 */
#include "../loop/internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "plumb/cluster.h"

enum { DEFAULT_BACKLOG = 511 };

union name {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  struct sockaddr_un path;
};

static int path_name(const char *path, union name *name, socklen_t *size) {
  if (path == NULL || strlen(path) >= sizeof name->path.sun_path)
    return path == NULL ? PL_EINVAL : PL_ENAMETOOLONG;
  name->path = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(name->path.sun_path, path, strlen(path));
  *size = sizeof name->path;
  return 0;
}

static int four_name(const char *text, int port, union name *name,
                     socklen_t *size) {
  name->four = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port)};
  *size = sizeof name->four;
  return inet_pton(AF_INET, text, &name->four.sin_addr) == 1 ? 0 : PL_EINVAL;
}

static int six_name(const char *text, int port, union name *name,
                    socklen_t *size) {
  name->six = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                    .sin6_port = htons((uint16_t)port)};
  *size = sizeof name->six;
  return inet_pton(AF_INET6, text, &name->six.sin6_addr) == 1 ? 0 : PL_EINVAL;
}

static bool is_udp(const struct pl_listen *what) {
  return what->type == PL_ADDRESS_UDP4 || what->type == PL_ADDRESS_UDP6;
}

static int bind_to(const struct pl_listen *what, const union name *name,
                   socklen_t size, int *out) {
  int family = name->any.sa_family, on = 1;
  int kind =
      (is_udp(what) ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  int fd = socket(family, kind, 0);
  if (fd < 0) return -errno;
  if (family != AF_UNIX && !is_udp(what))
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6 && what->flags & PL_LISTEN_IPV6_ONLY)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, &name->any, size) != 0) {
    int error = -errno;
    close(fd);
    return error;
  }
  *out = fd;
  return 0;
}

static int bind_any(const struct pl_listen *what, int *out) {
  union name name;
  socklen_t size;
  if (what->type == PL_ADDRESS_UDP4) {
    four_name("0.0.0.0", what->port, &name, &size);
    return bind_to(what, &name, size, out);
  }
  six_name("::", what->port, &name, &size);
  int error = bind_to(what, &name, size, out);
  if (error == 0 || is_udp(what) || error == PL_EADDRINUSE ||
      error == PL_EACCES)
    return error;
  four_name("0.0.0.0", what->port, &name, &size); /* there is no IPv6 */
  return bind_to(what, &name, size, out);
}

static int bind_named(const struct pl_listen *what, int *out) {
  union name name;
  socklen_t size;
  int error;
  if (what->type == PL_ADDRESS_PIPE)
    error = path_name(what->address, &name, &size);
  else if (what->port < 0 || what->port > 65535)
    error = PL_EINVAL;
  else if (what->address == NULL)
    return bind_any(what, out);
  else if (what->type == PL_ADDRESS_IPV6 || what->type == PL_ADDRESS_UDP6)
    error = six_name(what->address, what->port, &name, &size);
  else
    error = four_name(what->address, what->port, &name, &size);
  return error != 0 ? error : bind_to(what, &name, size, out);
}

int pl_listen_open(const struct pl_listen *what, bool listens, int *out) {
  int fd, error = bind_named(what, &fd);
  if (error != 0) return error;
  int backlog = what->backlog > 0 ? what->backlog : DEFAULT_BACKLOG;
  if (listens && !is_udp(what) && listen(fd, backlog) != 0) {
    error = -errno;
    close(fd);
    return error;
  }
  *out = fd;
  return 0;
}

int pl_listen_name(int fd, int *port, char *address, size_t size) {
  union name name;
  socklen_t length = sizeof name;
  if (getsockname(fd, &name.any, &length) != 0) return -errno;
  *port = 0;
  address[0] = '\0';
  if (name.any.sa_family == AF_INET) {
    *port = ntohs(name.four.sin_port);
    inet_ntop(AF_INET, &name.four.sin_addr, address, (socklen_t)size);
  } else if (name.any.sa_family == AF_INET6) {
    *port = ntohs(name.six.sin6_port);
    inet_ntop(AF_INET6, &name.six.sin6_addr, address, (socklen_t)size);
  }
  return 0;
}

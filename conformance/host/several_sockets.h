/* SPDX-License-Identifier: MIT */
/*
 * several_sockets.h: connections and servers, for the files that have them.
 */
#ifndef HOST_SEVERAL_SOCKETS_H
#define HOST_SEVERAL_SOCKETS_H

#include "several.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  struct sockaddr_un path;
};

struct sending;
struct server;

struct connection {
  struct several *host;
  struct actor *thing;
  struct server *server; /* that accepted it, or NULL */
  struct listener *told; /* once it is connected, or is not */
  struct listener *reader;
  struct listener *http; /* is called with the path that is asked for */
  struct sending *queue;
  void *stream, *poll;
  struct bytes held, text;
  int fd, old_fd, error;
  unsigned writing;
  bool connecting, connected, opened, reading, paused;
  bool flowing;      /* somebody listens */
  bool eof, ended;   /* the other side has; it was told */
  bool ending, shut; /* this side is to, has */
  bool closed, failed;
  bool gone; /* to another process */
};

void several_write(struct connection *c, const char *text, bool end,
                   struct listener *callback);
/* A request of HTTP, answered once its head is whole. */
void several_http(struct connection *c, const char *data, size_t length);
bool several_connection_passing(struct connection *c, bool keep_open,
                                struct pl_channel_passing *passing);
json_t *several_connection_field(const struct connection *c, const char *name);

/* A connection of a server has ended. */
void several_server_lost(struct server *server);
const char *several_server_key(struct server *server);
/* Where a `connect` goes. */
socklen_t several_target(struct several *host, const json_t *value,
                         const struct frame *frame, union address *address);
bool several_server_operation(struct several *host, const char *name,
                              const json_t *argument);

#endif

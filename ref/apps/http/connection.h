/* SPDX-License-Identifier: MIT */
/* connection.h: what server.c and connection.c share. */
#ifndef APPS_CONNECTION_H
#define APPS_CONNECTION_H

#include <http_parser.h>

#include "bytes.h"
#include "http.h"

enum connection_state {
  CONNECTION_READING,   /* a request, or waiting for one */
  CONNECTION_SERVING,   /* the handler has it */
  CONNECTION_WRITING,   /* the answer is under way */
  CONNECTION_LINGERING, /* answered and ended; the client has not */
  CONNECTION_CLOSING
};

struct connection {
  struct http_exchange exchange; /* first: http_respond() comes back by it */
  struct http_server *server;
  struct connection *next, *previous;
  enum connection_state state;
  struct pl_stream stream;
  struct pl_write write;
  struct pl_timeout patience;
  int fd;
  http_parser parser;
  struct bytes text; /* URL, names and values, each with its NUL */
  struct bytes body;
  struct bytes ahead; /* came before the answer was written */
  struct bytes out;
  size_t names[HTTP_HEADERS_MOST], values[HTTP_HEADERS_MOST];
  bool in_value; /* the last piece was of a value */
  bool begun;    /* a request has begun */
  bool served;   /* one has been answered */
  bool whole;    /* the parser has a whole request */
  bool keep;     /* the connection outlives the answer */
  bool ended;    /* the client sends no more */
  bool gone;     /* closed while the handler has the request */
  bool closed;   /* the stream is */
  int refused;   /* the status of what exceeds a limit, or 0 */
};

/* Starts on a connected socket; the connection is in the server's list. */
int connection_open(struct connection *connection);
/* Ends at once, or as soon as the handler has answered. */
void connection_close(struct connection *connection);
/* The server is about to end: closes it unless a request is under way, or may
 * be, from one that has not asked yet. */
void connection_retire(struct connection *connection);
/* Out of the list and freed. In server.c. */
void server_forget(struct connection *connection);

#endif

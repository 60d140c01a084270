/* SPDX-License-Identifier: MIT */
/*
 * http.h: an HTTP/1.1 server on the reference loop, as small as the programs
 * beside it need. The parser is http_parser's.
 *
 * Invariants:
 *  - A request is given to the handler whole, and one of a connection at a
 *    time; what a client sends ahead waits, within a limit.
 *  - Whatever bytes come, a connection ends in an answer, or is closed; it
 *    never takes more than the limits below.
 *  - Everything happens on the loop's thread.
 */
#ifndef APPS_HTTP_H
#define APPS_HTTP_H

#include <plumb/loop.h>
#include <stdbool.h>
#include <stddef.h>

enum {
  HTTP_HEADERS_MOST = 128,      /* then 431 */
  HTTP_TEXT_MOST = 64 << 10,    /* URL and headers, bytes; then 431 */
  HTTP_BODY_MOST = 1 << 20,     /* then 413; unless body_most says else */
  HTTP_AHEAD_MOST = 256 << 10,  /* sent before the answer; then closed */
  HTTP_PATIENCE_MS = 60 * 1000, /* for a whole request, and between two */
  HTTP_LINGER_MS = 2 * 1000,    /* for the client's end, after ours */
  HTTP_FIRST_MS = 500,          /* for a first request, at the end */
  HTTP_GRACE_MS = 10 * 1000     /* for answers under way, at the end */
};

struct http_header {
  const char *name, *value; /* NUL-terminated; any byte but NUL, CR and LF */
};

/* A request, and what becomes of it. Valid until http_respond(). */
struct http_exchange {
  const char *method, *url;
  struct http_header headers[HTTP_HEADERS_MOST];
  size_t header_count;
  const char *body; /* bytes; NUL-terminated behind the last */
  size_t body_length;
  void *user; /* the handler's; freed with free() when it was answered */
};

/* Answers with http_respond(), now or later, exactly once. */
typedef void http_handler(void *arg, struct http_exchange *exchange);

struct http_server {
  struct pl_loop *loop;
  http_handler *handler;
  void *arg;
  size_t body_most;        /* may be set before the first connection */
  struct pl_poll listener; /* when it listens itself */
  int fd, spare;
  struct connection *first;
  size_t connections;
  bool listening, closing, ended;
  unsigned open; /* handles of its own that are not closed */
  struct pl_timer grace;
  void (*closed)(void *arg);
};

/* Prepares a server; borrows it until `closed` of http_server_close(). */
void http_server_init(struct http_server *server, struct pl_loop *loop,
                      http_handler *handler, void *arg);

/* Takes connections from a listening socket, which is the server's then.
 * Errors: those of pl_poll_start(); PL_EMFILE. */
int http_server_listen(struct http_server *server, int fd);

/* Takes a connected socket, which is the server's then, also on failure.
 * Errors: PL_ENOMEM, PL_ECANCELED (closing), those of pl_stream_open(). */
int http_server_take(struct http_server *server, int fd);

/* Takes no more connections, lets answers under way be written, closes what
 * is idle at once (who has just come has HTTP_FIRST_MS to ask) and everything
 * after HTTP_GRACE_MS; then calls `closed`. */
void http_server_close(struct http_server *server, void (*closed)(void *arg));

/* Answers; `body` is copied. HEAD gets the head alone. */
void http_respond(struct http_exchange *exchange, int status, const char *type,
                  const void *body, size_t length);

/* Opens a listening TCP socket. Gives *out. Errors: PL_EINVAL (no numeric
 * address), those of socket, bind and listen. port 0: any; see http_port(). */
int http_listen(const char *host, int port, int *out);
int http_port(int fd);

#endif

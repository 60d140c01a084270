/* SPDX-License-Identifier: MIT */
/*
 * state.h: what a worker knows of its requests, as objects on its heap: those
 * that are being served, the last ones, and a count for each path. It is what
 * a snapshot shows.
 *
 *   Server -> recent: a ring of Request -> method, url, body: Text
 *                                       -> headers: Headers -> Header -> Text
 *                                       -> route: Route -> path: Text
 *          -> routes: a table of Route, by the hash of the path
 */
#ifndef CLUSTER_SERVER_STATE_H
#define CLUSTER_SERVER_STATE_H

#include <plumb/heap.h>

#include "../http/http.h"

enum {
  STATE_RECENT = 128,     /* requests that are remembered */
  STATE_ROUTES = 1024,    /* paths that are counted, a power of two */
  STATE_TEXT_MOST = 16384 /* bytes of a text that are kept */
};

struct state {
  struct pl_heap *heap;
  uint32_t server_type, list_type, request_type, header_type, route_type,
      text_type;
  struct pl_root server;
  uint64_t requests;  /* begun */
  uint64_t routes;    /* in the table */
  uint64_t forgotten; /* requests that there was no memory to remember */
};

/* Makes the heap, of old_max bytes at most (0: its default), and what is always
 * there. Errors: PL_ENOMEM. */
int state_open(struct state *state, size_t old_max);
void state_close(struct state *state);

/* A request begins: its object is in `root`, which is borrowed until
 * state_end(). Without memory the object is NULL, and the request is served all
 * the same. */
void state_begin(struct state *state, struct pl_root *root,
                 const struct http_exchange *exchange);

/* It was answered. */
void state_end(struct state *state, struct pl_root *root, int status,
               uint64_t microseconds);

#endif

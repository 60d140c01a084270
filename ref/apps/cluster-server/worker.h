/* SPDX-License-Identifier: MIT */
/* worker.h: one process that serves requests. */
#ifndef CLUSTER_SERVER_WORKER_H
#define CLUSTER_SERVER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  WORKER_REFUSED = 78 /* exit status: an interceptor was; EX_CONFIG */
};

struct options {
  const char *host;
  int port;
  int fd; /* the listening socket, in the primary */
  unsigned workers, depth;
  bool shared;
  const char *interceptors; /* a folder, or NULL */
  bool skip_broken;
  const char *snapshots; /* a folder */
  uint64_t every_ms;     /* between two; 0: none */
  unsigned keep;
  size_t body_most;
};

/* Serves until the primary says that it is enough, or is gone. The exit
 * status. */
int worker_main(const struct options *options);

/* "plumb-cluster-server: WHAT: REASON" on stderr; 1. */
int server_fail(const char *what, int error);

#endif

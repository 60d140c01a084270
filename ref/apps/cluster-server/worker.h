/* SPDX-License-Identifier: MIT */
/* worker.h: one process that serves requests. */
#ifndef CLUSTER_SERVER_WORKER_H
#define CLUSTER_SERVER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {                     /* exit statuses, of sysexits.h */
       WORKER_BROKEN = 70, /* an interceptor said so */
       WORKER_REFUSED = 78 /* an interceptor was */
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

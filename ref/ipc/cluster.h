/* SPDX-License-Identifier: MIT */
/*
 * cluster.h: what the two files of the primary share.
 *
 * Invariants:
 *  - A worker is in a handle's `all` while it listens there; in `free` too
 * while fewer than `depth` connections are on their way to it. Both are in the
 *    order of entering.
 *  - A descriptor is in `waiting`, or in one handoff, until the worker has
 *    accepted it; then it is closed.
 */
#ifndef PLUMB_IPC_CLUSTER_H
#define PLUMB_IPC_CLUSTER_H

#include "plumb/cluster.h"
#include "value.h"

/* A set of workers in order, of a handle. */
struct pl__crowd {
  struct pl_worker **workers;
  size_t count, capacity;
};

/* A socket that workers listen on. */
struct pl__shared_handle {
  struct pl__shared_handle *next;
  struct pl_cluster *cluster;
  char *key;
  size_t key_length;
  bool shared; /* the workers accept */
  bool paused; /* too many wait */
  bool closing;
  int fd;
  int error;
  struct pl_poll io;
  struct pl_timer retry; /* there are no descriptors to accept with */
  struct pl__crowd all, free;
  int *waiting; /* accepted, first come first */
  size_t first, count, room;
  unsigned open; /* what refers to it: release_handle() */
};

/* A connection on its way to a worker. */
struct pl__handoff {
  struct pl_send send;
  struct pl__handoff *next;
  struct pl_worker *worker;
  struct pl__shared_handle *handle;
  double seq;
  int fd;
  bool acknowledged; /* the worker has it, and may serve it */
  bool answered;     /* but the channel still has the request */
};

/* -- cluster_handle.c --------------------------------------------------------
 */

/* A worker asks for something to listen on: answers it. */
void pl__cluster_query(struct pl_worker *worker, const struct pl_value *ask);
/* A worker has closed its server. */
void pl__cluster_leave(struct pl_worker *worker, const struct pl_value *key);
/* A worker listens nowhere any more; what was on its way to it goes on.
 * returns: it is to be started again, so its sockets stay open. */
void pl__cluster_leave_all(struct pl_worker *worker, bool returns);
/* Closes the sockets that nobody listens on. */
void pl__cluster_close_idle(struct pl_cluster *cluster);
/* A worker answers a handoff. */
void pl__cluster_answer(struct pl_worker *worker, double ack, bool accepted);
void pl__cluster_close_handles(struct pl_cluster *cluster);

/* -- cluster_primary.c -------------------------------------------------------
 */

/* Sends {cmd: NODE_CLUSTER, ...object, seq}. As pl_channel_send(). */
int pl__cluster_send(struct pl_worker *worker, struct pl_value *object,
                     const struct pl_passing *passing, struct pl_send *send);
void pl__cluster_problem(struct pl_worker *worker, int error, const char *what);
void pl__cluster_closed_one(struct pl_cluster *cluster);

#endif

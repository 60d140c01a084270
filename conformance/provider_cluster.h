/* SPDX-License-Identifier: MIT */
/*
 * provider_cluster.h: the part of provider.h about clusters: a primary that
 * starts workers, and workers that listen through it.
 *
 * Invariants, beside those of provider_processes.h:
 *  - A worker is the provider's from fork() until it was told that it has
 * exited and that it is disconnected, in whichever order.
 *  - A channel that is given (channel(), parent()) is for send(), connected(),
 *    disconnect() and the two functions about keeping the loop alive.
 */
#ifndef PLUMBLINE_PROVIDER_CLUSTER_H
#define PLUMBLINE_PROVIDER_CLUSTER_H

#include <stddef.h>

struct pl_channel_text;
struct pl_channel_calls;
struct pl_child_options;

enum pl_cluster_policy {
  PL_POLICY_ENVIRONMENT, /* as NODE_CLUSTER_SCHED_POLICY says */
  PL_POLICY_ROUND_ROBIN,
  PL_POLICY_SHARED, /* workers accept from one socket */
  PL_POLICY_WEIGHTED
};

/* Borrowed as long as the cluster. */
struct pl_cluster_options {
  size_t size; /* sizeof(struct pl_cluster_options) of the caller */
  const struct pl_child_options *child; /* stdio: the first three, no pipes */
  enum pl_cluster_policy policy;
  /* How often in a row a worker that died by itself is started again, as a new
   * worker with the old one's environment and weight, of which online() is the
   * first to tell; 0: never. */
  unsigned restarts;
  /* Before the first time; at most before any; having lived so long it begins
   * anew. 0: the provider's choice. */
  unsigned first_ms, longest_ms, healthy_ms;
};

/* What is listened on. type: 4, 6, -1: a path, 14: udp4, 16: udp6. */
struct pl_cluster_listen {
  const char *address;
  int port, type, backlog;
};

struct pl_cluster_calls {
  size_t size;
  void (*online)(void *arg, void *worker);
  void (*listening)(void *arg, void *worker,
                    const struct pl_cluster_listen *what);
  void (*message)(void *arg, void *worker, const struct pl_channel_text *text);
  void (*disconnected)(void *arg, void *worker);
  void (*exited)(void *arg, void *worker, int code, int signal);
};

/* A worker's server: it listens, or why not, a negative errno value; a
 * connection, which is the callee's; it is closed. */
struct pl_cluster_server_calls {
  size_t size;
  void (*listening)(void *arg, int error);
  void (*connection)(void *arg, int fd);
  void (*closed)(void *arg);
};

struct pl_cluster_table {
  size_t size; /* sizeof(struct pl_cluster_table) of the provider */

  /* Bytes of storage, which is borrowed until the loop has ended. */
  size_t cluster_size, member_size, server_size;

  /* -- the primary --------------------------------------------------------- */

  int (*open)(void *loop, void *cluster,
              const struct pl_cluster_options *options,
              const struct pl_cluster_calls *calls, void *arg);
  /* The policy that is followed. */
  enum pl_cluster_policy (*policy)(const void *cluster);
  /* Starts a worker with that environment, borrowed until it is gone. Gives
   * *worker. */
  int (*fork)(void *cluster, const char *const *env, void **worker);
  /* Asks all workers to disconnect; `gone` is called when none is left, never
   * from within. */
  void (*disconnect_all)(void *cluster, void (*gone)(void *arg));
  unsigned (*id)(const void *worker);
  long (*pid)(const void *worker);
  /* Whether it was asked to disconnect, or said that it does. */
  int (*voluntary)(const void *worker);
  void (*set_weight)(void *worker, unsigned weight);
  void *(*channel)(void *worker);
  int (*disconnect)(void *worker);
  int (*kill)(void *worker, int signum);

  /* -- a worker ------------------------------------------------------------ */

  /* Whether the environment says that this process is one. */
  int (*is_member)(void);
  /* Joins the primary, as the environment says, which is then taken away. Of
   * `calls` message, problem and ended are called. */
  int (*join)(void *loop, void *member, const struct pl_channel_calls *calls,
              void *arg);
  unsigned (*number)(const void *member);
  void *(*parent)(void *member);
  /* Whether it leaves because it was asked to, or wanted to. */
  int (*leaves)(const void *member);
  /* Closes its servers and disconnects. */
  int (*leave)(void *member);
  /* Listens, through the primary or (exclusive) alone. */
  int (*listen)(void *member, void *server,
                const struct pl_cluster_listen *what, int exclusive,
                const struct pl_cluster_server_calls *calls, void *arg);
  /* The port once it listens; a datagram server's descriptor, borrowed, from
   * which the caller reads. */
  int (*server_port)(const void *server);
  int (*server_fd)(const void *server);
  int (*server_close)(void *server);

  /* -- what not every cluster has ------------------------------------------ */

  int weighs;     /* PL_POLICY_WEIGHTED and set_weight() are followed */
  int supervises; /* restarts and the times of the options are */
  /* A worker gives up: closes its servers and its channel, without a word to
   * the primary, and serves the connections that it has; NULL: it cannot. */
  int (*abandon)(void *member);
};

#endif

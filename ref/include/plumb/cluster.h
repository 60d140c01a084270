/* SPDX-License-Identifier: MIT */
/*
 * cluster.h: processes that serve one address, as Node's cluster has them. A
 * primary binds; its workers ask for what they want to listen on, over a
 * channel that speaks NODE_CLUSTER, so either side may be a real Node.
 *
 *   round robin   the primary accepts, and hands each connection to a free
 *                 worker, which accepts it or gives it back
 *   shared        the workers get the bound socket and accept from it
 *
 * Invariants, beside those of ipc.h:
 *  - A connection that no worker has acknowledged is lost with none: it goes to
 *    another one, or waits.
 *  - A listening socket lives as long as a worker wants it; under supervision
 *    also while those who did are dead and about to be started again.
 *  - Nothing is started again by itself, unless supervision was asked for.
 */
#ifndef PLUMB_CLUSTER_H
#define PLUMB_CLUSTER_H

#include "plumb/ipc.h"
#include "plumb/process.h"

struct pl_cluster;
struct pl_worker;

/* ---------------------------------------------------------------------- */
/* Addresses                                                              */

/* What Node calls addressType, for messages and keys. */
enum pl_address_type {
  PL_ADDRESS_PIPE = -1, /* a path */
  PL_ADDRESS_IPV4 = 4,
  PL_ADDRESS_IPV6 = 6,
  PL_ADDRESS_UDP4 = 14,
  PL_ADDRESS_UDP6 = 16
};

/* What to listen on. */
struct pl_listen {
  const char *address; /* numeric, or a path; NULL: any, IPv6 if there is one */
  int port;            /* 0: any that is free; -1: a path */
  enum pl_address_type type;
  int fd;         /* an inherited one of the primary's, or -1 */
  unsigned flags; /* PL_LISTEN_IPV6_ONLY */
  int backlog;    /* 0: 511 */
};
enum { PL_LISTEN_IPV6_ONLY = 1 };

/* Opens and binds a socket, close-on-exec and not blocking; a stream socket
 * listens when `listens`. Gives *out. Errors: PL_EINVAL (an address that is
 * none), and what socket, bind or listen failed with. */
int pl_listen_open(const struct pl_listen *what, bool listens, int *out);

/* The port, and the address as text, that a socket is bound to; 0 and "" for a
 * path. Errors: getsockname's. */
int pl_listen_name(int fd, int *port, char *address, size_t size);

/* ---------------------------------------------------------------------- */
/* The primary                                                            */

enum pl_worker_state {
  PL_WORKER_NONE, /* forked */
  PL_WORKER_ONLINE,
  PL_WORKER_LISTENING,
  PL_WORKER_DISCONNECTED,
  PL_WORKER_DEAD
};

struct pl_cluster_events {
  void (*online)(void *arg, struct pl_worker *worker);
  void (*listening)(void *arg, struct pl_worker *worker,
                    const struct pl_listen *what);
  void (*message)(void *arg, struct pl_worker *worker,
                  struct pl_message *message);
  void (*disconnected)(void *arg, struct pl_worker *worker);
  /* After this call and `disconnected`, in whichever order they come, the
   * worker is gone. What it has sent, and the end of its channel unless
   * somebody else holds that, are told before. */
  void (*exited)(void *arg, struct pl_worker *worker, int code, int signal);
  void (*problem)(void *arg, struct pl_worker *worker, int error,
                  const char *what);
};

/*
 * Who gets the next connection: the index of one of the candidates, which are
 * free and stand in the order in which they became so.
 */
struct pl_scheduler {
  size_t (*pick)(void *self, struct pl_worker *const *candidates, size_t count);
  void *self;
};

/* The first that became free: Node's round robin. */
extern const struct pl_scheduler pl_schedule_round_robin;
/* By their weights and smoothly, as nginx: 1, 2 and 6 are c b c c a c c b c. */
extern const struct pl_scheduler pl_schedule_weighted;

/* Starting workers again that have died by themselves. Times: ms. */
struct pl_supervision {
  bool restart;
  unsigned first_ms;   /* before the first time; doubled each time; 100 */
  unsigned longest_ms; /* 10,000 */
  unsigned healthy_ms; /* lived so long: begins anew; 60,000 */
  unsigned most;       /* times in a row, then it is given up; 0: for ever */
};

/* Zeroed fields mean the default. */
struct pl_cluster_config {
  struct pl_spawn_options spawn; /* of a worker; stdio from 3 on is not used */
  bool shared;      /* workers accept: pl_cluster_shared_by_environment() */
  unsigned depth;   /* connections on their way to a worker at a time; 1 */
  unsigned waiting; /* accepted ones that wait for a worker; 1024 */
  const struct pl_scheduler *scheduler; /* borrowed; round robin */
  struct pl_supervision supervision;
};

struct pl__handoff;
struct pl__shared_handle;

struct pl_worker {
  struct pl_cluster *cluster;
  unsigned id; /* 1, 2, ...; never used again */
  enum pl_worker_state state;
  bool exited_after_disconnect; /* it was asked to, or asked for it */
  unsigned weight;              /* the caller's; 1 */
  const char *const *env;       /* its own environment, or NULL */
  void *user;                   /* the caller's */
  /* The rest is the cluster's. */
  int current; /* of the weighted schedule */
  struct pl_process process;
  struct pl_channel channel;
  struct pl_link link;
  struct pl__handoff *handoffs; /* connections on their way to it */
  unsigned handoff_count;
  unsigned restarts;
  uint64_t born_ms;
  struct pl_timer timer; /* before it is started again */
  bool exited, ended;
  bool exit_waits; /* until the end of its channel was told */
  bool silent;     /* was never given to anybody */
  int code, signal;
  unsigned open; /* handles that are not closed */
};

struct pl_cluster {
  struct pl_loop *loop;
  const struct pl_cluster_events *events;
  void *arg;
  struct pl_cluster_config config;
  struct pl_link workers;
  struct pl__shared_handle *handles;
  struct pl_values values;
  unsigned next_id;
  unsigned worker_count;
  double seq;
  unsigned closing_handles;
  bool closing, is_closed;
  bool all_wanted; /* `all_gone` is to be called */
  pl_event_fn *all_gone;
  struct pl_deferred all;
  struct pl_deferred end;
  pl_event_fn *closed;
};

/* Prepares a primary. config: copied, what it points to is borrowed as long as
 * the cluster; events likewise. */
void pl_cluster_init(struct pl_loop *loop, struct pl_cluster *cluster,
                     const struct pl_cluster_config *config,
                     const struct pl_cluster_events *events, void *arg);

/*
 * Starts a worker, whose first three descriptors are as config.spawn.stdio says
 * (no pipes: PL_EINVAL). Gives *out, which is the cluster's and lives until it
 * has exited and is disconnected. Errors: as pl_process_spawn().
 */
int pl_cluster_fork(struct pl_cluster *cluster, struct pl_worker **out);

/* The same with an environment of the worker's own, which is borrowed until it
 * is gone and not started again. */
int pl_cluster_fork_env(struct pl_cluster *cluster, const char *const *env,
                        struct pl_worker **out);

/* Whether NODE_CLUSTER_SCHED_POLICY says that workers accept ("none"). */
bool pl_cluster_shared_by_environment(void);

/* Sends a message to a worker. As pl_channel_send(). */
int pl_worker_send(struct pl_worker *worker, struct pl_value *value,
                   const struct pl_passing *passing, struct pl_send *send);

/* Asks a worker to close its servers and to disconnect; it is no longer given
 * connections. Errors: PL_ENOTCONN. */
int pl_worker_disconnect(struct pl_worker *worker);

/*
 * Asks all workers to disconnect. `gone` is called, with the arg of the events,
 * when none is left, later and never from within; a second call replaces it.
 * Rule: CLUSTER-END-8.
 */
void pl_cluster_disconnect(struct pl_cluster *cluster, pl_event_fn *gone);

/* Sends a signal. As pl_process_kill(). */
int pl_worker_kill(struct pl_worker *worker, int signum);

/* A worker by its id, or NULL; the first of them, and the next. */
struct pl_worker *pl_cluster_worker(struct pl_cluster *cluster, unsigned id);
struct pl_worker *pl_cluster_next(struct pl_cluster *cluster,
                                  struct pl_worker *behind);

/* Accepted connections that no worker has accepted yet. */
size_t pl_cluster_waiting(const struct pl_cluster *cluster);

/*
 * Ends it: workers that are left are killed, sockets closed; then `closed`.
 * Errors: PL_EINVAL when already closing.
 */
int pl_cluster_close(struct pl_cluster *cluster, pl_event_fn *closed);

/* ---------------------------------------------------------------------- */
/* A worker                                                               */

struct pl_member;
struct pl_server;

struct pl_member_events {
  void (*message)(void *arg, struct pl_message *message);
  /* The primary asked for it, or the member did; servers are closed. */
  void (*disconnecting)(void *arg);
  /* The primary is gone, or all is closed. Node's workers exit(0) here. */
  void (*ended)(void *arg, int reason);
  void (*problem)(void *arg, int error, const char *what);
};

struct pl_server_events {
  /* It listens; or error: a PL_E value, and it does not. */
  void (*listening)(void *arg, int error);
  /* A connection, which is the callee's. */
  void (*connection)(void *arg, int fd);
  /* It is closed, by whomsoever. The storage is the caller's again. */
  void (*closed)(void *arg);
};

struct pl_server {
  struct pl_member *member;
  const struct pl_server_events *events;
  void *arg;
  struct pl_listen what;
  char address[128];
  char *key;
  unsigned index;
  double seq; /* of the question */
  int fd;     /* shared or exclusive, and a datagram server's, which the caller
                 reads from; -1: the primary accepts */
  int port;   /* once it listens */
  struct pl_poll io;
  struct pl_deferred later; /* an exclusive one listens */
  struct pl_link link;
  bool asked, listens, closing;
};

struct pl_member {
  struct pl_loop *loop;
  struct pl_channel channel;
  const struct pl_member_events *events;
  void *arg;
  unsigned id;
  double seq;
  struct pl_link servers;
  struct pl_values values;
  bool disconnecting, told, exited_after_disconnect;
  double waits_for; /* the answer to exitedAfterDisconnect; -1: none */
  unsigned closing_servers;
};

/* 1 when the environment says that this process is a worker. */
int pl_member_is_worker(void);

/*
 * Makes this process a worker: opens the channel to the parent, takes
 * NODE_UNIQUE_ID out of the environment, says that it is online.
 * config: NULL for the default, with a window of 64; a Bun primary hears nobody
 * who does not speak its dialect from the first message on.
 * Errors: PL_ENOENT (it is none), and as pl_channel_open_parent().
 */
int pl_member_init(struct pl_loop *loop, struct pl_member *member,
                   const struct pl_channel_config *config,
                   const struct pl_member_events *events, void *arg);

/* Sends the primary a message. As pl_channel_send(). */
int pl_member_send(struct pl_member *member, struct pl_value *value,
                   const struct pl_passing *passing, struct pl_send *send);

/*
 * Listens, through the primary, or (exclusive) alone. `listening` is called
 * later. Borrows `server` until `closed`; what: copied.
 * Errors: PL_EINVAL, PL_ENOTCONN, PL_ENOMEM.
 */
int pl_member_listen(struct pl_member *member, struct pl_server *server,
                     const struct pl_listen *what, bool exclusive,
                     const struct pl_server_events *events, void *arg);

/* Closes a server; `closed` is called later. */
int pl_server_close(struct pl_server *server);

/* Closes all servers, tells the primary that it means it, and disconnects. */
int pl_member_disconnect(struct pl_member *member);

/*
 * Goes on no longer, and does not want it so: closes all servers and the
 * channel, without a word to the primary, for which it is as if it had died
 * already. What was on its way goes to others or, under supervision, waits for
 * whoever is started in its place once this process has ended; what was taken
 * can be served to its end before. `ended` is called later. Rules:
 * CLUSTER-ABANDON-1 and those behind it. Errors: PL_ENOTCONN.
 */
int pl_member_abandon(struct pl_member *member);

/* Ends it at once. Errors: PL_EINVAL when already closing. */
int pl_member_close(struct pl_member *member, pl_event_fn *closed);

#endif

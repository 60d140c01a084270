/* SPDX-License-Identifier: MIT */
/*
 * provider_cluster.c: the reference's clusters for the suite.
 *
 * Invariant: a function here calls one function of the reference; the channels
 * that it gives are those of the workers and members themselves.
 */
#include "plumb/cluster.h"

#include "provider_processes_table.h"
#include "provider_values.h"

/* ---- the primary --------------------------------------------------------- */

struct ref_cluster {
  struct pl_cluster cluster;
  struct pl_stdio stdio[3];
  const struct pl_cluster_calls *calls;
  void (*gone)(void *arg);
  void *arg;
};

static void tell_online(void *arg, struct pl_worker *worker) {
  const struct ref_cluster *cluster = arg;
  cluster->calls->online(cluster->arg, worker);
}

static void tell_listening(void *arg, struct pl_worker *worker,
                           const struct pl_listen *what) {
  const struct ref_cluster *cluster = arg;
  const struct pl_cluster_listen told = {.address = what->address,
                                         .port = what->port,
                                         .type = what->type,
                                         .backlog = what->backlog};
  cluster->calls->listening(cluster->arg, worker, &told);
}

/* A message's receiver, with the worker that it came from. */
struct ref_receiver {
  const struct ref_cluster *cluster;
  struct pl_worker *worker;
};

static void receive_text(void *arg, const struct pl_channel_text *text) {
  const struct ref_receiver *receiver = arg;
  receiver->cluster->calls->message(receiver->cluster->arg, receiver->worker,
                                    text);
}

static void tell_message(void *arg, struct pl_worker *worker,
                         struct pl_message *message) {
  struct ref_receiver receiver = {arg, worker};
  ref_tell_message(message, &receiver, receive_text);
}

static void tell_disconnected(void *arg, struct pl_worker *worker) {
  const struct ref_cluster *cluster = arg;
  cluster->calls->disconnected(cluster->arg, worker);
}

static void tell_exited(void *arg, struct pl_worker *worker, int code,
                        int signum) {
  const struct ref_cluster *cluster = arg;
  cluster->calls->exited(cluster->arg, worker, code, signum);
}

static const struct pl_cluster_events cluster_events = {
    .online = tell_online,
    .listening = tell_listening,
    .message = tell_message,
    .disconnected = tell_disconnected,
    .exited = tell_exited};

static int ref_cluster_open(void *loop, void *storage,
                            const struct pl_cluster_options *options,
                            const struct pl_cluster_calls *calls, void *arg) {
  struct ref_cluster *cluster = storage;
  enum pl_cluster_policy policy = options->policy;
  struct pl_cluster_config config = {
      .shared =
          policy == PL_POLICY_SHARED || (policy == PL_POLICY_ENVIRONMENT &&
                                         pl_cluster_shared_by_environment()),
      .scheduler = policy == PL_POLICY_WEIGHTED ? &pl_schedule_weighted : NULL,
      .supervision = {.restart = options->restarts > 0,
                      .first_ms = options->first_ms,
                      .longest_ms = options->longest_ms,
                      .healthy_ms = options->healthy_ms,
                      .most = options->restarts}};
  if (options->child->stdio_count > 3) return PL_EINVAL;
  config.spawn = ref_options_of(options->child, cluster->stdio);
  cluster->calls = calls;
  cluster->arg = arg;
  pl_cluster_init(loop, &cluster->cluster, &config, &cluster_events, cluster);
  return 0;
}

static enum pl_cluster_policy ref_policy(const void *storage) {
  const struct pl_cluster_config *config =
      &((const struct ref_cluster *)storage)->cluster.config;
  if (config->shared) return PL_POLICY_SHARED;
  return config->scheduler == &pl_schedule_weighted ? PL_POLICY_WEIGHTED
                                                    : PL_POLICY_ROUND_ROBIN;
}

static int ref_fork(void *storage, const char *const *env, void **worker) {
  struct pl_worker *made;
  int error = pl_cluster_fork_env(&((struct ref_cluster *)storage)->cluster,
                                  env, &made);
  if (error == 0) *worker = made;
  return error;
}

static void tell_gone(void *arg, int status) {
  const struct ref_cluster *cluster = arg;
  (void)status;
  cluster->gone(cluster->arg);
}

static void ref_disconnect_all(void *storage, void (*gone)(void *arg)) {
  struct ref_cluster *cluster = storage;
  cluster->gone = gone;
  pl_cluster_disconnect(&cluster->cluster, tell_gone);
}

static unsigned ref_worker_id(const void *worker) {
  return ((const struct pl_worker *)worker)->id;
}
static long ref_worker_pid(const void *worker) {
  return pl_process_pid(&((const struct pl_worker *)worker)->process);
}
static int ref_worker_voluntary(const void *worker) {
  return ((const struct pl_worker *)worker)->exited_after_disconnect;
}
static void ref_set_weight(void *worker, unsigned weight) {
  ((struct pl_worker *)worker)->weight = weight;
}
static void *ref_worker_channel(void *worker) {
  return &((struct pl_worker *)worker)->channel;
}
static int ref_worker_disconnect(void *worker) {
  return pl_worker_disconnect(worker);
}
static int ref_worker_kill(void *worker, int signum) {
  return pl_worker_kill(worker, signum);
}

/* ---- a worker ------------------------------------------------------------ */

struct ref_member {
  struct pl_member member;
  const struct pl_channel_calls *calls;
  void *arg;
};

static void member_message(void *arg, struct pl_message *message) {
  const struct ref_member *member = arg;
  ref_tell_message(message, member->arg, member->calls->message);
}
static void member_problem(void *arg, int error, const char *what) {
  const struct ref_member *member = arg;
  (void)what;
  member->calls->problem(member->arg, error);
}
static void member_ended(void *arg, int reason) {
  const struct ref_member *member = arg;
  member->calls->ended(member->arg, reason);
}

static const struct pl_member_events member_events = {.message = member_message,
                                                      .problem = member_problem,
                                                      .ended = member_ended};

static int ref_join(void *loop, void *storage,
                    const struct pl_channel_calls *calls, void *arg) {
  struct ref_member *member = storage;
  member->calls = calls;
  member->arg = arg;
  return pl_member_init(loop, &member->member, NULL, &member_events, member);
}

static unsigned ref_number(const void *storage) {
  return ((const struct ref_member *)storage)->member.id;
}
static void *ref_parent(void *storage) {
  return &((struct ref_member *)storage)->member.channel;
}
static int ref_leaves(const void *storage) {
  return ((const struct ref_member *)storage)->member.exited_after_disconnect;
}
static int ref_leave(void *storage) {
  return pl_member_disconnect(&((struct ref_member *)storage)->member);
}
static int ref_abandon(void *storage) {
  return pl_member_abandon(&((struct ref_member *)storage)->member);
}

struct ref_server {
  struct pl_server server;
  const struct pl_cluster_server_calls *calls;
  void *arg;
};

static void server_listening(void *arg, int error) {
  const struct ref_server *server = arg;
  server->calls->listening(server->arg, error);
}
static void server_connection(void *arg, int fd) {
  const struct ref_server *server = arg;
  server->calls->connection(server->arg, fd);
}
static void server_closed(void *arg) {
  const struct ref_server *server = arg;
  server->calls->closed(server->arg);
}

static const struct pl_server_events server_events = {
    .listening = server_listening,
    .connection = server_connection,
    .closed = server_closed};

static int ref_listen(void *storage, void *server_storage,
                      const struct pl_cluster_listen *what, int exclusive,
                      const struct pl_cluster_server_calls *calls, void *arg) {
  struct ref_server *server = server_storage;
  const struct pl_listen listening = {.address = what->address,
                                      .port = what->port,
                                      .type = (enum pl_address_type)what->type,
                                      .fd = -1,
                                      .backlog = what->backlog};
  server->calls = calls;
  server->arg = arg;
  return pl_member_listen(&((struct ref_member *)storage)->member,
                          &server->server, &listening, exclusive != 0,
                          &server_events, server);
}

static int ref_server_port(const void *storage) {
  return ((const struct ref_server *)storage)->server.port;
}
static int ref_server_fd(const void *storage) {
  return ((const struct ref_server *)storage)->server.fd;
}
static int ref_server_close(void *storage) {
  return pl_server_close(&((struct ref_server *)storage)->server);
}

const struct pl_cluster_table ref_cluster_table = {
    .size = sizeof(struct pl_cluster_table),
    .cluster_size = sizeof(struct ref_cluster),
    .member_size = sizeof(struct ref_member),
    .server_size = sizeof(struct ref_server),
    .open = ref_cluster_open,
    .policy = ref_policy,
    .fork = ref_fork,
    .disconnect_all = ref_disconnect_all,
    .id = ref_worker_id,
    .pid = ref_worker_pid,
    .voluntary = ref_worker_voluntary,
    .set_weight = ref_set_weight,
    .channel = ref_worker_channel,
    .disconnect = ref_worker_disconnect,
    .kill = ref_worker_kill,
    .is_member = pl_member_is_worker,
    .join = ref_join,
    .number = ref_number,
    .parent = ref_parent,
    .leaves = ref_leaves,
    .leave = ref_leave,
    .listen = ref_listen,
    .server_port = ref_server_port,
    .server_fd = ref_server_fd,
    .server_close = ref_server_close,
    .weighs = 1,
    .supervises = 1,
    .abandon = ref_abandon,
};

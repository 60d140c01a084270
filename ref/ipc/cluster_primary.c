/* SPDX-License-Identifier: MIT */
/*
 * cluster_primary.c: the workers of a primary: their lives and their messages.
 *
 * Invariants:
 *  - A worker is in the list from its fork until its process has ended and its
 *    channel has, both were told, and its handles are closed; then it is freed.
 *  - From the moment in which it is disconnected, or asked to be, it is in no
 *    handle's crowd.
 */
#include "cluster.h"
#include "internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  DEFAULT_WAITING = 1024,
  DEFAULT_FIRST_MS = 100,
  DEFAULT_LONGEST_MS = 10000,
  DEFAULT_HEALTHY_MS = 60000
};

static int fork_worker(struct pl_cluster *cluster, const char *const *env,
                       unsigned restarts, struct pl_worker **out);

/* ---------------------------------------------------------------------- */
/* Messages                                                               */

void pl__cluster_problem(struct pl_worker *worker, int error,
                         const char *what) {
  struct pl_cluster *cluster = worker->cluster;
  if (cluster->events->problem != NULL)
    cluster->events->problem(cluster->arg, worker, error, what);
}

int pl__cluster_send(struct pl_worker *worker, struct pl_value *object,
                     const struct pl_passing *passing, struct pl_send *send) {
  struct pl_cluster *cluster = worker->cluster;
  struct pl_values *values = &cluster->values;
  struct pl_value *whole = pl_value_object(values);
  pl_value_set(values, whole, "cmd", pl_value_string(values, "NODE_CLUSTER"));
  if (values->failed || object == NULL) return PL_ENOMEM;
  /* ...object */
  whole->last->next = object->first;
  if (object->first != NULL) whole->last = object->last;
  whole->length += object->length;
  pl_value_set(values, whole, "seq", pl_value_number(values, cluster->seq));
  if (values->failed) return PL_ENOMEM;
  int result = pl_channel_send(&worker->channel, whole, passing, send);
  if (result >= 0) cluster->seq++;
  return result;
}

static int send_act(struct pl_worker *worker, const char *act) {
  struct pl_values *values = &worker->cluster->values;
  pl_values_reset(values);
  struct pl_value *object = pl_value_object(values);
  pl_value_set(values, object, "act", pl_value_string(values, act));
  return pl__cluster_send(worker, object, NULL, NULL);
}

static void send_ack(struct pl_worker *worker, double seq) {
  struct pl_values *values = &worker->cluster->values;
  pl_values_reset(values);
  struct pl_value *object = pl_value_object(values);
  pl_value_set(values, object, "ack", pl_value_number(values, seq));
  pl__cluster_send(worker, object, NULL, NULL);
}

static void on_online(struct pl_worker *worker) {
  const struct pl_cluster_events *events = worker->cluster->events;
  if (worker->state == PL_WORKER_NONE) worker->state = PL_WORKER_ONLINE;
  if (events->online != NULL) events->online(worker->cluster->arg, worker);
}

static void on_listening(struct pl_worker *worker,
                         const struct pl_value *value) {
  const struct pl_cluster_events *events = worker->cluster->events;
  const struct pl_value *name = pl_value_get(value, "address");
  const struct pl_value *type = pl_value_get(value, "addressType");
  char address[128] = "";
  struct pl_listen what = {
      .port = (int)pl_value_to_number(pl_value_get(value, "port"), -1),
      .fd = (int)pl_value_to_number(pl_value_get(value, "fd"), -1)};
  what.type = pl_value_is(type, "udp4")   ? PL_ADDRESS_UDP4
              : pl_value_is(type, "udp6") ? PL_ADDRESS_UDP6
                                          : (int)pl_value_to_number(type, 4);
  if (name != NULL && name->type == PL_VALUE_STRING &&
      name->length < sizeof address) {
    memcpy(address, name->bytes, name->length);
    what.address = address;
  }
  worker->state = PL_WORKER_LISTENING;
  if (events->listening != NULL)
    events->listening(worker->cluster->arg, worker, &what);
}

static void on_act(struct pl_worker *worker, const struct pl_value *value) {
  const struct pl_value *act = pl_value_get(value, "act");
  if (pl_value_is(act, "online")) {
    on_online(worker);
  } else if (pl_value_is(act, "queryServer")) {
    pl__cluster_query(worker, value);
  } else if (pl_value_is(act, "listening")) {
    on_listening(worker, value);
  } else if (pl_value_is(act, "close")) {
    pl__cluster_leave(worker, pl_value_get(value, "key"));
  } else if (pl_value_is(act, "exitedAfterDisconnect")) {
    worker->exited_after_disconnect = true;
    send_ack(worker, pl_value_to_number(pl_value_get(value, "seq"), 0));
  } else {
    pl__cluster_problem(worker, PL_EPROTO, "an unknown act of a worker");
  }
}

static void on_internal(void *arg, struct pl_message *message) {
  struct pl_worker *worker = arg;
  const struct pl_value *value = message->value;
  if (!pl_value_is(pl_value_get(value, "cmd"), "NODE_CLUSTER")) return;
  const struct pl_value *ack = pl_value_get(value, "ack");
  const struct pl_value *accepted = pl_value_get(value, "accepted");
  if (ack == NULL && !worker->cluster->closing)
    on_act(worker, value);
  else if (ack != NULL)
    pl__cluster_answer(worker, pl_value_to_number(ack, -1),
                       accepted != NULL && accepted->type == PL_VALUE_TRUE);
}

static void on_message(void *arg, struct pl_message *message) {
  struct pl_worker *worker = arg;
  const struct pl_cluster_events *events = worker->cluster->events;
  if (events->message != NULL)
    events->message(worker->cluster->arg, worker, message);
}

static void on_problem(void *arg, int error, const char *what) {
  pl__cluster_problem(arg, error, what);
}

/* ---------------------------------------------------------------------- */
/* The end of a worker                                                    */

static void on_worker_closed(struct pl_worker *worker) {
  struct pl_cluster *cluster = worker->cluster;
  if (--worker->open > 0) return;
  pl__list_remove(&worker->link);
  cluster->worker_count--;
  pl__resize(&cluster->loop->allocator, worker, 0);
  pl__cluster_closed_one(cluster);
}

static void on_part_closed(void *arg, int status) {
  (void)status;
  on_worker_closed(arg);
}

static void close_worker(struct pl_worker *worker) {
  if (worker->open > 0) return;
  pl__cluster_leave_all(worker, false);
  worker->open = 3;
  pl_process_close(&worker->process, on_part_closed);
  pl_channel_close(&worker->channel, on_part_closed);
  pl_handle_close(&worker->timer, on_part_closed);
}

/* How long until it is started again; -1: it is not. */
static long restart_delay(struct pl_worker *worker) {
  const struct pl_supervision *how = &worker->cluster->config.supervision;
  uint64_t lived = pl_loop_now(worker->cluster->loop) - worker->born_ms;
  if (!how->restart || worker->exited_after_disconnect || worker->silent ||
      worker->cluster->closing)
    return -1;
  if (lived >= how->healthy_ms) worker->restarts = 0;
  if (how->most != 0 && worker->restarts >= how->most) return -1;
  uint64_t delay = how->first_ms;
  for (unsigned i = 0; i < worker->restarts && delay < how->longest_ms; i++)
    delay *= 2;
  return (long)(delay < how->longest_ms ? delay : how->longest_ms);
}

/* Nobody is left who might listen: connections wait in vain. */
static void close_idle_handles(struct pl_cluster *cluster) {
  struct pl_worker *worker = NULL;
  while ((worker = pl_cluster_next(cluster, worker)) != NULL)
    if (!worker->exited_after_disconnect) return;
  pl__cluster_close_idle(cluster);
}

/* Both its process and its channel have ended and were told. */
static void retire(struct pl_worker *worker) {
  struct pl_cluster *cluster = worker->cluster;
  long delay = restart_delay(worker);
  if (cluster->all_wanted) pl_deferred_post(cluster->loop, &cluster->all, 0);
  if (delay >= 0) {
    pl_timer_start(&worker->timer, (uint64_t)delay, 0);
    return;
  }
  close_worker(worker);
  close_idle_handles(worker->cluster);
}

static void on_restart(void *arg, int status) {
  struct pl_worker *worker = arg, *next;
  (void)status;
  unsigned weight = worker->weight;
  void *user = worker->user;
  int error =
      fork_worker(worker->cluster, worker->env, worker->restarts + 1, &next);
  if (error == 0) {
    next->weight = weight;
    next->user = user;
  } else {
    pl__cluster_problem(worker, error, "a worker could not be started again");
    worker->restarts++;
    retire(worker);
    return;
  }
  close_worker(worker);
}

static void tell_exited(struct pl_worker *worker) {
  const struct pl_cluster_events *events = worker->cluster->events;
  worker->exit_waits = false;
  if (!worker->silent && events->exited != NULL)
    events->exited(worker->cluster->arg, worker, worker->code, worker->signal);
  if (worker->cluster->closing)
    close_worker(worker);
  else if (worker->ended)
    retire(worker);
}

static void on_exited(void *arg, int code, int signum) {
  struct pl_worker *worker = arg;
  worker->exited = true;
  worker->state = PL_WORKER_DEAD;
  worker->code = code;
  worker->signal = signum;
  /* All that it sent is here by now; the end is told from the deferred call. */
  if (pl__channel_is_open(&worker->channel))
    pl__channel_read_rest(&worker->channel);
  worker->exit_waits = !worker->ended && !worker->cluster->closing &&
                       worker->channel.state & PL__CHANNEL_ENDED;
  if (!worker->exit_waits) tell_exited(worker);
}

static void on_ended(void *arg, int reason) {
  struct pl_worker *worker = arg;
  const struct pl_cluster_events *events = worker->cluster->events;
  worker->ended = true;
  if (!worker->exited) worker->state = PL_WORKER_DISCONNECTED;
  pl__cluster_leave_all(worker, restart_delay(worker) >= 0);
  if (reason != 0 && reason != PL_ECONNRESET)
    pl__cluster_problem(worker, reason, "a channel broke");
  if (events->disconnected != NULL)
    events->disconnected(worker->cluster->arg, worker);
  if (worker->exit_waits)
    tell_exited(worker);
  else if (worker->exited)
    retire(worker);
}

static const struct pl_channel_events worker_channel = {.message = on_message,
                                                        .internal = on_internal,
                                                        .problem = on_problem,
                                                        .ended = on_ended};

/* ---------------------------------------------------------------------- */
/* Forking                                                                */

static int spawn_worker(struct pl_worker *worker) {
  struct pl_cluster *cluster = worker->cluster;
  struct pl_spawn_options spawn = cluster->config.spawn;
  struct pl_stdio stdio[4] = {{PL_STDIO_INHERIT, -1},
                              {PL_STDIO_INHERIT, -1},
                              {PL_STDIO_INHERIT, -1},
                              {PL_STDIO_CHANNEL, -1}};
  struct pl_channel_config config = {.mode = spawn.channel_mode,
                                     .window = cluster->config.depth};
  char id[16];
  for (unsigned i = 0; i < 3 && i < spawn.stdio_count; i++) {
    stdio[i] = spawn.stdio[i];
    if (stdio[i].kind == PL_STDIO_PIPE || stdio[i].kind == PL_STDIO_CHANNEL)
      return PL_EINVAL;
  }
  snprintf(id, sizeof id, "%u", worker->id);
  if (worker->env != NULL) spawn.env = worker->env;
  spawn.stdio = stdio;
  spawn.stdio_count = 4;
  spawn.unique_id = id;
  int error = pl_process_spawn(&worker->process, &spawn);
  if (error != 0) return error;
  error = pl_channel_open(&worker->channel, stdio[3].fd, &config);
  if (error != 0) {
    close(stdio[3].fd);
    pl_process_kill(&worker->process, SIGKILL);
  }
  return error;
}

static int fork_worker(struct pl_cluster *cluster, const char *const *env,
                       unsigned restarts, struct pl_worker **out) {
  struct pl_worker *worker =
      pl__resize(&cluster->loop->allocator, NULL, sizeof *worker);
  if (worker == NULL) return PL_ENOMEM;
  *worker = (struct pl_worker){.cluster = cluster,
                               .id = cluster->next_id,
                               .weight = 1,
                               .env = env,
                               .restarts = restarts,
                               .born_ms = pl_loop_now(cluster->loop)};
  pl__list_append(&cluster->workers, &worker->link);
  cluster->worker_count++;
  pl_process_init(cluster->loop, &worker->process, on_exited, worker);
  pl_channel_init(cluster->loop, &worker->channel, &worker_channel, worker);
  pl_timer_init(cluster->loop, &worker->timer, on_restart, worker);
  int error = spawn_worker(worker);
  if (error != 0) {
    worker->silent = worker->ended = true;
    if (!pl_process_is_running(&worker->process)) close_worker(worker);
    return error;
  }
  cluster->next_id++;
  *out = worker;
  return 0;
}

int pl_cluster_fork(struct pl_cluster *cluster, struct pl_worker **out) {
  return pl_cluster_fork_env(cluster, NULL, out);
}

int pl_cluster_fork_env(struct pl_cluster *cluster, const char *const *env,
                        struct pl_worker **out) {
  if (cluster->closing) return PL_EINVAL;
  return fork_worker(cluster, env, 0, out);
}

int pl_worker_send(struct pl_worker *worker, struct pl_value *value,
                   const struct pl_passing *passing, struct pl_send *send) {
  return pl_channel_send(&worker->channel, value, passing, send);
}

int pl_worker_disconnect(struct pl_worker *worker) {
  if (!pl_channel_is_connected(&worker->channel)) return PL_ENOTCONN;
  worker->exited_after_disconnect = true;
  int result = send_act(worker, "disconnect");
  pl__cluster_leave_all(worker, false);
  return result < 0 ? result : 0;
}

int pl_worker_kill(struct pl_worker *worker, int signum) {
  return pl_process_kill(&worker->process, signum);
}

/* ---------------------------------------------------------------------- */
/* The cluster                                                            */

struct pl_worker *pl_cluster_next(struct pl_cluster *cluster,
                                  struct pl_worker *behind) {
  struct pl_link *link =
      behind == NULL ? cluster->workers.next : behind->link.next;
  while (link != &cluster->workers) {
    struct pl_worker *worker = PL__OWNER(link, struct pl_worker, link);
    if (worker->open == 0 && !worker->silent) return worker;
    link = link->next;
  }
  return NULL;
}

struct pl_worker *pl_cluster_worker(struct pl_cluster *cluster, unsigned id) {
  struct pl_worker *worker = pl_cluster_next(cluster, NULL);
  while (worker != NULL && worker->id != id)
    worker = pl_cluster_next(cluster, worker);
  return worker;
}

/* Whether every worker has ended and was told so. */
static bool are_all_gone(const struct pl_cluster *cluster) {
  const struct pl_link *link = cluster->workers.next;
  for (; link != &cluster->workers; link = link->next) {
    const struct pl_worker *worker =
        PL__OWNER(link, const struct pl_worker, link);
    if (!worker->exited || !worker->ended) return false;
  }
  return true;
}

static void on_all(void *arg, int status) {
  struct pl_cluster *cluster = arg;
  if (!cluster->all_wanted || !are_all_gone(cluster)) return;
  cluster->all_wanted = false;
  if (cluster->all_gone != NULL) cluster->all_gone(cluster->arg, status);
}

void pl_cluster_disconnect(struct pl_cluster *cluster, pl_event_fn *gone) {
  cluster->all_wanted = true;
  cluster->all_gone = gone;
  struct pl_worker *worker = pl_cluster_next(cluster, NULL);
  for (; worker != NULL; worker = pl_cluster_next(cluster, worker)) {
    worker->exited_after_disconnect = true; /* nobody starts it again */
    pl_worker_disconnect(worker);
    if (worker->exited && worker->ended) close_worker(worker);
  }
  close_idle_handles(cluster);
  pl_deferred_post(cluster->loop, &cluster->all, 0);
}

bool pl_cluster_shared_by_environment(void) {
  const char *policy = getenv("NODE_CLUSTER_SCHED_POLICY");
  return policy != NULL && strcmp(policy, "none") == 0;
}

void pl__cluster_closed_one(struct pl_cluster *cluster) {
  if (!cluster->closing || cluster->is_closed || cluster->worker_count > 0 ||
      cluster->closing_handles > 0)
    return;
  cluster->is_closed = true;
  pl__deferred_cancel(&cluster->end);
  pl__deferred_cancel(&cluster->all);
  pl_values_free(&cluster->values);
  if (cluster->closed != NULL) cluster->closed(cluster->arg, 0);
}

static void on_end(void *arg, int status) {
  (void)status;
  pl__cluster_closed_one(arg);
}

void pl_cluster_init(struct pl_loop *loop, struct pl_cluster *cluster,
                     const struct pl_cluster_config *config,
                     const struct pl_cluster_events *events, void *arg) {
  *cluster = (struct pl_cluster){.loop = loop,
                                 .events = events,
                                 .arg = arg,
                                 .config = *config,
                                 .next_id = 1};
  struct pl_cluster_config *own = &cluster->config;
  struct pl_supervision *how = &own->supervision;
  if (own->depth == 0) own->depth = 1;
  if (own->waiting == 0) own->waiting = DEFAULT_WAITING;
  if (own->scheduler == NULL) own->scheduler = &pl_schedule_round_robin;
  if (how->first_ms == 0) how->first_ms = DEFAULT_FIRST_MS;
  if (how->longest_ms == 0) how->longest_ms = DEFAULT_LONGEST_MS;
  if (how->healthy_ms == 0) how->healthy_ms = DEFAULT_HEALTHY_MS;
  pl__link_init(&cluster->workers);
  pl_deferred_init(&cluster->end, on_end, cluster);
  pl_deferred_init(&cluster->all, on_all, cluster);
  pl_values_init(&cluster->values, &loop->allocator);
}

int pl_cluster_close(struct pl_cluster *cluster, pl_event_fn *closed) {
  if (cluster->closing) return PL_EINVAL;
  cluster->closing = true;
  cluster->closed = closed;
  struct pl_link *link = cluster->workers.next, *next;
  for (; link != &cluster->workers; link = next) {
    struct pl_worker *worker = PL__OWNER(link, struct pl_worker, link);
    next = link->next;
    pl_handle_stop(&worker->timer);
    /* Those that run are closed when they have been reaped. */
    if (pl_process_kill(&worker->process, SIGKILL) != 0) close_worker(worker);
  }
  pl__cluster_close_handles(cluster);
  pl_deferred_post(cluster->loop, &cluster->end, 0);
  return 0;
}

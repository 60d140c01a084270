/* SPDX-License-Identifier: MIT */
/*
 * several_cluster.c: a primary's workers, and what a worker is itself.
 *
 * Invariant: a worker's object outlives the provider's: from the moment in
 * which both its exit and its disconnect were told, it answers by itself.
 */
#include "several.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker {
  struct worker *next;
  struct primary *primary;
  struct actor *thing;
  void *own; /* the provider's, NULL: gone */
  unsigned id;
  bool exited, disconnected, voluntary;
  char *path;
  int port;
};

struct primary {
  struct several *host;
  struct actor events; /* of the cluster */
  struct worker *workers, **last;
  struct listener *gone;
  void *cluster;
  struct pl_child_options child;
  struct pl_child_stdio stdio[3];
  struct pl_cluster_options options;
  bool open;
};

static struct primary *primary_of(struct several *host) {
  if (host->primary != NULL) return host->primary;
  struct primary *primary = several_new(host, sizeof *primary);
  host->primary = primary;
  primary->host = host;
  primary->events.host = host;
  primary->last = &primary->workers;
  primary->child = (struct pl_child_options){
      .size = sizeof primary->child, .stdio = primary->stdio, .uid = -1};
  primary->options = (struct pl_cluster_options){
      .size = sizeof primary->options, .child = &primary->child};
  return primary;
}

/* ---- events ----------------------------------------------------------------
 */

static void tell_fork(void *arg, int status) {
  struct worker *worker = arg;
  struct gift gift = {.thing = worker->thing};
  (void)status;
  several_fire_with(&worker->primary->events, "fork", json_integer(worker->id),
                    NULL, NULL, &gift);
}

/* What the provider calls a worker, under the id that it has in the program. */
static struct worker *add_worker(struct primary *primary, void *own,
                                 const json_t *value) {
  struct several *host = primary->host;
  struct worker *worker = several_new(host, sizeof *worker);
  worker->primary = primary;
  worker->own = own;
  worker->thing = several_make(host, ACTOR_WORKER, value);
  worker->thing->own = worker;
  worker->id = host->cluster->id(own);
  *primary->last = worker;
  primary->last = &worker->next;
  return worker;
}

/* One that is not known yet was started by the provider itself. */
static struct worker *find(struct primary *primary, void *own) {
  struct worker *worker = primary->workers;
  while (worker != NULL && worker->own != own)
    worker = worker->next;
  if (worker != NULL) return worker;
  worker = add_worker(primary, own, NULL);
  tell_fork(worker, 0);
  return worker;
}

/* The worker is told first, then the cluster. */
static void fire(struct worker *worker, const char *event, json_t *result,
                 json_t *given) {
  struct gift gift = {.thing = worker->thing};
  if (given == NULL) given = json_object();
  json_object_set_new(given, "worker", json_integer(worker->id));
  several_fire(worker->thing, event, result, json_incref(given));
  several_fire_with(&worker->primary->events, event, json_integer(worker->id),
                    given, NULL, &gift);
}

static void on_online(void *arg, void *own) {
  fire(find(arg, own), "online", NULL, NULL);
}

static void on_listening(void *arg, void *own,
                         const struct pl_cluster_listen *what) {
  struct worker *worker = find(arg, own);
  worker->port = what->port;
  worker->path = what->type == -1
                     ? several_copy(worker->primary->host, what->address)
                     : NULL;
  json_t *type = what->type == 14   ? json_string("udp4")
                 : what->type == 16 ? json_string("udp6")
                                    : json_integer(what->type);
  json_t *given =
      json_pack("{s:s?,s:s,s:i,s:O}", "address", what->address, "port",
                "number", "port-number", what->port, "type", type);
  fire(worker, "listening", type, given);
}

static void on_message(void *arg, void *own,
                       const struct pl_channel_text *text) {
  struct primary *primary = arg;
  struct worker *worker = find(primary, own);
  several_tell(worker->thing, "message", text, NULL);
  several_tell(&primary->events, "message", text,
               json_pack("{s:i}", "worker", (int)worker->id));
}

/* Nothing of the provider's is left. */
static void forget_if_over(struct worker *worker) {
  const struct pl_cluster_table *table = worker->primary->host->cluster;
  worker->voluntary = table->voluntary(worker->own) != 0;
  if (worker->exited && worker->disconnected) worker->own = NULL;
}

static void on_disconnected(void *arg, void *own) {
  struct worker *worker = find(arg, own);
  worker->disconnected = true;
  forget_if_over(worker);
  fire(worker, "disconnect", NULL, NULL);
}

static void on_exited(void *arg, void *own, int code, int signal) {
  struct worker *worker = find(arg, own);
  worker->exited = true;
  forget_if_over(worker);
  json_t *status = several_status(code, signal);
  json_t *given =
      json_pack("{s:O,s:o,s:o,s:b}", "status", status, "code",
                signal == 0 ? json_integer(code) : json_null(), "signal",
                signal == 0 ? json_null() : several_status(code, signal),
                "voluntary", worker->voluntary);
  fire(worker, "exit", status, given);
}

static const struct pl_cluster_calls calls = {.size = sizeof calls,
                                              .online = on_online,
                                              .listening = on_listening,
                                              .message = on_message,
                                              .disconnected = on_disconnected,
                                              .exited = on_exited};

/* ---- the primary
 * ------------------------------------------------------------- */

static void set_time(const json_t *value, const char *key, unsigned *out) {
  const json_t *time = json_object_get(value, key);
  if (time != NULL) *out = (unsigned)json_integer_value(time);
}

static void set_up(struct several *host, const json_t *value) {
  struct primary *primary = primary_of(host);
  const char *policy = several_text(value, "policy");
  const char *mode = several_text(value, "serialization");
  if (policy != NULL)
    primary->options.policy = strcmp(policy, "none") == 0 ? PL_POLICY_SHARED
                              : strcmp(policy, "weighted") == 0
                                  ? PL_POLICY_WEIGHTED
                                  : PL_POLICY_ROUND_ROBIN;
  const json_t *restarts = json_object_get(value, "restarts");
  if (restarts != NULL)
    primary->options.restarts = (unsigned)json_integer_value(restarts);
  set_time(value, "first-after", &primary->options.first_ms);
  set_time(value, "longest-after", &primary->options.longest_ms);
  set_time(value, "healthy-after", &primary->options.healthy_ms);
  if (mode != NULL) primary->child.advanced = strcmp(mode, "advanced") == 0;
  /* What is asked of them here is not to be seen. */
  if (several_true(value, "silent"))
    primary->stdio[1].kind = primary->stdio[2].kind = PL_CHILD_IGNORE;
  const struct words words = several_command(host, value);
  if (several_text(value, "role") == NULL) return;
  primary->child.file = words.at[0];
  primary->child.argv = words.at;
}

static void open_primary(struct primary *primary, const json_t *value) {
  struct several *host = primary->host;
  if (primary->open) return;
  primary->open = true;
  if (primary->child.file == NULL) {
    const struct words words = several_command(host, value);
    primary->child.file = words.at[0];
    primary->child.argv = words.at;
  }
  primary->child.stdio_count = 3;
  for (int i = 0; i < 3; i++)
    primary->stdio[i].fd = i;
  primary->cluster = several_new(host, host->cluster->cluster_size);
  if (host->cluster->open(host->loop, primary->cluster, &primary->options,
                          &calls, primary) != 0)
    several_refuse(host, "a cluster");
}

static void fork_worker(struct several *host, const json_t *value) {
  struct primary *primary = primary_of(host);
  open_primary(primary, value);
  struct words env = several_environment(host, value);
  void *own;
  int error = host->cluster->fork(primary->cluster, env.at, &own);
  if (error != 0) several_refuse(host, strerrorname_np(-error));
  struct worker *worker = add_worker(primary, own, value);
  const json_t *weight = json_object_get(value, "weight");
  if (weight != NULL)
    host->cluster->set_weight(own, (unsigned)json_integer_value(weight));
  several_later(host, tell_fork, worker);
}

static void on_gone(void *arg) {
  struct primary *primary = arg;
  several_call(primary->gone, NULL, NULL);
}

static void tell_none(void *arg, int status) {
  (void)status;
  on_gone(arg);
}

static void disconnect_all(struct several *host, const json_t *value) {
  struct primary *primary = primary_of(host);
  primary->gone = several_callback(host, value);
  if (primary->open)
    host->cluster->disconnect_all(primary->cluster, on_gone);
  else
    several_later(host, tell_none, primary);
}

/* ---- questions
 * ----------------------------------------------------------------- */

static const char *policy_of(struct primary *primary) {
  const struct pl_cluster_table *table = primary->host->cluster;
  open_primary(primary, NULL);
  const enum pl_cluster_policy policy = table->policy(primary->cluster);
  return policy == PL_POLICY_SHARED     ? "none"
         : policy == PL_POLICY_WEIGHTED ? "weighted"
                                        : "rr";
}

static json_t *numbers_of(const struct primary *primary) {
  char text[256] = "", *at = text;
  for (const struct worker *w = primary->workers; w != NULL; w = w->next)
    if (!w->exited || !w->disconnected)
      at += snprintf(at, (size_t)(text + sizeof text - at), "%s%u",
                     at > text ? " " : "", w->id);
  return json_string(text);
}

static void field(struct several *host, const json_t *value) {
  const char *name = several_text(value, "name");
  json_t *told = NULL;
  several_parent(host);
  if (strcmp(name, "is-primary") == 0)
    told = json_boolean(host->member == NULL);
  else if (strcmp(name, "is-worker") == 0)
    told = json_boolean(host->member != NULL);
  else if (strcmp(name, "worker") == 0)
    told = host->member != NULL
               ? json_integer(host->cluster->number(host->member))
               : json_string("none");
  else if (strcmp(name, "policy") == 0)
    told = json_string(policy_of(primary_of(host)));
  else if (strcmp(name, "workers") == 0)
    told = numbers_of(primary_of(host));
  else
    several_refuse(host, name);
  several_record(host, several_text(value, "log"), told);
}

json_t *several_worker_field(struct actor *thing, const char *name) {
  const struct worker *worker = thing->own;
  const struct pl_cluster_table *table = thing->host->cluster;
  bool voluntary = worker->voluntary ||
                   (worker->own != NULL && table->voluntary(worker->own));
  if (strcmp(name, "id") == 0) return json_integer(worker->id);
  if (strcmp(name, "pid") == 0) return json_string("number");
  if (strcmp(name, "process") == 0) return json_string("object");
  if (strcmp(name, "is-dead") == 0) return json_boolean(worker->exited);
  if (strcmp(name, "is-connected") == 0)
    return json_boolean(
        worker->own != NULL && !worker->disconnected &&
        thing->host->table->connected(table->channel(worker->own)));
  if (strcmp(name, "exited-after-disconnect") == 0)
    return voluntary || worker->exited ? json_boolean(voluntary)
                                       : json_string("undefined");
  return NULL;
}

void *several_worker_channel(struct actor *thing) {
  const struct worker *worker = thing->own;
  return worker->own != NULL ? thing->host->cluster->channel(worker->own)
                             : NULL;
}

bool several_worker_kill(struct actor *thing, int signum) {
  const struct worker *worker = thing->own;
  return worker->own != NULL &&
         thing->host->cluster->kill(worker->own, signum) == 0;
}

const char *several_worker_place(const struct actor *thing, int *port) {
  const struct worker *worker = thing->own;
  *port = worker->port;
  return worker->path;
}

/* ---- a worker
 * --------------------------------------------------------------------
 */

/* Who has given up serves what it has. */
void several_member_ended(struct several *host) {
  if (!host->cluster->leaves(host->member) && !host->abandoned)
    several_exit(host, 0);
}

static void abandon(struct several *host) {
  if (host->member == NULL) several_refuse(host, "a worker that gives up");
  host->abandoned = true;
  host->cluster->abandon(host->member);
}

/* The object of this process has the listeners of its channel. */
static void name_self(struct several *host, const json_t *value) {
  struct actor *alias = several_make(host, ACTOR_ALIAS, value);
  alias->own = several_parent(host);
}

static void disconnect_worker(struct several *host, const json_t *id) {
  struct actor *thing = several_find(host, id);
  if (thing->kind == ACTOR_PARENT) {
    host->cluster->leave(host->member);
    return;
  }
  const struct worker *worker = thing->own;
  if (worker->own != NULL) host->cluster->disconnect(worker->own);
}

static void kill_worker(struct several *host, const json_t *value) {
  const char *name = several_text(value, "signal");
  several_worker_kill(several_find(host, json_object_get(value, "of")),
                      several_signal(name != NULL ? name : "SIGTERM"));
}

bool several_cluster_operation(struct several *host, const char *name,
                               const json_t *argument) {
  if (strcmp(name, "cluster.setup") == 0)
    set_up(host, argument);
  else if (strcmp(name, "cluster.fork") == 0)
    fork_worker(host, argument);
  else if (strcmp(name, "cluster.on") == 0)
    several_listen(host, &primary_of(host)->events, argument);
  else if (strcmp(name, "cluster.disconnect") == 0)
    disconnect_all(host, argument);
  else if (strcmp(name, "cluster.field") == 0)
    field(host, argument);
  else if (strcmp(name, "worker.self") == 0)
    name_self(host, argument);
  else if (strcmp(name, "worker.disconnect") == 0)
    disconnect_worker(host, argument);
  else if (strcmp(name, "worker.abandon") == 0)
    abandon(host);
  else if (strcmp(name, "worker.kill") == 0)
    kill_worker(host, argument);
  else
    return false;
  return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * several_channels.c: channels to children and to the parent process.
 *
 * Invariant: the provider is told who listens to the parent's channel, and
 * decides what that means; a worker's channel is its cluster's.
 */
#include "several.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void settle(struct actor *parent);

/* ---- messages ------------------------------------------------------------ */

void several_tell(struct actor *thing, const char *event,
                  const struct pl_channel_text *text, json_t *given) {
  struct several *host = thing->host;
  char *raw = several_new(host, text->length + 1);
  struct gift gift = {.type = text->handle, .fd = text->fd};
  memcpy(raw, text->json, text->length);
  if (given == NULL) given = json_object();
  json_object_set_new(
      given, "handle-kind",
      json_string(text->handle != NULL ? text->handle : "none"));
  several_fire_with(thing, event, several_described(raw, text->length), given,
                    raw, text->handle != NULL ? &gift : NULL);
  if (thing == host->parent) settle(thing); /* a `once` has been used up */
}

/* What carries a handle is an internal message itself, for those who listen;
 * the provider tells of the message in it alone. */
static void tell_carrier(struct actor *end,
                         const struct pl_channel_text *text) {
  const struct pl_channel_text carrier = {"{\"cmd\":\"NODE_HANDLE\"}", 21,
                                          text->handle, text->fd};
  if (text->handle != NULL && several_listens(end, "internal-message"))
    several_tell(end, "internal-message", &carrier, NULL);
}

static void on_message(void *arg, const struct pl_channel_text *text) {
  tell_carrier(arg, text);
  several_tell(arg, "message", text, NULL);
}
static void on_internal(void *arg, const struct pl_channel_text *text) {
  tell_carrier(arg, text);
  several_tell(arg, "internal-message", text, NULL);
}
static void on_problem(void *arg, int error) {
  (void)arg; /* the channel goes on: a case sees that it does */
  (void)error;
}
static void on_ended(void *arg, int reason) {
  struct actor *end = arg;
  struct several *host = end->host;
  (void)reason;
  several_fire(end, "disconnect", NULL, NULL);
  if (host->member != NULL && end == host->parent) several_member_ended(host);
}

static const struct pl_channel_calls calls = {.size = sizeof calls,
                                              .message = on_message,
                                              .internal = on_internal,
                                              .problem = on_problem,
                                              .ended = on_ended};

void several_connect(struct actor *child, int fd, bool advanced) {
  struct several *host = child->host;
  const struct pl_processes_table *table = host->table;
  child->channel = several_new(host, table->channel_size);
  if ((advanced ? table->channel_open_advanced : table->channel_open)(
          host->loop, child->channel, fd, &calls, child) != 0)
    several_refuse(host, "a channel");
}

/* ---- the parent ---------------------------------------------------------- */

static void join(struct several *host, struct actor *parent) {
  const struct pl_cluster_table *cluster = host->cluster;
  host->member = several_new(host, cluster->member_size);
  if (cluster->join(host->loop, host->member, &calls, parent) != 0) {
    fputs("plumb-host: the cluster cannot be joined\n", stderr);
    exit(1);
  }
  parent->channel = cluster->parent(host->member);
}

struct actor *several_parent(struct several *host) {
  if (host->parent != NULL) return host->parent;
  struct actor *parent = several_make(host, ACTOR_PARENT, NULL);
  host->parent = parent;
  if (getenv("NODE_CHANNEL_FD") == NULL) return parent;
  if (host->cluster != NULL && host->cluster->is_member()) {
    join(host, parent);
    return parent;
  }
  parent->channel = several_new(host, host->table->channel_size);
  if (host->table->channel_open_parent(host->loop, parent->channel, &calls,
                                       parent) != 0) {
    fputs("plumb-host: the channel to the parent cannot be used\n", stderr);
    exit(1);
  }
  host->table->channel_listen(parent->channel, 0);
  return parent;
}

/* Says who listens. */
static void settle(struct actor *parent) {
  unsigned what =
      (several_listens(parent, "message") ? PL_LISTEN_MESSAGE : 0u) |
      (several_listens(parent, "internal-message") ? PL_LISTEN_INTERNAL : 0u) |
      (several_listens(parent, "disconnect") ? PL_LISTEN_DISCONNECT : 0u);
  struct several *host = parent->host;
  if (several_connected(parent) && host->member == NULL)
    host->table->channel_listen(parent->channel, what);
}

static void listen_to_parent(struct several *host, const json_t *value) {
  struct actor *parent = several_parent(host);
  struct listener *listener = several_listen(host, parent, value);
  if (several_text(value, "id") != NULL)
    several_make(host, ACTOR_LISTENER, value)->own = listener;
  settle(parent);
}

static void stop_listening(struct several *host, const json_t *value) {
  ((struct listener *)several_find(host, value)->own)->off = true;
  settle(several_parent(host));
}

static void parent_field(struct several *host, const json_t *value) {
  struct actor *parent = several_parent(host);
  const char *name = several_text(value, "name");
  const char *variable = strcmp(name, "channel-fd") == 0 ? "NODE_CHANNEL_FD"
                         : strcmp(name, "unique-id") == 0
                             ? "NODE_UNIQUE_ID"
                             : several_text(value, "variable");
  json_t *told = NULL;
  if (strcmp(name, "connected") == 0)
    told = parent->channel != NULL ? json_boolean(several_connected(parent))
                                   : json_string("undefined");
  else if (strcmp(name, "channel") == 0)
    told = json_string(parent->channel == NULL     ? "undefined"
                       : several_connected(parent) ? "object"
                                                   : "null");
  else if (strcmp(name, "send") == 0)
    told = json_string(parent->channel != NULL ? "function" : "undefined");
  else
    told =
        json_string(getenv(variable) != NULL ? getenv(variable) : "undefined");
  several_record(host, several_text(value, "log"), told);
}

/* ---- ends ------------------------------------------------------------------
 */

bool several_connected(const struct actor *thing) {
  return thing->channel != NULL &&
         thing->host->table->connected(thing->channel);
}

/* One end of a channel: a child's, a worker's, or the parent's. */
struct end {
  struct actor *thing;
  void *channel; /* NULL: there is none, or no more */
};

static struct end end_of(struct several *host, const json_t *id) {
  struct actor *thing =
      id != NULL ? several_find(host, id) : several_parent(host);
  return (struct end){thing, thing->kind == ACTOR_WORKER
                                 ? several_worker_channel(thing)
                                 : thing->channel};
}

static void tell_closed(void *arg, int status) {
  (void)status;
  several_fire(arg, "error", json_string("ERR_IPC_CHANNEL_CLOSED"), NULL);
}

static void tell_disconnected(void *arg, int status) {
  (void)status;
  several_fire(arg, "error", json_string("ERR_IPC_DISCONNECTED"), NULL);
}

/* ---- sending ---------------------------------------------------------------
 */

static void on_sent(void *arg, int status) {
  several_call(
      arg, status == 0 ? json_null() : json_string("ERR_IPC_CHANNEL_CLOSED"),
      NULL);
}

/* What Node says of a value or a handle that is refused. */
static const char *refusal(const json_t *value, const json_t *argument) {
  if (several_true(argument, "invalid-handle"))
    return "!ERR_INVALID_HANDLE_TYPE";
  if (several_true(argument, "no-value") ||
      json_object_get(value, "$undefined") != NULL)
    return "!ERR_MISSING_ARGS";
  if (json_object_get(value, "$bigint") != NULL) return "!ERR_INVALID_ARG_TYPE";
  return "!TypeError";
}

/* The handle that goes along; false: none. */
static bool handle_of(struct several *host, const json_t *argument,
                      struct pl_channel_passing *passing) {
  const json_t *id = json_object_get(argument, "handle");
  bool keep_open = several_true(argument, "keep-open");
  *passing = (struct pl_channel_passing){.type = "none", .fd = STDERR_FILENO};
  if (several_true(argument, "invalid-handle")) return true;
  if (id == NULL) return false;
  struct actor *thing = several_find(host, id);
  if (thing->kind == ACTOR_UDP) return several_udp_passing(thing, passing);
  return several_passing(thing, keep_open, passing);
}

static void send(struct several *host, const json_t *argument,
                 const struct frame *frame) {
  const struct end end = end_of(host, json_object_get(argument, "to"));
  const char *label = several_text(argument, "log");
  struct listener *callback = several_callback(host, argument);
  const json_t *given = json_object_get(argument, "value");
  json_t *message = given != NULL && !several_true(argument, "no-value")
                        ? several_made(host, given, frame)
                        : json_pack("{s:b}", "$undefined", 1);
  char *text = json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY);
  struct pl_channel_sent *sent = NULL;
  struct pl_channel_passing passing;
  bool passes = end.channel != NULL && host->table->connected(end.channel) &&
                handle_of(host, argument, &passing);
  if (callback != NULL) {
    sent = several_new(host, sizeof *sent);
    sent->written = on_sent;
    sent->arg = callback;
  }
  int result = -ENOTCONN;
  if (end.channel != NULL)
    result = host->table->send_value(end.channel, text, strlen(text),
                                     passes ? &passing : NULL, sent);
  if (result < 0 && passes && passing.fd != STDERR_FILENO) close(passing.fd);
  if (result == -ENOTCONN && callback != NULL)
    several_call_later(callback, json_string("ERR_IPC_CHANNEL_CLOSED"), NULL);
  else if (result == -ENOTCONN)
    several_later(host, tell_closed, end.thing);
  if (label != NULL)
    several_record(host, label,
                   result == -EINVAL ? json_string(refusal(given, argument))
                                     : json_boolean(result > 0));
  else if (result < 0 && result != -ENOTCONN)
    several_exit(host, 1); /* an uncaught exception */
  free(text);
  json_decref(message);
}

static void disconnect(struct several *host, const json_t *argument) {
  const struct end end = end_of(host, json_object_get(argument, "of"));
  int error =
      end.channel != NULL ? host->table->disconnect(end.channel) : -ENOTCONN;
  if (error != 0) several_later(host, tell_disconnected, end.thing);
  if (several_text(argument, "log") != NULL)
    several_record(host, several_text(argument, "log"), json_string("ok"));
}

static void keep(struct several *host, const json_t *argument, bool kept) {
  const struct end end = end_of(host, json_object_get(argument, "of"));
  if (end.channel != NULL)
    (kept ? host->table->channel_ref : host->table->channel_unref)(end.channel);
}

bool several_channel_operation(struct several *host, const char *name,
                               const json_t *argument,
                               const struct frame *frame) {
  if (strcmp(name, "parent.on") == 0)
    listen_to_parent(host, argument);
  else if (strcmp(name, "parent.off") == 0)
    stop_listening(host, argument);
  else if (strcmp(name, "parent.field") == 0)
    parent_field(host, argument);
  else if (strcmp(name, "channel.ref") == 0)
    keep(host, argument, true);
  else if (strcmp(name, "channel.unref") == 0)
    keep(host, argument, false);
  else if (strcmp(name, "send") == 0)
    send(host, argument, frame);
  else if (strcmp(name, "disconnect") == 0)
    disconnect(host, argument);
  else
    return false;
  return true;
}

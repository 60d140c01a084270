/* SPDX-License-Identifier: MIT */
/*
 * several_channels.c: channels to children and to the parent process.
 *
 * Invariant: the channel to the parent is read once somebody listens to it, and
 * keeps the process alive only then; that is Node's way of using a channel, and
 * this host's, not the provider's.
 */
#include "several.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void settle(struct actor *parent);

/* ---- messages ------------------------------------------------------------ */

/* A message as a log's value: a scalar as it is, anything else as its text. */
static json_t *shown(const struct pl_channel_text *text) {
  json_t *value = json_loadb(text->json, text->length, JSON_DECODE_ANY, NULL);
  if (value == NULL || json_is_object(value) || json_is_array(value)) {
    json_decref(value);
    return several_shown(text->json, text->length);
  }
  if (json_is_string(value)) {
    json_t *told =
        several_shown(json_string_value(value), json_string_length(value));
    json_decref(value);
    return told;
  }
  return value;
}

static void tell(struct actor *end, const char *event,
                 const struct pl_channel_text *text) {
  char *raw = several_new(end->host, text->length + 1);
  memcpy(raw, text->json, text->length);
  several_fire(end, event, shown(text),
               json_pack("{s:s}", "handle-kind",
                         text->handle != NULL ? text->handle : "none"),
               raw);
  if (end == end->host->parent) settle(end); /* a `once` has been used up */
}

static void on_message(void *arg, const struct pl_channel_text *text) {
  tell(arg, "message", text);
}
static void on_internal(void *arg, const struct pl_channel_text *text) {
  tell(arg, "internal-message", text);
}
static void on_problem(void *arg, int error) {
  (void)arg; /* the channel goes on: a case sees that it does */
  (void)error;
}
static void on_ended(void *arg, int reason) {
  struct actor *end = arg;
  (void)reason;
  end->connected = false;
  several_fire(end, "disconnect", NULL, NULL, NULL);
}

static const struct pl_channel_calls calls = {.size = sizeof calls,
                                              .message = on_message,
                                              .internal = on_internal,
                                              .problem = on_problem,
                                              .ended = on_ended};

void several_connect(struct actor *child, int fd) {
  struct several *host = child->host;
  child->channel = several_new(host, host->table->channel_size);
  if (host->table->channel_open(host->loop, child->channel, fd, &calls,
                                child) != 0)
    several_refuse(host, "a channel");
  child->connected = true;
}

/* ---- the parent ---------------------------------------------------------- */

struct actor *several_parent(struct several *host) {
  if (host->parent != NULL) return host->parent;
  struct actor *parent = several_make(host, ACTOR_PARENT, NULL);
  host->parent = parent;
  if (getenv("NODE_CHANNEL_FD") == NULL) return parent;
  parent->channel = several_new(host, host->table->channel_size);
  if (host->table->channel_open_parent(host->loop, parent->channel, &calls,
                                       parent) != 0) {
    fputs("plumb-host: the channel to the parent cannot be used\n", stderr);
    exit(1);
  }
  parent->connected = true;
  host->table->pause(parent->channel);
  host->table->channel_unref(parent->channel);
  return parent;
}

/* Reads, and lives for, a channel that somebody listens to. */
static void settle(struct actor *parent) {
  const struct pl_processes_table *table = parent->host->table;
  bool message = several_listens(parent, "message") ||
                 several_listens(parent, "internal-message");
  bool wanted = several_listens(parent, "message") ||
                several_listens(parent, "disconnect");
  if (parent->channel == NULL || !parent->connected) return;
  if (message || several_listens(parent, "disconnect"))
    table->resume(parent->channel);
  if (parent->kept_set) wanted = parent->kept;
  (wanted ? table->channel_ref : table->channel_unref)(parent->channel);
}

static void listen_to_parent(struct several *host, const json_t *value) {
  struct actor *parent = several_parent(host);
  struct listener *listener = several_callback(host, value);
  if (listener == NULL) listener = several_new(host, sizeof *listener);
  listener->host = host;
  listener->event = several_text(value, "event");
  listener->once = several_true(value, "once");
  struct listener **at = &parent->listeners;
  while (*at != NULL)
    at = &(*at)->next;
  *at = listener;
  if (several_text(value, "id") != NULL)
    several_make(host, ACTOR_LISTENER, value)->own = listener;
  settle(parent);
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
    told = parent->channel != NULL ? json_boolean(parent->connected)
                                   : json_string("undefined");
  else if (strcmp(name, "channel") == 0)
    told = json_string(parent->channel == NULL ? "undefined"
                       : parent->connected     ? "object"
                                               : "null");
  else if (strcmp(name, "send") == 0)
    told = json_string(parent->channel != NULL ? "function" : "undefined");
  else
    told =
        json_string(getenv(variable) != NULL ? getenv(variable) : "undefined");
  several_record(host, several_text(value, "log"), told);
}

/* ---- sending ------------------------------------------------------------- */

/* The value with what stands for long texts and for what was given. */
static json_t *made(const json_t *value, const struct frame *frame) {
  const json_t *length = json_object_get(value, "$text");
  const char *key;
  json_t *part;
  size_t i;
  if (length != NULL) {
    size_t count = (size_t)json_integer_value(length);
    char *text = malloc(count + 1);
    if (text == NULL) abort();
    memset(text, 'x', count);
    json_t *result = json_stringn(text, count);
    free(text);
    return result;
  }
  if (json_object_get(value, "$result") != NULL)
    return frame->raw != NULL ? json_loads(frame->raw, JSON_DECODE_ANY, NULL)
                              : json_null();
  if (json_is_array(value)) {
    json_t *list = json_array();
    json_array_foreach((json_t *)value, i, part) {
      json_array_append_new(list, made(part, frame));
    }
    return list;
  }
  if (!json_is_object(value)) return json_incref((json_t *)value);
  json_t *object = json_object();
  json_object_foreach((json_t *)value, key, part) {
    json_object_set_new(object, key, made(part, frame));
  }
  return object;
}

static void on_sent(void *arg, int status) {
  several_call(
      arg, status == 0 ? json_null() : json_string("ERR_IPC_CHANNEL_CLOSED"),
      NULL, NULL);
}

/* The error of a send without a callback. */
static void tell_closed(void *arg, int status) {
  struct actor *end = arg;
  (void)status;
  several_fire(end, "error", json_string("ERR_IPC_CHANNEL_CLOSED"), NULL, NULL);
}

static void send_failed(struct actor *end, struct listener *callback) {
  struct several *host = end->host;
  const struct pl_loop_table *loop = &host->library->loop;
  if (callback != NULL) {
    several_call_later(callback, json_string("ERR_IPC_CHANNEL_CLOSED"), NULL);
    return;
  }
  void *task = several_new(host, loop->size_of(PL_KIND_TICK));
  if (loop->init(host->loop, PL_KIND_TICK, task, tell_closed, end) != 0 ||
      loop->tick(task) != 0)
    several_refuse(host, "a tick");
}

static void send(struct several *host, const json_t *value,
                 const struct frame *frame) {
  const json_t *to = json_object_get(value, "to");
  struct actor *end =
      to != NULL ? several_find(host, to) : several_parent(host);
  struct listener *callback = several_callback(host, value);
  json_t *message = made(json_object_get(value, "value"), frame);
  char *text = json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY);
  struct pl_channel_sent *sent = NULL;
  if (callback != NULL) {
    sent = several_new(host, sizeof *sent);
    sent->written = on_sent;
    sent->arg = callback;
  }
  int result = !end->connected
                   ? -ENOTCONN
                   : host->table->send(end->channel, text, strlen(text), sent);
  if (result < 0) send_failed(end, callback);
  if (several_text(value, "log") != NULL)
    several_record(host, several_text(value, "log"), json_boolean(result > 0));
  free(text);
  json_decref(message);
}

static void tell_disconnected(void *arg, int status) {
  struct actor *end = arg;
  (void)status;
  several_fire(end, "error", json_string("ERR_IPC_DISCONNECTED"), NULL, NULL);
}

static void disconnect(struct several *host, const json_t *value) {
  const json_t *of = json_object_get(value, "of");
  const struct pl_loop_table *loop = &host->library->loop;
  struct actor *end =
      of != NULL ? several_find(host, of) : several_parent(host);
  int error =
      end->connected ? host->table->disconnect(end->channel) : -ENOTCONN;
  if (error != 0) {
    void *task = several_new(host, loop->size_of(PL_KIND_TICK));
    if (loop->init(host->loop, PL_KIND_TICK, task, tell_disconnected, end) ||
        loop->tick(task) != 0)
      several_refuse(host, "a tick");
  } else if (end == host->parent) {
    host->table->resume(end->channel); /* to see the other side's end */
  }
  end->connected = false;
  if (several_text(value, "log") != NULL)
    several_record(host, several_text(value, "log"), json_string("ok"));
}

static void keep(struct several *host, const json_t *value, bool kept) {
  const json_t *of = json_object_get(value, "of");
  if (of != NULL) {
    void *channel = several_find(host, of)->channel;
    (kept ? host->table->channel_ref : host->table->channel_unref)(channel);
    return;
  }
  struct actor *parent = several_parent(host);
  parent->kept_set = true;
  parent->kept = kept;
  if (kept && parent->channel != NULL) host->table->resume(parent->channel);
  settle(parent);
}

bool several_channel_operation(struct several *host, const char *name,
                               const json_t *argument,
                               const struct frame *frame) {
  if (strcmp(name, "parent.on") == 0) {
    listen_to_parent(host, argument);
  } else if (strcmp(name, "parent.off") == 0) {
    several_find(host, argument)->own->off = true;
    settle(several_parent(host));
  } else if (strcmp(name, "parent.field") == 0) {
    parent_field(host, argument);
  } else if (strcmp(name, "channel.ref") == 0) {
    keep(host, argument, true);
  } else if (strcmp(name, "channel.unref") == 0) {
    keep(host, argument, false);
  } else if (strcmp(name, "send") == 0) {
    send(host, argument, frame);
  } else if (strcmp(name, "disconnect") == 0) {
    disconnect(host, argument);
  } else {
    return false;
  }
  return true;
}

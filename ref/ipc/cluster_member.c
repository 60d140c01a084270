/* SPDX-License-Identifier: MIT */
/*
 * cluster_member.c: a worker's side: servers that are asked for, connections
 * that are handed over, and the way out.
 *
 * Invariants:
 *  - A server is in the list from its question until it is closed; it has a key
 *    once the primary has answered, and an fd when it accepts by itself.
 *  - A connection for a server that is not there any more is given back.
 */
#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plumb/cluster.h"

enum { ACCEPTS_AT_A_TIME = 64 };

/* ---------------------------------------------------------------------- */
/* Messages                                                               */

static struct pl_value *begin_act(struct pl_member *member, const char *act) {
  struct pl_values *values = &member->values;
  pl_values_reset(values);
  struct pl_value *object = pl_value_object(values);
  pl_value_set(values, object, "cmd", pl_value_string(values, "NODE_CLUSTER"));
  if (act != NULL)
    pl_value_set(values, object, "act", pl_value_string(values, act));
  return object;
}

/* Gives the message its number, and sends it. */
static int end_act(struct pl_member *member, struct pl_value *object,
                   double *seq) {
  struct pl_values *values = &member->values;
  pl_value_set(values, object, "seq", pl_value_number(values, member->seq));
  if (values->failed) return PL_ENOMEM;
  int result = pl_channel_send(&member->channel, object, NULL, NULL);
  if (result < 0) return result;
  if (seq != NULL) *seq = member->seq;
  member->seq++;
  return 0;
}

/* The members that say what a server listens on. */
static void add_listen(struct pl_values *values, struct pl_value *object,
                       const struct pl_server *server, int port) {
  const struct pl_listen *what = &server->what;
  struct pl_value *type =
      what->type == PL_ADDRESS_UDP4   ? pl_value_string(values, "udp4")
      : what->type == PL_ADDRESS_UDP6 ? pl_value_string(values, "udp6")
                                      : pl_value_number(values, what->type);
  pl_value_set(values, object, "index", pl_value_number(values, server->index));
  pl_value_set(values, object, "data", pl_value_plain(values, PL_VALUE_NULL));
  pl_value_set(values, object, "address",
               what->address == NULL ? pl_value_plain(values, PL_VALUE_NULL)
                                     : pl_value_string(values, what->address));
  pl_value_set(values, object, "port", pl_value_number(values, port));
  pl_value_set(values, object, "addressType", type);
  pl_value_set(values, object, "fd", pl_value_number(values, what->fd));
  pl_value_set(values, object, "flags", pl_value_number(values, what->flags));
  pl_value_set(values, object, "backlog",
               pl_value_number(values, what->backlog));
}

/* ---------------------------------------------------------------------- */
/* The end of a server                                                    */

static void leave_if_done(struct pl_member *member);

static void on_server_closed(void *arg, int status) {
  struct pl_server *server = arg;
  struct pl_member *member = server->member;
  (void)status;
  pl__resize(&member->loop->allocator, server->key, 0);
  server->key = NULL;
  member->closing_servers--;
  if (server->events->closed != NULL) server->events->closed(server->arg);
  leave_if_done(member);
}

int pl_server_close(struct pl_server *server) {
  struct pl_member *member = server->member;
  if (server->closing) return PL_EINVAL;
  server->closing = true;
  if (server->key != NULL && pl_channel_is_connected(&member->channel)) {
    struct pl_value *object = begin_act(member, "close");
    pl_value_set(&member->values, object, "key",
                 pl_value_string(&member->values, server->key));
    end_act(member, object, NULL);
  }
  pl__list_remove(&server->link);
  pl__deferred_cancel(&server->later);
  member->closing_servers++;
  pl_handle_close(&server->io, on_server_closed);
  if (server->fd >= 0) close(server->fd);
  server->fd = -1;
  return 0;
}

/* ---------------------------------------------------------------------- */
/* Servers                                                                */

static void on_acceptable(void *arg, int status) {
  struct pl_server *server = arg;
  (void)status;
  for (int i = 0; i < ACCEPTS_AT_A_TIME && !server->closing; i++) {
    int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return; /* another worker was first, or there are no descriptors */
    }
    server->events->connection(server->arg, fd);
    pl__drain_if_needed(server->member->loop);
  }
}

static void fail_server(struct pl_server *server, int error) {
  if (server->events->listening != NULL)
    server->events->listening(server->arg, error);
  if (!server->closing) pl_server_close(server);
}

/* It listens: tells the primary, and the caller. */
static void start_server(struct pl_server *server) {
  struct pl_member *member = server->member;
  server->listens = true;
  struct pl_value *object = begin_act(member, "listening");
  add_listen(&member->values, object, server, server->port);
  end_act(member, object, NULL);
  if (server->events->listening != NULL)
    server->events->listening(server->arg, 0);
}

/* Accepts from a socket of its own, bound by somebody. */
static void accept_from(struct pl_server *server, int fd) {
  bool udp = server->what.type == PL_ADDRESS_UDP4 ||
             server->what.type == PL_ADDRESS_UDP6;
  char address[64];
  int error = 0;
  server->fd = fd;
  pl_listen_name(fd, &server->port, address, sizeof address);
  if (!udp && listen(fd, server->what.backlog) != 0) error = -errno;
  if (error == 0 && !udp) error = pl_poll_start(&server->io, fd, PL_READABLE);
  if (error != 0)
    fail_server(server, error);
  else
    start_server(server);
}

static void on_exclusive(void *arg, int status) {
  struct pl_server *server = arg;
  int fd;
  (void)status;
  int error = pl_listen_open(&server->what, false, &fd);
  if (error != 0)
    fail_server(server, error);
  else
    accept_from(server, fd);
}

static bool same_listen(const struct pl_listen *a, const struct pl_listen *b) {
  bool named = a->address != NULL && b->address != NULL;
  return a->port == b->port && a->type == b->type && a->fd == b->fd &&
         (named ? strcmp(a->address, b->address) == 0
                : a->address == b->address);
}

static unsigned next_index(const struct pl_member *member,
                           const struct pl_listen *what) {
  unsigned index = 0;
  for (const struct pl_link *link = member->servers.next;
       link != &member->servers; link = link->next) {
    const struct pl_server *server =
        PL__OWNER(link, const struct pl_server, link);
    if (same_listen(&server->what, what) && server->index >= index)
      index = server->index + 1;
  }
  return index;
}

int pl_member_listen(struct pl_member *member, struct pl_server *server,
                     const struct pl_listen *what, bool exclusive,
                     const struct pl_server_events *events, void *arg) {
  *server = (struct pl_server){.member = member,
                               .events = events,
                               .arg = arg,
                               .what = *what,
                               .index = next_index(member, what),
                               .seq = -1,
                               .port = what->port,
                               .fd = -1};
  if (what->address != NULL) {
    if (strlen(what->address) >= sizeof server->address) return PL_EINVAL;
    strcpy(server->address, what->address);
    server->what.address = server->address;
  }
  if (server->what.backlog <= 0) server->what.backlog = 511;
  if (server->what.fd == 0) server->what.fd = -1;
  if (!pl_channel_is_connected(&member->channel)) return PL_ENOTCONN;
  pl_deferred_init(&server->later, on_exclusive, server);
  if (exclusive) {
    pl_poll_init(member->loop, &server->io, on_acceptable, server);
    pl__list_append(&member->servers, &server->link);
    pl_deferred_post(member->loop, &server->later, 0);
    return 0;
  }
  struct pl_value *object = begin_act(member, "queryServer");
  add_listen(&member->values, object, server, what->port);
  int error = end_act(member, object, &server->seq);
  if (error != 0) return error;
  server->asked = true;
  pl_poll_init(member->loop, &server->io, on_acceptable, server);
  pl__list_append(&member->servers, &server->link);
  return 0;
}

/* ---------------------------------------------------------------------- */
/* What the primary says                                                  */

static struct pl_server *by_question(struct pl_member *member, double seq) {
  for (struct pl_link *link = member->servers.next; link != &member->servers;
       link = link->next) {
    struct pl_server *server = PL__OWNER(link, struct pl_server, link);
    if (server->asked && server->seq == seq) return server;
  }
  return NULL;
}

static struct pl_server *by_key(struct pl_member *member,
                                const struct pl_value *key) {
  for (struct pl_link *link = member->servers.next; link != &member->servers;
       link = link->next) {
    struct pl_server *server = PL__OWNER(link, struct pl_server, link);
    if (server->key != NULL && pl_value_is(key, server->key)) return server;
  }
  return NULL;
}

static int copy_key(struct pl_server *server, const struct pl_value *key) {
  if (key == NULL || key->type != PL_VALUE_STRING) return PL_EPROTO;
  server->key =
      pl__resize(&server->member->loop->allocator, NULL, key->length + 1);
  if (server->key == NULL) return PL_ENOMEM;
  memcpy(server->key, key->bytes, key->length);
  server->key[key->length] = '\0';
  return 0;
}

/* The answer to queryServer. */
static void on_server_answer(struct pl_server *server,
                             struct pl_message *message) {
  const struct pl_value *value = message->value;
  const struct pl_value *name = pl_value_get(value, "sockname");
  int error = (int)pl_value_to_number(pl_value_get(value, "errno"), 0);
  server->asked = false;
  if (error == 0) error = copy_key(server, pl_value_get(value, "key"));
  if (error != 0) {
    fail_server(server, error < 0 ? error : -error);
    return;
  }
  if (message->type != PL_HANDLE_NONE) {
    accept_from(server, pl_message_take(message));
    return;
  }
  server->port =
      (int)pl_value_to_number(pl_value_get(name, "port"), server->what.port);
  start_server(server);
}

static void on_connection(struct pl_member *member,
                          struct pl_message *message) {
  const struct pl_value *value = message->value;
  struct pl_server *server = by_key(member, pl_value_get(value, "key"));
  bool accepted =
      server != NULL && server->listens && message->type != PL_HANDLE_NONE;
  struct pl_value *object = begin_act(member, NULL);
  pl_value_set(
      &member->values, object, "ack",
      pl_value_number(&member->values,
                      pl_value_to_number(pl_value_get(value, "seq"), -1)));
  pl_value_set(&member->values, object, "accepted",
               pl_value_bool(&member->values, accepted));
  if (end_act(member, object, NULL) != 0) return; /* the primary is gone */
  if (accepted)
    server->events->connection(server->arg, pl_message_take(message));
}

static void on_member_internal(void *arg, struct pl_message *message) {
  struct pl_member *member = arg;
  const struct pl_value *value = message->value;
  if (!pl_value_is(pl_value_get(value, "cmd"), "NODE_CLUSTER")) return;
  const struct pl_value *ack = pl_value_get(value, "ack");
  const struct pl_value *act = pl_value_get(value, "act");
  if (ack != NULL) {
    double seq = pl_value_to_number(ack, -2);
    struct pl_server *server = by_question(member, seq);
    if (server != NULL)
      on_server_answer(server, message);
    else if (seq == member->waits_for)
      pl_channel_disconnect(&member->channel);
  } else if (pl_value_is(act, "newconn")) {
    on_connection(member, message);
  } else if (pl_value_is(act, "disconnect")) {
    member->exited_after_disconnect = true;
    member->told = true; /* the primary knows */
    pl_member_disconnect(member);
  }
}

static void on_member_message(void *arg, struct pl_message *message) {
  struct pl_member *member = arg;
  if (member->events->message != NULL)
    member->events->message(member->arg, message);
}

static void on_member_problem(void *arg, int error, const char *what) {
  struct pl_member *member = arg;
  if (member->events->problem != NULL)
    member->events->problem(member->arg, error, what);
}

static void on_member_ended(void *arg, int reason) {
  struct pl_member *member = arg;
  if (member->events->ended != NULL) member->events->ended(member->arg, reason);
}

static const struct pl_channel_events member_channel = {
    .message = on_member_message,
    .internal = on_member_internal,
    .problem = on_member_problem,
    .ended = on_member_ended};

/* ---------------------------------------------------------------------- */
/* The member                                                             */

static void leave_if_done(struct pl_member *member) {
  if (!member->disconnecting || member->closing_servers > 0 ||
      member->waits_for >= 0 || !pl_channel_is_connected(&member->channel))
    return;
  if (member->told) {
    pl_channel_disconnect(&member->channel);
    return;
  }
  member->told = true;
  if (end_act(member, begin_act(member, "exitedAfterDisconnect"),
              &member->waits_for) != 0)
    pl_channel_disconnect(&member->channel);
}

int pl_member_disconnect(struct pl_member *member) {
  if (!pl_channel_is_connected(&member->channel)) return PL_ENOTCONN;
  if (member->disconnecting) return 0;
  member->disconnecting = true;
  member->exited_after_disconnect = true;
  if (member->events->disconnecting != NULL)
    member->events->disconnecting(member->arg);
  while (!pl__list_empty(&member->servers))
    pl_server_close(PL__OWNER(member->servers.next, struct pl_server, link));
  leave_if_done(member);
  return 0;
}

int pl_member_abandon(struct pl_member *member) {
  if (!pl_channel_is_connected(&member->channel)) return PL_ENOTCONN;
  /* What is not read yet goes back, by the end of the channel. */
  pl_channel_pause(&member->channel);
  pl_channel_disconnect(&member->channel);
  while (!pl__list_empty(&member->servers))
    pl_server_close(PL__OWNER(member->servers.next, struct pl_server, link));
  return 0;
}

int pl_member_is_worker(void) {
  return getenv("NODE_UNIQUE_ID") != NULL;
}

int pl_member_init(struct pl_loop *loop, struct pl_member *member,
                   const struct pl_channel_config *config,
                   const struct pl_member_events *events, void *arg) {
  const char *id = getenv("NODE_UNIQUE_ID");
  static const struct pl_channel_config defaults = {.window = 64};
  *member = (struct pl_member){
      .loop = loop, .events = events, .arg = arg, .waits_for = -1};
  if (id == NULL) return PL_ENOENT;
  member->id = (unsigned)strtoul(id, NULL, 10);
  pl__link_init(&member->servers);
  pl_values_init(&member->values, &loop->allocator);
  pl_channel_init(loop, &member->channel, &member_channel, member);
  int error = pl_channel_open_parent(&member->channel,
                                     config != NULL ? config : &defaults);
  if (error != 0) {
    pl_channel_close(&member->channel, NULL);
    return error;
  }
  unsetenv("NODE_UNIQUE_ID");
  end_act(member, begin_act(member, "online"), NULL);
  return 0;
}

int pl_member_send(struct pl_member *member, struct pl_value *value,
                   const struct pl_passing *passing, struct pl_send *send) {
  return pl_channel_send(&member->channel, value, passing, send);
}

int pl_member_close(struct pl_member *member, pl_event_fn *closed) {
  while (!pl__list_empty(&member->servers))
    pl_server_close(PL__OWNER(member->servers.next, struct pl_server, link));
  pl_values_free(&member->values);
  return pl_channel_close(&member->channel, closed);
}

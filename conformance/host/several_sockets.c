/* SPDX-License-Identifier: MIT */
/*
 * several_sockets.c: connections: what they read and write, how they end, how
 * they go to another process and come from one.
 *
 * Invariants:
 *  - A connection begins to read when it is opened, unless it is paused; what
 *    nobody listens to is held. It is over when both sides have ended, and its
 *    `close` is told once, then.
 *  - A descriptor that goes to another process is a copy; ours is closed.
 */
#include "several_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the end ---------------------------------------------------------------
 */

static void tell_close(void *arg, int status) {
  struct connection *c = arg;
  (void)status;
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  if (c->gone) return;
  if (c->server != NULL) several_server_lost(c->server);
  several_fire(c->thing, "close", json_boolean(c->failed), NULL);
}

static void shut_down(struct connection *c) {
  const struct pl_loop_table *loop = &c->host->library->loop;
  if (c->closed) return;
  c->closed = true;
  if (c->connecting) loop->handle_close(c->poll, NULL);
  if (c->opened)
    loop->handle_close(c->stream, tell_close);
  else
    several_later(c->host, tell_close, c);
}

static void finish(struct connection *c) {
  if (!c->connected || !c->ending || c->writing > 0 || c->shut || c->closed)
    return;
  c->shut = true;
  shutdown(c->fd, SHUT_WR);
  if (c->ended) shut_down(c);
}

/* ---- reading ---------------------------------------------------------------
 */

static void hand_out(struct connection *c, const char *data, size_t length) {
  several_fire(c->thing, "data", several_shown(data, length), NULL);
  if (c->reader != NULL) several_append(c->host, &c->text, data, length);
  if (c->http != NULL) several_http(c, data, length);
}

static void end_if_read(struct connection *c) {
  if (!c->eof || c->ended || c->closed || (!c->flowing && c->held.length > 0))
    return;
  c->ended = true;
  several_fire(c->thing, "end", NULL, NULL);
  several_call(
      c->reader,
      several_shown(c->text.length > 0 ? c->text.at : "", c->text.length),
      NULL);
  c->ending = true;
  finish(c);
  if (c->shut) shut_down(c);
}

static void on_bytes(void *arg, const void *data, ptrdiff_t length) {
  struct connection *c = arg;
  if (length > 0 && c->flowing) {
    hand_out(c, data, (size_t)length);
  } else if (length > 0) {
    several_append(c->host, &c->held, data, (size_t)length);
  } else if (length == 0) {
    c->eof = true;
    end_if_read(c);
  } else {
    c->failed = true;
    several_fire(c->thing, "error", several_error_name((int)length), NULL);
    shut_down(c);
  }
}

static void on_flow(void *arg, int status) {
  struct connection *c = arg;
  struct bytes held = c->held;
  (void)status;
  c->held = (struct bytes){0};
  if (held.length > 0) hand_out(c, held.at, held.length);
  end_if_read(c);
}

static void open_stream(struct connection *c, bool read) {
  struct several *host = c->host;
  const struct pl_loop_table *loop = &host->library->loop;
  if (c->closed || !c->connected) return;
  if (!c->opened) {
    c->stream = several_new(host, loop->size_of(PL_KIND_STREAM));
    if (loop->init(host->loop, PL_KIND_STREAM, c->stream, NULL, c) != 0 ||
        loop->stream_open(c->stream, c->fd) != 0)
      several_refuse(host, "a connection");
    c->opened = true;
  }
  if (!read || c->reading) return;
  c->reading = true;
  if (loop->stream_read(c->stream, on_bytes) != 0)
    several_refuse(host, "reading a connection");
}

void several_flow(struct actor *thing) {
  struct connection *c = thing->own;
  if (c->flowing) return;
  c->flowing = true;
  open_stream(c, true);
  several_later(c->host, on_flow, c);
}

/* ---- writing ---------------------------------------------------------------
 */

struct sending {
  struct sending *next; /* until it is connected */
  struct connection *connection;
  struct listener *callback;
  const char *text;
  bool end;
};

static void on_written(void *arg, int status) {
  struct sending *sending = arg;
  struct connection *c = sending->connection;
  c->writing--;
  several_call(sending->callback,
               status == 0 ? json_string("ok") : several_error_name(status),
               NULL);
  finish(c);
}

static void write_now(struct sending *sending) {
  struct connection *c = sending->connection;
  const struct pl_loop_table *loop = &c->host->library->loop;
  void *request = several_new(c->host, loop->size_of(PL_KIND_WRITE));
  if (c->closed) return;
  open_stream(c, false);
  c->writing++;
  if (sending->end) c->ending = true;
  if (loop->init(c->host->loop, PL_KIND_WRITE, request, on_written, sending) ||
      loop->stream_write(c->stream, request, sending->text,
                         strlen(sending->text)) != 0)
    several_refuse(c->host, "writing to a connection");
}

void several_write(struct connection *c, const char *text, bool end,
                   struct listener *callback) {
  struct sending *sending = several_new(c->host, sizeof *sending);
  *sending = (struct sending){NULL, c, callback, text, end};
  if (c->connected) {
    write_now(sending);
    return;
  }
  struct sending **at = &c->queue;
  while (*at != NULL)
    at = &(*at)->next;
  *at = sending;
}

/* ---- making ----------------------------------------------------------------
 */

static struct connection *new_connection(struct several *host,
                                         const json_t *value) {
  struct connection *c = several_new(host, sizeof *c);
  c->host = host;
  c->thing = several_make(host, ACTOR_CONNECTION, value);
  c->thing->own = c;
  c->fd = -1;
  return c;
}

struct actor *several_connection(struct several *host, int fd, bool paused) {
  struct connection *c = new_connection(host, NULL);
  c->fd = fd;
  c->connected = true;
  c->paused = paused;
  if (!paused) open_stream(c, true);
  return c->thing;
}

static void refuse_connection(void *arg, int error) {
  struct connection *c = arg;
  (void)error;
  c->failed = true;
  json_t *name = several_error_name(-c->error);
  several_call(c->told, json_incref(name), NULL);
  several_fire(c->thing, "error", name, NULL);
  shut_down(c);
}

static void close_old(void *arg, int status) {
  const struct connection *c = arg;
  (void)status;
  close(c->old_fd);
}

static void on_connected(void *arg, int events) {
  struct connection *c = arg;
  const struct pl_loop_table *loop = &c->host->library->loop;
  socklen_t size = sizeof c->error;
  (void)events;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &c->error, &size);
  c->connecting = false;
  /* The stream has a descriptor of its own: the loop knows this one. */
  c->old_fd = c->fd;
  c->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
  loop->handle_close(c->poll, close_old);
  if (c->error != 0) {
    refuse_connection(c, 0);
    return;
  }
  c->connected = true;
  several_call(c->told, json_string("ok"), NULL);
  several_fire(c->thing, "connect", NULL, NULL);
  for (struct sending *at = c->queue; at != NULL; at = at->next)
    write_now(at);
  if (!c->gone) open_stream(c, true);
  finish(c);
}

static void watch_connecting(struct connection *c) {
  const struct pl_loop_table *loop = &c->host->library->loop;
  c->poll = several_new(c->host, loop->size_of(PL_KIND_POLL));
  c->connecting = true;
  if (loop->init(c->host->loop, PL_KIND_POLL, c->poll, on_connected, c) != 0 ||
      loop->poll_start(c->poll, c->fd, PL_POLL_WRITABLE) != 0)
    several_refuse(c->host, "connecting");
}

static void connect_to(struct several *host, const json_t *value,
                       const struct frame *frame) {
  union address address;
  struct connection *c = new_connection(host, value);
  c->told = several_callback(host, value);
  socklen_t size = several_target(host, value, frame, &address);
  c->fd = socket(address.any.sa_family,
                 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd >= 0 &&
      (connect(c->fd, &address.any, size) == 0 || errno == EINPROGRESS)) {
    watch_connecting(c);
    return;
  }
  c->error = errno;
  several_later(host, refuse_connection, c);
}

/* ---- to another process
 * -------------------------------------------------------
 */

static void close_fd(void *arg, int status) {
  struct connection *c = arg;
  (void)status;
  close(c->fd);
  c->fd = -1;
}

static void let_go(struct connection *c) {
  c->gone = c->closed = true;
  if (c->server != NULL) several_server_lost(c->server);
  if (c->opened)
    c->host->library->loop.handle_close(c->stream, close_fd);
  else
    close_fd(c, 0);
}

bool several_connection_passing(struct connection *c, bool keep_open,
                                struct pl_channel_passing *passing) {
  if (c->closed || c->fd < 0) return false;
  *passing = (struct pl_channel_passing){
      .type = "net.Socket",
      .fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0),
      .key = c->server != NULL ? several_server_key(c->server) : NULL};
  if (!keep_open) let_go(c);
  return passing->fd >= 0;
}

/* ---- operations
 * -------------------------------------------------------------- */

json_t *several_connection_field(const struct connection *c, const char *name) {
  if (strcmp(name, "destroyed") == 0) return json_boolean(c->closed);
  if (strcmp(name, "handle") == 0) return several_kind(!c->closed);
  if (strcmp(name, "paused") == 0)
    return json_boolean(c->paused && !c->flowing);
  return NULL;
}

static struct connection *connection_of(struct several *host,
                                        const json_t *id) {
  struct actor *thing = several_find(host, id);
  if (thing->kind != ACTOR_CONNECTION) several_refuse(host, "no connection");
  return thing->own;
}

static void read_to_end(struct several *host, const json_t *value) {
  struct connection *c = connection_of(host, json_object_get(value, "of"));
  c->reader = several_callback(host, value);
  several_flow(c->thing);
}

static void write_text(struct several *host, const json_t *value) {
  struct connection *c = connection_of(host, json_object_get(value, "of"));
  several_write(c, several_text(value, "text"), several_true(value, "end"),
                several_callback(host, value));
}

static void take(struct several *host, const json_t *value,
                 const struct frame *frame) {
  struct gift *gift = frame->gift;
  struct actor *alias = several_make(host, ACTOR_ALIAS, value);
  if (gift == NULL) several_refuse(host, "nothing to take");
  if (gift->thing == NULL && *gift->fd >= 0) {
    gift->thing = several_receive(host, gift->type, *gift->fd);
    *gift->fd = -1;
  }
  alias->own = gift->thing;
}

bool several_socket_operation(struct several *host, const char *name,
                              const json_t *argument,
                              const struct frame *frame) {
  if (strcmp(name, "connect") == 0) {
    connect_to(host, argument, frame);
  } else if (strcmp(name, "write") == 0) {
    write_text(host, argument);
  } else if (strcmp(name, "text") == 0) {
    read_to_end(host, argument);
  } else if (strcmp(name, "resume") == 0) {
    several_flow(several_find(host, argument));
  } else if (strcmp(name, "destroy") == 0) {
    shut_down(connection_of(host, argument));
  } else if (strcmp(name, "finish") == 0) {
    struct connection *c = connection_of(host, argument);
    c->ending = true;
    finish(c);
  } else if (strcmp(name, "take") == 0) {
    take(host, argument, frame);
  } else {
    return several_server_operation(host, name, argument);
  }
  return true;
}

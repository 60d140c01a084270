/* SPDX-License-Identifier: MIT */
/*
 * several.h: one process of a program of several processes, over the provider's
 * tables of processes, channels and clusters.
 *
 * Invariant: everything that a program makes lives as long as the process; an
 * event is written at once, as one line of less than PIPE_BUF.
 */
#ifndef HOST_SEVERAL_H
#define HOST_SEVERAL_H

#include <jansson.h>
#include <stdbool.h>

#include "library.h"
#include "provider_processes.h"

enum { SEVERAL_STREAMS = 10 };

/* What came with a callback: named by `take`. A descriptor becomes an object
 * when it is taken. */
struct gift {
  struct actor *thing; /* or NULL, and then */
  const char *type;    /* of the handle */
  int *fd;
};

/* What the body that runs was given. */
struct frame {
  json_t *result;  /* NULL: nothing */
  json_t *given;   /* object, or NULL */
  const char *raw; /* the text of a message, or NULL */
  struct gift *gift;
  long count;
};

/* Bodies that are performed when something happens; the k-th time the k-th. */
struct listener {
  struct listener *next;
  const char *event;
  const json_t *bodies;
  struct several *host;
  long count;
  bool once, off;
};

struct bytes {
  char *at;
  size_t length, room;
};

/* Our end of a child's descriptor. */
struct stream {
  struct several *host;
  struct actor *child;
  void *storage;
  struct listener *collector;
  struct bytes text;
  unsigned writing; /* requests under way */
  int fd;           /* -1: none */
  int index;
  bool over, ending;
};

enum actor_kind {
  ACTOR_CHILD,
  ACTOR_EXEC,
  ACTOR_RESULT, /* of a blocking call */
  ACTOR_PARENT,
  ACTOR_LISTENER,
  ACTOR_SIGNAL,
  ACTOR_TIMER,
  ACTOR_SERVER,
  ACTOR_CONNECTION,
  ACTOR_UDP,
  ACTOR_WORKER,
  ACTOR_ALIAS /* what was taken */
};

/* What an id names. */
struct actor {
  struct actor *next;
  const char *id; /* or NULL */
  enum actor_kind kind;
  struct several *host;
  struct listener *listeners;
  void *own; /* what it is, by its kind */
  void *process, *channel;
  const char *file;
  char *words; /* spawn-args */
  struct stream streams[SEVERAL_STREAMS];
  unsigned stream_count;
  int code, signal;
  bool exited, closed;
};

struct several {
  const struct library *library;
  const struct pl_processes_table *table;
  const struct pl_cluster_table *cluster; /* NULL: none */
  const char *path;                       /* of the library */
  void *loop;
  json_t *request;
  json_int_t seq;
  const char *id, *trace, *dir, *peer;
  int out, status;
  bool ending; /* the listeners for the end are called */
  struct actor *things;
  struct actor *parent;
  void *member;      /* this process is a worker */
  bool abandoned;    /* it has given up */
  struct actor self; /* its events */
  struct primary *primary;
  void **blocks; /* all memory, so that it stays reachable */
};

/*
 * Performs a role of the request that lies beside `trace` (NULL role: main),
 * as the process that is called `id` there (NULL: the first).
 * Returns the exit status of the process.
 */
int several_run(const struct library *library, const char *path,
                const char *trace, const char *role, const char *id);

/* The same for a process that a program has started, as its environment says,
 * which is then taken away. */
int several_child(const struct library *library, const char *path,
                  const char *trace, const char *role);

/* What a provider can do of several processes, as names with NULL behind; empty
 * where it has no such table. */
const char *const *several_capabilities(const struct pl_provider *provider);

/* -- shared by its parts --------------------------------------------------- */

/* Copies the tables of a provider as far as it has them; false: it has none. */
bool several_tables(const struct pl_provider *provider,
                    struct pl_processes_table *processes,
                    struct pl_cluster_table *cluster);
/* Refuses a program that has what cannot be done. */
void several_check(struct several *host);

void *several_new(struct several *host, size_t size);
char *several_copy(struct several *host, const char *text);
void several_append(struct several *host, struct bytes *bytes, const void *data,
                    size_t length);
/* A file of the case's directory. */
const char *several_place(struct several *host, const char *path);

/* Writes an event; takes `value`, NULL: a bare label. */
void several_record(struct several *host, const char *label, json_t *value);
/* Ends the process: it cannot do that. */
_Noreturn void several_refuse(struct several *host, const char *what);
/* process.exit(). */
_Noreturn void several_exit(struct several *host, int status);

void several_perform(struct several *host, const json_t *body,
                     const struct frame *frame);
/* Calls a listener, NULL for none. Takes result and given. */
void several_call(struct listener *listener, json_t *result, json_t *given);
void several_call_with(struct listener *listener, json_t *result, json_t *given,
                       const char *raw, struct gift *gift);
/* The same in a tick. */
void several_call_later(struct listener *listener, json_t *result,
                        json_t *given);
void several_later(struct several *host, void (*what)(void *, int), void *arg);
void several_fire(struct actor *thing, const char *event, json_t *result,
                  json_t *given);
void several_fire_with(struct actor *thing, const char *event, json_t *result,
                       json_t *given, const char *raw, struct gift *gift);
bool several_listens(const struct actor *thing, const char *event);
/* Adds what a `when` or the like listens to. */
struct listener *several_listen(struct several *host, struct actor *thing,
                                const json_t *value);

/* A callback of an operation: its bodies; NULL where it has none. */
struct listener *several_callback(struct several *host, const json_t *argument);
struct actor *several_make(struct several *host, enum actor_kind kind,
                           const json_t *argument);
struct actor *several_find(struct several *host, const json_t *id);

const char *several_text(const json_t *argument, const char *key);
long several_number(const json_t *argument, const char *key, long fallback);
bool several_true(const json_t *argument, const char *key);
/* A text, shortened when it is long. */
json_t *several_shown(const char *text, size_t length);
json_t *several_error_name(int error);
json_t *several_status(int code, int signal);
json_t *several_kind(bool there);     /* "object" or "null" */
int several_signal(const char *name); /* -1: none */

/* -- values (several_values.c) --------------------------------------------- */

/* A value that came, as a trace shows it. */
json_t *several_described(const char *text, size_t length);
/* A value of a program as the provider takes it. */
json_t *several_made(struct several *host, const json_t *value,
                     const struct frame *frame);
/* Whether a provider can be given it. */
bool several_knows(const json_t *value);

/* -- operations: false, it is none of these ---------------------------------
 */

bool several_child_operation(struct several *host, const char *name,
                             const json_t *argument, const struct frame *frame);
bool several_exec_operation(struct several *host, const char *name,
                            const json_t *argument);
bool several_stream_operation(struct several *host, const char *name,
                              const json_t *argument);
bool several_channel_operation(struct several *host, const char *name,
                               const json_t *argument,
                               const struct frame *frame);
bool several_socket_operation(struct several *host, const char *name,
                              const json_t *argument,
                              const struct frame *frame);
bool several_dgram_operation(struct several *host, const char *name,
                             const json_t *argument);
bool several_cluster_operation(struct several *host, const char *name,
                               const json_t *argument);

/* -- children ----------------------------------------------------------------
 */

/* What is started. */
struct words {
  const char **at;
  size_t count;
};
struct words several_command(struct several *host, const json_t *value);
struct words several_environment(struct several *host, const json_t *value);
void several_close_child(struct actor *child); /* if it is through */
void several_open_stream(struct stream *stream, int fd);

/* -- channels ----------------------------------------------------------------
 */

/* The channel to the process that started this one; made at the first call. */
struct actor *several_parent(struct several *host);
/* Connects a child's channel, whose end is `fd`. */
void several_connect(struct actor *child, int fd, bool advanced);
/* Whether it has a channel that is connected, as the provider says. */
bool several_connected(const struct actor *thing);
/* Tells a message to who listens to it. */
void several_tell(struct actor *thing, const char *event,
                  const struct pl_channel_text *text, json_t *given);

/* -- handles ------------------------------------------------------------------
 */

/* What can be sent; false: this is nothing that can. Gives a descriptor of its
 * own. */
bool several_passing(struct actor *thing, bool keep_open,
                     struct pl_channel_passing *passing);
/* Makes what a handle of that type is; takes `fd`. */
struct actor *several_receive(struct several *host, const char *type, int fd);
/* An accepted connection; `server` or NULL. */
struct actor *several_connection(struct several *host, int fd, bool paused);
json_t *several_socket_field(struct actor *thing, const char *name);
/* Somebody listens to `data`. */
void several_flow(struct actor *connection);
int several_bound_port(int fd);
bool several_udp_passing(struct actor *thing,
                         struct pl_channel_passing *passing);
struct actor *several_udp(struct several *host, int fd);
json_t *several_udp_field(struct actor *thing, const char *name);
int several_udp_fd(const struct actor *thing);

/* -- clusters
 * ------------------------------------------------------------------ */

json_t *several_worker_field(struct actor *worker, const char *name);
/* The channel of a worker, NULL when it is gone. */
void *several_worker_channel(struct actor *worker);
bool several_worker_kill(struct actor *worker, int signum);
/* Where a worker listens: a path, or NULL and a port. */
const char *several_worker_place(const struct actor *worker, int *port);
/* This worker's channel has ended. */
void several_member_ended(struct several *host);

#endif

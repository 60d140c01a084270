/* SPDX-License-Identifier: MIT */
/*
 * several.h: one process of a program of several processes, over the provider's
 * table of processes and channels.
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

/* What the body that runs was given. */
struct frame {
  json_t *result;  /* NULL: nothing */
  json_t *given;   /* object, or NULL */
  const char *raw; /* the text of a message, or NULL */
  long count;
};

/* Bodies that are performed when something happens; the k-th time the k-th. */
struct listener {
  struct listener *next;
  const char *event;
  const json_t *bodies;
  struct frame frame; /* of a call that waits */
  struct several *host;
  long count;
  bool once, off;
};

/* Our end of a child's descriptor. */
struct stream {
  struct several *host;
  struct actor *child;
  void *storage;
  struct listener *collector;
  char *text;
  size_t length, room;
  unsigned writing; /* requests under way */
  int fd;           /* -1: none */
  int index;
  bool over, ending;
};

enum actor_kind { ACTOR_CHILD, ACTOR_EXEC, ACTOR_PARENT, ACTOR_LISTENER };

/* What an id names. */
struct actor {
  struct actor *next;
  const char *id; /* or NULL */
  enum actor_kind kind;
  struct several *host;
  struct listener *listeners;
  void *process, *channel;
  const char *file;
  char *words; /* spawn-args */
  struct stream streams[SEVERAL_STREAMS];
  unsigned stream_count;
  int code, signal, error;
  bool started, exited, closed, killed, connected, kept, kept_set;
  struct listener *own;
};

struct several {
  const struct library *library;
  const struct pl_processes_table *table;
  const char *path; /* of the library */
  void *loop;
  json_t *request;
  json_int_t seq;
  const char *id, *trace, *dir, *peer;
  int out;
  struct actor *things;
  struct actor *parent;
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

void *several_new(struct several *host, size_t size);
char *several_copy(struct several *host, const char *text);

/* Writes an event; takes `value`, NULL: a bare label. */
void several_record(struct several *host, const char *label, json_t *value);
/* Ends the process: it cannot do that. */
_Noreturn void several_refuse(struct several *host, const char *what);

void several_perform(struct several *host, const json_t *body,
                     const struct frame *frame);
/* Takes result and given. */
void several_call(struct listener *listener, json_t *result, json_t *given,
                  const char *raw);
/* The same in a tick. */
void several_call_later(struct listener *listener, json_t *result,
                        json_t *given);
void several_fire(struct actor *thing, const char *event, json_t *result,
                  json_t *given, const char *raw);
bool several_listens(const struct actor *thing, const char *event);

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

/* Operations of children; false: not one of them. */
bool several_child_operation(struct several *host, const char *name,
                             const json_t *argument, const struct frame *frame);
/* Operations of channels. */
bool several_channel_operation(struct several *host, const char *name,
                               const json_t *argument,
                               const struct frame *frame);
/* The channel to the process that started this one; made at the first call. */
struct actor *several_parent(struct several *host);

/* Connects a child's channel, whose end is `fd`. */
void several_connect(struct actor *child, int fd);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the parts of plumb-peer share: the program under way, its channel,
 * the descriptors that have names.
 *
 * Invariant: nothing here waits longer than PATIENCE_MS; what did not come is
 * told ("nothing", "EOF", the name of an errno) and the program goes on.
 */
#ifndef PL_PEER_H
#define PL_PEER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
  PATIENCE_MS = 8000, /* for anything that is waited for */
  LIFETIME_S = 60,    /* whatever happens, no peer lives longer */
  MAX_NAMED = 512,    /* descriptors with a name, or received */
  MAX_SENT = 300,     /* descriptors in one message: more than are allowed */
  MAX_CHILDREN = 8
};

struct named {
  char name[32];
  int fd;
};

struct child {
  char name[32];
  pid_t pid;
};

struct peer {
  json_t *request; /* as it lies beside the trace */
  json_int_t seq;
  const char *id;    /* NULL: the program itself */
  const char *trace; /* its path */
  int out;           /* the trace */
  int wire;          /* the channel; -1: none */
  char *bytes;       /* what came on the wire and was not taken yet */
  size_t length, room;
  bool over; /* nothing more comes on the wire */
  struct named fds[MAX_NAMED];
  size_t fd_count;
  int arrived[MAX_NAMED]; /* received, without a name yet */
  size_t arrived_count;
  size_t told; /* of those, already told by wire.fds */
  struct child children[MAX_CHILDREN];
  size_t child_count;
};

/* Ends the peer: the program asks for what cannot be. */
_Noreturn void fail(struct peer *peer, const char *what, const char *which);

/* Writes an event; `value` is taken, NULL: a bare label. */
void record(struct peer *peer, const char *label, json_t *value);
void record_text(struct peer *peer, const char *label, const char *text);

/* Members of an operation's argument. */
const char *text_of(const json_t *argument, const char *key);
long number_of(const json_t *argument, const char *key, long fallback);

/* The name of an errno, ECONNREFUSED. */
const char *error_name(int error);

/* Milliseconds of the monotonic clock. */
long now_ms(void);

/* Waits until `fd` is ready for `events` of poll(2). Returns whether it is. */
bool await(int fd, short events, long deadline);

/* Writes all of it, whatever it takes within the deadline. Returns 0 or an
 * errno. */
int write_all(int fd, const char *bytes, size_t count);

/* Bytes from text, json, hex or `bytes: n`; free with free(). */
char *payload(struct peer *peer, const json_t *argument, size_t *length);
char *as_hex(const char *bytes, size_t length);

/* Names a descriptor; a name that stands already moves on. */
void name_fd(struct peer *peer, const char *name, int fd);
int fd_of(struct peer *peer, const char *name);

/* The operations of a part, by name. Returns false: not one of them. */
bool wire_operation(struct peer *peer, const char *name, const json_t *value);
bool fd_operation(struct peer *peer, const char *name, const json_t *value);
bool self_operation(struct peer *peer, const char *name, const json_t *value);

#endif

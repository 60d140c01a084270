/* SPDX-License-Identifier: MIT */
/*
 * The messages of the adapter protocol, version 1: made and read.
 *
 * Invariant: what pl_message_* return is checked whole; a field that the
 * protocol does not allow never reaches the judge.
 */
#ifndef PL_RUNNER_PROTOCOL_H
#define PL_RUNNER_PROTOCOL_H

#include <jansson.h>
#include <stddef.h>

#include "memory.h"

#define PL_PROTOCOL_VERSION 1

/* What a run request is made of. Borrowed until the call returns. */
struct pl_request {
  long long seq;
  const char *program; /* JSON text */
  const char *files;   /* JSON text, or NULL */
  const char *dir;
  const char *trace; /* path that every process writes to; NULL: stdout */
  const char *peer;  /* the byte-level actor's executable, with `trace` */
  int stream;
};

/* `of` is set where a child of the program speaks: its id. */
enum pl_answer_kind {
  PL_ANSWER_EVENTS,      /* events, evidence */
  PL_ANSWER_EVENT,       /* one event of a stream */
  PL_ANSWER_EVIDENCE,    /* counters of a stream */
  PL_ANSWER_UNSUPPORTED, /* detail: why */
  PL_ANSWER_ERROR,       /* detail: the adapter's own error */
  PL_ANSWER_BREACH       /* detail: how the protocol was broken */
};

struct pl_answer {
  enum pl_answer_kind kind;
  json_t *events;   /* array, or the one event */
  json_t *evidence; /* object or NULL */
  char *detail;
};

/* Adds a request, with its newline. */
void pl_message_start(struct pl_text *text);
void pl_message_run(const struct pl_request *request, struct pl_text *text);
void pl_message_stop(struct pl_text *text);

/* Reads the answer to start. Returns it (release with json_decref()), or NULL
 * with what is wrong in `*error`. */
json_t *pl_message_read_start(const char *line, size_t length, char **error);

/* Reads an answer to the run request `seq`. */
void pl_message_read(const char *line, size_t length, long long seq,
                     struct pl_answer *answer);
void pl_answer_free(struct pl_answer *answer);

/* Gives the words for a line that is not JSON: what was printed, and whether
 * it was meant for stderr. */
char *pl_message_teach(const char *line, size_t length, const char *why);

#endif

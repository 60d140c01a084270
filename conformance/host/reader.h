/* SPDX-License-Identifier: MIT */
/*
 * reader.h: what the two halves of the reader share: reader.c walks the
 * program, arguments.c reads what an operation is given.
 */
#ifndef HOST_READER_H
#define HOST_READER_H

#include "operations.h"
#include "program.h"

struct use; /* a reference that is checked when all ids are known */

struct reader {
  struct arena *arena;
  const struct library *library;
  struct program *program;
  json_t *ids;      /* name -> number of its slot */
  int *kinds;       /* of each slot; KIND_NONE while nothing made it */
  size_t room;      /* slots that `kinds` has room for */
  struct use *uses; /* newest first */
  char *message;    /* the caller's; the first fault */
  size_t message_size;
  bool in_module; /* reads the body of one */
  bool failed;
  bool unsupported;
  char missing[256]; /* the first reason for `unsupported` */
};

/* Notes the first fault, at `op` (NULL: the program). Returns false. */
bool reader_fail(struct reader *reader, const struct op *op, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));
/* Notes that the program asks for what is not there. */
void reader_miss(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes `op` unsupported unless the provider has that capability. */
void reader_need(struct reader *reader, const struct op *op,
                 enum capability capability);

/* Reads a list of operations: `list` and `each` are its place in `parent`. */
bool read_body(struct reader *reader, const struct op *parent, const char *list,
               size_t each, json_t *json, struct body *body);
/* op->slot becomes what `json` names, to be made by this operation. */
bool read_id(struct reader *reader, struct op *op, json_t *json);
/* op->slot becomes what `json` names, which must be one of `kinds` (bits). */
bool read_reference(struct reader *reader, struct op *op, const char *name,
                    unsigned kinds);
/* Copies `string` into the arena as JSON text. */
bool read_json_text(struct reader *reader, const struct op *op,
                    const char *string, const char **text, size_t *length);

/* op->label, where `json` is one; op->calls, by the key `then` or `each`. */
bool read_label(struct reader *reader, struct op *op, json_t *json);
bool read_calls(struct reader *reader, struct op *op, const char *key,
                json_t *json);

/* Reads the value of the operation's key into `op`. */
bool read_arguments(struct reader *reader, struct op *op,
                    const struct operation *operation, json_t *json);

#endif

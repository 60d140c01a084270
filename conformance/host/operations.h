/* SPDX-License-Identifier: MIT */
/*
 * operations.h: the vocabulary as a table: which operation takes what.
 *
 * It says again, for a machine in C, what schema/vocabulary.yaml says.
 */
#ifndef HOST_OPERATIONS_H
#define HOST_OPERATIONS_H

#include "program.h"

/* What the value of an operation's key is. */
enum shape {
  SHAPE_ARGS,   /* an object: keys of `keys` */
  SHAPE_REF,    /* an id */
  SHAPE_EVENT,  /* a label or [label, value] */
  SHAPE_NUMBER, /* milliseconds */
  SHAPE_SIGNAL, /* a signal's name */
  SHAPE_OWN     /* operation.read knows */
};

enum key {
  KEY_ID = 1 << 0,
  KEY_CALLBACK = 1 << 1, /* then, each */
  KEY_THEN = 1 << 2,     /* then alone */
  KEY_DELAY = 1 << 3,    /* after, as JavaScript's number */
  KEY_EVERY = 1 << 4,
  KEY_AFTER = 1 << 5, /* after, in whole milliseconds */
  KEY_REPEAT = 1 << 6,
  KEY_START = 1 << 7,
  KEY_DRAIN = 1 << 8,
  KEY_PATH = 1 << 9,
  KEY_OF = 1 << 10,
  KEY_TO = 1 << 11,
  KEY_LOG = 1 << 12,
  KEY_TIMES = 1 << 13,
  KEY_THREADS = 1 << 14,
  KEY_SIGNAL = 1 << 15,
  KEY_BLOCK = 1 << 16,
  KEY_MODE = 1 << 17,
  KEY_CHAIN_OF = 1 << 18,
  KEY_LENGTH = 1 << 19
};

struct reader;

struct operation {
  const char *name;
  enum op_code code;
  enum shape shape;
  int capability;    /* enum capability, or -1: none of its own */
  int kind;          /* what it makes, KIND_NONE: nothing */
  unsigned keys;     /* the keys that it takes, enum key */
  unsigned required; /* those that must be there */
  unsigned refers;   /* kinds that its reference may be, bits 1u << kind */
  /* SHAPE_OWN: reads what stands behind the key, and does it. */
  bool (*read)(struct reader *reader, struct op *op,
               const struct operation *operation, json_t *json);
  void (*perform)(struct run *run, const struct op *op,
                  const struct call *call);
};

/* NULL for a name that this host does not know. */
const struct operation *operation_find(const char *name);

/* "timeout", "interval", "fs.stat": an operation's name for what it makes. */
const char *kind_name(int kind);

#endif

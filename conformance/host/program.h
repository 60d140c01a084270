/* SPDX-License-Identifier: MIT */
/*
 * program.h: a case's program, read, checked and ready to run.
 *
 * Reading finds every fault that can be found without running: unknown keys,
 * wrong types, references to nothing, operations that the provider lacks. A
 * program that was read cannot surprise the interpreter.
 *
 *     program -> main: body -> op, op, ...
 *                              op.calls -> body per call -> op, op, ...
 */
#ifndef HOST_PROGRAM_H
#define HOST_PROGRAM_H

#include "arena.h"
#include "library.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum op_code {
  OP_LOG,
  OP_BLOCK,
  OP_CHAIN,
  OP_TIMEOUT,
  OP_INTERVAL,
  OP_IMMEDIATE,
  OP_TICK,
  OP_MICROTASK,
  OP_CLEAR,
  OP_REFRESH,
  OP_STAT,
  OP_TIMER,
  OP_TIMER_START,
  OP_TIMER_AGAIN,
  OP_TIMER_SET_REPEAT,
  OP_WATCHER, /* idle, prepare and check: the kind says which */
  OP_START,
  OP_STOP,
  OP_ASYNC,
  OP_ASYNC_SEND,
  OP_POLL,
  OP_POLL_WRITE,
  OP_SIGNAL,
  OP_RAISE,
  OP_WORK,
  OP_CANCEL,
  OP_CLOSE,
  OP_REF,
  OP_UNREF,
  OP_RUN,
  OP_STOP_LOOP,
  OP_UPDATE_TIME,
  OP_OWN /* an area's own: op.perform */
};

/* What an id names. The provider's kinds, and intervals apart from timeouts
 * because the vocabulary keeps them apart. */
enum {
  KIND_INTERVAL = PL_KIND_COUNT,
  KIND_RESOLVED, /* the outcomes of resolve, and of require */
  KIND_REQUIRED,
  KIND_EMITTER, /* these of flow.h */
  KIND_LISTENER,
  KIND_FLOW,
  KIND_TASK,
  KIND_QUEUE,
  KIND_JOB,
  KIND_NONE = -1
};

/* What the value of a logged event is. */
enum value_kind {
  VALUE_NONE,    /* the event is its label */
  VALUE_LITERAL, /* JSON text */
  VALUE_RESULT,
  VALUE_COUNT,
  VALUE_ELAPSED,
  VALUE_NOW,
  VALUE_ALIVE,
  VALUE_TIMEOUT,
  VALUE_ACTIVE, /* these three of op.slot */
  VALUE_CLOSING,
  VALUE_HASREF
};

struct op;
struct run;
struct call;

struct body {
  const struct op *ops;
  size_t count;
};

/* A callback: the k-th call runs the k-th body, the last one serves all that
 * follow. No body: the callback does nothing. */
struct calls {
  const struct body *bodies;
  size_t count;
};

/* An operation. Which of the fields count, operations.c says. */
struct op {
  /* Where it stands, for messages: main[2].timeout.then[0].log */
  const struct op *parent; /* NULL in main */
  const char *list;        /* "main", "bodies", "then" or "each" */
  size_t each;             /* which list of "each" or "bodies" */
  size_t index;            /* in that list */
  const char *name;        /* NULL while it is not known */

  enum op_code code;
  int kind;          /* what it makes: enum pl_kind or KIND_INTERVAL */
  int slot;          /* the id that it gives or uses, -1 without one */
  const char *label; /* JSON text, with quotes; NULL: no event */
  size_t label_length;
  struct calls calls;

  enum value_kind value;
  const char *text; /* VALUE_LITERAL: JSON text. stat: the path */
  size_t text_length;
  double delay;           /* timeout, interval: as JavaScript gave it */
  uint64_t after, repeat; /* timer, milliseconds */
  uint32_t number;        /* block and work: ms; chain: length; send: times */
  uint32_t threads;       /* async.send; 0: the loop's own */
  int signum;
  enum pl_run_mode mode;
  bool start, drain;
  uint64_t digest; /* program_digest(): equal for equal operations */

  /* OP_OWN */
  const struct module_args *module; /* operations of modules */
  const struct flow_args *flow;     /* of emitters, flows and queues */
  void (*perform)(struct run *run, const struct op *op,
                  const struct call *call);
};

struct program {
  struct body main;
  const struct body *bodies; /* of the modules that it loads */
  size_t body_count;
  bool uses_modules;
  unsigned pool;    /* threads; 0: the provider's default */
  size_t slots;     /* how many ids there are */
  bool runs_itself; /* main holds a `run` */
};

enum read_status { READ_OK, READ_UNSUPPORTED, READ_MALFORMED };

/*
 * Reads `json`, the value of "program", into `program`, whose memory comes
 * from `arena`. On anything but READ_OK, `message` says what is wrong, and
 * for READ_MALFORMED where. A program that is both is READ_MALFORMED.
 * Ownership: the program lives until the arena is reset; `json` may go.
 */
enum read_status program_read(struct program *program, struct arena *arena,
                              const struct library *library, json_t *json,
                              char *message, size_t message_size);

/* Fills the digest of every operation: of what it does, not where it stands. */
void program_digest(struct program *program);

/* Writes an operation's place, cut short where it does not fit, and returns
 * its length. */
size_t op_place(const struct op *op, char *buffer, size_t size);

/* The number of a signal of the vocabulary ("SIGUSR1"), or 0. */
int signal_number(const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * operations.c: every operation of the vocabulary that this host knows.
 *
 * Invariant: the rows are sorted by name, since they are searched by halves.
 * One more operation is one more row, and a function in interpreter.c.
 */
#include "operations.h"
#include "flow.h"
#include "modules.h"

#include <stdlib.h>
#include <string.h>

#define BIT(kind) (1u << (unsigned)(kind))
#define WATCHERS (BIT(PL_KIND_IDLE) | BIT(PL_KIND_PREPARE) | BIT(PL_KIND_CHECK))
#define HANDLES                                                                \
  (BIT(PL_KIND_TIMER) | WATCHERS | BIT(PL_KIND_ASYNC) | BIT(PL_KIND_POLL) |    \
   BIT(PL_KIND_SIGNAL))
#define CLEARABLE                                                              \
  (BIT(PL_KIND_TIMEOUT) | BIT(KIND_INTERVAL) | BIT(PL_KIND_IMMEDIATE))
#define WATCHER_KEYS (KEY_ID | KEY_START | KEY_CALLBACK)

/* clang-format off */
static const struct operation operations[] = {
  /* name             code                 shape         capability
       makes              keys; required; refers to */
  {"async",           OP_ASYNC,            SHAPE_ARGS,   CAP_ASYNC,
       PL_KIND_ASYNC,     KEY_ID | KEY_CALLBACK, KEY_ID, 0},
  {"async.send",      OP_ASYNC_SEND,       SHAPE_ARGS,   CAP_ASYNC,
       KIND_NONE,         KEY_TO | KEY_TIMES | KEY_THREADS, KEY_TO,
       BIT(PL_KIND_ASYNC)},
  {"block",           OP_BLOCK,            SHAPE_NUMBER, -1,
       KIND_NONE,         0, 0, 0},
  {"cancel",          OP_CANCEL,           SHAPE_ARGS,   CAP_WORK,
       KIND_NONE,         KEY_OF | KEY_LOG, KEY_OF,
       BIT(PL_KIND_WORK) | BIT(PL_KIND_STAT)},
  {"chain",           OP_CHAIN,            SHAPE_ARGS,   -1,
       KIND_NONE,         KEY_CHAIN_OF | KEY_LENGTH | KEY_THEN,
       KEY_CHAIN_OF | KEY_LENGTH, 0},
  {"check",           OP_WATCHER,          SHAPE_ARGS,   CAP_WATCHER,
       PL_KIND_CHECK,     WATCHER_KEYS, KEY_ID, 0},
  {"clear",           OP_CLEAR,            SHAPE_REF,    -1,
       KIND_NONE,         0, 0, CLEARABLE},
  {"close",           OP_CLOSE,            SHAPE_ARGS,   CAP_CLOSE,
       KIND_NONE,         KEY_OF | KEY_LOG | KEY_CALLBACK, KEY_OF, HANDLES},
  {"fs.stat",         OP_STAT,             SHAPE_ARGS,   CAP_FS,
       PL_KIND_STAT,      KEY_ID | KEY_PATH | KEY_CALLBACK, KEY_PATH, 0},
  {"idle",            OP_WATCHER,          SHAPE_ARGS,   CAP_WATCHER,
       PL_KIND_IDLE,      WATCHER_KEYS, KEY_ID, 0},
  {"immediate",       OP_IMMEDIATE,        SHAPE_ARGS,   CAP_IMMEDIATE,
       PL_KIND_IMMEDIATE, KEY_ID | KEY_CALLBACK, 0, 0},
  {"interval",        OP_INTERVAL,         SHAPE_ARGS,   CAP_TIMEOUT,
       KIND_INTERVAL,     KEY_ID | KEY_EVERY | KEY_CALLBACK, 0, 0},
  {"log",             OP_LOG,              SHAPE_EVENT,  -1,
       KIND_NONE,         0, 0, 0},
  {"microtask",       OP_MICROTASK,        SHAPE_ARGS,   CAP_MICROTASK,
       PL_KIND_MICROTASK, KEY_CALLBACK, 0, 0},
  {"poll",            OP_POLL,             SHAPE_ARGS,   CAP_POLL,
       PL_KIND_POLL,      KEY_ID | KEY_START | KEY_DRAIN | KEY_CALLBACK,
       KEY_ID, 0},
  {"poll.write",      OP_POLL_WRITE,       SHAPE_REF,    CAP_POLL,
       KIND_NONE,         0, 0, BIT(PL_KIND_POLL)},
  {"prepare",         OP_WATCHER,          SHAPE_ARGS,   CAP_WATCHER,
       PL_KIND_PREPARE,   WATCHER_KEYS, KEY_ID, 0},
  {"raise",           OP_RAISE,            SHAPE_SIGNAL, CAP_SIGNAL,
       KIND_NONE,         0, 0, 0},
  {"ref",             OP_REF,              SHAPE_REF,    CAP_REF,
       KIND_NONE,         0, 0, HANDLES | CLEARABLE},
  {"refresh",         OP_REFRESH,          SHAPE_REF,    CAP_TIMEOUT,
       KIND_NONE,         0, 0, BIT(PL_KIND_TIMEOUT) | BIT(KIND_INTERVAL)},
  {"run",             OP_RUN,              SHAPE_ARGS,   CAP_RUN,
       KIND_NONE,         KEY_MODE | KEY_LOG, KEY_MODE, 0},
  {"signal",          OP_SIGNAL,           SHAPE_ARGS,   CAP_SIGNAL,
       PL_KIND_SIGNAL,    KEY_ID | KEY_SIGNAL | KEY_CALLBACK,
       KEY_ID | KEY_SIGNAL, 0},
  {"start",           OP_START,            SHAPE_REF,    -1,
       KIND_NONE,         0, 0, WATCHERS | BIT(PL_KIND_POLL)},
  {"stop",            OP_STOP,             SHAPE_REF,    -1,
       KIND_NONE,         0, 0, HANDLES & ~BIT(PL_KIND_ASYNC)},
  {"stop-loop",       OP_STOP_LOOP,        SHAPE_ARGS,   CAP_RUN,
       KIND_NONE,         0, 0, 0},
  {"tick",            OP_TICK,             SHAPE_ARGS,   CAP_TICK,
       PL_KIND_TICK,      KEY_CALLBACK, 0, 0},
  {"timeout",         OP_TIMEOUT,          SHAPE_ARGS,   CAP_TIMEOUT,
       PL_KIND_TIMEOUT,   KEY_ID | KEY_DELAY | KEY_CALLBACK, 0, 0},
  {"timer",           OP_TIMER,            SHAPE_ARGS,   CAP_TIMER,
       PL_KIND_TIMER,     WATCHER_KEYS | KEY_AFTER | KEY_REPEAT, KEY_ID, 0},
  {"timer.again",     OP_TIMER_AGAIN,      SHAPE_ARGS,   CAP_TIMER,
       KIND_NONE,         KEY_OF | KEY_LOG, KEY_OF, BIT(PL_KIND_TIMER)},
  {"timer.set-repeat", OP_TIMER_SET_REPEAT, SHAPE_ARGS,  CAP_TIMER,
       KIND_NONE,         KEY_OF | KEY_REPEAT, KEY_OF,
       BIT(PL_KIND_TIMER)},
  {"timer.start",     OP_TIMER_START,      SHAPE_ARGS,   CAP_TIMER,
       KIND_NONE,         KEY_OF | KEY_AFTER | KEY_REPEAT | KEY_LOG, KEY_OF,
       BIT(PL_KIND_TIMER)},
  {"unref",           OP_UNREF,            SHAPE_REF,    CAP_REF,
       KIND_NONE,         0, 0, HANDLES | CLEARABLE},
  {"update-time",     OP_UPDATE_TIME,      SHAPE_ARGS,   CAP_RUN,
       KIND_NONE,         0, 0, 0},
  {"work",            OP_WORK,             SHAPE_ARGS,   CAP_WORK,
       PL_KIND_WORK,      KEY_ID | KEY_BLOCK | KEY_CALLBACK, 0, 0},
};
/* clang-format on */

static int compare(const void *name, const void *row) {
  return strcmp(name, ((const struct operation *)row)->name);
}

const struct operation *operation_find(const char *name) {
  const struct operation *found =
      bsearch(name, operations, sizeof operations / sizeof *operations,
              sizeof *operations, compare);
  if (!found) found = modules_operation(name);
  return found ? found : flow_operation(name);
}

const char *kind_name(int kind) {
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
    if (operations[i].kind == kind) return operations[i].name;
  if (kind == KIND_RESOLVED) return "resolve";
  if (kind == KIND_REQUIRED) return "require";
  if (kind == KIND_EMITTER) return "emitter";
  if (kind == KIND_LISTENER) return "listener";
  if (kind == KIND_FLOW) return "flow";
  if (kind == KIND_TASK) return "task";
  if (kind == KIND_QUEUE) return "queue";
  if (kind == KIND_JOB) return "job";
  return "nothing";
}

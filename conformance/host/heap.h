/* SPDX-License-Identifier: MIT */
/*
 * heap.h: programs about memory over a provider's heap and buffer tables.
 *
 * They have a reader and an interpreter of their own: their operations run one
 * after the other, on one heap, and need no loop. An operation is a row of
 * `heap_operations`; its arguments are read from the JSON that was checked.
 *
 *     struct heap_run ---- things: what the ids name, each with
 *         |                  root      while the id is a root of the program
 *         |                  watch     to ask after it when it is none
 *         +--------------- events that collections left, told by heap.settle
 */
#ifndef HOST_HEAP_H
#define HOST_HEAP_H

#include "provider.h"
#include "trace.h"

#include <jansson.h>
#include <stdbool.h>

/* A provider's tables, copied: what it lacks is NULL. */
struct heap_tables {
  struct pl_heap_table heap;
  struct pl_buffer_table buffer;
};

void heap_tables_take(struct heap_tables *tables,
                      const struct pl_provider *provider);

/* The capabilities that this part of the host can serve. */
#define HEAP_CAPABILITIES(X)                                                   \
  X(OBJECT, "heap.object")                                                     \
  X(MINOR, "heap.minor")                                                       \
  X(GENERATION, "heap.generation")                                             \
  X(SPACE, "heap.space")                                                       \
  X(LARGE, "heap.large")                                                       \
  X(IDENTITY, "heap.identity")                                                 \
  X(FRAME, "heap.frame")                                                       \
  X(COMPACT, "heap.compact")                                                   \
  X(WEAK, "heap.weak")                                                         \
  X(TARGET, "heap.target")                                                     \
  X(TABLE, "heap.table")                                                       \
  X(TABLE_SIZE, "heap.table-size")                                             \
  X(REGISTRY, "heap.registry")                                                 \
  X(EXTERNAL, "heap.external")                                                 \
  X(ADJUST, "heap.adjust")                                                     \
  X(USAGE, "heap.usage")                                                       \
  X(COUNT, "heap.count")                                                       \
  X(EVENTS, "heap.events")                                                     \
  X(EVENT_DETAILS, "heap.event-details")                                       \
  X(CONFIG, "heap.config")                                                     \
  X(LIMIT, "heap.limit")                                                       \
  X(STEP, "heap.step")                                                         \
  X(VERIFY, "heap.verify")                                                     \
  X(SNAPSHOT, "heap.snapshot")                                                 \
  X(RETAINED, "heap.retained")                                                 \
  X(LEAK, "heap.leak")                                                         \
  X(TRACE, "heap.trace")                                                       \
  X(STORE, "buffer.store")                                                     \
  X(POOL, "buffer.pool")                                                       \
  X(STORE_TRANSFER, "buffer.store-transfer")

enum heap_capability {
#define X(name, text) HEAP_##name,
  HEAP_CAPABILITIES(X)
#undef X
      HEAP_CAPABILITY_COUNT
};

/* What it is called on the wire. */
const char *heap_capability_name(enum heap_capability capability);
bool heap_offers(const struct heap_tables *tables,
                 enum heap_capability capability);

/* Whether a program is about memory: whether an operation of its main is. */
bool heap_program(json_t *program);

enum heap_reading { HEAP_READ, HEAP_UNSUPPORTED, HEAP_MALFORMED };

/* Checks a program whole; what is wrong with it goes to `message`. */
enum heap_reading heap_check(const struct heap_tables *tables, json_t *program,
                             char *message, size_t size);

enum thing_kind {
  THING_NONE,
  THING_OBJECT,
  THING_GRAPH,
  THING_TABLE,
  THING_WEAK,
  THING_REGISTRY,
  THING_BUFFER,
  THING_STORE,
  THING_SNAPSHOT,
  THING_DETECTOR
};

struct registration;

/* What an id names. */
struct thing {
  struct heap_run *run;
  enum thing_kind kind;
  void *root;        /* NULL: a root no longer */
  void *watch;       /* a struct pl_heap_table's */
  void *weak;        /* THING_WEAK */
  uintptr_t address; /* when it was asked for last */
  const char *shape; /* THING_GRAPH */
  size_t count;
  json_t *callback; /* THING_REGISTRY, THING_DETECTOR: the arguments */
  size_t calls;     /* of it so far */
  struct registration *registrations; /* THING_REGISTRY */
  json_t *snapshot;                   /* THING_SNAPSHOT */
  char *text;                         /* its text */
  size_t length;
  void *detector; /* THING_DETECTOR */
};

/* A collection that heap.events has to tell of. */
struct told {
  enum pl_collect kind;
  const char *reason;
  uint64_t number, clock;
  size_t freed, promoted;
};

/* What a log's $result and $count are. */
struct heap_call {
  json_t *result; /* borrowed; NULL: there is none */
  size_t count;
};

struct heap_run {
  const struct heap_tables *tables;
  const struct pl_heap_table *table;
  const struct pl_buffer_table *buffers;
  json_t *program;
  struct trace *trace;
  void *heap; /* NULL until it is needed: heap.config comes first */
  json_t *ids;
  struct thing *things;
  size_t thing_count, thing_room;
  const struct heap_call *call;
  struct pl_heap_figures base; /* of heap.zero */
  size_t base_rss;
  json_t *events; /* arguments of heap.events; NULL: not asked for */
  size_t event_calls;
  struct told *told;
  size_t told_count, told_room;
  json_t *near_limit; /* arguments of heap.near-limit */
  size_t near_calls;
  unsigned evidence[2]; /* minor, major */
  bool settling;
  bool failed;
  char message[512];
};

/*
 * Runs a checked program on a heap of its own. Returns false with the reason
 * in run->message. `run`, which is zeroed, has tables, program and trace set.
 */
bool heap_run_program(struct heap_run *run);

/* -- heap_run.c ------------------------------------------------------------ */

void heap_body(struct heap_run *run, json_t *body,
               const struct heap_call *call);
/* Runs the body of a callback's `count`-th call. */
void heap_call_back(struct heap_run *run, json_t *args, size_t count,
                    json_t *result);
void heap_fail(struct heap_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes the thing of an id (or of none) with a root, which it takes, and a
 * watch. NULL after heap_fail(). */
struct thing *heap_thing(struct heap_run *run, json_t *args,
                         enum thing_kind kind, void *root);
/* What args[key] names; NULL after heap_fail(). */
struct thing *heap_named(struct heap_run *run, json_t *args, const char *key);
/* The same with a root; NULL where there is no such key, too. */
void *heap_root(struct heap_run *run, json_t *args, const char *key);
void heap_drop(struct heap_run *run, struct thing *thing);

/* Records [args[log], value], where `log` stands. */
void heap_tell(struct heap_run *run, json_t *args, json_t *value);
void heap_tell_bool(struct heap_run *run, json_t *args, bool value);
void heap_tell_size(struct heap_run *run, json_t *args, long long value);
void heap_tell_text(struct heap_run *run, json_t *args, const char *value);

size_t heap_size(json_t *args, const char *key, size_t otherwise);
const char *heap_text(json_t *args, const char *key, const char *otherwise);

/* -- rows ------------------------------------------------------------------ */

struct heap_operation {
  const char *name;
  int capability; /* enum heap_capability, or -1 */
  /* The members that its argument has: "name:type" with `?` behind what may be
   * left out. n: a whole number, at least 0; i: any whole number; d: a number;
   * s: a text; b: true or false; r: an id; l: a list; v: n or s; w: a scalar;
   * c: the callback, then or each; t: then; else the texts that it may be,
   * with | between. "id" is what it makes. "": the argument is an id; "e": an
   * event. */
  const char *members;
  void (*perform)(struct heap_run *run, json_t *args);
};

const struct heap_operation *heap_operation_find(const char *name);
extern const struct heap_operation heap_object_operations[];
extern const struct heap_operation heap_weak_operations[];
extern const struct heap_operation heap_figure_operations[];
extern const struct heap_operation heap_snapshot_operations[];
extern const struct heap_operation heap_trace_operations[];
extern const struct heap_operation heap_buffer_operations[];

/* Takes back everything that a thing has. */
void heap_thing_end(struct heap_run *run, struct thing *thing);
void heap_registry_end(struct heap_run *run, struct thing *thing);
void heap_told_deliver(struct heap_run *run);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * run.h: one program's run over one fresh loop, and the objects in it.
 *
 *     struct run ---- objects: every object that has storage, a ring
 *         |
 *         +---------- slots[id]: the object that an id names now
 *
 * An object is freed when the provider is through with it (fired, cleared or
 * closed) and no id names it: a program may make any number of them.
 */
#ifndef HOST_RUN_H
#define HOST_RUN_H

#include "library.h"
#include "program.h"
#include "trace.h"

#include <stdalign.h>

struct run;

struct object {
  struct run *run;
  struct object *next, *previous; /* in run->objects */
  const struct op *op;            /* that made it: for messages */
  struct calls calls;             /* its callback */
  struct calls close_calls;
  uint32_t count;  /* how often `calls` was called */
  uint32_t number; /* work: ms to block; chain: links still to come */
  int kind;        /* enum pl_kind or KIND_INTERVAL */
  bool handle;     /* is closed; else: fires or is cleared */
  bool chain;
  bool bound;   /* an id names it */
  bool pending; /* the provider borrows the storage */
  bool running; /* its callback is on the stack */
  bool closing, closed;
  bool drain;          /* poll: read before the callback's body */
  int fds[2];          /* poll: the watched end, the other end; else -1 */
  char *path;          /* stat: borrowed by the provider */
  struct frame *frame; /* the module that made it, or NULL */
  alignas(max_align_t) unsigned char storage[]; /* the provider's */
};

/* The callback that is running, for $result and $count. */
struct call {
  int status;
  const struct object *object; /* NULL: main or a close callback */
  uint32_t count;
  const char *json; /* not NULL: $result, as JSON text */
};

/* How an explored run ended. */
enum run_end {
  RUN_ENDED,
  RUN_KNOWN, /* in a state that has been explored: nothing more to see */
  RUN_STUCK  /* asleep for ever */
};

struct run {
  const struct library *library;
  const struct program *program;
  const char *dir;
  struct trace *trace;
  void *loop;
  struct object *objects;
  struct object **slots;
  int64_t started;       /* monotonic clock, ns */
  uint64_t started_loop; /* cached loop time then */
  /* Not NULL: the loop is virtual and asks there what happens. */
  const struct pl_exploration *explore;
  uint64_t history; /* explored: a digest of what was done, and when */
  enum run_end end;
  struct modules *modules; /* NULL: the program has none */
  struct flow *flow;       /* NULL: it has made no emitter, flow or queue */
  struct frame *frame;     /* the module whose body or callback runs, or NULL */
  int thrown;              /* not 0: what goes on to whoever called the body */
  bool silent; /* bodies do nothing any more: failed or cleaning up */
  bool failed;
  bool unsupported; /* it failed because the provider cannot do it */
  char message[512];
};

/*
 * Runs `program` on a fresh loop to its end and cleans up after it. Returns
 * true, or false with the reason in run->message.
 * `run`, which is zeroed, has library, program, dir and trace set.
 */
bool run_program(struct run *run);

/* -- interpreter.c ------------------------------------------------------- */

/* Executes a body; stops at the first failure, and at what is thrown. */
void run_body(struct run *run, const struct body *body,
              const struct call *call);
/* The same from outside all bodies, for a module's callback (`frame`, or
 * NULL): what is thrown here nobody catches, and the run fails. */
void run_callback(struct run *run, struct frame *frame, const struct op *op,
                  const struct body *body, const struct call *call);
/* Notes the first failure of a run, at `op`, and silences it. */
void run_fail(struct run *run, const struct op *op, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "EINVAL" for -EINVAL. */
const char *error_name(int err);
/* The clock of the run: the monotonic one, or the explored loop's. */
int64_t run_clock_ns(const struct run *run);
/* Runs the loop once: 1, 0 or -errno, as the provider says. An explored loop
 * may also stop short, which is no error but run->end. */
int run_loop(struct run *run, enum pl_run_mode mode);
/* Notes in the history of an explored run what is done now. */
void run_note(struct run *run, uint64_t digest);

/* -- events.c ------------------------------------------------------------ */

/* Records the event of a log operation; `call` is the callback around it. */
void event_log(struct run *run, const struct op *op, const struct call *call);
/* Records [label, "ok"] or [label, error] where the operation has a label. */
void event_outcome(struct run *run, const struct op *op, int err);
/* Records [label, true] or [label, false]. */
void event_flag(struct run *run, const struct op *op, bool flag);
/* Records [label, value], which is JSON text. */
void event_json(struct run *run, const struct op *op, const char *value,
                size_t length);

/* -- objects.c ----------------------------------------------------------- */

/* Makes and prepares (init) the object of `op`, and binds it to the op's id.
 * NULL after run_fail(). */
struct object *object_new(struct run *run, const struct op *op);
/* Which body the `count`-th call runs; NULL: none. */
const struct body *body_of_call(const struct calls *calls, uint32_t count);
/* Tells that the provider borrows the storage from now on. */
void object_borrow(struct object *object);
/* The object that the op refers to; NULL after run_fail() when it was not
 * made yet. */
struct object *object_named(struct run *run, const struct op *op);
/* Frees the object unless somebody still needs it. */
void object_release(struct object *object);
/* Closes a handle; its body runs `calls`. 0 or -errno. */
int object_close(struct object *object, const struct calls *calls);
/* The provider's kind of an object. */
enum pl_kind object_kind(const struct object *object);
/* The provider's callbacks. */
void object_fired(void *arg, int status);
void object_closed(void *arg, int status);
/* Ends every object that was made in a body or callback of that module. */
void objects_of_module(struct run *run, const void *module);
/* Gives back everything that a program left behind: after it the loop is
 * empty, or run->message says why not. */
void objects_clean(struct run *run);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * provider.h: the C ABI, version 1, by which an implementation that lives in
 * a shared library is plugged into the suite.
 *
 * A provider exports one function:
 *
 *     const struct pl_provider *pl_provider_v1(void);
 *
 * and returns tables of functions, one table per area; a table is NULL where
 * the implementation has nothing, and within a table a function is NULL, or a
 * kind has size 0, where the implementation lacks that ability. `conformance/
 * host` turns a filled table into an adapter of the suite, `bench/` drives the
 * same table, so one piece of work buys conformance and benchmarks.
 *
 * Invariants:
 *  - The caller owns every byte: it asks for sizes, allocates storage (aligned
 *    for max_align_t) and hands it in. A provider allocates nothing per
 *    object, so a benchmark measures the implementation and not the glue.
 *  - Everything is called on the loop's thread unless it says "any thread".
 *  - Every fallible function returns 0 or a negative errno value (-EINVAL).
 *  - A callback may call back into any function of the table, also for the
 *    object that is being called back.
 */
#ifndef PLUMBLINE_PROVIDER_H
#define PLUMBLINE_PROVIDER_H

#include <stddef.h>
#include <stdint.h>

#include "provider_flow.h"
#include "provider_heap.h"
#include "provider_processes.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PL_PROVIDER_ABI 1u

/*
 * Something happened to an object. `arg` is what pl_loop_table.init() was
 * given. `status` is 0, or a negative errno value: -ECANCELED for a cancelled
 * request, the file system's error for a stat; for a poll handle the mask of
 * ready events (PL_POLL_*); for a signal handle the signal's number.
 */
typedef void pl_callback(void *arg, int status);

/* Bytes came from a stream. `data` is borrowed during the call; `length` 0 is
 * the stream's end, and a negative one is an errno value: both come once. */
typedef void pl_read_callback(void *arg, const void *data, ptrdiff_t length);

/* What an object of the loop is. Storage for each: pl_loop_table.size(). */
enum pl_kind {
  /* Handles: alive until closed with handle_close(). */
  PL_KIND_TIMER,   /* due by cached loop time, in milliseconds */
  PL_KIND_IDLE,    /* runs every iteration, before prepare; poll won't block */
  PL_KIND_PREPARE, /* runs every iteration, right before poll */
  PL_KIND_CHECK,   /* runs every iteration, right after poll */
  PL_KIND_ASYNC,   /* wakes the loop from any thread; sends coalesce */
  PL_KIND_POLL,    /* readiness of a file descriptor */
  PL_KIND_SIGNAL,  /* a signal's delivery, in the poll phase */

  /* Node's queues: no close; storage is free once fired or cleared. */
  PL_KIND_TIMEOUT,   /* setTimeout and setInterval: Node's timer lists */
  PL_KIND_IMMEDIATE, /* setImmediate */
  PL_KIND_TICK,      /* process.nextTick */
  PL_KIND_MICROTASK, /* queueMicrotask */

  /* Requests: storage is free once the callback was called. */
  PL_KIND_WORK, /* a job on the thread pool */
  PL_KIND_STAT, /* fs.stat */

  /* Later additions. */
  PL_KIND_FILE_READ, /* request: a small file, read as a whole */
  PL_KIND_STREAM,    /* handle: a connected socket or a pipe */
  PL_KIND_WRITE,     /* request: bytes that go into a stream */

  PL_KIND_COUNT
};

/* The three ways to run a loop (libuv documentation, uv_run). */
enum pl_run_mode {
  PL_RUN_DEFAULT, /* until nothing is alive or stop() was called */
  PL_RUN_ONCE,    /* one iteration, may block in poll */
  PL_RUN_NOWAIT   /* one iteration, never blocks */
};

enum { PL_POLL_READABLE = 1, PL_POLL_WRITABLE = 2 };

/* What an exploring caller knows of the state in which a poll phase begins. */
enum pl_seen {
  PL_SEEN_NEW,   /* go on */
  PL_SEEN_KNOWN, /* has been explored: run() returns -ECANCELED */
  PL_SEEN_SAME   /* nothing happened since the last phase: let time pass */
};

/*
 * Exploration: a loop whose clock, poller and pool are virtual and ask what
 * happens, so that a caller which makes the same loop again and again, with
 * other answers, sees every run that a program may have. With the same answers
 * a loop does the same; when nothing can happen any more run() returns
 * -EDEADLK. Only a provider that fills pl_loop_table.time_ns offers it.
 * `self` is the first argument of all functions, `arg` an object's argument.
 */
struct pl_exploration {
  size_t size; /* sizeof(struct pl_exploration) of the caller */
  void *self;
  /* Answers with a number below `options`, which is at least 2. `what` names
   * the question and the options ("question: first|second"). */
  unsigned (*choose)(void *self, const char *what, unsigned options);
  /* A poll phase begins in a state with this digest: of what the provider
   * knows, and not of what it was told to do. */
  enum pl_seen (*seen)(void *self, uint64_t state);
  /* How long a job or stat request keeps its thread busy, in milliseconds. */
  uint64_t (*duration_ms)(void *self, const void *arg);
  /* A digest of what an object's callback will do; NULL: all are different.
   * Of objects with one digest only one is offered at a time. */
  uint64_t (*digest)(void *self, const void *arg);
  /* What an object is called in a question; valid until the next call. */
  const char *(*label)(void *self, const void *arg);
  unsigned slack_ms; /* how much time may pass unasked in a run, in all */
  unsigned late_ms;  /* how late a job may begin, and end */
  /* Whether orders that only are usual are asked for too: of handles of one
   * phase, of close callbacks, of signals. 0: they are the provider's own. */
  int any_order;
};

/* How a loop is made. `size` is sizeof(struct pl_loop_options) of the caller:
 * a provider reads no field beyond it. */
struct pl_loop_options {
  size_t size;
  unsigned pool_threads; /* 0: the implementation's default */
  /* NULL: a loop in real time. Borrowed until the loop is closed. */
  const struct pl_exploration *explore;
};

/*
 * The loop area. Fields of later minor versions are added at the end;
 * `size` is the provider's sizeof, and a caller treats what lies beyond as
 * NULL.
 */
struct pl_loop_table {
  size_t size;

  /* -- the loop ---------------------------------------------------------- */

  /* Bytes of storage of a loop. */
  size_t (*loop_size)(void);
  /* Makes a loop in `loop`. The caller keeps the storage until loop_close()
   * returned 0. Errors: -ENOMEM, -EMFILE, -EINVAL. */
  int (*loop_init)(void *loop, const struct pl_loop_options *options);
  /* Ends a loop. -EBUSY while a handle or request is alive or closing. */
  int (*loop_close)(void *loop);
  /* Runs. Returns 1 when something is still alive, 0 when not, or a negative
   * errno value. May not be called from a callback of the same loop
   * (-EBUSY where the implementation can tell). */
  int (*run)(void *loop, enum pl_run_mode mode);
  /* Makes the running, or else the next, run() return early; the iteration
   * under way is completed and poll does not block. */
  void (*stop)(void *loop);
  /* 1 when an active referenced handle, a request or a closing handle
   * exists. */
  int (*alive)(const void *loop);
  /* Cached loop time, milliseconds, arbitrary start. */
  uint64_t (*now)(const void *loop);
  /* Reads the clock into the cached loop time. */
  void (*update_time)(void *loop);
  /* What poll would wait if entered now: 0, milliseconds, or -1 for ever. */
  int (*backend_timeout)(const void *loop);
  /* Drains the tick and microtask queues: the end of a main script. NULL
   * where the implementation has neither. */
  void (*drain)(void *loop);

  /* -- objects ----------------------------------------------------------- */

  /* Bytes of storage of an object of that kind; 0: not supported. */
  size_t (*size_of)(enum pl_kind kind);
  /* Prepares an object in `object`; nothing is started yet, except that an
   * async handle is active from now on. Borrows `object` until its close
   * callback (handles), or until it fired or was cleared (queues, requests).
   * Errors: -ENOTSUP, -ENOMEM, -EMFILE. */
  int (*init)(void *loop, enum pl_kind kind, void *object, pl_callback *callback,
              void *arg);
  /* Closes a handle: no callback of it comes any more but `closed`, in the
   * closing phase. Closing twice is -EINVAL. NULL where the implementation
   * has no such thing: the storage of a stopped handle is the caller's again
   * then, and handle_stop() stops every kind, async handles too. */
  int (*handle_close)(void *handle, pl_callback *closed);
  /* Stops a handle without closing it; stopping a stopped one is no error. */
  int (*handle_stop)(void *handle);
  /* ref/unref: flags, not counters. For handles, timeouts and immediates. */
  void (*ref)(void *object);
  void (*unref)(void *object);
  int (*has_ref)(const void *object);
  int (*is_active)(const void *object);
  int (*is_closing)(const void *object);

  /* -- handles ----------------------------------------------------------- */

  /* Due `after` ms from the cached loop time, then every `repeat` ms (0: one
   * shot). Starting a started timer moves it. -EINVAL on a closing handle. */
  int (*timer_start)(void *timer, uint64_t after, uint64_t repeat);
  /* Restarts a repeating timer with its repeat value; -EINVAL when it was
   * never started. */
  int (*timer_again)(void *timer);
  void (*timer_set_repeat)(void *timer, uint64_t repeat);
  /* Idle, prepare and check handles; starting a started one is no error. */
  int (*watcher_start)(void *watcher);
  /* Wakes the loop and calls the async handle's callback once for any number
   * of sends before it. Any thread; async-signal-safe. */
  int (*async_send)(void *async);
  /* Watches `fd` (borrowed until stopped) for PL_POLL_* events, level
   * triggered. Starting again replaces the mask. */
  int (*poll_start)(void *poll, int fd, int events);
  int (*signal_start)(void *signal, int signum);

  /* -- Node's queues ------------------------------------------------------ */

  /* setTimeout (repeating 0) or setInterval (1). `delay` is in milliseconds
   * and may be anything a JavaScript number may be: fractions are truncated,
   * what is not within [1, 2^31-1] is 1. */
  int (*timeout_start)(void *timeout, double delay, int repeating);
  /* timeout.refresh(). */
  int (*timeout_refresh)(void *timeout);
  int (*immediate_start)(void *immediate);
  /* clearTimeout, clearInterval, clearImmediate; a no-op on what has fired. */
  int (*clear)(void *object);
  int (*tick)(void *tick);
  int (*microtask)(void *microtask);

  /* -- requests ----------------------------------------------------------- */

  /* Runs work(arg) on a pool thread, then the callback in the poll phase. */
  int (*work_submit)(void *request, void (*work)(void *arg));
  /* fs.stat of `path` (borrowed until the callback). */
  int (*stat_submit)(void *request, const char *path);
  /* Cancels a queued request, whose callback then gets -ECANCELED; -EBUSY
   * when it is running or done. */
  int (*cancel)(void *request);

  /* -- exploration: NULL where options.explore is not understood ----------- */

  /* What the clock of a loop that is explored shows, nanoseconds. */
  uint64_t (*time_ns)(const void *loop);
  /* Its thread is busy for so many milliseconds. */
  void (*time_pass)(void *loop, uint64_t ms);

  /* -- files and streams: NULL where the implementation has none ------------ */

  /* Reads the file at `path` into `buffer`; both are borrowed until the
   * callback, whose status is how many bytes the file has. -EFBIG when they
   * are more than `capacity`. */
  int (*file_read)(void *request, const char *path, void *buffer,
                   size_t capacity);
  /* Gives a stream its descriptor, which is non-blocking and is borrowed until
   * the close callback. */
  int (*stream_open)(void *stream, int fd);
  /* Calls back with what comes, until the end or an error. The argument is the
   * stream's. */
  int (*stream_read)(void *stream, pl_read_callback *callback);
  /* Writes all of `data`, borrowed until the callback of `write`, which is
   * never called before this returns. */
  int (*stream_write)(void *stream, void *write, const void *data,
                      size_t length);
};

/* ---------------------------------------------------------------------- */
/* Modules                                                                */

/* Bytes with a length; `at` NULL where there are none. */
struct pl_bytes {
  const char *at;
  size_t length;
};

/*
 * Whose values and execution a loader uses. A value is a pointer that means
 * nothing to the provider, which counts its uses: `make` and `json` give one
 * use away, `hold` adds one, `release` takes one back. After destroy() every
 * use of every value has been taken back. What `core` gives is borrowed.
 *
 * run, json, core and other return 0, or a positive number that stands for
 * what was thrown: the provider hands it through to whoever loads, in
 * pl_module_outcome.thrown, and treats the module as one that threw.
 */
struct pl_modules_host {
  size_t size; /* sizeof(struct pl_modules_host) of the caller */
  void *self;
  /* The exports that a module begins with; NULL: out of memory. */
  void *(*make)(void *self);
  void (*hold)(void *self, void *value);
  void (*release)(void *self, void *value);
  /* Runs a body: `text` as the runtime would compile it, borrowed. `module`
   * is what asks from now on, `exports` what module.exports is at first. */
  int (*run)(void *self, void *module, void *exports, struct pl_bytes text);
  /* The value of a JSON text, which the provider has checked. */
  int (*json)(void *self, struct pl_bytes text, void **exports);
  /* What a core module exports: the same for the same name, which has no
   * scheme. */
  int (*core)(void *self, struct pl_bytes name, void **exports);
  /* A module of a suffix that extension() added: set_exports() is up to it. */
  int (*other)(void *self, void *module);
  /* A module is replaced by a newer self (changed()): its timers, listeners
   * and the like are to be ended. */
  void (*dispose)(void *self, void *module);
};

/* How an instance is made. What is pointed to is borrowed until it returned,
 * what `host` points to as `self` until destroy(). */
struct pl_modules_options {
  size_t size;                         /* of the caller */
  /* NULL: only resolution is wanted. Then failures are kept like successes,
   * until changed(); a loader looks again, as Node does. */
  const struct pl_modules_host *host;
  const struct pl_bytes *conditions;   /* besides the runtime's own */
  size_t condition_count;
  const struct pl_bytes *search_path;  /* absolute folders: NODE_PATH */
  size_t search_path_count;
  int preserve_symlinks;
};

/* Where require looks last: in the folders of NODE_PATH, in .node_modules and
 * .node_libraries of the home, in lib/node of the prefix that the runtime is
 * installed at. All absolute; none where `at` is NULL. */
struct pl_search_path {
  const struct pl_bytes *folders;
  size_t count;
  struct pl_bytes home, prefix;
};

/* What a resolve() asks. */
struct pl_module_request {
  struct pl_bytes specifier;    /* at NULL: what was asked for is no text */
  int by_import;                /* as import finds it; else as require does */
  const struct pl_bytes *paths; /* absolute folders to begin at instead of */
  size_t path_count;            /* the folder that asks */
  int has_paths;
};

/*
 * What came of a question or a load. Only the fields of what happened are
 * written. Borrowed until the next call for the same instance; values until
 * the module leaves the cache, unless they are held.
 */
struct pl_module_outcome {
  /* resolve(): an absolute real path, the name of a core module, or a URL. */
  struct pl_bytes path;
  struct pl_bytes query; /* of an import: "?x#y" */
  /* require(), entry() */
  void *exports;
  /* An error: a host's own, not 0, or what Node's error object has. */
  int thrown;
  const char *code; /* "MODULE_NOT_FOUND"; NULL: it has none */
  const char *name; /* "Error", "TypeError" */
  struct pl_bytes error_path, request_path;
  const struct pl_bytes *stack; /* the files that required each other, the */
  size_t stack_length;          /* innermost first; NULL: it has none */
};

/* What a module knows of itself as a text. */
enum pl_module_text {
  PL_MODULE_ID,       /* "." for the entry, else the file */
  PL_MODULE_FILENAME, /* absolute, real */
  PL_MODULE_DIRNAME
};

/*
 * The modules area. An instance is a resolver with what it keeps, and, where
 * a host is given, a loader with its cache; two instances share nothing. It
 * allocates as it learns: the one exception from the first invariant. One
 * thread at a time; a host's callbacks may call every function but destroy().
 *
 * `modules` is an instance, `module` one of its modules: valid while it is in
 * the cache, runs, or is an asker, and as long as one of those has it as
 * parent or child. Functions that load return 0, 1 when something was thrown
 * (see the outcome), or a negative errno value. Resolution without loading
 * needs create, destroy, asker, resolve and folders alone.
 */
struct pl_modules_table {
  size_t size;

  /* Gives an instance. Errors: -ENOMEM, -EINVAL. */
  int (*create)(const struct pl_modules_options *options, void **modules);
  void (*destroy)(void *modules);

  /* -- resolution --------------------------------------------------------- */

  /* A file that asks without having been loaded (module.createRequire): its
   * module, the same for the same path, until destroy(). `file` is absolute
   * and need not be there. Errors: -ENOMEM, -EINVAL. */
  int (*asker)(void *modules, struct pl_bytes file, void **module);
  /* require.resolve(), import.meta.resolve(): as functions that load. */
  int (*resolve)(void *modules, void *module,
                 const struct pl_module_request *request,
                 struct pl_module_outcome *outcome);
  /* require.resolve.paths(): calls `each` with every folder, nearest first.
   * Returns 1 for a core module, which has none. A specifier without text:
   * module.paths. */
  int (*folders)(void *modules, void *module, struct pl_bytes specifier,
                 void (*each)(void *arg, struct pl_bytes folder), void *arg);
  /* module.isBuiltin(). */
  int (*is_core)(void *modules, struct pl_bytes name);
  /* Replaces the folders that are searched last. */
  int (*search_path)(void *modules, const struct pl_search_path *path);
  /* Adds a suffix (".x") to the search of require, behind the others. */
  int (*extension)(void *modules, struct pl_bytes suffix);

  /* -- loading ------------------------------------------------------------ */

  int (*require)(void *modules, void *module, struct pl_bytes specifier,
                 struct pl_module_outcome *outcome);
  /* Runs the entry script: `file` as it is given on a command line, absolute.
   * It is require.main from now on. */
  int (*entry)(void *modules, struct pl_bytes file,
               struct pl_module_outcome *outcome);

  /* The message of the error that the last outcome told of, borrowed as it is;
   * NULL: it has none. */
  const char *(*message)(void *modules);

  /* -- a module ------------------------------------------------------------ */

  struct pl_bytes (*text)(const void *module, enum pl_module_text what);
  int (*loaded)(const void *module);
  int (*is_main)(const void *module);
  void *(*parent)(const void *module); /* or NULL */
  void *(*child)(const void *module, size_t index); /* NULL behind the last */
  void *(*exports)(const void *module); /* borrowed */
  /* module.exports = value. Takes one use. */
  void (*set_exports)(void *module, void *value);
  /* module.paths.unshift(folder). */
  int (*search)(void *module, struct pl_bytes folder);

  /* -- the cache ----------------------------------------------------------- */

  /* require.cache[key], or NULL. */
  void *(*cached)(void *modules, struct pl_bytes key);
  /* The one behind `module` in the order of the cache; NULL begins, ends. */
  void *(*next)(void *modules, const void *module);
  /* Deletes an entry; 0 when there was none. */
  int (*uncache)(void *modules, struct pl_bytes key);
  /* Puts a module in that is loaded. Takes one use of the value. */
  int (*enter)(void *modules, struct pl_bytes key, void *value);
  /* Hot reload: the file was changed. Its module and all that depend on it
   * are disposed of and leave the cache. Returns how many. */
  int (*changed)(void *modules, struct pl_bytes file);
};

/* What a provider hands out. Everything lives as long as the library. */
struct pl_provider {
  uint32_t abi; /* PL_PROVIDER_ABI */
  size_t size;  /* sizeof(struct pl_provider) of the provider */
  const char *name;     /* "libuv": what results and expectations are keyed by */
  const char *version;  /* "1.44.2" */
  const char *language; /* "C" */
  const char *homepage; /* a URL, or NULL */
  const char *const *traits; /* NULL-terminated; see schema/vocabulary.yaml */
  const struct pl_loop_table *loop;
  /* Behind here a caller looks at `size` first. */
  const struct pl_modules_table *modules;
  const struct pl_heap_table *heap;
  const struct pl_buffer_table *buffer;
  const struct pl_processes_table *processes;
  const struct pl_flow_table *flow;
};

const struct pl_provider *pl_provider_v1(void);

#ifdef __cplusplus
}
#endif
#endif

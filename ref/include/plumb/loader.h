/* SPDX-License-Identifier: MIT */
/*
 * loader.h: CommonJS modules: loaded once per real path, run by a callback.
 *
 * Whoever embeds it (the host) brings values and execution: exports are opaque
 * pointers, a body is a call of host->run(). The library brings what require()
 * promises: which module, when it runs, what a cycle sees, what the cache
 * holds, what a throw undoes, and what a changed file takes with it.
 *
 * Invariants, for everything below:
 *  - A module is in the cache from before its body begins; a body that throws
 *    is out of it again. `loaded` says that the body has ended.
 *  - A module lives until the loader ends, or until pl_loader_collect() finds
 *    that neither the cache nor a running body leads to it.
 *  - One thread at a time. A callback may call every function, but
 *    pl_loader_destroy() and pl_loader_collect().
 *  - 0 or a PL_E value; 1 from a function that loads: it threw, see the error.
 */
#ifndef PLUMB_LOADER_H
#define PLUMB_LOADER_H

#include "plumb/modules.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pl_loader;
struct pl_module;

/* The text of a module: without a byte order mark, from the line's end when its
 * first line begins with "#!" (so lines keep their numbers). After a mark, "#!"
 * is no such line: Node refuses it, and so must the host's parser. */
struct pl_source {
  const char *bytes; /* borrowed during the call */
  size_t length;
  enum pl_module_format format; /* UNKNOWN: the source decides */
};

/*
 * The host. A callback that makes a value gives it to the loader, which gives
 * it back by release() when no module has it any more. A non-zero result of
 * run, core, json, addon and other is what was thrown; it is handed through.
 *
 *   make     an empty exports object; NULL: no memory
 *   hold     one more user of a value; may be NULL when none needs counting
 *   release  one fewer
 *   run      a body. `exports` is what module.exports is when it begins; only
 *            pl_module_set_exports() replaces it
 *   core     a core module's exports, by its name without "node:"; they stay
 *            the host's
 *   json     the value of a text that is known to be JSON
 *   addon    loads a .node file; NULL: a host without addons
 *   other    loads a file of a suffix that pl_loader_add_extension() added;
 *            pl_module_set_exports() is up to it
 *   dispose  a module is replaced (hot reload): end its timers and listeners;
 *            must not load, reload or collect
 */
struct pl_loader_host {
  void *self;
  void *(*make)(void *self);
  void (*hold)(void *self, void *value);
  void (*release)(void *self, void *value);
  int (*run)(void *self, struct pl_module *module, void *exports,
             const struct pl_source *source);
  int (*core)(void *self, const char *name, void **exports);
  int (*json)(void *self, struct pl_module *module, const char *text,
              size_t length, void **exports);
  int (*addon)(void *self, struct pl_module *module);
  int (*other)(void *self, struct pl_module *module);
  void (*dispose)(void *self, struct pl_module *module);
  bool es_modules; /* run() takes ES modules as well; else requiring one is
                      ERR_REQUIRE_ESM */
};

struct pl_loader_config {
  struct pl_module_memory memory; /* the C library's */
  struct pl_resolver *resolver;   /* borrowed until the loader ends */
  struct pl_fs *fs;               /* the resolver's */
  struct pl_loader_host host;     /* copied */
  unsigned depth;                 /* bodies within bodies; 2000. Beyond that a
                                     RangeError, as a stack would give */
  bool keep_failures; /* a module that was not found is not looked for again
                         (Node looks again) */
};

/* Gives *out, free with pl_loader_destroy(). Errors: PL_ENOMEM, PL_EINVAL. */
int pl_loader_create(const struct pl_loader_config *config,
                     struct pl_loader **out);
void pl_loader_destroy(struct pl_loader *loader);

/* What was thrown. */
enum pl_load_failure {
  PL_LOAD_FINE,
  PL_LOAD_NOT_RESOLVED, /* code and message are Node's */
  PL_LOAD_THREW,        /* a callback: `thrown` is its result */
  PL_LOAD_BAD_JSON,     /* a SyntaxError: "<file>: <what> at position <n>" */
  PL_LOAD_NOT_READ,     /* the file's error: `thrown` is the PL_E value */
  PL_LOAD_TOO_DEEP      /* a RangeError */
};
struct pl_load_error {
  enum pl_load_failure failure;
  enum pl_module_code code; /* NOT_RESOLVED */
  const char *message;      /* borrowed until the next load; or NULL. Of
                               NOT_RESOLVED: pl_load_error_message() */
  int thrown;
  size_t position; /* BAD_JSON: byte */
  /* What Node's error has: its path and requestPath, or NULL, and of a module
   * that was not found the files that required each other, innermost first
   * (NULL: none). All borrowed as the message is. */
  const char *path, *request;
  const char *const *stack;
  size_t depth;
  const struct pl_resolution *resolution; /* that failed; or NULL */
};

/* What require() gives. */
struct pl_required {
  void *exports;            /* borrowed until the module is collected */
  struct pl_module *module; /* NULL: a core module */
  bool partial;             /* in a cycle: its body has not ended */
  struct pl_load_error error; /* FINE, or what was thrown: then alone the rest
                                 of it is written */
};

/* Runs the main module: `path` as node's command line names it, absolute.
 * Its id is "."; it is require.main from now on. */
int pl_loader_main(struct pl_loader *loader, const char *path, size_t length,
                   struct pl_required *out);

/*
 * require(specifier) in a module; parent NULL: from the root directory. 0, 1
 * (thrown: out->error), PL_ENOMEM.
 * Source: Node, doc/api/modules.md; Module._load of lib/internal/modules/cjs/
 * loader.js.
 */
int pl_module_require(struct pl_loader *loader, struct pl_module *parent,
                      const char *specifier, size_t length,
                      struct pl_required *out);

/* Node's class of an error ("TypeError"), and its code or NULL; an error that
 * the host threw has neither. */
const char *pl_load_error_class(const struct pl_load_error *error);
const char *pl_load_error_code(const struct pl_load_error *error);

/* Node's message of an error of this loader, borrowed until the next load; NULL
 * where it has none, and when memory runs out. */
const char *pl_load_error_message(struct pl_loader *loader,
                                  const struct pl_load_error *error);

/*
 * A file that asks without being loaded (module.createRequire): its module, the
 * same for the same path, which needs not exist. It is in no cache and lives
 * as long as the loader. Errors: PL_ENOMEM, PL_EINVAL (not absolute).
 */
int pl_loader_asker(struct pl_loader *loader, const char *path, size_t length,
                    struct pl_module **out);

/*
 * require.resolve(), or with `import` import.meta.resolve(), in a module.
 * lookup: as for pl_place_require_in(), `starts` only; or NULL. Gives *out; on
 * 1 `error` says what was thrown. Errors: PL_ENOMEM.
 */
int pl_module_resolve(struct pl_module *module, const char *specifier,
                      size_t length, bool import,
                      const struct pl_lookup *lookup,
                      const struct pl_resolution **out,
                      struct pl_load_error *error);

/* module.paths.unshift(path). Copies. Errors: PL_ENOMEM, PL_EINVAL (not
 * absolute). */
int pl_module_search(struct pl_module *module, const char *path, size_t length);

/* As the function of the resolver, for a loader: its host's other() loads. */
int pl_loader_add_extension(struct pl_loader *loader, const char *extension,
                            size_t length);

/* A module's properties, as Node names them. */
const char *pl_module_id(const struct pl_module *module);
const char *pl_module_filename(const struct pl_module *module);
bool pl_module_loaded(const struct pl_module *module);
bool pl_module_is_main(const struct pl_module *module); /* require.main */
struct pl_module *pl_module_parent(const struct pl_module *module);
size_t pl_module_children(const struct pl_module *module,
                          struct pl_module *const **children);
void *pl_module_exports(const struct pl_module *module);
/* module.exports = value. Takes the value. */
void pl_module_set_exports(struct pl_module *module, void *value);
/* The directory of its file; not NUL-terminated. */
const char *pl_module_dirname(const struct pl_module *module, size_t *length);
struct pl_module *pl_loader_require_main(const struct pl_loader *loader);
/* Whatever the host wants to find again. */
void pl_module_set_data(struct pl_module *module, void *data);
void *pl_module_data(const struct pl_module *module);

/* module.paths: calls `each` with every directory, nearest first. */
void pl_module_paths(const struct pl_module *module,
                     void (*each)(void *arg, const char *path, size_t length),
                     void *arg);
/* require.resolve.paths(specifier): the same for a specifier. False: it is a
 * core module, and has none. */
bool pl_module_lookup_paths(const struct pl_module *module,
                            const char *specifier, size_t specifier_length,
                            void (*each)(void *arg, const char *path,
                                         size_t length),
                            void *arg);

/* require.cache: looks up, deletes (true: it was there), enters a hand-made
 * module with these exports (taken), walks in the order of loading (NULL
 * begins and ends). */
struct pl_module *pl_loader_cached(const struct pl_loader *loader,
                                   const char *key, size_t length);
bool pl_loader_uncache(struct pl_loader *loader, const char *key,
                       size_t length);
int pl_loader_enter(struct pl_loader *loader, const char *key, size_t length,
                    void *exports, struct pl_module **out);
struct pl_module *pl_loader_next(const struct pl_loader *loader,
                                 const struct pl_module *module);

/*
 * Hot reload: a file has changed. Its module and all that depend on it, also
 * through others and through cycles, are disposed of (dependants first), leave
 * the cache and the children of those that stay; what they depended on stays.
 * Then the resolver is told, and what nobody can reach is collected unless a
 * body is running. Returns how many modules went.
 */
size_t pl_loader_changed(struct pl_loader *loader, const char *path,
                         size_t length);

/* Frees the modules that neither the cache nor a running body leads to.
 * Returns how many. PL_EBUSY while a body runs. */
int pl_loader_collect(struct pl_loader *loader);

#ifdef __cplusplus
}
#endif
#endif

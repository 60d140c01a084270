/* SPDX-License-Identifier: MIT */
/*
 * modules.h: where a require() or an import leads, and what it loads.
 *
 * A resolver answers as Node 22 does (or Node 20, see pl_resolver_config), over
 * a file system that is injected. A loader runs module bodies by a callback:
 * nothing here executes JavaScript.
 *
 * Invariants, for everything below:
 *  - A resolution that fails is an answer, not an error of the call: the call
 *    returns 0 and the answer carries the code Node's error has. A call returns
 *    a negative PL_E value only when it could not find out (PL_ENOMEM, and
 *    PL_EINVAL for arguments that are no question).
 *  - Nothing is global. A resolver, its file system and its loader belong to
 *    one thread at a time.
 *  - Paths and specifiers are bytes with a length; no encoding is assumed, and
 *    a NUL inside is an ordinary, hopeless byte. What is given out is also
 *    NUL-terminated.
 *  - Every recursion is bounded, however hostile the tree.
 */
#ifndef PLUMB_MODULES_H
#define PLUMB_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plumb/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory, as realloc(): block NULL allocates, size 0 frees and returns NULL,
 * NULL for another size means none is left and the block is untouched. */
struct pl_module_memory {
  void *(*resize)(void *self, void *block, size_t size);
  void *self;
};

/* ---------------------------------------------------------------------- */
/* The file system                                                        */

enum pl_fs_kind {
  PL_FS_UNKNOWN, /* a listing that cannot tell; stat() will */
  PL_FS_ABSENT,
  PL_FS_FILE, /* whatever is neither a directory nor a link */
  PL_FS_DIRECTORY,
  PL_FS_LINK
};

/* What tells a directory or a file from its later self. All zero: unknown. */
struct pl_fs_stamp {
  uint64_t device, inode;
  int64_t changed_ns; /* last modification */
  uint64_t size;
};

/* Gets one entry of a listing. Non-zero ends the listing with that value. */
typedef int pl_fs_visit_fn(void *arg, const char *name, size_t length,
                           enum pl_fs_kind kind);

/*
 * A file system. Paths are absolute, normalised and NUL-terminated. Each
 * function returns 0 or a negative PL_E (or negative errno) value.
 *
 *   stat   what `path` names; a link itself unless `follow`. stamp may be NULL.
 *   link   the target of a symbolic link, at most `capacity` bytes, not
 *          terminated. Returns its length.
 *   list   visits every entry but "." and "..", in any order. PL_ENOTSUP: this
 *          directory must be asked name by name (it folds case, or is not
 *          searchable), which is always correct and only slower.
 *   read   the whole content of a file, links followed, in a block of `memory`
 *          that the caller frees, with a NUL behind it.
 *   now_ns the present in the time of changed_ns.
 */
struct pl_fs;
struct pl_fs_ops {
  int (*stat)(struct pl_fs *self, const char *path, bool follow,
              enum pl_fs_kind *kind, struct pl_fs_stamp *stamp);
  int (*link)(struct pl_fs *self, const char *path, char *target,
              size_t capacity);
  int (*list)(struct pl_fs *self, const char *path, pl_fs_visit_fn *visit,
              void *arg, struct pl_fs_stamp *stamp);
  int (*read)(struct pl_fs *self, const char *path,
              const struct pl_module_memory *memory, char **bytes,
              size_t *length, struct pl_fs_stamp *stamp);
  int64_t (*now_ns)(struct pl_fs *self);
};

/* The first member of a file system. `calls` counts system calls, or what
 * would be one; a reader may set it to 0. */
struct pl_fs {
  const struct pl_fs_ops *ops;
  uint64_t calls;
};

/* The real file system: statx, readlink, getdents64, read. EINTR is retried.
 * Borrows `fs` for as long as a resolver uses it; nothing to free. */
struct pl_fs_real {
  struct pl_fs base;
  uint64_t device; /* the last one asked about */
  bool folds;      /* ... names may fold there */
  bool each;       /* ... each directory must be asked whether they do */
  bool tells_end;  /* ... a listing tells which name is the last */
};
void pl_fs_real_init(struct pl_fs_real *fs);

/*
 * A file system in memory. memory: copied; NULL: the C library's. Gives *out,
 * free with pl_fs_memory_destroy().
 * Errors: PL_ENOMEM.
 */
struct pl_fs_memory;
int pl_fs_memory_create(const struct pl_module_memory *memory,
                        struct pl_fs_memory **out);
void pl_fs_memory_destroy(struct pl_fs_memory *fs);
struct pl_fs *pl_fs_memory_base(struct pl_fs_memory *fs);

/*
 * Write a file, make a directory, a link, or remove a name (a directory with
 * all below it). Missing parents are made; what was there is replaced. Copies
 * its arguments. Errors: PL_ENOMEM; PL_ENOTDIR when a parent is not a
 * directory; PL_EINVAL for a path that is not absolute.
 */
int pl_fs_memory_write(struct pl_fs_memory *fs, const char *path,
                       const char *bytes, size_t length);
int pl_fs_memory_mkdir(struct pl_fs_memory *fs, const char *path);
int pl_fs_memory_link(struct pl_fs_memory *fs, const char *path,
                      const char *target);
int pl_fs_memory_remove(struct pl_fs_memory *fs, const char *path);

/* Makes the next uses of this name fail with `error` (a negative PL_E value; 0:
 * no longer), below it as well when it is a directory. PL_ENOENT: no name. */
int pl_fs_memory_refuse(struct pl_fs_memory *fs, const char *path, int error);

/* ---------------------------------------------------------------------- */
/* Answers                                                                */

/* X(name, class): the code of Node's error and the class of its object. */
#define PL_MODULE_CODES(X)                                                     \
  X(MODULE_NOT_FOUND, "Error")                                                 \
  X(ERR_MODULE_NOT_FOUND, "Error")                                             \
  X(ERR_INVALID_ARG_TYPE, "TypeError")                                         \
  X(ERR_INVALID_ARG_VALUE, "TypeError")                                        \
  X(ERR_INVALID_FILE_URL_HOST, "TypeError")                                    \
  X(ERR_INVALID_FILE_URL_PATH, "TypeError")                                    \
  X(ERR_INVALID_MODULE_SPECIFIER, "TypeError")                                 \
  X(ERR_INVALID_PACKAGE_CONFIG, "Error")                                       \
  X(ERR_INVALID_PACKAGE_TARGET, "Error")                                       \
  X(ERR_INVALID_URL, "TypeError")                                              \
  X(ERR_INVALID_URL_SCHEME, "TypeError")                                       \
  X(ERR_PACKAGE_IMPORT_NOT_DEFINED, "TypeError")                               \
  X(ERR_PACKAGE_PATH_NOT_EXPORTED, "Error")                                    \
  X(ERR_REQUIRE_ESM, "Error")                                                  \
  X(ERR_UNKNOWN_BUILTIN_MODULE, "Error")                                       \
  X(ERR_UNSUPPORTED_DIR_IMPORT, "Error")                                       \
  X(ERR_UNSUPPORTED_ESM_URL_SCHEME, "Error")                                   \
  X(ERR_UNSUPPORTED_RESOLVE_REQUEST, "TypeError")                              \
  X(ENAMETOOLONG, "Error")                                                     \
  X(SYNTAX_ERROR, "SyntaxError")                                               \
  X(TYPE_ERROR, "TypeError")                                                   \
  X(RANGE_ERROR, "RangeError")                                                 \
  X(URI_ERROR, "URIError")

/* PL_RESOLVED: there is a path. The last four are errors without a code. */
enum pl_module_code {
  PL_RESOLVED = 0,
#define X(name, class) PL_CODE_##name,
  PL_MODULE_CODES(X)
#undef X
};

/* "ERR_MODULE_NOT_FOUND"; NULL for PL_RESOLVED and an error without a code. */
const char *pl_module_code_name(enum pl_module_code code);
/* "TypeError". */
const char *pl_module_code_class(enum pl_module_code code);

enum pl_module_kind {
  PL_MODULE_FILE, /* path: of a file, links resolved */
  PL_MODULE_CORE, /* path: the core module's name as it was asked for */
  PL_MODULE_URL   /* path: a data: URL, or another that is not a file's */
};

/*
 * An answer. Borrows until the resolver forgets (pl_resolver_forget() and
 * its kin) or ends. Absent strings are NULL.
 */
struct pl_resolution {
  enum pl_module_code code;
  enum pl_module_kind kind;
  const char *path; /* resolved: see kind */
  size_t path_length;
  const char *query; /* of an import: "?x#y", or NULL */
  /* What failed: the message is `before`, then when names_parent the parent's
   * path, then `after`, then when has_stack the require stack. */
  const char *before, *after;
  size_t before_length;
  bool names_parent, has_stack;
  bool encodes_parent;       /* the parent's path, as in a URL */
  const char *error_path;    /* the error's .path */
  const char *error_request; /* the error's .requestPath */
  bool deprecated_main;      /* DEP0128: a broken main, index used instead */
  void *mark;                /* a loader's; nothing to anybody else */
};

/* How Node says it: the parent first in `stack`, then its parents. Writes at
 * most `size` bytes with the NUL, and returns the length that is needed. */
size_t pl_resolution_message(const struct pl_resolution *resolution,
                             const char *const *stack, size_t depth, char *out,
                             size_t size);

/* The URL of an answer (file:, node:, data:), percent-encoded as Node does. As
 * above. */
size_t pl_resolution_url(const struct pl_resolution *resolution, char *out,
                         size_t size);

/* ---------------------------------------------------------------------- */
/* The resolver                                                           */

struct pl_resolver;

/*
 * How a resolver is made. Zeroed fields mean the default. Borrows what is
 * pointed to during pl_resolver_create() only, and `fs` until the end.
 */
struct pl_resolver_config {
  struct pl_module_memory memory; /* the C library's */
  struct pl_fs *fs;               /* required */
  int node;                       /* 20 or 22; 22 */
  const char *const *core;        /* names without "node:", ended by NULL; the
                                     list of pl_core_modules() */
  const char *const *conditions;  /* besides those of Node, ended by NULL */
  const char *const *paths;       /* NODE_PATH and its kin, absolute, last
                                     looked at; ended by NULL */
  bool preserve_symlinks;
  /* A directory is listed when `list_after` (12) of its names were asked for
   * one by one, more where it is large, and at once when many others came that
   * far. 1: always; UINT32_MAX: never. */
  uint32_t list_after;
};

/* The core modules that a Node can require without "node:" (20 or 22), and,
 * behind the first NULL, those that need it; ended by a second NULL. */
const char *const *pl_core_modules(int node);

/* Gives *out, free with pl_resolver_destroy(). Errors: PL_ENOMEM, PL_EINVAL. */
int pl_resolver_create(const struct pl_resolver_config *config,
                       struct pl_resolver **out);
void pl_resolver_destroy(struct pl_resolver *resolver);

/*
 * A directory from which is asked, interned. path: absolute; need not exist;
 * normalised here. Borrows until the resolver forgets. Asking by place is the
 * fast way. Errors: PL_ENOMEM, PL_EINVAL (not absolute).
 */
struct pl_place;
int pl_resolver_place(struct pl_resolver *resolver, const char *path,
                      size_t length, struct pl_place **out);
/* Its path; not NUL-terminated. */
const char *pl_place_path(const struct pl_place *place, size_t *length);

/*
 * What require.resolve(specifier) gives in a CommonJS module that lies in
 * `place`. Failures are kept like successes; see pl_resolver_forget().
 * Source: Node, doc/api/modules.md "All together", lib/internal/modules/cjs/
 * loader.js. Errors: PL_ENOMEM; PL_EMFILE and PL_ENFILE when a package.json
 * could not be read for want of a descriptor. Nothing is kept then.
 */
int pl_place_require(struct pl_place *place, const char *specifier,
                     size_t length, const struct pl_resolution **out);

/*
 * What import(specifier) leads to in a module that lies in `place`. The URL's
 * errors that Node gives only when it loads (an unknown node: name, a scheme
 * that it does not load) are given here.
 * Source: Node, doc/api/esm.md "Resolution Algorithm Specification".
 * Errors: as above.
 */
int pl_place_import(struct pl_place *place, const char *specifier,
                    size_t length, const struct pl_resolution **out);

/* The same by path, which costs a look-up of the place. */
int pl_resolver_require(struct pl_resolver *resolver, const char *from,
                        size_t from_length, const char *specifier,
                        size_t length, const struct pl_resolution **out);
int pl_resolver_import(struct pl_resolver *resolver, const char *from,
                       size_t from_length, const char *specifier, size_t length,
                       const struct pl_resolution **out);

/* The folders of one require. `first`: searched before every node_modules
 * (module.paths.unshift()). `starts`, unless NULL: where a search begins
 * instead of the place (require.resolve's option paths). Absolute,
 * NUL-terminated. */
struct pl_lookup {
  const char *const *first;
  size_t first_count;
  const char *const *starts;
  size_t start_count;
};

/* As pl_place_require(), in other folders. The answer is not kept for another
 * question, and lives as long as those that are. */
int pl_place_require_in(struct pl_place *place, const struct pl_lookup *lookup,
                        const char *specifier, size_t length,
                        const struct pl_resolution **out);

/* module.isBuiltin(): whether a name, with "node:" or without, is core. */
bool pl_resolver_is_core(const struct pl_resolver *resolver, const char *name,
                         size_t length);

/* The folders that require searches last, in Node's order: those of NODE_PATH,
 * `home`/.node_modules and /.node_libraries, `prefix`/lib/node. All absolute;
 * home and prefix may be NULL.
 * Source: Node, doc/api/modules.md, "Loading from the global folders". */
struct pl_global_folders {
  const char *const *folders;
  size_t count;
  const char *home, *prefix;
};

/*
 * Replace the folders that are searched last; add a suffix to the search of
 * require, behind the others (require.extensions), at most 31 bytes with its
 * dot. All copy, and end every answer and place given out.
 * Errors: PL_ENOMEM, PL_EINVAL.
 */
int pl_resolver_set_paths(struct pl_resolver *resolver,
                          const char *const *paths, size_t count);
int pl_resolver_set_global(struct pl_resolver *resolver,
                           const struct pl_global_folders *global);
int pl_resolver_add_extension(struct pl_resolver *resolver,
                              const char *extension, size_t length);

/* How Node would treat the file of an answer. UNKNOWN: the source decides (no
 * "type", or no extension). */
enum pl_module_format {
  PL_FORMAT_UNKNOWN,
  PL_FORMAT_COMMONJS,
  PL_FORMAT_MODULE,
  PL_FORMAT_JSON,
  PL_FORMAT_ADDON,
  PL_FORMAT_WASM,
  PL_FORMAT_BUILTIN
};
struct pl_module_about {
  enum pl_module_format format;
  const char *package;      /* name in the nearest package.json, or NULL */
  const char *package_json; /* its path, or NULL */
};
const char *pl_module_format_name(enum pl_module_format format);

/* Format and package of a resolved answer. Strings as those of an answer.
 * Errors: PL_ENOMEM. A package.json that is broken counts as none. */
int pl_resolver_about(struct pl_resolver *resolver,
                      const struct pl_resolution *resolution,
                      struct pl_module_about *about);

/* ---------------------------------------------------------------------- */
/* Why: every question that a resolution asks                             */

/* One step: `text` is a path or a phrase, `outcome` what came of it. */
typedef void pl_explain_fn(void *arg, const char *text, size_t length,
                           const char *outcome);

/* Finds the answer out again, telling each step in order; what is known of the
 * tree is used, kept answers are not. As the functions above. */
int pl_place_explain(struct pl_place *place, const char *specifier,
                     size_t length, bool import, pl_explain_fn *tell, void *arg,
                     const struct pl_resolution **out);

/* ---------------------------------------------------------------------- */
/* What a source asks for                                                 */

enum pl_scan_kind {
  PL_SCAN_REQUIRE, /* require("x") */
  PL_SCAN_IMPORT,  /* import "x", import ... from "x", export ... from "x" */
  PL_SCAN_DYNAMIC, /* import("x") */
  PL_SCAN_EXPORT,  /* exports.x = or module.exports.x = */
  PL_SCAN_REPLACE  /* module.exports = */
};
struct pl_scanned {
  enum pl_scan_kind kind;
  const char *text; /* the specifier or the name, in the source */
  size_t length;
  size_t at;   /* byte in the source */
  size_t line; /* from 1 */
};
typedef void pl_scan_fn(void *arg, const struct pl_scanned *found);

/*
 * Finds what a JavaScript source requires, imports and exports by plain string
 * literals and names, in their order; comments, strings, templates and regular
 * expressions are passed. It reads tokens and does not parse: what stands in
 * code that never runs is found as well, what is put together at run time is
 * not, and neither is a literal with a backslash. Any bytes will do.
 */
void pl_source_scan(const char *source, size_t length, pl_scan_fn *each,
                    void *arg);

/* ---------------------------------------------------------------------- */
/* Forgetting: what a resolver knows is kept until it is told otherwise   */

/*
 * Nothing is looked at twice on its own: an answer, also a failure, stays the
 * same until one of these is called. (Node keeps successes for ever and
 * failures never.) Each of them ends every answer and every place given out.
 *
 *   forget   everything.
 *   changed  `path` and all below it, and whether it exists; for a watcher.
 *   refresh  compares each directory that was listed and each package.json
 *            that was read with what is there now, forgets what differs, and
 *            tells how many did. What was only asked by name is forgotten. A
 *            change within the clock's grain of the listing is found as well:
 *            such a listing is not trusted. Not found: a change that leaves
 *            modification time and size of a package.json as they were.
 */
void pl_resolver_forget(struct pl_resolver *resolver);
void pl_resolver_changed(struct pl_resolver *resolver, const char *path,
                         size_t length);
int pl_resolver_refresh(struct pl_resolver *resolver);

/* Numbers since the resolver began. */
struct pl_resolver_stats {
  uint64_t asked, answered_from_memory;
  uint64_t probes;   /* names asked for one by one */
  uint64_t listings; /* directories listed */
  uint64_t packages; /* package.json files read */
  uint64_t bytes;    /* memory held */
};
void pl_resolver_stats(const struct pl_resolver *resolver,
                       struct pl_resolver_stats *stats);

#ifdef __cplusplus
}
#endif
#endif

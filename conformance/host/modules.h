/* SPDX-License-Identifier: MIT */
/*
 * modules.h: what the files of the modules area share: the state of a run, and
 * what its operations are given.
 *
 * Invariant: everything here lives from modules_open() to modules_close(), so
 * nothing has to be counted but the uses that the provider has.
 */
#ifndef HOST_MODULES_H
#define HOST_MODULES_H

#include "operations.h"
#include "program.h"
#include "run.h"
#include "things.h"

/* An error that goes through bodies: its number is what the provider hands
 * through. */
struct failure {
  struct failure *next;
  int number;
  char *code, *name, *message; /* NULL: it has none */
  char *path, *request_path, *stack;
  bool programs;       /* made by module.throw: it is told by its message */
  struct thing *value; /* not NULL: what was thrown is no error */
};

/* What an id names: how a resolve or require ended. */
struct outcome {
  bool made;
  struct failure *failure; /* NULL: fine */
  struct thing *value;     /* of a require */
};

/* A module's body, while it runs and in its callbacks. */
struct frame {
  struct frame *next;
  void *module;
  struct thing *exports; /* the variable of that name */
};

/* An instance with other conditions than the first. */
struct instance {
  struct instance *next;
  const struct module_args *args;
  void *modules;
};

struct modules {
  struct run *run;
  const struct pl_modules_table *table;
  void *instance;
  struct pl_modules_host host;
  char *dir;                /* real path of the case's */
  struct outcome *outcomes; /* by slot */
  struct failure *failures; /* newest first */
  struct frame *frames;
  struct instance *others;
  const struct text_list
      *search;               /* of the search-path that was last; or NULL */
  const char *home, *prefix; /* likewise */
  struct things things;
};

enum module_show {
  SHOW_CODE,
  SHOW_NAME,
  SHOW_PATH,
  SHOW_REQUEST_PATH,
  SHOW_REQUIRE_STACK,
  SHOW_ID,
  SHOW_FILE,
  SHOW_DIRECTORY,
  SHOW_LOADED,
  SHOW_MAIN,
  SHOW_PARENT,
  SHOW_CHILDREN,
  SHOW_FOLDERS
};

struct text_list {
  const char *const *at; /* ended by NULL */
  size_t count;
};

/* What an operation is given; a text that was not is NULL. */
struct module_args {
  const char *specifier; /* NULL, too, when it is no text */
  const char *from, *path, *to, *name, *text, *message;
  const char *value; /* JSON text */
  struct text_list paths, conditions, folders;
  bool has_paths, by_import, core;
  int of, as; /* slots; -1 */
  enum module_show show;
};

/* -- modules_read.c ------------------------------------------------------- */

/* An operation of the area; NULL: there is none of that name. */
const struct operation *modules_operation(const char *name);

/* -- modules.c ------------------------------------------------------------ */

/* Makes the instance of a run; false after run_fail(). */
bool modules_open(struct run *run);
/* Ends it, and checks that the provider has given back every value. */
void modules_close(struct run *run);
/* Fails the run by what was thrown where nobody catches it. */
void modules_uncaught(struct run *run, const struct op *op);

/* What was thrown: made here, with no detail yet; NULL after run_fail(). */
struct failure *failure_new(struct modules *modules);
/* The one of an outcome that a provider's instance told. */
struct failure *failure_told(struct modules *modules, void *instance,
                             const struct pl_module_outcome *outcome);
/* The one that run->thrown stands for, which is taken back. */
struct failure *failure_caught(struct run *run);
/* Throws. */
void failure_throw(struct run *run, const struct failure *failure);

/* The instance for an operation: of its conditions. NULL after run_fail(). */
void *instance_of(struct run *run, const struct op *op);
/* The module that asks: `from`, the one that runs, or main.js of the case's
 * directory. NULL after run_fail(). */
void *asker_of(struct run *run, const struct op *op, void *instance);

/* -- modules_paths.c ------------------------------------------------------- */

/* The absolute path of one that is relative to the case's directory; the
 * caller frees it. NULL: no memory. */
char *path_at(const struct modules *modules, const char *name);
/* A specifier with $dir, $url and $nul replaced, `length` bytes. */
char *specifier_text(const struct modules *modules, const char *text,
                     size_t *length);
/* Adds a path as it stands in a trace, or as the text of a JSON string. */
void text_add_relative(struct text *text, const struct modules *modules,
                       struct pl_bytes path);
/* Whether a path is the case's directory or below it. */
bool path_inside(const struct modules *modules, struct pl_bytes path);
/* Adds bytes as a JSON string; bytes that are no UTF-8 as U+FFFD. */
void text_add_json_bytes(struct text *text, const char *bytes, size_t length);

/* -- what operations do ---------------------------------------------------- */

typedef void module_op(struct run *run, const struct op *op,
                       const struct call *call);
/* modules_ask.c */
module_op module_resolve, module_folders, module_is_core, module_search_path,
    module_search_home, module_search_prefix, module_require, module_load,
    module_entry, module_error;
/* modules_exports.c */
module_op module_get, module_call, module_names, module_same, module_set,
    module_replace, module_rebind, module_function, module_getter, module_throw;
/* modules_cache.c */
module_op module_show, module_search, module_cache_state, module_cache_files,
    module_cache_delete, module_cache_clear, module_cache_put,
    module_cache_exports, module_loader, module_reload;
/* modules_tree.c */
module_op module_tree_write, module_tree_remove, module_tree_rename,
    module_tree_directory, module_tree_link, module_tree_hard_link;

/* What was loaded and an id names; NULL after run_fail(). */
struct outcome *outcome_named(struct run *run, const struct op *op, int slot);
/* The loaded module at the operation's path, or the one that runs; NULL after
 * run_fail(). */
void *module_of(struct run *run, const struct op *op);
/* Records folders inside the case's directory; null for a core module. */
void tell_folders(struct run *run, const struct op *op, void *instance,
                  void *module, struct pl_bytes specifier);
/* Records a JSON text, and frees it. */
void tell_text(struct run *run, const struct op *op, struct text *text);
/* Records a value, or the error that reading it ended with. */
void tell_thing(struct run *run, const struct op *op, struct thing *thing);
void tell_failure(struct run *run, const struct op *op,
                  const struct failure *failure);
void tell_null(struct run *run, const struct op *op);
/* A literal of the program. NULL after run_fail(). */
struct thing *thing_literal(struct run *run, const struct op *op);

#endif

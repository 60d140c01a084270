/* SPDX-License-Identifier: MIT */
/*
 * modules_cache.c: the cache of loaded modules, and what one knows of itself.
 *
 * Invariant: everything that is told is read from the provider.
 */
#include "modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *cached(struct run *run, const char *name) {
  char *path = path_at(run->modules, name);
  void *module = NULL;
  if (path)
    module = run->modules->table->cached(run->modules->instance,
                                         (struct pl_bytes){path, strlen(path)});
  free(path);
  return module;
}

void *module_of(struct run *run, const struct op *op) {
  const char *name = op->module->path;
  if (!name) {
    if (run->frame) return run->frame->module;
    run_fail(run, op, "`%s` stands in no module", op->name);
    return NULL;
  }
  if (!run->modules->table->cached) {
    run_fail(run, op, "the provider's cache cannot be read");
    return NULL;
  }
  void *module = cached(run, name);
  if (!module) run_fail(run, op, "`%s` is not in the cache of modules", name);
  return module;
}

/* -- one module -------------------------------------------------------- */

static void tell_place(struct run *run, const struct op *op,
                       struct pl_bytes place) {
  struct text text = {0}, json = {0};
  text_add_relative(&text, run->modules, place);
  text_add_json_bytes(&json, text.bytes, text.length);
  json.failed |= text.failed;
  text_free(&text);
  tell_text(run, op, &json);
}

static void tell_children(struct run *run, const struct op *op,
                          const void *module) {
  const struct pl_modules_table *table = run->modules->table;
  struct text text = {0}, json = {0};
  const void *child;
  for (size_t i = 0; (child = table->child(module, i)) != NULL; i++) {
    if (i > 0) text_add(&text, " ", 1);
    text_add_relative(&text, run->modules,
                      table->text(child, PL_MODULE_FILENAME));
  }
  text_add_json_bytes(&json, text.bytes, text.length);
  json.failed |= text.failed;
  text_free(&text);
  tell_text(run, op, &json);
}

void module_show(struct run *run, const struct op *op,
                 const struct call *call) {
  (void)call;
  const struct pl_modules_table *table = run->modules->table;
  void *module = module_of(run, op), *parent;
  if (!module) return;
  switch (op->module->show) {
  case SHOW_ID:
    tell_place(run, op, table->text(module, PL_MODULE_ID));
    break;
  case SHOW_FILE:
    tell_place(run, op, table->text(module, PL_MODULE_FILENAME));
    break;
  case SHOW_DIRECTORY:
    tell_place(run, op, table->text(module, PL_MODULE_DIRNAME));
    break;
  case SHOW_LOADED:
    event_flag(run, op, table->loaded(module) != 0);
    break;
  case SHOW_MAIN:
    event_flag(run, op, table->is_main(module) != 0);
    break;
  case SHOW_PARENT:
    parent = table->parent(module);
    if (parent)
      tell_place(run, op, table->text(parent, PL_MODULE_FILENAME));
    else
      tell_null(run, op);
    break;
  case SHOW_CHILDREN:
    tell_children(run, op, module);
    break;
  default:
    tell_folders(run, op, run->modules->instance, module, (struct pl_bytes){0});
    break;
  }
}

/* The last folder of the list goes in first, so that the first is in front. */
void module_search(struct run *run, const struct op *op,
                   const struct call *call) {
  (void)call;
  const struct text_list *folders = &op->module->folders;
  for (size_t i = folders->count; i-- > 0;) {
    char *path = path_at(run->modules, folders->at[i]);
    int err = -1;
    if (path)
      err = run->modules->table->search(run->frame->module,
                                        (struct pl_bytes){path, strlen(path)});
    free(path);
    if (err != 0) run_fail(run, op, "search: %s", error_name(err));
  }
}

/* -- the cache --------------------------------------------------------- */

void module_cache_state(struct run *run, const struct op *op,
                        const struct call *call) {
  (void)call;
  const void *module = cached(run, op->module->path);
  const char *state = !module                               ? "\"absent\""
                      : run->modules->table->loaded(module) ? "\"loaded\""
                                                            : "\"loading\"";
  event_json(run, op, state, strlen(state));
}

void module_cache_files(struct run *run, const struct op *op,
                        const struct call *call) {
  (void)call;
  const struct modules *modules = run->modules;
  struct text text = {0}, json = {0};
  for (void *at = modules->table->next(modules->instance, NULL); at;
       at = modules->table->next(modules->instance, at)) {
    struct pl_bytes file = modules->table->text(at, PL_MODULE_FILENAME);
    if (!path_inside(modules, file)) continue;
    if (text.length > 0) text_add(&text, " ", 1);
    text_add_relative(&text, modules, file);
  }
  text_add_json_bytes(&json, text.bytes, text.length);
  json.failed |= text.failed;
  text_free(&text);
  tell_text(run, op, &json);
}

void module_cache_delete(struct run *run, const struct op *op,
                         const struct call *call) {
  (void)call;
  char *path = path_at(run->modules, op->module->path);
  if (path)
    run->modules->table->uncache(run->modules->instance,
                                 (struct pl_bytes){path, strlen(path)});
  else
    run_fail(run, op, "out of memory");
  free(path);
}

void module_cache_clear(struct run *run, const struct op *op,
                        const struct call *call) {
  (void)op;
  (void)call;
  const struct modules *modules = run->modules;
  const struct pl_modules_table *table = modules->table;
  void *at = table->next(modules->instance, NULL);
  while (at) {
    void *next = table->next(modules->instance, at);
    struct pl_bytes file = table->text(at, PL_MODULE_FILENAME);
    if (path_inside(modules, file)) table->uncache(modules->instance, file);
    at = next;
  }
}

void module_cache_put(struct run *run, const struct op *op,
                      const struct call *call) {
  (void)call;
  const struct module_args *args = op->module;
  struct thing *value = thing_literal(run, op);
  if (!value) return;
  char *key =
      args->core ? strdup(args->path) : path_at(run->modules, args->path);
  value->uses++;
  int err = -1;
  if (key)
    err = run->modules->table->enter(
        run->modules->instance, (struct pl_bytes){key, strlen(key)}, value);
  if (err != 0) {
    value->uses--;
    run_fail(run, op, "enter: %s", error_name(err));
  }
  free(key);
}

void module_cache_exports(struct run *run, const struct op *op,
                          const struct call *call) {
  (void)call;
  void *module = module_of(run, op);
  struct thing *value = module ? thing_literal(run, op) : NULL;
  if (!value) return;
  value->uses++;
  run->modules->table->set_exports(module, value);
}

void module_loader(struct run *run, const struct op *op,
                   const struct call *call) {
  (void)call;
  const char *suffix = op->module->path;
  int err = run->modules->table->extension(
      run->modules->instance, (struct pl_bytes){suffix, strlen(suffix)});
  if (err != 0) run_fail(run, op, "extension: %s", error_name(err));
}

void module_reload(struct run *run, const struct op *op,
                   const struct call *call) {
  (void)call;
  char *path = path_at(run->modules, op->module->path);
  int gone = -ENOMEM;
  if (path)
    gone = run->modules->table->changed(run->modules->instance,
                                        (struct pl_bytes){path, strlen(path)});
  free(path);
  if (gone < 0) run_fail(run, op, "changed: %s", error_name(gone));
}

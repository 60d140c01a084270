/* SPDX-License-Identifier: MIT */
/*
 * modules_ask.c: the operations that ask a resolver or loader, and what they
 * ended with.
 *
 * Invariant: an error is recorded or kept where the operation has `log` or
 * `id`, and goes on to whoever runs the body where it has neither.
 */
#include "modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- events ------------------------------------------------------------ */

void tell_text(struct run *run, const struct op *op, struct text *text) {
  if (text->failed)
    run_fail(run, op, "out of memory");
  else
    event_json(run, op, text->bytes, text->length);
  text_free(text);
}

void tell_null(struct run *run, const struct op *op) {
  event_json(run, op, "null", 4);
}

/* "!" and its code, or what the program said, or its name. */
void tell_failure(struct run *run, const struct op *op,
                  const struct failure *failure) {
  struct text text = {0}, json = {0};
  const struct thing *value = failure->value;
  text_add(&text, "!", 1);
  if (value && value->kind == THING_SCALAR && *value->json == '"') {
    json_t *string =
        json_loadb(value->json, value->json_length, JSON_DECODE_ANY, NULL);
    text_add_string(&text, string ? json_string_value(string) : "");
    json_decref(string);
  } else if (value && value->kind == THING_SCALAR) {
    text_add(&text, value->json, value->json_length);
  } else if (value) {
    text_add_string(&text, "undefined");
  } else if (failure->code) {
    text_add_string(&text, failure->code);
  } else if (failure->programs) {
    text_add_string(&text, failure->message);
  } else {
    text_add_string(&text, failure->name ? failure->name : "Error");
  }
  text_add_json_bytes(&json, text.bytes, text.length);
  json.failed |= text.failed;
  text_free(&text);
  tell_text(run, op, &json);
}

/* Keeps an error, tells it, or lets it go on. */
static void end_failed(struct run *run, const struct op *op,
                       struct failure *failure) {
  if (!failure) return; /* the run has failed */
  if (op->slot >= 0)
    run->modules->outcomes[op->slot] = (struct outcome){true, failure, NULL};
  if (op->label)
    tell_failure(run, op, failure);
  else if (op->slot < 0)
    failure_throw(run, failure);
}

struct outcome *outcome_named(struct run *run, const struct op *op, int slot) {
  struct outcome *outcome = &run->modules->outcomes[slot];
  if (outcome->made) return outcome;
  run_fail(run, op, "what it names has not been loaded yet");
  return NULL;
}

/* -- resolve ----------------------------------------------------------- */

static bool paths_of(const struct modules *modules,
                     const struct module_args *args, struct pl_bytes *paths) {
  for (size_t i = 0; i < args->paths.count; i++) {
    char *path = path_at(modules, args->paths.at[i]);
    if (!path) return false;
    paths[i] = (struct pl_bytes){path, strlen(path)};
  }
  return true;
}

static void tell_path(struct run *run, const struct op *op,
                      const struct pl_module_outcome *outcome) {
  struct text text = {0}, json = {0};
  text_add_relative(&text, run->modules, outcome->path);
  if (outcome->query.at)
    text_add(&text, outcome->query.at, outcome->query.length);
  text_add_json_bytes(&json, text.bytes, text.length);
  json.failed |= text.failed;
  text_free(&text);
  tell_text(run, op, &json);
}

static void resolve(struct run *run, const struct op *op,
                    struct pl_bytes specifier, struct pl_bytes *paths) {
  struct modules *modules = run->modules;
  const struct module_args *args = op->module;
  void *instance = instance_of(run, op);
  void *module = instance ? asker_of(run, op, instance) : NULL;
  if (!module) return;
  struct pl_module_request request = {.specifier = specifier,
                                      .by_import = args->by_import,
                                      .paths = paths,
                                      .path_count = args->paths.count,
                                      .has_paths = args->has_paths};
  struct pl_module_outcome outcome = {0};
  int status = modules->table->resolve(instance, module, &request, &outcome);
  if (status < 0) {
    run_fail(run, op, "resolve: %s", error_name(status));
  } else if (status > 0) {
    end_failed(run, op, failure_told(modules, instance, &outcome));
  } else {
    if (op->slot >= 0)
      modules->outcomes[op->slot] = (struct outcome){true, NULL, NULL};
    if (op->label) tell_path(run, op, &outcome);
  }
}

void module_resolve(struct run *run, const struct op *op,
                    const struct call *call) {
  (void)call;
  const struct module_args *args = op->module;
  struct pl_bytes specifier = {0};
  char *text = NULL;
  if (args->specifier) {
    text = specifier_text(run->modules, args->specifier, &specifier.length);
    specifier.at = text;
  }
  struct pl_bytes *paths = calloc(args->paths.count + 1, sizeof *paths);
  if ((args->specifier && !text) || !paths ||
      !paths_of(run->modules, args, paths))
    run_fail(run, op, "out of memory");
  else
    resolve(run, op, specifier, paths);
  for (size_t i = 0; paths && i < args->paths.count; i++)
    free((void *)(uintptr_t)paths[i].at);
  free(paths);
  free(text);
}

/* -- what is told of a resolver ---------------------------------------- */

struct folder_list {
  const struct modules *modules;
  struct text text;
};

static void add_folder(void *arg, struct pl_bytes folder) {
  struct folder_list *list = arg;
  if (!path_inside(list->modules, folder)) return;
  if (list->text.length > 0) text_add(&list->text, " ", 1);
  text_add_relative(&list->text, list->modules, folder);
}

void tell_folders(struct run *run, const struct op *op, void *instance,
                  void *module, struct pl_bytes specifier) {
  struct folder_list list = {.modules = run->modules};
  int core = run->modules->table->folders(instance, module, specifier,
                                          add_folder, &list);
  if (core > 0) {
    tell_null(run, op);
  } else {
    struct text json = {0};
    text_add_json_bytes(&json, list.text.bytes, list.text.length);
    json.failed |= list.text.failed;
    tell_text(run, op, &json);
  }
  text_free(&list.text);
}

void module_folders(struct run *run, const struct op *op,
                    const struct call *call) {
  (void)call;
  size_t length;
  char *text = specifier_text(run->modules, op->module->specifier, &length);
  void *module = text ? asker_of(run, op, run->modules->instance) : NULL;
  if (!text) run_fail(run, op, "out of memory");
  if (module)
    tell_folders(run, op, run->modules->instance, module,
                 (struct pl_bytes){text, length});
  free(text);
}

void module_is_core(struct run *run, const struct op *op,
                    const struct call *call) {
  (void)call;
  const char *name = op->module->specifier;
  event_flag(
      run, op,
      run->modules->table->is_core(run->modules->instance,
                                   (struct pl_bytes){name, strlen(name)}) != 0);
}

/* Tells the provider all three kinds of folders that are searched last. */
static int set_search_path(const struct modules *modules) {
  const size_t count = modules->search ? modules->search->count : 0;
  const char *names[2] = {modules->home, modules->prefix};
  char *extra[2] = {NULL, NULL};
  struct pl_bytes *folders = calloc(count + 1, sizeof *folders);
  struct pl_search_path path = {.folders = folders};
  bool made = folders != NULL;
  for (; made && path.count < count; path.count++) {
    char *folder = path_at(modules, modules->search->at[path.count]);
    made = folder != NULL;
    if (!made) break;
    folders[path.count] = (struct pl_bytes){folder, strlen(folder)};
  }
  for (int i = 0; i < 2 && made; i++) {
    if (!names[i]) continue;
    extra[i] = path_at(modules, names[i]);
    made = extra[i] != NULL;
  }
  if (extra[0]) path.home = (struct pl_bytes){extra[0], strlen(extra[0])};
  if (extra[1]) path.prefix = (struct pl_bytes){extra[1], strlen(extra[1])};
  int err = -ENOMEM;
  if (made) err = modules->table->search_path(modules->instance, &path);
  for (size_t i = 0; i < path.count; i++)
    free((void *)(uintptr_t)folders[i].at);
  free(folders);
  free(extra[0]);
  free(extra[1]);
  return err;
}

static void search_again(struct run *run, const struct op *op) {
  int err = set_search_path(run->modules);
  if (err != 0) run_fail(run, op, "search_path: %s", error_name(err));
}

void module_search_path(struct run *run, const struct op *op,
                        const struct call *call) {
  (void)call;
  run->modules->search = &op->module->folders;
  search_again(run, op);
}

void module_search_home(struct run *run, const struct op *op,
                        const struct call *call) {
  (void)call;
  run->modules->home = op->module->path;
  search_again(run, op);
}

void module_search_prefix(struct run *run, const struct op *op,
                          const struct call *call) {
  (void)call;
  run->modules->prefix = op->module->path;
  search_again(run, op);
}

/* -- require ----------------------------------------------------------- */

/* What a load ended with. */
static void end_load(struct run *run, const struct op *op, int status,
                     const struct pl_module_outcome *outcome) {
  if (status < 0) {
    run_fail(run, op, "%s: %s", op->name, error_name(status));
  } else if (status > 0) {
    end_failed(run, op,
               failure_told(run->modules, run->modules->instance, outcome));
  } else {
    struct thing *value = outcome->exports;
    if (op->slot >= 0)
      run->modules->outcomes[op->slot] = (struct outcome){true, NULL, value};
    if (op->label) tell_thing(run, op, value);
  }
}

static void load(struct run *run, const struct op *op, void *module,
                 struct pl_bytes specifier) {
  struct modules *modules = run->modules;
  struct pl_module_outcome outcome = {0};
  int status =
      modules->table->require(modules->instance, module, specifier, &outcome);
  end_load(run, op, status, &outcome);
}

void module_entry(struct run *run, const struct op *op,
                  const struct call *call) {
  (void)call;
  struct modules *modules = run->modules;
  struct pl_module_outcome outcome = {0};
  char *path = path_at(modules, op->module->path);
  int status = -ENOMEM;
  if (path)
    status = modules->table->entry(
        modules->instance, (struct pl_bytes){path, strlen(path)}, &outcome);
  free(path);
  end_load(run, op, status, &outcome);
}

void module_require(struct run *run, const struct op *op,
                    const struct call *call) {
  (void)call;
  struct modules *modules = run->modules;
  struct pl_bytes specifier = {0};
  void *module = asker_of(run, op, modules->instance);
  if (!module) return;
  char *text = NULL;
  if (op->module->specifier) {
    text = specifier_text(modules, op->module->specifier, &specifier.length);
    specifier.at = text;
  }
  if (op->module->specifier && !text)
    run_fail(run, op, "out of memory");
  else
    load(run, op, module, specifier);
  free(text);
}

void module_load(struct run *run, const struct op *op,
                 const struct call *call) {
  (void)call;
  const char *specifier = op->module->specifier;
  void *module = module_of(run, op);
  if (module)
    load(run, op, module, (struct pl_bytes){specifier, strlen(specifier)});
}

void module_error(struct run *run, const struct op *op,
                  const struct call *call) {
  (void)call;
  const struct outcome *outcome = outcome_named(run, op, op->module->of);
  if (!outcome) return;
  const struct failure *failure = outcome->failure;
  const char *detail = NULL;
  if (failure && !failure->value) switch (op->module->show) {
    case SHOW_CODE:
      detail = failure->code;
      break;
    case SHOW_NAME:
      detail = failure->name;
      break;
    case SHOW_PATH:
      detail = failure->path;
      break;
    case SHOW_REQUEST_PATH:
      detail = failure->request_path;
      break;
    default:
      detail = failure->stack;
      break;
    }
  if (!detail) {
    tell_null(run, op);
    return;
  }
  struct text json = {0};
  text_add_json_bytes(&json, detail, strlen(detail));
  tell_text(run, op, &json);
}

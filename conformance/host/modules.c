/* SPDX-License-Identifier: MIT */
/*
 * modules.c: the instance of a run: its host, who asks, what is thrown.
 *
 * Invariant: a body of the program runs as often as the provider runs the text
 * that stands for it, and never otherwise.
 */
#include "modules.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- what is thrown ---------------------------------------------------- */

struct failure *failure_new(struct modules *modules) {
  struct failure *failure = calloc(1, sizeof *failure);
  if (!failure) {
    run_fail(modules->run, NULL, "out of memory");
    return NULL;
  }
  failure->next = modules->failures;
  failure->number = failure->next ? failure->next->number + 1 : 1;
  modules->failures = failure;
  return failure;
}

static struct failure *failure_of(const struct modules *modules, int number) {
  struct failure *at = modules->failures;
  while (at && at->number != number)
    at = at->next;
  return at;
}

static char *copy_bytes(struct pl_bytes bytes) {
  return bytes.at ? strndup(bytes.at, bytes.length) : NULL;
}
static char *copy_string(const char *string) {
  return string ? strdup(string) : NULL;
}

static char *copy_path(const struct modules *modules, struct pl_bytes path) {
  struct text text = {0};
  if (!path.at) return NULL;
  text_add_relative(&text, modules, path);
  text_add(&text, "", 1);
  return text.bytes;
}

static char *copy_stack(const struct modules *modules,
                        const struct pl_module_outcome *outcome) {
  struct text text = {0};
  if (!outcome->stack) return NULL;
  for (size_t i = 0; i < outcome->stack_length; i++) {
    if (i > 0) text_add(&text, " ", 1);
    text_add_relative(&text, modules, outcome->stack[i]);
  }
  text_add(&text, "", 1);
  return text.bytes;
}

struct failure *failure_told(struct modules *modules, void *instance,
                             const struct pl_module_outcome *outcome) {
  struct failure *failure;
  if (outcome->thrown) {
    failure = failure_of(modules, outcome->thrown);
    if (!failure && !modules->run->failed)
      run_fail(modules->run, NULL,
               "the provider tells of %d, which nothing has thrown",
               outcome->thrown);
    return failure;
  }
  failure = failure_new(modules);
  if (!failure) return NULL;
  failure->code = copy_string(outcome->code);
  failure->name = copy_string(outcome->name);
  if (modules->table->message)
    failure->message = copy_string(modules->table->message(instance));
  failure->path = copy_path(modules, outcome->error_path);
  failure->request_path = copy_bytes(outcome->request_path);
  failure->stack = copy_stack(modules, outcome);
  return failure;
}

struct failure *failure_caught(struct run *run) {
  struct failure *failure = failure_of(run->modules, run->thrown);
  run->thrown = 0;
  return failure;
}

void failure_throw(struct run *run, const struct failure *failure) {
  run->thrown = failure->number;
}

void modules_uncaught(struct run *run, const struct op *op) {
  const struct failure *failure = failure_caught(run);
  if (!failure || run->failed) return;
  run_fail(run, op, "nobody catches the error %s: %s",
           failure->code ? failure->code : "without a code",
           failure->message ? failure->message : "");
}

/* -- the host ---------------------------------------------------------- */

static void *host_make(void *self) {
  struct modules *modules = self;
  struct thing *thing = thing_new(&modules->things, THING_OBJECT);
  if (thing) thing->uses = 1;
  return thing;
}

static void host_hold(void *self, void *value) {
  (void)self;
  ((struct thing *)value)->uses++;
}

static void host_release(void *self, void *value) {
  struct modules *modules = self;
  struct thing *thing = value;
  if (--thing->uses < 0)
    run_fail(modules->run, NULL,
             "the provider releases a value that it does not have");
}

/* What stops a load when the run has failed: nobody looks at it. */
static int thrown(struct run *run) {
  int number = run->thrown;
  run->thrown = 0;
  return run->failed ? INT_MAX : number;
}

/* The body that a text stands for, which the build wrote. */
static const struct body *body_of_text(const struct modules *modules,
                                       struct pl_bytes text) {
  static const char call[] = "plumb(";
  static const char rest[] =
      ", exports, require, module, __filename, __dirname);\n";
  size_t at = 0, number = 0, digits = 0;
  while (at < text.length && text.at[at] == '\n')
    at++;
  if (text.length - at < sizeof call - 1 ||
      memcmp(text.at + at, call, sizeof call - 1) != 0)
    return NULL;
  at += sizeof call - 1;
  for (; at < text.length && digits < 9; at++, digits++) {
    if (text.at[at] < '0' || text.at[at] > '9') break;
    number = number * 10 + (size_t)(text.at[at] - '0');
  }
  if (digits == 0 || text.length - at != sizeof rest - 1 ||
      memcmp(text.at + at, rest, sizeof rest - 1) != 0 ||
      number >= modules->run->program->body_count)
    return NULL;
  return &modules->run->program->bodies[number];
}

static int host_run(void *self, void *module, void *exports,
                    struct pl_bytes text) {
  struct modules *modules = self;
  struct run *run = modules->run;
  const struct body *body = body_of_text(modules, text);
  const struct call none = {0};
  struct frame *frame = calloc(1, sizeof *frame);
  if (!frame || !body) {
    free(frame);
    run_fail(run, NULL,
             body ? "out of memory"
                  : "the provider runs a text that is no module's of the "
                    "program: %.*s",
             (int)(text.length < 60 ? text.length : 60), text.at);
    return INT_MAX;
  }
  *frame = (struct frame){modules->frames, module, exports};
  modules->frames = frame;
  struct frame *around = run->frame;
  run->frame = frame;
  run_body(run, body, &none);
  run->frame = around;
  return thrown(run);
}

static int host_json(void *self, struct pl_bytes text, void **exports) {
  struct modules *modules = self;
  json_error_t error;
  json_t *json = json_loadb(text.at, text.length,
                            JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (!json) {
    run_fail(modules->run, NULL, "the provider takes for JSON what is none: %s",
             error.text);
    return INT_MAX;
  }
  struct thing *thing = thing_of_json(&modules->things, json);
  json_decref(json);
  if (!thing) {
    run_fail(modules->run, NULL, "out of memory");
    return INT_MAX;
  }
  thing->uses = 1;
  *exports = thing;
  return 0;
}

/* A core module is a thing that has nothing but its name. */
static int host_core(void *self, struct pl_bytes name, void **exports) {
  struct modules *modules = self;
  for (struct thing *at = modules->things.all; at; at = at->next) {
    if (at->kind != THING_OBJECT || !at->json ||
        at->json_length != name.length ||
        memcmp(at->json, name.at, name.length) != 0)
      continue;
    *exports = at;
    return 0;
  }
  struct thing *thing = thing_new(&modules->things, THING_OBJECT);
  if (thing) thing->json = strndup(name.at, name.length);
  if (!thing || !thing->json) {
    run_fail(modules->run, NULL, "out of memory");
    return INT_MAX;
  }
  thing->json_length = name.length;
  *exports = thing;
  return 0;
}

/* The operation `loader`: a module exports the text of its file. */
static int host_other(void *self, void *module) {
  struct modules *modules = self;
  struct pl_bytes file = modules->table->text(module, PL_MODULE_FILENAME);
  struct text text = {0}, json = {0};
  char *path = strndup(file.at, file.length), chunk[4096];
  FILE *in = path ? fopen(path, "rbe") : NULL;
  size_t n;
  while (in && (n = fread(chunk, 1, sizeof chunk, in)) > 0)
    text_add(&text, chunk, n);
  bool read = in && !ferror(in) && !text.failed;
  if (in) fclose(in);
  free(path);
  if (read) text_add_json_bytes(&json, text.bytes, text.length);
  text_free(&text);
  struct thing *thing =
      read && !json.failed ? thing_new(&modules->things, THING_SCALAR) : NULL;
  if (!thing) {
    text_free(&json);
    run_fail(modules->run, NULL, "a module's file cannot be read");
    return INT_MAX;
  }
  thing->json = json.bytes;
  thing->json_length = json.length;
  thing->uses = 1;
  modules->table->set_exports(module, thing);
  return 0;
}

/* What a module has started ends with it. */
static void host_dispose(void *self, void *module) {
  struct modules *modules = self;
  objects_of_module(modules->run, module);
}

/* -- instances --------------------------------------------------------- */

static bool env_is_on(const char *name) {
  const char *value = getenv(name);
  return value && strcmp(value, "1") == 0;
}

static int open_instance(struct modules *modules,
                         const struct module_args *args, void **instance) {
  const size_t count = args ? args->conditions.count : 0;
  struct pl_bytes *conditions = calloc(count + 1, sizeof *conditions);
  if (!conditions) return -1;
  for (size_t i = 0; i < count; i++)
    conditions[i] = (struct pl_bytes){args->conditions.at[i],
                                      strlen(args->conditions.at[i])};
  struct pl_modules_options options = {.size = sizeof options,
                                       .host = &modules->host,
                                       .conditions = conditions,
                                       .condition_count = count,
                                       .preserve_symlinks =
                                           env_is_on("NODE_PRESERVE_SYMLINKS")};
  int err = modules->table->create(&options, instance);
  free(conditions);
  return err;
}

static bool open_all(struct modules *modules) {
  struct run *run = modules->run;
  size_t slots = run->program->slots;
  modules->host = (struct pl_modules_host){.size = sizeof modules->host,
                                           .self = modules,
                                           .make = host_make,
                                           .hold = host_hold,
                                           .release = host_release,
                                           .run = host_run,
                                           .json = host_json,
                                           .core = host_core,
                                           .other = host_other,
                                           .dispose = host_dispose};
  modules->dir = realpath(run->dir, NULL);
  modules->outcomes = calloc(slots + 1, sizeof *modules->outcomes);
  if (!modules->dir || !modules->outcomes) {
    run_fail(run, NULL, "the directory cannot be found");
    return false;
  }
  int err = open_instance(modules, NULL, &modules->instance);
  if (err == 0) return true;
  modules->instance = NULL;
  run_fail(run, NULL, "modules: create: %s", error_name(err));
  return false;
}

bool modules_open(struct run *run) {
  struct modules *modules = calloc(1, sizeof *modules);
  if (!modules) {
    run_fail(run, NULL, "out of memory");
    return false;
  }
  run->modules = modules;
  modules->run = run;
  modules->table = &run->library->modules;
  return open_all(modules);
}

static void free_failures(struct modules *modules) {
  while (modules->failures) {
    struct failure *failure = modules->failures;
    modules->failures = failure->next;
    free(failure->code);
    free(failure->name);
    free(failure->message);
    free(failure->path);
    free(failure->request_path);
    free(failure->stack);
    free(failure);
  }
}

void modules_close(struct run *run) {
  struct modules *modules = run->modules;
  while (modules->others) {
    struct instance *other = modules->others;
    modules->others = other->next;
    modules->table->destroy(other->modules);
    free(other);
  }
  if (modules->instance) modules->table->destroy(modules->instance);
  long used = things_used(&modules->things);
  if (used != 0)
    run_fail(run, NULL, "the provider has not released %ld values", used);
  while (modules->frames) {
    struct frame *frame = modules->frames;
    modules->frames = frame->next;
    free(frame);
  }
  free_failures(modules);
  things_free(&modules->things);
  free(modules->outcomes);
  free(modules->dir);
  free(modules);
  run->modules = NULL;
}

static bool same_conditions(const struct text_list *a,
                            const struct text_list *b) {
  if (a->count != b->count) return false;
  for (size_t i = 0; i < a->count; i++)
    if (strcmp(a->at[i], b->at[i]) != 0) return false;
  return true;
}

void *instance_of(struct run *run, const struct op *op) {
  struct modules *modules = run->modules;
  const struct module_args *args = op->module;
  if (args->conditions.count == 0) return modules->instance;
  for (struct instance *at = modules->others; at; at = at->next)
    if (same_conditions(&at->args->conditions, &args->conditions))
      return at->modules;
  struct instance *other = calloc(1, sizeof *other);
  int err = other ? open_instance(modules, args, &other->modules) : -1;
  if (err != 0) {
    free(other);
    run_fail(run, op, "create: %s", error_name(err));
    return NULL;
  }
  other->args = args;
  other->next = modules->others;
  modules->others = other;
  return other->modules;
}

void *asker_of(struct run *run, const struct op *op, void *instance) {
  struct modules *modules = run->modules;
  const struct module_args *args = op->module;
  bool own = instance == modules->instance;
  if (!args->from && run->frame && own) return run->frame->module;
  char *path;
  if (!args->from && run->frame)
    path = copy_bytes(
        modules->table->text(run->frame->module, PL_MODULE_FILENAME));
  else
    path = path_at(modules, args->from ? args->from : "main.js");
  void *module = NULL;
  int err = -1;
  if (path)
    err = modules->table->asker(instance, (struct pl_bytes){path, strlen(path)},
                                &module);
  free(path);
  if (err == 0) return module;
  run_fail(run, op, "asker: %s", error_name(err));
  return NULL;
}

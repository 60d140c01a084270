/* SPDX-License-Identifier: MIT */
/*
 * test_shortage.c: every public function that allocates, with memory that runs
 * out at each of its allocations in turn: at that one alone, and from then on.
 *
 * Invariant: what fails says so and has changed nothing that matters: the same
 * call with memory does what it should have done.
 */
#include "forest.h"

#include <stdio.h>
#include <stdlib.h>

#include "plumb/loader.h"

struct play {
  struct forest forest;
  struct pl_loader *loader;
  struct pl_module *module; /* main.js's, cached */
  const struct pl_resolution *resolution;
  char text[512]; /* what an act has got */
};

static const char *const tree[] = {
    "/a/b/c/",
    "/a/main.js",
    "/a/b/x.ts",
    "/a/node_modules/p/package.json {\"main\":\"./lib\"}",
    "/a/node_modules/p/lib/index.js",
    "/a/link -> b",
    "/extra/p.js",
    "/home/.node_modules/h.js",
    "/home/lib/node/l.js",
    NULL};

/* ------------------------------------------------------------------------ */

/* A value is the number of its users. */
static void *make(void *self) {
  (void)self;
  long *users = malloc(sizeof *users);
  assert_non_null(users);
  *users = 1;
  return users;
}

static void hold(void *self, void *value) {
  (void)self;
  ++*(long *)value;
}

static void release(void *self, void *value) {
  (void)self;
  if (--*(long *)value == 0) free(value);
}

/* Requires what its text says. */
static int run(void *self, struct pl_module *module, void *exports,
               const struct pl_source *source) {
  struct play *play = self;
  (void)exports;
  if (source->length == 0) return 0;
  struct pl_required got;
  return pl_module_require(play->loader, module, source->bytes, source->length,
                           &got);
}

static int core(void *self, const char *name, void **exports) {
  static long users;
  (void)self;
  (void)name;
  *exports = &users;
  return 0;
}

static int json(void *self, struct pl_module *module, const char *text,
                size_t length, void **exports) {
  (void)module;
  (void)text;
  (void)length;
  *exports = make(self);
  return 0;
}

static void dispose(void *self, struct pl_module *module) {
  (void)self;
  (void)module;
}

static int other(void *self, struct pl_module *module) {
  (void)self;
  (void)module;
  return 0;
}

static struct pl_loader_config config_of(struct play *play) {
  return (struct pl_loader_config){.memory = forest_memory(&play->forest),
                                   .resolver = play->forest.resolver,
                                   .fs = pl_fs_memory_base(play->forest.fs),
                                   .host = {.self = play,
                                            .make = make,
                                            .hold = hold,
                                            .release = release,
                                            .run = run,
                                            .core = core,
                                            .json = json,
                                            .other = other,
                                            .dispose = dispose}};
}

static void begin(struct play *play) {
  *play = (struct play){0};
  forest_begin(&play->forest, tree);
  struct pl_loader_config config = config_of(play);
  assert_int_equal(pl_loader_create(&config, &play->loader), 0);
  struct pl_required got;
  assert_int_equal(pl_loader_main(play->loader, "/a/main.js", 10, &got), 0);
  play->module = got.module;
  /* So that what is found out needs memory again. */
  pl_resolver_forget(play->forest.resolver);
}

static void end(struct play *play) {
  pl_loader_destroy(play->loader);
  forest_end(&play->forest);
}

/* ------------------------------------------------------- acts: the resolver */

static int place(struct play *play) {
  struct pl_place *found;
  int error =
      pl_resolver_place(play->forest.resolver, "/a//b/../b/c", 12, &found);
  if (error != 0) return error;
  size_t length;
  const char *path = pl_place_path(found, &length);
  snprintf(play->text, sizeof play->text, "%.*s", (int)length, path);
  return 0;
}

static int keep_path(struct play *play, int error,
                     const struct pl_resolution *resolution) {
  if (error != 0) return error;
  snprintf(play->text, sizeof play->text, "%s",
           resolution->code == PL_RESOLVED
               ? resolution->path
               : pl_module_code_name(resolution->code));
  return 0;
}

static int require_in(struct play *play, const struct pl_lookup *lookup) {
  struct pl_place *from;
  const struct pl_resolution *resolution = NULL;
  int error = pl_resolver_place(play->forest.resolver, "/a/b", 4, &from);
  if (error == 0)
    error = pl_place_require_in(from, lookup, "p", 1, &resolution);
  return keep_path(play, error, resolution);
}

static int require_first(struct play *play) {
  const char *const first[] = {"/extra"};
  return require_in(play,
                    &(struct pl_lookup){.first = first, .first_count = 1});
}

static int require_starts(struct play *play) {
  const char *const starts[] = {"/nowhere", "/a/link"};
  return require_in(play,
                    &(struct pl_lookup){.starts = starts, .start_count = 2});
}

static void step(void *arg, const char *text, size_t length,
                 const char *outcome) {
  (void)arg;
  (void)text;
  (void)length;
  (void)outcome;
}

static int explain(struct play *play) {
  struct pl_place *from;
  const struct pl_resolution *resolution = NULL;
  int error = pl_resolver_place(play->forest.resolver, "/a/b", 4, &from);
  if (error == 0)
    error = pl_place_explain(from, "p", 1, false, step, NULL, &resolution);
  return keep_path(play, error, resolution);
}

static int ask(struct play *play, const char *from, const char *specifier) {
  const struct pl_resolution *resolution = NULL;
  int error = pl_resolver_require(play->forest.resolver, from, strlen(from),
                                  specifier, strlen(specifier), &resolution);
  return keep_path(play, error, resolution);
}

static int set_paths(struct play *play) {
  const char *const paths[] = {"/nowhere", "/home/./lib/node"};
  int error = pl_resolver_set_paths(play->forest.resolver, paths, 2);
  return error != 0 ? error : ask(play, "/a/b", "l");
}

static int set_global(struct play *play) {
  const char *const folders[] = {"/nowhere"};
  const struct pl_global_folders global = {folders, 1, "/home", "/home"};
  int error = pl_resolver_set_global(play->forest.resolver, &global);
  if (error == 0) error = ask(play, "/a/b", "l");
  return error != 0 ? error : ask(play, "/a/b", "h");
}

static int add_extension(struct play *play) {
  int error = pl_resolver_add_extension(play->forest.resolver, ".ts", 3);
  return error != 0 ? error : ask(play, "/a/b", "./x");
}

/* Being told of a change cannot fail: what cannot be found out is forgotten. */
static int changed(struct play *play) {
  int error = ask(play, "/a/b", "./late");
  if (error != 0) return error;
  assert_string_equal(play->text, "MODULE_NOT_FOUND");
  forest_add(&play->forest, "/a/b/late.js");
  pl_resolver_changed(play->forest.resolver, "/a/./b/late.js", 14);
  error = ask(play, "/a/b", "./late");
  if (error == 0) return 0;
  pl_fs_memory_remove(play->forest.fs, "/a/b/late.js");
  pl_resolver_forget(play->forest.resolver);
  return error;
}

static int refreshed(struct play *play) {
  int error = ask(play, "/a/b", "./late");
  if (error != 0) return error;
  forest_add(&play->forest, "/a/b/late.js");
  pl_resolver_refresh(play->forest.resolver);
  error = ask(play, "/a/b", "./late");
  if (error == 0) return 0;
  pl_fs_memory_remove(play->forest.fs, "/a/b/late.js");
  pl_resolver_forget(play->forest.resolver);
  return error;
}

/* All that a configuration has. */
static int create(struct play *play) {
  const char *const list[] = {"/extra", "/home/.node_modules", NULL};
  const char *const core_names[] = {"one", "two", NULL};
  struct pl_resolver_config config = play->forest.config;
  config.conditions = core_names;
  config.core = core_names;
  config.paths = list;
  struct pl_resolver *made = NULL;
  const struct pl_resolution *resolution = NULL;
  int error = pl_resolver_create(&config, &made);
  if (error != 0) return error;
  error = pl_resolver_require(made, "/", 1, "h", 1, &resolution);
  error = keep_path(play, error, resolution);
  pl_resolver_destroy(made);
  return error;
}

static int memory_tree(struct play *play) {
  struct pl_module_memory memory = forest_memory(&play->forest);
  struct pl_fs_memory *fs = NULL;
  int error = pl_fs_memory_create(&memory, &fs);
  if (error != 0) return error;
  error = pl_fs_memory_write(fs, "/x/y/f.js", "text", 4);
  if (error == 0) error = pl_fs_memory_mkdir(fs, "/x/d");
  if (error == 0) error = pl_fs_memory_link(fs, "/x/l", "y");
  if (error == 0) error = pl_fs_memory_write(fs, "/x/y/f.js", "other", 5);
  if (error == 0) error = pl_fs_memory_refuse(fs, "/x/d", PL_EACCES);
  if (error == 0) error = pl_fs_memory_remove(fs, "/x/d");
  char *bytes = NULL;
  size_t length = 0;
  struct pl_fs *base = pl_fs_memory_base(fs);
  if (error == 0)
    error = base->ops->read(base, "/x/y/f.js", &memory, &bytes, &length, NULL);
  if (error == 0) {
    snprintf(play->text, sizeof play->text, "%.*s", (int)length, bytes);
    memory.resize(memory.self, bytes, 0);
  }
  pl_fs_memory_destroy(fs);
  return error;
}

/* --------------------------------------------------------- acts: the loader */

static int create_loader(struct play *play) {
  struct pl_loader_config config = config_of(play);
  struct pl_loader *made;
  int error = pl_loader_create(&config, &made);
  if (error == 0) pl_loader_destroy(made);
  return error;
}

static int asker(struct play *play) {
  struct pl_module *module;
  int error = pl_loader_asker(play->loader, "/a/b/asks.js", 12, &module);
  if (error != 0) return error;
  snprintf(play->text, sizeof play->text, "%s", pl_module_filename(module));
  struct pl_module *again;
  error = pl_loader_asker(play->loader, "/a/b/asks.js", 12, &again);
  if (error == 0) assert_ptr_equal(module, again);
  return error;
}

static int resolve(struct play *play, bool import, const char *specifier,
                   const struct pl_lookup *lookup) {
  const struct pl_resolution *resolution = NULL;
  struct pl_load_error why;
  int status = pl_module_resolve(play->module, specifier, strlen(specifier),
                                 import, lookup, &resolution, &why);
  if (status == 1) {
    const char *message = pl_load_error_message(play->loader, &why);
    if (message == NULL) return PL_ENOMEM;
    snprintf(play->text, sizeof play->text, "%s", message);
    return 0;
  }
  return keep_path(play, status, resolution);
}

static int search(struct play *play) {
  int error = pl_module_search(play->module, "/extra", 6);
  return error != 0 ? error : resolve(play, false, "p", NULL);
}

static int resolve_required(struct play *play) {
  return resolve(play, false, "p", NULL);
}

static int resolve_imported(struct play *play) {
  return resolve(play, true, "p", NULL);
}

static int resolve_missing(struct play *play) {
  return resolve(play, false, "nope", NULL);
}

static int resolve_elsewhere(struct play *play) {
  const char *const starts[] = {"/a/b/c"};
  return resolve(play, false, "p",
                 &(struct pl_lookup){.starts = starts, .start_count = 1});
}

/* require() says by 1 what a body threw: here that there was no memory. */
static int require(struct play *play, const char *specifier) {
  struct pl_required got;
  int status = pl_module_require(play->loader, play->module, specifier,
                                 strlen(specifier), &got);
  if (status == 1) {
    assert_int_equal(got.error.thrown, PL_ENOMEM);
    return PL_ENOMEM;
  }
  if (status == 0 && got.module != NULL)
    snprintf(play->text, sizeof play->text, "%s", pl_module_id(got.module));
  return status;
}

static int add_loader_extension(struct play *play) {
  int error = pl_loader_add_extension(play->loader, ".ts", 3);
  return error != 0 ? error : require(play, "./b/x");
}

static int require_twice(struct play *play) {
  forest_add(&play->forest, "/a/one.js ./two");
  forest_add(&play->forest, "/a/two.js node:fs");
  int error = require(play, "./one");
  return error != 0 ? error : require(play, "./two");
}

static int enter(struct play *play) {
  void *value = make(play);
  struct pl_module *module;
  int error = pl_loader_enter(play->loader, "/a/made.js", 10, value, &module);
  if (error != 0) {
    release(play, value); /* it was not taken */
    return error;
  }
  snprintf(play->text, sizeof play->text, "%s", pl_module_id(module));
  return 0;
}

/* What main.js led to goes, and main.js with it. */
static int reload(struct play *play) {
  forest_add(&play->forest, "/a/one.js ./two");
  forest_add(&play->forest, "/a/two.js");
  struct pl_required got;
  int error = pl_loader_main(play->loader, "/a/main.js", 10, &got);
  if (error != 0) return error == 1 ? PL_ENOMEM : error;
  play->module = got.module;
  error = require(play, "./one");
  if (error != 0) return error;
  snprintf(play->text, sizeof play->text, "%zu",
           pl_loader_changed(play->loader, "/a/two.js", 9));
  return 0;
}

/* ------------------------------------------------------------------------ */

struct act {
  const char *name;
  int (*act)(struct play *play);
  const char *expected;
};

static const struct act acts[] = {
    {"pl_resolver_place", place, "/a/b/c"},
    {"pl_place_require_in, first", require_first, "/extra/p.js"},
    {"pl_place_require_in, starts", require_starts,
     "/a/node_modules/p/lib/index.js"},
    {"pl_place_explain", explain, "/a/node_modules/p/lib/index.js"},
    {"pl_resolver_set_paths", set_paths, "/home/lib/node/l.js"},
    {"pl_resolver_set_global", set_global, "/home/.node_modules/h.js"},
    {"pl_resolver_add_extension", add_extension, "/a/b/x.ts"},
    {"pl_resolver_changed", changed, "/a/b/late.js"},
    {"pl_resolver_refresh", refreshed, "/a/b/late.js"},
    {"pl_resolver_create", create, "/home/.node_modules/h.js"},
    {"pl_fs_memory_create and what fills it", memory_tree, "other"},
    {"pl_loader_create", create_loader, ""},
    {"pl_loader_asker", asker, "/a/b/asks.js"},
    {"pl_module_search", search, "/extra/p.js"},
    {"pl_module_resolve", resolve_required, "/a/node_modules/p/lib/index.js"},
    {"pl_module_resolve, import", resolve_imported,
     "/a/node_modules/p/lib/index.js"},
    {"pl_module_resolve, missing", resolve_missing,
     "Cannot find module 'nope'\nRequire stack:\n- /a/main.js"},
    {"pl_module_resolve, paths", resolve_elsewhere,
     "/a/node_modules/p/lib/index.js"},
    {"pl_loader_add_extension", add_loader_extension, "/a/b/x.ts"},
    {"pl_module_require", require_twice, "/a/two.js"},
    {"pl_loader_enter", enter, "/a/made.js"},
    {"pl_loader_changed", reload, "3"},
};

/* False: nothing failed, so there are no more allocations. */
static bool with_shortage(const struct act *act, long n, bool once) {
  struct play play;
  begin(&play);
  play.forest.once = once;
  play.forest.until_fail = n;
  int error = act->act(&play);
  play.forest.until_fail = -1;
  bool failed = play.forest.failed > 0;
  if (error != 0) {
    if (error != PL_ENOMEM || !failed)
      fail_msg("%s, allocation %ld: %d", act->name, n, error);
    if (act->act(&play) != 0) fail_msg("%s, again after %ld", act->name, n);
  }
  if (strcmp(play.text, act->expected) != 0)
    fail_msg("%s, allocation %ld%s: expected %s, got %s", act->name, n,
             once ? " alone" : "", act->expected, play.text);
  end(&play);
  return failed;
}

static void every_function_survives_every_shortage(void **unused) {
  (void)unused;
  for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
    for (int once = 0; once < 2; once++) {
      long n = 0;
      while (with_shortage(&acts[i], n, once))
        n++;
      if (n == 0) fail_msg("%s allocates nothing", acts[i].name);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_function_survives_every_shortage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

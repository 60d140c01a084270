/* SPDX-License-Identifier: MIT */
/*
 * test_loader.c: modules that are loaded: once, in order, in cycles, again.
 *
 * The host here runs a language of lines: `say x` adds x to the trace, `set x`
 * adds x to the exports' text, `replace x` makes new exports, `require x` adds
 * what it got to the trace as <text>, with ~ when partial, `try x` does so and
 * goes on when it throws, `delete x` takes out of the cache, `throw n` throws.
 *
 * Invariant: every value that was made is released.
 */
#include "forest.h"

#include <stdio.h>
#include <stdlib.h>

#include "plumb/loader.h"

#define TREE(...)                                                              \
  (const char *const[]) {                                                      \
    __VA_ARGS__, NULL                                                          \
  }

struct value {
  int users;
  char text[64];
};

struct stage {
  struct forest forest;
  struct pl_loader *loader;
  char trace[1024];
  long values;
  int disposed;
  struct pl_load_error error; /* the last one */
};

static void say(struct stage *stage, const char *text) {
  size_t used = strlen(stage->trace);
  snprintf(stage->trace + used, sizeof stage->trace - used, "%s%s",
           used > 0 ? " " : "", text);
}

static void *make_value(void *self) {
  struct stage *stage = self;
  struct value *value = calloc(1, sizeof *value);
  assert_non_null(value);
  value->users = 1;
  stage->values++;
  return value;
}

static void hold_value(void *self, void *value) {
  (void)self;
  ((struct value *)value)->users++;
}

static void release_value(void *self, void *arg) {
  struct stage *stage = self;
  struct value *value = arg;
  if (--value->users > 0) return;
  stage->values--;
  free(value);
}

static int run_line(struct stage *stage, struct pl_module *module,
                    struct value *exports, const char *verb, const char *word) {
  if (strcmp(verb, "say") == 0) say(stage, word);
  if (strcmp(verb, "set") == 0) strcat(exports->text, word);
  if (strcmp(verb, "throw") == 0) return atoi(word);
  if (strcmp(verb, "delete") == 0)
    pl_loader_uncache(stage->loader, word, strlen(word));
  if (strcmp(verb, "replace") == 0) {
    struct value *value = make_value(stage);
    strcpy(value->text, word);
    pl_module_set_exports(module, value);
  }
  if (strcmp(verb, "require") != 0 && strcmp(verb, "try") != 0) return 0;
  struct pl_required got;
  int status =
      pl_module_require(stage->loader, module, word, strlen(word), &got);
  if (status == 0) {
    char text[80];
    snprintf(text, sizeof text, "<%s>%s", ((struct value *)got.exports)->text,
             got.partial ? "~" : "");
    say(stage, text);
    return 0;
  }
  stage->error = got.error;
  if (strcmp(verb, "try") == 0) return 0;
  return got.error.thrown == 0 ? 99 : got.error.thrown;
}

static int run_body(void *self, struct pl_module *module, void *exports,
                    const struct pl_source *source) {
  struct stage *stage = self;
  char text[512];
  snprintf(text, sizeof text, "%.*s", (int)source->length, source->bytes);
  for (char *rest = text, *line; (line = strsep(&rest, ";\n")) != NULL;) {
    char verb[32] = "", word[128] = "";
    if (sscanf(line, "%31s %127s", verb, word) < 1) continue;
    int thrown = run_line(stage, module, exports, verb, word);
    if (thrown != 0) return thrown;
  }
  return 0;
}

static int run_core(void *self, const char *name, void **exports) {
  static struct value core = {.users = 1000000, .text = "core"};
  (void)self;
  (void)name;
  *exports = &core;
  return 0;
}

static int make_json(void *self, struct pl_module *module, const char *text,
                     size_t length, void **exports) {
  (void)module;
  struct value *value = make_value(self);
  snprintf(value->text, sizeof value->text, "%.*s", (int)length, text);
  *exports = value;
  return 0;
}

static void count_disposed(void *self, struct pl_module *module) {
  struct stage *stage = self;
  (void)module;
  stage->disposed++;
}

static void begin(struct stage *stage, const char *const *tree) {
  *stage = (struct stage){0};
  forest_begin(&stage->forest, tree);
  struct pl_loader_config config = {.memory = forest_memory(&stage->forest),
                                    .resolver = stage->forest.resolver,
                                    .fs = pl_fs_memory_base(stage->forest.fs),
                                    .depth = 100,
                                    .host = {.self = stage,
                                             .make = make_value,
                                             .hold = hold_value,
                                             .release = release_value,
                                             .run = run_body,
                                             .core = run_core,
                                             .json = make_json,
                                             .dispose = count_disposed}};
  assert_int_equal(pl_loader_create(&config, &stage->loader), 0);
}

static void end(struct stage *stage) {
  pl_loader_destroy(stage->loader);
  forest_end(&stage->forest);
  assert_int_equal(stage->values, 0);
}

static int run_main(struct stage *stage, const char *path) {
  struct pl_required got;
  stage->trace[0] = '\0';
  int status = pl_loader_main(stage->loader, path, strlen(path), &got);
  if (status == 1) stage->error = got.error;
  return status;
}

static struct pl_module *cached(struct stage *stage, const char *path) {
  return pl_loader_cached(stage->loader, path, strlen(path));
}

/* ------------------------------------------------------------------------ */

static void a_body_runs_once_and_in_order(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js say m1; require ./a; say m2; require ./b; say m3",
                     "/a.js say a; require ./b; set A", "/b.js say b; set B"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "m1 a b <B> <A> m2 <B> m3");
  assert_string_equal(pl_module_id(cached(&stage, "/m.js")), ".");
  assert_ptr_equal(pl_loader_require_main(stage.loader),
                   cached(&stage, "/m.js"));
  assert_ptr_equal(pl_module_parent(cached(&stage, "/b.js")),
                   cached(&stage, "/a.js"));
  struct pl_module *const *children;
  assert_int_equal(pl_module_children(cached(&stage, "/m.js"), &children), 2);
  assert_ptr_equal(children[1], cached(&stage, "/b.js"));
  assert_true(pl_module_loaded(children[0]));
  end(&stage);
}

static void a_cycle_sees_partial_exports(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js require ./a; require ./b",
                     "/a.js set a1; require ./b; set a2",
                     "/b.js set b1; require ./a; set b2"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "<a1>~ <b1b2> <a1a2> <b1b2>");
  end(&stage);
}

static void a_file_that_went_is_not_found(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js require ./a; try ./b", "/a.js say a", "/b.js say b",
                     "/b.json 1"));
  struct pl_required got;
  assert_int_equal(run_main(&stage, "/a.js"), 0);
  /* The directory is known by now: b.js is gone, b.json is still there. */
  const struct pl_resolution *known;
  assert_int_equal(
      pl_resolver_require(stage.forest.resolver, "/", 1, "./b", 3, &known), 0);
  assert_string_equal(known->path, "/b.js");
  assert_int_equal(pl_fs_memory_remove(stage.forest.fs, "/b.js"), 0);
  assert_int_equal(pl_module_require(stage.loader, NULL, "./b", 3, &got), 0);
  assert_string_equal(((struct value *)got.exports)->text, "1");
  assert_int_equal(pl_fs_memory_remove(stage.forest.fs, "/b.json"), 0);
  assert_true(pl_loader_uncache(stage.loader, "/b.json", 7));
  assert_int_equal(pl_module_require(stage.loader, NULL, "./b", 3, &got), 1);
  assert_int_equal(got.error.code, PL_CODE_MODULE_NOT_FOUND);
  end(&stage);
}

static void an_asker_is_a_parent_and_nothing_else(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/d/a.js say a; try ./none"));
  struct pl_module *asker, *same;
  assert_int_equal(pl_loader_asker(stage.loader, "/d/x.js", 7, &asker), 0);
  assert_int_equal(pl_loader_asker(stage.loader, "/d/x.js", 7, &same), 0);
  assert_ptr_equal(asker, same);
  assert_int_equal(pl_loader_asker(stage.loader, "x.js", 4, &same), PL_EINVAL);
  struct pl_required got;
  assert_int_equal(pl_module_require(stage.loader, asker, "./a", 3, &got), 0);
  assert_ptr_equal(pl_module_parent(got.module), asker);
  assert_string_equal(pl_load_error_message(stage.loader, &stage.error),
                      "Cannot find module './none'\nRequire stack:\n"
                      "- /d/a.js\n- /d/x.js");
  assert_null(cached(&stage, "/d/x.js"));
  assert_int_equal(pl_loader_collect(stage.loader), 0);
  assert_int_equal(pl_module_require(stage.loader, asker, NULL, 0, &got), 1);
  assert_int_equal(got.error.code, PL_CODE_ERR_INVALID_ARG_TYPE);
  assert_string_equal(pl_load_error_class(&got.error), "TypeError");
  end(&stage);
}

static void folders_of_a_module_come_first_for_it_alone(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js try p", "/node_modules/p.js set modules",
                     "/x/p.js set x", "/y/p.js set y"));
  struct pl_module *one, *other;
  assert_int_equal(pl_loader_asker(stage.loader, "/one.js", 7, &one), 0);
  assert_int_equal(pl_loader_asker(stage.loader, "/other.js", 9, &other), 0);
  assert_int_equal(pl_module_search(one, "y", 1), PL_EINVAL);
  assert_int_equal(pl_module_search(one, "/y", 2), 0);
  assert_int_equal(pl_module_search(one, "/x", 2), 0);
  struct pl_required got;
  assert_int_equal(pl_module_require(stage.loader, one, "p", 1, &got), 0);
  assert_string_equal(((struct value *)got.exports)->text, "x");
  assert_int_equal(pl_module_require(stage.loader, other, "p", 1, &got), 0);
  assert_string_equal(((struct value *)got.exports)->text, "modules");
  end(&stage);
}

static void replaced_exports_do_not_reach_who_has_the_old(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage,
        TREE("/m.js require ./a; require ./a",
             "/a.js require ./b; replace new; set lost", "/b.js require ./a"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "<>~ <> <new> <new>");
  end(&stage);
}

static void a_body_that_throws_leaves_the_cache(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js try ./a; try ./a; require ./c",
                     "/a.js say a; require ./c; require ./b",
                     "/b.js say b; throw 7", "/c.js say c"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "a c <> b a <> b <>");
  assert_int_equal(stage.error.failure, PL_LOAD_THREW);
  assert_int_equal(stage.error.thrown, 7);
  assert_null(cached(&stage, "/a.js"));
  assert_null(cached(&stage, "/b.js"));
  struct pl_module *const *children;
  assert_int_equal(pl_module_children(cached(&stage, "/m.js"), &children), 1);
  /* The first a stays: it is c's parent. */
  assert_int_equal(pl_loader_collect(stage.loader), 3);
  end(&stage);
}

static void modules_are_kept_by_real_path(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage,
        TREE("/m.js require ./l; require ./r/a; require ./l.js",
             "/l.js -> r/a.js", "/r/a.js say once; require ./b", "/r/b.js"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "once <> <> <> <>");
  assert_non_null(cached(&stage, "/r/a.js"));
  end(&stage);
}

static void json_tells_where_it_breaks(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage,
        TREE("/m.js require ./a; require ./b.json; try ./c.json", "/a.json 5",
             "/b.json \xef\xbb\xbf[1]", "/c.json {\"a\":1,}"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "<5> <[1]>");
  assert_int_equal(stage.error.failure, PL_LOAD_BAD_JSON);
  assert_int_equal(stage.error.position, 7);
  assert_string_equal(stage.error.message,
                      "/c.json: Expected double-quoted property name in JSON "
                      "at position 7 (line 1 column 8)");
  assert_null(cached(&stage, "/c.json"));
  end(&stage);
}

static void a_mark_or_a_shebang_is_taken_off_but_not_both(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js require ./a; require ./b; require ./c",
                     "/a.js #!/bin/x say;no\nsay a", "/b.js \xef\xbb\xbfsay b",
                     "/c.js \xef\xbb\xbf#!x\nsay c"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "a <> b <> c <>");
  end(&stage);
}

static void a_deleted_module_is_read_again(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage,
        TREE("/m.js require ./a; delete /a.js; require ./a; require ./a",
             "/a.js say a; require ./b; set x", "/b.js say b"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "a b <> <x> a <> <x> <x>");
  struct pl_module *const *children;
  assert_int_equal(pl_module_children(cached(&stage, "/m.js"), &children), 2);
  end(&stage);
}

static void core_modules_and_entries_of_their_name(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js require fs; require node:fs; try node:nope",
                     "/n.js require fs; require node:fs; try ./x"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "<core> <core>");
  assert_int_equal(stage.error.code, PL_CODE_ERR_UNKNOWN_BUILTIN_MODULE);
  struct pl_module *fake;
  struct value *value = make_value(&stage);
  strcpy(value->text, "fake");
  assert_int_equal(pl_loader_enter(stage.loader, "fs", 2, value, &fake), 0);
  assert_int_equal(run_main(&stage, "/n.js"), 0);
  assert_string_equal(stage.trace, "<fake> <core>");
  assert_int_equal(stage.error.code, PL_CODE_MODULE_NOT_FOUND);
  assert_string_equal(pl_load_error_message(stage.loader, &stage.error),
                      "Cannot find module './x'\nRequire stack:\n- /n.js");
  end(&stage);
}

static void a_missing_module_is_found_once_it_is_there(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js try ./late; try ./late", "/n.js require ./late"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_int_equal(stage.error.failure, PL_LOAD_NOT_RESOLVED);
  forest_add(&stage.forest, "/late.js set late");
  assert_int_equal(run_main(&stage, "/n.js"), 0);
  assert_string_equal(stage.trace, "<late>");
  end(&stage);
}

static void modules_within_modules_end_somewhere(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/m.js require ./d0"));
  char line[64];
  for (int i = 0; i < 150; i++) {
    snprintf(line, sizeof line, "/d%d.js require ./d%d", i, i + 1);
    forest_add(&stage.forest, line);
  }
  assert_int_equal(run_main(&stage, "/m.js"), 1);
  assert_int_equal(stage.error.failure, PL_LOAD_THREW);
  assert_null(cached(&stage, "/m.js"));
  end(&stage);
}

static void a_changed_file_takes_its_dependants_along(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage,
        TREE("/m.js require ./a; require ./x", "/a.js require ./b; require ./c",
             "/b.js require ./d; set b", "/c.js require ./d",
             "/d.js require ./b; set d1", "/x.js set x"));
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  forest_add(&stage.forest, "/d.js set d2");
  assert_int_equal(pl_loader_changed(stage.loader, "/d.js", 5), 5);
  assert_int_equal(stage.disposed, 5);
  assert_non_null(cached(&stage, "/x.js"));
  assert_null(cached(&stage, "/m.js"));
  long before = stage.values;
  assert_int_equal(before, 1);
  assert_int_equal(run_main(&stage, "/m.js"), 0);
  assert_string_equal(stage.trace, "<d2> <b> <d2> <> <> <x>");
  /* A hundred times leaves no more behind than once. */
  long blocks = stage.forest.blocks;
  for (int i = 0; i < 100; i++) {
    assert_int_equal(pl_loader_changed(stage.loader, "/d.js", 5), 5);
    assert_int_equal(run_main(&stage, "/m.js"), 0);
  }
  assert_int_equal(stage.values, 6);
  assert_true(stage.forest.blocks <= blocks + 2);
  end(&stage);
}

static void collect_path(void *arg, const char *path, size_t length) {
  char text[64];
  snprintf(text, sizeof text, "%.*s", (int)length, path);
  say(arg, text);
}

static void module_paths_are_those_of_the_walk(void **unused) {
  (void)unused;
  struct stage stage;
  begin(&stage, TREE("/a/node_modules/p/m.js"));
  assert_int_equal(run_main(&stage, "/a/node_modules/p/m.js"), 0);
  pl_module_paths(cached(&stage, "/a/node_modules/p/m.js"), collect_path,
                  &stage);
  assert_string_equal(stage.trace, "/a/node_modules/p/node_modules "
                                   "/a/node_modules /node_modules");
  end(&stage);
}

static void every_shortage_while_loading_is_survived(void **unused) {
  (void)unused;
  long n = 0;
  for (bool short_of = true; short_of; n++) {
    struct stage stage;
    begin(&stage, TREE("/m.js try ./a; try ./j; try ./nope; try ./a",
                       "/a.js try ./b; set x", "/b.js try ./a", "/j.json [1]"));
    stage.forest.until_fail = n;
    run_main(&stage, "/m.js");
    short_of = stage.forest.until_fail == 0;
    stage.forest.until_fail = -1;
    if (cached(&stage, "/m.js") != NULL)
      pl_loader_uncache(stage.loader, "/m.js", 5);
    pl_loader_uncache(stage.loader, "/a.js", 5);
    pl_loader_uncache(stage.loader, "/b.js", 5);
    assert_int_equal(run_main(&stage, "/m.js"), 0);
    assert_string_equal(stage.trace, "<>~ <> <x> <[1]> <x>");
    end(&stage);
  }
  assert_true(n > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_body_runs_once_and_in_order),
      cmocka_unit_test(a_cycle_sees_partial_exports),
      cmocka_unit_test(a_file_that_went_is_not_found),
      cmocka_unit_test(an_asker_is_a_parent_and_nothing_else),
      cmocka_unit_test(folders_of_a_module_come_first_for_it_alone),
      cmocka_unit_test(replaced_exports_do_not_reach_who_has_the_old),
      cmocka_unit_test(a_body_that_throws_leaves_the_cache),
      cmocka_unit_test(modules_are_kept_by_real_path),
      cmocka_unit_test(json_tells_where_it_breaks),
      cmocka_unit_test(a_mark_or_a_shebang_is_taken_off_but_not_both),
      cmocka_unit_test(a_deleted_module_is_read_again),
      cmocka_unit_test(core_modules_and_entries_of_their_name),
      cmocka_unit_test(a_missing_module_is_found_once_it_is_there),
      cmocka_unit_test(modules_within_modules_end_somewhere),
      cmocka_unit_test(a_changed_file_takes_its_dependants_along),
      cmocka_unit_test(module_paths_are_those_of_the_walk),
      cmocka_unit_test(every_shortage_while_loading_is_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_hostile.c: trees that mean harm, memory that runs out, files that
 * change: an answer or an error, never a crash and never a wrong path.
 *
 * Invariant: what failed for want of memory succeeds when asked again.
 */
#include "forest.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const rich[] = {
    "/a/b/c/",
    "/a/node_modules/p/package.json "
    "{\"exports\":{\".\":{\"require\":\"./r.js\","
    "\"import\":[5,\"./i.js\"]},\"./*\":\"./lib/*.js\",\"./q\":\"bad\"}}",
    "/a/node_modules/p/r.js",
    "/a/node_modules/p/i.js",
    "/a/node_modules/p/lib/x.js",
    "/node_modules/m/package.json {\"main\":\"./lib\"}",
    "/node_modules/m/lib/index.js",
    "/a/l -> ../node_modules/m",
    "/a/package.json "
    "{\"name\":\"me\",\"imports\":{\"#x\":\"m\",\"#b\":\"./b/*\"},"
    "\"exports\":\"./e.js\"}",
    "/a/e.js",
    "/broken/package.json {",
    NULL};

static const struct question rich_asked[] = {
    {"/a/b/c", "p", "/a/node_modules/p/r.js"},
    {"/a/b/c", "p/x", "/a/node_modules/p/lib/x.js"},
    {"/a/b/c", "p/q", "!ERR_INVALID_PACKAGE_TARGET"},
    {"/a/b", "m", "/node_modules/m/lib/index.js"},
    {"/a/b", "../l", "/node_modules/m/lib/index.js"},
    {"/a/b", "#x", "/node_modules/m/lib/index.js"},
    {"/a/b", "#y", "!ERR_PACKAGE_IMPORT_NOT_DEFINED"},
    {"/a", "me", "/a/e.js"},
    {"/a", "nope/x", MISSING},
    {"/broken", "./x", "!ERR_INVALID_PACKAGE_CONFIG"},
    {"/a", "fs", "fs"},
    {0}};

/* Fails the n-th allocation of everything from the creation on; asks again
 * with memory and checks the answer. False: nothing failed. */
static bool run_with_shortage(struct forest *forest, long n, bool import) {
  bool failed = false;
  forest->until_fail = n;
  struct pl_resolver *resolver = NULL;
  int error = pl_resolver_create(&forest->config, &resolver);
  if (error != 0) {
    assert_int_equal(error, PL_ENOMEM);
    assert_int_equal(forest->blocks, 0);
    return true;
  }
  for (const struct question *at = rich_asked; at->from != NULL; at++) {
    const struct pl_resolution *resolution = NULL;
    for (int attempt = 0; attempt < 2; attempt++) {
      error = (import ? pl_resolver_import : pl_resolver_require)(
          resolver, at->from, strlen(at->from), at->specifier,
          strlen(at->specifier), &resolution);
      struct pl_module_about about;
      if (error == 0) error = pl_resolver_about(resolver, resolution, &about);
      if (error == 0) break;
      assert_int_equal(error, PL_ENOMEM);
      failed = true;
      forest->until_fail = -1;
    }
    assert_int_equal(error, 0);
    if (!import)
      assert_true(forest_is(resolution, at->expected, at->specifier));
  }
  pl_resolver_destroy(resolver);
  assert_int_equal(forest->blocks, 0);
  return failed;
}

static void every_shortage_of_memory_is_told_and_forgotten(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, rich);
  pl_resolver_destroy(forest.resolver);
  forest.resolver = NULL;
  for (int import = 0; import < 2; import++)
    for (int by_name = 0; by_name < 2; by_name++) {
      forest.config.list_after = by_name ? UINT32_MAX : 1;
      long n = 0;
      while (run_with_shortage(&forest, n, import))
        n++;
      assert_true(n > 20);
    }
  forest.until_fail = -1;
  forest_end(&forest);
}

static void asking_by_name_and_listing_agree(void **unused) {
  (void)unused;
  for (uint32_t after = 1; after < 6; after++) {
    struct forest forest;
    forest_begin(&forest, rich);
    forest.config.list_after = after == 5 ? UINT32_MAX : after;
    forest_resolver(&forest);
    forest_require(&forest, rich_asked);
    forest_end(&forest);
  }
}

static char *deep_path(size_t levels) {
  char *path = malloc(levels * 2 + 16);
  assert_non_null(path);
  for (size_t i = 0; i < levels; i++)
    memcpy(path + i * 2, "/d", 2);
  strcpy(path + levels * 2, "");
  return path;
}

static void ten_thousand_levels_are_too_long_and_nothing_else(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/node_modules/p.js"));
  char *path = deep_path(10000);
  const struct pl_resolution *resolution;
  size_t length = strlen(path);
  assert_int_equal(
      pl_resolver_require(forest.resolver, path, length, "./x", 3, &resolution),
      0);
  assert_true(forest_is(resolution, MISSING, "./x"));
  assert_int_equal(
      pl_resolver_require(forest.resolver, path, length, "p", 1, &resolution),
      0);
  assert_true(forest_is(resolution, "/node_modules/p.js", "p"));
  assert_int_equal(
      pl_resolver_import(forest.resolver, path, length, "p", 1, &resolution),
      0);
  assert_true(forest_is(resolution, "!ERR_MODULE_NOT_FOUND", "p"));
  free(path);
  forest_end(&forest);
}

static void long_names_and_paths_do_not_exist(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/a.js"));
  char name[5000] = "./";
  memset(name + 2, 'x', 300);
  forest_require(&forest, ASK({"/", name, MISSING}, {"/", name + 2, MISSING}));
  memset(name + 2, 'x', sizeof name - 3);
  forest_require(&forest, ASK({"/", name, MISSING}, {"/", name + 2, MISSING}));
  forest_end(&forest);
}

static void a_name_may_hold_any_byte(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/a.js", "/\xff.js", "/dir/index.js"));
  forest_require(&forest, ASK({"/", "./\xff", "/\xff.js"}));
  const struct pl_resolution *resolution;
  assert_int_equal(
      pl_resolver_require(forest.resolver, "/", 1, "./a.js\0x", 8, &resolution),
      0);
  assert_true(forest_is(resolution, "!ERR_INVALID_ARG_VALUE", "NUL"));
  assert_int_equal(
      pl_resolver_require(forest.resolver, "/", 1, "./dir\0", 6, &resolution),
      0);
  assert_true(forest_is(resolution, MISSING, "NUL"));
  assert_int_equal(
      pl_resolver_require(forest.resolver, "/", 1, "a\0b", 3, &resolution), 0);
  assert_true(forest_is(resolution, MISSING, "NUL"));
  assert_int_equal(
      pl_resolver_require(forest.resolver, "a", 1, "b", 1, &resolution),
      PL_EINVAL);
  forest_end(&forest);
}

static void what_is_refused_is_passed(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest,
               TREE("/secret/a.js", "/a.js", "/a.json", "/p/package.json {",
                    "/p/index.js", "/node_modules/q/index.js",
                    "/x/node_modules/q/index.js"));
  pl_fs_memory_refuse(forest.fs, "/secret", PL_EACCES);
  pl_fs_memory_refuse(forest.fs, "/a.js", PL_EACCES);
  pl_fs_memory_refuse(forest.fs, "/p/package.json", PL_EACCES);
  pl_fs_memory_refuse(forest.fs, "/x/node_modules", PL_EIO);
  for (uint32_t after = 1; after < 4; after++) {
    forest.config.list_after = after;
    forest_resolver(&forest);
    forest_require(&forest,
                   ASK({"/", "./secret/a", MISSING}, {"/", "./a", "/a.json"},
                       {"/", "./p", "/p/index.js"},
                       {"/x", "q", "/node_modules/q/index.js"},
                       {"/", "./a.json/b", MISSING}));
  }
  forest_end(&forest);
}

static void deep_targets_are_refused_not_followed(void **unused) {
  (void)unused;
  size_t depth = 200000;
  char *json = malloc(depth * 2 + 64);
  assert_non_null(json);
  char *at = json + sprintf(json, "{\"exports\":");
  memset(at, '[', depth);
  at += depth;
  at += sprintf(at, "\"./a.js\"");
  memset(at, ']', depth);
  at[depth] = '}';
  struct forest forest;
  forest_begin(&forest, TREE("/node_modules/p/a.js"));
  pl_fs_memory_write(forest.fs, "/node_modules/p/package.json", json,
                     (size_t)(at - json) + depth + 1);
  forest_require(&forest, ASK({"/", "p", "!RangeError"}));
  forest_end(&forest);
  free(json);
}

static void a_huge_package_is_read(void **unused) {
  (void)unused;
  size_t size = 50u << 20;
  char *json = malloc(size + 64);
  assert_non_null(json);
  size_t at = (size_t)sprintf(json, "{\"x\":[");
  while (at < size) {
    memcpy(json + at, "{\"a\":\"}\"},", 10);
    at += 10;
  }
  at += (size_t)sprintf(json + at, "1],\"main\":\"m\"}");
  struct forest forest;
  forest_begin(&forest, TREE("/p/m.js"));
  pl_fs_memory_write(forest.fs, "/p/package.json", json, at);
  forest_require(&forest, ASK({"/", "./p", "/p/m.js"}));
  struct pl_resolver_stats stats;
  pl_resolver_stats(forest.resolver, &stats);
  assert_true(stats.bytes < 1 << 20);
  forest_end(&forest);
  free(json);
}

static void failures_are_kept_until_told_otherwise(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/d/a.json", "/d/e/x.js", "/o/node_modules/p.js"));
  forest_require(&forest,
                 ASK({"/d", "./b", MISSING}, {"/d", "./a", "/d/a.json"},
                     {"/d/e", "p", MISSING}));
  forest_add(&forest, "/d/b.js");
  forest_add(&forest, "/d/a.js");
  forest_add(&forest, "/d/node_modules/p.js");
  forest_require(&forest,
                 ASK({"/d", "./b", MISSING}, {"/d", "./a", "/d/a.json"}));
  pl_resolver_changed(forest.resolver, "/d/b.js", 7);
  forest_require(&forest, ASK({"/d", "./b", "/d/b.js"}));
  pl_resolver_changed(forest.resolver, "/d", 2);
  forest_require(&forest, ASK({"/d", "./a", "/d/a.js"},
                              {"/d/e", "p", "/d/node_modules/p.js"}));
  forest_end(&forest);
}

static void refreshing_finds_what_differs(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/d/a.json", "/p/package.json {\"main\":\"x\"}",
                             "/p/x.js", "/p/y.js", "/z/index.js"));
  forest.config.list_after = 1;
  forest_resolver(&forest);
  const struct question before[] = {{"/d", "./a", "/d/a.json"},
                                    {"/", "./p", "/p/x.js"},
                                    {"/", "./z", "/z/index.js"},
                                    {0}};
  forest_require(&forest, before);
  assert_int_equal(pl_resolver_refresh(forest.resolver), 0);
  forest_require(&forest, before);
  forest_add(&forest, "/d/a.js");
  forest_add(&forest, "/p/package.json {\"main\":\"y\"}");
  pl_fs_memory_remove(forest.fs, "/z");
  assert_true(pl_resolver_refresh(forest.resolver) >= 2);
  forest_require(&forest, ASK({"/d", "./a", "/d/a.js"}, {"/", "./p", "/p/y.js"},
                              {"/", "./z", MISSING}));
  pl_resolver_forget(forest.resolver);
  forest_require(&forest, ASK({"/d", "./a", "/d/a.js"}));
  forest_end(&forest);
}

struct steps {
  int count;
  char last[64];
};

static void count_step(void *arg, const char *text, size_t length,
                       const char *outcome) {
  struct steps *steps = arg;
  (void)outcome;
  steps->count++;
  snprintf(steps->last, sizeof steps->last, "%.*s", (int)length, text);
}

static void explaining_tells_every_probe_in_order(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/d/a.node"));
  struct pl_place *place;
  assert_int_equal(pl_resolver_place(forest.resolver, "/d", 2, &place), 0);
  const struct pl_resolution *resolution;
  struct steps steps = {0};
  assert_int_equal(
      pl_place_explain(place, "./a", 3, false, count_step, &steps, &resolution),
      0);
  assert_int_equal(steps.count, 4);
  assert_string_equal(steps.last, "/d/a.node");
  assert_string_equal(resolution->path, "/d/a.node");
  forest_end(&forest);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_shortage_of_memory_is_told_and_forgotten),
      cmocka_unit_test(asking_by_name_and_listing_agree),
      cmocka_unit_test(ten_thousand_levels_are_too_long_and_nothing_else),
      cmocka_unit_test(long_names_and_paths_do_not_exist),
      cmocka_unit_test(a_name_may_hold_any_byte),
      cmocka_unit_test(what_is_refused_is_passed),
      cmocka_unit_test(deep_targets_are_refused_not_followed),
      cmocka_unit_test(a_huge_package_is_read),
      cmocka_unit_test(failures_are_kept_until_told_otherwise),
      cmocka_unit_test(refreshing_finds_what_differs),
      cmocka_unit_test(explaining_tells_every_probe_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

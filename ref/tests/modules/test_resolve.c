/* SPDX-License-Identifier: MIT */
/*
 * test_resolve.c: CommonJS resolution without package.json: core modules,
 * relative, absolute and bare requests, links.
 *
 * Invariant: each table is one tree and what is asked in it.
 */
#include "forest.h"

#include <stdio.h>

static void check(const char *const *tree, const struct question *questions) {
  struct forest forest;
  forest_begin(&forest, tree);
  forest_require(&forest, questions);
  forest_end(&forest);
}

static void core_modules_come_first(void **unused) {
  (void)unused;
  check(TREE("/node_modules/fs/index.js", "/node_modules/test/index.js",
             "/node_modules/nope/index.js", "/node_modules/fs/nope.js"),
        ASK({"/", "fs", "fs"}, {"/", "node:fs", "node:fs"},
            {"/", "fs/promises", "fs/promises"},
            {"/", "fs/", "/node_modules/fs/index.js"},
            {"/", "fs/nope", "/node_modules/fs/nope.js"},
            {"/", "test", "/node_modules/test/index.js"},
            {"/", "node:test", "node:test"}, {"/", "node:nope", MISSING},
            {"/", "internal/util", MISSING}));
}

static void every_core_name_is_found(void **unused) {
  (void)unused;
  for (int node = 20; node <= 22; node += 2) {
    struct forest forest;
    forest_begin(&forest, TREE("/x.js"));
    forest.config.node = node;
    forest_resolver(&forest);
    const char *const *at = pl_core_modules(node);
    for (; *at != NULL; at++)
      assert_true(pl_resolver_is_core(forest.resolver, *at, strlen(*at)));
    for (at++; *at != NULL; at++) {
      char name[64];
      size_t length = (size_t)snprintf(name, sizeof name, "node:%s", *at);
      assert_true(pl_resolver_is_core(forest.resolver, name, length));
      assert_false(pl_resolver_is_core(forest.resolver, name + 5, length - 5));
    }
    forest_end(&forest);
  }
}

static void core_names_are_injected(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/node_modules/fs/index.js"));
  forest.config.core = (const char *const[]){"zeta", "alpha", NULL};
  forest_resolver(&forest);
  forest_require(&forest,
                 ASK({"/", "fs", "/node_modules/fs/index.js"},
                     {"/", "alpha", "alpha"}, {"/", "node:zeta", "node:zeta"}));
  forest_end(&forest);
}

static void extensions_are_tried_in_order(void **unused) {
  (void)unused;
  check(TREE("/a.js", "/a.json", "/b.json", "/b.node", "/c.node", "/d", "/d.js",
             "/e.js.js", "/f.mjs", "/g.cjs", "/h.a.js", "/.i.js", "/k.js/",
             "/k.json"),
        ASK({"/", "./a", "/a.js"}, {"/", "./b", "/b.json"},
            {"/", "./c", "/c.node"}, {"/", "./d", "/d"},
            {"/", "./e.js", "/e.js.js"}, {"/", "./f", MISSING},
            {"/", "./g", MISSING}, {"/", "./h.a", "/h.a.js"},
            {"/", "./.i", "/.i.js"}, {"/", "./k", "/k.json"},
            {"/", "./A", MISSING}, {"/", "./a.js?x", MISSING},
            {"/", "./a\\b", MISSING}));
}

static void a_slash_at_the_end_means_a_directory(void **unused) {
  (void)unused;
  check(TREE("/foo.js", "/foo/index.js", "/bar.js", "/x/index.js", "/x.js",
             "/index.json", "/y/"),
        ASK({"/", "./foo", "/foo.js"}, {"/", "./foo/", "/foo/index.js"},
            {"/", "./foo/.", "/foo/index.js"}, {"/", "./bar/", MISSING},
            {"/", "./bar.js/", MISSING}, {"/x", ".", "/x/index.js"},
            {"/x", "./", "/x/index.js"}, {"/x", "..", "/index.json"},
            {"/x", "../", "/index.json"}, {"/", "./y", MISSING},
            {"/", "/", "/index.json"}, {"/", "//x", "/x.js"},
            {"/", "./x/..", "/index.json"}));
}

static void paths_are_normalised_as_texts(void **unused) {
  (void)unused;
  check(TREE("/a.js", "/b/c.js", "/..x.js"),
        ASK({"/b", "./nope/../c", "/b/c.js"}, {"/", ".//a", "/a.js"},
            {"/b", "../../../../a", "/a.js"}, {"/", "./././a", "/a.js"},
            {"/nope", "../a", "/a.js"}, {"/", "..x", "/..x.js"},
            {"/", "/b//c.js", "/b/c.js"}));
}

static void bare_requests_walk_upwards(void **unused) {
  (void)unused;
  check(TREE("/a/b/node_modules/p/index.js", "/a/node_modules/p/index.js",
             "/a/node_modules/q.js", "/node_modules/r", "/node_modules/q/i.js",
             "/node_modules/@s/p/index.json", "/node_modules/@s/index.js",
             "/a/b/node_modules/t/", "/node_modules/t/index.js",
             "/node_modules/p/x.js", "/node_modules/.h/index.js"),
        ASK({"/a/b", "p", "/a/b/node_modules/p/index.js"},
            {"/a/b/c/d", "p", "/a/b/node_modules/p/index.js"},
            {"/a", "p", "/a/node_modules/p/index.js"},
            {"/a/b", "q", "/a/node_modules/q.js"},
            {"/a/b", "q/i", "/node_modules/q/i.js"},
            {"/a/b", "r", "/node_modules/r"},
            {"/a/b", "t", "/node_modules/t/index.js"},
            {"/a/b", "p/x", "/node_modules/p/x.js"},
            {"/a", "@s/p", "/node_modules/@s/p/index.json"},
            {"/a", "@s", "/node_modules/@s/index.js"},
            {"/a", ".h", "/node_modules/.h/index.js"}, {"/a", "nope", MISSING},
            {"/a/b/node_modules/p", "q", "/a/node_modules/q.js"},
            {"/a/b/node_modules", "p", "/a/b/node_modules/p/index.js"}));
}

static void global_folders_come_last(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/node_modules/p.js", "/g1/p.js", "/g1/q.js",
                             "/g2/q.js", "/g2/r/index.js"));
  forest.config.paths = (const char *const[]){"/nope", "/g1/", "/g2", NULL};
  forest_resolver(&forest);
  forest_require(&forest,
                 ASK({"/a", "p", "/node_modules/p.js"}, {"/a", "q", "/g1/q.js"},
                     {"/a", "r", "/g2/r/index.js"}, {"/a", "./q", MISSING}));
  forest_end(&forest);
}

static void links_lead_to_real_paths(void **unused) {
  (void)unused;
  check(TREE("/real/a.js", "/real/sub/b.js", "/l.js -> real/a.js", "/d -> real",
             "/d2 -> /d/../real/sub", "/loop -> loop", "/x -> y", "/y -> x",
             "/broken.js -> nope", "/broken.json",
             "/node_modules/p -> ../store/p", "/store/p/index.js",
             "/store/node_modules/q.js", "/l.json -> real/a.js"),
        ASK({"/", "./l", "/real/a.js"}, {"/", "./d/a", "/real/a.js"},
            {"/", "./d2/b", "/real/sub/b.js"}, {"/d2", "../l", "/real/a.js"},
            {"/", "./loop", MISSING}, {"/", "./x/a", MISSING},
            {"/", "./broken", "/broken.json"}, {"/", "p", "/store/p/index.js"},
            {"/store/p", "q", "/store/node_modules/q.js"},
            {"/node_modules/p", "q", MISSING},
            {"/", "./l.json", "/real/a.js"}));
}

static void links_are_kept_when_asked_for(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/real/a.js", "/d -> real", "/l.js -> d/a.js",
                             "/loop -> loop"));
  forest.config.preserve_symlinks = true;
  forest_resolver(&forest);
  forest_require(&forest, ASK({"/", "./d/a", "/d/a.js"}, {"/", "./l", "/l.js"},
                              {"/", "./loop", MISSING}));
  forest_end(&forest);
}

static void forty_links_are_followed_and_no_more(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/l0.js"));
  char line[64];
  for (int i = 1; i <= 45; i++) {
    snprintf(line, sizeof line, "/l%d.js -> l%d.js", i, i - 1);
    forest_add(&forest, line);
  }
  /* From the long end first: what failed must not spoil what is shorter. */
  forest_require(&forest,
                 ASK({"/", "./l45", MISSING}, {"/", "./l41", MISSING},
                     {"/", "./l40", "/l0.js"}, {"/", "./l39", "/l0.js"},
                     {"/", "./l44", MISSING}, {"/", "./l3", "/l0.js"}));
  forest_end(&forest);
}

static void an_empty_request_is_an_argument_error(void **unused) {
  (void)unused;
  check(TREE("/a.js"), ASK({"/", "", "!ERR_INVALID_ARG_VALUE"}));
}

static void a_missing_module_names_the_require_stack(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest, TREE("/a.js"));
  const struct pl_resolution *resolution =
      forest_ask(&forest, "/", "./nope", false);
  const char *const stack[] = {"/b.js", "/a.js"};
  char message[128];
  size_t length =
      pl_resolution_message(resolution, stack, 2, message, sizeof message);
  assert_string_equal(message, "Cannot find module './nope'\nRequire stack:\n"
                               "- /b.js\n- /a.js");
  assert_int_equal(length, strlen(message));
  char shorter[8];
  assert_int_equal(pl_resolution_message(resolution, stack, 2, shorter, 8),
                   length);
  assert_string_equal(shorter, "Cannot ");
  forest_end(&forest);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(core_modules_come_first),
      cmocka_unit_test(every_core_name_is_found),
      cmocka_unit_test(core_names_are_injected),
      cmocka_unit_test(extensions_are_tried_in_order),
      cmocka_unit_test(a_slash_at_the_end_means_a_directory),
      cmocka_unit_test(paths_are_normalised_as_texts),
      cmocka_unit_test(bare_requests_walk_upwards),
      cmocka_unit_test(global_folders_come_last),
      cmocka_unit_test(links_lead_to_real_paths),
      cmocka_unit_test(links_are_kept_when_asked_for),
      cmocka_unit_test(forty_links_are_followed_and_no_more),
      cmocka_unit_test(an_empty_request_is_an_argument_error),
      cmocka_unit_test(a_missing_module_names_the_require_stack),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

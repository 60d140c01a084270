/* SPDX-License-Identifier: MIT */
/*
 * test_packages.c: package.json under require and import: main, exports,
 * imports, self-reference, broken files, URLs.
 *
 * Invariant: each table is one tree and what is asked in it.
 */
#include "forest.h"

#include <stdio.h>

#define P "/node_modules/p/"

static void check(int node, const char *const *tree,
                  const struct question *require,
                  const struct question *import) {
  struct forest forest;
  forest_begin(&forest, tree);
  forest.config.node = node;
  forest_resolver(&forest);
  forest_require(&forest, require);
  if (import != NULL) forest_import(&forest, import);
  forest_end(&forest);
}

static void main_selects_the_file(void **unused) {
  (void)unused;
  check(22,
        TREE("/a/package.json {\"main\":\"m\"}", "/a/m.json",
             "/b/package.json {\"main\":\"lib/\"}", "/b/lib.js",
             "/b/lib/index.js", "/c/package.json {\"main\":\"nope\"}",
             "/c/index.node", "/d/package.json {\"main\":\"nope\"}",
             "/e/package.json {\"main\":5}", "/e/index.js",
             "/f/package.json {\"main\":\"../a/m.json\"}", "/g/package.json/",
             "/g/index.js", "/node_modules/p/package.json {\"main\":\"x\"}",
             "/q/node_modules/p/package.json {\"main\":\"nope\"}", P "x.js"),
        ASK({"/", "./a", "/a/m.json"}, {"/", "./b", "/b/lib.js"},
            {"/", "./c", "/c/index.node"}, {"/", "./d", MISSING},
            {"/", "./e", "/e/index.js"}, {"/", "./f", "/a/m.json"},
            {"/", "./g", "/g/index.js"}, {"/", "p", P "x.js"},
            {"/q", "p", MISSING}),
        ASK({"/", "p", P "x.js"}, {"/q", "p", "!ERR_MODULE_NOT_FOUND"}));
}

static void a_broken_main_says_where(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest,
               TREE(P "package.json {\"main\":\"x\"}",
                    "/q/package.json {\"main\":\"x\"}", "/q/index.js"));
  const struct pl_resolution *resolution = forest_ask(&forest, "/", "p", false);
  assert_string_equal(resolution->error_path, P "package.json");
  assert_string_equal(resolution->error_request, "p");
  assert_true(forest_ask(&forest, "/", "./q", false)->deprecated_main);
  forest_end(&forest);
}

static void exports_conditions_hold_in_their_order(void **unused) {
  (void)unused;
  const char *const *tree = TREE(
      P "package.json {\"exports\":{\".\":{\"zed\":\"./z.js\",\"import\":"
        "\"./i.js\",\"require\":\"./r.js\"},\"./n\":{\"node\":{\"nope\":"
        "\"./x.js\"},\"default\":\"./d.js\"},\"./null\":{\"node\":null,"
        "\"default\":\"./d.js\"},\"./s\":{\"module-sync\":\"./d.js\"},"
        "\"./dup\":{\"require\":\"./x.js\",\"default\":\"./d.js\",\"require\":"
        "\"./r.js\"},\"./0\":{\"0\":\"./d.js\"}}}",
      P "z.js", P "i.js", P "r.js", P "d.js");
  check(22, tree,
        ASK({"/", "p", P "r.js"}, {"/", "p/n", P "d.js"},
            {"/", "p/null", "!ERR_PACKAGE_PATH_NOT_EXPORTED"},
            {"/", "p/s", P "d.js"}, {"/", "p/dup", P "r.js"},
            {"/", "p/0", "!ERR_INVALID_PACKAGE_CONFIG"},
            {"/", "p/z.js", "!ERR_PACKAGE_PATH_NOT_EXPORTED"}),
        ASK({"/", "p", P "i.js"}, {"/", "p/dup", P "d.js"}));
  struct forest forest;
  forest_begin(&forest, tree);
  forest.config.conditions = (const char *const[]){"zed", NULL};
  forest_resolver(&forest);
  forest_require(&forest, ASK({"/", "p", P "z.js"}));
  forest_end(&forest);
}

static void exports_patterns_prefer_the_longest(void **unused) {
  (void)unused;
  check(22,
        TREE(P "package.json {\"exports\":{\"./*\":\"./any/*.js\",\"./lib/*\":"
               "\"./l/*.js\",\"./lib/*.js\":\"./j/*.js\",\"./lib/secret/*\":"
               "null,\"./two/*\":\"./t/*/*.js\",\"./**\":\"./x.js\","
               "\"./e/*\":\"./*\"}}",
             P "any/a.js", P "any/a/b.js", P "l/a.js", P "j/a.js", P "t/a/a.js",
             P "a\1b.js"),
        ASK({"/", "p/a", P "any/a.js"}, {"/", "p/a/b", P "any/a/b.js"},
            {"/", "p/lib/a", P "l/a.js"}, {"/", "p/lib/a.js", P "j/a.js"},
            {"/", "p/lib/secret/a", "!ERR_PACKAGE_PATH_NOT_EXPORTED"},
            {"/", "p/two/a", P "t/a/a.js"},
            {"/", "p/", "!ERR_PACKAGE_PATH_NOT_EXPORTED"},
            {"/", "p/e/a%20b.js", P "a b.js"}, {"/", "p/e/a b.js", P "a b.js"},
            {"/", "p/e/%zz", "!URIError"},
            {"/", "p/e/x%2fy", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/", "p/e/../any/a.js", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/", "p/e/node_modules/x", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/", "p/e/a%20b.js?x", P "a b.js"}),
        NULL);
}

static void targets_must_stay_inside(void **unused) {
  (void)unused;
  check(
      22,
      TREE(P "package.json {\"exports\":{\"./a\":\"../x.js\",\"./b\":\"x.js\","
             "\"./c\":\"./y/../x.js\",\"./d\":\"./node_modules/x.js\","
             "\"./e\":\"./%2e%2e/x.js\",\"./f\":5,\"./g\":[\"x.js\","
             "\"./x.js\"],\"./h\":[\"./nope.js\",\"./x.js\"],\"./i\":[],"
             "\"./j\":\"./.\\t./x.js\",\"./k\":\"./x.js?q\"}}",
           P "x.js"),
      ASK({"/", "p/a", "!ERR_INVALID_PACKAGE_TARGET"},
          {"/", "p/b", "!ERR_INVALID_PACKAGE_TARGET"},
          {"/", "p/c", "!ERR_INVALID_PACKAGE_TARGET"},
          {"/", "p/d", "!ERR_INVALID_PACKAGE_TARGET"},
          {"/", "p/e", "!ERR_INVALID_PACKAGE_TARGET"},
          {"/", "p/f", "!ERR_INVALID_PACKAGE_TARGET"}, {"/", "p/g", P "x.js"},
          {"/", "p/h", MISSING}, {"/", "p/i", "!ERR_PACKAGE_PATH_NOT_EXPORTED"},
          {"/", "p/j", "!ERR_INVALID_PACKAGE_TARGET"}, {"/", "p/k", P "x.js"}),
      NULL);
}

static void a_missed_export_does_not_go_on_upwards(void **unused) {
  (void)unused;
  check(22,
        TREE("/a/node_modules/p/package.json {\"exports\":\"./i.js\"}",
             "/a/node_modules/p/i.js", "/a/node_modules/p.js", P "x.js",
             "/a/node_modules/m/package.json {\"exports\":{\".\":\"./i.js\","
             "\"x\":\"./i.js\"}}"),
        ASK({"/a", "p/x", "!ERR_PACKAGE_PATH_NOT_EXPORTED"},
            {"/a", "p", "/a/node_modules/p/i.js"},
            {"/a", "m", "!ERR_INVALID_PACKAGE_CONFIG"},
            {"/a", "./node_modules/p/i", "/a/node_modules/p/i.js"}),
        NULL);
}

static void many_exports_are_found_as_few_are(void **unused) {
  (void)unused;
  char json[8192] = P "package.json {\"exports\":{";
  for (int i = 0; i < 100; i++)
    snprintf(json + strlen(json), sizeof json - strlen(json),
             "\"./k%d\":\"./f%d.js\",", i, i % 3);
  strcat(json, "\"./d/*\":\"./f1.js\",\"./k7\":\"./f2.js\"}}");
  check(22, TREE(json, P "f0.js", P "f1.js", P "f2.js"),
        ASK({"/", "p/k99", P "f0.js"}, {"/", "p/k7", P "f2.js"},
            {"/", "p/d/x", P "f1.js"},
            {"/", "p/k100", "!ERR_PACKAGE_PATH_NOT_EXPORTED"}),
        NULL);
}

static void imports_are_the_scopes_own(void **unused) {
  (void)unused;
  check(22,
        TREE("/package.json {\"imports\":{\"#a\":\"./a.js\",\"#p\":\"p\","
             "\"#fs\":\"fs\",\"#nfs\":\"node:fs\",\"#d/*\":\"./d/*.js\","
             "\"#x\":\"./x\",\"#out\":\"../a.js\",\"#no\":\"nope\"}}",
             "/a.js", "/x.js", "/d/e.js", P "index.js", "/s/package.json {}",
             "/s/node_modules/#q.js"),
        ASK({"/", "#a", "/a.js"}, {"/deep/er", "#a", "/a.js"},
            {"/", "#p", P "index.js"}, {"/", "#d/e", "/d/e.js"},
            {"/", "#fs", "!ERR_INVALID_URL_SCHEME"},
            {"/", "#nfs", "!ERR_INVALID_PACKAGE_TARGET"}, {"/", "#x", MISSING},
            {"/", "#no", MISSING}, {"/", "#out", "!ERR_INVALID_PACKAGE_TARGET"},
            {"/", "#z", "!ERR_PACKAGE_IMPORT_NOT_DEFINED"},
            {"/", "#", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/", "#/a", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/s", "#a", MISSING}, {"/s", "#q", "/s/node_modules/#q.js"},
            {"/node_modules/p", "#a", MISSING}),
        ASK({"/", "#a", "/a.js"}, {"/", "#fs", "node:fs"},
            {"/s", "#a", "!ERR_PACKAGE_IMPORT_NOT_DEFINED"},
            {"/", "#no", "!ERR_MODULE_NOT_FOUND"}));
}

static void a_package_may_name_itself(void **unused) {
  (void)unused;
  check(22,
        TREE("/package.json {\"name\":\"me\",\"exports\":{\".\":\"./i.js\","
             "\"./a\":\"./a.js\"}}",
             "/i.js", "/a.js", "/node_modules/me/index.js",
             "/node_modules/me2/index.js", "/sub/package.json {}",
             "/none/package.json {\"name\":\"none\"}", "/none/index.js"),
        ASK({"/", "me", "/i.js"}, {"/deep", "me/a", "/a.js"},
            {"/", "me/b", "!ERR_PACKAGE_PATH_NOT_EXPORTED"},
            {"/", "me2", "/node_modules/me2/index.js"},
            {"/sub", "me", "/node_modules/me/index.js"},
            {"/none", "none", MISSING}),
        ASK({"/", "me", "/i.js"}, {"/none", "none", "!ERR_MODULE_NOT_FOUND"}));
}

static void broken_packages_are_errors(void **unused) {
  (void)unused;
  const char *const *tree =
      TREE("/a/package.json {", "/a/x.js", "/b/package.json []", "/b/index.js",
           "/c/package.json {\"main\":\"x\"} y",
           "/d/package.json {\"a\":tru,"
           "\"main\":\"x\"}",
           "/d/x.js", "/e/package.json null", "/f/package.json ",
           "/g/package.json \xef\xbb\xbf{\"main\":\"x\"}", "/g/x.js",
           "/h/package.json {\"exports\":{\"a\":tru}}");
  check(22, tree,
        ASK({"/", "./a", "!ERR_INVALID_PACKAGE_CONFIG"},
            {"/a", "./x", "!ERR_INVALID_PACKAGE_CONFIG"},
            {"/", "./b", "!ERR_INVALID_PACKAGE_CONFIG"},
            {"/", "./c", "!ERR_INVALID_PACKAGE_CONFIG"},
            {"/", "./d", "/d/x.js"},
            {"/", "./e", "!ERR_INVALID_PACKAGE_CONFIG"},
            {"/", "./f", "!ERR_INVALID_PACKAGE_CONFIG"},
            {"/", "./g", "/g/x.js"}, {"/", "./h", "!SyntaxError"}),
        ASK({"/", "./a/x.js", "!ERR_INVALID_PACKAGE_CONFIG"}));
  check(20, tree,
        ASK({"/", "./a", "!SyntaxError"}, {"/", "./b", "/b/index.js"},
            {"/", "./d", "!SyntaxError"}, {"/", "./e", "!TypeError"},
            {"/", "./f", "!SyntaxError"}, {"/", "./g", "/g/x.js"}),
        NULL);
}

static void imports_take_urls(void **unused) {
  (void)unused;
  check(22,
        TREE("/a.mjs", "/a\1b.mjs", "/d/index.js", P "x.js", "/l.mjs -> a.mjs"),
        ASK({"/", "./a", MISSING}),
        ASK({"/", "./a.mjs", "/a.mjs"}, {"/d", "../a.mjs", "/a.mjs"},
            {"/", "./a%20b.mjs", "/a b.mjs"}, {"/", "./a b.mjs", "/a b.mjs"},
            {"/", "./a.mjs?x#y", "/a.mjs"}, {"/", "file:///a.mjs", "/a.mjs"},
            {"/", "./l.mjs", "/a.mjs"}, {"/d", "/a.mjs", "/a.mjs"},
            {"/", "./x/%2e%2E/a.mjs", "/a.mjs"},
            {"/", "./a", "!ERR_MODULE_NOT_FOUND"},
            {"/", "./d", "!ERR_UNSUPPORTED_DIR_IMPORT"},
            {"/", "./nope/", "!ERR_UNSUPPORTED_DIR_IMPORT"},
            {"/", "./a%2Fb", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/", "./%ff", "!URIError"}, {"/", "p/x.js", P "x.js"},
            {"/", "p/x", "!ERR_MODULE_NOT_FOUND"}, {"/", "fs", "node:fs"},
            {"/", "node:fs", "node:fs"},
            {"/", "node:nope", "!ERR_UNKNOWN_BUILTIN_MODULE"},
            {"/", "data:text/javascript,1", "data:text/javascript,1"},
            {"/", "http://a/b", "!ERR_UNSUPPORTED_ESM_URL_SCHEME"},
            {"/", "file://host/a", "!ERR_INVALID_FILE_URL_HOST"},
            {"/", "@x", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/", ".x/y", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/", "a%2fb", "!ERR_INVALID_MODULE_SPECIFIER"},
            {"/", "", "!ERR_MODULE_NOT_FOUND"}));
}

static void an_answer_has_a_url_a_format_and_a_package(void **unused) {
  (void)unused;
  struct forest forest;
  forest_begin(&forest,
               TREE("/package.json {\"name\":\"n\",\"type\":\"module\"}",
                    "/a#b.js", "/c.cjs", "/d.json"));
  const struct pl_resolution *resolution =
      forest_ask(&forest, "/", "./a%23b.js?q", true);
  char url[64];
  pl_resolution_url(resolution, url, sizeof url);
  assert_string_equal(url, "file:///a%23b.js?q");
  struct pl_module_about about;
  assert_int_equal(pl_resolver_about(forest.resolver, resolution, &about), 0);
  assert_int_equal(about.format, PL_FORMAT_MODULE);
  assert_string_equal(about.package, "n");
  assert_string_equal(about.package_json, "/package.json");
  resolution = forest_ask(&forest, "/", "./c", false);
  assert_true(resolution->code != PL_RESOLVED);
  resolution = forest_ask(&forest, "/", "./c.cjs", false);
  assert_int_equal(pl_resolver_about(forest.resolver, resolution, &about), 0);
  assert_int_equal(about.format, PL_FORMAT_COMMONJS);
  forest_end(&forest);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(main_selects_the_file),
      cmocka_unit_test(a_broken_main_says_where),
      cmocka_unit_test(exports_conditions_hold_in_their_order),
      cmocka_unit_test(exports_patterns_prefer_the_longest),
      cmocka_unit_test(targets_must_stay_inside),
      cmocka_unit_test(a_missed_export_does_not_go_on_upwards),
      cmocka_unit_test(many_exports_are_found_as_few_are),
      cmocka_unit_test(imports_are_the_scopes_own),
      cmocka_unit_test(a_package_may_name_itself),
      cmocka_unit_test(broken_packages_are_errors),
      cmocka_unit_test(imports_take_urls),
      cmocka_unit_test(an_answer_has_a_url_a_format_and_a_package),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

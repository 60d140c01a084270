/* SPDX-License-Identifier: MIT */
/*
 * test_scan.c: what a source requires, imports and exports.
 *
 * Invariant: each row is a source and all that is found in it: kind letter (r,
 * i, d for import(), e, =) and text, with a space between.
 */
#include "forest.h"

#include <stdio.h>
#include <stdlib.h>

struct found {
  char text[512];
  size_t last_line;
};

static void add(void *arg, const struct pl_scanned *scanned) {
  struct found *found = arg;
  size_t used = strlen(found->text);
  snprintf(found->text + used, sizeof found->text - used, "%s%c%.*s",
           used > 0 ? " " : "", "ride="[scanned->kind], (int)scanned -> length,
           scanned -> text);
  found->last_line = scanned->line;
}

static void check(const char *source, const char *expected) {
  struct found found = {0};
  pl_source_scan(source, strlen(source), add, &found);
  assert_string_equal(found.text, expected);
}

static void literals_are_found(void **unused) {
  (void)unused;
  check("require('a');require(\"b\") ; require ( 'c' )", "ra rb rc");
  check("import 'a'; import x from 'b'; import {x as y} from \"c\"",
        "ia ib ic");
  check("export * from 'a'; export {x} from 'b'; export const from = 'c'",
        "ia ib");
  check("import('a'); import('b', {}); await import(\"c\")", "da db dc");
  check("exports.a = 1; module.exports.b = 2; module.exports = 3",
        "ea eb =exports");
  check("#! require('no')\nrequire('a')", "ra");
}

static void what_only_looks_like_it_is_passed(void **unused) {
  (void)unused;
  check("// require('a')\n/* require('b')\n */ 'require(\"c\")'", "");
  check("`require('a')${require('b')}require('c')${`${require('d')}`}`",
        "rb rd");
  check("x = /require('a')/g; y = /[/'\"]/; require('b')", "rb");
  check("a / b; require('c'); d / e", "rc");
  check("o.require('a'); requires('b'); require('c' + d); require(e)", "");
  check("import.meta.resolve('a'); import(b); exports.a == 1; exports.b => 1",
        "");
  check("require('a\\'b'); require('\\x61')", "");
  check("x = {from: 'a'}; Array.from('b')", "");
  check("if (/'/.test(x)) require('a')", "ra");
  check("return /'/; ", "");
}

static void lines_are_counted(void **unused) {
  (void)unused;
  struct found found = {0};
  const char source[] = "/*\n\n*/ `\n`\n'a\\\nb'\nrequire(\n'x')";
  pl_source_scan(source, sizeof source - 1, add, &found);
  assert_string_equal(found.text, "rx");
  assert_int_equal(found.last_line, 8);
}

static void any_bytes_end(void **unused) {
  (void)unused;
  static const char alphabet[] = "`'\"/\\*${}()[]\n .=requiximportexports;#!";
  unsigned state = 1;
  for (int round = 0; round < 20000; round++) {
    size_t length = (size_t)(round % 60);
    char *source = malloc(length + 1);
    assert_non_null(source);
    for (size_t i = 0; i < length; i++) {
      state = state * 1103515245 + 12345;
      source[i] = alphabet[(state >> 16) % (sizeof alphabet - 1)];
    }
    struct found found = {0};
    pl_source_scan(source, length, add, &found);
    free(source);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(literals_are_found),
      cmocka_unit_test(what_only_looks_like_it_is_passed),
      cmocka_unit_test(lines_are_counted),
      cmocka_unit_test(any_bytes_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

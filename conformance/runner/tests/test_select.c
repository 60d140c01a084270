/* SPDX-License-Identifier: MIT */
/* Which cases run, and what is expected of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"
#include "options.h"
#include "patterns.h"
#include "select.h"
#include "verdict.h"

static const struct pl_case stat = {.id = "loop/fs/stat-of-a-file",
                                    .rule = "LOOP-FS-1"};

static void a_star_is_any_run_of_characters(void **state) {
  (void)state;
  assert_true(pl_glob_matches("loop/*", "loop/fs/stat"));
  assert_true(pl_glob_matches("*stat*", "loop/fs/stat-of"));
  assert_true(pl_glob_matches("loop/**/stat", "loop/fs/stat"));
  assert_true(pl_glob_matches("*", ""));
  assert_false(pl_glob_matches("loop/*", "loop"));
  assert_false(pl_glob_matches("*fs", "loop/fs/stat"));
}

static void questions_and_sets_are_one_character(void **state) {
  (void)state;
  assert_true(pl_glob_matches("a?c", "abc"));
  assert_false(pl_glob_matches("a?c", "ac"));
  assert_true(pl_glob_matches("a[b-d]e", "ace"));
  assert_false(pl_glob_matches("a[!b-d]e", "ace"));
  assert_true(pl_glob_matches("a[]]e", "a]e"));
  assert_false(pl_glob_matches("a[b", "a"));
}

static void many_stars_take_no_long_time(void **state) {
  (void)state;
  assert_false(pl_glob_matches("*a*a*a*a*a*a*a*a*a*a*a*a*b",
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void a_selector_is_a_subtree_a_rule_or_a_glob(void **state) {
  (void)state;
  assert_true(pl_selector_matches("loop", &stat));
  assert_true(pl_selector_matches("loop/fs", &stat));
  assert_true(pl_selector_matches("loop/fs/", &stat));
  assert_true(pl_selector_matches("loop/fs/stat-of-a-file", &stat));
  assert_true(pl_selector_matches("LOOP-FS-1", &stat));
  assert_true(pl_selector_matches("*/stat-*", &stat));
  assert_false(pl_selector_matches("loop/f", &stat));
  assert_false(pl_selector_matches("LOOP-FS", &stat));
  assert_false(pl_selector_matches("heap", &stat));
}

static void an_exclusion_wins(void **state) {
  (void)state;
  char *include[] = {"loop"}, *exclude[] = {"*stat*"};
  struct pl_selection selection = {.include = include, .includes = 1};
  assert_true(pl_selection_has(&selection, &stat));
  selection.exclude = exclude;
  selection.excludes = 1;
  assert_false(pl_selection_has(&selection, &stat));
}

static void shards_share_nothing_and_leave_nothing_out(void **state) {
  (void)state;
  for (uint64_t hash = 0; hash < 1000; hash++) {
    struct pl_case item = {
        .id = "x", .rule = "X", .hash = hash * UINT64_C(0x9E3779B97F4A7C15)};
    unsigned homes = 0;
    for (unsigned shard = 1; shard <= 7; shard++) {
      struct pl_selection selection = {.shard = shard, .shards = 7};
      homes += pl_selection_has(&selection, &item);
    }
    assert_int_equal(homes, 1);
  }
}

static void a_shard_is_k_of_n(void **state) {
  unsigned k, n;
  (void)state;
  assert_int_equal(pl_shard_read("2/3", &k, &n), 0);
  assert_int_equal(k, 2);
  assert_int_equal(n, 3);
  static const char *const wrong[] = {"0/3", "4/3",  "1",    "1/",   "/3",
                                      "1/0", "-1/3", "1/3x", " 1/3", "1/ 3"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_int_equal(pl_shard_read(wrong[i], &k, &n), -1);
}

static void a_version_matches_by_whole_components(void **state) {
  (void)state;
  assert_true(pl_version_matches("12", "12.8.1"));
  assert_true(pl_version_matches("v12", "12.8.1"));
  assert_true(pl_version_matches("12.8", "v12.8.1"));
  assert_true(pl_version_matches("12.8.1", "12.8.1"));
  assert_true(pl_version_matches("22", "22-nightly"));
  assert_false(pl_version_matches("20.1", "20.19.0"));
  assert_false(pl_version_matches("1", "12.8.1"));
  assert_false(pl_version_matches("12.8.1.1", "12.8.1"));
}

static void read_known(struct pl_expectations *known, const char *text) {
  char *error = NULL;
  if (pl_expectations_read(known, parse_quoted(text), &error) != 0)
    fail_msg("%s", error);
}

static bool unexpected(const char *known_text, const char *version,
                       enum pl_verdict verdict) {
  struct pl_expectations known;
  read_known(&known, known_text);
  pl_expectations_choose(&known, "node", version);
  struct pl_expected expected = pl_expectations_of(&known, &stat);
  bool result = pl_verdict_unexpected(verdict, &expected);
  pl_expectations_free(&known);
  return result;
}

#define KNOWN(entry) "{'format':1,'implementations':{'node':[" entry "]}}"

static void without_an_expectation_only_a_pass_is_expected(void **state) {
  (void)state;
  assert_false(unexpected(KNOWN(""), "20.1", PL_VERDICT_PASS));
  assert_true(unexpected(KNOWN(""), "20.1", PL_VERDICT_FAIL));
  assert_true(unexpected(KNOWN(""), "20.1", PL_VERDICT_TIMEOUT));
  assert_true(unexpected(KNOWN(""), "20.1", PL_VERDICT_FLAKY));
  assert_true(unexpected(KNOWN(""), "20.1", PL_VERDICT_LEAKED));
  assert_true(unexpected(KNOWN(""), "20.1", PL_VERDICT_ERROR));
}

static void what_judges_nothing_is_never_unexpected(void **state) {
  (void)state;
  const char *known = KNOWN("{'case':'*','verdict':'fail','reason':'r'}");
  assert_false(unexpected(known, "20.1", PL_VERDICT_UNSUPPORTED));
  assert_false(unexpected(known, "20.1", PL_VERDICT_INCONCLUSIVE));
  assert_false(unexpected(known, "20.1", PL_VERDICT_DIFFERS));
  assert_false(unexpected(known, "20.1", PL_VERDICT_DISPUTED));
}

static void a_known_failure_that_passes_is_unexpected(void **state) {
  (void)state;
  const char *known = KNOWN("{'case':'loop/fs/*','verdict':'fail|crash',"
                            "'reason':'r'}");
  assert_false(unexpected(known, "20.1", PL_VERDICT_FAIL));
  assert_false(unexpected(known, "20.1", PL_VERDICT_CRASH));
  assert_true(unexpected(known, "20.1", PL_VERDICT_PASS));
  assert_true(unexpected(known, "20.1", PL_VERDICT_TIMEOUT));
}

static void a_racy_difference_may_list_pass_too(void **state) {
  (void)state;
  const char *known = KNOWN("{'case':'*','verdict':['fail','pass'],"
                            "'reason':'r'}");
  assert_false(unexpected(known, "20.1", PL_VERDICT_FAIL));
  assert_false(unexpected(known, "20.1", PL_VERDICT_PASS));
}

static void an_expectation_holds_for_its_versions_and_cases(void **state) {
  (void)state;
  const char *known = KNOWN("{'case':'*','versions':['12','14'],"
                            "'reason':'r'}");
  assert_true(unexpected(known, "12.8.1", PL_VERDICT_PASS));
  assert_false(unexpected(known, "20.1.0", PL_VERDICT_PASS));
  known = KNOWN("{'case':'loop/timers','reason':'r'}");
  assert_false(unexpected(known, "12.8.1", PL_VERDICT_PASS));
}

static void the_first_expectation_that_matches_counts(void **state) {
  (void)state;
  const char *known = KNOWN("{'case':'loop/fs/*','verdict':'crash',"
                            "'reason':'r'},{'case':'*','reason':'r'}");
  assert_false(unexpected(known, "20.1", PL_VERDICT_CRASH));
  assert_true(unexpected(known, "20.1", PL_VERDICT_FAIL));
}

static void check_refused(const char *text, const char *words) {
  struct pl_expectations known;
  char *error = NULL;
  json_t *root = parse_quoted(text);
  assert_int_equal(pl_expectations_read(&known, root, &error), -1);
  if (strstr(error, words) == NULL) fail_msg("%s", error);
  free(error);
  json_decref(root);
}

static void broken_expectations_are_refused(void **state) {
  (void)state;
  check_refused("{'format':2,'implementations':{}}", "format 1");
  check_refused(KNOWN("{'verdict':'fail','reason':'r'}"), "no glob `case`");
  check_refused(KNOWN("{'case':'*'}"), "no `reason`");
  check_refused(KNOWN("{'case':'*','reason':'r','verdict':'bad'}"),
                "entry 1 of `node` has a `verdict` that is none");
}

static void a_command_is_split_as_a_shell_does(void **state) {
  (void)state;
  char **words = pl_command_split("  node 'a b' \"c'd\"e\\ f  '' x");
  assert_string_equal(words[0], "node");
  assert_string_equal(words[1], "a b");
  assert_string_equal(words[2], "c'de f");
  assert_string_equal(words[3], "");
  assert_string_equal(words[4], "x");
  assert_null(words[5]);
  pl_command_free(words);
  assert_null(pl_command_split("node 'open"));
  assert_null(pl_command_split("   "));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_star_is_any_run_of_characters),
      cmocka_unit_test(questions_and_sets_are_one_character),
      cmocka_unit_test(many_stars_take_no_long_time),
      cmocka_unit_test(a_selector_is_a_subtree_a_rule_or_a_glob),
      cmocka_unit_test(an_exclusion_wins),
      cmocka_unit_test(shards_share_nothing_and_leave_nothing_out),
      cmocka_unit_test(a_shard_is_k_of_n),
      cmocka_unit_test(a_version_matches_by_whole_components),
      cmocka_unit_test(without_an_expectation_only_a_pass_is_expected),
      cmocka_unit_test(what_judges_nothing_is_never_unexpected),
      cmocka_unit_test(a_known_failure_that_passes_is_unexpected),
      cmocka_unit_test(a_racy_difference_may_list_pass_too),
      cmocka_unit_test(an_expectation_holds_for_its_versions_and_cases),
      cmocka_unit_test(the_first_expectation_that_matches_counts),
      cmocka_unit_test(broken_expectations_are_refused),
      cmocka_unit_test(a_command_is_split_as_a_shell_does),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

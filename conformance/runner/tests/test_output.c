/* SPDX-License-Identifier: MIT */
/* What conform shows: text, TAP, JUnit, --quiet, --smoke. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive.h"
#include "memory.h"

#define LOG_A "[{\"log\":\"a\"}]"
#define A "{\"ev\":\"a\"}"
#define B "{\"ev\":\"b\"}"

/* A pass, a failure, something unsupported, and a name that XML must escape
 * with a label that would end a CDATA section. */
static void write_mixed(void) {
  struct drive_case cases[4] = {
      {"loop/x/good", LOG_A, A, NULL},
      {"loop/x/wrong", LOG_A, B, NULL},
      {"loop/x/none", LOG_A, A, ",\"needs\":[\"loop.fs\"]"},
      {"loop/x/<odd>&", "[{\"log\":\"]]>\\u0001<\"}]", A, NULL}};
  drive_corpus(cases, 4);
}

static struct drive run(const char *arguments) {
  char *words =
      pl_mem_format("--corpus @/corpus.jsonl --results @/results.jsonl "
                    "--adapter '%s good' %s",
                    getenv("BAD_ADAPTER"), arguments);
  struct drive result = drive(words);
  free(words);
  return result;
}

static void has(const char *text, const char *part) {
  if (strstr(text, part) == NULL) fail_msg("no `%s` in: %s", part, text);
}

static void text_explains_and_points_at_the_case(void **state) {
  (void)state;
  write_mixed();
  struct drive result = run("");
  assert_int_equal(result.status, 1);
  has(result.out, "[       OK ] loop/x/good\n");
  has(result.out, "fail: `a` is not expected here, `b` is");
  has(result.out, "x.yaml:2");
  has(result.out, "[  FAILED  ] loop/x/wrong\n");
  has(result.out, "    unsupported: needs loop.fs\n"
                  "[  SKIPPED ] loop/x/none\n");
  has(result.out, "4 cases: 1 pass 2 fail 1 unsupported; 2 unexpected\n");
  assert_string_equal(result.err, "");
  drive_free(&result);
}

static void quiet_shows_only_what_is_unexpected(void **state) {
  (void)state;
  write_mixed();
  struct drive result = run("--quiet --select *wrong --select *good");
  assert_string_equal(result.out,
                      "loop/x/wrong: fail: `a` is not expected here, `b` is\n"
                      "2 cases: 1 pass 1 fail; 1 unexpected\n");
  drive_free(&result);
}

static void tap_counts_a_skip_as_ok(void **state) {
  (void)state;
  write_mixed();
  struct drive result = run("--format tap --exclude *odd*");
  has(result.out, "1..3\n");
  has(result.out, "\nok 1 - loop/x/good\n");
  has(result.out, "\nnot ok 2 - loop/x/wrong\n"
                  "# fail: `a` is not expected here, `b` is\n# x.yaml:2");
  has(result.out, "\nok 3 - loop/x/none # SKIP unsupported: needs loop.fs\n");
  assert_null(strstr(result.out, "not ok 3"));
  drive_free(&result);
}

static void tap_bails_out_when_the_run_cannot_go_on(void **state) {
  (void)state;
  write_mixed();
  char *words = pl_mem_format("--corpus @/corpus.jsonl --results /dev/full "
                              "--format tap --adapter '%s good'",
                              getenv("BAD_ADAPTER"));
  struct drive result = drive(words);
  assert_int_equal(result.status, 2);
  assert_null(strstr(result.out, "ok 4"));
  drive_free(&result);
  free(words);
}

/* No XML parser is at hand: what matters is that names are escaped, that
 * nothing ends the CDATA early and that no control byte is left. */
static void junit_is_well_formed(void **state) {
  (void)state;
  write_mixed();
  struct drive result = run("--format junit --output @/junit.xml");
  assert_string_equal(result.out, "");
  drive_free(&result);
  char *path = drive_path("junit.xml"), *text = NULL;
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t size = 0;
  ssize_t length = getdelim(&text, &size, '\0', file);
  assert_true(length > 0);
  fclose(file);
  free(path);
  has(text, "<testsuite name=\"bad 1.2.3\"");
  has(text, "tests=\"4\" failures=\"2\"");
  has(text, "skipped=\"1\"");
  has(text, "<testcase name=\"loop/x/&#60;odd&#62;&#38;\"");
  has(text, "`] >?<`");
  for (const char *c = text; *c != '\0'; c++)
    assert_true((unsigned char)*c >= 0x20 || *c == '\n' || *c == '\t');
  has(text, "</testsuites>\n");
  free(text);
}

static void
a_long_detail_is_cut_for_cmocka_but_not_in_the_results(void **state) {
  struct pl_text label = {0}, program = {0};
  (void)state;
  for (int i = 0; i < 400; i++)
    pl_text_say(&label, "\xC3\xA4\xC3\xB6-");
  pl_text_format(&program, "[{\"log\":\"%s\"}]", label.bytes);
  struct drive_case one = {"loop/x/long", program.bytes, B, NULL};
  drive_corpus(&one, 1);
  struct drive result = run("--format junit");
  has(result.out, "...");
  has(drive_text(
          json_object_get(drive_case_of(&result, "loop/x/long"), "explanation"),
          "summary"),
      label.bytes);
  drive_free(&result);
  pl_text_free(&label);
  pl_text_free(&program);
}

static void smoke_tells_an_author_what_to_mend(void **state) {
  (void)state;
  char *words = pl_mem_format("--smoke --check-protocol --adapter "
                              "'%s constant-answers'",
                              getenv("BAD_ADAPTER"));
  struct drive result = drive(words);
  assert_int_equal(result.status, 1);
  has(result.out, "hint: `log` with a text records the event as that text");
  has(result.out, "hint: each run starts with an empty trace");
  has(result.out, "hint: look through the whole program before running it");
  drive_free(&result);
  free(words);
}

static void smoke_tells_when_stop_is_not_heeded(void **state) {
  (void)state;
  char *words = pl_mem_format("--smoke --quiet --adapter '%s ignores-stop' "
                              "--timeout 300",
                              getenv("BAD_ADAPTER"));
  struct drive result = drive(words);
  assert_int_equal(result.status, 1);
  has(result.err, "did not end with status 0");
  drive_free(&result);
  free(words);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_explains_and_points_at_the_case),
      cmocka_unit_test(quiet_shows_only_what_is_unexpected),
      cmocka_unit_test(tap_counts_a_skip_as_ok),
      cmocka_unit_test(tap_bails_out_when_the_run_cannot_go_on),
      cmocka_unit_test(junit_is_well_formed),
      cmocka_unit_test(a_long_detail_is_cut_for_cmocka_but_not_in_the_results),
      cmocka_unit_test(smoke_tells_an_author_what_to_mend),
      cmocka_unit_test(smoke_tells_when_stop_is_not_heeded),
  };
  return cmocka_run_group_tests(tests, drive_begin, drive_end);
}

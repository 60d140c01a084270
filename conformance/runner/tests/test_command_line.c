/* SPDX-License-Identifier: MIT */
/*
 * conform as a user meets it: bad input, interruption, what is written where,
 * and the verdicts that come from the case and not from the adapter's faults.
 */
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive.h"
#include "memory.h"
#include "schema.h"

#define LOG_A "[{\"log\":\"a\"}]"
#define A "{\"ev\":\"a\"}"
#define B "{\"ev\":\"b\"}"
#define ALL "--corpus @/corpus.jsonl --results @/results.jsonl "

static void write_cases(const struct drive_case *cases, size_t count) {
  drive_corpus(cases, count);
}

static void write_one(const char *expect, const char *more) {
  struct drive_case one = {"loop/x/one", LOG_A, expect, more};
  drive_corpus(&one, 1);
}

/* Runs a good adapter (or in another mode) with more arguments. */
static struct drive run(const char *mode, const char *arguments) {
  char *words = pl_mem_format(ALL "--adapter '%s %s' %s", getenv("BAD_ADAPTER"),
                              mode, arguments);
  struct drive result = drive(words);
  free(words);
  return result;
}

static void check_message(const char *words, int status, const char *message) {
  struct drive result = drive(words);
  if (result.status != status || strstr(result.err, message) == NULL)
    fail_msg("%s: %d: %s", words, result.status, result.err);
  /* one message: one line from conform, or two with the hint */
  assert_int_equal(strncmp(result.err, "conform: ", 9), 0);
  assert_null(strstr(result.err + 9, "\nconform: "));
  drive_free(&result);
}

static void a_wrong_command_line_gets_one_message(void **state) {
  (void)state;
  write_one(A, NULL);
  check_message("", 2, "--corpus is missing");
  check_message("--corpus @/corpus.jsonl", 2, "--adapter or --provider");
  check_message("--nonsense", 2, "--nonsense: no such option");
  check_message("--corpus", 2, "--corpus: no such option, or its value");
  check_message(ALL "--adapter x extra", 2, "extra: no such argument");
  check_message(ALL "--adapter x --shard 3/2", 2,
                "--shard must be K/N with 1 <= K <= N, is 3/2");
  check_message(ALL "--adapter x --repeat 0", 2, "--repeat must be a number");
  check_message(ALL "--adapter x --timeout -5", 2, "--timeout must be");
  check_message(ALL "--adapter x --format xml", 2, "text, tap or junit");
  check_message(ALL "--adapter x --provider y", 2, "exclude each other");
  check_message(ALL "--adapter ' '", 2, "--adapter is no command");
}

static void broken_input_is_named_by_file_and_line(void **state) {
  (void)state;
  check_message("--corpus @/none.jsonl --adapter x", 2, "none.jsonl: No such");
  drive_write("corpus.jsonl", "");
  check_message(ALL "--adapter x", 2, "corpus.jsonl:1: the corpus is empty");
  drive_write("corpus.jsonl", "{\"kind\":\"case\"}\n");
  check_message(ALL "--adapter x", 2, ":1: the first line is not a corpus");
  write_one("{\"sequel\":[]}", NULL);
  check_message(ALL "--adapter x", 2, ":2: expect: unknown pattern");
  write_one(A, ",\"runs\":0");
  check_message(ALL "--adapter x", 2, ":2: `runs` is a number from 1");
  write_one(A, ",\"level\":\"WANT\"");
  check_message(ALL "--adapter x", 2, ":2: `level` is one of");
  struct drive_case twice[2] = {{"loop/x/one", LOG_A, A, NULL},
                                {"loop/x/one", LOG_A, A, NULL}};
  write_cases(twice, 2);
  check_message(ALL "--adapter x", 2, ":3: id `loop/x/one` is there twice");
  drive_write("corpus.jsonl",
              "{\"kind\":\"corpus\",\"format\":1,\"cases\":1}\n");
  check_message(ALL "--adapter x", 2, "the corpus is truncated");
  drive_write("corpus.jsonl",
              "{\"kind\":\"corpus\",\"format\":1,\"cases\":1}\n{\"ki");
  check_message(ALL "--adapter x", 2, "corpus.jsonl:2: not JSON");
}

static void an_empty_selection_proves_nothing(void **state) {
  (void)state;
  write_one(A, NULL);
  check_message(ALL "--adapter x --select heap", 2, "no case is selected");
  check_message(ALL "--adapter x --exclude loop", 2, "no case is selected");
}

static void results_that_cannot_be_written_end_the_run(void **state) {
  (void)state;
  write_one(A, NULL);
  char *words = pl_mem_format("--corpus @/corpus.jsonl --quiet --adapter "
                              "'%s good' --results ",
                              getenv("BAD_ADAPTER"));
  char *nowhere = pl_mem_format("%s@/none/r.jsonl", words);
  char *full = pl_mem_format("%s/dev/full", words);
  check_message(nowhere, 2, "r.jsonl: No such file or directory");
  check_message(full, 2, "cannot write /dev/full: No space left");
  free(words);
  free(nowhere);
  free(full);
  words = pl_mem_format("--corpus @/corpus.jsonl --adapter '%s good' "
                        "--output /dev/full",
                        getenv("BAD_ADAPTER"));
  check_message(words, 2, "the output could not be written");
  free(words);
}

static void broken_expectations_and_schemas_end_the_run(void **state) {
  (void)state;
  write_one(A, NULL);
  drive_write("known.json", "{\"format\":1,\n\"implementations\":}");
  check_message(ALL "--adapter x --expectations @/known.json", 2,
                "known.json:2: ");
  check_message(ALL "--adapter x --check-protocol --schema @", 2,
                "protocol.schema.json");
}

static void an_interrupted_run_says_so_and_leaves_nothing(void **state) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  (void)state;
  struct drive_case cases[2] = {
      {"loop/x/one", LOG_A, A, NULL},
      {"loop/x/two", "[{\"log\":\"bad\"}]", "{\"ev\":\"bad\"}", NULL}};
  write_cases(cases, 2);
  for (size_t i = 0; i < 3; i++) {
    char *words = pl_mem_format(ALL "--timeout 60000 --adapter "
                                    "'%s hang-with-child'",
                                getenv("BAD_ADAPTER"));
    struct drive result = drive_interrupted(words, numbers[i]);
    assert_int_equal(result.status, 130);
    assert_true(result.ms < 60000);
    assert_non_null(strstr(result.err, "interrupted"));
    assert_true(json_is_false(json_object_get(result.footer, "complete")));
    assert_string_equal(drive_verdict(&result, "loop/x/one"), "pass");
    assert_int_equal(json_array_size(result.cases), 1);
    drive_free(&result);
    free(words);
  }
}

static void an_interrupt_during_the_start_ends_the_run_too(void **state) {
  (void)state;
  write_one(A, NULL);
  char *words = pl_mem_format(ALL "--start-timeout 60000 --adapter "
                                  "'%s no-start-answer'",
                              getenv("BAD_ADAPTER"));
  struct drive result = drive_interrupted(words, SIGINT);
  assert_int_equal(result.status, 130);
  assert_true(result.ms < 60000);
  drive_free(&result);
  free(words);
}

static void check_verdict(const char *expect, const char *more,
                          const char *mode, const char *arguments,
                          const char *verdict, int status) {
  write_one(expect, more);
  struct drive result = run(mode, arguments);
  const char *got = drive_verdict(&result, "loop/x/one");
  if (strcmp(got, verdict) != 0 || result.status != status)
    fail_msg("%s %s: %s, exit status %d: %s", expect, more ? more : "", got,
             result.status, result.err);
  drive_free(&result);
}

static void a_case_says_to_whom_it_applies(void **state) {
  (void)state;
  const char *second = ",\"more\":0";
  check_verdict(A, second, "good", "", "pass", 0);
  check_verdict(A, ",\"needs\":[\"loop.fs\"]", "good", "", "unsupported", 2);
  check_verdict(A, ",\"traits\":[\"t\"]", "good", "", "unsupported", 2);
  check_verdict(A, ",\"without\":[\"t\"]", "good", "", "pass", 0);
}

static void what_is_only_observed_differs_and_never_fails(void **state) {
  (void)state;
  check_verdict(B, ",\"level\":\"OBSERVED\"", "good", "", "differs", 0);
  check_verdict(B, ",\"level\":\"MAY\"", "good", "", "fail", 1);
}

static void evidence_that_is_too_small_is_inconclusive(void **state) {
  (void)state;
  struct drive_case one = {"loop/x/one", "[{\"log\":\"bad\"}]",
                           "{\"ev\":\"bad\"}",
                           ",\"evidence\":{\"turns\":{\"min\":2}}"};
  drive_corpus(&one, 1);
  struct drive result = run("evidence", "");
  assert_string_equal(drive_verdict(&result, "loop/x/one"), "pass");
  drive_free(&result);
  one.more = ",\"evidence\":{\"turns\":{\"min\":3}}";
  drive_corpus(&one, 1);
  result = run("evidence", "");
  assert_string_equal(drive_verdict(&result, "loop/x/one"), "inconclusive");
  assert_non_null(
      strstr(drive_text(drive_case_of(&result, "loop/x/one"), "detail"),
             "`turns` is 2, the case needs at least 3"));
  drive_free(&result);
  /* also when the trace is not the expected one */
  check_verdict(B, ",\"evidence\":{\"turns\":{\"min\":1}}", "good", "",
                "inconclusive", 2);
}

static void a_disputed_case_is_shown_and_not_counted(void **state) {
  (void)state;
  const char *disputed = ",\"disputed\":{\"link\":\"https://example.org/1\","
                         "\"reason\":\"r\"}";
  struct drive_case cases[2] = {{"loop/x/one", LOG_A, B, disputed},
                                {"loop/x/two", LOG_A, A, NULL}};
  write_cases(cases, 2);
  struct drive result = run("good", "");
  const json_t *line = drive_case_of(&result, "loop/x/one");
  assert_string_equal(drive_text(line, "verdict"), "disputed");
  assert_non_null(strstr(drive_text(line, "detail"), "would be fail"));
  assert_int_equal(result.status, 0);
  drive_free(&result);
}

static void known_failures_are_expected_and_must_fail(void **state) {
  (void)state;
  drive_write("known.json",
              "{\"format\":1,\"implementations\":{\"bad\":[{\"case\":"
              "\"loop/x/*\",\"verdict\":\"fail\",\"versions\":[\"1.2\"],"
              "\"reason\":\"issue 7\"}]}}");
  check_verdict(B, NULL, "good", "--expectations @/known.json", "fail", 0);
  check_verdict(A, NULL, "good", "--expectations @/known.json", "pass", 1);
  check_verdict(B, NULL, "good",
                "--expectations @/known.json --implementation other", "fail",
                1);
}

static void a_litmus_shows_its_histogram(void **state) {
  (void)state;
  struct drive_case one = {"loop/x/one", "[{\"log\":\"bad\"}]",
                           "{\"ev\":\"bad\"}", ",\"runs\":5"};
  drive_corpus(&one, 1);
  struct drive result = run("flaky", "");
  const json_t *line = drive_case_of(&result, "loop/x/one");
  const json_t *traces = json_object_get(line, "traces");
  assert_string_equal(drive_text(line, "verdict"), "fail");
  assert_int_equal(json_array_size(traces), 2);
  const json_t *first = json_array_get(traces, 0);
  const json_t *second = json_array_get(traces, 1);
  assert_int_equal(json_integer_value(json_object_get(first, "count")), 3);
  assert_true(json_is_true(json_object_get(first, "allowed")));
  assert_int_equal(json_integer_value(json_object_get(second, "count")), 2);
  assert_true(json_is_false(json_object_get(second, "allowed")));
  assert_int_equal(json_integer_value(json_object_get(line, "runs")), 5);
  drive_free(&result);
}

static void files_of_a_case_are_there_and_never_outside(void **state) {
  (void)state;
  check_verdict(A, ",\"files\":{\"a/b.txt\":\"x\",\"c\":\"\"}", "good", "",
                "pass", 0);
  check_verdict(A, ",\"files\":{\"../escape\":\"x\"}", "good", "", "error", 2);
  check_verdict(A, ",\"files\":{\"/tmp/escape\":\"x\"}", "good", "", "error",
                2);
}

static void check_line(const struct pl_schema *schema, const json_t *line) {
  char *error = pl_schema_check(schema, NULL, line);
  if (error != NULL) fail_msg("%s: %s", error, json_dumps(line, JSON_COMPACT));
}

static void every_line_of_the_results_meets_its_schema(void **state) {
  struct pl_schema schema;
  char *error = NULL;
  (void)state;
  char *path = pl_mem_format("%s/result.schema.json", getenv("SCHEMA_DIR"));
  assert_int_equal(pl_schema_load(&schema, path, &error), 0);
  free(path);
  struct drive_case cases[4] = {
      {"loop/x/one", LOG_A, A, NULL},
      {"loop/x/two", LOG_A, B, NULL},
      {"loop/x/three", "[{\"log\":\"bad\"}]", A, NULL},
      {"loop/x/four", LOG_A, A, ",\"needs\":[\"loop.fs\"]"}};
  write_cases(cases, 4);
  static const char *const modes[] = {"good", "crash",        "chatter",
                                      "hang", "orphan-child", "evidence"};
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    struct drive result = run(modes[i], "--quiet --timeout 800");
    check_line(&schema, result.header);
    check_line(&schema, result.footer);
    for (size_t k = 0; k < 4; k++)
      check_line(&schema, json_array_get(result.cases, k));
    drive_free(&result);
  }
  pl_schema_free(&schema);
}

static void shards_together_run_every_case_once(void **state) {
  enum { COUNT = 20 };
  struct drive_case cases[COUNT];
  char *ids[COUNT];
  size_t seen = 0;
  (void)state;
  for (int i = 0; i < COUNT; i++) {
    ids[i] = pl_mem_format("loop/x/case-%d", i);
    cases[i] = (struct drive_case){ids[i], LOG_A, A, NULL};
  }
  drive_corpus(cases, COUNT);
  for (int i = 1; i <= 3; i++) {
    char *shard = pl_mem_format("--shard %d/3", i);
    struct drive result = run("good", shard);
    seen += json_array_size(result.cases);
    assert_true(json_array_size(result.cases) > 0);
    drive_free(&result);
    free(shard);
  }
  assert_int_equal(seen, COUNT);
  struct drive listed = drive("--corpus @/corpus.jsonl --list --select "
                              "loop/x/case-1?");
  assert_int_equal(listed.status, 0);
  assert_int_equal(strncmp(listed.out, "loop/x/case-10\n", 15), 0);
  drive_free(&listed);
  for (int i = 0; i < COUNT; i++)
    free(ids[i]);
}

static void a_seed_shuffles_and_the_same_seed_the_same(void **state) {
  struct drive_case cases[6];
  char *ids[6];
  (void)state;
  for (int i = 0; i < 6; i++) {
    ids[i] = pl_mem_format("loop/x/%d", i);
    cases[i] = (struct drive_case){ids[i], LOG_A, A, NULL};
  }
  drive_corpus(cases, 6);
  struct drive plain = drive("--corpus @/corpus.jsonl --list");
  struct drive one = drive("--corpus @/corpus.jsonl --list --seed 5");
  struct drive two = drive("--corpus @/corpus.jsonl --list --seed 5");
  assert_string_equal(one.out, two.out);
  assert_string_not_equal(plain.out, one.out);
  drive_free(&plain);
  drive_free(&one);
  drive_free(&two);
  for (int i = 0; i < 6; i++)
    free(ids[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_wrong_command_line_gets_one_message),
      cmocka_unit_test(broken_input_is_named_by_file_and_line),
      cmocka_unit_test(an_empty_selection_proves_nothing),
      cmocka_unit_test(results_that_cannot_be_written_end_the_run),
      cmocka_unit_test(broken_expectations_and_schemas_end_the_run),
      cmocka_unit_test(an_interrupted_run_says_so_and_leaves_nothing),
      cmocka_unit_test(an_interrupt_during_the_start_ends_the_run_too),
      cmocka_unit_test(a_case_says_to_whom_it_applies),
      cmocka_unit_test(what_is_only_observed_differs_and_never_fails),
      cmocka_unit_test(evidence_that_is_too_small_is_inconclusive),
      cmocka_unit_test(a_disputed_case_is_shown_and_not_counted),
      cmocka_unit_test(known_failures_are_expected_and_must_fail),
      cmocka_unit_test(a_litmus_shows_its_histogram),
      cmocka_unit_test(files_of_a_case_are_there_and_never_outside),
      cmocka_unit_test(every_line_of_the_results_meets_its_schema),
      cmocka_unit_test(shards_together_run_every_case_once),
      cmocka_unit_test(a_seed_shuffles_and_the_same_seed_the_same),
  };
  return cmocka_run_group_tests(tests, drive_begin, drive_end);
}

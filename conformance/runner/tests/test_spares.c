/* SPDX-License-Identifier: MIT */
/*
 * Processes that start ahead of their case: what must be as if each had been
 * started when it was needed.
 */
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive.h"
#include "memory.h"

#define LOG_A "[{\"log\":\"a\"}]"
#define LOG_BAD "[{\"log\":\"bad\"}]"
#define END ",{\"ev\":\"exit\",\"value\":{\"is\":0}}]}"
#define ENDS(label) "{\"seq\":[{\"ev\":\"" label "\"}" END
#define ALONE ",\"isolation\":\"process\""

/* Runs it until an adapter hangs and conform gets `number`, or, where that is
 * 0, to the end. */
static struct drive run_until(const char *mode, const char *arguments,
                              int number) {
  char *words = pl_mem_format("--corpus @/corpus.jsonl --results "
                              "@/results.jsonl --adapter '%s %s' %s",
                              getenv("BAD_ADAPTER"), mode, arguments);
  struct drive result =
      number != 0 ? drive_interrupted(words, number) : drive(words);
  free(words);
  return result;
}

static struct drive run(const char *mode, const char *arguments) {
  return run_until(mode, arguments, 0);
}

/* Four cases, each in a process of its own; the second is the bad adapter's
 * moment. */
static void write_four(void) {
  static const struct drive_case cases[] = {
      {"loop/x/1", LOG_A, ENDS("a"), ALONE},
      {"loop/x/2", LOG_BAD, ENDS("bad"), ALONE},
      {"loop/x/3", LOG_A, ENDS("a"), ALONE},
      {"loop/x/4", LOG_A, ENDS("a"), ALONE}};
  drive_corpus(cases, 4);
}

static void all_pass(const struct drive *result, size_t count) {
  assert_int_equal(json_array_size(result->cases), count);
  for (size_t i = 0; i < count; i++) {
    const json_t *line = json_array_get(result->cases, i);
    if (strcmp(drive_text(line, "verdict"), "pass") != 0)
      fail_msg("%s: %s", drive_text(line, "id"),
               json_dumps(line, JSON_COMPACT));
  }
  assert_int_equal(result->status, 0);
}

/* Empties the diary of the adapters' processes. */
static void begin_diary(void) {
  char *path = drive_path("diary");
  drive_write("diary", "");
  setenv("BAD_ADAPTER_DIARY", path, 1);
  free(path);
}

static char *end_diary(void) {
  static char text[256];
  char *path = drive_path("diary");
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  free(path);
  unsetenv("BAD_ADAPTER_DIARY");
  return text;
}

#define SHOW "[{\"log\":\"UV_THREADPOOL_SIZE\"},{\"log\":\"PLUMB_X\"}]"
#define SHOWN(pool, x)                                                         \
  "{\"seq\":[{\"ev\":\"UV_THREADPOOL_SIZE\",\"value\":{\"is\":" pool           \
  "}},{\"ev\":\"PLUMB_X\",\"value\":{\"is\":" x "}}" END

static void each_process_has_the_environment_of_its_case(void **state) {
  static const struct drive_case cases[] = {
      {"loop/x/1", SHOW, SHOWN("null", "null"), ALONE},
      {"loop/x/2", SHOW, SHOWN("\"2\"", "null"), ALONE ",\"pool\":2"},
      {"loop/x/3", SHOW, SHOWN("null", "\"1\""),
       ALONE ",\"env\":{\"PLUMB_X\":\"1\"},\"runs\":3"},
      {"loop/x/4", SHOW, SHOWN("\"2\"", "\"1\""),
       ALONE ",\"pool\":2,\"env\":{\"PLUMB_X\":\"1\"}"},
      {"loop/x/5", SHOW, SHOWN("null", "null"), ALONE},
      {"loop/x/6", SHOW, SHOWN("\"2\"", "null"), ALONE ",\"pool\":2"}};
  (void)state;
  drive_corpus(cases, 6);
  struct drive result = run("environment", "");
  all_pass(&result, 6);
  drive_free(&result);
  result = run("environment", "--repeat 3 --seed 7");
  all_pass(&result, 6);
  drive_free(&result);
}

/* The first of its runs decides; what was started for the others is for
 * nothing, and must not be used for a case with another environment. */
static void spares_that_are_not_needed_are_not_used(void **state) {
  static const struct drive_case cases[] = {
      {"loop/x/1", LOG_BAD, ENDS("bad"), ALONE ",\"pool\":3,\"runs\":9"},
      {"loop/x/2", SHOW, SHOWN("null", "null"), ALONE}};
  (void)state;
  drive_corpus(cases, 2);
  struct drive result = run("environment", "");
  assert_string_equal(drive_verdict(&result, "loop/x/1"), "unsupported");
  assert_string_equal(drive_verdict(&result, "loop/x/2"), "pass");
  assert_int_equal(result.status, 0);
  drive_free(&result);
}

static void a_spare_that_does_not_start_is_tried_again(void **state) {
  static const char *const modes[] = {"third-start-fails", "third-start-hangs"};
  (void)state;
  write_four();
  for (size_t i = 0; i < 2; i++) {
    begin_diary();
    struct drive result = run(modes[i], "--start-timeout 3000");
    all_pass(&result, 4);
    const char *diary = end_diary();
    assert_true(strlen(diary) >= 6 + 4); /* six starts, four programs */
    drive_free(&result);
  }
}

static void three_failed_starts_end_the_run_spare_or_not(void **state) {
  (void)state;
  write_four();
  begin_diary();
  struct drive result = run("starts-fail-from-third", "");
  end_diary();
  assert_int_equal(result.status, 2);
  assert_string_equal(drive_verdict(&result, "loop/x/1"), "pass");
  assert_int_equal(json_array_size(result.cases), 1);
  assert_non_null(strstr(result.err, "(3 tries): it ended with exit status 3"));
  assert_true(json_is_false(json_object_get(result.footer, "complete")));
  drive_free(&result);
}

/* Each process checks that its helper has outlived the audits until then. */
static void what_spares_start_is_no_leftover(void **state) {
  (void)state;
  write_four();
  struct drive result = run("helper", "");
  all_pass(&result, 4);
  drive_free(&result);
}

static void a_leak_is_found_beside_spares_and_told_of_its_case(void **state) {
  static const char *const modes[] = {"orphan-child", "child-in-group"};
  (void)state;
  write_four();
  for (size_t i = 0; i < 2; i++) {
    struct drive result = run(modes[i], "");
    const json_t *line = drive_case_of(&result, "loop/x/2");
    const char *detail = drive_text(line, "detail");
    assert_string_equal(drive_text(line, "verdict"), "leaked");
    assert_non_null(strstr(detail, "(sleep 1000)"));
    assert_null(strstr(detail, "bad-adapter")); /* no spare among them */
    assert_string_equal(drive_verdict(&result, "loop/x/1"), "pass");
    assert_string_equal(drive_verdict(&result, "loop/x/3"), "pass");
    assert_string_equal(drive_verdict(&result, "loop/x/4"), "pass");
    drive_free(&result);
  }
}

static void nothing_starts_while_a_shared_program_runs(void **state) {
  static const struct drive_case cases[] = {
      {"loop/x/1", LOG_A, ENDS("a"), ALONE},
      {"loop/x/2", LOG_A, "{\"ev\":\"a\"}", NULL},
      {"loop/x/3", LOG_A, ENDS("a"), ALONE ",\"runs\":2"},
      {"loop/x/4", LOG_A, "{\"ev\":\"a\"}", ",\"runs\":2"},
      {"loop/x/5", LOG_A, ENDS("a"), ALONE}};
  (void)state;
  drive_corpus(cases, 5);
  for (int seed = 0; seed < 3; seed++) {
    char *arguments = pl_mem_format("--seed %d", seed);
    begin_diary();
    struct drive result = run("good", arguments);
    char *diary = end_diary();
    all_pass(&result, 5);
    assert_int_equal(strncmp(diary, "srrr", 4), 0);
    size_t starts = 0, programs = 0;
    for (const char *c = diary + 4; *c != '\0'; c++) {
      starts += *c == 's';
      programs += *c == 'i';
    }
    assert_int_equal(programs, 4);
    assert_int_equal(starts, 4); /* none for nothing */
    drive_free(&result);
    free(arguments);
  }
}

static void an_interrupt_ends_the_spares_too(void **state) {
  (void)state;
  write_four();
  struct drive result = run_until("hang-with-child", "--timeout 60000", SIGINT);
  assert_int_equal(result.status, 130);
  assert_int_equal(json_array_size(result.cases), 1);
  assert_true(json_is_false(json_object_get(result.footer, "complete")));
  drive_free(&result);
}

/* The adapters of this mode wait for ever and heed no closed stdin; that
 * drive() finds nothing alive is the kernel's doing. */
static void a_judge_that_is_killed_takes_its_adapters_with_it(void **state) {
  (void)state;
  char *path = drive_path("");
  setenv("TMPDIR", path, 1); /* what it cannot remove goes with ours */
  free(path);
  for (int alone = 0; alone < 2; alone++) {
    if (alone) {
      write_four();
    } else {
      struct drive_case one = {"loop/x/1", LOG_BAD, "{\"ev\":\"bad\"}", NULL};
      drive_corpus(&one, 1);
    }
    struct drive result = run_until("hang", "--timeout 60000", SIGKILL);
    assert_int_equal(result.status, 1000 + SIGKILL);
    assert_null(result.footer);
    drive_free(&result);
  }
  unsetenv("TMPDIR");
}

static int begin(void **state) {
  unsetenv("UV_THREADPOOL_SIZE");
  unsetenv("PLUMB_X");
  return drive_begin(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_process_has_the_environment_of_its_case),
      cmocka_unit_test(spares_that_are_not_needed_are_not_used),
      cmocka_unit_test(a_spare_that_does_not_start_is_tried_again),
      cmocka_unit_test(three_failed_starts_end_the_run_spare_or_not),
      cmocka_unit_test(what_spares_start_is_no_leftover),
      cmocka_unit_test(a_leak_is_found_beside_spares_and_told_of_its_case),
      cmocka_unit_test(nothing_starts_while_a_shared_program_runs),
      cmocka_unit_test(an_interrupt_ends_the_spares_too),
      cmocka_unit_test(a_judge_that_is_killed_takes_its_adapters_with_it),
  };
  return cmocka_run_group_tests(tests, begin, drive_end);
}

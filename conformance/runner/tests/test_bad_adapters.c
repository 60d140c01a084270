/* SPDX-License-Identifier: MIT */
/*
 * The kit of bad adapters against the real conform: each fault has exactly
 * one verdict, the cases before and after it pass, nothing is left running.
 */
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

/* Who is to time out, and not what times out on a busy machine. */
#define BRIEF "--timeout 800"

/* What a mode must get. */
struct mode {
  const char *name;
  const char *verdict; /* of the case in the middle */
  const char *detail;  /* a part of its detail; NULL: there is none */
  const char *kind;    /* of its explanation, or NULL */
  int status;
  const char *arguments;
};

static const struct mode shared_modes[] = {
    {"good", "pass", NULL, NULL, 0, ""},
    {"hang", "timeout", "no answer within 800 ms", NULL, 1, BRIEF},
    {"hang-with-child", "timeout", "sleep 1000", NULL, 1, BRIEF},
    {"crash", "crash", "ended by SIGSEGV", NULL, 1, ""},
    {"exits-early", "crash", "exit status 0 before it answered", NULL, 1, ""},
    {"late-answer", "timeout", "no answer within 800 ms", NULL, 1, BRIEF},
    {"chatter", "error", "meant for stderr?", NULL, 1, ""},
    {"empty-line", "error", "an empty line", NULL, 1, ""},
    {"random-bytes", "error", "not a JSON object", NULL, 1, ""},
    {"wrong-seq", "error", "has seq 3, the request had 2", NULL, 1, ""},
    {"no-seq", "error", "no number `seq`", NULL, 1, ""},
    {"huge-line", "error", "longer than 16 MiB", NULL, 1, ""},
    {"truncated-line", "error", "cut short", NULL, 1, ""},
    {"orphan-child", "leaked", "(sleep 1000)", NULL, 1, ""},
    {"child-in-group", "leaked", "(sleep 1000)", NULL, 1, ""},
    {"closed-stdout", "error", "closed its stdout and ran on", NULL, 1, ""},
    {"slow-start", "pass", NULL, NULL, 0, ""},
    {"leaks-stderr", "pass", NULL, NULL, 0, ""},
    {"ignores-stop", "pass", NULL, NULL, 0, ""},
    {"error-answer", "error", "no idea\nline 7", NULL, 1, ""},
    {"unsupported", "unsupported", "not today", NULL, 0, ""},
    {"bad-event", "error", "entry 0 of `events` is not an event", NULL, 1, ""},
    {"two-answers", "error", "one of `events`", NULL, 1, ""},
    {"wrong-transport", "error", "was not asked to", NULL, 1, ""},
    {"extra-event", "fail", NULL, "extra", 1, ""},
    {"unknown-key", "pass", NULL, NULL, 0, ""},
    {"unknown-key", "error", "unknown key `extra`", NULL, 1,
     "--check-protocol"},
    {"good", "pass", NULL, NULL, 0, "--check-protocol"},
    {"flaky", "flaky", NULL, "extra", 1, "--repeat 4"},
    {"flaky", "pass", NULL, NULL, 0, ""},
};

static const struct mode isolated_modes[] = {
    {"good", "pass", NULL, NULL, 0, ""},
    {"hang", "timeout", "no answer within 800 ms", NULL, 1, BRIEF},
    {"hang-with-child", "timeout", "sleep 1000", NULL, 1, BRIEF},
    {"crash", "crash", NULL, "process", 1, ""},
    {"exits-early", "fail", NULL, "process", 1, ""},
    {"exit-3", "fail", NULL, "process", 1, ""},
    {"late-answer", "timeout", "no answer within 800 ms", NULL, 1, BRIEF},
    {"chatter", "error", "meant for stderr?", NULL, 1, ""},
    {"huge-line", "error", "longer than 16 MiB", NULL, 1, ""},
    {"truncated-line", "error", "cut short", NULL, 1, ""},
    {"orphan-child", "leaked", "(sleep 1000)", NULL, 1, ""},
    {"child-in-group", "leaked", "(sleep 1000)", NULL, 1, ""},
    {"closed-stdout", "timeout", "no answer within 800 ms", NULL, 1, BRIEF},
    {"slow-start", "pass", NULL, NULL, 0, ""},
    {"leaks-stderr", "pass", NULL, NULL, 0, ""},
    {"unsupported", "unsupported", "not today", NULL, 0, ""},
    {"wrong-transport", "error", "asked to stream", NULL, 1, ""},
    {"wrong-seq", "error", "has seq 2, the request had 1", NULL, 1, ""},
    {"good", "pass", NULL, NULL, 0, "--check-protocol"},
};

/* Programs of several processes, whose events come over a FIFO. */
static const struct mode traced_modes[] = {
    {"good", "pass", NULL, NULL, 0, ""},
    {"good", "pass", NULL, NULL, 0, "--check-protocol"},
    {"hang", "timeout", "no answer within 800 ms", NULL, 1, BRIEF},
    {"hang-with-child", "timeout", "sleep 1000", NULL, 1, BRIEF},
    {"crash", "crash", NULL, "process", 1, ""},
    {"exits-early", "fail", NULL, "process", 1, ""},
    {"exit-3", "fail", NULL, "process", 1, ""},
    {"chatter", "error", "not a JSON object", NULL, 1, ""},
    {"random-bytes", "error", "not a JSON object", NULL, 1, ""},
    {"truncated-line", "error", "cut short", NULL, 1, ""},
    {"orphan-child", "leaked", "(sleep 1000)", NULL, 1, BRIEF},
    {"child-in-group", "leaked", "(sleep 1000)", NULL, 1, BRIEF},
    {"child-speaks", "fail", NULL, "extra", 1, ""},
    {"nameless-child-speaks", "error", "`of` is the id", NULL, 1, ""},
    {"leaks-stderr", "pass", NULL, NULL, 0, ""},
    {"unsupported", "unsupported", "not today", NULL, 0, ""},
    {"wrong-transport", "error", "asked to stream", NULL, 1, ""},
    {"wrong-seq", "error", "has seq 2, the request had 1", NULL, 1, ""},
};

/* Three cases; the one in the middle is the bad adapter's moment. */
enum kind { SHARED, ISOLATED, TRACED };

static void write_corpus(enum kind kind) {
  bool isolated = kind != SHARED;
  const char *roles = kind == TRACED ? ",\"roles\":{}" : "";
  const char *more = isolated ? ",\"isolation\":\"process\"" : NULL;
  const char *end = isolated ? ",{\"ev\":\"exit\",\"value\":{\"is\":0}}" : "";
  static const char *const ids[] = {"loop/x/first", "loop/x/bad",
                                    "loop/x/last"};
  static const char *const labels[] = {"first", "bad", "last"};
  struct drive_case cases[3];
  char *made[6];
  for (int i = 0; i < 3; i++) {
    made[i] = pl_mem_format("[{\"log\":\"%s\"}]%s", labels[i], roles);
    made[3 + i] =
        pl_mem_format("{\"seq\":[{\"ev\":\"%s\"}%s]}", labels[i], end);
    cases[i] = (struct drive_case){ids[i], made[i], made[3 + i], more};
  }
  drive_corpus(cases, 3);
  for (int i = 0; i < 6; i++)
    free(made[i]);
}

static struct drive run_mode(const char *mode, const char *arguments) {
  char *words =
      pl_mem_format("--corpus @/corpus.jsonl --results @/results.jsonl "
                    "--start-timeout 5000 --adapter '%s %s' %s",
                    getenv("BAD_ADAPTER"), mode, arguments);
  struct drive result = drive(words);
  free(words);
  return result;
}

static void check_mode(const struct mode *mode) {
  struct drive result = run_mode(mode->name, mode->arguments);
  print_message("%s %s: exit status %d, %.0f ms\n", mode->name, mode->arguments,
                result.status, result.ms);
  const json_t *line = drive_case_of(&result, "loop/x/bad");
  assert_string_equal(drive_text(line, "verdict"), mode->verdict);
  assert_string_equal(drive_verdict(&result, "loop/x/first"), "pass");
  assert_string_equal(drive_verdict(&result, "loop/x/last"), "pass");
  assert_int_equal(result.status, mode->status);
  const char *detail = drive_text(line, "detail");
  if (mode->detail == NULL)
    assert_string_equal(detail, "");
  else if (strstr(detail, mode->detail) == NULL)
    fail_msg("the detail is: %s", detail);
  const json_t *explanation = json_object_get(line, "explanation");
  assert_string_equal(drive_text(explanation, "kind"),
                      mode->kind != NULL ? mode->kind : "");
  assert_true(json_is_true(json_object_get(result.footer, "complete")));
  drive_free(&result);
}

static void each_fault_in_a_shared_session_gets_its_verdict(void **state) {
  (void)state;
  write_corpus(SHARED);
  for (size_t i = 0; i < sizeof shared_modes / sizeof shared_modes[0]; i++)
    check_mode(&shared_modes[i]);
}

static void each_fault_in_a_process_of_its_own_gets_its_verdict(void **state) {
  (void)state;
  write_corpus(ISOLATED);
  for (size_t i = 0; i < sizeof isolated_modes / sizeof isolated_modes[0]; i++)
    check_mode(&isolated_modes[i]);
}

static void each_fault_of_several_processes_gets_its_verdict(void **state) {
  (void)state;
  write_corpus(TRACED);
  for (size_t i = 0; i < sizeof traced_modes / sizeof traced_modes[0]; i++)
    check_mode(&traced_modes[i]);
}

/* A child's events have its id in front, come although the first process has
 * ended, and stand before that end. */
static void a_childs_events_are_waited_for(void **state) {
  (void)state;
  struct drive_case one = {"loop/x/bad", "[{\"log\":\"bad\"}],\"roles\":{}",
                           "{\"seq\":[{\"ev\":\"bad\"},{\"ev\":\"c.late\"},"
                           "{\"ev\":\"exit\",\"value\":{\"is\":0}}]}",
                           ",\"isolation\":\"process\""};
  drive_corpus(&one, 1);
  struct drive result = run_mode("child-speaks", "--check-protocol");
  assert_string_equal(drive_verdict(&result, "loop/x/bad"), "pass");
  assert_int_equal(result.status, 0);
  drive_free(&result);
}

static void
constant_answers_pass_only_where_they_happen_to_be_right(void **state) {
  (void)state;
  write_corpus(SHARED);
  struct drive result = run_mode("constant-answers", "");
  assert_string_equal(drive_verdict(&result, "loop/x/first"), "pass");
  assert_string_equal(drive_verdict(&result, "loop/x/bad"), "fail");
  assert_string_equal(drive_verdict(&result, "loop/x/last"), "fail");
  assert_int_equal(result.status, 1);
  drive_free(&result);
}

/* An adapter that does not start: one message, exit status 2, no footer that
 * says complete. */
static void check_no_start(const char *mode, const char *arguments,
                           const char *words) {
  struct drive result = run_mode(mode, arguments);
  assert_int_equal(result.status, 2);
  if (strstr(result.err, words) == NULL)
    fail_msg("%s says: %s", mode, result.err);
  assert_int_equal(json_array_size(result.cases), 0);
  assert_false(json_is_true(json_object_get(result.footer, "complete")));
  drive_free(&result);
}

static void an_adapter_that_does_not_start_ends_the_run(void **state) {
  (void)state;
  write_corpus(SHARED);
  check_no_start("no-start-answer", "--start-timeout 300",
                 "it printed nothing on stdout");
  check_no_start("wrong-protocol", "", "the adapter speaks protocol 2");
  check_no_start("start-chatter", "", "Welcome to bad-adapter!");
  check_no_start("start-crash", "", "ABI 7");
  check_no_start("start-crash", "", "exit status 3");
}

static void a_program_that_cannot_be_started_ends_the_run(void **state) {
  (void)state;
  write_corpus(SHARED);
  drive_write("plain", "no program\n");
  struct drive result = drive("--corpus @/corpus.jsonl --adapter @/plain");
  assert_int_equal(result.status, 2);
  assert_non_null(strstr(result.err, "is it executable?"));
  drive_free(&result);
  result = drive("--corpus @/corpus.jsonl --adapter @/absent");
  assert_int_equal(result.status, 2);
  assert_non_null(strstr(result.err, "no such file"));
  drive_free(&result);
}

/* Helpers in the adapter's own process group die with it: they are no leak. */
static void a_timeout_ends_the_whole_process_group(void **state) {
  (void)state;
  for (int isolated = 0; isolated < 2; isolated++) {
    write_corpus(isolated ? ISOLATED : SHARED);
    struct drive result = run_mode("hang-with-helper", BRIEF);
    const json_t *line = drive_case_of(&result, "loop/x/bad");
    assert_string_equal(drive_text(line, "verdict"), "timeout");
    assert_string_equal(drive_text(line, "detail"), "no answer within 800 ms");
    drive_free(&result);
  }
}

/* What happens between two cases, or after the last that shared the process,
 * blames none of them, but the run. */
static void check_unasked(const char *mode, const char *words) {
  struct drive_case cases[3] = {
      {"loop/x/first", "[{\"log\":\"bad\"}]", "{\"ev\":\"bad\"}", NULL},
      {"loop/x/last", "[{\"log\":\"a\"}]", "{\"ev\":\"a\"}", NULL},
      {"loop/x/alone", "[{\"log\":\"a\"},{\"log\":\"b\"}]",
       "{\"seq\":[{\"ev\":\"a\"},{\"ev\":\"b\"},{\"ev\":\"exit\",\"value\":"
       "{\"is\":0}}]}",
       ",\"isolation\":\"process\""}};
  for (int with_last = 0; with_last < 2; with_last++) {
    drive_corpus(cases, 3);
    struct drive result =
        run_mode(mode, with_last ? "" : "--exclude loop/x/last");
    for (int i = 0; i < 3; i++)
      if (i != 1 || with_last)
        assert_string_equal(drive_verdict(&result, cases[i].id), "pass");
    assert_int_equal(result.status, 1);
    if (strstr(drive_text(result.footer, "detail"), words) == NULL)
      fail_msg("%s", drive_text(result.footer, "detail"));
    drive_free(&result);
  }
}

static void what_an_adapter_does_between_cases_is_told(void **state) {
  (void)state;
  check_unasked("exit-3", "loop/x/first, unasked: it ended with exit status 3");
  check_unasked("talks-on", "unasked: it printed more than its answer: and "
                            "another thing");
}

static void stderr_is_kept_and_decides_nothing(void **state) {
  (void)state;
  write_corpus(SHARED);
  struct drive result = run_mode("leaks-stderr", "");
  const char *log = drive_text(drive_case_of(&result, "loop/x/bad"), "stderr");
  assert_true(strlen(log) <= 4096);
  assert_non_null(strstr(log, "the last words\n"));
  assert_int_equal(result.status, 0);
  drive_free(&result);
}

/* The figure is printed; that it is below 50 ms on an idle machine is a claim
 * about the machine too, so only an absurd one fails. */
static void how_late_a_timeout_is_noticed_is_measured(void **state) {
  (void)state;
  write_corpus(SHARED);
  struct drive result = run_mode("hang", "--stats " BRIEF);
  const char *late = strstr(result.err, "latest time-out ");
  assert_non_null(late);
  print_message("%s", strstr(result.err, "stats:"));
  double ms = strtod(late + strlen("latest time-out "), NULL);
  assert_true(ms > 0 && ms < 20000);
  drive_free(&result);
}

static void partial_traces_of_a_timeout_are_shown(void **state) {
  (void)state;
  struct drive_case one = {"loop/x/bad", "[{\"log\":\"bad\"}]",
                           "{\"ev\":\"bad\"}", ",\"isolation\":\"process\""};
  drive_corpus(&one, 1);
  struct drive result = run_mode("ignores-stop", BRIEF);
  const json_t *line = drive_case_of(&result, "loop/x/bad");
  assert_string_equal(drive_text(line, "verdict"), "timeout");
  const json_t *trace = json_array_get(json_object_get(line, "traces"), 0);
  assert_int_equal(json_array_size(json_object_get(trace, "events")), 1);
  drive_free(&result);
}

static void when_every_case_errs_the_run_proves_nothing(void **state) {
  (void)state;
  struct drive_case one = {"loop/x/bad", "[{\"log\":\"bad\"}]",
                           "{\"ev\":\"bad\"}", NULL};
  drive_corpus(&one, 1);
  struct drive result = run_mode("chatter", "");
  assert_int_equal(result.status, 2);
  assert_non_null(strstr(result.err, "proves nothing"));
  drive_free(&result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_fault_in_a_shared_session_gets_its_verdict),
      cmocka_unit_test(each_fault_in_a_process_of_its_own_gets_its_verdict),
      cmocka_unit_test(each_fault_of_several_processes_gets_its_verdict),
      cmocka_unit_test(a_childs_events_are_waited_for),
      cmocka_unit_test(
          constant_answers_pass_only_where_they_happen_to_be_right),
      cmocka_unit_test(an_adapter_that_does_not_start_ends_the_run),
      cmocka_unit_test(a_program_that_cannot_be_started_ends_the_run),
      cmocka_unit_test(a_timeout_ends_the_whole_process_group),
      cmocka_unit_test(what_an_adapter_does_between_cases_is_told),
      cmocka_unit_test(stderr_is_kept_and_decides_nothing),
      cmocka_unit_test(how_late_a_timeout_is_noticed_is_measured),
      cmocka_unit_test(partial_traces_of_a_timeout_are_shown),
      cmocka_unit_test(when_every_case_errs_the_run_proves_nothing),
  };
  return cmocka_run_group_tests(tests, drive_begin, drive_end);
}

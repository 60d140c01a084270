/* SPDX-License-Identifier: MIT */
/*
 * The judge's own cost: 10,000 cases against an adapter that does nothing.
 * Prints what a case costs; asserts that nothing is left behind, not time.
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

enum { CASES = 10000 };

static void write_corpus(void) {
  struct pl_text text = {0};
  pl_text_format(&text,
                 "{\"kind\":\"corpus\",\"format\":1,"
                 "\"suite\":\"0.1.0\",\"cases\":%d,\"rules\":1}\n",
                 CASES);
  for (int i = 0; i < CASES; i++)
    pl_text_format(
        &text,
        "{\"kind\":\"case\",\"id\":\"loop/null/case-%d\",\"rule\":\"LOOP-N-1\""
        ",\"level\":\"MUST\",\"area\":\"loop\",\"program\":{\"main\":["
        "{\"timeout\":{\"after\":1,\"then\":[{\"log\":\"a\"}]}}]},\"expect\":"
        "{\"interleave\":[{\"opt\":{\"ev\":\"a\"}},{\"opt\":{\"ev\":\"b\"}}]},"
        "\"hash\":\"%016x\"}\n",
        i, i);
  drive_write("corpus.jsonl", text.bytes);
  pl_text_free(&text);
}

static struct drive run(const char *arguments) {
  char *words = pl_mem_format("--corpus @/corpus.jsonl --results "
                              "@/results.jsonl --adapter %s --stats %s",
                              getenv("NULL_ADAPTER"), arguments);
  struct drive result = drive(words);
  free(words);
  return result;
}

static long number_after(const char *text, const char *words) {
  const char *at = strstr(text, words);
  if (at == NULL) fail_msg("no `%s` in: %s", words, text);
  return strtol(at + strlen(words), NULL, 10);
}

static void ten_thousand_cases_leave_nothing_behind(void **state) {
  (void)state;
  write_corpus();
  struct drive result = run("--quiet");
  print_message("%s%.0f ms in all\n", result.err, result.ms);
  assert_int_equal(result.status, 0);
  assert_int_equal(json_array_size(result.cases), CASES);
  assert_int_equal(number_after(result.err, "descriptors "),
                   number_after(result.err, "before, "));
  /* after a tenth of the cases everything that is kept is there */
  long early = number_after(result.err, "heap ");
  long late = number_after(result.err, "after a tenth, ");
  assert_true(late - early < 64 * 1024);
  drive_free(&result);
}

static void the_results_can_be_read_back_whole(void **state) {
  (void)state;
  write_corpus();
  struct drive result = run("--quiet --shard 1/10 --check-protocol");
  const json_t *totals = json_object_get(result.footer, "totals");
  assert_int_equal(json_integer_value(json_object_get(totals, "pass")),
                   json_array_size(result.cases));
  assert_int_equal(
      json_integer_value(json_object_get(result.header, "selected")),
      json_array_size(result.cases));
  drive_free(&result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ten_thousand_cases_leave_nothing_behind),
      cmocka_unit_test(the_results_can_be_read_back_whole),
  };
  return cmocka_run_group_tests(tests, drive_begin, drive_end);
}

/* SPDX-License-Identifier: MIT */
/* Explanations: one sentence for each way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"
#include "patterns.h"

#define EV(label) "{'ev':'" label "'}"
#define ABC "{'seq':[" EV("a") "," EV("b") "," EV("c") "]}"

static void says(const char *pattern, const char *trace, const char *kind,
                 size_t at, const char *summary) {
  struct pl_explanation *why = explain_quoted(pattern, trace);
  if (strcmp(why->summary, summary) != 0 || why->at != at ||
      strcmp(pl_why_name(why->why), kind) != 0)
    fail_msg("%s at %zu: %s", pl_why_name(why->why), why->at, why->summary);
  pl_explanation_free(why);
}

static void two_swapped_events_are_an_order(void **state) {
  (void)state;
  says(ABC, "['a','c','b']", "order", 1, "expected `b` before `c`");
  says(ABC, "['b','c','a']", "order", 0, "expected `a` before `b`");
  says("{'seq':[" EV("immediate") "," EV("timeout") "]}",
       "['timeout','immediate']", "order", 0,
       "expected `immediate` before `timeout`");
}

static void an_order_names_both_sides(void **state) {
  (void)state;
  struct pl_explanation *why = explain_quoted(ABC, "['a','c','b']");
  assert_string_equal(why->before, "b");
  assert_string_equal(why->after, "c");
  assert_int_equal(why->expected_count, 1);
  assert_string_equal(why->expected[0], "b");
  pl_explanation_free(why);
}

static void an_event_that_should_have_come_earlier_is_an_order(void **state) {
  (void)state;
  says("{'seq':[" EV("a") ",{'opt':" EV("b") "}," EV("c") "]}", "['a','c','b']",
       "order", 2, "expected `b` before `c`");
}

static void something_between_an_atomic_block_is_an_order(void **state) {
  (void)state;
  says("{'interleave':[{'atomic':{'seq':[" EV("a") "," EV("b") "]}}," EV(
           "c") "]}",
       "['a','c','b']", "order", 1, "expected `b` before `c`");
}

static void equal_labels_are_told_apart_by_their_values(void **state) {
  (void)state;
  says("{'seq':[{'ev':'t','value':{'is':1}},{'ev':'t','value':{'is':2}}]}",
       "[['t',2],['t',1]]", "order", 0,
       "expected `t` with 1 before `t` with 2");
}

static void an_event_that_never_came_is_missing(void **state) {
  (void)state;
  says(ABC, "['a','c']", "missing", 1, "`b` is missing before `c`");
}

static void an_event_too_many_is_extra(void **state) {
  (void)state;
  says(ABC, "['a','b','x','c']", "extra", 2,
       "`x` is not expected here, `c` is");
  says(ABC, "['a','b','c','c']", "extra", 3,
       "`c` is not expected here, nothing more is");
  says("{'seq':[]}", "[['x',5]]", "extra", 0,
       "`x` with 5 is not expected here, nothing more is");
}

static void a_wrong_value_is_a_value(void **state) {
  (void)state;
  const char *pattern = "{'seq':[{'ev':'t','value':{'min':10}}," EV("b") "]}";
  says(pattern, "[['t',7],'b']", "value", 0, "`t` is 7, expected at least 10");
  says(pattern, "['t','b']", "value", 0,
       "`t` has no value, expected at least 10");
  says(ABC, "[['a',\"x\"],'b','c']", "value", 0,
       "`a` is \"x\", expected no value");
}

static void a_trace_that_ends_too_early_says_what_should_follow(void **state) {
  (void)state;
  says(ABC, "['a','b']", "end", 2, "the trace ends too early, expected `c`");
  says("{'any':[" ABC "," EV("d") "]}", "[]", "end", 0,
       "the trace ends too early, expected `a` or `d`");
}

static void the_end_of_a_process_is_its_own_kind(void **state) {
  (void)state;
  const char *pattern = "{'seq':[" EV("a") ",{'ev':'exit','value':{'is':0}}]}";
  says(pattern, "['a',['exit',1]]", "process", 1,
       "the process ended with exit status 1, expected `exit` with 0");
  says(pattern, "[['exit',0]]", "process", 0,
       "the process ended with exit status 0, expected `a`");
  says(pattern, "['a',['signal','SIGSEGV']]", "process", 1,
       "the process was ended by SIGSEGV, expected `exit` with 0");
}

static void what_comes_before_the_end_of_a_process_is_no_order(void **state) {
  (void)state;
  says("{'seq':[" EV("a") ",{'ev':'exit','value':{'is':0}}]}",
       "['a','never',['exit',0]]", "extra", 1,
       "`never` is not expected here, `exit` with 0 is");
  says("{'seq':[" EV("a") ",{'ev':'exit','value':{'is':0}}]}",
       "['a','never','never',['exit',0]]", "extra", 1,
       "`never` is not expected here, `exit` with 0 is");
}

static void a_long_list_of_possibilities_is_cut(void **state) {
  struct pl_text pattern = {0};
  (void)state;
  pl_text_say(&pattern, "{'one':[");
  for (int i = 0; i < 9; i++)
    pl_text_format(&pattern, "%s{'ev':'e%d'}", i ? "," : "", i);
  pl_text_say(&pattern, "]}");
  says(pattern.bytes, "[]", "end", 0,
       "the trace ends too early, expected `e0`, `e1`, `e2`, `e3`, `e4` or "
       "one of 4 others");
  pl_text_free(&pattern);
}

static void a_long_trace_is_explained_in_bounded_time(void **state) {
  struct pl_text trace = {0};
  (void)state;
  pl_text_say(&trace, "['b'");
  for (int i = 0; i < 5000; i++)
    pl_text_say(&trace, ",'a'");
  pl_text_say(&trace, "]");
  says("{'seq':[{'repeat':" EV("a") ",'min':1,'max':null}," EV("b") "]}",
       trace.bytes, "order", 0, "expected `a` before `b`");
  pl_text_free(&trace);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_swapped_events_are_an_order),
      cmocka_unit_test(an_order_names_both_sides),
      cmocka_unit_test(an_event_that_should_have_come_earlier_is_an_order),
      cmocka_unit_test(something_between_an_atomic_block_is_an_order),
      cmocka_unit_test(equal_labels_are_told_apart_by_their_values),
      cmocka_unit_test(an_event_that_never_came_is_missing),
      cmocka_unit_test(an_event_too_many_is_extra),
      cmocka_unit_test(a_wrong_value_is_a_value),
      cmocka_unit_test(a_trace_that_ends_too_early_says_what_should_follow),
      cmocka_unit_test(the_end_of_a_process_is_its_own_kind),
      cmocka_unit_test(what_comes_before_the_end_of_a_process_is_no_order),
      cmocka_unit_test(a_long_list_of_possibilities_is_cut),
      cmocka_unit_test(a_long_trace_is_explained_in_bounded_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

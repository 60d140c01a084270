/* SPDX-License-Identifier: MIT */
/* The matcher: what each pattern allows, and that none of them blows up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"
#include "patterns.h"

#define A "{'ev':'a'}"
#define B "{'ev':'b'}"
#define C "{'ev':'c'}"
#define D "{'ev':'d'}"
#define AB "{'seq':[" A "," B "]}"
#define CD "{'seq':[" C "," D "]}"

static void a_sequence_allows_exactly_its_order(void **state) {
  (void)state;
  assert_true(allows(AB, "['a','b']"));
  assert_false(allows(AB, "['b','a']"));
  assert_false(allows(AB, "['a']"));
  assert_false(allows(AB, "['a','b','b']"));
  assert_false(allows(AB, "[]"));
  assert_true(allows("{'seq':[]}", "[]"));
  assert_false(allows("{'seq':[]}", "['a']"));
}

static void any_order_keeps_each_block_whole(void **state) {
  (void)state;
  const char *pattern = "{'any':[" AB "," CD "]}";
  assert_true(allows(pattern, "['a','b','c','d']"));
  assert_true(allows(pattern, "['c','d','a','b']"));
  assert_false(allows(pattern, "['a','c','b','d']"));
  assert_false(allows(pattern, "['a','b']"));
  assert_true(allows("{'any':[" A "," A "," B "]}", "['a','b','a']"));
  assert_false(allows("{'any':[" A "," A "," B "]}", "['a','b','b']"));
}

static void interleave_keeps_each_lists_own_order(void **state) {
  (void)state;
  const char *pattern = "{'interleave':[" AB "," CD "]}";
  assert_true(allows(pattern, "['a','c','b','d']"));
  assert_true(allows(pattern, "['c','a','b','d']"));
  assert_true(allows(pattern, "['c','d','a','b']"));
  assert_false(allows(pattern, "['b','a','c','d']"));
  assert_false(allows(pattern, "['a','c','b']"));
}

static void nothing_comes_between_an_atomic_block(void **state) {
  (void)state;
  const char *pattern = "{'interleave':[{'atomic':" AB "}," CD "]}";
  assert_true(allows(pattern, "['c','a','b','d']"));
  assert_true(allows(pattern, "['a','b','c','d']"));
  assert_false(allows(pattern, "['a','c','b','d']"));
  /* also what comes from an interleave further out */
  const char *nested =
      "{'interleave':[{'interleave':[{'atomic':" AB "}," C "]}," D "]}";
  assert_true(allows(nested, "['a','b','d','c']"));
  assert_false(allows(nested, "['a','d','b','c']"));
}

static void an_atomic_block_may_end_where_its_pattern_may_end(void **state) {
  (void)state;
  const char *pattern = "{'interleave':[{'atomic':{'seq':[" A ",{'repeat':" B
                        ",'min':0,'max':null}]}}," C "]}";
  assert_true(allows(pattern, "['a','b','b','c']"));
  assert_true(allows(pattern, "['a','c']"));
  assert_true(allows(pattern, "['c','a','b']"));
  assert_false(allows(pattern, "['a','b','c','b']"));
}

static void one_of_optional_and_repeat(void **state) {
  (void)state;
  assert_true(allows("{'one':[" AB "," CD "]}", "['c','d']"));
  assert_false(allows("{'one':[" AB "," CD "]}", "['a','d']"));
  assert_true(allows("{'seq':[{'opt':" A "}," B "]}", "['b']"));
  assert_true(allows("{'seq':[{'opt':" A "}," B "]}", "['a','b']"));
  assert_false(allows("{'seq':[{'opt':" A "}," B "]}", "['a','a','b']"));
  const char *repeat = "{'repeat':" AB ",'min':1,'max':2}";
  assert_false(allows(repeat, "[]"));
  assert_true(allows(repeat, "['a','b']"));
  assert_true(allows(repeat, "['a','b','a','b']"));
  assert_false(allows(repeat, "['a','b','a','b','a','b']"));
  assert_false(allows(repeat, "['a','b','a']"));
  assert_true(allows("{'repeat':{'opt':" A "},'min':3,'max':3}", "['a']"));
}

static void value_matchers_ask_of_the_value(void **state) {
  (void)state;
  assert_true(allows("{'ev':'a','value':{'is':3}}", "[['a',3.0]]"));
  assert_false(allows("{'ev':'a','value':{'is':3}}", "[['a','3']]"));
  assert_true(allows("{'ev':'a','value':{'is':null}}", "[['a',null]]"));
  assert_true(allows("{'ev':'a','value':{'min':2,'max':4}}", "[['a',2]]"));
  assert_false(allows("{'ev':'a','value':{'min':2,'max':4}}", "[['a',5]]"));
  assert_false(allows("{'ev':'a','value':{'min':2}}", "[['a','9']]"));
  assert_true(allows("{'ev':'a','value':{'near':10,'within':2}}", "[['a',8]]"));
  assert_false(
      allows("{'ev':'a','value':{'near':10,'within':2}}", "[['a',12.5]]"));
  assert_true(allows("{'ev':'a','value':{'type':'boolean'}}", "[['a',false]]"));
  assert_false(allows("{'ev':'a','value':{'type':'string'}}", "[['a',null]]"));
}

static void a_label_alone_is_not_a_label_with_a_value(void **state) {
  (void)state;
  assert_false(allows(A, "[['a',1]]"));
  assert_false(allows("{'ev':'a','value':{'is':1}}", "['a']"));
}

static void same_as_is_the_first_event_of_that_label(void **state) {
  (void)state;
  const char *pattern = "{'seq':[{'ev':'a','value':{'type':'number'}},"
                        "{'ev':'b','value':{'same_as':'a'}}]}";
  assert_true(allows(pattern, "[['a',7],['b',7]]"));
  assert_false(allows(pattern, "[['a',7],['b',8]]"));
  assert_false(allows("{'ev':'b','value':{'same_as':'c'}}", "[['b',8]]"));
}

static void check_refused(const char *pattern, const char *words) {
  char *error = why_not_compiled(pattern);
  if (error == NULL || strstr(error, words) == NULL)
    fail_msg("%s: %s", pattern, error ? error : "compiles");
  free(error);
}

static void what_is_no_pattern_is_refused_with_a_reason(void **state) {
  (void)state;
  check_refused("3", "a pattern is an object");
  check_refused("{'sequence':[]}", "unknown pattern");
  check_refused("{'seq':{}}", "not a list");
  check_refused("{'one':[]}", "at least one");
  check_refused("{'seq':[{'ev':3}]}", "`ev` is a label");
  check_refused("{'ev':'a','values':3}", "`ev` is a label");
  check_refused("{'ev':'a','value':{'about':3}}", "has one of is");
  check_refused("{'ev':'a','value':{'near':3}}", "`near` goes with");
  check_refused("{'ev':'a','value':{'type':'object'}}", "`type` is one of");
  check_refused("{'ev':'a','value':{'is':[1]}}", "`is` stands alone");
  check_refused("{'repeat':" A ",'min':3,'max':2}", "0 <= min <= max");
  check_refused("{'repeat':" A ",'min':-1,'max':2}", "0 <= min <= max");
  check_refused("{'opt':" A ",'atomic':" A "}", "one key");
}

/* The pattern and trace of `lists` interleaved lists of `length` events each;
 * with `same`, all lists have the same labels. */
static void interleaved(unsigned lists, unsigned length, bool same,
                        struct pl_text *pattern, struct pl_text *trace) {
  pl_text_say(pattern, "{'interleave':[");
  pl_text_say(trace, "[");
  for (unsigned i = 0; i < lists; i++) {
    pl_text_format(pattern, "%s{'seq':[", i > 0 ? "," : "");
    for (unsigned k = 0; k < length; k++)
      pl_text_format(pattern, "%s{'ev':'e%u'}", k > 0 ? "," : "",
                     same ? 0 : i * length + k);
    pl_text_say(pattern, "]}");
  }
  for (unsigned k = 0; k < length; k++)
    for (unsigned i = 0; i < lists; i++)
      pl_text_format(trace, "%s'e%u'", k + i > 0 ? "," : "",
                     same ? 0 : i * length + k);
  pl_text_say(pattern, "]}");
  pl_text_say(trace, "]");
}

/* Returns how many terms a match made: the measure of its cost. */
static size_t terms_of(const char *pattern, const char *trace, bool allowed) {
  struct pl_pattern compiled;
  char *error = NULL;
  json_t *ir = parse_quoted(pattern), *events = parse_quoted(trace);
  assert_int_equal(pl_pattern_compile(&compiled, ir, &error), 0);
  struct pl_event *at = pl_trace_events(events);
  struct pl_trace list = {at, json_array_size(events)};
  assert_int_equal(pl_pattern_match(&compiled, &list, NULL, NULL),
                   allowed ? PL_MATCH_YES : PL_MATCH_NO);
  size_t count = compiled.table.count;
  free(at);
  pl_pattern_free(&compiled);
  json_decref(ir);
  json_decref(events);
  return count;
}

static void eight_interleaved_lists_of_ten_need_few_states(void **state) {
  struct pl_text pattern = {0}, trace = {0};
  (void)state;
  interleaved(8, 10, false, &pattern, &trace);
  assert_true(terms_of(pattern.bytes, trace.bytes, true) < 1000);
  pl_text_free(&pattern);
  pl_text_free(&trace);
  /* all labels equal: 11^8 positions, but few sets of equal remainders */
  interleaved(8, 10, true, &pattern, &trace);
  size_t terms = terms_of(pattern.bytes, trace.bytes, true);
  print_message("8 equal lists of 10: %zu terms\n", terms);
  assert_true(terms < 60000);
  pl_text_free(&pattern);
  pl_text_free(&trace);
}

static void any_order_of_twelve_needs_few_states(void **state) {
  struct pl_text pattern = {0}, trace = {0};
  (void)state;
  pl_text_say(&pattern, "{'any':[");
  pl_text_say(&trace, "[");
  for (int i = 0; i < 12; i++) {
    pl_text_format(&pattern, "%s{'seq':[{'ev':'x'},{'ev':'e%d'}]}",
                   i ? "," : "", i);
    pl_text_format(&trace, "%s'x','e%d'", i ? "," : "", 11 - i);
  }
  pl_text_say(&pattern, "]}");
  pl_text_say(&trace, "]");
  assert_true(terms_of(pattern.bytes, trace.bytes, true) < 1000);
  pl_text_free(&pattern);
  pl_text_free(&trace);
}

static void a_repeat_up_to_a_thousand_needs_few_states(void **state) {
  struct pl_text trace = {0};
  (void)state;
  pl_text_say(&trace, "['a'");
  for (int i = 1; i < 1000; i++)
    pl_text_say(&trace, ",'a'");
  pl_text_say(&trace, "]");
  assert_true(terms_of("{'repeat':" A ",'min':0,'max':1000}", trace.bytes,
                       true) < 3000);
  assert_true(terms_of("{'repeat':" A ",'min':0,'max':999}", trace.bytes,
                       false) < 3000);
  pl_text_free(&trace);
  for (int i = 0; i < 1000; i++)
    pl_text_say(&trace, i == 0 ? "['b'" : i % 10 == 0 ? ",'b'" : ",'a'");
  pl_text_say(&trace, "]");
  assert_true(terms_of("{'repeat':{'seq':[" B ",{'repeat':" A
                       ",'min':0,'max':1000}]},'min':0,'max':1000}",
                       trace.bytes, true) < 3000);
  pl_text_free(&trace);
}

static void a_hopeless_pattern_is_given_up_and_not_waited_for(void **state) {
  struct pl_text pattern = {0}, trace = {0};
  (void)state;
  pl_text_say(&pattern, "{'interleave':[");
  for (int i = 0; i < 24; i++) {
    pl_text_format(&pattern, "%s{'seq':[{'ev':'a'},{'ev':'e%d'},{'ev':'a'}]}",
                   i ? "," : "", i);
    pl_text_format(&trace, "%s'a'", i ? "," : "[");
  }
  pl_text_say(&pattern, "]}");
  pl_text_say(&trace, "]");
  assert_int_equal(match_quoted(pattern.bytes, trace.bytes), PL_MATCH_TOO_BIG);
  pl_text_free(&pattern);
  pl_text_free(&trace);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_sequence_allows_exactly_its_order),
      cmocka_unit_test(any_order_keeps_each_block_whole),
      cmocka_unit_test(interleave_keeps_each_lists_own_order),
      cmocka_unit_test(nothing_comes_between_an_atomic_block),
      cmocka_unit_test(an_atomic_block_may_end_where_its_pattern_may_end),
      cmocka_unit_test(one_of_optional_and_repeat),
      cmocka_unit_test(value_matchers_ask_of_the_value),
      cmocka_unit_test(a_label_alone_is_not_a_label_with_a_value),
      cmocka_unit_test(same_as_is_the_first_event_of_that_label),
      cmocka_unit_test(what_is_no_pattern_is_refused_with_a_reason),
      cmocka_unit_test(eight_interleaved_lists_of_ten_need_few_states),
      cmocka_unit_test(any_order_of_twelve_needs_few_states),
      cmocka_unit_test(a_repeat_up_to_a_thousand_needs_few_states),
      cmocka_unit_test(a_hopeless_pattern_is_given_up_and_not_waited_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

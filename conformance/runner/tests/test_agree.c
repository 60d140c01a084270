/* SPDX-License-Identifier: MIT */
/* Agreement: a pattern that allows more, or less, than a set is told, with an
 * example; and so it is for every set that differs by one trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agree.h"
#include "patterns.h"

#define A "{'ev':'a'}"
#define B "{'ev':'b'}"
#define C "{'ev':'c'}"
#define AB "{'seq':[" A "," B "]}"
#define BOTH (PL_AGREE_NARROW | PL_AGREE_WIDE)

static void tell(void *self, const struct pl_disagreement *found) {
  struct pl_text *text = self;
  if (found->kind == PL_TOO_NARROW)
    pl_text_format(text, "narrow %zu@%zu;", found->trace, found->at);
  if (found->kind == PL_TOO_WIDE) pl_text_format(text, "wide %s;", found->text);
  if (found->kind == PL_TOO_BIG) pl_text_say(text, "big;");
}

static size_t compare(const json_t *ir, const json_t *set, unsigned what,
                      struct pl_text *text) {
  struct pl_pattern pattern;
  char *error = NULL;
  if (pl_pattern_compile(&pattern, ir, &error) != 0) fail_msg("%s", error);
  size_t count = json_array_size(set);
  struct pl_trace *traces = pl_mem_alloc((count + 1) * sizeof *traces);
  for (size_t i = 0; i < count; i++) {
    const json_t *events = json_array_get(set, i);
    assert_int_equal(pl_trace_check(events), -1);
    traces[i].at = pl_trace_events(events);
    traces[i].count = json_array_size(events);
  }
  size_t found = pl_pattern_agree(&pattern, traces, count, what, 9, tell, text);
  for (size_t i = 0; i < count; i++)
    free((void *)(uintptr_t)traces[i].at);
  free(traces);
  pl_pattern_free(&pattern);
  return found;
}

/* Says what is told of a pattern and a set of traces. */
static void assert_told(const char *pattern, const char *set, unsigned what,
                        const char *expected) {
  json_t *ir = parse_quoted(pattern), *traces = parse_quoted(set);
  struct pl_text text = {0};
  compare(ir, traces, what, &text);
  assert_string_equal(text.bytes != NULL ? text.bytes : "", expected);
  pl_text_free(&text);
  json_decref(ir);
  json_decref(traces);
}

static void a_pattern_that_allows_the_set_agrees(void **state) {
  (void)state;
  assert_told(AB, "[['a','b']]", BOTH, "");
  assert_told("{'any':[" A "," B "]}", "[['a','b'],['b','a']]", BOTH, "");
  assert_told("{'seq':[]}", "[[]]", BOTH, "");
  assert_told("{'seq':[" A ",{'opt':" B "}]}", "[['a'],['a','b']]", BOTH, "");
}

static void a_forbidden_trace_is_told_with_its_place(void **state) {
  (void)state;
  assert_told(AB, "[['a','b'],['b','a']]", BOTH, "narrow 1@0;");
  assert_told(AB, "[['a','b'],['a']]", BOTH, "narrow 1@1;");
  assert_told(AB, "[['a','b'],['a','b','b']]", BOTH, "narrow 1@2;");
}

static void a_trace_that_nobody_left_is_told(void **state) {
  (void)state;
  const char *pattern = "{'any':[" A "," B "," C "]}";
  assert_told("{'any':[" A "," B "]}", "[['a','b']]", BOTH, "wide [b, a];");
  assert_told(pattern, "[['a','b','c'],['b','a','c'],['c','a','b']]", BOTH,
              "wide [a, c, b];wide [b, c, a];wide [c, b, a];");
}

static void an_end_that_nobody_reached_is_told(void **state) {
  (void)state;
  assert_told("{'seq':[" A ",{'opt':" B "}]}", "[['a','b']]", BOTH,
              "wide [a];");
  assert_told("{'repeat':" A ",'min':0,'max':null}", "[['a'],['a','a']]", BOTH,
              "wide [];wide [a, a, a];");
}

static void each_side_can_be_left_out(void **state) {
  (void)state;
  assert_told("{'any':[" A "," B "]}", "[['a','b']]", PL_AGREE_NARROW, "");
  assert_told(AB, "[['a','b'],['b','a']]", PL_AGREE_WIDE, "");
}

static void a_range_is_covered_by_one_value(void **state) {
  (void)state;
  const char *range = "{'ev':'a','value':{'min':1,'max':9}}";
  assert_told(range, "[[['a',3]]]", BOTH, "");
  assert_told(range, "[[['a',3]],[['a',4]]]", BOTH, "");
  assert_told(range, "[[['a',3]],[['a',10]]]", BOTH, "narrow 1@0;");
  assert_told("{'one':[{'ev':'a','value':{'is':1}},"
              "{'ev':'a','value':{'is':2}}]}",
              "[[['a',1]]]", BOTH, "wide [[a, 2]];");
}

static void values_that_make_no_difference_go_together(void **state) {
  (void)state;
  const char *pattern = "{'seq':[{'ev':'t','value':{'min':1}},"
                        "{'any':[" A "," B "]}]}";
  assert_told(pattern, "[[['t',1],'a','b'],[['t',2],'b','a']]", BOTH, "");
  assert_told(pattern, "[[['t',1],'a','b'],[['t',2],'a','b']]", BOTH,
              "wide [[t, 1], b, a];");
}

static void a_value_like_an_earlier_one_is_looked_up(void **state) {
  (void)state;
  const char *pattern = "{'seq':[{'ev':'a','value':{'type':'number'}},"
                        "{'ev':'b','value':{'same_as':'a'}}]}";
  assert_told(pattern, "[[['a',1],['b',1]],[['a',2],['b',2]]]", BOTH, "");
  assert_told(pattern, "[[['a',1],['b',2]]]", PL_AGREE_NARROW, "narrow 0@1;");
}

static void a_pattern_that_grows_beyond_measure_is_told(void **state) {
  (void)state;
  struct pl_text ir = {0}, set = {0};
  pl_text_say(&ir, "{'interleave':[");
  for (int i = 0; i < 40; i++)
    pl_text_format(&ir, "%s{'seq':[{'ev':'a'},{'ev':'b%d'}]}", i ? "," : "", i);
  pl_text_say(&ir, "]}");
  pl_text_say(&set, "[[");
  for (int i = 0; i < 40; i++)
    pl_text_format(&set, "%s'a'", i ? "," : "");
  pl_text_say(&set, "]]");
  json_t *pattern = parse_quoted(ir.bytes), *traces = parse_quoted(set.bytes);
  struct pl_text text = {0};
  assert_true(compare(pattern, traces, BOTH, &text) > 0);
  assert_non_null(strstr(text.bytes, "big;"));
  json_decref(pattern);
  json_decref(traces);
  pl_text_free(&text);
  pl_text_free(&ir);
  pl_text_free(&set);
}

/* -- against a second definition: every word is matched ----------------------
 */

enum { LONGEST = 4 };

/* A random pattern of a few events, no more than LONGEST long. */
static json_t *random_pattern(unsigned *seed, int budget) {
  static const char *const groups[] = {"seq", "any", "interleave", "one"};
  *seed = *seed * 1103515245u + 12345u;
  unsigned pick = *seed >> 16;
  if (budget <= 1) {
    const char label[2] = {(char)('a' + pick % 2), '\0'};
    return json_pack("{s:s}", "ev", label);
  }
  if (pick % 7 == 6)
    return json_pack("{s:o}", "opt", random_pattern(seed, budget - 1));
  if (pick % 7 == 5)
    return json_pack("{s:o, s:i, s:i}", "repeat", random_pattern(seed, 1),
                     "min", 0, "max", budget);
  int first = 1 + (int)(pick / 7) % (budget - 1);
  return json_pack("{s:[o, o]}", groups[pick % 4], random_pattern(seed, first),
                   random_pattern(seed, budget - first));
}

/* Every word of a and b that is not longer than LONGEST, by a number. */
static json_t *word(unsigned number) {
  json_t *events = json_array();
  for (; number > 1; number /= 2)
    json_array_append_new(events, json_string(number % 2 ? "b" : "a"));
  return events;
}

static bool is_allowed(const json_t *ir, const json_t *events) {
  json_t *set = json_pack("[O]", events);
  struct pl_text text = {0};
  bool allowed = compare(ir, set, PL_AGREE_NARROW, &text) == 0;
  pl_text_free(&text);
  json_decref(set);
  return allowed;
}

static size_t told_of(const json_t *ir, const json_t *set) {
  struct pl_text text = {0};
  size_t found = compare(ir, set, BOTH, &text);
  pl_text_free(&text);
  return found;
}

static void one_trace_more_or_less_is_always_told(void **state) {
  (void)state;
  unsigned seed = 7;
  for (int round = 0; round < 300; round++) {
    json_t *ir = random_pattern(&seed, LONGEST);
    json_t *allowed = json_array(), *forbidden = NULL;
    for (unsigned n = 1; n < 2u << LONGEST; n++) {
      json_t *events = word(n);
      if (is_allowed(ir, events))
        json_array_append(allowed, events);
      else if (forbidden == NULL)
        forbidden = json_incref(events);
      json_decref(events);
    }
    assert_int_equal(told_of(ir, allowed), 0);
    if (forbidden != NULL) {
      json_array_append(allowed, forbidden);
      assert_int_equal(told_of(ir, allowed), 1);
      json_array_remove(allowed, json_array_size(allowed) - 1);
    }
    for (size_t i = 0;
         json_array_size(allowed) > 1 && i < json_array_size(allowed); i++) {
      json_t *left = json_copy(allowed);
      json_array_remove(left, i);
      assert_true(told_of(ir, left) > 0);
      json_decref(left);
    }
    json_decref(forbidden);
    json_decref(allowed);
    json_decref(ir);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pattern_that_allows_the_set_agrees),
      cmocka_unit_test(a_forbidden_trace_is_told_with_its_place),
      cmocka_unit_test(a_trace_that_nobody_left_is_told),
      cmocka_unit_test(an_end_that_nobody_reached_is_told),
      cmocka_unit_test(each_side_can_be_left_out),
      cmocka_unit_test(a_range_is_covered_by_one_value),
      cmocka_unit_test(values_that_make_no_difference_go_together),
      cmocka_unit_test(a_value_like_an_earlier_one_is_looked_up),
      cmocka_unit_test(a_pattern_that_grows_beyond_measure_is_told),
      cmocka_unit_test(one_trace_more_or_less_is_always_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

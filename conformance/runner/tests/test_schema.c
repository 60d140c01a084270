/* SPDX-License-Identifier: MIT */
/* The schema validator, and the suite's own schemas by it. */
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
#include "schema.h"

/* Returns what is wrong with a value, "" when nothing is. Free it. */
static char *check(const char *schema_text, const char *value_text) {
  struct pl_schema schema;
  char *error = NULL;
  if (pl_schema_init(&schema, parse_quoted(schema_text), &error) != 0)
    fail_msg("%s", error);
  json_t *value = parse_quoted(value_text);
  char *result = pl_schema_check(&schema, NULL, value);
  json_decref(value);
  pl_schema_free(&schema);
  return result != NULL ? result : pl_mem_copy("");
}

static void good(const char *schema, const char *value) {
  char *error = check(schema, value);
  if (error[0] != '\0') fail_msg("%s by %s: %s", value, schema, error);
  free(error);
}

static void bad(const char *schema, const char *value, const char *words) {
  char *error = check(schema, value);
  if (strcmp(error, words) != 0) fail_msg("%s by %s: %s", value, schema, error);
  free(error);
}

static void types_are_told_apart(void **state) {
  (void)state;
  good("{'type':'string'}", "'x'");
  good("{'type':'integer'}", "3");
  good("{'type':'integer'}", "3.0");
  good("{'type':'number'}", "3.5");
  good("{'type':['string','null']}", "null");
  bad("{'type':'integer'}", "3.5", "/: expected \"integer\", is number");
  bad("{'type':'array'}", "{}", "/: expected \"array\", is object");
  bad("{'type':['string','null']}", "true",
      "/: expected [\"string\",\"null\"], is boolean");
}

static void constants_enums_and_bounds(void **state) {
  (void)state;
  good("{'const':[1,{'a':2}]}", "[1,{'a':2}]");
  bad("{'const':1}", "2", "/: expected 1");
  bad("{'enum':['a','b']}", "'c'", "/: expected one of [\"a\",\"b\"]");
  good("{'minimum':2,'maximum':3}", "'not a number'");
  bad("{'minimum':2}", "1", "/: expected at least 2");
  bad("{'maximum':2}", "2.5", "/: expected at most 2");
  bad("{'minLength':1}", "''", "/: expected a length of at least 1");
  bad("{'minItems':1}", "[]", "/: expected a size of at least 1");
  bad("{'maxItems':1}", "[1,2]", "/: expected a size of at most 1");
}

static void members_and_items_are_named_by_their_path(void **state) {
  (void)state;
  const char *schema = "{'properties':{'a':{'items':{'type':'string'}}},"
                       "'required':['a'],'additionalProperties':false}";
  good(schema, "{'a':['x']}");
  bad(schema, "{'a':['x',5]}", "/a/1: expected \"string\", is integer");
  bad(schema, "{}", "/: key `a` is missing");
  bad(schema, "{'a':[],'b':1}", "/: unknown key `b`");
  bad("{'additionalProperties':{'type':'null'}}", "{'x':1}",
      "/x: expected \"null\", is integer");
}

static void alternatives_report_the_one_that_was_meant(void **state) {
  (void)state;
  const char *schema =
      "{'oneOf':[{'required':['a'],'properties':{'a':{'type':'string'}}},"
      "{'required':['b'],'properties':{'b':{'type':'string'},'c':{}}}]}";
  good(schema, "{'a':'x'}");
  bad(schema, "{'b':1,'c':1}", "/b: expected \"string\", is integer");
  bad(schema, "{'a':'x','b':'y'}", "/: matches 2 of the alternatives, not one");
  good("{'anyOf':[{'type':'string'},{'minimum':3}]}", "'x'");
  bad("{'anyOf':[{'type':'string'},{'minimum':3}]}", "2",
      "/: expected \"string\", is integer");
  bad("{'allOf':[{'minimum':1},{'maximum':2}]}", "3", "/: expected at most 2");
  bad("{'not':{'type':'string'}}", "'x'", "/: is what it must not be");
}

static void references_lead_to_definitions(void **state) {
  (void)state;
  const char *schema = "{'$ref':'#/definitions/n','definitions':"
                       "{'n':{'type':'integer'}}}";
  good(schema, "1");
  bad(schema, "'1'", "/: expected \"integer\", is string");
  /* a tree: the schema refers to itself */
  const char *tree = "{'type':'array','items':{'$ref':'#'}}";
  good(tree, "[[],[[]]]");
  bad(tree, "[[],[[1]]]", "/1/0/0: expected \"array\", is integer");
}

static void a_reference_to_itself_ends(void **state) {
  (void)state;
  bad("{'$ref':'#'}", "1", "/: nested too deeply");
}

static void check_refused(const char *text, const char *words) {
  struct pl_schema schema;
  char *error = NULL;
  json_t *root = parse_quoted(text);
  assert_int_equal(pl_schema_init(&schema, root, &error), -1);
  assert_string_equal(error, words);
  free(error);
  json_decref(root);
}

static void a_keyword_that_is_not_checked_is_refused(void **state) {
  (void)state;
  check_refused("{'pattern':'a'}",
                "keyword `pattern` is not known to the validator");
  check_refused("{'properties':{'a':{'items':{'if':{}}}}}",
                "keyword `if` is not known to the validator");
  check_refused("{'$ref':'#/definitions/none'}",
                "$ref leads nowhere: \"#/definitions/none\"");
}

static void load(struct pl_schema *schema, const char *name) {
  char *error = NULL;
  char *path = pl_mem_format("%s/%s", getenv("SCHEMA_DIR"), name);
  if (pl_schema_load(schema, path, &error) != 0) fail_msg("%s", error);
  free(path);
}

static void protocol(const struct pl_schema *schema, const char *which,
                     const char *message, const char *words) {
  json_t *value = parse_quoted(message);
  char *error = pl_schema_check(schema, which, value);
  json_decref(value);
  if (strcmp(error ? error : "", words) != 0)
    fail_msg("%s: %s", message, error ? error : "valid");
  free(error);
}

static void the_protocols_schema_knows_its_messages(void **state) {
  struct pl_schema schema;
  (void)state;
  load(&schema, "protocol.schema.json");
  protocol(&schema, "request", "{'cmd':'start','protocol':1}", "");
  protocol(&schema, "request", "{'cmd':'stop'}", "");
  protocol(&schema, "request",
           "{'cmd':'run','seq':1,'program':{'main':[]},'files':{},"
           "'dir':'/d','stream':true}",
           "");
  protocol(&schema, "request", "{'cmd':'run','seq':1,'files':{},'dir':'/d'}",
           "/: key `program` is missing");
  protocol(&schema, "answer", "{'seq':1,'events':['a',['b',null]]}", "");
  protocol(&schema, "answer", "{'seq':1,'event':['b',[]]}",
           "/event/1: expected [\"string\",\"number\",\"boolean\",\"null\"], "
           "is array");
  protocol(&schema, "answer", "{'seq':'1','events':[]}",
           "/seq: expected \"integer\", is string");
  protocol(&schema, "answer", "{'seq':1,'unsupported':'x'}", "");
  protocol(&schema, "answer", "{'seq':1,'error':{'detail':'x'}}",
           "/error: key `message` is missing");
  protocol(&schema, "answer",
           "{'protocol':2,'implementation':{'name':'x','version':'1'},"
           "'capabilities':[],'traits':[]}",
           "/protocol: expected 1");
  pl_schema_free(&schema);
}

static void the_results_schema_is_one_that_the_validator_knows(void **state) {
  struct pl_schema schema;
  (void)state;
  load(&schema, "result.schema.json");
  pl_schema_free(&schema);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types_are_told_apart),
      cmocka_unit_test(constants_enums_and_bounds),
      cmocka_unit_test(members_and_items_are_named_by_their_path),
      cmocka_unit_test(alternatives_report_the_one_that_was_meant),
      cmocka_unit_test(references_lead_to_definitions),
      cmocka_unit_test(a_reference_to_itself_ends),
      cmocka_unit_test(a_keyword_that_is_not_checked_is_refused),
      cmocka_unit_test(the_protocols_schema_knows_its_messages),
      cmocka_unit_test(the_results_schema_is_one_that_the_validator_knows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

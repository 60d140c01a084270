/* SPDX-License-Identifier: MIT */
/*
 * test_explore.c: plumb-explore as a process: which traces it finds, that it
 * tells a pattern that is too wide or too narrow, and where it gives up.
 *
 * Usage: test_explore PLUMB-EXPLORE PROVIDER.so OTHER.so, where OTHER is a
 * provider that does not explore.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *explorer, *provider, *other;

/* Runs the explorer with `input`; gives what it printed, free with free(). */
static char *ask(const char *library, const char *arguments, const char *input,
                 int *status) {
  char path[] = "/tmp/plumb-explore-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, input, strlen(input)), (ssize_t)strlen(input));
  close(fd);
  char command[4096];
  snprintf(command, sizeof command, "'%s' '%s' %s <'%s' 2>&1", explorer,
           library, arguments, path);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  char *text = calloc(1, 1 << 20);
  size_t length = fread(text, 1, (1 << 20) - 1, pipe);
  text[length] = '\0';
  int ended = pclose(pipe);
  assert_true(WIFEXITED(ended));
  *status = WEXITSTATUS(ended);
  unlink(path);
  return text;
}

static char *quoted(const char *text) {
  char *json = strdup(text);
  for (char *c = json; *c; c++)
    if (*c == '\'') *c = '"';
  return json;
}

/* -- traces ---------------------------------------------------------------- */

static const struct {
  const char *program, *traces; /* of JSON, with ' for " */
} programs[] = {
    {"[{'log':'a'}]", "[['a']]"},
    {"[{'timeout':{'then':[{'log':'t'}]}},{'immediate':{'then':[{'log':'i'}]}}"
     "]",
     "[['i','t'],['t','i']]"},
    {"[{'timeout':{'then':[{'log':'t'}]}},{'immediate':{'then':[{'log':'i'}]}},"
     "{'block':3}]",
     "[['t','i']]"},
    {"[{'fs.stat':{'path':'.','then':[{'timeout':{'then':[{'log':'t'}]}},"
     "{'immediate':{'then':[{'log':'i'}]}}]}}]",
     "[['i','t']]"},
    {"[{'fs.stat':{'path':'no/such','then':[{'log':['s','$result']}]}}]",
     "[[['s','ENOENT']]]"},
    {"[{'work':{'block':60,'then':[{'log':'long'}]}},"
     "{'work':{'then':[{'log':'short'}]}}]",
     "[['short','long']]"},
    {"[{'timer':{'id':'t','after':4,'then':[{'log':['e','$elapsed']},"
     "{'log':['n','$now']}]}},{'block':7}]",
     "[[['e',7],['n',7]],[['e',8],['n',8]],[['e',9],['n',9]]]"},
    {"[{'async':{'id':'a','then':[{'log':'a'},{'close':{'of':'a'}}]}},"
     "{'poll':{'id':'p','then':[{'log':'p'},{'close':{'of':'p'}}]}},"
     "{'async.send':{'to':'a','times':3,'threads':2}},{'poll.write':'p'}]",
     "[['a','p'],['p','a']]"},
    {"[{'async':{'id':'a'}}]", "[['never-ends']]"},
    {"[{'idle':{'id':'a'}}]", "[['never-ends']]"},
    {"[{'timer':{'id':'t','after':1,'then':[{'log':'t'}]}},"
     "{'run':{'mode':'nowait','log':'r'}}]",
     "[[['r',true]],['t',['r',false]]]"},
    {"[{'idle':{'id':'i'}},{'unref':'i'},"
     "{'timer':{'id':'t','after':900,'then':[{'log':'t'}]}}]",
     "[['t']]"},
    /* When the second timeout began decides, and nothing else tells. */
    {"[{'immediate':{'then':[{'log':'i'},{'timeout':{'after':5,'then':["
     "{'log':'t'}]}}]}},{'async':{'id':'a','then':[{'timeout':{'after':5,"
     "'then':[{'log':'u'},{'fs.stat':{'path':'/','then':[{'log':'s'}]}}]}},"
     "{'close':{'of':'a'}}]}},{'async.send':{'to':'a'}}]",
     "[['i','u','t','s'],['i','u','s','t']]"},
    /* Requests that cannot be told apart do not multiply. */
    {"[{'work':{'then':[{'log':'w'}]}},{'work':{'then':[{'log':'w'}]}},"
     "{'work':{'then':[{'log':'w'}]}},{'work':{'then':[{'log':'w'}]}},"
     "{'work':{'then':[{'log':'w'}]}},{'work':{'then':[{'log':'w'}]}},"
     "{'work':{'then':[{'log':'w'}]}},{'work':{'then':[{'log':'w'}]}},"
     "{'work':{'then':[{'log':'w'}]}},{'work':{'then':[{'log':'w'}]}}]",
     "[['w','w','w','w','w','w','w','w','w','w']]"},
};

static int by_text(const void *a, const void *b) {
  char *one = json_dumps(*(json_t *const *)a, JSON_COMPACT);
  char *two = json_dumps(*(json_t *const *)b, JSON_COMPACT);
  int order = strcmp(one, two);
  free(one);
  free(two);
  return order;
}

static json_t *sorted(const json_t *list) {
  size_t count = json_array_size(list);
  json_t **at = calloc(count + 1, sizeof *at);
  json_t *result = json_array();
  for (size_t i = 0; i < count; i++)
    at[i] = json_array_get(list, i);
  qsort(at, count, sizeof *at, by_text);
  for (size_t i = 0; i < count; i++)
    json_array_append(result, at[i]);
  free(at);
  return result;
}

static void assert_same_set(const json_t *found, const char *expected) {
  char *text = quoted(expected);
  json_t *wanted = json_loads(text, 0, NULL);
  json_t *one = sorted(found), *two = sorted(wanted);
  char *said = json_dumps(one, JSON_COMPACT | JSON_ENCODE_ANY);
  char *want = json_dumps(two, JSON_COMPACT);
  assert_string_equal(said, want);
  free(said);
  free(want);
  free(text);
  json_decref(one);
  json_decref(two);
  json_decref(wanted);
}

static json_t *explored(const char *arguments, const char *program,
                        int expected) {
  char text[4096], *input = quoted(program);
  int status;
  snprintf(text, sizeof text, "{\"main\":%s}", input);
  char *output = ask(provider, arguments, text, &status);
  if (status != expected) fail_msg("status %d: %s", status, output);
  json_t *json = json_loads(output, 0, NULL);
  if (!json) fail_msg("not JSON: %s", output);
  free(output);
  free(input);
  return json;
}

static void each_program_has_exactly_its_traces(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
    json_t *json = explored("--json", programs[i].program, 0);
    assert_same_set(json_object_get(json, "traces"), programs[i].traces);
    assert_true(json_is_true(json_object_get(json, "complete")));
    json_decref(json);
  }
}

static void states_that_are_merged_lose_no_trace(void **state) {
  (void)state;
  for (size_t i = 0; i + 1 < sizeof programs / sizeof programs[0]; i++) {
    json_t *json = explored("--json --no-merge", programs[i].program, 0);
    assert_same_set(json_object_get(json, "traces"), programs[i].traces);
    json_decref(json);
  }
}

#define TWO_WAKE_UPS                                                           \
  "[{'async':{'id':'a','then':[{'log':'a'},{'close':{'of':'a'}}]}},"           \
  "{'async':{'id':'b','then':[{'log':'b'},{'close':{'of':'b'}}]}},"            \
  "{'async.send':{'to':'b'}},{'async.send':{'to':'a'}}]"

static void usual_orders_are_free_when_that_is_asked_for(void **state) {
  (void)state;
  json_t *usual = explored("--json", TWO_WAKE_UPS, 0);
  json_t *any = explored("--json --any-order", TWO_WAKE_UPS, 0);
  assert_same_set(json_object_get(usual, "traces"), "[['a','b']]");
  assert_same_set(json_object_get(any, "traces"), "[['a','b'],['b','a']]");
  json_decref(usual);
  json_decref(any);
}

static void the_tree_leads_to_every_trace(void **state) {
  (void)state;
  json_t *json = explored(
      "--json",
      "[{'timeout':{'then':[{'log':'t'}]}},{'immediate':{'then':[{'log':'i'}]}}"
      "]",
      0);
  char *tree =
      json_dumps(json_object_get(json, "tree"), JSON_COMPACT | JSON_SORT_KEYS);
  char *expected = quoted(
      "{'decisions':[{'options':[{'answers':['0 ms'],'to':{'trace':0}},"
      "{'answers':['1 ms','2 ms'],'to':{'trace':1}}],'what':'time that passes'}"
      "],'root':{'decision':0}}");
  assert_string_equal(tree, expected);
  free(tree);
  free(expected);
  json_decref(json);
}

static void a_limit_is_told_with_status_3(void **state) {
  (void)state;
  static const struct {
    const char *arguments, *program, *limit;
  } limited[] = {
      {"--json --max-runs 3", TWO_WAKE_UPS, NULL},
      {"--json --max-runs 3",
       "[{'work':{'then':[{'log':'a'}]}},{'work':{'then':[{'log':'b'}]}},"
       "{'work':{'then':[{'log':'c'}]}}]",
       "more than 3 runs"},
      {"--json", "[{'interval':{'then':[{'log':'x'}]}}]",
       "more than 4000 choices"},
      {"--json",
       "[{'async':{'id':'a','then':[{'async.send':{'to':'a'}}]}},"
       "{'async.send':{'to':'a'}}]",
       "100000 turns"},
  };
  for (size_t i = 0; i < sizeof limited / sizeof limited[0]; i++) {
    json_t *json = explored(limited[i].arguments, limited[i].program,
                            limited[i].limit ? 3 : 0);
    const char *told = json_string_value(json_object_get(json, "limit"));
    assert_int_equal(json_is_true(json_object_get(json, "complete")),
                     limited[i].limit == NULL);
    if (limited[i].limit) assert_non_null(strstr(told, limited[i].limit));
    json_decref(json);
  }
}

/* -- the check ------------------------------------------------------------- */

#define CASE                                                                   \
  "{'kind':'case','id':'loop/x/one','rule':'LOOP-X-1','level':'%s',"           \
  "'area':'loop','topic':'x','claim':null,'needs':['loop.timeout'],"           \
  "'traits':[],'without':[],'runs':5,'isolation':'%s','pool':null,"            \
  "'timeout_ms':5000,'env':{},'program':{'main':%s},'files':{},'expect':%s,"   \
  "'by_trait':[%s],'evidence':{},'disputed':null,%s"                           \
  "'source':{'file':'x.yaml','line':3},'hash':'0123456789abcdef'}"
#define RACE                                                                   \
  "[{'timeout':{'then':[{'log':'t'}]}},{'immediate':{'then':[{'log':'i'}]}}]"
#define T "{'ev':'t'}"
#define I "{'ev':'i'}"

static char *check(const char *level, const char *isolation,
                   const char *program, const char *expect,
                   const char *by_trait, const char *extra, int *status) {
  char path[] = "/tmp/plumb-corpus-XXXXXX", line[8192], arguments[128];
  FILE *file = fdopen(mkstemp(path), "w");
  assert_non_null(file);
  snprintf(line, sizeof line, CASE, level, isolation, program, expect, by_trait,
           extra);
  char *text = quoted(line);
  fprintf(file,
          "{\"kind\":\"corpus\",\"format\":1,\"suite\":\"0\",\"cases\":1,"
          "\"rules\":1}\n%s\n",
          text);
  fclose(file);
  free(text);
  snprintf(arguments, sizeof arguments, "--corpus %s --check", path);
  char *output = ask(provider, arguments, "", status);
  unlink(path);
  return output;
}

static void assert_checked(const char *expect, const char *extra, int wanted,
                           const char *told) {
  int status;
  char *output = check("MUST", "shared", RACE, expect, "", extra, &status);
  if (status != wanted || !strstr(output, told))
    fail_msg("status %d: %s", status, output);
  free(output);
}

static void a_pattern_that_is_exact_passes(void **state) {
  (void)state;
  assert_checked("{'any':[" T "," I "]}", "", 0, "1 exact");
}

static void
a_pattern_that_is_too_narrow_is_told_with_the_choices(void **state) {
  (void)state;
  assert_checked("{'seq':[" T "," I "]}", "", 1, "too narrow");
  assert_checked("{'seq':[" T "," I "]}", "", 1, "[\"i\",\"t\"]");
  assert_checked("{'seq':[" I "," T "]}", "", 1,
                 "which comes of: time that passes: 1 ms");
}

static void a_pattern_that_is_too_wide_is_told_with_an_example(void **state) {
  (void)state;
  const char *wide = "{'one':[{'any':[" T "," I "]}," I "]}";
  assert_checked(wide, "", 1, "too wide");
  assert_checked(wide, "", 1, "[i]\n");
  assert_checked(wide, "", 1, "loop/x/one (x.yaml:3)");
}

static void a_case_may_allow_more_or_be_left_out(void **state) {
  (void)state;
  const char *wide = "{'one':[{'any':[" T "," I "]}," I "]}";
  assert_checked(wide, "'explore':{'subset':'others may'},", 0,
                 "1 may allow more");
  assert_checked("{'seq':[" T "," I "]}", "'explore':{'subset':'others may'},",
                 1, "too narrow");
  assert_checked("{'seq':[" T "," I "]}", "'explore':{'skip':'why'},", 2,
                 "no case was compared");
}

static void the_providers_trait_picks_the_pattern(void **state) {
  (void)state;
  int status;
  char *output = check("MUST", "shared", RACE, T,
                       "{'trait':'timer-lists','expect':{'any':[" T "," I "]}}",
                       "", &status);
  assert_int_equal(status, 0);
  free(output);
}

static void a_process_of_its_own_ends_with_its_exit(void **state) {
  (void)state;
  int status;
  char *output = check("MUST", "process", "[{'log':'a'}]",
                       "{'seq':[{'ev':'a'},{'ev':'exit','value':{'is':0}}]}",
                       "", "", &status);
  assert_int_equal(status, 0);
  free(output);
}

static void orders_are_free_unless_the_rule_observes_them(void **state) {
  (void)state;
  const char *ordered = "{'seq':[{'ev':'a'},{'ev':'b'}]}";
  int status;
  free(check("OBSERVED", "shared", TWO_WAKE_UPS, ordered, "", "", &status));
  assert_int_equal(status, 0);
  free(check("MUST", "shared", TWO_WAKE_UPS, ordered, "", "", &status));
  assert_int_equal(status, 1);
}

/* -- what cannot be explored ------------------------------------------------
 */

static void assert_refused(const char *library, const char *arguments,
                           const char *input, const char *told) {
  int status;
  char *json = quoted(input);
  char *output = ask(library, arguments, json, &status);
  if (status != 2 || !strstr(output, told))
    fail_msg("status %d: %s", status, output);
  free(output);
  free(json);
}

static void what_cannot_be_explored_is_refused(void **state) {
  (void)state;
  assert_refused(provider, "", "{", "stdin, line 1");
  assert_refused(provider, "", "{'main':[{'nonsense':1}]}", "nonsense");
  assert_refused(provider, "", "{'main':[{'log':1}]}", "main[0]");
  assert_refused(provider, "", "[]", "program");
  assert_refused(other, "", "{'main':[{'log':'a'}]}", "does not explore");
  assert_refused("/nonexistent.so", "", "{}", "cannot load");
  assert_refused(provider, "--check", "", "--corpus FILE");
  assert_refused(provider, "--corpus /nonexistent --check", "", "nonexistent");
  assert_refused(provider, "--slack many", "", "a number up to 1000");
  assert_refused(provider, "--nonsense", "", "usage:");
}

static void every_line_that_is_served_gets_its_line(void **state) {
  (void)state;
  int status;
  char *lines = quoted("{'program':{'main':" RACE "}}\nnonsense\n"
                       "{'program':{'main':[{'listener':{'event':'exit'}}]}}\n"
                       "{'program':{'main':[{'log':1}]}}\n"
                       "{'program':{'main':[]},'slack':'x'}\n"
                       "{'program':{'main':" RACE "},'slack':0}\n"
                       "{'program':{'main':" RACE "},'limit':1}\n"
                       "{'program':{'main':" RACE "},'like':['t','i']}\n"
                       "{'program':{'main':" RACE "},'like':['t','t']}\n"
                       "{'program':{'main':" RACE "},'like':['t']}\n"
                       "{'program':{'main':" RACE "},'like':'t'}\n");
  char *output = ask(provider, "--serve", lines, &status);
  static const char *const answers[] = {
      "\"complete\":true", "\"error\"",       "\"unsupported\"",   "\"error\"",
      "\"error\"",         "[[\"i\",\"t\"]]", "\"complete\":false",
      "[[\"t\",\"i\"]]", "\"traces\":[]",     "\"traces\":[]",
      "\"error\""};
  assert_int_equal(status, 0);
  char *rest = output;
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    char *line = strsep(&rest, "\n");
    assert_non_null(line);
    if (!strstr(line, answers[i])) fail_msg("line %zu: %s", i, line);
  }
  assert_string_equal(rest, "");
  free(output);
  free(lines);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  explorer = argv[1];
  provider = argv[2];
  other = argv[3];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_program_has_exactly_its_traces),
      cmocka_unit_test(states_that_are_merged_lose_no_trace),
      cmocka_unit_test(usual_orders_are_free_when_that_is_asked_for),
      cmocka_unit_test(the_tree_leads_to_every_trace),
      cmocka_unit_test(a_limit_is_told_with_status_3),
      cmocka_unit_test(a_pattern_that_is_exact_passes),
      cmocka_unit_test(a_pattern_that_is_too_narrow_is_told_with_the_choices),
      cmocka_unit_test(a_pattern_that_is_too_wide_is_told_with_an_example),
      cmocka_unit_test(a_case_may_allow_more_or_be_left_out),
      cmocka_unit_test(the_providers_trait_picks_the_pattern),
      cmocka_unit_test(a_process_of_its_own_ends_with_its_exit),
      cmocka_unit_test(orders_are_free_unless_the_rule_observes_them),
      cmocka_unit_test(what_cannot_be_explored_is_refused),
      cmocka_unit_test(every_line_that_is_served_gets_its_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_input.c: what the host says to libraries, lines and programs that are
 * wrong. One table row per fault.
 *
 * Usage: test_input PLUMB-HOST FOLDER, where FOLDER holds fake_*.so.
 */
#include "driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define START "{\"cmd\":\"start\",\"protocol\":1}"

static const char *host_path, *folder;

static void fake(char *path, size_t size, const char *name) {
  snprintf(path, size, "%s/fake_%s.so", folder, name);
}

static void start_fake(struct host *host, const char *name) {
  char path[4096];
  fake(path, sizeof path, name);
  host_start(host, host_path, path, NULL);
}

static const char *error_message(const json_t *answer) {
  const json_t *error = json_object_get(answer, "error");
  const char *message = json_string_value(json_object_get(error, "message"));
  return message ? message : "";
}

static void assert_contains(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("`%s` does not say `%s`", text, part);
}

/* -- libraries ----------------------------------------------------------- */

static void read_all(const char *path, char *text, size_t size) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t length = fread(text, 1, size - 1, file);
  text[length] = '\0';
  fclose(file);
}

static void library_is_refused(const char *path, const char *why) {
  char errors[] = "/tmp/plumb-host-test-XXXXXX", text[2048];
  int fd = mkstemp(errors);
  assert_true(fd >= 0);
  close(fd);
  struct host host;
  host_start(&host, host_path, path, errors);
  json_t *answer = host_answer(&host);
  int status = host_end(&host, NULL);
  read_all(errors, text, sizeof text);
  unlink(errors);
  assert_null(answer);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 2);
  assert_contains(text, why);
  assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void unusable_libraries_are_refused_in_one_sentence(void **state) {
  (void)state;
  static const char *const faults[][2] = {
      {"abi", "provider ABI 77, this host speaks 1"},
      {"small", "struct pl_provider has 8 bytes"},
      {"null", "pl_provider_v1() returned NULL"},
      {"nosymbol", "exports no pl_provider_v1()"},
      {"nameless", "no name or no version"},
  };
  char path[4096];
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    fake(path, sizeof path, faults[i][0]);
    library_is_refused(path, faults[i][1]);
  }
  library_is_refused("/nowhere/lib.so", "cannot load the provider");
  library_is_refused("/etc/passwd", "cannot load the provider");
  library_is_refused("/", "cannot load the provider");
}

static void a_provider_that_can_do_nothing_promises_nothing(void **state) {
  (void)state;
  struct host host;
  start_fake(&host, "good");
  json_t *answer = host_ask(&host, START);
  json_t *capabilities = json_object_get(answer, "capabilities");
  assert_true(json_is_array(capabilities));
  assert_int_equal(json_array_size(capabilities), 0);
  json_decref(answer);
  answer = host_run(&host, "{\"main\":[{\"log\":\"a\"},{\"block\":0}]}");
  assert_int_equal(json_array_size(json_object_get(answer, "events")), 1);
  json_decref(answer);
  assert_int_equal(host_end(&host, NULL), 0);
}

static void
a_table_of_an_older_minor_version_lacks_what_lies_beyond(void **state) {
  (void)state;
  struct host host;
  start_fake(&host, "old");
  json_decref(host_ask(&host, START));
  json_t *answer = host_run(&host, "{\"main\":[{\"log\":\"a\"}]}");
  json_t *why = json_object_get(answer, "unsupported");
  assert_string_equal(json_string_value(why),
                      "program: the provider offers no loop");
  json_decref(answer);
  assert_int_equal(host_end(&host, NULL), 0);
}

static void faults_of_the_loop_are_errors_of_the_run(void **state) {
  (void)state;
  static const char *const faults[][2] = {
      {"nofiles", "loop_init (0 pool threads): EMFILE"},
      {"neverclosed", "loop_close: EBUSY"},
      {"alwaysalive", "still alive"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    struct host host;
    start_fake(&host, faults[i][0]);
    json_decref(host_ask(&host, START));
    for (int again = 0; again < 2; again++) {
      json_t *answer = host_run(&host, "{\"main\":[{\"log\":\"a\"}]}");
      assert_contains(error_message(answer), faults[i][1]);
      json_decref(answer);
    }
    assert_true(host_end(&host, NULL) >= 0);
  }
}

/* -- lines --------------------------------------------------------------- */

static void every_wrong_line_is_answered_and_the_next_one_too(void **state) {
  (void)state;
  static const char *const faults[][2] = {
      {"", "not JSON"},
      {"nonsense", "not JSON"},
      {"{\"cmd\":\"run\"", "not JSON"},
      {"{\"cmd\":\"start\",\"protocol\":1e999}", "not JSON"},
      {"{\"cmd\":\"start\",\"protocol\":99999999999999999999}", "not JSON"},
      {"\"text\"", "with `cmd`"},
      {"[]", "with `cmd`"},
      {"null", "with `cmd`"},
      {"{}", "with `cmd`"},
      {"{\"cmd\":7}", "with `cmd`"},
      {"{\"cmd\":\"dance\"}", "unknown command"},
      {"{\"cmd\":\"start\"}", "protocol 1"},
      {"{\"cmd\":\"start\",\"protocol\":2}", "protocol 1"},
      {"{\"cmd\":\"start\",\"protocol\":\"1\"}", "protocol 1"},
      {"{\"cmd\":\"run\",\"seq\":1,\"program\":{\"main\":[]}}", "before"},
  };
  struct host host;
  start_fake(&host, "good");
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    json_t *answer = host_ask(&host, faults[i][0]);
    assert_contains(error_message(answer), faults[i][1]);
    json_decref(answer);
  }
  json_t *answer = host_ask(&host, START);
  assert_non_null(json_object_get(answer, "capabilities"));
  json_decref(answer);
  assert_int_equal(host_end(&host, NULL), 0);
}

static void seq_comes_back_as_it_went(void **state) {
  (void)state;
  static const char *const values[] = {"0",     "-7",     "4611686018427387904",
                                       "\"a\"", "[1,{}]", "null"};
  struct host host;
  start_fake(&host, "good");
  json_decref(host_ask(&host, START));
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    char line[256];
    snprintf(line, sizeof line,
             "{\"cmd\":\"run\",\"seq\":%s,\"program\":{\"main\":[]}}",
             values[i]);
    json_t *answer = host_ask(&host, line);
    json_t *sent = json_loads(values[i], JSON_DECODE_ANY, NULL);
    assert_true(json_equal(json_object_get(answer, "seq"), sent));
    assert_non_null(json_object_get(answer, "events"));
    json_decref(sent);
    json_decref(answer);
  }
  assert_int_equal(host_end(&host, NULL), 0);
}

static void stop_and_the_end_of_input_end_the_host(void **state) {
  (void)state;
  struct host host;
  start_fake(&host, "good");
  host_send(&host, "{\"cmd\":\"stop\"}");
  assert_null(host_answer(&host));
  assert_int_equal(host_end(&host, NULL), 0);
  start_fake(&host, "good");
  assert_int_equal(host_end(&host, NULL), 0);
}

/* -- programs ------------------------------------------------------------ */

static const struct {
  const char *program, *where;
} malformed[] = {
    {"null", "program: an object with `main`"},
    {"[]", "program: an object with `main`"},
    {"7", "program: an object with `main`"},
    {"{}", "main: a list of operations"},
    {"{\"main\":{}}", "main: a list of operations"},
    {"{\"main\":[],\"mian\":[]}", "program: unknown key `mian`"},
    {"{\"main\":[],\"pool\":0}", "program: pool"},
    {"{\"main\":[],\"pool\":1.5}", "program: pool"},
    {"{\"main\":[],\"pool\":4000000000}", "program: pool"},
    {"{\"main\":[7]}", "main[0]: an operation is an object"},
    {"{\"main\":[{}]}", "main[0]: an operation is an object"},
    {"{\"main\":[{\"log\":\"a\",\"tick\":{}}]}", "main[0]: an operation is"},
    {"{\"main\":[{\"log\":\"a\"},{\"log\":7}]}", "main[1].log: a label"},
    {"{\"main\":[{\"log\":\"\"}]}", "main[0].log: a label"},
    {"{\"main\":[{\"log\":[]}]}", "main[0].log: an event is"},
    {"{\"main\":[{\"log\":[\"a\"]}]}", "main[0].log: an event is"},
    {"{\"main\":[{\"log\":[1,2]}]}", "main[0].log: a label"},
    {"{\"main\":[{\"log\":[\"a\",{}]}]}", "main[0].log: a value is"},
    {"{\"main\":[{\"block\":-1}]}", "main[0].block: block: a whole number"},
    {"{\"main\":[{\"block\":10001}]}", "main[0].block"},
    {"{\"main\":[{\"block\":\"1\"}]}", "main[0].block"},
    {"{\"main\":[{\"tick\":[]}]}", "main[0].tick: an object is wanted"},
    {"{\"main\":[{\"tick\":{\"than\":[]}}]}", "unknown key `than`"},
    {"{\"main\":[{\"tick\":{\"id\":\"a\"}}]}", "unknown key `id`"},
    {"{\"main\":[{\"tick\":{\"then\":{}}}]}", "main[0].tick: then: a list"},
    {"{\"main\":[{\"tick\":{\"then\":[],\"each\":[[]]}}]}", "not both"},
    {"{\"main\":[{\"tick\":{\"each\":[]}}]}", "main[0].tick: each"},
    {"{\"main\":[{\"tick\":{\"each\":[[],7]}}]}", "main[0].tick: each: a list"},
    {"{\"main\":[{\"tick\":{\"each\":[[],[{\"log\":0}]]}}]}",
     "main[0].tick.each[1][0].log: a label"},
    {"{\"main\":[{\"log\":\"a\"},{\"log\":\"b\"},"
     "{\"timeout\":{\"after\":1,\"then\":[3]}}]}",
     "main[2].timeout.then[0]: an operation"},
    {"{\"main\":[{\"timeout\":{\"after\":\"soon\"}}]}", "after: a number"},
    {"{\"main\":[{\"timeout\":{\"after\":null}}]}", "after: a number"},
    {"{\"main\":[{\"timeout\":{\"id\":7}}]}", "id: a name"},
    {"{\"main\":[{\"timer\":{}}]}", "`id` is missing"},
    {"{\"main\":[{\"timer\":{\"id\":\"t\",\"after\":-1}}]}", "after: a whole"},
    {"{\"main\":[{\"timer\":{\"id\":\"t\",\"after\":0.5}}]}", "after: a whole"},
    {"{\"main\":[{\"timer\":{\"id\":\"t\",\"start\":1}}]}", "start: true or"},
    {"{\"main\":[{\"timer\":{\"id\":\"t\"}},{\"idle\":{\"id\":\"t\"}}]}",
     "main[1].idle: id: `t` already names a timer"},
    {"{\"main\":[{\"clear\":\"x\"}]}", "main[0].clear: nothing in the program"},
    {"{\"main\":[{\"clear\":7}]}", "main[0].clear: the name of an object"},
    {"{\"main\":[{\"close\":{}}]}", "`of` is missing"},
    {"{\"main\":[{\"close\":\"t\"}]}", "main[0].close: an object is wanted"},
    {"{\"main\":[{\"async.send\":{\"to\":\"a\",\"times\":0}}]}", "times"},
    {"{\"main\":[{\"async.send\":{\"to\":\"a\",\"threads\":17}}]}", "threads"},
    {"{\"main\":[{\"signal\":{\"id\":\"s\"}}]}", "`signal` is missing"},
    {"{\"main\":[{\"signal\":{\"id\":\"s\",\"signal\":\"SIGKILL\"}}]}",
     "main[0].signal: a signal's name"},
    {"{\"main\":[{\"raise\":9}]}", "main[0].raise: a signal's name"},
    {"{\"main\":[{\"fs.stat\":{}}]}", "`path` is missing"},
    {"{\"main\":[{\"fs.stat\":{\"path\":\"\"}}]}", "path: a path"},
    {"{\"main\":[{\"work\":{\"block\":99999}}]}", "block: a whole number"},
    {"{\"main\":[{\"chain\":{\"of\":\"tick\"}}]}", "`length` is missing"},
    {"{\"main\":[{\"chain\":{\"of\":\"idle\",\"length\":1}}]}", "of: tick"},
    {"{\"main\":[{\"chain\":{\"of\":\"tick\",\"length\":100001}}]}", "length"},
    {"{\"main\":[{\"run\":{}}]}", "`mode` is missing"},
    {"{\"main\":[{\"run\":{\"mode\":\"fast\"}}]}", "mode: default"},
    {"{\"main\":[{\"tick\":{\"then\":[{\"run\":{\"mode\":\"once\"}}]}}]}",
     "main[0].tick.then[0].run: `run` stands in main only"},
    {"{\"main\":[{\"stop-loop\":{\"now\":true}}]}", "unknown key `now`"},
    {"{\"main\":[{\"tango\":{}},{\"log\":7}]}", "main[1].log"},
};

static void a_malformed_program_is_an_error_that_names_its_place(void **state) {
  (void)state;
  struct host host;
  start_fake(&host, "good");
  json_decref(host_ask(&host, START));
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    json_t *answer = host_run(&host, malformed[i].program);
    assert_contains(error_message(answer), malformed[i].where);
    json_decref(answer);
  }
  assert_int_equal(host_end(&host, NULL), 0);
}

static void what_the_host_or_provider_lacks_is_unsupported(void **state) {
  (void)state;
  static const char *const programs[][2] = {
      {"{\"main\":[{\"log\":\"a\"},{\"tango\":{}}]}", "operation `tango`"},
      {"{\"main\":[{\"exit\":{}}]}", "operation `exit`"},
      {"{\"main\":[{\"listener\":{\"event\":\"exit\"}}]}", "`listener`"},
      {"{\"main\":[{\"repeat\":{\"times\":1,\"do\":[]}}]}", "`repeat`"},
      {"{\"main\":[{\"log\":[\"a\",\"$moon\"]}]}", "value `$moon`"},
      {"{\"main\":[{\"timer\":{\"id\":\"t\"}}]}", "needs loop.timer"},
      {"{\"main\":[{\"chain\":{\"of\":\"tick\",\"length\":1}}]}", "loop.tick"},
      {"{\"main\":[{\"log\":[\"a\",\"$now\"]}]}", "needs loop.run"},
      {"{\"main\":[{\"socket\":{\"id\":\"s\"}},{\"ref\":\"s\"}]}", "`socket`"},
  };
  struct host host;
  start_fake(&host, "good");
  json_decref(host_ask(&host, START));
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    json_t *answer = host_run(&host, programs[i][0]);
    const char *why = json_string_value(json_object_get(answer, "unsupported"));
    assert_contains(why ? why : error_message(answer), programs[i][1]);
    assert_non_null(why);
    json_decref(answer);
  }
  assert_int_equal(host_end(&host, NULL), 0);
}

/* A provider without handle_close(), alive() and backend_timeout(). */
static void handles_that_are_never_closed_are_stopped_at_the_end(void **state) {
  (void)state;
  static const char *const unsupported[][2] = {
      {"{\"main\":[{\"timer\":{\"id\":\"t\"}},{\"close\":{\"of\":\"t\"}}]}",
       "needs loop.close"},
      {"{\"main\":[{\"log\":[\"a\",\"$alive\"]}]}", "does not tell `$alive`"},
      {"{\"main\":[{\"log\":[\"a\",\"$timeout\"]}]}", "not tell `$timeout`"},
  };
  struct host host;
  start_fake(&host, "unclosed");
  json_decref(host_ask(&host, START));
  for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
    json_t *answer = host_run(&host, unsupported[i][0]);
    const char *why = json_string_value(json_object_get(answer, "unsupported"));
    assert_contains(why ? why : "an answer", unsupported[i][1]);
    json_decref(answer);
  }
  /* Left running, stopped, and without its name: the loop must not be alive. */
  json_t *answer = host_run(
      &host, "{\"main\":[{\"timer\":{\"id\":\"a\",\"after\":1}},"
             "{\"timer\":{\"id\":\"b\",\"after\":1}},{\"stop\":\"b\"},"
             "{\"log\":[\"now\",\"$now\"]},{\"log\":[\"a\",\"$active:a\"]},"
             "{\"log\":[\"b\",\"$active:b\"]}]}");
  assert_string_equal(error_message(answer), "");
  assert_contains(host.line, "[[\"now\",0],[\"a\",true],[\"b\",false]]");
  json_decref(answer);
  assert_int_equal(host_end(&host, NULL), 0);
}

/* `depth` bodies within each other. */
static char *nested(size_t depth) {
  static const char open[] = "{\"tick\":{\"then\":[", close[] = "]}}";
  char *text = malloc(depth * (sizeof open + sizeof close) + 64);
  assert_non_null(text);
  char *at = stpcpy(text, "{\"main\":[");
  for (size_t i = 0; i < depth; i++)
    at = stpcpy(at, open);
  for (size_t i = 0; i < depth; i++)
    at = stpcpy(at, close);
  stpcpy(at, "]}");
  return text;
}

static void deep_nesting_is_an_answer_and_not_a_crash(void **state) {
  (void)state;
  static const size_t depths[] = {1, 100, 600, 10000, 100000};
  struct host host;
  start_fake(&host, "good");
  json_decref(host_ask(&host, START));
  for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
    char *text = nested(depths[i]);
    json_t *answer = host_run(&host, text);
    const char *key = depths[i] > 1000 ? "error" : "unsupported";
    if (!json_object_get(answer, key)) fail_msg("depth %zu", depths[i]);
    json_decref(answer);
    free(text);
  }
  assert_int_equal(host_end(&host, NULL), 0);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fputs("usage: test_input PLUMB-HOST FOLDER-OF-FAKES\n", stderr);
    return 2;
  }
  host_path = argv[1];
  folder = argv[2];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unusable_libraries_are_refused_in_one_sentence),
      cmocka_unit_test(a_provider_that_can_do_nothing_promises_nothing),
      cmocka_unit_test(
          a_table_of_an_older_minor_version_lacks_what_lies_beyond),
      cmocka_unit_test(faults_of_the_loop_are_errors_of_the_run),
      cmocka_unit_test(every_wrong_line_is_answered_and_the_next_one_too),
      cmocka_unit_test(seq_comes_back_as_it_went),
      cmocka_unit_test(stop_and_the_end_of_input_end_the_host),
      cmocka_unit_test(a_malformed_program_is_an_error_that_names_its_place),
      cmocka_unit_test(what_the_host_or_provider_lacks_is_unsupported),
      cmocka_unit_test(handles_that_are_never_closed_are_stopped_at_the_end),
      cmocka_unit_test(deep_nesting_is_an_answer_and_not_a_crash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

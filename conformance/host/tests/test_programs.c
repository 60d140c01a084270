/* SPDX-License-Identifier: MIT */
/*
 * test_programs.c: the vocabulary over a real provider: what each operation
 * does, that nothing of a program is left for the next one, and that nothing
 * grows.
 *
 * Only orders that every implementation has in common are expected here; the
 * corpus judges the rest. A program whose capabilities the provider lacks is
 * left out, and said so.
 *
 * Usage: test_programs PLUMB-HOST PROVIDER.so
 */
#include "driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static const char *host_path, *library;
static json_t *capabilities;

static const struct {
  const char *needs; /* a capability, or "" */
  const char *main;
  const char *events;
} programs[] = {
    {"",
     "[{'log':'a'},{'log':['b',1.5]},{'log':['c',null]},"
     "{'log':['d',true]},{'log':['\\u00e9\\n\\'','\\u0001']}]",
     "['a',['b',1.5],['c',null],['d',true],['\\u00e9\\n\\'','\\u0001']]"},
    {"loop.timer",
     "[{'timer':{'id':'t','after':0,'repeat':1,'each':[[{'log':'1'}],"
     "[{'log':'2'}],[{'log':['n','$count']},{'stop':'t'}]]}}]",
     "['1','2',['n',3]]"},
    {"loop.timer",
     "[{'timer':{'id':'t','after':0,'then':[{'log':'old'}]}},"
     "{'timer':{'id':'t','after':1,'then':[{'log':['new','$count']}]}}]",
     "[['new',1]]"},
    {"loop.timer",
     "[{'timer':{'id':'t','start':false,'then':[{'log':'t'}]}},"
     "{'timer.again':{'of':'t','log':'again'}},"
     "{'timer.start':{'of':'t','log':'start'}}]",
     "[['again','EINVAL'],['start','ok'],'t']"},
    {"loop.close",
     "[{'timer':{'id':'t','after':0,'then':[{'log':'never'}]}},"
     "{'close':{'of':'t','log':'close','then':[{'log':['c','$closing:t']},"
     "{'timer.start':{'of':'t','log':'late'}},"
     "{'close':{'of':'t','log':'thrice'}}]}},"
     "{'close':{'of':'t','log':'twice'}},{'log':['closing','$closing:t']}]",
     "[['close','ok'],['twice','EINVAL'],['closing',true],['c',true],"
     "['late','EINVAL'],['thrice','EINVAL']]"},
    {"loop.watcher",
     "[{'idle':{'id':'i','then':[{'log':'idle'}]}},"
     "{'prepare':{'id':'p','then':[{'log':'prepare'},{'stop':'p'}]}},"
     "{'check':{'id':'c','then':[{'log':'check'},{'stop':'c'},{'stop':'i'}]}}]",
     "['idle','prepare','check']"},
    {"loop.watcher",
     "[{'check':{'id':'c','start':false,'then':[{'log':'check'},"
     "{'stop':'c'},{'stop':'i'}]}},{'idle':{'id':'i','then':["
     "{'start':'c'}]}}]",
     "['check']"},
    {"loop.async",
     "[{'async':{'id':'a','then':[{'log':'woken'},{'close':{'of':'a'}}]}},"
     "{'async.send':{'to':'a','times':100,'threads':4}}]",
     "['woken']"},
    {"loop.poll",
     "[{'poll':{'id':'p','then':[{'log':['p','$count']},{'stop':'p'}]}},"
     "{'poll.write':'p'},{'poll.write':'p'}]",
     "[['p',1]]"},
    {"loop.poll",
     "[{'poll':{'id':'p','start':false,'drain':false,'each':[[{'log':'1'}],"
     "[{'log':'2'},{'close':{'of':'p'}}]]}},{'poll.write':'p'},"
     "{'start':'p'}]",
     "['1','2']"},
    {"loop.signal",
     "[{'signal':{'id':'s','signal':'SIGUSR1','then':[{'log':['s','$result']},"
     "{'close':{'of':'s'}}]}},{'raise':'SIGUSR1'}]",
     "[['s','SIGUSR1']]"},
    {"loop.fs",
     "[{'fs.stat':{'path':'.','then':[{'log':['s','$result']},"
     "{'fs.stat':{'path':'no/such','then':[{'log':['s','$result']}]}}]}}]",
     "[['s','ok'],['s','ENOENT']]"},
    {"loop.work",
     "[{'work':{'id':'w','block':1,'then':[{'log':['w','$result']},"
     "{'cancel':{'of':'w','log':'late'}}]}}]",
     "[['w','ok'],['late','EBUSY']]"},
    {"loop.run",
     "[{'run':{'mode':'default','log':'r'}},"
     "{'timer':{'id':'t','after':0,'repeat':1}},{'log':['alive','$alive']},"
     "{'log':['active','$active:t']},{'run':{'mode':'nowait','log':'r'}},"
     "{'stop-loop':{}},{'run':{'mode':'default','log':'r'}},"
     "{'stop':'t'},{'log':['alive','$alive']}]",
     "[['r',false],['alive',true],['active',true],['r',true],['r',true],"
     "['alive',false]]"},
    {"loop.run",
     "[{'log':['now','$now']},{'block':5},{'log':['now','$now']},"
     "{'timer':{'id':'t','after':1000000}},{'run':{'mode':'nowait'}},"
     "{'timer':{'id':'t','after':3000}},{'log':['timeout','$timeout']}]",
     "[['now',0],['now',0],['timeout',3000]]"},
    {"loop.ref",
     "[{'timer':{'id':'t','after':60000}},{'unref':'t'},{'unref':'t'},"
     "{'log':['ref','$hasref:t']},{'ref':'t'},{'log':['ref','$hasref:t']},"
     "{'unref':'t'}]",
     "[['ref',false],['ref',true]]"},
    {"loop.timeout",
     "[{'timeout':{'after':'NaN','then':[{'log':'nan'}]}},"
     "{'timeout':{'id':'x','after':5,'then':[{'log':'never'}]}},"
     "{'clear':'x'},{'clear':'x'},"
     "{'interval':{'id':'i','every':2,'each':[[{'log':'i1'}],"
     "[{'log':['i','$count']},{'clear':'i'}]]}}]",
     "['nan','i1',['i',2]]"},
    {"loop.timeout",
     "[{'timeout':{'id':'t','after':1,'each':[[{'log':'1'},{'refresh':'t'}],"
     "[{'log':'2'}]]}}]",
     "['1','2']"},
    {"loop.immediate",
     "[{'immediate':{'id':'i','then':[{'log':'never'}]}},{'clear':'i'},"
     "{'immediate':{'then':[{'log':'a'}]}},{'immediate':{'then':[{'log':'b'}]}}"
     "]",
     "['a','b']"},
    {"loop.tick",
     "[{'tick':{'then':[{'log':'1'},{'tick':{'then':[{'log':'3'}]}}]}},"
     "{'tick':{'then':[{'log':'2'}]}},{'log':'main'}]",
     "['main','1','2','3']"},
    {"loop.microtask",
     "[{'microtask':{'then':[{'log':'1'}]}},"
     "{'chain':{'of':'microtask','length':1000,'then':[{'log':'end'}]}}]",
     "['1','end']"},
    {"loop.tick",
     "[{'chain':{'of':'tick','length':100000,'then':[{'log':'end'}]}}]",
     "['end']"},
    {"loop.immediate",
     "[{'chain':{'of':'immediate','length':1000,'then':[{'log':'end'}]}}]",
     "['end']"},
    /* Left behind: handles, requests, queues; the next program sees none. */
    {"loop.work",
     "[{'timer':{'id':'t','after':0,'repeat':60000,'then':[{'log':'t'},"
     "{'work':{'block':20,'then':[{'log':'never'}]}},{'stop-loop':{}}]}},"
     "{'timer':{'id':'u','after':60000}},{'async':{'id':'a'}},"
     "{'poll':{'id':'p'}},{'signal':{'id':'s','signal':'SIGHUP'}},"
     "{'idle':{'id':'i'}},{'run':{'mode':'once'}}]",
     "['t']"},
    {"loop.immediate",
     "[{'immediate':{'then':[{'log':'a'},{'stop-loop':{}},"
     "{'immediate':{'then':[{'log':'never'}]}},"
     "{'timeout':{'after':60000,'then':[{'log':'never'}]}},"
     "{'interval':{'every':1,'then':[{'log':'never'}]}}]}}]",
     "['a']"},
    {"", "[{'log':'fresh'}]", "['fresh']"},
};

/* JSON in C is easier to read with ' for ": this turns them. */
static char *with_quotes(const char *text) {
  char *copy = malloc(strlen(text) + 1), *to = copy;
  assert_non_null(copy);
  for (; *text; text++) {
    if (*text == '\\' && text[1] == '\'') {
      *to++ = *++text;
      continue;
    }
    *to++ = *text == '\'' ? '"' : *text;
  }
  *to = '\0';
  return copy;
}

static bool offered(const char *capability) {
  size_t i;
  json_t *value;
  json_array_foreach(capabilities, i, value) {
    if (strcmp(json_string_value(value), capability) == 0) return true;
  }
  return *capability == '\0';
}

static void start_host(struct host *host) {
  host_start(host, host_path, library, NULL);
  json_t *answer = host_ask(host, "{\"cmd\":\"start\",\"protocol\":1}");
  json_decref(capabilities);
  capabilities = json_incref(json_object_get(answer, "capabilities"));
  assert_non_null(capabilities);
  json_decref(answer);
}

static json_t *run_main(struct host *host, const char *main) {
  char *text = with_quotes(main);
  size_t size = strlen(text) + 32;
  char *program = malloc(size);
  assert_non_null(program);
  snprintf(program, size, "{\"main\":%s}", text);
  json_t *answer = host_run(host, program);
  free(program);
  free(text);
  return answer;
}

static void expect_events(const char *main, const json_t *answer,
                          const char *events) {
  char *text = with_quotes(events);
  json_t *wanted = json_loads(text, 0, NULL);
  assert_non_null(wanted);
  if (!json_equal(json_object_get(answer, "events"), wanted)) {
    char *got = json_dumps(answer, JSON_ENCODE_ANY);
    fail_msg("\n  program %s\n  wanted  %s\n  got     %s", main, text, got);
  }
  json_decref(wanted);
  free(text);
}

static void every_operation_does_what_the_vocabulary_says(void **state) {
  (void)state;
  struct host host;
  start_host(&host);
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    if (!offered(programs[i].needs)) {
      print_message("left out, no %s: program %zu\n", programs[i].needs, i);
      continue;
    }
    json_t *answer = run_main(&host, programs[i].main);
    expect_events(programs[i].main, answer, programs[i].events);
    json_decref(answer);
  }
  assert_int_equal(host_end(&host, NULL), 0);
}

static void what_is_used_before_it_is_made_is_an_error(void **state) {
  (void)state;
  struct host host;
  start_host(&host);
  json_t *answer = run_main(&host, "[{'timer':{'id':'a','after':0,'then':["
                                   "{'log':'a'},{'stop':'b'}]}},"
                                   "{'timer':{'id':'c','after':5,'then':["
                                   "{'timer':{'id':'b'}}]}}]");
  const json_t *error = json_object_get(answer, "error");
  const char *message = json_string_value(json_object_get(error, "message"));
  assert_non_null(message);
  assert_string_equal(message, "main[0].timer.then[1].stop: what it names has "
                               "not been made yet");
  json_decref(answer);
  answer = run_main(&host, "[{'log':'fresh'}]");
  expect_events("", answer, "['fresh']");
  json_decref(answer);
  assert_int_equal(host_end(&host, NULL), 0);
}

static void a_program_without_end_is_an_error(void **state) {
  (void)state;
  struct host host;
  start_host(&host);
  json_t *answer =
      run_main(&host, "[{'idle':{'id':'i','then':[{'log':'more'}]}}]");
  const json_t *error = json_object_get(answer, "error");
  const char *message = json_string_value(json_object_get(error, "message"));
  assert_non_null(message);
  assert_non_null(strstr(message, "more than 1000000 events"));
  json_decref(answer);
  assert_int_equal(host_end(&host, NULL), 0);
}

static void
a_streamed_run_writes_each_event_and_ends_the_process(void **state) {
  (void)state;
  static const char *const lines[] = {
      "{\"seq\":7,\"event\":\"a\"}\n",
      "{\"seq\":7,\"event\":[\"b\",1]}\n",
  };
  struct host host;
  start_host(&host);
  host_send(&host, "{\"cmd\":\"run\",\"seq\":7,\"stream\":true,\"program\":"
                   "{\"main\":[{\"log\":\"a\"},{\"timer\":{\"id\":\"t\","
                   "\"after\":1,\"then\":[{\"log\":[\"b\",1]}]}}]}}");
  for (size_t i = 0; i < 2; i++) {
    json_decref(host_answer(&host));
    assert_string_equal(host.line, lines[i]);
  }
  assert_null(host_answer(&host));
  assert_int_equal(host_end(&host, NULL), 0);
}

static void a_signal_may_end_a_streamed_run(void **state) {
  (void)state;
  struct host host;
  start_host(&host);
  host_send(&host, "{\"cmd\":\"run\",\"seq\":7,\"stream\":true,\"program\":"
                   "{\"main\":[{\"log\":\"a\"},{\"raise\":\"SIGTERM\"},"
                   "{\"log\":\"never\"}]}}");
  json_decref(host_answer(&host));
  assert_null(host_answer(&host));
  int status = host_end(&host, NULL);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), 15);
}

static void a_pool_of_one_thread_runs_jobs_in_order(void **state) {
  (void)state;
  struct host host;
  start_host(&host);
  json_t *answer = host_run(
      &host, "{\"pool\":1,\"main\":["
             "{\"work\":{\"block\":500,\"then\":[{\"log\":\"1\"}]}},"
             "{\"work\":{\"block\":1,\"then\":[{\"log\":\"2\"}]}},"
             "{\"work\":{\"id\":\"w\",\"then\":[{\"log\":[\"3\",\"$result\"]}]"
             "}},{\"cancel\":{\"of\":\"w\",\"log\":\"cancel\"}}]}");
  expect_events("pool", answer, "[['cancel','ok'],['3','ECANCELED'],'1','2']");
  json_decref(answer);
  assert_int_equal(host_end(&host, NULL), 0);
}

/* Objects come and go 100,000 times, by name and without. */
static void objects_that_have_gone_take_no_memory(void **state) {
  (void)state;
  static const char again[] =
      "[{'check':{'id':'c','then':[{'timer':{'id':'t','after':60000}},"
      "{'close':{'of':'t'}}%s]}},"
      "{'idle':{'id':'i'}},{'timer':{'id':'end','after':1500,'then':["
      "{'log':'end'},{'stop':'c'},{'stop':'i'}]}}]";
  char main[1024];
  snprintf(main, sizeof main, again,
           offered("loop.timeout")
               ? ",{'timeout':{'id':'x','after':60000}},{'clear':'x'},"
                 "{'timeout':{}},{'immediate':{'id':'y'}},{'immediate':{}},"
                 "{'tick':{}},{'microtask':{}}"
               : "");
  struct host host;
  start_host(&host);
  json_t *answer = run_main(&host, main);
  expect_events(main, answer, "['end']");
  json_decref(answer);
  long peak_kib = 0;
  assert_int_equal(host_end(&host, &peak_kib), 0);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
  if (peak_kib > 32 * 1024) fail_msg("peak of %ld KiB", peak_kib);
#endif
}

static int forget_capabilities(void **state) {
  (void)state;
  json_decref(capabilities);
  capabilities = NULL;
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fputs("usage: test_programs PLUMB-HOST PROVIDER.so\n", stderr);
    return 2;
  }
  host_path = argv[1];
  library = argv[2];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_operation_does_what_the_vocabulary_says),
      cmocka_unit_test(what_is_used_before_it_is_made_is_an_error),
      cmocka_unit_test(a_program_without_end_is_an_error),
      cmocka_unit_test(a_streamed_run_writes_each_event_and_ends_the_process),
      cmocka_unit_test(a_signal_may_end_a_streamed_run),
      cmocka_unit_test(a_pool_of_one_thread_runs_jobs_in_order),
      cmocka_unit_test(objects_that_have_gone_take_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, forget_capabilities);
}

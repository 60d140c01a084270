/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_handle_line.c: the usual line of a handle, which is read without a
 * tree, says what JSON says; any other form is left to JSON.
 */
#include "../world.h"

#include <stdio.h>
#include <string.h>

#include "../../ipc/internal.h"

#define LINE "{\"cmd\":\"NODE_HANDLE\",\"type\":"

static bool read_line(struct pl_values *values, const char *text,
                      struct pl__handle_line *line) {
  return pl__handle_line_get(values, text, strlen(text), line);
}

/* That what JSON reads is the same. */
static void expect_as_json(const char *text,
                           const struct pl__handle_line *line) {
  struct pl_values values;
  struct pl_value *tree = NULL;
  struct pl__json_fault fault;
  pl_values_init(&values, NULL);
  assert_int_equal(pl__json_get(&values, text, strlen(text), &tree, &fault), 0);
  assert_true(pl_value_is(pl_value_get(tree, "cmd"), "NODE_HANDLE"));
  assert_true(
      pl_value_is(pl_value_get(tree, "type"), pl_handle_type_name(line->type)));
  assert_true(pl_value_to_number(pl_value_get(tree, "count"), 1) ==
              line->count);
  assert_true(pl_value_equal(pl_value_get(tree, "msg"), line->message));
  pl_values_free(&values);
}

static void the_usual_lines_are_read_as_json_reads_them(void **state) {
  (void)state;
  static const char *const texts[] = {
      LINE "\"net.Socket\",\"msg\":\"hi\"}",
      LINE "\"net.Socket\",\"msg\":\"hi\",\"key\":\"4:127.0.0.1:0\"}",
      LINE "\"net.Socket\",\"msg\":\"hi\",\"key\":\"\"}",
      LINE "\"net.Server\",\"msg\":null}",
      LINE "\"net.Native\",\"msg\":{\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn"
           "\",\"key\":\":80:4:::\",\"seq\":7}}",
      LINE "\"net.Native\",\"msg\":{\"msg\":[{}],\"type\":\"dgram.Native\"}}",
      LINE "\"dgram.Socket\",\"msg\":-1.5e3,\"dgramType\":\"udp6\"}",
      LINE "\"dgram.Native\",\"msg\":\"\\u00e9\\ud800 \xff\"}",
      LINE "\"net.Server\",\"msg\": true\t}",
      LINE "\"net.Server\",\"count\":253,\"msg\":[1,[2,{\"a\":3}]]}",
      LINE "\"net.Server\",\"count\":999,\"msg\":0}"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct pl_values values;
    struct pl__handle_line line;
    pl_values_init(&values, NULL);
    assert_true(read_line(&values, texts[i], &line));
    expect_as_json(texts[i], &line);
    pl_values_free(&values);
  }
}

static void another_form_is_left_to_json(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "{}",
      LINE "",
      LINE "\"net.Server\"}",
      LINE "\"net.server\",\"msg\":1}",
      LINE "\"net.Server2\",\"msg\":1}",
      LINE "\"net.Server\", \"msg\":1}",
      LINE "\"net.Server\",\"msg\":1,\"msg\":2}",
      LINE "\"net.Server\",\"msg\":1,\"type\":\"net.Socket\"}",
      LINE "\"net.Server\",\"msg\":1,\"count\":2}",
      LINE "\"net.Server\",\"msg\":1,\"key\":\"a\",\"key\":\"b\"}",
      LINE "\"net.Server\",\"msg\":1,\"key\":\"\\n\"}",
      LINE "\"net.Server\",\"msg\":1,\"key\":\"\n\"}",
      LINE "\"net.Server\",\"msg\":1,\"key\":1}",
      LINE "\"net.Server\",\"msg\":1}}",
      LINE "\"net.Server\",\"msg\":1} ",
      LINE "\"net.Server\",\"msg\":1",
      LINE "\"net.Server\",\"msg\":}",
      LINE "\"net.Server\",\"msg\":[1}",
      LINE "\"net.Server\",\"msg\":01}",
      LINE "\"net.Server\",\"count\":0,\"msg\":1}",
      LINE "\"net.Server\",\"count\":01,\"msg\":1}",
      LINE "\"net.Server\",\"count\":1000,\"msg\":1}",
      LINE "\"net.Server\",\"count\":1.5,\"msg\":1}",
      LINE "\"net.Server\",\"count\":,\"msg\":1}",
      LINE "\"net.Server\",\"count\":2}",
      "{\"type\":\"net.Server\",\"cmd\":\"NODE_HANDLE\",\"msg\":1}"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct pl_values values;
    struct pl__handle_line line;
    pl_values_init(&values, NULL);
    assert_false(read_line(&values, texts[i], &line));
    pl_values_free(&values);
  }
}

/* Every begin of a line, in memory that ends there. */
static void a_line_that_is_cut_is_no_line(void **state) {
  (void)state;
  static const char text[] = LINE
      "\"net.Socket\",\"count\":12,\"msg\":{\"a\":[1,\"b\"]},\"key\":\"k\"}";
  for (size_t length = 0; length < sizeof text - 1; length++) {
    struct pl_values values;
    struct pl__handle_line line;
    char *cut = malloc(length + 1);
    memcpy(cut, text, length);
    cut = realloc(cut, length == 0 ? 1 : length);
    pl_values_init(&values, NULL);
    assert_false(pl__handle_line_get(&values, cut, length, &line));
    pl_values_free(&values);
    free(cut);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_usual_lines_are_read_as_json_reads_them),
      cmocka_unit_test(another_form_is_left_to_json),
      cmocka_unit_test(a_line_that_is_cut_is_no_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

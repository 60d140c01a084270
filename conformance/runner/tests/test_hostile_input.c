/* SPDX-License-Identifier: MIT */
/*
 * Random and mutated bytes for everything that reads what others wrote: the
 * line reader, the answers, patterns, cases, schemas. Nothing may crash or
 * loop (sanitizer builds see the rest), and lines must come out as they went
 * in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "corpus.h"
#include "lines.h"
#include "memory.h"
#include "patterns.h"
#include "protocol.h"
#include "schema.h"
#include "verdict.h"

enum { ROUNDS = 20000 };

static uint64_t seed = 7;

static unsigned random_below(unsigned limit) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)(seed >> 33) % limit;
}

/* Feeds bytes in pieces of random size. Returns what came out, each line
 * followed by a newline. */
static struct pl_text through_reader(const char *bytes, size_t count,
                                     unsigned piece) {
  struct pl_lines lines = {0};
  struct pl_text out = {0};
  size_t length, room;
  for (size_t i = 0; i < count;) {
    char *at = pl_lines_room(&lines, &room);
    size_t now = 1 + random_below(piece);
    now = now < count - i ? now : count - i;
    now = now < room ? now : room;
    memcpy(at, bytes + i, now);
    pl_lines_filled(&lines, now);
    i += now;
    if (random_below(2) == 0)
      for (char *line; (line = pl_lines_next(&lines, &length)) != NULL;) {
        assert_int_equal(line[length], '\0');
        pl_text_add(&out, line, length);
        pl_text_add(&out, "\n", 1);
      }
  }
  for (char *line; (line = pl_lines_next(&lines, &length)) != NULL;) {
    pl_text_add(&out, line, length);
    pl_text_add(&out, "\n", 1);
  }
  char *rest = pl_lines_rest(&lines, &length);
  pl_text_add(&out, rest, length);
  pl_lines_free(&lines);
  return out;
}

static void lines_come_out_as_they_went_in(void **state) {
  static char bytes[300000];
  (void)state;
  for (int round = 0; round < 200; round++) {
    size_t count = random_below(round % 10 == 0 ? sizeof bytes : 300);
    for (size_t i = 0; i < count; i++) {
      unsigned c = random_below(40);
      bytes[i] = c == 0 ? '\n' : c == 1 ? '\0' : (char)(c + 60);
    }
    struct pl_text out = through_reader(bytes, count, 1 + random_below(70000));
    assert_int_equal(out.length, count);
    if (count > 0) assert_memory_equal(out.bytes, bytes, count);
    pl_text_free(&out);
  }
}

static void a_carriage_return_before_the_newline_is_dropped(void **state) {
  (void)state;
  struct pl_text out = through_reader("a\r\n\r\nb\rc\n", 9, 3);
  assert_string_equal(out.bytes, "a\n\nb\rc\n");
  pl_text_free(&out);
}

static void a_line_that_is_too_long_is_never_handed_out(void **state) {
  struct pl_lines lines = {0};
  size_t room, length;
  (void)state;
  for (size_t sent = 0; sent <= PL_LINE_MAX;) {
    char *at = pl_lines_room(&lines, &room);
    memset(at, 'x', room);
    pl_lines_filled(&lines, room);
    sent += room;
  }
  assert_true(lines.too_long);
  char *at = pl_lines_room(&lines, &room);
  *at = '\n';
  pl_lines_filled(&lines, 1);
  assert_null(pl_lines_next(&lines, &length));
  pl_lines_free(&lines);
}

static void a_tail_keeps_the_last_bytes(void **state) {
  static struct pl_tail tail;
  (void)state;
  memset(&tail, 0, sizeof tail);
  assert_null(pl_tail_text(&tail));
  for (int i = 0; i < 3000; i++)
    pl_tail_add(&tail, "0123456789", 10);
  pl_tail_add(&tail, "end", 3);
  char *text = pl_tail_text(&tail);
  assert_int_equal(strlen(text), PL_TAIL_MAX);
  assert_string_equal(text + PL_TAIL_MAX - 5, "89end");
  free(text);
}

static void what_is_not_utf8_is_replaced(void **state) {
  (void)state;
  static const struct {
    const char *bytes, *clean;
  } texts[] = {
      {"a\xC3\xA4z", "a\xC3\xA4z"}, {"a\xC3", "a?"},
      {"\xFF\xFE", "??"},           {"\xC0\x80", "??"},
      {"\xED\xA0\x80", "???"},      {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
      {"\x1B[1mx\n\t", "?[1mx\n\t"}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    char *clean = pl_text_clean(texts[i].bytes, strlen(texts[i].bytes));
    assert_string_equal(clean, texts[i].clean);
    free(clean);
  }
}

/* Changes a text in a few places; most results are still nearly JSON. */
static struct pl_text mutate(const char *text) {
  static const char spare[] = "{}[]\",:0123456789-.eEtfn\\u \n\xC3\xFF";
  struct pl_text out = {0};
  size_t length = strlen(text);
  unsigned changes = 1 + random_below(4);
  pl_text_add(&out, text, length);
  while (changes-- > 0 && out.length > 1) {
    size_t at = random_below((unsigned)out.length);
    unsigned how = random_below(4);
    if (how == 0) {
      out.bytes[at] = spare[random_below(sizeof spare - 1)];
    } else if (how == 1) {
      memmove(out.bytes + at, out.bytes + at + 1, out.length - at);
      out.length--;
    } else if (how == 2) {
      out.length = at + 1;
      out.bytes[out.length] = '\0';
    } else {
      size_t from = random_below((unsigned)length);
      char *piece = pl_mem_copy(text + from);
      pl_text_add(&out, piece, random_below((unsigned)(length - from)));
      free(piece);
    }
  }
  return out;
}

static void answers_may_be_anything(void **state) {
  static const char *const texts[] = {
      "{\"seq\":5,\"events\":[\"a\",[\"b\",1.5]],\"evidence\":{\"n\":3}}",
      "{\"seq\":5,\"event\":[\"b\",true]}",
      "{\"seq\":5,\"error\":{\"message\":\"m\",\"detail\":\"d\"}}",
      "{\"seq\":5,\"unsupported\":\"no\"}"};
  unsigned breaches = 0;
  (void)state;
  for (int i = 0; i < ROUNDS; i++) {
    struct pl_answer answer;
    struct pl_text text = mutate(texts[random_below(4)]);
    pl_message_read(text.bytes, text.length, 5, &answer);
    assert_true(answer.kind != PL_ANSWER_BREACH || answer.detail != NULL);
    breaches += answer.kind == PL_ANSWER_BREACH;
    pl_answer_free(&answer);
    pl_text_free(&text);
  }
  assert_in_range(breaches, ROUNDS / 2, ROUNDS - 1);
}

static void start_answers_may_be_anything(void **state) {
  (void)state;
  for (int i = 0; i < ROUNDS; i++) {
    char *error = NULL;
    struct pl_text text =
        mutate("{\"protocol\":1,\"implementation\":{\"name\":\"n\","
               "\"version\":\"1\"},\"capabilities\":[\"a\"],\"traits\":[]}");
    json_t *hello = pl_message_read_start(text.bytes, text.length, &error);
    assert_true((hello == NULL) == (error != NULL));
    json_decref(hello);
    free(error);
    pl_text_free(&text);
  }
}

static void cases_may_be_anything(void **state) {
  unsigned read = 0;
  (void)state;
  for (int i = 0; i < ROUNDS; i++) {
    struct pl_case item;
    char *error = NULL;
    struct pl_text text = mutate(
        "{\"id\":\"x\",\"rule\":\"R\",\"level\":\"MUST\",\"area\":\"a\","
        "\"needs\":[\"n\"],\"runs\":2,\"isolation\":\"shared\",\"pool\":4,"
        "\"timeout_ms\":9,\"env\":{\"A\":\"b\"},\"program\":{\"main\":[]},"
        "\"files\":{\"f\":\"c\"},\"expect\":{\"seq\":[{\"ev\":\"a\"},"
        "{\"interleave\":[{\"atomic\":{\"opt\":{\"ev\":\"b\"}}},{\"repeat\":"
        "{\"ev\":\"c\",\"value\":{\"min\":1}},\"min\":0,\"max\":9}]}]},"
        "\"by_trait\":[{\"trait\":\"t\",\"expect\":{\"any\":[]}}],"
        "\"evidence\":{\"e\":{\"min\":1}},\"hash\":\"0123456789abcdef\"}");
    json_t *object = json_loadb(text.bytes, text.length, 0, NULL);
    if (object != NULL && pl_case_read(&item, object, &error) == 0) {
      read++;
      pl_case_free(&item);
    } else {
      json_decref(object);
    }
    free(error);
    pl_text_free(&text);
  }
  assert_true(read > 0);
}

static void schemas_may_be_anything(void **state) {
  json_t *value = parse_quoted("{'a':[1,'x',null],'b':{'c':2.5}}");
  (void)state;
  for (int i = 0; i < ROUNDS; i++) {
    struct pl_schema schema;
    char *error = NULL;
    struct pl_text text = mutate(
        "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":"
        "{\"items\":{\"oneOf\":[{\"type\":[\"string\",\"null\"]},{\"minimum\":"
        "1}]},\"minItems\":1},\"b\":{\"$ref\":\"#/definitions/d\"}},"
        "\"definitions\":{\"d\":{\"additionalProperties\":{\"enum\":[2.5]},"
        "\"not\":{\"const\":3}}}}");
    json_t *root = json_loadb(text.bytes, text.length, 0, NULL);
    if (root != NULL && pl_schema_init(&schema, root, &error) == 0) {
      free(pl_schema_check(&schema, NULL, value));
      pl_schema_free(&schema);
    } else {
      json_decref(root);
    }
    free(error);
    pl_text_free(&text);
  }
  json_decref(value);
}

static void expectations_may_be_anything(void **state) {
  struct pl_case item = {.id = "a/b", .rule = "R"};
  (void)state;
  for (int i = 0; i < ROUNDS; i++) {
    struct pl_expectations known;
    char *error = NULL;
    struct pl_text text = mutate(
        "{\"format\":1,\"implementations\":{\"n\":[{\"case\":\"a/*\","
        "\"verdict\":\"fail|crash\",\"versions\":[\"12\"],\"reason\":\"r\"},"
        "{\"case\":\"*\",\"verdict\":[\"pass\"],\"reason\":\"s\"}]}}");
    json_t *root = json_loadb(text.bytes, text.length, 0, NULL);
    if (root != NULL && pl_expectations_read(&known, root, &error) == 0) {
      pl_expectations_choose(&known, "n", "12.1");
      assert_true(pl_expectations_of(&known, &item).verdicts != 0);
      pl_expectations_free(&known);
    } else {
      json_decref(root);
    }
    free(error);
    pl_text_free(&text);
  }
}

static void deep_nesting_is_refused_or_survived(void **state) {
  struct pl_text text = {0};
  json_t *ir;
  (void)state;
  for (int i = 0; i < 2000; i++)
    pl_text_say(&text, "{\"opt\":");
  pl_text_say(&text, "{\"ev\":\"a\"}");
  for (int i = 0; i < 2000; i++)
    pl_text_say(&text, "}");
  ir = json_loadb(text.bytes, text.length, 0, NULL);
  assert_non_null(ir);
  struct pl_pattern pattern;
  char *error = NULL;
  assert_int_equal(pl_pattern_compile(&pattern, ir, &error), 0);
  pl_pattern_free(&pattern);
  json_decref(ir);
  pl_text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_come_out_as_they_went_in),
      cmocka_unit_test(a_carriage_return_before_the_newline_is_dropped),
      cmocka_unit_test(a_line_that_is_too_long_is_never_handed_out),
      cmocka_unit_test(a_tail_keeps_the_last_bytes),
      cmocka_unit_test(what_is_not_utf8_is_replaced),
      cmocka_unit_test(answers_may_be_anything),
      cmocka_unit_test(start_answers_may_be_anything),
      cmocka_unit_test(cases_may_be_anything),
      cmocka_unit_test(schemas_may_be_anything),
      cmocka_unit_test(expectations_may_be_anything),
      cmocka_unit_test(deep_nesting_is_refused_or_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

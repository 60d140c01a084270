/* SPDX-License-Identifier: MIT */
/*
 * test_ipc_values.c: values to bytes and back, JSON's and V8's.
 */
#include "../world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ipc/value.h"

struct ground {
  struct pl_values values;
  struct pl__bytes out;
};

static int ground_setup(void **state) {
  static struct pl_allocator none;
  struct ground *ground = calloc(1, sizeof *ground);
  none = pl__allocator_or_default(NULL);
  pl_values_init(&ground->values, NULL);
  ground->out.allocator = &none;
  *state = ground;
  return 0;
}

static int ground_teardown(void **state) {
  struct ground *ground = *state;
  pl_values_free(&ground->values);
  pl__bytes_free(&ground->out);
  free(ground);
  return 0;
}

static const char *said(struct ground *ground) {
  pl__bytes_add(&ground->out, "", 1);
  ground->out.length = 0;
  return ground->out.data;
}

/* The text of a value that was read from a text. */
static const char *echo(struct ground *ground, const char *text) {
  struct pl_value *value = NULL;
  struct pl__json_fault fault = {NULL, 0};
  int error = pl__json_get(&ground->values, text, strlen(text), &value, &fault);
  if (error != 0) return fault.what;
  assert_int_equal(pl__json_put(&ground->out, value), 0);
  return said(ground);
}

static void json_comes_back_as_it_was(void **state) {
  static const char *const texts[] = {
      "null",
      "true",
      "false",
      "0",
      "-1",
      "123456789012345",
      "\"\"",
      "\"a b\"",
      "[]",
      "{}",
      "[1,[2,[3,{}]],\"x\"]",
      "{\"a\":{\"b\":[null]},\"c\":0.5}",
      "\"\\\"\\\\\\n\\t\\b\\f\\r\\u0001\"",
      "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
      "1.5",
      "1e+21",
      "1.7976931348623157e+308",
      "5e-324",
      "0.000001",
      "1e-7",
      "123456789012345680000",
      "0.1",
      "-0.25",
      "\"\\ud800\"",
      "[\"\\udfff x\"]"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    assert_string_equal(echo(*state, texts[i]), texts[i]);
}

static void json_is_normalised(void **state) {
  static const char *const pairs[][2] = {
      {" [ 1 , 2 ]\r\n", "[1,2]"},
      {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
      {"{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":2,\"b\":0}"},
      {"-0", "0"},
      {"1e400", "null"},
      {"1.0", "1"},
      {"1E2", "100"},
      {"\"\\u0041\\/\"", "\"A/\""},
      {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
      {"\"a\xff"
       "b\"",
       "\"a\xef\xbf\xbd"
       "b\""},
      {"\"\xe2\x82\"", "\"\xef\xbf\xbd\""},
      {"\"\xed\xa0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
    assert_string_equal(echo(*state, pairs[i][0]), pairs[i][1]);
}

static void what_json_parse_refuses_is_refused(void **state) {
  static const char *const texts[] = {
      "",           " ",    "nul",    "tru",     "[1,]",      "{\"a\"}",
      "{a:1}",      "01",   "1.",     ".5",      "+1",        "1e",
      "-",          "\"",   "\"\n\"", "\"\\x\"", "\"\\u12\"", "[1 2]",
      "{\"a\":1,}", "1 2",  "]",      "[",       "{\"a\":",   "'a'",
      "nullx",      "\"\\", "[1}"};
  struct ground *ground = *state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct pl_value *value = NULL;
    struct pl__json_fault fault = {NULL, 0};
    if (pl__json_get(&ground->values, texts[i], strlen(texts[i]), &value,
                     &fault) != PL_EBADMSG)
      fail_msg("accepted: %s", texts[i]);
    assert_non_null(fault.what);
    assert_true(fault.at <= strlen(texts[i]));
  }
}

static void many_equal_keys_are_merged(void **state) {
  struct ground *ground = *state;
  char text[4096];
  int at = sprintf(text, "{");
  for (int i = 0; i < 100; i++)
    at += sprintf(text + at, "\"k%d\":%d,", i % 30, i);
  sprintf(text + at, "\"end\":1}");
  struct pl_value *value = NULL;
  struct pl__json_fault fault;
  assert_int_equal(
      pl__json_get(&ground->values, text, strlen(text), &value, &fault), 0);
  assert_int_equal(value->length, 31);
  assert_int_equal(pl_value_to_number(pl_value_get(value, "k9"), -1), 99);
  assert_int_equal(pl_value_to_number(pl_value_get(value, "k10"), -1), 70);
  assert_true(pl_value_is(value->first->key, "k0"));
  assert_true(pl_value_is(value->last->key, "end"));
}

static void nesting_of_a_million_needs_no_stack(void **state) {
  struct ground *ground = *state;
  size_t depth = 1000000;
  char *text = malloc(depth * 2);
  memset(text, '[', depth);
  memset(text + depth, ']', depth);
  struct pl_value *value = NULL;
  struct pl__json_fault fault;
  assert_int_equal(
      pl__json_get(&ground->values, text, depth * 2, &value, &fault), 0);
  assert_int_equal(pl__json_put(&ground->out, value), 0);
  assert_int_equal(ground->out.length, depth * 2);
  assert_memory_equal(ground->out.data, text, depth * 2);
  ground->out.length = 0;
  assert_int_equal(pl__clone_put(&ground->out, value), 0);
  struct pl_value *again = NULL;
  assert_int_equal(pl__clone_get(&ground->values, ground->out.data,
                                 ground->out.length, &again, &fault),
                   0);
  free(text);
}

static void json_says_what_javascript_would(void **state) {
  struct ground *ground = *state;
  struct pl_values *v = &ground->values;
  struct pl_value *object = pl_value_object(v);
  pl_value_set(v, object, "date", pl_value_date(v, 0));
  pl_value_set(v, object, "bad", pl_value_date(v, NAN));
  pl_value_set(v, object, "far", pl_value_date(v, -62198755200000.0));
  pl_value_set(v, object, "gone", pl_value_plain(v, PL_VALUE_UNDEFINED));
  pl_value_set(v, object, "nan", pl_value_number(v, NAN));
  pl_value_set(v, object, "buffer",
               pl_value_copy(v, PL_VALUE_BYTES, "a\xff", 2));
  pl_value_set(v, object, "map", pl_value_plain(v, PL_VALUE_MAP));
  struct pl_value *array = pl_value_array(v);
  pl_value_push(v, array, pl_value_plain(v, PL_VALUE_UNDEFINED));
  pl_value_set(v, object, "array", array);
  pl_value_set(v, object, "again", array);
  assert_int_equal(pl__json_put(&ground->out, object), 0);
  assert_string_equal(
      said(ground),
      "{\"date\":\"1970-01-01T00:00:00.000Z\",\"bad\":null,"
      "\"far\":\"-000001-01-01T00:00:00.000Z\",\"nan\":null,"
      "\"buffer\":{\"type\":\"Buffer\",\"data\":[97,255]},\"map\":{},"
      "\"array\":[null],\"again\":[null]}");
}

static void a_view_of_bytes_is_an_object_of_numbers(void **state) {
  struct ground *ground = *state;
  struct pl_value *view =
      pl_value_copy(&ground->values, PL_VALUE_BYTES, "a\xff", 2);
  view->view = PL_VIEW_UINT8;
  assert_int_equal(pl__json_put(&ground->out, view), 0);
  assert_string_equal(said(ground), "{\"0\":97,\"1\":255}");
}

static void cycles_and_bigints_are_no_json(void **state) {
  struct ground *ground = *state;
  struct pl_values *v = &ground->values;
  struct pl_value *object = pl_value_object(v), *array = pl_value_array(v);
  pl_value_set(v, object, "list", array);
  pl_value_push(v, array, object);
  assert_int_equal(pl__json_put(&ground->out, object), PL_EINVAL);
  assert_int_equal(ground->out.length, 0);
  /* The refusal left no mark: each part alone is refused again, or fine. */
  assert_int_equal(pl__json_put(&ground->out, array), PL_EINVAL);
  array->first = array->last = NULL;
  assert_int_equal(pl__json_put(&ground->out, object), 0);
  assert_string_equal(said(ground), "{\"list\":[]}");
  assert_int_equal(pl__json_put(&ground->out, pl_value_bigint(v, 1)),
                   PL_EINVAL);
  assert_int_equal(
      pl__json_put(&ground->out, pl_value_plain(v, PL_VALUE_UNDEFINED)),
      PL_EINVAL);
}

static void random_doubles_come_back(void **state) {
  struct ground *ground = *state;
  uint64_t random = 88172645463325252u;
  for (int i = 0; i < 20000; i++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    double number, again;
    char text[40];
    memcpy(&number, &random, sizeof number);
    if (!isfinite(number)) continue;
    size_t length = pl__number_put(text, number);
    assert_true(length < 32);
    again = pl__number_get(&ground->values, text, length);
    assert_memory_equal(&number, &again, sizeof number);
  }
}

/* ---------------------------------------------------------------------- */

struct sample {
  const char *bytes; /* behind ff 0f */
  size_t length;
  struct pl_value *(*make)(struct pl_values *values);
};

static struct pl_value *make_hello(struct pl_values *v) {
  struct pl_value *object = pl_value_object(v);
  pl_value_set(v, object, "hello", pl_value_number(v, 1));
  return object;
}
static struct pl_value *make_hi(struct pl_values *v) {
  return pl_value_string(v, "hi");
}
static struct pl_value *make_42(struct pl_values *v) {
  return pl_value_number(v, 42);
}
static struct pl_value *make_true(struct pl_values *v) {
  return pl_value_bool(v, true);
}
static struct pl_value *make_null(struct pl_values *v) {
  return pl_value_plain(v, PL_VALUE_NULL);
}
static struct pl_value *make_date(struct pl_values *v) {
  return pl_value_date(v, 0);
}
static struct pl_value *make_buffer(struct pl_values *v) {
  return pl_value_copy(v, PL_VALUE_BYTES, "abc", 3);
}
static struct pl_value *make_view(struct pl_values *v) {
  struct pl_value *view = pl_value_copy(v, PL_VALUE_BYTES, "\1\2", 2);
  if (view != NULL) view->view = PL_VIEW_UINT8;
  return view;
}
static struct pl_value *make_map(struct pl_values *v) {
  struct pl_value *map = pl_value_plain(v, PL_VALUE_MAP);
  pl_value_put(v, map, pl_value_number(v, 1), pl_value_number(v, 2));
  return map;
}
static struct pl_value *make_cycle(struct pl_values *v) {
  struct pl_value *object = pl_value_object(v);
  pl_value_set(v, object, "a", pl_value_number(v, 1));
  pl_value_set(v, object, "me", object);
  return object;
}

#define SAMPLE(bytes, make)                                                    \
  { bytes, sizeof bytes - 1, make }

/* What strace saw of Node 20 and 22. */
static const struct sample samples[] = {
    SAMPLE("\x6f\x22\x05hello\x49\x02\x7b\x01", make_hello),
    SAMPLE("\x22\x02hi", make_hi),
    SAMPLE("\x49\x54", make_42),
    SAMPLE("\x54", make_true),
    SAMPLE("\x30", make_null),
    SAMPLE("\x44\0\0\0\0\0\0\0\0", make_date),
    SAMPLE("\x5c\x00\x0a\x03"
           "abc",
           make_buffer),
    SAMPLE("\x5c\x00\x01\x02\x01\x02", make_view),
    SAMPLE("\x3b\x49\x02\x49\x04\x3a\x02", make_map),
    SAMPLE("\x6f\x22\x01"
           "a\x49\x02\x22\x02me\x5e\x00\x7b\x02",
           make_cycle),
};

static void clones_have_the_bytes_that_node_writes(void **state) {
  struct ground *ground = *state;
  for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
    struct pl_value *value = samples[i].make(&ground->values), *again = NULL;
    ground->out.length = 0;
    for (int round = 0; round < 2; round++) { /* marks are gone */
      ground->out.length = 0;
      assert_int_equal(pl__clone_put(&ground->out, value), 0);
    }
    assert_int_equal(ground->out.length, samples[i].length + 2);
    assert_memory_equal(ground->out.data, "\xff\x0f", 2);
    assert_memory_equal(ground->out.data + 2, samples[i].bytes,
                        samples[i].length);
    struct pl__json_fault fault;
    assert_int_equal(pl__clone_get(&ground->values, ground->out.data,
                                   ground->out.length, &again, &fault),
                     0);
    assert_true(pl_value_equal(value, again));
  }
}

/* A value with a bit of everything. */
static struct pl_value *make_all(struct pl_values *v) {
  struct pl_value *object = pl_value_object(v), *array = pl_value_array(v);
  struct pl_value *set = pl_value_plain(v, PL_VALUE_SET);
  struct pl_value *map = pl_value_plain(v, PL_VALUE_MAP);
  static const double numbers[] = {
      0, -0.0, 1, -1, 2147483647, 2147483648.0, -2147483648.0, 1.5, 1e300};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    pl_value_push(v, array, pl_value_number(v, numbers[i]));
  pl_value_push(v, array, pl_value_number(v, NAN));
  pl_value_push(v, array, pl_value_plain(v, PL_VALUE_UNDEFINED));
  pl_value_push(v, array, pl_value_bigint(v, -5));
  pl_value_push(v, array, pl_value_bigint(v, 0));
  pl_value_push(v, array, pl_value_bigint(v, INT64_MIN));
  pl_value_push(v, array, pl_value_string(v, ""));
  pl_value_push(v, array, pl_value_string(v, "\xc3\xa9"));
  pl_value_push(v, array, pl_value_string(v, "x\xe2\x82\xac\xf0\x9f\x98\x80"));
  pl_value_push(v, array, pl_value_string(v, "\xed\xa0\x80"));
  pl_value_push(v, set, array);
  pl_value_push(v, set, object);
  pl_value_put(v, map, set, pl_value_date(v, 86400000.5));
  pl_value_put(v, map, map, make_buffer(v));
  pl_value_set(v, object, "array", array);
  pl_value_set(v, object, "again", array);
  pl_value_set(v, object, "7", map);
  pl_value_set(v, object, "4294967295", pl_value_bool(v, false));
  pl_value_set(v, object, "007", pl_value_object(v));
  return object;
}

static void clones_of_everything_come_back(void **state) {
  struct ground *ground = *state;
  struct pl_value *value = make_all(&ground->values), *again = NULL;
  struct pl__json_fault fault;
  assert_int_equal(pl__clone_put(&ground->out, value), 0);
  assert_int_equal(pl__clone_get(&ground->values, ground->out.data,
                                 ground->out.length, &again, &fault),
                   0);
  assert_true(pl_value_equal(value, again));
  assert_ptr_equal(pl_value_get(again, "array"), pl_value_get(again, "again"));
}

static void every_cut_and_every_changed_byte_is_survived(void **state) {
  struct ground *ground = *state;
  struct pl_value *again = NULL;
  struct pl__json_fault fault;
  assert_int_equal(pl__clone_put(&ground->out, make_all(&ground->values)), 0);
  for (size_t cut = 0; cut < ground->out.length; cut++) {
    char *copy = malloc(cut == 0 ? 1 : cut); /* so that a sanitizer sees it */
    memcpy(copy, ground->out.data, cut);
    assert_int_equal(pl__clone_get(&ground->values, copy, cut, &again, &fault),
                     PL_EBADMSG);
    free(copy);
  }
  for (size_t at = 0; at < ground->out.length; at++)
    for (int bit = 0; bit < 8; bit++) {
      ground->out.data[at] ^= (char)(1 << bit);
      int error = pl__clone_get(&ground->values, ground->out.data,
                                ground->out.length, &again, &fault);
      assert_true(error == 0 || error == PL_EBADMSG);
      ground->out.data[at] ^= (char)(1 << bit);
      pl_values_reset(&ground->values);
    }
}

static void old_and_odd_clones_are_read(void **state) {
  struct ground *ground = *state;
  static const struct {
    const char *bytes;
    size_t length;
    const char *json; /* NULL: refused */
  } odd[] = {
#define ODD(bytes, json) {bytes, sizeof bytes - 1, json}
      ODD("\xff\x0d\x22\x02hi", "\"hi\""),
      ODD("\xff\x10\x22\x02hi", "\"hi\""),
      ODD("\xff\x11\x22\x02hi", NULL),
      ODD("\xff\x0c\x22\x02hi", NULL),
      ODD("\xff\x0f\x61\x03\x49\x02\x49\x0a\x40\x01\x03", "[null,5,null]"),
      ODD("\xff\x0f\x41\x02\x49\x02\x2d\x24\x00\x02", "[1,null]"),
      ODD("\xff\x0f\x41\x01\x49\x02\x22\x01x\x30\x24\x01\x01", "[1]"),
      ODD("\xff\x0f\x79", "true"),
      ODD("\xff\x0f\x73\x22\x01x", "\"x\""),
      ODD("\xff\x0d\x53\x04"
          "a\xc3\xa9\xff",
          "\"a\xc3\xa9\xef\xbf\xbd\""),
      ODD("\xff\x0f\x42\x02\x01\x02", "{\"type\":\"Buffer\",\"data\":[1,2]}"),
      ODD("\xff\x0f\x5c\x01\x6f\x22\x01z\x30\x7b\x01", "{\"z\":null}"),
      ODD("\xff\x0f\x52\x22\x01x\x00", NULL),
      ODD("\xff\x0f\x5e\x00", NULL),
      ODD("\xff\x0f\x5e\xff\xff\xff\xff\xff\xff\xff\xff\x01", NULL),
      ODD("\xff\x0f\x41\xff\xff\xff\xff\x0f", NULL),
      ODD("\xff\x0f\x61\xff\xff\xff\xff\x0f\x40\x00\xff\xff\xff\xff\x0f", NULL),
  };
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    struct pl_value *value = NULL;
    struct pl__json_fault fault;
    int error = pl__clone_get(&ground->values, odd[i].bytes, odd[i].length,
                              &value, &fault);
    assert_int_equal(error, odd[i].json == NULL ? PL_EBADMSG : 0);
    if (error != 0) continue;
    assert_int_equal(pl__json_put(&ground->out, value), 0);
    assert_string_equal(said(ground), odd[i].json);
  }
}

static void every_shortage_of_memory_is_told(void **state) {
  struct ground *ground = *state;
  struct world *world = world_begin_pool(1);
  struct pl_allocator allocator = world_allocator(world);
  struct pl_values place;
  struct pl__bytes out = {.allocator = &allocator};
  static const char text[] = "{\"a\":[1,2,\"\\u00e9\"],\"b\":{\"c\":\"x\"}}";
  struct pl_value *value = make_all(&ground->values), *again = NULL;
  struct pl__json_fault fault;
  bool done = false;
  for (int i = 0; !done; i++) {
    pl_values_init(&place, &allocator);
    world->until_fail = i;
    int read = pl__json_get(&place, text, sizeof text - 1, &again, &fault);
    int wrote = read == 0 ? pl__clone_put(&out, value) : PL_ENOMEM;
    assert_true(read == 0 || read == PL_ENOMEM);
    assert_true(wrote == 0 || wrote == PL_ENOMEM);
    done = world->until_fail >= 0 && wrote == 0;
    world->until_fail = -1;
    pl_values_free(&place);
    pl__bytes_free(&out);
  }
  assert_int_equal(pl__clone_put(&ground->out, value), 0); /* no marks left */
  world_end(world);
}

int main(void) {
#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, ground_setup, ground_teardown)
  const struct CMUnitTest tests[] = {
      TEST(json_comes_back_as_it_was),
      TEST(json_is_normalised),
      TEST(what_json_parse_refuses_is_refused),
      TEST(many_equal_keys_are_merged),
      TEST(nesting_of_a_million_needs_no_stack),
      TEST(json_says_what_javascript_would),
      TEST(a_view_of_bytes_is_an_object_of_numbers),
      TEST(cycles_and_bigints_are_no_json),
      TEST(random_doubles_come_back),
      TEST(clones_have_the_bytes_that_node_writes),
      TEST(clones_of_everything_come_back),
      TEST(every_cut_and_every_changed_byte_is_survived),
      TEST(old_and_odd_clones_are_read),
      TEST(every_shortage_of_memory_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

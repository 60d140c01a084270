/* SPDX-License-Identifier: MIT */
/*
 * test_profile.c: the .cpuprofile of a recording, to the byte.
 */
#include "world.h"

#include "../loop/profile_text.h"
#include "../loop/profile_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A sink that keeps everything, or refuses after some calls. */
struct memory {
  char text[1 << 16];
  size_t used;
  int calls;
  int refuse_at; /* 0: never */
};

static int remember(void *self, const char *bytes, size_t size) {
  struct memory *memory = self;
  assert_true(memory->refuse_at == 0 || memory->calls < memory->refuse_at);
  if (++memory->calls == memory->refuse_at) return PL_ENOSPC;
  assert_true(memory->used + size < sizeof memory->text);
  memcpy(memory->text + memory->used, bytes, size);
  memory->used += size;
  memory->text[memory->used] = '\0';
  return 0;
}

static void label(struct pl_recorder *recorder, struct act *act,
                  const char *name, const char *url, int line) {
  uint16_t number;
  assert_int_equal(pl_recorder_name(recorder, name, url, line, NULL, &number),
                   0);
  pl_object_set_label(act, number);
}

static void on_tick(void *arg, int status) {
  (void)status;
  world_block(arg, 5);
}

struct sleeper {
  struct world *world;
  struct pl_task tick;
};

static void on_sleep(void *arg, int status) {
  (void)status;
  struct sleeper *sleeper = arg;
  world_block(sleeper->world, 30);
  pl_task_init(sleeper->world->loop, &sleeper->tick, on_tick, sleeper->world);
  pl_task_tick(&sleeper->tick);
}

/* A sleep of 30 ms at 1010, with a tick of 5 ms behind it, which makes a beat
 * that is due at 1020 late; 10 ms of that because poll counts from the cached
 * time. */
static struct pl_recorder *record_a_sleep(struct world *world,
                                          struct sleeper *sleeper,
                                          struct pl_timeout *timeout) {
  struct pl_recorder *recorder = world_record(world, 16);
  *sleeper = (struct sleeper){.world = world};
  pl_timeout_init(world->loop, timeout, on_sleep, sleeper);
  pl_timeout_start(timeout, 10, 0);
  assert_int_equal(
      pl_recorder_name(recorder, "sleep", "file:///a.c", 7, on_sleep, NULL), 0);
  assert_int_equal(pl_recorder_name(recorder, "tick", NULL, 0, on_tick, NULL),
                   0);
  label(recorder, soon_timer(world, 20, "beat", NULL), "beat \"b\"", "b.c", 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  return recorder;
}

static const char *const sleep_profile =
    "{\"nodes\":["
    "{\"id\":1,\"callFrame\":{\"functionName\":\"(root)\",\"scriptId\":\"0\","
    "\"url\":\"\",\"lineNumber\":-1,\"columnNumber\":-1},\"hitCount\":0,"
    "\"children\":[2,3,4,5]},"
    "{\"id\":2,\"callFrame\":{\"functionName\":\"(program)\",\"scriptId\":"
    "\"0\","
    "\"url\":\"\",\"lineNumber\":-1,\"columnNumber\":-1},\"hitCount\":2},"
    "{\"id\":3,\"callFrame\":{\"functionName\":\"(idle)\",\"scriptId\":\"0\","
    "\"url\":\"\",\"lineNumber\":-1,\"columnNumber\":-1},\"hitCount\":2},"
    "{\"id\":4,\"callFrame\":{\"functionName\":\"(event loop)\","
    "\"scriptId\":\"0\","
    "\"url\":\"\",\"lineNumber\":-1,\"columnNumber\":-1},\"hitCount\":4},"
    "{\"id\":5,\"callFrame\":{\"functionName\":\"timers phase\","
    "\"scriptId\":\"0\","
    "\"url\":\"\",\"lineNumber\":-1,\"columnNumber\":-1},\"hitCount\":0,"
    "\"children\":[6,8]},"
    "{\"id\":6,\"callFrame\":{\"functionName\":\"sleep\",\"scriptId\":\"0\","
    "\"url\":\"file:///a.c\",\"lineNumber\":6,\"columnNumber\":0},"
    "\"hitCount\":2,\"children\":[7]},"
    "{\"id\":7,\"callFrame\":{\"functionName\":\"tick\",\"scriptId\":\"0\","
    "\"url\":\"\",\"lineNumber\":-1,\"columnNumber\":-1},\"hitCount\":1},"
    "{\"id\":8,\"callFrame\":{\"functionName\":\"beat \\\"b\\\"\","
    "\"scriptId\":\"0\","
    "\"url\":\"b.c\",\"lineNumber\":0,\"columnNumber\":0},\"hitCount\":1}],"
    "\"startTime\":1000000,\"endTime\":1055000,"
    "\"samples\":[2,3,4,6,7,6,4,3,4,8,4,2],"
    "\"timeDeltas\":[0,0,10000,0,30000,5000,0,0,10000,0,0,0],"
    "\"plumb\":{\"format\":1,\"recorded\":5,\"dropped\":0,"
    "\"kinds\":{\"6\":\"timeout\",\"7\":\"tick\",\"8\":\"timer\"},"
    "\"timers\":[[6,1010000,0],[8,1055000,35000]]}}\n";

static void a_profile_is_phases_callbacks_and_their_tasks(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct sleeper sleeper;
  struct pl_timeout timeout;
  struct pl_recorder *recorder = record_a_sleep(world, &sleeper, &timeout);
  struct memory memory = {0};
  struct pl_sink sink = {.write = remember, .self = &memory};
  assert_int_equal(pl_profile_write(recorder, &sink), 0);
  assert_string_equal(memory.text, sleep_profile);
  world_end_recorded(world, recorder);
}

static void a_profile_without_records_is_one_too(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 1);
  struct memory memory = {0};
  struct pl_sink sink = {.write = remember, .self = &memory};
  assert_int_equal(pl_profile_write(recorder, &sink), 0);
  assert_non_null(strstr(memory.text, "\"startTime\":1000000,"
                                      "\"endTime\":1000000,"
                                      "\"samples\":[2,2],"
                                      "\"timeDeltas\":[0,0],"));
  world_end_recorded(world, recorder);
}

static void a_file_has_what_a_sink_gets(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct sleeper sleeper;
  struct pl_timeout timeout;
  struct pl_recorder *recorder = record_a_sleep(world, &sleeper, &timeout);
  char path[] = "plumb-profile-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(pl_profile_save(recorder, path), 0);
  static char text[1 << 16];
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  unlink(path);
  assert_true(size > 0);
  assert_string_equal(text, sleep_profile);
  assert_int_equal(pl_profile_save(recorder, "no/such/folder/p"), PL_ENOENT);
  world_end_recorded(world, recorder);
}

static void a_file_that_cannot_be_completed_is_told(void **unused) {
  (void)unused;
  if (access("/dev/full", W_OK) != 0) skip();
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 1);
  assert_int_equal(pl_profile_save(recorder, "/dev/full"), PL_ENOSPC);
  assert_int_equal(access("/dev/full", F_OK), 0);
  world_end_recorded(world, recorder);
}

static void a_refusing_sink_is_not_asked_again(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 1);
  /* Long enough for several calls of the sink. */
  char name[9000];
  memset(name, 'x', sizeof name);
  name[sizeof name - 1] = '\0';
  struct act *act = soon_immediate(world, "i", NULL);
  label(recorder, act, name, NULL, 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  for (int at = 1; at <= 3; at++) {
    struct memory memory = {.refuse_at = at};
    struct pl_sink sink = {.write = remember, .self = &memory};
    assert_int_equal(pl_profile_write(recorder, &sink), PL_ENOSPC);
    assert_int_equal(memory.calls, at);
  }
  world_end_recorded(world, recorder);
}

static void every_allocation_of_a_profile_may_fail(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct sleeper sleeper;
  struct pl_timeout timeout;
  struct pl_recorder *recorder = record_a_sleep(world, &sleeper, &timeout);
  long blocks = world->blocks;
  int failures = 0;
  for (;; failures++) {
    struct memory memory = {0};
    struct pl_sink sink = {.write = remember, .self = &memory};
    world->until_fail = failures;
    int error = pl_profile_write(recorder, &sink);
    world->until_fail = -1;
    assert_int_equal(world->blocks, blocks);
    if (error == 0) break;
    assert_int_equal(error, PL_ENOMEM);
    assert_int_equal(memory.calls, 0);
  }
  assert_int_equal(failures, 3);
  world_end_recorded(world, recorder);
}

static void again(struct act *self) {
  world_block(self->world, 1);
  if (self->calls < 9) pl_immediate_start(&self->as.immediate);
}

static void a_profile_begins_with_the_oldest_that_is_left(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 4);
  label(recorder, soon_immediate(world, "i", again), "i", NULL, 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  struct memory memory = {0};
  struct pl_sink sink = {.write = remember, .self = &memory};
  assert_int_equal(pl_profile_write(recorder, &sink), 0);
  assert_non_null(strstr(memory.text,
                         "\"startTime\":1005000,\"endTime\":1009000,"
                         "\"samples\":[2,6,4,6,4,6,4,6,4,2],"
                         "\"timeDeltas\":[0,0,1000,0,1000,0,1000,0,1000,0],"));
  assert_non_null(strstr(memory.text, "\"recorded\":9,\"dropped\":5,"));
  world_end_recorded(world, recorder);
}

static void hundreds_of_labels_are_hundreds_of_nodes(void **unused) {
  (void)unused;
  enum { COUNT = 700 };
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, COUNT);
  struct pl_immediate *all = calloc(COUNT, sizeof *all);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < COUNT; i++) {
      pl_immediate_init(world->loop, &all[i], on_tick, world);
      uint16_t number = (uint16_t)(i + 1);
      if (round == 0)
        assert_int_equal(
            pl_recorder_name(recorder, "n", NULL, i, NULL, &number), 0);
      assert_int_equal(number, i + 1);
      pl_object_set_label(&all[i], number);
      pl_immediate_start(&all[i]);
    }
    expect_run(world, PL_LOOP_DEFAULT, 0);
  }
  struct pl__tree tree;
  assert_int_equal(pl__tree_make(&tree, recorder), 0);
  assert_int_equal(tree.count, PL__NODE_FREE + 1 + COUNT);
  pl__tree_free(&tree);
  free(all);
  world_end_recorded(world, recorder);
}

static void an_unknown_label_is_none_and_addresses_are_named(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct pl_recorder *recorder = world_record(world, 4);
  pl_object_set_label(soon_immediate(world, "i", NULL), 999);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  struct memory memory = {0};
  struct pl_sink sink = {.write = remember, .self = &memory};
  assert_int_equal(pl_profile_write(recorder, &sink), 0);
  /* The program's file and the place in it, which addr2line(1) reads. */
  const char *name = strstr(memory.text, "\"functionName\":\"immediate at ");
  assert_non_null(name);
  assert_non_null(strstr(name, "+0x"));
  world_end_recorded(world, recorder);
}

static void strings_are_escaped_to_ascii(void **unused) {
  (void)unused;
  static const char *const pairs[][2] = {
      {"a\"b\\c", "\"a\\\"b\\\\c\""},
      {"\n\t\x01\x7f", "\"\\u000a\\u0009\\u0001\\u007f\""},
      {"\xc3\xa9 \xe4\xb8\xad", "\"\\u00e9 \\u4e2d\""},
      {"\xf0\x9f\x98\x80", "\"\\ud83d\\ude00\""},
      {"\xff|\xc0\xaf|\xed\xa0\x80|\xe4\xb8",
       "\"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\""}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    struct memory memory = {0};
    struct pl_sink sink = {.write = remember, .self = &memory};
    struct pl__text text = {.sink = &sink};
    pl__text_string(&text, pairs[i][0]);
    assert_int_equal(pl__text_end(&text), 0);
    assert_string_equal(memory.text, pairs[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_profile_is_phases_callbacks_and_their_tasks),
      cmocka_unit_test(a_profile_without_records_is_one_too),
      cmocka_unit_test(a_file_has_what_a_sink_gets),
      cmocka_unit_test(a_file_that_cannot_be_completed_is_told),
      cmocka_unit_test(a_refusing_sink_is_not_asked_again),
      cmocka_unit_test(every_allocation_of_a_profile_may_fail),
      cmocka_unit_test(a_profile_begins_with_the_oldest_that_is_left),
      cmocka_unit_test(hundreds_of_labels_are_hundreds_of_nodes),
      cmocka_unit_test(an_unknown_label_is_none_and_addresses_are_named),
      cmocka_unit_test(strings_are_escaped_to_ascii),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

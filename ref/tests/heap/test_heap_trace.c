/* SPDX-License-Identifier: MIT */
/*
 * test_heap_trace.c: lines of collections. Their parts are held by the suite's
 * cases; here: which pause has a line, the mutator's share, great numbers.
 */
#include "ground.h"
#include "plumb/trace.h"

struct lines {
  struct pl_trace trace;
  size_t count;
  char last[PL_TRACE_LINE];
};

static void keep(void *self, const char *line) {
  struct lines *lines = self;
  assert_true(strlen(line) < sizeof lines->last);
  strcpy(lines->last, line);
  lines->count++;
}

static void every_collection_has_a_line_and_no_step(void **state) {
  (void)state;
  struct ground ground;
  struct lines lines = {0};
  ground_begin(&ground);
  ground.config.on_event = pl_trace_on_event;
  ground.config.arg = &lines.trace;
  ground.config.near_limit = NULL;
  ground.config.on_fault = NULL;
  assert_int_equal(ground_heap(&ground), 0);
  pl_trace_begin(&lines.trace, ground.heap, 7, ground.ns, keep, &lines);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(lines.count, 1);
  assert_true(strncmp(lines.last, "[7:0x", 5) == 0);
  assert_non_null(
      strstr(lines.last, " ms: Scavenge 0.0 (0.5) -> 0.0 (0.5) MB"));
  assert_non_null(strstr(lines.last, ") requested"));
  assert_null(strstr(lines.last, "steps"));
  void **list = pl_handle(ground.heap, NULL);
  for (int i = 0; i < 3000; i++) {
    struct pair *pair = new_pair(&ground, 0);
    pair->left = *list;
    *list = pair;
  }
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_non_null(strstr(lines.last, ": Mark-Compact 0.1 ("));
  size_t count = lines.count;
  while (lines.count == count)
    pl_heap_step(ground.heap, 0, 20000);
  assert_int_equal(lines.count, count + 1);
  assert_non_null(strstr(lines.last, " steps since start of marking, biggest"));
  pl_heap_collect(ground.heap, PL_GC_COMPACT);
  assert_null(strstr(lines.last, "steps"));
  ground_end(&ground);
}

static void share_is_of_the_time_since_the_collection_before(void **state) {
  (void)state;
  struct lines lines = {0};
  pl_trace_begin(&lines.trace, NULL, 1, 1000, keep, &lines);
  struct pl_gc_event event = {
      .kind = PL_GC_MINOR, .start_ns = 1900, .pause_ns = 100};
  pl_trace_on_event(&lines.trace, &event);
  assert_non_null(
      strstr(lines.last, "(average mu = 0.900, current mu = 0.900)"));
  event.start_ns = 2250;
  event.pause_ns = 250;
  pl_trace_on_event(&lines.trace, &event);
  assert_non_null(
      strstr(lines.last, "(average mu = 0.700, current mu = 0.500)"));
  /* Steps are the collector's, too. */
  struct pl_gc_event step = {
      .kind = PL_GC_STEP, .start_ns = 2600, .pause_ns = 400};
  pl_trace_on_event(&lines.trace, &step);
  event = (struct pl_gc_event){
      .kind = PL_GC_MAJOR, .start_ns = 3000, .pause_ns = 500};
  pl_trace_on_event(&lines.trace, &event);
  assert_non_null(
      strstr(lines.last, "(average mu = 0.400, current mu = 0.100)"));
}

static void greatest_numbers_fit_a_line(void **state) {
  (void)state;
  struct lines lines = {0};
  pl_trace_begin(&lines.trace, (const struct pl_heap *)UINTPTR_MAX, ~0ul, 0,
                 keep, &lines);
  struct pl_gc_event event = {.kind = PL_GC_STEP, .pause_ns = UINT64_MAX / 2};
  pl_trace_on_event(&lines.trace, &event);
  event = (struct pl_gc_event){.kind = PL_GC_COMPACT,
                               .start_ns = UINT64_MAX / 2,
                               .pause_ns = UINT64_MAX / 2,
                               .before = SIZE_MAX,
                               .after = SIZE_MAX,
                               .committed_before = SIZE_MAX,
                               .committed_after = SIZE_MAX};
  pl_trace_on_event(&lines.trace, &event);
  assert_non_null(strstr(lines.last, ") requested"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_collection_has_a_line_and_no_step),
      cmocka_unit_test(share_is_of_the_time_since_the_collection_before),
      cmocka_unit_test(greatest_numbers_fit_a_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

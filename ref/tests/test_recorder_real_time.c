/* SPDX-License-Identifier: MIT */
/*
 * test_recorder_real_time.c: a recorder on the default clock, which a loop
 * itself asks only once per millisecond.
 */
#include "world.h"

#include "plumb/recorder.h"

#include <stdlib.h>
#include <time.h>

enum { CALLS = 50, SPIN_NS = 200000 };

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void spin(void *arg, int status) {
  (void)arg;
  (void)status;
  uint64_t start = now_ns();
  while (now_ns() - start < SPIN_NS)
    continue;
}

static void
a_fifth_of_a_millisecond_is_seen_by_the_default_clock(void **unused) {
  (void)unused;
  struct pl_loop *loop = malloc(pl_loop_size());
  struct pl_recorder *recorder;
  struct pl_immediate immediates[CALLS];
  assert_non_null(loop);
  assert_int_equal(pl_loop_init(loop, NULL), 0);
  assert_int_equal(pl_recorder_create(NULL, CALLS, &recorder), 0);
  pl_loop_record(loop, recorder);
  uint64_t before = now_ns();
  for (int i = 0; i < CALLS; i++) {
    pl_immediate_init(loop, &immediates[i], spin, NULL);
    pl_immediate_start(&immediates[i]);
  }
  assert_int_equal(pl_loop_run(loop, PL_LOOP_DEFAULT), 0);
  pl_loop_record(loop, NULL);
  uint64_t end = before;
  assert_int_equal(pl_recorder_count(recorder), CALLS);
  for (size_t i = 0; i < CALLS; i++) {
    const struct pl_record *record = pl_recorder_at(recorder, i);
    assert_true(record->duration_ns >= SPIN_NS);
    assert_true(record->start_ns >= end);
    end = record->start_ns + record->duration_ns;
  }
  assert_true(end <= now_ns());
  pl_recorder_destroy(recorder);
  assert_int_equal(pl_loop_close(loop), 0);
  free(loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fifth_of_a_millisecond_is_seen_by_the_default_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

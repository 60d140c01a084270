/* SPDX-License-Identifier: MIT */
/*
 * test_clock_real_time.c: the default clock says what CLOCK_MONOTONIC says, in
 * milliseconds.
 *
 * Invariant: an answer is held between two readings, one before and one after
 * it, so the test may be interrupted anywhere.
 */
#include "world.h"

#include <time.h>

static uint64_t read_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ns(long ns) {
  struct timespec left = {.tv_nsec = ns};
  nanosleep(&left, NULL);
}

static void check_once(struct pl_clock *clock) {
  uint64_t before = read_ms();
  uint64_t answer = clock->now_ns(clock->self) / 1000000;
  uint64_t after = read_ms();
  assert_true(before <= answer);
  assert_true(answer <= after);
}

static void the_clock_is_never_a_millisecond_behind_nor_ahead(void **unused) {
  (void)unused;
  struct pl__gate gate;
  struct pl_clock clock = pl__clock_init(&gate);
  for (int i = 0; i < 300000; i++)
    check_once(&clock);
  for (int i = 0; i < 200; i++) {
    pause_ns(i * 7919 % 1500000);
    check_once(&clock);
  }
}

static void a_counter_that_goes_back_ends_the_quiet_time(void **unused) {
  (void)unused;
  struct pl__gate gate;
  struct pl_clock clock = pl__clock_init(&gate);
  if (clock.self == NULL) skip(); /* no steady counter: nothing to go back */
  for (int i = 0; i < 100; i++) {
    for (int k = 0; k < 10; k++)
      check_once(&clock);
    gate.ticks += UINT64_C(1) << 40; /* as seen after the counter's fall */
    gate.base_ticks += UINT64_C(1) << 40;
    pause_ns(1100000);
    check_once(&clock);
  }
}

static void most_answers_need_no_reading(void **unused) {
  (void)unused;
  struct pl__gate gate;
  struct pl_clock clock = pl__clock_init(&gate);
  if (clock.self == NULL) skip();
  uint64_t begin = read_ms();
  long answers = 0, readings = 0;
  while (read_ms() < begin + 50) {
    uint64_t before = gate.ticks;
    for (int i = 0; i < 100; i++) {
      uint64_t ticks = gate.ticks;
      clock.now_ns(clock.self);
      readings += gate.ticks != ticks;
    }
    answers += 100;
    assert_true(gate.ticks >= before);
  }
  assert_true(readings < answers / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_clock_is_never_a_millisecond_behind_nor_ahead),
      cmocka_unit_test(a_counter_that_goes_back_ends_the_quiet_time),
      cmocka_unit_test(most_answers_need_no_reading),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

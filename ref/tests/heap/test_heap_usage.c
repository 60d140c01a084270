/* SPDX-License-Identifier: MIT */
/*
 * test_heap_usage.c: the memory of the process and of the machine.
 *
 * Invariant: only what the program itself did to the figures is expected.
 */
#include "ground.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "plumb/usage.h"

static void usage_is_the_heap_and_what_its_objects_hold(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak holding, weak;
  struct pl_memory_usage usage;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  void **kept = pl_handle(ground.heap, new_pair(&ground, 1));
  pl_holding_add(ground.heap, &holding, *kept, NULL, NULL, 5000);
  pl_weak_add(ground.heap, &weak, *kept, NULL, NULL, 70);
  assert_int_equal(pl_memory_usage(ground.heap, &usage), 0);
  assert_int_equal(usage.heap_used, 48);
  assert_int_equal(usage.heap_total, 512 * KIB);
  assert_int_equal(usage.external, 5070);
  assert_int_equal(usage.array_buffers, 5000);
  *kept = NULL;
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(pl_memory_usage(ground.heap, &usage), 0);
  assert_int_equal(usage.external, 0);
  assert_int_equal(usage.array_buffers, 0);
  ground_end(&ground);
}

static void resident_memory_grows_when_memory_is_touched(void **state) {
  (void)state;
  struct ground ground;
  struct pl_memory_usage before, after;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  assert_int_equal(pl_memory_usage(ground.heap, &before), 0);
  size_t size = 64 * MIB;
  volatile char *block = malloc(size);
  assert_non_null((void *)(uintptr_t)block);
  for (size_t i = 0; i < size; i += 1024)
    block[i] = 1;
  assert_int_equal(pl_memory_usage(ground.heap, &after), 0);
  assert_true(after.rss > before.rss + 32 * MIB);
  assert_true(block[1024] == 1);
  free((void *)(uintptr_t)block);
  ground_end(&ground);
}

static void machine_has_at_least_what_it_has_to_give(void **state) {
  (void)state;
  struct pl_memory_system system;
  assert_int_equal(pl_memory_system(&system), 0);
  assert_true(system.total >= (size_t)sysconf(_SC_PHYS_PAGES) * 4096 / 2);
  assert_true(system.available <= system.total);
  assert_true(system.free <= system.total && system.free > 0);
}

static void exhausted_descriptors_are_an_error_and_change_nothing(
    void **state) {
  (void)state;
  struct rlimit limit, none;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  none = limit;
  none.rlim_cur = 0;
  struct pl_memory_system system = {.total = 7};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  int error = pl_memory_system(&system);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_int_equal(error, PL_EMFILE);
  assert_int_equal(system.total, 7);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(usage_is_the_heap_and_what_its_objects_hold),
      cmocka_unit_test(resident_memory_grows_when_memory_is_touched),
      cmocka_unit_test(machine_has_at_least_what_it_has_to_give),
      cmocka_unit_test(exhausted_descriptors_are_an_error_and_change_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

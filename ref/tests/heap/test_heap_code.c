/* SPDX-License-Identifier: MIT */
/*
 * test_heap_code.c: the spaces where nothing moves: code that is writable or
 * executable, maps and cells of one size.
 *
 * Invariant: what is said to be executable is executed, where this machine's
 * instructions are known.
 */
#include "ground.h"

#include "internal.h"

#include <stdlib.h>

/* Counts pages that are writable, and refuses a call. ground is the memory's
 * self, so it stands first. */
struct guard {
  struct ground ground;
  long calls, refuse_at;
  int sealed;
};

static int protect(void *self, void *block, size_t size, bool executable) {
  struct guard *guard = self;
  (void)block;
  assert_int_equal(size % 4096, 0);
  if (guard->calls++ == guard->refuse_at) return PL_ENOMEM;
  guard->sealed += executable ? 1 : -1;
  return 0;
}

static void begin(struct guard *guard) {
  *guard = (struct guard){.refuse_at = -1};
  ground_begin(&guard->ground);
  guard->ground.config.memory.protect = protect;
  assert_int_equal(ground_heap(&guard->ground), 0);
}

static void code_is_executed_and_survives_every_collection(void **state) {
  (void)state;
#if defined __x86_64__
  static const unsigned char seven[] = {0xb8, 7, 0, 0, 0, 0xc3};
  struct pl_heap *heap;
  uint32_t type;
  const struct pl_heap_type code = {.name = "code", .home = PL_SPACE_CODE};
  const struct pl_heap_config config = {.verify = true};
  assert_int_equal(pl_heap_create(&config, &heap), 0);
  assert_int_equal(pl_heap_type_add(heap, &code, &type), 0);
  void **kept = pl_handle(heap, NULL);
  for (int i = 0; i < 4000; i++) { /* several pages, most of it garbage */
    void *object = pl_heap_allocate_old(heap, type, 300);
    assert_non_null(object);
    if (i % 100 == 0) *kept = object;
  }
  assert_int_equal(pl_code_write(heap, *kept, 8, seven, sizeof seven), 0);
  int (*function)(void);
  void *entry = (char *)*kept + 8;
  memcpy(&function, &entry, sizeof function);
  for (int kind = PL_GC_MINOR; kind <= PL_GC_STEP; kind++) {
    pl_heap_collect(heap, (enum pl_gc_kind)kind);
    assert_int_equal(function(), 7);
  }
  while (pl_heap_step(heap, 0, 0)) assert_int_equal(function(), 7);
  for (int i = 0; i < 1000; i++)
    assert_non_null(pl_heap_allocate_old(heap, type, 300));
  assert_int_equal(function(), 7);
  struct pl_heap_stats stats;
  pl_heap_stats(heap, &stats);
  assert_true(stats.space[PL_SPACE_CODE].committed <= 8 * 256 * KIB);
  void *large = pl_heap_allocate_old(heap, type, 300000);
  assert_non_null(large);
  assert_int_equal(pl_heap_space_of(heap, large), PL_SPACE_CODE);
  pl_heap_collect(heap, PL_GC_MAJOR);
  pl_heap_stats(heap, &stats);
  assert_int_equal(stats.space[PL_SPACE_CODE].used, 312);
  pl_heap_destroy(heap);
#else
  skip();
#endif
}

static int pages_of_code(struct guard *guard) {
  struct pl_heap_stats stats;
  pl_heap_stats(guard->ground.heap, &stats);
  return (int)(stats.space[PL_SPACE_CODE].committed / (256 * KIB));
}

static void no_call_leaves_a_page_writable(void **state) {
  (void)state;
  struct guard guard;
  begin(&guard);
  struct pl_heap *heap = guard.ground.heap;
  void **kept = pl_handle(heap, NULL);
  for (int i = 0; i < 2000; i++) {
    void *code = pl_heap_allocate_old(heap, guard.ground.code, 400);
    assert_non_null(code);
    if (i % 3 == 0) *kept = code;
    if (i % 300 == 0) pl_heap_collect(heap, (enum pl_gc_kind)(i / 300 % 4));
    assert_true(guard.sealed >= pages_of_code(&guard)); /* unmapped ones */
    if (i % 300 == 0) guard.sealed = pages_of_code(&guard);
  }
  ground_end(&guard.ground);
}

/* Each call of the protection refused in turn. */
static void refused_protection_is_no_crash(void **state) {
  (void)state;
  int failed = 0;
  for (long call = 0; call < 60; call++) {
    struct guard guard;
    begin(&guard);
    struct pl_heap *heap = guard.ground.heap;
    void **kept = pl_handle(heap, NULL);
    guard.refuse_at = call;
    for (int i = 0; i < 20; i++) {
      void *code = pl_heap_allocate_old(heap, guard.ground.code, 60000);
      if (code == NULL) failed++;
      else *kept = code;
      if (i % 7 == 0) pl_heap_collect(heap, PL_GC_MAJOR);
      if (*kept != NULL && pl_code_write(heap, *kept, 0, "x", 1) != 0)
        failed++;
    }
    assert_non_null(pl_heap_allocate_old(heap, guard.ground.code, 60000));
    ground_end(&guard.ground);
  }
  assert_true(failed > 20);
}

static int plain_protect(void *self, void *block, size_t size,
                         bool executable) {
  (void)self, (void)block, (void)size, (void)executable;
  return 0;
}

static void writing_outside_of_code_is_refused(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.memory.protect = plain_protect;
  assert_int_equal(ground_heap(&ground), 0);
  void *code = pl_heap_allocate_old(ground.heap, ground.code, 32);
  const char bytes[40] = "code";
  assert_int_equal(pl_code_write(ground.heap, code, 0, bytes, 32), 0);
  assert_memory_equal(code, bytes, 32);
  assert_int_equal(pl_code_write(ground.heap, code, 0, bytes, 33),
                   PL_EINVAL);
  assert_int_equal(pl_code_write(ground.heap, code, 33, bytes, 0),
                   PL_EINVAL);
  assert_int_equal(pl_code_write(ground.heap, new_pair(&ground, 1), 0, bytes,
                                 1), PL_EINVAL);
  ground_end(&ground);
}

static void cells_have_one_size_and_hold_what_they_refer_to(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  const struct pl_heap_type cell = {
      .name = "cell", .slots = 1, .home = PL_SPACE_CELL};
  const struct pl_heap_type wide = {
      .name = "wide", .slots = 2, .home = PL_SPACE_CELL};
  uint32_t type;
  assert_int_equal(pl_heap_type_add(ground.heap, &wide, &type), PL_EINVAL);
  assert_int_equal(pl_heap_type_add(ground.heap, &cell, &type), 0);
  void **list = pl_handle(ground.heap, NULL);
  for (uint64_t i = 0; i < 1000; i++) {
    struct pl_scope scope;
    pl_scope_open(ground.heap, &scope);
    void **object = pl_handle(
        ground.heap,
        pl_heap_allocate_old(ground.heap, type, PL_HEAP_CELL_BYTES));
    struct pair *pair = new_pair(&ground, i);
    pl_heap_write(ground.heap, *object, *object, pair);
    pair->left = *list; /* the list goes through cells and pairs */
    *list = *object;
    pl_scope_close(ground.heap, &scope);
  }
  for (int kind = PL_GC_MINOR; kind <= PL_GC_COMPACT; kind++)
    pl_heap_collect(ground.heap, (enum pl_gc_kind)kind);
  void **at = *list;
  for (uint64_t i = 1000; i-- > 0;) {
    assert_int_equal(pl_heap_space_of(ground.heap, at), PL_SPACE_CELL);
    struct pair *pair = *at;
    assert_int_equal(pair->number[0], i);
    at = (void **)pair->left;
  }
  ground_end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(code_is_executed_and_survives_every_collection),
      cmocka_unit_test(no_call_leaves_a_page_writable),
      cmocka_unit_test(refused_protection_is_no_crash),
      cmocka_unit_test(writing_outside_of_code_is_refused),
      cmocka_unit_test(cells_have_one_size_and_hold_what_they_refer_to),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

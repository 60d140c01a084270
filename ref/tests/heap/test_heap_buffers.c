/* SPDX-License-Identifier: MIT */
/*
 * test_heap_buffers.c: buffers: their bytes' life, the pool and its thresholds,
 * sharing, handing over, and memory that runs out in each of them.
 *
 * Invariant: bytes come from the ground's memory, so one that is lost, or given
 * back twice, fails the test.
 */
#include "ground.h"

#include "plumb/buffer.h"

struct yard {
  struct ground ground;
  struct pl_buffers buffers;
};

static void begin(struct yard *yard) {
  ground_begin(&yard->ground);
  assert_int_equal(ground_heap(&yard->ground), 0);
  assert_int_equal(pl_buffers_init(&yard->buffers, yard->ground.heap), 0);
}

static void end(struct yard *yard) {
  pl_buffers_end(&yard->buffers);
  ground_end(&yard->ground);
}

static void **new_buffer(struct yard *yard, size_t length,
                         enum pl_buffer_content content) {
  void *buffer;
  assert_int_equal(pl_buffer_new(&yard->buffers, length, content, &buffer), 0);
  return pl_handle(yard->ground.heap, buffer);
}

static struct pl_buffer_view look(void *const *buffer) {
  struct pl_buffer_view view;
  pl_buffer_look(*buffer, &view);
  return view;
}

static size_t external_of(struct yard *yard) {
  struct pl_heap_stats stats;
  pl_heap_stats(yard->ground.heap, &stats);
  assert_int_equal(stats.external, stats.held);
  return stats.external;
}

static void bytes_are_counted_once_and_go_with_the_last_buffer(void **state) {
  (void)state;
  struct yard yard;
  begin(&yard);
  void **first = new_buffer(&yard, 100001, PL_BUFFER_OF_ZEROES);
  assert_int_equal(external_of(&yard), 100001);
  for (size_t i = 0; i < 100001; i++)
    assert_int_equal(look(first).bytes[i], 0);
  void *slice;
  assert_int_equal(pl_buffer_over(&yard.buffers, first, 1000, 10, &slice), 0);
  void **second = pl_handle(yard.ground.heap, slice);
  assert_int_equal(external_of(&yard), 100001);
  look(first).bytes[1003] = 77;
  const unsigned char *before = look(second).bytes;
  *first = NULL;
  for (int kind = PL_GC_MINOR; kind <= PL_GC_COMPACT; kind++)
    pl_heap_collect(yard.ground.heap, (enum pl_gc_kind)kind);
  assert_int_equal(external_of(&yard), 100001); /* for ten bytes */
  assert_ptr_equal(look(second).bytes, before);
  assert_int_equal(look(second).bytes[3], 77);
  *second = NULL;
  pl_heap_collect(yard.ground.heap, PL_GC_MAJOR);
  assert_int_equal(external_of(&yard), 0);
  end(&yard);
}

static void young_buffer_goes_with_a_minor_collection(void **state) {
  (void)state;
  struct yard yard;
  begin(&yard);
  void **buffer = new_buffer(&yard, 5000, PL_BUFFER_OF_ITS_OWN);
  *buffer = NULL;
  pl_heap_collect(yard.ground.heap, PL_GC_MINOR);
  assert_int_equal(external_of(&yard), 0);
  assert_int_equal(yard.ground.event.released, 5000);
  end(&yard);
}

static void buffer_of_less_than_half_a_pool_comes_from_it(void **state) {
  (void)state;
  struct yard yard;
  begin(&yard);
  assert_true(look(new_buffer(&yard, 4095, PL_BUFFER_OF_ANYTHING)).pooled);
  assert_int_equal(external_of(&yard), 8192);
  struct pl_buffer_view own =
      look(new_buffer(&yard, 4096, PL_BUFFER_OF_ANYTHING));
  assert_false(own.pooled);
  assert_int_equal(own.store_length, 4096);
  assert_false(look(new_buffer(&yard, 10, PL_BUFFER_OF_ZEROES)).pooled);
  assert_false(look(new_buffer(&yard, 10, PL_BUFFER_OF_ITS_OWN)).pooled);
  assert_int_equal(external_of(&yard), 8192 + 4096 + 20);
  yard.buffers.pool_bytes = 100; /* of the next pool */
  assert_false(look(new_buffer(&yard, 50, PL_BUFFER_OF_ANYTHING)).pooled);
  assert_true(look(new_buffer(&yard, 49, PL_BUFFER_OF_ANYTHING)).pooled);
  end(&yard);
}

static void pool_is_cut_at_multiples_of_eight_until_it_is_used_up(
    void **state) {
  (void)state;
  struct yard yard;
  begin(&yard);
  const void *pool = NULL;
  for (int i = 0; i < 100; i++) { /* 8 of 1000 bytes to a pool */
    struct pl_buffer_view view =
        look(new_buffer(&yard, 1000, PL_BUFFER_OF_ANYTHING));
    assert_int_equal(view.offset, i % 8 * 1000);
    assert_int_equal(view.store == pool, i % 8 != 0);
    pool = view.store;
  }
  assert_int_equal(external_of(&yard), 13 * 8192);
  assert_int_equal(look(new_buffer(&yard, 3, PL_BUFFER_OF_ANYTHING)).offset,
                   4000);
  assert_int_equal(look(new_buffer(&yard, 3, PL_BUFFER_OF_ANYTHING)).offset,
                   4008);
  end(&yard);
}

static void copy_has_bytes_of_its_own(void **state) {
  (void)state;
  struct yard yard;
  char text[6000];
  begin(&yard);
  memset(text, 'a', sizeof text);
  for (size_t length = 0; length <= 6000; length += 2000) {
    void *buffer;
    assert_int_equal(
        pl_buffer_copy_of(&yard.buffers, text, length, &buffer), 0);
    struct pl_buffer_view view = look(&buffer);
    assert_int_equal(view.length, length);
    assert_int_equal(view.pooled, length != 0 && length < 4096);
    if (length != 0) assert_memory_equal(view.bytes, text, length);
  }
  end(&yard);
}

static void handed_over_store_leaves_empty_buffers_behind(void **state) {
  (void)state;
  struct yard yard;
  begin(&yard);
  for (size_t length = 0; length <= 3000; length += 1500) {
    void **from = new_buffer(&yard, 1500, PL_BUFFER_OF_ZEROES);
    memset(look(from).bytes, 9, 1500);
    void *slice, *taken;
    assert_int_equal(pl_buffer_over(&yard.buffers, from, 5, 5, &slice), 0);
    void **other = pl_handle(yard.ground.heap, slice);
    assert_int_equal(
        pl_buffer_transfer(&yard.buffers, from, length, &taken), 0);
    void **to = pl_handle(yard.ground.heap, taken);
    assert_true(look(from).detached && look(other).detached);
    assert_int_equal(look(from).length + look(other).length, 0);
    assert_int_equal(look(to).length, length);
    for (size_t i = 0; i < length; i++)
      assert_int_equal(look(to).bytes[i], i < 1500 ? 9 : 0);
    assert_int_equal(external_of(&yard), length);
    assert_int_equal(
        pl_buffer_transfer(&yard.buffers, from, 1, &taken), PL_EINVAL);
    *from = *other = *to = NULL;
    pl_heap_collect(yard.ground.heap, PL_GC_MAJOR);
    assert_int_equal(external_of(&yard), 0);
  }
  end(&yard);
}

static void what_is_out_of_range_is_refused(void **state) {
  (void)state;
  struct yard yard;
  begin(&yard);
  void *out = &yard;
  void **buffer = new_buffer(&yard, 100, PL_BUFFER_OF_ZEROES);
  assert_int_equal(pl_buffer_new(&yard.buffers, PL_BUFFER_MAX + 1,
                                 PL_BUFFER_OF_ZEROES, &out), PL_ERANGE);
  assert_int_equal(pl_buffer_over(&yard.buffers, buffer, 101, 0, &out),
                   PL_ERANGE);
  assert_int_equal(pl_buffer_over(&yard.buffers, buffer, 50, 51, &out),
                   PL_ERANGE);
  assert_int_equal(pl_buffer_over(&yard.buffers, buffer, 1, SIZE_MAX - 1,
                                  &out), PL_ERANGE);
  assert_ptr_equal(out, &yard);
  assert_int_equal(
      pl_buffer_over(&yard.buffers, buffer, 60, PL_BUFFER_REST, &out), 0);
  assert_int_equal(look(&out).length, 40);
  end(&yard);
}

static void dropped_buffers_keep_external_memory_bounded(void **state) {
  (void)state;
  struct yard yard;
  begin(&yard);
  for (int i = 0; i < 400; i++) { /* the trigger is 64 MiB */
    void *buffer;
    assert_int_equal(pl_buffer_new(&yard.buffers, 1 * MIB,
                                   PL_BUFFER_OF_ITS_OWN, &buffer), 0);
    assert_true(external_of(&yard) <= 66 * MIB);
  }
  struct pl_heap_stats stats;
  pl_heap_stats(yard.ground.heap, &stats);
  assert_true(stats.collections[PL_GC_MINOR] >= 5);
  end(&yard);
}

/* Everything that asks for memory; whether all of it was there. */
static bool everything(struct yard *yard) {
  struct pl_scope scope;
  void *out;
  bool whole = true;
  pl_scope_open(yard->ground.heap, &scope);
  void **kept = pl_handle(yard->ground.heap, NULL);
  if (kept == NULL) return false;
  if (pl_buffer_new(&yard->buffers, 20000, PL_BUFFER_OF_ZEROES, &out) == 0)
    *kept = out;
  else whole = false;
  if (pl_buffer_copy_of(&yard->buffers, "abc", 3, &out) != 0) whole = false;
  if (*kept != NULL) {
    if (pl_buffer_over(&yard->buffers, kept, 1, 5, &out) != 0) whole = false;
    int error = pl_buffer_transfer(&yard->buffers, kept, 30000, &out);
    if (error != 0) {
      assert_int_equal(error, PL_ENOMEM);
      whole = false;
      assert_int_equal(look(kept).length, 20000); /* nothing changed */
    } else {
      assert_int_equal(look(&out).bytes[29999], 0);
    }
  }
  pl_scope_close(yard->ground.heap, &scope);
  pl_heap_collect(yard->ground.heap, PL_GC_MAJOR);
  size_t pool = yard->buffers.pool.object == NULL ? 0 : 8192;
  assert_int_equal(external_of(yard), pool);
  return whole;
}

static void refused_memory_is_an_error_and_loses_nothing(void **state) {
  (void)state;
  int refused = 0;
  for (int all = 0; all < 2; all++)
    for (long call = 0;; call++) {
      struct yard yard;
      begin(&yard);
      yard.ground.calls = 0;
      yard.ground.refuse_at = call;
      yard.ground.refuse_all = all;
      bool whole = everything(&yard);
      bool reached = yard.ground.calls > call;
      yard.ground.refuse_at = -1;
      refused += !whole;
      assert_true(everything(&yard));
      end(&yard);
      if (!reached) break;
    }
  assert_true(refused > 8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_are_counted_once_and_go_with_the_last_buffer),
      cmocka_unit_test(young_buffer_goes_with_a_minor_collection),
      cmocka_unit_test(buffer_of_less_than_half_a_pool_comes_from_it),
      cmocka_unit_test(pool_is_cut_at_multiples_of_eight_until_it_is_used_up),
      cmocka_unit_test(copy_has_bytes_of_its_own),
      cmocka_unit_test(handed_over_store_leaves_empty_buffers_behind),
      cmocka_unit_test(what_is_out_of_range_is_refused),
      cmocka_unit_test(dropped_buffers_keep_external_memory_bounded),
      cmocka_unit_test(refused_memory_is_an_error_and_loses_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

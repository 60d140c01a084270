/* SPDX-License-Identifier: MIT */
/*
 * test_heap_handles.c: handles, scopes, roots, weak handles, the barrier, the
 * verifier, and the spaces where nothing moves.
 *
 * Invariant: what the verifier is said to catch is really broken here.
 */
#include "ground.h"

#include "internal.h"

static void begin(struct ground *ground) {
  ground_begin(ground);
  assert_int_equal(ground_heap(ground), 0);
}

static void *old_pair(struct ground *ground) {
  return pl_heap_allocate_old(ground->heap, ground->pair,
                              sizeof(struct pair));
}

/* ---------------------------------------------------------------------- */
/* Handles                                                                */

static void handle_follows_its_object(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void *first = new_pair(&ground, 5);
  void **handle = pl_handle(ground.heap, first);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_ptr_not_equal(*handle, first);
  assert_int_equal(((struct pair *)*handle)->number[0], 5);
  ground_end(&ground);
}

static void closed_scope_keeps_nothing_alive(void **state) {
  (void)state;
  struct ground ground;
  struct pl_scope outer, inner;
  begin(&ground);
  pl_scope_open(ground.heap, &outer);
  void **kept = pl_handle(ground.heap, new_pair(&ground, 1));
  pl_scope_open(ground.heap, &inner);
  void **last = NULL;
  for (int i = 0; i < 5000; i++) /* several blocks */
    last = pl_handle(ground.heap, new_pair(&ground, 2));
  assert_int_equal(pl_handle_is_live(ground.heap, last), 1);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.after, 5001 * 48);
  pl_scope_close(ground.heap, &inner);
  assert_int_equal(pl_handle_is_live(ground.heap, last), 0);
  assert_int_equal(pl_handle_is_live(ground.heap, kept), 1);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 48);
  pl_scope_close(ground.heap, &outer);
  assert_int_equal(pl_handle_is_live(ground.heap, kept), 0);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 0);
  ground_end(&ground);
}

static void handle_of_a_closed_scope_reads_as_no_object(void **state) {
  (void)state;
  struct ground ground;
  struct pl_scope scope;
  begin(&ground);
  (void)pl_handle(ground.heap, NULL);
  pl_scope_open(ground.heap, &scope);
  void **handle = pl_handle(ground.heap, new_pair(&ground, 1));
  pl_scope_close(ground.heap, &scope);
  assert_true((uintptr_t)*handle == PL__ZAP);
  ground_end(&ground);
}

static void odd_numbers_are_left_alone_everywhere(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  struct pair *old = old_pair(&ground);
  void **handle = pl_handle(ground.heap, old);
  struct pair *young = new_pair(&ground, 1);
  void *odd = (char *)young + 1; /* within the semi-space */
  void **number = pl_handle(ground.heap, odd);
  pl_heap_write(ground.heap, old, &old->left, odd);
  for (int kind = PL_GC_MINOR; kind <= PL_GC_COMPACT; kind++)
    pl_heap_collect(ground.heap, (enum pl_gc_kind)kind);
  assert_ptr_equal(*number, odd);
  assert_ptr_equal(((struct pair *)*handle)->left, odd);
  ground_end(&ground);
}

static void root_keeps_its_object_until_it_is_removed(void **state) {
  (void)state;
  struct ground ground;
  struct pl_root a, b;
  begin(&ground);
  pl_root_add(ground.heap, &a, new_pair(&ground, 1));
  pl_root_add(ground.heap, &b, new_pair(&ground, 2));
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(((struct pair *)a.object)->number[0], 1);
  pl_root_remove(&a);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 48);
  assert_int_equal(((struct pair *)b.object)->number[0], 2);
  pl_root_remove(&b);
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* The barrier                                                            */

static void young_object_lives_through_an_old_slot_alone(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void **handle = pl_handle(ground.heap, old_pair(&ground));
  struct pair *young = new_pair(&ground, 3);
  struct pair *old = *handle;
  pl_heap_write(ground.heap, old, &old->right, young);
  for (int i = 0; i < 3; i++)
    pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(((struct pair *)*handle)->right->number[0], 3);
  ground_end(&ground);
}

static void slot_that_is_overwritten_before_the_collection_keeps_nothing(
    void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  void **handle = pl_handle(ground.heap, old_pair(&ground));
  struct pair *young = new_pair(&ground, 3);
  struct pair *old = *handle;
  pl_heap_write(ground.heap, old, &old->right, young);
  pl_heap_write(ground.heap, old, &old->right, NULL);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_equal(ground.event.after, 48);
  ground_end(&ground);
}

static void dropped_barrier_is_caught(void **state) {
  (void)state;
  struct ground ground;
  struct pl_heap_fault fault;
  begin(&ground);
  struct pair *old = old_pair(&ground);
  void **handle = pl_handle(ground.heap, old);
  struct pair *young = new_pair(&ground, 3);
  old->left = young; /* no barrier */
  assert_int_equal(pl_heap_verify(ground.heap, &fault), PL_EFAULT);
  assert_string_equal(fault.invariant, "an old object's slot with a young "
                                       "object is remembered");
  assert_ptr_equal(fault.object, *handle);
  assert_ptr_equal(fault.slot, &old->left);
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_int_not_equal(ground.faults, 0); /* before the collection, or after */
  old->left = NULL;
  ground.faults = 0;
  ground_end(&ground);
}

static void slot_of_a_freed_old_object_is_forgotten(void **state) {
  (void)state;
  struct ground ground;
  ground_begin(&ground);
  ground.config.verify = false; /* which overwrites what is freed */
  assert_int_equal(ground_heap(&ground), 0);
  void **neighbour = pl_handle(ground.heap, old_pair(&ground));
  struct pair *old = old_pair(&ground);
  struct pair *young = new_pair(&ground, 3);
  pl_heap_write(ground.heap, old, &old->left, young);
  pl_heap_write(ground.heap, old, &old->right, young);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(ground.event.after, 48);
  assert_non_null(*neighbour);
  for (int i = 0; i < 5000; i++) /* what lies there now is not a slot */
    assert_non_null(pl_heap_allocate_old(ground.heap, ground.pair, 40));
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* The verifier                                                           */

static const char *fault_of(struct ground *ground) {
  struct pl_heap_fault fault = {0};
  int error = pl_heap_verify(ground->heap, &fault);
  assert_int_equal(error, PL_EFAULT);
  return fault.invariant;
}

static void verifier_names_what_is_broken(void **state) {
  (void)state;
  struct ground ground;
  struct pl_heap_fault fault;
  begin(&ground);
  struct pair *pair = new_pair(&ground, 1);
  void **handle = pl_handle(ground.heap, pair);
  uint64_t *header = (uint64_t *)pair - 1, whole = *header;
  assert_int_equal(pl_heap_verify(ground.heap, &fault), 0);

  *header = whole & ~UINT64_C(1);
  assert_string_equal(fault_of(&ground), "every object has a header");
  *header = whole + (UINT64_C(1) << 40);
  assert_string_equal(fault_of(&ground), "an object ends within its space");
  *header = whole | 0xffff << PL__HEAP_TYPE_SHIFT;
  assert_string_equal(fault_of(&ground), "an object's type is registered");
  *header = whole | PL__HEAP_OLD;
  assert_string_equal(fault_of(&ground),
                      "the old bit says where an object lies");
  *header = whole | PL__HEAP_LARGE;
  assert_string_equal(fault_of(&ground),
                      "the large bit says where an object lies");
  *header = whole | PL__HEAP_MARK;
  assert_string_equal(fault_of(&ground), "no mark outlives its collection");
  *header = whole;
  pair->left = (struct pair *)((char *)pair + 8);
  assert_string_equal(fault_of(&ground),
                      "a slot holds NULL, an odd number or an object");
  pair->left = NULL;
  *handle = (char *)pair + 8;
  assert_string_equal(fault_of(&ground),
                      "a handle holds NULL, an odd number or an object");
  *handle = pair;
  assert_int_equal(pl_heap_verify(ground.heap, &fault), 0);
  ground_end(&ground);
}

static void object_too_short_for_its_type_is_caught(void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  assert_non_null(pl_heap_allocate(ground.heap, ground.pair, 8));
  assert_string_equal(fault_of(&ground),
                      "an object has the words that its type names");
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  ground.faults = 0;
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* Weak handles                                                           */

static void weak_handle_follows_and_is_cleared_by_a_full_collection(
    void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak weak;
  begin(&ground);
  void **handle = pl_handle(ground.heap, new_pair(&ground, 4));
  pl_weak_add(ground.heap, &weak, *handle, NULL, NULL, 0);
  for (int kind = PL_GC_MINOR; kind <= PL_GC_COMPACT; kind++) {
    pl_heap_collect(ground.heap, (enum pl_gc_kind)kind);
    assert_ptr_equal(weak.object, *handle);
  }
  *handle = NULL;
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  assert_non_null(weak.object); /* old by now */
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_null(weak.object);
  ground_end(&ground);
}

static void minor_collection_clears_weak_handles_if_the_policy_says_so(
    void **state) {
  (void)state;
  for (int clears = 0; clears < 2; clears++) {
    struct ground ground;
    struct pl_weak weak[3];
    struct pl_heap_policy policy = pl_heap_policy_age_mark;
    policy.minor_clears_weak = clears;
    ground_begin(&ground);
    ground.config.policy = &policy;
    assert_int_equal(ground_heap(&ground), 0);
    for (int i = 0; i < 3; i++)
      pl_weak_add(ground.heap, &weak[i],
                  i < 2 ? (void *)new_pair(&ground, 4)
                        : (void *)new_array(&ground, 20000),
                  NULL, NULL, 0);
    pl_heap_collect(ground.heap, PL_GC_MINOR);
    for (int i = 0; i < 3; i++)
      assert_int_equal(weak[i].object == NULL, clears);
    assert_int_equal(ground.event.cleared, clears ? 3 : 0);
    ground_end(&ground);
  }
}

struct finalized {
  struct ground *ground;
  int calls;
};

/* Does what is dangerous: allocates, collects, adds a weak handle again. */
static void finalize(struct pl_weak *weak, void *arg) {
  struct finalized *finalized = arg;
  struct pl_heap *heap = finalized->ground->heap;
  assert_null(weak->object);
  if (++finalized->calls == 10) return;
  struct pair *pair = new_pair(finalized->ground, 1);
  pl_weak_add(heap, weak, pair, finalize, arg, 100);
  pl_heap_collect(heap, PL_GC_MAJOR);
}

static void finalizer_may_allocate_collect_and_register_again(void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak weak;
  begin(&ground);
  struct finalized finalized = {&ground, 0};
  pl_weak_add(ground.heap, &weak, new_pair(&ground, 1), finalize, &finalized,
              100);
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  assert_int_equal(finalized.calls, 0); /* never during a collection */
  assert_int_equal(pl_heap_run_finalizers(ground.heap), 10);
  assert_int_equal(finalized.calls, 10);
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.external, 0);
  ground_end(&ground);
}

static void count_call(struct pl_weak *weak, void *arg) {
  (void)weak;
  ++*(int *)arg;
}

static void removed_weak_handle_is_never_called_and_gives_back_its_bytes(
    void **state) {
  (void)state;
  struct ground ground;
  struct pl_weak weak[3];
  int calls = 0;
  begin(&ground);
  for (int i = 0; i < 3; i++)
    pl_weak_add(ground.heap, &weak[i], new_pair(&ground, 1), count_call,
                &calls, 10);
  pl_weak_remove(ground.heap, &weak[1]); /* before its death */
  pl_heap_collect(ground.heap, PL_GC_MAJOR);
  pl_weak_remove(ground.heap, &weak[0]); /* dead, not called yet */
  pl_weak_remove(ground.heap, &weak[0]); /* twice does nothing */
  assert_int_equal(pl_heap_run_finalizers(ground.heap), 1);
  assert_int_equal(calls, 1);
  struct pl_heap_stats stats;
  pl_heap_stats(ground.heap, &stats);
  assert_int_equal(stats.external, 0);
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* Spaces and events                                                      */

static void objects_are_born_and_grow_old_in_the_spaces_of_their_types(
    void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  struct pl_heap *heap = ground.heap;
  void **pair = pl_handle(heap, new_pair(&ground, 1));
  void **data = pl_handle(heap, pl_heap_allocate(heap, ground.data, 30));
  void **map =
      pl_handle(heap, pl_heap_allocate_old(heap, ground.map, 72));
  void **code =
      pl_handle(heap, pl_heap_allocate_old(heap, ground.code, 500));
  void *code_before = *code;
  assert_int_equal(pl_heap_bytes_of(*data), 32);
  struct array *slots = *map;
  pl_heap_write(heap, slots, &slots->slot[0], *pair);
  for (int kind = PL_GC_MINOR; kind <= PL_GC_COMPACT; kind++) {
    pl_heap_collect(heap, (enum pl_gc_kind)kind);
    slots = *map;
    assert_ptr_equal(slots->slot[0], *pair);
  }
  assert_int_equal(pl_heap_space_of(heap, *pair), PL_SPACE_OLD_POINTER);
  assert_int_equal(pl_heap_space_of(heap, *data), PL_SPACE_OLD_DATA);
  assert_int_equal(pl_heap_space_of(heap, *map), PL_SPACE_MAP);
  assert_int_equal(pl_heap_space_of(heap, *code), PL_SPACE_CODE);
  assert_ptr_equal(*code, code_before);
  ground_end(&ground);
}

static void type_that_cannot_be_is_refused(void **state) {
  (void)state;
  struct ground ground;
  uint32_t type = 77;
  begin(&ground);
  const struct pl_heap_type bad[] = {
      {.name = "code with slots", .slots = 1, .home = PL_SPACE_CODE},
      {.name = "wide map", .slots = 1 << 9, .home = PL_SPACE_MAP},
      {.name = "large", .home = PL_SPACE_LARGE}};
  for (int i = 0; i < 3; i++)
    assert_int_equal(pl_heap_type_add(ground.heap, &bad[i], &type),
                     PL_EINVAL);
  assert_int_equal(type, 77);
  ground_end(&ground);
}

static void event_tells_kind_reason_pause_and_bytes_on_the_logical_clock(
    void **state) {
  (void)state;
  struct ground ground;
  begin(&ground);
  (void)pl_handle(ground.heap, new_pair(&ground, 1));
  for (int i = 0; i < 9; i++)
    assert_non_null(new_pair(&ground, 1));
  pl_heap_collect(ground.heap, PL_GC_MINOR);
  const struct pl_gc_event *event = &ground.event;
  assert_int_equal(event->kind, PL_GC_MINOR);
  assert_int_equal(event->reason, PL_GC_REQUESTED);
  assert_int_equal(event->number, 1);
  assert_int_equal(event->clock, 480);
  assert_int_equal(event->before, 480);
  assert_int_equal(event->after, 48);
  assert_int_equal(event->copied, 48);
  assert_int_equal(event->pause_ns, 1000);
  while (ground.events == 1)
    assert_non_null(new_pair(&ground, 1));
  assert_int_equal(event->reason, PL_GC_NEW_FULL);
  assert_int_equal(event->number, 2);
  assert_int_equal(event->promoted, 48);
  /* 256 KiB hold 5461 pairs; one was there. */
  assert_int_equal(event->clock, 480 + 5460 * 48);
  ground_end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handle_follows_its_object),
      cmocka_unit_test(closed_scope_keeps_nothing_alive),
      cmocka_unit_test(handle_of_a_closed_scope_reads_as_no_object),
      cmocka_unit_test(odd_numbers_are_left_alone_everywhere),
      cmocka_unit_test(root_keeps_its_object_until_it_is_removed),
      cmocka_unit_test(young_object_lives_through_an_old_slot_alone),
      cmocka_unit_test(
          slot_that_is_overwritten_before_the_collection_keeps_nothing),
      cmocka_unit_test(dropped_barrier_is_caught),
      cmocka_unit_test(slot_of_a_freed_old_object_is_forgotten),
      cmocka_unit_test(verifier_names_what_is_broken),
      cmocka_unit_test(object_too_short_for_its_type_is_caught),
      cmocka_unit_test(
          weak_handle_follows_and_is_cleared_by_a_full_collection),
      cmocka_unit_test(
          minor_collection_clears_weak_handles_if_the_policy_says_so),
      cmocka_unit_test(finalizer_may_allocate_collect_and_register_again),
      cmocka_unit_test(
          removed_weak_handle_is_never_called_and_gives_back_its_bytes),
      cmocka_unit_test(
          objects_are_born_and_grow_old_in_the_spaces_of_their_types),
      cmocka_unit_test(type_that_cannot_be_is_refused),
      cmocka_unit_test(
          event_tells_kind_reason_pause_and_bytes_on_the_logical_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

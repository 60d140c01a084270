/* SPDX-License-Identifier: MIT */
/*
 * test_heap_mutator.c: a random mutator against a shadow model of the graph.
 *
 * The shadow knows each object by number: what its slots must hold, and its
 * data. Objects are reached in the heap from one root array only, so that what
 * survives does so through slots. After a while the whole graph is walked in
 * parallel with the shadow: same shape, same contents, same sizes.
 *
 * Invariant: the seed is fixed, so a failure comes back.
 */
#include "ground.h"

#include <stdlib.h>

enum { ROOTS = 64, NODES = 1 << 17, SLOTS = 6 };

/* A node: words 0..5 slots, 6 its number, the rest filled with it. */
struct node {
  void *slot[SLOTS];
  uint64_t number;
  uint64_t filling[];
};

struct shadow {
  uint32_t slot[SLOTS]; /* number of the object, or 0 */
  uint32_t odd[SLOTS];  /* the odd number that stands there, or 0 */
  uint32_t filling;     /* words */
  uint32_t seen;
};

struct game {
  struct ground ground;
  uint32_t type;
  struct pl_root root; /* the array of roots */
  uint32_t rooted[ROOTS];
  struct shadow *shadow;
  uint32_t count;
  uint64_t random;
};

static uint64_t roll(struct game *game, uint64_t below) {
  return ground_random(&game->random) % below;
}

static struct node *rooted(struct game *game, size_t i) {
  return ((struct array *)game->root.object)->slot[i];
}

static void set_root(struct game *game, size_t i, struct node *node) {
  struct array *array = game->root.object;
  game->rooted[i] = node == NULL ? 0 : (uint32_t)node->number;
  pl_heap_write(game->ground.heap, array, &array->slot[i], node);
}

/* Sizes: mostly small, some of kilobytes, few large. */
static uint32_t filling_words(struct game *game) {
  uint64_t kind = roll(game, 2000);
  if (kind == 0) return 20000;
  if (kind < 40) return (uint32_t)roll(game, 1500);
  return (uint32_t)roll(game, 12);
}

static void add_node(struct game *game) {
  if (game->count + 1 == NODES) return;
  uint32_t filling = filling_words(game);
  size_t bytes = sizeof(struct node) + filling * 8;
  struct pl_heap *heap = game->ground.heap;
  struct node *node = roll(game, 20) == 0
                          ? pl_heap_allocate_old(heap, game->type, bytes)
                          : pl_heap_allocate(heap, game->type, bytes);
  assert_non_null(node);
  uint32_t number = ++game->count;
  struct shadow *shadow = &game->shadow[number];
  *shadow = (struct shadow){.filling = filling};
  node->number = number;
  for (uint32_t i = 0; i < filling; i++)
    node->filling[i] = number * UINT64_C(0x9e3779b97f4a7c15) + i;
  size_t from = roll(game, ROOTS);
  size_t i = roll(game, SLOTS);
  struct node *target = rooted(game, from);
  pl_heap_write(heap, node, &node->slot[i], target);
  shadow->slot[i] = game->rooted[from];
  set_root(game, roll(game, ROOTS), node);
}

static void write_slot(struct game *game) {
  struct node *node = rooted(game, roll(game, ROOTS));
  if (node == NULL) return;
  size_t i = roll(game, SLOTS);
  struct shadow *shadow = &game->shadow[node->number];
  shadow->slot[i] = shadow->odd[i] = 0;
  void *value = NULL;
  if (roll(game, 10) == 0) {
    shadow->odd[i] = (uint32_t)roll(game, 1 << 30) | 1;
    value = (void *)(uintptr_t)shadow->odd[i];
  } else if (roll(game, 10) != 0) {
    size_t from = roll(game, ROOTS);
    value = rooted(game, from);
    shadow->slot[i] = game->rooted[from];
  }
  pl_heap_write(game->ground.heap, node, &node->slot[i], value);
}

/* A root moves along a slot, or is forgotten. */
static void move_root(struct game *game) {
  size_t i = roll(game, ROOTS);
  struct node *node = rooted(game, i);
  if (node == NULL || roll(game, 12) == 0) {
    set_root(game, i, NULL);
    return;
  }
  void *next = node->slot[roll(game, SLOTS)];
  if (next != NULL && !((uintptr_t)next & 1)) set_root(game, i, next);
}

static void check_node(const struct game *game, const struct node *node,
                       uint32_t number) {
  const struct shadow *shadow = &game->shadow[number];
  assert_int_equal(node->number, number);
  assert_int_equal(pl_heap_type_of(node), game->type);
  assert_int_equal(pl_heap_bytes_of(node),
                   sizeof *node + shadow->filling * 8u);
  for (uint32_t i = 0; i < shadow->filling; i++)
    assert_true(node->filling[i] ==
                number * UINT64_C(0x9e3779b97f4a7c15) + i);
}

/* Walks heap and shadow together, without recursion. */
static void check_graph(struct game *game, uint32_t round) {
  const struct node **stack = malloc(NODES * sizeof *stack);
  assert_non_null(stack);
  size_t depth = 0;
  for (size_t i = 0; i < ROOTS; i++) {
    const struct node *node = rooted(game, i);
    assert_int_equal(node == NULL ? 0 : node->number, game->rooted[i]);
    if (node == NULL || game->shadow[node->number].seen == round) continue;
    game->shadow[node->number].seen = round;
    stack[depth++] = node;
  }
  while (depth != 0) {
    const struct node *node = stack[--depth];
    struct shadow *shadow = &game->shadow[node->number];
    check_node(game, node, (uint32_t)node->number);
    for (size_t i = 0; i < SLOTS; i++) {
      const struct node *next = node->slot[i];
      if (shadow->slot[i] == 0) {
        assert_int_equal((uintptr_t)next, shadow->odd[i]);
        continue;
      }
      assert_int_equal(next->number, shadow->slot[i]);
      if (game->shadow[next->number].seen == round) continue;
      game->shadow[next->number].seen = round;
      stack[depth++] = next;
    }
  }
  free(stack);
}

static void play_in_steps(const struct pl_heap_policy *policy,
                          unsigned stress, uint64_t seed, int moves,
                          size_t step_work) {
  struct game *game = calloc(1, sizeof *game);
  assert_non_null(game);
  game->shadow = calloc(NODES, sizeof *game->shadow);
  assert_non_null(game->shadow);
  game->random = seed;
  ground_begin(&game->ground);
  game->ground.config.policy = policy;
  game->ground.config.stress = stress;
  game->ground.config.old_trigger = step_work == 0 ? 1 * MIB : 300 * KIB;
  game->ground.config.step_work = step_work;
  game->ground.config.step_bytes = 4 * KIB;
  assert_int_equal(ground_heap(&game->ground), 0);
  const struct pl_heap_type node = {
      .name = "node", .slots = (1 << SLOTS) - 1};
  assert_int_equal(pl_heap_type_add(game->ground.heap, &node, &game->type),
                   0);
  pl_root_add(game->ground.heap, &game->root,
              new_array(&game->ground, ROOTS));
  uint32_t round = 0;
  for (int move = 0; move < moves; move++) {
    uint64_t what = roll(game, 100);
    if (what < 30) add_node(game);
    else if (what < 75) write_slot(game);
    else move_root(game);
    if (move % (moves / 40) == 0) {
      int kinds = step_work == 0 ? 3 : 4;
      pl_heap_collect(game->ground.heap, 
                      (enum pl_gc_kind)(move / (moves / 40) % kinds));
      check_graph(game, ++round);
    }
    assert_int_equal(game->ground.faults, 0);
  }
  struct pl_heap_stats stats;
  pl_heap_stats(game->ground.heap, &stats);
  assert_true(stats.promoted > 0 && stats.copied > 0);
  if (stress != 0)
    assert_true(stats.collections[PL_GC_MINOR] > (unsigned)moves / stress / 5);
  if (step_work != 0) assert_true(stats.collections[PL_GC_STEP] > 40);
  pl_root_remove(&game->root);
  pl_heap_collect(game->ground.heap, PL_GC_MAJOR);
  pl_heap_stats(game->ground.heap, &stats);
  assert_int_equal(stats.used, 0);
  assert_int_equal(stats.space[PL_SPACE_OLD_POINTER].committed, 0);
  ground_end(&game->ground);
  free(game->shadow);
  free(game);
}

static void play(const struct pl_heap_policy *policy, unsigned stress,
                 uint64_t seed, int moves) {
  play_in_steps(policy, stress, seed, moves, 0);
}

static void classic_heap_keeps_every_reachable_object_and_its_contents(
    void **state) {
  (void)state;
  play(&pl_heap_policy_classic, 0, 1, 200000);
  play(&pl_heap_policy_classic, 25, 2, 40000);
}

static void age_mark_heap_keeps_every_reachable_object_and_its_contents(
    void **state) {
  (void)state;
  play(&pl_heap_policy_age_mark, 0, 3, 200000);
  play(&pl_heap_policy_age_mark, 25, 4, 40000);
}

static void ageing_full_collections_keep_every_reachable_object(
    void **state) {
  (void)state;
  const struct pl_heap_policy ageing = {.name = "ageing",
                                        .occupancy_percent = 10,
                                        .large_born_young = true,
                                        .minor_clears_weak = true};
  play(&ageing, 0, 5, 200000);
  play(&ageing, 25, 6, 40000);
}

static void collecting_at_every_allocation_keeps_every_reachable_object(
    void **state) {
  (void)state;
  play(&pl_heap_policy_classic, 1, 7, 4000);
  play(&pl_heap_policy_age_mark, 1, 8, 4000);
}

static void collecting_in_steps_keeps_every_reachable_object(void **state) {
  (void)state;
  play_in_steps(&pl_heap_policy_classic, 0, 9, 200000, 30000);
  play_in_steps(&pl_heap_policy_age_mark, 0, 10, 200000, 3000);
  play_in_steps(&pl_heap_policy_age_mark, 25, 11, 40000, 8000);
  play_in_steps(&pl_heap_policy_age_mark, 3, 12, 12000, 500);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          classic_heap_keeps_every_reachable_object_and_its_contents),
      cmocka_unit_test(
          age_mark_heap_keeps_every_reachable_object_and_its_contents),
      cmocka_unit_test(ageing_full_collections_keep_every_reachable_object),
      cmocka_unit_test(
          collecting_at_every_allocation_keeps_every_reachable_object),
      cmocka_unit_test(collecting_in_steps_keeps_every_reachable_object),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

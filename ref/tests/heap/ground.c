/* SPDX-License-Identifier: MIT */
/*
 * ground.c: counted, refusing memory; a clock; the usual types.
 *
 * Invariant: `live` is what the heap holds, to the byte.
 */
#include "ground.h"

#include <stdlib.h>

static int refuses(struct ground *ground) {
  long call = ground->calls++;
  if (ground->refuse_at < 0) return 0;
  return ground->refuse_all ? call >= ground->refuse_at
                            : call == ground->refuse_at;
}

static void gave(struct ground *ground, size_t size) {
  ground->live += size;
  if (ground->live > ground->peak) ground->peak = ground->live;
}

/* The size of a block stands in front of it. */
static void *resize(void *self, void *block, size_t size) {
  struct ground *ground = self;
  size_t *head = block == NULL ? NULL : (size_t *)block - 2;
  if (size != 0 && refuses(ground)) return NULL;
  if (head != NULL) ground->live -= *head;
  if (size == 0) {
    free(head);
    return NULL;
  }
  head = realloc(head, size + 2 * sizeof *head);
  assert_non_null(head);
  *head = size;
  gave(ground, size);
  return head + 2;
}

static void *map(void *self, size_t size, size_t alignment, bool executable) {
  struct ground *ground = self;
  (void)executable;
  if (refuses(ground)) return NULL;
  size_t whole = (size + alignment - 1) & ~(alignment - 1);
  void *block = aligned_alloc(alignment, whole);
  if (block == NULL) return NULL;
  memset(block, 0, whole);
  gave(ground, size);
  return block;
}

static void unmap(void *self, void *block, size_t size) {
  struct ground *ground = self;
  free(block);
  ground->live -= size;
}

static uint64_t now_ns(void *self) {
  struct ground *ground = self;
  return ground->ns += 1000;
}

static void on_event(void *arg, const struct pl_gc_event *event) {
  struct ground *ground = arg;
  ground->event = *event;
  ground->events++;
}

static size_t near_limit(void *arg, size_t limit) {
  struct ground *ground = arg;
  ground->near_limits++;
  return ground->raise_to > limit ? ground->raise_to : limit;
}

static void on_fault(void *arg, const struct pl_heap_fault *fault) {
  struct ground *ground = arg;
  if (ground->faults++ == 0) ground->fault = *fault;
}

void ground_begin(struct ground *ground) {
  *ground = (struct ground){.refuse_at = -1};
  ground->config = (struct pl_heap_config){
      .memory = {.resize = resize,
                 .map = map,
                 .unmap = unmap,
                 .self = ground},
      .clock = {now_ns, ground},
      .semi_initial = 256 * KIB,
      .semi_max = 1 * MIB,
      .verify = true,
      .arg = ground,
      .on_event = on_event,
      .near_limit = near_limit,
      .on_fault = on_fault};
}

int ground_heap(struct ground *ground) {
  static const struct pl_heap_type pair = {.name = "pair", .slots = 3};
  static const struct pl_heap_type data = {.name = "data"};
  static const struct pl_heap_type array = {.name = "array", .array = true};
  static const struct pl_heap_type map_type = {
      .name = "map", .slots = 1, .home = PL_SPACE_MAP};
  static const struct pl_heap_type code = {.name = "code",
                                           .home = PL_SPACE_CODE};
  int error = pl_heap_create(&ground->config, &ground->heap);
  if (error != 0) return error;
  const struct {
    const struct pl_heap_type *type;
    uint32_t *number;
  } types[] = {{&pair, &ground->pair},
               {&data, &ground->data},
               {&array, &ground->array},
               {&map_type, &ground->map},
               {&code, &ground->code}};
  for (size_t i = 0; i < sizeof types / sizeof *types && error == 0; i++)
    error = pl_heap_type_add(ground->heap, types[i].type, types[i].number);
  return error;
}

void ground_end(struct ground *ground) {
  if (ground->heap != NULL) pl_heap_destroy(ground->heap);
  ground->heap = NULL;
  assert_int_equal(ground->live, 0);
  if (ground->faults != 0) fail_msg("%s", ground->fault.invariant);
}

struct pair *new_pair(struct ground *ground, uint64_t number) {
  struct pair *pair =
      pl_heap_allocate(ground->heap, ground->pair, sizeof *pair);
  if (pair != NULL) pair->number[0] = number;
  return pair;
}

struct array *new_array(struct ground *ground, size_t slots) {
  return pl_heap_allocate(ground->heap, ground->array, slots * 8);
}

uint64_t ground_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

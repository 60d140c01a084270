/* SPDX-License-Identifier: MIT */
/*
 * heap.c: a heap's beginning and end, its types and its figures.
 *
 * Invariant: what create() made before it failed is given back; what it made
 * when it succeeded is given back by destroy(), and nothing else is.
 */
#include "internal.h"

static const size_t kib = 1024, mib = 1024 * 1024;

static size_t power_of_two(size_t bytes, size_t fallback) {
  if (bytes == 0) bytes = fallback;
  size_t power = PL__PAGE;
  while (power < bytes && power < SIZE_MAX / 4)
    power *= 2;
  return power;
}

static void set_defaults(struct pl_heap_config *config) {
  pl__heap_memory_default(config);
  config->semi_max = power_of_two(config->semi_max, 16 * mib);
  config->semi_initial = power_of_two(config->semi_initial, 1024 * kib);
  if (config->semi_initial > config->semi_max)
    config->semi_initial = config->semi_max;
  if (config->policy == NULL) config->policy = &pl_heap_policy_age_mark;
  if (config->old_max == 0) config->old_max = 1400 * mib;
  if (config->old_trigger == 0) config->old_trigger = 32 * mib;
  if (config->external_trigger == 0) config->external_trigger = 64 * mib;
  if (config->step_bytes == 0) config->step_bytes = 64 * kib;
}

/* Both, and a page behind them that a copy may read. */
static size_t young_bytes(const struct pl__heap *heap) {
  return 2 * heap->config.semi_max + 4096;
}

static bool map_semi_spaces(struct pl__heap *heap) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  void *both = memory->map(memory->self, young_bytes(heap), PL__PAGE, false);
  if (both == NULL) return false;
  heap->block[0] = (uintptr_t)both;
  heap->block[1] = heap->block[0] + heap->config.semi_max;
  return true;
}

static void start_young(struct pl__heap *heap) {
  heap->capacity = heap->config.semi_initial;
  heap->head.top = heap->counted = heap->age_mark = heap->block[0];
  if (heap->capacity >= 2 * PL__HUGE) pl__young_prepare(heap);
  pl__young_set_end(heap);
}

static int add_filler_type(struct pl__heap *heap) {
  const struct pl_heap_type filler = {.name = "(free)"};
  uint32_t type;
  return pl_heap_type_add(&heap->head, &filler, &type);
}

int pl_heap_create(const struct pl_heap_config *config, struct pl_heap **out) {
  struct pl_heap_config full = {0};
  if (config != NULL) full = *config;
  set_defaults(&full);
  struct pl__heap *heap =
      full.memory.resize(full.memory.self, NULL, sizeof *heap);
  if (heap == NULL) return PL_ENOMEM;
  *heap = (struct pl__heap){.config = full, .policy = *full.policy};
  heap->head.checked = full.verify;
  heap->metadata = sizeof *heap;
  heap->next_major = full.old_trigger;
  heap->force = full.old_trigger + full.old_trigger / 2;
  heap->old_flags = PL__HEAP_OLD;
  heap->dead_end = &heap->dead;
  for (int i = 0; i < PL_SPACES; i++)
    heap->space[i].id = (enum pl_space)i;
  if (!pl__mark_start(heap) || add_filler_type(heap) != 0 ||
      !map_semi_spaces(heap)) {
    pl_heap_destroy(&heap->head);
    return PL_ENOMEM;
  }
  start_young(heap);
  *out = &heap->head;
  return 0;
}

const struct pl_heap_memory *pl_heap_memory(const struct pl_heap *heap) {
  return &((const struct pl__heap *)heap)->config.memory;
}

void pl_heap_destroy(struct pl_heap *head) {
  struct pl__heap *heap = pl__heap(head);
  const struct pl_heap_memory *memory = &heap->config.memory;
  pl__weak_free(heap);
  for (int i = 0; i < PL_SPACES; i++)
    while (heap->space[i].pages != NULL)
      pl__page_remove(heap, heap->space[i].pages);
  pl__page_pool_free(heap);
  pl__ids_free(heap);
  if (heap->block[0] != 0)
    memory->unmap(memory->self, (void *)heap->block[0],
                  young_bytes(heap));
  pl__ephemerons_free(heap);
  pl__handles_free(heap);
  pl__mark_free(heap);
  if (heap->types != NULL) memory->resize(memory->self, heap->types, 0);
  memory->resize(memory->self, heap, 0);
}

/* ---------------------------------------------------------------------- */
/* Types                                                                  */

static size_t words_needed(const struct pl_heap_type *type) {
  return type->slots == 0 ? 1 : 64 - (size_t)__builtin_clzll(type->slots);
}

static bool is_valid(const struct pl_heap_type *type) {
  bool pure = type->slots == 0 && !type->array;
  switch (type->home) {
  case PL_SPACE_NEW:
    return true;
  case PL_SPACE_CODE:
    return pure;
  case PL_SPACE_MAP:
    return words_needed(type) <= PL_HEAP_MAP_BYTES / 8;
  case PL_SPACE_CELL:
    return words_needed(type) <= PL_HEAP_CELL_BYTES / 8;
  default:
    return false;
  }
}

static int grow_types(struct pl__heap *heap) {
  size_t capacity = heap->type_capacity == 0 ? 16 : heap->type_capacity * 2;
  struct pl__type *types =
      pl__heap_resize(heap, heap->types, heap->type_capacity * sizeof *types,
                      capacity * sizeof *types);
  if (types == NULL) return PL_ENOMEM;
  heap->types = types;
  heap->type_capacity = capacity;
  return 0;
}

int pl_heap_type_add(struct pl_heap *head, const struct pl_heap_type *type,
                     uint32_t *out) {
  struct pl__heap *heap = pl__heap(head);
  if (!is_valid(type)) return PL_EINVAL;
  if (heap->type_count > UINT16_MAX) return PL_ENOSPC;
  if (heap->type_count == heap->type_capacity) {
    int error = grow_types(heap);
    if (error != 0) return error;
  }
  bool pure = type->slots == 0 && !type->array;
  enum pl_space grown = pure ? PL_SPACE_OLD_DATA : PL_SPACE_OLD_POINTER;
  heap->types[heap->type_count] = (struct pl__type){
      .name = type->name,
      .slot_names = type->slot_names,
      .name_count = type->name_count,
      .slots = type->slots,
      .array_from = type->array ? type->array_from : SIZE_MAX,
      .words = words_needed(type),
      .pure = pure,
      .home = type->home,
      .old_home = type->home == PL_SPACE_NEW ? grown : type->home};
  *out = (uint32_t)heap->type_count++;
  return 0;
}

/* ---------------------------------------------------------------------- */
/* Figures                                                                */

enum pl_space pl_heap_space_of(const struct pl_heap *head,
                               const void *object) {
  const struct pl__heap *heap = (const struct pl__heap *)head;
  if ((uintptr_t)object - heap->block[heap->active] < heap->capacity)
    return PL_SPACE_NEW;
  return pl__page_of(object)->space->id;
}

size_t pl__old_used(const struct pl__heap *heap) {
  size_t used = 0;
  for (int i = PL_SPACE_OLD_POINTER; i <= PL_SPACE_LARGE; i++)
    used += pl__space_used(&heap->space[i]);
  return used;
}

size_t pl__used(const struct pl__heap *heap) {
  return pl__old_used(heap) +
         pl__space_used(&heap->space[PL_SPACE_NEW_LARGE]) +
         (heap->head.top - heap->block[heap->active]);
}

size_t pl__committed(const struct pl__heap *heap) {
  size_t committed = 2 * heap->capacity;
  for (int i = PL_SPACE_NEW + 1; i < PL_SPACES; i++)
    committed += heap->space[i].committed;
  return committed;
}

void pl_heap_stats(const struct pl_heap *head, struct pl_heap_stats *out) {
  const struct pl__heap *heap = (const struct pl__heap *)head;
  *out = (struct pl_heap_stats){
      .committed = pl__committed(heap),
      .old_max = heap->config.old_max,
      .semi_capacity = heap->capacity,
      .external = heap->external,
      .pooled = heap->pooled,
      .metadata = heap->metadata,
      .allocated = heap->allocated + (head->top - heap->counted),
      .promoted = heap->promoted_bytes,
      .copied = heap->copied_bytes,
      .work = heap->work,
      .ephemerons = heap->ephemerons.count,
      .marking = heap->phase == PL__MARKING,
      .sweeping = heap->phase == PL__SWEEPING};
  for (int i = 0; i < PL_SPACES; i++) {
    out->space[i].committed = heap->space[i].committed;
    out->space[i].used = pl__space_used(&heap->space[i]);
  }
  out->space[PL_SPACE_NEW].committed = 2 * heap->capacity;
  out->space[PL_SPACE_NEW].used = head->top - heap->block[heap->active];
  for (int i = 0; i < PL_SPACES; i++)
    out->used += out->space[i].used;
  memcpy(out->collections, heap->collections, sizeof out->collections);
  const struct pl_weak *const lists[] = {heap->weak_young, heap->weak_old};
  for (int i = 0; i < 2; i++)
    for (const struct pl_weak *weak = lists[i]; weak; weak = weak->next)
      if (weak->kind == PL__HOLDING) out->held += weak->external;
      else out->weak++;
}

int pl_heap_set_old_max(struct pl_heap *head, size_t bytes) {
  struct pl__heap *heap = pl__heap(head);
  if (bytes < heap->old_committed) return PL_EBUSY;
  heap->config.old_max = bytes;
  return 0;
}

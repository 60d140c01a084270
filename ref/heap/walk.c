/* SPDX-License-Identifier: MIT */
/*
 * walk.c: numbers the objects of a heap and tells what refers to what.
 *
 * A region is the semi-space or a page. It has a bit for each word where an
 * object begins, and for every eighth word of bits the count of those before:
 * an object's number is its region's first one, plus a count, plus the bits of
 * at most eight words.
 *
 * Invariants:
 *  - Regions are sorted by address, and the numbers go up with it.
 *  - A large object's page has one object and needs no bits.
 */
#include "plumb/heap_walk.h"

#include <stdlib.h>

#include "internal.h"

enum { BLOCK = 8 }; /* words of bits to a count */

struct region {
  uintptr_t base, start, end; /* bits are counted from `base` on */
  uint64_t *bits;             /* NULL: one object, at `start` */
  uint32_t *counts;
  const struct pl__space *space; /* NULL: the semi-space */
  size_t first; /* the number of its first object */
};

struct pl_walk {
  struct pl__heap *heap;
  struct region *regions;
  size_t region_count, count;
  size_t region; /* the one that the walk is in */
  uintptr_t at;
};

static void *ask(struct pl_walk *walk, size_t size) {
  const struct pl_heap_memory *memory = &walk->heap->config.memory;
  void *block = memory->resize(memory->self, NULL, size);
  if (block != NULL) memset(block, 0, size);
  return block;
}

static void give_back(struct pl_walk *walk, void *block) {
  const struct pl_heap_memory *memory = &walk->heap->config.memory;
  if (block != NULL) memory->resize(memory->self, block, 0);
}

/* ---------------------------------------------------------------------- */
/* Regions                                                                */

static int by_address(const void *a, const void *b) {
  uintptr_t x = ((const struct region *)a)->base;
  uintptr_t y = ((const struct region *)b)->base;
  return x < y ? -1 : x > y;
}

static void list_regions(struct pl_walk *walk) {
  struct pl__heap *heap = walk->heap;
  struct region *region = walk->regions;
  uintptr_t base = heap->block[heap->active];
  *region++ =
      (struct region){.base = base, .start = base, .end = heap->head.top};
  for (int i = 0; i < PL_SPACES; i++)
    for (struct pl__page *page = heap->space[i].pages; page; page = page->next)
      *region++ = (struct region){.base = (uintptr_t)page,
                                  .start = page->start,
                                  .end = page->end,
                                  .space = page->space};
  walk->region_count = (size_t)(region - walk->regions);
  qsort(walk->regions, walk->region_count, sizeof *region, by_address);
}

static bool is_of_one_object(const struct region *region) {
  return region->space != NULL &&
         pl__heap_header((void *)(region->start + 8)) & PL__HEAP_LARGE;
}

/* From `at` on, the next object of a region, or its end. */
static uintptr_t find(const struct region *region, uintptr_t at) {
  return pl__find_object(region->space, at, region->end);
}

static bool number(struct pl_walk *walk, struct region *region) {
  region->first = walk->count;
  if (is_of_one_object(region)) {
    walk->count++;
    return true;
  }
  size_t words = (region->end - region->base) / 512 + 1;
  region->bits = ask(walk, words * sizeof *region->bits);
  region->counts = ask(walk, (words / BLOCK + 1) * sizeof *region->counts);
  if (region->bits == NULL || region->counts == NULL) return false;
  for (uintptr_t at = find(region, region->start); at < region->end;
       at = find(region, pl__behind(at))) {
    size_t bit = (at - region->base) / 8;
    region->bits[bit / 64] |= UINT64_C(1) << bit % 64;
    walk->count++;
  }
  uint32_t count = 0;
  for (size_t i = 0; i < words; i++) {
    if (i % BLOCK == 0) region->counts[i / BLOCK] = count;
    count += (uint32_t)__builtin_popcountll(region->bits[i]);
  }
  return true;
}

static bool prepare(struct pl_walk *walk) {
  size_t count = 1;
  for (int i = 0; i < PL_SPACES; i++)
    for (struct pl__page *page = walk->heap->space[i].pages; page != NULL;
         page = page->next)
      count++;
  walk->regions = ask(walk, count * sizeof *walk->regions);
  if (walk->regions == NULL) return false;
  list_regions(walk);
  for (size_t i = 0; i < walk->region_count; i++)
    if (!number(walk, &walk->regions[i])) return false;
  pl_walk_rewind(walk);
  return true;
}

int pl_walk_begin(struct pl_heap *head, struct pl_walk **out) {
  struct pl__heap *heap = pl__heap(head);
  const struct pl_heap_memory *memory = &heap->config.memory;
  struct pl_walk *walk = memory->resize(memory->self, NULL, sizeof *walk);
  if (walk == NULL) return PL_ENOMEM;
  *walk = (struct pl_walk){.heap = heap};
  pl_heap_collect(head, PL_GC_MAJOR);
  if (!prepare(walk)) {
    pl_walk_end(walk);
    return PL_ENOMEM;
  }
  *out = walk;
  return 0;
}

void pl_walk_end(struct pl_walk *walk) {
  for (size_t i = 0; i < walk->region_count; i++) {
    give_back(walk, walk->regions[i].bits);
    give_back(walk, walk->regions[i].counts);
  }
  give_back(walk, walk->regions);
  give_back(walk, walk);
}

/* ---------------------------------------------------------------------- */
/* Objects                                                                */

size_t pl_walk_count(const struct pl_walk *walk) {
  return walk->count;
}

void pl_walk_rewind(struct pl_walk *walk) {
  walk->region = 0;
  walk->at = walk->regions[0].start;
}

void *pl_walk_next(struct pl_walk *walk) {
  while (walk->region < walk->region_count) {
    const struct region *region = &walk->regions[walk->region];
    uintptr_t at = find(region, walk->at);
    if (at < region->end) {
      walk->at = pl__behind(at);
      return (void *)(at + 8);
    }
    if (++walk->region < walk->region_count)
      walk->at = walk->regions[walk->region].start;
  }
  return NULL;
}

/* The last region that begins at `at` or before. */
static const struct region *region_of(const struct pl_walk *walk,
                                      uintptr_t at) {
  size_t low = 0, high = walk->region_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (walk->regions[middle].base <= at) low = middle;
    else high = middle;
  }
  return &walk->regions[low];
}

size_t pl_walk_number(const struct pl_walk *walk, const void *object) {
  uintptr_t at = (uintptr_t)object - 8;
  const struct region *region = region_of(walk, at);
  if (region->bits == NULL) return region->first;
  size_t bit = (at - region->base) / 8;
  size_t word = bit / 64;
  size_t count = region->counts[word / BLOCK];
  for (size_t i = word / BLOCK * BLOCK; i < word; i++)
    count += (size_t)__builtin_popcountll(region->bits[i]);
  uint64_t below = region->bits[word] & ((UINT64_C(1) << bit % 64) - 1);
  return region->first + count + (size_t)__builtin_popcountll(below);
}

void pl_walk_describe(const struct pl_walk *walk, const void *object,
                      struct pl_walk_object *out) {
  uint64_t header = pl__heap_header(object);
  *out = (struct pl_walk_object){
      .name = walk->heap->types[pl__type(header)].name,
      .type = pl__type(header),
      .space = pl_heap_space_of(&walk->heap->head, object),
      .bytes = pl__size(header)};
}

/* ---------------------------------------------------------------------- */
/* References                                                             */

static void tell(const struct pl__type *type, const void *object,
                 pl__slot *slot, pl_edge_fn *fn, void *arg) {
  if (!pl__is_reference(*slot)) return;
  size_t word = (size_t)(slot - (pl__slot *)object);
  struct pl_edge edge = {
      .kind = PL_EDGE_INTERNAL, .index = word, .to = *slot};
  if (word < type->name_count && type->slot_names[word] != NULL) {
    edge.kind = PL_EDGE_NAMED;
    edge.name = type->slot_names[word];
  } else if (word >= type->array_from) {
    edge.kind = PL_EDGE_ELEMENT;
    edge.index = word - type->array_from;
  }
  fn(arg, &edge);
}

void pl_walk_edges(const struct pl_walk *walk, const void *object,
                   pl_edge_fn *fn, void *arg) {
  struct pl__heap *heap = walk->heap;
  uint64_t header = pl__heap_header(object);
  const struct pl__type *type = &heap->types[pl__type(header)];
  PL__EACH_SLOT(heap, (uintptr_t)object, header, slot,
                tell(type, object, slot, fn, arg));
  if (header & PL__HEAP_KEY) pl__ephemerons_tell(heap, object, fn, arg);
}

void pl_walk_roots(const struct pl_walk *walk, pl_walk_root_fn *fn,
                   void *arg) {
  const struct pl__heap *heap = walk->heap;
  void **end = heap->head.handle;
  for (struct pl__handle_block *block = heap->handles; block != NULL;
       block = block->below) {
    for (void **handle = block->handle; handle < end; handle++)
      if (pl__is_reference(*handle)) fn(arg, PL_ROOT_HANDLE, *handle);
    if (block->below != NULL) end = block->below->handle + PL__HANDLES;
  }
  for (struct pl_root *root = heap->roots; root != NULL; root = root->next)
    if (pl__is_reference(root->object)) fn(arg, PL_ROOT_ROOT, root->object);
  for (struct pl_weak *weak = heap->dead; weak != NULL; weak = weak->next)
    if (weak->object != NULL) fn(arg, PL_ROOT_FINALIZER, weak->object);
  const struct pl_weak *const lists[] = {heap->weak_young, heap->weak_old};
  for (int i = 0; i < 2; i++)
    for (const struct pl_weak *weak = lists[i]; weak; weak = weak->next)
      if (weak->kind != PL__HOLDING) fn(arg, PL_ROOT_WEAK, weak->object);
}

void pl_walk_bytes(const struct pl_walk *walk, pl_walk_bytes_fn *fn,
                   void *arg) {
  const struct pl__heap *heap = walk->heap;
  const struct pl_weak *const lists[] = {heap->weak_young, heap->weak_old};
  for (int i = 0; i < 2; i++)
    for (const struct pl_weak *weak = lists[i]; weak; weak = weak->next)
      if (weak->external != 0) fn(arg, weak->object, weak->external);
}

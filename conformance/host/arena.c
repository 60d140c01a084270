/* SPDX-License-Identifier: MIT */
/*
 * arena.c: a bump allocator over a list of growing blocks.
 *
 * Invariant: what lies behind a block's `used` mark is free, what lies before
 * it is in use until the next reset.
 */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 32 * 1024 };

struct arena_block {
  struct arena_block *next;
  size_t size, used;
  alignas(max_align_t) unsigned char bytes[];
};

static struct arena_block *block_new(size_t size) {
  struct arena_block *block = malloc(sizeof *block + size);
  if (!block) return NULL;
  block->next = NULL;
  block->size = size;
  block->used = 0;
  return block;
}

static struct arena_block *arena_grow(struct arena *arena, size_t size) {
  size_t wanted = arena->current ? arena->current->size * 2 : FIRST_BLOCK;
  struct arena_block *block = block_new(wanted < size ? size : wanted);
  if (!block) return NULL;
  if (arena->current)
    arena->current->next = block;
  else
    arena->first = block;
  arena->current = block;
  return block;
}

void *arena_alloc(struct arena *arena, size_t size) {
  const size_t step = alignof(max_align_t);
  if (size > SIZE_MAX / 4) return NULL;
  size = (size + step - 1) / step * step;
  struct arena_block *block = arena->current;
  if (!block || block->size - block->used < size)
    block = arena_grow(arena, size);
  if (!block) return NULL;
  void *memory = block->bytes + block->used;
  block->used += size;
  return memset(memory, 0, size);
}

void arena_reset(struct arena *arena) {
  if (!arena->first) return;
  struct arena_block *block = arena->first->next;
  while (block) {
    struct arena_block *next = block->next;
    free(block);
    block = next;
  }
  arena->first->next = NULL;
  arena->first->used = 0;
  arena->current = arena->first;
}

void arena_free(struct arena *arena) {
  arena_reset(arena);
  free(arena->first);
  arena->first = arena->current = NULL;
}

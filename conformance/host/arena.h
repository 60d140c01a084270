/* SPDX-License-Identifier: MIT */
/*
 * arena.h: memory that is handed out piece by piece and taken back at once.
 *
 * A program is read into an arena; the next program reuses its blocks.
 */
#ifndef HOST_ARENA_H
#define HOST_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
  struct arena_block *first;   /* all blocks, oldest first */
  struct arena_block *current; /* the one that is being filled */
};

/* Gives `size` zeroed bytes, aligned for any type, that live until
 * arena_reset(); NULL when there is no memory. */
void *arena_alloc(struct arena *arena, size_t size);
/* Takes everything back and keeps the first block for the next round. */
void arena_reset(struct arena *arena);
/* Takes everything back and frees every block. */
void arena_free(struct arena *arena);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * text.h: growing texts, arenas, and what is done to paths as texts.
 *
 * Invariants: a text that could not grow is `broken`, stays as it was, and
 * takes no more; whoever built it looks once, at the end. What an arena gave
 * stays where it is until the arena is emptied.
 */
#ifndef PLUMB_MODULES_TEXT_H
#define PLUMB_MODULES_TEXT_H

#include <string.h>

#include "plumb/modules.h"

struct pl__text {
  const struct pl_module_memory *memory;
  char *bytes; /* NUL-terminated unless NULL */
  size_t length, capacity;
  bool broken; /* memory ran out */
};

struct pl__block {
  struct pl__block *next;
  size_t size, used;
};
struct pl__arena {
  const struct pl_module_memory *memory;
  struct pl__block *blocks;
  size_t bytes;
};

struct pl_module_memory pl__memory_default(void);

void pl__text_add(struct pl__text *text, const char *bytes, size_t length);
void pl__text_byte(struct pl__text *text, char byte);
void pl__text_free(struct pl__text *text);
static inline void pl__text_clear(struct pl__text *text) {
  text->length = 0;
}
static inline void pl__text_string(struct pl__text *text, const char *string) {
  pl__text_add(text, string, strlen(string));
}
static inline void pl__text_set(struct pl__text *text, const char *bytes,
                                size_t length) {
  pl__text_clear(text);
  pl__text_add(text, bytes, length);
}

/* What pl__arena_take() does when the open block has no room. */
void *pl__arena_more(struct pl__arena *arena, size_t size);
/* NULL when memory ran out. Aligned for pointers. */
static inline void *pl__arena_take(struct pl__arena *arena, size_t size) {
  struct pl__block *block = arena->blocks;
  size_t whole = (size + 7) & ~(size_t)7;
  if (block == NULL || whole < size || block->size - block->used < whole)
    return pl__arena_more(arena, size);
  void *result = (char *)block + block->used;
  block->used += whole;
  return result;
}
void pl__arena_empty(struct pl__arena *arena);

static inline bool pl__same(const char *a, size_t a_length, const char *b,
                            size_t b_length) {
  return a_length == b_length && memcmp(a, b, a_length) == 0;
}
static inline bool pl__is(const char *a, size_t a_length, const char *b) {
  return pl__same(a, a_length, b, strlen(b));
}
static inline bool pl__starts(const char *text, size_t length,
                              const char *prefix) {
  size_t size = strlen(prefix);
  return length >= size && memcmp(text, prefix, size) == 0;
}
static inline bool pl__ends(const char *text, size_t length,
                            const char *suffix) {
  size_t size = strlen(suffix);
  return length >= size && memcmp(text + length - size, suffix, size) == 0;
}

/* How many bytes two texts begin with alike. */
size_t pl__common(const char *a, size_t a_length, const char *b,
                  size_t b_length);

uint64_t pl__hash(const char *bytes, size_t length, uint64_t seed);

/* Applies a path to the normalised one that `out` holds, as path.resolve(). */
void pl__text_resolve(struct pl__text *out, const char *path, size_t length);
/* Sets `out` to the normalised form of an absolute path: no empty name, no "."
 * and "..", no slash at the end but for the root alone. */
void pl__text_normal(struct pl__text *out, const char *text, size_t length);

/* How many bytes from here on are letters, digits or of "-./_@": what no URL
 * escapes. */
size_t pl__plain_run(const char *text, size_t length);
/* One byte of a path in a URL: as it is, or as %XX. Returns how many. */
size_t pl__encode_byte(char byte, char code[3]);
/* Appends a path as the path of a URL, as Node's pathToFileURL() does. */
void pl__text_encode_path(struct pl__text *out, const char *path,
                          size_t length);

#endif

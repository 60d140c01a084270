/* SPDX-License-Identifier: MIT */
/*
 * text.c: growing texts, arenas, and what is done to paths as texts.
 *
 * Invariant: bytes[length] is NUL whenever bytes is not NULL.
 */
#include "text.h"

#include <stdlib.h>

static void *plain_resize(void *self, void *block, size_t size) {
  (void)self;
  if (size == 0) {
    free(block);
    return NULL;
  }
  return realloc(block, size);
}

struct pl_module_memory pl__memory_default(void) {
  return (struct pl_module_memory){.resize = plain_resize};
}

static bool grow(struct pl__text *text, size_t more) {
  if (text->broken) return false;
  if (more >= SIZE_MAX / 2 - text->length) {
    text->broken = true;
    return false;
  }
  size_t need = text->length + more + 1;
  if (need <= text->capacity) return true;
  size_t size = text->capacity < 128 ? 256 : text->capacity * 2;
  if (size < need) size = need;
  char *bytes = text->memory->resize(text->memory->self, text->bytes, size);
  if (bytes == NULL) {
    text->broken = true;
    return false;
  }
  text->bytes = bytes;
  text->capacity = size;
  return true;
}

void pl__text_add(struct pl__text *text, const char *bytes, size_t length) {
  if (!grow(text, length)) return;
  if (length > 0) memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = '\0';
}

void pl__text_byte(struct pl__text *text, char byte) {
  pl__text_add(text, &byte, 1);
}

void pl__text_free(struct pl__text *text) {
  if (text->bytes != NULL)
    text->memory->resize(text->memory->self, text->bytes, 0);
  *text = (struct pl__text){.memory = text->memory};
}

/* ------------------------------------------------------------------------ */

enum { BLOCK = 32 * 1024, HEADER = (sizeof(struct pl__block) + 15) & ~15u };

void *pl__arena_take(struct pl__arena *arena, size_t size) {
  if (size > SIZE_MAX / 4) return NULL;
  size = (size + 7) & ~(size_t)7;
  struct pl__block *block = arena->blocks;
  if (block == NULL || block->size - block->used < size) {
    size_t whole = size > BLOCK / 4 ? HEADER + size : BLOCK;
    struct pl__block *fresh =
        arena->memory->resize(arena->memory->self, NULL, whole);
    if (fresh == NULL) return NULL;
    arena->bytes += whole;
    fresh->size = whole;
    fresh->used = HEADER;
    /* A block for one large thing leaves the open one in front. */
    if (block != NULL && whole != BLOCK) {
      fresh->next = block->next;
      block->next = fresh;
    } else {
      fresh->next = block;
      arena->blocks = fresh;
    }
    block = fresh;
  }
  void *result = (char *)block + block->used;
  block->used += size;
  return result;
}

void pl__arena_empty(struct pl__arena *arena) {
  while (arena->blocks != NULL) {
    struct pl__block *next = arena->blocks->next;
    arena->memory->resize(arena->memory->self, arena->blocks, 0);
    arena->blocks = next;
  }
  arena->bytes = 0;
}

/* ------------------------------------------------------------------------ */

static uint64_t mix(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 wide;
  wide product = (wide)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t read64(const char *bytes) {
  uint64_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

/* In the manner of wyhash: eight bytes and one multiplication at a time. */
uint64_t pl__hash(const char *bytes, size_t length, uint64_t seed) {
  uint64_t hash = seed ^ (length * UINT64_C(0x9e3779b97f4a7c15));
  size_t left = length;
  for (; left >= 8; left -= 8, bytes += 8)
    hash = mix(hash ^ read64(bytes), UINT64_C(0xa0761d6478bd642f));
  uint64_t tail = 0;
  if (left > 0) memcpy(&tail, bytes, left);
  hash = mix(hash ^ tail, UINT64_C(0xe7037ed1a0b428db));
  return hash ^ hash >> 32;
}

/* ------------------------------------------------------------------------ */

/* Writes without asking for room each time: there is room for all of it. */
void pl__text_resolve(struct pl__text *out, const char *path, size_t length) {
  if (length > 0 && path[0] == '/') out->length = 0;
  if (!grow(out, length + 2)) return;
  char *bytes = out->bytes;
  size_t at = out->length;
  if (at == 1) at = 0; /* the root: every name brings its slash */
  for (size_t i = 0; i < length; i++) {
    size_t start = i;
    while (i < length && path[i] != '/')
      i++;
    size_t size = i - start;
    const char *name = path + start;
    if (size == 0 || (size == 1 && name[0] == '.')) continue;
    if (size == 2 && name[0] == '.' && name[1] == '.') {
      while (at > 0 && bytes[at - 1] != '/')
        at--;
      if (at > 0) at--;
      continue;
    }
    bytes[at++] = '/';
    memcpy(bytes + at, name, size);
    at += size;
  }
  if (at == 0) bytes[at++] = '/';
  bytes[at] = '\0';
  out->length = at;
}

void pl__text_normal(struct pl__text *out, const char *text, size_t length) {
  pl__text_clear(out);
  pl__text_resolve(out, text, length);
}

size_t pl__encode_byte(char plain, char code[3]) {
  static const char digits[] = "0123456789ABCDEF";
  unsigned char byte = (unsigned char)plain;
  code[0] = plain;
  if (byte > 0x20 && byte < 0x7f && strchr("\"#%<>?[\\]^`{|}~", byte) == NULL)
    return 1;
  code[0] = '%';
  code[1] = digits[byte >> 4];
  code[2] = digits[byte & 15];
  return 3;
}

void pl__text_encode_path(struct pl__text *out, const char *path,
                          size_t length) {
  for (size_t i = 0; i < length; i++) {
    char code[3];
    pl__text_add(out, code, pl__encode_byte(path[i], code));
  }
}

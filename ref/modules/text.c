/* SPDX-License-Identifier: MIT */
/*
 * text.c: growing texts, arenas, and what is done to paths as texts.
 *
 * Invariant: bytes[length] is NUL whenever bytes is not NULL.
 */
#include "text.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 * 1024 * 1024 };

/* Memory of a whole huge page is asked for as such: a page fault each 2 MiB
 * instead of each 4 KiB. */
static void *huge(size_t size) {
  size_t whole = (size + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
  void *block = aligned_alloc(HUGE_PAGE, whole);
#ifdef MADV_HUGEPAGE
  if (block != NULL) (void)madvise(block, whole, MADV_HUGEPAGE);
#endif
  return block;
}

static void *plain_resize(void *self, void *block, size_t size) {
  (void)self;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (block == NULL && size >= HUGE_PAGE && size < SIZE_MAX - HUGE_PAGE)
    return huge(size);
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

/* Blocks grow with the arena, up to a huge page. */
enum {
  BLOCK = 32 * 1024,
  BLOCK_MOST = HUGE_PAGE,
  HEADER = (sizeof(struct pl__block) + 15) & ~15u
};

static size_t next_block(const struct pl__arena *arena) {
  size_t size = BLOCK;
  while (size < BLOCK_MOST && size * 2 <= arena->bytes)
    size *= 2;
  return size;
}

void *pl__arena_take(struct pl__arena *arena, size_t size) {
  if (size > SIZE_MAX / 4) return NULL;
  size = (size + 7) & ~(size_t)7;
  struct pl__block *block = arena->blocks;
  if (block == NULL || block->size - block->used < size) {
    size_t usual = next_block(arena);
    size_t whole = size > usual / 4 ? HEADER + size : usual;
    struct pl__block *fresh =
        arena->memory->resize(arena->memory->self, NULL, whole);
    if (fresh == NULL) return NULL;
    arena->bytes += whole;
    fresh->size = whole;
    fresh->used = HEADER;
    /* A block for one large thing leaves the open one in front. */
    if (block != NULL && whole != usual) {
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

static uint32_t read32(const char *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

/* Fewer than eight bytes as one number. */
static uint64_t read_short(const char *bytes, size_t length) {
  if (length >= 4)
    return (uint64_t)read32(bytes) << 32 | read32(bytes + length - 4);
  if (length == 0) return 0;
  return (uint64_t)(unsigned char)bytes[0] << 16 |
         (uint64_t)(unsigned char)bytes[length / 2] << 8 |
         (unsigned char)bytes[length - 1];
}

/* In the manner of wyhash: eight bytes and one multiplication at a time; the
 * last eight may have been seen already. */
uint64_t pl__hash(const char *bytes, size_t length, uint64_t seed) {
  uint64_t hash = seed ^ (length * UINT64_C(0x9e3779b97f4a7c15));
  uint64_t tail;
  if (length < 8) {
    tail = read_short(bytes, length);
  } else {
    const char *last = bytes + length - 8;
    for (; bytes < last; bytes += 8)
      hash = mix(hash ^ read64(bytes), UINT64_C(0xa0761d6478bd642f));
    tail = read64(last);
  }
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

static bool stays(unsigned char byte) {
  return byte > 0x20 && byte < 0x7f &&
         strchr("\"#%<>?[\\]^`{|}~", byte) == NULL;
}

size_t pl__encode_byte(char plain, char code[3]) {
  static const char digits[] = "0123456789ABCDEF";
  unsigned char byte = (unsigned char)plain;
  code[0] = plain;
  if (stays(byte)) return 1;
  code[0] = '%';
  code[1] = digits[byte >> 4];
  code[2] = digits[byte & 15];
  return 3;
}

/* Letters, digits and what else most paths are made of. */
static bool is_plain(char byte) {
  unsigned char letter = (unsigned char)((byte | 0x20) - 'a');
  return letter < 26 || (byte >= '-' && byte <= '9') || byte == '_' ||
         byte == '@';
}

size_t pl__plain_run(const char *text, size_t length) {
  size_t run = 0;
  while (run < length && is_plain(text[run]))
    run++;
  return run;
}

void pl__text_encode_path(struct pl__text *out, const char *path,
                          size_t length) {
  for (size_t i = 0; i < length;) {
    size_t run = pl__plain_run(path + i, length - i);
    pl__text_add(out, path + i, run);
    i += run;
    if (i == length) break;
    char code[3];
    pl__text_add(out, code, pl__encode_byte(path[i++], code));
  }
}

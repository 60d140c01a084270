/* SPDX-License-Identifier: MIT */
/*
 * text.c: growing texts, arenas, and what is done to paths as texts.
 *
 * Invariant: bytes[length] is NUL whenever bytes is not NULL.
 */
#include "text.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 * 1024 * 1024, MANY_PAGES = 256 * 1024 };

/* Many pages are asked for at once: they are about to be filled, and a page
 * fault for each takes longer than to fill it. Where the kernel cannot do that,
 * huge pages do; where it can, these are no faster, and at times far slower to
 * get. */
static void *large(size_t size) {
  bool huge = size >= HUGE_PAGE;
  size_t unit = huge ? HUGE_PAGE : 4096;
  size_t whole = (size + unit - 1) & ~(unit - 1);
  void *block = aligned_alloc(unit, whole);
  if (block == NULL) return NULL;
#ifdef MADV_POPULATE_WRITE
  if (madvise(block, whole, MADV_POPULATE_WRITE) == 0) return block;
#endif
#ifdef MADV_HUGEPAGE
  if (huge) (void)madvise(block, whole, MADV_HUGEPAGE);
#endif
  return block;
}

static void *plain_resize(void *self, void *block, size_t size) {
  (void)self;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (block == NULL && size >= MANY_PAGES && size < SIZE_MAX - HUGE_PAGE)
    return large(size);
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

void *pl__arena_more(struct pl__arena *arena, size_t size) {
  if (size > SIZE_MAX / 4) return NULL;
  size = (size + 7) & ~(size_t)7;
  struct pl__block *block = arena->blocks;
  size_t usual = next_block(arena);
  size_t whole = size > usual / 4 ? HEADER + size : usual;
  struct pl__block *fresh =
      arena->memory->resize(arena->memory->self, NULL, whole);
  if (fresh == NULL) return NULL;
  arena->bytes += whole;
  fresh->size = whole;
  fresh->used = HEADER + size;
  /* A block for one large thing leaves the open one in front. */
  if (block != NULL && whole != usual) {
    fresh->next = block->next;
    block->next = fresh;
  } else {
    fresh->next = block;
    arena->blocks = fresh;
  }
  return (char *)fresh + HEADER;
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

/* In the manner of wyhash: sixteen bytes and one multiplication at a time; the
 * last sixteen may have been seen already. */
uint64_t pl__hash(const char *bytes, size_t length, uint64_t seed) {
  uint64_t hash = seed ^ (length * UINT64_C(0x9e3779b97f4a7c15));
  uint64_t first, last = 0;
  if (length < 8) {
    first = read_short(bytes, length);
  } else if (length <= 16) {
    first = read64(bytes);
    last = read64(bytes + length - 8);
  } else {
    const char *tail = bytes + length - 16;
    for (; bytes < tail; bytes += 16)
      hash = mix(read64(bytes) ^ UINT64_C(0xa0761d6478bd642f),
                 read64(bytes + 8) ^ hash);
    first = read64(tail);
    last = read64(tail + 8);
  }
  hash = mix(first ^ UINT64_C(0xe7037ed1a0b428db), last ^ hash);
  return hash ^ hash >> 32;
}

size_t pl__common(const char *a, size_t a_length, const char *b,
                  size_t b_length) {
  size_t most = a_length < b_length ? a_length : b_length, at = 0;
  while (most - at >= 8 && read64(a + at) == read64(b + at))
    at += 8;
  while (at < most && a[at] == b[at])
    at++;
  return at;
}

/* ------------------------------------------------------------------------ */

/* The length of a normalised text without its last name. */
static size_t without_name(const char *bytes, size_t length) {
  while (length > 0 && bytes[length - 1] != '/')
    length--;
  return length > 0 ? length - 1 : 0;
}

/* Whether names stand between single slashes, none at the end, and none of them
 * begins with a dot. */
static bool is_plain_path(const char *path, size_t length) {
  for (const char *end = path + length;; path++) {
    if (path == end || *path == '.' || *path == '/') return false;
    path = memchr(path, '/', (size_t)(end - path));
    if (path == NULL) return true;
  }
}

/* Writes without asking for room each time: there is room for all of it. */
void pl__text_resolve(struct pl__text *out, const char *path, size_t length) {
  if (length > 0 && path[0] == '/') out->length = 0;
  if (!grow(out, length + 2)) return;
  char *bytes = out->bytes;
  size_t at = out->length, i = 0;
  if (at == 1) at = 0; /* the root: every name brings its slash */
  /* "./", "../" and "/" in front, and the rest as it is: most there are. */
  while (length - i >= 2 && path[i] == '.') {
    if (path[i + 1] == '/') {
      i += 2;
    } else if (length - i >= 3 && path[i + 1] == '.' && path[i + 2] == '/') {
      at = without_name(bytes, at);
      i += 3;
    } else {
      break;
    }
  }
  if (i < length && path[i] == '/') i++;
  if (is_plain_path(path + i, length - i)) {
    bytes[at++] = '/';
    memcpy(bytes + at, path + i, length - i);
    at += length - i;
    i = length;
  }
  for (; i < length; i++) {
    size_t start = i;
    while (i < length && path[i] != '/')
      i++;
    size_t size = i - start;
    const char *name = path + start;
    if (size == 0 || (size == 1 && name[0] == '.')) continue;
    if (size == 2 && name[0] == '.' && name[1] == '.') {
      at = without_name(bytes, at);
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

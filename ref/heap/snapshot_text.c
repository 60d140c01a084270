/* SPDX-License-Identifier: MIT */
/*
 * snapshot_text.c: rows of numbers in pieces; names, each once.
 *
 * Invariant: no piece is longer than PIECE, and only the last one is shorter
 * than PIECE - LONGEST.
 */
#include "snapshot_text.h"

enum { PIECE = 65536, LONGEST = 192 };

bool pl__prose_start(struct pl__prose *text, struct pl__heap *heap,
                     pl_snapshot_fn *write, void *self) {
  *text = (struct pl__prose){.heap = heap, .write = write, .self = self};
  text->bytes = pl__heap_resize(heap, NULL, 0, PIECE);
  return text->bytes != NULL;
}

void pl__prose_free(struct pl__prose *text) {
  if (text->bytes != NULL) pl__heap_resize(text->heap, text->bytes, PIECE, 0);
}

static void flush(struct pl__prose *text) {
  if (text->error == 0 && text->length > 0)
    text->error = text->write(text->self, text->bytes, text->length);
  text->total += text->length;
  text->length = 0;
}

/* Room for LONGEST bytes. */
static char *room(struct pl__prose *text) {
  if (PIECE - text->length < LONGEST) flush(text);
  return text->bytes + text->length;
}

int pl__prose_end(struct pl__prose *text) {
  flush(text);
  return text->error;
}

void pl__prose_add(struct pl__prose *text, const char *chars) {
  for (size_t left = strlen(chars); left > 0;) {
    size_t part = left < LONGEST ? left : LONGEST;
    memcpy(room(text), chars, part);
    text->length += part;
    chars += part;
    left -= part;
  }
}

static char *put_number(char *at, uint64_t number) {
  char digits[20];
  size_t count = 0;
  do
    digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  while (count > 0)
    *at++ = digits[--count];
  return at;
}

void pl__prose_number(struct pl__prose *text, uint64_t number) {
  char *at = room(text);
  text->length += (size_t)(put_number(at, number) - at);
}

void pl__prose_begin_rows(struct pl__prose *text) {
  text->first = true;
}

void pl__prose_row(struct pl__prose *text, const uint64_t *numbers,
                   size_t count) {
  char *start = room(text), *at = start;
  if (!text->first) *at++ = ',';
  text->first = false;
  for (size_t i = 0; i < count; i++) {
    if (i > 0) *at++ = ',';
    at = put_number(at, numbers[i]);
  }
  *at++ = '\n';
  text->length += (size_t)(at - start);
}

/* ---------------------------------------------------------------------- */
/* Strings                                                                */

/* The next character of UTF-8; U+FFFD for a byte that begins none. */
static uint32_t next_character(const unsigned char **from) {
  const unsigned char *at = *from;
  uint32_t first = *at, value = first;
  int more = first < 0x80   ? 0
             : first < 0xc2 ? -1
             : first < 0xe0 ? 1
             : first < 0xf0 ? 2
             : first < 0xf5 ? 3
                            : -1;
  ++*from;
  if (more > 0) value = first & (0x3fu >> more);
  for (int i = 1; i <= more; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0xfffd;
    value = value << 6 | (at[i] & 0x3fu);
  }
  bool shorter = (more == 2 && value < 0x800) || (more == 3 && value < 0x10000);
  bool none = value > 0x10ffff || (value >= 0xd800 && value < 0xe000);
  if (more < 0 || shorter || none) return 0xfffd;
  *from += more;
  return value;
}

static char *put_unit(char *at, uint32_t unit) {
  static const char digits[] = "0123456789abcdef";
  *at++ = '\\';
  *at++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4)
    *at++ = digits[unit >> shift & 15];
  return at;
}

void pl__prose_string(struct pl__prose *text, const char *chars) {
  const unsigned char *from = (const unsigned char *)chars;
  pl__prose_add(text, "\"");
  while (*from != 0) {
    uint32_t value = next_character(&from);
    char *start = room(text), *at = start;
    if (value == '"' || value == '\\') {
      *at++ = '\\';
      *at++ = (char)value;
    } else if (value >= 0x20 && value < 0x7f) {
      *at++ = (char)value;
    } else if (value < 0x10000) {
      at = put_unit(at, value);
    } else {
      at = put_unit(at, 0xd7c0 + (value >> 10));
      at = put_unit(at, 0xdc00 + (value & 0x3ff));
    }
    text->length += (size_t)(at - start);
  }
  pl__prose_add(text, "\"");
}

/* ---------------------------------------------------------------------- */
/* Names                                                                  */

static const char *const fixed[PL__LABEL_KIND] = {
    [PL__LABEL_EMPTY] = "",
    [PL__LABEL_ROOTS] = "(GC roots)",
    [PL__LABEL_BYTES] = "system / JSArrayBufferData",
    [PL__LABEL_STORE] = "backing_store",
    [PL__LABEL_VALUE] = "value of a weak key",
    [PL__LABEL_WEAK] = "weak"};

/* Where a text stands in the table, or would. */
static uint32_t *place_of(const struct pl__labels *names, const char *text) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (const char *at = text; *at != 0; at++)
    hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
  size_t mask = names->capacity - 1;
  size_t i = (size_t)(hash ^ hash >> 32) & mask;
  while (names->table[i] != 0 &&
         strcmp(names->texts[names->table[i] - 1], text) != 0)
    i = (i + 1) & mask;
  return &names->table[i];
}

static uint32_t name_add(struct pl__labels *names, const char *text) {
  if (text == NULL) text = "";
  uint32_t *place = place_of(names, text);
  if (*place == 0) {
    names->texts[names->count++] = text;
    *place = (uint32_t)names->count;
  }
  return *place - 1;
}

uint64_t pl__label_of_slot(const struct pl__labels *names, const char *name) {
  return *place_of(names, name) - 1;
}

static size_t most_names(const struct pl__heap *heap, size_t kinds) {
  size_t most = PL__LABEL_KIND + kinds + heap->type_count;
  for (size_t i = 0; i < heap->type_count; i++)
    most += heap->types[i].name_count;
  return most;
}

bool pl__labels_start(struct pl__labels *names, struct pl__heap *heap,
                      const char *const *kinds, size_t kind_count) {
  *names = (struct pl__labels){.type_count = heap->type_count, .capacity = 64};
  while (names->capacity < 2 * most_names(heap, kind_count))
    names->capacity *= 2;
  size_t table = names->capacity * sizeof *names->table;
  names->texts = pl__heap_resize(heap, NULL, 0,
                                 names->capacity / 2 * sizeof *names->texts);
  names->table = pl__heap_resize(heap, NULL, 0, table);
  names->types =
      pl__heap_resize(heap, NULL, 0, names->type_count * sizeof *names->types);
  if (names->texts == NULL || names->table == NULL || names->types == NULL)
    return false;
  memset(names->table, 0, table);
  for (size_t i = 0; i < PL__LABEL_KIND; i++)
    name_add(names, fixed[i]);
  for (size_t i = 0; i < kind_count; i++)
    name_add(names, kinds[i]);
  for (size_t i = 0; i < heap->type_count; i++) {
    const struct pl__type *type = &heap->types[i];
    names->types[i] = name_add(names, type->name);
    for (size_t j = 0; j < type->name_count; j++)
      name_add(names, type->slot_names[j]);
  }
  return true;
}

void pl__labels_free(struct pl__labels *names, struct pl__heap *heap) {
  if (names->texts != NULL)
    pl__heap_resize(heap, names->texts,
                    names->capacity / 2 * sizeof *names->texts, 0);
  if (names->table != NULL)
    pl__heap_resize(heap, names->table, names->capacity * sizeof *names->table,
                    0);
  if (names->types != NULL)
    pl__heap_resize(heap, names->types,
                    names->type_count * sizeof *names->types, 0);
}

void pl__labels_write(const struct pl__labels *names, struct pl__prose *text) {
  for (size_t i = 0; i < names->count; i++) {
    if (i > 0) pl__prose_add(text, ",\n");
    pl__prose_string(text, names->texts[i]);
  }
}

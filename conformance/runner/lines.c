/* SPDX-License-Identifier: MIT */
/* Cuts a stream into lines; keeps the tail of another. */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { CHUNK = 64 * 1024, KEEP = 1024 * 1024 };

/* Moves what is left to the front, and gives back what a long line took. */
static void compact(struct pl_lines *lines) {
  if (lines->start == 0) return;
  size_t left = lines->end - lines->start;
  if (left > 0) memmove(lines->bytes, lines->bytes + lines->start, left);
  lines->scanned -= lines->start;
  lines->start = 0;
  lines->end = left;
  if (lines->room > KEEP && left < CHUNK) {
    lines->bytes = pl_mem_grow(lines->bytes, CHUNK * 2);
    lines->room = CHUNK * 2;
  }
}

char *pl_lines_room(struct pl_lines *lines, size_t *size) {
  compact(lines);
  if (lines->room - lines->end <= CHUNK) {
    size_t room = lines->room > 0 ? lines->room * 2 : CHUNK * 2;
    lines->bytes = pl_mem_grow(lines->bytes, room);
    lines->room = room;
  }
  *size = lines->room - lines->end - 1; /* one for the terminator */
  return lines->bytes + lines->end;
}

static char *newline(struct pl_lines *lines) {
  size_t fresh = lines->end - lines->scanned;
  char *found =
      fresh > 0 ? memchr(lines->bytes + lines->scanned, '\n', fresh) : NULL;
  lines->scanned = found != NULL ? (size_t)(found - lines->bytes) : lines->end;
  if (lines->scanned - lines->start > PL_LINE_MAX) lines->too_long = true;
  return found;
}

void pl_lines_filled(struct pl_lines *lines, size_t count) {
  lines->end += count;
  newline(lines);
}

bool pl_lines_ready(struct pl_lines *lines) {
  return !lines->too_long && newline(lines) != NULL && !lines->too_long;
}

char *pl_lines_next(struct pl_lines *lines, size_t *length) {
  if (!pl_lines_ready(lines)) return NULL;
  char *line = lines->bytes + lines->start;
  *length = lines->scanned - lines->start;
  line[*length] = '\0';
  if (*length > 0 && line[*length - 1] == '\r') line[--*length] = '\0';
  lines->start = ++lines->scanned;
  return line;
}

char *pl_lines_rest(struct pl_lines *lines, size_t *length) {
  static char nothing[1];
  *length = lines->end - lines->start;
  if (lines->bytes == NULL) return nothing;
  lines->bytes[lines->end] = '\0';
  return lines->bytes + lines->start;
}

void pl_lines_free(struct pl_lines *lines) {
  free(lines->bytes);
  *lines = (struct pl_lines){0};
}

void pl_tail_add(struct pl_tail *tail, const char *bytes, size_t count) {
  for (size_t i = count > PL_TAIL_MAX ? count - PL_TAIL_MAX : 0; i < count; i++)
    tail->bytes[(tail->total + i) % PL_TAIL_MAX] = bytes[i];
  tail->total += count;
}

char *pl_tail_text(const struct pl_tail *tail) {
  size_t length = tail->total < PL_TAIL_MAX ? tail->total : PL_TAIL_MAX;
  if (length == 0) return NULL;
  char straight[PL_TAIL_MAX];
  size_t start = tail->total - length;
  for (size_t i = 0; i < length; i++)
    straight[i] = tail->bytes[(start + i) % PL_TAIL_MAX];
  return pl_text_clean(straight, length);
}

/* Returns the length of the UTF-8 sequence at `at`, 0 when it is none. */
static size_t sequence(const unsigned char *at, size_t left) {
  unsigned char lead = at[0];
  size_t length = lead < 0x80   ? 1
                  : lead < 0xC2 ? 0
                  : lead < 0xE0 ? 2
                  : lead < 0xF0 ? 3
                  : lead < 0xF5 ? 4
                                : 0;
  if (length > left) return 0;
  for (size_t i = 1; i < length; i++)
    if ((at[i] & 0xC0) != 0x80) return 0;
  if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F) ||
      (lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F))
    return 0;
  return length;
}

char *pl_text_clean(const char *bytes, size_t length) {
  struct pl_text text = {0};
  const unsigned char *at = (const unsigned char *)bytes;
  pl_text_add(&text, "", 0);
  for (size_t i = 0; i < length;) {
    size_t size = sequence(at + i, length - i);
    bool control = at[i] < 0x20 && at[i] != '\n' && at[i] != '\t';
    if (size == 0 || control || at[i] == 0x7F) {
      pl_text_add(&text, "?", 1);
      i++;
    } else {
      pl_text_add(&text, bytes + i, size);
      i += size;
    }
  }
  return text.bytes;
}

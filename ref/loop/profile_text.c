/* SPDX-License-Identifier: MIT */
/*
 * profile_text.c: JSON text, buffered, escaped.
 *
 * Invariant: the buffer is never full between two calls.
 */
#include "profile_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REPLACEMENT = 0xfffd };

static void flush(struct pl__text *text) {
  if (text->error == 0 && text->used != 0)
    text->error = text->sink->write(text->sink->self, text->buffer, text->used);
  text->used = 0;
}

static void put(struct pl__text *text, char byte) {
  text->buffer[text->used++] = byte;
  if (text->used == sizeof text->buffer) flush(text);
}

void pl__text_raw(struct pl__text *text, const char *raw) {
  for (; *raw != '\0'; raw++)
    put(text, *raw);
}

void pl__text_number(struct pl__text *text, int64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRId64, number);
  pl__text_raw(text, digits);
}

static void put_unit(struct pl__text *text, unsigned unit) {
  char escape[8];
  snprintf(escape, sizeof escape, "\\u%04x", unit & 0xffffu);
  pl__text_raw(text, escape);
}

static void put_character(struct pl__text *text, unsigned code) {
  if (code == '"' || code == '\\') {
    put(text, '\\');
    put(text, (char)code);
  } else if (code >= 0x20 && code < 0x7f) {
    put(text, (char)code);
  } else if (code < 0x10000) {
    put_unit(text, code);
  } else { /* a surrogate pair */
    put_unit(text, 0xd800 + ((code - 0x10000) >> 10));
    put_unit(text, 0xdc00 + ((code - 0x10000) & 0x3ff));
  }
}

/* Decodes one character of UTF-8; *length is 1 for a byte that is none. */
static unsigned decode(const unsigned char *bytes, int *length) {
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  *length = 1;
  if (bytes[0] < 0x80) return bytes[0];
  int size = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
  if (bytes[0] < 0xc2 || bytes[0] > 0xf4) return REPLACEMENT;
  unsigned code = bytes[0] & (0x7fu >> size);
  for (int i = 1; i < size; i++) {
    if ((bytes[i] & 0xc0) != 0x80) return REPLACEMENT; /* also the end */
    code = code << 6 | (bytes[i] & 0x3fu);
  }
  if (code < least[size] || code > 0x10ffff ||
      (code >= 0xd800 && code < 0xe000))
    return REPLACEMENT;
  *length = size;
  return code;
}

void pl__text_string(struct pl__text *text, const char *string) {
  const unsigned char *bytes = (const unsigned char *)string;
  put(text, '"');
  while (*bytes != '\0') {
    int length;
    put_character(text, decode(bytes, &length));
    bytes += length;
  }
  put(text, '"');
}

int pl__text_end(struct pl__text *text) {
  flush(text);
  return text->error;
}

/* SPDX-License-Identifier: MIT */
/*
 * text.c: growing bytes and JSON strings.
 *
 * Invariant: once an allocation failed nothing more is added and `failed`
 * stays set until text_clear().
 */
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool text_reserve(struct text *text, size_t more) {
  if (text->failed) return false;
  if (text->capacity - text->length >= more) return true;
  size_t capacity = text->capacity ? text->capacity : 512;
  while (capacity - text->length < more) {
    if (capacity > SIZE_MAX / 2) {
      text->failed = true;
      return false;
    }
    capacity *= 2;
  }
  char *bytes = realloc(text->bytes, capacity);
  if (!bytes) {
    text->failed = true;
    return false;
  }
  text->bytes = bytes;
  text->capacity = capacity;
  return true;
}

void text_add(struct text *text, const char *bytes, size_t length) {
  if (length == 0 || !text_reserve(text, length)) return;
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
}

void text_add_string(struct text *text, const char *string) {
  text_add(text, string, strlen(string));
}

void text_addf(struct text *text, const char *format, ...) {
  char buffer[512];
  va_list list;
  va_start(list, format);
  int length = vsnprintf(buffer, sizeof buffer, format, list);
  va_end(list);
  if (length < 0) return;
  size_t fits =
      (size_t)length < sizeof buffer ? (size_t)length : sizeof buffer - 1;
  text_add(text, buffer, fits);
}

static void text_add_escape(struct text *text, unsigned char c) {
  switch (c) {
  case '"':
    text_add(text, "\\\"", 2);
    break;
  case '\\':
    text_add(text, "\\\\", 2);
    break;
  case '\n':
    text_add(text, "\\n", 2);
    break;
  default:
    text_addf(text, "\\u%04x", c);
  }
}

void text_add_json(struct text *text, const char *string) {
  text_add(text, "\"", 1);
  const char *plain = string;
  for (const char *at = string; *at; at++) {
    unsigned char c = (unsigned char)*at;
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    text_add(text, plain, (size_t)(at - plain));
    text_add_escape(text, c);
    plain = at + 1;
  }
  text_add_string(text, plain);
  text_add(text, "\"", 1);
}

void text_clear(struct text *text) {
  text->length = 0;
  text->failed = false;
}

void text_free(struct text *text) {
  free(text->bytes);
  *text = (struct text){0};
}

int text_write(const struct text *text, int fd) {
  size_t done = 0;
  while (done < text->length) {
    ssize_t n = write(fd, text->bytes + done, text->length - done);
    if (n >= 0)
      done += (size_t)n;
    else if (errno != EINTR)
      return -errno;
  }
  return 0;
}

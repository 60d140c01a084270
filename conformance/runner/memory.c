/* SPDX-License-Identifier: MIT */
/* Memory that is either there or ends the process with one message. */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*failure_hook)(void); /* the one global: set once, at start */

void pl_mem_on_failure(void (*hook)(void)) {
  failure_hook = hook;
}

static void give_up(void) {
  static const char words[] = "conform: out of memory\n";
  if (failure_hook != NULL) failure_hook();
  if (write(STDERR_FILENO, words, sizeof words - 1) < 0) _exit(2);
  _exit(2);
}

void *pl_mem_need(void *block) {
  if (block == NULL) give_up();
  return block;
}

void *pl_mem_alloc(size_t size) {
  return pl_mem_need(calloc(1, size > 0 ? size : 1));
}

void *pl_mem_grow(void *old, size_t size) {
  return pl_mem_need(realloc(old, size > 0 ? size : 1));
}

char *pl_mem_copy(const char *text) {
  return pl_mem_need(strdup(text));
}

char *pl_mem_format(const char *format, ...) {
  struct pl_text text = {0};
  va_list arguments;
  va_start(arguments, format);
  pl_text_format_list(&text, format, arguments);
  va_end(arguments);
  return text.bytes;
}

static void make_room(struct pl_text *text, size_t more) {
  if (text->room - text->length > more) return;
  size_t room = text->room > 0 ? text->room : 64;
  while (room - text->length <= more)
    room *= 2;
  text->bytes = pl_mem_grow(text->bytes, room);
  text->room = room;
}

void pl_text_add(struct pl_text *text, const char *bytes, size_t length) {
  make_room(text, length);
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = '\0';
}

void pl_text_say(struct pl_text *text, const char *words) {
  pl_text_add(text, words, strlen(words));
}

void pl_text_format_list(struct pl_text *text, const char *format,
                         va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length < 0) give_up();
  make_room(text, (size_t)length);
  vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
  text->length += (size_t)length;
}

void pl_text_format(struct pl_text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  pl_text_format_list(text, format, arguments);
  va_end(arguments);
}

void pl_text_free(struct pl_text *text) {
  free(text->bytes);
  *text = (struct pl_text){0};
}

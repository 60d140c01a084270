/* SPDX-License-Identifier: MIT */
/*
 * text.h: a growing run of bytes, for traces and answers.
 *
 * Running out of memory is remembered in `failed`, so that a writer checks
 * once, at its end.
 */
#ifndef HOST_TEXT_H
#define HOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
  char *bytes; /* not terminated by a NUL */
  size_t length, capacity;
  bool failed;
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_add_string(struct text *text, const char *string);
/* Adds `string`, which is UTF-8, as a JSON string with its quotes. */
void text_add_json(struct text *text, const char *string);
/* Adds at most a few hundred characters, formatted. */
void text_addf(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Forgets the content and keeps the memory. */
void text_clear(struct text *text);
void text_free(struct text *text);
/* Writes the content to `fd` with one write(2) unless it is interrupted or
 * cut short. 0 or -errno. */
int text_write(const struct text *text, int fd);

#endif

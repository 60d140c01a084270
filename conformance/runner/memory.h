/* SPDX-License-Identifier: MIT */
/*
 * Memory and growing text for a program that cannot go on without them.
 *
 * Invariant: nothing here returns NULL; when memory ends, the hook runs (it
 * kills what the judge has started) and the process ends with status 2.
 */
#ifndef PL_RUNNER_MEMORY_H
#define PL_RUNNER_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

/* Gives `size` zeroed bytes, free with free(). */
void *pl_mem_alloc(size_t size);

/* Resizes a block of pl_mem_alloc (or NULL) to `size` bytes; the new part is
 * not zeroed. Takes `old`, gives the block. */
void *pl_mem_grow(void *old, size_t size);

/* Gives a copy of `text`, free with free(). */
char *pl_mem_copy(const char *text);

/* Gives formatted text, free with free(). */
char *pl_mem_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Gives `text`, which may be NULL, back unless memory has ended; for what
 * other libraries allocate. */
void *pl_mem_need(void *block);

/* Names what must be done before the process gives up. */
void pl_mem_on_failure(void (*hook)(void));

/* Text that grows at its end; always terminated once something was added. */
struct pl_text {
  char *bytes;
  size_t length;
  size_t room;
};

void pl_text_add(struct pl_text *text, const char *bytes, size_t length);
void pl_text_say(struct pl_text *text, const char *words);
void pl_text_format(struct pl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void pl_text_format_list(struct pl_text *text, const char *format,
                         va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Empties the text and releases its memory. */
void pl_text_free(struct pl_text *text);

#endif

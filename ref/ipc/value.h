/* SPDX-License-Identifier: MIT */
/*
 * value.h: how values become bytes and bytes become values.
 *
 * Invariant: whatever is nested, walking it needs no C stack: an open container
 * remembers where its walk stands (`at`) and what it lies in (`up`).
 */
#ifndef PLUMB_IPC_VALUE_H
#define PLUMB_IPC_VALUE_H

#include "../loop/internal.h"
#include "plumb/value.h"

/* Makes room behind the end for so many bytes: their place, or NULL. */
char *pl__bytes_room_slow(struct pl__bytes *bytes, size_t size);
static inline char *pl__bytes_room(struct pl__bytes *bytes, size_t size) {
  return bytes->capacity - bytes->length >= size && bytes->data != NULL
             ? bytes->data + bytes->length
             : pl__bytes_room_slow(bytes, size);
}
void pl__bytes_add(struct pl__bytes *bytes, const void *data, size_t size);
void pl__bytes_free(struct pl__bytes *bytes);

/*
 * Appends a value as JSON.stringify() writes it. 0; PL_EINVAL: a BigInt, a
 * cycle, or `undefined` itself; PL_ENOMEM. On failure nothing is appended.
 */
int pl__json_put(struct pl__bytes *out, struct pl_value *value);

/* Why a text is no JSON, and at which of its bytes. */
struct pl__json_fault {
  const char *what;
  size_t at;
};

/*
 * Reads a text as JSON.parse() does. Strings lie in `text` where they can.
 * 0, PL_EBADMSG (*fault says why) or PL_ENOMEM.
 */
int pl__json_get(struct pl_values *values, const char *text, size_t length,
                 struct pl_value **out, struct pl__json_fault *fault);

/* The same for the value that a text begins with, and the blanks around it:
 * *taken bytes. Why it fails is not told. */
int pl__json_get_first(struct pl_values *values, const char *text,
                       size_t length, struct pl_value **out, size_t *taken);

/* How long the UTF-8 sequence at `text` is; 0: it is none, and *bad bytes of it
 * become one U+FFFD, as decoders of the WHATWG do it. */
size_t pl__utf8_sequence(const char *text, const char *end, size_t *bad);

/* A number as JavaScript writes it. `text` has room for 32 bytes. */
size_t pl__number_put(char *text, double number);
/* A number of JSON, checked before. NaN when memory ran out. */
double pl__number_get(struct pl_values *values, const char *text,
                      size_t length);

/*
 * The same for V8's ValueSerializer, as Node's advanced serialisation uses it:
 * without the length that stands before each message.
 */
int pl__clone_put(struct pl__bytes *out, struct pl_value *value);
int pl__clone_get(struct pl_values *values, const char *data, size_t length,
                  struct pl_value **out, struct pl__json_fault *fault);

#endif

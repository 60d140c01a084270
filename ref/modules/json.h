/* SPDX-License-Identifier: MIT */
/*
 * json.h: JSON read as JSON.parse() reads it, into a tree, with its errors.
 *
 * jansson is not used here: a package.json of an installed tree (700 of them,
 * 1.4 KB on average) took it 22.7 us, this reader 4.8 and package.c's lazy way
 * 3.5, which is more than all else that a cold resolution costs; it keeps no
 * order of keys given twice, which decides; and errors need V8's words.
 *
 * Invariant: reading needs no stack that grows with the text's nesting.
 */
#ifndef PLUMB_MODULES_JSON_H
#define PLUMB_MODULES_JSON_H

#include "text.h"

enum pl__json_type {
  PL__JSON_NULL,
  PL__JSON_TRUE,
  PL__JSON_FALSE,
  PL__JSON_NUMBER, /* text: as written */
  PL__JSON_STRING, /* text: unescaped, WTF-8 */
  PL__JSON_ARRAY,
  PL__JSON_OBJECT
};

struct pl__value {
  uint8_t type;
  uint32_t key_length;
  size_t length;   /* of text; of an array or object: how many are inside */
  const char *key; /* in an object */
  const char *text;
  struct pl__value *first, *next; /* inside it; behind it, in its container */
};

/* Where and how it broke: V8's words. */
struct pl__json_error {
  const char *what;  /* "Unexpected end of JSON input"; NULL: a token */
  const char *later; /* V8's since 12, where it is another; or NULL */
  size_t at;         /* byte */
};

/*
 * Reads a text into `arena`, which must not have gone when the tree is used.
 * 0, PL_ENOMEM, or PL_EINVAL: *error says where.
 */
int pl__json_read(struct pl__arena *arena,
                  const struct pl_module_memory *memory, const char *text,
                  size_t length, const struct pl__value **root,
                  struct pl__json_error *error);

/* Appends the message of V8's SyntaxError; `later`: as since V8 12. */
void pl__json_message(struct pl__text *out, const char *text, size_t length,
                      const struct pl__json_error *error, bool later);

/* Unescapes what stands between the quotes of a string. False: bad escape (or,
 * when `strict`, half a surrogate pair), which ends at *at. */
bool pl__json_unescape(struct pl__text *out, const char *text, size_t length,
                       bool strict, size_t *at, const char **what);

/* Appends a value as JSON.stringify() does. */
void pl__json_write_string(struct pl__text *out, const char *text,
                           size_t length);
void pl__json_write(struct pl__text *out, const struct pl__value *value);

/* Whether the bytes are UTF-8. */
bool pl__utf8(const char *bytes, size_t length);

#endif

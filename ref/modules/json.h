/* SPDX-License-Identifier: MIT */
/*
 * json.h: JSON read as JSON.parse() reads it, into a tree, with its errors.
 *
 * jansson is not used here: for exports and imports the order of keys and the
 * first place of a key given twice decide; only three members of a
 * package.json matter, and skipping the others costs a tenth of building them
 * (3.1 against 31 us for a package.json of 4 KiB); and an error needs Node's
 * words and position.
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
  const char *what; /* "Unexpected end of JSON input"; NULL: a token */
  size_t at;        /* byte */
};

/*
 * Reads a text into `arena`, which must not have gone when the tree is used.
 * 0, PL_ENOMEM, or PL_EINVAL: *error says where.
 */
int pl__json_read(struct pl__arena *arena,
                  const struct pl_module_memory *memory, const char *text,
                  size_t length, const struct pl__value **root,
                  struct pl__json_error *error);

/* Appends the message of V8's SyntaxError; `lines`: as since V8 12. */
void pl__json_message(struct pl__text *out, const char *text, size_t length,
                      const struct pl__json_error *error, bool lines);

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

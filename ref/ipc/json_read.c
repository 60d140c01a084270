/* SPDX-License-Identifier: MIT */
/*
 * json_read.c: JSON text becomes values.
 *
 * Invariants:
 *  - The text is borrowed: a string without escapes, all of valid UTF-8, lies
 *    in it; any other one is written into the values' memory.
 *  - The container that is open is `in`; what it lies in is its `up`.
 *  - What JSON.parse() refuses is refused. Of a key given twice the last value
 *    counts, at the place of the first.
 *
 * modules/json.c is not shared: it tells V8's words for each fault and copies
 * every string, where a channel needs the values of many short lines, of types
 * that JSON lacks, and one word for a fault.
 */
#include "value.h"

#include <stdlib.h>
#include <string.h>

struct json_reader {
  struct pl_values *values;
  const char *at, *end;
  const char *fault;
  bool first; /* something else may stand behind the value */
};

static int json_fail(struct json_reader *reader, const char *what) {
  reader->fault = reader->at >= reader->end ? "it ends too early" : what;
  return PL_EBADMSG;
}

static void skip_blank(struct json_reader *reader) {
  while (reader->at < reader->end &&
         (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r' ||
          *reader->at == '\n'))
    reader->at++;
}

static char here(const struct json_reader *reader) {
  return reader->at < reader->end ? *reader->at : '\0';
}

/* ---------------------------------------------------------------------- */
/* Strings                                                                */

#define PL__ONES UINT64_C(0x0101010101010101)
#define PL__HIGHS UINT64_C(0x8080808080808080)

/* Marks the bytes of a word that are not plain: control characters, quotes,
 * backslashes and all that is not ASCII. */
static uint64_t special_bytes(uint64_t word) {
  uint64_t quote = word ^ (PL__ONES * '"'), slash = word ^ (PL__ONES * '\\');
  return (((quote - PL__ONES) & ~quote) | ((slash - PL__ONES) & ~slash) |
          ((word - PL__ONES * 0x20) & ~word) | word) &
         PL__HIGHS;
}

/* The first byte that is not plain, at most `end`. */
static const char *skip_plain(const char *at, const char *end) {
  uint64_t word;
  while (end - at >= 8) {
    memcpy(&word, at, 8);
    uint64_t special = special_bytes(word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* A borrow marks bytes behind a special one: the first one is exact. */
    if (special != 0) return at + (__builtin_ctzll(special) >> 3);
#else
    if (special != 0) break;
#endif
    at += 8;
  }
  while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 &&
         *at != '"' && *at != '\\')
    at++;
  return at;
}

size_t pl__utf8_sequence(const char *text, const char *end, size_t *bad) {
  const unsigned char *p = (const void *)text;
  size_t left = (size_t)(end - text);
  unsigned low = 0x80, high = 0xbf;
  size_t length = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
                  : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                  : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                : 0;
  *bad = 1;
  if (length == 0) return 0;
  if (p[0] == 0xe0) low = 0xa0;
  if (p[0] == 0xed) high = 0x9f;
  if (p[0] == 0xf0) low = 0x90;
  if (p[0] == 0xf4) high = 0x8f;
  for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf) {
    *bad = i;
    if (i >= left || p[i] < low || p[i] > high) return 0;
  }
  return length;
}

static size_t put_code_point(char *out, unsigned code) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = length; i-- > 1; code >>= 6)
    out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)(lead[length] | code);
  return length;
}

/* Four hexadecimal digits, or -1. */
static int four_digits(const char *at, const char *end) {
  if (end - at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = at[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* The escape behind a backslash. */
static int read_escape(struct json_reader *reader, char **out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  char byte = here(reader);
  const char *known = byte == '\0' ? NULL : strchr(from, byte);
  if (known != NULL) {
    *(*out)++ = to[known - from];
    reader->at++;
    return 0;
  }
  int code = byte == 'u' ? four_digits(reader->at + 1, reader->end) : -1;
  if (code < 0) return json_fail(reader, "bad escape");
  reader->at += 5;
  if (code >= 0xd800 && code < 0xdc00 && reader->end - reader->at >= 6 &&
      reader->at[0] == '\\' && reader->at[1] == 'u') {
    int low = four_digits(reader->at + 2, reader->end);
    if (low >= 0xdc00 && low < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      reader->at += 6;
    }
  }
  *out += put_code_point(*out, (unsigned)code);
  return 0;
}

/* The quote that ends a string, or NULL. */
static const char *closing_quote(const char *at, const char *end) {
  for (;; at++) {
    at = skip_plain(at, end);
    if (at >= end || *at == '"') return at < end ? at : NULL;
    if (*at == '\\' && ++at >= end) return NULL;
  }
}

/* A string that does not lie in the text as it is, from `start` on. */
static int read_odd_string(struct json_reader *reader, const char *start,
                           struct pl_value *value) {
  const char *quote = closing_quote(reader->at, reader->end);
  if (quote == NULL) {
    reader->at = reader->end;
    return json_fail(reader, NULL);
  }
  /* A byte that is no UTF-8 becomes three; an escape becomes shorter. */
  char *copy = pl_values_take(reader->values, (size_t)(quote - start) * 3 + 1);
  if (copy == NULL) return PL_ENOMEM;
  char *out = copy;
  const char *plain = start;
  for (;;) {
    size_t length = (size_t)(reader->at - plain);
    memcpy(out, plain, length);
    out += length;
    if (reader->at >= quote) break;
    if (*reader->at == '\\') {
      reader->at++;
      int error = read_escape(reader, &out);
      if (error != 0) return error;
    } else if ((unsigned char)*reader->at >= 0x80) {
      size_t bad, good = pl__utf8_sequence(reader->at, quote, &bad);
      memcpy(out, good != 0 ? reader->at : "\xef\xbf\xbd",
             good != 0 ? good : 3);
      out += good != 0 ? good : 3;
      reader->at += good != 0 ? good : bad;
    } else {
      return json_fail(reader, "control character in a string");
    }
    plain = reader->at;
    reader->at = skip_plain(reader->at, quote);
  }
  *out = '\0';
  value->bytes = copy;
  value->length = (size_t)(out - copy);
  reader->at = quote + 1;
  return 0;
}

/* Behind the opening quote. */
static int read_string(struct json_reader *reader, struct pl_value *value) {
  const char *start = reader->at;
  size_t bad, good = 1;
  value->type = PL_VALUE_STRING;
  do {
    reader->at = skip_plain(reader->at, reader->end);
    if (reader->at >= reader->end) return json_fail(reader, NULL);
    if ((unsigned char)*reader->at < 0x80) break;
    good = pl__utf8_sequence(reader->at, reader->end, &bad);
    reader->at += good;
  } while (good != 0);
  if (good == 0 || *reader->at != '"')
    return read_odd_string(reader, start, value);
  value->bytes = start;
  value->length = (size_t)(reader->at++ - start);
  return 0;
}

/* ---------------------------------------------------------------------- */
/* Other scalars                                                          */

static const char *skip_digits(const char *at, const char *end) {
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  return at;
}

static int read_number(struct json_reader *reader, struct pl_value *value) {
  const char *start = reader->at, *end = reader->end;
  const char *digits = start + (*start == '-');
  const char *at = skip_digits(digits, end);
  value->type = PL_VALUE_NUMBER;
  bool plain = true;
  if (at == digits || (*digits == '0' && at - digits > 1)) goto bad;
  if (at < end && *at == '.') {
    const char *fraction = at + 1;
    at = skip_digits(fraction, end);
    plain = false;
    if (at == fraction) goto bad;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    const char *power = at + 1;
    if (power < end && (*power == '+' || *power == '-')) power++;
    at = skip_digits(power, end);
    plain = false;
    if (at == power) goto bad;
  }
  reader->at = at;
  if (plain && at - digits <= 15) {
    int64_t whole = 0;
    for (const char *d = digits; d < at; d++)
      whole = whole * 10 + (*d - '0');
    value->number = digits == start ? (double)whole : -(double)whole;
  } else {
    value->number = pl__number_get(reader->values, start, (size_t)(at - start));
  }
  return 0;

bad:
  reader->at = at;
  return json_fail(reader, "bad number");
}

static int read_word(struct json_reader *reader, struct pl_value *value,
                     const char *word, enum pl_value_type type) {
  for (; *word != '\0'; word++, reader->at++)
    if (here(reader) != *word) return json_fail(reader, "unexpected byte");
  value->type = (uint8_t)type;
  return 0;
}

/* ---------------------------------------------------------------------- */
/* Containers                                                             */

static int by_key(const void *left, const void *right) {
  const struct pl_entry *a = *(struct pl_entry *const *)left;
  const struct pl_entry *b = *(struct pl_entry *const *)right;
  size_t least =
      a->key->length < b->key->length ? a->key->length : b->key->length;
  int order = least == 0 ? 0 : memcmp(a->key->bytes, b->key->bytes, least);
  if (order != 0) return order;
  if (a->key->length != b->key->length)
    return a->key->length < b->key->length ? -1 : 1;
  return a->key->id < b->key->id ? -1 : 1;
}

static bool same_key(const struct pl_entry *a, const struct pl_entry *b) {
  return a->key->length == b->key->length &&
         (a->key->length == 0 ||
          memcmp(a->key->bytes, b->key->bytes, a->key->length) == 0);
}

/* Takes out the entries whose `key->walk` is set. */
static void drop_marked(struct pl_value *object) {
  struct pl_entry **link = &object->first;
  object->last = NULL;
  while (*link != NULL) {
    struct pl_entry *entry = *link;
    if (entry->key->walk != 0) {
      *link = entry->next;
      object->length--;
    } else {
      object->last = entry;
      link = &entry->next;
    }
  }
}

/* Of equal keys the first entry stays and gets the last one's value. */
static int merge_many(struct json_reader *reader, struct pl_value *object) {
  size_t count = object->length, kept = 0;
  struct pl_entry **all = pl_values_take(reader->values, count * sizeof *all);
  if (all == NULL) return PL_ENOMEM;
  for (struct pl_entry *e = object->first; e != NULL; e = e->next) {
    e->key->id = (uint32_t)kept;
    all[kept++] = e;
  }
  qsort(all, count, sizeof(struct pl_entry *), by_key);
  bool found = false;
  for (size_t i = 1, first = 0; i < count; i++) {
    if (!same_key(all[i], all[first])) {
      first = i;
      continue;
    }
    all[first]->value = all[i]->value;
    all[i]->key->walk = 1;
    found = true;
  }
  if (found) drop_marked(object);
  return 0;
}

static int merge_keys(struct json_reader *reader, struct pl_value *object) {
  if (object->length < 2) return 0;
  if (object->length > 16) return merge_many(reader, object);
  bool found = false;
  for (struct pl_entry *a = object->first; a != NULL; a = a->next)
    for (struct pl_entry *b = a->next; a->key->walk == 0 && b != NULL;
         b = b->next)
      if (b->key->walk == 0 && same_key(a, b)) {
        a->value = b->value;
        b->key->walk = 1;
        found = true;
      }
  if (found) drop_marked(object);
  return 0;
}

/* A key and its colon. */
static int read_key(struct json_reader *reader, struct pl_value **out) {
  if (here(reader) != '"') return json_fail(reader, "no name of a property");
  reader->at++;
  struct pl_value *key = pl_value_plain(reader->values, PL_VALUE_STRING);
  if (key == NULL) return PL_ENOMEM;
  int error = read_string(reader, key);
  if (error != 0) return error;
  skip_blank(reader);
  if (here(reader) != ':') return json_fail(reader, "no colon behind a name");
  reader->at++;
  skip_blank(reader);
  *out = key;
  return 0;
}

static int read_scalar(struct json_reader *reader, struct pl_value *value) {
  switch (here(reader)) {
  case '"':
    reader->at++;
    return read_string(reader, value);
  case '{':
    reader->at++;
    value->type = PL_VALUE_OBJECT;
    return 0;
  case '[':
    reader->at++;
    value->type = PL_VALUE_ARRAY;
    return 0;
  case 't':
    return read_word(reader, value, "true", PL_VALUE_TRUE);
  case 'f':
    return read_word(reader, value, "false", PL_VALUE_FALSE);
  case 'n':
    return read_word(reader, value, "null", PL_VALUE_NULL);
  default:
    break;
  }
  if (here(reader) == '-' || (here(reader) >= '0' && here(reader) <= '9'))
    return read_number(reader, value);
  return json_fail(reader, "unexpected byte");
}

/* One value, into the container `in` when there is one. */
static int read_value(struct json_reader *reader, struct pl_value *in,
                      struct pl_value **out) {
  struct pl_value *key = NULL;
  if (in != NULL && in->type == PL_VALUE_OBJECT) {
    int error = read_key(reader, &key);
    if (error != 0) return error;
  }
  struct pl_value *value = pl_value_plain(reader->values, PL_VALUE_NULL);
  if (value == NULL) return PL_ENOMEM;
  int error = read_scalar(reader, value);
  if (error != 0) return error;
  value->up = in;
  if (in != NULL) pl_value_put(reader->values, in, key, value);
  *out = value;
  return reader->values->failed ? PL_ENOMEM : 0;
}

/* What stands behind a value: closes containers. *in: the one that is open,
 * NULL when the text is through. */
static int read_behind(struct json_reader *reader, struct pl_value **in,
                       bool opened) {
  for (;; opened = false) {
    skip_blank(reader);
    if (*in == NULL)
      return reader->first || reader->at == reader->end
                 ? 0
                 : json_fail(reader, "something behind the value");
    bool object = (*in)->type == PL_VALUE_OBJECT;
    if (here(reader) == (object ? '}' : ']')) {
      reader->at++;
      if (object) {
        int error = merge_keys(reader, *in);
        if (error != 0) return error;
      }
      *in = (*in)->up;
      continue;
    }
    if (opened) return 0;
    if (here(reader) != ',') return json_fail(reader, "no comma");
    reader->at++;
    skip_blank(reader);
    return 0;
  }
}

/* A value and the blanks around it. */
static int read_root(struct json_reader *reader, struct pl_value **out) {
  struct pl_value *root = NULL, *in = NULL, *value;
  int error;
  skip_blank(reader);
  do {
    error = read_value(reader, in, &value);
    if (error != 0) return error;
    if (root == NULL) root = value;
    bool opens =
        value->type == PL_VALUE_OBJECT || value->type == PL_VALUE_ARRAY;
    if (opens) in = value;
    error = read_behind(reader, &in, opens);
  } while (error == 0 && in != NULL);
  if (error == 0) *out = root;
  return error;
}

int pl__json_get(struct pl_values *values, const char *text, size_t length,
                 struct pl_value **out, struct pl__json_fault *fault) {
  struct json_reader reader = {values, text, text + length, NULL, false};
  int error = read_root(&reader, out);
  if (error == PL_EBADMSG)
    *fault = (struct pl__json_fault){reader.fault, (size_t)(reader.at - text)};
  return error;
}

int pl__json_get_first(struct pl_values *values, const char *text,
                       size_t length, struct pl_value **out, size_t *taken) {
  struct json_reader reader = {values, text, text + length, NULL, true};
  int error = read_root(&reader, out);
  if (error == 0) *taken = (size_t)(reader.at - text);
  return error;
}

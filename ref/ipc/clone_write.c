/* SPDX-License-Identifier: MIT */
/*
 * clone_write.c: values become what V8's ValueSerializer writes, version 15, in
 * the way of Node's child processes (a Buffer is a host object).
 *
 *   ff 0f                 version
 *   _ 0 T F               undefined, null, true, false
 *   I zigzag, N double    numbers
 *   Z sign+length digits  BigInt, whole words of 64 bits
 *   " length latin1       strings; c length utf16, on an even address
 *   D double              Date
 *   o key value... { n    object; A n items $ 0 n  array
 *   ; k v... : 2n         Map; ' items , n         Set
 *   \ 0 kind length bytes a view of bytes, kind 1: Uint8Array, 10: Buffer
 *   ^ id                  something that was begun before
 *
 * Invariant: a value that got an id has PL__CLONED in `walk` until the end of
 * the call; `marked` is the list of those.
 *
 * Source: V8, src/objects/value-serializer.cc (the tags); Node,
 * lib/internal/child_process/serialization.js; bytes seen on the wire.
 */
#include "value.h"

#include <math.h>
#include <string.h>

enum { PL__CLONED = 1, PL__KEYED = 2 };

struct clone_writer {
  struct pl__bytes *out;
  struct pl__bytes marked; /* pointers to values */
  size_t start;            /* where the version stands: for alignment */
  uint32_t next_id;
};

static void put_byte(struct pl__bytes *out, int byte) {
  char *room = pl__bytes_room(out, 1);
  if (room == NULL) return;
  *room = (char)byte;
  out->length++;
}

static size_t varint_size(uint64_t number) {
  size_t size = 1;
  for (; number >= 0x80; number >>= 7)
    size++;
  return size;
}

static void put_varint(struct pl__bytes *out, uint64_t number) {
  for (; number >= 0x80; number >>= 7)
    put_byte(out, (int)(number & 0x7f) | 0x80);
  put_byte(out, (int)number);
}

static void put_double(struct pl__bytes *out, double number) {
  pl__bytes_add(out, &number, sizeof number);
}

static void put_number(struct pl__bytes *out, double number) {
  bool whole = number >= INT32_MIN && number <= INT32_MAX &&
               number == (double)(int32_t)number &&
               !(number == 0 && signbit(number));
  if (!whole) {
    put_byte(out, 'N');
    put_double(out, number);
    return;
  }
  int32_t small = (int32_t)number;
  put_byte(out, 'I');
  put_varint(out, ((uint32_t)small << 1) ^ (uint32_t)(small >> 31));
}

static void put_bigint(struct pl__bytes *out, const struct pl_value *value) {
  size_t length = (value->length + 7) / 8 * 8;
  put_byte(out, 'Z');
  put_varint(out, length << 1 | (value->negative && value->length > 0));
  pl__bytes_add(out, value->bytes, value->length);
  pl__bytes_add(out, "\0\0\0\0\0\0\0", length - value->length);
}

/* ---------------------------------------------------------------------- */
/* Strings                                                                */

/* The next code point of WTF-8. */
static unsigned next_code(const unsigned char **at) {
  const unsigned char *p = *at;
  if (p[0] < 0x80) {
    *at += 1;
    return p[0];
  }
  if (p[0] < 0xe0) {
    *at += 2;
    return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
  }
  if (p[0] < 0xf0) {
    *at += 3;
    return (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
  }
  *at += 4;
  return (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 |
         (p[3] & 0x3fu);
}

/* Whether no sequence of WTF-8 runs over the end: what a caller hands in is
 * not trusted that far. */
static bool is_whole(const unsigned char *at, const unsigned char *end) {
  while (at < end) {
    size_t size = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    if (size > (size_t)(end - at)) return false;
    at += size;
  }
  return true;
}

static void put_unit(struct pl__bytes *out, unsigned unit) {
  put_byte(out, (int)(unit & 0xff));
  put_byte(out, (int)(unit >> 8));
}

static int put_string(struct clone_writer *writer, const char *text,
                      size_t length) {
  const unsigned char *begin = (const void *)text, *end = begin + length;
  struct pl__bytes *out = writer->out;
  size_t units = 0;
  unsigned highest = 0;
  if (!is_whole(begin, end)) return PL_EINVAL;
  for (const unsigned char *at = begin; at < end; units++) {
    unsigned code = next_code(&at);
    if (code > highest) highest = code;
    if (code >= 0x10000) units++;
  }
  if (highest <= 0xff) {
    put_byte(out, '"');
    put_varint(out, units);
    for (const unsigned char *at = begin; at < end;)
      put_byte(out, (int)next_code(&at));
    return 0;
  }
  if ((out->length - writer->start + 1 + varint_size(units * 2)) % 2 != 0)
    put_byte(out, 0);
  put_byte(out, 'c');
  put_varint(out, units * 2);
  for (const unsigned char *at = begin; at < end;) {
    unsigned code = next_code(&at);
    if (code >= 0x10000) {
      put_unit(out, 0xd800 + ((code - 0x10000) >> 10));
      code = 0xdc00 + ((code - 0x10000) & 0x3ff);
    }
    put_unit(out, code);
  }
  return 0;
}

/* Names that are array indices are numbers in V8. */
static int put_name(struct clone_writer *writer, const struct pl_value *key) {
  uint64_t index = 0;
  bool number = key->length > 0 && key->length <= 10 &&
                (key->bytes[0] != '0' || key->length == 1);
  for (size_t i = 0; number && i < key->length; i++) {
    number = key->bytes[i] >= '0' && key->bytes[i] <= '9';
    index = index * 10 + (uint64_t)(key->bytes[i] - '0');
  }
  if (!number || index >= UINT32_MAX)
    return put_string(writer, key->bytes, key->length);
  put_number(writer->out, (double)index);
  return 0;
}

/* ---------------------------------------------------------------------- */
/* The walk                                                               */

static bool clone_opens(const struct pl_value *value) {
  return value->type >= PL_VALUE_ARRAY;
}

/* The begin of what has an id. */
static void put_object(struct clone_writer *writer, struct pl_value *value) {
  struct pl__bytes *out = writer->out;
  value->walk = PL__CLONED;
  value->id = writer->next_id++;
  pl__bytes_add(&writer->marked, &value, sizeof(struct pl_value *));
  switch ((enum pl_value_type)value->type) {
  case PL_VALUE_DATE:
    put_byte(out, 'D');
    put_double(out, value->number);
    break;
  case PL_VALUE_BYTES:
    pl__bytes_add(out, value->view == PL_VIEW_UINT8 ? "\\\0\1" : "\\\0\012", 3);
    put_varint(out, value->length);
    pl__bytes_add(out, value->bytes, value->length);
    break;
  case PL_VALUE_ARRAY:
    put_byte(out, 'A');
    put_varint(out, value->length);
    break;
  case PL_VALUE_OBJECT:
    put_byte(out, 'o');
    break;
  case PL_VALUE_MAP:
    put_byte(out, ';');
    break;
  default:
    put_byte(out, '\'');
    break;
  }
}

static void put_end(struct pl__bytes *out, const struct pl_value *value) {
  switch ((enum pl_value_type)value->type) {
  case PL_VALUE_ARRAY:
    put_byte(out, '$');
    put_varint(out, 0);
    put_varint(out, value->length);
    break;
  case PL_VALUE_OBJECT:
    put_byte(out, '{');
    put_varint(out, value->length);
    break;
  case PL_VALUE_MAP:
    put_byte(out, ':');
    put_varint(out, value->length * 2);
    break;
  default:
    put_byte(out, ',');
    put_varint(out, value->length);
    break;
  }
}

/* Writes a value, or the begin of one: *in is then the one that is open. */
static int put_any(struct clone_writer *writer, struct pl_value *value,
                   struct pl_value **in) {
  struct pl__bytes *out = writer->out;
  static const char plain[] = {'_', '0', 'F', 'T'};
  if (value->type <= PL_VALUE_TRUE) {
    put_byte(out, plain[value->type]);
  } else if (value->type == PL_VALUE_NUMBER) {
    put_number(out, value->number);
  } else if (value->type == PL_VALUE_BIGINT) {
    put_bigint(out, value);
  } else if (value->type == PL_VALUE_STRING) {
    return put_string(writer, value->bytes, value->length);
  } else if (value->walk & PL__CLONED) {
    put_byte(out, '^');
    put_varint(out, value->id);
  } else {
    put_object(writer, value);
    if (clone_opens(value)) {
      value->up = *in;
      value->at = value->first;
      *in = value;
    }
  }
  return 0;
}

/* One step within the container that is open. */
static int put_next(struct clone_writer *writer, struct pl_value **in) {
  struct pl_value *open = *in;
  struct pl_entry *entry = open->at;
  if (entry == NULL) {
    put_end(writer->out, open);
    *in = open->up;
    return 0;
  }
  if (entry->key != NULL && !(open->walk & PL__KEYED)) {
    open->walk |= PL__KEYED;
    return open->type == PL_VALUE_OBJECT ? put_name(writer, entry->key)
                                         : put_any(writer, entry->key, in);
  }
  open->walk &= (uint8_t)~PL__KEYED;
  open->at = entry->next;
  return put_any(writer, entry->value, in);
}

int pl__clone_put(struct pl__bytes *out, struct pl_value *value) {
  struct clone_writer writer = {.out = out,
                                .marked = {.allocator = out->allocator},
                                .start = out->length};
  struct pl_value *in = NULL;
  pl__bytes_add(out, "\xff\x0f", 2);
  int error = put_any(&writer, value, &in);
  while (in != NULL && error == 0 && !out->failed && !writer.marked.failed)
    error = put_next(&writer, &in);
  size_t count = writer.marked.length / sizeof(struct pl_value *);
  for (size_t i = 0; i < count; i++) {
    struct pl_value *marked;
    memcpy(&marked, writer.marked.data + i * sizeof marked, sizeof marked);
    marked->walk = 0;
  }
  /* What could not be noted was begun last. */
  if (writer.marked.failed) {
    for (; in != NULL; in = in->up)
      in->walk = 0;
    value->walk = 0;
  }
  if (out->failed || writer.marked.failed) error = PL_ENOMEM;
  pl__bytes_free(&writer.marked);
  if (error != 0) {
    out->length = writer.start;
    out->failed = false;
  }
  return error;
}

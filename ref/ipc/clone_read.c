/* SPDX-License-Identifier: MIT */
/*
 * clone_read.c: what V8's ValueSerializer has written becomes values. The
 * format stands in clone_write.c.
 *
 * Invariants:
 *  - What is open is a chain of frames in the values' memory.
 *  - objects[id] is what got that id, also while it is open: so a reference may
 *    lead to what it lies in.
 *  - No count in the message is believed: memory is taken as bytes are read.
 *
 * Version 16, which Deno writes, has the same for all values that are read
 * here. What has no value of ours (RegExp, Error, views that are no host
 * objects) is refused; wrappers (Boolean, Number, String, BigInt objects)
 * become what they wrap; holes become undefined, properties of arrays are left
 * out.
 */
#include "value.h"

#include <math.h>
#include <string.h>

enum { HOST_VIEW = 0, HOST_OBJECT = 1, VIEW_UINT8 = 1, MOST_HOLES = 1 << 20 };

/* What is open, and what it still expects. */
struct clone_frame {
  struct clone_frame *up;
  struct pl_value *value; /* NULL: a host object's one value */
  struct pl_value *key;   /* has been read, its value comes */
  size_t id;
  uint64_t items; /* of a dense array */
  uint64_t length;
  bool sparse;
};

struct clone_reader {
  struct pl_values *values;
  const unsigned char *begin, *at, *end;
  const char *fault;
  struct pl_value **objects;
  size_t count, capacity;
  struct clone_frame *in;
};

static int clone_fail(struct clone_reader *reader, const char *what) {
  reader->fault = what;
  return PL_EBADMSG;
}

static int too_short(struct clone_reader *reader) {
  return clone_fail(reader, "it ends too early");
}

/* ---------------------------------------------------------------------- */
/* Parts                                                                  */

static int get_varint(struct clone_reader *reader, uint64_t *out) {
  uint64_t number = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (reader->at >= reader->end) return too_short(reader);
    unsigned char byte = *reader->at++;
    number |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) {
      *out = number;
      return 0;
    }
  }
  return clone_fail(reader, "a number that is too long");
}

static int get_bytes(struct clone_reader *reader, uint64_t length,
                     const char **out) {
  if (length > (uint64_t)(reader->end - reader->at)) return too_short(reader);
  *out = (const char *)reader->at;
  reader->at += length;
  return 0;
}

static int get_double(struct clone_reader *reader, double *out) {
  const char *bytes;
  int error = get_bytes(reader, sizeof *out, &bytes);
  if (error == 0) memcpy(out, bytes, sizeof *out);
  return error;
}

static char *put_utf8(char *out, unsigned code) {
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xc0 | code >> 6);
    *out++ = (char)(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *out++ = (char)(0xe0 | code >> 12);
    *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    *out++ = (char)(0x80 | (code & 0x3f));
  } else {
    *out++ = (char)(0xf0 | code >> 18);
    *out++ = (char)(0x80 | (code >> 12 & 0x3f));
    *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    *out++ = (char)(0x80 | (code & 0x3f));
  }
  return out;
}

static unsigned unit_at(const unsigned char *at) {
  return at[0] | (unsigned)at[1] << 8;
}

/* Strings of old versions: what is no UTF-8 becomes U+FFFD. */
static int get_utf8(struct clone_reader *reader, const char *bytes,
                    size_t length, struct pl_value **out) {
  char *text = pl_values_take(reader->values, length * 3 + 1), *end = text;
  if (text == NULL) return PL_ENOMEM;
  const char *last = bytes + length;
  while (bytes < last) {
    size_t bad, good = pl__utf8_sequence(bytes, last, &bad);
    if ((unsigned char)*bytes < 0x80) good = 1;
    memcpy(end, good != 0 ? bytes : "\xef\xbf\xbd", good != 0 ? good : 3);
    end += good != 0 ? good : 3;
    bytes += good != 0 ? good : bad;
  }
  *end = '\0';
  *out = pl_value_borrowed(reader->values, PL_VALUE_STRING, text,
                           (size_t)(end - text));
  return *out == NULL ? PL_ENOMEM : 0;
}

/* Strings of one ('"') or two bytes ('c') a unit, and old ones ('S'). */
static int get_string(struct clone_reader *reader, int tag,
                      struct pl_value **out) {
  uint64_t length;
  const char *bytes;
  if (tag != '"' && tag != 'c' && tag != 'S')
    return clone_fail(reader, "a string of no kind");
  int error = get_varint(reader, &length);
  if (error == 0) error = get_bytes(reader, length, &bytes);
  if (error != 0) return error;
  if (tag == 'S') return get_utf8(reader, bytes, length, out);
  if (tag == 'c' && length % 2 != 0)
    return clone_fail(reader, "half a unit of a string");
  char *text = pl_values_take(reader->values, length * 2 + 1);
  if (text == NULL) return PL_ENOMEM;
  char *end = text;
  const unsigned char *at = (const void *)bytes, *last = at + length;
  while (at < last) {
    unsigned code = tag == '"' ? *at : unit_at(at);
    at += tag == '"' ? 1 : 2;
    if (code >= 0xd800 && code < 0xdc00 && at < last && unit_at(at) >= 0xdc00 &&
        unit_at(at) < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (unit_at(at) - 0xdc00);
      at += 2;
    }
    end = put_utf8(end, code);
  }
  *end = '\0';
  *out = pl_value_borrowed(reader->values, PL_VALUE_STRING, text,
                           (size_t)(end - text));
  return *out == NULL ? PL_ENOMEM : 0;
}

static int get_bigint(struct clone_reader *reader, struct pl_value **out) {
  uint64_t about;
  const char *bytes;
  int error = get_varint(reader, &about);
  if (error == 0) error = get_bytes(reader, about >> 1, &bytes);
  if (error != 0) return error;
  size_t length = (size_t)(about >> 1);
  while (length > 0 && bytes[length - 1] == 0)
    length--;
  *out = pl_value_borrowed(reader->values, PL_VALUE_BIGINT, bytes, length);
  if (*out == NULL) return PL_ENOMEM;
  (*out)->negative = about & 1 && length > 0;
  return 0;
}

static int get_number(struct clone_reader *reader, int tag,
                      struct pl_value **out) {
  double number = 0;
  uint64_t raw = 0;
  int error =
      tag == 'N' ? get_double(reader, &number) : get_varint(reader, &raw);
  if (error != 0) return error;
  if (tag == 'U') number = (double)(uint32_t)raw;
  if (tag == 'I')
    number = (double)(int32_t)((uint32_t)raw >> 1 ^ (0u - ((uint32_t)raw & 1)));
  *out = pl_value_number(reader->values, number);
  return *out == NULL ? PL_ENOMEM : 0;
}

/* ---------------------------------------------------------------------- */
/* What has an id                                                         */

static int take_id(struct clone_reader *reader, struct pl_value *value,
                   size_t *id) {
  if (reader->count == reader->capacity) {
    size_t capacity = reader->capacity == 0 ? 16 : reader->capacity * 2;
    struct pl_value **objects =
        pl_values_take(reader->values, capacity * sizeof *objects);
    if (objects == NULL) return PL_ENOMEM;
    if (reader->count > 0)
      memcpy(objects, reader->objects, reader->count * sizeof *objects);
    reader->objects = objects;
    reader->capacity = capacity;
  }
  *id = reader->count;
  reader->objects[reader->count++] = value;
  return 0;
}

static int open_frame(struct clone_reader *reader, struct pl_value *value,
                      size_t id) {
  struct clone_frame *frame = pl_values_take(reader->values, sizeof *frame);
  if (frame == NULL) return PL_ENOMEM;
  *frame = (struct clone_frame){.up = reader->in, .value = value, .id = id};
  reader->in = frame;
  return 0;
}

static int open_clone(struct clone_reader *reader, enum pl_value_type type) {
  struct pl_value *value = pl_value_plain(reader->values, type);
  size_t id;
  if (value == NULL) return PL_ENOMEM;
  int error = take_id(reader, value, &id);
  return error != 0 ? error : open_frame(reader, value, id);
}

static int open_array(struct clone_reader *reader, bool sparse) {
  uint64_t length;
  int error = get_varint(reader, &length);
  if (error == 0) error = open_clone(reader, PL_VALUE_ARRAY);
  if (error != 0) return error;
  reader->in->items = sparse ? 0 : length;
  reader->in->length = length;
  reader->in->sparse = sparse;
  return 0;
}

/* A view of bytes, or (Node) any other object as one value. */
static int get_host(struct clone_reader *reader, struct pl_value **out) {
  uint64_t kind, view, length;
  const char *bytes;
  size_t id;
  int error = get_varint(reader, &kind);
  if (error != 0) return error;
  if (kind == HOST_OBJECT) {
    error = take_id(reader, NULL, &id);
    return error != 0 ? error : open_frame(reader, NULL, id);
  }
  if (kind != HOST_VIEW) return clone_fail(reader, "an unknown host object");
  error = get_varint(reader, &view);
  if (error == 0) error = get_varint(reader, &length);
  if (error == 0) error = get_bytes(reader, length, &bytes);
  if (error != 0) return error;
  *out = pl_value_borrowed(reader->values, PL_VALUE_BYTES, bytes, length);
  if (*out == NULL) return PL_ENOMEM;
  if (view == VIEW_UINT8) (*out)->view = PL_VIEW_UINT8;
  return take_id(reader, *out, &id);
}

static int get_buffer(struct clone_reader *reader, struct pl_value **out) {
  uint64_t length;
  const char *bytes;
  size_t id;
  int error = get_varint(reader, &length);
  if (error == 0) error = get_bytes(reader, length, &bytes);
  if (error != 0) return error;
  *out = pl_value_borrowed(reader->values, PL_VALUE_BYTES, bytes, length);
  return *out == NULL ? PL_ENOMEM : take_id(reader, *out, &id);
}

static int get_date(struct clone_reader *reader, struct pl_value **out) {
  double ms;
  size_t id;
  int error = get_double(reader, &ms);
  if (error != 0) return error;
  *out = pl_value_date(reader->values, ms);
  return *out == NULL ? PL_ENOMEM : take_id(reader, *out, &id);
}

static int get_reference(struct clone_reader *reader, struct pl_value **out) {
  uint64_t id;
  int error = get_varint(reader, &id);
  if (error != 0) return error;
  if (id >= reader->count || reader->objects[id] == NULL)
    return clone_fail(reader, "a reference to nothing");
  *out = reader->objects[id];
  return 0;
}

/* Boolean, Number, String and BigInt objects. */
static int get_wrapper(struct clone_reader *reader, int tag,
                       struct pl_value **out) {
  size_t id;
  int error = 0;
  if (tag == 'x' || tag == 'y')
    *out = pl_value_bool(reader->values, tag == 'y');
  else if (tag == 'n')
    error = get_number(reader, 'N', out);
  else if (tag == 'z')
    error = get_bigint(reader, out);
  else if (reader->at >= reader->end)
    error = too_short(reader);
  else
    error = get_string(reader, *reader->at++, out);
  if (error != 0) return error;
  return *out == NULL ? PL_ENOMEM : take_id(reader, *out, &id);
}

/* ---------------------------------------------------------------------- */
/* The walk                                                               */

static int get_plain(struct clone_reader *reader, enum pl_value_type type,
                     struct pl_value **out) {
  *out = pl_value_plain(reader->values, type);
  return *out == NULL ? PL_ENOMEM : 0;
}

/* A value (*out), or the begin of one: *out stays NULL. */
static int get_any(struct clone_reader *reader, int tag,
                   struct pl_value **out) {
  switch (tag) {
  case '_':
  case '-':
    return get_plain(reader, PL_VALUE_UNDEFINED, out);
  case '0':
    return get_plain(reader, PL_VALUE_NULL, out);
  case 'F':
    return get_plain(reader, PL_VALUE_FALSE, out);
  case 'T':
    return get_plain(reader, PL_VALUE_TRUE, out);
  case 'I':
  case 'U':
  case 'N':
    return get_number(reader, tag, out);
  case 'Z':
    return get_bigint(reader, out);
  case '"':
  case 'c':
  case 'S':
    return get_string(reader, tag, out);
  case '^':
    return get_reference(reader, out);
  case 'D':
    return get_date(reader, out);
  case 'B':
    return get_buffer(reader, out);
  case '\\':
    return get_host(reader, out);
  case 'x':
  case 'y':
  case 'n':
  case 'z':
  case 's':
    return get_wrapper(reader, tag, out);
  case 'o':
    return open_clone(reader, PL_VALUE_OBJECT);
  case ';':
    return open_clone(reader, PL_VALUE_MAP);
  case '\'':
    return open_clone(reader, PL_VALUE_SET);
  case 'A':
    return open_array(reader, false);
  case 'a':
    return open_array(reader, true);
  default:
    return clone_fail(reader, "a value of an unknown kind");
  }
}

/* The tag that ends what is open, 0: it cannot end here. */
static int end_tag(const struct clone_frame *frame) {
  if (frame->value == NULL || frame->key != NULL || frame->items > 0) return 0;
  switch ((enum pl_value_type)frame->value->type) {
  case PL_VALUE_OBJECT:
    return '{';
  case PL_VALUE_MAP:
    return ':';
  case PL_VALUE_SET:
    return ',';
  default:
    return frame->sparse ? '@' : '$';
  }
}

/* A name of a property as the string that it is. */
static struct pl_value *as_name(struct clone_reader *reader,
                                struct pl_value *key) {
  if (key->type != PL_VALUE_NUMBER) return key;
  char text[32];
  size_t length = pl__number_put(text, key->number);
  return pl_value_text(reader->values, text, length);
}

/* An item of a sparse array, behind as many holes as it takes. */
static int add_sparse(struct clone_reader *reader, struct clone_frame *frame,
                      struct pl_value *value) {
  const struct pl_value *key = frame->key;
  if (key->type != PL_VALUE_NUMBER) return 0; /* a property */
  double index = key->number;
  if (!(index >= (double)frame->value->length && index < MOST_HOLES))
    return clone_fail(reader, "an item out of order");
  /* Without memory it does not grow. */
  while ((double)frame->value->length < index && !reader->values->failed)
    pl_value_push(reader->values, frame->value,
                  pl_value_plain(reader->values, PL_VALUE_UNDEFINED));
  pl_value_push(reader->values, frame->value, value);
  return 0;
}

/* A value of what is open is through. */
static int add_value(struct clone_reader *reader, struct clone_frame *frame,
                     struct pl_value *value) {
  enum pl_value_type type = frame->value->type;
  if (frame->items > 0 || type == PL_VALUE_SET) {
    if (frame->items > 0) frame->items--;
    pl_value_push(reader->values, frame->value, value);
  } else if (frame->key == NULL) {
    bool name =
        value->type == PL_VALUE_STRING || value->type == PL_VALUE_NUMBER;
    if (type != PL_VALUE_MAP && !name)
      return clone_fail(reader, "a name that is none");
    frame->key = value;
  } else {
    if (type == PL_VALUE_MAP) {
      pl_value_put(reader->values, frame->value, frame->key, value);
    } else if (type == PL_VALUE_OBJECT) {
      pl_value_put(reader->values, frame->value, as_name(reader, frame->key),
                   value);
    } else if (frame->sparse) {
      int error = add_sparse(reader, frame, value);
      if (error != 0) return error;
    }
    frame->key = NULL;
  }
  return reader->values->failed ? PL_ENOMEM : 0;
}

/* Behind the tag that ends what is open: its counts. */
static int close_clone(struct clone_reader *reader, struct clone_frame *frame) {
  uint64_t count, length;
  int error = get_varint(reader, &count);
  if (error != 0 || frame->value->type != PL_VALUE_ARRAY) return error;
  error = get_varint(reader, &length);
  if (error != 0) return error;
  if (length != frame->length) return clone_fail(reader, "a wrong length");
  if (!frame->sparse) return 0;
  if (length > MOST_HOLES) return clone_fail(reader, "too many holes");
  while (frame->value->length < length && !reader->values->failed)
    pl_value_push(reader->values, frame->value,
                  pl_value_plain(reader->values, PL_VALUE_UNDEFINED));
  return reader->values->failed ? PL_ENOMEM : 0;
}

/* Reads up to the end of the outermost value. */
static int get_root(struct clone_reader *reader, struct pl_value **root) {
  for (;;) {
    while (reader->at < reader->end && *reader->at == 0)
      reader->at++; /* padding */
    if (reader->at >= reader->end) return too_short(reader);
    int tag = *reader->at++;
    struct clone_frame *frame = reader->in;
    struct pl_value *value = NULL;
    if (frame != NULL && tag == end_tag(frame)) {
      int error = close_clone(reader, frame);
      if (error != 0) return error;
      value = frame->value;
      reader->in = frame->up;
    } else {
      int error = get_any(reader, tag, &value);
      if (error != 0) return error;
    }
    while (value != NULL && reader->in != NULL && reader->in->value == NULL) {
      reader->objects[reader->in->id] = value; /* a host object is through */
      reader->in = reader->in->up;
    }
    if (value == NULL) continue;
    if (reader->in == NULL) {
      *root = value;
      return 0;
    }
    int error = add_value(reader, reader->in, value);
    if (error != 0) return error;
  }
}

int pl__clone_get(struct pl_values *values, const char *data, size_t length,
                  struct pl_value **out, struct pl__json_fault *fault) {
  const unsigned char *begin = (const void *)data;
  struct clone_reader reader = {
      .values = values, .begin = begin, .at = begin, .end = begin + length};
  uint64_t version = 0;
  int error = 0;
  if (length < 2 || begin[0] != 0xff) error = clone_fail(&reader, "no version");
  if (error == 0) {
    reader.at++;
    error = get_varint(&reader, &version);
  }
  if (error == 0 && (version < 13 || version > 16))
    error = clone_fail(&reader, "an unknown version");
  struct pl_value *root = NULL;
  if (error == 0) error = get_root(&reader, &root);
  if (error == 0)
    *out = root;
  else if (error == PL_EBADMSG)
    *fault = (struct pl__json_fault){reader.fault, (size_t)(reader.at - begin)};
  return error;
}

/* SPDX-License-Identifier: MIT */
/*
 * json_write.c: values become JSON text, as JSON.stringify() writes it.
 *
 * Invariant: a container that is open has walk != 0, `at` is the entry whose
 * value is being written, `up` the container around it; so a value that is met
 * while it is open is a cycle. All marks are gone when the text is written or
 * has failed.
 */
#include "value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

char *pl__bytes_room_slow(struct pl__bytes *bytes, size_t size) {
  if (bytes->failed || size > SIZE_MAX / 4 - bytes->length) goto fail;
  size_t capacity = bytes->capacity < 256 ? 256 : bytes->capacity;
  while (capacity - bytes->length < size)
    capacity *= 2;
  char *data = pl__resize(bytes->allocator, bytes->data, capacity);
  if (data == NULL) goto fail;
  bytes->data = data;
  bytes->capacity = capacity;
  return data + bytes->length;

fail:
  bytes->failed = true;
  return NULL;
}

void pl__bytes_add(struct pl__bytes *bytes, const void *data, size_t size) {
  char *room = pl__bytes_room(bytes, size);
  if (room == NULL || size == 0) return;
  memcpy(room, data, size);
  bytes->length += size;
}

void pl__bytes_free(struct pl__bytes *bytes) {
  pl__resize(bytes->allocator, bytes->data, 0);
  bytes->data = NULL;
  bytes->length = bytes->capacity = 0;
  bytes->failed = false;
}

static void add_text(struct pl__bytes *out, const char *text) {
  pl__bytes_add(out, text, strlen(text));
}

static void add_byte(struct pl__bytes *out, char byte) {
  char *room = pl__bytes_room(out, 1);
  if (room == NULL) return;
  *room = byte;
  out->length++;
}

/* ---------------------------------------------------------------------- */
/* Scalars                                                                */

/* Half a surrogate pair, which UTF-8 has not. */
static bool is_surrogate(const unsigned char *at, size_t left) {
  return left >= 3 && at[0] == 0xed && at[1] >= 0xa0;
}

/* One byte, or more of them, that JSON does not take as they are: how many. */
static size_t add_escape(struct pl__bytes *out, const unsigned char *at,
                         size_t left) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  char code[8];
  const char *known = *at == '\0' ? NULL : strchr(from, *at);
  if (known != NULL) {
    add_byte(out, '\\');
    add_byte(out, to[known - from]);
    return 1;
  }
  unsigned unit = *at;
  bool half = is_surrogate(at, left);
  if (half) unit = 0xd000u | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
  snprintf(code, sizeof code, "\\u%04x", unit);
  pl__bytes_add(out, code, 6);
  return half ? 3 : 1;
}

static void add_string(struct pl__bytes *out, const char *text, size_t length) {
  const unsigned char *at = (const void *)text, *end = at + length;
  add_byte(out, '"');
  while (at < end) {
    const unsigned char *plain = at;
    while (at < end && *at >= 0x20 && *at != '"' && *at != '\\' &&
           !is_surrogate(at, (size_t)(end - at)))
      at++;
    pl__bytes_add(out, plain, (size_t)(at - plain));
    if (at < end) at += add_escape(out, at, (size_t)(end - at));
  }
  add_byte(out, '"');
}

static void add_number(struct pl__bytes *out, double number) {
  char *room = pl__bytes_room(out, 32);
  if (room != NULL) out->length += pl__number_put(room, number);
}

/* Days since 1970 as a civil date; Gregorian, also before its time. */
static void civil(int64_t days, int64_t *year, int *month, int *day) {
  int64_t shifted = days + 719468;
  int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  int64_t of_era = shifted - era * 146097;
  int64_t years =
      (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
  int64_t months = (5 * of_year + 2) / 153;
  *day = (int)(of_year - (153 * months + 2) / 5 + 1);
  *month = (int)(months < 10 ? months + 3 : months - 9);
  *year = years + era * 400 + (*month <= 2);
}

/* Date.prototype.toJSON(). */
static void add_date(struct pl__bytes *out, double ms) {
  if (!(fabs(ms) <= 8.64e15)) {
    add_text(out, "null");
    return;
  }
  int64_t time = (int64_t)ms, day_ms = INT64_C(86400000);
  int64_t days = time / day_ms - (time % day_ms < 0);
  int rest = (int)(time - days * day_ms);
  int64_t year;
  int month, day;
  civil(days, &year, &month, &day);
  char text[64];
  const char *form = year >= 0 && year <= 9999 ? "\"%04lld-" : "\"%+07lld-";
  int length = snprintf(text, sizeof text, form, (long long)year);
  length +=
      snprintf(text + length, sizeof text - (size_t)length,
               "%02d-%02dT%02d:%02d:%02d.%03dZ\"", month, day, rest / 3600000,
               rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
  pl__bytes_add(out, text, (size_t)length);
}

/* Buffer.prototype.toJSON(). */
static void add_buffer(struct pl__bytes *out, const struct pl_value *value) {
  add_text(out, "{\"type\":\"Buffer\",\"data\":[");
  for (size_t i = 0; i < value->length; i++) {
    if (i > 0) add_byte(out, ',');
    add_number(out, (unsigned char)value->bytes[i]);
  }
  add_text(out, "]}");
}

/* A view that has no toJSON(): its bytes by their indices. */
static void add_view(struct pl__bytes *out, const struct pl_value *value) {
  add_byte(out, '{');
  for (size_t i = 0; i < value->length; i++) {
    add_text(out, i > 0 ? ",\"" : "\"");
    add_number(out, (double)i);
    add_text(out, "\":");
    add_number(out, (unsigned char)value->bytes[i]);
  }
  add_byte(out, '}');
}

/* What is not a container that is to be walked. */
static int add_scalar(struct pl__bytes *out, const struct pl_value *value) {
  switch ((enum pl_value_type)value->type) {
  case PL_VALUE_UNDEFINED: /* of an array; others were left out */
  case PL_VALUE_NULL:
    add_text(out, "null");
    return 0;
  case PL_VALUE_FALSE:
    add_text(out, "false");
    return 0;
  case PL_VALUE_TRUE:
    add_text(out, "true");
    return 0;
  case PL_VALUE_NUMBER:
    add_number(out, value->number);
    return 0;
  case PL_VALUE_STRING:
    add_string(out, value->bytes, value->length);
    return 0;
  case PL_VALUE_DATE:
    add_date(out, value->number);
    return 0;
  case PL_VALUE_BYTES:
    (value->view == PL_VIEW_BUFFER ? add_buffer : add_view)(out, value);
    return 0;
  case PL_VALUE_MAP:
  case PL_VALUE_SET:
    add_text(out, "{}");
    return 0;
  case PL_VALUE_BIGINT:
  case PL_VALUE_ARRAY:
  case PL_VALUE_OBJECT:
    break;
  }
  return PL_EINVAL;
}

/* ---------------------------------------------------------------------- */
/* The walk                                                               */

static bool is_walked(const struct pl_value *value) {
  return value->type == PL_VALUE_ARRAY || value->type == PL_VALUE_OBJECT;
}

/* Entries that JSON leaves out of objects. */
static struct pl_entry *next_said(const struct pl_value *in,
                                  struct pl_entry *entry) {
  while (entry != NULL && in->type == PL_VALUE_OBJECT &&
         entry->value->type == PL_VALUE_UNDEFINED)
    entry = entry->next;
  return entry;
}

static void open_container(struct pl__bytes *out, struct pl_value *value,
                           struct pl_value *up) {
  value->walk = 1;
  value->up = up;
  value->at = next_said(value, value->first);
  add_byte(out, value->type == PL_VALUE_OBJECT ? '{' : '[');
}

static struct pl_value *close_container(struct pl__bytes *out,
                                        struct pl_value *value) {
  value->walk = 0;
  add_byte(out, value->type == PL_VALUE_OBJECT ? '}' : ']');
  return value->up;
}

int pl__json_put(struct pl__bytes *out, struct pl_value *value) {
  size_t start = out->length;
  struct pl_value *in = NULL;
  int error = value->type == PL_VALUE_UNDEFINED ? PL_EINVAL : 0;
  if (error == 0 && is_walked(value))
    open_container(out, in = value, NULL);
  else if (error == 0)
    error = add_scalar(out, value);
  while (in != NULL && error == 0) {
    struct pl_entry *entry = in->at;
    if (entry == NULL) {
      in = close_container(out, in);
      if (in == NULL) break;
      in->at = next_said(in, in->at->next);
      if (in->at != NULL) add_byte(out, ',');
      continue;
    }
    if (in->type == PL_VALUE_OBJECT) {
      add_string(out, entry->key->bytes, entry->key->length);
      add_byte(out, ':');
    }
    if (!is_walked(entry->value)) {
      error = add_scalar(out, entry->value);
      in->at = next_said(in, entry->next);
      if (in->at != NULL) add_byte(out, ',');
    } else if (entry->value->walk != 0) {
      error = PL_EINVAL;
    } else {
      open_container(out, entry->value, in);
      in = entry->value;
    }
  }
  for (; in != NULL; in = in->up)
    in->walk = 0;
  if (out->failed) error = PL_ENOMEM;
  if (error != 0) {
    out->length = start;
    out->failed = false;
  }
  return error;
}

/* SPDX-License-Identifier: MIT */
/*
 * provider_values.c: between the values of the reference and the suite's text
 * of them (provider_processes.h).
 *
 * Invariant: what is written here is read as the same value here; recursion is
 * as deep as what the suite's own programs hold.
 */
#include "provider_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/value.h"

/* ---- reading ------------------------------------------------------------- */

/* The values around the one that is read. */
struct ref_around {
  const struct ref_around *up;
  struct pl_value *value;
};

/* A number of decimal digits as bytes, the lowest first. */
static struct pl_value *read_bigint(struct pl_values *values,
                                    const struct pl_value *text) {
  bool negative = text->length > 0 && text->bytes[0] == '-';
  unsigned char *bytes = pl_values_take(values, text->length + 1);
  size_t length = 0;
  if (bytes == NULL) return NULL;
  for (size_t i = negative; i < text->length; i++) {
    unsigned carry = (unsigned)(text->bytes[i] - '0');
    if (carry > 9) return NULL;
    for (size_t at = 0; at < length; at++) {
      carry += bytes[at] * 10u;
      bytes[at] = (unsigned char)carry;
      carry >>= 8;
    }
    if (carry > 0) bytes[length++] = (unsigned char)carry;
  }
  struct pl_value *value =
      pl_value_borrowed(values, PL_VALUE_BIGINT, (const char *)bytes, length);
  if (value != NULL) value->negative = negative && length > 0;
  return value;
}

/* Bytes from a text, or from a list of numbers. */
static struct pl_value *read_bytes(struct pl_values *values,
                                   const struct pl_value *from,
                                   enum pl_value_view view) {
  struct pl_value *value = NULL;
  if (from->type == PL_VALUE_STRING) {
    value = pl_value_copy(values, PL_VALUE_BYTES, from->bytes, from->length);
  } else if (from->type == PL_VALUE_ARRAY) {
    char *bytes = pl_values_take(values, from->length + 1), *at = bytes;
    for (const struct pl_entry *e = from->first; e != NULL && bytes != NULL;
         e = e->next)
      *at++ = (char)(unsigned char)pl_value_to_number(e->value, 0);
    value = pl_value_borrowed(values, PL_VALUE_BYTES, bytes, from->length);
  }
  if (value != NULL) value->view = (uint8_t)view;
  return value;
}

static struct pl_value *read_up(const struct ref_around *around,
                                const struct pl_value *levels) {
  double left = pl_value_to_number(levels, 1);
  while (around != NULL && left > 1) {
    around = around->up;
    left--;
  }
  return around != NULL ? around->value : NULL;
}

static struct pl_value *read_any(struct pl_values *values,
                                 struct pl_value *value,
                                 const struct ref_around *up);

/* Map from its pairs, Set from its items. */
static struct pl_value *read_collection(struct pl_values *values,
                                        const struct pl_value *items,
                                        enum pl_value_type type,
                                        const struct ref_around *up) {
  struct pl_value *value = pl_value_plain(values, type);
  const struct ref_around here = {up, value};
  for (const struct pl_entry *e = items->first; e != NULL && value != NULL;
       e = e->next) {
    const struct pl_value *item = e->value;
    if (type == PL_VALUE_SET)
      pl_value_push(values, value, read_any(values, e->value, &here));
    else
      pl_value_put(
          values, value,
          read_any(values, (struct pl_value *)(uintptr_t)pl_value_at(item, 0),
                   &here),
          read_any(values, (struct pl_value *)(uintptr_t)pl_value_at(item, 1),
                   &here));
  }
  return value;
}

/* What an object with the one key `name` stands for; NULL: for nothing. */
static struct pl_value *read_special(struct pl_values *values, const char *name,
                                     size_t length, struct pl_value *of,
                                     const struct ref_around *up) {
  static const char *const names[] = {
      "$undefined", "$nan", "$infinity", "$bigint", "$date", "$buffer",
      "$bytes",     "$map", "$set",      "$up",     "$plain"};
  size_t which = 0, count = sizeof names / sizeof names[0];
  while (which < count && (strlen(names[which]) != length ||
                           memcmp(names[which], name, length) != 0))
    which++;
  switch (which) {
  case 0:
    return pl_value_plain(values, PL_VALUE_UNDEFINED);
  case 1:
    return pl_value_number(values, NAN);
  case 2:
    return pl_value_number(values, pl_value_is(of, "-") ? -INFINITY : INFINITY);
  case 3:
    return read_bigint(values, of);
  case 4:
    return pl_value_date(values, pl_value_to_number(of, NAN));
  case 5:
    return read_bytes(values, of, PL_VIEW_BUFFER);
  case 6:
    return read_bytes(values, of, PL_VIEW_UINT8);
  case 7:
    return read_collection(values, of, PL_VALUE_MAP, up);
  case 8:
    return read_collection(values, of, PL_VALUE_SET, up);
  case 9:
    return read_up(up, of);
  case 10:
    of->walk = 1; /* as it stands: read_any() */
    return read_any(values, of, up);
  default:
    return NULL;
  }
}

static struct pl_value *read_any(struct pl_values *values,
                                 struct pl_value *value,
                                 const struct ref_around *up) {
  if (value == NULL) return NULL;
  bool plain = value->walk != 0;
  value->walk = 0;
  if (value->type == PL_VALUE_OBJECT && value->length == 1 && !plain &&
      value->first->key->length > 0 && value->first->key->bytes[0] == '$')
    return read_special(values, value->first->key->bytes,
                        value->first->key->length, value->first->value, up);
  if (value->type != PL_VALUE_OBJECT && value->type != PL_VALUE_ARRAY)
    return value;
  const struct ref_around here = {up, value};
  for (struct pl_entry *e = value->first; e != NULL; e = e->next) {
    e->value = read_any(values, e->value, &here);
    if (e->value == NULL) return NULL;
  }
  return value;
}

int ref_value_read(struct pl_values *values, const char *json, size_t length,
                   struct pl_value **out) {
  struct pl__json_fault fault;
  struct pl_value *value;
  int error = pl__json_get(values, json, length, &value, &fault);
  if (error != 0) return error;
  value = read_any(values, value, NULL);
  if (values->failed) return PL_ENOMEM;
  if (value == NULL) return PL_EBADMSG;
  *out = value;
  return 0;
}

/* ---- writing ------------------------------------------------------------- */

/* The values around the one that is written. */
struct ref_inside {
  const struct ref_inside *up;
  const struct pl_value *value;
};

static void write_string(FILE *out, const char *bytes, size_t length) {
  size_t plain = 0; /* so many go out as they are: texts are long */
  putc('"', out);
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    fwrite(bytes + plain, 1, i - plain, out);
    fprintf(out, c < 0x20 ? "\\u%04x" : "\\%c", c);
    plain = i + 1;
  }
  fwrite(bytes + plain, 1, length - plain, out);
  putc('"', out);
}

static void write_number(FILE *out, double number) {
  char text[32];
  if (isnan(number))
    fputs("{\"$nan\":true}", out);
  else if (isinf(number))
    fprintf(out, "{\"$infinity\":%s}", number < 0 ? "\"-\"" : "true");
  else
    fwrite(text, 1, pl__number_put(text, number), out);
}

/* The digits of a magnitude, by division: it is short. */
static void write_bigint(FILE *out, const struct pl_value *value) {
  unsigned char *left = malloc(value->length + 1);
  char *digits = malloc(value->length * 3 + 2);
  size_t length = value->length, count = 0;
  if (left == NULL || digits == NULL) goto done;
  if (length > 0) memcpy(left, value->bytes, length);
  do {
    unsigned rest = 0;
    for (size_t i = length; i-- > 0;) {
      unsigned both = rest << 8 | left[i];
      left[i] = (unsigned char)(both / 10);
      rest = both % 10;
    }
    digits[count++] = (char)('0' + rest);
    while (length > 0 && left[length - 1] == 0)
      length--;
  } while (length > 0);
  fputs(value->negative ? "{\"$bigint\":\"-" : "{\"$bigint\":\"", out);
  while (count > 0)
    putc(digits[--count], out);
  fputs("\"}", out);

done:
  free(left);
  free(digits);
}

static void write_bytes(FILE *out, const struct pl_value *value) {
  fputs(value->view == PL_VIEW_UINT8 ? "{\"$bytes\":[" : "{\"$buffer\":[", out);
  for (size_t i = 0; i < value->length; i++)
    fprintf(out, i > 0 ? ",%u" : "%u", (unsigned char)value->bytes[i]);
  fputs("]}", out);
}

static void write_any(FILE *out, const struct pl_value *value,
                      const struct ref_inside *up);

static void write_container(FILE *out, const struct pl_value *value,
                            const struct ref_inside *up) {
  const struct ref_inside here = {up, value};
  enum pl_value_type type = value->type;
  bool plain = type == PL_VALUE_OBJECT && value->length == 1 &&
               value->first->key->length > 0 &&
               value->first->key->bytes[0] == '$';
  fputs(plain                     ? "{\"$plain\":{"
        : type == PL_VALUE_OBJECT ? "{"
        : type == PL_VALUE_MAP    ? "{\"$map\":["
        : type == PL_VALUE_SET    ? "{\"$set\":["
                                  : "[",
        out);
  for (const struct pl_entry *at = value->first; at != NULL; at = at->next) {
    if (at != value->first) putc(',', out);
    if (type == PL_VALUE_OBJECT) {
      write_string(out, at->key->bytes, at->key->length);
      putc(':', out);
    } else if (type == PL_VALUE_MAP) {
      putc('[', out);
      write_any(out, at->key, &here);
      putc(',', out);
    }
    write_any(out, at->value, &here);
    if (type == PL_VALUE_MAP) putc(']', out);
  }
  fputs(plain                                          ? "}}"
        : type == PL_VALUE_OBJECT                      ? "}"
        : type == PL_VALUE_MAP || type == PL_VALUE_SET ? "]}"
                                                       : "]",
        out);
}

static void write_any(FILE *out, const struct pl_value *value,
                      const struct ref_inside *up) {
  int levels = 1;
  for (const struct ref_inside *at = up; at != NULL; at = at->up, levels++)
    if (at->value == value) {
      fprintf(out, "{\"$up\":%d}", levels);
      return;
    }
  switch ((enum pl_value_type)value->type) {
  case PL_VALUE_UNDEFINED:
    fputs("{\"$undefined\":true}", out);
    break;
  case PL_VALUE_NULL:
    fputs("null", out);
    break;
  case PL_VALUE_FALSE:
    fputs("false", out);
    break;
  case PL_VALUE_TRUE:
    fputs("true", out);
    break;
  case PL_VALUE_NUMBER:
    write_number(out, value->number);
    break;
  case PL_VALUE_BIGINT:
    write_bigint(out, value);
    break;
  case PL_VALUE_STRING:
    write_string(out, value->bytes, value->length);
    break;
  case PL_VALUE_DATE:
    fputs("{\"$date\":", out);
    write_number(out, value->number);
    putc('}', out);
    break;
  case PL_VALUE_BYTES:
    write_bytes(out, value);
    break;
  case PL_VALUE_ARRAY:
  case PL_VALUE_OBJECT:
  case PL_VALUE_MAP:
  case PL_VALUE_SET:
    write_container(out, value, up);
    break;
  }
}

char *ref_value_write(const struct pl_value *value, size_t *length) {
  char *text = NULL;
  FILE *out = open_memstream(&text, length);
  if (out == NULL) return NULL;
  write_any(out, value, NULL);
  bool failed = ferror(out) != 0;
  if (fclose(out) == 0 && !failed) return text;
  free(text);
  return NULL;
}

void ref_tell_message(struct pl_message *message, void *arg,
                      void (*call)(void *, const struct pl_channel_text *)) {
  size_t length;
  char *json = ref_value_write(message->value, &length);
  int fd = message->fd_count == 1 ? message->fds[0] : -1;
  if (json == NULL) return;
  call(arg, &(struct pl_channel_text){json, length,
                                      pl_handle_type_name(message->type), &fd});
  if (fd < 0) pl_message_take(message);
  free(json);
}

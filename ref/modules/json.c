/* SPDX-License-Identifier: MIT */
/*
 * json.c: a JSON reader that builds a tree and tells its errors in V8's words.
 *
 * Invariant: containers that are open are chained through a stack of the
 * memory, never through the C stack.
 */
#include "json.h"

#include <stdio.h>

struct reader {
  struct pl__arena *arena;
  const char *text;
  size_t length, at;
  struct pl__text scratch; /* an unescaped string */
  struct pl__text open;    /* the containers that are open: pointers */
  struct pl__json_error *error;
};

static bool is_space(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

static void skip_space(struct reader *reader) {
  while (reader->at < reader->length && is_space(reader->text[reader->at]))
    reader->at++;
}

/* The byte here, or NUL at the end. */
static char peek(const struct reader *reader) {
  return reader->at < reader->length ? reader->text[reader->at] : '\0';
}

static int fail(struct reader *reader, const char *what) {
  bool end = reader->at >= reader->length;
  if (what == NULL && end) what = "Unexpected end of JSON input";
  *reader->error = (struct pl__json_error){.what = what, .at = reader->at};
  return PL_EINVAL;
}

/* ------------------------------------------------------------------------ */

bool pl__utf8(const char *text, size_t length) {
  const unsigned char *p = (const void *)text, *end = p + length;
  while (p < end) {
    uint64_t eight;
    if (end - p >= 8 &&
        (memcpy(&eight, p, 8), (eight & UINT64_C(0x8080808080808080)) == 0)) {
      p += 8;
      continue;
    }
    unsigned char c = *p;
    size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (c >= 0x80 && (c < 0xc2 || c > 0xf4)) return false;
    if ((size_t)(end - p) <= more) return false;
    for (size_t i = 1; i <= more; i++)
      if ((p[i] & 0xc0) != 0x80) return false;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ||
        (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
      return false;
    p += more + 1;
  }
  return true;
}

static int hex(char byte) {
  if (is_digit(byte)) return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

/* Four hexadecimal digits at text[at]; -1: not that. */
static long four(const char *text, size_t length, size_t at, size_t *bad) {
  long value = 0;
  for (size_t i = 0; i < 4; i++) {
    int digit = at + i < length ? hex(text[at + i]) : -1;
    if (digit < 0) {
      *bad = at + i;
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

static void add_code_point(struct pl__text *out, long code) {
  unsigned c = (unsigned)code;
  char bytes[4];
  size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = length; i-- > 1; c >>= 6)
    bytes[i] = (char)(0x80 | (c & 0x3f));
  bytes[0] = (char)(lead[length] | c);
  pl__text_add(out, bytes, length);
}

bool pl__json_unescape(struct pl__text *out, const char *text, size_t length,
                       bool strict, size_t *at, const char **what) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  for (size_t i = 0; i < length;) {
    const char *slash = memchr(text + i, '\\', length - i);
    size_t plain = slash == NULL ? length - i : (size_t)(slash - (text + i));
    pl__text_add(out, text + i, plain);
    i += plain;
    if (i >= length) break;
    char byte = i + 1 < length ? text[i + 1] : '\0';
    const char *known = byte == '\0' ? NULL : strchr(from, byte);
    if (known != NULL) {
      pl__text_byte(out, to[known - from]);
      i += 2;
      continue;
    }
    *at = i + 1;
    *what = "Bad escaped character in JSON";
    if (byte != 'u') return false;
    *what = "Bad Unicode escape in JSON";
    long code = four(text, length, i + 2, at);
    if (code < 0) return false;
    i += 6;
    if (code >= 0xd800 && code < 0xdc00 && i + 1 < length && text[i] == '\\' &&
        text[i + 1] == 'u') {
      size_t unused;
      long low = four(text, length, i + 2, &unused);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
    }
    if (strict && code >= 0xd800 && code < 0xe000) return false;
    add_code_point(out, code);
  }
  return true;
}

/* An escape whose backslash is here: moves to its last byte. */
static int check_escape(struct reader *reader) {
  reader->at++;
  if (reader->at >= reader->length) return fail(reader, NULL);
  char byte = peek(reader);
  if (byte != '\0' && strchr("\"\\/bfnrt", byte) != NULL) return 0;
  if (byte != 'u') return fail(reader, "Bad escaped character in JSON");
  size_t bad;
  if (four(reader->text, reader->length, reader->at + 1, &bad) < 0) {
    reader->at = bad;
    return fail(reader, "Bad Unicode escape in JSON");
  }
  reader->at += 4;
  return 0;
}

/* A string whose opening quote is here. Plain ones stay in the text. */
static int read_string(struct reader *reader, const char **out,
                       size_t *out_length) {
  size_t start = ++reader->at;
  bool escaped = false;
  for (;; reader->at++) {
    if (reader->at >= reader->length)
      return fail(reader, "Unterminated string in JSON");
    unsigned char byte = (unsigned char)reader->text[reader->at];
    if (byte == '"') break;
    if (byte < 0x20)
      return fail(reader, "Bad control character in string literal in JSON");
    if (byte != '\\') continue;
    escaped = true;
    int error = check_escape(reader);
    if (error != 0) return error;
  }
  size_t length = reader->at++ - start;
  const char *text = reader->text + start;
  if (escaped) {
    pl__text_clear(&reader->scratch);
    size_t at;
    const char *what;
    pl__json_unescape(&reader->scratch, text, length, false, &at, &what);
    if (reader->scratch.broken) return PL_ENOMEM;
    text = reader->scratch.bytes == NULL ? "" : reader->scratch.bytes;
    length = reader->scratch.length;
  }
  char *copy = pl__arena_take(reader->arena, length + 1);
  if (copy == NULL) return PL_ENOMEM;
  if (length > 0) memcpy(copy, text, length);
  copy[length] = '\0';
  *out = copy;
  *out_length = length;
  return 0;
}

static int read_number(struct reader *reader) {
  if (peek(reader) == '-') {
    reader->at++;
    if (!is_digit(peek(reader)))
      return fail(reader, "No number after minus sign in JSON");
  }
  if (peek(reader) == '0') {
    reader->at++;
    if (is_digit(peek(reader)))
      return fail(reader, "Unexpected number in JSON");
  }
  while (is_digit(peek(reader)))
    reader->at++;
  if (peek(reader) == '.') {
    reader->at++;
    if (!is_digit(peek(reader)))
      return fail(reader, "Unterminated fractional number in JSON");
    while (is_digit(peek(reader)))
      reader->at++;
  }
  if (peek(reader) == 'e' || peek(reader) == 'E') {
    reader->at++;
    if (peek(reader) == '+' || peek(reader) == '-') reader->at++;
    if (!is_digit(peek(reader)))
      return fail(reader, "Exponent part is missing a number in JSON");
    while (is_digit(peek(reader)))
      reader->at++;
  }
  return 0;
}

static int read_word(struct reader *reader, const char *word) {
  for (; *word != '\0'; word++, reader->at++)
    if (peek(reader) != *word) return fail(reader, NULL);
  return 0;
}

/* Anything but the inside of a container. */
static int read_scalar(struct reader *reader, struct pl__value *value) {
  size_t start = reader->at;
  switch (peek(reader)) {
  case '"':
    value->type = PL__JSON_STRING;
    return read_string(reader, &value->text, &value->length);
  case '{':
    reader->at++;
    value->type = PL__JSON_OBJECT;
    return 0;
  case '[':
    reader->at++;
    value->type = PL__JSON_ARRAY;
    return 0;
  case 't':
    value->type = PL__JSON_TRUE;
    return read_word(reader, "true");
  case 'f':
    value->type = PL__JSON_FALSE;
    return read_word(reader, "false");
  case 'n':
    value->type = PL__JSON_NULL;
    return read_word(reader, "null");
  default:
    break;
  }
  if (peek(reader) != '-' && !is_digit(peek(reader))) return fail(reader, NULL);
  value->type = PL__JSON_NUMBER;
  int error = read_number(reader);
  if (error != 0) return error;
  value->length = reader->at - start;
  char *copy = pl__arena_take(reader->arena, value->length + 1);
  if (copy == NULL) return PL_ENOMEM;
  memcpy(copy, reader->text + start, value->length);
  copy[value->length] = '\0';
  value->text = copy;
  return 0;
}

/* ------------------------------------------------------------------------ */

/* A container that is open, and the last thing in it. */
struct level {
  struct pl__value *container, *last;
};

static int push(struct reader *reader, struct pl__value *container) {
  struct level level = {container, NULL};
  pl__text_add(&reader->open, (const char *)&level, sizeof level);
  return reader->open.broken ? PL_ENOMEM : 0;
}

static struct level *top(struct reader *reader) {
  return reader->open.length == 0
             ? NULL
             : (struct level *)(void *)(reader->open.bytes +
                                        reader->open.length -
                                        sizeof(struct level));
}

static int read_key(struct reader *reader, struct pl__value *value,
                    bool first) {
  if (peek(reader) != '"')
    return fail(reader, first ? "Expected property name or '}' in JSON"
                              : "Expected double-quoted property name in "
                                "JSON");
  size_t length;
  int error = read_string(reader, &value->key, &length);
  if (error != 0) return error;
  value->key_length = (uint32_t)length;
  skip_space(reader);
  /* Before 12, V8 has words for this at the first property only. */
  if (peek(reader) != ':') {
    static const char what[] = "Expected ':' after property name in JSON";
    fail(reader, first ? what : NULL);
    reader->error->later = what;
    return PL_EINVAL;
  }
  reader->at++;
  skip_space(reader);
  return 0;
}

/* One value, its key before it when it is in an object; opens a container. */
static int read_value(struct reader *reader, struct pl__value **root,
                      bool first) {
  struct pl__value *value = pl__arena_take(reader->arena, sizeof *value);
  if (value == NULL) return PL_ENOMEM;
  *value = (struct pl__value){0};
  struct level *level = top(reader);
  if (level != NULL && level->container->type == PL__JSON_OBJECT) {
    int error = read_key(reader, value, first);
    if (error != 0) return error;
  }
  int error = read_scalar(reader, value);
  if (error != 0) return error;
  if (level == NULL) {
    *root = value;
  } else {
    if (level->last == NULL)
      level->container->first = value;
    else
      level->last->next = value;
    level->last = value;
    level->container->length++;
  }
  bool opens = value->type == PL__JSON_ARRAY || value->type == PL__JSON_OBJECT;
  return opens ? push(reader, value) : 0;
}

/* What stands behind a value, or an opening bracket: closes containers.
 * *more: another value follows. */
static int read_behind(struct reader *reader, bool opened, bool *more) {
  for (;; opened = false) {
    struct level *level = top(reader);
    *more = false;
    skip_space(reader);
    if (level == NULL) {
      if (reader->at == reader->length) return 0;
      return fail(reader, "Unexpected non-whitespace character after JSON");
    }
    bool object = level->container->type == PL__JSON_OBJECT;
    if (peek(reader) == (object ? '}' : ']') && reader->at < reader->length) {
      reader->at++;
      reader->open.length -= sizeof *level;
      continue;
    }
    *more = true;
    if (opened) return 0;
    if (peek(reader) != ',')
      return fail(reader, object
                              ? "Expected ',' or '}' after property value in "
                                "JSON"
                              : "Expected ',' or ']' after array element in "
                                "JSON");
    reader->at++;
    skip_space(reader);
    return 0;
  }
}

static int read_all(struct reader *reader, struct pl__value **root) {
  bool more = true, first = true;
  skip_space(reader);
  while (more) {
    size_t depth = reader->open.length;
    int error = read_value(reader, root, first);
    if (error != 0) return error;
    bool opened = reader->open.length > depth;
    error = read_behind(reader, opened, &more);
    if (error != 0) return error;
    /* First in its container: just opened, and not closed again. */
    first = opened && reader->open.length > depth &&
            top(reader)->container->first == NULL;
  }
  return 0;
}

int pl__json_read(struct pl__arena *arena,
                  const struct pl_module_memory *memory, const char *text,
                  size_t length, const struct pl__value **root,
                  struct pl__json_error *error) {
  struct reader reader = {.arena = arena,
                          .text = text,
                          .length = length,
                          .scratch = {.memory = memory},
                          .open = {.memory = memory},
                          .error = error};
  struct pl__value *result = NULL;
  int status = read_all(&reader, &result);
  pl__text_free(&reader.scratch);
  pl__text_free(&reader.open);
  if (status == 0) *root = result;
  return status;
}

/* ------------------------------------------------------------------------ */

/* How many UTF-16 units there are before a byte. */
static size_t units(const char *text, size_t length) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    count += (byte & 0xc0) != 0x80;
    count += byte >= 0xf0;
  }
  return count;
}

/* The byte that is `count` UTF-16 units before or behind a byte; the text's
 * beginning or end when there are fewer. */
static size_t back(const char *text, size_t at, size_t count) {
  while (at > 0 && count > 0) {
    at--;
    unsigned char byte = (unsigned char)text[at];
    if ((byte & 0xc0) == 0x80) continue;
    count -= byte >= 0xf0 && count > 1 ? 2 : 1;
  }
  return at;
}

static size_t forth(const char *text, size_t length, size_t at, size_t count) {
  while (at < length && count > 0) {
    count -= (unsigned char)text[at] >= 0xf0 && count > 1 ? 2 : 1;
    do
      at++;
    while (at < length && ((unsigned char)text[at] & 0xc0) == 0x80);
  }
  return at;
}

/* The token's neighbourhood, as V8 shows it: 10 characters on either side. */
static void add_context(struct pl__text *out, const char *text, size_t length,
                        size_t at) {
  enum { AROUND = 10, WHOLE = 2 * AROUND };
  size_t from = 0, to = length;
  bool cut = false; /* V8 says so even when nothing was cut off */
  if (units(text, length) > WHOLE) {
    cut = units(text, at) >= AROUND;
    if (cut) from = back(text, at, AROUND);
    if (units(text + at, length - at) > AROUND)
      to = forth(text, length, at, AROUND);
  }
  pl__text_string(out, cut ? ", ...\"" : ", \"");
  pl__text_add(out, text + from, to - from);
  pl__text_string(out, to < length ? "\"..." : "\"");
  pl__text_string(out, " is not valid JSON");
}

void pl__json_message(struct pl__text *out, const char *text, size_t length,
                      const struct pl__json_error *error, bool later) {
  size_t at = error->at;
  const char *what = later && error->later != NULL ? error->later : error->what;
  if (what == NULL) {
    size_t size = 1;
    while (at + size < length &&
           ((unsigned char)text[at + size] & 0xc0) == 0x80)
      size++;
    if (text[at] == '"' || text[at] == '-' || is_digit(text[at])) {
      pl__text_string(out, text[at] == '"' ? "Unexpected string in JSON"
                                           : "Unexpected number in JSON");
    } else {
      pl__text_string(out, "Unexpected token '");
      pl__text_add(out, text + at, size);
      pl__text_byte(out, '\'');
      add_context(out, text, length, at);
      return;
    }
  } else {
    pl__text_string(out, what);
    if (strstr(what, "end of JSON") != NULL) return;
  }
  char number[96];
  int size =
      snprintf(number, sizeof number, " at position %zu", units(text, at));
  pl__text_add(out, number, (size_t)size);
  if (!later) return;
  size_t line = 1, start = 0;
  for (size_t i = 0; i < at; i++)
    if (text[i] == '\n') {
      line++;
      start = i + 1;
    }
  size = snprintf(number, sizeof number, " (line %zu column %zu)", line,
                  units(text + start, at - start) + 1);
  pl__text_add(out, number, (size_t)size);
}

/* ------------------------------------------------------------------------ */

void pl__json_write_string(struct pl__text *out, const char *text,
                           size_t length) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  pl__text_byte(out, '"');
  for (size_t i = 0; i < length; i++) {
    char byte = text[i];
    const char *known = byte == '\0' ? NULL : strchr(from, byte);
    if (known != NULL) {
      char pair[2] = {'\\', to[known - from]};
      pl__text_add(out, pair, 2);
    } else if ((unsigned char)byte < 0x20) {
      char code[8];
      snprintf(code, sizeof code, "\\u%04x", (unsigned)byte);
      pl__text_add(out, code, 6);
    } else {
      pl__text_byte(out, byte);
    }
  }
  pl__text_byte(out, '"');
}

static void write_plain(struct pl__text *out, const struct pl__value *value) {
  static const char *const words[] = {"null", "true", "false"};
  if (value->type == PL__JSON_STRING)
    pl__json_write_string(out, value->text, value->length);
  else if (value->type == PL__JSON_NUMBER)
    pl__text_add(out, value->text, value->length);
  else
    pl__text_string(out, words[value->type]);
}

/* Depth first with a stack of what comes after each open container. */
void pl__json_write(struct pl__text *out, const struct pl__value *value) {
  struct pl__text open = {.memory = out->memory};
  const struct pl__value *at = value;
  bool member = false;
  while (!out->broken && !open.broken) {
    if (member) {
      pl__json_write_string(out, at->key, at->key_length);
      pl__text_byte(out, ':');
    }
    bool object = at->type == PL__JSON_OBJECT;
    if (object || at->type == PL__JSON_ARRAY) {
      pl__text_byte(out, object ? '{' : '[');
      if (at->first != NULL) {
        pl__text_add(&open, (const char *)&at, sizeof at);
        at = at->first;
        member = object;
        continue;
      }
      pl__text_byte(out, object ? '}' : ']');
    } else {
      write_plain(out, at);
    }
    while (open.length > 0 && at->next == NULL) {
      memcpy(&at, open.bytes + open.length - sizeof at, sizeof at);
      open.length -= sizeof at;
      pl__text_byte(out, at->type == PL__JSON_OBJECT ? '}' : ']');
    }
    if (at == value || at->next == NULL) break;
    at = at->next;
    const struct pl__value *in;
    memcpy(&in, open.bytes + open.length - sizeof in, sizeof in);
    member = in->type == PL__JSON_OBJECT;
  }
  if (open.broken) out->broken = true;
  pl__text_free(&open);
}

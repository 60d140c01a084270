/* SPDX-License-Identifier: MIT */
/*
 * url.c: as much of the URL standard as module specifiers need: references
 * against the URL of a directory, and file URLs back to paths.
 *
 * Invariant: job->url is ASCII but for what a path had in it already, its path
 * is job->url_path long, begins with a slash and has no dot segments.
 * Source: WHATWG URL, "basic URL parser", states of the file scheme.
 */
#include <stdio.h>
#include <strings.h>

#include "internal.h"

static int hex(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  byte |= 0x20;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool is_slash(char byte) {
  return byte == '/' || byte == '\\';
}

/* Counts the dots of a segment of dots, also as %2e; 0: anything else. */
static size_t dots(const char *segment, size_t length) {
  size_t count = 0;
  for (size_t i = 0; i < length; count++) {
    if (segment[i] == '.')
      i++;
    else if (length - i >= 3 && segment[i] == '%' && segment[i + 1] == '2' &&
             (segment[i + 2] | 0x20) == 'e')
      i += 3;
    else
      return 0;
  }
  return count;
}

static void add_escaped(struct pl__text *out, const char *text, size_t length,
                        const char *also) {
  for (size_t i = 0; i < length; i++) {
    size_t run = pl__plain_run(text + i, length - i);
    pl__text_add(out, text + i, run);
    i += run;
    if (i == length) break;
    unsigned char byte = (unsigned char)text[i];
    if (byte > 0x20 && byte < 0x7f && strchr(also, byte) == NULL) {
      pl__text_byte(out, (char)byte);
      continue;
    }
    char code[4];
    snprintf(code, sizeof code, "%%%02X", byte);
    pl__text_add(out, code, 3);
  }
}

static bool is_drive(const char *segment, size_t length) {
  return length == 2 && (segment[0] | 0x20) >= 'a' &&
         (segment[0] | 0x20) <= 'z' && (segment[1] == ':' || segment[1] == '|');
}

static void shorten(struct pl__text *url) {
  while (url->length > 0 && url->bytes[url->length - 1] != '/')
    url->length--;
}

/* Appends segments to a path that ends with a slash. */
static void add_segments(struct pl__text *url, const char *ref, size_t length) {
  for (size_t i = 0;;) {
    size_t start = i;
    while (i < length && !is_slash(ref[i]))
      i++;
    size_t size = i - start, count = dots(ref + start, size);
    bool last = i == length;
    if (size > 0 && count == 2) {
      bool drive = url->length == 4 && is_drive(url->bytes + 1, 2);
      if (url->length > 1 && !drive) {
        url->length--;
        shorten(url);
      }
    } else if (size > 0 && count == 1) {
      /* this one: stays */
    } else if (url->length == 1 && is_drive(ref + start, size)) {
      pl__text_byte(url, ref[start]);
      pl__text_string(url, last ? ":" : ":/");
    } else {
      add_escaped(url, ref + start, size, "\"#<>?`{}");
      if (!last) pl__text_byte(url, '/');
    }
    if (last) break;
    i++;
  }
  if (url->bytes != NULL) url->bytes[url->length] = '\0';
}

/* Without what the standard drops: control characters and spaces around,
 * tabs and line ends inside. */
static void clean(struct pl__text *out, const char *ref, size_t length) {
  while (length > 0 && (unsigned char)ref[length - 1] <= 0x20)
    length--;
  while (length > 0 && (unsigned char)*ref <= 0x20) {
    ref++;
    length--;
  }
  for (size_t i = 0; i < length;) {
    size_t start = i;
    while (i < length && ref[i] != '\t' && ref[i] != '\n' && ref[i] != '\r')
      i++;
    pl__text_add(out, ref + start, i - start);
    i++;
  }
}

void pl__url_parse(struct pl__job *job, const char *dir, size_t dir_length,
                   const char *text, size_t text_length) {
  struct pl__text *url = &job->url;
  struct pl__text cleaned = {.memory = &job->resolver->memory};
  clean(&cleaned, text, text_length);
  const char *ref = cleaned.bytes == NULL ? "" : cleaned.bytes;
  size_t length = cleaned.length;
  if (length >= 5 && strncasecmp(ref, "file:", 5) == 0) {
    ref += 5;
    length -= 5;
    dir_length = 0;
  }
  size_t end = 0;
  while (end < length && ref[end] != '?' && ref[end] != '#')
    end++;
  const char *hash = memchr(ref + end, '#', length - end);
  size_t query_end = hash == NULL ? length : (size_t)(hash - ref);
  size_t at = 0;
  pl__text_clear(url);
  job->url_has_host = false;
  if (at < end && is_slash(ref[at])) {
    at++;
    if (at < end && is_slash(ref[at])) {
      size_t host = ++at;
      while (at < end && !is_slash(ref[at]))
        at++;
      size_t size = at - host;
      job->url_has_host = size > 0 && !pl__is(ref + host, size, "localhost");
      if (at < end) at++;
    }
  } else {
    /* "C:" of a path does not matter here: paths are POSIX paths. */
    if (dir_length > 1) pl__text_encode_path(url, dir, dir_length);
  }
  pl__text_byte(url, '/');
  add_segments(url, ref + at, end - at);
  job->url_path = url->length;
  if (query_end > end + 1) {
    pl__text_byte(url, '?');
    add_escaped(url, ref + end + 1, query_end - end - 1, "\"#<>'");
  }
  if (hash != NULL && query_end + 1 < length) {
    pl__text_byte(url, '#');
    add_escaped(url, hash + 1, length - query_end - 1, "\"<>`");
  }
  if (url->broken || cleaned.broken) job->error = PL_ENOMEM;
  pl__text_free(&cleaned);
}

/* Schemes whose URLs are nothing without a host. */
static bool wants_host(const char *scheme, size_t length) {
  static const char *const names[] = {"http", "https", "ws", "wss", "ftp"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (pl__is(scheme, length, names[i])) return true;
  return false;
}

bool pl__url_is(const char *text, size_t length, size_t *scheme) {
  while (length > 0 && (unsigned char)*text <= 0x20) {
    text++;
    length--;
  }
  size_t size = 0;
  char lower[16];
  for (; size < length && text[size] != ':'; size++) {
    char byte = text[size];
    bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    bool other = (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' ||
                 byte == '.';
    if (!letter && (size == 0 || !other)) return false;
    if (size < sizeof lower) lower[size] = letter ? (char)(byte | 0x20) : byte;
  }
  if (size == length || size == 0) return false;
  *scheme = size;
  if (size > sizeof lower || !wants_host(lower, size)) return true;
  size_t at = size + 1;
  while (at < length && is_slash(text[at]))
    at++;
  size_t host = at;
  while (at < length && !is_slash(text[at]) && text[at] != '?' &&
         text[at] != '#') {
    if ((unsigned char)text[at] <= 0x20 || strchr("<>^|%", text[at]) != NULL)
      return false;
    at++;
  }
  return at > host;
}

/* Where %2f or %5c is in a path, or its end. */
static size_t encoded_slash(const char *path, size_t length, bool backslash) {
  for (size_t i = 0; i + 2 < length; i++) {
    const char *sign = memchr(path + i, '%', length - 2 - i);
    if (sign == NULL) break;
    i = (size_t)(sign - path);
    char last = (char)(path[i + 2] | 0x20);
    if ((path[i + 1] == '2' && last == 'f') ||
        (backslash && path[i + 1] == '5' && last == 'c'))
      return i;
  }
  return length;
}

bool pl__url_to_path(struct pl__job *job, bool import) {
  struct pl__text *url = &job->url, *path = &job->base;
  size_t length = job->url_path;
  /* CommonJS looks for them in the whole URL, import in its path. */
  size_t all = import ? length : url->length;
  if (encoded_slash(url->bytes, all, true) < all) {
    const char *shown = pl__keep(job, url->bytes, all);
    pl__fail(job, PL_CODE_ERR_INVALID_MODULE_SPECIFIER, "Invalid module \"",
             import ? "" : "file://", shown,
             "\" must not include encoded \"/\" or \"\\\" characters",
             job->unnamed ? "" : " imported from ", NULL);
    if (!job->unnamed) pl__fail_after(job, "");
    return false;
  }
  if (job->url_has_host) {
    pl__fail(job, PL_CODE_ERR_INVALID_FILE_URL_HOST,
             "File URL host must be \"localhost\" or empty on linux", NULL);
    return false;
  }
  pl__text_clear(path);
  for (size_t i = 0; i < length;) {
    const char *sign = memchr(url->bytes + i, '%', length - i);
    size_t end = sign == NULL ? length : (size_t)(sign - url->bytes);
    pl__text_add(path, url->bytes + i, end - i);
    if (end == length) break;
    int high = end + 1 < length ? hex(url->bytes[end + 1]) : -1;
    int low = end + 2 < length ? hex(url->bytes[end + 2]) : -1;
    if (high < 0 || low < 0) {
      pl__fail(job, PL_CODE_URI_ERROR, "URI malformed", NULL);
      return false;
    }
    pl__text_byte(path, (char)(high * 16 + low));
    i = end + 3;
  }
  if (path->broken) {
    job->error = PL_ENOMEM;
    return false;
  }
  if (!pl__utf8(path->bytes, path->length) &&
      pl__utf8(job->place->text, job->place->length)) {
    pl__fail(job, PL_CODE_URI_ERROR, "URI malformed", NULL);
    return false;
  }
  return true;
}

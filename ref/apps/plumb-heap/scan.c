/* SPDX-License-Identifier: MIT */
#include "scan.h"

#include <string.h>

bool scan_fail(struct scan *scan, const char *wrong) {
  if (!scan->wrong) scan->wrong = wrong;
  return false;
}

char scan_peek(struct scan *scan) {
  while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' ||
                                  *scan->at == '\r' || *scan->at == '\t'))
    scan->at++;
  return scan->at < scan->end && !scan->wrong ? *scan->at : 0;
}

bool scan_take(struct scan *scan, char wanted) {
  char found = scan_peek(scan);
  if (found == wanted) {
    scan->at++;
    return true;
  }
  if (!found) return scan_fail(scan, "the file ends too early");
  return scan_fail(scan, wanted == ':'   ? "a colon is missing"
                         : wanted == '[' ? "an array is missing"
                         : wanted == '{' ? "an object is missing"
                         : wanted == '"' ? "a text is missing"
                                         : "this is no JSON");
}

bool scan_string(struct scan *scan, const char **at, size_t *length) {
  if (!scan_take(scan, '"')) return false;
  const char *begin = scan->at;
  for (;;) {
    const char *quote = memchr(scan->at, '"', (size_t)(scan->end - scan->at));
    if (!quote) {
      scan->at = scan->end;
      return scan_fail(scan, "the file ends within a text");
    }
    /* An odd number of backslashes in front escapes it. */
    const char *back = quote;
    while (back > begin && back[-1] == '\\')
      back--;
    scan->at = quote + 1;
    if ((quote - back) % 2 == 0) {
      *at = begin;
      *length = (size_t)(quote - begin);
      return true;
    }
  }
}

bool scan_number(struct scan *scan, uint64_t *number) {
  scan_peek(scan);
  const char *at = scan->at;
  uint64_t found = 0;
  while (at < scan->end && *at >= '0' && *at <= '9') {
    uint64_t digit = (uint64_t)(*at - '0');
    if (found > (UINT64_MAX - digit) / 10)
      return scan_fail(scan, "this number is too large");
    found = found * 10 + digit;
    at++;
  }
  if (at == scan->at)
    return scan_fail(scan, at < scan->end ? "a number is missing"
                                          : "the file ends too early");
  scan->at = at;
  *number = found;
  return true;
}

bool scan_more(struct scan *scan, char close, bool *more) {
  char found = scan_peek(scan);
  if (found != ',' && found != close)
    return scan_fail(scan,
                     found ? "a comma is missing" : "the file ends too early");
  scan->at++;
  *more = found == ',';
  return true;
}

bool scan_skip(struct scan *scan) {
  uint64_t depth = 0;
  const char *text;
  size_t length;
  do {
    switch (scan_peek(scan)) {
    case 0:
      return scan_fail(scan, "the file ends too early");
    case '"':
      if (!scan_string(scan, &text, &length)) return false;
      break;
    case '[':
    case '{':
      depth++;
      scan->at++;
      break;
    case ']':
    case '}':
      if (!depth) return scan_fail(scan, "a value is missing");
      depth--;
      scan->at++;
      break;
    case ',':
    case ':':
      if (!depth) return scan_fail(scan, "a value is missing");
      scan->at++;
      break;
    default: /* a number or a word */
      while (scan->at < scan->end && !strchr(" \n\r\t,:[]{}\"", *scan->at))
        scan->at++;
    }
  } while (depth);
  return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * handle_line.c: the line that comes with a handle, in the form in which Node
 * and this library write it, without a tree around its message.
 *
 *   {"cmd":"NODE_HANDLE","type":T,"msg":M}     T one of the types, M any JSON
 *   ... "type":T,"count":N,"msg":M             of many
 *   ... "msg":M,"key":"..."}                   or "dgramType"
 *
 * Invariant: what is read here is what pl__json_get() reads, member by member;
 * whatever has another form is left to it, with its faults. A handle that comes
 * costs a sixth of the instructions so.
 */
#include "internal.h"

#include <string.h>

/* Goes behind a text that stands there. */
static bool pass_text(const char **at, const char *end, const char *text,
                      size_t length) {
  if ((size_t)(end - *at) < length || memcmp(*at, text, length) != 0)
    return false;
  *at += length;
  return true;
}

#define PASS(at, end, text) pass_text(at, end, text, sizeof text - 1)

static enum pl_handle_type pass_type(const char **at, const char *end) {
  const char *name;
  for (int type = 1; (name = pl_handle_type_name(type)) != NULL; type++)
    if (pass_text(at, end, name, strlen(name))) return type;
  return PL_HANDLE_NONE;
}

/* 1 to 999, as JSON writes it. */
static bool pass_count(const char **at, const char *end, double *count) {
  const char *begin = *at;
  for (*count = 0; *at < end && **at >= '0' && **at <= '9'; ++*at) {
    if (*at - begin == 3) return false;
    *count = *count * 10 + (**at - '0');
  }
  return *at > begin && *begin != '0';
}

/* A string whose bytes mean themselves, and its closing quote. */
static bool pass_plain(const char **at, const char *end) {
  while (*at < end && (unsigned char)**at >= 0x20 && **at != '"' &&
         **at != '\\')
    ++*at;
  return PASS(at, end, "\"");
}

bool pl__handle_line_get(struct pl_values *values, const char *text,
                         size_t length, struct pl__handle_line *out) {
  const char *at = text, *end = text + length;
  size_t taken;
  if (!PASS(&at, end, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"")) return false;
  out->type = pass_type(&at, end);
  out->count = 1;
  if (out->type == PL_HANDLE_NONE || !PASS(&at, end, "\",\"")) return false;
  if (PASS(&at, end, "count\":") &&
      !(pass_count(&at, end, &out->count) && PASS(&at, end, ",\"")))
    return false;
  if (!PASS(&at, end, "msg\":") ||
      pl__json_get_first(values, at, (size_t)(end - at), &out->message,
                         &taken) != 0)
    return false;
  at += taken;
  if ((PASS(&at, end, ",\"key\":\"") || PASS(&at, end, ",\"dgramType\":\"")) &&
      !pass_plain(&at, end))
    return false;
  return PASS(&at, end, "}") && at == end;
}

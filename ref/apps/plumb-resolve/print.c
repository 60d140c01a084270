/* SPDX-License-Identifier: MIT */
/*
 * print.c: answers as JSON.
 *
 * Invariant: what is printed is JSON, whatever bytes a path has.
 */
#include <stdlib.h>
#include <string.h>

#include "app.h"

/* How many bytes a UTF-8 sequence takes here; 0: it is none. */
static size_t sequence(const unsigned char *bytes, size_t left) {
  unsigned char first = bytes[0];
  if (first < 0x80) return 1;
  size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (first < 0xc2 || first > 0xf4 || left < size) return 0;
  for (size_t i = 1; i < size; i++)
    if ((bytes[i] & 0xc0) != 0x80) return 0;
  if ((first == 0xe0 && bytes[1] < 0xa0) ||
      (first == 0xed && bytes[1] > 0x9f) ||
      (first == 0xf0 && bytes[1] < 0x90) || (first == 0xf4 && bytes[1] > 0x8f))
    return 0;
  return size;
}

void print_string(FILE *out, const char *bytes, size_t length) {
  putc('"', out);
  for (size_t i = 0; i < length;) {
    unsigned char byte = (unsigned char)bytes[i];
    size_t size = sequence((const unsigned char *)bytes + i, length - i);
    if (byte == '"' || byte == '\\')
      fprintf(out, "\\%c", byte);
    else if (byte < 0x20)
      fprintf(out, "\\u%04x", byte);
    else if (size == 0)
      fputs("\xef\xbf\xbd", out);
    else
      fwrite(bytes + i, 1, size, out);
    i += size == 0 ? 1 : size;
  }
  putc('"', out);
}

static void print_bytes(FILE *out, const char *name, const char *text,
                        size_t length) {
  if (text == NULL) return;
  fprintf(out, ",\"%s\":", name);
  print_string(out, text, length);
}

static void print_member(FILE *out, const char *name, const char *text) {
  if (text != NULL) print_bytes(out, name, text, strlen(text));
}

/* A text that is asked for with a buffer; NULL: no memory. */
static char *message_of(const struct pl_resolution *resolution,
                        const char *parent, size_t *length) {
  *length = pl_resolution_message(resolution, &parent, 1, NULL, 0);
  char *text = malloc(*length + 1);
  if (text != NULL)
    pl_resolution_message(resolution, &parent, 1, text, *length + 1);
  return text;
}

static void print_failure(FILE *out, const struct pl_resolution *resolution,
                          const char *from) {
  const char *code = pl_module_code_name(resolution->code);
  fputs("{\"code\":", out);
  if (code == NULL)
    fputs("null", out);
  else
    print_string(out, code, strlen(code));
  print_member(out, "name", pl_module_code_class(resolution->code));
  /* The asking module is called [from] here, as no file is known. */
  char *parent = malloc(strlen(from) + 16);
  if (parent != NULL) sprintf(parent, "%s/[from]", from);
  size_t length = 0;
  char *message =
      parent == NULL ? NULL : message_of(resolution, parent, &length);
  print_bytes(out, "message", message, length);
  print_member(out, "errorPath", resolution->error_path);
  print_member(out, "requestPath", resolution->error_request);
  free(message);
  free(parent);
  putc('}', out);
}

void print_answer(FILE *out, struct pl_resolver *resolver,
                  const struct pl_resolution *resolution, const char *from,
                  bool import, bool plain) {
  if (resolution->code != PL_RESOLVED) {
    print_failure(out, resolution, from);
    return;
  }
  fputs("{\"path\":", out);
  print_string(out, resolution->path, resolution->path_length);
  if (import) {
    size_t size = pl_resolution_url(resolution, NULL, 0) + 1;
    char *url = malloc(size);
    if (url != NULL) pl_resolution_url(resolution, url, size);
    print_member(out, "url", url);
    free(url);
  }
  struct pl_module_about about;
  if (!plain && pl_resolver_about(resolver, resolution, &about) == 0) {
    print_member(out, "format", pl_module_format_name(about.format));
    print_member(out, "package", about.package);
    print_member(out, "packageJson", about.package_json);
  }
  if (resolution->deprecated_main) fputs(",\"deprecated\":\"DEP0128\"", out);
  putc('}', out);
}

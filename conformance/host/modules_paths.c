/* SPDX-License-Identifier: MIT */
/*
 * modules_paths.c: paths as a program writes them, as a provider takes them,
 * and as a trace shows them.
 *
 * Invariant: what is below the case's directory is shown relative to it,
 * everything else as it is.
 */
#include "modules.h"

#include <stdlib.h>
#include <string.h>

static char *keep(struct text *text) {
  text_add(text, "", 1);
  if (!text->failed) return text->bytes;
  text_free(text);
  return NULL;
}

char *path_at(const struct modules *modules, const char *name) {
  struct text text = {0};
  if (name[0] != '/') {
    text_add_string(&text, modules->dir);
    text_add(&text, "/", 1);
  }
  text_add_string(&text, name);
  return keep(&text);
}

static void add_url(struct text *text, const char *path) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz"
                              "0123456789/-._~!$&'()*+,;=:@";
  text_add_string(text, "file://");
  for (; *path; path++)
    if (strchr(plain, *path))
      text_add(text, path, 1);
    else
      text_addf(text, "%%%02X", (unsigned)(unsigned char)*path);
}

/* Every `$nul` becomes the character. */
static void add_with_nul(struct text *text, const char *from) {
  for (const char *nul; (nul = strstr(from, "$nul")) != NULL; from = nul + 4) {
    text_add(text, from, (size_t)(nul - from));
    text_add(text, "", 1);
  }
  text_add_string(text, from);
}

char *specifier_text(const struct modules *modules, const char *from,
                     size_t *length) {
  struct text text = {0};
  size_t slashes = strspn(from, "/");
  if (strstr(from, "$nul")) {
    add_with_nul(&text, from);
  } else if (strncmp(from + slashes, "$dir", 4) == 0) {
    /* One slash is the directory's own. */
    if (slashes > 0) text_add(&text, from, slashes - 1);
    text_add_string(&text, modules->dir);
    text_add_string(&text, from + slashes + 4);
  } else if (strncmp(from, "$url", 4) == 0) {
    add_url(&text, modules->dir);
    text_add_string(&text, from + 4);
  } else {
    text_add_string(&text, from);
  }
  *length = text.length;
  return keep(&text);
}

/* The length of the directory in front of a path that is below it, or is it. */
static size_t below(const char *dir, struct pl_bytes path) {
  size_t length = strlen(dir);
  if (path.length < length || memcmp(path.at, dir, length) != 0) return 0;
  return path.length == length || path.at[length] == '/' ? length : 0;
}

bool path_inside(const struct modules *modules, struct pl_bytes path) {
  return below(modules->dir, path) > 0;
}

void text_add_relative(struct text *text, const struct modules *modules,
                       struct pl_bytes path) {
  const char *dirs[] = {modules->dir, modules->run->dir};
  for (size_t i = 0; i < 2; i++) {
    size_t length = below(dirs[i], path);
    if (length == 0) continue;
    if (length == path.length)
      text_add(text, ".", 1);
    else
      text_add(text, path.at + length + 1, path.length - length - 1);
    return;
  }
  text_add(text, path.at, path.length);
}

/* How long a letter of UTF-8 is that begins here; 0: none does. */
static size_t letter(const unsigned char *at, size_t left) {
  size_t size = *at < 0x80   ? 1
                : *at < 0xc2 ? 0
                : *at < 0xe0 ? 2
                : *at < 0xf0 ? 3
                : *at < 0xf5 ? 4
                             : 0;
  if (size == 0 || size > left) return 0;
  for (size_t i = 1; i < size; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  return size;
}

void text_add_json_bytes(struct text *text, const char *bytes, size_t length) {
  text_add(text, "\"", 1);
  for (size_t i = 0; i < length;) {
    const unsigned char *at = (const unsigned char *)bytes + i;
    size_t size = letter(at, length - i);
    if (size == 0) {
      text_add_string(text, "\\ufffd");
      size = 1;
    } else if (*at < 0x20) {
      text_addf(text, "\\u%04x", (unsigned)*at);
    } else {
      if (*at == '"' || *at == '\\') text_add(text, "\\", 1);
      text_add(text, bytes + i, size);
    }
    i += size;
  }
  text_add(text, "\"", 1);
}

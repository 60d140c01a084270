/* SPDX-License-Identifier: MIT */
/*
 * fuzz_exports.c: any bytes as exports and as imports, and what is asked of
 * them.
 *
 * Input: the first line is what stands behind the package's name and behind
 * the "#", the rest is the JSON of the field. Invariant: exports never lead
 * out of their package.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../modules/json.h"
#include "../../../modules/text.h"

enum { SUBPATH_MOST = 200 };

static void write_package(struct pl_fs_memory *tree, const char *json,
                          size_t length) {
  static const char before[] = "{\"name\":\"p\",\"exports\":";
  static const char between[] = ",\"imports\":";
  size_t size = sizeof before + sizeof between + 2 * length + 2;
  char *text = malloc(size);
  fuzz_check(text != NULL, "there is memory");
  char *end = stpcpy(text, before);
  memcpy(end, json, length);
  end = stpcpy(end + length, between);
  memcpy(end, json, length);
  end[length] = '}';
  fuzz_write(tree, "/node_modules/p/package.json", text,
             (size_t)(end - text) + length + 1);
  free(text);
}

/* Whether the text is one JSON value that exports something. */
static bool exports_something(const char *json, size_t length) {
  struct pl__arena arena = {.memory = &fuzz_memory};
  const struct pl__value *value;
  struct pl__json_error error;
  bool exports =
      pl__json_read(&arena, &fuzz_memory, json, length, &value, &error) == 0 &&
      (value->type == PL__JSON_OBJECT || value->type == PL__JSON_ARRAY ||
       value->type == PL__JSON_STRING);
  pl__arena_empty(&arena);
  return exports;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  const char *line = size == 0 ? NULL : memchr(text, '\n', size);
  if (line == NULL || line - text > SUBPATH_MOST) return 0;
  size_t length = (size_t)(line - text);
  const char *json = line + 1;
  size_t json_length = size - length - 1;
  char specifier[SUBPATH_MOST + 1];
  struct pl_fs_memory *tree = fuzz_tree();
  write_package(tree, json, json_length);
  specifier[0] = 'p';
  memcpy(specifier + 1, text, length);
  /* "p/x" is of this package; "px" is another's. */
  bool own =
      (length == 0 || text[0] == '/') && exports_something(json, json_length);
  fuzz_ask(tree, "/", specifier, length + 1, own ? "/node_modules/p/" : NULL);
  specifier[0] = '#';
  fuzz_ask(tree, "/node_modules/p/lib", specifier, length + 1, NULL);
  fuzz_tree_free(tree);
  return 0;
}

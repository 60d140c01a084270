/* SPDX-License-Identifier: MIT */
/*
 * answer.c: what an answer says: names of codes, messages, URLs, formats.
 *
 * Invariant: nothing here changes what was found out.
 */
#include <stdio.h>

#include "internal.h"

const char *pl_module_code_name(enum pl_module_code code) {
  switch (code) {
  case PL_RESOLVED:
  case PL_CODE_SYNTAX_ERROR:
  case PL_CODE_TYPE_ERROR:
  case PL_CODE_RANGE_ERROR:
  case PL_CODE_URI_ERROR:
    return NULL;
#define X(name, class)                                                         \
  case PL_CODE_##name:                                                         \
    return #name;
    X(MODULE_NOT_FOUND, )
    X(ERR_MODULE_NOT_FOUND, )
    X(ERR_INVALID_ARG_TYPE, )
    X(ERR_INVALID_ARG_VALUE, )
    X(ERR_INVALID_FILE_URL_HOST, )
    X(ERR_INVALID_FILE_URL_PATH, )
    X(ERR_INVALID_MODULE_SPECIFIER, )
    X(ERR_INVALID_PACKAGE_CONFIG, )
    X(ERR_INVALID_PACKAGE_TARGET, )
    X(ERR_INVALID_URL, )
    X(ERR_INVALID_URL_SCHEME, )
    X(ERR_PACKAGE_IMPORT_NOT_DEFINED, )
    X(ERR_PACKAGE_PATH_NOT_EXPORTED, )
    X(ERR_REQUIRE_ESM, )
    X(ERR_UNKNOWN_BUILTIN_MODULE, )
    X(ERR_UNSUPPORTED_DIR_IMPORT, )
    X(ERR_UNSUPPORTED_ESM_URL_SCHEME, )
    X(ERR_UNSUPPORTED_RESOLVE_REQUEST, )
    X(ENAMETOOLONG, )
#undef X
  }
  return NULL;
}

const char *pl_module_code_class(enum pl_module_code code) {
  switch (code) {
  case PL_RESOLVED:
    return NULL;
#define X(name, class)                                                         \
  case PL_CODE_##name:                                                         \
    return class;
    PL_MODULE_CODES(X)
#undef X
  }
  return NULL;
}

const char *pl_module_format_name(enum pl_module_format format) {
  static const char *const names[] = {NULL,    "commonjs", "module", "json",
                                      "addon", "wasm",     "builtin"};
  return names[format];
}

/* Writes into a buffer that may be too small, and counts. */
struct sink {
  char *out;
  size_t size, length;
};

static void put(struct sink *sink, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++, sink->length++)
    if (sink->length + 1 < sink->size) sink->out[sink->length] = text[i];
}

static void put_string(struct sink *sink, const char *text) {
  if (text != NULL) put(sink, text, strlen(text));
}

static void put_encoded(struct sink *sink, const char *path, size_t length) {
  for (size_t i = 0; i < length; i++) {
    char code[3];
    put(sink, code, pl__encode_byte(path[i], code));
  }
}

static size_t end(struct sink *sink) {
  if (sink->size > 0)
    sink->out[sink->length < sink->size ? sink->length : sink->size - 1] = '\0';
  return sink->length;
}

size_t pl_resolution_message(const struct pl_resolution *resolution,
                             const char *const *stack, size_t depth, char *out,
                             size_t size) {
  struct sink sink = {out, size, 0};
  put(&sink, resolution->before, resolution->before_length);
  if (resolution->names_parent) {
    const char *parent = depth > 0 ? stack[0] : "undefined";
    if (resolution->encodes_parent)
      put_encoded(&sink, parent, strlen(parent));
    else
      put_string(&sink, parent);
    put_string(&sink, resolution->after);
  }
  if (resolution->has_stack && depth > 0) {
    put_string(&sink, "\nRequire stack:");
    for (size_t i = 0; i < depth; i++) {
      put_string(&sink, "\n- ");
      put_string(&sink, stack[i]);
    }
  }
  return end(&sink);
}

size_t pl_resolution_url(const struct pl_resolution *resolution, char *out,
                         size_t size) {
  struct sink sink = {out, size, 0};
  const char *path = resolution->path;
  size_t length = resolution->path_length;
  if (resolution->kind == PL_MODULE_CORE) {
    if (!pl__starts(path, length, "node:")) put_string(&sink, "node:");
    put(&sink, path, length);
  } else if (resolution->kind == PL_MODULE_URL) {
    put(&sink, path, length);
  } else {
    put_string(&sink, "file://");
    put_encoded(&sink, path, length);
    put_string(&sink, resolution->query);
  }
  return end(&sink);
}

/* ------------------------------------------------------------------------ */

/* From the last dot of a name that does not begin with it. */
static const char *extension_of(const char *path, size_t length, size_t *size) {
  size_t name = length;
  while (name > 0 && path[name - 1] != '/')
    name--;
  for (size_t i = length; i > name + 1; i--)
    if (path[i - 1] == '.') {
      *size = length - i + 1;
      return path + i - 1;
    }
  *size = 0;
  return "";
}

static enum pl_module_format format_of(const char *extension, size_t size,
                                       const struct pl__package *scope) {
  if (pl__is(extension, size, ".mjs")) return PL_FORMAT_MODULE;
  if (pl__is(extension, size, ".cjs")) return PL_FORMAT_COMMONJS;
  if (pl__is(extension, size, ".json")) return PL_FORMAT_JSON;
  if (pl__is(extension, size, ".node")) return PL_FORMAT_ADDON;
  if (pl__is(extension, size, ".wasm")) return PL_FORMAT_WASM;
  if (size > 0 && !pl__is(extension, size, ".js")) return PL_FORMAT_COMMONJS;
  if (scope->type == PL__TYPE_MODULE)
    return size > 0 ? PL_FORMAT_MODULE : PL_FORMAT_UNKNOWN;
  return scope->type == PL__TYPE_COMMONJS ? PL_FORMAT_COMMONJS
                                          : PL_FORMAT_UNKNOWN;
}

int pl_resolver_about(struct pl_resolver *resolver,
                      const struct pl_resolution *resolution,
                      struct pl_module_about *about) {
  struct pl_module_about result = {0};
  if (resolution->code != PL_RESOLVED || resolution->kind == PL_MODULE_URL) {
    *about = result;
    return 0;
  }
  if (resolution->kind == PL_MODULE_CORE) {
    result.format = PL_FORMAT_BUILTIN;
    *about = result;
    return 0;
  }
  struct pl__job job = {.resolver = resolver};
  const char *path = resolution->path;
  size_t length = resolution->path_length, dir = length;
  while (dir > 0 && path[dir - 1] != '/')
    dir--;
  struct pl_place *place = pl__place(&job, path, dir > 1 ? dir - 1 : 1);
  if (job.error != 0) return job.error;
  const struct pl__package *scope = pl__scope(&job, place);
  if (job.error != 0) return job.error;
  size_t size;
  const char *extension = extension_of(path, length, &size);
  result.format = format_of(extension, size, scope);
  if (scope->state == PL__PACKAGE_READ) {
    const struct pl_place *at = place->scope_place;
    struct pl__text json = {.memory = &resolver->memory};
    pl__text_add(&json, at->text, at->length > 1 ? at->length : 0);
    pl__text_string(&json, "/package.json");
    if (json.broken)
      job.error = PL_ENOMEM;
    else
      result.package_json = pl__keep(&job, json.bytes, json.length);
    pl__text_free(&json);
    result.package = scope->name;
  }
  if (job.error != 0) return job.error;
  *about = result;
  return 0;
}

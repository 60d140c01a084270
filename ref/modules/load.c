/* SPDX-License-Identifier: MIT */
/*
 * load.c: from a file to exports: JavaScript, JSON, addons.
 *
 * Invariant: a module's text is read when its body is about to run, and is
 * gone when it has ended.
 * Source: Node, Module._extensions of lib/internal/modules/cjs/loader.js.
 */
#include "json.h"
#include "loader.h"

/* The longest of the known extensions that a file's name ends with; a name
 * that begins with a dot has none there. */
static const char *kind_of(const struct pl_module *module) {
  static const char *const known[] = {".js", ".json", ".node"};
  const struct pl_resolver *resolver = module->loader->resolver;
  const char *name = strrchr(module->filename, '/');
  name = name == NULL ? module->filename : name + 1;
  const char *dot = *name == '\0' ? NULL : strchr(name + 1, '.');
  for (; dot != NULL; dot = strchr(dot + 1, '.')) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
      if (strcmp(dot, known[i]) == 0) return known[i];
    for (size_t i = 0; i < resolver->extension_count; i++)
      if (strcmp(dot, resolver->extensions[i]) == 0) return "other";
  }
  return ".js";
}

static size_t mark_length(const char *text, size_t length) {
  return length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static int threw(struct pl_load_error *error, int thrown) {
  if (thrown == 0) return 0;
  *error = (struct pl_load_error){.failure = PL_LOAD_THREW, .thrown = thrown};
  return 1;
}

static int run_json(struct pl_module *module, const char *text, size_t length,
                    struct pl_load_error *error) {
  struct pl_loader *loader = module->loader;
  size_t mark = mark_length(text, length);
  text += mark;
  length -= mark;
  struct pl__arena arena = {.memory = &loader->memory};
  const struct pl__value *root;
  struct pl__json_error where;
  int status =
      pl__json_read(&arena, &loader->memory, text, length, &root, &where);
  pl__arena_empty(&arena);
  if (status == PL_ENOMEM) return status;
  if (status != 0) {
    pl__text_set(&loader->message, module->filename, module->length);
    pl__text_string(&loader->message, ": ");
    pl__json_message(&loader->message, text, length, &where, true);
    if (loader->message.broken) return PL_ENOMEM;
    *error = (struct pl_load_error){.failure = PL_LOAD_BAD_JSON,
                                    .message = loader->message.bytes,
                                    .position = where.at + mark};
    return 1;
  }
  void *value = NULL;
  int thrown =
      loader->host.json(loader->host.self, module, text, length, &value);
  if (thrown == 0) pl_module_set_exports(module, value);
  return threw(error, thrown);
}

static int run_script(struct pl_module *module, const char *text, size_t length,
                      struct pl_load_error *error) {
  struct pl_loader *loader = module->loader;
  struct pl_source source = {.bytes = text, .length = length};
  size_t skip = mark_length(text, length);
  if (skip == 0 && pl__starts(text, length, "#!"))
    while (skip < length && text[skip] != '\n')
      skip++;
  source.bytes += skip;
  source.length -= skip;
  struct pl_resolution self = {.path = module->filename,
                               .path_length = module->length};
  struct pl_module_about about;
  int status = pl_resolver_about(loader->resolver, &self, &about);
  if (status != 0) return status;
  source.format = about.format;
  if (about.format == PL_FORMAT_MODULE && !loader->host.es_modules)
    return pl__module_fail(loader, error, PL_CODE_ERR_REQUIRE_ESM,
                           "require() of ES Module ", module->filename,
                           " is not supported", NULL);
  void *exports = module->exports;
  if (loader->host.hold != NULL) loader->host.hold(loader->host.self, exports);
  module->running++;
  int thrown = loader->host.run(loader->host.self, module, exports, &source);
  module->running--;
  loader->host.release(loader->host.self, exports);
  return threw(error, thrown);
}

int pl__module_load(struct pl_module *module, struct pl_load_error *error) {
  struct pl_loader *loader = module->loader;
  const char *kind = kind_of(module);
  if (strcmp(kind, ".node") == 0 && loader->host.addon != NULL)
    return threw(error, loader->host.addon(loader->host.self, module));
  if (strcmp(kind, "other") == 0)
    return threw(error, loader->host.other(loader->host.self, module));
  char *text;
  size_t length;
  int status = loader->fs->ops->read(loader->fs, module->filename,
                                     &loader->memory, &text, &length, NULL);
  if (status == PL_ENOMEM) return status;
  if (status != 0) {
    *error = (struct pl_load_error){.failure = PL_LOAD_NOT_READ,
                                    .thrown = status,
                                    .path = module->filename};
    return 1;
  }
  if (strcmp(kind, ".json") == 0)
    status = run_json(module, text, length, error);
  else
    status = run_script(module, text, length, error);
  loader->memory.resize(loader->memory.self, text, 0);
  return status;
}

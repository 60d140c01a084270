/* SPDX-License-Identifier: MIT */
/*
 * module.c: one module: what it asks, where it looks, what it knows of itself,
 * and the errors that name it.
 *
 * Invariant: a place that is kept is the resolver's of now: when the resolver
 * forgets, its epoch moves, and the place is asked for again.
 */
#include "loader.h"

#include <string.h>

/* The place of a module's directory; kept while the resolver remembers it. */
static int place_of(struct pl_module *module, struct pl_place **out) {
  struct pl_resolver *resolver = module->loader->resolver;
  if (module->place != NULL && module->epoch == resolver->epoch) {
    *out = module->place;
    return 0;
  }
  size_t length;
  const char *dir = pl_module_dirname(module, &length);
  int error = pl_resolver_place(resolver, dir, length, &module->place);
  if (error != 0) {
    module->place = NULL;
    return error;
  }
  module->epoch = resolver->epoch;
  *out = module->place;
  return 0;
}

/* Asks once. The folders of module.paths come first, and where there are some
 * nothing is kept. */
static int ask_once(struct pl_loader *loader, struct pl_module *module,
                    const char *specifier, size_t length, bool import,
                    const struct pl_lookup *lookup,
                    const struct pl_resolution **out) {
  struct pl_place *place;
  int error = module == NULL
                  ? pl_resolver_place(loader->resolver, "/", 1, &place)
                  : place_of(module, &place);
  if (error != 0) return error;
  if (import) return pl_place_import(place, specifier, length, out);
  struct pl_lookup own = {0};
  if (lookup != NULL) own = *lookup;
  if (module != NULL && own.starts == NULL) {
    own.first = (const char *const *)module->search;
    own.first_count = module->search_count;
  }
  if (own.first_count == 0 && own.starts == NULL)
    return pl_place_require(place, specifier, length, out);
  return pl_place_require_in(place, &own, specifier, length, out);
}

static int ask(struct pl_loader *loader, struct pl_module *module,
               const char *specifier, size_t length, bool import,
               const struct pl_lookup *lookup,
               const struct pl_resolution **out) {
  int error = ask_once(loader, module, specifier, length, import, lookup, out);
  if (error != 0 || (*out)->code == PL_RESOLVED || loader->keep_failures)
    return error;
  /* It may have come into being since the directories were looked at. */
  pl_resolver_refresh(loader->resolver);
  return ask_once(loader, module, specifier, length, import, lookup, out);
}

int pl__module_ask(struct pl_loader *loader, struct pl_module *module,
                   const char *specifier, size_t length,
                   const struct pl_resolution **out) {
  return ask(loader, module, specifier, length, false, NULL, out);
}

int pl_module_resolve(struct pl_module *module, const char *specifier,
                      size_t length, bool import,
                      const struct pl_lookup *lookup,
                      const struct pl_resolution **out,
                      struct pl_load_error *error) {
  struct pl_loader *loader = module->loader;
  if (specifier == NULL)
    return pl__module_fail(loader, error, PL_CODE_ERR_INVALID_ARG_TYPE,
                           "The \"request\" argument must be of type string",
                           NULL);
  int status = ask(loader, module, specifier, length, import, lookup, out);
  if (status != 0 || (*out)->code == PL_RESOLVED) return status;
  return pl__module_not_resolved(loader, module, *out, error);
}

/* ------------------------------------------------------------------------ */

int pl__module_fail(struct pl_loader *loader, struct pl_load_error *error,
                    enum pl_module_code code, ...) {
  struct pl__text *text = &loader->message;
  pl__text_clear(text);
  va_list list;
  va_start(list, code);
  for (const char *part; (part = va_arg(list, const char *)) != NULL;)
    pl__text_string(text, part);
  va_end(list);
  if (text->broken) {
    text->broken = false;
    return PL_ENOMEM;
  }
  *error = (struct pl_load_error){
      .failure = PL_LOAD_NOT_RESOLVED, .code = code, .message = text->bytes};
  return 1;
}

/* Whether it is asked for again and again is not known here: the message is
 * written when somebody wants it. */
int pl__module_not_resolved(struct pl_loader *loader, struct pl_module *parent,
                            const struct pl_resolution *resolution,
                            struct pl_load_error *error) {
  const char **stack = loader->stack;
  size_t depth = 0;
  for (struct pl_module *at = parent; at != NULL && depth < PL__STACK_MOST;
       at = at->parent)
    stack[depth++] = at->filename;
  *error = (struct pl_load_error){.failure = PL_LOAD_NOT_RESOLVED,
                                  .code = resolution->code,
                                  .resolution = resolution,
                                  .path = resolution->error_path,
                                  .request = resolution->error_request,
                                  .stack = resolution->has_stack ? stack : NULL,
                                  .depth = depth};
  return 1;
}

const char *pl_load_error_message(struct pl_loader *loader,
                                  const struct pl_load_error *error) {
  const struct pl_resolution *resolution = error->resolution;
  if (resolution == NULL) return error->message;
  const char *const *stack = loader->stack;
  size_t length =
      pl_resolution_message(resolution, stack, error->depth, NULL, 0);
  char *room = loader->memory.resize(loader->memory.self, NULL, length + 1);
  if (room == NULL) return NULL;
  pl_resolution_message(resolution, stack, error->depth, room, length + 1);
  struct pl__text *text = &loader->message;
  pl__text_set(text, room, length + 1);
  loader->memory.resize(loader->memory.self, room, 0);
  bool broken = text->broken;
  text->broken = false;
  return broken ? NULL : text->bytes;
}

const char *pl_load_error_class(const struct pl_load_error *error) {
  switch (error->failure) {
  case PL_LOAD_NOT_RESOLVED:
    return pl_module_code_class(error->code);
  case PL_LOAD_BAD_JSON:
    return "SyntaxError";
  case PL_LOAD_NOT_READ:
    return "Error";
  case PL_LOAD_TOO_DEEP:
    return "RangeError";
  case PL_LOAD_FINE:
  case PL_LOAD_THREW:
    break;
  }
  return NULL;
}

const char *pl_load_error_code(const struct pl_load_error *error) {
  if (error->failure == PL_LOAD_NOT_RESOLVED)
    return pl_module_code_name(error->code);
  if (error->failure == PL_LOAD_NOT_READ) return pl_error_name(error->thrown);
  return NULL;
}

/* ------------------------------------------------------------------------ */

int pl_loader_asker(struct pl_loader *loader, const char *path, size_t length,
                    struct pl_module **out) {
  if (length == 0 || path[0] != '/') return PL_EINVAL;
  for (struct pl_module *at = loader->first; at != NULL; at = at->next)
    if (at->asker && pl__same(at->filename, at->length, path, length)) {
      *out = at;
      return 0;
    }
  struct pl_module *module = pl__module_new(loader, path, length, NULL);
  if (module == NULL) return PL_ENOMEM;
  module->asker = true;
  *out = module;
  return 0;
}

int pl_module_search(struct pl_module *module, const char *path,
                     size_t length) {
  struct pl_module_memory *memory = &module->loader->memory;
  if (length == 0 || path[0] != '/' || memchr(path, '\0', length) != NULL)
    return PL_EINVAL;
  char *copy = memory->resize(memory->self, NULL, length + 1);
  if (copy == NULL) return PL_ENOMEM;
  char **search =
      memory->resize(memory->self, module->search,
                     (module->search_count + 1) * sizeof *module->search);
  if (search == NULL) {
    memory->resize(memory->self, copy, 0);
    return PL_ENOMEM;
  }
  memcpy(copy, path, length);
  copy[length] = '\0';
  memmove(search + 1, search, module->search_count * sizeof *search);
  search[0] = copy;
  module->search = search;
  module->search_count++;
  return 0;
}

int pl_loader_add_extension(struct pl_loader *loader, const char *extension,
                            size_t length) {
  if (loader->host.other == NULL) return PL_EINVAL;
  return pl_resolver_add_extension(loader->resolver, extension, length);
}

const char *pl_module_dirname(const struct pl_module *module, size_t *length) {
  const char *slash = strrchr(module->filename, '/');
  if (slash == NULL) {
    *length = 1;
    return "/";
  }
  *length = slash == module->filename ? 1 : (size_t)(slash - module->filename);
  return module->filename;
}

const char *pl_module_id(const struct pl_module *module) {
  return module->main ? "." : module->filename;
}
const char *pl_module_filename(const struct pl_module *module) {
  return module->filename;
}
bool pl_module_loaded(const struct pl_module *module) {
  return module->loaded;
}
bool pl_module_is_main(const struct pl_module *module) {
  return module->loader->main == module;
}
struct pl_module *pl_module_parent(const struct pl_module *module) {
  return module->parent;
}
size_t pl_module_children(const struct pl_module *module,
                          struct pl_module *const **children) {
  *children = module->children.items;
  return module->children.count;
}
void *pl_module_exports(const struct pl_module *module) {
  return module->exports;
}
void pl_module_set_exports(struct pl_module *module, void *value) {
  const struct pl_loader_host *host = &module->loader->host;
  if (module->exports != NULL) host->release(host->self, module->exports);
  module->exports = value;
}
struct pl_module *pl_loader_require_main(const struct pl_loader *loader) {
  return loader->main;
}
void pl_module_set_data(struct pl_module *module, void *data) {
  module->data = data;
}
void *pl_module_data(const struct pl_module *module) {
  return module->data;
}

void pl_module_paths(const struct pl_module *module,
                     void (*each)(void *arg, const char *path, size_t length),
                     void *arg) {
  static const char name[] = "/node_modules";
  struct pl__text *text = &module->loader->scratch;
  const char *file = module->filename;
  size_t end = module->length;
  for (size_t i = 0; i < module->search_count; i++)
    each(arg, module->search[i], strlen(module->search[i]));
  do {
    while (end > 0 && file[end - 1] != '/')
      end--;
    if (end > 0) end--;
    if (pl__ends(file, end, name)) continue;
    pl__text_set(text, file, end);
    pl__text_string(text, name);
    if (!text->broken) each(arg, text->bytes, text->length);
    text->broken = false;
  } while (end > 0);
}

bool pl_module_lookup_paths(const struct pl_module *module,
                            const char *specifier, size_t specifier_length,
                            void (*each)(void *arg, const char *path,
                                         size_t length),
                            void *arg) {
  const struct pl_resolver *resolver = module->loader->resolver;
  if (pl_resolver_is_core(resolver, specifier, specifier_length)) return false;
  bool relative =
      specifier_length > 0 && specifier[0] == '.' &&
      (specifier_length == 1 || specifier[1] == '.' || specifier[1] == '/');
  if (relative) {
    size_t length;
    const char *dir = pl_module_dirname(module, &length);
    each(arg, dir, length);
    return true;
  }
  pl_module_paths(module, each, arg);
  for (size_t i = 0; i < resolver->path_count; i++)
    each(arg, resolver->paths[i], strlen(resolver->paths[i]));
  return true;
}

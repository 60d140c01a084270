/* SPDX-License-Identifier: MIT */
/*
 * loader.c: require(): the cache, cycles, children, what a throw undoes.
 *
 * A module that is loaded is found again by the answer the resolver kept: its
 * `mark` points to the module, so a second require() costs one look.
 *
 * Invariant: an answer's mark is used only while its module is in the cache
 * under that path.
 */
#include "loader.h"

bool pl__list_add(struct pl_loader *loader, struct pl__list *list,
                  struct pl_module *module) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
    struct pl_module **items =
        loader->memory.resize(loader->memory.self, list->items,
                              capacity * sizeof(struct pl_module *));
    if (items == NULL) return false;
    list->items = items;
    list->capacity = capacity;
  }
  list->items[list->count++] = module;
  return true;
}

/* Takes the last appearance out. */
void pl__list_drop(struct pl__list *list, const struct pl_module *module) {
  for (size_t i = list->count; i-- > 0;)
    if (list->items[i] == module) {
      list->count--;
      memmove(&list->items[i], &list->items[i + 1],
              (list->count - i) * sizeof(struct pl_module *));
      return;
    }
}

void pl__module_unlink(struct pl_module *parent, struct pl_module *child) {
  pl__list_drop(&parent->children, child);
  pl__list_drop(&child->dependants, parent);
}

/* The child joins the children; when it was there before only if `again`. */
static int link_child(struct pl_module *parent, struct pl_module *child,
                      bool again) {
  if (parent == NULL) return 0;
  struct pl__list *children = &parent->children;
  if (!again)
    for (size_t i = children->count; i-- > 0;)
      if (children->items[i] == child) return 0;
  if (!pl__list_add(parent->loader, children, child)) return PL_ENOMEM;
  if (!pl__list_add(parent->loader, &child->dependants, parent)) {
    children->count--;
    return PL_ENOMEM;
  }
  return 0;
}

/* ------------------------------------------------------------------------ */

static uint32_t key_hash(const char *key, size_t length) {
  return (uint32_t)pl__hash(key, length, 2);
}

static struct pl_module *find(const struct pl_loader *loader, const char *key,
                              size_t length) {
  if (loader->slot_count == 0) return NULL;
  uint32_t hash = key_hash(key, length);
  struct pl_module *module = loader->slots[hash & (loader->slot_count - 1)];
  while (module != NULL &&
         (module->hash != hash ||
          !pl__same(module->filename, module->length, key, length)))
    module = module->chain;
  return module;
}

static int grow_slots(struct pl_loader *loader) {
  size_t count = loader->slot_count == 0 ? 64 : loader->slot_count * 2;
  struct pl_module **slots = loader->memory.resize(
      loader->memory.self, NULL, count * sizeof(struct pl_module *));
  if (slots == NULL) return PL_ENOMEM;
  memset(slots, 0, count * sizeof(struct pl_module *));
  for (struct pl_module *at = loader->oldest; at != NULL; at = at->newer) {
    at->chain = slots[at->hash & (count - 1)];
    slots[at->hash & (count - 1)] = at;
  }
  if (loader->slots != NULL)
    loader->memory.resize(loader->memory.self, loader->slots, 0);
  loader->slots = slots;
  loader->slot_count = count;
  return 0;
}

static int enter_cache(struct pl_module *module) {
  struct pl_loader *loader = module->loader;
  if (loader->cached >= loader->slot_count && grow_slots(loader) != 0)
    return PL_ENOMEM;
  struct pl_module **slot =
      &loader->slots[module->hash & (loader->slot_count - 1)];
  module->chain = *slot;
  *slot = module;
  module->older = loader->newest;
  module->newer = NULL;
  *(loader->newest == NULL ? &loader->oldest : &loader->newest->newer) = module;
  loader->newest = module;
  loader->cached++;
  module->cached = true;
  return 0;
}

void pl__module_uncache(struct pl_module *module) {
  struct pl_loader *loader = module->loader;
  if (!module->cached) return;
  struct pl_module **at =
      &loader->slots[module->hash & (loader->slot_count - 1)];
  while (*at != module)
    at = &(*at)->chain;
  *at = module->chain;
  *(module->older == NULL ? &loader->oldest : &module->older->newer) =
      module->newer;
  *(module->newer == NULL ? &loader->newest : &module->newer->older) =
      module->older;
  loader->cached--;
  module->cached = false;
}

/* A module that is in no cache yet, with fresh exports. NULL: no memory. */
static struct pl_module *new_module(struct pl_loader *loader, const char *path,
                                    size_t length, void *exports) {
  struct pl_module *module = loader->memory.resize(loader->memory.self, NULL,
                                                   sizeof *module + length + 1);
  if (module == NULL) return NULL;
  *module = (struct pl_module){.loader = loader,
                               .previous = loader->last,
                               .exports = exports,
                               .hash = key_hash(path, length),
                               .length = (uint32_t)length};
  memcpy(module->filename, path, length);
  module->filename[length] = '\0';
  *(loader->last == NULL ? &loader->first : &loader->last->next) = module;
  loader->last = module;
  return module;
}

void pl__module_free(struct pl_module *module) {
  struct pl_loader *loader = module->loader;
  pl__module_uncache(module);
  *(module->previous == NULL ? &loader->first : &module->previous->next) =
      module->next;
  *(module->next == NULL ? &loader->last : &module->next->previous) =
      module->previous;
  if (module->children.items != NULL)
    loader->memory.resize(loader->memory.self, module->children.items, 0);
  if (module->dependants.items != NULL)
    loader->memory.resize(loader->memory.self, module->dependants.items, 0);
  if (module->exports != NULL)
    loader->host.release(loader->host.self, module->exports);
  loader->memory.resize(loader->memory.self, module, 0);
}

/* ------------------------------------------------------------------------ */

/* The place of a module's directory; kept while the resolver remembers it. */
static int place_of(struct pl_module *module, struct pl_place **out) {
  struct pl_loader *loader = module->loader;
  if (module->place != NULL && module->epoch == loader->epoch) {
    *out = module->place;
    return 0;
  }
  const char *slash = strrchr(module->filename, '/');
  size_t length = slash == NULL || slash == module->filename
                      ? 1
                      : (size_t)(slash - module->filename);
  int error = pl_resolver_place(loader->resolver,
                                slash == NULL ? "/" : module->filename, length,
                                &module->place);
  if (error != 0) {
    module->place = NULL;
    return error;
  }
  module->epoch = loader->epoch;
  *out = module->place;
  return 0;
}

static int ask(struct pl_loader *loader, struct pl_module *parent,
               const char *specifier, size_t length,
               const struct pl_resolution **out) {
  struct pl_place *place;
  int error = parent == NULL
                  ? pl_resolver_place(loader->resolver, "/", 1, &place)
                  : place_of(parent, &place);
  return error != 0 ? error : pl_place_require(place, specifier, length, out);
}

/* Keeps a failure's message, since the resolver may forget it. */
static int not_resolved(struct pl_loader *loader, struct pl_module *parent,
                        const struct pl_resolution *resolution,
                        struct pl_load_error *error) {
  enum { STACK_MOST = 256 };
  const char *stack[STACK_MOST];
  size_t depth = 0;
  for (struct pl_module *at = parent; at != NULL && depth < STACK_MOST;
       at = at->parent)
    stack[depth++] = at->filename;
  size_t length = pl_resolution_message(resolution, stack, depth, NULL, 0);
  struct pl__text *text = &loader->message;
  pl__text_clear(text);
  char *room = loader->memory.resize(loader->memory.self, NULL, length + 1);
  if (room == NULL) return PL_ENOMEM;
  pl_resolution_message(resolution, stack, depth, room, length + 1);
  pl__text_add(text, room, length);
  loader->memory.resize(loader->memory.self, room, 0);
  if (text->broken) {
    text->broken = false;
    return PL_ENOMEM;
  }
  *error = (struct pl_load_error){.failure = PL_LOAD_NOT_RESOLVED,
                                  .code = resolution->code,
                                  .message = text->bytes};
  return 1;
}

/* A core module, unless the cache has an entry of that very name. */
static int load_core(struct pl_loader *loader, struct pl_module *parent,
                     const struct pl_resolution *resolution,
                     struct pl_required *out) {
  const char *name = resolution->path;
  size_t length = resolution->path_length;
  bool prefixed = pl__starts(name, length, "node:");
  struct pl_module *module = prefixed ? NULL : find(loader, name, length);
  if (module != NULL) {
    out->module = module;
    out->exports = module->exports;
    out->partial = !module->loaded;
    return link_child(parent, module, false);
  }
  int thrown = loader->host.core(loader->host.self, name + (prefixed ? 5 : 0),
                                 &out->exports);
  if (thrown == 0) return 0;
  out->error =
      (struct pl_load_error){.failure = PL_LOAD_THREW, .thrown = thrown};
  return 1;
}

/* A module that is not in the cache: enters it, runs it, and undoes that when
 * it throws. */
static int load_new(struct pl_loader *loader, struct pl_module *parent,
                    const char *path, size_t length, bool is_main,
                    struct pl_required *out) {
  if (loader->depth >= loader->depth_most) {
    out->error =
        (struct pl_load_error){.failure = PL_LOAD_TOO_DEEP,
                               .message = "Maximum call stack size exceeded"};
    return 1;
  }
  void *exports = loader->host.make(loader->host.self);
  if (exports == NULL) return PL_ENOMEM;
  struct pl_module *module = new_module(loader, path, length, exports);
  if (module == NULL) {
    loader->host.release(loader->host.self, exports);
    return PL_ENOMEM;
  }
  module->parent = parent;
  module->main = is_main;
  if (link_child(parent, module, true) != 0) {
    pl__module_free(module);
    return PL_ENOMEM;
  }
  if (enter_cache(module) != 0) {
    if (parent != NULL) pl__module_unlink(parent, module);
    pl__module_free(module);
    return PL_ENOMEM;
  }
  if (is_main) loader->main = module;
  loader->depth++;
  module->running++;
  int status = pl__module_load(module, &out->error);
  module->running--;
  loader->depth--;
  if (status != 0) {
    /* Whoever stands in the cache under this path now goes, as in Node. */
    struct pl_module *cached = find(loader, module->filename, module->length);
    if (cached != NULL) pl__module_uncache(cached);
    if (parent != NULL) pl__module_unlink(parent, module);
    return status;
  }
  module->loaded = true;
  out->module = module;
  out->exports = module->exports;
  return 0;
}

static int give(struct pl_module *parent, struct pl_module *module,
                struct pl_required *out) {
  out->module = module;
  out->exports = module->exports;
  out->partial = !module->loaded;
  return link_child(parent, module, false);
}

/* The name is "node:" and what no Node knows. */
static int unknown_core(struct pl_loader *loader, const char *specifier,
                        size_t length, struct pl_load_error *error) {
  pl__text_clear(&loader->message);
  pl__text_string(&loader->message, "No such built-in module: ");
  pl__text_add(&loader->message, specifier, length);
  if (loader->message.broken) {
    loader->message.broken = false;
    return PL_ENOMEM;
  }
  *error = (struct pl_load_error){.failure = PL_LOAD_NOT_RESOLVED,
                                  .code = PL_CODE_ERR_UNKNOWN_BUILTIN_MODULE,
                                  .message = loader->message.bytes};
  return 1;
}

static int require(struct pl_loader *loader, struct pl_module *parent,
                   const char *specifier, size_t length, bool is_main,
                   struct pl_required *out) {
  const struct pl_resolution *resolution;
  *out = (struct pl_required){0};
  int error = ask(loader, parent, specifier, length, &resolution);
  if (error != 0) return error;
  struct pl_module *known = resolution->mark;
  if (known != NULL && known->cached) return give(parent, known, out);
  if (resolution->code != PL_RESOLVED && !loader->keep_failures) {
    /* It may have come into being since the directories were looked at. */
    pl_resolver_refresh(loader->resolver);
    loader->epoch++;
    error = ask(loader, parent, specifier, length, &resolution);
    if (error != 0) return error;
  }
  bool core =
      resolution->code == PL_RESOLVED && resolution->kind == PL_MODULE_CORE;
  if (!core && pl__starts(specifier, length, "node:"))
    return unknown_core(loader, specifier, length, &out->error);
  if (resolution->code != PL_RESOLVED)
    return not_resolved(loader, parent, resolution, &out->error);
  if (core) return load_core(loader, parent, resolution, out);
  struct pl_module *module =
      find(loader, resolution->path, resolution->path_length);
  if (module != NULL) {
    ((struct pl_resolution *)resolution)->mark = module;
    return give(parent, module, out);
  }
  return load_new(loader, parent, resolution->path, resolution->path_length,
                  is_main, out);
}

int pl_module_require(struct pl_loader *loader, struct pl_module *parent,
                      const char *specifier, size_t length,
                      struct pl_required *out) {
  return require(loader, parent, specifier, length, false, out);
}

int pl_loader_main(struct pl_loader *loader, const char *path, size_t length,
                   struct pl_required *out) {
  return require(loader, NULL, path, length, true, out);
}

/* ------------------------------------------------------------------------ */

const char *pl_module_id(const struct pl_module *module) {
  return module->main ? "." : module->filename;
}
const char *pl_module_filename(const struct pl_module *module) {
  return module->filename;
}
bool pl_module_loaded(const struct pl_module *module) {
  return module->loaded;
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

struct pl_module *pl_loader_cached(const struct pl_loader *loader,
                                   const char *key, size_t length) {
  return find(loader, key, length);
}

bool pl_loader_uncache(struct pl_loader *loader, const char *key,
                       size_t length) {
  struct pl_module *module = find(loader, key, length);
  if (module == NULL) return false;
  pl__module_uncache(module);
  return true;
}

int pl_loader_enter(struct pl_loader *loader, const char *key, size_t length,
                    void *exports, struct pl_module **out) {
  struct pl_module *module = new_module(loader, key, length, NULL);
  if (module == NULL) return PL_ENOMEM;
  module->loaded = true;
  struct pl_module *old = find(loader, key, length);
  if (enter_cache(module) != 0) {
    pl__module_free(module);
    return PL_ENOMEM;
  }
  if (old != NULL) pl__module_uncache(old);
  module->exports = exports;
  *out = module;
  return 0;
}

struct pl_module *pl_loader_next(const struct pl_loader *loader,
                                 const struct pl_module *module) {
  return module == NULL ? loader->oldest : module->newer;
}

int pl_loader_create(const struct pl_loader_config *config,
                     struct pl_loader **out) {
  const struct pl_loader_host *host = &config->host;
  if (config->resolver == NULL || config->fs == NULL || host->make == NULL ||
      host->release == NULL || host->run == NULL || host->core == NULL ||
      host->json == NULL)
    return PL_EINVAL;
  struct pl_module_memory memory = config->memory;
  if (memory.resize == NULL) memory = pl__memory_default();
  struct pl_loader *loader = memory.resize(memory.self, NULL, sizeof *loader);
  if (loader == NULL) return PL_ENOMEM;
  *loader = (struct pl_loader){.memory = memory,
                               .resolver = config->resolver,
                               .fs = config->fs,
                               .host = *host,
                               .depth_most =
                                   config->depth == 0 ? 2000 : config->depth,
                               .keep_failures = config->keep_failures,
                               .epoch = 1};
  loader->message.memory = &loader->memory;
  loader->scratch.memory = &loader->memory;
  *out = loader;
  return 0;
}

void pl_loader_destroy(struct pl_loader *loader) {
  struct pl_module_memory memory = loader->memory;
  while (loader->first != NULL)
    pl__module_free(loader->first);
  if (loader->slots != NULL) memory.resize(memory.self, loader->slots, 0);
  pl__text_free(&loader->message);
  pl__text_free(&loader->scratch);
  /* Kept answers may still point to modules of this loader. */
  pl_resolver_forget(loader->resolver);
  memory.resize(memory.self, loader, 0);
}

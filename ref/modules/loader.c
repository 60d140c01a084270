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

static bool has(const struct pl__list *list, const struct pl_module *module) {
  for (size_t i = list->count; i-- > 0;)
    if (list->items[i] == module) return true;
  return false;
}

/* Whoever loaded it has it as a child; else the shorter list is looked at. */
static bool is_child(const struct pl_module *parent,
                     const struct pl_module *child) {
  if (child->parent == parent) return true;
  return parent->children.count < child->dependants.count
             ? has(&parent->children, child)
             : has(&child->dependants, parent);
}

/* The child joins the children; when it was there before only if `again`. */
static int link_child(struct pl_module *parent, struct pl_module *child,
                      bool again) {
  if (parent == NULL || (!again && is_child(parent, child))) return 0;
  struct pl__list *children = &parent->children;
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

struct pl_module *pl__module_new(struct pl_loader *loader, const char *path,
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
  for (size_t i = 0; i < module->search_count; i++)
    loader->memory.resize(loader->memory.self, module->search[i], 0);
  if (module->search != NULL)
    loader->memory.resize(loader->memory.self, module->search, 0);
  if (module->exports != NULL)
    loader->host.release(loader->host.self, module->exports);
  loader->memory.resize(loader->memory.self, module, 0);
}

/* ------------------------------------------------------------------------ */

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
  struct pl_module *module = pl__module_new(loader, path, length, exports);
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

/* By what the resolver knows of the tree. */
static int require_as_known(struct pl_loader *loader, struct pl_module *parent,
                            const char *specifier, size_t length, bool is_main,
                            struct pl_required *out) {
  const struct pl_resolution *resolution;
  out->module = NULL;
  out->partial = false;
  out->error.failure = PL_LOAD_FINE;
  if (specifier == NULL) {
    return pl__module_fail(loader, &out->error, PL_CODE_ERR_INVALID_ARG_TYPE,
                           "The \"id\" argument must be of type string", NULL);
  }
  int error = pl__module_ask(loader, parent, specifier, length, &resolution);
  if (error != 0) return error;
  struct pl_module *known = resolution->mark;
  if (known != NULL && known->cached) return give(parent, known, out);
  bool core =
      resolution->code == PL_RESOLVED && resolution->kind == PL_MODULE_CORE;
  if (!core && pl__starts(specifier, length, "node:"))
    return pl__module_fail(loader, &out->error,
                           PL_CODE_ERR_UNKNOWN_BUILTIN_MODULE,
                           "No such built-in module: ", specifier, NULL);
  if (resolution->code != PL_RESOLVED)
    return pl__module_not_resolved(loader, parent, resolution, &out->error);
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

static int require(struct pl_loader *loader, struct pl_module *parent,
                   const char *specifier, size_t length, bool is_main,
                   struct pl_required *out) {
  int status =
      require_as_known(loader, parent, specifier, length, is_main, out);
  if (status != 1 || out->error.failure != PL_LOAD_NOT_READ ||
      out->error.thrown != PL_ENOENT || loader->keep_failures)
    return status;
  /* The file went after its directory was looked at: it is looked at again. */
  pl_resolver_refresh(loader->resolver);
  return require_as_known(loader, parent, specifier, length, is_main, out);
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

/* An entry that is replaced keeps its place in the order, as a property of an
 * object does. `module` is the newest. */
static void take_place(struct pl_module *module, struct pl_module *old) {
  struct pl_loader *loader = module->loader;
  loader->newest = module->older;
  module->older->newer = NULL;
  module->older = old->older;
  module->newer = old;
  *(old->older == NULL ? &loader->oldest : &old->older->newer) = module;
  old->older = module;
}

int pl_loader_enter(struct pl_loader *loader, const char *key, size_t length,
                    void *exports, struct pl_module **out) {
  struct pl_module *module = pl__module_new(loader, key, length, NULL);
  if (module == NULL) return PL_ENOMEM;
  module->loaded = true;
  struct pl_module *old = find(loader, key, length);
  if (enter_cache(module) != 0) {
    pl__module_free(module);
    return PL_ENOMEM;
  }
  if (old != NULL) {
    take_place(module, old);
    pl__module_uncache(old);
  }
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
                               .keep_failures = config->keep_failures};
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

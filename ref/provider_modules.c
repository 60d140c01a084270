/* SPDX-License-Identifier: MIT */
/*
 * provider_modules.c: hands ref/modules to the suite through the provider ABI.
 *
 * Invariant: a function here calls one function of the reference, turns what
 * it gave into what the ABI wants, and decides nothing.
 */
#include "provider_modules.h"

#include <stdlib.h>
#include <string.h>

#include "plumb/loader.h"

/* An instance: the real file system, a resolver, a loader. */
struct instance {
  struct pl_fs_real fs;
  struct pl_resolver *resolver;
  struct pl_loader *loader;
  struct pl_modules_host host;
  struct pl_load_error error; /* of the last outcome */
  struct pl_bytes stack[256];
};

static struct pl_bytes bytes_of(const char *text) {
  return (struct pl_bytes){text, text == NULL ? 0 : strlen(text)};
}

/* -- texts with a NUL behind them, for the reference ------------------- */

static void texts_free(const char **texts, size_t count) {
  for (size_t i = 0; texts != NULL && i < count; i++)
    free((void *)(uintptr_t)texts[i]);
  free(texts);
}

/* A copy that ends with NULL, or NULL: no memory. */
static const char **texts_of(const struct pl_bytes *from, size_t count) {
  const char **texts = calloc(count + 1, sizeof *texts);
  for (size_t i = 0; texts != NULL && i < count; i++) {
    texts[i] = strndup(from[i].at, from[i].length);
    if (texts[i] != NULL) continue;
    texts_free(texts, i);
    return NULL;
  }
  return texts;
}

/* -- the host ---------------------------------------------------------- */

static void *host_make(void *self) {
  const struct pl_modules_host *host = &((struct instance *)self)->host;
  return host->make(host->self);
}
static void host_hold(void *self, void *value) {
  const struct pl_modules_host *host = &((struct instance *)self)->host;
  host->hold(host->self, value);
}
static void host_release(void *self, void *value) {
  const struct pl_modules_host *host = &((struct instance *)self)->host;
  host->release(host->self, value);
}
static int host_run(void *self, struct pl_module *module, void *exports,
                    const struct pl_source *source) {
  const struct pl_modules_host *host = &((struct instance *)self)->host;
  return host->run(host->self, module, exports,
                   (struct pl_bytes){source->bytes, source->length});
}
static int host_core(void *self, const char *name, void **exports) {
  const struct pl_modules_host *host = &((struct instance *)self)->host;
  return host->core(host->self, bytes_of(name), exports);
}
static int host_json(void *self, struct pl_module *module, const char *text,
                     size_t length, void **exports) {
  const struct pl_modules_host *host = &((struct instance *)self)->host;
  (void)module;
  return host->json(host->self, (struct pl_bytes){text, length}, exports);
}
static int host_other(void *self, struct pl_module *module) {
  const struct pl_modules_host *host = &((struct instance *)self)->host;
  return host->other(host->self, module);
}
static void host_dispose(void *self, struct pl_module *module) {
  const struct pl_modules_host *host = &((struct instance *)self)->host;
  host->dispose(host->self, module);
}

/* -- an instance ------------------------------------------------------- */

static int open_resolver(struct instance *instance,
                         const struct pl_modules_options *options) {
  const char **conditions =
      texts_of(options->conditions, options->condition_count);
  const char **paths =
      texts_of(options->search_path, options->search_path_count);
  int error = PL_ENOMEM;
  if (conditions != NULL && paths != NULL) {
    struct pl_resolver_config config = {.fs = &instance->fs.base,
                                        .conditions = conditions,
                                        .paths = paths,
                                        .preserve_symlinks =
                                            options->preserve_symlinks != 0};
    error = pl_resolver_create(&config, &instance->resolver);
  }
  texts_free(conditions, options->condition_count);
  texts_free(paths, options->search_path_count);
  return error;
}

/* Without a host nothing is ever loaded: none of these is called. */
static void *no_value(void *self) {
  (void)self;
  return NULL;
}
static void no_release(void *self, void *value) {
  (void)self;
  (void)value;
}
static int no_run(void *self, void *module, void *exports,
                  struct pl_bytes text) {
  (void)self;
  (void)module;
  (void)exports;
  (void)text;
  return PL_ENOTSUP;
}
static int no_exports(void *self, struct pl_bytes text, void **exports) {
  (void)self;
  (void)text;
  (void)exports;
  return PL_ENOTSUP;
}

static int open_loader(struct instance *instance) {
  const struct pl_modules_host *host = &instance->host;
  struct pl_loader_config config = {
      .resolver = instance->resolver,
      .fs = &instance->fs.base,
      .keep_failures = host->run == no_run,
      .host = {.self = instance,
               .make = host_make,
               .hold = host_hold,
               .release = host_release,
               .run = host_run,
               .core = host_core,
               .json = host_json,
               .other = host->other == NULL ? NULL : host_other,
               .dispose = host->dispose == NULL ? NULL : host_dispose}};
  return pl_loader_create(&config, &instance->loader);
}

static void ref_destroy(void *modules) {
  struct instance *instance = modules;
  if (instance->loader != NULL) pl_loader_destroy(instance->loader);
  if (instance->resolver != NULL) pl_resolver_destroy(instance->resolver);
  free(instance);
}

static int ref_create(const struct pl_modules_options *options,
                      void **modules) {
  static const struct pl_modules_host none = {.size = sizeof none,
                                              .make = no_value,
                                              .hold = no_release,
                                              .release = no_release,
                                              .run = no_run,
                                              .json = no_exports,
                                              .core = no_exports};
  if (options == NULL || options->size < sizeof *options) return PL_EINVAL;
  const struct pl_modules_host *host = options->host;
  if (host == NULL) host = &none;
  if (host->size < sizeof *host) return PL_EINVAL;
  struct instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL) return PL_ENOMEM;
  instance->host = *host;
  pl_fs_real_init(&instance->fs);
  int error = open_resolver(instance, options);
  if (error == 0) error = open_loader(instance);
  if (error != 0) {
    ref_destroy(instance);
    return error;
  }
  *modules = instance;
  return 0;
}

/* -- outcomes ---------------------------------------------------------- */

/* What was thrown, as the ABI tells it. Returns 1. */
static int tell_error(struct instance *instance,
                      const struct pl_load_error *error,
                      struct pl_module_outcome *outcome) {
  outcome->thrown = error->failure == PL_LOAD_THREW ? error->thrown : 0;
  outcome->code = pl_load_error_code(error);
  outcome->name = pl_load_error_class(error);
  instance->error = *error;
  outcome->error_path = bytes_of(error->path);
  outcome->request_path = bytes_of(error->request);
  for (size_t i = 0; error->stack != NULL && i < error->depth; i++)
    instance->stack[i] = bytes_of(error->stack[i]);
  outcome->stack = error->stack == NULL ? NULL : instance->stack;
  outcome->stack_length = error->stack == NULL ? 0 : error->depth;
  return 1;
}

static int tell_required(struct instance *instance, int status,
                         const struct pl_required *required,
                         struct pl_module_outcome *outcome) {
  if (status == 0)
    outcome->exports = required->exports;
  else if (status == 1)
    tell_error(instance, &required->error, outcome);
  return status;
}

/* -- resolution -------------------------------------------------------- */

static int ref_asker(void *modules, struct pl_bytes file, void **module) {
  struct instance *instance = modules;
  struct pl_module *asker;
  int error = pl_loader_asker(instance->loader, file.at, file.length, &asker);
  if (error == 0) *module = asker;
  return error;
}

static int ref_resolve(void *modules, void *module,
                       const struct pl_module_request *request,
                       struct pl_module_outcome *outcome) {
  struct instance *instance = modules;
  const char **starts = NULL;
  struct pl_lookup lookup = {0};
  if (request->has_paths) {
    starts = texts_of(request->paths, request->path_count);
    if (starts == NULL) return PL_ENOMEM;
    lookup.starts = starts;
    lookup.start_count = request->path_count;
  }
  const struct pl_resolution *found;
  struct pl_load_error error;
  int status = pl_module_resolve(
      module, request->specifier.at, request->specifier.length,
      request->by_import != 0, starts == NULL ? NULL : &lookup, &found, &error);
  texts_free(starts, request->path_count);
  if (status == 1) return tell_error(instance, &error, outcome);
  if (status != 0) return status;
  outcome->path = (struct pl_bytes){found->path, found->path_length};
  outcome->query = bytes_of(found->query);
  return 0;
}

struct teller {
  void (*each)(void *arg, struct pl_bytes folder);
  void *arg;
};
static void tell_folder(void *arg, const char *path, size_t length) {
  const struct teller *teller = arg;
  teller->each(teller->arg, (struct pl_bytes){path, length});
}

static int ref_folders(void *modules, void *module, struct pl_bytes specifier,
                       void (*each)(void *arg, struct pl_bytes folder),
                       void *arg) {
  struct teller teller = {each, arg};
  (void)modules;
  if (specifier.at == NULL) {
    pl_module_paths(module, tell_folder, &teller);
    return 0;
  }
  return pl_module_lookup_paths(module, specifier.at, specifier.length,
                                tell_folder, &teller)
             ? 0
             : 1;
}

static int ref_is_core(void *modules, struct pl_bytes name) {
  const struct instance *instance = modules;
  return pl_resolver_is_core(instance->resolver, name.at, name.length);
}

static char *text_of(struct pl_bytes bytes) {
  return bytes.at == NULL ? NULL : strndup(bytes.at, bytes.length);
}

static int ref_search_path(void *modules, const struct pl_search_path *path) {
  struct instance *instance = modules;
  const char **folders = texts_of(path->folders, path->count);
  char *home = text_of(path->home), *prefix = text_of(path->prefix);
  int error = PL_ENOMEM;
  if (folders != NULL && (home != NULL || path->home.at == NULL) &&
      (prefix != NULL || path->prefix.at == NULL)) {
    struct pl_global_folders global = {.folders = folders,
                                       .count = path->count,
                                       .home = home,
                                       .prefix = prefix};
    error = pl_resolver_set_global(instance->resolver, &global);
  }
  texts_free(folders, path->count);
  free(home);
  free(prefix);
  return error;
}

static int ref_extension(void *modules, struct pl_bytes suffix) {
  struct instance *instance = modules;
  return pl_loader_add_extension(instance->loader, suffix.at, suffix.length);
}

/* -- loading ----------------------------------------------------------- */

static int ref_require(void *modules, void *module, struct pl_bytes specifier,
                       struct pl_module_outcome *outcome) {
  struct instance *instance = modules;
  struct pl_required required;
  int status = pl_module_require(instance->loader, module, specifier.at,
                                 specifier.length, &required);
  return tell_required(instance, status, &required, outcome);
}

static const char *ref_message(void *modules) {
  struct instance *instance = modules;
  return pl_load_error_message(instance->loader, &instance->error);
}

static int ref_entry(void *modules, struct pl_bytes file,
                     struct pl_module_outcome *outcome) {
  struct instance *instance = modules;
  struct pl_required required;
  int status =
      pl_loader_main(instance->loader, file.at, file.length, &required);
  return tell_required(instance, status, &required, outcome);
}

/* -- a module ---------------------------------------------------------- */

static struct pl_bytes ref_text(const void *module, enum pl_module_text what) {
  struct pl_bytes text = {0};
  switch (what) {
  case PL_MODULE_ID:
    return bytes_of(pl_module_id(module));
  case PL_MODULE_FILENAME:
    return bytes_of(pl_module_filename(module));
  case PL_MODULE_DIRNAME:
    text.at = pl_module_dirname(module, &text.length);
    break;
  }
  return text;
}

static int ref_loaded(const void *module) {
  return pl_module_loaded(module);
}
static int ref_is_main(const void *module) {
  return pl_module_is_main(module);
}
static void *ref_parent(const void *module) {
  return pl_module_parent(module);
}
static void *ref_child(const void *module, size_t index) {
  struct pl_module *const *children;
  return index < pl_module_children(module, &children) ? children[index] : NULL;
}
static void *ref_exports(const void *module) {
  return pl_module_exports(module);
}
static void ref_set_exports(void *module, void *value) {
  pl_module_set_exports(module, value);
}
static int ref_search(void *module, struct pl_bytes folder) {
  return pl_module_search(module, folder.at, folder.length);
}

/* -- the cache --------------------------------------------------------- */

static void *ref_cached(void *modules, struct pl_bytes key) {
  const struct instance *instance = modules;
  return pl_loader_cached(instance->loader, key.at, key.length);
}
static void *ref_next(void *modules, const void *module) {
  const struct instance *instance = modules;
  return pl_loader_next(instance->loader, module);
}
static int ref_uncache(void *modules, struct pl_bytes key) {
  struct instance *instance = modules;
  return pl_loader_uncache(instance->loader, key.at, key.length);
}
static int ref_enter(void *modules, struct pl_bytes key, void *value) {
  struct instance *instance = modules;
  struct pl_module *module;
  return pl_loader_enter(instance->loader, key.at, key.length, value, &module);
}
static int ref_changed(void *modules, struct pl_bytes file) {
  struct instance *instance = modules;
  return (int)pl_loader_changed(instance->loader, file.at, file.length);
}

const struct pl_modules_table provider_modules_table = {
    .size = sizeof(struct pl_modules_table),
    .create = ref_create,
    .destroy = ref_destroy,
    .asker = ref_asker,
    .resolve = ref_resolve,
    .folders = ref_folders,
    .is_core = ref_is_core,
    .search_path = ref_search_path,
    .extension = ref_extension,
    .require = ref_require,
    .entry = ref_entry,
    .message = ref_message,
    .text = ref_text,
    .loaded = ref_loaded,
    .is_main = ref_is_main,
    .parent = ref_parent,
    .child = ref_child,
    .exports = ref_exports,
    .set_exports = ref_set_exports,
    .search = ref_search,
    .cached = ref_cached,
    .next = ref_next,
    .uncache = ref_uncache,
    .enter = ref_enter,
    .changed = ref_changed,
};

/* SPDX-License-Identifier: MIT */
/*
 * reload.c: hot reload, and the modules that nobody can reach.
 *
 * Invariant: both walk over lists that hang on the modules themselves, so the
 * depth of a graph costs no stack.
 */
#include "loader.h"

/* Marks everything that depends on what is marked: by rounds over a list that
 * grows at its end. False: no memory. */
static bool mark_dependants(struct pl_loader *loader, struct pl__list *list) {
  for (size_t i = 0; i < list->count; i++) {
    const struct pl__list *above = &list->items[i]->dependants;
    for (size_t k = 0; k < above->count; k++) {
      struct pl_module *module = above->items[k];
      if (module->marked) continue;
      if (!pl__list_add(loader, list, module)) return false;
      module->marked = true;
    }
  }
  return true;
}

/* Out of the children of those that stay, and of their dependants; and it is
 * nobody's parent any more, or it would be kept by what it once required. */
static void detach(struct pl_module *module) {
  while (module->dependants.count > 0)
    pl__module_unlink(module->dependants.items[0], module);
  while (module->children.count > 0) {
    struct pl_module *child = module->children.items[0];
    if (child->parent == module) child->parent = NULL;
    pl__module_unlink(module, child);
  }
}

size_t pl_loader_changed(struct pl_loader *loader, const char *path,
                         size_t length) {
  struct pl__list gone = {0};
  size_t count = 0;
  for (struct pl_module *at = loader->first; at != NULL; at = at->next)
    at->marked = false;
  struct pl_module *module = pl_loader_cached(loader, path, length);
  if (module != NULL && pl__list_add(loader, &gone, module)) {
    module->marked = true;
    /* Short of memory, those found so far go. */
    mark_dependants(loader, &gone);
    count = gone.count;
    for (size_t i = count; i-- > 0;)
      if (loader->host.dispose != NULL)
        loader->host.dispose(loader->host.self, gone.items[i]);
    for (size_t i = 0; i < count; i++) {
      pl__module_uncache(gone.items[i]);
      detach(gone.items[i]);
    }
  }
  if (gone.items != NULL)
    loader->memory.resize(loader->memory.self, gone.items, 0);
  pl_resolver_changed(loader->resolver, path, length);
  pl_loader_collect(loader);
  return count;
}

static void reach(struct pl_module *module, struct pl_module **stack) {
  if (module == NULL || module->marked) return;
  module->marked = true;
  module->chain_of_marked = *stack;
  *stack = module;
}

int pl_loader_collect(struct pl_loader *loader) {
  if (loader->depth > 0) return PL_EBUSY;
  struct pl_module *stack = NULL;
  for (struct pl_module *at = loader->first; at != NULL; at = at->next)
    at->marked = false;
  for (struct pl_module *at = loader->oldest; at != NULL; at = at->newer)
    reach(at, &stack);
  if (loader->main != NULL && loader->main->cached) reach(loader->main, &stack);
  for (struct pl_module *at = loader->first; at != NULL; at = at->next)
    if (at->asker) reach(at, &stack);
  while (stack != NULL) {
    struct pl_module *at = stack;
    stack = at->chain_of_marked;
    reach(at->parent, &stack);
    for (size_t i = 0; i < at->children.count; i++)
      reach(at->children.items[i], &stack);
  }
  int count = 0;
  for (struct pl_module *at = loader->first, *next; at != NULL; at = next) {
    next = at->next;
    if (at->marked) continue;
    if (loader->main == at) loader->main = NULL;
    detach(at);
    pl__module_free(at);
    count++;
  }
  if (count > 0) {
    /* Answers may point to what is gone. */
    pl_resolver_refresh(loader->resolver);
  }
  return count;
}

/* SPDX-License-Identifier: MIT */
/*
 * reload.c: hot reload, and the modules that nobody can reach.
 *
 * Invariant: both walk over chains that go through the modules themselves, so
 * the depth of a graph costs no stack, and no memory that could run out.
 */
#include "loader.h"

/* Everything that depends on the first of a chain joins it at its end. Returns
 * how many there are then. */
static size_t add_dependants(struct pl_module *first) {
  struct pl_module *last = first;
  size_t count = 0;
  for (struct pl_module *at = first; at != NULL; at = at->chain_of_gone) {
    count++;
    for (size_t i = 0; i < at->dependants.count; i++) {
      struct pl_module *module = at->dependants.items[i];
      if (module->marked) continue;
      module->marked = true;
      module->chain_of_gone = NULL;
      last->chain_of_gone = module;
      last = module;
    }
  }
  return count;
}

static struct pl_module *turn_round(struct pl_module *chain) {
  struct pl_module *turned = NULL;
  while (chain != NULL) {
    struct pl_module *next = chain->chain_of_gone;
    chain->chain_of_gone = turned;
    turned = chain;
    chain = next;
  }
  return turned;
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
  size_t count = 0;
  for (struct pl_module *at = loader->first; at != NULL; at = at->next)
    at->marked = false;
  struct pl_module *gone = pl_loader_cached(loader, path, length);
  if (gone != NULL) {
    gone->marked = true;
    gone->chain_of_gone = NULL;
    count = add_dependants(gone);
    gone = turn_round(gone);
    if (loader->host.dispose != NULL)
      for (struct pl_module *at = gone; at != NULL; at = at->chain_of_gone)
        loader->host.dispose(loader->host.self, at);
    for (struct pl_module *at = turn_round(gone); at != NULL;
         at = at->chain_of_gone) {
      pl__module_uncache(at);
      detach(at);
    }
  }
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

/* SPDX-License-Identifier: MIT */
/*
 * loader.h: what the loader's files share.
 *
 * Invariant: `children` and `dependants` mirror each other: b stands in a's
 * children as often as a stands in b's dependants.
 */
#ifndef PLUMB_MODULES_LOADER_H
#define PLUMB_MODULES_LOADER_H

#include "internal.h"
#include "plumb/loader.h"

enum { PL__STACK_MOST = 256 };

struct pl__list {
  struct pl_module **items;
  size_t count, capacity;
};

struct pl_module {
  struct pl_loader *loader;
  struct pl_module *next, *previous; /* all modules, oldest first */
  struct pl_module *newer, *older;   /* those in the cache */
  struct pl_module *parent;          /* the first that required it */
  struct pl_module *chain;           /* in its slot of the cache */
  struct pl_module *chain_of_marked; /* while collecting */
  struct pl_module *chain_of_gone;   /* while a change is followed */
  struct pl__list children, dependants;
  void *exports, *data;
  uint32_t hash, length;
  unsigned running; /* bodies of it under way */
  bool loaded, cached, main, marked;
  bool asker;    /* of pl_loader_asker(): stays */
  char **search; /* folders of pl_module_search(), the last one first */
  size_t search_count;
  struct pl_place *place; /* of its directory; see epoch */
  uint64_t epoch;         /* the resolver's, when `place` was asked for */
  char filename[];
};

struct pl_loader {
  struct pl_module_memory memory;
  struct pl_resolver *resolver;
  struct pl_fs *fs;
  struct pl_loader_host host;
  unsigned depth_most, depth;
  bool keep_failures;
  struct pl_module *first, *last;    /* all */
  struct pl_module *oldest, *newest; /* cached */
  struct pl_module **slots;
  size_t slot_count, cached;
  struct pl_module *main;
  struct pl__text message, scratch;
  const char *stack[PL__STACK_MOST]; /* of the last error */
};

bool pl__list_add(struct pl_loader *loader, struct pl__list *list,
                  struct pl_module *module);
void pl__list_drop(struct pl__list *list, const struct pl_module *module);
void pl__module_uncache(struct pl_module *module);
void pl__module_unlink(struct pl_module *parent, struct pl_module *child);
void pl__module_free(struct pl_module *module);

/* A module that is in no cache yet, with these exports. NULL: no memory. */
struct pl_module *pl__module_new(struct pl_loader *loader, const char *path,
                                 size_t length, void *exports);
/* What a specifier leads to, or why nowhere. 0 or a PL_E value. */
int pl__module_ask(struct pl_loader *loader, struct pl_module *module,
                   const char *specifier, size_t length,
                   const struct pl_resolution **out);
/* The error of an answer that failed, and of a code: with a message made of
 * the texts up to NULL. 1, or PL_ENOMEM. */
int pl__module_not_resolved(struct pl_loader *loader, struct pl_module *parent,
                            const struct pl_resolution *resolution,
                            struct pl_load_error *error);
int pl__module_fail(struct pl_loader *loader, struct pl_load_error *error,
                    enum pl_module_code code, ...);

/* Reads and runs a module that is new. 0, 1 or PL_ENOMEM. */
int pl__module_load(struct pl_module *module, struct pl_load_error *error);

#endif

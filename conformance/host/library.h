/* SPDX-License-Identifier: MIT */
/*
 * library.h: a provider's shared library, loaded and looked over.
 */
#ifndef HOST_LIBRARY_H
#define HOST_LIBRARY_H

#include "provider.h"

#include <stdbool.h>

/* The capabilities of schema/vocabulary that this host can serve. */
#define HOST_CAPABILITIES(X)                                                   \
  X(TIMEOUT, "loop.timeout")                                                   \
  X(IMMEDIATE, "loop.immediate")                                               \
  X(TICK, "loop.tick")                                                         \
  X(MICROTASK, "loop.microtask")                                               \
  X(FS, "loop.fs")                                                             \
  X(REF, "loop.ref")                                                           \
  X(TIMER, "loop.timer")                                                       \
  X(WATCHER, "loop.watcher")                                                   \
  X(ASYNC, "loop.async")                                                       \
  X(POLL, "loop.poll")                                                         \
  X(SIGNAL, "loop.signal")                                                     \
  X(WORK, "loop.work")                                                         \
  X(CLOSE, "loop.close")                                                       \
  X(RUN, "loop.run")                                                           \
  X(RESOLVE, "modules.resolve")                                                \
  X(RESOLVE_IMPORT, "modules.resolve-import")                                  \
  X(IMPORT_PACKAGES, "modules.import-packages")                                \
  X(EXPORTS_FIELD, "modules.exports-field")                                    \
  X(CORE, "modules.core")                                                      \
  X(NODE_SCHEME, "modules.node-scheme")                                        \
  X(CONDITIONS, "modules.conditions")                                          \
  X(SEARCH_PATH, "modules.search-path")                                        \
  X(REQUIRE, "modules.require")                                                \
  X(ENTRY, "modules.entry")                                                    \
  X(RELOAD, "modules.reload")                                                  \
  X(CACHE, "modules.cache")                                                    \
  X(HOOKS, "modules.hooks")                                                    \
  X(TREE, "modules.tree")                                                      \
  X(EMITTER, "flow.emitter")                                                   \
  X(FLOW, "flow.control")                                                      \
  X(QUEUE, "flow.queue")

enum capability {
#define X(name, text) CAP_##name,
  HOST_CAPABILITIES(X)
#undef X
      CAP_COUNT
};

/* What a capability is called on the wire. */
const char *capability_name(enum capability capability);

struct library {
  void *handle; /* dlopen()'s */
  const struct pl_provider *provider;
  struct pl_loop_table loop; /* a copy; what the provider lacks is NULL, and
                                everything is when a loop cannot be run */
  struct pl_modules_table modules; /* likewise */
  struct pl_flow_table flow;       /* likewise */
  uint64_t capabilities;           /* bits 1 << CAP_... */
};

static inline bool library_has(const struct library *library,
                               enum capability capability) {
  return (library->capabilities >> capability & 1) != 0;
}

/*
 * Loads `path` and fills `library`. On failure returns false and writes one
 * sentence that says what is wrong and how to mend it into `message`.
 * Ownership: gives a loaded library, free with library_close().
 */
bool library_open(struct library *library, const char *path, char *message,
                  size_t message_size);
/*
 * The same for a provider that is in this process already; `library` is
 * zeroed, and `path` is what messages call it. It needs no library_close().
 */
bool library_adopt(struct library *library, const struct pl_provider *provider,
                   const char *path, char *message, size_t message_size);
/* Lets go of the modules: for callers that run loops alone. */
void library_without_modules(struct library *library);
void library_close(struct library *library);

#endif

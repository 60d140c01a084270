/* SPDX-License-Identifier: MIT */
/*
 * library.c: loads a provider, checks its ABI, finds out what it can do.
 *
 * Invariant: `library->loop` never holds a pointer from beyond the provider's
 * own table, so an older provider is one that lacks abilities and no more.
 * A capability is claimed when every function that its operations need is
 * there, and every kind has a size. (The values $alive and $timeout are
 * asked for one by one, when a program names them.)
 */
#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

const char *capability_name(enum capability capability) {
  static const char *const names[] = {
#define X(name, text) text,
      HOST_CAPABILITIES(X)
#undef X
  };
  return names[capability];
}

/* Whether the loop can be made, run and ended at all. */
static bool has_loop(const struct pl_loop_table *loop) {
  return loop->loop_size && loop->loop_init && loop->loop_close && loop->run &&
         loop->size_of && loop->init;
}

static bool has_kind(const struct pl_loop_table *loop, enum pl_kind kind) {
  return loop->size_of(kind) != 0;
}

/* Handles must end, or a program could not be cleaned up after: by being
 * closed, or, where nothing is ever closed, by being stopped. */
static bool has_handle(const struct pl_loop_table *loop, enum pl_kind kind) {
  return has_kind(loop, kind) && loop->handle_stop && loop->is_active &&
         (loop->is_closing || !loop->handle_close);
}

/* What a resolver with these is asked, a loader can be asked as well. */
static bool has_resolver(const struct pl_modules_table *modules) {
  return modules->create && modules->destroy && modules->asker &&
         modules->resolve && modules->folders;
}

static bool has_loader(const struct pl_modules_table *modules) {
  return has_resolver(modules) && modules->require && modules->text &&
         modules->loaded && modules->is_main && modules->parent &&
         modules->child && modules->exports && modules->set_exports &&
         modules->search;
}

/* Which of Node's package.json and specifiers a resolver knows, no function
 * tells: a table stands for a resolver that knows all of them. */
static bool offers_modules(const struct pl_modules_table *modules,
                           enum capability wanted) {
  switch (wanted) {
  case CAP_RESOLVE:
  case CAP_RESOLVE_IMPORT:
  case CAP_IMPORT_PACKAGES:
  case CAP_EXPORTS_FIELD:
  case CAP_CONDITIONS:
  case CAP_TREE:
    return has_resolver(modules);
  case CAP_CORE:
  case CAP_NODE_SCHEME:
    return has_resolver(modules) && modules->is_core;
  case CAP_SEARCH_PATH:
    return has_resolver(modules) && modules->search_path;
  case CAP_REQUIRE:
    return has_loader(modules);
  case CAP_CACHE:
    return has_loader(modules) && modules->cached && modules->next &&
           modules->uncache && modules->enter;
  case CAP_ENTRY:
    return has_loader(modules) && modules->entry;
  case CAP_RELOAD:
    return has_loader(modules) && modules->changed;
  case CAP_HOOKS:
    return has_loader(modules) && modules->extension;
  default:
    return false;
  }
}

static bool offers(const struct pl_loop_table *loop, enum capability wanted) {
  switch (wanted) {
  case CAP_TIMEOUT:
    return has_kind(loop, PL_KIND_TIMEOUT) && loop->timeout_start &&
           loop->timeout_refresh && loop->clear;
  case CAP_IMMEDIATE:
    return has_kind(loop, PL_KIND_IMMEDIATE) && loop->immediate_start &&
           loop->clear;
  case CAP_TICK:
    return has_kind(loop, PL_KIND_TICK) && loop->tick && loop->drain;
  case CAP_MICROTASK:
    return has_kind(loop, PL_KIND_MICROTASK) && loop->microtask && loop->drain;
  case CAP_FS:
    return has_kind(loop, PL_KIND_STAT) && loop->stat_submit;
  case CAP_REF:
    return loop->ref && loop->unref && loop->has_ref;
  case CAP_TIMER:
    return has_handle(loop, PL_KIND_TIMER) && loop->timer_start &&
           loop->timer_again && loop->timer_set_repeat;
  case CAP_WATCHER:
    return has_handle(loop, PL_KIND_IDLE) &&
           has_handle(loop, PL_KIND_PREPARE) &&
           has_handle(loop, PL_KIND_CHECK) && loop->watcher_start;
  case CAP_ASYNC:
    return has_handle(loop, PL_KIND_ASYNC) && loop->async_send;
  case CAP_POLL:
    return has_handle(loop, PL_KIND_POLL) && loop->poll_start;
  case CAP_SIGNAL:
    return has_handle(loop, PL_KIND_SIGNAL) && loop->signal_start;
  case CAP_WORK:
    return has_kind(loop, PL_KIND_WORK) && loop->work_submit && loop->cancel;
  case CAP_CLOSE:
    return loop->handle_close && loop->is_closing;
  case CAP_RUN:
    return loop->stop && loop->now && loop->update_time && loop->is_active;
  default:
    return false;
  }
}

static void look_over_loop(struct library *library) {
  const struct pl_loop_table *loop = library->provider->loop;
  if (!loop) return;
  size_t known =
      loop->size < sizeof library->loop ? loop->size : sizeof library->loop;
  memcpy(&library->loop, loop, known);
  if (!has_loop(&library->loop)) {
    library->loop = (struct pl_loop_table){0};
    return;
  }
  for (unsigned i = 0; i < CAP_COUNT; i++)
    if (offers(&library->loop, (enum capability)i))
      library->capabilities |= UINT64_C(1) << i;
}

static void look_over_modules(struct library *library) {
  const struct pl_provider *provider = library->provider;
  const struct pl_modules_table *modules = NULL;
  if (provider->size >= offsetof(struct pl_provider, modules) + sizeof modules)
    modules = provider->modules;
  if (!modules) return;
  size_t known = modules->size < sizeof library->modules
                     ? modules->size
                     : sizeof library->modules;
  memcpy(&library->modules, modules, known);
  for (unsigned i = 0; i < CAP_COUNT; i++)
    if (offers_modules(&library->modules, (enum capability)i))
      library->capabilities |= UINT64_C(1) << i;
}

static bool offers_flow(const struct pl_flow_table *flow,
                        enum capability wanted) {
  switch (wanted) {
  case CAP_EMITTER:
    return flow->emitter_init && flow->emitter_end && flow->on && flow->off &&
           flow->off_all && flow->emit && flow->count && flow->next &&
           flow->most && flow->set_most;
  case CAP_FLOW:
    return flow->flow_size && flow->flow_run && flow->flow_settle &&
           flow->flow_value && flow->flow_cancel;
  case CAP_QUEUE:
    return flow->queue_init && flow->push && flow->settle && flow->drop &&
           flow->jobs && flow->queue_close;
  default:
    return false;
  }
}

/* Without a loop there is nothing to bound. */
static void look_over_flow(struct library *library) {
  const struct pl_provider *provider = library->provider;
  const struct pl_flow_table *flow = NULL;
  if (provider->size >= offsetof(struct pl_provider, flow) + sizeof flow)
    flow = provider->flow;
  if (!flow || !library->loop.run) return;
  size_t known =
      flow->size < sizeof library->flow ? flow->size : sizeof library->flow;
  memcpy(&library->flow, flow, known);
  for (unsigned i = 0; i < CAP_COUNT; i++)
    if (offers_flow(&library->flow, (enum capability)i))
      library->capabilities |= UINT64_C(1) << i;
}

static bool check(const struct pl_provider *provider, const char *path,
                  char *message, size_t size) {
  if (!provider) {
    snprintf(message, size, "%s: pl_provider_v1() returned NULL", path);
    return false;
  }
  if (provider->abi != PL_PROVIDER_ABI) {
    snprintf(message, size,
             "%s: provider ABI %u, this host speaks %u: rebuild it with this "
             "suite's conformance/provider.h",
             path, provider->abi, PL_PROVIDER_ABI);
    return false;
  }
  if (provider->size < offsetof(struct pl_provider, modules)) {
    snprintf(message, size,
             "%s: struct pl_provider has %zu bytes there, at least %zu here: "
             "set .size to sizeof(struct pl_provider)",
             path, provider->size, offsetof(struct pl_provider, modules));
    return false;
  }
  if (!provider->name || !provider->version) {
    snprintf(message, size, "%s: the provider has no name or no version", path);
    return false;
  }
  return true;
}

bool library_adopt(struct library *library, const struct pl_provider *provider,
                   const char *path, char *message, size_t message_size) {
  if (!check(provider, path, message, message_size)) return false;
  library->provider = provider;
  look_over_loop(library);
  look_over_modules(library);
  look_over_flow(library);
  return true;
}

bool library_open(struct library *library, const char *path, char *message,
                  size_t message_size) {
  *library = (struct library){0};
  char local[4096];
  if (!strchr(path, '/')) { /* dlopen() would search the system for it */
    snprintf(local, sizeof local, "./%s", path);
    path = local;
  }
  library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library->handle) {
    snprintf(message, message_size, "cannot load the provider: %s", dlerror());
    return false;
  }
  const struct pl_provider *(*entry)(void);
  *(void **)&entry = dlsym(library->handle, "pl_provider_v1");
  if (!entry) {
    snprintf(message, message_size,
             "%s: exports no pl_provider_v1(): is it a provider library of "
             "this suite (conformance/provider.h)?",
             path);
    library_close(library);
    return false;
  }
  if (library_adopt(library, entry(), path, message, message_size)) return true;
  library_close(library);
  return false;
}

void library_without_modules(struct library *library) {
  for (unsigned i = 0; i < CAP_COUNT; i++)
    if (offers_modules(&library->modules, (enum capability)i))
      library->capabilities &= ~(UINT64_C(1) << i);
  library->modules = (struct pl_modules_table){0};
}

void library_close(struct library *library) {
  if (library->handle) dlclose(library->handle);
  *library = (struct library){0};
}

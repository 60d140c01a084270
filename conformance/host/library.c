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

static void look_over(struct library *library) {
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
      library->capabilities |= 1u << i;
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
  if (provider->size < sizeof *provider) {
    snprintf(message, size,
             "%s: struct pl_provider has %zu bytes there, %zu here: set .size "
             "to sizeof(struct pl_provider)",
             path, provider->size, sizeof *provider);
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
  look_over(library);
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

void library_close(struct library *library) {
  if (library->handle) dlclose(library->handle);
  *library = (struct library){0};
}

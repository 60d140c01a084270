/* SPDX-License-Identifier: MIT */
/*
 * resolver.c: the resolver itself: its memory, configuration, forgetting.
 *
 * Invariant: what ends at a forgetting is in the fleeting arena, and nothing
 * that outlives it points there.
 */
#include <stdlib.h>

#include "internal.h"

void *pl__alloc(struct pl__job *job, struct pl__arena *arena, size_t size) {
  void *result = pl__arena_take(arena, size);
  if (result == NULL) job->error = PL_ENOMEM;
  return result;
}

static const char *keep_in(struct pl__job *job, struct pl__arena *arena,
                           const char *bytes, size_t length) {
  char *copy = pl__alloc(job, arena, length + 1);
  if (copy == NULL) return "";
  if (length > 0) memcpy(copy, bytes, length);
  copy[length] = '\0';
  return copy;
}

const char *pl__keep(struct pl__job *job, const char *bytes, size_t length) {
  return keep_in(job, &job->resolver->fleeting, bytes, length);
}

const char *pl__keep_in_tree(struct pl__job *job, const char *bytes,
                             size_t length) {
  return keep_in(job, &job->resolver->tree, bytes, length);
}

void pl__tell(struct pl__job *job, const char *text, size_t length,
              const char *outcome) {
  if (job->tell != NULL) job->tell(job->tell_arg, text, length, outcome);
}

/* ------------------------------------------------------------------------ */

static bool is_in(const char *const *names, size_t count, const char *name,
                  size_t length) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    const char *at = names[middle];
    size_t size = strlen(at);
    int order = memcmp(at, name, size < length ? size : length);
    if (order == 0) order = size < length ? -1 : size > length;
    if (order == 0) return true;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}

bool pl__is_core(const struct pl_resolver *resolver, const char *name,
                 size_t length) {
  return is_in(resolver->core, resolver->core_count, name, length);
}

bool pl__is_core_only(const struct pl_resolver *resolver, const char *name,
                      size_t length) {
  return is_in(resolver->core_only, resolver->core_only_count, name, length);
}

/* ------------------------------------------------------------------------ */

/* Places and answers end; the tree stays. */
static void end_fleeting(struct pl_resolver *resolver) {
  resolver->epoch++;
  if (resolver->places != NULL)
    memset(resolver->places, 0,
           resolver->place_capacity * sizeof *resolver->places);
  resolver->place_count = 0;
  resolver->last_place = NULL;
  pl__arena_empty(&resolver->fleeting);
}

void pl_resolver_forget(struct pl_resolver *resolver) {
  end_fleeting(resolver);
  pl__tree_release(resolver);
}

/* The nearest directory that is known above the path: it may have gained or
 * lost the name. And the path's own inside. */
void pl_resolver_changed(struct pl_resolver *resolver, const char *path,
                         size_t length) {
  end_fleeting(resolver);
  struct pl__text text = {.memory = &resolver->memory};
  pl__text_normal(&text, path, length);
  if (text.broken)
    pl__tree_release(resolver);
  else
    pl__tree_changed(resolver, text.bytes, text.length);
  pl__text_free(&text);
}

int pl_resolver_refresh(struct pl_resolver *resolver) {
  end_fleeting(resolver);
  return pl__tree_refresh(resolver);
}

void pl_resolver_stats(const struct pl_resolver *resolver,
                       struct pl_resolver_stats *stats) {
  *stats = resolver->stats;
  stats->bytes += resolver->tree.bytes + resolver->fleeting.bytes +
                  resolver->keep.bytes +
                  resolver->place_capacity * sizeof *resolver->places;
}

/* ------------------------------------------------------------------------ */

static size_t count_names(const char *const *names) {
  size_t count = 0;
  while (names != NULL && names[count] != NULL)
    count++;
  return count;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Copies a list of names. NULL: out of memory. */
static const char **copy_names(struct pl__job *job, const char *const *names,
                               size_t count) {
  struct pl__arena *keep = &job->resolver->keep;
  const char **copy = pl__alloc(job, keep, (count + 1) * sizeof *copy);
  for (size_t i = 0; copy != NULL && i < count; i++)
    copy[i] = keep_in(job, keep, names[i], strlen(names[i]));
  return copy;
}

static int configure(struct pl_resolver *resolver,
                     const struct pl_resolver_config *config) {
  struct pl__job job = {.resolver = resolver};
  if (config->core == NULL) { /* sorted, and there for ever */
    resolver->core = pl_core_modules(resolver->node);
    resolver->core_count = count_names(resolver->core);
    resolver->core_only = resolver->core + resolver->core_count + 1;
    resolver->core_only_count = count_names(resolver->core_only);
  } else {
    resolver->core_count = count_names(config->core);
    const char **core = copy_names(&job, config->core, resolver->core_count);
    if (core != NULL)
      qsort(core, resolver->core_count, sizeof *core, compare_names);
    resolver->core = core;
  }
  resolver->condition_count = count_names(config->conditions);
  resolver->conditions =
      copy_names(&job, config->conditions, resolver->condition_count);
  resolver->path_count = count_names(config->paths);
  resolver->paths = pl__alloc(&job, &resolver->keep,
                              (resolver->path_count + 1) * sizeof(char *));
  struct pl__text text = {.memory = &resolver->memory};
  for (size_t i = 0; i < resolver->path_count && job.error == 0; i++) {
    pl__text_clear(&text);
    pl__text_normal(&text, config->paths[i], strlen(config->paths[i]));
    if (text.broken)
      job.error = PL_ENOMEM;
    else
      resolver->paths[i] =
          keep_in(&job, &resolver->keep, text.bytes, text.length);
  }
  pl__text_free(&text);
  return job.error;
}

enum { CONDITIONS_MOST = 58 }; /* bits of a word, without Node's own */

int pl_resolver_create(const struct pl_resolver_config *config,
                       struct pl_resolver **out) {
  if (config->fs == NULL || count_names(config->conditions) > CONDITIONS_MOST)
    return PL_EINVAL;
  for (size_t i = 0; config->paths != NULL && config->paths[i] != NULL; i++)
    if (config->paths[i][0] != '/') return PL_EINVAL;
  struct pl_module_memory memory = config->memory;
  if (memory.resize == NULL) memory = pl__memory_default();
  struct pl_resolver *resolver =
      memory.resize(memory.self, NULL, sizeof *resolver);
  if (resolver == NULL) return PL_ENOMEM;
  *resolver = (struct pl_resolver){
      .memory = memory,
      .fs = config->fs,
      .node = config->node == 0 ? 22 : config->node,
      .preserve_symlinks = config->preserve_symlinks,
      .list_after = config->list_after == 0 ? 12 : config->list_after,
      .root = {.name = "", .kind = PL_FS_DIRECTORY, .was = PL_FS_DIRECTORY}};
  resolver->keep.memory = &resolver->memory;
  resolver->tree.memory = &resolver->memory;
  resolver->fleeting.memory = &resolver->memory;
  resolver->path.memory = &resolver->memory;
  for (int i = 0; i < 4; i++)
    resolver->scratch[i].memory = &resolver->memory;
  int error = configure(resolver, config);
  if (error != 0) {
    pl_resolver_destroy(resolver);
    return error;
  }
  *out = resolver;
  return 0;
}

void pl_resolver_destroy(struct pl_resolver *resolver) {
  struct pl_module_memory memory = resolver->memory;
  pl_resolver_forget(resolver);
  pl__arena_empty(&resolver->keep);
  pl__text_free(&resolver->path);
  for (int i = 0; i < 4; i++)
    pl__text_free(&resolver->scratch[i]);
  if (resolver->places != NULL) memory.resize(memory.self, resolver->places, 0);
  memory.resize(memory.self, resolver, 0);
}

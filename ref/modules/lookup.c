/* SPDX-License-Identifier: MIT */
/*
 * lookup.c: what changes where a resolver looks: folders of one require, the
 * folders that are searched last, further suffixes.
 *
 * Invariant: an answer that was kept was found where the resolver looks now.
 */
#include "internal.h"

int pl_place_require_in(struct pl_place *place, const struct pl_lookup *lookup,
                        const char *specifier, size_t length,
                        const struct pl_resolution **out) {
  struct pl_resolver *resolver = place->resolver;
  if (length > UINT32_MAX / 2) return PL_EINVAL;
  struct pl__job job = {.resolver = resolver,
                        .place = place,
                        .request_length = length,
                        .base = resolver->scratch[0],
                        .spare = resolver->scratch[1],
                        .url = resolver->scratch[2],
                        .lookup = lookup};
  job.request = pl__keep(&job, specifier, length);
  job.resolution = pl__alloc(&job, &resolver->fleeting, sizeof *job.resolution);
  if (job.error != 0) return job.error;
  *job.resolution = (struct pl_resolution){0};
  pl__require(&job);
  resolver->scratch[0] = job.base;
  resolver->scratch[1] = job.spare;
  resolver->scratch[2] = job.url;
  for (int i = 0; i < 3; i++)
    resolver->scratch[i].broken = false;
  if (job.error != 0) return job.error;
  *out = job.resolution;
  return 0;
}

bool pl_resolver_is_core(const struct pl_resolver *resolver, const char *name,
                         size_t length) {
  bool prefixed = pl__starts(name, length, "node:");
  if (prefixed) {
    name += 5;
    length -= 5;
  }
  return pl__is_core(resolver, name, length) ||
         (prefixed && pl__is_core_only(resolver, name, length));
}

static char *copy(struct pl_resolver *resolver, const char *text,
                  size_t length) {
  char *bytes = pl__arena_take(&resolver->keep, length + 1);
  if (bytes == NULL) return NULL;
  memcpy(bytes, text, length);
  bytes[length] = '\0';
  return bytes;
}

int pl_resolver_set_paths(struct pl_resolver *resolver,
                          const char *const *paths, size_t count) {
  const char **list =
      pl__arena_take(&resolver->keep, (count + 1) * sizeof *list);
  if (list == NULL) return PL_ENOMEM;
  struct pl__text text = {.memory = &resolver->memory};
  int error = 0;
  for (size_t i = 0; i < count && error == 0; i++) {
    if (paths[i][0] != '/') {
      error = PL_EINVAL;
      break;
    }
    pl__text_clear(&text);
    pl__text_normal(&text, paths[i], strlen(paths[i]));
    list[i] = text.broken ? NULL : copy(resolver, text.bytes, text.length);
    if (list[i] == NULL) error = PL_ENOMEM;
  }
  pl__text_free(&text);
  if (error != 0) return error;
  resolver->paths = list;
  resolver->path_count = count;
  pl_resolver_refresh(resolver);
  return 0;
}

/* A folder and what stands behind it, in the keep; NULL: no memory. */
static const char *joined(struct pl_resolver *resolver, const char *folder,
                          const char *rest) {
  size_t length = strlen(folder), more = strlen(rest);
  char *bytes = pl__arena_take(&resolver->keep, length + more + 1);
  if (bytes == NULL) return NULL;
  memcpy(bytes, folder, length);
  memcpy(bytes + length, rest, more + 1);
  return bytes;
}

int pl_resolver_set_global(struct pl_resolver *resolver,
                           const struct pl_global_folders *global) {
  size_t count = 0;
  const char **list =
      pl__arena_take(&resolver->keep, (global->count + 3) * sizeof *list);
  if (list == NULL) return PL_ENOMEM;
  for (; count < global->count; count++)
    list[count] = global->folders[count];
  if (global->home != NULL) {
    list[count++] = joined(resolver, global->home, "/.node_modules");
    list[count++] = joined(resolver, global->home, "/.node_libraries");
  }
  if (global->prefix != NULL)
    list[count++] = joined(resolver, global->prefix, "/lib/node");
  for (size_t i = global->count; i < count; i++)
    if (list[i] == NULL) return PL_ENOMEM;
  return pl_resolver_set_paths(resolver, list, count);
}

int pl_resolver_add_extension(struct pl_resolver *resolver,
                              const char *extension, size_t length) {
  if (length < 2 || length > PL__EXTENSION_MAX || extension[0] != '.' ||
      memchr(extension, '/', length) != NULL ||
      memchr(extension, '\0', length) != NULL)
    return PL_EINVAL;
  size_t count = resolver->extension_count;
  const char **list =
      pl__arena_take(&resolver->keep, (count + 1) * sizeof *list);
  char *added = copy(resolver, extension, length);
  if (list == NULL || added == NULL) return PL_ENOMEM;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(resolver->extensions[i], added) == 0) return 0;
    list[i] = resolver->extensions[i];
  }
  list[count] = added;
  resolver->extensions = list;
  resolver->extension_count = count + 1;
  pl_resolver_refresh(resolver);
  return 0;
}

/* SPDX-License-Identifier: MIT */
/* Lays a case's variables over this process's. */
#include "environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

static bool replaced(const struct pl_case *item, const char *entry) {
  size_t length = strcspn(entry, "=");
  char *name = pl_mem_format("%.*s", (int)length, entry);
  bool found = json_object_get(item->env, name) != NULL ||
               (item->pool > 0 && strcmp(name, "UV_THREADPOOL_SIZE") == 0);
  free(name);
  return found;
}

struct pl_environment pl_environment_of(const struct pl_case *item) {
  struct pl_environment result = {0};
  struct pl_text key = {0};
  size_t count = 0, kept = 0;
  while (environ[count] != NULL)
    count++;
  result.at =
      pl_mem_alloc((count + json_object_size(item->env) + 2) * sizeof(char *));
  for (size_t i = 0; i < count; i++)
    if (!replaced(item, environ[i])) result.at[kept++] = environ[i];
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)item->env, name, value) {
    result.at[kept + result.own++] =
        pl_mem_format("%s=%s", name, json_string_value(value));
  }
  if (item->pool > 0)
    result.at[kept + result.own++] =
        pl_mem_format("UV_THREADPOOL_SIZE=%u", item->pool);
  pl_text_add(&key, "", 0);
  for (size_t i = 0; i < result.own; i++)
    pl_text_format(&key, "%zu:%s", strlen(result.at[kept + i]),
                   result.at[kept + i]);
  result.key = key.bytes;
  return result;
}

void pl_environment_free(struct pl_environment *environment) {
  size_t count = 0;
  while (environment->at[count] != NULL)
    count++;
  for (size_t i = count - environment->own; i < count; i++)
    free(environment->at[i]);
  free(environment->at);
  free(environment->key);
  *environment = (struct pl_environment){0};
}

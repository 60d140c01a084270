/* SPDX-License-Identifier: MIT */
/*
 * bytes.h: a growing piece of memory.
 *
 * Invariant: `length <= capacity`, and what failed to grow is as it was.
 */
#ifndef APPS_BYTES_H
#define APPS_BYTES_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
  char *at;
  size_t length, capacity;
};

static inline bool bytes_room(struct bytes *bytes, size_t more) {
  size_t need = bytes->length + more;
  if (need <= bytes->capacity) return true;
  size_t capacity = bytes->capacity ? bytes->capacity : 512;
  while (capacity < need)
    capacity *= 2;
  char *at = realloc(bytes->at, capacity);
  if (!at) return false;
  bytes->at = at;
  bytes->capacity = capacity;
  return true;
}

static inline bool bytes_add(struct bytes *bytes, const void *data,
                             size_t length) {
  if (!bytes_room(bytes, length)) return false;
  if (length) memcpy(bytes->at + bytes->length, data, length);
  bytes->length += length;
  return true;
}

static inline void bytes_drop(struct bytes *bytes) {
  free(bytes->at);
  *bytes = (struct bytes){0};
}

#endif

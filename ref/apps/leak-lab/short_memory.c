/* SPDX-License-Identifier: MIT */
#include "short_memory.h"

#include <stdlib.h>

static bool granted(struct short_memory *memory) {
  if (memory->left == 0) return false;
  memory->left--;
  return true;
}

static void *resize(void *self, void *block, size_t size) {
  if (size != 0) return granted(self) ? realloc(block, size) : NULL;
  free(block);
  return NULL;
}

static void *map(void *self, size_t size, size_t alignment, bool executable) {
  void *block;
  (void)executable;
  if (!granted(self) || posix_memalign(&block, alignment, size) != 0)
    return NULL;
  return memset(block, 0, size);
}

static void unmap(void *self, void *block, size_t size) {
  (void)self;
  (void)size;
  free(block);
}

void short_memory_init(struct short_memory *memory, unsigned long n,
                       struct pl_heap_config *config) {
  memory->left = n - 1;
  config->memory = (struct pl_heap_memory){
      .resize = resize, .map = map, .unmap = unmap, .self = memory};
}

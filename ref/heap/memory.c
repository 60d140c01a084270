/* SPDX-License-Identifier: MIT */
/*
 * memory.c: where a heap's memory and time come from when nobody says: the C
 * library, mmap() and the monotonic clock.
 *
 * Invariant: the only file of the heap that makes a system call.
 *
 * Semi-spaces are populated outside of pauses (see collect.c): a scavenge that
 * is the first to touch them takes 15 ms instead of 6.
 *
 * Those of 4 MiB and more get huge pages, piece by piece: a worst scavenge
 * takes 6 ms instead of 8, and the program a tenth less time. Rejected: asking
 * for them at once, and for smaller ones. The smallest heap would be resident
 * with 4 MiB.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { POPULATE_WRITE = 23 }; /* MADV_POPULATE_WRITE of newer headers */

static void *resize(void *self, void *block, size_t size) {
  (void)self;
  if (size != 0) return realloc(block, size);
  free(block);
  return NULL;
}

static void *zeroed(void *self, size_t size) {
  (void)self;
  return calloc(1, size);
}

/* Maps `alignment` bytes too many and gives back what stands out. What is
 * large is aligned for huge pages. */
static void *map(void *self, size_t size, size_t alignment, bool executable) {
  (void)self;
  if (size > SIZE_MAX / 2) return NULL;
  (void)executable; /* it is made so when there is something in it */
  if (size >= 2 * PL__HUGE && alignment < PL__HUGE) alignment = PL__HUGE;
  char *block = mmap(NULL, size + alignment, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) return NULL;
  size_t before = (size_t)(-(uintptr_t)block) & (alignment - 1);
  if (before != 0) munmap(block, before);
  if (alignment != before) munmap(block + before + size, alignment - before);
  return block + before;
}

static void unmap(void *self, void *block, size_t size) {
  (void)self;
  munmap(block, size);
}

static int protect(void *self, void *block, size_t size, bool executable) {
  (void)self;
  int protection = PROT_READ | (executable ? PROT_EXEC : PROT_WRITE);
  return mprotect(block, size, protection) == 0 ? 0 : -errno;
}

/* On kernels before 5.14 nothing happens. */
static void populate(void *self, void *block, size_t size) {
  (void)self;
  if ((uintptr_t)block % PL__HUGE == 0 && size >= PL__HUGE)
    madvise(block, size, MADV_HUGEPAGE);
  madvise(block, size, POPULATE_WRITE);
}

static void discard(void *self, void *block, size_t size) {
  (void)self;
  madvise(block, size, MADV_DONTNEED);
}

static uint64_t now_ns(void *self) {
  (void)self;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void pl__heap_memory_default(struct pl_heap_config *config) {
  if (config->memory.resize == NULL) {
    config->memory.resize = resize;
    config->memory.zeroed = zeroed;
  }
  if (config->memory.map == NULL) {
    config->memory.map = map;
    config->memory.unmap = unmap;
    config->memory.protect = protect;
    config->memory.populate = populate;
    config->memory.discard = discard;
  }
  if (config->clock.now_ns == NULL) config->clock.now_ns = now_ns;
}

void *pl__heap_resize(struct pl__heap *heap, void *block, size_t old_size,
                      size_t size) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  void *made = memory->resize(memory->self, block, size);
  if (made != NULL || size == 0) heap->metadata += size - old_size;
  return made;
}

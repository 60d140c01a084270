/* SPDX-License-Identifier: MIT */
/*
 * allocations.c: counts what the process asks of malloc.
 *
 * Invariant: an allocation is glibc's own and only counted on its way, so
 * that free() needs no counterpart here. The dynamic linker prefers these
 * definitions over libc's for every library that is loaded, which is how a
 * provider's allocations are seen. A sanitizer has the same idea: there,
 * nothing is counted.
 */
#include "benchmark.h"
#include "sanitizer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__GLIBC__) && !BENCH_SANITIZED
#define COUNTED 1
#else
#define COUNTED 0
#endif

#if COUNTED

static atomic_int_fast64_t allocations;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void count_one(void) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
  count_one();
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  count_one();
  return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
  count_one();
  return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count_one();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  count_one();
  void *given = __libc_memalign(alignment, size);
  if (!given) return ENOMEM;
  *memory = given;
  return 0;
}

int64_t bench_allocations(void) {
  return atomic_load_explicit(&allocations, memory_order_relaxed);
}

#else

int64_t bench_allocations(void) {
  return -1;
}

#endif

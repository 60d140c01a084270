/* SPDX-License-Identifier: MIT */
/*
 * buffer.h: buffers: bytes outside of the heap behind an object of the heap.
 *
 *   buffer (an object: store, offset, length) ---> store (an object) ---> bytes
 *
 * Invariants:
 *  - The bytes live as long as their store, which lives as long as a buffer or
 *    a handle refers to it; they never move but by pl_buffer_transfer().
 *  - They count as external memory of the heap, once, however many buffers
 *    show them.
 *  - A store that has been handed over has no bytes; every buffer over it has
 *    length 0.
 *  - A fallible function returns 0 or a PL_E value, and then nothing changed.
 *
 * `out` gets a reference, to be put into a handle before anything else may
 * collect. `of` is a handle, since what it names may move.
 */
#ifndef PLUMB_BUFFER_H
#define PLUMB_BUFFER_H

#include "plumb/heap.h"

/* What a buffer's bytes are at first, and where. */
enum pl_buffer_content {
  PL_BUFFER_OF_ZEROES,   /* in a store of its own */
  PL_BUFFER_OF_ANYTHING, /* small ones in the pool */
  PL_BUFFER_OF_ITS_OWN   /* anything, in a store of its own */
};

enum { PL_BUFFER_POOL_BYTES = 8192 };
/* The greatest length: what a double counts exactly, as in Node 22. */
#define PL_BUFFER_MAX ((size_t)9007199254740991)
/* Of a length: as many bytes as there are. */
#define PL_BUFFER_REST SIZE_MAX

/* The buffers of a heap. pool_bytes may be changed: it is the size of the next
 * pool; buffers of less than half of it come from there. */
struct pl_buffers {
  struct pl_heap *heap;
  uint32_t buffer_type, store_type;
  struct pl_root pool; /* the store that is being cut up, or NULL */
  size_t pool_at;      /* the next free byte of it, a multiple of 8 */
  size_t pool_bytes;
};

/* What a buffer shows. `bytes` is borrowed until the next call that may
 * collect while nothing refers to the buffer. */
struct pl_buffer_view {
  unsigned char *bytes;
  size_t length;
  size_t offset; /* in its store */
  size_t store_length;
  const void *store; /* the store's own mark: equal for equal stores */
  bool pooled, detached;
};

/* Storage: the caller's, until pl_buffers_end(), which comes before the heap's
 * end. Errors: PL_ENOMEM, PL_ENOSPC. */
int pl_buffers_init(struct pl_buffers *buffers, struct pl_heap *heap);
void pl_buffers_end(struct pl_buffers *buffers);

/* Makes a buffer of `length` bytes. May collect. Errors: PL_ENOMEM; PL_ERANGE
 * (more than PL_BUFFER_MAX). */
int pl_buffer_new(struct pl_buffers *buffers, size_t length,
                  enum pl_buffer_content content, void **out);
/* The same with a copy of `bytes`, which are not of the heap; small ones in
 * the pool. */
int pl_buffer_copy_of(struct pl_buffers *buffers, const void *bytes,
                      size_t length, void **out);
/* A buffer over the same store, from `offset` of the store on; nothing is
 * copied. May collect. Errors: PL_ENOMEM; PL_ERANGE (beyond the store). */
int pl_buffer_over(struct pl_buffers *buffers, void *const *of, size_t offset,
                   size_t length, void **out);
/* What it shows now. */
void pl_buffer_look(const void *buffer, struct pl_buffer_view *out);
/*
 * Hands the store of a buffer over to a new store of `length` bytes
 * (PL_BUFFER_REST: as many as it has; more are zeroes), and gives a buffer
 * over the whole of it. May collect. Errors: PL_ENOMEM; PL_EINVAL: it was
 * handed over before, or is a pool.
 */
int pl_buffer_transfer(struct pl_buffers *buffers, void *const *of,
                       size_t length, void **out);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * buffer.c: buffers, their stores and the pool.
 *
 * Invariant: the bytes of a store are freed exactly once: by its holding, when
 * a collection finds the store dead or the heap ends, or by whoever takes them
 * over, which leaves the holding empty.
 */
#include "plumb/buffer.h"

/* What lies outside of the heap for a store. */
struct store {
  struct pl_weak holding;
  const struct pl_heap_memory *memory; /* of the heap */
  unsigned char *bytes; /* NULL when handed over, or of no length */
  size_t length;
  bool pooled, detached;
};

/* Payloads. */
struct store_object {
  struct store *store;
};
struct buffer_object {
  void *store; /* the only slot */
  size_t offset, length;
};

int pl_buffers_init(struct pl_buffers *buffers, struct pl_heap *heap) {
  *buffers =
      (struct pl_buffers){.heap = heap, .pool_bytes = PL_BUFFER_POOL_BYTES};
  const struct pl_heap_type store = {.name = "ArrayBuffer"};
  const struct pl_heap_type buffer = {.name = "Buffer", .slots = 1};
  int err = pl_heap_type_add(heap, &store, &buffers->store_type);
  if (err == 0) err = pl_heap_type_add(heap, &buffer, &buffers->buffer_type);
  if (err == 0) pl_root_add(heap, &buffers->pool, NULL);
  return err;
}

void pl_buffers_end(struct pl_buffers *buffers) {
  pl_root_remove(&buffers->pool);
}

/* -- stores ---------------------------------------------------------------- */

static void give_back(const struct pl_heap_memory *memory, void *block) {
  if (block) memory->resize(memory->self, block, 0);
}

static void release(struct pl_weak *holding, void *arg) {
  struct store *store = arg;
  (void)holding;
  give_back(store->memory, store->bytes);
  give_back(store->memory, store);
}

static void *ask(const struct pl_heap_memory *memory, size_t size,
                 bool zeroes) {
  if (zeroes && memory->zeroed) return memory->zeroed(memory->self, size);
  void *block = memory->resize(memory->self, NULL, size);
  if (block && zeroes) memset(block, 0, size);
  return block;
}

/* Bytes; a collection is worth a try before there are none. */
static unsigned char *take_bytes(struct pl_buffers *buffers, size_t length,
                                 bool zeroes) {
  const struct pl_heap_memory *memory = pl_heap_memory(buffers->heap);
  unsigned char *bytes = ask(memory, length, zeroes);
  if (bytes) return bytes;
  pl_heap_collect(buffers->heap, PL_GC_MAJOR);
  return ask(memory, length, zeroes);
}

/* A store over `bytes`, which it takes when it can be made. */
static int store_new(struct pl_buffers *buffers, unsigned char *bytes,
                     size_t length, void **out) {
  const struct pl_heap_memory *memory = pl_heap_memory(buffers->heap);
  struct store *store = ask(memory, sizeof *store, true);
  if (!store) return PL_ENOMEM;
  store->memory = memory;
  struct store_object *object = pl_heap_allocate(
      buffers->heap, buffers->store_type, sizeof(struct store_object));
  if (!object) {
    give_back(memory, store);
    return PL_ENOMEM;
  }
  store->bytes = bytes;
  store->length = length;
  object->store = store;
  pl_holding_add(buffers->heap, &store->holding, object, release, store,
                 length);
  *out = object;
  return 0;
}

/* A store of `length` bytes. */
static int store_fresh(struct pl_buffers *buffers, size_t length, bool zeroes,
                       void **out) {
  unsigned char *bytes = NULL;
  if (length > PL_BUFFER_MAX) return PL_ERANGE;
  if (length > 0 && !(bytes = take_bytes(buffers, length, zeroes)))
    return PL_ENOMEM;
  int err = store_new(buffers, bytes, length, out);
  if (err != 0) give_back(pl_heap_memory(buffers->heap), bytes);
  return err;
}

/* A buffer over a store, which a handle keeps meanwhile. */
static int buffer_over(struct pl_buffers *buffers, void *store, size_t offset,
                       size_t length, void **out) {
  struct pl_root keep;
  pl_root_add(buffers->heap, &keep, store);
  struct buffer_object *object = pl_heap_allocate(
      buffers->heap, buffers->buffer_type, sizeof(struct buffer_object));
  if (object) {
    pl_heap_write(buffers->heap, object, &object->store, keep.object);
    object->offset = offset;
    object->length = length;
    *out = object;
  }
  pl_root_remove(&keep);
  return object ? 0 : PL_ENOMEM;
}

/* -- the pool -------------------------------------------------------------- */

static struct store *store_of(const void *object) {
  return ((const struct store_object *)object)->store;
}

/* Whether a pool may be cut for a buffer of that length. */
static bool is_small(const struct pl_buffers *buffers, size_t length) {
  return length > 0 && length < buffers->pool_bytes / 2;
}

static int pool_fresh(struct pl_buffers *buffers) {
  void *store;
  int err = store_fresh(buffers, buffers->pool_bytes, false, &store);
  if (err != 0) return err;
  store_of(store)->pooled = true;
  buffers->pool.object = store;
  buffers->pool_at = 0;
  return 0;
}

static int pool_cut(struct pl_buffers *buffers, size_t length, void **out) {
  const void *pool = buffers->pool.object;
  if (!pool || buffers->pool_at + length > store_of(pool)->length) {
    int err = pool_fresh(buffers);
    if (err != 0) return err;
  }
  int err =
      buffer_over(buffers, buffers->pool.object, buffers->pool_at, length, out);
  if (err == 0) buffers->pool_at = (buffers->pool_at + length + 7) & ~(size_t)7;
  return err;
}

/* -- buffers --------------------------------------------------------------- */

int pl_buffer_new(struct pl_buffers *buffers, size_t length,
                  enum pl_buffer_content content, void **out) {
  void *store;
  if (content == PL_BUFFER_OF_ANYTHING && is_small(buffers, length))
    return pool_cut(buffers, length, out);
  int err =
      store_fresh(buffers, length, content == PL_BUFFER_OF_ZEROES, &store);
  return err != 0 ? err : buffer_over(buffers, store, 0, length, out);
}

int pl_buffer_copy_of(struct pl_buffers *buffers, const void *bytes,
                      size_t length, void **out) {
  int err = pl_buffer_new(buffers, length, PL_BUFFER_OF_ANYTHING, out);
  if (err != 0 || length == 0) return err;
  struct pl_buffer_view view;
  pl_buffer_look(*out, &view);
  memcpy(view.bytes, bytes, length);
  return 0;
}

int pl_buffer_over(struct pl_buffers *buffers, void *const *of, size_t offset,
                   size_t length, void **out) {
  const struct buffer_object *buffer = *of;
  size_t room = store_of(buffer->store)->length;
  if (offset > room) return PL_ERANGE;
  if (length == PL_BUFFER_REST) length = room - offset;
  if (length > room - offset) return PL_ERANGE;
  return buffer_over(buffers, buffer->store, offset, length, out);
}

void pl_buffer_look(const void *buffer, struct pl_buffer_view *out) {
  const struct buffer_object *object = buffer;
  const struct store *store = store_of(object->store);
  *out = (struct pl_buffer_view){.store = store,
                                 .store_length = store->length,
                                 .pooled = store->pooled,
                                 .detached = store->detached};
  if (store->detached) return;
  out->offset = object->offset;
  out->length = object->length;
  out->bytes = store->bytes ? store->bytes + object->offset : NULL;
}

/* Gives the bytes another length; more of them are zeroes. */
static int resize(struct store *store, size_t length) {
  if (length == store->length) return 0;
  const struct pl_heap_memory *memory = store->memory;
  unsigned char *bytes = NULL;
  if (length == 0)
    give_back(memory, store->bytes);
  else if (!(bytes = memory->resize(memory->self, store->bytes, length)))
    return PL_ENOMEM;
  if (length > store->length)
    memset(bytes + store->length, 0, length - store->length);
  store->bytes = bytes;
  store->length = length;
  return 0;
}

int pl_buffer_transfer(struct pl_buffers *buffers, void *const *of,
                       size_t length, void **out) {
  struct store *old = store_of(((const struct buffer_object *)*of)->store);
  if (old->detached || old->pooled) return PL_EINVAL;
  if (length == PL_BUFFER_REST) length = old->length;
  if (length > PL_BUFFER_MAX) return PL_ERANGE;
  void *store, *made;
  int err = store_new(buffers, NULL, 0, &store);
  if (err == 0) err = buffer_over(buffers, store, 0, length, &made);
  if (err == 0) err = resize(old, length);
  if (err != 0) return err;
  *out = made;
  struct store *taken = store_of(((const struct buffer_object *)made)->store);
  taken->bytes = old->bytes;
  taken->length = length;
  pl_holding_resize(buffers->heap, &taken->holding, length);
  pl_holding_resize(buffers->heap, &old->holding, 0);
  old->bytes = NULL;
  old->length = 0;
  old->detached = true;
  return 0;
}

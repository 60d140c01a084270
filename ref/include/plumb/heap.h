/* SPDX-License-Identifier: MIT */
/*
 * heap.h: a precise, moving, generational heap for an embedder's objects.
 *
 * A reference is the address of an object's first payload byte, 8-byte
 * aligned. A slot (a word that a type says holds a reference) holds NULL, a
 * reference, or an odd number, which the heap leaves alone.
 *
 *   header (8 bytes) | payload
 *   63..24 words, header included | 23..8 type | 7..0 PL__HEAP_ flags
 *
 * Invariants, for everything below:
 *  - An object may move whenever a function "may collect". What survives that
 *    is a handle, a root, a weak handle and every slot of a live object; a raw
 *    reference in a C variable does not.
 *  - A slot is written by pl_heap_write() and by nothing else, but while the
 *    object is young, the last one allocated, and nothing could collect since.
 *  - An old object that refers to a young one has that slot in the remembered
 *    set.
 *  - When memory runs out the heap is as it was: the call says so, everything
 *    reachable is intact, and the heap goes on working.
 *  - While a major collection is under way in steps, no old object that it
 *    has looked at refers to an old one that it will not look at.
 *  - Code is writable or executable, never both (memory.protect).
 *  - One heap, one thread at a time. Two heaps know nothing of each other.
 *    No callback may call into its heap, but finalizers (pl_finalizer_fn).
 *  - A fallible function returns 0 or a PL_E value of error.h.
 */
#ifndef PLUMB_HEAP_H
#define PLUMB_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "plumb/error.h"

/* ---------------------------------------------------------------------- */
/* What a heap is made of                                                 */

/*
 * Memory.
 *   resize  behaves like realloc() and serves the heap's own tables: block
 *           NULL allocates, size 0 frees and returns NULL, NULL for another
 *           size means that there is none left and the block is untouched.
 *   zeroed  gives `size` bytes of zeroes, for resize(), which need not cost
 *           anything until they are touched. NULL: resize() and memset().
 *   map     gives `size` bytes of zeroed memory aligned to `alignment` (a
 *           power of two); executable only for the code space. NULL: none.
 *           Memory that is never touched should cost nothing.
 *   unmap   takes such a block back, with the size it was asked for.
 *   protect makes whole memory pages of such a block executable and not
 *           writable, or writable and not executable; 0, or a PL_E value and
 *           nothing has changed. NULL: code stays as map() gave it.
 *   populate asks that whole memory pages of such a block be there: they will
 *           be written to soon. May be NULL.
 *   discard the contents of whole memory pages are not needed any more and
 *           read as zeroes from now on: they need not cost anything until
 *           they are touched again. May be NULL.
 */
struct pl_heap_memory {
  void *(*resize)(void *self, void *block, size_t size);
  void *(*zeroed)(void *self, size_t size);
  void *(*map)(void *self, size_t size, size_t alignment, bool executable);
  void (*unmap)(void *self, void *block, size_t size);
  int (*protect)(void *self, void *block, size_t size, bool executable);
  void (*populate)(void *self, void *block, size_t size);
  void (*discard)(void *self, void *block, size_t size);
  void *self;
};

/* Time. now_ns() gives nanoseconds since an arbitrary start. */
struct pl_heap_clock {
  uint64_t (*now_ns)(void *self);
  void *self;
};

enum pl_space {
  PL_SPACE_NEW,         /* two semi-spaces; only one holds objects */
  PL_SPACE_OLD_POINTER, /* objects with slots */
  PL_SPACE_OLD_DATA,    /* objects without, which nobody ever scans */
  PL_SPACE_CODE,        /* the only executable one */
  PL_SPACE_MAP,         /* objects of one size: PL_HEAP_MAP_BYTES */
  PL_SPACE_CELL,        /* the same, of PL_HEAP_CELL_BYTES */
  PL_SPACE_LARGE,       /* one mapping per object, never moved */
  PL_SPACE_NEW_LARGE    /* the same, young */
};
enum { PL_SPACES = 8 };

/* Payload of every object of the map space, and of the cell space. */
#define PL_HEAP_MAP_BYTES 72
#define PL_HEAP_CELL_BYTES 8
/* An object of more bytes than this, header included, is large. */
#define PL_HEAP_LARGE_BYTES ((size_t)131072)

/*
 * When an object leaves the young generation: the rule of a scavenge.
 *   occupancy_percent  an object that would fill to-space to this share of its
 *                      capacity, or more, is promoted; 0: there is no such rule
 *   full_promotes      a major collection promotes every survivor; otherwise
 *                      it counts as a scavenge does
 *   large_born_young   large objects are born in PL_SPACE_NEW_LARGE and
 *                      promoted, without being copied, when first survived
 *   minor_clears_weak  a minor collection clears weak handles of dead young
 *                      objects; otherwise it keeps those objects alive
 * In every policy an object that has survived one collection already (it lies
 * below the age mark) is promoted by the next.
 */
struct pl_heap_policy {
  const char *name;
  unsigned occupancy_percent;
  bool full_promotes;
  bool large_born_young;
  bool minor_clears_weak;
};

/* "classic": V8 3.14, age or to-space 25 % full, large objects born old. */
extern const struct pl_heap_policy pl_heap_policy_classic;
/* "age-mark": V8 11 and 12, age alone; a major collection promotes all. */
extern const struct pl_heap_policy pl_heap_policy_age_mark;

enum pl_gc_kind {
  PL_GC_MINOR,
  PL_GC_MAJOR,   /* the whole heap at once, or the end of one in steps */
  PL_GC_COMPACT, /* the whole heap, and sparse pages are emptied */
  PL_GC_STEP     /* a part of a major collection's marking or sweeping */
};
enum { PL_GC_KINDS = 4 };

enum pl_gc_reason {
  PL_GC_REQUESTED, /* pl_heap_collect(), pl_heap_step(), pl_heap_shrink() */
  PL_GC_NEW_FULL,  /* the semi-space is full */
  PL_GC_OLD_GREW,  /* the old generation reached its allocation limit */
  PL_GC_EXTERNAL,  /* external memory grew */
  PL_GC_LIMIT,     /* the last attempt before out of memory */
  PL_GC_STRESS     /* every n-th allocation */
};

/*
 * What one pause did. Bytes are those of objects, headers included; after a
 * collection all of them were alive, but for what an occupied minor collection
 * left in the old generation, and what died while a collection in steps was
 * under way.
 *
 * The logical clock is the same on every machine: a byte allocated, copied,
 * promoted, moved, marked or swept takes one unit of it. `clock` is its reading
 * before the pause without the collector's part: bytes allocated. work: units
 * that the pause took.
 */
struct pl_gc_event {
  enum pl_gc_kind kind;
  enum pl_gc_reason reason;
  bool incremental;      /* of a collection in steps: the step, or the end */
  uint64_t number;       /* 1 for the first pause of the heap */
  uint64_t clock;        /* bytes allocated since the start */
  uint64_t start_ns;     /* reading of the clock */
  uint64_t pause_ns;
  uint64_t work;
  size_t before, after;  /* bytes in use */
  size_t committed_before, committed_after; /* as in struct pl_heap_stats */
  size_t copied;         /* bytes that stayed young */
  size_t promoted;       /* bytes that left the young generation */
  size_t moved;          /* bytes that compaction moved */
  size_t marked, swept;  /* bytes of objects; bytes of pages */
  size_t cleared;        /* weak handles and ephemerons */
  size_t due;            /* finalizers that are to be run now */
  size_t released;       /* external bytes of dead objects */
};

/* A broken invariant that the verifier found. */
struct pl_heap_fault {
  const char *invariant; /* a sentence; lives for ever */
  const void *object;    /* payload of the object, or NULL */
  const void *slot;      /* the slot, or NULL */
};

/*
 * How a heap is made. Zeroed fields mean the default. Callbacks get `arg`.
 *   semi_initial, semi_max  bytes of one semi-space, 1 MiB and 16 MiB; rounded
 *                up to powers of two, at least 256 KiB
 *   old_max      bytes of the old generation, pages included; 1400 MiB
 *   old_trigger  bytes in use in the old generation below which no major
 *                collection is due; 32 MiB
 *   external_trigger  growth of external memory that makes a collection
 *                due; 64 MiB. It is a minor one when at least half of the
 *                growth is held by young objects (pl_holding_add()), and a
 *                major one when that was not enough.
 *   step_ns, step_work  the budget of a step: nanoseconds of the clock, units
 *                of work. With either one, a major collection that the heap
 *                begins by itself because the old generation grew goes in
 *                steps; without, at once. A step overruns by the time of some
 *                200 objects or a page.
 *   step_bytes   allocation between two steps; 64 KiB. With step_ns, the next
 *                step also waits until the mutator has had that time.
 *   stress       collect at every n-th allocation that is not inlined away;
 *                0: never. All allocations then take the slow path. Every
 *                16th of them is a major collection.
 *   verify       check every invariant before and after each collection, and
 *                fill what was freed with a pattern
 *   on_event     after a collection, when the heap is consistent
 *   near_limit   the old generation cannot grow: returns the limit to go on
 *                with, bytes; what is not more than `limit` is an
 *                out-of-memory result for the allocation
 *   on_fault     the verifier found something; NULL: print it and abort()
 */
struct pl_heap_config {
  struct pl_heap_memory memory; /* malloc() and mmap() */
  struct pl_heap_clock clock;   /* CLOCK_MONOTONIC */
  const struct pl_heap_policy *policy; /* borrowed for ever; age-mark */
  size_t semi_initial, semi_max;
  size_t old_max, old_trigger;
  size_t external_trigger;
  uint64_t step_ns;
  size_t step_work, step_bytes;
  unsigned stress;
  bool verify;
  void *arg;
  void (*on_event)(void *arg, const struct pl_gc_event *event);
  size_t (*near_limit)(void *arg, size_t limit);
  void (*on_fault)(void *arg, const struct pl_heap_fault *fault);
};

/* The head of a heap: what the inline functions below need. */
struct pl_heap {
  uintptr_t top, end;       /* where the next young object goes, and up to */
  void **handle, **handles; /* the next handle, and the end of its block */
  bool checked;             /* closed scopes are made unusable */
  bool marking;             /* a collection in steps is marking */
};

/*
 * Makes a heap. config: NULL for the default; copied. Gives *out, free with
 * pl_heap_destroy(). Errors: PL_ENOMEM.
 */
int pl_heap_create(const struct pl_heap_config *config, struct pl_heap **out);

/* The memory that the heap is made of; borrowed until the heap is destroyed.
 * For what its objects hold. */
const struct pl_heap_memory *pl_heap_memory(const struct pl_heap *heap);

/* Frees the heap and every object of it. What objects hold is released
 * (pl_holding_add()); finalizers are not called; roots, weak handles and
 * tables are the caller's again, with dangling references. */
void pl_heap_destroy(struct pl_heap *heap);

/* ---------------------------------------------------------------------- */
/* Types                                                                  */

/*
 * Where an object's slots are. Bit n of `slots`: payload word n is one. With
 * `array`, so is every word from array_from on. home: PL_SPACE_NEW for
 * objects that are born young and grow old in the pointer or data space, or
 * else PL_SPACE_CODE (no slots), PL_SPACE_MAP or PL_SPACE_CELL, where they are
 * born and stay. slot_names, or NULL: the names of the first name_count payload
 * words, for those who walk the heap; an entry may be NULL.
 */
struct pl_heap_type {
  const char *name; /* this and slot_names live as long as the heap */
  const char *const *slot_names;
  uint32_t name_count;
  uint64_t slots;
  bool array;
  uint32_t array_from;
  enum pl_space home;
};

/* Registers a type and stores the number that allocation takes. Objects of it
 * must have at least the words that `slots` names; the verifier looks.
 * Errors: PL_ENOMEM, PL_ENOSPC (more than 65535), PL_EINVAL (a code type with
 * slots, another home, more slots than an object of the map or cell
 * space has). */
int pl_heap_type_add(struct pl_heap *heap, const struct pl_heap_type *type,
                     uint32_t *out);

/* ---------------------------------------------------------------------- */
/* Objects                                                                */

/* Flags of a header. A header whose PL__HEAP_HEADER is 0 is the address to
 * which the object moved; seen by nobody but a collection. */
enum {
  PL__HEAP_HEADER = 1,
  PL__HEAP_OLD = 2,
  PL__HEAP_MARK = 4,
  PL__HEAP_LARGE = 8,
  PL__HEAP_KEY = 16,   /* the marker looks for its ephemerons */
  PL__HEAP_CODE = 32,  /* marked beside the object: it is not writable */
  PL__HEAP_OWNER = 64, /* the marker looks for its tables */
  PL__HEAP_KNOWN = 128, /* it has an id, see snapshot.h */
  PL__HEAP_AHEAD = 2048, /* bytes before which the cache is told */
  PL__HEAP_TYPE_SHIFT = 8,
  PL__HEAP_WORDS_SHIFT = 24
};

static inline uint64_t pl__heap_header(const void *object) {
  return ((const uint64_t *)object)[-1];
}

void *pl__heap_allocate_slow(struct pl_heap *heap, uint32_t type,
                             size_t bytes);
void pl__heap_write_slow(struct pl_heap *heap, void *object, void **slot);

typedef uint64_t
    __attribute__((vector_size(16), aligned(8), may_alias)) pl__pair;

/* Writes a young object: two words at a time where the size is known, since a
 * call of memset() would take longer than the rest. */
static inline void *pl__heap_born(uintptr_t at, uint32_t type, size_t size) {
  uint64_t header = (uint64_t)size / 8 << PL__HEAP_WORDS_SHIFT |
                    (uint64_t)type << PL__HEAP_TYPE_SHIFT | PL__HEAP_HEADER;
  uint64_t *words = (uint64_t *)at;
  if (!__builtin_constant_p(size) || size > 128) {
    words[0] = header;
    return memset(words + 1, 0, size - 8);
  }
  *(pl__pair *)words = (pl__pair){header, 0};
  for (size_t i = 2; i + 2 <= size / 8; i += 2)
    *(pl__pair *)(words + i) = (pl__pair){0, 0};
  if (size / 8 % 2 != 0) words[size / 8 - 1] = 0;
  return words + 1;
}

/*
 * Makes an object of `bytes` zeroed payload bytes, young unless it is large.
 * type: of home PL_SPACE_NEW. Returns the reference, or NULL: out of memory,
 * with the heap unchanged. May collect, at any call.
 */
static inline void *pl_heap_allocate(struct pl_heap *restrict heap,
                                     uint32_t type, size_t bytes) {
  if (bytes > PL_HEAP_LARGE_BYTES - 8)
    return pl__heap_allocate_slow(heap, type, bytes);
  size_t size = bytes <= 8 ? 16 : (bytes + 15) & ~(size_t)7;
  uintptr_t at = heap->top;
  if (size > heap->end - at) return pl__heap_allocate_slow(heap, type, bytes);
  heap->top = at + size;
  __builtin_prefetch((const void *)(at + PL__HEAP_AHEAD), 1);
  return pl__heap_born(at, type, size);
}

/* The same, born old, in the type's home; for every type. `bytes` of an object
 * of the map space is PL_HEAP_MAP_BYTES, of the cell space PL_HEAP_CELL_BYTES.
 * May collect. */
void *pl_heap_allocate_old(struct pl_heap *heap, uint32_t type, size_t bytes);

/* Copies `size` bytes from `bytes` into an object of the code space, from its
 * payload byte `offset` on: the only way to write code where memory.protect
 * works. Errors: PL_EINVAL (no object of the code space, beyond its end), what
 * memory.protect says (the page may then be writable and not executable until
 * the next call succeeds). Does not collect. */
int pl_code_write(struct pl_heap *heap, void *object, size_t offset,
                  const void *bytes, size_t size);

/*
 * The write barrier: *slot = value, where `slot` is a slot of `object` and
 * `value` NULL, a reference or an odd number. Never fails, never collects.
 */
static inline void pl_heap_write(struct pl_heap *heap, void *object,
                                 void *slot, void *value) {
  *(void **)slot = value;
  if (!(pl__heap_header(object) & PL__HEAP_OLD)) return;
  if (value == NULL || ((uintptr_t)value & 1)) return;
  if ((pl__heap_header(value) & PL__HEAP_OLD) && !heap->marking) return;
  pl__heap_write_slow(heap, object, (void **)slot);
}

/* What an object is. */
static inline uint32_t pl_heap_type_of(const void *object) {
  return (uint32_t)(pl__heap_header(object) >> PL__HEAP_TYPE_SHIFT & 0xffff);
}

/* Its payload bytes: those asked for, rounded up to a multiple of 8, at least
 * 8. */
static inline size_t pl_heap_bytes_of(const void *object) {
  return (size_t)(pl__heap_header(object) >> PL__HEAP_WORDS_SHIFT) * 8 - 8;
}

/* Whether it has been promoted, or was born old. */
static inline bool pl_heap_is_old(const void *object) {
  return (pl__heap_header(object) & PL__HEAP_OLD) != 0;
}

/* The space in which it lies. */
enum pl_space pl_heap_space_of(const struct pl_heap *heap, const void *object);

/* ---------------------------------------------------------------------- */
/* What keeps objects alive                                               */

/* A scope: handles made since it was opened end when it is closed. Scopes nest
 * like the blocks of the C program. */
struct pl_scope {
  void **handle, **handles;
};

void pl__scope_close_slow(struct pl_heap *heap, const struct pl_scope *scope);

/* Open and close a scope. Storage: the caller's. A program's handles may also
 * stand outside of every scope, and then live as long as the heap. */
static inline void pl_scope_open(const struct pl_heap *heap,
                                 struct pl_scope *scope) {
  scope->handle = heap->handle;
  scope->handles = heap->handles;
}
static inline void pl_scope_close(struct pl_heap *heap,
                                  const struct pl_scope *scope) {
  if (scope->handles == heap->handles && !heap->checked)
    heap->handle = scope->handle;
  else
    pl__scope_close_slow(heap, scope);
}

void **pl__handle_slow(struct pl_heap *heap, void *object);

/* Makes a handle: a place that holds `object` (a reference, NULL or an odd
 * number) and follows it. *handle may be read and assigned. Returns NULL when
 * there is no memory for it. Does not collect. */
static inline void **pl_handle(struct pl_heap *heap, void *object) {
  if (heap->handle == heap->handles) return pl__handle_slow(heap, object);
  *heap->handle = object;
  return heap->handle++;
}

/* 1 when the handle belongs to an open scope (or to none), 0 when its scope
 * has been closed. Time grows with the number of handles: for debugging. */
int pl_handle_is_live(const struct pl_heap *heap, void **handle);

/* A handle without a scope, in the caller's storage. `object` may be read and
 * assigned. */
struct pl_root {
  void *object;
  struct pl_root *next, **link;
};

/* Borrows `root` until it is removed. */
void pl_root_add(struct pl_heap *heap, struct pl_root *root, void *object);
void pl_root_remove(struct pl_root *root);

/* Called by pl_heap_run_finalizers(): the object of a weak handle is gone, or
 * (pl_finalizer_add()) would be. It may do everything with the heap, also
 * allocate, collect, add the handle again. */
struct pl_weak;
typedef void pl_finalizer_fn(struct pl_weak *weak, void *arg);

/* A handle that does not keep its object alive, in the caller's storage.
 * `object` may be read; it is NULL after the collection that found the object
 * dead. */
struct pl_weak {
  void *object;
  struct pl_weak *next, **link;
  pl_finalizer_fn *fn;
  void *arg;
  size_t external; /* bytes */
  int kind;
};

/*
 * Borrows `weak` until it is removed, or its finalizer is called, or, without
 * finalizer, until its object has become NULL. external: bytes outside of the
 * heap that live as long as the object; they count as external memory until
 * the object is found dead or the handle is removed. Does not collect: when
 * external memory grew by external_trigger the next allocation does.
 */
void pl_weak_add(struct pl_heap *heap, struct pl_weak *weak, void *object,
                 pl_finalizer_fn *fn, void *arg, size_t external);

/*
 * The same for a finalizer that still gets the object, in weak->object: what
 * is found dead, with all that it refers to, is kept until fn has been called.
 * If fn makes it reachable it lives on (fn may add it again), else the next
 * collection takes it. Weak handles of all that was found dead are cleared
 * before, those of the object itself, too.
 */
void pl_finalizer_add(struct pl_heap *heap, struct pl_weak *weak, void *object,
                      pl_finalizer_fn *fn, void *arg);

/*
 * The same for what an object holds outside of the heap: `release` is called
 * during the collection that finds the object dead for good, minor ones
 * included, or when the heap is destroyed. It must not call into the heap;
 * weak->object is NULL. bytes: counted as external memory until then.
 */
void pl_holding_add(struct pl_heap *heap, struct pl_weak *weak, void *object,
                    pl_finalizer_fn *release, void *arg, size_t bytes);
/* The object holds `bytes` from now on. Does not collect. */
void pl_holding_resize(struct pl_heap *heap, struct pl_weak *weak,
                       size_t bytes);

/* Ends any of the three; nothing is called. Once more does nothing. */
void pl_weak_remove(struct pl_heap *heap, struct pl_weak *weak);

/* Calls the finalizers of what collections found dead, oldest finding first,
 * those found meanwhile included. Returns how many. */
size_t pl_heap_run_finalizers(struct pl_heap *heap);

/* A table from keys to values, in the caller's storage, that keeps neither
 * alive but a value as long as its key and the table are: an entry whose key
 * only its own value reaches goes, too. To minor collections every entry is a
 * strong one. */
struct pl_ephemerons {
  void *owner; /* may be read */
  struct pl_ephemerons *next, **link;
  uint32_t first; /* of the entries */
  size_t count;   /* may be read */
  bool dead;      /* the owner was found dead */
};

/*
 * Borrows `table` until it is removed. owner: the object whose death ends the
 * table, which loses its entries then; NULL: the table lives until it is
 * removed. Neither collects.
 */
void pl_ephemerons_add(struct pl_heap *heap, struct pl_ephemerons *table,
                       void *owner);
void pl_ephemerons_remove(struct pl_heap *heap, struct pl_ephemerons *table);

/* Sets the value (a reference, NULL or an odd number) of `key`, a reference.
 * Errors: PL_ENOMEM; PL_EINVAL when the table's owner has died. Does not
 * collect. */
int pl_ephemeron_set(struct pl_heap *heap, struct pl_ephemerons *table,
                     void *key, void *value);
/* Stores the value of `key`. Errors: PL_ENOENT. */
int pl_ephemeron_get(struct pl_heap *heap, const struct pl_ephemerons *table,
                     const void *key, void **out);
/* Errors: PL_ENOENT. */
int pl_ephemeron_delete(struct pl_heap *heap, struct pl_ephemerons *table,
                        const void *key);

/* Counts bytes outside of the heap that objects hold, when no weak handle
 * does. What was not added must not be taken away. Does not collect, see
 * pl_weak_add(). */
void pl_heap_external_add(struct pl_heap *heap, size_t bytes);
void pl_heap_external_remove(struct pl_heap *heap, size_t bytes);

/* ---------------------------------------------------------------------- */
/* Collections                                                            */

/* Collects now. Always succeeds: what has no room to be moved stays. A
 * collection in steps that is under way is ended first. PL_GC_STEP: a step, as
 * pl_heap_step() with the configured budget. */
void pl_heap_collect(struct pl_heap *heap, enum pl_gc_kind kind);

/*
 * A step of a major collection: the one under way, or a new one. ns, work: its
 * budget; 0: without limit of that sort, and both 0: the configured one, or
 * 1 MiB of work. Returns whether there is more to do: marking, the pause that
 * ends it, sweeping. For idle time.
 */
bool pl_heap_step(struct pl_heap *heap, uint64_t ns, size_t work);

/* Gives back what it can: compacts, frees emptied pages, and makes the
 * semi-space as small as its survivors allow. */
void pl_heap_shrink(struct pl_heap *heap);

/* Changes the limit of the old generation, bytes. Errors: PL_EBUSY when more
 * is committed already; the limit is then unchanged. */
int pl_heap_set_old_max(struct pl_heap *heap, size_t bytes);

struct pl_space_stats {
  size_t committed; /* bytes from the memory interface */
  size_t used;      /* bytes of objects, dead ones included */
};

struct pl_heap_stats {
  struct pl_space_stats space[PL_SPACES];
  size_t used, committed; /* sums */
  size_t old_max;
  size_t semi_capacity; /* of one semi-space, at present */
  size_t external;
  size_t held;     /* of these, by holdings */
  size_t pooled;   /* bytes of pages that are kept ready for what the next
                      scavenge promotes, up to semi_capacity; in no other
                      figure */
  size_t metadata; /* bytes of the heap's own tables */
  uint64_t allocated; /* the logical clock: bytes since the start */
  uint64_t collections[PL_GC_KINDS]; /* by enum pl_gc_kind */
  uint64_t promoted, copied; /* bytes since the start */
  uint64_t work; /* units since the start, see struct pl_gc_event */
  size_t weak; /* weak handles with an object */
  size_t ephemerons; /* entries of all tables */
  bool marking, sweeping; /* a collection in steps is under way */
};

void pl_heap_stats(const struct pl_heap *heap, struct pl_heap_stats *out);

/*
 * Checks every invariant of the heap. Returns 0, or PL_EFAULT with *fault
 * filled in. Errors: PL_ENOMEM (the check needs a bit for each word of the
 * heap).
 */
int pl_heap_verify(struct pl_heap *heap, struct pl_heap_fault *fault);

#endif

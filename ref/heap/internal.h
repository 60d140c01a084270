/* SPDX-License-Identifier: MIT */
/*
 * internal.h: what the files of the heap share.
 *
 * Young objects lie in two mappings of semi_max bytes, of which the first
 * `capacity` bytes are in use, one at a time. Everything else lies in pages:
 *
 *   | struct pl__page | objects, end to end ... | remembered slots, bit/word |
 *   ^ aligned to PL__PAGE                         (not in data and code pages)
 *
 * Invariants:
 *  - A page is parsable: from `start` to `end` stand objects and fillers
 *    (type PL__FREE), but for [top, limit) of its space.
 *  - The page of an object is found by masking the object's address. A large
 *    object is the only one of its page and begins in the page's first bytes.
 *  - Outside of a major collection no object has PL__HEAP_MARK.
 */
#ifndef PLUMB_HEAP_INTERNAL_H
#define PLUMB_HEAP_INTERNAL_H

#include <assert.h>

#include "plumb/heap.h"

#define PL__PAGE ((size_t)256 * 1024)

enum {
  PL__FREE = 0,       /* type of a filler: its second word is the next one */
  PL__BUCKETS = 16,   /* of a free list: by log2 of the words */
  PL__SEGMENT = 1021, /* references in a segment of the mark stack */
  PL__HANDLES = 1022  /* handles in a block */
};

/* The heap's view of payload: it may be anything to the embedder. */
typedef uint64_t __attribute__((may_alias)) pl__word;
typedef void *__attribute__((may_alias)) pl__slot;

struct pl__type {
  uint64_t slots;
  size_t array_from; /* SIZE_MAX: no array */
  size_t words;      /* payload words that it needs at least */
  bool pure;         /* without slots */
  enum pl_space home;
  const char *name;
};

struct pl__page {
  struct pl__page *next, **link; /* in its space */
  struct pl__page *dirty_next;   /* of the pages with remembered slots */
  struct pl__page *scan_next;    /* of the large objects just promoted */
  struct pl__space *space;
  size_t size; /* of the mapping */
  uintptr_t start, end;
  pl__word *remembered; /* one bit for each word from the page's address on */
  size_t remembered_words;
  uint64_t *starts; /* the verifier's: where objects begin */
  size_t live;    /* bytes marked; compaction's */
  bool dirty;
  bool candidate; /* compaction empties it */
  bool stuck;     /* or would have, but there was no room */
};

struct pl__space {
  enum pl_space id;
  struct pl__page *pages;
  uintptr_t top, limit; /* bump allocation goes on here */
  pl__word *bucket[PL__BUCKETS];
  size_t committed; /* bytes mapped */
  size_t area;      /* of them for objects */
  size_t free;      /* of those, in fillers */
};

struct pl__segment {
  struct pl__segment *below;
  size_t count;
  void *object[PL__SEGMENT];
};

struct pl__handle_block {
  struct pl__handle_block *below;
  void *handle[PL__HANDLES];
};

struct pl__heap {
  struct pl_heap head;
  struct pl_heap_config config;
  struct pl_heap_policy policy;

  /* The young generation. */
  uintptr_t block[2]; /* the two mappings */
  unsigned active;    /* the one with the objects */
  size_t capacity;    /* bytes of each that may be used */
  uintptr_t young_end;
  uintptr_t age_mark; /* what lies below has survived a collection */
  uintptr_t counted;  /* up to here `allocated` has counted */
  uint64_t allocated;
  size_t survived; /* bytes since the semi-space grew */

  /* The old generation, and large young objects. */
  struct pl__space space[PL_SPACES];
  size_t old_committed; /* with large young objects */
  size_t next_major;    /* bytes in use at which one is due */
  bool promotion_failed;
  struct pl__page *dirty; /* pages with remembered slots */
  struct pl__page *pool;  /* emptied pages, to be used again */
  size_t pooled;          /* their bytes: not more than a semi-space's */

  /* A scavenge under way. */
  uintptr_t from, from_size; /* the semi-space that is emptied */
  uintptr_t to_top, keep_end; /* copies go to to_top and end before keep_end */
  uintptr_t to_end;
  bool promote_all;
  pl__word *promoted;           /* corpses of what is still to be scanned */
  struct pl__page *promoted_large;
  size_t event_copied, event_promoted, event_moved, event_cleared;

  /* The marker. */
  struct pl__segment *stack, *spare;
  bool stack_overflowed;

  /* Types, handles. */
  struct pl__type *types;
  size_t type_count, type_capacity;
  struct pl__handle_block *handles;
  struct pl_root *roots;
  struct pl_weak *weak_young, *weak_old;
  struct pl_weak *dead, **dead_end;

  size_t external, external_base; /* now, and after the last major one */
  bool external_due;
  unsigned stress_count;
  uint64_t number, collections[3], promoted_bytes, copied_bytes;
  size_t metadata;
  bool collecting;
};

static inline struct pl__heap *pl__heap(struct pl_heap *heap) {
  return (struct pl__heap *)heap;
}

/* ---- objects ---- */

static inline bool pl__is_reference(const void *value) {
  return value != NULL && !((uintptr_t)value & 1);
}
static inline uint64_t pl__make_header(size_t size, uint32_t type,
                                       uint64_t flags) {
  return (uint64_t)size / 8 << PL__HEAP_WORDS_SHIFT |
         (uint64_t)type << PL__HEAP_TYPE_SHIFT | PL__HEAP_HEADER | flags;
}
static inline size_t pl__size(uint64_t header) {
  return (size_t)(header >> PL__HEAP_WORDS_SHIFT) * 8;
}
static inline uint32_t pl__type(uint64_t header) {
  return (uint32_t)(header >> PL__HEAP_TYPE_SHIFT & 0xffff);
}
static inline size_t pl__object_size(size_t bytes) {
  return bytes <= 8 ? 16 : (bytes + 15) & ~(size_t)7;
}
static inline struct pl__page *pl__page_of(const void *object) {
  return (struct pl__page *)(((uintptr_t)object - 8) & ~(PL__PAGE - 1));
}

/* Runs `body` for each slot of an object, `at` being its address. */
#define PL__EACH_SLOT(heap, object, header, at, body)                          \
  do {                                                                         \
    const struct pl__type *each_type = &(heap)->types[pl__type(header)];       \
    pl__slot *each_payload = (pl__slot *)(object);                             \
    for (uint64_t each_bits = each_type->slots; each_bits != 0;                \
         each_bits &= each_bits - 1) {                                         \
      pl__slot *at = each_payload + __builtin_ctzll(each_bits);                \
      body;                                                                    \
    }                                                                          \
    if (each_type->array_from != SIZE_MAX) {                                   \
      size_t each_words = pl__size(header) / 8 - 1;                            \
      for (size_t each_i = each_type->array_from; each_i < each_words;         \
           each_i++) {                                                         \
        pl__slot *at = each_payload + each_i;                                  \
        body;                                                                  \
      }                                                                        \
    }                                                                          \
  } while (0)

/* ---- memory.c ---- */

void pl__memory_default(struct pl_heap_config *config);
void *pl__heap_resize(struct pl__heap *heap, void *block, size_t old_size,
                      size_t size);

/* ---- page.c: pages and the remembered set ---- */

/* Maps a page with room for an object of `size` bytes (0: a page of many) into
 * a space. NULL when there is no memory or the old generation is at its
 * limit. */
struct pl__page *pl__page_add(struct pl__heap *heap, struct pl__space *space,
                              size_t size);
void pl__page_remove(struct pl__heap *heap, struct pl__page *page);
void pl__page_pool_free(struct pl__heap *heap);
void pl__page_move(struct pl__page *page, struct pl__space *to);
void pl__remember(struct pl__heap *heap, struct pl__page *page, void *slot);
/* Forgets the slots of [from, to). */
void pl__forget(struct pl__page *page, uintptr_t from, uintptr_t to);

/* ---- space.c: allocation in pages ---- */

/* The address of `size` free bytes, without header, or 0. */
uintptr_t pl__space_refill(struct pl__heap *heap, struct pl__space *space,
                           size_t size);
/* Ends bump allocation, so that every page is parsable. */
void pl__space_retire(struct pl__heap *heap, struct pl__space *space);
/* Makes [from, to) a filler, known to the free list when it is big enough. */
void pl__space_free(struct pl__heap *heap, struct pl__space *space,
                    uintptr_t from, uintptr_t to);
void pl__space_forget_free(struct pl__space *space);
size_t pl__space_used(const struct pl__space *space);
/* Makes a large object; the reference, or NULL. */
void *pl__large_allocate(struct pl__heap *heap, enum pl_space id,
                         uint32_t type, size_t size);

static inline uintptr_t pl__space_allocate(struct pl__heap *heap,
                                           struct pl__space *space,
                                           size_t size) {
  uintptr_t at = space->top;
  if (size > space->limit - at) return pl__space_refill(heap, space, size);
  space->top = at + size;
  return at;
}

static inline struct pl__space *pl__old_home(struct pl__heap *heap,
                                             uint32_t type) {
  const struct pl__type *t = &heap->types[type];
  if (t->home != PL_SPACE_NEW) return &heap->space[t->home];
  return &heap->space[t->pure ? PL_SPACE_OLD_DATA : PL_SPACE_OLD_POINTER];
}

/* ---- handle.c ---- */

/* Calls visit(heap, slot) for every handle and root. */
typedef void pl__visit_fn(struct pl__heap *heap, pl__slot *slot);
void pl__each_root(struct pl__heap *heap, pl__visit_fn *visit);
/* The object of a weak handle is dead. */
void pl__weak_clear(struct pl__heap *heap, struct pl_weak *weak);
void pl__weak_link(struct pl_weak **list, struct pl_weak *weak);
void pl__handles_free(struct pl__heap *heap);

/* ---- the collectors ---- */

void pl__scavenge(struct pl__heap *heap, bool promote_all); /* scavenge.c */
void pl__mark(struct pl__heap *heap);                       /* mark.c */
/* The first segment of the mark stack; whether there was memory. */
bool pl__mark_start(struct pl__heap *heap);
void pl__mark_free(struct pl__heap *heap);
/* sweep.c: the old generation, a space but for its candidates, a page */
void pl__sweep(struct pl__heap *heap);
void pl__sweep_space(struct pl__heap *heap, struct pl__space *space);
void pl__sweep_page(struct pl__heap *heap, struct pl__page *page);
void pl__compact(struct pl__heap *heap); /* compact.c: sweeps as well */

/* ---- collect.c ---- */

void pl__collect(struct pl__heap *heap, enum pl_gc_kind kind,
                 enum pl_gc_reason reason);
void pl__young_count(struct pl__heap *heap);
void pl__young_set_end(struct pl__heap *heap);
size_t pl__old_used(const struct pl__heap *heap);
size_t pl__used(const struct pl__heap *heap);

/* Bytes of the freed, when the heap is verified: no reference, no number. */
#define PL__ZAP UINT64_C(0xdeadbeefdeadbee2)

#endif

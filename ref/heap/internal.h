/* SPDX-License-Identifier: MIT */
/*
 * internal.h: what the files of the heap share.
 *
 * Young objects lie in two blocks of semi_max bytes, neighbours, of which the
 * first `capacity` bytes are in use, one at a time. Everything else lies in
 * pages:
 *
 *   | struct pl__page | objects, end to end ... | remembered slots, bit/word |
 *   ^ aligned to PL__PAGE                         (not in data and code pages)
 *   | struct pl__page | marks, bit/word | objects of code, not writable      |
 *
 * A major collection is marking, then sweeping, then there is none: `phase`.
 *
 * Invariants:
 *  - A page is parsable: from `start` to `end` stand objects and fillers
 *    (type PL__FREE), but for [top, limit) of its space.
 *  - The page of an object is found by masking the object's address. A large
 *    object is the only one of its page and begins in the page's first bytes.
 *  - A young object has PL__HEAP_MARK within a pause only. An old one has it
 *    when it was found alive in the marking that is under way, or in the last
 *    one and its page has not been swept.
 *  - page->live is the bytes of the page's marked objects.
 */
#ifndef PLUMB_HEAP_INTERNAL_H
#define PLUMB_HEAP_INTERNAL_H

#include <assert.h>

#include "plumb/heap.h"
#include "plumb/heap_walk.h"

#define PL__PAGE ((size_t)256 * 1024)
/* Semi-spaces of twice this, or more, are populated in pieces of it. */
#define PL__HUGE ((size_t)2048 * 1024)

enum {
  PL__FREE = 0,       /* type of a filler: its second word is the next one */
  PL__BUCKETS = 16,   /* of a free list: by log2 of the words */
  PL__SEGMENT = 1021, /* references in a segment of the mark stack */
  PL__HANDLES = 1022, /* handles in a block */
  PL__CODE_HEAD = 8192, /* bytes of a code page before its objects */
  PL__SHADED = 1,     /* tags of the mark stack's entries, see mark.c */
  PL__PART = 2,
  PL__TAGS = 3
};

/* Hints that cannot be given later, in an executable page. */
#define PL__CODE_FLAGS (PL__HEAP_CODE | PL__HEAP_KEY | PL__HEAP_OWNER)

enum pl__phase { PL__IDLE, PL__MARKING, PL__SWEEPING };

/* Which lists a struct pl_weak stands in, and what its death means. */
enum { PL__WEAK, PL__FINAL, PL__HOLDING };

/* What a step may cost. */
struct pl__budget {
  uint64_t until_ns; /* 0: any time */
  size_t work;       /* units left */
};

/* The heap's view of payload: it may be anything to the embedder. */
typedef uint64_t __attribute__((may_alias)) pl__word;
typedef void *__attribute__((may_alias)) pl__slot;

struct pl__type {
  uint64_t slots;
  size_t array_from; /* SIZE_MAX: no array */
  size_t words;      /* payload words that it needs at least */
  bool pure;         /* without slots */
  enum pl_space home, old_home;
  const char *name;
  const char *const *slot_names;
  size_t name_count;
};

struct pl__page {
  struct pl__page *next, **link; /* in its space */
  struct pl__page *dirty_next;   /* of the pages with remembered slots */
  struct pl__page *scan_next;    /* of those with promoted objects to scan */
  uintptr_t run_from, run_to;    /* and where these stand; 0: there is none */
  struct pl__space *space;
  size_t size; /* of the mapping */
  uintptr_t start, end;
  pl__word *remembered; /* one bit for each word from the page's address on */
  size_t remembered_words;
  pl__word *marks; /* of a code page */
  uint64_t *starts, *grey; /* the verifier's */
  struct pl__page_ids *ids; /* NULL: no snapshot has been written */
  size_t live;    /* bytes marked */
  uint64_t epoch; /* the marking since which it has been swept, or made */
  bool writable;  /* a code page that memory.protect has not sealed */
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
  size_t free;      /* of those, in fillers, but for unswept pages */
  size_t dead;      /* of those, dead or in fillers, in unswept pages */
  size_t marked;    /* of those, in the marking under way */
  struct pl__page *unswept; /* it, and unswept ones behind it in the list */
  struct pl__page *run_page; /* where a scavenge promotes to at present, */
  uintptr_t run_end;         /* and where its run ends so far */
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

/* An entry of a table. Indexes are those of `entries` plus one; 0: none. */
struct pl__ephemeron {
  void *key, *value;
  struct pl_ephemerons *table; /* NULL: free */
  uint32_t chain;      /* the next one of the bucket, or of the free */
  uint32_t next, prev; /* of the table */
  uint32_t young_next; /* of those with a young key or value */
  bool young;
};

/* All tables' entries, found by their keys. */
struct pl__ephemeron_store {
  struct pl__ephemeron *entries;
  uint32_t *buckets;
  uint32_t capacity;     /* entries, and buckets: a power of two, or 0 */
  uint32_t used, free;   /* of entries: ever used; the first free one */
  uint32_t young;        /* the first young one */
  size_t count;
  struct pl_ephemerons *tables;
};

/* An object that moved since its page's ids were written down. */
struct pl__stray {
  void *object; /* NULL: nothing stands here */
  uint64_t id;  /* 0: its page knows */
};

struct pl__ids {
  uint64_t next; /* of the next new object; 0: no snapshot yet */
  struct pl__stray *strays;
  size_t capacity, count; /* a power of two, or 0; at most half is used */
  size_t young;           /* of the strays, at least */
};

struct pl__heap {
  struct pl_heap head;
  struct pl_heap_config config;
  struct pl_heap_policy policy;

  /* The young generation. */
  uintptr_t block[2]; /* the two semi-spaces, one mapping */
  unsigned active;    /* the one with the objects */
  size_t capacity;    /* bytes of each that may be used */
  uintptr_t young_end;
  size_t ready[2];    /* bytes of each that have been populated */
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
  struct pl__page *promoted_large, *runs;
  uint64_t old_flags; /* of what is promoted */

  /* The major collection, see major.c. */
  enum pl__phase phase;
  bool marked_all;   /* nothing was left to mark: the end is due */
  uint64_t epoch;    /* ends of marking so far */
  uint64_t step_at;  /* logical time of the next step */
  uint64_t last_step_ns; /* the end of the last one */
  size_t force;      /* bytes in use at which the rest is done at once */

  /* The marker. */
  struct pl__segment *stack, *spare;
  bool stack_overflowed;
  bool mark_young; /* else it leaves young objects alone */

  struct pl_gc_event event; /* what the pause under way has done so far */
  uint64_t work;

  /* Types, handles. */
  struct pl__type *types;
  size_t type_count, type_capacity;
  struct pl__handle_block *handles;
  struct pl_root *roots;
  struct pl_weak *weak_young, *weak_old;
  struct pl_weak *dead, **dead_end;
  struct pl__ephemeron_store ephemerons;
  struct pl__ids ids;

  size_t external, external_base; /* now, and after the last collection */
  size_t external_young;          /* of holdings of young objects */
  bool external_due;
  unsigned stress_count;
  uint64_t number, collections[PL_GC_KINDS], promoted_bytes, copied_bytes;
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
/* Whether it lies in a semi-space: large young objects do not. */
static inline bool pl__in_semi_space(const struct pl__heap *heap,
                                     const void *value) {
  return (uintptr_t)value - heap->block[0] < 2 * heap->config.semi_max;
}
/* Whether what is dead in it has been freed since the last marking. */
static inline bool pl__is_swept(const struct pl__heap *heap,
                                const struct pl__page *page) {
  return page->epoch == heap->epoch;
}
static inline bool pl__is_marked(const void *object) {
  uint64_t header = pl__heap_header(object);
  if (header & PL__HEAP_MARK) return true;
  if (!(header & PL__HEAP_CODE)) return false;
  const struct pl__page *page = pl__page_of(object);
  size_t bit = ((uintptr_t)object - (uintptr_t)page) / 8;
  return page->marks[bit / 64] >> bit % 64 & 1;
}

/* From `at` on, the next object of a page's or the semi-space's region (space
 * NULL), or its end; what comes behind the object at `at`. */
static inline uintptr_t pl__find_object(const struct pl__space *space,
                                        uintptr_t at, uintptr_t end) {
  while (at < end) {
    if (space != NULL && at == space->top && space->limit != space->top) {
      at = space->limit;
      continue;
    }
    uint64_t header = *(pl__word *)at;
    if (pl__type(header) != PL__FREE) return at;
    at += pl__size(header);
  }
  return end;
}
static inline uintptr_t pl__behind(uintptr_t at) {
  return at + pl__size(*(pl__word *)at);
}
static inline bool pl__is_large_page(const struct pl__page *page) {
  return (pl__heap_header((void *)(page->start + 8)) & PL__HEAP_LARGE) != 0;
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

void pl__heap_memory_default(struct pl_heap_config *config);
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
/* One page more in the pool. Whether there was memory. */
bool pl__page_pool_fill(struct pl__heap *heap);
void pl__page_move(struct pl__page *page, struct pl__space *to);
void pl__heap_remember(struct pl__heap *heap, struct pl__page *page,
                       void *slot);
/* Forgets the slots of [from, to). */
void pl__forget(struct pl__page *page, uintptr_t from, uintptr_t to);

/* ---- code.c ---- */

/* Makes the objects of a code page writable, or executable; of other pages
 * nothing. 0, or what memory.protect says. */
int pl__page_open(struct pl__heap *heap, struct pl__page *page);
int pl__page_close(struct pl__heap *heap, struct pl__page *page);
void *pl__code_allocate(struct pl__heap *heap, uint32_t type, size_t size);

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
  return &heap->space[heap->types[type].old_home];
}

/* ---- handle.c ---- */

/* Calls visit(heap, slot) for every handle and root. */
typedef void pl__visit_fn(struct pl__heap *heap, pl__slot *slot);
void pl__each_root(struct pl__heap *heap, pl__visit_fn *visit);
void pl__handles_free(struct pl__heap *heap);

/* ---- weak.c: weak handles, finalizers, holdings ---- */

/* After marking. First: what is to be finalized is due, weak handles of the
 * dead are cleared; then, with what is due marked as well: holdings. */
void pl__weak_sort(struct pl__heap *heap);
void pl__weak_release(struct pl__heap *heap);
/* In a scavenge: keeps what is not weak in it; then the same for the dead of
 * this scavenge, and all move to the list of their object's age. */
void pl__weak_keep(struct pl__heap *heap, pl__visit_fn *visit);
void pl__weak_sort_young(struct pl__heap *heap, pl__visit_fn *visit);
void pl__weak_settle(struct pl__heap *heap);
void pl__weak_free(struct pl__heap *heap);

/* ---- ephemeron.c ---- */

/* The marker looks at a key, or an owner. */
void pl__ephemerons_marked(struct pl__heap *heap, void *object);
/* The marker looks at young values of keys that it has marked. */
void pl__ephemerons_mark_young(struct pl__heap *heap);
/* After marking: without entries of dead keys and dead owners. */
void pl__ephemerons_clear(struct pl__heap *heap);
/* In a scavenge, all are strong; then those of the young are found again. */
void pl__ephemerons_keep(struct pl__heap *heap, pl__visit_fn *visit);
void pl__ephemerons_settle(struct pl__heap *heap);
/* For a walk: the values of a key. */
void pl__ephemerons_tell(struct pl__heap *heap, const void *key,
                         pl_edge_fn *fn, void *arg);
/* After compaction. */
void pl__ephemerons_rehash(struct pl__heap *heap);
void pl__ephemerons_free(struct pl__heap *heap);

/* ---- ids.c: what snapshots call objects; see ids.h ---- */

void pl__ids_page_free(struct pl__heap *heap, struct pl__page *page);
/* At the end of a scavenge; after compaction has emptied a page. */
void pl__ids_scavenged(struct pl__heap *heap);
void pl__ids_evacuated(struct pl__heap *heap, struct pl__page *page);
void pl__ids_free(struct pl__heap *heap);

/* ---- the collectors ---- */

void pl__scavenge(struct pl__heap *heap, bool promote_all); /* scavenge.c */
void pl__young_shrink(struct pl__heap *heap);
/* The address of an object of from-space or a large young one now, NULL when
 * it is dead; any other is itself. */
void *pl__survivor(const struct pl__heap *heap, void *object);

/* mark.c. Begins with everything unmarked. */
void pl__mark_roots(struct pl__heap *heap);
void pl__mark_remembered(struct pl__heap *heap);
/* Marks until the budget is used up or nothing is left; whether the latter. */
bool pl__mark_some(struct pl__heap *heap, struct pl__budget *budget);
void pl__mark_all(struct pl__heap *heap); /* without budget, cannot fail */
void pl__mark_value(struct pl__heap *heap, void *value);
/* An old object is alive: marks it now, its slots are looked at later. */
void pl__shade(struct pl__heap *heap, void *object);
void pl__mark_alone(struct pl__heap *heap, void *object); /* or never */
/* The first segment of the mark stack; whether there was memory. */
bool pl__mark_start(struct pl__heap *heap);
void pl__mark_free(struct pl__heap *heap);

/* sweep.c: a page; then one of the space, if one is left. */
void pl__sweep_page(struct pl__heap *heap, struct pl__page *page);
bool pl__sweep_next(struct pl__heap *heap, struct pl__space *space);
/* Every page is to be swept; nothing can be allocated but in what is. */
void pl__sweep_begin(struct pl__heap *heap);
/* Sweeps; whether nothing is left. */
bool pl__sweep_some(struct pl__heap *heap, struct pl__budget *budget);
void pl__sweep_all(struct pl__heap *heap);
void pl__compact(struct pl__heap *heap); /* compact.c: sweeps as well */

/* ---- major.c: a major collection's parts ---- */

void pl__major(struct pl__heap *heap, bool compact); /* all of them */
void pl__major_begin(struct pl__heap *heap);
/* Ends the one under way, sweeping included. */
void pl__major_complete(struct pl__heap *heap);
/* The pause that ends marking; sweeping is left to do. */
void pl__major_end(struct pl__heap *heap);
void pl__major_step(struct pl__heap *heap, struct pl__budget *budget);

/* ---- collect.c ---- */

void pl__collect(struct pl__heap *heap, enum pl_gc_kind kind,
                 enum pl_gc_reason reason);
/* A step; whether there is more to do. */
bool pl__step(struct pl__heap *heap, enum pl_gc_reason reason, uint64_t ns,
              size_t work);
void pl__young_count(struct pl__heap *heap);
static inline uint64_t pl__clock(const struct pl__heap *heap) {
  return heap->allocated + (heap->head.top - heap->counted);
}
void pl__young_set_end(struct pl__heap *heap);
/* Populates the memory that is needed next. */
void pl__young_prepare(struct pl__heap *heap);
size_t pl__old_used(const struct pl__heap *heap);
size_t pl__used(const struct pl__heap *heap);
size_t pl__committed(const struct pl__heap *heap);

/* Bytes of the freed, when the heap is verified: no reference, no number. */
#define PL__ZAP UINT64_C(0xdeadbeefdeadbee2)

#endif

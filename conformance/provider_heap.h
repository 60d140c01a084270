/* SPDX-License-Identifier: MIT */
/*
 * provider_heap.h: the heap and buffer areas of provider.h, which includes it.
 *
 * The caller never has an address: it names objects by *roots*, which the
 * provider makes and which follow what they name. Every `void **root` gives a
 * root, given back with drop(). A function is NULL where the implementation
 * lacks that ability, and fallible ones return 0 or a negative errno value;
 * what they would have stored is then untouched.
 *
 * A collection happens only within a function that may allocate or collects;
 * callbacks come from collect(), step() and settle() alone, and may use the
 * heap but in `collected` and `near_limit`.
 */
#ifndef PLUMBLINE_PROVIDER_HEAP_H
#define PLUMBLINE_PROVIDER_HEAP_H

#include <stddef.h>
#include <stdint.h>

enum pl_collect {
  PL_COLLECT_MINOR,   /* the young generation */
  PL_COLLECT_MAJOR,   /* everything */
  PL_COLLECT_COMPACT, /* everything, and what is sparse is moved together */
  PL_COLLECT_KINDS
};

/* What a collection did. `size` is the provider's sizeof. */
struct pl_collected {
  size_t size;
  enum pl_collect kind;
  int requested;      /* by collect() */
  const char *reason; /* "requested", "new-space-full", "limit", … */
  uint64_t number;    /* of this collection, from 1 */
  uint64_t clock;     /* bytes allocated since the heap was made */
  size_t freed, promoted;
};

/* A stop of the program on two clocks: one shows time, CLOCK_MONOTONIC in
 * nanoseconds; the logical one counts bytes that were allocated,
 * copied, marked or swept and is the same on every machine. `size` is the
 * provider's sizeof. */
struct pl_heap_pause {
  size_t size;
  uint64_t begin_ns, ns;
  uint64_t begin_work, work;
};

/* How a heap is made; 0 and NULL are defaults. Sizes are bytes. */
struct pl_heap_options {
  size_t size;        /* sizeof(struct pl_heap_options) of the caller */
  const char *policy; /* "classic" or "age-mark" */
  size_t semi, semi_max, old_max, old_trigger, external_trigger;
  unsigned stress; /* collect at every n-th allocation */
  int verify;      /* check every invariant around each collection */
  void *self;
  void (*collected)(void *self, const struct pl_collected *event);
  /* The limit is reached: how many bytes more there shall be. */
  size_t (*near_limit)(void *self);
  /* Every stop, also one for a step of marking or sweeping. May not use the
   * heap. */
  void (*paused)(void *self, const struct pl_heap_pause *pause);
  /* Major collections go in steps of so much work; 0: at once. */
  size_t step_work;
};

enum pl_born {
  PL_BORN_YOUNG,
  PL_BORN_OLD,
  PL_BORN_CODE, /* without slots */
  PL_BORN_MAP,  /* of the one size of its space */
  PL_BORN_CELL
};

/* An object: slots for references, then bytes of data. */
struct pl_shape {
  const char *name; /* of its constructor; lives as long as the heap */
  size_t slots, bytes;
  enum pl_born born;
};

/* Where an object is. */
struct pl_where {
  const char *space; /* "new", "old-pointer", "old-data", "code", "map",
                        "cell", "large", "new-large" */
  int old, large;
  uintptr_t address;
};

/* Figures; bytes and numbers of collections. */
struct pl_heap_figures {
  size_t size; /* of the caller */
  size_t used, total, external, old, young, semi, metadata, pooled;
  uint64_t collections[PL_COLLECT_KINDS];
  /* Bytes since the heap was made; `work` is the logical clock. */
  uint64_t allocated, copied, promoted, work;
};

/* The heap area. Fields of later versions are added at the end. */
struct pl_heap_table {
  size_t size;
  const char *const *policies; /* NULL-terminated; the first is the default */

  /* -- the heap and its objects ------------------------------------------ */

  int (*create)(const struct pl_heap_options *options, void **heap);
  /* Ends a heap with all of its objects; every root, watch and snapshot of it
   * has been given back. No callback is called. */
  void (*destroy)(void *heap);
  /* -ENOMEM: there is no room, and the heap is as it was. */
  int (*alloc)(void *heap, const struct pl_shape *shape, void **root);
  void (*drop)(void *heap, void *root);
  /* Writes a reference to what `to` names into a slot; NULL empties it. */
  void (*link)(void *heap, void *from, size_t slot, void *to);
  /* *root becomes NULL when the slot is empty. */
  int (*get)(void *heap, void *of, size_t slot, void **root);
  int (*same)(void *heap, const void *one, const void *other);
  /* A number that the object has besides its slots and data. */
  void (*set_number)(void *heap, void *of, uint64_t number);
  uint64_t (*number)(void *heap, const void *of);

  /* -- collections --------------------------------------------------------- */

  void (*collect)(void *heap, enum pl_collect kind);
  /* A step of marking; *done: there is nothing left to mark. */
  int (*step)(void *heap, size_t work, int *done);
  /* Calls what collections have made due; how many. */
  size_t (*settle)(void *heap);
  /* 0, or 1 with the sentence that does not hold (which lives for ever). */
  int (*verify)(void *heap, const char **sentence);

  /* -- looking --------------------------------------------------------------*/

  /* A way to ask whether the object is there that keeps it in no collection,
   * until unwatch(). */
  int (*watch)(void *heap, void *of, void **watch);
  int (*alive)(void *heap, const void *watch);
  void (*unwatch)(void *heap, void *watch);
  void (*where)(void *heap, const void *of, struct pl_where *where);
  void (*figures)(void *heap, struct pl_heap_figures *figures);

  /* -- frames ---------------------------------------------------------------*/

  /* A function is called, with a local variable for what `of` names, until it
   * returns: frames end in the opposite order. */
  int (*enter)(void *heap, void *of, void **frame);
  void (*leave)(void *heap, void *frame);

  /* -- weak things ----------------------------------------------------------*/

  int (*weak)(void *heap, void *of, void **weak);
  /* Whether there is an object. */
  int (*deref)(void *heap, const void *weak);
  void (*weak_end)(void *heap, void *weak);
  /* gone(arg) is called once, by settle(), after the object was found dead,
   * unless forget() came before. forget() gives it back in any case. */
  int (*on_death)(void *heap, void *of, void (*gone)(void *arg), void *arg,
                  void **registration);
  void (*forget)(void *heap, void *registration);
  /* An object that is a table with weak keys, whose values live as long as
   * table and key do. */
  int (*table)(void *heap, void **root);
  int (*table_set)(void *heap, void *table, void *key, void *value);
  int (*table_has)(void *heap, const void *table, const void *key);
  void (*table_delete)(void *heap, void *table, void *key);
  size_t (*table_count)(void *heap, const void *table);

  /* -- memory outside, limits
   * ------------------------------------------------*/

  /* So many bytes outside live as long as the object. */
  int (*outside)(void *heap, void *of, size_t bytes);
  void (*adjust)(void *heap, ptrdiff_t bytes);
  int (*set_limit)(void *heap, size_t bytes);

  /* -- snapshots
   * -------------------------------------------------------------*/

  /* Writes a .heapsnapshot piece by piece; write() returns 0 or an error, with
   * which it ends. */
  int (*snapshot)(void *heap,
                  int (*write)(void *self, const void *bytes, size_t length),
                  void *self);
  /* The retained size of the objects of a name, from such a text. */
  int (*retained)(const void *snapshot, size_t length, const char *name,
                  uint64_t *bytes);

  /* -- leak events: the rules of memwatch
   * -------------------------------------*/

  size_t (*leak_size)(void);
  /* exact: without memwatch's unsigned subtraction. */
  void (*leak_init)(void *detector, int exact);
  /* A collection ended: how many bytes are in use, seconds since the start.
   * Returns the events: 1 stats, 2 leak, 3 both (leak comes first). */
  int (*leak_collection)(void *detector, int full, uint64_t used,
                         uint64_t seconds);
  /* "num-full-gc", "usage-trend", …; -EINVAL for what is none. */
  int (*leak_figure)(const void *detector, const char *name, double *value);
  /* The reason of the last leak event. */
  const char *(*leak_reason)(const void *detector);

  /* -- many at once: what takes as long as the heap takes -----------------*/

  /* Makes `count` young objects. Of these `kept`, evenly spread, are a tree:
   * its k-th object is in slot 0 (odd k) or 1 (even k) of the one with the
   * number (k - 1) / 2. *root names the first, and is untouched when there is
   * none. -EINVAL: a tree of objects with fewer slots. */
  int (*plant)(void *heap, const struct pl_shape *shape, size_t count,
               size_t kept, void **root);
  /* Makes a complete tree of that depth, the leaves first. */
  int (*tree)(void *heap, const struct pl_shape *shape, unsigned depth,
              void **root);
  /* How many objects such a tree has. */
  size_t (*reach)(void *heap, const void *tree);
  /* Writes `count` times what `to` names (NULL: nothing) into an object that
   * has `slots` of them: i into slot i % slots. */
  void (*fill)(void *heap, void *from, size_t slots, void *to, size_t count);

  /* -- what a weak reference leads to, lines of text ------------------------*/

  /* *root becomes NULL when the object is gone. */
  int (*target)(void *heap, const void *weak, void **root);
  /* line() gets a line of text for each collection from now on, in the form of
   * V8's --trace-gc; it must not use the heap. NULL: no longer. */
  int (*trace)(void *heap, void (*line)(void *self, const char *text),
               void *self);
};

/* The greatest length of a buffer, as the argument of one. */
#define PL_BUFFER_TO_END SIZE_MAX

enum pl_buffer_how { PL_BUFFER_ZEROED, PL_BUFFER_UNSAFE, PL_BUFFER_SLOW };

struct pl_buffer_facts {
  size_t length, offset, store_length;
  const void *store; /* which one; NULL when it has been handed over */
  unsigned char *bytes;
  int pooled, detached;
};

/* The buffer area: buffers live in a heap of pl_heap_table. */
struct pl_buffer_table {
  size_t size;
  int (*alloc)(void *heap, size_t length, enum pl_buffer_how how, void **root);
  /* Copies `length` bytes into a new buffer, small ones into the pool. */
  int (*from)(void *heap, const void *bytes, size_t length, void **root);
  /* Shares the store of `of`, from `offset` in the store on. -ERANGE. */
  int (*view)(void *heap, void *of, size_t offset, size_t length, void **root);
  void (*facts)(void *heap, const void *of, struct pl_buffer_facts *facts);
  /* Hands the store over, to a store of `length` bytes (PL_BUFFER_TO_END: as
   * many as it has); -EINVAL when it has been handed over or is the pool. */
  int (*transfer)(void *heap, void *of, size_t length, void **root);
  size_t (*pool_size)(void *heap);
  void (*set_pool_size)(void *heap, size_t bytes);
  size_t (*max_length)(void);
};

#endif

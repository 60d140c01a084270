/* SPDX-License-Identifier: MIT */
/*
 * lab.h: what a leak is made of, and what the leaks share.
 *
 * Invariants:
 *  - A leak does the same work before and after its cure; only what it keeps
 *    differs. It has the same name, sizes and constructors as its twin in js/.
 *  - Whatever may collect is given handles or roots, and gives a reference that
 *    is put into one at once.
 *  - A fallible function returns 0 or a PL_E value, and then the heap is whole.
 */
#ifndef LEAK_LAB_H
#define LEAK_LAB_H

#include <stdint.h>
#include <stdio.h>

#include "plumb/buffer.h"
#include "plumb/heap.h"

struct lab {
  struct pl_heap *heap;
  struct pl_buffers buffers;
  bool cured;
  uint32_t text, array, list, map, entry, function, scope; /* types */
};

/*
 * begin  makes the program; *state is the leak's own, free with end
 * turn   one turn of the loop: a request, a packet, what comes in
 * kept   how many things the program has: what its author would count
 * told   further counters as members of a JSON object, ", \"name\": n"; or NULL
 * end    takes back roots and state; after a failed begin, too. The heap is
 *        still there.
 */
struct leak {
  const char *name;
  const char *culprit; /* the constructor that a comparison must name */
  int (*begin)(struct lab *lab, void **state);
  int (*turn)(struct lab *lab, void *state, uint64_t n);
  size_t (*kept)(const void *state);
  void (*told)(const void *state, FILE *out);
  void (*end)(void *state);
};

extern const struct leak leak_cache, leak_queue, leak_closure, leak_exports,
    leak_listeners, leak_rooms, leak_slices;

/* -- objects --------------------------------------------------------------- */

/* Registers the types that the leaks share. Errors: PL_ENOMEM, PL_ENOSPC. */
int lab_types(struct lab *lab);

/* A type of which the first words are slots with these names (up to NULL). */
int lab_type(struct lab *lab, const char *name, const char *const *names,
             uint32_t *out);

/* An object of so many words. May collect. Errors: PL_ENOMEM. */
int lab_object(struct lab *lab, uint32_t type, size_t words, void **out);

/* A handle of an object in the open scope. Errors: PL_ENOMEM. */
int lab_handle(struct lab *lab, void *object, void ***out);

/* object[word] = value */
void lab_write(struct lab *lab, void *object, size_t word, void *value);

/* Bytes that nobody else has: what a response or a file is. May collect. */
int lab_text(struct lab *lab, size_t bytes, uint64_t n, void **out);

/* What a function is: the scope that its body uses. May collect. */
int lab_function(struct lab *lab, void *const *scope, void **out);

/* -- lists: references in their order (list.c) ------------------------------
 */

int lab_list_new(struct lab *lab, void **out); /* may collect */
/* Adds at the end. May collect. Errors: PL_ENOMEM; nothing was added then. */
int lab_list_push(struct lab *lab, void *const *list, void *const *value);
/* Takes the first away; NULL when there is none. */
void *lab_list_shift(struct lab *lab, void *list);
/* Takes one away wherever it is. */
void lab_list_remove(struct lab *lab, void *list, const void *value);
size_t lab_list_count(const void *list);

/* -- maps: from numbers to references, in the order of insertion (map.c) ----
 */

int lab_map_new(struct lab *lab, void **out); /* may collect */
/* The value of a key, or NULL. */
void *lab_map_get(const void *map, uint64_t key);
/* An entry behind all others; or, when there is one, its value. May collect.
 * Errors: PL_ENOMEM; nothing changed then. */
int lab_map_set(struct lab *lab, void *const *map, uint64_t key,
                void *const *value);
/* Puts an entry behind all others. */
void lab_map_touch(struct lab *lab, void *map, uint64_t key);
void lab_map_delete(struct lab *lab, void *map, uint64_t key);
/* The key of the first entry; the map must have one. */
uint64_t lab_map_oldest(const void *map);
size_t lab_map_count(const void *map);

/* -- a run (run.c) -----------------------------------------------------------
 */

/*
 * rounds     to be judged; a round is `turns` turns and a full collection
 * warm       rounds before them
 * snapshots  NULL, or what the names of the snapshots begin with
 * grain      bytes of growth from which on it counts
 * old_max, stress, verify  of the heap
 * fail       the n-th request for memory fails, and all after it; 0: none
 */
struct run_options {
  const struct leak *leak;
  bool cured;
  unsigned rounds, turns, warm;
  const char *snapshots;
  size_t grain, old_max;
  unsigned stress;
  bool verify;
  unsigned long fail;
};

/* Runs a leak and prints lines of JSON. Errors: PL_ENOMEM (told in the last
 * line, too), of files. */
int lab_run(const struct run_options *options, FILE *out);

#endif

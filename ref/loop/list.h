/* SPDX-License-Identifier: MIT */
/*
 * list.h: circular lists through links that lie inside their owners.
 *
 * Invariant: a link is always in exactly one ring; alone, it points to itself.
 * So unlinking needs no list, and unlinking twice is harmless.
 */
#ifndef PLUMB_LOOP_LIST_H
#define PLUMB_LOOP_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plumb/loop.h"

/* The object of `type` whose field `member` is at `ptr`. */
#define PL__OWNER(ptr, type, member)                                           \
  ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void pl__link_init(struct pl_link *link) {
  link->next = link;
  link->prev = link;
}

static inline bool pl__list_empty(const struct pl_link *list) {
  return list->next == list;
}

static inline void pl__list_append(struct pl_link *list, struct pl_link *link) {
  struct pl_link *last = list->prev;
  link->next = list;
  link->prev = last;
  last->next = link;
  list->prev = link;
}

static inline void pl__list_prepend(struct pl_link *list,
                                    struct pl_link *link) {
  pl__list_append(list->next, link);
}

/* Takes the link out and leaves its own pointers stale. */
static inline void pl__list_cut(struct pl_link *link) {
  link->prev->next = link->next;
  link->next->prev = link->prev;
}

static inline void pl__list_remove(struct pl_link *link) {
  pl__list_cut(link);
  pl__link_init(link);
}

/* Moves everything from one list to another, which need not be initialised. */
static inline void pl__list_move(struct pl_link *from, struct pl_link *to) {
  if (pl__list_empty(from)) {
    pl__link_init(to);
    return;
  }
  *to = *from;
  to->next->prev = to;
  to->prev->next = to;
  pl__link_init(from);
}

/* Where a member of a list's objects lies, seen from their links. */
#define PL__KEY(type, member)                                                  \
  ((ptrdiff_t)offsetof(type, member) - (ptrdiff_t)offsetof(type, head.link))

/* The key that lies so many bytes behind a link. */
static inline uint64_t pl__list_key(const struct pl_link *link, ptrdiff_t at) {
  return *(const uint64_t *)(const void *)((const char *)link + at);
}

/* Sorts a list by a key, stable, O(n) when it consists of a few sorted runs. */
void pl__list_sort(struct pl_link *list, ptrdiff_t key);

/* A list that consists of so few sorted runs is merged. */
enum { PL__FEW_RUNS = 8 };

/* What sorting has to know first: to be gathered link by link, in their order,
 * by who looks at them anyway. Begins zeroed. */
struct pl__look {
  size_t count, runs;
  uint64_t least, most, last; /* keys */
};

static inline void pl__look_at(struct pl__look *look, uint64_t key) {
  look->runs += look->count == 0 || key < look->last;
  if (look->count == 0 || key < look->least) look->least = key;
  if (look->count == 0 || key > look->most) look->most = key;
  look->last = key;
  look->count++;
}

/* The same for a list at which one has looked. */
void pl__list_sort_seen(struct pl_link *list, ptrdiff_t key,
                        const struct pl__look *look);

/*
 * The same for a long list of which one has seen some, whose keys are in no
 * order: each link is asked for once more, while it is sorted. keep() returns
 * false for a link that is not to stay; it is keep()'s from then on.
 */
typedef bool pl__keep_fn(void *arg, struct pl_link *link);
void pl__list_sort_kept(struct pl_link *list, ptrdiff_t key,
                        const struct pl__look *some, pl__keep_fn *keep,
                        void *arg);

#endif

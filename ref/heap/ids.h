/* SPDX-License-Identifier: MIT */
/*
 * ids.h: the ids of objects, which the writer of snapshots reads in the order
 * of a walk.
 *
 * Invariant: ids are odd, and not less than PL__FIRST_ID.
 */
#ifndef PLUMB_HEAP_IDS_H
#define PLUMB_HEAP_IDS_H

#include "internal.h"
#include "plumb/snapshot.h"

/* Below it are the ids of what is no object. */
enum { PL__FIRST_ID = 31 };

/* Goes through a page's table in the order of addresses. */
struct pl__id_reader {
  const struct pl__page *page; /* NULL: none yet */
  const unsigned char *at;
  uint64_t id, row; /* the last one read; how many more in a row */
  size_t bit;       /* places before it have been read */
};

void pl__ids_read(struct pl__id_reader *reader, const struct pl__page *page);

/* Gives every object an id, at the beginning of a walk. Errors: PL_ENOMEM: some
 * have none yet, those that had one have it. */
int pl__ids_update(struct pl__heap *heap);
/* The id of an object since then; objects come in the order of the walk. A
 * zeroed reader begins. */
uint64_t pl__id_now(const struct pl__heap *heap, struct pl__id_reader *reader,
                    const void *object);

#endif

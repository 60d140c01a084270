/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h: writes what is in a heap as a .heapsnapshot: V8's format, as Node
 * 20 writes it, for plumb-heap, Chrome's tools, memlab.
 *
 * In the file: a synthetic root with id 1; below it "(GC roots)", and below
 * that what stands for handles, roots, due finalizers and weak handles. Every
 * object of the heap, under the name of its type (the constructor): a node of
 * type "object", or "code" for one of the code space. Every reference: a
 * "property" edge where the type names the slot, an "element" edge with its
 * index for an array's, else a "hidden" edge with the number of its word; an
 * "internal" one from a weak table's key to its value. Bytes that an object
 * holds outside of the heap: one "native" node for all of them, with the
 * object's id plus 1.
 *
 * Invariants:
 *  - Garbage is in no snapshot: each begins with a major collection, so
 *    finalizers may be due afterwards.
 *  - An object has the same id in every snapshot of its heap, whatever moved
 *    it; ids are odd and never used again. Until the first snapshot that costs
 *    nothing, and after it nothing that allocates, writes or collects, but for
 *    compaction; memory: 1.6 % of the heap (pl_snapshot_forget()).
 *  - Beside the heap a snapshot needs less than 5 % of its bytes, ids included,
 *    and 8 bytes for each object that holds something outside.
 *  - What failed has left no file under the final name, and the heap intact.
 */
#ifndef PLUMB_SNAPSHOT_H
#define PLUMB_SNAPSHOT_H

#include "plumb/heap.h"

/* Takes `length` bytes of the text, all of them. Returns 0, or a negative value
 * with which the writer ends. It must not call into the heap. */
typedef int pl_snapshot_fn(void *self, const void *bytes, size_t length);

/* What was written. */
struct pl_snapshot_facts {
  uint64_t nodes, edges, bytes; /* bytes: of the text */
};

/*
 * Writes a snapshot in pieces of up to 64 KiB. facts: may be NULL. Collects.
 * Errors: PL_ENOMEM (before anything was written); what `write` returned.
 */
int pl_snapshot_write(struct pl_heap *heap, pl_snapshot_fn *write, void *self,
                      struct pl_snapshot_facts *facts);

/* The same to a descriptor that blocks; short writes and interruptions by
 * signals are gone on after. Errors: PL_ENOMEM; those of write(2), such as
 * PL_ENOSPC. */
int pl_snapshot_write_fd(struct pl_heap *heap, int fd,
                         struct pl_snapshot_facts *facts);

/*
 * The same to a file of mode 0600 that has the name when it is complete: it is
 * written beside it as PATH.XXXXXX and renamed, so a file that stood there is
 * replaced or left as it was. Errors: PL_ENOMEM; PL_ENAMETOOLONG; those of
 * mkostemp(3), write(2), close(2) and rename(2).
 */
int pl_snapshot_save(struct pl_heap *heap, const char *path,
                     struct pl_snapshot_facts *facts);

/* Gives back the memory that ids take: the next snapshot has new ones for all
 * objects, none of which was used before. Does not collect. */
void pl_snapshot_forget(struct pl_heap *heap);

#endif

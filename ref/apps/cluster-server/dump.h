/* SPDX-License-Identifier: MIT */
/* dump.h: a heap snapshot every so often, into a folder. */
#ifndef CLUSTER_SERVER_DUMP_H
#define CLUSTER_SERVER_DUMP_H

#include <plumb/heap.h>
#include <plumb/loop.h>
#include <stdbool.h>

#include "../http/bytes.h"

enum { DUMP_KEPT_MOST = 64, DUMP_NAME_MOST = 512 };

struct dump {
  struct pl_loop *loop;
  struct pl_heap *heap;
  const char *folder;
  unsigned keep; /* of this process's files; the oldest goes first */
  struct pl_timer timer;
  struct pl_work writer;
  bool writing;
  struct bytes text;                         /* of the one that is written */
  char name[DUMP_NAME_MOST];                 /* and its file */
  int error;                                 /* what the writer met */
  char kept[DUMP_KEPT_MOST][DUMP_NAME_MOST]; /* a ring */
  unsigned written;
};

/*
 * Writes a snapshot every `every_ms` milliseconds (0: never): it is taken
 * between two callbacks of the loop and written by a thread of its pool.
 * Borrows `dump` until the loop is closed. folder: borrowed.
 */
void dump_open(struct dump *dump, struct pl_loop *loop, struct pl_heap *heap,
               const char *folder, uint64_t every_ms, unsigned keep);

/* Takes one now, unless one is being written. */
void dump_now(struct dump *dump);

/* Takes no more; one that is being written keeps the loop alive. */
void dump_close(struct dump *dump);

#endif

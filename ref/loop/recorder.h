/* SPDX-License-Identifier: MIT */
/*
 * recorder.h: the layout of a recorder, for those who fill and print it.
 *
 * Invariant: records[(begun - 1) % capacity] is the newest, and `next` is where
 * the next one goes. labels[0] is never used.
 */
#ifndef PLUMB_LOOP_RECORDER_H
#define PLUMB_LOOP_RECORDER_H

#include "internal.h"

struct pl__label {
  char *name;
  char *url;       /* "" when unknown; in the same block as the name */
  pl_event_fn *fn; /* whose callbacks have it; may be NULL */
  int line;        /* from 1; 0: unknown */
};

struct pl_recorder {
  struct pl_allocator allocator;
  uint64_t begun; /* records */
  size_t next;
  size_t capacity;
  uint64_t start_ns; /* first attached; UINT64_MAX: never yet */
  uint64_t end_ns;   /* the latest time that it knows of */
  uint8_t phase;     /* of the last callback that was no task */
  struct pl__label *labels;
  size_t label_count; /* labels[0] included */
  size_t label_room;
  struct pl_record records[];
};

#endif

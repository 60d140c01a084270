/* SPDX-License-Identifier: MIT */
/*
 * profile_tree.h: the call tree of a recording, and the walk over its time.
 *
 * Invariants:
 *  - A node's number is its id in the file; 0 is none, the first four are
 *    fixed. A parent has a smaller number than its children.
 *  - Two records have one node if they have one parent, kind, and label, or,
 *    without a label, function.
 */
#ifndef PLUMB_LOOP_PROFILE_TREE_H
#define PLUMB_LOOP_PROFILE_TREE_H

#include "recorder.h"

enum pl__fixed_node {
  PL__NODE_NONE,
  PL__NODE_ROOT,
  PL__NODE_PROGRAM,
  PL__NODE_IDLE,
  PL__NODE_LOOP,
  PL__NODE_FREE /* the first of the others */
};

enum { PL__KIND_FIXED = 0xfe, PL__KIND_PHASE = 0xff };

struct pl__node {
  uint32_t parent;
  uint32_t first_child, last_child, next; /* in the order of making */
  uint64_t hits;                          /* samples */
  pl_event_fn *fn; /* of a callback; NULL when its object has a label */
  uint16_t label;  /* of the object, or 0; a phase's number */
  uint8_t kind;    /* enum pl_record_kind, PL__KIND_... */
};

struct pl__tree {
  const struct pl_recorder *recorder;
  struct pl__node *nodes;
  uint32_t count, room; /* of nodes, nodes[0] included */
  uint32_t *slots;      /* a hash table of node numbers */
  uint32_t slot_count;  /* a power of two, more than room */
  uint32_t *node_of;    /* by number of record */
  size_t kept;          /* records */
  uint64_t start_us, end_us;
};

/* Makes the tree, without hits. Borrows the recorder until pl__tree_free().
 * Errors: PL_ENOMEM; nothing is left behind then. */
int pl__tree_make(struct pl__tree *tree, const struct pl_recorder *recorder);
void pl__tree_free(struct pl__tree *tree);

/* From `time_us` on, until the next step, `node` is on top of the stack. */
typedef void pl__step_fn(void *self, uint32_t node, uint64_t time_us);

/* Tells everything that began and ended, from start_us to end_us, both
 * included; time never goes back. */
void pl__tree_walk(const struct pl__tree *tree, pl__step_fn *step, void *self);

#endif

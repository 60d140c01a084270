/* SPDX-License-Identifier: MIT */
/*
 * profile_tree.c: from records to a call tree, and through its time.
 *
 * Tasks are drained behind a callback, and nothing else runs until they are
 * through: they are its children, and it is left only after the last of them.
 *
 * Invariant: making the tree and walking it agree on whose child a task is,
 * because the walk asks the tree.
 */
#include "profile_tree.h"

static uint64_t to_us(uint64_t ns) {
  return ns / 1000;
}

static bool is_task(const struct pl_record *record) {
  return record->kind == PL_RECORD_TICK || record->kind == PL_RECORD_MICROTASK;
}

/* ---------------------------------------------------------------------- */
/* Nodes                                                                  */

static uint32_t slot_of(const struct pl__tree *tree,
                        const struct pl__node *key) {
  uint64_t digest = pl__mix(key->parent, (uint64_t)(uintptr_t)key->fn);
  digest = pl__mix(digest, (uint64_t)key->label << 8 | key->kind);
  return (uint32_t)(digest >> 8) & (tree->slot_count - 1);
}

static bool is_same(const struct pl__node *a, const struct pl__node *b) {
  return a->parent == b->parent && a->fn == b->fn && a->label == b->label &&
         a->kind == b->kind;
}

static void enter(struct pl__tree *tree, uint32_t number) {
  uint32_t slot = slot_of(tree, &tree->nodes[number]);
  while (tree->slots[slot] != PL__NODE_NONE)
    slot = (slot + 1) & (tree->slot_count - 1);
  tree->slots[slot] = number;
}

/* Twice the nodes, in a table of four times as many slots. */
static int grow(struct pl__tree *tree) {
  const struct pl_allocator *memory = &tree->recorder->allocator;
  if (tree->room > UINT32_MAX / 16) return PL_ENOMEM;
  uint32_t room = tree->room == 0 ? 32 : tree->room * 2;
  struct pl__node *nodes =
      pl__resize(memory, tree->nodes, room * sizeof *nodes);
  if (nodes == NULL) return PL_ENOMEM;
  tree->nodes = nodes;
  uint32_t slot_count = room * 4;
  uint32_t *slots = pl__resize(memory, tree->slots, slot_count * sizeof *slots);
  if (slots == NULL) return PL_ENOMEM;
  tree->slots = slots;
  tree->slot_count = slot_count;
  tree->room = room;
  for (uint32_t i = 0; i < slot_count; i++)
    slots[i] = PL__NODE_NONE;
  for (uint32_t i = PL__NODE_ROOT; i < tree->count; i++)
    enter(tree, i);
  return 0;
}

static int add(struct pl__tree *tree, const struct pl__node *key,
               uint32_t *out) {
  int error = tree->count == tree->room ? grow(tree) : 0;
  if (error != 0) return error;
  uint32_t number = tree->count++;
  tree->nodes[number] = *key;
  enter(tree, number);
  struct pl__node *parent = &tree->nodes[key->parent];
  if (parent->first_child == PL__NODE_NONE)
    parent->first_child = number;
  else
    tree->nodes[parent->last_child].next = number;
  parent->last_child = number;
  *out = number;
  return 0;
}

static int find_or_add(struct pl__tree *tree, struct pl__node key,
                       uint32_t *out) {
  uint32_t slot = slot_of(tree, &key);
  for (; tree->slots[slot] != PL__NODE_NONE;
       slot = (slot + 1) & (tree->slot_count - 1)) {
    if (!is_same(&tree->nodes[tree->slots[slot]], &key)) continue;
    *out = tree->slots[slot];
    return 0;
  }
  return add(tree, &key, out);
}

/* nodes[0] is nobody; the root is its child, which is never looked at. */
static int add_fixed(struct pl__tree *tree) {
  int error = grow(tree);
  if (error != 0) return error;
  tree->nodes[PL__NODE_NONE] = (struct pl__node){0};
  tree->count = 1;
  for (uint16_t i = PL__NODE_ROOT; i < PL__NODE_FREE && error == 0; i++) {
    uint32_t number;
    struct pl__node key = {.parent = i == PL__NODE_ROOT ? PL__NODE_NONE
                                                        : PL__NODE_ROOT,
                           .label = i,
                           .kind = PL__KIND_FIXED};
    error = add(tree, &key, &number);
  }
  return error;
}

/* ---------------------------------------------------------------------- */
/* Records                                                                */

/* open: the callback that tasks are drained behind, or none. */
static int node_for(struct pl__tree *tree, const struct pl_record *record,
                    uint32_t open, uint32_t *out) {
  uint32_t parent = open;
  if (!is_task(record) || record->phase == PL_PHASE_MAIN || open == 0) {
    struct pl__node phase = {.parent = PL__NODE_ROOT,
                             .label = record->phase,
                             .kind = PL__KIND_PHASE};
    int error = find_or_add(tree, phase, &parent);
    if (error != 0) return error;
  }
  /* A label that this recorder did not make is none. */
  bool labelled = record->label < tree->recorder->label_count;
  uint16_t label = labelled ? record->label : 0;
  return find_or_add(tree,
                     (struct pl__node){.parent = parent,
                                       .fn = label != 0 ? NULL : record->fn,
                                       .label = label,
                                       .kind = record->kind},
                     out);
}

static int add_records(struct pl__tree *tree) {
  uint32_t open = PL__NODE_NONE;
  for (size_t i = 0; i < tree->kept; i++) {
    const struct pl_record *record = pl_recorder_at(tree->recorder, i);
    tree->node_of[i] = PL__NODE_IDLE;
    if (record->kind == PL_RECORD_WAIT) {
      open = PL__NODE_NONE;
      continue;
    }
    int error = node_for(tree, record, open, &tree->node_of[i]);
    if (error != 0) return error;
    if (!is_task(record)) open = tree->node_of[i];
  }
  return 0;
}

static void find_bounds(struct pl__tree *tree) {
  const struct pl_recorder *recorder = tree->recorder;
  uint64_t start = recorder->start_ns;
  if (pl_recorder_dropped(recorder) != 0)
    start = pl_recorder_at(recorder, 0)->start_ns;
  if (start == UINT64_MAX) start = 0; /* never attached */
  tree->start_us = to_us(start);
  tree->end_us = to_us(recorder->end_ns);
  for (size_t i = 0; i < tree->kept; i++) {
    const struct pl_record *record = pl_recorder_at(recorder, i);
    uint64_t end_us = to_us(record->start_ns + record->duration_ns);
    if (end_us > tree->end_us) tree->end_us = end_us;
  }
}

int pl__tree_make(struct pl__tree *tree, const struct pl_recorder *recorder) {
  *tree = (struct pl__tree){
      .recorder = recorder,
      .kept = (size_t)(recorder->begun - pl_recorder_dropped(recorder))};
  /* One more, so that nothing kept is no special case. */
  tree->node_of = pl__resize(&recorder->allocator, NULL,
                             (tree->kept + 1) * sizeof *tree->node_of);
  int error = tree->node_of == NULL ? PL_ENOMEM : add_fixed(tree);
  if (error == 0) error = add_records(tree);
  if (error == 0)
    find_bounds(tree);
  else
    pl__tree_free(tree);
  return error;
}

void pl__tree_free(struct pl__tree *tree) {
  const struct pl_allocator *memory = &tree->recorder->allocator;
  if (tree->slots != NULL) pl__resize(memory, tree->slots, 0);
  if (tree->nodes != NULL) pl__resize(memory, tree->nodes, 0);
  if (tree->node_of != NULL) pl__resize(memory, tree->node_of, 0);
}

/* ---------------------------------------------------------------------- */
/* Time                                                                   */

struct walk {
  const struct pl__tree *tree;
  pl__step_fn *step;
  void *self;
  uint64_t time_us; /* reached */
  uint32_t open;    /* the callback that is not left yet */
  uint64_t until;   /* when it is left, as far as is known */
};

/* A clock that went back, or a task longer than the time that is known of its
 * callback, must not turn time round. */
static void step_to(struct walk *walk, uint32_t node, uint64_t time_us) {
  if (time_us > walk->time_us) walk->time_us = time_us;
  walk->step(walk->self, node, walk->time_us);
}

static void leave(struct walk *walk) {
  if (walk->open == PL__NODE_NONE) return;
  step_to(walk, PL__NODE_LOOP, walk->until);
  walk->open = PL__NODE_NONE;
}

static void walk_record(struct walk *walk, const struct pl_record *record,
                        uint32_t node) {
  uint64_t begin = to_us(record->start_ns);
  uint64_t end = to_us(record->start_ns + record->duration_ns);
  if (walk->open != PL__NODE_NONE && is_task(record) &&
      walk->tree->nodes[node].parent == walk->open) {
    step_to(walk, node, begin);
    step_to(walk, walk->open, end);
    if (end > walk->until) walk->until = end;
    return;
  }
  leave(walk);
  step_to(walk, node, begin);
  walk->open = node;
  walk->until = end;
  if (record->kind == PL_RECORD_WAIT) leave(walk);
}

void pl__tree_walk(const struct pl__tree *tree, pl__step_fn *step, void *self) {
  struct walk walk = {
      .tree = tree, .step = step, .self = self, .time_us = tree->start_us};
  step_to(&walk, PL__NODE_PROGRAM, tree->start_us);
  for (size_t i = 0; i < tree->kept; i++)
    walk_record(&walk, pl_recorder_at(tree->recorder, i), tree->node_of[i]);
  leave(&walk);
  step_to(&walk, PL__NODE_PROGRAM, tree->end_us);
}

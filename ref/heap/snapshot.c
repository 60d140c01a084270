/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c: a walk over the heap as a .heapsnapshot, piece by piece.
 *
 *   node   0        1             2 ...           FIRST ...   behind them
 *          the root (GC roots)    a node for each  objects    bytes that
 *                                 kind of root                objects hold
 *
 * The counts stand first in the text, so edges are counted before anything is
 * written; nodes are in the order of the walk, and edges in that of their
 * nodes, so neither is kept.
 *
 * Invariants:
 *  - Once something has been written nothing is asked for any more: there is no
 *    running out of memory halfway.
 *  - Whoever counts edges and whoever writes them are the same code.
 *
 * Source: V8 11.3, src/profiler/heap-snapshot-generator.cc,
 * HeapSnapshotJSONSerializer; files that Node 20.20 wrote.
 */
#include "plumb/snapshot.h"

#include "ids.h"
#include "snapshot_text.h"

/* Of node_types and edge_types. */
enum { NODE_OBJECT = 3, NODE_CODE = 4, NODE_NATIVE = 8, NODE_SYNTHETIC = 9 };
enum {
  EDGE_ELEMENT = 1,
  EDGE_PROPERTY = 2,
  EDGE_INTERNAL = 3,
  EDGE_HIDDEN = 4,
  EDGE_WEAK = 6
};

enum { NODE_FIELDS = 7, KINDS = 4, FIRST = 2 + KINDS, BLOCK = 512 };

static const char *const kind_names[KINDS] = {
    [PL_ROOT_HANDLE] = "(Handle scopes)",
    [PL_ROOT_ROOT] = "(Global handles)",
    [PL_ROOT_FINALIZER] = "(Finalizers)",
    [PL_ROOT_WEAK] = "(Weak handles)"};

/* Which objects hold bytes outside: a bit for each number, and before every
 * BLOCK of them how many there were; then the bytes, in that order. */
struct holders {
  uint64_t *bits;
  uint32_t *counts;
  uint64_t *bytes;
  size_t bits_size, counts_size, count;
};

struct writer {
  struct pl__heap *heap;
  struct pl_walk *walk;
  struct pl__prose text;
  struct pl__labels names;
  struct holders holders;
  uint64_t edges, kinds[KINDS];
  enum pl_root_kind kind; /* whose edges are being written */
  uint64_t index;
};

/* ---------------------------------------------------------------------- */
/* Bytes outside                                                          */

static void *ask(struct writer *w, size_t size) {
  void *block = pl__heap_resize(w->heap, NULL, 0, size);
  if (block != NULL) memset(block, 0, size);
  return block;
}

static void mark_holder(void *arg, const void *object, size_t bytes) {
  struct writer *w = arg;
  size_t number = pl_walk_number(w->walk, object);
  (void)bytes;
  w->holders.bits[number / 64] |= UINT64_C(1) << number % 64;
}

static bool holds(const struct holders *holders, size_t number) {
  return holders->bits != NULL &&
         (holders->bits[number / 64] >> number % 64 & 1);
}

/* How many of them have a lower number. */
static size_t holder_rank(const struct holders *holders, size_t number) {
  size_t count = holders->counts[number / BLOCK];
  for (size_t i = number / BLOCK * (BLOCK / 64); i < number / 64; i++)
    count += (size_t)__builtin_popcountll(holders->bits[i]);
  uint64_t below =
      holders->bits[number / 64] & ((UINT64_C(1) << number % 64) - 1);
  return count + (size_t)__builtin_popcountll(below);
}

static void add_bytes(void *arg, const void *object, size_t bytes) {
  struct writer *w = arg;
  size_t number = pl_walk_number(w->walk, object);
  w->holders.bytes[holder_rank(&w->holders, number)] += bytes;
}

static void count_one(void *arg, const void *object, size_t bytes) {
  (void)object;
  (void)bytes;
  ++*(size_t *)arg;
}

static bool find_holders(struct writer *w) {
  struct holders *holders = &w->holders;
  size_t objects = pl_walk_count(w->walk), some = 0;
  pl_walk_bytes(w->walk, count_one, &some);
  if (some == 0) return true;
  holders->bits_size = (objects / BLOCK + 1) * (BLOCK / 8);
  holders->counts_size = (objects / BLOCK + 1) * sizeof *holders->counts;
  holders->bits = ask(w, holders->bits_size);
  holders->counts = ask(w, holders->counts_size);
  if (holders->bits == NULL || holders->counts == NULL) return false;
  pl_walk_bytes(w->walk, mark_holder, w);
  for (size_t i = 0; i < holders->bits_size / 8; i++) {
    if (i % (BLOCK / 64) == 0)
      holders->counts[i / (BLOCK / 64)] = (uint32_t)holders->count;
    holders->count += (size_t)__builtin_popcountll(holders->bits[i]);
  }
  holders->bytes = ask(w, holders->count * sizeof *holders->bytes);
  if (holders->bytes == NULL) return false;
  pl_walk_bytes(w->walk, add_bytes, w);
  return true;
}

static void free_holders(struct writer *w) {
  struct holders *holders = &w->holders;
  pl__heap_resize(w->heap, holders->bytes,
                  holders->bytes == NULL ? 0 : holders->count * 8, 0);
  pl__heap_resize(w->heap, holders->counts,
                  holders->counts == NULL ? 0 : holders->counts_size, 0);
  pl__heap_resize(w->heap, holders->bits,
                  holders->bits == NULL ? 0 : holders->bits_size, 0);
}

/* ---------------------------------------------------------------------- */
/* Edges                                                                  */

static void edge(struct writer *w, unsigned type, uint64_t name,
                 uint64_t node) {
  pl__prose_row(&w->text, (const uint64_t[]){type, name, node * NODE_FIELDS},
                3);
}

static void count_root(void *arg, enum pl_root_kind kind, const void *object) {
  struct writer *w = arg;
  (void)object;
  w->kinds[kind]++;
}

static void write_root(void *arg, enum pl_root_kind kind, const void *object) {
  struct writer *w = arg;
  if (kind != w->kind) return;
  uint64_t node = FIRST + pl_walk_number(w->walk, object);
  if (kind == PL_ROOT_WEAK)
    edge(w, EDGE_WEAK, pl__label_fixed(PL__LABEL_WEAK), node);
  else
    edge(w, EDGE_ELEMENT, w->index++, node);
}

static void count_edge(void *arg, const struct pl_edge *at) {
  (void)at;
  ++*(uint64_t *)arg;
}

static void write_edge(void *arg, const struct pl_edge *at) {
  struct writer *w = arg;
  uint64_t node = FIRST + pl_walk_number(w->walk, at->to);
  switch (at->kind) {
  case PL_EDGE_NAMED:
    edge(w, EDGE_PROPERTY, pl__label_of_slot(&w->names, at->name), node);
    break;
  case PL_EDGE_ELEMENT:
    edge(w, EDGE_ELEMENT, at->index, node);
    break;
  case PL_EDGE_INTERNAL:
    edge(w, EDGE_HIDDEN, at->index, node);
    break;
  case PL_EDGE_EPHEMERON:
    edge(w, EDGE_INTERNAL, pl__label_fixed(PL__LABEL_VALUE), node);
    break;
  }
}

static uint64_t edges_of(struct writer *w, const void *object, size_t number) {
  uint64_t count = holds(&w->holders, number);
  pl_walk_edges(w->walk, object, count_edge, &count);
  return count;
}

static void count_edges(struct writer *w) {
  w->edges = 1 + KINDS;
  pl_walk_roots(w->walk, count_root, w);
  for (int i = 0; i < KINDS; i++)
    w->edges += w->kinds[i];
  void *object;
  for (size_t i = 0; (object = pl_walk_next(w->walk)) != NULL; i++)
    w->edges += edges_of(w, object, i);
  pl_walk_rewind(w->walk);
}

static void write_edges(struct writer *w) {
  edge(w, EDGE_ELEMENT, 1, 1);
  for (unsigned i = 0; i < KINDS; i++)
    edge(w, EDGE_ELEMENT, i, 2 + i);
  for (int i = 0; i < KINDS; i++) {
    w->kind = (enum pl_root_kind)i;
    w->index = 0;
    pl_walk_roots(w->walk, write_root, w);
  }
  void *object;
  size_t natives = FIRST + pl_walk_count(w->walk);
  for (size_t i = 0; (object = pl_walk_next(w->walk)) != NULL; i++) {
    if (w->text.error != 0) return;
    pl_walk_edges(w->walk, object, write_edge, w);
    if (holds(&w->holders, i))
      edge(w, EDGE_INTERNAL, pl__label_fixed(PL__LABEL_STORE), natives++);
  }
}

/* ---------------------------------------------------------------------- */
/* Nodes                                                                  */

static void node(struct writer *w, unsigned type, uint64_t name, uint64_t id,
                 uint64_t size, uint64_t edges) {
  pl__prose_row(&w->text,
                (const uint64_t[NODE_FIELDS]){type, name, id, size, edges},
                NODE_FIELDS);
}

static void write_natives(struct writer *w) {
  struct pl__id_reader reader = {0};
  size_t done = 0;
  void *object;
  for (size_t i = 0; done < w->holders.count; i++) {
    if ((object = pl_walk_next(w->walk)) == NULL || w->text.error != 0) return;
    if (!holds(&w->holders, i)) continue;
    node(w, NODE_NATIVE, pl__label_fixed(PL__LABEL_BYTES),
         pl__id_now(w->heap, &reader, object) + 1, w->holders.bytes[done++], 0);
  }
}

static void write_nodes(struct writer *w) {
  struct pl__id_reader reader = {0};
  node(w, NODE_SYNTHETIC, pl__label_fixed(PL__LABEL_EMPTY), 1, 0, 1);
  node(w, NODE_SYNTHETIC, pl__label_fixed(PL__LABEL_ROOTS), 3, 0, KINDS);
  for (unsigned i = 0; i < KINDS; i++)
    node(w, NODE_SYNTHETIC, pl__label_fixed(PL__LABEL_KIND + i), 5 + 2 * i, 0,
         w->kinds[i]);
  void *object;
  for (size_t i = 0; (object = pl_walk_next(w->walk)) != NULL; i++) {
    if (w->text.error != 0) return;
    struct pl_walk_object what;
    pl_walk_describe(w->walk, object, &what);
    unsigned type = what.space == PL_SPACE_CODE ? NODE_CODE : NODE_OBJECT;
    node(w, type, pl__label_of_type(&w->names, what.type),
         pl__id_now(w->heap, &reader, object), what.bytes,
         edges_of(w, object, i));
  }
  pl_walk_rewind(w->walk);
  write_natives(w);
  pl_walk_rewind(w->walk);
}

/* ---------------------------------------------------------------------- */

static const char meta[] =
    "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\","
    "\"self_size\",\"edge_count\",\"trace_node_id\",\"detachedness\"],"
    "\"node_types\":[[\"hidden\",\"array\",\"string\",\"object\",\"code\","
    "\"closure\",\"regexp\",\"number\",\"native\",\"synthetic\","
    "\"concatenated string\",\"sliced string\",\"symbol\",\"bigint\","
    "\"object shape\",\"wasm object\"],\"string\",\"number\",\"number\","
    "\"number\",\"number\",\"number\"],\"edge_fields\":[\"type\","
    "\"name_or_index\",\"to_node\"],\"edge_types\":[[\"context\","
    "\"element\",\"property\",\"internal\",\"hidden\",\"shortcut\","
    "\"weak\"],\"string_or_number\",\"node\"],\"trace_function_info_fields\":"
    "[\"function_id\",\"name\",\"script_name\",\"script_id\",\"line\","
    "\"column\"],\"trace_node_fields\":[\"id\",\"function_info_index\","
    "\"count\",\"size\",\"children\"],\"sample_fields\":[\"timestamp_us\","
    "\"last_assigned_id\"],\"location_fields\":[\"object_index\","
    "\"script_id\",\"line\",\"column\"]},\"node_count\":";

static uint64_t count_nodes(const struct writer *w) {
  return FIRST + pl_walk_count(w->walk) + w->holders.count;
}

static int write_all(struct writer *w) {
  pl__prose_add(&w->text, meta);
  pl__prose_number(&w->text, count_nodes(w));
  pl__prose_add(&w->text, ",\"edge_count\":");
  pl__prose_number(&w->text, w->edges);
  pl__prose_add(&w->text, ",\"trace_function_count\":0},\n\"nodes\":[");
  pl__prose_begin_rows(&w->text);
  write_nodes(w);
  pl__prose_add(&w->text, "],\n\"edges\":[");
  pl__prose_begin_rows(&w->text);
  write_edges(w);
  pl__prose_add(&w->text,
                "],\n\"trace_function_infos\":[],\n\"trace_tree\":[],"
                "\n\"samples\":[],\n\"locations\":[],\n\"strings\":[");
  pl__labels_write(&w->names, &w->text);
  pl__prose_add(&w->text, "]}\n");
  return pl__prose_end(&w->text);
}

static int prepare(struct writer *w, pl_snapshot_fn *write, void *self) {
  if (!pl__prose_start(&w->text, w->heap, write, self)) return PL_ENOMEM;
  int error = pl_walk_begin(&w->heap->head, &w->walk);
  if (error == 0) error = pl__ids_update(w->heap);
  if (error == 0 && !pl__labels_start(&w->names, w->heap, kind_names, KINDS))
    error = PL_ENOMEM;
  if (error == 0 && !find_holders(w)) error = PL_ENOMEM;
  return error;
}

int pl_snapshot_write(struct pl_heap *heap, pl_snapshot_fn *write, void *self,
                      struct pl_snapshot_facts *facts) {
  struct writer w = {.heap = pl__heap(heap)};
  int error = prepare(&w, write, self);
  if (error == 0) {
    count_edges(&w);
    error = write_all(&w);
  }
  if (error == 0 && facts != NULL)
    *facts = (struct pl_snapshot_facts){
        .nodes = count_nodes(&w), .edges = w.edges, .bytes = w.text.total};
  free_holders(&w);
  pl__labels_free(&w.names, w.heap);
  if (w.walk != NULL) pl_walk_end(w.walk);
  pl__prose_free(&w.text);
  return error;
}

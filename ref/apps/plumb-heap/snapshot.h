/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h: a .heapsnapshot file as arrays.
 *
 * The format is V8's (Node, Deno, Chrome, Bun's "v8" format, and the
 * reference): a JSON object whose `snapshot.meta` names the fields, `nodes` and
 * `edges` are flat arrays of numbers, `strings` the texts that they name by
 * index. Source: V8, src/profiler/heap-snapshot-generator.cc
 * (HeapSnapshotJSONSerializer).
 *
 * Invariant: in a snapshot that was read every index is within its array, and
 * node 0 is the root.
 */
#ifndef HEAP_SNAPSHOT_H
#define HEAP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_type {
  NODE_HIDDEN,
  NODE_ARRAY,
  NODE_STRING,
  NODE_OBJECT,
  NODE_CODE,
  NODE_CLOSURE,
  NODE_REGEXP,
  NODE_NUMBER,
  NODE_NATIVE,
  NODE_SYNTHETIC,
  NODE_CONCATENATED,
  NODE_SLICED,
  NODE_SYMBOL,
  NODE_BIGINT,
  NODE_SHAPE,
  NODE_OTHER, /* a type that this version does not know */
  NODE_TYPES
};

enum edge_type {
  EDGE_CONTEXT,
  EDGE_ELEMENT,
  EDGE_PROPERTY,
  EDGE_INTERNAL,
  EDGE_HIDDEN,
  EDGE_SHORTCUT,
  EDGE_WEAK,
  EDGE_OTHER,
  EDGE_TYPES
};

extern const char *const node_type_names[NODE_TYPES];

struct node {
  uint64_t id;
  uint64_t size;  /* its own bytes */
  uint32_t name;  /* a string */
  uint32_t edges; /* where its edges begin; the next node's is where they end */
  uint8_t type;
};

struct edge {
  uint32_t to;
  uint32_t name; /* a string, or for EDGE_ELEMENT and EDGE_HIDDEN a number */
  uint8_t type;
};

struct text {
  const char *at; /* inside the file: JSON, escapes and all */
  uint32_t length;
};

struct snapshot {
  const char *path;
  char *file; /* mapped, or read */
  size_t file_size;
  bool mapped;
  struct node *nodes; /* node_count + 1: the last one ends the edges */
  uint32_t node_count;
  struct edge *edges;
  uint32_t edge_count;
  struct text *strings;
  uint32_t string_count;
};

/*
 * Reads a file; `-` is stdin. On failure returns false with a sentence that
 * names file and place in `message`, and nothing is left behind.
 * Ownership: gives a snapshot, free with snapshot_free().
 */
bool snapshot_read(struct snapshot *snapshot, const char *path, char *message,
                   size_t message_size);
/* The same of bytes, which are the caller's and must outlive it. */
bool snapshot_parse(struct snapshot *snapshot, const char *path, char *bytes,
                    size_t size, char *message, size_t message_size);
void snapshot_free(struct snapshot *snapshot);

/* Writes the text, decoded and cut to `size`, with control characters as dots;
 * gives `into`. */
const char *snapshot_text(const struct snapshot *snapshot, uint32_t string,
                          char *into, size_t size);

#endif

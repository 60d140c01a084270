/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c: the reader.
 *
 * The file is walked twice: first to find its parts and how long they are, then
 * to fill arrays of just that size. So memory is bounded by the file's size,
 * whatever the file claims of itself.
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan.h"

const char *const node_type_names[NODE_TYPES] = {"hidden",
                                                 "array",
                                                 "string",
                                                 "object",
                                                 "code",
                                                 "closure",
                                                 "regexp",
                                                 "number",
                                                 "native",
                                                 "synthetic",
                                                 "concatenated string",
                                                 "sliced string",
                                                 "symbol",
                                                 "bigint",
                                                 "object shape",
                                                 "other"};

static const char *const edge_type_names[EDGE_TYPES] = {
    "context", "element",  "property", "internal",
    "hidden",  "shortcut", "weak",     "other"};

enum node_field {
  FIELD_TYPE,
  FIELD_NAME,
  FIELD_ID,
  FIELD_SIZE,
  FIELD_EDGES,
  NODE_FIELDS
};
enum edge_field { FIELD_KIND, FIELD_LABEL, FIELD_TO, EDGE_FIELDS };

enum { FIELDS_MOST = 32, TYPES_MOST = 256 };

/* What the file's meta says: where each field stands, and which number means
 * which type. */
struct layout {
  size_t node_width, edge_width;
  int node_at[NODE_FIELDS], edge_at[EDGE_FIELDS];
  uint8_t node_types[TYPES_MOST], edge_types[TYPES_MOST];
};

/* A part of the file, found but not read. */
struct part {
  const char *at; /* behind the [ */
  uint64_t count; /* values */
};

/* -- the layout ------------------------------------------------------------ */

static bool fields(const json_t *meta, const char *key, size_t *width,
                   const char *const *names, int count, int *at) {
  const json_t *list = json_object_get(meta, key);
  *width = json_array_size(list);
  if (!*width || *width > FIELDS_MOST) return false;
  for (int n = 0; n < count; n++) {
    at[n] = -1;
    for (size_t k = 0; k < *width; k++) {
      const char *name = json_string_value(json_array_get(list, k));
      if (name && strcmp(name, names[n]) == 0) at[n] = (int)k;
    }
    if (at[n] < 0) return false;
  }
  return true;
}

/* The list of type names stands where the field `type` is. */
static void types(const json_t *meta, const char *key, int at,
                  const char *const *names, uint8_t other, uint8_t *found) {
  const json_t *list = json_array_get(json_object_get(meta, key), (size_t)at);
  memset(found, other, TYPES_MOST);
  for (size_t k = 0; k < json_array_size(list) && k < TYPES_MOST; k++) {
    const char *name = json_string_value(json_array_get(list, k));
    for (uint8_t n = 0; name && n < other; n++)
      if (strcmp(name, names[n]) == 0) found[k] = n;
  }
}

static bool layout_read(struct layout *layout, const char *text,
                        size_t length) {
  static const char *const node_names[] = {"type", "name", "id", "self_size",
                                           "edge_count"};
  static const char *const edge_names[] = {"type", "name_or_index", "to_node"};
  json_t *whole = json_loadb(text, length, 0, NULL);
  const json_t *meta = json_object_get(whole, "meta");
  bool good = fields(meta, "node_fields", &layout->node_width, node_names,
                     NODE_FIELDS, layout->node_at) &&
              fields(meta, "edge_fields", &layout->edge_width, edge_names,
                     EDGE_FIELDS, layout->edge_at);
  if (good) {
    types(meta, "node_types", layout->node_at[FIELD_TYPE], node_type_names,
          NODE_OTHER, layout->node_types);
    types(meta, "edge_types", layout->edge_at[FIELD_KIND], edge_type_names,
          EDGE_OTHER, layout->edge_types);
  }
  json_decref(whole);
  return good;
}

/* -- the parts ------------------------------------------------------------- */

static bool find_numbers(struct scan *scan, struct part *part) {
  if (!scan_take(scan, '[')) return false;
  part->at = scan->at;
  part->count = 0;
  bool more = scan_peek(scan) != ']';
  if (!more) scan->at++;
  for (uint64_t number; more; part->count++)
    if (!scan_number(scan, &number) || !scan_more(scan, ']', &more))
      return false;
  return true;
}

static bool find_strings(struct scan *scan, struct part *part) {
  if (!scan_take(scan, '[')) return false;
  part->at = scan->at;
  part->count = 0;
  bool more = scan_peek(scan) != ']';
  if (!more) scan->at++;
  const char *text;
  size_t length;
  for (; more; part->count++)
    if (!scan_string(scan, &text, &length) || !scan_more(scan, ']', &more))
      return false;
  return true;
}

struct parts {
  const char *head; /* of `snapshot` */
  size_t head_length;
  struct part nodes, edges, strings;
};

static bool is(const char *key, size_t length, const char *wanted) {
  return strlen(wanted) == length && memcmp(key, wanted, length) == 0;
}

static bool find_parts(struct scan *scan, struct parts *parts) {
  const char *key;
  size_t length;
  if (!scan_take(scan, '{')) return false;
  bool more = scan_peek(scan) != '}';
  if (!more) return scan_fail(scan, "the object is empty");
  while (more) {
    if (!scan_string(scan, &key, &length) || !scan_take(scan, ':'))
      return false;
    bool good;
    if (is(key, length, "snapshot")) {
      scan_peek(scan);
      parts->head = scan->at;
      good = scan_skip(scan);
      parts->head_length = (size_t)(scan->at - parts->head);
    } else if (is(key, length, "nodes")) {
      /* JavaScriptCore's own format has nodes as well, and no meta. */
      good = find_numbers(scan, &parts->nodes);
    } else if (is(key, length, "edges")) {
      good = find_numbers(scan, &parts->edges);
    } else if (is(key, length, "strings")) {
      good = find_strings(scan, &parts->strings);
    } else {
      good = scan_skip(scan);
    }
    if (!good || !scan_more(scan, '}', &more)) return false;
  }
  if (scan_peek(scan)) return scan_fail(scan, "there is text behind the end");
  if (!parts->head || !parts->nodes.at || !parts->edges.at ||
      !parts->strings.at)
    return scan_fail(scan, "this is no heap snapshot in V8's format: "
                           "`snapshot`, `nodes`, `edges` and `strings` are "
                           "needed");
  return true;
}

/* -- filling --------------------------------------------------------------- */

/* The numbers of a part have been looked at: none is missing. */
static uint64_t next_number(const char **at) {
  while (**at < '0' || **at > '9')
    ++*at;
  uint64_t number = 0;
  for (; **at >= '0' && **at <= '9'; ++*at)
    number = number * 10 + (uint64_t)(**at - '0');
  return number;
}

static const char *fill_nodes(struct snapshot *snapshot,
                              const struct layout *layout,
                              const struct part *part) {
  const char *at = part->at;
  uint64_t values[FIELDS_MOST], edges = 0;
  for (uint32_t n = 0; n < snapshot->node_count; n++) {
    for (size_t k = 0; k < layout->node_width; k++)
      values[k] = next_number(&at);
    uint64_t type = values[layout->node_at[FIELD_TYPE]];
    uint64_t name = values[layout->node_at[FIELD_NAME]];
    if (type >= TYPES_MOST) return "a node's type does not exist";
    if (name >= snapshot->string_count) return "a node's name does not exist";
    snapshot->nodes[n] =
        (struct node){.id = values[layout->node_at[FIELD_ID]],
                      .size = values[layout->node_at[FIELD_SIZE]],
                      .name = (uint32_t)name,
                      .edges = (uint32_t)edges,
                      .type = layout->node_types[type]};
    uint64_t own = values[layout->node_at[FIELD_EDGES]];
    if (own > snapshot->edge_count || (edges += own) > snapshot->edge_count)
      return "the nodes have more edges than there are";
  }
  if (edges != snapshot->edge_count)
    return "the nodes have fewer edges than there are";
  snapshot->nodes[snapshot->node_count] =
      (struct node){.edges = snapshot->edge_count};
  return NULL;
}

static const char *fill_edges(struct snapshot *snapshot,
                              const struct layout *layout,
                              const struct part *part) {
  const char *at = part->at;
  uint64_t values[FIELDS_MOST];
  for (uint32_t n = 0; n < snapshot->edge_count; n++) {
    for (size_t k = 0; k < layout->edge_width; k++)
      values[k] = next_number(&at);
    uint64_t type = values[layout->edge_at[FIELD_KIND]];
    uint64_t name = values[layout->edge_at[FIELD_LABEL]];
    uint64_t to = values[layout->edge_at[FIELD_TO]];
    if (type >= TYPES_MOST) return "an edge's type does not exist";
    uint8_t kind = layout->edge_types[type];
    bool number = kind == EDGE_ELEMENT || kind == EDGE_HIDDEN;
    if (!number && name >= snapshot->string_count)
      return "an edge's name does not exist";
    if (to % layout->node_width ||
        to / layout->node_width >= snapshot->node_count)
      return "an edge leads to no node";
    snapshot->edges[n] =
        (struct edge){.to = (uint32_t)(to / layout->node_width),
                      .name = (uint32_t)name,
                      .type = kind};
  }
  return NULL;
}

static void fill_strings(struct snapshot *snapshot, const struct part *part,
                         const char *end) {
  struct scan scan = {part->at, part->at, end, NULL};
  bool more;
  for (uint32_t n = 0; n < snapshot->string_count; n++) {
    size_t length = 0;
    scan_string(&scan, &snapshot->strings[n].at, &length);
    snapshot->strings[n].length =
        length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
    scan_more(&scan, ']', &more);
  }
}

static bool allocate(struct snapshot *snapshot) {
  snapshot->nodes =
      calloc((size_t)snapshot->node_count + 1, sizeof *snapshot->nodes);
  snapshot->edges =
      calloc((size_t)snapshot->edge_count + 1, sizeof *snapshot->edges);
  snapshot->strings =
      calloc((size_t)snapshot->string_count + 1, sizeof *snapshot->strings);
  return snapshot->nodes && snapshot->edges && snapshot->strings;
}

static const char *fill(struct snapshot *snapshot, const struct parts *parts) {
  struct layout layout;
  if (!layout_read(&layout, parts->head, parts->head_length))
    return "`snapshot.meta` does not say what nodes and edges are made of";
  if (parts->nodes.count % layout.node_width)
    return "the last node is not whole";
  if (parts->edges.count % layout.edge_width)
    return "the last edge is not whole";
  uint64_t nodes = parts->nodes.count / layout.node_width;
  uint64_t edges = parts->edges.count / layout.edge_width;
  if (!nodes) return "there is no node, not even the root";
  if (nodes >= UINT32_MAX || edges >= UINT32_MAX ||
      parts->strings.count >= UINT32_MAX)
    return "it has more than four thousand million parts";
  snapshot->node_count = (uint32_t)nodes;
  snapshot->edge_count = (uint32_t)edges;
  snapshot->string_count = (uint32_t)parts->strings.count;
  if (!allocate(snapshot)) return "there is not enough memory for it";
  const char *wrong = fill_nodes(snapshot, &layout, &parts->nodes);
  if (!wrong) wrong = fill_edges(snapshot, &layout, &parts->edges);
  if (!wrong)
    fill_strings(snapshot, &parts->strings,
                 snapshot->file + snapshot->file_size);
  return wrong;
}

bool snapshot_parse(struct snapshot *snapshot, const char *path, char *bytes,
                    size_t size, char *message, size_t message_size) {
  *snapshot = (struct snapshot){.path = path, .file = bytes, .file_size = size};
  struct scan scan = {bytes, bytes, bytes + size, NULL};
  struct parts parts = {0};
  const char *wrong;
  if (find_parts(&scan, &parts)) {
    wrong = fill(snapshot, &parts);
    if (!wrong) return true;
    snprintf(message, message_size, "%s: %s", path, wrong);
  } else {
    snprintf(message, message_size, "%s: at byte %zu of %zu: %s", path,
             (size_t)(scan.at - scan.begin), size, scan.wrong);
  }
  snapshot->file = NULL; /* the caller's */
  snapshot_free(snapshot);
  return false;
}

/* -- files ----------------------------------------------------------------- */

/* What cannot be mapped, a pipe say, is read whole. */
static char *read_all(int fd, size_t *size) {
  size_t capacity = 1 << 20, length = 0;
  char *bytes = malloc(capacity);
  while (bytes) {
    ssize_t got = read(fd, bytes + length, capacity - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    if (got == 0) {
      *size = length;
      return bytes;
    }
    length += (size_t)got;
    if (length < capacity) continue;
    char *more = realloc(bytes, capacity *= 2);
    if (!more) break;
    bytes = more;
  }
  free(bytes);
  return NULL;
}

bool snapshot_read(struct snapshot *snapshot, const char *path, char *message,
                   size_t message_size) {
  bool standard = strcmp(path, "-") == 0;
  errno = 0;
  int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  char *bytes = NULL;
  size_t size = 0;
  bool mapped = false;
  if (fd >= 0 && fstat(fd, &status) == 0) {
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
      size = (size_t)status.st_size;
      bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
      mapped = bytes != MAP_FAILED;
      if (!mapped) bytes = NULL;
    }
    if (!bytes) bytes = read_all(fd, &size);
  }
  int err = errno;
  if (!standard && fd >= 0) close(fd);
  if (!bytes) {
    snprintf(message, message_size, "%s: cannot be read: %s", path,
             strerror(err ? err : ENOMEM));
    return false;
  }
  bool good =
      snapshot_parse(snapshot, path, bytes, size, message, message_size);
  if (good)
    snapshot->mapped = mapped;
  else if (mapped)
    munmap(bytes, size);
  else
    free(bytes);
  return good;
}

void snapshot_free(struct snapshot *snapshot) {
  free(snapshot->nodes);
  free(snapshot->edges);
  free(snapshot->strings);
  if (snapshot->mapped)
    munmap(snapshot->file, snapshot->file_size);
  else
    free(snapshot->file);
  *snapshot = (struct snapshot){0};
}

/* -- texts ----------------------------------------------------------------- */

static size_t put_utf8(char *into, uint32_t code) {
  if (code < 0x80) {
    into[0] = (char)(code < 0x20 || code == 0x7f ? '.' : code);
    return 1;
  }
  size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
  into[0] = (char)(lead[more] | code >> (6 * more));
  for (size_t n = 1; n <= more; n++)
    into[n] = (char)(0x80 | (code >> (6 * (more - n)) & 0x3f));
  return more + 1;
}

static uint32_t hex4(const char *at) {
  uint32_t code = 0;
  for (int n = 0; n < 4; n++) {
    char c = at[n];
    uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 0;
    code = code << 4 | digit;
  }
  return code;
}

const char *snapshot_text(const struct snapshot *snapshot, uint32_t string,
                          char *into, size_t size) {
  struct text text = snapshot->strings[string];
  const char *at = text.at, *end = at + text.length;
  size_t used = 0;
  while (at < end && used + 5 < size) {
    if (*at != '\\' || end - at < 2) {
      unsigned char c = (unsigned char)*at++;
      into[used++] = (char)(c < 0x20 || c == 0x7f ? '.' : c);
      continue;
    }
    char kind = at[1];
    at += 2;
    if (kind != 'u') {
      bool control = kind && strchr("bfnrt", kind);
      into[used++] = control || (unsigned char)kind < 0x20 ? '.' : kind;
    } else if (end - at >= 4) {
      uint32_t code = hex4(at);
      at += 4;
      bool high = code >= 0xd800 && code < 0xdc00;
      if (high && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex4(at + 2) & 0x3ff);
        at += 6;
      } else if (code >= 0xd800 && code < 0xe000) {
        code = 0xfffd; /* half of a pair */
      }
      used += put_utf8(into + used, code);
    }
  }
  /* A text that is cut is cut between characters. */
  while (at < end && used && ((unsigned char)into[used - 1] & 0xc0) == 0x80)
    used--;
  if (at < end && used && (unsigned char)into[used - 1] >= 0xc0) used--;
  into[used] = '\0';
  return into;
}

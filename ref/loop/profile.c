/* SPDX-License-Identifier: MIT */
/*
 * profile.c: a recording as .cpuprofile JSON.
 *
 * Invariant: the tree is walked once for each list that comes from it, so the
 * memory needed is the tree's, however many samples there are, and the lists
 * are of one length.
 */
#include "plumb/profile.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profile_text.h"
#include "profile_tree.h"

static const char *const kind_names[] = {
    [PL_OBJECT_TIMER] = "timer",         [PL_OBJECT_IDLE] = "idle",
    [PL_OBJECT_PREPARE] = "prepare",     [PL_OBJECT_CHECK] = "check",
    [PL_OBJECT_ASYNC] = "async",         [PL_OBJECT_POLL] = "poll",
    [PL_OBJECT_SIGNAL] = "signal",       [PL_OBJECT_TIMEOUT] = "timeout",
    [PL_OBJECT_IMMEDIATE] = "immediate", [PL_OBJECT_WORK] = "work",
    [PL_OBJECT_STAT] = "stat",           [PL_OBJECT_FILE_READ] = "file read",
    [PL_OBJECT_STREAM] = "stream",       [PL_OBJECT_WRITE] = "write",
    [PL_RECORD_DEFERRED] = "deferred",   [PL_RECORD_CLOSE] = "close",
    [PL_RECORD_TICK] = "tick",           [PL_RECORD_MICROTASK] = "microtask"};

static const char *kind_name(unsigned kind) {
  bool known = kind < sizeof kind_names / sizeof *kind_names;
  return known && kind_names[kind] != NULL ? kind_names[kind] : "callback";
}

static const char *const phase_names[] = {
    [PL_PHASE_MAIN] = "main script",      [PL_PHASE_PENDING] = "pending phase",
    [PL_PHASE_IDLE] = "idle phase",       [PL_PHASE_PREPARE] = "prepare phase",
    [PL_PHASE_POLL] = "poll phase",       [PL_PHASE_CHECK] = "check phase",
    [PL_PHASE_CLOSING] = "closing phase", [PL_PHASE_TIMERS] = "timers phase"};

static const char *const fixed_names[] = {[PL__NODE_ROOT] = "(root)",
                                          [PL__NODE_PROGRAM] = "(program)",
                                          [PL__NODE_IDLE] = "(idle)",
                                          [PL__NODE_LOOP] = "(event loop)"};

/* ---------------------------------------------------------------------- */
/* Nodes                                                                  */

static const char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

/* A function without a label: its symbol, or where it is in which file. */
static void write_address(struct pl__text *text, const struct pl__node *node) {
  char name[256];
  uintptr_t address = (uintptr_t)node->fn;
  Dl_info info;
  if (dladdr((void *)address, &info) == 0 || info.dli_fname == NULL)
    snprintf(name, sizeof name, "%s at 0x%jx", kind_name(node->kind),
             (uintmax_t)address);
  else if (info.dli_sname != NULL && info.dli_saddr == (void *)address)
    snprintf(name, sizeof name, "%s", info.dli_sname);
  else
    snprintf(name, sizeof name, "%s at %s+0x%jx", kind_name(node->kind),
             last_part(info.dli_fname),
             (uintmax_t)(address - (uintptr_t)info.dli_fbase));
  pl__text_string(text, name);
}

/* The label of an object, or else of its function, or NULL. */
static const struct pl__label *label_of(const struct pl_recorder *recorder,
                                        const struct pl__node *node) {
  if (node->label != 0) return &recorder->labels[node->label];
  for (size_t i = 1; i < recorder->label_count; i++)
    if (recorder->labels[i].fn == node->fn) return &recorder->labels[i];
  return NULL;
}

static void write_frame(struct pl__text *text, const struct pl__tree *tree,
                        const struct pl__node *node) {
  static const struct pl__label nowhere = {.url = ""};
  const struct pl__label *label = NULL;
  pl__text_raw(text, "{\"functionName\":");
  if (node->kind == PL__KIND_FIXED) {
    pl__text_string(text, fixed_names[node->label]);
  } else if (node->kind == PL__KIND_PHASE) {
    pl__text_string(text, phase_names[node->label]);
  } else {
    label = label_of(tree->recorder, node);
    if (label == NULL)
      write_address(text, node);
    else
      pl__text_string(text, label->name);
  }
  if (label == NULL) label = &nowhere;
  pl__text_raw(text, ",\"scriptId\":\"0\",\"url\":");
  pl__text_string(text, label->url);
  pl__text_raw(text, ",\"lineNumber\":");
  pl__text_number(text, label->line > 0 ? label->line - 1 : -1);
  pl__text_raw(text, ",\"columnNumber\":");
  pl__text_number(text, label->line > 0 ? 0 : -1);
  pl__text_raw(text, "}");
}

static void write_children(struct pl__text *text, const struct pl__tree *tree,
                           const struct pl__node *node) {
  if (node->first_child == PL__NODE_NONE) return;
  pl__text_raw(text, ",\"children\":[");
  for (uint32_t child = node->first_child; child != PL__NODE_NONE;
       child = tree->nodes[child].next) {
    if (child != node->first_child) pl__text_raw(text, ",");
    pl__text_number(text, child);
  }
  pl__text_raw(text, "]");
}

static void write_nodes(struct pl__text *text, const struct pl__tree *tree) {
  pl__text_raw(text, "{\"nodes\":[");
  for (uint32_t i = PL__NODE_ROOT; i < tree->count; i++) {
    const struct pl__node *node = &tree->nodes[i];
    pl__text_raw(text, i == PL__NODE_ROOT ? "{\"id\":" : ",{\"id\":");
    pl__text_number(text, i);
    pl__text_raw(text, ",\"callFrame\":");
    write_frame(text, tree, node);
    pl__text_raw(text, ",\"hitCount\":");
    pl__text_number(text, (int64_t)node->hits);
    write_children(text, tree, node);
    pl__text_raw(text, "}");
  }
  pl__text_raw(text, "]");
}

/* ---------------------------------------------------------------------- */
/* Samples                                                                */

static void count_hit(void *self, uint32_t node, uint64_t time_us) {
  (void)time_us;
  struct pl__tree *tree = self;
  tree->nodes[node].hits++;
}

struct list {
  struct pl__text *text;
  uint64_t last_us;
  bool begun;
};

static void separate(struct list *list) {
  if (list->begun) pl__text_raw(list->text, ",");
  list->begun = true;
}

static void write_sample(void *self, uint32_t node, uint64_t time_us) {
  (void)time_us;
  struct list *list = self;
  separate(list);
  pl__text_number(list->text, node);
}

static void write_delta(void *self, uint32_t node, uint64_t time_us) {
  (void)node;
  struct list *list = self;
  separate(list);
  pl__text_number(list->text, (int64_t)(time_us - list->last_us));
  list->last_us = time_us;
}

static void write_samples(struct pl__text *text, const struct pl__tree *tree) {
  struct list samples = {.text = text};
  struct list deltas = {.text = text, .last_us = tree->start_us};
  pl__text_raw(text, ",\"startTime\":");
  pl__text_number(text, (int64_t)tree->start_us);
  pl__text_raw(text, ",\"endTime\":");
  pl__text_number(text, (int64_t)tree->end_us);
  pl__text_raw(text, ",\"samples\":[");
  pl__tree_walk(tree, write_sample, &samples);
  pl__text_raw(text, "],\"timeDeltas\":[");
  pl__tree_walk(tree, write_delta, &deltas);
  pl__text_raw(text, "]");
}

/* ---------------------------------------------------------------------- */
/* What only Plumbline reads                                              */

static void write_kinds(struct pl__text *text, const struct pl__tree *tree) {
  struct list list = {.text = text};
  pl__text_raw(text, ",\"kinds\":{");
  for (uint32_t i = PL__NODE_FREE; i < tree->count; i++) {
    if (tree->nodes[i].kind == PL__KIND_PHASE) continue;
    separate(&list);
    pl__text_raw(text, "\"");
    pl__text_number(text, i);
    pl__text_raw(text, "\":");
    pl__text_string(text, kind_name(tree->nodes[i].kind));
  }
  pl__text_raw(text, "}");
}

static void write_timers(struct pl__text *text, const struct pl__tree *tree) {
  struct list list = {.text = text};
  pl__text_raw(text, ",\"timers\":[");
  for (size_t i = 0; i < tree->kept; i++) {
    const struct pl_record *record = pl_recorder_at(tree->recorder, i);
    if (record->late_ns == PL_RECORD_NOT_DUE) continue;
    separate(&list);
    pl__text_raw(text, "[");
    pl__text_number(text, tree->node_of[i]);
    pl__text_raw(text, ",");
    pl__text_number(text, (int64_t)(record->start_ns / 1000));
    pl__text_raw(text, ",");
    pl__text_number(text, (int64_t)(record->late_ns / 1000));
    pl__text_raw(text, "]");
  }
  pl__text_raw(text, "]");
}

static void write_plumb(struct pl__text *text, const struct pl__tree *tree) {
  pl__text_raw(text, ",\"plumb\":{\"format\":1,\"recorded\":");
  pl__text_number(text, (int64_t)pl_recorder_count(tree->recorder));
  pl__text_raw(text, ",\"dropped\":");
  pl__text_number(text, (int64_t)pl_recorder_dropped(tree->recorder));
  write_kinds(text, tree);
  write_timers(text, tree);
  pl__text_raw(text, "}}\n");
}

/* ---------------------------------------------------------------------- */
/* Whole files                                                            */

int pl_profile_write(const struct pl_recorder *recorder,
                     const struct pl_sink *sink) {
  struct pl__tree tree;
  int error = pl__tree_make(&tree, recorder);
  if (error != 0) return error;
  pl__tree_walk(&tree, count_hit, &tree);
  struct pl__text text = {.sink = sink};
  write_nodes(&text, &tree);
  write_samples(&text, &tree);
  write_plumb(&text, &tree);
  pl__tree_free(&tree);
  return pl__text_end(&text);
}

static int write_to_file(void *self, const char *bytes, size_t size) {
  const int *fd = self;
  while (size > 0) {
    ssize_t written = write(*fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    bytes += written;
    size -= (size_t)written;
  }
  return 0;
}

int pl_profile_save(const struct pl_recorder *recorder, const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return -errno;
  struct stat about; /* of a device nothing is removed */
  bool is_file = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  int error = pl_profile_write(
      recorder, &(struct pl_sink){.write = write_to_file, .self = &fd});
  if (close(fd) != 0 && error == 0 && errno != EINTR) error = -errno;
  if (error != 0 && is_file) unlink(path);
  return error;
}

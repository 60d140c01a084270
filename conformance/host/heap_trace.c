/* SPDX-License-Identifier: MIT */
/*
 * heap_trace.c: the lines that a heap of its own tells of its collections.
 *
 * Invariant: what a part looks like is said here and in the JavaScript adapter
 * alike, and in no provider.
 */
#include "heap.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 256 };

struct lines {
  char *line[MOST];
  size_t count;
  bool lost; /* there were more, or no memory for one */
};

static void keep(void *self, const char *text) {
  struct lines *lines = self;
  char *copy = lines->count < MOST ? strdup(text) : NULL;
  if (copy)
    lines->line[lines->count++] = copy;
  else
    lines->lost = true;
}

/* Makes garbage until the young generation was collected some times, with a
 * little that lives, and asks for a full collection. */
static int make_garbage(const struct pl_heap_table *table, void *heap) {
  const struct pl_shape shape = {.name = "Traced", .slots = 4};
  void *kept = NULL, *root;
  int err = 0;
  for (size_t i = 0; i < 100000 && err == 0; i++) {
    err = table->alloc(heap, &shape, &root);
    if (err != 0) break;
    if (i % 1000 == 0) {
      table->link(heap, root, 0, kept);
      if (kept) table->drop(heap, kept);
      kept = root;
    } else {
      table->drop(heap, root);
    }
  }
  table->collect(heap, PL_COLLECT_MAJOR);
  if (kept) table->drop(heap, kept);
  return err;
}

static int trace(const struct pl_heap_table *table, struct lines *lines) {
  const struct pl_heap_options options = {.size = sizeof options};
  void *heap;
  int err = table->create(&options, &heap);
  if (err != 0) return err;
  err = table->trace(heap, keep, lines);
  if (err == 0) err = make_garbage(table, heap);
  table->destroy(heap);
  return err != 0 ? err : lines->lost ? -ENOMEM : 0;
}

/* -- what is shown --------------------------------------------------------- */

static const struct part {
  const char *name, *pattern;
} parts[] = {
    {"has-sizes", "[0-9]+\\.[0-9] \\([0-9]+\\.[0-9]\\) -> [0-9]+\\.[0-9] "
                  "\\([0-9]+\\.[0-9]\\) MB"},
    {"has-pause", ", [0-9]+\\.[0-9]+ / [0-9]+\\.[0-9]+ ms"},
    {"has-reason", " ms .*[a-z]{4}$"},
    {"has-mutator-share", "average mu = [0-9.]+, current mu = [0-9.]+"},
    {"has-pooled", "pooled: "},
};

/* What follows the process and the time: NULL for another sort of line. */
static const char *told_by(const char *line) {
  const char *at = line[0] == '[' ? strstr(line, " ms: ") : NULL;
  return at && line[1] >= '0' && line[1] <= '9' ? at + 5 : NULL;
}

static bool every_line(const struct lines *lines, const char *pattern) {
  regex_t form;
  bool right = lines->count > 0;
  if (regcomp(&form, pattern, REG_EXTENDED | REG_NOSUB) != 0) return false;
  for (size_t i = 0; i < lines->count && right; i++) {
    const char *told = told_by(lines->line[i]);
    right = told && regexec(&form, told, 0, NULL, 0) == 0;
  }
  regfree(&form);
  return right;
}

/* The first words, each once, in the order in which they come first. */
static void kinds_of(const struct lines *lines, char *into, size_t size) {
  size_t used = 0;
  into[0] = '\0';
  for (size_t i = 0; i < lines->count; i++) {
    const char *told = told_by(lines->line[i]);
    size_t length = told ? strcspn(told, " ") : 0;
    bool known = false;
    for (const char *at = into; *at && !known;) {
      size_t word = strcspn(at, " ");
      known = word == length && memcmp(at, told, length) == 0;
      at += word + (at[word] == ' ');
    }
    if (known || length == 0 || used + length + 2 > size) continue;
    if (used > 0) into[used++] = ' ';
    memcpy(into + used, told, length);
    into[used += length] = '\0';
  }
}

static void op_lines(struct heap_run *run, json_t *args) {
  const char *show = heap_text(args, "show", "");
  struct lines lines = {0};
  char words[128];
  int err = trace(run->table, &lines);
  if (err != 0) {
    heap_fail(run, "heap.trace-lines: %s", strerror(-err));
  } else if (strcmp(show, "kinds") == 0) {
    kinds_of(&lines, words, sizeof words);
    heap_tell_text(run, args, words);
  } else {
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
      if (strcmp(parts[i].name, show) == 0)
        heap_tell_bool(run, args, every_line(&lines, parts[i].pattern));
  }
  while (lines.count > 0)
    free(lines.line[--lines.count]);
}

const struct heap_operation heap_trace_operations[] = {
    {"heap.trace-lines", HEAP_TRACE,
     "show:kinds|has-sizes|has-pause|has-reason|has-mutator-share|has-pooled "
     "log:s",
     op_lines},
    {0}};

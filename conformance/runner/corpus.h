/* SPDX-License-Identifier: MIT */
/*
 * The corpus: the compiled cases, one JSON object per line.
 *
 * Invariant: a loaded case is complete and its pattern compiles; a corpus
 * that has one line wrong, one line too few or one id twice is refused whole.
 */
#ifndef PL_RUNNER_CORPUS_H
#define PL_RUNNER_CORPUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pl_level { PL_MUST, PL_SHOULD, PL_MAY, PL_OBSERVED };

/* Texts and JSON are borrowed from `object`; NULL where the line has none. */
struct pl_case {
  json_t *object;
  const char *id, *rule, *area, *level_name;
  enum pl_level level;
  const json_t *needs, *without, *traits; /* lists of names */
  const json_t *expect, *by_trait;
  const json_t *evidence; /* counter -> {"min": n} */
  const json_t *disputed; /* {"link", "reason"} */
  const json_t *env, *files;
  char *program;                   /* JSON text, with the pool's size in it */
  char *files_text;                /* JSON text, NULL without files */
  unsigned runs, timeout_ms, pool; /* pool 0: not given */
  bool isolated;
  bool roles; /* the program is of several processes */
  uint64_t hash;
  const char *file; /* the case's source, for messages */
  int line;
};

struct pl_corpus {
  struct pl_case *at;
  size_t count;
  char *suite; /* version */
};

/* Reads a corpus. Returns 0, or -1 with `file:line: what` in `*error` (free
 * with free()). */
int pl_corpus_load(struct pl_corpus *corpus, const char *path, char **error);

/* Reads one case. Takes `object` on success. Returns 0, or -1 with what is
 * wrong in `*error`. */
int pl_case_read(struct pl_case *item, json_t *object, char **error);
void pl_case_free(struct pl_case *item);
void pl_corpus_free(struct pl_corpus *corpus);

#endif

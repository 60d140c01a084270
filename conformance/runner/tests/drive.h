/* SPDX-License-Identifier: MIT */
/*
 * Runs the real conform on a corpus that a test writes, and reads what it
 * wrote.
 *
 * Invariant: after drive() nothing that conform started is alive; if it is,
 * the test fails, and it is killed.
 */
#ifndef PL_TEST_DRIVE_H
#define PL_TEST_DRIVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct drive_case {
  const char *id;      /* default: loop/x */
  const char *program; /* JSON of main */
  const char *expect;  /* JSON of the pattern */
  const char *more;    /* further members, with a comma in front, or NULL */
};

struct drive {
  int status;              /* exit status; 1000 + signal */
  json_t *header, *footer; /* NULL where there is none */
  json_t *cases;           /* array */
  char *out, *err;         /* what it printed */
  double ms;
};

/* A group's setup and teardown: makes a directory for this test and becomes its
 * processes' reaper. */
int drive_begin(void **state);
int drive_end(void **state);

/* Gives a path in that directory; free with free(). */
char *drive_path(const char *name);
void drive_write(const char *name, const char *text);

/* Writes corpus.jsonl. */
void drive_corpus(const struct drive_case *cases, size_t count);

/* Runs conform with words separated by single spaces ('...' quotes). `@` stands
 * for the directory's path. Free with drive_free(). */
struct drive drive(const char *words);
/* The same; conform is sent `number` as soon as bad-adapter hangs. */
struct drive drive_interrupted(const char *words, int number);
void drive_free(struct drive *result);

/* Returns the results' line of a case, which must be there. */
const json_t *drive_case_of(const struct drive *result, const char *id);
const char *drive_verdict(const struct drive *result, const char *id);
const char *drive_text(const json_t *line, const char *key);

#endif

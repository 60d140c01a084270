/* SPDX-License-Identifier: MIT */
/*
 * app.h: what the files of plumb-resolve share.
 *
 * Invariant: what is printed on stdout is JSON, one object per line, or the
 * explanation or graph that was asked for; everything else goes to stderr.
 */
#ifndef PLUMB_RESOLVE_APP_H
#define PLUMB_RESOLVE_APP_H

#include <stdio.h>

#include "plumb/modules.h"

enum { PL__LIST_MOST = 64 };

struct options {
  const char *from;  /* absolute */
  const char *graph; /* the entry, or NULL */
  const char *conditions[PL__LIST_MOST + 1];
  const char *paths[PL__LIST_MOST + 1];
  int condition_count, path_count;
  int node;
  unsigned list_after;
  bool import, explain, batch, stats, preserve, dot, plain, scan;
  int repeat;                         /* for timing: 0, or how often */
  char *owned[PL__LIST_MOST * 2 + 2]; /* to be freed */
  int owned_count;
  char **specifiers; /* those of the command line */
  int specifier_count;
};

/* Reads the command line and the environment (NODE_PATH, HOME). 0; 1: help was
 * printed; 2: usage. Free with options_free(). */
int options_read(struct options *options, int argc, char **argv);
void options_free(struct options *options);

/* Prints a string as JSON; bytes that are no UTF-8 become U+FFFD. */
void print_string(FILE *out, const char *bytes, size_t length);
/* Prints an answer as one object, without the line's end. */
void print_answer(FILE *out, struct pl_resolver *resolver,
                  const struct pl_resolution *resolution, const char *from,
                  bool import, bool plain);

#endif

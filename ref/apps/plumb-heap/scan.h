/* SPDX-License-Identifier: MIT */
/*
 * scan.h: walks over JSON text without building anything.
 *
 * Invariant: `at` never passes `end`; after the first complaint every step
 * fails.
 */
#ifndef HEAP_SCAN_H
#define HEAP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
  const char *begin, *at, *end;
  const char *wrong; /* what is wrong at `at`, or NULL */
};

bool scan_fail(struct scan *scan, const char *wrong);
/* The next character that is no space, or 0 at the end. */
char scan_peek(struct scan *scan);
/* Takes `wanted`. */
bool scan_take(struct scan *scan, char wanted);
/* Takes a string; gives what is between its quotes. */
bool scan_string(struct scan *scan, const char **at, size_t *length);
/* Takes a number from 0 to 2^64-1. */
bool scan_number(struct scan *scan, uint64_t *number);
/* Takes a value of any kind, however deep. */
bool scan_skip(struct scan *scan);
/* After a value within [ or {: true when another one follows. */
bool scan_more(struct scan *scan, char close, bool *more);

#endif

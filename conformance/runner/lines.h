/* SPDX-License-Identifier: MIT */
/*
 * Line framing: bytes come in as they come, lines go out whole.
 *
 * Invariant: no line handed out is longer than PL_LINE_MAX; once a longer one
 * was seen, the buffer stays `too_long` and hands out nothing more.
 */
#ifndef PL_RUNNER_LINES_H
#define PL_RUNNER_LINES_H

#include <stdbool.h>
#include <stddef.h>

#define PL_LINE_MAX ((size_t)16 << 20)

struct pl_lines {
  char *bytes;
  size_t start;   /* of the first byte not yet handed out */
  size_t end;     /* of what has come in */
  size_t scanned; /* no newline between start and here */
  size_t room;
  bool too_long;
};

/* Gives room for at least one byte at the end; borrows until the next call.
 * `*size` is how much. Follow with pl_lines_filled(). */
char *pl_lines_room(struct pl_lines *lines, size_t *size);
void pl_lines_filled(struct pl_lines *lines, size_t count);

/* Hands out the next whole line without its newline (and without a carriage
 * return before it), or NULL. Terminated, though it may hold NULs; borrows
 * until the next call. */
char *pl_lines_next(struct pl_lines *lines, size_t *length);

/* Says whether a whole line waits. */
bool pl_lines_ready(struct pl_lines *lines);

/* Hands out what has come in since the last newline, terminated; borrows
 * until the next call. `*length` may be 0. */
char *pl_lines_rest(struct pl_lines *lines, size_t *length);

void pl_lines_free(struct pl_lines *lines);

/* The last PL_TAIL_MAX bytes of a stream that never decides anything. */
#define PL_TAIL_MAX 4096u

struct pl_tail {
  char bytes[PL_TAIL_MAX];
  size_t total; /* since the last clear; above PL_TAIL_MAX: cut in front */
};

void pl_tail_add(struct pl_tail *tail, const char *bytes, size_t count);

/* Gives the tail as valid UTF-8 text, free with free(); NULL when empty. */
char *pl_tail_text(const struct pl_tail *tail);

/* Gives a copy of bytes in which everything that is not UTF-8, and every
 * control character but newline and tab, is replaced by `?`. */
char *pl_text_clean(const char *bytes, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * profile_text.h: JSON text on its way into a sink.
 *
 * Invariant: what is written is pure ASCII between quotes; after an error
 * nothing more reaches the sink.
 */
#ifndef PLUMB_LOOP_PROFILE_TEXT_H
#define PLUMB_LOOP_PROFILE_TEXT_H

#include "plumb/profile.h"

struct pl__text {
  const struct pl_sink *sink;
  int error; /* the first one */
  size_t used;
  char buffer[4096];
};

/* Text as it is. */
void pl__text_raw(struct pl__text *text, const char *raw);
void pl__text_number(struct pl__text *text, int64_t number);
/* A string with its quotes. Bytes that are no UTF-8 become U+FFFD. */
void pl__text_string(struct pl__text *text, const char *string);
/* Hands over what is left. Returns the first error. */
int pl__text_end(struct pl__text *text);

#endif

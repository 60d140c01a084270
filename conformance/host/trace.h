/* SPDX-License-Identifier: MIT */
/*
 * trace.h: the events of a run, kept for one answer or streamed one by one.
 */
#ifndef HOST_TRACE_H
#define HOST_TRACE_H

#include "text.h"

/* More events than this, or more of their text in one answer, are a program
 * that does not end. */
enum { TRACE_LIMIT = 1000000, TRACE_BYTES = 64 << 20 };

struct trace {
  struct text text; /* shared: "e1,e2,..."; streamed: the line being made */
  size_t count;
  const char *stream; /* NULL, or the run's seq as JSON text: write at once */
  int fd;
};

/* Records [label, value], or label alone where `value` is NULL; both are JSON
 * text. 0, -EOVERFLOW beyond those limits, -ENOMEM, or the error of a write. */
int trace_event(struct trace *trace, const char *label, size_t label_length,
                const char *value, size_t value_length);

#endif

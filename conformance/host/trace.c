/* SPDX-License-Identifier: MIT */
/*
 * trace.c: records events.
 *
 * Invariant: a streamed event has left the process when trace_event()
 * returns, in one write(2), so that it is seen even if the next operation
 * ends the process.
 */
#include "trace.h"

#include <errno.h>

int trace_event(struct trace *trace, const char *label, size_t label_length,
                const char *value, size_t value_length) {
  struct text *text = &trace->text;
  if (trace->count == TRACE_LIMIT) return -EOVERFLOW;
  if (!trace->stream && text->length > TRACE_BYTES) return -EOVERFLOW;
  if (trace->stream) {
    text_clear(text);
    text_add_string(text, "{\"seq\":");
    text_add_string(text, trace->stream);
    text_add_string(text, ",\"event\":");
  } else if (trace->count) {
    text_add(text, ",", 1);
  }
  trace->count++;
  if (value) text_add(text, "[", 1);
  text_add(text, label, label_length);
  if (value) {
    text_add(text, ",", 1);
    text_add(text, value, value_length);
    text_add(text, "]", 1);
  }
  if (trace->stream) text_add(text, "}\n", 2);
  if (text->failed) return -ENOMEM;
  return trace->stream ? text_write(text, trace->fd) : 0;
}

/* SPDX-License-Identifier: MIT */
/* Reads the events of an answer; refuses what is not an event. */
#include "trace.h"

#include <string.h>

#include "memory.h"

static bool is_scalar(const json_t *value) {
  return value != NULL && !json_is_array(value) && !json_is_object(value);
}

bool pl_event_valid(const json_t *event) {
  if (json_is_string(event)) return true;
  return json_is_array(event) && json_array_size(event) == 2 &&
         json_is_string(json_array_get(event, 0)) &&
         is_scalar(json_array_get(event, 1));
}

long pl_trace_check(const json_t *events) {
  size_t count = json_array_size(events);
  for (size_t i = 0; i < count; i++)
    if (!pl_event_valid(json_array_get(events, i))) return (long)i;
  return -1;
}

struct pl_event *pl_trace_events(const json_t *events) {
  size_t count = json_array_size(events);
  struct pl_event *at = pl_mem_alloc(count * sizeof *at);
  for (size_t i = 0; i < count; i++) {
    const json_t *event = json_array_get(events, i);
    if (json_is_string(event)) {
      at[i].label = json_string_value(event);
    } else {
      at[i].label = json_string_value(json_array_get(event, 0));
      at[i].value = json_array_get(event, 1);
    }
  }
  return at;
}

const json_t *pl_trace_value(const struct pl_trace *trace, const char *label) {
  for (size_t i = 0; i < trace->count; i++)
    if (strcmp(trace->at[i].label, label) == 0) return trace->at[i].value;
  return NULL;
}

bool pl_label_is_end(const char *label) {
  return strcmp(label, "exit") == 0 || strcmp(label, "signal") == 0;
}

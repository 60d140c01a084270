/* SPDX-License-Identifier: MIT */
/*
 * events.c: what a program records: labels, and the values beside them.
 *
 * Invariant: a value is read from the provider when the event is recorded and
 * never worked out from what the program did.
 */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Histories that recorded other values lead to other traces, whatever comes. */
static void note_value(struct run *run, const char *value, size_t length) {
  if (!run->explore) return;
  uint64_t digest = length;
  for (size_t i = 0; i < length; i++) {
    digest = (digest ^ (unsigned char)value[i]) * UINT64_C(0x9e3779b97f4a7c15);
    digest ^= digest >> 29;
  }
  run_note(run, digest);
}

static void emit(struct run *run, const struct op *op, const char *value,
                 size_t length) {
  int err = trace_event(run->trace, op->label, op->label_length, value, length);
  note_value(run, value, length);
  if (err == -EOVERFLOW)
    run_fail(run, op, "more than %d events: the program does not end",
             (int)run->trace->count);
  else if (err != 0)
    run_fail(run, op, "recording an event: %s", error_name(err));
}

/* [label, "ok"] or [label, error], where the operation has a label. */
void event_outcome(struct run *run, const struct op *op, int err) {
  char value[40];
  if (!op->label) return;
  int length =
      snprintf(value, sizeof value, "\"%s\"", err < 0 ? error_name(err) : "ok");
  emit(run, op, value, (size_t)length);
}

static int signal_text(int signum, char *text, size_t size) {
  const char *name = sigabbrev_np(signum);
  return snprintf(text, size, "\"SIG%s\"", name ? name : "UNKNOWN");
}

static int result_text(const struct call *call, char *text, size_t size) {
  int kind = call->object ? call->object->kind : KIND_NONE;
  bool request = kind == PL_KIND_WORK || kind == PL_KIND_STAT;
  if (call->status < 0)
    return snprintf(text, size, "\"%s\"", error_name(call->status));
  if (kind == PL_KIND_SIGNAL) return signal_text(call->status, text, size);
  return snprintf(text, size, request ? "\"ok\"" : "null");
}

static bool object_is_active(const struct run *run,
                             const struct object *object) {
  if (object->handle)
    return !object->closed && run->library->loop.is_active(object->storage);
  bool request = object->kind == PL_KIND_WORK || object->kind == PL_KIND_STAT;
  if (request) return object->pending;
  return run->library->loop.is_active(object->storage) != 0;
}

/* A handle stays closing when it is closed; what was not made is nothing. */
static bool object_flag(const struct run *run, const struct op *op) {
  const struct pl_loop_table *loop = &run->library->loop;
  const struct object *object = run->slots[op->slot];
  if (!object) return false;
  switch (op->value) {
  case VALUE_ACTIVE:
    return object_is_active(run, object);
  case VALUE_CLOSING:
    if (object->closed) return true;
    return object->handle && loop->is_closing(object->storage);
  default:
    return !object->closed && loop->has_ref(object->storage);
  }
}

static int value_text(const struct run *run, const struct op *op,
                      const struct call *call, char *text, size_t size) {
  const struct pl_loop_table *loop = &run->library->loop;
  switch (op->value) {
  case VALUE_RESULT:
    return result_text(call, text, size);
  case VALUE_COUNT:
    return snprintf(text, size, "%" PRIu32, call->count);
  case VALUE_ELAPSED:
    return snprintf(text, size, "%" PRId64,
                    (run_clock_ns(run) - run->started) / 1000000);
  case VALUE_NOW:
    return snprintf(text, size, "%" PRId64,
                    (int64_t)(loop->now(run->loop) - run->started_loop));
  case VALUE_ALIVE:
    return snprintf(text, size, loop->alive(run->loop) ? "true" : "false");
  case VALUE_TIMEOUT:
    return snprintf(text, size, "%d", loop->backend_timeout(run->loop));
  default:
    return snprintf(text, size, object_flag(run, op) ? "true" : "false");
  }
}

void event_log(struct run *run, const struct op *op, const struct call *call) {
  char value[64];
  if (op->value == VALUE_NONE) {
    emit(run, op, NULL, 0);
  } else if (op->value == VALUE_LITERAL) {
    emit(run, op, op->text, op->text_length);
  } else if (op->value == VALUE_RESULT && call->json) {
    emit(run, op, call->json, strlen(call->json));
  } else {
    int length = value_text(run, op, call, value, sizeof value);
    emit(run, op, value, (size_t)length);
  }
}

void event_json(struct run *run, const struct op *op, const char *value,
                size_t length) {
  emit(run, op, value, length);
}

void event_flag(struct run *run, const struct op *op, bool flag) {
  const char *value = flag ? "true" : "false";
  emit(run, op, value, strlen(value));
}

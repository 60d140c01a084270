/* SPDX-License-Identifier: MIT */
/*
 * recorder.c: what a loop tells of its callbacks, in a ring.
 *
 * Invariant: a record is begun before the callback and completed behind it, if
 * the ring still has it: a callback that drains more tasks than the ring holds
 * loses its own record and no other one is touched.
 */
#include "recorder.h"

#include <string.h>

/* Where objects of a kind are called. A failed poll handle is told by a
 * deferred call, so this is exact. */
static const uint8_t phases[] = {[PL_OBJECT_TIMER] = PL_PHASE_TIMERS,
                                 [PL_OBJECT_IDLE] = PL_PHASE_IDLE,
                                 [PL_OBJECT_PREPARE] = PL_PHASE_PREPARE,
                                 [PL_OBJECT_CHECK] = PL_PHASE_CHECK,
                                 [PL_OBJECT_ASYNC] = PL_PHASE_POLL,
                                 [PL_OBJECT_POLL] = PL_PHASE_POLL,
                                 [PL_OBJECT_SIGNAL] = PL_PHASE_POLL,
                                 [PL_OBJECT_TIMEOUT] = PL_PHASE_TIMERS,
                                 [PL_OBJECT_IMMEDIATE] = PL_PHASE_CHECK,
                                 [PL_OBJECT_WORK] = PL_PHASE_POLL,
                                 [PL_OBJECT_STAT] = PL_PHASE_POLL,
                                 [PL_OBJECT_FILE_READ] = PL_PHASE_POLL,
                                 [PL_OBJECT_STREAM] = PL_PHASE_POLL,
                                 [PL_OBJECT_WRITE] = PL_PHASE_PENDING};

/* ---------------------------------------------------------------------- */
/* The ring                                                               */

static struct pl_record *begin(struct pl_recorder *recorder) {
  struct pl_record *record = &recorder->records[recorder->next];
  if (++recorder->next == recorder->capacity) recorder->next = 0;
  recorder->begun++;
  return record;
}

static void complete(struct pl_recorder *recorder, struct pl_record *record,
                     uint64_t number, uint64_t end_ns) {
  if (end_ns > recorder->end_ns) recorder->end_ns = end_ns;
  if (recorder->begun - number > recorder->capacity) return; /* overwritten */
  if (end_ns > record->start_ns)
    record->duration_ns = end_ns - record->start_ns;
}

/* Fills a record, calls, and completes it. */
static void record_call(struct pl_loop *loop, struct pl_record what, void *arg,
                        int status) {
  struct pl_recorder *recorder = loop->recorder;
  uint64_t number = recorder->begun;
  struct pl_record *record = begin(recorder);
  recorder->phase = what.phase;
  *record = what;
  what.fn(arg, status);
  complete(recorder, record, number, pl__precise_ns(loop));
}

/* The loop counts in milliseconds, so a timer that is due has begun its
 * millisecond: this is never negative but for a clock that goes back. */
static uint64_t lateness(uint64_t start_ns, uint64_t due_ms) {
  if (due_ms == PL__NO_DUE) return PL_RECORD_NOT_DUE;
  if (due_ms > start_ns / 1000000) return 0;
  return start_ns - due_ms * 1000000;
}

void pl__record_object(struct pl_loop *loop, const struct pl_object *object,
                       uint64_t due, int status) {
  if (object->flags & PL__INTERNAL) { /* it calls those who count itself */
    object->fn(object->arg, status);
    return;
  }
  bool closing = object->flags & PL__CLOSING;
  uint64_t start = pl__precise_ns(loop);
  record_call(loop,
              (struct pl_record){
                  .start_ns = start,
                  .late_ns = lateness(start, due),
                  .fn = object->fn,
                  .label = object->label,
                  .phase = closing ? PL_PHASE_CLOSING : phases[object->kind],
                  .kind = closing ? (uint8_t)PL_RECORD_CLOSE : object->kind},
              object->arg, status);
}

void pl__record_plain(struct pl_loop *loop, enum pl_record_kind kind,
                      pl_event_fn *fn, void *arg, int status) {
  uint8_t phase = kind == PL_RECORD_DEFERRED ? PL_PHASE_PENDING
                  : loop->running            ? loop->recorder->phase
                                             : PL_PHASE_MAIN;
  record_call(loop,
              (struct pl_record){.start_ns = pl__precise_ns(loop),
                                 .late_ns = PL_RECORD_NOT_DUE,
                                 .fn = fn,
                                 .phase = phase,
                                 .kind = (uint8_t)kind},
              arg, status);
}

uint64_t pl__record_wait_begin(struct pl_loop *loop) {
  return pl__precise_ns(loop);
}

void pl__record_wait_end(struct pl_loop *loop, uint64_t start_ns) {
  struct pl_recorder *recorder = loop->recorder;
  uint64_t number = recorder->begun;
  struct pl_record *record = begin(recorder);
  *record = (struct pl_record){.start_ns = start_ns,
                               .late_ns = PL_RECORD_NOT_DUE,
                               .phase = PL_PHASE_POLL,
                               .kind = PL_RECORD_WAIT};
  complete(recorder, record, number, pl__precise_ns(loop));
}

/* ---------------------------------------------------------------------- */
/* Recorders                                                              */

int pl_recorder_create(const struct pl_allocator *allocator, size_t capacity,
                       struct pl_recorder **out) {
  struct pl_allocator memory = pl__allocator_or_default(allocator);
  struct pl_recorder *recorder;
  if (capacity == 0) return PL_EINVAL;
  if (capacity > (SIZE_MAX - sizeof *recorder) / sizeof(struct pl_record))
    return PL_ENOMEM;
  recorder = pl__resize(&memory, NULL,
                        sizeof *recorder + capacity * sizeof(struct pl_record));
  if (recorder == NULL) return PL_ENOMEM;
  *recorder = (struct pl_recorder){.allocator = memory,
                                   .capacity = capacity,
                                   .start_ns = UINT64_MAX,
                                   .label_count = 1};
  *out = recorder;
  return 0;
}

void pl_recorder_destroy(struct pl_recorder *recorder) {
  if (recorder == NULL) return;
  struct pl_allocator memory = recorder->allocator;
  for (size_t i = 1; i < recorder->label_count; i++)
    pl__resize(&memory, recorder->labels[i].name, 0);
  if (recorder->labels != NULL) pl__resize(&memory, recorder->labels, 0);
  pl__resize(&memory, recorder, 0);
}

void pl_loop_record(struct pl_loop *loop, struct pl_recorder *recorder) {
  uint64_t now = pl__precise_ns(loop);
  if (loop->recorder != NULL && now > loop->recorder->end_ns)
    loop->recorder->end_ns = now;
  loop->recorder = recorder;
  if (recorder == NULL || recorder->start_ns != UINT64_MAX) return;
  recorder->start_ns = now;
  recorder->end_ns = now;
}

uint64_t pl_recorder_count(const struct pl_recorder *recorder) {
  return recorder->begun;
}

uint64_t pl_recorder_dropped(const struct pl_recorder *recorder) {
  return recorder->begun > recorder->capacity
             ? recorder->begun - recorder->capacity
             : 0;
}

const struct pl_record *pl_recorder_at(const struct pl_recorder *recorder,
                                       size_t number) {
  size_t first = recorder->begun > recorder->capacity ? recorder->next : 0;
  size_t place = first + number;
  if (place >= recorder->capacity) place -= recorder->capacity;
  return &recorder->records[place];
}

/* ---------------------------------------------------------------------- */
/* Labels                                                                 */

static int reserve_label(struct pl_recorder *recorder) {
  if (recorder->label_count > UINT16_MAX) return PL_ENOSPC;
  if (recorder->label_count < recorder->label_room) return 0;
  size_t room = recorder->label_room == 0 ? 16 : recorder->label_room * 2;
  struct pl__label *labels =
      pl__resize(&recorder->allocator, recorder->labels, room * sizeof *labels);
  if (labels == NULL) return PL_ENOMEM;
  recorder->labels = labels;
  recorder->label_room = room;
  return 0;
}

int pl_recorder_name(struct pl_recorder *recorder, const char *name,
                     const char *url, int line, pl_event_fn *fn,
                     uint16_t *label) {
  int error = reserve_label(recorder);
  if (error != 0) return error;
  if (url == NULL) url = "";
  size_t name_size = strlen(name) + 1;
  size_t url_size = strlen(url) + 1;
  char *block = pl__resize(&recorder->allocator, NULL, name_size + url_size);
  if (block == NULL) return PL_ENOMEM;
  memcpy(block, name, name_size);
  memcpy(block + name_size, url, url_size);
  if (label != NULL) *label = (uint16_t)recorder->label_count;
  recorder->labels[recorder->label_count++] = (struct pl__label){
      .name = block, .url = block + name_size, .fn = fn, .line = line};
  return 0;
}

void pl_object_set_label(void *object, uint16_t label) {
  struct pl_object *head = object;
  head->label = label;
}

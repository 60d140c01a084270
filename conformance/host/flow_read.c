/* SPDX-License-Identifier: MIT */
/*
 * flow_read.c: the operations of emitters, flows and queues as a table, and
 * what they are given.
 *
 * Invariant: what is let through is what schema/vocabulary/flow.yaml lets
 * through.
 */
#include "flow.h"
#include "reader.h"

#include <string.h>

enum flow_key {
  F_ID = 1 << 0,
  F_OF = 1 << 1,
  F_LISTENER = 1 << 2,
  F_EVENT = 1 << 3,
  F_VALUE = 1 << 4,
  F_ERROR = 1 << 5,
  F_MESSAGE = 1 << 6,
  F_MOST = 1 << 7,
  F_LIMIT = 1 << 8,
  F_HIGH = 1 << 9,
  F_CAPACITY = 1 << 10,
  F_TIMEOUT = 1 << 11,
  F_ONCE = 1 << 12,
  F_PREPEND = 1 << 13,
  F_SHOW = 1 << 14,
  F_HOW = 1 << 15,
  F_STATE = 1 << 16,
  F_DO = 1 << 17,
  F_DRAINED = 1 << 18,
  F_IDLE = 1 << 19,
  F_LOG = 1 << 20,
  F_CALLS = 1 << 21
};

#define BIT(kind) (1u << (unsigned)(kind))

static bool read_flow(struct reader *reader, struct op *op,
                      const struct operation *operation, json_t *json);

#define ROW(name_, capability_, kind_, keys_, required_, refers_, perform_)    \
  {                                                                            \
    .name = name_, .code = OP_OWN, .shape = SHAPE_OWN,                         \
    .capability = capability_, .kind = kind_, .keys = keys_,                   \
    .required = required_, .refers = refers_, .read = read_flow,               \
    .perform = perform_                                                        \
  }

/* clang-format off */
static const struct operation rows[] = {
  ROW("emitter", CAP_EMITTER, KIND_EMITTER, F_ID | F_MOST, F_ID, 0,
      flow_emitter),
  ROW("emitter.on", CAP_EMITTER, KIND_LISTENER,
      F_ID | F_OF | F_EVENT | F_LISTENER | F_ONCE | F_PREPEND | F_CALLS,
      F_OF | F_EVENT, BIT(KIND_EMITTER), flow_on),
  ROW("emitter.off", CAP_EMITTER, KIND_NONE, F_OF | F_EVENT | F_LISTENER,
      F_OF, BIT(KIND_EMITTER), flow_off),
  ROW("emitter.emit", CAP_EMITTER, KIND_NONE,
      F_OF | F_EVENT | F_VALUE | F_LOG, F_OF | F_EVENT, BIT(KIND_EMITTER),
      flow_emit),
  ROW("emitter.show", CAP_EMITTER, KIND_NONE, F_OF | F_EVENT | F_SHOW | F_LOG,
      F_OF | F_SHOW | F_LOG, BIT(KIND_EMITTER), flow_show),
  ROW("emitter.most", CAP_EMITTER, KIND_NONE, F_OF | F_MOST, F_OF | F_MOST,
      BIT(KIND_EMITTER), flow_set_most),
  ROW("flow.throw", CAP_FLOW, KIND_NONE, F_MESSAGE, F_MESSAGE, 0, flow_throw),
  ROW("flow", CAP_FLOW, KIND_FLOW, F_ID | F_HOW | F_LIMIT | F_CALLS,
      F_ID | F_HOW, 0, flow_make),
  ROW("flow.task", CAP_FLOW, KIND_TASK, F_ID | F_OF | F_DO, F_OF | F_DO,
      BIT(KIND_FLOW), flow_add_task),
  ROW("flow.start", CAP_FLOW, KIND_NONE, F_OF, F_OF, BIT(KIND_FLOW),
      flow_start),
  ROW("settle", CAP_FLOW, KIND_NONE, F_OF | F_VALUE | F_ERROR | F_LOG, F_OF,
      BIT(KIND_TASK) | BIT(KIND_JOB), flow_settle),
  ROW("queue", CAP_QUEUE, KIND_QUEUE,
      F_ID | F_LIMIT | F_HIGH | F_CAPACITY | F_TIMEOUT | F_DRAINED | F_IDLE,
      F_ID, 0, flow_queue),
  ROW("queue.push", CAP_QUEUE, KIND_JOB,
      F_ID | F_OF | F_DO | F_CALLS | F_LOG, F_OF | F_DO, BIT(KIND_QUEUE),
      flow_push),
  ROW("queue.drop", CAP_QUEUE, KIND_NONE, F_OF | F_LOG, F_OF, BIT(KIND_JOB),
      flow_drop),
  ROW("queue.jobs", CAP_QUEUE, KIND_NONE, F_OF | F_STATE | F_LOG,
      F_OF | F_STATE | F_LOG, BIT(KIND_QUEUE), flow_jobs),
};

static const struct {
  const char *name;
  unsigned key;
} key_names[] = {
  {"id", F_ID}, {"of", F_OF}, {"listener", F_LISTENER}, {"event", F_EVENT},
  {"value", F_VALUE}, {"error", F_ERROR}, {"message", F_MESSAGE},
  {"most", F_MOST}, {"limit", F_LIMIT}, {"high", F_HIGH},
  {"capacity", F_CAPACITY}, {"timeout", F_TIMEOUT}, {"once", F_ONCE},
  {"prepend", F_PREPEND}, {"show", F_SHOW}, {"how", F_HOW},
  {"state", F_STATE}, {"do", F_DO},
  {"drained", F_DRAINED}, {"idle", F_IDLE}, {"log", F_LOG},
  {"then", F_CALLS}, {"each", F_CALLS},
};
/* clang-format on */

const struct operation *flow_operation(const char *name) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].name, name) == 0) return &rows[i];
  return NULL;
}

/* -- values of keys ---------------------------------------------------------- */

static bool copy_text(struct reader *reader, struct op *op, const char *key,
                      json_t *json, const char **text) {
  const char *string = json_string_value(json);
  if (!string || !*string || strlen(string) != json_string_length(json))
    return reader_fail(reader, op, "%s: a text is wanted", key);
  size_t size = strlen(string) + 1;
  char *copy = arena_alloc(reader->arena, size);
  if (!copy) return reader_fail(reader, op, "out of memory");
  *text = memcpy(copy, string, size);
  return true;
}

static bool copy_scalar(struct reader *reader, struct op *op, json_t *json,
                        const char **value) {
  if (json_is_object(json) || json_is_array(json))
    return reader_fail(reader, op, "value: a scalar is wanted");
  size_t size = json_dumpb(json, NULL, 0, JSON_ENCODE_ANY | JSON_COMPACT);
  char *copy = arena_alloc(reader->arena, size + 1);
  if (!copy) return reader_fail(reader, op, "out of memory");
  json_dumpb(json, copy, size, JSON_ENCODE_ANY | JSON_COMPACT);
  *value = copy;
  return true;
}

static bool read_count(struct reader *reader, struct op *op, const char *key,
                       json_t *json, unsigned least, size_t *out) {
  json_int_t number = json_integer_value(json);
  if (!json_is_integer(json) || number < (json_int_t)least || number > 100000)
    return reader_fail(reader, op, "%s: a number from %u to 100000 is wanted",
                       key, least);
  *out = (size_t)number;
  return true;
}

static bool read_flag(struct reader *reader, struct op *op, const char *key,
                      json_t *json, bool *out) {
  *out = json_is_true(json);
  return json_is_boolean(json) ||
         reader_fail(reader, op, "%s: true or false is wanted", key);
}

/* Which of the names it is. */
static bool read_name(struct reader *reader, struct op *op, const char *key,
                      json_t *json, const char *const *names, unsigned *out) {
  const char *name = json_string_value(json);
  for (unsigned i = 0; name && names[i]; i++) {
    if (strcmp(names[i], name) != 0) continue;
    *out = i;
    return true;
  }
  return reader_fail(reader, op, "%s: a name of the vocabulary is wanted", key);
}

/* A reference beside the operation's own id. */
static bool read_other(struct reader *reader, struct op *op, const char *key,
                       json_t *json, unsigned kinds, int *slot) {
  const char *name = json_string_value(json);
  int own = op->slot;
  if (!name || !*name)
    return reader_fail(reader, op, "%s: a name is wanted", key);
  if (!read_reference(reader, op, name, kinds)) return false;
  *slot = op->slot;
  op->slot = own;
  return true;
}

/* -- keys ---------------------------------------------------------------------- */

static bool read_number_key(struct reader *reader, struct op *op,
                            struct flow_args *args, unsigned key,
                            const char *name, json_t *json) {
  size_t number = 0;
  unsigned least = key == F_MOST ? 0 : 1;
  if (!read_count(reader, op, name, json, least, &number)) return false;
  if (key == F_MOST) args->most = (unsigned)number;
  if (key == F_LIMIT) args->limit = (unsigned)number;
  if (key == F_HIGH) args->high = number;
  if (key == F_CAPACITY) args->capacity = number;
  if (key == F_TIMEOUT) args->timeout = (uint32_t)number;
  return true;
}

static bool read_word_key(struct reader *reader, struct op *op,
                          struct flow_args *args, unsigned key,
                          const char *name, json_t *json) {
  static const char *const shows[] = {"count", "names", "most", NULL};
  static const char *const hows[] = {"series", "parallel", "waterfall", NULL};
  static const char *const states[] = {"queued", "running", "done",
                                       "failed", "dropped", NULL};
  unsigned word = 0;
  const char *const *words = key == F_SHOW  ? shows
                             : key == F_HOW ? hows
                                            : states;
  if (!read_name(reader, op, name, json, words, &word)) return false;
  if (key == F_SHOW) args->show = (enum flow_show)word;
  if (key == F_HOW) args->how = (enum pl_flow_how)word;
  if (key == F_STATE) args->state = (enum pl_job_is)word;
  return true;
}

static bool read_key(struct reader *reader, struct op *op,
                     const struct operation *operation, struct flow_args *args,
                     unsigned key, const char *name, json_t *json) {
  switch (key) {
  case F_ID:
    return read_id(reader, op, json);
  case F_OF:
    return read_other(reader, op, name, json, operation->refers, &args->of);
  case F_LISTENER:
    return read_other(reader, op, name, json, BIT(KIND_LISTENER),
                      &args->listener);
  case F_EVENT:
    return copy_text(reader, op, name, json, &args->event);
  case F_VALUE:
    return copy_scalar(reader, op, json, &args->value);
  case F_ERROR:
    return copy_text(reader, op, name, json, &args->error);
  case F_MESSAGE:
    return copy_text(reader, op, name, json, &args->message);
  case F_MOST:
  case F_LIMIT:
  case F_HIGH:
  case F_CAPACITY:
  case F_TIMEOUT:
    return read_number_key(reader, op, args, key, name, json);
  case F_ONCE:
    return read_flag(reader, op, name, json, &args->once);
  case F_PREPEND:
    return read_flag(reader, op, name, json, &args->prepend);
  case F_SHOW:
  case F_HOW:
  case F_STATE:
    return read_word_key(reader, op, args, key, name, json);
  case F_DO:
    return read_body(reader, op, name, 0, json, &args->job);
  case F_DRAINED:
    return read_body(reader, op, name, 0, json, &args->drained);
  case F_IDLE:
    return read_body(reader, op, name, 0, json, &args->idle);
  case F_LOG:
    return read_label(reader, op, json);
  default:
    return read_calls(reader, op, name, json);
  }
}

static unsigned find_key(const char *name) {
  for (size_t i = 0; i < sizeof key_names / sizeof *key_names; i++)
    if (strcmp(key_names[i].name, name) == 0) return key_names[i].key;
  return 0;
}

static bool read_flow(struct reader *reader, struct op *op,
                      const struct operation *operation, json_t *json) {
  struct flow_args *args = arena_alloc(reader->arena, sizeof *args);
  if (!args) return reader_fail(reader, op, "out of memory");
  *args = (struct flow_args){.of = -1, .listener = -1, .most = 10};
  op->flow = args;
  if (!json_is_object(json))
    return reader_fail(reader, op, "an object is wanted");
  unsigned seen = 0;
  const char *name;
  json_t *value;
  json_object_foreach(json, name, value) {
    unsigned key = find_key(name);
    if ((key & operation->keys) == 0)
      return reader_fail(reader, op, "unknown key `%.80s`", name);
    if (!read_key(reader, op, operation, args, key, name, value)) return false;
    seen |= key;
  }
  if (operation->required & ~seen)
    return reader_fail(reader, op, "a key is missing");
  return true;
}

/*
 * An adapter that lets Plumbline judge @NAME@.
 *
 * It reads a command per line on stdin and answers each with a line on stdout;
 * stderr is a free log. The protocol: conformance/schema/protocol.schema.json;
 * the operations: conformance/spec/vocabulary.md. (An implementation that is a
 * C library can fill in conformance/provider.h instead, and gets the
 * benchmarks as well.)
 */
#define _POSIX_C_SOURCE 200809L
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A capability promises its operations; a program that needs one you have not
 * promised is not sent. Traits are legitimate variants: see vocabulary.md. */
static const char hello[] =
    "{\"protocol\":1,\"implementation\":{\"name\":\"@NAME@\","
    "\"version\":\"0.1.0\",\"language\":\"C\",\"homepage\":\"\"},"
    "\"capabilities\":[\"loop.timeout\"],\"traits\":[]}";

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void *need(void *memory) {
  if (memory) return memory;
  fprintf(stderr, "out of memory\n");
  exit(1);
}

/* ------------------------------------------------------------------------- */
/* The implementation under test: a loop with timers alone. Put yours in its
 * place. */

struct timer {
  struct timer *next; /* by due time, then by order of start */
  void (*callback)(void *arg);
  void *arg;
  double due, every; /* milliseconds; every < 0: once */
  bool cleared;
};

struct loop {
  struct timer *first;
};

static void loop_start(struct loop *loop, struct timer *timer, double delay) {
  struct timer **at = &loop->first;
  timer->due = now_ms() + delay;
  while (*at && (*at)->due <= timer->due) at = &(*at)->next;
  timer->next = *at;
  *at = timer;
}

/* Like setTimeout and, with `every` from 0, setInterval. */
static struct timer *loop_set_timeout(struct loop *loop, double delay,
                                      double every, void (*callback)(void *),
                                      void *arg) {
  struct timer *timer = need(calloc(1, sizeof *timer));
  timer->callback = callback;
  timer->arg = arg;
  timer->every = every;
  loop_start(loop, timer, delay);
  return timer;
}

static void loop_clear(struct timer *timer) { timer->cleared = true; }

/* Until nothing is left. Timers stay allocated for those who clear them
 * later; the adapter ends or starts anew soon enough. */
static void loop_run(struct loop *loop) {
  while (loop->first) {
    struct timer *timer = loop->first;
    loop->first = timer->next;
    if (timer->cleared) continue;
    double wait = timer->due - now_ms();
    if (wait > 0) {
      struct timespec t = {(time_t)(wait / 1e3),
                           (long)(fmod(wait, 1e3) * 1e6)};
      nanosleep(&t, NULL);
    }
    timer->callback(timer->arg);
    if (timer->every >= 0 && !timer->cleared)
      loop_start(loop, timer, timer->every);
  }
}

/* ------------------------------------------------------------------------- */

struct program {
  struct loop loop;
  json_t *seq;     /* of the request; borrowed */
  json_t *events;  /* NULL: streamed */
  json_t *objects; /* id: the timer's address */
  double begun;
  int count; /* of the callback that runs */
};

/* A callback's bodies, and how often it was called. */
struct calls {
  struct program *program;
  json_t *value; /* borrowed from the request */
  int count;
};

static void perform(struct program *program, json_t *body);

/* One line, at once: in a streamed run nothing may be lost at the end. */
static void answer(json_t *message) {
  char *text = need(json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY));
  printf("%s\n", text);
  fflush(stdout);
  free(text);
  json_decref(message);
}

/* The delay that Node makes of a value: whole, from 1 to 2^31 - 1. */
static double milliseconds(const json_t *value) {
  double number = json_is_number(value) ? json_number_value(value) : NAN;
  return number >= 1 && number <= 2147483647.0 ? trunc(number) : 1;
}

static const char *key_of(json_t *operation, json_t **value) {
  void *at = json_object_iter(operation);
  *value = json_object_iter_value(at);
  return json_object_iter_key(at);
}

/* `then` is the body of every call; of `each` the first call gets the first,
 * and the last body serves every further call. */
static void call(void *arg) {
  struct calls *calls = arg;
  json_t *each = json_object_get(calls->value, "each");
  json_t *body = json_object_get(calls->value, "then");
  calls->program->count = ++calls->count;
  if (each) {
    size_t last = json_array_size(each) - 1;
    size_t index = (size_t)calls->count - 1;
    body = json_array_get(each, index < last ? index : last);
  }
  if (body) perform(calls->program, body);
}

static void op_timeout(struct program *program, json_t *value, bool repeats) {
  struct calls *calls = need(calloc(1, sizeof *calls));
  const char *id = json_string_value(json_object_get(value, "id"));
  double delay =
      milliseconds(json_object_get(value, repeats ? "every" : "after"));
  calls->program = program;
  calls->value = value;
  struct timer *timer = loop_set_timeout(
      &program->loop, delay, repeats ? delay : -1, call, calls);
  if (id)
    json_object_set_new(program->objects, id,
                        json_integer((json_int_t)(size_t)timer));
}

static void op_log(struct program *program, json_t *value) {
  json_t *event = json_deep_copy(value);
  const char *name = json_string_value(json_array_get(value, 1));
  if (name && strcmp(name, "$count") == 0)
    json_array_set_new(event, 1, json_integer(program->count));
  else if (name && strcmp(name, "$elapsed") == 0)
    json_array_set_new(
        event, 1, json_integer((json_int_t)(now_ms() - program->begun)));
  if (program->events)
    json_array_append_new(program->events, event);
  else
    answer(json_pack("{s:O,s:o}", "seq", program->seq, "event", event));
}

static void perform(struct program *program, json_t *body) {
  size_t i;
  json_t *operation, *value;
  json_array_foreach(body, i, operation) {
    const char *name = key_of(operation, &value);
    if (strcmp(name, "log") == 0) op_log(program, value);
    if (strcmp(name, "timeout") == 0) op_timeout(program, value, false);
    if (strcmp(name, "interval") == 0) op_timeout(program, value, true);
    if (strcmp(name, "block") == 0)
      for (double end = now_ms() + json_number_value(value); now_ms() < end;) {
      }
    if (strcmp(name, "clear") == 0)
      loop_clear((struct timer *)(size_t)json_integer_value(
          json_object_get(program->objects, json_string_value(value))));
  }
}

/* Nothing may run before everything in it is known: what is not, or NULL. */
static const char *unknown_in(json_t *body) {
  static const char *const known[] = {"log", "block", "timeout", "interval",
                                      "clear"};
  size_t i, k;
  json_t *operation, *value, *inner;
  json_array_foreach(body, i, operation) {
    const char *name = key_of(operation, &value);
    bool found = false;
    for (k = 0; k < sizeof known / sizeof *known; k++)
      found = found || strcmp(name, known[k]) == 0;
    if (!found) return name;
    const char *logged = json_string_value(json_array_get(value, 1));
    if (logged && logged[0] == '$' && strcmp(logged, "$count") != 0 &&
        strcmp(logged, "$elapsed") != 0)
      return logged;
    const char *why = unknown_in(json_object_get(value, "then"));
    json_array_foreach(json_object_get(value, "each"), k, inner) if (!why)
        why = unknown_in(inner);
    if (why) return why;
  }
  return NULL;
}

/* Answers a run; true where the process must end with it. */
static bool run(json_t *command) {
  json_t *asked = json_object_get(command, "program");
  json_t *body = json_object_get(asked, "main");
  bool streamed = json_is_true(json_object_get(command, "stream"));
  struct program program = {.seq = json_object_get(command, "seq"),
                            .begun = now_ms()};
  const char *why = unknown_in(body);
  const char *key;
  json_t *value;
  json_object_foreach(asked, key, value) if (strcmp(key, "main") != 0 &&
                                             strcmp(key, "pool") != 0) why =
      key;
  if (why) {
    answer(json_pack("{s:O,s:s}", "seq", program.seq, "unsupported", why));
    return streamed;
  }
  program.objects = json_object();
  program.events = streamed ? NULL : json_array();
  perform(&program, body);
  loop_run(&program.loop);
  if (!streamed)
    answer(json_pack("{s:O,s:o}", "seq", program.seq, "events",
                     program.events));
  json_decref(program.objects);
  return streamed;
}

int main(void) {
  char *line = NULL;
  size_t size = 0;
  bool over = false;
  while (!over && getline(&line, &size, stdin) > 0) {
    json_error_t error;
    json_t *command = json_loads(line, JSON_DECODE_ANY, &error);
    const char *cmd = json_string_value(json_object_get(command, "cmd"));
    if (!cmd) {
      fprintf(stderr, "no command: %s\n", error.text);
      return 1;
    }
    if (strcmp(cmd, "start") == 0)
      answer(json_loads(hello, 0, NULL));
    else if (strcmp(cmd, "run") == 0)
      over = run(command);
    else if (strcmp(cmd, "stop") == 0)
      over = true;
    else
      answer(json_pack("{s:O,s:s}", "seq", json_object_get(command, "seq"),
                       "unsupported", cmd));
    json_decref(command);
  }
  free(line);
  return 0;
}

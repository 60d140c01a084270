/* SPDX-License-Identifier: MIT */
/*
 * several.c: the process itself: its request, its trace, what bodies do, and
 * the operations that are no child's and no channel's.
 */
#include "several.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *several_new(struct several *host, size_t size) {
  void **block = calloc(1, sizeof(void *) * 2 + size);
  if (block == NULL) abort();
  block[0] = host->blocks;
  host->blocks = block;
  return block + 2; /* as aligned as calloc's */
}

char *several_copy(struct several *host, const char *text) {
  char *copy = several_new(host, strlen(text) + 1);
  memcpy(copy, text, strlen(text) + 1);
  return copy;
}

/* ---- the trace ----------------------------------------------------------- */

static void write_line(struct several *host, json_t *message) {
  char *line = json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY);
  size_t length = line != NULL ? strlen(line) : 0;
  if (line == NULL || length + 1 > PIPE_BUF) {
    fputs("plumb-host: an event does not fit into one write\n", stderr);
    exit(1);
  }
  line[length] = '\n';
  ssize_t written;
  do
    written = write(host->out, line, length + 1);
  while (written < 0 && errno == EINTR);
  free(line);
  json_decref(message);
}

static json_t *message_of(const struct several *host) {
  json_t *message = json_pack("{s:I}", "seq", host->seq);
  if (host->id != NULL)
    json_object_set_new(message, "of", json_string(host->id));
  return message;
}

void several_record(struct several *host, const char *label, json_t *value) {
  json_t *message = message_of(host);
  json_object_set_new(message, "event",
                      value != NULL ? json_pack("[so]", label, value)
                                    : json_string(label));
  write_line(host, message);
}

void several_refuse(struct several *host, const char *what) {
  json_t *message = message_of(host);
  json_object_set_new(message, "unsupported", json_string(what));
  write_line(host, message);
  exit(0);
}

/* ---- arguments ----------------------------------------------------------- */

const char *several_text(const json_t *argument, const char *key) {
  return json_string_value(json_object_get(argument, key));
}

long several_number(const json_t *argument, const char *key, long fallback) {
  const json_t *value = json_object_get(argument, key);
  return json_is_integer(value) ? (long)json_integer_value(value) : fallback;
}

bool several_true(const json_t *argument, const char *key) {
  return json_is_true(json_object_get(argument, key));
}

json_t *several_shown(const char *text, size_t length) {
  enum { LONGEST = 300 };
  char shown[40];
  if (length <= LONGEST) {
    json_t *whole = json_stringn(text, length);
    return whole != NULL ? whole : json_string("!not UTF-8");
  }
  snprintf(shown, sizeof shown, "text(%zu)", length);
  return json_string(shown);
}

json_t *several_error_name(int error) {
  const char *name = strerrorname_np(-error);
  return json_string(name != NULL ? name : "unknown error");
}

json_t *several_status(int code, int signal) {
  char name[32];
  if (signal == 0) return json_integer(code);
  snprintf(name, sizeof name, "SIG%s", sigabbrev_np(signal));
  return json_string(name);
}

/* ---- things and callbacks ------------------------------------------------ */

struct actor *several_find(struct several *host, const json_t *id) {
  const char *name = json_string_value(id);
  for (struct actor *at = host->things; at != NULL && name != NULL;
       at = at->next)
    if (at->id != NULL && strcmp(at->id, name) == 0) return at;
  several_refuse(host, "an id that is not made here");
}

struct actor *several_make(struct several *host, enum actor_kind kind,
                           const json_t *argument) {
  struct actor *thing = several_new(host, sizeof *thing);
  const char *id = several_text(argument, "id");
  thing->id = id;
  thing->kind = kind;
  thing->host = host;
  thing->next = host->things;
  host->things = thing;
  for (int i = 0; i < SEVERAL_STREAMS; i++)
    thing->streams[i] =
        (struct stream){.host = host, .child = thing, .fd = -1, .index = i};
  return thing;
}

struct listener *several_callback(struct several *host,
                                  const json_t *argument) {
  const json_t *then = json_object_get(argument, "then");
  const json_t *each = json_object_get(argument, "each");
  if (then == NULL && each == NULL) return NULL;
  struct listener *listener = several_new(host, sizeof *listener);
  listener->host = host;
  listener->bodies = each;
  if (each == NULL) {
    json_t *bodies = json_array();
    json_array_append(bodies, (json_t *)then);
    listener->bodies = bodies;
  }
  return listener;
}

void several_call(struct listener *listener, json_t *result, json_t *given,
                  const char *raw) {
  if (listener != NULL && !listener->off) {
    size_t count = json_array_size(listener->bodies);
    size_t at = (size_t)listener->count++;
    struct frame frame = {result, given, raw, listener->count};
    if (listener->once) listener->off = true;
    if (count > 0)
      several_perform(
          listener->host,
          json_array_get(listener->bodies, at < count ? at : count - 1),
          &frame);
  }
  json_decref(result);
  json_decref(given);
}

/* A call that waits for its tick. */
struct waiting {
  struct listener *listener;
  json_t *result, *given;
};

static void call_waiting(void *arg, int status) {
  struct waiting *waiting = arg;
  (void)status;
  several_call(waiting->listener, waiting->result, waiting->given, NULL);
}

void several_call_later(struct listener *listener, json_t *result,
                        json_t *given) {
  struct several *host = listener->host;
  const struct pl_loop_table *loop = &host->library->loop;
  struct waiting *waiting = several_new(host, sizeof *waiting);
  void *task = several_new(host, loop->size_of(PL_KIND_TICK));
  *waiting = (struct waiting){listener, result, given};
  if (loop->init(host->loop, PL_KIND_TICK, task, call_waiting, waiting) != 0 ||
      loop->tick(task) != 0)
    several_refuse(host, "a tick");
}

bool several_listens(const struct actor *thing, const char *event) {
  for (const struct listener *at = thing->listeners; at != NULL; at = at->next)
    if (!at->off && strcmp(at->event, event) == 0) return true;
  return false;
}

void several_fire(struct actor *thing, const char *event, json_t *result,
                  json_t *given, const char *raw) {
  for (struct listener *at = thing->listeners; at != NULL; at = at->next)
    if (strcmp(at->event, event) == 0)
      several_call(at, json_incref(result), json_incref(given), raw);
  json_decref(result);
  json_decref(given);
}

/* ---- operations ---------------------------------------------------------- */

static void log_event(struct several *host, const json_t *value,
                      const struct frame *frame) {
  if (!json_is_array(value)) {
    several_record(host, json_string_value(value), NULL);
    return;
  }
  json_t *logged = json_array_get(value, 1);
  const char *name = json_string_value(logged);
  json_t *told = json_incref(logged);
  if (name != NULL && name[0] == '$') {
    json_decref(told);
    if (strcmp(name, "$result") == 0)
      told = frame->result != NULL ? json_incref(frame->result) : json_null();
    else if (strcmp(name, "$count") == 0)
      told = json_integer(frame->count);
    else
      several_refuse(host, name);
  }
  several_record(host, json_string_value(json_array_get(value, 0)), told);
}

static void give(struct several *host, const json_t *value,
                 const struct frame *frame) {
  json_t *part = json_object_get(frame->given, several_text(value, "name"));
  several_record(host, several_text(value, "log"),
                 part != NULL ? json_incref(part) : json_string("undefined"));
}

static void on_timer(void *arg, int status) {
  (void)status;
  several_call(arg, NULL, NULL, NULL);
}

static bool timer_operation(struct several *host, const char *name,
                            const json_t *value) {
  const struct pl_loop_table *loop = &host->library->loop;
  static const struct {
    const char *name;
    enum pl_kind kind;
  } known[] = {{"timeout", PL_KIND_TIMEOUT},
               {"immediate", PL_KIND_IMMEDIATE},
               {"tick", PL_KIND_TICK},
               {"microtask", PL_KIND_MICROTASK}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(known[i].name, name) != 0) continue;
    struct listener *callback = several_callback(host, value);
    void *object = several_new(host, loop->size_of(known[i].kind));
    if (callback == NULL) callback = several_new(host, sizeof *callback);
    if (several_text(value, "id") != NULL) several_refuse(host, name);
    int error =
        loop->init(host->loop, known[i].kind, object, on_timer, callback);
    if (error == 0)
      error = i == 0 ? loop->timeout_start(
                           object, (double)several_number(value, "after", 1), 0)
              : i == 1 ? loop->immediate_start(object)
              : i == 2 ? loop->tick(object)
                       : loop->microtask(object);
    if (error != 0) several_refuse(host, name);
    return true;
  }
  return false;
}

static void perform_one(struct several *host, const char *name,
                        const json_t *value, const struct frame *frame) {
  if (strcmp(name, "log") == 0)
    log_event(host, value, frame);
  else if (strcmp(name, "given") == 0)
    give(host, value, frame);
  else if (strcmp(name, "exit") == 0)
    exit((int)json_integer_value(value));
  else if (!timer_operation(host, name, value) &&
           !several_child_operation(host, name, value, frame) &&
           !several_channel_operation(host, name, value, frame))
    several_refuse(host, name);
}

void several_perform(struct several *host, const json_t *body,
                     const struct frame *frame) {
  for (size_t i = 0; i < json_array_size(body); i++) {
    json_t *operation = json_array_get(body, i);
    const char *name = json_object_iter_key(json_object_iter(operation));
    perform_one(host, name, json_object_get(operation, name), frame);
  }
}

/* ---- what cannot be done is said before anything is -----------------------
 */

static const char *const operations[] = {
    "log",        "given",        "exit",        "timeout",
    "immediate",  "tick",         "microtask",   "spawn",
    "exec",       "exec-file",    "kill",        "input",
    "collect",    "stop-reading", "child.ref",   "child.unref",
    "when",       "field",        "fork",        "parent.on",
    "parent.off", "parent.field", "channel.ref", "channel.unref",
    "send",       "disconnect",   NULL};

static bool known_value(const json_t *value) {
  const char *key;
  json_t *part;
  size_t i;
  if (json_is_array(value)) {
    json_array_foreach((json_t *)value, i, part) {
      if (!known_value(part)) return false;
    }
  }
  json_object_foreach((json_t *)value, key, part) {
    if (key[0] == '$' && strcmp(key, "$text") != 0 &&
        strcmp(key, "$result") != 0)
      return false;
    if (!known_value(part)) return false;
  }
  return true;
}

static void check_body(struct several *host, const json_t *body);

static void check_operation(struct several *host, const char *name,
                            const json_t *value) {
  static const char *const refused[] = {
      "argv0",    "timeout", "module", "invalid-handle",
      "no-value", "handle",  "uid",    NULL};
  bool exec = strncmp(name, "exec", 4) == 0;
  size_t i = 0;
  while (operations[i] != NULL && strcmp(operations[i], name) != 0)
    i++;
  if (operations[i] == NULL) several_refuse(host, name);
  for (i = 0; refused[i] != NULL; i++)
    if (json_object_get(value, refused[i]) != NULL &&
        !(exec && strcmp(refused[i], "timeout") == 0))
      several_refuse(host, refused[i]);
  if (exec && several_text(value, "id") != NULL) several_refuse(host, name);
  const char *mode = several_text(value, "serialization");
  if (mode != NULL && strcmp(mode, "json") != 0) several_refuse(host, mode);
  if (!known_value(json_object_get(value, "value")))
    several_refuse(host, "a value that JSON has not");
  check_body(host, json_object_get(value, "then"));
  const json_t *each = json_object_get(value, "each");
  for (i = 0; i < json_array_size(each); i++)
    check_body(host, json_array_get(each, i));
}

static void check_body(struct several *host, const json_t *body) {
  for (size_t i = 0; i < json_array_size(body); i++) {
    json_t *operation = json_array_get(body, i);
    const char *name = json_object_iter_key(json_object_iter(operation));
    if (name == NULL) several_refuse(host, "an operation has one key");
    check_operation(host, name, json_object_get(operation, name));
  }
}

static void check_roles(struct several *host, json_t *program) {
  const char *role;
  json_t *body;
  check_body(host, json_object_get(program, "main"));
  json_object_foreach(json_object_get(program, "roles"), role, body) {
    if (strncmp(role, "peer", 4) != 0) check_body(host, body);
  }
}

/* ---- the process --------------------------------------------------------- */

static const struct pl_processes_table *
table_of(const struct pl_provider *provider) {
  size_t needed = offsetof(struct pl_provider, processes) + sizeof(void *);
  return provider->size >= needed ? provider->processes : NULL;
}

const char *const *several_capabilities(const struct pl_provider *provider) {
  static const char *const all[] = {"process.roles", "process.spawn",
                                    "process.exec", "ipc.channel", NULL};
  return table_of(provider) != NULL ? all : all + 4;
}

static int begin(struct several *host, const char *role) {
  const struct pl_loop_table *loop = &host->library->loop;
  json_t *program = json_object_get(host->request, "program");
  json_t *body = role == NULL
                     ? json_object_get(program, "main")
                     : json_object_get(json_object_get(program, "roles"), role);
  if (role == NULL) check_roles(host, program);
  host->loop = several_new(host, loop->loop_size());
  struct pl_loop_options options = {.size = sizeof options};
  if (loop->loop_init(host->loop, &options) != 0) return 1;
  if (role != NULL) several_parent(host); /* no child inherits it */
  const struct frame nothing = {0};
  several_perform(host, body, &nothing);
  loop->drain(host->loop);
  return loop->run(host->loop, PL_RUN_DEFAULT) < 0 ? 1 : 0;
}

int several_run(const struct library *library, const char *path,
                const char *trace, const char *role, const char *id) {
  static struct several host; /* its memory stays reachable */
  char request[PATH_MAX];
  json_error_t why;
  snprintf(request, sizeof request, "%s.json", trace);
  host.library = library;
  host.table = table_of(library->provider);
  host.path = path;
  host.trace = trace;
  host.id = id;
  host.request = json_load_file(request, JSON_DISABLE_EOF_CHECK, &why);
  host.out = open(trace, O_WRONLY | O_CLOEXEC);
  if (host.request == NULL || host.out < 0 || host.table == NULL) {
    fprintf(stderr, "plumb-host: %s cannot be used\n", request);
    return 1;
  }
  host.seq = json_integer_value(json_object_get(host.request, "seq"));
  host.dir = several_text(host.request, "dir");
  host.peer = several_text(host.request, "peer");
  signal(SIGPIPE, SIG_IGN);
  return begin(&host, role);
}

int several_child(const struct library *library, const char *path,
                  const char *trace, const char *role) {
  static const char *const names[] = {"PLUMB_TRACE", "PLUMB_ROLE", "PLUMB_AS",
                                      "PLUMB_SELF"};
  const char *id = getenv("PLUMB_AS");
  char *own[] = {strdup(trace), strdup(role), id != NULL ? strdup(id) : NULL};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    unsetenv(names[i]);
  int status = several_run(library, path, own[0], own[1], own[2]);
  for (size_t i = 0; i < 3; i++)
    free(own[i]);
  return status;
}

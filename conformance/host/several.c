/* SPDX-License-Identifier: MIT */
/*
 * several.c: the process itself: its request, its trace, what bodies do, its
 * timers, its signals and its end.
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

void several_append(struct several *host, struct bytes *bytes, const void *data,
                    size_t length) {
  if (bytes->length + length > bytes->room) {
    bytes->room = 2 * (bytes->length + length);
    char *grown = several_new(host, bytes->room);
    if (bytes->length > 0) memcpy(grown, bytes->at, bytes->length);
    bytes->at = grown;
  }
  if (length > 0) memcpy(bytes->at + bytes->length, data, length);
  bytes->length += length;
}

const char *several_place(struct several *host, const char *path) {
  if (path == NULL || path[0] == '/') return path;
  char *whole = several_new(host, strlen(host->dir) + strlen(path) + 2);
  sprintf(whole, "%s/%s", host->dir, path);
  return whole;
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

json_t *several_kind(bool there) {
  return json_string(there ? "object" : "null");
}

int several_signal(const char *name) {
  for (int number = 1; name != NULL && number < NSIG; number++) {
    const char *known = sigabbrev_np(number);
    if (known != NULL && strncmp(name, "SIG", 3) == 0 &&
        strcmp(name + 3, known) == 0)
      return number;
  }
  return -1;
}

/* ---- things and callbacks ------------------------------------------------ */

struct actor *several_find(struct several *host, const json_t *id) {
  const char *name = json_string_value(id);
  for (struct actor *at = host->things; at != NULL && name != NULL;
       at = at->next)
    if (at->id != NULL && strcmp(at->id, name) == 0)
      return at->kind == ACTOR_ALIAS ? at->own : at;
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

void several_call_with(struct listener *listener, json_t *result, json_t *given,
                       const char *raw, struct gift *gift) {
  if (listener != NULL && !listener->off) {
    size_t count = json_array_size(listener->bodies);
    size_t at = (size_t)listener->count++;
    struct frame frame = {result, given, raw, gift, listener->count};
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

void several_call(struct listener *listener, json_t *result, json_t *given) {
  several_call_with(listener, result, given, NULL, NULL);
}

/* A call that waits for its tick. */
struct waiting {
  struct listener *listener;
  json_t *result, *given;
};

static void call_waiting(void *arg, int status) {
  struct waiting *waiting = arg;
  (void)status;
  several_call(waiting->listener, waiting->result, waiting->given);
}

void several_later(struct several *host, void (*what)(void *, int), void *arg) {
  const struct pl_loop_table *loop = &host->library->loop;
  void *task = several_new(host, loop->size_of(PL_KIND_TICK));
  if (loop->init(host->loop, PL_KIND_TICK, task, what, arg) != 0 ||
      loop->tick(task) != 0)
    several_refuse(host, "a tick");
}

void several_call_later(struct listener *listener, json_t *result,
                        json_t *given) {
  if (listener == NULL) {
    json_decref(result);
    json_decref(given);
    return;
  }
  struct waiting *waiting = several_new(listener->host, sizeof *waiting);
  *waiting = (struct waiting){listener, result, given};
  several_later(listener->host, call_waiting, waiting);
}

bool several_listens(const struct actor *thing, const char *event) {
  for (const struct listener *at = thing->listeners; at != NULL; at = at->next)
    if (!at->off && strcmp(at->event, event) == 0) return true;
  return false;
}

void several_fire_with(struct actor *thing, const char *event, json_t *result,
                       json_t *given, const char *raw, struct gift *gift) {
  for (struct listener *at = thing->listeners; at != NULL; at = at->next)
    if (strcmp(at->event, event) == 0)
      several_call_with(at, json_incref(result), json_incref(given), raw, gift);
  json_decref(result);
  json_decref(given);
}

void several_fire(struct actor *thing, const char *event, json_t *result,
                  json_t *given) {
  several_fire_with(thing, event, result, given, NULL, NULL);
}

struct listener *several_listen(struct several *host, struct actor *thing,
                                const json_t *value) {
  struct listener *listener = several_callback(host, value);
  if (listener == NULL) listener = several_new(host, sizeof *listener);
  listener->host = host;
  listener->event = several_text(value, "event");
  listener->once = several_true(value, "once");
  struct listener **at = &thing->listeners;
  while (*at != NULL)
    at = &(*at)->next;
  *at = listener;
  return listener;
}

void several_exit(struct several *host, int status) {
  if (!host->ending) {
    host->ending = true;
    host->status = status;
    several_fire(&host->self, "exit", json_integer(status), NULL);
  }
  if (host->parent != NULL && host->parent->channel != NULL &&
      host->table->channel_flush != NULL)
    host->table->channel_flush(host->parent->channel);
  exit(host->status);
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
  several_call(arg, NULL, NULL);
}

static void on_stat(void *arg, int status) {
  several_call(
      arg, status == 0 ? json_string("ok") : several_error_name(status), NULL);
}

static void stat_file(struct several *host, const json_t *value) {
  const struct pl_loop_table *loop = &host->library->loop;
  struct listener *callback = several_callback(host, value);
  void *request = several_new(host, loop->size_of(PL_KIND_STAT));
  if (loop->init(host->loop, PL_KIND_STAT, request, on_stat, callback) != 0 ||
      loop->stat_submit(request,
                        several_place(host, several_text(value, "path"))) != 0)
    several_refuse(host, "fs.stat");
}

static void on_signal(void *arg, int number) {
  several_call(arg, several_status(0, number), NULL);
}

static void catch_signal(struct several *host, const json_t *value) {
  const struct pl_loop_table *loop = &host->library->loop;
  struct actor *thing = several_make(host, ACTOR_SIGNAL, value);
  int number = several_signal(several_text(value, "signal"));
  thing->own = several_new(host, loop->size_of(PL_KIND_SIGNAL));
  if (loop->init(host->loop, PL_KIND_SIGNAL, thing->own, on_signal,
                 several_callback(host, value)) != 0 ||
      loop->signal_start(thing->own, number) != 0)
    several_refuse(host, "signal");
  loop->unref(thing->own); /* a listener of Node's keeps nothing alive */
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
    if (several_text(value, "id") != NULL)
      several_make(host, ACTOR_TIMER, value)->own = object;
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

/* Whether the loop waits for a timer. */
static void keep_alive(struct several *host, const char *name,
                       const json_t *value) {
  const struct pl_loop_table *loop = &host->library->loop;
  const struct actor *timer = several_find(host, value);
  if (timer->kind != ACTOR_TIMER) several_refuse(host, name);
  (strcmp(name, "ref") == 0 ? loop->ref : loop->unref)(timer->own);
}

static void leave(struct several *host, const json_t *value) {
  several_exit(host, json_is_integer(value) ? (int)json_integer_value(value)
                                            : host->status);
}

/* What a process does with itself. */
static bool own_operation(struct several *host, const char *name,
                          const json_t *value) {
  if (strcmp(name, "exit") == 0)
    leave(host, value);
  else if (strcmp(name, "exit-code") == 0)
    host->status = (int)json_integer_value(value);
  else if (strcmp(name, "listener") == 0)
    several_listen(host, &host->self, value);
  else if (strcmp(name, "raise") == 0)
    raise(several_signal(json_string_value(value)));
  else if (strcmp(name, "signal") == 0)
    catch_signal(host, value);
  else if (strcmp(name, "stop") == 0)
    host->library->loop.handle_stop(several_find(host, value)->own);
  else if (strcmp(name, "ref") == 0 || strcmp(name, "unref") == 0)
    keep_alive(host, name, value);
  else if (strcmp(name, "fs.stat") == 0)
    stat_file(host, value);
  else
    return false;
  return true;
}

static void perform_one(struct several *host, const char *name,
                        const json_t *value, const struct frame *frame) {
  if (strcmp(name, "log") == 0)
    log_event(host, value, frame);
  else if (strcmp(name, "given") == 0)
    give(host, value, frame);
  else if (!timer_operation(host, name, value) &&
           !own_operation(host, name, value) &&
           !several_child_operation(host, name, value, frame) &&
           !several_exec_operation(host, name, value) &&
           !several_stream_operation(host, name, value) &&
           !several_channel_operation(host, name, value, frame) &&
           !several_socket_operation(host, name, value, frame) &&
           !several_dgram_operation(host, name, value) &&
           !several_cluster_operation(host, name, value))
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

/* ---- the process --------------------------------------------------------- */

static int begin(struct several *host, const char *role) {
  const struct pl_loop_table *loop = &host->library->loop;
  json_t *program = json_object_get(host->request, "program");
  json_t *body = role == NULL
                     ? json_object_get(program, "main")
                     : json_object_get(json_object_get(program, "roles"), role);
  if (role == NULL) several_check(host);
  host->loop = several_new(host, loop->loop_size());
  struct pl_loop_options options = {.size = sizeof options};
  if (loop->loop_init(host->loop, &options) != 0) return 1;
  if (role != NULL) several_parent(host); /* no child inherits it */
  const struct frame nothing = {0};
  several_perform(host, body, &nothing);
  loop->drain(host->loop);
  do {
    if (loop->run(host->loop, PL_RUN_DEFAULT) < 0) return 1;
    several_fire(&host->self, "before-exit", json_integer(host->status), NULL);
    loop->drain(host->loop);
  } while (loop->alive(host->loop));
  several_exit(host, host->status);
}

int several_run(const struct library *library, const char *path,
                const char *trace, const char *role, const char *id) {
  static struct several host; /* its memory stays reachable */
  static struct pl_processes_table processes;
  static struct pl_cluster_table cluster;
  char request[PATH_MAX];
  json_error_t why;
  snprintf(request, sizeof request, "%s.json", trace);
  host.library = library;
  if (several_tables(library->provider, &processes, &cluster))
    host.table = &processes;
  if (cluster.fork != NULL) host.cluster = &cluster;
  host.self.host = &host;
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

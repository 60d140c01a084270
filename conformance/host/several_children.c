/* SPDX-License-Identifier: MIT */
/*
 * several_children.c: children: what they are started with, what is read from
 * them and written to them, how their end is told.
 *
 * Invariant: `close` is told once, after `exit` and after the end of every
 * stream that is read.
 */
#include "several.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

/* ---- what is started ----------------------------------------------------- */

struct words {
  const char **at;
  size_t count;
};

static void add_word(struct several *host, struct words *words,
                     const char *word) {
  const char **grown =
      several_new(host, (words->count + 2) * sizeof(const char *));
  if (words->count > 0)
    memcpy(grown, words->at, words->count * sizeof(const char *));
  grown[words->count++] = word;
  words->at = grown;
}

static const char *own_executable(struct several *host) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  return several_copy(host, path);
}

static struct words command_of(struct several *host, const json_t *value) {
  struct words words = {0};
  const char *role = several_text(value, "role");
  const char *command = several_text(value, "command");
  const json_t *shell = json_object_get(value, "shell");
  if (role == NULL && shell != NULL && !json_is_false(shell)) {
    add_word(host, &words,
             json_is_string(shell) ? json_string_value(shell) : "/bin/sh");
    add_word(host, &words, "-c");
    add_word(host, &words, command);
  } else if (role == NULL) {
    add_word(host, &words, command);
  } else if (strncmp(role, "peer", 4) == 0) {
    add_word(host, &words, host->peer);
  } else {
    add_word(host, &words, own_executable(host));
    add_word(host, &words, host->path);
  }
  const json_t *args = json_object_get(value, "args");
  for (size_t i = 0; i < json_array_size(args); i++) {
    const char *word = json_string_value(json_array_get(args, i));
    if (strstr(word, "$nul") != NULL) several_refuse(host, "$nul");
    add_word(host, &words, word);
  }
  return words;
}

static void set_variable(struct several *host, struct words *words,
                         const char *name, const char *value) {
  size_t length = strlen(name);
  size_t kept = 0;
  for (size_t i = 0; i < words->count; i++)
    if (strncmp(words->at[i], name, length) != 0 || words->at[i][length] != '=')
      words->at[kept++] = words->at[i];
  words->count = kept;
  if (words->at != NULL) words->at[kept] = NULL;
  if (value == NULL) return;
  char *entry = several_new(host, length + strlen(value) + 2);
  sprintf(entry, "%s=%s", name, value);
  add_word(host, words, entry);
}

static struct words environment_of(struct several *host, const json_t *value) {
  struct words words = {0};
  json_t *only = json_object_get(value, "env-only");
  const char *role = several_text(value, "role"), *name;
  json_t *text;
  for (size_t i = 0; only == NULL && environ[i] != NULL; i++)
    add_word(host, &words, environ[i]);
  json_object_foreach(only, name, text) {
    set_variable(host, &words, name, json_string_value(text));
  }
  json_object_foreach(json_object_get(value, "env"), name, text) {
    set_variable(host, &words, name, json_string_value(text));
  }
  if (role != NULL) {
    const char *id = several_text(value, "id");
    json_t *self = json_pack("[ss]", own_executable(host), host->path);
    char *dumped = json_dumps(self, JSON_COMPACT);
    set_variable(host, &words, "PLUMB_TRACE", host->trace);
    set_variable(host, &words, "PLUMB_ROLE", role);
    set_variable(host, &words, "PLUMB_AS", id != NULL ? id : role);
    set_variable(host, &words, "PLUMB_SELF", dumped);
    free(dumped);
    json_decref(self);
  }
  if (words.at == NULL) words.at = several_new(host, sizeof(const char *));
  return words;
}

static const char *place_of(struct several *host, const json_t *value) {
  const char *cwd = several_text(value, "cwd");
  if (cwd == NULL || cwd[0] == '/') return cwd;
  char *path = several_new(host, strlen(host->dir) + strlen(cwd) + 2);
  sprintf(path, "%s/%s", host->dir, cwd);
  return path;
}

static enum pl_child_stdio_kind kind_of(struct several *host,
                                        const char *word) {
  static const char *const words[] = {"inherit", "ignore", "", "pipe", "ipc"};
  for (int i = 0; word != NULL && i < 5; i++)
    if (strcmp(words[i], word) == 0) return (enum pl_child_stdio_kind)i;
  several_refuse(host, "stdio");
}

static unsigned stdio_of(struct several *host, const json_t *value,
                         bool channel, struct pl_child_stdio *stdio) {
  const json_t *given = json_object_get(value, "stdio");
  bool pipes = !channel || several_true(value, "silent");
  unsigned count = 3;
  for (unsigned i = 0; i < 3; i++)
    stdio[i].kind = pipes ? PL_CHILD_PIPE : PL_CHILD_INHERIT;
  if (json_is_string(given))
    for (unsigned i = 0; i < 3; i++)
      stdio[i].kind = kind_of(host, json_string_value(given));
  if (json_is_array(given)) count = (unsigned)json_array_size(given);
  for (unsigned i = 0; json_is_array(given) && i < count; i++) {
    const json_t *entry = json_array_get(given, i);
    if (json_is_integer(entry))
      stdio[i] =
          (struct pl_child_stdio){PL_CHILD_FD, (int)json_integer_value(entry)};
    else
      stdio[i].kind = kind_of(host, json_string_value(entry));
  }
  if (channel && !json_is_array(given)) stdio[count++].kind = PL_CHILD_CHANNEL;
  for (unsigned i = 0; i < count; i++)
    if (stdio[i].kind == PL_CHILD_INHERIT) stdio[i].fd = (int)i;
  return count;
}

/* ---- streams ------------------------------------------------------------- */

static void maybe_close(struct actor *child) {
  if (!child->exited || child->closed) return;
  for (unsigned i = 1; i < child->stream_count; i++)
    if (child->streams[i].fd >= 0 && !child->streams[i].over) return;
  child->closed = true;
  several_fire(child, "close", several_status(child->code, child->signal), NULL,
               NULL);
}

static void stream_over(struct stream *stream) {
  if (stream->over) return;
  stream->over = true;
  several_call(
      stream->collector,
      several_shown(stream->text != NULL ? stream->text : "", stream->length),
      json_pack("{s:I}", "length", (json_int_t)stream->length), NULL);
  maybe_close(stream->child);
}

static void on_bytes(void *arg, const void *data, ptrdiff_t length) {
  struct stream *stream = arg;
  if (length <= 0) {
    stream->host->library->loop.handle_close(stream->storage, NULL);
    stream_over(stream);
    return;
  }
  size_t wanted = stream->length + (size_t)length;
  if (wanted > stream->room) {
    size_t room = wanted * 2 + 4096;
    char *grown = several_new(stream->host, room);
    if (stream->length > 0) memcpy(grown, stream->text, stream->length);
    stream->text = grown;
    stream->room = room;
  }
  memcpy(stream->text + stream->length, data, (size_t)length);
  stream->length = wanted;
}

static void open_stream(struct stream *stream, int fd) {
  struct several *host = stream->host;
  const struct pl_loop_table *loop = &host->library->loop;
  stream->fd = fd;
  stream->storage = several_new(host, loop->size_of(PL_KIND_STREAM));
  if (loop->init(host->loop, PL_KIND_STREAM, stream->storage, NULL, stream) ||
      loop->stream_open(stream->storage, fd) != 0)
    several_refuse(host, "a stream");
  if (stream->index > 0 && loop->stream_read(stream->storage, on_bytes) != 0)
    several_refuse(host, "reading a stream");
}

struct writing {
  struct stream *stream;
  struct listener *callback;
};

static void end_input(struct stream *stream) {
  if (stream->ending && stream->writing == 0 && !stream->over) {
    stream->over = true;
    shutdown(stream->fd, SHUT_WR);
    stream->host->library->loop.handle_close(stream->storage, NULL);
  }
}

static void on_written(void *arg, int status) {
  struct writing *writing = arg;
  struct stream *stream = writing->stream;
  stream->writing--;
  several_call(writing->callback,
               status == 0 ? json_string("ok") : several_error_name(status),
               NULL, NULL);
  end_input(stream);
}

static void input(struct several *host, const json_t *value) {
  const struct pl_loop_table *loop = &host->library->loop;
  struct actor *child = several_find(host, json_object_get(value, "of"));
  struct stream *stream = &child->streams[0];
  const char *text = several_text(value, "text");
  size_t length =
      text != NULL ? strlen(text) : (size_t)several_number(value, "bytes", 0);
  if (stream->fd < 0) return;
  if (length > 0) {
    struct writing *writing = several_new(host, sizeof *writing);
    char *bytes = several_new(host, length);
    void *request = several_new(host, loop->size_of(PL_KIND_WRITE));
    if (text != NULL)
      memcpy(bytes, text, length);
    else
      memset(bytes, 'x', length);
    *writing = (struct writing){stream, several_callback(host, value)};
    stream->writing++;
    if (loop->init(host->loop, PL_KIND_WRITE, request, on_written, writing) ||
        loop->stream_write(stream->storage, request, bytes, length) != 0)
      several_refuse(host, "writing a stream");
  }
  if (several_true(value, "end")) {
    stream->ending = true;
    end_input(stream);
  }
}

static void collect(struct several *host, const json_t *value) {
  struct actor *child = several_find(host, json_object_get(value, "of"));
  long from = several_number(value, "from", 1);
  if (from >= SEVERAL_STREAMS || child->streams[from].fd < 0)
    several_refuse(host, "collect");
  child->streams[from].collector = several_callback(host, value);
}

static void stop_reading(struct several *host, const json_t *value) {
  struct actor *child = several_find(host, json_object_get(value, "of"));
  struct stream *stream = &child->streams[several_number(value, "from", 1)];
  if (stream->fd < 0 || stream->over) return;
  host->library->loop.handle_close(stream->storage, NULL);
  close(stream->fd);
  stream->over = true;
  maybe_close(child);
}

/* ---- children ------------------------------------------------------------ */

static void on_exit_of(void *arg, int code, int signal) {
  struct actor *child = arg;
  child->exited = true;
  child->code = code;
  child->signal = signal;
  if (child->streams[0].fd >= 0 && !child->streams[0].over) {
    child->streams[0].over = true;
    child->host->library->loop.handle_close(child->streams[0].storage, NULL);
  }
  several_fire(
      child, "exit", several_status(code, signal),
      json_pack("{s:o,s:o}", "code",
                signal == 0 ? json_integer(code) : json_null(), "signal",
                signal == 0 ? json_null() : several_status(code, signal)),
      NULL);
  maybe_close(child);
}

static void tell_spawned(void *arg, int status) {
  struct actor *child = arg;
  (void)status;
  if (child->error == 0) {
    several_fire(child, "spawn", NULL, NULL, NULL);
    return;
  }
  if (!several_listens(child, "error")) {
    fprintf(stderr, "plumb-host: spawn %s: %s\n", child->file,
            strerror(-child->error));
    exit(1);
  }
  char call[512];
  snprintf(call, sizeof call, "spawn %s", child->file);
  several_fire(child, "error", several_error_name(child->error),
               json_pack("{s:s,s:s,s:s,s:i}", "path", child->file, "syscall",
                         call, "spawnargs", child->words, "errno",
                         child->error),
               NULL);
  several_fire(child, "close", json_integer(child->error), NULL, NULL);
}

static void later(struct several *host, void (*what)(void *, int), void *arg) {
  const struct pl_loop_table *loop = &host->library->loop;
  void *task = several_new(host, loop->size_of(PL_KIND_TICK));
  if (loop->init(host->loop, PL_KIND_TICK, task, what, arg) != 0 ||
      loop->tick(task) != 0)
    several_refuse(host, "a tick");
}

static char *joined(struct several *host, const struct words *words,
                    size_t from) {
  size_t length = 1;
  for (size_t i = from; i < words->count; i++)
    length += strlen(words->at[i]) + 1;
  char *text = several_new(host, length), *at = text;
  for (size_t i = from; i < words->count; i++)
    at += sprintf(at, "%s%s", i > from ? " " : "", words->at[i]);
  return text;
}

static void take_streams(struct actor *child,
                         const struct pl_child_stdio *stdio, unsigned count) {
  child->stream_count = count;
  for (unsigned i = 0; i < count; i++) {
    if (stdio[i].kind == PL_CHILD_PIPE)
      open_stream(&child->streams[i], stdio[i].fd);
    else if (stdio[i].kind == PL_CHILD_CHANNEL)
      several_connect(child, stdio[i].fd);
  }
}

static void start(struct several *host, const json_t *value, bool channel) {
  struct pl_child_stdio stdio[SEVERAL_STREAMS] = {0};
  struct words words = command_of(host, value);
  struct words env = environment_of(host, value);
  unsigned count = stdio_of(host, value, channel, stdio), channels = 0;
  for (unsigned i = 0; i < count; i++)
    channels += stdio[i].kind == PL_CHILD_CHANNEL;
  const char *wrong = channel && channels == 0
                          ? "!ERR_CHILD_PROCESS_IPC_REQUIRED"
                      : channels > 1 ? "!ERR_IPC_ONE_PIPE"
                                     : NULL;
  if (wrong != NULL) {
    several_record(host, several_text(value, "log"), json_string(wrong));
    return;
  }
  const struct pl_child_options options = {.size = sizeof options,
                                           .file = words.at[0],
                                           .argv = words.at,
                                           .env = env.at,
                                           .cwd = place_of(host, value),
                                           .stdio = stdio,
                                           .stdio_count = count,
                                           .detached =
                                               several_true(value, "detached"),
                                           .uid = -1};
  struct actor *child = several_make(host, ACTOR_CHILD, value);
  child->process = several_new(host, host->table->process_size);
  child->file = words.at[0];
  child->words = joined(host, &words, 1);
  child->error = host->table->spawn(host->loop, child->process, &options,
                                    on_exit_of, child);
  child->started = child->error == 0;
  if (child->started) take_streams(child, stdio, count);
  later(host, tell_spawned, child);
  if (several_text(value, "log") != NULL)
    several_record(host, several_text(value, "log"), json_string("ok"));
}

/* ---- exec ---------------------------------------------------------------- */

struct running {
  struct several *host;
  struct listener *callback;
  char *words;
};

static void on_done(void *arg, const struct pl_child_result *result) {
  struct running *running = arg;
  json_t *outcome = json_string("ok");
  json_t *given =
      json_pack("{s:o,s:o,s:I,s:I}", "stdout",
                several_shown(result->out, result->out_length), "stderr",
                several_shown(result->err, result->err_length), "stdout-length",
                (json_int_t)result->out_length, "stderr-length",
                (json_int_t)result->err_length);
  if (result->error != 0 || result->code != 0 || result->signal != 0) {
    json_decref(outcome);
    outcome = result->error == -ENOBUFS
                  ? json_string("ERR_CHILD_PROCESS_STDIO_MAXBUFFER")
              : result->signal != 0 ? json_string("Error")
                                    : json_integer(result->code);
    json_object_set_new(given, "code",
                        result->signal == 0 ? json_integer(result->code)
                                            : json_null());
    json_object_set_new(given, "signal",
                        result->signal != 0 ? several_status(-1, result->signal)
                                            : json_null());
    json_object_set_new(given, "killed", json_boolean(result->killed));
    json_object_set_new(given, "cmd", json_string(running->words));
  }
  several_call(running->callback, outcome, given, NULL);
}

static int signal_of(struct several *host, const char *name) {
  for (int number = 1; name != NULL && number < NSIG; number++) {
    const char *known = sigabbrev_np(number);
    if (known != NULL && strncmp(name, "SIG", 3) == 0 &&
        strcmp(name + 3, known) == 0)
      return number;
  }
  (void)host;
  return -1;
}

static void execute(struct several *host, const json_t *value, bool shell) {
  struct words words = command_of(host, value);
  struct words env = environment_of(host, value);
  struct running *running = several_new(host, sizeof *running);
  const char *kill_signal = several_text(value, "kill-signal");
  const struct pl_child_run what = {
      .size = sizeof what,
      .command = shell ? several_text(value, "command") : NULL,
      .child = {.size = sizeof what.child,
                .file = words.at[0],
                .argv = words.at,
                .env = env.at,
                .cwd = place_of(host, value),
                .uid = -1},
      .timeout_ms = (uint64_t)several_number(value, "timeout", 0),
      .kill_signal = kill_signal != NULL ? signal_of(host, kill_signal) : 0,
      .max_buffer = (size_t)several_number(value, "max-buffer", 0)};
  running->host = host;
  running->callback = several_callback(host, value);
  running->words =
      shell ? several_copy(host, what.command) : joined(host, &words, 0);
  int error =
      host->table->exec(host->loop, several_new(host, host->table->exec_size),
                        &what, on_done, running);
  if (error == 0 || running->callback == NULL) return;
  char call[512];
  snprintf(call, sizeof call, "spawn %s", words.at[0]);
  several_call_later(running->callback, several_error_name(error),
                     json_pack("{s:s,s:i,s:s,s:s}", "syscall", call, "errno",
                               error, "stdout", "", "stderr", ""));
}

/* ---- questions ----------------------------------------------------------- */

static void kill_child(struct several *host, const json_t *value) {
  struct actor *child = several_find(host, json_object_get(value, "of"));
  const json_t *signal = json_object_get(value, "signal");
  const char *label = several_text(value, "log");
  int number = signal == NULL ? SIGTERM
               : json_is_integer(signal)
                   ? (int)json_integer_value(signal)
                   : signal_of(host, json_string_value(signal));
  if (number < 0) {
    several_record(host, label, json_string("!ERR_UNKNOWN_SIGNAL"));
    return;
  }
  bool sent = child->started && !child->exited &&
              host->table->kill(child->process, number) == 0;
  if (sent && number != 0) child->killed = true;
  if (label != NULL) several_record(host, label, json_boolean(sent));
}

static json_t *object_or_null(bool there) {
  return json_string(there ? "object" : "null");
}

static void field(struct several *host, const json_t *value) {
  struct actor *child = several_find(host, json_object_get(value, "of"));
  const char *name = several_text(value, "name");
  json_t *told = NULL;
  bool gone = child->exited;
  if (strcmp(name, "pid") == 0)
    told = json_string(child->started ? "number" : "undefined");
  else if (strcmp(name, "connected") == 0)
    told = json_boolean(child->connected);
  else if (strcmp(name, "killed") == 0)
    told = json_boolean(child->killed);
  else if (strcmp(name, "exit-code") == 0)
    told = gone && child->signal == 0 ? json_integer(child->code) : json_null();
  else if (strcmp(name, "signal-code") == 0)
    told = gone && child->signal != 0 ? several_status(-1, child->signal)
                                      : json_null();
  else if (strcmp(name, "spawn-file") == 0)
    told = json_string(child->file);
  else if (strcmp(name, "stdin") == 0)
    told = object_or_null(child->streams[0].fd >= 0);
  else if (strcmp(name, "stdout") == 0)
    told = object_or_null(child->streams[1].fd >= 0);
  else if (strcmp(name, "stdio-length") == 0)
    told = json_integer((json_int_t)child->stream_count);
  else if (strcmp(name, "channel") == 0)
    told = object_or_null(child->channel != NULL && child->connected);
  else
    several_refuse(host, name);
  several_record(host, several_text(value, "log"), told);
}

static void listen_to(struct several *host, const json_t *value) {
  struct actor *child = several_find(host, json_object_get(value, "of"));
  struct listener *listener = several_callback(host, value);
  if (listener == NULL) listener = several_new(host, sizeof *listener);
  listener->host = host;
  listener->event = several_text(value, "event");
  listener->once = several_true(value, "once");
  struct listener **at = &child->listeners;
  while (*at != NULL)
    at = &(*at)->next;
  *at = listener;
}

bool several_child_operation(struct several *host, const char *name,
                             const json_t *argument,
                             const struct frame *frame) {
  (void)frame;
  if (strcmp(name, "spawn") == 0)
    start(host, argument, false);
  else if (strcmp(name, "fork") == 0)
    start(host, argument, true);
  else if (strcmp(name, "exec") == 0)
    execute(host, argument, true);
  else if (strcmp(name, "exec-file") == 0)
    execute(host, argument, false);
  else if (strcmp(name, "kill") == 0)
    kill_child(host, argument);
  else if (strcmp(name, "input") == 0)
    input(host, argument);
  else if (strcmp(name, "collect") == 0)
    collect(host, argument);
  else if (strcmp(name, "stop-reading") == 0)
    stop_reading(host, argument);
  else if (strcmp(name, "child.ref") == 0)
    host->table->process_ref(several_find(host, argument)->process);
  else if (strcmp(name, "child.unref") == 0)
    host->table->process_unref(several_find(host, argument)->process);
  else if (strcmp(name, "when") == 0)
    listen_to(host, argument);
  else if (strcmp(name, "field") == 0)
    field(host, argument);
  else
    return false;
  return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * several_children.c: children: what they are started with, how their end is
 * told, what may be asked of them and of other things.
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
#include <unistd.h>

extern char **environ;

/* ---- what is started ----------------------------------------------------- */

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

struct words several_command(struct several *host, const json_t *value) {
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
  for (size_t i = 0; i < json_array_size(args); i++)
    add_word(host, &words, json_string_value(json_array_get(args, i)));
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

struct words several_environment(struct several *host, const json_t *value) {
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

/* ---- children ------------------------------------------------------------ */

void several_close_child(struct actor *child) {
  if (!child->exited || child->closed) return;
  for (unsigned i = 1; i < child->stream_count; i++)
    if (child->streams[i].fd >= 0 && !child->streams[i].over) return;
  child->closed = true;
  several_fire(child, "close", several_status(child->code, child->signal),
               NULL);
}

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
                signal == 0 ? json_null() : several_status(code, signal)));
  several_close_child(child);
}

static void on_started(void *arg, int error) {
  struct actor *child = arg;
  if (error == 0) {
    several_fire(child, "spawn", NULL, NULL);
    return;
  }
  if (!several_listens(child, "error")) {
    fprintf(stderr, "plumb-host: spawn %s: %s\n", child->file,
            strerror(-error));
    exit(1);
  }
  char call[512];
  snprintf(call, sizeof call, "spawn %s", child->file);
  several_fire(child, "error", several_error_name(error),
               json_pack("{s:s,s:s,s:s,s:i}", "path", child->file, "syscall",
                         call, "spawnargs", child->words, "errno", error));
  several_fire(child, "close", json_integer(error), NULL);
}

static const struct pl_child_calls child_calls = {
    .size = sizeof child_calls, .started = on_started, .exited = on_exit_of};

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
                         const struct pl_child_options *what) {
  child->stream_count = what->stdio_count;
  for (unsigned i = 0; i < what->stdio_count; i++) {
    if (what->stdio[i].kind == PL_CHILD_PIPE)
      several_open_stream(&child->streams[i], what->stdio[i].fd);
    else if (what->stdio[i].kind == PL_CHILD_CHANNEL)
      several_connect(child, what->stdio[i].fd, what->advanced);
  }
}

/* The code of what the call throws, or NULL. */
static const char *thrown(const json_t *value, bool channel, unsigned channels,
                          const char *mode) {
  const char *name = several_text(value, "kill-signal");
  if (channel && channels == 0) return "!ERR_CHILD_PROCESS_IPC_REQUIRED";
  if (channels > 1) return "!ERR_IPC_ONE_PIPE";
  if (mode != NULL && strcmp(mode, "json") != 0 &&
      strcmp(mode, "advanced") != 0)
    return "!ERR_INVALID_ARG_VALUE";
  return name != NULL && several_signal(name) < 0 ? "!ERR_UNKNOWN_SIGNAL"
                                                  : NULL;
}

static void start(struct several *host, const json_t *value, bool channel) {
  struct pl_child_stdio stdio[SEVERAL_STREAMS] = {0};
  struct words words = several_command(host, value);
  struct words env = several_environment(host, value);
  const char *mode = several_text(value, "serialization");
  const char *label = several_text(value, "log");
  const char *kill_signal = several_text(value, "kill-signal");
  unsigned count = stdio_of(host, value, channel, stdio), channels = 0;
  for (unsigned i = 0; i < count; i++)
    channels += stdio[i].kind == PL_CHILD_CHANNEL;
  const char *wrong = thrown(value, channel, channels, mode);
  if (wrong != NULL) {
    several_record(host, label, json_string(wrong));
    return;
  }
  struct actor *child = several_make(host, ACTOR_CHILD, value);
  child->file = words.at[0];
  if (several_text(value, "argv0") != NULL)
    words.at[0] = several_text(value, "argv0");
  child->words = joined(host, &words, 1);
  const struct pl_child_options options = {
      .size = sizeof options,
      .file = child->file,
      .argv = words.at,
      .env = env.at,
      .cwd = several_place(host, several_text(value, "cwd")),
      .stdio = stdio,
      .stdio_count = count,
      .detached = several_true(value, "detached"),
      .uid = (int)several_number(value, "uid", -1),
      .advanced = mode != NULL && strcmp(mode, "advanced") == 0,
      .timeout_ms = (uint64_t)several_number(value, "timeout", 0),
      .kill_signal = kill_signal != NULL ? several_signal(kill_signal) : 0};
  child->process = several_new(host, host->table->process_size);
  int error = host->table->spawn(host->loop, child->process, &options,
                                 &child_calls, child);
  if (error == 0 && host->table->pid(child->process) != 0)
    take_streams(child, &options);
  char code[40] = "ok";
  if (error != 0) snprintf(code, sizeof code, "!%s", strerrorname_np(-error));
  if (label != NULL)
    several_record(host, label, json_string(code));
  else if (error != 0)
    several_exit(host, 1); /* an uncaught exception */
}

/* ---- questions ----------------------------------------------------------- */

static bool send_signal(struct actor *thing, int number) {
  const struct pl_processes_table *table = thing->host->table;
  if (thing->kind == ACTOR_WORKER) return several_worker_kill(thing, number);
  if (thing->kind == ACTOR_EXEC)
    return table->exec_kill(thing->process, number) == 0;
  return table->kill(thing->process, number) == 0;
}

static void kill_child(struct several *host, const json_t *value) {
  struct actor *child = several_find(host, json_object_get(value, "of"));
  const json_t *signal = json_object_get(value, "signal");
  const char *label = several_text(value, "log");
  int number = signal == NULL ? SIGTERM
               : json_is_integer(signal)
                   ? (int)json_integer_value(signal)
                   : several_signal(json_string_value(signal));
  if (number < 0) {
    several_record(host, label, json_string("!ERR_UNKNOWN_SIGNAL"));
    return;
  }
  bool sent = send_signal(child, number);
  if (label != NULL) several_record(host, label, json_boolean(sent));
}

static json_t *child_field(struct actor *child, const char *name) {
  const struct pl_processes_table *table = child->host->table;
  bool gone = child->exited;
  if (strcmp(name, "pid") == 0)
    return json_string(table->pid(child->process) != 0 ? "number"
                                                       : "undefined");
  if (strcmp(name, "connected") == 0)
    return json_boolean(several_connected(child));
  if (strcmp(name, "killed") == 0)
    return json_boolean(table->killed(child->process));
  if (strcmp(name, "exit-code") == 0)
    return gone && child->signal == 0 ? json_integer(child->code) : json_null();
  if (strcmp(name, "signal-code") == 0)
    return gone && child->signal != 0 ? several_status(-1, child->signal)
                                      : json_null();
  if (strcmp(name, "spawn-file") == 0) return json_string(child->file);
  if (strcmp(name, "spawn-args") == 0) {
    char whole[1024];
    snprintf(whole, sizeof whole, "%s%s%s", child->file,
             child->words[0] != '\0' ? " " : "", child->words);
    return json_string(whole);
  }
  if (strcmp(name, "stdin") == 0)
    return several_kind(child->streams[0].fd >= 0);
  if (strcmp(name, "stdout") == 0)
    return several_kind(child->streams[1].fd >= 0);
  if (strcmp(name, "stdio-length") == 0)
    return json_integer((json_int_t)child->stream_count);
  if (strcmp(name, "channel") == 0)
    return several_kind(several_connected(child));
  return NULL;
}

static void field(struct several *host, const json_t *value) {
  struct actor *thing = several_find(host, json_object_get(value, "of"));
  const char *name = several_text(value, "name");
  json_t *told = NULL;
  if (thing->kind == ACTOR_CHILD)
    told = child_field(thing, name);
  else if (thing->kind == ACTOR_RESULT)
    told = json_incref(json_object_get(thing->own, name));
  else if (thing->kind == ACTOR_SERVER || thing->kind == ACTOR_CONNECTION)
    told = several_socket_field(thing, name);
  else if (thing->kind == ACTOR_UDP)
    told = several_udp_field(thing, name);
  else if (thing->kind == ACTOR_WORKER)
    told = several_worker_field(thing, name);
  if (told == NULL) several_refuse(host, name);
  several_record(host, several_text(value, "log"), told);
}

static void when(struct several *host, const json_t *value) {
  struct actor *thing = several_find(host, json_object_get(value, "of"));
  struct listener *listener = several_listen(host, thing, value);
  if (thing->kind == ACTOR_CONNECTION && strcmp(listener->event, "data") == 0)
    several_flow(thing);
}

bool several_child_operation(struct several *host, const char *name,
                             const json_t *argument,
                             const struct frame *frame) {
  (void)frame;
  if (strcmp(name, "spawn") == 0)
    start(host, argument, false);
  else if (strcmp(name, "fork") == 0)
    start(host, argument, true);
  else if (strcmp(name, "kill") == 0)
    kill_child(host, argument);
  else if (strcmp(name, "child.ref") == 0)
    host->table->process_ref(several_find(host, argument)->process);
  else if (strcmp(name, "child.unref") == 0)
    host->table->process_unref(several_find(host, argument)->process);
  else if (strcmp(name, "when") == 0)
    when(host, argument);
  else if (strcmp(name, "field") == 0)
    field(host, argument);
  else
    return false;
  return true;
}

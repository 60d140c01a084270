/* SPDX-License-Identifier: MIT */
/*
 * several_exec.c: programs that are run to their end, with what they wrote:
 * with a callback, or blocking.
 */
#include "several.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What is run, as an operation says it. */
static struct pl_child_run what_to_run(struct several *host,
                                       const json_t *value, bool shell,
                                       struct words *words) {
  struct words env = several_environment(host, value);
  const char *kill_signal = several_text(value, "kill-signal");
  const char *input = several_text(value, "input");
  if (!shell) *words = several_command(host, value);
  return (struct pl_child_run){
      .size = sizeof(struct pl_child_run),
      .command = shell ? several_text(value, "command") : NULL,
      .child = {.size = sizeof(struct pl_child_options),
                .file = shell ? NULL : words->at[0],
                .argv = words->at,
                .env = env.at,
                .cwd = several_place(host, several_text(value, "cwd")),
                .uid = (int)several_number(value, "uid", -1)},
      .timeout_ms = (uint64_t)several_number(value, "timeout", 0),
      .kill_signal = kill_signal != NULL ? several_signal(kill_signal) : 0,
      .max_buffer = (size_t)several_number(value, "max-buffer", 0),
      .input = input,
      .input_length = input != NULL ? strlen(input) : 0};
}

static json_t *code_of(const struct pl_child_result *result) {
  return result->signal == 0 ? json_integer(result->code) : json_null();
}

static json_t *signal_of(const struct pl_child_result *result) {
  return result->signal != 0 ? several_status(-1, result->signal) : json_null();
}

/* ---- with a callback -------------------------------------------------------
 */

struct running {
  struct actor *thing;
  struct listener *callback;
  const char *line;
};

static json_t *outcome_of(const struct pl_child_result *result) {
  if (result->error == -ENOBUFS)
    return json_string("ERR_CHILD_PROCESS_STDIO_MAXBUFFER");
  if (result->signal != 0) return json_string("Error");
  return result->code == 0 ? json_string("ok") : json_integer(result->code);
}

static void on_done(void *arg, const struct pl_child_result *result) {
  struct running *running = arg;
  struct actor *thing = running->thing;
  json_t *given = json_pack(
      "{s:o,s:o,s:I,s:I,s:o,s:o,s:b,s:s}", "stdout",
      several_shown(result->out, result->out_length), "stderr",
      several_shown(result->err, result->err_length), "stdout-length",
      (json_int_t)result->out_length, "stderr-length",
      (json_int_t)result->err_length, "code", code_of(result), "signal",
      signal_of(result), "killed", result->killed, "cmd", running->line);
  json_t *status = result->signal != 0 ? signal_of(result) : code_of(result);
  thing->exited = true;
  if (thing->streams[0].fd >= 0 && !thing->streams[0].over) {
    thing->streams[0].over = true;
    thing->host->library->loop.handle_close(thing->streams[0].storage, NULL);
  }
  several_fire(thing, "exit", json_incref(status), NULL);
  several_fire(thing, "close", status, NULL);
  several_call(running->callback, outcome_of(result), given);
}

static const char *line_of(struct several *host, const struct words *words) {
  struct bytes line = {0};
  for (size_t i = 0; i < words->count; i++) {
    if (i > 0) several_append(host, &line, " ", 1);
    several_append(host, &line, words->at[i], strlen(words->at[i]));
  }
  several_append(host, &line, "", 1);
  return line.at;
}

static void execute(struct several *host, const json_t *value, bool shell) {
  struct words words = {0};
  struct pl_child_run what = what_to_run(host, value, shell, &words);
  struct running *running = several_new(host, sizeof *running);
  running->thing = several_make(host, ACTOR_EXEC, value);
  running->thing->process = several_new(host, host->table->exec_size);
  running->callback = several_callback(host, value);
  running->line = shell ? what.command : line_of(host, &words);
  struct stream *input = &running->thing->streams[0];
  int fd = -1;
  if (running->thing->id != NULL) what.input_fd = &fd; /* it may be written */
  int error = host->table->exec(host->loop, running->thing->process, &what,
                                on_done, running);
  if (fd >= 0) several_open_stream(input, fd);
  if (error == 0) return;
  char call[512];
  snprintf(call, sizeof call, "spawn %s", shell ? "/bin/sh" : words.at[0]);
  several_call_later(running->callback, several_error_name(error),
                     json_pack("{s:s,s:i,s:s,s:s}", "syscall", call, "errno",
                               error, "stdout", "", "stderr", ""));
}

/* ---- blocking
 * ---------------------------------------------------------------- */

static void on_result(void *arg, const struct pl_child_result *result) {
  json_t **told = arg;
  json_t *error =
      result->error != 0 ? several_error_name(result->error) : json_null();
  *told = json_pack("{s:o,s:o,s:o,s:o,s:I,s:i,s:o,s:s}", "status",
                    code_of(result), "signal", signal_of(result), "stdout",
                    several_shown(result->out, result->out_length), "stderr",
                    several_shown(result->err, result->err_length),
                    "stdout-length", (json_int_t)result->out_length,
                    "output-length", 3, "error", error, "pid", "number");
}

/* What exec-sync throws: a code, the signal, or the status; takes nothing. */
static json_t *thrown(const json_t *result) {
  static const char *const members[] = {"error", "signal", "status"};
  char text[64];
  for (size_t i = 0; i < 3; i++) {
    const json_t *member = json_object_get(result, members[i]);
    if (json_is_null(member)) continue;
    if (json_is_string(member))
      snprintf(text, sizeof text, "!%s", json_string_value(member));
    else if (json_integer_value(member) == 0)
      break;
    else
      snprintf(text, sizeof text, "!%d", (int)json_integer_value(member));
    return json_string(text);
  }
  return json_string("ok");
}

/* A channel that nobody could serve meanwhile. */
static bool wants_channel(const json_t *value) {
  const json_t *stdio = json_object_get(value, "stdio");
  for (size_t i = 0; i < json_array_size(stdio); i++) {
    const char *word = json_string_value(json_array_get(stdio, i));
    if (word != NULL && strcmp(word, "ipc") == 0) return true;
  }
  return false;
}

static void wait_for(struct several *host, const json_t *value, bool shell) {
  struct words words = {0};
  const char *line = several_text(value, "command");
  const json_t *asked = json_object_get(value, "shell");
  const struct pl_child_run what = what_to_run(
      host, value, shell || (line != NULL && json_is_true(asked)), &words);
  json_t *told = NULL;
  if (wants_channel(value)) {
    several_record(host, several_text(value, "log"),
                   json_string("!ERR_IPC_SYNC_FORK"));
    return;
  }
  int error = host->table->run(&what, on_result, &told);
  if (error != 0)
    told = json_pack("{s:o,s:n,s:n}", "error", several_error_name(error),
                     "status", "signal");
  struct actor *thing = several_make(host, ACTOR_RESULT, value);
  thing->own = told;
  json_t *outcome = shell ? thrown(told) : json_string("ok");
  if (several_text(value, "log") != NULL)
    several_record(host, several_text(value, "log"), outcome);
  else
    json_decref(outcome);
}

bool several_exec_operation(struct several *host, const char *name,
                            const json_t *argument) {
  if (strcmp(name, "exec") == 0)
    execute(host, argument, true);
  else if (strcmp(name, "exec-file") == 0)
    execute(host, argument, false);
  else if (strcmp(name, "spawn-sync") == 0)
    wait_for(host, argument, false);
  else if (strcmp(name, "exec-sync") == 0)
    wait_for(host, argument, true);
  else
    return false;
  return true;
}

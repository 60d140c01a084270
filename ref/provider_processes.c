/* SPDX-License-Identifier: MIT */
/*
 * provider_processes.c: the reference's processes and channels for the suite.
 *
 * Invariant: a function here calls one function of the reference; the text of a
 * message is written from the value that the reference has read.
 */
#include "provider_processes_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plumb/ipc.h"
#include "plumb/process.h"

/* ---- processes ----------------------------------------------------------- */

/* Gives the options in the reference's words; `stdio` has room for them. */
static struct pl_spawn_options options_of(const struct pl_child_options *what,
                                          struct pl_stdio *stdio) {
  for (unsigned i = 0; i < what->stdio_count; i++)
    stdio[i] = (struct pl_stdio){(enum pl_stdio_kind)what->stdio[i].kind,
                                 what->stdio[i].fd};
  return (struct pl_spawn_options){.file = what->file,
                                   .argv = what->argv,
                                   .env = what->env,
                                   .cwd = what->cwd,
                                   .stdio = stdio,
                                   .stdio_count = what->stdio_count,
                                   .detached = what->detached != 0,
                                   .set_uid = what->uid >= 0,
                                   .uid = (uid_t)what->uid};
}

enum { MOST_STDIO = 16 };

static int ref_spawn(void *loop, void *storage,
                     const struct pl_child_options *what,
                     pl_child_exited *exited, void *arg) {
  struct pl_stdio stdio[MOST_STDIO];
  if (what->stdio_count > MOST_STDIO) return PL_EINVAL;
  struct pl_spawn_options options = options_of(what, stdio);
  pl_process_init(loop, storage, exited, arg);
  int error = pl_process_spawn(storage, &options);
  for (unsigned i = 0; error == 0 && i < what->stdio_count; i++)
    what->stdio[i].fd = stdio[i].fd;
  return error;
}

static long ref_pid(const void *process) {
  return pl_process_pid(process);
}
static int ref_kill(void *process, int signum) {
  return pl_process_kill(process, signum);
}
static void ref_process_ref(void *process) {
  pl_process_ref(process);
}
static void ref_process_unref(void *process) {
  pl_process_unref(process);
}

struct ref_exec {
  struct pl_exec exec;
  pl_child_done *done;
  void *arg;
};

static void exec_done(void *arg, const struct pl_exec_result *result) {
  const struct ref_exec *exec = arg;
  const struct pl_child_result told = {.error = result->error,
                                       .code = result->code,
                                       .signal = result->signal,
                                       .killed = result->killed,
                                       .out = result->out,
                                       .err = result->err,
                                       .out_length = result->out_length,
                                       .err_length = result->err_length};
  exec->done(exec->arg, &told);
}

static int ref_exec_start(void *loop, void *storage,
                          const struct pl_child_run *what, pl_child_done *done,
                          void *arg) {
  struct ref_exec *exec = storage;
  const struct pl_exec_options options = {.command = what->command,
                                          .spawn =
                                              options_of(&what->child, NULL),
                                          .timeout_ms = what->timeout_ms,
                                          .kill_signal = what->kill_signal,
                                          .max_buffer = what->max_buffer};
  exec->done = done;
  exec->arg = arg;
  return pl_exec_start(loop, &exec->exec, &options, exec_done, exec);
}

/* ---- values as text ------------------------------------------------------ */

static void write_string(FILE *out, const char *bytes, size_t length) {
  putc('"', out);
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c == '"' || c == '\\')
      fprintf(out, "\\%c", c);
    else if (c < 0x20)
      fprintf(out, "\\u%04x", c);
    else
      putc(c, out);
  }
  putc('"', out);
}

static void write_number(FILE *out, double number) {
  char text[40];
  if (isnan(number)) {
    fputs("NaN", out);
  } else if (isinf(number)) {
    fputs(number < 0 ? "-Infinity" : "Infinity", out);
  } else {
    for (int digits = 15; digits <= 17;
         digits++) { /* the shortest that holds */
      snprintf(text, sizeof text, "%.*g", digits, number);
      if (strtod(text, NULL) == number) break;
    }
    fputs(text, out);
  }
}

static void write_value(FILE *out, const struct pl_value *value);

static void write_entries(FILE *out, const struct pl_value *value) {
  bool object = value->type == PL_VALUE_OBJECT;
  putc(object ? '{' : '[', out);
  for (const struct pl_entry *at = value->first; at != NULL; at = at->next) {
    if (at != value->first) putc(',', out);
    if (object) {
      write_string(out, at->key->bytes, at->key->length);
      putc(':', out);
    }
    write_value(out, at->value);
  }
  putc(object ? '}' : ']', out);
}

/* JSON's values; the channels here have no others. */
static void write_value(FILE *out, const struct pl_value *value) {
  switch (value->type) {
  case PL_VALUE_FALSE:
    fputs("false", out);
    break;
  case PL_VALUE_TRUE:
    fputs("true", out);
    break;
  case PL_VALUE_NUMBER:
    write_number(out, value->number);
    break;
  case PL_VALUE_STRING:
    write_string(out, value->bytes, value->length);
    break;
  case PL_VALUE_ARRAY:
  case PL_VALUE_OBJECT:
    write_entries(out, value);
    break;
  default:
    fputs("null", out);
  }
}

/* ---- channels ------------------------------------------------------------ */

struct ref_channel {
  struct pl_channel channel;
  const struct pl_channel_calls *calls;
  void *arg;
};

static void tell(const struct ref_channel *channel, struct pl_message *message,
                 void (*call)(void *, const struct pl_channel_text *)) {
  char *json = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&json, &length);
  if (out == NULL) return;
  write_value(out, message->value);
  if (fclose(out) == 0)
    call(channel->arg, &(struct pl_channel_text){
                           json, length, pl_handle_type_name(message->type)});
  free(json);
}

static void on_message(void *arg, struct pl_message *message) {
  const struct ref_channel *channel = arg;
  tell(channel, message, channel->calls->message);
}
static void on_internal(void *arg, struct pl_message *message) {
  const struct ref_channel *channel = arg;
  tell(channel, message, channel->calls->internal);
}
static void on_problem(void *arg, int error, const char *what) {
  const struct ref_channel *channel = arg;
  (void)what;
  channel->calls->problem(channel->arg, error);
}
static void on_ended(void *arg, int reason) {
  const struct ref_channel *channel = arg;
  channel->calls->ended(channel->arg, reason);
}

static const struct pl_channel_events channel_events = {.message = on_message,
                                                        .internal = on_internal,
                                                        .problem = on_problem,
                                                        .ended = on_ended};

static struct ref_channel *prepare(void *loop, void *storage,
                                   const struct pl_channel_calls *calls,
                                   void *arg) {
  struct ref_channel *channel = storage;
  channel->calls = calls;
  channel->arg = arg;
  pl_channel_init(loop, &channel->channel, &channel_events, channel);
  return channel;
}

static int ref_channel_open(void *loop, void *storage, int fd,
                            const struct pl_channel_calls *calls, void *arg) {
  struct ref_channel *channel = prepare(loop, storage, calls, arg);
  return pl_channel_open(&channel->channel, fd, NULL);
}

static int ref_channel_open_parent(void *loop, void *storage,
                                   const struct pl_channel_calls *calls,
                                   void *arg) {
  struct ref_channel *channel = prepare(loop, storage, calls, arg);
  return pl_channel_open_parent(&channel->channel, NULL);
}

static void send_written(struct pl_send *send, int status) {
  const struct pl_channel_sent *sent = send->arg;
  sent->written(sent->arg, status);
}

_Static_assert(sizeof(struct pl_send) <=
                   sizeof((struct pl_channel_sent *)NULL)->own,
               "a request of the reference fits");

static int ref_send(void *storage, const char *json, size_t length,
                    struct pl_channel_sent *sent) {
  struct ref_channel *channel = storage;
  struct pl_send *send = sent != NULL ? (struct pl_send *)sent->own : NULL;
  if (send != NULL) {
    send->written = send_written;
    send->arg = sent;
  }
  return pl_channel_send_text(&channel->channel, json, length, NULL, send);
}

static int ref_disconnect(void *storage) {
  return pl_channel_disconnect(&((struct ref_channel *)storage)->channel);
}

static int ref_channel_close(void *storage) {
  return pl_channel_close(&((struct ref_channel *)storage)->channel, NULL);
}
static int ref_connected(const void *storage) {
  return pl_channel_is_connected(
      &((const struct ref_channel *)storage)->channel);
}
static void ref_pause(void *storage) {
  pl_channel_pause(&((struct ref_channel *)storage)->channel);
}
static void ref_resume(void *storage) {
  pl_channel_resume(&((struct ref_channel *)storage)->channel);
}
static void ref_channel_ref(void *storage) {
  pl_channel_ref(&((struct ref_channel *)storage)->channel);
}
static void ref_channel_unref(void *storage) {
  pl_channel_unref(&((struct ref_channel *)storage)->channel);
}

const struct pl_processes_table ref_processes_table = {
    .size = sizeof(struct pl_processes_table),
    .process_size = sizeof(struct pl_process),
    .exec_size = sizeof(struct ref_exec),
    .channel_size = sizeof(struct ref_channel),
    .spawn = ref_spawn,
    .pid = ref_pid,
    .kill = ref_kill,
    .process_ref = ref_process_ref,
    .process_unref = ref_process_unref,
    .exec = ref_exec_start,
    .channel_open = ref_channel_open,
    .channel_open_parent = ref_channel_open_parent,
    .send = ref_send,
    .channel_close = ref_channel_close,
    .disconnect = ref_disconnect,
    .connected = ref_connected,
    .pause = ref_pause,
    .resume = ref_resume,
    .channel_ref = ref_channel_ref,
    .channel_unref = ref_channel_unref,
};

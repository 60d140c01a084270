/* SPDX-License-Identifier: MIT */
/*
 * provider_processes.c: the reference's processes and channels for the suite.
 *
 * Invariant: a function here calls one function of the reference; the text of a
 * message is written from the value that the reference has read
 * (provider_values.c).
 */
#include "provider_processes_table.h"

#include <string.h>

#include "plumb/process.h"
#include "provider_values.h"

/* ---- processes ----------------------------------------------------------- */

struct pl_spawn_options ref_options_of(const struct pl_child_options *what,
                                       struct pl_stdio *stdio) {
  for (unsigned i = 0; i < what->stdio_count; i++)
    stdio[i] = (struct pl_stdio){(enum pl_stdio_kind)what->stdio[i].kind,
                                 what->stdio[i].fd};
  return (struct pl_spawn_options){
      .file = what->file,
      .argv = what->argv,
      .env = what->env,
      .cwd = what->cwd,
      .stdio = stdio,
      .stdio_count = what->stdio_count,
      .detached = what->detached != 0,
      .set_uid = what->uid >= 0,
      .uid = (uid_t)what->uid,
      .channel_mode = what->advanced ? PL_CHANNEL_ADVANCED : PL_CHANNEL_JSON};
}

enum { MOST_STDIO = 16 };

struct ref_process {
  struct pl_child child;
  const struct pl_child_calls *calls;
  void *arg;
};

static void on_started(void *arg, int status) {
  const struct ref_process *process = arg;
  process->calls->started(process->arg, status);
}
static void on_exited(void *arg, int code, int signum) {
  const struct ref_process *process = arg;
  process->calls->exited(process->arg, code, signum);
}

static int ref_spawn(void *loop, void *storage,
                     const struct pl_child_options *what,
                     const struct pl_child_calls *calls, void *arg) {
  struct ref_process *process = storage;
  struct pl_stdio stdio[MOST_STDIO];
  if (what->stdio_count > MOST_STDIO) return PL_EINVAL;
  struct pl_spawn_options options = ref_options_of(what, stdio);
  const struct pl_child_limits limits = {what->timeout_ms, what->kill_signal};
  process->calls = calls;
  process->arg = arg;
  pl_child_init(loop, &process->child, on_started, on_exited, process);
  int error = pl_child_spawn(&process->child, &options, &limits);
  for (unsigned i = 0; error == 0 && i < what->stdio_count; i++)
    what->stdio[i].fd = stdio[i].fd;
  return error;
}

static long ref_pid(const void *storage) {
  return pl_process_pid(&((const struct ref_process *)storage)->child.process);
}
static int ref_kill(void *storage, int signum) {
  return pl_child_kill(&((struct ref_process *)storage)->child, signum);
}
static int ref_killed(const void *storage) {
  return ((const struct ref_process *)storage)->child.killed;
}
static void ref_process_ref(void *storage) {
  pl_process_ref(&((struct ref_process *)storage)->child.process);
}
static void ref_process_unref(void *storage) {
  pl_process_unref(&((struct ref_process *)storage)->child.process);
}

struct ref_exec {
  struct pl_exec exec;
  pl_child_done *done;
  void *arg;
};

static void exec_done(void *arg, const struct pl_exec_result *result) {
  const struct ref_exec *exec = arg;
  const struct pl_child_result told = {
      .error = result->timed_out && result->error == 0 ? PL_ETIMEDOUT
                                                       : result->error,
      .code = result->code,
      .signal = result->signal,
      .killed = result->killed,
      .out = result->out,
      .err = result->err,
      .out_length = result->out_length,
      .err_length = result->err_length};
  exec->done(exec->arg, &told);
}

static struct pl_exec_options exec_options(const struct pl_child_run *what) {
  return (struct pl_exec_options){.command = what->command,
                                  .spawn = ref_options_of(&what->child, NULL),
                                  .timeout_ms = what->timeout_ms,
                                  .kill_signal = what->kill_signal,
                                  .max_buffer = what->max_buffer,
                                  .input = what->input,
                                  .input_length = what->input_length,
                                  .input_fd = what->input_fd};
}

static int ref_exec_start(void *loop, void *storage,
                          const struct pl_child_run *what, pl_child_done *done,
                          void *arg) {
  struct ref_exec *exec = storage;
  const struct pl_exec_options options = exec_options(what);
  exec->done = done;
  exec->arg = arg;
  return pl_exec_start(loop, &exec->exec, &options, exec_done, exec);
}

static int ref_exec_kill(void *storage, int signum) {
  return pl_exec_signal(&((struct ref_exec *)storage)->exec, signum);
}

static int ref_exec_run(const struct pl_child_run *what, pl_child_done *done,
                        void *arg) {
  const struct pl_exec_options options = exec_options(what);
  struct ref_exec exec = {.done = done, .arg = arg};
  return pl_exec_run(&options, exec_done, &exec);
}

/* ---- channels ------------------------------------------------------------ */

/* The channel comes first: a cluster's channels are none but that, and take the
 * same functions. */
struct ref_channel {
  struct pl_channel channel;
  const struct pl_channel_calls *calls;
  void *arg;
};

static void on_message(void *arg, struct pl_message *message) {
  const struct ref_channel *channel = arg;
  ref_tell_message(message, channel->arg, channel->calls->message);
}
static void on_internal(void *arg, struct pl_message *message) {
  const struct ref_channel *channel = arg;
  ref_tell_message(message, channel->arg, channel->calls->internal);
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

static int ref_channel_open_advanced(void *loop, void *storage, int fd,
                                     const struct pl_channel_calls *calls,
                                     void *arg) {
  struct ref_channel *channel = prepare(loop, storage, calls, arg);
  const struct pl_channel_config config = {.mode = PL_CHANNEL_ADVANCED};
  return pl_channel_open(&channel->channel, fd, &config);
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

static struct pl_send *request_of(struct pl_channel_sent *sent) {
  if (sent == NULL) return NULL;
  struct pl_send *send = (struct pl_send *)sent->own;
  send->written = send_written;
  send->arg = sent;
  return send;
}

/* The number of a handle's type; one that is none is refused by the send. */
static uint8_t type_of(const char *name) {
  for (int type = PL_HANDLE_NET_SOCKET; type <= PL_HANDLE_DGRAM_NATIVE; type++)
    if (strcmp(pl_handle_type_name(type), name) == 0) return (uint8_t)type;
  return PL_HANDLE_NONE;
}

static int ref_send_value(void *storage, const char *json, size_t length,
                          const struct pl_channel_passing *passing,
                          struct pl_channel_sent *sent) {
  struct pl_values values;
  struct pl_value *value;
  struct pl_passing handle = {.fd = -1};
  if (passing != NULL)
    handle = (struct pl_passing){.type = type_of(passing->type),
                                 .keep_open = passing->keep_open != 0,
                                 .fd = passing->fd,
                                 .key = passing->key};
  pl_values_init(&values, NULL);
  int result = ref_value_read(&values, json, length, &value);
  if (result == 0)
    result = pl_channel_send(storage, value, passing != NULL ? &handle : NULL,
                             request_of(sent));
  pl_values_free(&values);
  return result;
}

static int ref_send(void *storage, const char *json, size_t length,
                    struct pl_channel_sent *sent) {
  struct ref_channel *channel = storage;
  return pl_channel_send_text(&channel->channel, json, length, NULL,
                              request_of(sent));
}

static int ref_disconnect(void *storage) {
  return pl_channel_disconnect(storage);
}

static int ref_channel_close(void *storage) {
  return pl_channel_close(&((struct ref_channel *)storage)->channel, NULL);
}
static int ref_connected(const void *storage) {
  return pl_channel_is_connected(storage);
}
static void ref_pause(void *storage) {
  pl_channel_pause(&((struct ref_channel *)storage)->channel);
}
static void ref_resume(void *storage) {
  pl_channel_resume(&((struct ref_channel *)storage)->channel);
}
static void ref_channel_ref(void *storage) {
  pl_channel_ref(storage);
}
static void ref_channel_unref(void *storage) {
  pl_channel_unref(storage);
}

_Static_assert((int)PL_LISTEN_MESSAGE == (int)PL_LISTENS_MESSAGE &&
                   (int)PL_LISTEN_INTERNAL == (int)PL_LISTENS_INTERNAL &&
                   (int)PL_LISTEN_DISCONNECT == (int)PL_LISTENS_DISCONNECT,
               "what is listened to passes through unchanged");

static void ref_channel_flush(void *storage) {
  pl_channel_flush(storage);
}

static void ref_channel_listen(void *storage, unsigned what) {
  pl_channel_listen(&((struct ref_channel *)storage)->channel, what);
}

const struct pl_processes_table ref_processes_table = {
    .size = sizeof(struct pl_processes_table),
    .process_size = sizeof(struct ref_process),
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
    .killed = ref_killed,
    .exec_kill = ref_exec_kill,
    .run = ref_exec_run,
    .channel_open_advanced = ref_channel_open_advanced,
    .channel_listen = ref_channel_listen,
    .send_value = ref_send_value,
    .channel_flush = ref_channel_flush,
    .cluster = &ref_cluster_table,
};

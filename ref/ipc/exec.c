/* SPDX-License-Identifier: MIT */
/*
 * exec.c: a program that is run to its end, with what it said.
 *
 * Invariant: `open` counts the handles that are not closed; when the process
 * has ended and both of its outputs have, all of them are closed, and the last
 * one to be so tells.
 */
#include "value.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "plumb/process.h"

static void on_handle_closed(struct pl_exec *exec) {
  if (--exec->open > 0) return;
  const struct pl_allocator *memory = &exec->process.loop->allocator;
  struct pl__bytes out = exec->out.text, err = exec->err.text;
  struct pl_exec_result result = exec->result;
  result.out = out.data != NULL ? out.data : "";
  result.err = err.data != NULL ? err.data : "";
  result.out_length = out.length;
  result.err_length = err.length;
  /* It may free itself in there. */
  exec->done(exec->arg, &result);
  pl__resize(memory, out.data, 0);
  pl__resize(memory, err.data, 0);
}

static void on_process_closed(void *arg, int status) {
  (void)status;
  on_handle_closed(arg);
}

static void on_timer_closed(void *arg, int status) {
  (void)status;
  on_handle_closed(arg);
}

static void on_stream_closed(void *arg, int status) {
  struct pl__exec_stream *stream = arg;
  (void)status;
  close(stream->fd);
  on_handle_closed(stream->exec);
}

static void close_stream(struct pl__exec_stream *stream) {
  if (!stream->open) return;
  stream->open = false;
  pl_handle_close(&stream->stream, on_stream_closed);
}

/* Nothing more will come: the rest is closed. */
static void end_if_over(struct pl_exec *exec) {
  if (pl_process_is_running(&exec->process) || exec->out.open ||
      exec->err.open || exec->process.closing)
    return;
  close_stream(&exec->in);
  pl_process_close(&exec->process, on_process_closed);
  pl_handle_close(&exec->timer, on_timer_closed);
}

static void on_exit_of(void *arg, int code, int signum) {
  struct pl_exec *exec = arg;
  exec->result.code = code;
  exec->result.signal = signum;
  end_if_over(exec);
}

void pl_exec_kill(struct pl_exec *exec) {
  exec->result.killed =
      pl_process_kill(&exec->process, exec->kill_signal) == 0 ||
      exec->result.killed;
  close_stream(&exec->in);
  close_stream(&exec->out);
  close_stream(&exec->err);
  end_if_over(exec);
}

int pl_exec_signal(struct pl_exec *exec, int signum) {
  int error = pl_process_kill(&exec->process, signum);
  if (error == 0 && signum != 0) exec->result.killed = true;
  return error;
}

static void on_timeout(void *arg, int status) {
  struct pl_exec *exec = arg;
  (void)status;
  exec->result.timed_out = true;
  pl_exec_kill(exec);
}

/* The input is written, or nobody reads it any more: either way it ends. */
static void on_input(void *arg, int status) {
  struct pl_exec *exec = arg;
  (void)status;
  close_stream(&exec->in);
}

static void fail(struct pl_exec *exec, int error) {
  if (exec->result.error == 0) exec->result.error = error;
  pl_exec_kill(exec);
}

static void on_text(void *arg, const void *data, ptrdiff_t length) {
  struct pl__exec_stream *stream = arg;
  struct pl_exec *exec = stream->exec;
  if (length <= 0) { /* also a reset by a child that was killed */
    close_stream(stream);
    end_if_over(exec);
    return;
  }
  size_t room = exec->max_buffer - stream->text.length;
  size_t taken = (size_t)length < room ? (size_t)length : room;
  pl__bytes_add(&stream->text, data, taken);
  if (stream->text.failed)
    fail(exec, PL_ENOMEM);
  else if (taken < (size_t)length)
    fail(exec, PL_ENOBUFS);
}

static int open_stream(struct pl_exec *exec, struct pl__exec_stream *stream,
                       int fd) {
  int error = pl_stream_open(&stream->stream, fd);
  if (error == 0) error = pl_stream_read(&stream->stream, on_text);
  if (error != 0) fail(exec, error);
  return error;
}

static void write_input(struct pl_exec *exec,
                        const struct pl_exec_options *options) {
  int error = pl_stream_open(&exec->in.stream, exec->in.fd);
  pl_write_init(exec->process.loop, &exec->write, on_input, exec);
  if (error == 0)
    error = pl_stream_write(&exec->in.stream, &exec->write, options->input,
                            options->input_length);
  if (error != 0) fail(exec, error);
}

static void prepare(struct pl_loop *loop, struct pl_exec *exec,
                    struct pl__exec_stream *stream) {
  *stream = (struct pl__exec_stream){
      .exec = exec, .text = {.allocator = &loop->allocator}, .fd = -1};
  pl_stream_init(loop, &stream->stream, stream);
}

int pl_exec_start(struct pl_loop *loop, struct pl_exec *exec,
                  const struct pl_exec_options *options, pl_exec_fn *done,
                  void *arg) {
  static const char shell[] = "/bin/sh";
  const char *const shell_argv[] = {shell, "-c", options->command, NULL};
  struct pl_spawn_options spawn = options->spawn;
  struct pl_stdio stdio[3] = {
      {PL_STDIO_IGNORE, -1}, {PL_STDIO_PIPE, -1}, {PL_STDIO_PIPE, -1}};
  bool input = options->input != NULL && options->input_length > 0 &&
               options->input_fd == NULL;
  if (input || options->input_fd != NULL) stdio[0].kind = PL_STDIO_PIPE;
  if (options->command != NULL) {
    spawn.file = shell;
    spawn.argv = shell_argv;
  }
  spawn.stdio = stdio;
  spawn.stdio_count = 3;
  *exec = (struct pl_exec){
      .done = done,
      .arg = arg,
      .max_buffer = options->max_buffer != 0 ? options->max_buffer : 1 << 20,
      .kill_signal = options->kill_signal != 0 ? options->kill_signal : SIGTERM,
      .open = input ? 5 : 4};
  pl_process_init(loop, &exec->process, on_exit_of, exec);
  int error = pl_process_spawn(&exec->process, &spawn);
  if (error != 0) {
    /* Nothing of it is known to anybody: its handles go silently. */
    loop->handles -= 2;
    return error;
  }
  pl_timer_init(loop, &exec->timer, on_timeout, exec);
  prepare(loop, exec, &exec->out);
  prepare(loop, exec, &exec->err);
  if (input) prepare(loop, exec, &exec->in);
  exec->in.fd = stdio[0].fd;
  if (options->input_fd != NULL) *options->input_fd = stdio[0].fd;
  exec->out.fd = stdio[1].fd;
  exec->err.fd = stdio[2].fd;
  exec->out.open = exec->err.open = true;
  exec->in.open = input;
  if (open_stream(exec, &exec->out, stdio[1].fd) == 0)
    open_stream(exec, &exec->err, stdio[2].fd);
  if (exec->in.open) write_input(exec, options);
  if (options->timeout_ms != 0)
    pl_timer_start(&exec->timer, options->timeout_ms, 0);
  pl_object_unref(&exec->timer); /* the process keeps the loop alive */
  return 0;
}

/* SPDX-License-Identifier: MIT */
/* Starts, feeds, reads, waits for and kills one child process. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"
#include "spawn.h"

/* The groups that run now, for pl_process_kill_all(): the judge has at most a
 * session, an isolated process and a spare at a time. */
enum { MAX_RUNNING = 8 };

/* How long output is waited for after the process itself has ended. */
#define LINGER UINT64_C(100000000)

static volatile pid_t running[MAX_RUNNING];

static void note_running(pid_t from, pid_t to) {
  for (size_t i = 0; i < MAX_RUNNING; i++)
    if (running[i] == from) {
      running[i] = to;
      return;
    }
}

void pl_process_kill_all(void) {
  for (size_t i = 0; i < MAX_RUNNING; i++)
    if (running[i] > 0) kill(-running[i], SIGKILL);
}

static void on_stop_signal(uv_signal_t *handle, int number) {
  struct pl_driver *driver = handle->data;
  driver->interrupted = number;
}

/* Only those that were started here are waited for: the others are the
 * audit's. */
static void on_child_signal(uv_signal_t *handle, int number) {
  struct pl_driver *driver = handle->data;
  (void)number;
  for (struct pl_process *process = driver->newest; process;
       process = process->older) {
    int status;
    if (process->exited || waitpid(process->pid, &status, WNOHANG) <= 0)
      continue;
    process->exited = true;
    process->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    process->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    note_running(process->pid, 0);
  }
}

static void on_deadline(uv_timer_t *timer) {
  struct pl_driver *driver = timer->data;
  driver->timed_out = true;
}

/* libuv aborts when it cannot open its own descriptors, so that they can be
 * had is made sure before. */
static bool enough_descriptors(void) {
  enum { NEEDED = 24 };
  int opened[NEEDED], count = 0;
  while (count < NEEDED && (opened[count] = dup(STDERR_FILENO)) >= 0)
    count++;
  for (int i = 0; i < count; i++)
    close(opened[i]);
  return count == NEEDED || (count == 0 && errno == EBADF);
}

int pl_driver_init(struct pl_driver *driver) {
  static const int numbers[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP};
  memset(driver, 0, sizeof *driver);
  if (!enough_descriptors()) return UV_EMFILE;
  int error = uv_loop_init(&driver->loop);
  if (error != 0) return error;
  uv_timer_init(&driver->loop, &driver->timer);
  driver->timer.data = driver;
  /* The first stream of a loop opens a descriptor that stays with the loop;
   * opened now, it is not taken for a leak later. */
  uv_pipe_t first;
  uv_pipe_init(&driver->loop, &first, 0);
  uv_close((uv_handle_t *)&first, NULL);
  uv_run(&driver->loop, UV_RUN_NOWAIT);
  for (size_t i = 0; i < 4 && error == 0; i++) {
    uv_signal_init(&driver->loop, &driver->signal[i]);
    driver->signal[i].data = driver;
    error =
        uv_signal_start(&driver->signal[i],
                        i == 0 ? on_child_signal : on_stop_signal, numbers[i]);
    uv_unref((uv_handle_t *)&driver->signal[i]);
  }
  driver->ready = true;
  return error;
}

void pl_driver_free(struct pl_driver *driver) {
  if (!driver->ready) return;
  uv_close((uv_handle_t *)&driver->timer, NULL);
  for (size_t i = 0; i < 4; i++)
    uv_close((uv_handle_t *)&driver->signal[i], NULL);
  uv_run(&driver->loop, UV_RUN_DEFAULT);
  uv_loop_close(&driver->loop);
}

/* Runs the loop until something happened or the deadline has passed. */
static void turn(struct pl_driver *driver, uint64_t deadline) {
  uint64_t now = uv_hrtime();
  if (now >= deadline) {
    uv_run(&driver->loop, UV_RUN_NOWAIT);
    driver->timed_out = true;
    return;
  }
  uint64_t wait = (deadline - now + 999999) / 1000000;
  driver->timed_out = false;
  uv_update_time(&driver->loop);
  uv_timer_start(&driver->timer, on_deadline, wait, 0);
  uv_run(&driver->loop, UV_RUN_ONCE);
  uv_timer_stop(&driver->timer);
}

static void give_line_room(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
  struct pl_process *process = handle->data;
  size_t size;
  (void)hint;
  char *room = pl_lines_room(&process->lines, &size);
  *buf = uv_buf_init(room, (unsigned)size);
}

static void on_out(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
  struct pl_process *process = stream->data;
  if (count > 0 && process->tracing && stream == (uv_stream_t *)&process->out) {
    pl_tail_add(&process->log, buf->base, (size_t)count);
  } else if (count > 0) {
    process->received += (size_t)count;
    pl_lines_filled(&process->lines, (size_t)count);
  } else if (count < 0) {
    process->out_closed = true;
    uv_read_stop(stream);
  }
  if (process->lines.too_long) uv_read_stop(stream);
}

static void give_log_room(uv_handle_t *handle, size_t hint, uv_buf_t *buf);

static void give_out_room(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
  struct pl_process *process = handle->data;
  bool is_log = process->tracing && handle == (uv_handle_t *)&process->out;
  (is_log ? give_log_room : give_line_room)(handle, hint, buf);
}

static void give_log_room(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
  static char scratch[16 * 1024]; /* emptied before the next read */
  (void)handle;
  (void)hint;
  *buf = uv_buf_init(scratch, sizeof scratch);
}

static void on_err(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
  struct pl_process *process = stream->data;
  if (count > 0) {
    pl_tail_add(&process->log, buf->base, (size_t)count);
  } else if (count < 0) {
    process->err_closed = true;
    uv_read_stop(stream);
  }
}

static void on_closed(uv_handle_t *handle) {
  struct pl_process *process = handle->data;
  process->open--;
}

static void close_one(uv_handle_t *handle) {
  if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

static void release(struct pl_process *process) {
  close_one((uv_handle_t *)&process->in);
  close_one((uv_handle_t *)&process->out);
  close_one((uv_handle_t *)&process->err);
  if (process->tracing) close_one((uv_handle_t *)&process->trace);
  while (process->open > 0)
    uv_run(&process->driver->loop, UV_RUN_ONCE);
  pl_lines_free(&process->lines);
  free(process);
}

/* Gives a process with its pipes at the ends of what was spawned. */
static struct pl_process *take_up(struct pl_driver *driver,
                                  const struct pl_spawned *spawned) {
  struct pl_process *process = pl_mem_alloc(sizeof *process);
  uv_pipe_t *pipes[] = {&process->in, &process->out, &process->err};
  process->driver = driver;
  process->pid = spawned->pid;
  process->open = 3;
  process->older = driver->newest;
  driver->newest = process;
  note_running(0, process->pid);
  for (size_t i = 0; i < 3; i++) {
    uv_pipe_init(&driver->loop, pipes[i], 0);
    pipes[i]->data = process;
    /* cannot fail: these are sockets, and they do not block already */
    if (uv_pipe_open(pipes[i], spawned->end[i]) != 0) close(spawned->end[i]);
  }
  return process;
}

int pl_process_start(struct pl_driver *driver, char **argv, char **env,
                     struct pl_process **result) {
  struct pl_spawned spawned;
  int error = pl_spawn(argv, env, &spawned);
  if (error != 0) return error;
  struct pl_process *process = take_up(driver, &spawned);
  uv_read_start((uv_stream_t *)&process->out, give_out_room, on_out);
  uv_read_start((uv_stream_t *)&process->err, give_log_room, on_err);
  *result = process;
  return 0;
}

int pl_process_trace(struct pl_process *process, const char *path) {
  int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return uv_translate_sys_error(errno);
  uv_pipe_init(&process->driver->loop, &process->trace, 0);
  process->trace.data = process;
  process->tracing = true;
  process->open++;
  int error = uv_pipe_open(&process->trace, fd);
  if (error != 0) close(fd);
  if (error == 0)
    error =
        uv_read_start((uv_stream_t *)&process->trace, give_out_room, on_out);
  return error;
}

void pl_process_read_trace(struct pl_process *process) {
  size_t before;
  do {
    before = process->received;
    uv_run(&process->driver->loop, UV_RUN_NOWAIT);
  } while (process->received > before && !process->lines.too_long);
}

void pl_process_turn(struct pl_process *process, unsigned ms) {
  turn(process->driver, uv_hrtime() + (uint64_t)ms * 1000000u);
}

struct sending {
  uv_write_t request;
  char bytes[];
};

static void on_sent(uv_write_t *request, int status) {
  (void)status; /* a closed stdin shows at the wait */
  free(request->data);
}

void pl_process_send(struct pl_process *process, const char *bytes,
                     size_t count) {
  uv_stream_t *in = (uv_stream_t *)&process->in;
  if (uv_is_closing((uv_handle_t *)in) || !uv_is_writable(in)) return;
  uv_buf_t now = uv_buf_init((char *)bytes, (unsigned)count);
  int written = uv_try_write(in, &now, 1);
  if (written == (int)count || (written < 0 && written != UV_EAGAIN)) return;
  size_t done = written > 0 ? (size_t)written : 0;
  struct sending *rest = pl_mem_alloc(sizeof *rest + count - done);
  memcpy(rest->bytes, bytes + done, count - done);
  rest->request.data = rest;
  uv_buf_t buf = uv_buf_init(rest->bytes, (unsigned)(count - done));
  if (uv_write(&rest->request, in, &buf, 1, on_sent) != 0) free(rest);
}

static void on_shut(uv_shutdown_t *request, int status) {
  struct pl_process *process = request->data;
  (void)status;
  free(request);
  close_one((uv_handle_t *)&process->in);
}

void pl_process_end_input(struct pl_process *process) {
  uv_stream_t *in = (uv_stream_t *)&process->in;
  if (uv_is_closing((uv_handle_t *)in)) return;
  uv_shutdown_t *request = pl_mem_alloc(sizeof *request);
  request->data = process;
  if (uv_shutdown(request, in, on_shut) != 0) {
    free(request);
    close_one((uv_handle_t *)in);
  }
}

enum pl_wait pl_process_wait_line(struct pl_process *process,
                                  uint64_t deadline) {
  struct pl_driver *driver = process->driver;
  bool lingering = false;
  driver->timed_out = false;
  for (;;) {
    if (process->exited && !lingering) {
      uint64_t last = uv_hrtime() + LINGER; /* someone may hold the pipe */
      deadline = last < deadline ? last : deadline;
      lingering = true;
    }
    if (process->lines.too_long) return PL_WAIT_TOO_LONG;
    if (driver->interrupted != 0) return PL_WAIT_INTERRUPTED;
    if (pl_lines_ready(&process->lines)) return PL_WAIT_LINE;
    if (process->out_closed)
      return process->exited ? PL_WAIT_EXITED : PL_WAIT_CLOSED;
    if (driver->timed_out)
      return process->exited ? PL_WAIT_EXITED : PL_WAIT_TIMEOUT;
    turn(driver, deadline);
  }
}

bool pl_process_wait_end(struct pl_process *process, uint64_t deadline) {
  struct pl_driver *driver = process->driver;
  driver->timed_out = false;
  while (!process->exited && !driver->timed_out && driver->interrupted == 0 &&
         !process->lines.too_long)
    turn(driver, deadline);
  if (!process->exited) return false;
  uint64_t last = uv_hrtime() + LINGER;
  driver->timed_out = false;
  while (!(process->out_closed && process->err_closed) &&
         !process->lines.too_long && !driver->timed_out)
    turn(driver, last);
  return true;
}

void pl_process_kill(struct pl_process *process) {
  if (!process->exited) kill(-process->pid, SIGKILL);
  /* SIGKILL cannot be refused; only a process stuck in the kernel outlives
   * these two seconds, and then nothing more can be done about it. */
  uint64_t deadline = uv_hrtime() + 2000000000u;
  while (!process->exited && uv_hrtime() < deadline)
    turn(process->driver, deadline);
}

void pl_process_free(struct pl_process *process) {
  if (process == NULL) return;
  pl_process_kill(process);
  note_running(process->pid, 0);
  struct pl_process **at = &process->driver->newest;
  while (*at != process)
    at = &(*at)->older;
  *at = process->older;
  release(process);
}

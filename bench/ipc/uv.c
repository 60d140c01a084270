/* SPDX-License-Identifier: MIT */
/*
 * uv.c: libuv's uv_write2() and uv_accept(), up to 64 in flight.
 *
 * Invariant: the same line goes with each handle, and the one that comes is
 * closed. libuv passes handles, not descriptors: it is the same server again.
 */
#include "ipc_bench.h"

#include <stdlib.h>
#include <uv.h>

struct uv_side {
  uv_loop_t loop;
  uv_pipe_t pipe;
  uv_tcp_t passed;
  uv_write_t requests[IN_FLIGHT];
  uv_write_t *unused[IN_FLIGHT];
  int unused_count;
  long sent, got, count;
  bool acked;
  char buffer[65536];
};

static void send_more(struct uv_side *side);

static void on_written(uv_write_t *request, int status) {
  struct uv_side *side = request->handle->loop->data;
  if (status != 0) bench_die("uv_write2");
  side->unused[side->unused_count++] = request;
  if (!side->acked) send_more(side);
}

static void send_more(struct uv_side *side) {
  static char line[] = HANDLE_LINE;
  uv_buf_t buffer = uv_buf_init(line, sizeof HANDLE_LINE - 1);
  while (side->unused_count > 0 && side->sent < side->count) {
    uv_write_t *request = side->unused[--side->unused_count];
    side->sent++;
    if (uv_write2(request, (uv_stream_t *)&side->pipe, &buffer, 1,
                  (uv_stream_t *)&side->passed, on_written) != 0)
      bench_die("uv_write2");
    if (side->acked) return;
  }
}

static void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
  struct uv_side *side = handle->loop->data;
  (void)size;
  *buffer = uv_buf_init(side->buffer, sizeof side->buffer);
}

static void on_closed(uv_handle_t *handle) {
  free(handle);
}

static void answer_written(uv_write_t *request, int status) {
  free(request);
  if (status != 0) bench_die("answer");
}

static void answer(struct uv_side *side) {
  static char line[] = ACK_LINE;
  uv_buf_t buffer = uv_buf_init(line, sizeof ACK_LINE - 1);
  uv_write_t *request = malloc(sizeof *request);
  if (request == NULL || uv_write(request, (uv_stream_t *)&side->pipe, &buffer,
                                  1, answer_written) != 0)
    bench_die("answer");
}

static void on_handles(uv_stream_t *stream, ssize_t got,
                       const uv_buf_t *buffer) {
  struct uv_side *side = stream->loop->data;
  (void)buffer;
  if (got < 0) bench_die("the pipe ended");
  while (uv_pipe_pending_count(&side->pipe) > 0) {
    uv_tcp_t *handle = malloc(sizeof *handle);
    if (handle == NULL || uv_tcp_init(stream->loop, handle) != 0 ||
        uv_accept(stream, (uv_stream_t *)handle) != 0)
      bench_die("uv_accept");
    uv_close((uv_handle_t *)handle, on_closed);
    side->got++;
    if (side->acked) answer(side);
  }
  if (side->got == side->count) uv_stop(stream->loop);
}

static void on_answers(uv_stream_t *stream, ssize_t got,
                       const uv_buf_t *buffer) {
  struct uv_side *side = stream->loop->data;
  (void)buffer;
  if (got < 0) { /* the child has all */
    uv_stop(stream->loop);
    return;
  }
  if (got > 0 && side->acked) send_more(side);
}

static struct uv_side *uv_begin(int fd, long count, bool acked) {
  static struct uv_side only; /* its process ends with it */
  struct uv_side *side = &only;
  if (uv_loop_init(&side->loop) != 0 ||
      uv_pipe_init(&side->loop, &side->pipe, 1) != 0 ||
      uv_pipe_open(&side->pipe, fd) != 0)
    bench_die("libuv");
  side->loop.data = side;
  side->count = count;
  side->acked = acked;
  for (int i = 0; i < IN_FLIGHT; i++)
    side->unused[side->unused_count++] = &side->requests[i];
  return side;
}

static void parent(int fd, long count, int passed, bool acked) {
  struct uv_side *side = uv_begin(fd, count, acked);
  if (uv_tcp_init(&side->loop, &side->passed) != 0 ||
      uv_tcp_open(&side->passed, passed) != 0)
    bench_die("uv_tcp_open");
  uv_read_start((uv_stream_t *)&side->pipe, give_buffer, on_answers);
  send_more(side);
  uv_run(&side->loop, UV_RUN_DEFAULT);
}

static void oneway_parent(int fd, long count, int passed) {
  parent(fd, count, passed, false);
}

static void acked_parent(int fd, long count, int passed) {
  parent(fd, count, passed, true);
}

static int child(int fd, long count, bool acked) {
  struct uv_side *side = uv_begin(fd, count, acked);
  uv_read_start((uv_stream_t *)&side->pipe, give_buffer, on_handles);
  uv_run(&side->loop, UV_RUN_DEFAULT);
  if (acked) uv_run(&side->loop, UV_RUN_NOWAIT);
  return side->got == count ? 0 : 1;
}

static int oneway_child(int fd, long count) {
  return child(fd, count, false);
}

static int acked_child(int fd, long count) {
  return child(fd, count, true);
}

const struct contender uv_contenders[] = {
    {"libuv", "fd-oneway", oneway_parent, oneway_child},
    {"libuv", "fd-acked", acked_parent, acked_child},
    {NULL, NULL, NULL, NULL}};

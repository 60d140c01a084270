/* SPDX-License-Identifier: MIT */
/*
 * streams.c: the ends of sockets, read and written.
 *
 * Invariant: the descriptor stays the caller's; libuv gets a copy.
 */
#include "object.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

static void on_write(uv_write_t *request, int status) {
  report(request->data, status);
}

/* libuv asks for memory right before it reads into it. */
static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
  static _Thread_local char buffer[65536];
  (void)handle;
  (void)suggested;
  *out = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *data) {
  const struct object *object = stream->data;
  if (length == 0) return; /* nothing came after all */
  if (length < 0) uv_read_stop(stream);
  object->then.read(object->arg, data->base, length == UV_EOF ? 0 : length);
}

/* libuv closes the descriptor with the handle, the ABI's caller does so, too.
 */
int libuv_stream_open(void *memory, int fd) {
  struct object *object = memory;
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -errno;
  int err = uv_pipe_open(&object->uv.pipe, own);
  if (err != 0) close(own);
  return err;
}

int libuv_stream_read(void *memory, pl_read_callback *callback) {
  struct object *object = memory;
  if (uv_is_closing(&object->uv.handle)) return -EINVAL;
  object->then.read = callback;
  return uv_read_start(&object->uv.stream, lend_buffer, on_read);
}

int libuv_stream_write(void *memory, void *write, const void *data,
                       size_t length) {
  struct object *object = memory;
  struct object *request = write;
  if (uv_is_closing(&object->uv.handle) || length > UINT_MAX) return -EINVAL;
  uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)data, (unsigned)length);
  return uv_write(&request->uv.write, &object->uv.stream, &buffer, 1, on_write);
}

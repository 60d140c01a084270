/* SPDX-License-Identifier: MIT */
/*
 * several_streams.c: what is read from children and written to them.
 *
 * Invariant: a stream is over once: at its end, or when this side has closed
 * it.
 */
#include "several.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void stream_over(struct stream *stream) {
  if (stream->over) return;
  stream->over = true;
  several_call(stream->collector,
               several_shown(stream->text.length > 0 ? stream->text.at : "",
                             stream->text.length),
               json_pack("{s:I}", "length", (json_int_t)stream->text.length));
  several_close_child(stream->child);
}

static void on_bytes(void *arg, const void *data, ptrdiff_t length) {
  struct stream *stream = arg;
  if (length > 0) {
    several_append(stream->host, &stream->text, data, (size_t)length);
    return;
  }
  stream->host->library->loop.handle_close(stream->storage, NULL);
  stream_over(stream);
}

void several_open_stream(struct stream *stream, int fd) {
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
               NULL);
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
  several_close_child(child);
}

bool several_stream_operation(struct several *host, const char *name,
                              const json_t *argument) {
  if (strcmp(name, "input") == 0)
    input(host, argument);
  else if (strcmp(name, "collect") == 0)
    collect(host, argument);
  else if (strcmp(name, "stop-reading") == 0)
    stop_reading(host, argument);
  else
    return false;
  return true;
}

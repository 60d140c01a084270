/* SPDX-License-Identifier: MIT */
/*
 * stream.c: bytes of connected sockets and pipes, over whatever poller the loop
 * was given.
 *
 *   the poller tells readiness    read(2) when readable; write(2) at once, and
 *                                 when it becomes writable
 *   it moves bytes itself         receive() and send(), for sockets
 *
 * Invariants:
 *  - A write stands in stream->writes until all of its bytes are gone or it has
 *    failed, and then in stream->written until it is reported, which is never
 *    where pl_stream_write() was called.
 *  - The first of `writes` is the one under way: SENDING (the poller has it),
 *    BLOCKED (the descriptor is not writable), or neither, for as long as
 *    go_on() runs.
 *  - A mask is told to the poller only when it changes, so a write that is
 *    through at once costs one system call, and none with send().
 */
#include "internal.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PL__STREAM_BUFFER = 65536 };

static uint64_t token_of(const struct pl_stream *stream) {
  const struct pl_loop *loop = stream->head.loop;
  return pl__fd_token(loop, stream->io.fd);
}

/* Whether the poller moves the bytes of this stream. */
static bool is_moved(const struct pl_stream *stream) {
  return stream->state & PL__STREAM_SOCKET &&
         stream->head.loop->poller->ops->receive != NULL;
}

/* Wants to hear of readiness as far as that is of use. */
static int want_readiness(struct pl_stream *stream) {
  unsigned mask = 0;
  if (stream->read != NULL && !(stream->state & PL__STREAM_RECEIVING))
    mask |= PL_READABLE;
  if (stream->state & PL__STREAM_BLOCKED) mask |= PL_WRITABLE;
  if (mask != 0) return pl_poll_start(&stream->io, stream->io.fd, mask);
  pl__poll_stop(&stream->io);
  return 0;
}

/* ---------------------------------------------------------------------- */
/* Writing                                                                */

static void finish(struct pl_stream *stream, struct pl_write *write,
                   int status) {
  write->status = status;
  pl__list_cut(&write->head.link);
  pl__list_append(&stream->written, &write->head.link);
  pl_deferred_post(stream->head.loop, &stream->finish, 0);
}

static struct pl_write *first_of(const struct pl_link *writes) {
  return PL__OWNER(writes->next, struct pl_write, head.link);
}

static ssize_t write_some(const struct pl_stream *stream,
                          const struct pl_write *request) {
  int fd = stream->io.fd;
  ssize_t done;
  do
    done = stream->state & PL__STREAM_SOCKET
               ? send(fd, request->data, request->left, MSG_NOSIGNAL)
               : write(fd, request->data, request->left);
  while (done < 0 && errno == EINTR);
  return done < 0 ? -errno : done;
}

/* Hands the bytes to the poller, which answers later, or writes them. */
static ssize_t move(struct pl_stream *stream, const struct pl_write *write) {
  struct pl_loop *loop = stream->head.loop;
  if (!is_moved(stream)) return write_some(stream, write);
  int error = loop->poller->ops->send(
      loop->poller, stream->io.fd, token_of(stream), write->data, write->left);
  if (error != 0) return error;
  stream->state |= PL__STREAM_SENDING;
  loop->armed++;
  return 0;
}

/* So many bytes of the first write are gone, or it has failed. */
static void moved(struct pl_stream *stream, ssize_t result) {
  struct pl_write *write = first_of(&stream->writes);
  if (result == PL_EAGAIN) {
    stream->state |= PL__STREAM_BLOCKED;
    result = want_readiness(stream);
    if (result == 0) return;
    stream->state &= (uint8_t)~PL__STREAM_BLOCKED;
  }
  if (result < 0) {
    finish(stream, write, (int)result);
    return;
  }
  write->data += result;
  write->left -= (size_t)result;
  if (write->left == 0) finish(stream, write, 0);
}

/* Writes as much as can be written. */
static void go_on(struct pl_stream *stream) {
  while (!pl__list_empty(&stream->writes)) {
    const struct pl_write *write = first_of(&stream->writes);
    ssize_t result = write->left == 0 ? 0 : move(stream, write);
    if (stream->state & PL__STREAM_SENDING) return;
    moved(stream, result);
    if (stream->state & PL__STREAM_BLOCKED) return;
  }
}

void pl__stream_report(struct pl_stream *stream) {
  struct pl_loop *loop = stream->head.loop;
  struct pl_link batch;
  pl__list_move(&stream->written, &batch);
  while (!pl__list_empty(&batch)) {
    struct pl_write *write = first_of(&batch);
    pl__list_remove(&write->head.link);
    write->head.flags &= (uint8_t)~PL__ACTIVE;
    loop->requests--;
    pl__call(loop, &write->head, write->status);
  }
}

static void report_written(void *arg, int status) {
  (void)status;
  pl__stream_report(arg);
}

void pl_write_init(struct pl_loop *loop, struct pl_write *write,
                   pl_event_fn *fn, void *arg) {
  pl__object_init(loop, &write->head, PL_OBJECT_WRITE, fn, arg);
  write->stream = NULL;
  write->data = NULL;
  write->left = 0;
  write->status = 0;
}

int pl_stream_write(struct pl_stream *stream, struct pl_write *write,
                    const void *data, size_t length) {
  if (stream->head.flags & PL__CLOSING) return PL_EINVAL;
  if (stream->io.fd < 0) return PL_EBADF;
  if (write->head.flags & PL__ACTIVE) return PL_EBUSY;
  write->head.flags |= PL__ACTIVE;
  write->stream = stream;
  write->data = data;
  write->left = length;
  stream->head.loop->requests++;
  bool idle = pl__list_empty(&stream->writes);
  pl__list_append(&stream->writes, &write->head.link);
  if (idle) go_on(stream);
  return 0;
}

/* ---------------------------------------------------------------------- */
/* Reading                                                                */

/* Nothing more will be read. */
static void end_reading(struct pl_stream *stream) {
  if (stream->state & PL__STREAM_RECEIVING) {
    stream->state &= (uint8_t)~PL__STREAM_RECEIVING;
    stream->head.loop->armed--;
  }
  stream->read = NULL;
  pl__deactivate(&stream->head);
}

/* What stream->io calls: something came, or (status) watching has failed. */
static void deliver(void *arg, int status) {
  struct pl_stream *stream = arg;
  pl_stream_fn *read = stream->read;
  ptrdiff_t length = status < 0 ? status : stream->length;
  if (read == NULL) return;
  if (length <= 0) {
    end_reading(stream);
    if (stream->io.head.flags & PL__ACTIVE) want_readiness(stream);
  }
  read(stream->head.arg, stream->data, length);
}

static void call_reader(struct pl_stream *stream, const void *data,
                        ssize_t length) {
  stream->data = length > 0 ? data : NULL;
  stream->length = length;
  stream->io.head.label = stream->head.label;
  pl__call(stream->head.loop, &stream->io.head, 0);
}

static void read_some(struct pl_stream *stream) {
  struct pl_loop *loop = stream->head.loop;
  ssize_t got;
  do
    got = stream->state & PL__STREAM_SOCKET
              ? recv(stream->io.fd, loop->stream_buffer, PL__STREAM_BUFFER, 0)
              : read(stream->io.fd, loop->stream_buffer, PL__STREAM_BUFFER);
  while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
  call_reader(stream, loop->stream_buffer, got < 0 ? -errno : got);
}

int pl_stream_read(struct pl_stream *stream, pl_stream_fn *fn) {
  struct pl_loop *loop = stream->head.loop;
  if (stream->head.flags & PL__CLOSING || fn == NULL) return PL_EINVAL;
  if (stream->io.fd < 0) return PL_EBADF;
  if (stream->read != NULL) return PL_EBUSY;
  int error = 0;
  if (is_moved(stream)) {
    error = loop->poller->ops->receive(loop->poller, stream->io.fd,
                                       token_of(stream), 1);
    if (error != 0) return error;
    stream->state |= PL__STREAM_RECEIVING;
    loop->armed++;
  } else if (loop->stream_buffer == NULL) {
    loop->stream_buffer = pl__resize(&loop->allocator, NULL, PL__STREAM_BUFFER);
    if (loop->stream_buffer == NULL) return PL_ENOMEM;
  }
  stream->read = fn;
  error = want_readiness(stream);
  if (error != 0) {
    stream->read = NULL;
    return error;
  }
  pl__activate(&stream->head);
  return 0;
}

/* ---------------------------------------------------------------------- */
/* The stream                                                             */

void pl__stream_ready(struct pl_stream *stream, const struct pl_ready *ready,
                      unsigned events) {
  if (events & PL_RECEIVED) {
    call_reader(stream, ready->data, ready->result);
  } else if (events & PL_SENT) {
    stream->state &= (uint8_t)~PL__STREAM_SENDING;
    stream->head.loop->armed--;
    moved(stream, ready->result);
    if (!(stream->state & PL__STREAM_BLOCKED)) go_on(stream);
  } else {
    if (events & PL_WRITABLE && stream->state & PL__STREAM_BLOCKED) {
      stream->state &= (uint8_t)~PL__STREAM_BLOCKED;
      go_on(stream);
      if (!(stream->state & PL__STREAM_BLOCKED)) want_readiness(stream);
    }
    if (events & PL_READABLE && stream->read != NULL) read_some(stream);
  }
}

void pl_stream_init(struct pl_loop *loop, struct pl_stream *stream, void *arg) {
  pl__handle_init(loop, &stream->head, PL_OBJECT_STREAM, NULL, arg);
  pl_poll_init(loop, &stream->io, deliver, stream);
  loop->handles--;
  stream->io.head.kind = PL_OBJECT_STREAM;
  stream->io.head.flags = 0; /* neither referenced nor a handle of its own */
  pl_deferred_init(&stream->finish, report_written, stream);
  pl__link_init(&stream->writes);
  pl__link_init(&stream->written);
  stream->read = NULL;
  stream->data = NULL;
  stream->length = 0;
  stream->state = 0;
}

static bool is_stream_socket(int fd) {
  int type;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
         type == SOCK_STREAM;
}

int pl_stream_open(struct pl_stream *stream, int fd) {
  if (stream->head.flags & PL__CLOSING) return PL_EINVAL;
  if (stream->io.fd >= 0) return PL_EBUSY;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
    return -errno;
  int error = pl__poll_adopt(&stream->io, fd);
  if (error != 0) return error;
  if (is_stream_socket(fd)) stream->state |= PL__STREAM_SOCKET;
  return 0;
}

void pl__stream_end(struct pl_stream *stream) {
  struct pl_loop *loop = stream->head.loop;
  if (stream->io.fd >= 0 && is_moved(stream))
    loop->poller->ops->receive(loop->poller, stream->io.fd, token_of(stream),
                               0);
  if (stream->state & PL__STREAM_SENDING) loop->armed--;
  stream->state &= PL__STREAM_RECEIVING | PL__STREAM_SOCKET;
  end_reading(stream);
  while (!pl__list_empty(&stream->writes))
    finish(stream, first_of(&stream->writes), PL_ECANCELED);
  pl__deferred_cancel(&stream->finish);
  pl__poll_stop(&stream->io);
  pl__poll_release(&stream->io);
}

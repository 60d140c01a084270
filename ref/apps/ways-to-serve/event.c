/* SPDX-License-Identifier: MIT */
/*
 * event.c: connections on a loop.
 *
 * Invariant: a connection's memory is freed when its stream is closed, which
 * happens when its answer is written, or its client is gone.
 */
#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <plumb/loop.h>

struct connection {
  struct pl_stream stream;
  struct pl_write write;
  int fd;
  unsigned worker;
  bool answered;
  char answer[ANSWER];
};

static void on_closed(void *arg, int status) {
  struct connection *connection = arg;
  (void)status;
  close(connection->fd);
  free(connection);
}

static void on_written(void *arg, int status) {
  struct connection *connection = arg;
  if (status != PL_ECANCELED) pl_handle_close(&connection->stream, on_closed);
}

static void on_question(void *arg, const void *data, ptrdiff_t length) {
  struct connection *connection = arg;
  if (connection->answered) return;
  if (length <= 0) {
    pl_handle_close(&connection->stream, on_closed);
    return;
  }
  if (!memchr(data, '\n', (size_t)length)) return;
  connection->answered = true;
  way_fill(connection->answer, connection->worker);
  if (pl_stream_write(&connection->stream, &connection->write,
                      connection->answer, ANSWER))
    pl_handle_close(&connection->stream, on_closed);
}

void event_serve(struct pl_loop *loop, int fd, unsigned worker) {
  struct connection *connection = malloc(sizeof *connection);
  if (!connection) {
    close(fd);
    return;
  }
  connection->fd = fd;
  connection->worker = worker;
  connection->answered = false;
  pl_stream_init(loop, &connection->stream, connection);
  pl_write_init(loop, &connection->write, on_written, connection);
  if (pl_stream_open(&connection->stream, fd) ||
      pl_stream_read(&connection->stream, on_question))
    pl_handle_close(&connection->stream, on_closed);
}

/* -- accepting ------------------------------------------------------------- */

enum { ACCEPTS = 64 }; /* in a row */

struct acceptor {
  struct pl_poll io;
  int listener;
  void (*connection)(void *arg, int fd);
  void *arg;
};

static void on_acceptable(void *arg, int status) {
  struct acceptor *acceptor = arg;
  (void)status;
  for (int n = 0; n < ACCEPTS; n++) {
    int fd =
        accept4(acceptor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
      acceptor->connection(acceptor->arg, fd);
    else if (errno != EINTR && errno != ECONNABORTED)
      return;
  }
}

void event_accept(struct pl_loop *loop, int listener,
                  void (*connection)(void *arg, int fd), void *arg) {
  struct acceptor *acceptor = malloc(sizeof *acceptor);
  if (!acceptor) way_die("memory");
  *acceptor = (struct acceptor){
      .listener = listener, .connection = connection, .arg = arg};
  fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
  pl_poll_init(loop, &acceptor->io, on_acceptable, acceptor);
  if (pl_poll_start(&acceptor->io, listener, PL_READABLE)) way_die("poll");
}

/* -- the loop ----------------------------------------------------------------
 */

/* The parent has closed our input: it is over. */
static void on_input(void *arg, int status) {
  (void)arg;
  (void)status;
  _exit(0);
}

struct pl_loop *way_loop(void) {
  static struct pl_poll input;
  struct pl_loop *loop = malloc(pl_loop_size());
  if (!loop || pl_loop_init(loop, NULL)) way_die("loop");
  pl_poll_init(loop, &input, on_input, NULL);
  if (pl_poll_start(&input, 0, PL_READABLE)) way_die("input");
  return loop;
}

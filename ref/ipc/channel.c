/* SPDX-License-Identifier: MIT */
/*
 * channel.c: the life of a channel: connected, disconnected, closed.
 *
 * Invariants:
 *  - It ends once (PL__CHANNEL_ENDED), with a reason, and from then on has no
 *    descriptor, no piece in any lane, and no handle.
 *  - Requests are called from the deferred call, or right before the close
 *    callback; never from within the function that was called.
 */
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---------------------------------------------------------------------- */
/* Requests                                                               */

/* Something has happened to a request: it is called later, once for all that
 * happens until then. */
static void say(struct pl_channel *channel, struct pl_send *send,
                unsigned waited, unsigned happened) {
  bool listed =
      send->waits & (PL__SEND_WAS_WRITTEN | PL__SEND_WAS_ACKNOWLEDGED);
  send->waits = (uint8_t)((send->waits & ~waited) | happened);
  if (listed) return;
  send->next = NULL;
  *channel->finished_end = send;
  channel->finished_end = &send->next;
  pl__channel_post(channel);
}

void pl__channel_written(struct pl_channel *channel, struct pl_send *send,
                         int status) {
  if (send == NULL || !(send->waits & PL__SEND_WRITTEN)) return;
  send->written_status = status;
  say(channel, send, PL__SEND_WRITTEN, PL__SEND_WAS_WRITTEN);
}

void pl__channel_settle(struct pl_channel *channel, struct pl__piece *piece,
                        int status) {
  struct pl_send *send = piece->send;
  if (piece->fd_count > 0 && !(piece->state & PL__PIECE_KEEP))
    pl__close_fds(pl__piece_fds(piece), piece->fd_count);
  pl__resize(&channel->loop->allocator, piece->fds, 0);
  piece->fds = NULL;
  if (send == NULL || !(send->waits & PL__SEND_ACKNOWLEDGED)) return;
  send->status = status;
  say(channel, send, PL__SEND_ACKNOWLEDGED, PL__SEND_WAS_ACKNOWLEDGED);
}

static void report_send(struct pl_channel *channel, struct pl_send *send) {
  uint8_t happened = send->waits;
  /* The first call may free it, when nothing else is waited for. */
  void (*acknowledged)(struct pl_send *, int) = send->acknowledged;
  int status = send->status;
  send->waits &= PL__SEND_WRITTEN | PL__SEND_ACKNOWLEDGED;
  if (happened & PL__SEND_WAS_WRITTEN) {
    channel->loop->calls++;
    send->written(send, send->written_status);
    pl__drain_if_needed(channel->loop);
  }
  if (happened & PL__SEND_WAS_ACKNOWLEDGED) {
    channel->loop->calls++;
    acknowledged(send, status);
    pl__drain_if_needed(channel->loop);
  }
}

/* Calls the requests to which something has happened. */
static void report_sends(struct pl_channel *channel) {
  while (channel->finished != NULL) {
    struct pl_send *send = channel->finished;
    channel->finished = send->next;
    if (channel->finished == NULL) channel->finished_end = &channel->finished;
    report_send(channel, send);
  }
}

static void drop_lane(struct pl_channel *channel, struct pl__lane *lane,
                      int status) {
  while (lane->count > 0) {
    struct pl__piece *piece = pl__lane_first(lane);
    pl__channel_written(channel, piece->send, status);
    pl__channel_settle(channel, piece, status);
    pl__lane_pop(lane);
  }
}

/* ---------------------------------------------------------------------- */
/* The end                                                                */

void pl__channel_problem(struct pl_channel *channel, int error,
                         const char *what) {
  if (channel->events->problem == NULL) return;
  channel->loop->calls++;
  channel->events->problem(channel->arg, error, what);
  pl__drain_if_needed(channel->loop);
}

static void release_all(struct pl_channel *channel, int status) {
  pl_handle_stop(&channel->retry);
  if (channel->fd >= 0) {
    pl__poll_stop(&channel->io);
    pl__poll_release(&channel->io);
    close(channel->fd);
  }
  channel->fd = -1;
  channel->state &= (uint8_t) ~(PL__CHANNEL_CONNECTED | PL__CHANNEL_BLOCKED |
                                PL__CHANNEL_BACKLOG | PL__CHANNEL_WAITED);
  drop_lane(channel, &channel->asked, status);
  drop_lane(channel, &channel->out, status);
  drop_lane(channel, &channel->held, status);
  channel->unacknowledged = 0;
  channel->lost = 0;
  pl__channel_drop(&channel->pending);
  pl__channel_drop(&channel->later);
}

void pl__channel_end(struct pl_channel *channel, int reason) {
  if (channel->fd < 0 || channel->state & PL__CHANNEL_ENDED) return;
  channel->state |= PL__CHANNEL_ENDED;
  channel->reason = reason;
  release_all(channel, reason != 0 ? reason : PL_EPIPE);
  pl__channel_post(channel);
}

void pl__channel_end_if_done(struct pl_channel *channel) {
  /* A mute one is read to its end. */
  if (channel->fd < 0 ||
      channel->state & (PL__CHANNEL_CONNECTED | PL__CHANNEL_MUTE))
    return;
  if (channel->out.count > 0 || channel->held.count > 0 ||
      channel->unacknowledged > 0)
    return;
  pl__channel_end(channel, 0);
}

/* ---------------------------------------------------------------------- */
/* What the loop calls                                                    */

void pl__channel_post(struct pl_channel *channel) {
  if (pl__list_empty(&channel->flush.link))
    pl_deferred_post(channel->loop, &channel->flush, 0);
}

static void report_end(struct pl_channel *channel) {
  if (!(channel->state & PL__CHANNEL_ENDED) || channel->reason > 0) return;
  int reason = channel->reason;
  channel->reason = 1; /* was told */
  pl__channel_drop_kept(channel);
  if (channel->events->ended != NULL)
    channel->events->ended(channel->arg, reason);
}

/* Nobody is waited for any more. */
static void report_drained(struct pl_channel *channel) {
  if (!(channel->state & PL__CHANNEL_WAITED) || channel->held.count > 0 ||
      pl__lane_length(&channel->out) > PL__CHANNEL_FLUSH)
    return;
  channel->state &= (uint8_t)~PL__CHANNEL_WAITED;
  if (channel->events->drained == NULL) return;
  channel->events->drained(channel->arg);
  pl__drain_if_needed(channel->loop);
}

static void on_deferred(void *arg, int status) {
  struct pl_channel *channel = arg;
  (void)status;
  pl__channel_tell_kept(channel);
  if (channel->state & PL__CHANNEL_BACKLOG) pl__channel_read_backlog(channel);
  if (pl__channel_is_open(channel)) {
    pl__channel_write_out(channel);
    pl__channel_end_if_done(channel);
  }
  if (channel->bad_fd) {
    channel->bad_fd = false;
    pl__channel_problem(channel, PL_EBADF, "a handle that is no descriptor");
  }
  report_sends(channel);
  if (channel->state & PL__CHANNEL_CLOSING) return;
  report_drained(channel);
  /* What was sent by those calls goes out with the next pass. */
  if (channel->finished != NULL) pl__channel_post(channel);
  report_end(channel);
}

static void on_io(void *arg, int events) {
  struct pl_channel *channel = arg;
  if (events < 0) {
    pl__channel_end(channel, events);
    return;
  }
  if (events & PL_WRITABLE && channel->state & PL__CHANNEL_BLOCKED) {
    channel->state &= (uint8_t)~PL__CHANNEL_BLOCKED;
    pl__channel_write_out(channel);
    pl__channel_watch(channel);
    pl__channel_post(channel);
  }
  if (events & PL_READABLE && !(channel->state & PL__CHANNEL_PAUSED))
    pl__channel_read(channel);
}

static void on_retry(void *arg, int status) {
  struct pl_channel *channel = arg;
  (void)status;
  if (!pl__channel_is_open(channel)) return;
  pl__channel_refuse_lost(channel);
  pl__channel_post(channel);
}

void pl__channel_watch(struct pl_channel *channel) {
  if (!pl__channel_is_open(channel)) return;
  unsigned mask = channel->state & PL__CHANNEL_BLOCKED ? PL_WRITABLE : 0u;
  if (!(channel->state & PL__CHANNEL_PAUSED)) mask |= PL_READABLE;
  if (mask == 0) {
    pl_handle_stop(&channel->io);
    return;
  }
  int error = pl_poll_start(&channel->io, channel->fd, mask);
  if (error != 0) pl__channel_end(channel, error);
}

/* ---------------------------------------------------------------------- */
/* The life                                                               */

void pl_channel_init(struct pl_loop *loop, struct pl_channel *channel,
                     const struct pl_channel_events *events, void *arg) {
  *channel = (struct pl_channel){
      .loop = loop, .events = events, .arg = arg, .fd = -1, .window = 1};
  pl_poll_init(loop, &channel->io, on_io, channel);
  pl_timer_init(loop, &channel->retry, on_retry, channel);
  pl_deferred_init(&channel->flush, on_deferred, channel);
  pl_values_init(&channel->values, &loop->allocator);
  pl__lane_init(&channel->out, &loop->allocator);
  pl__lane_init(&channel->held, &loop->allocator);
  pl__lane_init(&channel->asked, &loop->allocator);
  channel->finished_end = &channel->finished;
  channel->kept_end = &channel->kept;
}

/* A connected stream socket of this machine, from now on not blocking. */
static int prepare_fd(int fd) {
  struct sockaddr_storage name;
  socklen_t size = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &size) != 0) return -errno;
  if (name.ss_family != AF_UNIX) return PL_ENOTSOCK;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
  return 0;
}

int pl_channel_open(struct pl_channel *channel, int fd,
                    const struct pl_channel_config *config) {
  struct pl_loop *loop = channel->loop;
  if (channel->state & PL__CHANNEL_CLOSING) return PL_EINVAL;
  if (channel->fd >= 0 || channel->state & PL__CHANNEL_ENDED) return PL_EBUSY;
  if (fd < 0) return PL_EBADF;
  int error = prepare_fd(fd);
  if (error != 0) return error;
  if (loop->stream_buffer == NULL)
    loop->stream_buffer =
        pl__resize(&loop->allocator, NULL, PL__CHANNEL_BUFFER);
  if (loop->stream_buffer == NULL) return PL_ENOMEM;
  error = pl_poll_start(&channel->io, fd, PL_READABLE);
  if (error != 0) return error;
  static const struct pl_channel_config defaults = {0};
  if (config == NULL) config = &defaults;
  channel->fd = fd;
  channel->mode = (uint8_t)config->mode;
  channel->window = config->window != 0 ? config->window : 1;
  channel->pace = PL__CHANNEL_READS;
  channel->most_length =
      config->most_length != 0 ? config->most_length : (size_t)512 << 20;
  channel->bun = config->bun;
  channel->state |= PL__CHANNEL_CONNECTED;
  return 0;
}

/* The number of a descriptor. */
static int read_fd_number(const char *text, int *out) {
  char *end;
  errno = 0;
  long number = strtol(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || number < 0 ||
      number > INT_MAX)
    return PL_EINVAL;
  *out = (int)number;
  return 0;
}

int pl_channel_open_parent(struct pl_channel *channel,
                           const struct pl_channel_config *config) {
  const char *number = getenv("NODE_CHANNEL_FD");
  const char *mode = getenv("NODE_CHANNEL_SERIALIZATION_MODE");
  struct pl_channel_config own = {0};
  int fd;
  if (number == NULL) return PL_ENOENT;
  int error = read_fd_number(number, &fd);
  if (error != 0) return error;
  if (config != NULL) own = *config;
  if (mode == NULL || strcmp(mode, "json") == 0)
    own.mode = PL_CHANNEL_JSON;
  else if (strcmp(mode, "advanced") == 0)
    own.mode = PL_CHANNEL_ADVANCED;
  else
    return PL_EINVAL;
  error = pl_channel_open(channel, fd, &own);
  if (error != 0) return error;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  unsetenv("NODE_CHANNEL_FD");
  unsetenv("NODE_CHANNEL_SERIALIZATION_MODE");
  return 0;
}

int pl_channel_disconnect(struct pl_channel *channel) {
  if (!(channel->state & PL__CHANNEL_CONNECTED)) return PL_ENOTCONN;
  channel->state &= (uint8_t)~PL__CHANNEL_CONNECTED;
  pl__channel_post(channel);
  return 0;
}

int pl_channel_is_connected(const struct pl_channel *channel) {
  return (channel->state & PL__CHANNEL_CONNECTED) != 0;
}

void pl_channel_pause(struct pl_channel *channel) {
  channel->state |= PL__CHANNEL_PAUSED;
  pl__channel_watch(channel);
}

int pl_channel_resume(struct pl_channel *channel) {
  if (!pl__channel_is_open(channel)) return PL_ENOTCONN;
  channel->state &= (uint8_t)~PL__CHANNEL_PAUSED;
  if (channel->state & PL__CHANNEL_BACKLOG || channel->kept != NULL)
    pl__channel_post(channel);
  pl__channel_watch(channel);
  return 0;
}

static void keep_alive(struct pl_channel *channel, bool kept) {
  (kept ? pl_object_ref : pl_object_unref)(&channel->io);
}

void pl_channel_ref(struct pl_channel *channel) {
  channel->forced = true;
  keep_alive(channel, true);
}

void pl_channel_unref(struct pl_channel *channel) {
  channel->forced = true;
  keep_alive(channel, false);
}

void pl_channel_listen(struct pl_channel *channel, unsigned listening) {
  channel->listened = true;
  channel->listening = (uint8_t)listening;
  if (channel->kept != NULL) pl__channel_post(channel);
  if (!channel->forced)
    keep_alive(channel,
               listening & (PL_LISTENS_MESSAGE | PL_LISTENS_DISCONNECT));
}

/* The poll handle is closed last, so it ends the closing of both. */
static void on_closed(void *arg, int status) {
  struct pl_channel *channel = arg;
  pl_event_fn *closed = channel->closed;
  void *closed_arg = channel->arg;
  struct pl_loop *loop = channel->loop;
  report_sends(channel);
  pl__deferred_cancel(&channel->flush);
  pl__lane_free(&channel->out);
  pl__lane_free(&channel->held);
  pl__lane_free(&channel->asked);
  pl_values_free(&channel->values);
  pl__resize(&loop->allocator, channel->partial, 0);
  channel->partial = NULL;
  if (closed != NULL) closed(closed_arg, status);
}

int pl_channel_close(struct pl_channel *channel, pl_event_fn *closed) {
  if (channel->state & PL__CHANNEL_CLOSING) return PL_EINVAL;
  channel->state |= PL__CHANNEL_CLOSING | PL__CHANNEL_ENDED;
  channel->closed = closed;
  release_all(channel, PL_ECANCELED);
  pl__channel_drop_kept(channel);
  pl__deferred_cancel(&channel->flush);
  /* Closing runs the last closed one first: the timer is gone before. */
  pl_handle_close(&channel->io, on_closed);
  return pl_handle_close(&channel->retry, NULL);
}

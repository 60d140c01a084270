/* SPDX-License-Identifier: MIT */
/*
 * channel_read.c: bytes and descriptors come in and are cut into messages,
 * which channel_take.c tells.
 *
 * Invariants:
 *  - A message lies in the buffer of the loop when it came whole, else in
 *    `partial`; it is borrowed by the callback, and then gone.
 *  - Descriptors belong to the next message about a handle that ends in the
 *    read that brought them or later. When a read cut that message, the next
 *    one may bring its end and the next handle's descriptors: so there may be
 *    two arrivals, in order. What is not claimed is replaced, which is a
 *    problem; no more than these two are ever open.
 *  - The control buffer has room for as many as the kernel passes, so what is
 *    truncated is so for want of descriptors.
 */
#include "internal.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  ROW = 16, /* fewer handles than these are no row */
  ANSWERS_GROW = 64,
  READS_OF_THE_REST = 4096,
  PATIENCE = 16,
  PARTIAL_KEPT = 1 << 20
};

/* ---------------------------------------------------------------------- */
/* Descriptors                                                            */

void pl__channel_drop(struct pl__arrival *arrival) {
  pl__close_fds(arrival->fds, arrival->count);
  arrival->count = 0;
  arrival->lost = false;
}

static bool is_empty(const struct pl__arrival *arrival) {
  return arrival->count == 0 && !arrival->lost;
}

/* Keeps the descriptors of one read. */
static void keep_fds(struct pl_channel *channel, struct msghdr *message) {
  bool cut = channel->partial_length > 0 && !is_empty(&channel->pending);
  struct pl__arrival *arrival = cut ? &channel->later : &channel->pending;
  bool replaced = arrival->count > 0;
  pl__channel_drop(arrival);
  for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at != NULL;
       at = CMSG_NXTHDR(message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    arrival->count = (unsigned)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(arrival->fds, CMSG_DATA(at), arrival->count * sizeof(int));
  }
  if (message->msg_flags & MSG_CTRUNC) {
    pl__channel_drop(arrival);
    arrival->lost = true;
  }
  if (replaced)
    pl__channel_problem(channel, PL_EPROTO, "descriptors without a message");
}

/* The message that was cut has ended: what came behind it is next. */
static void move_up(struct pl_channel *channel) {
  if (is_empty(&channel->later)) return;
  bool unclaimed = channel->pending.count > 0;
  pl__channel_drop(&channel->pending);
  channel->pending = channel->later;
  channel->later.count = 0;
  channel->later.lost = false;
  if (unclaimed)
    pl__channel_problem(channel, PL_EPROTO, "descriptors without a message");
}

static ssize_t receive(struct pl_channel *channel, bool *brought) {
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(PL_CHANNEL_MOST_FDS * sizeof(int))];
  } control;
  struct iovec bytes = {.iov_base = channel->loop->stream_buffer,
                        .iov_len = PL__CHANNEL_BUFFER};
  struct msghdr message = {.msg_iov = &bytes,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  ssize_t got;
  do
    got = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  if (got < 0) return -errno;
  *brought = message.msg_controllen > 0 || message.msg_flags & MSG_CTRUNC;
  if (*brought) keep_fds(channel, &message);
  return got;
}

/* ---------------------------------------------------------------------- */
/* Framing                                                                */

/* The frame of a clone whose length stands here. */
static size_t clone_frame(const char *data) {
  const unsigned char *head = (const void *)data;
  return 4 + ((size_t)head[0] << 24 | (size_t)head[1] << 16 |
              (size_t)head[2] << 8 | head[3]);
}

/* How long the frame at the begin of these bytes is, 0: it is not whole yet,
 * SIZE_MAX: too long. seen: so many bytes have no newline, as was seen. */
static size_t frame_length(const struct pl_channel *channel, const char *data,
                           size_t length, size_t seen) {
  size_t whole;
  if (channel->mode == PL_CHANNEL_ADVANCED) {
    if (length < 4) return 0;
    whole = clone_frame(data);
  } else {
    const char *newline = memchr(data + seen, '\n', length - seen);
    whole = newline == NULL ? length + 1 : (size_t)(newline - data) + 1;
  }
  if (whole - 1 > channel->most_length) return SIZE_MAX;
  return whole > length ? 0 : whole;
}

static void take_frame(struct pl_channel *channel, const char *data,
                       size_t whole) {
  if (channel->mode == PL_CHANNEL_ADVANCED)
    pl__channel_take(channel, data + 4, whole - 4);
  else
    pl__channel_take(channel, data, whole - 1);
}

static int keep_bytes(struct pl_channel *channel, const char *data,
                      size_t length) {
  size_t needed = channel->partial_length + length;
  if (needed > channel->partial_capacity) {
    size_t capacity = needed < 1024 ? 1024 : needed + needed / 2;
    char *partial =
        pl__resize(&channel->loop->allocator, channel->partial, capacity);
    if (partial == NULL) return PL_ENOMEM;
    channel->partial = partial;
    channel->partial_capacity = capacity;
  }
  memcpy(channel->partial + channel->partial_length, data, length);
  channel->partial_length += length;
  return 0;
}

/* Whether messages are still to be told. */
static bool is_reading(const struct pl_channel *channel) {
  return pl__channel_is_open(channel) && !(channel->state & PL__CHANNEL_PAUSED);
}

/* How many of these bytes complete the message that has begun; all, when they
 * do not. */
static size_t missing(const struct pl_channel *channel, const char *data,
                      size_t length) {
  if (channel->mode == PL_CHANNEL_JSON) {
    const char *newline = memchr(data, '\n', length);
    return newline == NULL ? length : (size_t)(newline - data) + 1;
  }
  size_t have = channel->partial_length;
  if (have < 4) return length < 4 - have ? length : 4 - have;
  size_t whole = clone_frame(channel->partial);
  if (whole - 1 > channel->most_length) return 0;
  return whole - have < length ? whole - have : length;
}

/* Adds to the message that has begun, and tells it when it is whole. Returns
 * how many bytes it took. */
static size_t complete(struct pl_channel *channel, const char *data,
                       size_t length) {
  size_t seen = channel->mode == PL_CHANNEL_JSON ? channel->partial_length : 0;
  size_t taken = missing(channel, data, length);
  if (keep_bytes(channel, data, taken) != 0) {
    pl__channel_end(channel, PL_ENOMEM);
    return length;
  }
  size_t whole =
      frame_length(channel, channel->partial, channel->partial_length, seen);
  if (whole == SIZE_MAX) {
    pl__channel_end(channel, PL_EMSGSIZE);
    return length;
  }
  if (whole != 0) {
    take_frame(channel, channel->partial, whole);
    channel->partial_length = 0;
    move_up(channel);
    if (channel->partial_capacity > PARTIAL_KEPT) {
      pl__resize(&channel->loop->allocator, channel->partial, 0);
      channel->partial = NULL;
      channel->partial_capacity = 0;
    }
  }
  return taken;
}

/* Tells the messages in these bytes; what is left of them is kept. */
static void feed(struct pl_channel *channel, const char *data, size_t length) {
  while (length > 0 && is_reading(channel)) {
    size_t taken;
    if (channel->partial_length > 0) {
      taken = complete(channel, data, length);
    } else {
      taken = frame_length(channel, data, length, 0);
      if (taken == 0) break;
      if (taken == SIZE_MAX) {
        pl__channel_end(channel, PL_EMSGSIZE);
        return;
      }
      take_frame(channel, data, taken);
    }
    data += taken;
    length -= taken;
  }
  if (length == 0 || !pl__channel_is_open(channel)) return;
  if (!is_reading(channel)) channel->state |= PL__CHANNEL_BACKLOG;
  if (keep_bytes(channel, data, length) != 0)
    pl__channel_end(channel, PL_ENOMEM);
}

void pl__channel_read_backlog(struct pl_channel *channel) {
  if (!is_reading(channel)) return;
  struct pl_loop *loop = channel->loop;
  char *backlog = channel->partial;
  size_t length = channel->partial_length;
  channel->state &= (uint8_t)~PL__CHANNEL_BACKLOG;
  channel->partial = NULL;
  channel->partial_length = channel->partial_capacity = 0;
  feed(channel, backlog, length);
  pl__resize(&loop->allocator, backlog, 0);
}

/* ---------------------------------------------------------------------- */
/* Reading                                                                */

static void at_end(struct pl_channel *channel, int error) {
  if (error == 0 && channel->partial_length > 0) error = PL_ECONNRESET;
  pl__channel_end(channel, error);
}

/* Nothing more is there. Behind a row, its sender may have waited for answers;
 * what comes one by one is not worth the call that finds nothing. */
static void found_empty(struct pl_channel *channel) {
  if (channel->row < ROW)
    channel->patience = PATIENCE;
  else if (channel->row < 2 * channel->pace)
    channel->pace = channel->row / 2;
  channel->row = 0;
}

/* One system call and what it brings. Returns how many bytes; 0: none are
 * there, or none will come. */
static size_t read_once(struct pl_channel *channel, bool *brought) {
  *brought = false;
  if (channel->state & PL__CHANNEL_BACKLOG) return 0; /* the older ones first */
  ssize_t got = receive(channel, brought);
  if (!pl__channel_is_open(channel)) return 0;
  if (got == PL_EAGAIN) {
    found_empty(channel);
    return 0;
  }
  if (got <= 0) {
    at_end(channel, (int)got);
    return 0;
  }
  feed(channel, channel->loop->stream_buffer, (size_t)got);
  return (size_t)got;
}

void pl__channel_read_rest(struct pl_channel *channel) {
  bool brought;
  /* More than fits into a socket is somebody else's, who lives on. */
  for (int i = 0; i < READS_OF_THE_REST && is_reading(channel); i++)
    if (read_once(channel, &brought) == 0) return;
}

/* Handles come in a row. Its sender goes on when it hears of some of them;
 * waking it costs 4 us, and it takes 50 us to wake up, so the answers go out
 * by as many as leave half of those that it may have on their way. */
static void answer_some(struct pl_channel *channel) {
  if (channel->row >= ANSWERS_GROW * channel->pace &&
      channel->pace < PL__CHANNEL_READS) {
    channel->pace *= 2;
    channel->row = 0;
  }
  if (channel->owed < channel->pace) return;
  channel->owed = 0;
  pl__channel_write_out(channel);
}

void pl__channel_read(struct pl_channel *channel) {
  channel->owed = 0;
  for (int i = 0; i < PL__CHANNEL_READS && is_reading(channel); i++) {
    bool brought;
    size_t got = read_once(channel, &brought);
    if (got == 0) return;
    if (brought) answer_some(channel);
    /* A read ends behind descriptors, whatever follows. Trying for more saves
     * a poll when they come in a row, and costs a call when they do not. */
    if (brought && channel->patience > 0) {
      channel->patience--;
      return;
    }
    if (!brought && got < PL__CHANNEL_BUFFER) return;
  }
}

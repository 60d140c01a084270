/* SPDX-License-Identifier: MIT */
/*
 * kept.c: messages that came before anybody listened to them.
 *
 * Invariant: while any is kept, whatever comes is kept behind it, so that the
 * order stays; a handle among them was acknowledged, and its descriptors are
 * the channel's until the message is told or the channel ends.
 */
#include "internal.h"

#include <string.h>

/* One message as it came, without its frame, behind its descriptors. */
struct pl__kept {
  struct pl__kept *next;
  size_t length;
  enum pl_handle_type type;
  unsigned fd_count;
  int fds[];
};

static char *bytes_of(struct pl__kept *kept) {
  return (char *)&kept->fds[kept->fd_count];
}

bool pl__channel_keeps(const struct pl_channel *channel) {
  return channel->kept != NULL ||
         (channel->listened && !(channel->listening & PL_LISTENS_MESSAGE));
}

void pl__channel_keep(struct pl_channel *channel,
                      const struct pl_message *message, const char *frame,
                      size_t length) {
  size_t size = sizeof(struct pl__kept) + message->fd_count * sizeof(int);
  struct pl__kept *kept =
      pl__resize(&channel->loop->allocator, NULL, size + length);
  if (kept == NULL) {
    pl__close_fds(message->fds, message->fd_count);
    pl__channel_end(channel, PL_ENOMEM);
    return;
  }
  *kept = (struct pl__kept){
      .length = length, .type = message->type, .fd_count = message->fd_count};
  if (kept->fd_count > 0)
    memcpy(kept->fds, message->fds, kept->fd_count * sizeof(int));
  memcpy(bytes_of(kept), frame, length);
  *channel->kept_end = kept;
  channel->kept_end = &kept->next;
}

static struct pl__kept *take_first(struct pl_channel *channel) {
  struct pl__kept *kept = channel->kept;
  channel->kept = kept->next;
  if (channel->kept == NULL) channel->kept_end = &channel->kept;
  return kept;
}

static void tell_one(struct pl_channel *channel, struct pl__kept *kept) {
  struct pl_value *value, nothing;
  struct pl_message message = {
      .type = kept->type, .fds = kept->fds, .fd_count = kept->fd_count};
  struct pl__json_fault fault;
  pl_values_reset(&channel->values);
  /* It could be read when it came: only memory may be missing now. */
  int error =
      pl__channel_parse(channel, bytes_of(kept), kept->length, &value, &fault);
  if (error != 0) {
    pl__close_fds(kept->fds, kept->fd_count);
    pl__channel_end(channel, error);
    return;
  }
  if (kept->type == PL_HANDLE_NONE) {
    message.text = bytes_of(kept);
    message.length = kept->length;
  } else {
    value = pl__handle_message(value, &nothing);
  }
  message.value = value;
  pl__channel_tell(channel, channel->events->message, &message);
}

void pl__channel_tell_kept(struct pl_channel *channel) {
  struct pl_loop *loop = channel->loop;
  while (channel->kept != NULL && channel->listening & PL_LISTENS_MESSAGE &&
         !(channel->state & (PL__CHANNEL_PAUSED | PL__CHANNEL_CLOSING))) {
    struct pl__kept *kept = take_first(channel);
    tell_one(channel, kept);
    pl__resize(&loop->allocator, kept, 0);
  }
}

void pl__channel_drop_kept(struct pl_channel *channel) {
  while (channel->kept != NULL) {
    struct pl__kept *kept = take_first(channel);
    pl__close_fds(kept->fds, kept->fd_count);
    pl__resize(&channel->loop->allocator, kept, 0);
  }
}

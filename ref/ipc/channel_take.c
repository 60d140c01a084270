/* SPDX-License-Identifier: MIT */
/*
 * channel_take.c: what a message without its frame is: an answer, a handle,
 * something of Node's own, or somebody's message, and who is told.
 *
 * Invariants:
 *  - A message about a handle claims the descriptors that have arrived, or is
 *    refused; what its receiver has not taken is closed.
 *  - Descriptors that were lost for want of room are refused when there is
 *    some, so the sender sends the handle again.
 */
#include "internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------------- */
/* Messages about handles                                                 */

static void refuse(struct pl_channel *channel, int error, const char *what) {
  pl__channel_drop(&channel->pending);
  pl__channel_answer(channel, false);
  pl__channel_problem(channel, error, what);
}

/* The descriptors were lost since the process has too many. They would be again
 * if the sender heard of it now. */
static void refuse_later(struct pl_channel *channel) {
  channel->pending.lost = false;
  channel->lost++;
  channel->tries = 0;
  if (!pl_object_is_active(&channel->retry))
    pl_timer_start(&channel->retry, PL__CHANNEL_RETRY_MS, 0);
  pl__channel_problem(channel, PL_EMFILE, "descriptors were lost");
}

void pl__channel_refuse_lost(struct pl_channel *channel) {
  if (channel->lost == 0) return;
  int probe = fcntl(channel->fd, F_DUPFD_CLOEXEC, 0);
  if (probe >= 0) close(probe);
  if (probe < 0 && ++channel->tries < PL__CHANNEL_RETRIES) {
    pl_timer_start(&channel->retry, PL__CHANNEL_RETRY_MS, 0);
    return;
  }
  for (; channel->lost > 0 && pl__channel_is_open(channel); channel->lost--)
    pl__channel_answer(channel, false);
}

static bool is_internal(const struct pl_value *value) {
  const struct pl_value *cmd = pl_value_get(value, "cmd");
  return cmd != NULL && cmd->type == PL_VALUE_STRING && cmd->length > 5 &&
         memcmp(cmd->bytes, "NODE_", 5) == 0;
}

void pl__channel_tell(struct pl_channel *channel,
                      void (*fn)(void *, struct pl_message *),
                      struct pl_message *message) {
  int *fds = message->fds;
  if (fn != NULL) {
    channel->loop->calls++;
    fn(channel->arg, message);
    pl__drain_if_needed(channel->loop);
  }
  pl__close_fds(fds, message->fd_count);
}

/* A message that came as this frame. */
static void deliver(struct pl_channel *channel, struct pl_message *message,
                    const char *frame, size_t length) {
  if (is_internal(message->value))
    pl__channel_tell(channel, channel->events->internal, message);
  else if (pl__channel_keeps(channel))
    pl__channel_keep(channel, message, frame, length);
  else
    pl__channel_tell(channel, channel->events->message, message);
}

struct pl_value *pl__handle_message(const struct pl_value *carrier,
                                    struct pl_value *nothing) {
  const struct pl_value *inner = pl_value_get(carrier, "msg");
  *nothing = (struct pl_value){.type = PL_VALUE_UNDEFINED};
  /* The tree is ours, and callbacks may change it. */
  return inner != NULL ? (struct pl_value *)(uintptr_t)inner : nothing;
}

/* Takes the pending descriptors that a handle of so many says it has; closes
 * what came beyond. */
static void take_fds(struct pl_channel *channel, int *fds, unsigned count) {
  struct pl__arrival *arrival = &channel->pending;
  memcpy(fds, arrival->fds, count * sizeof(int));
  unsigned more = arrival->count - count;
  pl__close_fds(arrival->fds + count, more);
  arrival->count = 0;
  if (more > 0)
    pl__channel_problem(channel, PL_EPROTO, "more descriptors than handles");
}

static void take_handle(struct pl_channel *channel,
                        const struct pl__handle_line *line, const char *frame,
                        size_t length) {
  if (channel->pending.lost) {
    refuse_later(channel);
    return;
  }
  if (line->type == PL_HANDLE_NONE ||
      !(line->count >= 1 && line->count <= PL_CHANNEL_MOST_FDS)) {
    refuse(channel, PL_EPROTO, "a handle of no known type");
    return;
  }
  unsigned count = (unsigned)line->count;
  if (channel->pending.count < count) {
    refuse(channel, PL_EPROTO, "a handle without a descriptor");
    return;
  }
  /* Of many the first: a call for each would double what they cost. */
  if (pl__handle_check(line->type, channel->pending.fds[0]) != 0) {
    refuse(channel, PL_ENOTSOCK, "a handle of another kind than it says");
    return;
  }
  int fds[PL_CHANNEL_MOST_FDS];
  struct pl_message message = {.value = line->message,
                               .type = line->type,
                               .fds = fds,
                               .fd_count = count};
  take_fds(channel, fds, count);
  pl__channel_answer(channel, true);
  channel->row++;
  channel->owed++;
  deliver(channel, &message, frame, length);
}

/* The same, of a message in any form. */
static void take_carrier(struct pl_channel *channel,
                         const struct pl_value *value, const char *frame,
                         size_t length) {
  struct pl_value nothing;
  struct pl__handle_line line = {
      .type = pl__handle_type(pl_value_get(value, "type")),
      .count = pl_value_to_number(pl_value_get(value, "count"), 1),
      .message = pl__handle_message(value, &nothing)};
  take_handle(channel, &line, frame, length);
}

/* An internal message of Bun's: it may lack its `cmd`, and carry a handle. */
static void take_bun(struct pl_channel *channel, struct pl_value *value,
                     const char *text, size_t length) {
  const struct pl_value *carries = pl_value_get(value, "$hasHandle");
  struct pl_values *values = &channel->values;
  struct pl_message message = {.value = value, .text = text, .length = length};
  int fds[PL_CHANNEL_MOST_FDS];
  channel->bun = true;
  if (value->type != PL_VALUE_OBJECT) {
    pl__channel_problem(channel, PL_EPROTO, "an internal message of no kind");
    return;
  }
  if (pl_value_get(value, "cmd") == NULL)
    pl_value_set(values, value, "cmd", pl_value_string(values, "NODE_CLUSTER"));
  if (values->failed) {
    pl__channel_end(channel, PL_ENOMEM);
    return;
  }
  if (carries != NULL && carries->type == PL_VALUE_TRUE) {
    if (channel->pending.count == 0 ||
        pl__handle_check(PL_HANDLE_NET_NATIVE, channel->pending.fds[0]) != 0) {
      refuse(channel, PL_EPROTO, "a handle without a descriptor");
      return;
    }
    message.type = PL_HANDLE_NET_NATIVE;
    message.fds = fds;
    message.fd_count = 1;
    take_fds(channel, fds, 1);
    pl__channel_answer(channel, true);
  }
  pl__channel_tell(channel, channel->events->internal, &message);
}

static void dispatch(struct pl_channel *channel, struct pl_value *value,
                     const char *text, size_t length) {
  const struct pl_value *cmd = pl_value_get(value, "cmd");
  if (pl_value_is(cmd, "NODE_HANDLE")) {
    take_carrier(channel, value, text, length);
  } else if (pl_value_is(cmd, "NODE_HANDLE_ACK")) {
    pl__channel_answered(channel, true);
  } else if (pl_value_is(cmd, "NODE_HANDLE_NACK")) {
    pl__channel_answered(channel, false);
  } else {
    struct pl_message message = {
        .value = value, .text = text, .length = length};
    deliver(channel, &message, text, length);
  }
}

/* ---------------------------------------------------------------------- */
/* Messages                                                               */

int pl__channel_parse(struct pl_channel *channel, const char *data,
                      size_t length, struct pl_value **out,
                      struct pl__json_fault *fault) {
  if (channel->mode == PL_CHANNEL_ADVANCED)
    return pl__clone_get(&channel->values, data, length, out, fault);
  if (length == 0) return PL_EBADMSG;
  return pl__json_get(&channel->values, data, length, out, fault);
}

/* What comes often, in the form that it usually has. */
static bool take_usual(struct pl_channel *channel, const char *data,
                       size_t length, bool bun) {
  struct pl__handle_line line;
  if (length == sizeof PL__ACK_LINE - 1 &&
      memcmp(data, PL__ACK_LINE, length) == 0) {
    pl__channel_answered(channel, true);
    return true;
  }
  if (bun || !pl__handle_line_get(&channel->values, data, length, &line))
    return false;
  take_handle(channel, &line, data, length);
  return true;
}

void pl__channel_take(struct pl_channel *channel, const char *data,
                      size_t length) {
  struct pl_value *value;
  struct pl__json_fault fault = {"an empty line", 0};
  bool bun = channel->mode == PL_CHANNEL_JSON && length > 0 && data[0] == 2;
  if (bun) {
    data++;
    length--;
  }
  pl_values_reset(&channel->values);
  if (channel->mode == PL_CHANNEL_JSON &&
      take_usual(channel, data, length, bun))
    return;
  int error = pl__channel_parse(channel, data, length, &value, &fault);
  if (error == 0 && bun &&
      !pl_value_is(pl_value_get(value, "cmd"), "NODE_HANDLE_ACK"))
    take_bun(channel, value, data, length);
  else if (error == 0)
    dispatch(channel, value, data, length);
  else if (error == PL_EBADMSG)
    pl__channel_problem(channel, error, fault.what);
  else
    pl__channel_end(channel, error);
}

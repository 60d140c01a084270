/* SPDX-License-Identifier: MIT */
/*
 * channel_write.c: messages go out.
 *
 *   pl_channel_send()   a piece of `out`; behind a handle, of `held`
 *   write_out()         consecutive pieces in one call; each one that carries
 *                       descriptors in its own, after which it is in `asked`
 *   answered()          takes it from there: through, or once more into `out`;
 *                       then the window has room, and `held` moves up
 *
 * Invariants:
 *  - Descriptors go with the first byte of their message.
 *  - Acknowledgements wait behind no handle: two ends that pass handles to each
 *    other at the same time would wait for ever.
 *
 * Several messages are one system call because a call costs 0.6 us and a short
 * message 0.1.
 */
#include "internal.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---------------------------------------------------------------------- */
/* System calls                                                           */

static ssize_t send_bytes(const struct pl_channel *channel, size_t length) {
  ssize_t done;
  do
    done = send(channel->fd, pl__lane_data(&channel->out), length,
                MSG_NOSIGNAL | MSG_DONTWAIT);
  while (done < 0 && errno == EINTR);
  return done < 0 ? -errno : done;
}

static ssize_t send_fds(const struct pl_channel *channel,
                        struct pl__piece *piece) {
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(PL_CHANNEL_MOST_FDS * sizeof(int))];
  } control;
  size_t size = piece->fd_count * sizeof(int);
  struct iovec bytes = {.iov_base =
                            channel->out.bytes.data + channel->out.start,
                        .iov_len = piece->length};
  struct msghdr message = {.msg_iov = &bytes,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(size)};
  control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(size),
                                  .cmsg_level = SOL_SOCKET,
                                  .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.head), pl__piece_fds(piece), size);
  ssize_t done;
  do
    done = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (done < 0 && errno == EINTR);
  return done < 0 ? -errno : done;
}

/* ---------------------------------------------------------------------- */
/* Writing what is in `out`                                               */

static bool carries(const struct pl__piece *piece) {
  return piece->fd_count > 0 && !(piece->state & PL__PIECE_GONE);
}

/* The descriptors of the first piece are on their way: an answer will come.
 * What is left of its bytes in `out` is plain. */
static int ask(struct pl_channel *channel) {
  struct pl__piece *piece = pl__lane_first(&channel->out);
  struct pl__lane *asked = &channel->asked;
  struct pl__piece copy = *piece;
  /* Only what may be sent again is kept. */
  bool again = piece->type == PL_HANDLE_NET_SOCKET && piece->fds == NULL;
  copy.length = again ? piece->length : 0;
  struct pl__bytes *bytes = pl__lane_bytes(asked);
  if (pl__lane_reserve(asked) != 0) return PL_ENOMEM;
  pl__bytes_add(bytes, pl__lane_data(&channel->out), copy.length);
  if (bytes->failed) {
    bytes->failed = false;
    return PL_ENOMEM;
  }
  /* Each of the two knows a request that it alone may still call. */
  struct pl_send *send = piece->send;
  if (send != NULL && !(send->waits & PL__SEND_ACKNOWLEDGED)) copy.send = NULL;
  if (send != NULL && !(send->waits & PL__SEND_WRITTEN)) piece->send = NULL;
  pl__lane_add(asked, &copy);
  piece->fds = NULL;
  piece->fd_count = 0;
  piece->state |= PL__PIECE_GONE;
  return 0;
}

/* So many bytes at the begin of `out` are in the kernel. */
static void wrote(struct pl_channel *channel, size_t length) {
  struct pl__lane *out = &channel->out;
  while (out->count > 0) {
    struct pl__piece *piece = pl__lane_first(out);
    if (piece->length > length) {
      pl__lane_skip(out, length);
      return;
    }
    length -= piece->length;
    pl__channel_written(channel, piece->send, 0);
    pl__lane_pop(out);
    if (length == 0) return;
  }
}

/* The first piece cannot be sent: its descriptors are none. */
static void drop_bad(struct pl_channel *channel) {
  struct pl__piece *piece = pl__lane_first(&channel->out);
  piece->state |= PL__PIECE_KEEP; /* nothing to close */
  pl__channel_written(channel, piece->send, PL_EBADF);
  pl__channel_settle(channel, piece, PL_EBADF);
  pl__lane_pop(&channel->out);
  channel->unacknowledged--;
  channel->bad_fd = true;
  pl__channel_release(channel);
}

/* The other side reads no more. What it has written may still be read, so it is
 * the end of what is read that ends the channel. */
static void mute(struct pl_channel *channel, int error) {
  channel->state |= PL__CHANNEL_MUTE;
  channel->state &= (uint8_t)~PL__CHANNEL_CONNECTED;
  struct pl__lane *const lanes[] = {&channel->asked, &channel->out,
                                    &channel->held};
  for (size_t i = 0; i < 3; i++)
    while (lanes[i]->count > 0) {
      struct pl__piece *piece = pl__lane_first(lanes[i]);
      pl__channel_written(channel, piece->send, error);
      pl__channel_settle(channel, piece, error);
      pl__lane_pop(lanes[i]);
    }
  channel->unacknowledged = 0;
  /* Nothing tells of the end when nothing is read. */
  if (channel->state & PL__CHANNEL_PAUSED) pl__channel_end(channel, error);
}

static void failed(struct pl_channel *channel, int error) {
  switch (error) {
  case PL_EAGAIN:
    channel->state |= PL__CHANNEL_BLOCKED;
    pl__channel_watch(channel);
    return;
  case PL_ENOMEM:
  case PL_ENOBUFS:
  case PL_EMFILE:
  case -ETOOMANYREFS: /* too many descriptors are on their way already */
    if (!pl_object_is_active(&channel->retry))
      pl_timer_start(&channel->retry, PL__CHANNEL_RETRY_MS, 0);
    return;
  default:
    mute(channel, error == PL_ECONNRESET ? PL_EPIPE : error);
  }
}

void pl__channel_write_out(struct pl_channel *channel) {
  struct pl__lane *out = &channel->out;
  while (out->count > 0 && pl__channel_is_open(channel) &&
         !(channel->state & PL__CHANNEL_BLOCKED)) {
    struct pl__piece *piece = pl__lane_first(out);
    ssize_t done;
    if (carries(piece)) {
      done = send_fds(channel, piece);
      if (done == PL_EBADF) {
        drop_bad(channel);
        continue;
      }
      if (done >= 0 && ask(channel) != 0) {
        pl__channel_end(channel, PL_ENOMEM);
        return;
      }
    } else {
      size_t length = 0;
      for (size_t i = 0; i < out->count && !carries(&piece[i]) &&
                         length < 4 * PL__CHANNEL_FLUSH;
           i++)
        length += piece[i].length;
      done = send_bytes(channel, length);
    }
    if (done < 0) {
      failed(channel, (int)done);
      return;
    }
    wrote(channel, (size_t)done);
  }
}

void pl_channel_flush(struct pl_channel *channel) {
  if (pl__channel_is_open(channel)) pl__channel_write_out(channel);
}

size_t pl_channel_queued(const struct pl_channel *channel) {
  return pl__lane_length(&channel->out) + pl__lane_length(&channel->held);
}

size_t pl_channel_held(const struct pl_channel *channel) {
  return channel->held.count;
}

/* ---------------------------------------------------------------------- */
/* Answers                                                                */

void pl__channel_release(struct pl_channel *channel) {
  while (channel->held.count > 0 && channel->unacknowledged < channel->window) {
    if (pl__lane_first(&channel->held)->fd_count > 0) channel->unacknowledged++;
    if (pl__lane_move(&channel->held, &channel->out) != 0) {
      pl__channel_end(channel, PL_ENOMEM);
      return;
    }
  }
  pl__channel_post(channel);
}

/* Sends the first of `asked` once more. */
static void send_again(struct pl_channel *channel) {
  struct pl__piece *piece = pl__lane_first(&channel->asked);
  piece->state = (uint8_t)(piece->state + PL__PIECE_TRY);
  if (pl__lane_move(&channel->asked, &channel->out) != 0)
    pl__channel_end(channel, PL_ENOMEM);
  else
    pl__channel_post(channel);
}

void pl__channel_answered(struct pl_channel *channel, bool received) {
  if (channel->asked.count == 0) {
    pl__channel_problem(channel, PL_EPROTO, "an answer to no handle");
    return;
  }
  struct pl__piece *piece = pl__lane_first(&channel->asked);
  int tries = (piece->state & PL__PIECE_TRIES) / PL__PIECE_TRY;
  bool again = piece->length > 0 && tries < PL__CHANNEL_TRIES;
  if (!received && again) {
    send_again(channel);
    return;
  }
  pl__channel_settle(channel, piece, received ? 0 : PL_EIO);
  pl__lane_pop(&channel->asked);
  channel->unacknowledged--;
  pl__channel_release(channel);
  if (!received)
    pl__channel_problem(channel, PL_EIO, "a handle was not received");
}

/* ---------------------------------------------------------------------- */
/* Sending                                                                */

/* A message to be sent: a value, or JSON text. */
struct parcel {
  struct pl_value *value;
  const char *text;
  size_t length;
  const struct pl_passing *passing;
  unsigned fd_count;
};

static int put_body(struct pl__bytes *out, const struct parcel *parcel) {
  if (parcel->value != NULL) return pl__json_put(out, parcel->value);
  pl__bytes_add(out, parcel->text, parcel->length);
  return 0;
}

static void put_text(struct pl__bytes *out, const char *text) {
  pl__bytes_add(out, text, strlen(text));
}

/* `,"name":"value"` */
static void put_member(struct pl__bytes *out, const char *name,
                       const char *text) {
  struct pl_value value = {
      .type = PL_VALUE_STRING, .length = strlen(text), .bytes = text};
  put_text(out, name);
  (void)pl__json_put(out, &value);
}

/* An internal message as Bun has it. */
static int put_bun(struct pl__bytes *out, const struct parcel *parcel) {
  put_text(out, "\002");
  int error = pl__json_put(out, parcel->value);
  if (parcel->passing != NULL && error == 0) {
    out->length--; /* its closing brace */
    put_text(out, ",\"$hasHandle\":true}");
  }
  put_text(out, "\n");
  return error;
}

static int put_json(const struct pl_channel *channel, struct pl__bytes *out,
                    const struct parcel *parcel) {
  const struct pl_passing *passing = parcel->passing;
  if (channel->bun && parcel->value != NULL && parcel->fd_count <= 1 &&
      pl_value_is(pl_value_get(parcel->value, "cmd"), "NODE_CLUSTER"))
    return put_bun(out, parcel);
  if (passing == NULL) {
    int error = put_body(out, parcel);
    put_text(out, "\n");
    return error;
  }
  put_text(out, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"");
  put_text(out, pl_handle_type_name(passing->type));
  if (parcel->fd_count > 1) {
    put_text(out, "\",\"count\":");
    char *room = pl__bytes_room(out, 32);
    if (room != NULL) out->length += pl__number_put(room, parcel->fd_count);
    put_text(out, ",\"msg\":");
  } else {
    put_text(out, "\",\"msg\":");
  }
  int error = put_body(out, parcel);
  if (passing->type == PL_HANDLE_DGRAM_SOCKET)
    put_member(out, ",\"dgramType\":",
               passing->dgram_type != NULL ? passing->dgram_type : "udp4");
  if (passing->type == PL_HANDLE_NET_SOCKET && passing->key != NULL)
    put_member(out, ",\"key\":", passing->key);
  put_text(out, "}\n");
  return error;
}

/* The message with its handle, as a value around the value. */
static struct pl_value *wrap(struct pl_values *values,
                             const struct parcel *parcel) {
  const struct pl_passing *passing = parcel->passing;
  struct pl_value *outer = pl_value_object(values);
  pl_value_set(values, outer, "cmd", pl_value_string(values, "NODE_HANDLE"));
  pl_value_set(values, outer, "type",
               pl_value_string(values, pl_handle_type_name(passing->type)));
  if (parcel->fd_count > 1)
    pl_value_set(values, outer, "count",
                 pl_value_number(values, parcel->fd_count));
  pl_value_set(values, outer, "msg", parcel->value);
  if (passing->type == PL_HANDLE_DGRAM_SOCKET)
    pl_value_set(values, outer, "dgramType",
                 pl_value_string(values, passing->dgram_type != NULL
                                             ? passing->dgram_type
                                             : "udp4"));
  if (passing->type == PL_HANDLE_NET_SOCKET && passing->key != NULL)
    pl_value_set(values, outer, "key", pl_value_string(values, passing->key));
  return values->failed ? NULL : outer;
}

static int put_advanced(struct pl_channel *channel, struct pl__bytes *out,
                        const struct parcel *parcel) {
  struct pl_values values;
  struct pl_value *value = parcel->value;
  int error = PL_ENOMEM;
  if (value == NULL) return PL_EINVAL;
  pl_values_init(&values, &channel->loop->allocator);
  if (parcel->passing != NULL) value = wrap(&values, parcel);
  size_t start = out->length;
  pl__bytes_add(out, "\0\0\0\0", 4);
  if (value != NULL && !out->failed) error = pl__clone_put(out, value);
  if (error == 0) {
    size_t length = out->length - start - 4;
    if (length > UINT32_MAX) error = PL_EINVAL;
    for (int i = 0; i < 4; i++)
      out->data[start + (size_t)i] = (char)(length >> (24 - 8 * i));
  }
  pl_values_free(&values);
  return error;
}

static int put(struct pl_channel *channel, struct pl__bytes *out,
               const struct parcel *parcel) {
  size_t start = out->length;
  int error = channel->mode == PL_CHANNEL_ADVANCED
                  ? put_advanced(channel, out, parcel)
                  : put_json(channel, out, parcel);
  if (out->failed) error = PL_ENOMEM;
  if (error != 0) {
    out->length = start;
    out->failed = false;
  }
  return error;
}

/* Appends what is in a lane's bytes, from `length` before their end on. */
static void add_piece(struct pl_channel *channel, struct pl__lane *lane,
                      const struct pl__piece *piece) {
  /* Plain messages that go out together are one piece. */
  if (lane == &channel->out && piece->fd_count == 0 && piece->send == NULL &&
      lane->count > 0) {
    struct pl__piece *last = &lane->pieces[lane->first + lane->count - 1];
    if (last->fd_count == 0 && last->send == NULL) {
      last->length += piece->length;
      return;
    }
  }
  pl__lane_add(lane, piece);
}

static void begin_send(struct pl_send *send, bool passes) {
  if (send == NULL) return;
  send->next = NULL;
  send->status = send->written_status = 0;
  send->waits = send->written != NULL ? PL__SEND_WRITTEN : 0;
  if (send->acknowledged != NULL && passes)
    send->waits |= PL__SEND_ACKNOWLEDGED;
}

/* Whether the sender may go on. */
static int may_go_on(struct pl_channel *channel, bool held) {
  if (pl__lane_length(&channel->out) >= PL__CHANNEL_FLUSH)
    pl_channel_flush(channel);
  bool full = pl__lane_length(&channel->out) > PL__CHANNEL_FULL;
  if (!full && (!held || channel->held.count == 1)) return 1;
  channel->state |= PL__CHANNEL_WAITED;
  return 0;
}

static int send_parcel(struct pl_channel *channel, const struct parcel *parcel,
                       struct pl__piece *piece) {
  bool held =
      channel->held.count > 0 || channel->unacknowledged >= channel->window;
  struct pl__lane *lane = held ? &channel->held : &channel->out;
  struct pl__bytes *bytes = pl__lane_bytes(lane);
  size_t start = bytes->length;
  if (pl__lane_reserve(lane) != 0) return PL_ENOMEM;
  int error = put(channel, bytes, parcel);
  if (error != 0) return error;
  piece->length = bytes->length - start;
  begin_send(piece->send, piece->fd_count > 0);
  add_piece(channel, lane, piece);
  if (!held && piece->fd_count > 0) channel->unacknowledged++;
  if (!held) pl__channel_post(channel);
  return may_go_on(channel, held);
}

static bool can_send(const struct pl_channel *channel) {
  return pl__channel_is_open(channel) && channel->state & PL__CHANNEL_CONNECTED;
}

static int send_one(struct pl_channel *channel, struct parcel *parcel,
                    struct pl_send *send) {
  const struct pl_passing *passing = parcel->passing;
  struct pl__piece piece = {.fd = -1, .send = send};
  if (!can_send(channel)) return PL_ENOTCONN;
  if (passing != NULL) {
    if (pl_handle_type_name(passing->type) == NULL) return PL_EINVAL;
    if (passing->fd < 0) return PL_EBADF;
    piece.fd = passing->fd;
    piece.fd_count = 1;
    piece.type = passing->type;
    piece.state = passing->keep_open ? PL__PIECE_KEEP : 0;
    parcel->fd_count = 1;
  }
  return send_parcel(channel, parcel, &piece);
}

/* What Node sends: anything but these, alone. */
static bool is_message(const struct pl_value *value) {
  return value != NULL && value->type != PL_VALUE_UNDEFINED &&
         value->type != PL_VALUE_BIGINT;
}

int pl_channel_send(struct pl_channel *channel, struct pl_value *value,
                    const struct pl_passing *passing, struct pl_send *send) {
  struct parcel parcel = {.value = value, .passing = passing};
  if (!is_message(value)) return PL_EINVAL;
  return send_one(channel, &parcel, send);
}

int pl_channel_send_text(struct pl_channel *channel, const char *text,
                         size_t length, const struct pl_passing *passing,
                         struct pl_send *send) {
  struct parcel parcel = {.text = text, .length = length, .passing = passing};
  if (channel->mode == PL_CHANNEL_ADVANCED) return PL_EINVAL;
  return send_one(channel, &parcel, send);
}

int pl_channel_send_many(struct pl_channel *channel, struct pl_value *value,
                         enum pl_handle_type type, const int *fds,
                         unsigned count, bool keep_open, struct pl_send *send) {
  struct pl_passing passing = {.type = (uint8_t)type, .fd = -1};
  struct parcel parcel = {
      .value = value, .passing = &passing, .fd_count = count};
  if (!can_send(channel)) return PL_ENOTCONN;
  if (!is_message(value) || count == 0 || count > PL_CHANNEL_MOST_FDS ||
      pl_handle_type_name(type) == NULL)
    return PL_EINVAL;
  struct pl__piece piece = {.fd = -1,
                            .send = send,
                            .type = (uint8_t)type,
                            .state = keep_open ? PL__PIECE_KEEP : 0,
                            .fd_count = (uint16_t)count};
  piece.fds =
      pl__resize(&channel->loop->allocator, NULL, count * sizeof *piece.fds);
  if (piece.fds == NULL) return PL_ENOMEM;
  memcpy(piece.fds, fds, count * sizeof *piece.fds);
  int result = send_parcel(channel, &parcel, &piece);
  if (result < 0) pl__resize(&channel->loop->allocator, piece.fds, 0);
  return result;
}

/* {"cmd":"NODE_HANDLE_ACK"}, or NACK, as an advanced channel says it. */
static int put_answer(struct pl_channel *channel, struct pl__bytes *out,
                      bool received) {
  const char *cmd = received ? "NODE_HANDLE_ACK" : "NODE_HANDLE_NACK";
  struct pl_value name = {.type = PL_VALUE_STRING, .length = 3, .bytes = "cmd"};
  struct pl_value text = {
      .type = PL_VALUE_STRING, .length = strlen(cmd), .bytes = cmd};
  struct pl_entry entry = {.key = &name, .value = &text};
  struct pl_value object = {
      .type = PL_VALUE_OBJECT, .length = 1, .first = &entry, .last = &entry};
  struct parcel parcel = {.value = &object};
  return put(channel, out, &parcel);
}

void pl__channel_answer(struct pl_channel *channel, bool received) {
  struct pl__piece piece = {.fd = -1};
  struct pl__lane *lane = &channel->out;
  if (!pl__channel_is_open(channel) || channel->state & PL__CHANNEL_MUTE)
    return;
  struct pl__bytes *bytes = pl__lane_bytes(lane);
  size_t start = bytes->length;
  int error = pl__lane_reserve(lane);
  if (error == 0 && channel->mode == PL_CHANNEL_JSON && received) {
    put_text(bytes, PL__ACK_LINE "\n"); /* the one that is sent often */
    error = bytes->failed ? PL_ENOMEM : 0;
  } else if (error == 0) {
    error = put_answer(channel, bytes, received);
  }
  if (error != 0) {
    pl__channel_end(channel, error);
    return;
  }
  piece.length = bytes->length - start;
  add_piece(channel, lane, &piece);
  pl__channel_post(channel);
}

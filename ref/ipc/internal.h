/* SPDX-License-Identifier: MIT */
/*
 * internal.h: what the files of a channel share.
 *
 * Invariants:
 *  - A message is one piece of one lane: `held` behind handles, then `out`, and
 *    when it carries a handle then `asked`, until it is acknowledged.
 *  - channel->unacknowledged counts the pieces with descriptors in `out` and
 *    `asked`, and is at most `window`.
 *  - The user is called from read_some() and from the deferred call alone, and
 *    the storage is valid until the close callback, so a channel may be closed
 *    in any of its callbacks.
 */
#ifndef PLUMB_IPC_INTERNAL_H
#define PLUMB_IPC_INTERNAL_H

#include "plumb/ipc.h"
#include "value.h"

enum pl__channel_state {
  PL__CHANNEL_CONNECTED = 1,
  PL__CHANNEL_BLOCKED = 2, /* waits until it is writable */
  PL__CHANNEL_PAUSED = 4,
  PL__CHANNEL_BACKLOG = 8, /* `partial` may hold whole messages */
  PL__CHANNEL_WAITED = 16, /* the sender waits for `drained` */
  PL__CHANNEL_MUTE = 32,   /* the other side reads no more */
  PL__CHANNEL_ENDED = 64,  /* `ended` is to be called, or was */
  PL__CHANNEL_CLOSING = 128
};

enum pl__piece_state {
  PL__PIECE_KEEP = 1,  /* its descriptor is the caller's */
  PL__PIECE_TRIES = 6, /* how often it was sent again: two bits */
  PL__PIECE_TRY = 2,
  PL__PIECE_GONE = 8 /* its descriptors are on their way */
};

/* What a request waits for, and what has happened and is to be told. */
enum pl__send_waits {
  PL__SEND_WRITTEN = 1,
  PL__SEND_ACKNOWLEDGED = 2,
  PL__SEND_WAS_WRITTEN = 4,
  PL__SEND_WAS_ACKNOWLEDGED = 8
};

enum {
  PL__CHANNEL_FLUSH = 64 * 1024,
  PL__CHANNEL_FULL = 128 * 1024,
  PL__CHANNEL_BUFFER = 64 * 1024,
  PL__CHANNEL_READS = 128, /* in a row, until others have their turn */
  PL__CHANNEL_TRIES = 3,   /* of a handle that was refused, after the first */
  PL__CHANNEL_RETRY_MS = 10,
  PL__CHANNEL_RETRIES = 100
};

/* -- lanes (lane.c) -------------------------------------------------------- */

void pl__lane_init(struct pl__lane *lane, const struct pl_allocator *allocator);
void pl__lane_free(struct pl__lane *lane);

/* Where the next message's bytes go; they become a piece by pl__lane_add(). */
struct pl__bytes *pl__lane_bytes(struct pl__lane *lane);
/* Room for one more piece. 0 or PL_ENOMEM. */
int pl__lane_reserve(struct pl__lane *lane);
/* Appends a piece, for which there is room, of the lane's last bytes. */
void pl__lane_add(struct pl__lane *lane, const struct pl__piece *piece);

static inline struct pl__piece *pl__lane_first(const struct pl__lane *lane) {
  return &lane->pieces[lane->first];
}
static inline const char *pl__lane_data(const struct pl__lane *lane) {
  return lane->bytes.data + lane->start;
}
static inline size_t pl__lane_length(const struct pl__lane *lane) {
  return lane->bytes.length - lane->start;
}
/* Takes so many bytes off the first piece. */
void pl__lane_skip(struct pl__lane *lane, size_t length);
/* Takes the first piece, of which no bytes are left or wanted, away. */
void pl__lane_pop(struct pl__lane *lane);
/* Moves the first piece behind another lane's. 0 or PL_ENOMEM. */
int pl__lane_move(struct pl__lane *from, struct pl__lane *to);

static inline int *pl__piece_fds(struct pl__piece *piece) {
  return piece->fds != NULL ? piece->fds : &piece->fd;
}

/* -- channel.c ---------------------------------------------------------------
 */

/* Tells the poller what is of use now. */
void pl__channel_watch(struct pl_channel *channel);
/* Has the deferred call made. */
void pl__channel_post(struct pl_channel *channel);
/* Nothing is read or written any more. */
void pl__channel_end(struct pl_channel *channel, int reason);
/* Ends it when a disconnect was asked for and nothing is left to be done. */
void pl__channel_end_if_done(struct pl_channel *channel);
void pl__channel_problem(struct pl_channel *channel, int error,
                         const char *what);
/* A piece is through, or never will be: tells the request, closes. */
void pl__channel_written(struct pl_channel *channel, struct pl_send *send,
                         int status);
void pl__channel_settle(struct pl_channel *channel, struct pl__piece *piece,
                        int status);

static inline bool pl__channel_is_open(const struct pl_channel *channel) {
  return channel->fd >= 0 && !(channel->state & PL__CHANNEL_CLOSING);
}

/* -- channel_write.c ---------------------------------------------------------
 */

void pl__channel_write_out(struct pl_channel *channel);
/* Answers a handle: "NODE_HANDLE_ACK" or "NODE_HANDLE_NACK". */
#define PL__ACK_LINE "{\"cmd\":\"NODE_HANDLE_ACK\"}"
void pl__channel_answer(struct pl_channel *channel, bool received);
/* The first of `asked` was acknowledged or refused. */
void pl__channel_answered(struct pl_channel *channel, bool received);
/* Moves what waited behind handles as far as the window allows. */
void pl__channel_release(struct pl_channel *channel);

/* -- channel_read.c ----------------------------------------------------------
 */

void pl__channel_read(struct pl_channel *channel);
/* Reads what is there, however much: the other side is dead. */
void pl__channel_read_rest(struct pl_channel *channel);
/* Closes descriptors that nobody will claim. */
void pl__channel_drop(struct pl__arrival *arrival);
/* Messages that came while it was paused. */
void pl__channel_read_backlog(struct pl_channel *channel);

/* -- channel_take.c ----------------------------------------------------------
 */

/* Tells a message without its frame. */
void pl__channel_take(struct pl_channel *channel, const char *data,
                      size_t length);
/* The value of a message without its frame. 0, PL_EBADMSG, PL_ENOMEM. */
int pl__channel_parse(struct pl_channel *channel, const char *data,
                      size_t length, struct pl_value **out,
                      struct pl__json_fault *fault);
/* What is said along with a handle; `nothing` when nothing is. */
struct pl_value *pl__handle_message(const struct pl_value *carrier,
                                    struct pl_value *nothing);
/* Calls somebody, who may be NULL, and closes what was not taken. */
void pl__channel_tell(struct pl_channel *channel,
                      void (*fn)(void *, struct pl_message *),
                      struct pl_message *message);
/* Refuses the handles whose descriptors were lost, once there are others. */
void pl__channel_refuse_lost(struct pl_channel *channel);

/* -- kept.c ------------------------------------------------------------------
 */

/* Whether nobody listens to messages, or those before are still to be told. */
bool pl__channel_keeps(const struct pl_channel *channel);
/* Keeps a message, which came as this frame, with its descriptors. */
void pl__channel_keep(struct pl_channel *channel,
                      const struct pl_message *message, const char *frame,
                      size_t length);
/* Tells what was kept, as long as somebody listens. */
void pl__channel_tell_kept(struct pl_channel *channel);
void pl__channel_drop_kept(struct pl_channel *channel);

/* -- handle_line.c -----------------------------------------------------------
 */

/* What a message about a handle says. */
struct pl__handle_line {
  enum pl_handle_type type;
  double count;             /* of its descriptors */
  struct pl_value *message; /* what is said along with it */
};

/* Whether a text has the form in which handles come. If not, it may be
 * anything, and `values` hold what is of no use. */
bool pl__handle_line_get(struct pl_values *values, const char *text,
                         size_t length, struct pl__handle_line *out);

/* -- passing.c ---------------------------------------------------------------
 */

/* The type of a name, PL_HANDLE_NONE when it is none. */
enum pl_handle_type pl__handle_type(const struct pl_value *name);
/* 0, or PL_ENOTSOCK: a descriptor that cannot be of this type. */
int pl__handle_check(enum pl_handle_type type, int fd);
void pl__close_fds(const int *fds, unsigned count);

#endif

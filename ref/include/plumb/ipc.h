/* SPDX-License-Identifier: MIT */
/*
 * ipc.h: a channel between two processes that speaks what Node's child_process
 * speaks, and passes handles.
 *
 *   bytes      a connected AF_UNIX stream socket, both ends alike
 *   messages   JSON and a newline; or (advanced) a length of 4 bytes, the
 *              highest first, and V8's structured clone
 *   handles    {"cmd":"NODE_HANDLE","type":T,"msg":M}, and with its first byte
 *              the descriptor (SCM_RIGHTS); answered by NODE_HANDLE_ACK, or by
 *              NODE_HANDLE_NACK when no descriptor came
 *   Bun        a byte 0x02 before internal messages, which then carry handles
 *              without the NODE_HANDLE around them; so once the other side has
 *              done it, NODE_CLUSTER messages go out in that way, too
 *
 * Invariants, beside those of loop.h:
 *  - Messages arrive in the order in which they were sent. While `window`
 *    handles (1, as in Node) wait for their acknowledgement, whatever is sent
 *    waits behind them.
 *  - What is sent during one callback goes out together, before the loop polls
 *    again: one system call for many messages, one each for those with a
 *    handle. More than 64 KiB go out at once.
 *  - Nothing that the other side sends ends the process or is lost silently:
 *    it is answered, reported as a problem, or ends the channel with a reason.
 *  - Each descriptor has one owner at any time: the caller, the channel (from
 *    pl_channel_send() until it is acknowledged), or the message that brought
 *    it.
 */
#ifndef PLUMB_IPC_H
#define PLUMB_IPC_H

#include "plumb/loop.h"
#include "plumb/value.h"

enum pl_channel_mode {
  PL_CHANNEL_JSON,
  PL_CHANNEL_ADVANCED /* Node's since 13.2; not Bun's, which has its own */
};

/* What a passed descriptor is; the names are Node's. */
enum pl_handle_type {
  PL_HANDLE_NONE,
  PL_HANDLE_NET_SOCKET,   /* "net.Socket": connected, or a pipe */
  PL_HANDLE_NET_SERVER,   /* "net.Server": listening */
  PL_HANDLE_NET_NATIVE,   /* "net.Native": any of those, without its object */
  PL_HANDLE_DGRAM_SOCKET, /* "dgram.Socket" */
  PL_HANDLE_DGRAM_NATIVE  /* "dgram.Native" */
};

/* The name of a type ("net.Socket"), NULL for PL_HANDLE_NONE. */
const char *pl_handle_type_name(enum pl_handle_type type);

/*
 * A descriptor to be passed.
 *
 * keep_open 0: pl_channel_send() takes `fd` when it succeeds, and it is closed
 * when the other side has acknowledged it. 1: borrowed until the request's
 * `acknowledged`, or (without one) the channel's end.
 * It is made non-blocking: receivers rely on it.
 */
struct pl_passing {
  uint8_t type; /* enum pl_handle_type */
  uint8_t keep_open;
  int fd;
  const char *key;        /* net.Socket of a server: "4:127.0.0.1:0"; or NULL */
  const char *dgram_type; /* dgram.Socket: NULL for "udp4" */
};

/* Most descriptors of one message: the kernel's limit. */
#define PL_CHANNEL_MOST_FDS 253

struct pl_channel;

/*
 * A message that was sent, for those who want to hear of it. Prepared by
 * zeroing it and setting the functions; either may be NULL.
 *
 *   written       the message is in the kernel: 0, or why it never will be
 *   acknowledged  the other side has the handle: 0; PL_EIO when it said, for
 *                 the last time, that it has not; or why it never will
 *
 * Borrowed from pl_channel_send() until the last of the two that it waits for.
 */
struct pl_send {
  void (*written)(struct pl_send *send, int status);
  void (*acknowledged)(struct pl_send *send, int status);
  void *arg;            /* the caller's */
  struct pl_send *next; /* the rest is the channel's */
  int written_status, status;
  uint8_t waits; /* enum pl__send_waits */
};

/*
 * A message that came. Everything is borrowed during the call; the descriptors
 * are closed behind it unless they were taken.
 */
struct pl_message {
  struct pl_value *value;
  const char *text; /* JSON: as it came, without the newline */
  size_t length;
  enum pl_handle_type type; /* what it brought */
  int *fds;
  unsigned fd_count;
};

/* Takes the descriptor that a message brought: the caller owns it. -1: there is
 * none, or it was taken. */
int pl_message_take(struct pl_message *message);

/*
 * What a channel tells. All but `message` may be NULL. `arg` is what
 * pl_channel_init() was given.
 *
 *   message   a message came
 *   internal  one with a `cmd` that begins with NODE_ (and goes on), which is
 *             not about handles: cluster's for example
 *   problem   the other side did what it must not, or something could not be
 *             had; the channel goes on. `what` lives for ever.
 *                PL_EBADMSG    a message that is none was skipped
 *                PL_EPROTO     an acknowledgement of nothing, a handle of an
 *                              unknown type, a descriptor without a message
 *                PL_ENOTSOCK   a handle whose descriptor is something else
 *                PL_EMFILE     descriptors were lost on their way in: the
 *                              sender has been told
 *                PL_EIO        a handle of ours has not been received
 *                PL_EBADF      a handle of ours is no descriptor
 *   drained   at most 64 KiB are queued, after a send that returned 0
 *   ended     it is disconnected. reason: 0 when both sides ended it in order,
 *             PL_ECONNRESET when it ended within a message, PL_EMSGSIZE when a
 *             message was too long, PL_ENOMEM, or the system call's error
 */
struct pl_channel_events {
  void (*message)(void *arg, struct pl_message *message);
  void (*internal)(void *arg, struct pl_message *message);
  void (*problem)(void *arg, int error, const char *what);
  void (*drained)(void *arg);
  void (*ended)(void *arg, int reason);
};

/* How a channel is made. Zeroed fields mean the default. */
struct pl_channel_config {
  enum pl_channel_mode mode;
  unsigned window;    /* handles on their way; 1, the order that Node keeps */
  size_t most_length; /* of a message, bytes; 512 MiB */
  bool bun;           /* speak Bun's dialect before the other side does */
};

/* Lanes of messages: the channel's. */
struct pl__piece {
  size_t length; /* bytes */
  struct pl_send *send;
  int fd; /* -1: none, or many */
  uint16_t fd_count;
  uint8_t type;  /* enum pl_handle_type */
  uint8_t state; /* enum pl__piece_state */
  int *fds;      /* many: the channel's */
};
struct pl__lane {
  struct pl__bytes bytes;
  size_t start; /* of what is left of them */
  struct pl__piece *pieces;
  size_t first, count, room;
};

/* Descriptors that came with one read. */
struct pl__arrival {
  int fds[PL_CHANNEL_MOST_FDS];
  unsigned count;
  bool lost; /* there was no room for them in the process */
};

struct pl_channel {
  struct pl_poll io;
  struct pl_deferred flush; /* writes what was sent; also a disconnect */
  struct pl_timer retry;    /* descriptors are short */
  struct pl_loop *loop;
  const struct pl_channel_events *events;
  void *arg;
  int fd;        /* -1: none */
  uint8_t state; /* enum pl__channel_state */
  uint8_t mode;
  unsigned window;
  unsigned lost;  /* handles to be refused once there are descriptors */
  unsigned tries; /* of the retry timer */
  size_t most_length;
  int reason;
  unsigned unacknowledged;
  struct pl__lane out;   /* goes out, in this order */
  struct pl__lane held;  /* waits behind handles */
  struct pl__lane asked; /* handles that wait to be acknowledged */
  struct pl_send *finished, **finished_end; /* to be reported */
  char *partial;                            /* the begin of a message */
  size_t partial_length, partial_capacity;
  struct pl__arrival pending; /* its message has not come */
  struct pl__arrival later;   /* came behind it, before that message's end */
  bool bad_fd;                /* one of ours was none: to be told */
  bool bun;                   /* the other side speaks Bun's dialect */
  bool listened;              /* somebody says who listens */
  uint8_t listening;          /* enum pl_channel_listening */
  struct pl__kept *kept, **kept_end; /* came before anybody listened */
  bool forced;      /* ref or unref has said whether it keeps the loop alive */
  uint8_t patience; /* reads that will not try for more */
  unsigned row;     /* handles since nothing more was there */
  unsigned owed;    /* of those, not answered yet */
  unsigned pace;    /* answers that go out together */
  struct pl_values values;
  pl_event_fn *closed;
  void *closed_arg;
};

/*
 * Prepares a channel, not connected. events: borrowed as long as the channel.
 * Borrows it until its close callback.
 */
void pl_channel_init(struct pl_loop *loop, struct pl_channel *channel,
                     const struct pl_channel_events *events, void *arg);

/*
 * Connects it: it reads from now on, and keeps the loop alive.
 * fd: a connected AF_UNIX stream socket; taken when it succeeds, and made
 * non-blocking. config: NULL for the default.
 * Errors: PL_EINVAL (closing), PL_EBUSY (it has one), PL_EBADF, PL_ENOTSOCK,
 * PL_ENOMEM, and as pl_poll_start().
 */
int pl_channel_open(struct pl_channel *channel, int fd,
                    const struct pl_channel_config *config);

/*
 * Connects it to the parent process, as NODE_CHANNEL_FD and
 * NODE_CHANNEL_SERIALIZATION_MODE say; both go out of the environment.
 * config->mode is not looked at.
 * Errors: PL_ENOENT (no such variable), PL_EINVAL (a number that is none, or an
 * unknown mode), and as pl_channel_open().
 */
int pl_channel_open_parent(struct pl_channel *channel,
                           const struct pl_channel_config *config);

/*
 * Sends a message. passing: a handle to go with it, or NULL. send: to hear of
 * it, or NULL; it is called later, never from within.
 * Returns 1, or 0 when the sender should wait for `drained`: more than 128 KiB
 * are queued, or, behind a handle, more than one message is.
 * Errors, after which nothing was sent and `passing->fd` is the caller's:
 * PL_ENOTCONN; PL_EINVAL (no value; `undefined` or a BigInt alone; a cycle or a
 * BigInt in JSON; a type that is none); PL_EBADF; PL_ENOMEM.
 */
int pl_channel_send(struct pl_channel *channel, struct pl_value *value,
                    const struct pl_passing *passing, struct pl_send *send);

/* The same for a text that is JSON already, without a newline in it; not on an
 * advanced channel (PL_EINVAL). It is not looked at. */
int pl_channel_send_text(struct pl_channel *channel, const char *text,
                         size_t length, const struct pl_passing *passing,
                         struct pl_send *send);

/*
 * Sends many descriptors of one type with one message, for receivers that are
 * pl_channels too: {"cmd":"NODE_HANDLE","type":T,"count":N,"msg":M}. They are
 * one handle to the window, and acknowledged at once. fds: copied; the
 * descriptors are taken, all or none, or (keep_open) borrowed as pl_passing's.
 * The receiver looks at the first one alone: whether they are sockets at all.
 * Errors: as pl_channel_send(); PL_EINVAL for a count of 0 or above
 * PL_CHANNEL_MOST_FDS.
 */
int pl_channel_send_many(struct pl_channel *channel, struct pl_value *value,
                         enum pl_handle_type type, const int *fds,
                         unsigned count, bool keep_open, struct pl_send *send);

/* Writes now what was sent, as far as the kernel takes it. */
void pl_channel_flush(struct pl_channel *channel);

/* Bytes that wait to be written, and messages that wait behind a handle. */
size_t pl_channel_queued(const struct pl_channel *channel);
size_t pl_channel_held(const struct pl_channel *channel);

/*
 * Ends the connection once all that was sent is written and acknowledged; reads
 * until then. `ended` is called later, never from within.
 * Errors: PL_ENOTCONN, also for the second call.
 */
int pl_channel_disconnect(struct pl_channel *channel);

/* 1 until it was disconnected, from either side. */
int pl_channel_is_connected(const struct pl_channel *channel);

/* Stops and continues reading: what comes waits in the kernel, then in its
 * sender. A stopped channel does not see that the other side ended. */
void pl_channel_pause(struct pl_channel *channel);
int pl_channel_resume(struct pl_channel *channel);

/*
 * Whether it keeps the loop alive while it is connected; it does. One that
 * knows its listeners (pl_channel_listen()) does not look at them any more.
 * Rule: IPC-REF-4, -5, -7.
 */
void pl_channel_ref(struct pl_channel *channel);
void pl_channel_unref(struct pl_channel *channel);

/* What is listened to. */
enum pl_channel_listening {
  PL_LISTENS_MESSAGE = 1,
  PL_LISTENS_INTERNAL = 2,
  PL_LISTENS_DISCONNECT = 4
};

/*
 * Says what is listened to, anew each time, so that it does as the channel of a
 * Node's process to its parent: messages that come while nobody listens to them
 * are kept, with their handles, which are acknowledged; they are told, later,
 * when somebody does, and dropped with the channel. It keeps the loop alive
 * while somebody listens to messages or to the end.
 * listening: of enum pl_channel_listening, or 0.
 * Rule: IPC-MESSAGE-1, IPC-REF-1 to -3.
 */
void pl_channel_listen(struct pl_channel *channel, unsigned listening);

/*
 * Ends it at once; what was not written is dropped. Requests that wait are
 * called with PL_ECANCELED, then `closed` (may be NULL) with the arg of the
 * events, in the closing phase.
 * Errors: PL_EINVAL when already closing.
 */
int pl_channel_close(struct pl_channel *channel, pl_event_fn *closed);

/* A pair of ends of a channel, close-on-exec and blocking. Errors: PL_EMFILE,
 * PL_ENFILE, PL_ENOMEM. */
int pl_channel_pair(int ends[2]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * ends.h: the two ends of a channel for white-box tests: a channel on a loop
 * that writes down what it hears, and a raw socket, or a second channel.
 *
 * Invariant: ends_teardown() fails when a descriptor that was not open before
 * still is, or when memory is left.
 */
#ifndef PLUMB_TESTS_IPC_ENDS_H
#define PLUMB_TESTS_IPC_ENDS_H

#include "../world.h"

#include <stdlib.h>
#include <string.h>

#include "../../ipc/internal.h"

enum { END_LOG = 8192 };

struct end {
  struct pl_channel channel;
  struct ends *ends;
  char log[END_LOG]; /* what happened, a word each */
  int fds[64];       /* taken from messages */
  int fd_count;
  int messages;
  size_t longest; /* text of a message */
  int reason;
  bool ended, closed, keep, echo;
  void (*on_message)(struct end *end, struct pl_message *message);
};

struct ends {
  struct world *world;
  struct end a, b; /* b when it is a channel */
  int peer;        /* the raw end, -1: none */
  int open_before;
  struct pl_values values;
};

/* A channel `a` whose other end is the raw socket `peer`, or the channel `b`.
 */
struct ends *ends_raw(const struct pl_channel_config *config);
struct ends *ends_both(const struct pl_channel_config *config);
void ends_teardown(struct ends *ends);

/* Runs the loop until nothing more happens at once. */
void ends_turn(struct ends *ends);
/* Checks what an end has heard and forgets it. */
#define expect_log(end, text)                                                  \
  do {                                                                         \
    assert_string_equal((end)->log, text);                                     \
    (end)->log[0] = '\0';                                                      \
  } while (0)
/* Appends a word. */
void end_say(struct end *end, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The raw end: sends text, with descriptors; checks what it gets, all of it. */
void peer_send(struct ends *ends, const char *text);
void peer_send_fds(struct ends *ends, const char *text, const int *fds,
                   int count);
void expect_peer(struct ends *ends, const char *text);
/* One read: how many bytes; *fd: what came with it, -1 nothing. */
ssize_t peer_read(struct ends *ends, char *data, size_t size, int *fd);

/* Sends a string through a channel; what pl_channel_send() returned. */
int end_send(struct end *end, const char *text);
int end_pass(struct end *end, const char *text, enum pl_handle_type type,
             int fd, struct pl_send *send);

/* Writes down how a handle was answered: a pl_send's `acknowledged`, whose
 * `arg` is the end. */
void end_acknowledged(struct pl_send *send, int status);

/* A listening TCP socket; a UDP socket. */
int open_server(void);
int open_udp(void);
bool fd_is_open(int fd);
int count_open_fds(void);

#endif

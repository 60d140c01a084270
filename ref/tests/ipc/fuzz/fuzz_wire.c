/* SPDX-License-Identifier: MIT */
/*
 * fuzz_wire.c: bytes of another process, into a channel.
 *
 * The first byte of an input chooses: its lowest bit the format, the others
 * into how long pieces the rest is cut. What must hold:
 *  - the same bytes are the same messages and problems, however they are cut;
 *  - who listens to messages at last only is told the same ones;
 *  - a message that was read is written and read again as the same value;
 *  - a descriptor that comes along is closed, or belongs to a message;
 *  - the channel ends once, when the other side does, or for a reason.
 */
#include "../../modules/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../ipc/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was heard, folded into a number. */
struct heard {
  struct pl_channel channel;
  struct pl_loop *loop;
  uint64_t digest, told; /* of all; of messages that are not internal */
  unsigned ends;
  bool closed, broke; /* ended before the other side did */
};

/* How the bytes come, and who hears them. */
struct how {
  enum pl_channel_mode mode;
  size_t piece;
  bool pass; /* a descriptor comes along */
  bool late; /* somebody listens when all has come */
};

static void fold(struct heard *heard, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++)
    heard->digest =
        (heard->digest ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
  heard->digest = heard->digest * 31 + length;
}

/* Writes a value, reads that, and writes it again. */
static void check_value(struct heard *heard, struct pl_value *value) {
  static struct pl_allocator memory;
  memory = heard->loop->allocator;
  struct pl__bytes one = {.allocator = &memory}, two = one;
  struct pl_values values;
  struct pl_value *again = NULL;
  struct pl__json_fault fault;
  pl_values_init(&values, NULL);
  if (heard->channel.mode == PL_CHANNEL_ADVANCED) {
    fuzz_check(
        pl__clone_put(&one, value) == 0 &&
            pl__clone_get(&values, one.data, one.length, &again, &fault) == 0 &&
            pl__clone_put(&two, again) == 0,
        "a clone is cloned again");
  } else {
    fuzz_check(
        pl__json_put(&one, value) == 0 &&
            pl__json_get(&values, one.data, one.length, &again, &fault) == 0 &&
            pl__json_put(&two, again) == 0,
        "JSON is read again");
  }
  fuzz_check(one.length == two.length &&
                 memcmp(one.data, two.data, one.length) == 0,
             "what is read again is the same");
  fold(heard, one.data, one.length);
  pl__bytes_free(&one);
  pl__bytes_free(&two);
  pl_values_free(&values);
}

static void hear_message(struct heard *heard, struct pl_message *message) {
  fold(heard, "message", 7);
  if (message->value->type != PL_VALUE_UNDEFINED ||
      heard->channel.mode == PL_CHANNEL_ADVANCED)
    check_value(heard, message->value);
}

static void on_message(void *arg, struct pl_message *message) {
  struct heard *heard = arg;
  uint64_t all = heard->digest;
  heard->digest = heard->told;
  hear_message(heard, message);
  heard->told = heard->digest;
  heard->digest = all;
  hear_message(heard, message);
}

static void on_internal(void *arg, struct pl_message *message) {
  fold(arg, "internal", 8);
  hear_message(arg, message);
}

static void on_problem(void *arg, int error, const char *what) {
  fold(arg, what, strlen(what));
  fuzz_check(error < 0, "a problem has an error");
}

static void on_ended(void *arg, int reason) {
  struct heard *heard = arg;
  const char *name = reason == 0 ? "end" : pl_error_name(reason);
  fuzz_check(heard->ends++ == 0, "a channel ends once");
  fold(heard, name, strlen(name));
}

static const struct pl_channel_events events = {.message = on_message,
                                                .internal = on_internal,
                                                .problem = on_problem,
                                                .ended = on_ended};

static void on_closed(void *arg, int status) {
  ((struct heard *)arg)->closed = status == 0;
}

static void turn(struct heard *heard, int peer) {
  char answers[4096];
  pl_loop_run(heard->loop, PL_LOOP_NOWAIT);
  while (recv(peer, answers, sizeof answers, MSG_DONTWAIT) > 0)
    continue;
}

/* A piece; a descriptor goes with the first one, when it is to. */
static void send_piece(int peer, const uint8_t *data, size_t size, int fd) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec bytes = {(void *)(uintptr_t)data, size};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd),
                             .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  ssize_t unused = sendmsg(peer, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)unused; /* a channel that has ended takes nothing more */
}

static struct heard hear(struct pl_loop *loop, const uint8_t *data, size_t size,
                         const struct how *how) {
  struct heard heard = {.loop = loop};
  struct pl_channel_config config = {.mode = how->mode, .most_length = 1 << 15};
  int ends[2];
  fuzz_check(pl_channel_pair(ends) == 0, "there are descriptors");
  pl_channel_init(loop, &heard.channel, &events, &heard);
  fuzz_check(pl_channel_open(&heard.channel, ends[0], &config) == 0,
             "a channel opens");
  if (how->late) pl_channel_listen(&heard.channel, PL_LISTENS_DISCONNECT);
  for (size_t at = 0; at < size; at += how->piece) {
    size_t length = size - at < how->piece ? size - at : how->piece;
    send_piece(ends[1], data + at, length, how->pass && at == 0 ? ends[1] : -1);
    turn(&heard, ends[1]);
  }
  heard.broke = heard.ends > 0;
  if (how->late) pl_channel_listen(&heard.channel, PL_LISTENS_MESSAGE);
  shutdown(ends[1], SHUT_RDWR);
  close(ends[1]);
  for (int i = 0; i < 200 && heard.ends == 0; i++)
    pl_loop_run(loop, PL_LOOP_NOWAIT);
  /* A descriptor that nobody has claimed keeps the other end open. */
  fuzz_check(heard.ends == 1 || how->pass,
             "a channel ends with the other side");
  pl_channel_close(&heard.channel, on_closed);
  pl_loop_run(loop, PL_LOOP_NOWAIT);
  fuzz_check(heard.closed, "a channel closes");
  return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct pl_loop *loop = malloc(pl_loop_size());
  fuzz_check(loop != NULL && pl_loop_init(loop, NULL) == 0, "a loop begins");
  enum pl_channel_mode mode = data[0] & 1;
  size_t piece = (size_t)(data[0] >> 1) + 1;
  int before = dup(0);
  close(before);
  data++;
  size--;
  struct how how = {.mode = mode, .piece = size + 1};
  struct heard whole = hear(loop, data, size, &how);
  how.piece = piece;
  struct heard cut = hear(loop, data, size, &how);
  fuzz_check(whole.digest == cut.digest, "cutting changes nothing");
  how.late = true;
  struct heard late = hear(loop, data, size, &how);
  fuzz_check(late.broke == cut.broke && (cut.broke || late.told == cut.told),
             "who listens late is told the same");
  how.pass = true;
  hear(loop, data, size, &how);
  how.late = false;
  hear(loop, data, size, &how);
  int after = dup(0);
  close(after);
  fuzz_check(before == after, "no descriptor is left");
  fuzz_check(pl_loop_close(loop) == 0, "a loop ends");
  free(loop);
  return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * channel.c: JSON messages through a channel, both ends of it in one loop.
 *
 * Invariant: every message that comes has the length of what was sent, the last
 * one its bytes, and they come as often as they were sent. The time is that of
 * both sides; there is no second process to wait for.
 */
#include "library.h"
#include "messages.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOPS = 200, MOST = 65536, FRAME = 9 /* {"text":" and the end */ };

struct talk {
  struct pl_loop_table loops;
  struct pl_processes_table table;
  void *loop, *ends[2];
  char *json;
  size_t length, wanted, came, wrong;
  bool echo;
  int refused;
};

static void take_tables(struct talk *talk, const void *subject) {
  const struct library *library = subject;
  const struct pl_provider *own = library->provider;
  talk->loops = library->loop;
  if (own->size <
          offsetof(struct pl_provider, processes) + sizeof own->processes ||
      !own->processes)
    return;
  size_t known = own->processes->size < sizeof talk->table
                     ? own->processes->size
                     : sizeof talk->table;
  memcpy(&talk->table, own->processes, known);
}

static bool supports(const void *subject, int64_t value) {
  struct talk talk = {0};
  (void)value;
  take_tables(&talk, subject);
  return talk.loops.loop_init && talk.loops.stop && talk.table.channel_size &&
         talk.table.channel_open && talk.table.send && talk.table.channel_close;
}

/* -- what comes ---------------------------------------------------------------
 */

static void send_one(struct talk *talk, int end) {
  int status =
      talk->table.send(talk->ends[end], talk->json, talk->length, NULL);
  if (status < 0) talk->refused = status;
}

static void look_at(struct talk *talk, const struct pl_channel_text *text) {
  talk->came++;
  if (text->length != talk->length ||
      (talk->came == talk->wanted &&
       memcmp(text->json, talk->json, talk->length) != 0))
    talk->wrong++;
}

static void on_second(void *arg, const struct pl_channel_text *text) {
  struct talk *talk = arg;
  look_at(talk, text);
  if (talk->came >= talk->wanted)
    talk->loops.stop(talk->loop);
  else if (talk->echo)
    send_one(talk, 1);
}

static void on_first(void *arg, const struct pl_channel_text *text) {
  struct talk *talk = arg;
  look_at(talk, text);
  if (talk->came >= talk->wanted)
    talk->loops.stop(talk->loop);
  else
    send_one(talk, 0);
}

static void on_problem(void *arg, int error) {
  ((struct talk *)arg)->refused = error;
}

static void on_ended(void *arg, int reason) {
  if (reason != 0) ((struct talk *)arg)->refused = reason;
}

/* -- a channel ----------------------------------------------------------------
 */

static const struct pl_channel_calls calls[2] = {{.size = sizeof calls[0],
                                                  .message = on_first,
                                                  .internal = on_first,
                                                  .problem = on_problem,
                                                  .ended = on_ended},
                                                 {.size = sizeof calls[0],
                                                  .message = on_second,
                                                  .internal = on_second,
                                                  .problem = on_problem,
                                                  .ended = on_ended}};

static const char *connect_ends(struct talk *talk) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) !=
      0)
    return "no pair of sockets";
  for (int i = 0; i < 2; i++)
    if (talk->table.channel_open(talk->loop, talk->ends[i], fds[i], &calls[i],
                                 talk) != 0) {
      close(fds[1]);
      if (i == 0) close(fds[0]);
      return "channel_open() failed";
    }
  return NULL;
}

static void free_all(struct talk *talk) {
  free(talk->ends[0]);
  free(talk->ends[1]);
  free(talk->json);
  free(talk->loop);
  free(talk);
}

static const char *setup(void **state, const void *subject, size_t length) {
  struct talk *talk = calloc(1, sizeof *talk);
  if (!talk) return "out of memory";
  take_tables(talk, subject);
  const struct pl_loop_options options = {.size = sizeof options};
  talk->length = length;
  talk->json = malloc(length + 1);
  talk->loop = calloc(1, talk->loops.loop_size());
  const char *error = talk->json && talk->loop ? NULL : "out of memory";
  for (int i = 0; i < 2 && !error; i++)
    if (!(talk->ends[i] = calloc(1, talk->table.channel_size)))
      error = "out of memory";
  if (!error && talk->loops.loop_init(talk->loop, &options) != 0)
    error = "loop_init() failed";
  if (!error) {
    memset(talk->json, 'x', length);
    memcpy(talk->json, "{\"text\":\"", FRAME);
    memcpy(talk->json + length - 2, "\"}", 3);
    error = connect_ends(talk);
  }
  if (error)
    free_all(talk);
  else
    *state = talk;
  return error;
}

static const char *teardown(void *state) {
  struct talk *talk = state;
  for (int i = 0; i < 2; i++)
    talk->table.channel_close(talk->ends[i]);
  /* The first run may end at once because of a stop() of the batch. */
  int alive = 1;
  for (int tries = 0; alive > 0 && tries < 3; tries++)
    alive = talk->loops.run(talk->loop, PL_RUN_DEFAULT);
  if (alive != 0 || talk->loops.loop_close(talk->loop) != 0)
    return "the loop is alive after the channel's end";
  free_all(talk);
  return NULL;
}

static const char *reset(void *state) {
  struct talk *talk = state;
  talk->came = talk->wrong = 0;
  talk->refused = 0;
  return NULL;
}

static const char *check(void *state) {
  const struct talk *talk = state;
  if (talk->refused) return "the channel refused a message, or ended";
  if (talk->came != talk->wanted) return "not every message came";
  return talk->wrong ? "a message is another one" : NULL;
}

/* -- one way ------------------------------------------------------------------
 */

static const int64_t sizes[] = {64, 1024, 65536};

static uint64_t messages(int64_t bytes) {
  return bytes == MOST ? 32 : 512;
}

static int describe(int64_t value, char *text, size_t size) {
  return bench_describe_bytes("bytes", value, text, size);
}

static const char *setup_messages(void **state, const void *subject,
                                  int64_t bytes) {
  const char *error = setup(state, subject, (size_t)bytes);
  if (!error) ((struct talk *)*state)->wanted = messages(bytes);
  return error;
}

static void run_messages(void *state) {
  struct talk *talk = state;
  for (size_t i = 0; i < talk->wanted; i++)
    send_one(talk, 0);
  talk->loops.run(talk->loop, PL_RUN_DEFAULT);
}

const struct bench bench_messages = {
    .name = "ipc/messages",
    .version = 1,
    .parameter = "bytes",
    .values = sizes,
    .value_count = sizeof sizes / sizeof *sizes,
    .describe = describe,
    .operations = messages,
    .supports = supports,
    .setup = setup_messages,
    .reset = reset,
    .run = run_messages,
    .check = check,
    .teardown = teardown,
};

/* -- to and fro ---------------------------------------------------------------
 */

static uint64_t hops(int64_t value) {
  (void)value;
  return HOPS;
}

static const char *setup_ping_pong(void **state, const void *subject,
                                   int64_t value) {
  (void)value;
  const char *error = setup(state, subject, 64);
  if (error) return error;
  struct talk *talk = *state;
  talk->wanted = HOPS;
  talk->echo = true;
  return NULL;
}

static void run_ping_pong(void *state) {
  struct talk *talk = state;
  send_one(talk, 0);
  talk->loops.run(talk->loop, PL_RUN_DEFAULT);
}

const struct bench bench_message_ping_pong = {
    .name = "ipc/ping-pong",
    .version = 1,
    .operations = hops,
    .supports = supports,
    .setup = setup_ping_pong,
    .reset = reset,
    .run = run_ping_pong,
    .check = check,
    .teardown = teardown,
};

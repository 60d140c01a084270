/* SPDX-License-Identifier: MIT */
/*
 * ref.c: the reference's channel, on a loop on either side.
 *
 * Invariant: every message is built from values and read into values, and what
 * it says is looked at.
 */
#include "ipc_bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plumb/ipc.h"

struct side {
  struct pl_loop *loop;
  struct pl_channel channel;
  struct pl_values values;
  struct pl_value *hi; /* made once: the others' message is constant, too */
  long sent, got, count;
  int passed;
  bool wrong, echo;
  void (*more)(struct side *side);
};

static void on_problem(void *arg, int error, const char *what) {
  (void)arg;
  (void)error;
  bench_die(what);
}

static void on_ended(void *arg, int reason) {
  struct side *side = arg;
  if (reason != 0) bench_die("the channel broke");
  pl_loop_stop(side->loop);
}

/* {"n": i}: its number is the next one. */
static bool is_next(const struct side *side, const struct pl_value *value) {
  return pl_value_to_number(pl_value_get(value, "n"), -1) == (double)side->got;
}

static void on_message(void *arg, struct pl_message *message) {
  struct side *side = arg;
  if (message->type != PL_HANDLE_NONE) {
    side->got += message->fd_count; /* the channel closes them */
    if (!pl_value_is(message->value, "hi")) side->wrong = true;
  } else {
    if (!is_next(side, message->value)) side->wrong = true;
    side->got++;
    if (side->echo &&
        pl_channel_send(&side->channel, message->value, NULL, NULL) < 0)
      bench_die("echo");
  }
  if (side->more != NULL) side->more(side);
  if (side->got >= side->count && !side->echo && side->more == NULL)
    pl_loop_stop(side->loop);
}

static void on_drained(void *arg) {
  struct side *side = arg;
  if (side->more != NULL) side->more(side);
}

static const struct pl_channel_events events = {.message = on_message,
                                                .problem = on_problem,
                                                .drained = on_drained,
                                                .ended = on_ended};

static void side_begin(struct side *side, int fd, long count, unsigned window) {
  struct pl_channel_config config = {.window = window};
  *side = (struct side){.count = count};
  side->loop = malloc(pl_loop_size());
  if (side->loop == NULL || pl_loop_init(side->loop, NULL) != 0)
    bench_die("loop");
  pl_values_init(&side->values, NULL);
  side->hi = pl_value_string(&side->values, "hi");
  pl_channel_init(side->loop, &side->channel, &events, side);
  if (pl_channel_open(&side->channel, fd, &config) != 0) bench_die("open");
}

static void side_run(struct side *side) {
  if (pl_loop_run(side->loop, PL_LOOP_DEFAULT) < 0) bench_die("run");
  if (side->wrong) bench_die("a wrong message");
}

/* ---------------------------------------------------------------------- */

static void send_handles(struct side *side) {
  struct pl_passing passing = {
      .type = PL_HANDLE_NET_SERVER, .keep_open = 1, .fd = side->passed};
  int result = 1;
  while (side->sent < side->count && result == 1) {
    result = pl_channel_send(&side->channel, side->hi, &passing, NULL);
    if (result < 0) bench_die("send");
    side->sent++;
  }
}

/* The child says when it has all: until then the loop runs. */
static void finish(struct side *side) {
  side_run(side);
  pl_loop_update_time(side->loop);
}

static void handles_parent(int fd, long count, int passed, unsigned window) {
  static struct side side; /* its process ends with it */
  side_begin(&side, fd, count, window);
  side.passed = passed;
  side.more = send_handles;
  send_handles(&side);
  finish(&side);
}

static void oneway_parent(int fd, long count, int passed) {
  handles_parent(fd, count, passed, IN_THE_KERNEL);
}

static void oneway64_parent(int fd, long count, int passed) {
  handles_parent(fd, count, passed, IN_FLIGHT);
}

static void acked_parent(int fd, long count, int passed) {
  handles_parent(fd, count, passed, 1);
}

static void send_batches(struct side *side) {
  int fds[BATCH], result = 1;
  for (int i = 0; i < BATCH; i++)
    fds[i] = side->passed;
  while (side->sent < side->count && result == 1) {
    result = pl_channel_send_many(&side->channel, side->hi,
                                  PL_HANDLE_NET_SERVER, fds, BATCH, true, NULL);
    if (result < 0) bench_die("send");
    side->sent += BATCH;
  }
}

static void batched_parent(int fd, long count, int passed) {
  static struct side side; /* its process ends with it */
  side_begin(&side, fd, count, 8);
  side.passed = passed;
  side.more = send_batches;
  send_batches(&side);
  finish(&side);
}

static int child(int fd, long count) {
  static struct side side; /* its process ends with it */
  side_begin(&side, fd, count, 1);
  side_run(&side);
  return side.got == count ? 0 : 1;
}

static struct pl_value *number(struct side *side, long n) {
  pl_values_reset(&side->values);
  struct pl_value *object = pl_value_object(&side->values);
  pl_value_set(&side->values, object, "n",
               pl_value_number(&side->values, (double)n));
  return object;
}

static void send_numbers(struct side *side) {
  int result = 1;
  while (side->sent < side->count && result == 1) {
    result =
        pl_channel_send(&side->channel, number(side, side->sent), NULL, NULL);
    if (result < 0) bench_die("send");
    side->sent++;
  }
}

static void text_parent(int fd, long count, int passed) {
  static struct side side; /* its process ends with it */
  (void)passed;
  side_begin(&side, fd, count, 1);
  side.more = send_numbers;
  send_numbers(&side);
  finish(&side);
}

static void ping(struct side *side) {
  if (side->got < side->count) {
    if (pl_channel_send(&side->channel, number(side, side->got), NULL, NULL) <
        0)
      bench_die("send");
  } else {
    pl_loop_stop(side->loop);
  }
}

static void pong_parent(int fd, long count, int passed) {
  static struct side side; /* its process ends with it */
  (void)passed;
  side_begin(&side, fd, count, 1);
  side.more = ping;
  ping(&side);
  side_run(&side);
}

static int pong_child(int fd, long count) {
  static struct side side; /* its process ends with it */
  side_begin(&side, fd, count, 1);
  side.echo = true;
  side_run(&side); /* until the parent is gone */
  return side.got == count ? 0 : 1;
}

const struct contender ref_contenders[] = {
    {"ref", "fd-oneway", oneway_parent, child},
    {"ref", "fd-oneway-64", oneway64_parent, child},
    {"ref", "fd-acked", acked_parent, child},
    {"ref", "fd-batched", batched_parent, child},
    {"ref", "json-oneway", text_parent, child},
    {"ref", "json-pingpong", pong_parent, pong_child},
    {NULL, NULL, NULL, NULL}};

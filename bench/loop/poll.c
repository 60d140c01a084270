/* SPDX-License-Identifier: MIT */
/*
 * poll.c: one byte goes to and fro in each of n socket pairs, in one loop.
 *
 * Invariant: an operation is a hop: readiness, one read(2), one write(2).
 * Each pair makes HOPS / n hops per batch, so that none can starve unseen,
 * and the last hop of the last pair stops the loop.
 */
#include "fixture.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOPS = 2000, MOST_PAIRS = 100 };

static const int64_t pairs[] = {1, MOST_PAIRS};

struct ping_pong {
  struct fixture fixture; /* 2 n poll handles; 2 i and 2 i + 1 are a pair */
  int fds[2 * MOST_PAIRS];
  uint32_t hops[MOST_PAIRS]; /* of the batch, by pair */
  uint32_t quota;
  uint32_t open; /* pairs that have hops left */
  int broken;    /* a read or write that did not move one byte */
};

static uint64_t hops(int64_t value) {
  (void)value;
  return HOPS;
}

static bool supports(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_POLL) && library_has(subject, CAP_RUN);
}

static void on_readable(void *arg, int status) {
  const struct item *item = arg;
  struct ping_pong *game = (struct ping_pong *)(void *)item->fixture;
  char byte;
  if (status < 0 || read(game->fds[item->index], &byte, 1) != 1) {
    game->broken = 1;
    game->fixture.table->stop(game->fixture.loop);
    return;
  }
  game->fixture.fired++;
  if (++game->hops[item->index / 2] < game->quota) {
    if (write(game->fds[item->index], &byte, 1) != 1) game->broken = 1;
  } else if (--game->open == 0) {
    game->fixture.table->stop(game->fixture.loop);
  }
}

static void close_fds(struct ping_pong *game) {
  for (size_t i = 0; i < 2 * MOST_PAIRS; i++)
    if (game->fds[i] >= 0) close(game->fds[i]);
}

static const char *open_pairs(struct ping_pong *game) {
  const struct fixture *fixture = &game->fixture;
  for (size_t i = 0; i < fixture->count; i++) {
    if (i % 2 == 0 &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, &game->fds[i]) != 0)
      return "socketpair() failed";
    void *poll = item_storage(fixture_item(fixture, i));
    if (fixture->table->poll_start(poll, game->fds[i], PL_POLL_READABLE) != 0)
      return "a poll handle could not be started";
  }
  return NULL;
}

static const char *teardown(void *state) {
  struct ping_pong *game = state;
  const char *error = fixture_close(&game->fixture);
  close_fds(game);
  free(game);
  return error;
}

static const char *setup(void **state, const void *subject, int64_t value) {
  struct ping_pong *game = calloc(1, sizeof *game);
  if (!game) return "out of memory";
  for (size_t i = 0; i < 2 * MOST_PAIRS; i++)
    game->fds[i] = -1;
  const char *error = fixture_open(&game->fixture, subject, PL_KIND_POLL,
                                   2 * (size_t)value, on_readable);
  if (error) {
    free(game);
    return error;
  }
  game->quota = HOPS / (uint32_t)value;
  error = open_pairs(game);
  if (error)
    teardown(game);
  else
    *state = game;
  return error;
}

static const char *reset(void *state) {
  struct ping_pong *game = state;
  fixture_begin(&game->fixture);
  for (size_t i = 0; i < MOST_PAIRS; i++)
    game->hops[i] = 0;
  game->open = (uint32_t)(game->fixture.count / 2);
  return NULL;
}

static void run(void *state) {
  struct ping_pong *game = state;
  for (size_t i = 0; i < game->fixture.count; i += 2)
    if (write(game->fds[i], "x", 1) != 1) game->broken = 1;
  game->fixture.table->run(game->fixture.loop, PL_RUN_DEFAULT);
}

static const char *check(void *state) {
  const struct ping_pong *game = state;
  if (game->broken) return "a byte was lost";
  if (game->open || game->fixture.fired != HOPS)
    return "a pair did not make its hops";
  return NULL;
}

const struct bench bench_poll_ping_pong = {
    .name = "loop/poll/ping-pong",
    .version = 1,
    .parameter = "pairs",
    .values = pairs,
    .value_count = 2,
    .operations = hops,
    .supports = supports,
    .setup = setup,
    .reset = reset,
    .run = run,
    .check = check,
    .counters = fixture_counters,
    .teardown = teardown,
};

/* SPDX-License-Identifier: MIT */
/*
 * stream.c: one byte goes to and fro in each of n pairs of streams.
 *
 * Invariant: an operation is a hop: the callback of a read, which writes the
 * byte back, and the callback of that write. Each pair makes HOPS / n hops per
 * batch; the last hop of the last pair stops the loop. (poll.c is the same game
 * for a caller who reads and writes himself.)
 */
#include "fixture.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOPS = 2000, MOST_PAIRS = 100 };

static const int64_t pairs[] = {1, MOST_PAIRS};

struct game {
  struct fixture fixture;  /* 2 n streams; 2 i and 2 i + 1 are a pair */
  unsigned char *requests; /* one write request for each stream */
  size_t request_size;
  int fds[2 * MOST_PAIRS];
  uint32_t hops[MOST_PAIRS]; /* of the batch, by pair */
  uint32_t quota;
  uint32_t open; /* pairs that have hops left */
  uint64_t written;
  int broken; /* something else than one byte was moved */
};

static uint64_t hops(int64_t value) {
  (void)value;
  return HOPS;
}

static bool supports(const void *subject, int64_t value) {
  const struct library *library = subject;
  const struct pl_loop_table *loop = &library->loop;
  (void)value;
  return library_has(library, CAP_RUN) && loop->stream_open &&
         loop->stream_read && loop->stream_write &&
         loop->size_of(PL_KIND_STREAM) != 0 &&
         loop->size_of(PL_KIND_WRITE) != 0;
}

static void *stream_at(struct game *game, size_t index) {
  return item_storage(fixture_item(&game->fixture, index));
}

static void on_written(void *arg, int status) {
  struct game *game = arg;
  game->written++;
  if (status < 0) game->broken = 1;
}

static void send_byte(struct game *game, size_t index) {
  const struct fixture *fixture = &game->fixture;
  void *request = game->requests + index * game->request_size;
  if (fixture->table->init(fixture->loop, PL_KIND_WRITE, request, on_written,
                           game) != 0 ||
      fixture->table->stream_write(stream_at(game, index), request, "x", 1) !=
          0)
    game->broken = 1;
}

static void on_read(void *arg, const void *data, ptrdiff_t length) {
  const struct item *item = arg;
  struct game *game = (struct game *)(void *)item->fixture;
  if (length != 1 || *(const char *)data != 'x') {
    game->broken = 1;
    game->fixture.table->stop(game->fixture.loop);
    return;
  }
  game->fixture.fired++;
  if (++game->hops[item->index / 2] < game->quota)
    send_byte(game, item->index);
  else if (--game->open == 0)
    game->fixture.table->stop(game->fixture.loop);
}

static const char *open_pairs(struct game *game) {
  const struct fixture *fixture = &game->fixture;
  for (size_t i = 0; i < fixture->count; i++) {
    if (i % 2 == 0 &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   &game->fds[i]) != 0)
      return "socketpair() failed";
    if (fixture->table->stream_open(stream_at(game, i), game->fds[i]) != 0 ||
        fixture->table->stream_read(stream_at(game, i), on_read) != 0)
      return "a stream could not be opened";
  }
  return NULL;
}

static const char *teardown(void *state) {
  struct game *game = state;
  const char *error = fixture_close(&game->fixture);
  for (size_t i = 0; i < 2 * MOST_PAIRS; i++)
    if (game->fds[i] >= 0) close(game->fds[i]);
  free(game->requests);
  free(game);
  return error;
}

static void ignore_event(void *arg, int status) {
  (void)arg;
  (void)status;
}

static const char *setup(void **state, const void *subject, int64_t value) {
  const struct library *library = subject;
  const size_t step = alignof(max_align_t);
  struct game *game = calloc(1, sizeof *game);
  if (!game) return "out of memory";
  for (size_t i = 0; i < 2 * MOST_PAIRS; i++)
    game->fds[i] = -1;
  game->request_size =
      (library->loop.size_of(PL_KIND_WRITE) + step - 1) / step * step;
  game->requests = calloc(2 * (size_t)value, game->request_size);
  const char *error = "out of memory";
  if (game->requests)
    error = fixture_open(&game->fixture, subject, PL_KIND_STREAM,
                         2 * (size_t)value, ignore_event);
  if (error) {
    free(game->requests);
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
  struct game *game = state;
  fixture_begin(&game->fixture);
  for (size_t i = 0; i < MOST_PAIRS; i++)
    game->hops[i] = 0;
  game->open = (uint32_t)(game->fixture.count / 2);
  game->written = 0;
  return NULL;
}

static void run(void *state) {
  struct game *game = state;
  for (size_t i = 0; i < game->fixture.count; i += 2)
    send_byte(game, i);
  game->fixture.table->run(game->fixture.loop, PL_RUN_DEFAULT);
}

/* The callback of a last write may come in the turn after the last read. */
static const char *check(void *state) {
  struct game *game = state;
  if (game->broken) return "a byte was lost";
  if (game->open || game->fixture.fired != HOPS)
    return "a pair did not make its hops";
  for (int i = 0; i < 2 && game->written < HOPS; i++)
    game->fixture.table->run(game->fixture.loop, PL_RUN_NOWAIT);
  return game->written == HOPS ? NULL : "a write was not called back";
}

const struct bench bench_stream_ping_pong = {
    .name = "loop/stream/ping-pong",
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

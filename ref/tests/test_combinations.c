/* SPDX-License-Identifier: MIT */
/*
 * test_combinations.c: callbacks that start, stop, close, clear, reference,
 * send to and queue their own and each other's objects, in random combination.
 *
 * Invariants, checked after every iteration: the loop's counts are what a count
 * of the objects gives; the timing wheel holds the active timers and nothing
 * else, none behind its slot; a closed handle is silent, and closed once.
 */
#include "world.h"

#include <stdlib.h>

enum { OBJECTS = 40, ITERATIONS = 400, SEEDS = 60, KINDS = 9 };

struct game;

struct player {
  struct game *game;
  int kind; /* of the list in init_player() */
  bool closing;
  union {
    struct pl_object head;
    struct pl_timer timer;
    struct pl_watcher watcher;
    struct pl_async async;
    struct pl_poll poll;
    struct pl_timeout timeout;
    struct pl_immediate immediate;
  } as;
  struct pl_task task;
  struct pl_deferred deferred;
};

struct game {
  struct world *world;
  uint64_t seed;
  long callbacks, closes, closed;
  bool over; /* no new work */
  struct player players[OBJECTS];
};

static unsigned roll(struct game *game, unsigned sides) {
  game->seed ^= game->seed << 13;
  game->seed ^= game->seed >> 7;
  game->seed ^= game->seed << 17;
  return (unsigned)(game->seed >> 20) % sides;
}

static void act_at_random(struct game *game);
static void init_player(struct player *player);

static void on_event(void *arg, int status) {
  struct player *player = arg;
  (void)status;
  assert_false(player->closing);
  player->game->callbacks++;
  if (player->kind == 5) world_read(player->game->world, player->as.poll.fd);
  for (unsigned i = roll(player->game, 4); i > 0; i--)
    act_at_random(player->game);
}

static void on_task(void *arg, int status) {
  (void)status;
  struct player *player = arg;
  if (roll(player->game, 3) == 0) act_at_random(player->game);
}

static void on_closed(void *arg, int status) {
  struct player *player = arg;
  assert_int_equal(status, 0);
  assert_true(player->closing);
  player->game->closed++;
  if (player->game->over) return;
  /* The storage is ours again. */
  init_player(player);
  act_at_random(player->game);
}

static void init_player(struct player *player) {
  struct pl_loop *loop = player->game->world->loop;
  player->closing = false;
  switch (player->kind) {
  case 0:
  case 1:
    pl_timer_init(loop, &player->as.timer, on_event, player);
    break;
  case 2:
  case 3:
  case 4:
    pl_watcher_init(loop,
                    (enum pl_object_kind)(PL_OBJECT_IDLE + player->kind - 2),
                    &player->as.watcher, on_event, player);
    break;
  case 5:
    pl_poll_init(loop, &player->as.poll, on_event, player);
    break;
  case 6:
    pl_async_init(loop, &player->as.async, on_event, player);
    break;
  case 7:
    pl_timeout_init(loop, &player->as.timeout, on_event, player);
    break;
  default:
    pl_immediate_init(loop, &player->as.immediate, on_event, player);
    break;
  }
}

static bool is_handle(const struct player *player) {
  return player->kind <= 6;
}

static void start(struct game *game, struct player *player) {
  int fd = (int)(player - game->players) % WORLD_FDS;
  switch (player->kind) {
  case 0:
  case 1:
    pl_timer_start(&player->as.timer, roll(game, 3000) / (1 + roll(game, 200)),
                   roll(game, 4) == 0 ? roll(game, 50) : 0);
    break;
  case 2:
  case 3:
  case 4:
    pl_watcher_start(&player->as.watcher);
    break;
  case 5:
    if (pl_poll_start(&player->as.poll, fd, 1 + roll(game, 3)) == 0)
      world_ready(game->world, fd, 1 + roll(game, 3), roll(game, 20));
    break;
  case 6:
    if (!player->closing) pl_async_send(&player->as.async);
    break;
  case 7:
    pl_timeout_start(&player->as.timeout, roll(game, 12), roll(game, 3) == 0);
    break;
  default:
    pl_immediate_start(&player->as.immediate);
    break;
  }
}

static void stop(struct player *player) {
  if (player->kind == 7)
    pl_timeout_clear(&player->as.timeout);
  else if (player->kind == 8)
    pl_immediate_clear(&player->as.immediate);
  else
    pl_handle_stop(&player->as);
}

static void close_player(struct player *player) {
  if (!is_handle(player)) return;
  int error = pl_handle_close(&player->as, on_closed);
  assert_int_equal(error, player->closing ? PL_EINVAL : 0);
  if (error == 0) player->game->closes++;
  player->closing = true;
}

static void again(struct game *game, struct player *player) {
  if (player->kind <= 1) {
    pl_timer_set_repeat(&player->as.timer, roll(game, 30));
    pl_timer_again(&player->as.timer);
  } else if (player->kind == 7) {
    pl_timeout_refresh(&player->as.timeout);
  }
}

static void act_at_random(struct game *game) {
  if (game->over) return;
  struct player *player = &game->players[roll(game, OBJECTS)];
  switch (roll(game, 12)) {
  default:
    start(game, player);
    break;
  case 5:
    stop(player);
    break;
  case 6:
    close_player(player);
    break;
  case 7:
    again(game, player);
    break;
  case 8:
    if (roll(game, 2))
      pl_object_ref(&player->as);
    else
      pl_object_unref(&player->as);
    break;
  case 9:
    if (roll(game, 2))
      pl_task_tick(&player->task);
    else
      pl_task_microtask(&player->task);
    break;
  case 10:
    pl_deferred_post(game->world->loop, &player->deferred, 0);
    break;
  case 11:
    world_block(game->world, roll(game, 8));
    break;
  }
}

/* ---------------------------------------------------------------------- */
/* Checks                                                                 */

static size_t check_slot(const struct pl__wheel *wheel,
                         const struct pl_link *list, uint64_t start) {
  size_t count = 0;
  for (const struct pl_link *link = list->next; link != list;
       link = link->next, count++) {
    const struct pl_timer *timer =
        PL__OWNER(link, const struct pl_timer, head.link);
    assert_true(timer->head.flags & PL__ACTIVE);
    assert_true(timer->due >= wheel->base && timer->due >= start);
    assert_ptr_equal(link->next->prev, link);
  }
  return count;
}

static void check_wheel(const struct pl__wheel *wheel, size_t expected) {
  size_t count = check_slot(wheel, &wheel->far, 0);
  for (size_t slot = 0; slot < PL__WHEEL_SLOTS; slot++) {
    size_t here = check_slot(wheel, &wheel->slot[slot], 0);
    count += here;
    if (here != 0) assert_true(wheel->filled[slot / 64] >> (slot % 64) & 1);
  }
  assert_int_equal(count, expected);
  assert_int_equal(wheel->count, expected);
}

static void check_counts(struct game *game) {
  struct pl_loop *loop = game->world->loop;
  const uint8_t both = PL__ACTIVE | PL__REF;
  size_t active = 0, timers = 0, timeouts = 0, immediates = 0;
  for (int i = 0; i < OBJECTS; i++) {
    const struct player *player = &game->players[i];
    bool counts = (player->as.head.flags & both) == both;
    if (is_handle(player)) active += counts;
    if (player->kind == 7) timeouts += counts;
    if (player->kind == 8) immediates += counts;
    if (player->kind <= 1) timers += pl_object_is_active(&player->as) != 0;
    assert_int_equal(pl_object_is_closing(&player->as), player->closing);
  }
  const struct pl_timer *internal = &loop->timeouts.timer;
  active += (internal->head.flags & both) == both;
  timers += pl_object_is_active(internal) != 0;
  assert_int_equal(loop->active, active);
  assert_int_equal(loop->timeouts.refs, timeouts);
  assert_int_equal(loop->immediate_refs, immediates);
  assert_int_equal(game->closes - game->closed >= 0, 1);
  check_wheel(&loop->wheel, timers);
}

/* ---------------------------------------------------------------------- */
/* The game                                                               */

static struct game *begin_game(uint64_t seed) {
  struct game *game = calloc(1, sizeof *game);
  assert_non_null(game);
  game->world = world_begin();
  game->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (int i = 0; i < OBJECTS; i++) {
    struct player *player = &game->players[i];
    player->game = game;
    player->kind = i % KINDS;
    init_player(player);
    pl_task_init(game->world->loop, &player->task, on_task, player);
    pl_deferred_init(&player->deferred, on_task, player);
  }
  return game;
}

static void end_game(struct game *game) {
  game->over = true;
  for (int i = 0; i < OBJECTS; i++) {
    stop(&game->players[i]);
    if (!game->players[i].closing) close_player(&game->players[i]);
  }
  expect_run(game->world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(game->closed, game->closes);
  world_end(game->world);
  free(game);
}

static void any_combination_of_operations_keeps_the_counts(void **unused) {
  (void)unused;
  long callbacks = 0, closes = 0;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    struct game *game = begin_game(seed);
    for (int i = 0; i < ITERATIONS; i++) {
      for (int k = 0; k < 4; k++)
        act_at_random(game);
      pl_loop_drain(game->world->loop);
      enum pl_loop_mode mode =
          roll(game, 3) == 0 ? PL_LOOP_ONCE : PL_LOOP_NOWAIT;
      int alive = pl_loop_run(game->world->loop, mode);
      /* A poll handle whose descriptor will never be ready. */
      assert_true(alive == 0 || alive == 1 || alive == PL_EIO);
      if (alive != PL_EIO)
        assert_int_equal(alive, pl_loop_alive(game->world->loop));
      check_counts(game);
    }
    callbacks += game->callbacks;
    closes += game->closes;
    end_game(game);
  }
  /* The game was played, and not just survived. */
  assert_true(callbacks > SEEDS * ITERATIONS);
  assert_true(closes > SEEDS * 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_combination_of_operations_keeps_the_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

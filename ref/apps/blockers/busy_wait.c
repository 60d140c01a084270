/* SPDX-License-Identifier: MIT */
/*
 * busy_wait.c: sleep(100) by asking the clock until it is over, and the cure.
 *
 *   blocks   while (now() - start < 100) continue;   nothing else can happen
 *   timer    the loop is told when to come back      everything else goes on
 *
 * Invariant: both wake up after at least the time that was asked for, and not
 * before anything else in the program differs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

enum { ARRIVAL_MS = 20, SLEEP_MS = 100, REST_MS = 20 };

struct program {
  struct watch watch;
  struct pl_timer arrival; /* of the request whose answer has to wait */
  struct pl_timer alarm;   /* the cure */
  struct pl_timer rest;
  uint64_t asleep_since;
  int beats_before;
  bool blocks;
};

WATCH_CALLBACK(on_rest) {
  (void)status;
  struct program *program = arg;
  pl_handle_close(&program->arrival, NULL);
  pl_handle_close(&program->alarm, NULL);
  pl_handle_close(&program->rest, NULL);
  watch_stop(&program->watch);
}

static void wake_up(struct program *program) {
  printf("slept %.1f ms, %d beats meanwhile\n",
         (double)(watch_now_ns() - program->asleep_since) / 1e6,
         program->watch.beats - program->beats_before);
  pl_loop_update_time(program->watch.loop);
  pl_timer_start(&program->rest, REST_MS, 0);
}

static void busy_wait(uint64_t ms) {
  uint64_t start = watch_now_ns();
  while (watch_now_ns() - start < ms * 1000000)
    continue;
}

WATCH_CALLBACK(on_alarm) {
  (void)status;
  wake_up(arg);
}

WATCH_CALLBACK(on_arrival) {
  (void)status;
  struct program *program = arg;
  program->asleep_since = watch_now_ns();
  program->beats_before = program->watch.beats;
  if (program->blocks) {
    busy_wait(SLEEP_MS);
    wake_up(program);
  } else {
    pl_loop_update_time(program->watch.loop);
    pl_timer_start(&program->alarm, SLEEP_MS, 0);
  }
}

int main(int argc, char **argv) {
  struct program program = {0};
  if (argc != 3 ||
      (strcmp(argv[1], "blocks") != 0 && strcmp(argv[1], "timer") != 0)) {
    fprintf(stderr, "usage: plumb-busy-wait blocks|timer FILE.cpuprofile\n");
    return 2;
  }
  program.blocks = strcmp(argv[1], "blocks") == 0;
  watch_begin(&program.watch);
  WATCH_NAME(&program.watch, on_arrival);
  WATCH_NAME(&program.watch, on_alarm);
  WATCH_NAME(&program.watch, on_rest);
  struct pl_loop *loop = program.watch.loop;
  pl_timer_init(loop, &program.arrival, on_arrival, &program);
  pl_timer_init(loop, &program.alarm, on_alarm, &program);
  pl_timer_init(loop, &program.rest, on_rest, &program);
  pl_timer_start(&program.arrival, ARRIVAL_MS, 0);
  return watch_end(&program.watch, argv[2]);
}

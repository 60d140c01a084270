/* SPDX-License-Identifier: MIT */
/*
 * scene.h: a loop in a world of choices: a program is run with every answer to
 * what the world asks, and leaves a trace of letters each time.
 *
 * Invariant: scene_run_once() depends on the answers alone; it closes what the
 * program has left, in silence, and the loop.
 */
#ifndef PLUMB_TESTS_SCENE_H
#define PLUMB_TESTS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plumb/virtual.h"

enum { SCENE_DEEP = 400, SCENE_PARTS = 16 };

struct scene;

/* An object that leaves its letter, and then does more. */
struct part {
  union {
    struct pl_timer timer;
    struct pl_timeout timeout;
    struct pl_immediate immediate;
    struct pl_watcher watcher;
    struct pl_async async;
    struct pl_signal signal;
    struct pl_work work;
    struct pl_stat stat;
  } as;
  struct scene *scene;
  char letter;
  uint64_t ms; /* a job's */
  void (*more)(struct part *self);
};

struct scene {
  struct pl_loop *loop;
  struct pl_virtual_config config;
  struct part parts[SCENE_PARTS];
  char trace[64];
  int ended; /* what the run returned */
  unsigned answers[SCENE_DEEP], options[SCENE_DEEP];
  size_t depth, given;
  char asked[8192]; /* every question of a run */
};

typedef void scene_program_fn(struct scene *scene);

/* Runs a program with the answers that the scene has, the first option where it
 * has none. */
void scene_run_once(struct scene *scene, scene_program_fn *program);
/* The next answers; false: these were the last. */
bool scene_next_answers(struct scene *scene);
/* The set of traces, sorted, with a blank between them. Gives, free with
 * free(). */
char *scene_all_traces(struct scene *scene, scene_program_fn *program);
void scene_expect(struct scene *scene, scene_program_fn *program,
                  const char *expected);

/* Parts of programs: the n-th, whose letter is the n-th of the alphabet. */
struct part *scene_part(struct scene *scene, int n);
struct part *scene_timer(struct scene *scene, int n, uint64_t after);
struct part *scene_timeout(struct scene *scene, int n, double after);
struct part *scene_immediate(struct scene *scene, int n);
/* A job that takes so long. */
struct part *scene_job(struct scene *scene, int n, uint64_t ms);
/* An async that was sent to. */
struct part *scene_wake_up(struct scene *scene, int n);
void scene_run(struct scene *scene);
uint64_t scene_now_ms(struct scene *scene);

/* Adds a letter to the trace. */
void scene_leave(struct scene *scene, char letter);
/* What a part's object calls: its letter, behind it ! when it was cancelled. */
void scene_on_part(void *arg, int status);
/* When its handle is closed: the letter as a capital. */
void scene_on_closed(void *arg, int status);
void scene_close_self(struct part *self);
void scene_no_job(void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * scene.c: every run of a small program in a world of choices.
 *
 * Invariant: answers are counted up like the digits of a number, the last one
 * first, so no run comes twice.
 */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACES = 64 };

/* -- a run ----------------------------------------------------------------- */

static unsigned choose(void *self, const char *what, unsigned options) {
  struct scene *scene = self;
  assert_true(options >= 2);
  assert_true(scene->depth < SCENE_DEEP);
  size_t length = strlen(scene->asked);
  snprintf(scene->asked + length, sizeof scene->asked - length, "%s\n", what);
  if (scene->depth == scene->given) {
    scene->answers[scene->given] = 0;
    scene->options[scene->given++] = options;
  }
  assert_int_equal(scene->options[scene->depth], options);
  return scene->answers[scene->depth++];
}

static uint64_t duration(void *self, const void *arg) {
  (void)self;
  return ((const struct part *)arg)->ms;
}

static const char *label(void *self, const void *arg) {
  static char text[2];
  (void)self;
  text[0] = ((const struct part *)arg)->letter;
  return text;
}

void scene_leave(struct scene *scene, char letter) {
  size_t length = strlen(scene->trace);
  assert_true(length + 1 < sizeof scene->trace);
  scene->trace[length] = letter;
  scene->trace[length + 1] = '\0';
}

void scene_on_part(void *arg, int status) {
  struct part *part = arg;
  scene_leave(part->scene, part->letter);
  if (status == PL_ECANCELED) scene_leave(part->scene, '!');
  if (part->more != NULL) part->more(part);
}

void scene_on_closed(void *arg, int status) {
  (void)status;
  struct part *part = arg;
  scene_leave(part->scene, (char)(part->letter - 'a' + 'A'));
}

void scene_no_job(void *arg) {
  (void)arg;
}

struct part *scene_part(struct scene *scene, int n) {
  struct part *part = &scene->parts[n];
  part->scene = scene;
  part->letter = (char)('a' + n);
  return part;
}

void scene_run_once(struct scene *scene, scene_program_fn *program) {
  scene->depth = 0;
  scene->trace[0] = scene->asked[0] = '\0';
  memset(scene->parts, 0, sizeof scene->parts);
  scene->loop = test_malloc(pl_loop_size());
  assert_int_equal(pl_virtual_loop_init(scene->loop, &scene->config), 0);
  program(scene);
  int closed;
  while ((closed = pl_loop_close(scene->loop)) == PL_EBUSY) {
    size_t kept = strlen(scene->trace); /* the rest is cleaning up */
    scene->ended = pl_loop_run(scene->loop, PL_LOOP_DEFAULT);
    scene->trace[kept] = '\0';
  }
  assert_int_equal(closed, 0);
  test_free(scene->loop);
}

bool scene_next_answers(struct scene *scene) {
  while (scene->given > 0) {
    if (++scene->answers[scene->given - 1] < scene->options[scene->given - 1])
      return true;
    scene->given--;
  }
  return false;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

char *scene_all_traces(struct scene *scene, scene_program_fn *program) {
  char *traces[TRACES];
  size_t count = 0;
  scene->config.self = scene;
  scene->config.choose = choose;
  scene->config.duration_ms = duration;
  scene->config.label = label;
  do {
    scene_run_once(scene, program);
    size_t i = 0;
    while (i < count && strcmp(traces[i], scene->trace) != 0)
      i++;
    assert_true(i < TRACES);
    if (i == count) traces[count++] = strdup(scene->trace);
  } while (scene_next_answers(scene));
  qsort(traces, count, sizeof *traces, by_text);
  char *text = calloc(1, count * sizeof scene->trace + 1);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) strcat(text, " ");
    strcat(text, traces[i]);
    free(traces[i]);
  }
  return text;
}

void scene_expect(struct scene *scene, scene_program_fn *program,
                  const char *expected) {
  char *found = scene_all_traces(scene, program);
  assert_string_equal(found, expected);
  free(found);
}

/* -- parts of programs ----------------------------------------------------- */

struct part *scene_timer(struct scene *scene, int n, uint64_t after) {
  struct part *part = scene_part(scene, n);
  pl_timer_init(scene->loop, &part->as.timer, scene_on_part, part);
  pl_timer_start(&part->as.timer, after, 0);
  return part;
}

struct part *scene_timeout(struct scene *scene, int n, double after) {
  struct part *part = scene_part(scene, n);
  pl_timeout_init(scene->loop, &part->as.timeout, scene_on_part, part);
  pl_timeout_start(&part->as.timeout, after, 0);
  return part;
}

struct part *scene_immediate(struct scene *scene, int n) {
  struct part *part = scene_part(scene, n);
  pl_immediate_init(scene->loop, &part->as.immediate, scene_on_part, part);
  pl_immediate_start(&part->as.immediate);
  return part;
}

struct part *scene_job(struct scene *scene, int n, uint64_t ms) {
  struct part *part = scene_part(scene, n);
  part->ms = ms;
  pl_work_init(scene->loop, &part->as.work, scene_on_part, part);
  assert_int_equal(pl_work_submit(&part->as.work, scene_no_job), 0);
  return part;
}

struct part *scene_wake_up(struct scene *scene, int n) {
  struct part *part = scene_part(scene, n);
  pl_async_init(scene->loop, &part->as.async, scene_on_part, part);
  pl_async_send(&part->as.async);
  return part;
}

void scene_run(struct scene *scene) {
  scene->ended = pl_loop_run(scene->loop, PL_LOOP_DEFAULT);
}

uint64_t scene_now_ms(struct scene *scene) {
  return pl_virtual_ns(scene->loop) / 1000000;
}

void scene_close_self(struct part *self) {
  pl_handle_close(&self->as, scene_on_closed);
}

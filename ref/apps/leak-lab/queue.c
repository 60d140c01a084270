/* SPDX-License-Identifier: MIT */
/*
 * queue.c: three jobs come in each turn and one is done.
 *
 * Cure: a queue has a bound, and a job a time by which it must have begun. What
 * finds no room is refused at once; what has waited too long is given up.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "lab.h"

enum { MOST = 100, PATIENCE = 50 /* turns */, BODY = 512 };

struct job {
  void *body; /* the only slot */
  uint64_t n, since;
};

struct queue {
  struct pl_root jobs;
  uint32_t job;
  uint64_t done, refused, late;
};

static int begin(struct lab *lab, void **state) {
  static const char *const names[] = {"body", NULL};
  struct queue *queue = calloc(1, sizeof *queue);
  if (queue == NULL) return PL_ENOMEM;
  *state = queue;
  pl_root_add(lab->heap, &queue->jobs, NULL);
  int err = lab_type(lab, "Job", names, &queue->job);
  return err != 0 ? err : lab_list_new(lab, &queue->jobs.object);
}

static int push(struct lab *lab, struct queue *queue, uint64_t n,
                uint64_t now) {
  if (lab->cured && lab_list_count(queue->jobs.object) >= MOST) {
    queue->refused++;
    return 0;
  }
  void **job, *made;
  int err = lab_text(lab, BODY, n, &made);
  if (err == 0) err = lab_handle(lab, made, &job);
  if (err == 0) err = lab_object(lab, queue->job, 3, &made);
  if (err != 0) return err;
  lab_write(lab, made, 0, *job);
  ((struct job *)made)->n = n;
  ((struct job *)made)->since = now;
  *job = made;
  return lab_list_push(lab, &queue->jobs.object, job);
}

static void take(struct lab *lab, struct queue *queue, uint64_t now) {
  const struct job *job = lab_list_shift(lab, queue->jobs.object);
  while (lab->cured && job != NULL && now - job->since > PATIENCE) {
    queue->late++;
    job = lab_list_shift(lab, queue->jobs.object);
  }
  if (job != NULL) queue->done++;
}

static int turn(struct lab *lab, void *state, uint64_t n) {
  int err = 0;
  for (uint64_t i = 0; i < 3 && err == 0; i++)
    err = push(lab, state, 3 * n + i, n);
  if (err == 0) take(lab, state, n);
  return err;
}

static size_t kept(const void *state) {
  return lab_list_count(((const struct queue *)state)->jobs.object);
}

static void told(const void *state, FILE *out) {
  const struct queue *queue = state;
  fprintf(out,
          ", \"done\": %" PRIu64 ", \"refused\": %" PRIu64
          ", \"late\": %" PRIu64,
          queue->done, queue->refused, queue->late);
}

static void end(void *state) {
  if (state == NULL) return;
  pl_root_remove(&((struct queue *)state)->jobs);
  free(state);
}

const struct leak leak_queue = {"queue", "Job", begin, turn, kept, told, end};

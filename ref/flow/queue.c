/* SPDX-License-Identifier: MIT */
/*
 * queue.c: jobs that wait for their turn, run within a limit, and are counted.
 *
 *   push -> queued -> (pump) -> running -> settle, timeout -> ended -> (pump)
 *
 * Invariants:
 *  - A job is in the list of its state, or, once it has ended, in `ended` until
 *    the pump has told; its memory is the caller's again in `ended()`.
 *  - Jobs begin, and are told of, in the pump alone: a task of the tick queue.
 *  - count[RUNNING] <= limit.
 */
#include "../loop/internal.h"

#include "plumb/flow.h"

static void pump_soon(struct pl_queue *queue) {
  pl_task_tick(&queue->pump); /* or it waits there already */
}

static void move_to(struct pl_job *job, struct pl_link *list,
                    enum pl_job_state state) {
  struct pl_queue *queue = job->queue;
  if (job->state == PL_JOB_QUEUED || job->state == PL_JOB_RUNNING)
    queue->counts[job->state]--;
  pl__list_remove(&job->link);
  job->state = (uint8_t)state;
  queue->counts[state]++;
  pl__list_append(list, &job->link);
}

static void end_job(struct pl_job *job, enum pl_job_state state, int status) {
  pl_timeout_clear(&job->timeout);
  job->status = status;
  move_to(job, &job->queue->ended, state);
  pump_soon(job->queue);
}

/* -- the pump ---------------------------------------------------------------
 */

static void on_timeout(void *arg, int status) {
  (void)status;
  end_job(arg, PL_JOB_FAILED, PL_ETIMEDOUT);
}

static void begin_job(struct pl_queue *queue, struct pl_job *job) {
  move_to(job, &queue->running, PL_JOB_RUNNING);
  int error = 0;
  if (queue->config.timeout_ms > 0)
    error = pl_timeout_start(&job->timeout, queue->config.timeout_ms, 0);
  if (error == 0) error = job->start(job);
  if (error != 0) pl_job_settle(job, error);
}

static void tell_ended(struct pl_queue *queue) {
  while (!queue->closed && !pl__list_empty(&queue->ended)) {
    struct pl_job *job = PL__OWNER(queue->ended.next, struct pl_job, link);
    pl__list_remove(&job->link);
    if (job->ended != NULL) job->ended(job, job->status);
  }
}

static void tell_room(struct pl_queue *queue) {
  const struct pl_queue_config *config = &queue->config;
  if (queue->closed) return;
  if (queue->wait && queue->counts[PL_JOB_QUEUED] <= config->high / 2) {
    queue->wait = false;
    if (config->drained != NULL) config->drained(config->arg, 0);
  }
  if (queue->closed || !queue->busy || queue->counts[PL_JOB_QUEUED] > 0 ||
      queue->counts[PL_JOB_RUNNING] > 0 || !pl__list_empty(&queue->ended))
    return;
  queue->busy = false;
  if (config->idle != NULL) config->idle(config->arg, 0);
}

static void on_pump(void *arg, int status) {
  struct pl_queue *queue = arg;
  (void)status;
  tell_ended(queue);
  while (!queue->closed && !pl__list_empty(&queue->queued) &&
         queue->counts[PL_JOB_RUNNING] < queue->config.limit)
    begin_job(queue, PL__OWNER(queue->queued.next, struct pl_job, link));
  tell_room(queue);
}

/* -- from outside -------------------------------------------------------------
 */

int pl_queue_push(struct pl_queue *queue, struct pl_job *job) {
  const struct pl_queue_config *config = &queue->config;
  if (queue->closed) return PL_ECANCELED;
  if (job->state == PL_JOB_QUEUED || job->state == PL_JOB_RUNNING)
    return PL_EBUSY;
  if (config->capacity > 0 &&
      queue->counts[PL_JOB_QUEUED] >= config->capacity) {
    job->queue = queue;
    job->state = PL_JOB_DROPPED;
    queue->counts[PL_JOB_DROPPED]++;
    return PL_ENOBUFS;
  }
  job->queue = queue;
  job->state = PL_JOB_QUEUED;
  pl_timeout_init(queue->loop, &job->timeout, on_timeout, job);
  pl__list_append(&queue->queued, &job->link);
  queue->counts[PL_JOB_QUEUED]++;
  queue->busy = true;
  pump_soon(queue);
  if (config->high == 0 || queue->counts[PL_JOB_QUEUED] < config->high)
    return 1;
  queue->wait = true;
  return 0;
}

int pl_job_settle(struct pl_job *job, int error) {
  if (job->state != PL_JOB_RUNNING || job->queue->closed) return 0;
  end_job(job, error == 0 ? PL_JOB_DONE : PL_JOB_FAILED, error);
  return 1;
}

int pl_job_drop(struct pl_job *job) {
  if (job->state != PL_JOB_QUEUED || job->queue->closed) return 0;
  end_job(job, PL_JOB_DROPPED, PL_ECANCELED);
  return 1;
}

size_t pl_queue_count(const struct pl_queue *queue, enum pl_job_state state) {
  return queue->counts[state];
}

void pl_queue_init(struct pl_loop *loop, struct pl_queue *queue,
                   const struct pl_queue_config *config) {
  *queue = (struct pl_queue){.loop = loop, .config = *config};
  if (queue->config.limit == 0) queue->config.limit = 1;
  pl__link_init(&queue->queued);
  pl__link_init(&queue->running);
  pl__link_init(&queue->ended);
  pl_task_init(loop, &queue->pump, on_pump, queue);
}

static void drop_all(struct pl_queue *queue, struct pl_link *list) {
  while (!pl__list_empty(list)) {
    struct pl_job *job = PL__OWNER(list->next, struct pl_job, link);
    pl_timeout_clear(&job->timeout);
    pl__list_remove(&job->link);
    if (job->state == PL_JOB_QUEUED || job->state == PL_JOB_RUNNING) {
      queue->counts[job->state]--;
      queue->counts[PL_JOB_DROPPED]++;
      job->state = PL_JOB_DROPPED;
    }
  }
}

void pl_queue_close(struct pl_queue *queue) {
  queue->closed = true;
  drop_all(queue, &queue->queued);
  drop_all(queue, &queue->running);
  drop_all(queue, &queue->ended);
}

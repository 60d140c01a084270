/* SPDX-License-Identifier: MIT */
/*
 * provider_flow.c: hands emitters, flows and queues to the suite.
 *
 * Invariant: as in provider.c: it decides nothing.
 */
#include <string.h>

#include "plumb/flow.h"
#include "provider.h"
#include "provider_flow_table.h"

/* -- emitters ----------------------------------------------------------------
 */

static void flow_emitter_init(void *emitter) {
  pl_emitter_init(emitter, NULL);
}
static void flow_emitter_end(void *emitter) {
  pl_emitter_end(emitter);
}
static int flow_on(void *emitter, const char *event, pl_flow_listener *fn,
                   void *arg, int once, int prepend) {
  unsigned flags =
      (once ? PL_LISTENER_ONCE : 0u) | (prepend ? PL_LISTENER_PREPEND : 0u);
  return pl_emitter_on(emitter, event, fn, arg, flags);
}
static int flow_off(void *emitter, const char *event, pl_flow_listener *fn,
                    void *arg) {
  return pl_emitter_off(emitter, event, fn, arg);
}
static int flow_off_all(void *emitter, const char *event) {
  return pl_emitter_off_all(emitter, event);
}
static int flow_emit(void *emitter, const char *event, void *value) {
  return pl_emitter_emit(emitter, event, value);
}
static size_t flow_count(const void *emitter, const char *event) {
  return pl_emitter_count(emitter, event);
}
static const char *flow_next(const void *emitter, const char *event) {
  return pl_emitter_next(emitter, event);
}
static unsigned flow_most(const void *emitter) {
  return ((const struct pl_emitter *)emitter)->most;
}
static void flow_set_most(void *emitter, unsigned most) {
  ((struct pl_emitter *)emitter)->most = most;
}

/* -- flows -------------------------------------------------------------------
 */

struct flow_here {
  struct pl_flow flow;
  const struct pl_flow_options *options;
  struct pl_flow_task tasks[];
};

static size_t flow_flow_size(size_t count) {
  return sizeof(struct flow_here) + count * sizeof(struct pl_flow_task);
}
static int flow_start_task(struct pl_flow_task *task, void *given) {
  const struct pl_flow_options *options = task->arg;
  return options->start(options->arg, (size_t)(task - task->flow->tasks),
                        given);
}
static void flow_done(void *arg, int status) {
  const struct flow_here *here = arg;
  here->options->done(here->options->arg, status);
}

_Static_assert((int)PL_FLOW_IN_SERIES == (int)PL_FLOW_SERIES &&
                   (int)PL_FLOW_IN_PARALLEL == (int)PL_FLOW_PARALLEL &&
                   (int)PL_FLOW_AS_WATERFALL == (int)PL_FLOW_WATERFALL,
               "a kind passes through unchanged");

static void flow_flow_run(void *loop, void *flow,
                          const struct pl_flow_options *options) {
  struct flow_here *here = flow;
  here->options = options;
  for (size_t i = 0; i < options->count; i++)
    here->tasks[i] = (struct pl_flow_task){.start = flow_start_task,
                                           .arg = (void *)(uintptr_t)options};
  pl_flow_run(loop, &here->flow, (enum pl_flow_kind)options->how,
              options->limit, here->tasks, options->count, flow_done, here);
}
static int flow_flow_settle(void *flow, size_t index, int error, void *value) {
  return pl_flow_settle(&((struct flow_here *)flow)->tasks[index], error,
                        value);
}
static void *flow_flow_value(const void *flow, size_t index) {
  return ((const struct flow_here *)flow)->tasks[index].value;
}
static void flow_flow_cancel(void *flow) {
  pl_flow_cancel(&((struct flow_here *)flow)->flow);
}

/* -- queues ------------------------------------------------------------------
 */

struct queue_here {
  struct pl_queue queue;
  struct pl_queue_options options;
};

static void flow_drained(void *arg, int status) {
  const struct queue_here *here = arg;
  (void)status;
  here->options.drained(here->options.arg);
}
static void flow_idle(void *arg, int status) {
  const struct queue_here *here = arg;
  (void)status;
  here->options.idle(here->options.arg);
}
static void flow_queue_init(void *loop, void *queue,
                            const struct pl_queue_options *options) {
  struct queue_here *here = queue;
  const struct pl_queue_config config = {.limit = options->limit,
                                         .high = options->high,
                                         .capacity = options->capacity,
                                         .timeout_ms = options->timeout_ms,
                                         .drained = flow_drained,
                                         .idle = flow_idle,
                                         .arg = here};
  here->options = *options;
  pl_queue_init(loop, &here->queue, &config);
}
static const struct pl_queue_options *options_of(const struct pl_job *job) {
  return &((const struct queue_here *)(const void *)job->queue)->options;
}
static int flow_start_job(struct pl_job *job) {
  return options_of(job)->start(options_of(job)->arg, job->arg);
}
static void flow_job_ended(struct pl_job *job, int status) {
  options_of(job)->ended(options_of(job)->arg, job->arg, status);
}
static int flow_push(void *queue, void *job, void *job_arg) {
  struct pl_job *here = job;
  *here = (struct pl_job){
      .start = flow_start_job, .ended = flow_job_ended, .arg = job_arg};
  return pl_queue_push(&((struct queue_here *)queue)->queue, here);
}
static int flow_settle(void *job, int error) {
  return pl_job_settle(job, error);
}
static int flow_drop(void *job) {
  return pl_job_drop(job);
}
static size_t flow_jobs(const void *queue, enum pl_job_is state) {
  return pl_queue_count(&((const struct queue_here *)queue)->queue,
                        PL_JOB_QUEUED + (enum pl_job_state)state);
}
static void flow_queue_close(void *queue) {
  pl_queue_close(&((struct queue_here *)queue)->queue);
}

const struct pl_flow_table ref_flow_table = {
    .size = sizeof ref_flow_table,
    .emitter_size = sizeof(struct pl_emitter),
    .emitter_init = flow_emitter_init,
    .emitter_end = flow_emitter_end,
    .on = flow_on,
    .off = flow_off,
    .off_all = flow_off_all,
    .emit = flow_emit,
    .count = flow_count,
    .next = flow_next,
    .most = flow_most,
    .set_most = flow_set_most,
    .flow_size = flow_flow_size,
    .flow_run = flow_flow_run,
    .flow_settle = flow_flow_settle,
    .flow_value = flow_flow_value,
    .flow_cancel = flow_flow_cancel,
    .queue_size = sizeof(struct queue_here),
    .job_size = sizeof(struct pl_job),
    .queue_init = flow_queue_init,
    .push = flow_push,
    .settle = flow_settle,
    .drop = flow_drop,
    .jobs = flow_jobs,
    .queue_close = flow_queue_close,
};

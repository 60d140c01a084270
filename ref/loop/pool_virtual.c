/* SPDX-License-Identifier: MIT */
/*
 * pool_virtual.c: a pool without threads: which jobs have begun and ended is
 * decided when somebody looks.
 *
 * Invariants:
 *  - jobs[0..taken-1] have begun, and there are no more of them than threads.
 *  - A job's `begins` and `ends` are what a pool without any delay would do,
 *    so it may be seen to have ended from `ends` on, and not before.
 *  - When the jobs ahead of one leave no thread for it, they end first.
 */
#include "virtual.h"

static uint64_t *earliest(const struct pl__world *world, uint64_t *threads) {
  uint64_t *best = threads;
  for (unsigned i = 1; i < world->config.threads; i++)
    if (threads[i] < *best) best = &threads[i];
  return best;
}

/* Gives the job the thread that is free first. */
static void plan_job(const struct pl__world *world, struct pl__job *job,
                     uint64_t *threads) {
  uint64_t *thread = earliest(world, threads);
  job->begins = job->submitted > *thread ? job->submitted : *thread;
  job->ends = job->begins + job->takes;
  *thread = job->ends;
}

/* Plans anew what has not begun, after one of them has gone. */
static void plan_all(struct pl__world *world) {
  for (unsigned i = 0; i < world->config.threads; i++)
    world->plan[i] = world->free_at[i];
  for (size_t i = world->taken; i < world->count; i++)
    plan_job(world, &world->jobs[i], world->plan);
}

static void take_next(struct pl__world *world) {
  struct pl__job *job = &world->jobs[world->taken++];
  job->taken = true;
  job->work->head.word = PL__WORK_TAKEN;
  *earliest(world, world->free_at) = job->ends;
}

static void remove_job(struct pl__world *world, size_t place) {
  world->count--;
  for (size_t i = place; i < world->count; i++)
    world->jobs[i] = world->jobs[i + 1];
}

/* ---------------------------------------------------------------------- */
/* What may be, what must be                                              */

bool pl__job_may_end(const struct pl__world *world, size_t place) {
  return world->jobs[place].ends <= world->now &&
         place < world->config.threads;
}

static bool is_late(const struct pl__world *world, uint64_t moment) {
  return moment + world->config.late_ms <= world->now;
}

bool pl__jobs_must_end(const struct pl__world *world) {
  for (size_t i = 0; i < world->count; i++)
    if (pl__job_may_end(world, i) &&
        is_late(world, world->jobs[i].ends))
      return true;
  return false;
}

uint64_t pl__jobs_next(const struct pl__world *world) {
  uint64_t next = UINT64_MAX;
  for (size_t i = 0; i < world->count; i++) {
    uint64_t moment = world->jobs[i].ends;
    if (moment <= world->now) moment += world->config.late_ms;
    if (moment > world->now && moment < next) next = moment;
  }
  return next;
}

static uint64_t digest_job(const struct pl__world *world,
                           const struct pl__job *job) {
  uint64_t digest = pl__digest(world, job->work->head.arg);
  return pl__mix(digest, job->ends << 1 | job->taken);
}

/* Of jobs that cannot be told apart one is enough. */
void pl__jobs_options(struct pl__world *world, unsigned base) {
  for (size_t i = 0; i < world->count; i++) {
    const struct pl__job *job = &world->jobs[i];
    if (!pl__job_may_end(world, i)) continue;
    uint64_t key = pl__mix(pl__digest(world, job->work->head.arg), job->ends);
    if (pl__is_double(world, key)) continue;
    pl__option(world, base + (unsigned)i, "%s ends (request %llu)",
               pl__label(world, job->work->head.arg),
               (unsigned long long)job->number);
  }
}

void pl__job_end(struct pl__world *world, size_t place) {
  while (!world->jobs[place].taken)
    take_next(world);
  struct pl_work *work = world->jobs[place].work;
  world->taken--;
  remove_job(world, place);
  pl__work_done(work, pl__work_run(work));
}

uint64_t pl__jobs_digest(const struct pl__world *world) {
  uint64_t digest = world->count;
  for (size_t i = 0; i < world->count; i++)
    digest = pl__mix(digest, digest_job(world, &world->jobs[i]));
  return digest;
}

/* ---------------------------------------------------------------------- */
/* The seam                                                               */

static struct pl__world *world_of(struct pl_pool *self) {
  return PL__OWNER(self, struct pl__world, pool);
}

static int grow(struct pl__world *world) {
  if (world->count < world->room) return 0;
  size_t room = world->room == 0 ? 16 : world->room * 2;
  void *jobs = pl__resize(&world->config.allocator, world->jobs,
                          room * sizeof *world->jobs);
  if (jobs == NULL) return PL_ENOMEM;
  world->jobs = jobs;
  world->room = room;
  return 0;
}

static int virtual_push(struct pl_pool *self, struct pl_work *work) {
  struct pl__world *world = world_of(self);
  int error = grow(world);
  if (error != 0) return error;
  const struct pl_virtual_config *config = &world->config;
  struct pl__job *job = &world->jobs[world->count++];
  *job = (struct pl__job){.work = work,
                          .number = ++world->submitted,
                          .submitted = world->now};
  if (config->duration_ms != NULL)
    job->takes = config->duration_ms(config->self, work->head.arg);
  plan_job(world, job, world->plan);
  work->head.word = PL__WORK_QUEUED;
  return 0;
}

static size_t place_of(const struct pl__world *world,
                       const struct pl_work *work) {
  size_t place = 0;
  while (place < world->count && world->jobs[place].work != work)
    place++;
  return place;
}

/* Lets one of the jobs that may have ended do so. */
static void end_one(struct pl__world *world) {
  pl__question(world, "what ends");
  pl__jobs_options(world, 0);
  pl__job_end(world, pl__answer(world));
}

/* Begins everything up to the job; threads are freed for it as needed. */
static void begin(struct pl__world *world, const struct pl_work *work) {
  for (;;) {
    size_t place = place_of(world, work);
    if (place == world->count || world->jobs[place].taken) return;
    if (world->taken < world->config.threads)
      take_next(world);
    else
      end_one(world);
  }
}

static bool has_begun(struct pl__world *world, const struct pl__job *job) {
  if (job->taken) return true;
  if (job->begins > world->now) return false;
  if (is_late(world, job->begins)) return true;
  pl__question(world, "cancelling");
  pl__option(world, false, "%s waits (request %llu)",
             pl__label(world, job->work->head.arg),
             (unsigned long long)job->number);
  pl__option(world, true, "it has begun");
  return pl__answer(world) != 0;
}

/* What is in front of a request that still waits may have ended before the
 * request is cancelled, and is then reported before it. */
static void end_some_before(struct pl__world *world,
                            const struct pl_work *work) {
  enum { NOTHING = 0, PLACE = 1 };
  for (;;) {
    size_t all = world->count;
    size_t place = place_of(world, work);
    pl__question(world, "what has ended before");
    pl__option(world, NOTHING, "nothing more");
    world->count = place;
    pl__jobs_options(world, PLACE);
    world->count = all;
    unsigned answer = pl__answer(world);
    if (answer == NOTHING) return;
    pl__job_end(world, answer - PLACE);
  }
}

static int virtual_withdraw(struct pl_pool *self, struct pl_work *work) {
  struct pl__world *world = world_of(self);
  if (place_of(world, work) == world->count) return 0;
  if (has_begun(world, &world->jobs[place_of(world, work)])) {
    begin(world, work);
    return 0;
  }
  end_some_before(world, work);
  remove_job(world, place_of(world, work));
  plan_all(world);
  work->head.word = PL__WORK_TAKEN;
  return 1;
}

static void virtual_destroy(struct pl_pool *self) {
  (void)self; /* the poller, which the loop destroys last, frees the world */
}

int pl__jobs_init(struct pl__world *world) {
  static const struct pl_pool_ops ops = {.push = virtual_push,
                                         .withdraw = virtual_withdraw,
                                         .destroy = virtual_destroy};
  size_t threads = world->config.threads;
  world->pool.ops = &ops;
  world->free_at = pl__resize(&world->config.allocator, NULL,
                              2 * threads * sizeof *world->free_at);
  if (world->free_at == NULL) return PL_ENOMEM;
  world->plan = world->free_at + threads;
  for (size_t i = 0; i < 2 * threads; i++)
    world->free_at[i] = 0;
  return 0;
}

void pl__jobs_free(struct pl__world *world) {
  pl__resize(&world->config.allocator, world->jobs, 0);
  pl__resize(&world->config.allocator, world->free_at, 0);
}

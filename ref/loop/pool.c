/* SPDX-License-Identifier: MIT */
/*
 * pool.c: the threads that run a loop's jobs, first come, first served.
 *
 * Invariants:
 *  - While jobs wait and a thread is idle or can be started, the pool is
 *    attended: one thread is on its way (`waking`), or looks (`searching`), or
 *    one is at work, which looks when its job ends, and another one watches:
 *    it sleeps for at most PL__WATCH_NS. So a burst of short jobs wakes one
 *    thread, and a job waits behind a long one for that time at most; and not
 *    even that when the loop goes to sleep, which calls a thread first. Who
 *    watched while nothing was submitted sleeps on, until it is called.
 *  - `attended` changes under the lock, and whoever clears it looks at the
 *    queue behind that. Who submits does the reverse, so nothing is missed.
 *  - Threads are started one by one, when a job finds nobody idle, up to
 *    `most`; they live until the loop is closed.
 *
 * To wake a processor that idles takes tens of microseconds, so before either
 * side sleeps it waits awake for a moment (spin.h), if there is a processor for
 * each of those that are awake.
 */
#include "pool_queue.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { PL__WATCH_NS = 1000000, PL__LOOKS = 4 };

struct worker {
  struct pl__pool *pool;
  pthread_t thread;
  pthread_cond_t woken;
  struct pl_link idle; /* in the pool's list */
  bool called;
};

struct pl__pool {
  struct pl__queue queue;
  char pad[PL__CACHE_LINE];
  atomic_bool attended; /* read by each submission, seldom written */
  char pad_attended[PL__CACHE_LINE];
  pthread_mutex_t lock; /* of all that follows */
  struct pl_loop *loop;
  unsigned processors;
  unsigned most;
  unsigned started;
  atomic_uint busy; /* threads that are at work */
  struct pl_link idle;    /* threads, the one that came last first */
  struct worker *watcher; /* not in the list; NULL: none */
  bool waking;            /* a thread was called or started, and is not here */
  bool searching;         /* one waits awake */
  bool ending;
  struct pl__spin spin;
  struct worker workers[];
};

/* ---------------------------------------------------------------------- */
/* Who looks                                                              */

/* Nobody is left who could be called. */
static bool all_are_at_work(const struct pl__pool *pool) {
  return pl__list_empty(&pool->idle) && pool->watcher == NULL &&
         pool->started == pool->most;
}

static bool update_attended(struct pl__pool *pool) {
  bool attended = pool->waking || pool->searching ||
                  (atomic_load(&pool->busy) != 0 && pool->watcher != NULL) ||
                  all_are_at_work(pool);
  if (attended != atomic_load_explicit(&pool->attended, memory_order_relaxed))
    atomic_store(&pool->attended, attended);
  return attended;
}

/* Chooses a thread, which the caller wakes after it let go of the lock. */
static struct worker *choose(struct pl__pool *pool) {
  struct worker *worker = pool->watcher;
  if (!pl__list_empty(&pool->idle)) {
    worker = PL__OWNER(pool->idle.next, struct worker, idle);
    pl__list_remove(&worker->idle);
  } else if (worker != NULL) {
    pool->watcher = NULL;
  } else {
    return NULL;
  }
  worker->called = true;
  pool->waking = true;
  update_attended(pool);
  return worker;
}

static void unlock_and_wake(struct pl__pool *pool, struct worker *worker) {
  pthread_mutex_unlock(&pool->lock);
  if (worker != NULL) pthread_cond_signal(&worker->woken);
}

static int start_thread(struct pl__pool *pool);

/* Sees to it that somebody looks at the queue. */
static PL__APART void attend(struct pl__pool *pool) {
  struct worker *worker = NULL;
  pthread_mutex_lock(&pool->lock);
  if (!update_attended(pool) && pl__queue_waits(&pool->queue)) {
    worker = choose(pool);
    if (worker == NULL) start_thread(pool); /* or those that there are */
  }
  unlock_and_wake(pool, worker);
}

static bool has_processor_for(const struct pl__pool *pool, unsigned more) {
  return atomic_load(&pool->busy) + more <= pool->processors;
}

/* ---------------------------------------------------------------------- */
/* A thread                                                               */

/* Takes the first of those that did not fit, and makes the others fit. */
static struct pl_work *take_spilled(struct pl__pool *pool) {
  struct pl__queue *queue = &pool->queue;
  if (!atomic_load(&queue->spilled)) return NULL;
  struct pl_work *first = NULL;
  pthread_mutex_lock(&pool->lock);
  bool is_next = atomic_load(&queue->tail) == atomic_load(&queue->head);
  while (is_next && !pl__list_empty(&queue->spill)) {
    struct pl_work *work =
        PL__OWNER(queue->spill.next, struct pl_work, head.link);
    if (first != NULL && !pl__queue_append(queue, work)) break;
    pl__list_remove(&work->head.link);
    if (first != NULL) continue;
    first = work;
    work->head.word = PL__WORK_TAKEN;
    work->slot = NULL;
  }
  if (pl__list_empty(&queue->spill)) atomic_store(&queue->spilled, false);
  pthread_mutex_unlock(&pool->lock);
  return first;
}

static struct pl_work *take(struct pl__pool *pool, struct pl__reader *reader) {
  for (;;) {
    struct pl_work *work = pl__queue_take(&pool->queue, reader);
    if (work == NULL) work = take_spilled(pool);
    if (work != NULL || !atomic_load(&pool->queue.spilled)) return work;
  }
}

static void run_jobs(struct pl__pool *pool, bool patient) {
  struct pl__reader reader = {.patient = patient};
  struct pl_work *work;
  while ((work = take(pool, &reader)) != NULL) {
    if (!atomic_load(&pool->attended) && pl__queue_waits(&pool->queue))
      attend(pool);
    pl__work_done(work, pl__work_run(work));
  }
}

/* Waits awake. Whether there are jobs. */
static bool search(struct pl__pool *pool) {
  unsigned awake = atomic_load(&pool->loop->asleep) ? 1 : 2;
  if (pool->searching || !has_processor_for(pool, awake)) return false;
  if (!pl__spin_wanted(&pool->spin)) return false;
  pool->searching = true;
  update_attended(pool);
  pthread_mutex_unlock(&pool->lock);
  uint64_t end = pl__spin_now() + PL__SPIN_NS;
  bool found;
  do {
    pl__spin_pause();
    found = pl__queue_waits(&pool->queue);
  } while (!found && pl__spin_now() < end);
  pthread_mutex_lock(&pool->lock);
  pool->searching = false;
  pl__spin_learn(&pool->spin, found);
  return found;
}

/* Sleeps until the thread is called, or until the moment. */
static void sleep_until(struct pl__pool *pool, struct worker *worker,
                        const struct timespec *moment) {
  int error = 0;
  while (!worker->called && !pool->ending && error == 0)
    error = moment == NULL
                ? pthread_cond_wait(&worker->woken, &pool->lock)
                : pthread_cond_timedwait(&worker->woken, &pool->lock, moment);
}

static void watch(struct pl__pool *pool, struct worker *worker) {
  struct timespec moment;
  clock_gettime(CLOCK_MONOTONIC, &moment);
  moment.tv_nsec += PL__WATCH_NS;
  moment.tv_sec += moment.tv_nsec / 1000000000;
  moment.tv_nsec %= 1000000000;
  sleep_until(pool, worker, &moment);
}

/* Sleeps, as the one who watches if others are awake and nobody does. False
 * when it watched and nothing at all was submitted: then it is not worth it. */
static bool park(struct pl__pool *pool, struct worker *worker,
                 bool worth_watching) {
  size_t tail = atomic_load(&pool->queue.tail);
  bool watches = worth_watching && pool->watcher == NULL &&
                 (atomic_load(&pool->busy) != 0 || pool->searching);
  worker->called = false;
  if (watches)
    pool->watcher = worker;
  else
    pl__list_prepend(&pool->idle, &worker->idle);
  update_attended(pool);
  if (!pl__queue_waits(&pool->queue)) {
    if (watches)
      watch(pool, worker);
    else
      sleep_until(pool, worker, NULL);
  }
  if (worker->called)
    pool->waking = false;
  else if (watches)
    pool->watcher = NULL;
  else
    pl__list_remove(&worker->idle);
  return worker->called || !watches ||
         tail != atomic_load(&pool->queue.tail);
}

static void *run_thread(void *arg) {
  struct worker *worker = arg;
  struct pl__pool *pool = worker->pool;
  pthread_mutex_lock(&pool->lock);
  pool->waking = false;
  bool worth_watching = true;
  while (!pool->ending) {
    atomic_fetch_add(&pool->busy, 1);
    update_attended(pool); /* run_jobs() looks behind that */
    bool patient = pool->spin.allowed && pool->spin.left == 0;
    pthread_mutex_unlock(&pool->lock);
    run_jobs(pool, patient);
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_sub(&pool->busy, 1);
    if (!search(pool) && !pool->ending)
      worth_watching = park(pool, worker, worth_watching);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

/* Starts a thread that no signal reaches. */
static int start_thread(struct pl__pool *pool) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct worker *worker = &pool->workers[pool->started];
  int error = pthread_create(&worker->thread, NULL, run_thread, worker);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error == 0) {
    pool->started++;
    pool->waking = true;
    update_attended(pool);
  }
  return -error;
}

/* ---------------------------------------------------------------------- */
/* The loop's side                                                        */

static unsigned count_processors(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return (unsigned)CPU_COUNT(&set);
#endif
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (unsigned)count : 1;
}

static void init_workers(struct pl__pool *pool) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  for (unsigned i = 0; i < pool->most; i++) {
    pool->workers[i] = (struct worker){.pool = pool};
    pthread_cond_init(&pool->workers[i].woken, &monotonic);
  }
  pthread_condattr_destroy(&monotonic);
}

static void free_pool(struct pl_loop *loop, struct pl__pool *pool) {
  for (unsigned i = 0; i < pool->most; i++)
    pthread_cond_destroy(&pool->workers[i].woken);
  pthread_mutex_destroy(&pool->lock);
  pl__resize(&loop->allocator, pool, 0);
}

/* Makes the pool and its first thread. */
static int make_pool(struct pl_loop *loop) {
  size_t size =
      sizeof(struct pl__pool) + loop->pool_threads * sizeof(struct worker);
  struct pl__pool *pool = pl__resize(&loop->allocator, NULL, size);
  if (pool == NULL) return PL_ENOMEM;
  memset(pool, 0, sizeof *pool);
  pool->loop = loop;
  pool->most = loop->pool_threads;
  pool->processors = count_processors();
  pool->spin.allowed = loop->spin.allowed = pool->processors > 1;
  pthread_mutex_init(&pool->lock, NULL);
  pl__link_init(&pool->queue.spill);
  pl__link_init(&pool->idle);
  init_workers(pool);
  pthread_mutex_lock(&pool->lock);
  int error = start_thread(pool);
  pthread_mutex_unlock(&pool->lock);
  if (error != 0)
    free_pool(loop, pool);
  else
    loop->pool = pool;
  return error;
}

static PL__APART void spill(struct pl__pool *pool, struct pl_work *work) {
  struct pl__queue *queue = &pool->queue;
  pthread_mutex_lock(&pool->lock);
  if (!pl__list_empty(&queue->spill) || !pl__queue_append(queue, work)) {
    work->head.word = PL__WORK_QUEUED;
    pl__list_append(&queue->spill, &work->head.link);
    atomic_store(&queue->spilled, true);
  }
  pthread_mutex_unlock(&pool->lock);
}

int pl__pool_push(struct pl_loop *loop, struct pl_work *work) {
  struct pl_pool *given = loop->given_pool;
  if (given != NULL) return given->ops->push(given, work);
  if (loop->pool == NULL) {
    int error = make_pool(loop);
    if (error != 0) return error;
  }
  struct pl__pool *pool = loop->pool;
  bool spilled =
      atomic_load_explicit(&pool->queue.spilled, memory_order_acquire);
  if (spilled || !pl__queue_append(&pool->queue, work)) spill(pool, work);
  if (!atomic_load(&pool->attended)) attend(pool);
  return 0;
}

bool pl__pool_withdraw(struct pl_loop *loop, struct pl_work *work) {
  struct pl_pool *given = loop->given_pool;
  if (given != NULL) return given->ops->withdraw(given, work) != 0;
  struct pl__pool *pool = loop->pool;
  if (pool == NULL) return false;
  bool withdrawn = false;
  pthread_mutex_lock(&pool->lock);
  if (work->head.word == PL__WORK_QUEUED) {
    struct pl__queue *queue = &pool->queue;
    pl__list_remove(&work->head.link);
    if (pl__list_empty(&queue->spill)) atomic_store(&queue->spilled, false);
    work->head.word = PL__WORK_TAKEN;
    work->slot = NULL;
    withdrawn = true;
  } else if (work->head.word == PL__WORK_TAKEN && work->slot != NULL) {
    struct pl_work *expected = work;
    withdrawn = atomic_compare_exchange_strong(work->slot, &expected,
                                               &pool->queue.gone);
  }
  pthread_mutex_unlock(&pool->lock);
  return withdrawn;
}

/* While jobs wait that another thread could run, one look must do; a job that
 * waits alone is most often about to be taken. */
static bool spin_for_done(struct pl_loop *loop) {
  if (!has_processor_for(loop->pool, 1)) return false;
  if (!pl__spin_wanted(&loop->spin)) return false;
  uint64_t end = pl__spin_now() + PL__SPIN_NS;
  size_t waiting;
  int looks = 0;
  bool found;
  do {
    waiting = pl__queue_length(&loop->pool->queue);
    pl__spin_pause();
    found = pl__woken(loop);
    if (waiting != 0) looks += waiting > 1 ? PL__LOOKS : 1;
  } while (!found && looks < PL__LOOKS && pl__spin_now() < end);
  if (found || waiting == 0) pl__spin_learn(&loop->spin, found);
  return found;
}

bool pl__pool_wait(struct pl_loop *loop) {
  struct pl__pool *pool = loop->pool;
  if (pool == NULL) return false;
  if (spin_for_done(loop)) return true;
  if (!pl__queue_waits(&pool->queue)) return false;
  pthread_mutex_lock(&pool->lock);
  bool coming = pool->waking || pool->searching;
  struct worker *worker = coming ? NULL : choose(pool);
  unlock_and_wake(pool, worker);
  return false;
}

void pl__pool_free(struct pl_loop *loop) {
  struct pl_pool *given = loop->given_pool;
  if (given != NULL) given->ops->destroy(given);
  struct pl__pool *pool = loop->pool;
  if (pool == NULL) return;
  pthread_mutex_lock(&pool->lock);
  pool->ending = true;
  for (unsigned i = 0; i < pool->started; i++)
    pthread_cond_signal(&pool->workers[i].woken);
  pthread_mutex_unlock(&pool->lock);
  for (unsigned i = 0; i < pool->started; i++)
    pthread_join(pool->workers[i].thread, NULL);
  free_pool(loop, pool);
  loop->pool = NULL;
}

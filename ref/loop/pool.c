/* SPDX-License-Identifier: MIT */
/*
 * pool.c: the threads that run a loop's jobs, first come, first served.
 *
 *   queue                  jobs that nobody has looked at
 *   worker->slots[0..31]   jobs that one thread took out together; it runs them
 *                          one by one, unless they are cancelled or stolen
 *
 * Invariants:
 *  - A request waits in the queue (PL__WORK_QUEUED), or in a slot
 *    (PL__WORK_TAKEN, and the slot names it). Whoever takes it out of the
 * queue, under the lock, or out of the slot, by an exchange, runs or cancels
 * it. A slot is the pool's memory: a request is not touched after that.
 *  - While the queue is not empty, either no thread is idle, or `waking` says
 *    that one is on its way, and it looks at the queue when it arrives.
 *  - A thread becomes idle only when the queue is empty and every slot but the
 *    first of each thread, which that thread is about to run. So a job never
 *    waits behind a long one while a thread has nothing to do.
 *  - Threads are started one by one, when a job finds nobody idle, up to
 *    `most`; they live until the loop is closed.
 *
 * One wake-up is in flight at a time and is passed on by the thread that
 * arrives: of a burst of jobs only the first costs a system call here. More
 * than one job is taken at a time only when at least 4 wait per thread.
 */
#include "internal.h"

#include <pthread.h>
#include <signal.h>

enum { PL__BATCH = 32 };

struct worker {
  struct pl__pool *pool;
  pthread_t thread;
  size_t taken; /* slots filled by the last take; under the lock */
  _Atomic(struct pl_work *) slots[PL__BATCH];
};

struct pl__pool {
  pthread_mutex_t lock;
  pthread_cond_t work_or_end;
  struct pl_link queue; /* of pl_work, by head.link */
  size_t queued;
  unsigned most;
  unsigned started;
  unsigned idle; /* inside pthread_cond_wait() */
  bool waking;
  bool ending;
  struct worker workers[];
};

static void wake_one(struct pl__pool *pool) {
  if (pool->idle == 0 || pool->waking) return;
  pool->waking = true;
  pthread_cond_signal(&pool->work_or_end);
}

/* The part of the queue that one thread takes. */
static size_t share_of(const struct pl__pool *pool) {
  size_t share = pool->queued / (2 * (size_t)pool->most);
  if (share < 1) return pool->queued < 1 ? 0 : 1;
  return share < PL__BATCH ? share : PL__BATCH;
}

/* Moves jobs from the queue into the thread's slots, which are empty. */
static size_t take_share(struct pl__pool *pool, struct worker *worker) {
  size_t share = share_of(pool);
  for (size_t i = 0; i < share; i++) {
    struct pl_work *work =
        PL__OWNER(pool->queue.next, struct pl_work, head.link);
    pl__list_remove(&work->head.link);
    work->head.word = PL__WORK_TAKEN;
    work->slot = &worker->slots[i];
    atomic_store_explicit(work->slot, work, memory_order_relaxed);
  }
  pool->queued -= share;
  worker->taken = share;
  if (pool->queued != 0) wake_one(pool);
  return share;
}

/* Takes one job out of another thread's slots into the first own one. */
static size_t steal(struct pl__pool *pool, struct worker *worker) {
  for (unsigned i = 0; i < pool->started; i++) {
    struct worker *other = &pool->workers[i];
    for (size_t k = 1; k < other->taken && other != worker; k++) {
      struct pl_work *work = atomic_exchange(&other->slots[k], NULL);
      if (work == NULL) continue;
      work->slot = &worker->slots[0];
      atomic_store_explicit(work->slot, work, memory_order_relaxed);
      worker->taken = 1;
      return 1;
    }
  }
  return 0;
}

/* Waits for jobs. Returns how many slots to look at; 0: the pool ends. */
static size_t take(struct pl__pool *pool, struct worker *worker) {
  for (;;) {
    size_t taken = take_share(pool, worker);
    if (taken == 0) taken = steal(pool, worker);
    if (taken != 0 || pool->ending) return taken;
    pool->idle++;
    pthread_cond_wait(&pool->work_or_end, &pool->lock);
    pool->idle--;
    pool->waking = false;
  }
}

static void run_slots(struct worker *worker, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct pl_work *work = atomic_exchange(&worker->slots[i], NULL);
    if (work != NULL) pl__work_done(work, pl__work_run(work));
  }
}

static void *run_thread(void *arg) {
  struct worker *worker = arg;
  struct pl__pool *pool = worker->pool;
  pthread_mutex_lock(&pool->lock);
  size_t count;
  while ((count = take(pool, worker)) != 0) {
    pthread_mutex_unlock(&pool->lock);
    run_slots(worker, count);
    pthread_mutex_lock(&pool->lock);
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
  if (error == 0) pool->started++;
  return -error;
}

static int make_pool(struct pl_loop *loop) {
  size_t size =
      sizeof(struct pl__pool) + loop->pool_threads * sizeof(struct worker);
  struct pl__pool *pool = pl__resize(&loop->allocator, NULL, size);
  if (pool == NULL) return PL_ENOMEM;
  *pool = (struct pl__pool){.most = loop->pool_threads};
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->work_or_end, NULL);
  pl__link_init(&pool->queue);
  for (unsigned i = 0; i < pool->most; i++)
    pool->workers[i] = (struct worker){.pool = pool};
  loop->pool = pool;
  return 0;
}

/* Takes the request out of the queue. */
static void unqueue(struct pl__pool *pool, struct pl_work *work,
                    enum pl__work_state state) {
  pl__list_remove(&work->head.link);
  pool->queued--;
  work->head.word = state;
}

/* Queues the request and sees to it that a thread will look. */
static int push(struct pl__pool *pool, struct pl_work *work) {
  pl__list_append(&pool->queue, &work->head.link);
  pool->queued++;
  work->head.word = PL__WORK_QUEUED;
  if (pool->idle == 0 && pool->started < pool->most) {
    int error = start_thread(pool);
    if (error == 0 || pool->started != 0) return 0;
    unqueue(pool, work, PL__WORK_IDLE);
    return error;
  }
  wake_one(pool);
  return 0;
}

int pl__pool_push(struct pl_loop *loop, struct pl_work *work) {
  struct pl_pool *given = loop->given_pool;
  if (given != NULL) return given->ops->push(given, work);
  if (loop->pool == NULL) {
    int error = make_pool(loop);
    if (error != 0) return error;
  }
  pthread_mutex_lock(&loop->pool->lock);
  int error = push(loop->pool, work);
  pthread_mutex_unlock(&loop->pool->lock);
  return error;
}

bool pl__pool_withdraw(struct pl_loop *loop, struct pl_work *work) {
  struct pl_pool *given = loop->given_pool;
  if (given != NULL) return given->ops->withdraw(given, work) != 0;
  struct pl__pool *pool = loop->pool;
  if (pool == NULL) return false;
  bool withdrawn = false;
  pthread_mutex_lock(&pool->lock);
  if (work->head.word == PL__WORK_QUEUED) {
    unqueue(pool, work, PL__WORK_TAKEN);
    work->slot = NULL;
    withdrawn = true;
  } else if (work->head.word == PL__WORK_TAKEN && work->slot != NULL) {
    struct pl_work *expected = work;
    withdrawn = atomic_compare_exchange_strong(work->slot, &expected, NULL);
  }
  pthread_mutex_unlock(&pool->lock);
  return withdrawn;
}

void pl__pool_free(struct pl_loop *loop) {
  struct pl_pool *given = loop->given_pool;
  if (given != NULL) given->ops->destroy(given);
  struct pl__pool *pool = loop->pool;
  if (pool == NULL) return;
  pthread_mutex_lock(&pool->lock);
  pool->ending = true;
  pthread_cond_broadcast(&pool->work_or_end);
  pthread_mutex_unlock(&pool->lock);
  for (unsigned i = 0; i < pool->started; i++)
    pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->work_or_end);
  pthread_mutex_destroy(&pool->lock);
  pl__resize(&loop->allocator, pool, 0);
  loop->pool = NULL;
}

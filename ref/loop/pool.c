/* SPDX-License-Identifier: MIT */
/*
 * pool.c: the threads that run a loop's jobs, first come, first served.
 *
 * Invariants, under the lock:
 *  - A request is in the queue exactly while its state is PL__WORK_QUEUED.
 *  - While the queue is not empty, either no thread is idle, or `waking` says
 *    that one is on its way, and it looks at the queue when it arrives.
 *  - Threads are started one by one, when a job finds nobody idle, up to
 *    `most`; they live until the loop is closed.
 *
 * One wake-up is in flight at a time and is passed on by the thread that
 * arrives: of a burst of jobs only the first costs a system call here.
 */
#include "internal.h"

#include <pthread.h>
#include <signal.h>

struct pl__pool {
  pthread_mutex_t lock;
  pthread_cond_t work_or_end;
  struct pl_link queue; /* of pl_work, by head.link */
  unsigned most;
  unsigned started;
  unsigned idle; /* inside pthread_cond_wait() */
  bool waking;
  bool ending;
  pthread_t threads[];
};

static void wake_one(struct pl__pool *pool) {
  if (pool->idle == 0 || pool->waking) return;
  pool->waking = true;
  pthread_cond_signal(&pool->work_or_end);
}

/* Waits for a job. NULL: the pool ends. */
static struct pl_work *take(struct pl__pool *pool) {
  while (pl__list_empty(&pool->queue)) {
    if (pool->ending) return NULL;
    pool->idle++;
    pthread_cond_wait(&pool->work_or_end, &pool->lock);
    pool->idle--;
    pool->waking = false;
  }
  struct pl_work *work =
      PL__OWNER(pool->queue.next, struct pl_work, head.link);
  pl__list_remove(&work->head.link);
  work->head.word = PL__WORK_TAKEN;
  if (!pl__list_empty(&pool->queue)) wake_one(pool);
  return work;
}

static void *run_thread(void *arg) {
  struct pl__pool *pool = arg;
  pthread_mutex_lock(&pool->lock);
  struct pl_work *work;
  while ((work = take(pool)) != NULL) {
    pthread_mutex_unlock(&pool->lock);
    pl__work_done(work, pl__work_run(work));
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
  int error = pthread_create(&pool->threads[pool->started], NULL, run_thread,
                             pool);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error == 0) pool->started++;
  return -error;
}

static int make_pool(struct pl_loop *loop) {
  size_t size = sizeof(struct pl__pool) +
                loop->pool_threads * sizeof(pthread_t);
  struct pl__pool *pool = pl__resize(&loop->allocator, NULL, size);
  if (pool == NULL) return PL_ENOMEM;
  *pool = (struct pl__pool){.most = loop->pool_threads};
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->work_or_end, NULL);
  pl__link_init(&pool->queue);
  loop->pool = pool;
  return 0;
}

/* Queues the request and sees to it that a thread will look. */
static int push(struct pl__pool *pool, struct pl_work *work) {
  pl__list_append(&pool->queue, &work->head.link);
  work->head.word = PL__WORK_QUEUED;
  if (pool->idle == 0 && pool->started < pool->most) {
    int error = start_thread(pool);
    if (error == 0 || pool->started != 0) return 0;
    pl__list_remove(&work->head.link);
    work->head.word = PL__WORK_IDLE;
    return error;
  }
  wake_one(pool);
  return 0;
}

int pl__pool_push(struct pl_loop *loop, struct pl_work *work) {
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
  struct pl__pool *pool = loop->pool;
  if (pool == NULL) return false;
  pthread_mutex_lock(&pool->lock);
  bool queued = work->head.word == PL__WORK_QUEUED;
  if (queued) {
    pl__list_remove(&work->head.link);
    work->head.word = PL__WORK_TAKEN;
  }
  pthread_mutex_unlock(&pool->lock);
  return queued;
}

void pl__pool_free(struct pl_loop *loop) {
  struct pl__pool *pool = loop->pool;
  if (pool == NULL) return;
  pthread_mutex_lock(&pool->lock);
  pool->ending = true;
  pthread_cond_broadcast(&pool->work_or_end);
  pthread_mutex_unlock(&pool->lock);
  for (unsigned i = 0; i < pool->started; i++)
    pthread_join(pool->threads[i], NULL);
  pthread_cond_destroy(&pool->work_or_end);
  pthread_mutex_destroy(&pool->lock);
  pl__resize(&loop->allocator, pool, 0);
  loop->pool = NULL;
}

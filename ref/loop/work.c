/* SPDX-License-Identifier: MIT */
/*
 * work.c: requests: what the loop knows of jobs on the pool.
 *
 * Invariant: loop->requests counts what was submitted and not yet reported. A
 * request is reported once: by the thread that ran it or by the one that
 * cancelled it, whichever took it out of the pool's queue. Reports keep the
 * order in which they were made.
 */
#include "internal.h"

void pl_work_init(struct pl_loop *loop, struct pl_work *work, pl_event_fn *fn,
                  void *arg) {
  pl__object_init(loop, &work->head, PL_OBJECT_WORK, fn, arg);
  work->head.word = PL__WORK_IDLE;
  work->job = NULL;
  work->below = NULL;
  work->slot = NULL;
  work->status = 0;
}

int pl_work_submit(struct pl_work *work, void (*job)(void *arg)) {
  struct pl_loop *loop = work->head.loop;
  if (work->head.flags & PL__ACTIVE) return PL_EBUSY;
  work->job = job;
  int error = pl__pool_push(loop, work);
  if (error != 0) return error;
  work->head.flags |= PL__ACTIVE;
  loop->requests++;
  return 0;
}

int pl__work_run(struct pl_work *work) {
  if (work->head.kind == PL_OBJECT_STAT)
    return pl__stat_run((struct pl_stat *)work);
  if (work->head.kind == PL_OBJECT_FILE_READ)
    return pl__file_read_run((struct pl_file_read *)work);
  work->job(work->head.arg);
  return 0;
}

/* Any thread. Afterwards the request is the loop's alone. */
void pl__work_done(struct pl_work *work, int status) {
  struct pl_loop *loop = work->head.loop;
  work->status = status;
  struct pl_work *top = atomic_load_explicit(&loop->done, memory_order_relaxed);
  do {
    work->below = top;
  } while (!atomic_compare_exchange_weak(&loop->done, &top, work));
  pl__wake(loop);
}

int pl_work_cancel(void *work) {
  struct pl_work *request = work;
  if (!pl__pool_withdraw(request->head.loop, request)) return PL_EBUSY;
  pl__work_done(request, PL_ECANCELED);
  return 0;
}

static struct pl_work *reverse(struct pl_work *top) {
  struct pl_work *list = NULL;
  while (top != NULL) {
    struct pl_work *below = top->below;
    top->below = list;
    list = top;
    top = below;
  }
  return list;
}

void pl__run_done(struct pl_loop *loop) {
  if (atomic_load_explicit(&loop->done, memory_order_relaxed) == NULL) return;
  struct pl_work *work = reverse(atomic_exchange(&loop->done, NULL));
  while (work != NULL) {
    struct pl_work *next = work->below;
    work->head.flags &= (uint8_t)~PL__ACTIVE;
    loop->requests--;
    pl__call(loop, &work->head, work->status);
    work = next;
  }
}

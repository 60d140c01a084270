/* SPDX-License-Identifier: MIT */
/*
 * stat.c: stat(2) as a request on the pool.
 *
 * Invariant: `work` is the first member, so the request is queued, cancelled
 * and reported like any job; the pool tells it from a job by its kind.
 */
#include "internal.h"

void pl_stat_init(struct pl_loop *loop, struct pl_stat *request,
                  pl_event_fn *fn, void *arg) {
  pl_work_init(loop, &request->work, fn, arg);
  request->work.head.kind = PL_OBJECT_STAT;
  request->path = NULL;
}

/* On a thread of the pool. */
int pl__stat_run(struct pl_stat *request) {
  return stat(request->path, &request->result) == 0 ? 0 : -errno;
}

int pl_stat_submit(struct pl_stat *request, const char *path) {
  if (request->work.head.flags & PL__ACTIVE) return PL_EBUSY;
  request->path = path;
  return pl_work_submit(&request->work, NULL);
}

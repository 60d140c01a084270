/* SPDX-License-Identifier: MIT */
/*
 * task.c: the tick queue and the microtask queue.
 *
 * Invariant: while neither is being drained, a callback leaves both empty
 * behind it. A drain empties the ticks, then the microtasks, and begins again
 * until both are empty; it never runs inside itself, so a chain of tasks of
 * any length takes no stack.
 */
#include "internal.h"

void pl__tasks_init(struct pl__tasks *tasks) {
  tasks->first = &tasks->last;
  tasks->end = &tasks->first;
}

void pl_task_init(struct pl_loop *loop, struct pl_task *task, pl_event_fn *fn,
                  void *arg) {
  *task = (struct pl_task){.loop = loop, .fn = fn, .arg = arg};
}

static int push(struct pl__tasks *tasks, struct pl_task *task) {
  if (task->next != NULL) return PL_EBUSY;
  task->next = &tasks->last;
  *tasks->end = task;
  tasks->end = &task->next;
  return 0;
}

int pl_task_tick(struct pl_task *task) {
  return push(&task->loop->ticks, task);
}

int pl_task_microtask(struct pl_task *task) {
  return push(&task->loop->microtasks, task);
}

static void empty(struct pl_loop *loop, struct pl__tasks *tasks,
                  enum pl_record_kind kind) {
  while (!pl__tasks_empty(tasks)) {
    struct pl_task *task = tasks->first;
    tasks->first = task->next;
    if (tasks->first == &tasks->last) tasks->end = &tasks->first;
    task->next = NULL;
    pl__call_plain(loop, kind, task->fn, task->arg, 0);
  }
}

void pl__drain(struct pl_loop *loop) {
  if (loop->draining) return;
  loop->draining = true;
  do {
    empty(loop, &loop->ticks, PL_RECORD_TICK);
    empty(loop, &loop->microtasks, PL_RECORD_MICROTASK);
  } while (!pl__tasks_empty(&loop->ticks));
  loop->draining = false;
}

void pl_loop_drain(struct pl_loop *loop) {
  pl__drain(loop);
}

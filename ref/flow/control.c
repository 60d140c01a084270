/* SPDX-License-Identifier: MIT */
/*
 * control.c: tasks in series, some at a time, or each fed by the one before.
 *
 * Invariants:
 *  - running <= limit, and begun = running + ended.
 *  - A task begins from the call that started the flow, or from the pump; so
 *    what settles never recurses into the next task, however many there are.
 */
#include "../loop/internal.h"

#include "plumb/flow.h"

enum pl__task_state { TASK_WAITS, TASK_RUNS, TASK_ENDED };

static void begin_next(struct pl_flow *flow) {
  struct pl_flow_task *task = &flow->tasks[flow->begun];
  bool fed = flow->kind == PL_FLOW_WATERFALL && flow->begun > 0;
  void *given = fed ? task[-1].value : NULL;
  flow->begun++;
  flow->running++;
  task->state = TASK_RUNS;
  int thrown = task->start(task, given);
  if (thrown != 0) pl_flow_settle(task, thrown, NULL);
}

static void begin_some(struct pl_flow *flow) {
  while (!flow->finished && flow->error == 0 && flow->begun < flow->count &&
         flow->running < flow->limit)
    begin_next(flow);
}

/* What has settled since the last time leads on. */
static void on_pump(void *arg, int status) {
  struct pl_flow *flow = arg;
  (void)status;
  if (flow->finished) return;
  begin_some(flow);
  if (flow->error == 0 && flow->ended < flow->count) return;
  flow->finished = true;
  flow->done(flow->arg, flow->error);
}

int pl_flow_settle(struct pl_flow_task *task, int error, void *value) {
  struct pl_flow *flow = task->flow;
  if (task->state != TASK_RUNS || flow->finished) return 0;
  task->state = TASK_ENDED;
  task->value = value;
  flow->running--;
  flow->ended++;
  if (flow->error == 0) flow->error = error;
  pl_task_tick(&flow->pump); /* or it waits there already */
  return 1;
}

void pl_flow_run(struct pl_loop *loop, struct pl_flow *flow,
                 enum pl_flow_kind kind, size_t limit,
                 struct pl_flow_task *tasks, size_t count, pl_event_fn *done,
                 void *arg) {
  bool at_once = kind == PL_FLOW_PARALLEL;
  *flow = (struct pl_flow){.loop = loop,
                           .tasks = tasks,
                           .count = count,
                           .limit = !at_once    ? 1
                                    : limit > 0 ? limit
                                                : count,
                           .kind = kind,
                           .done = done,
                           .arg = arg};
  pl_task_init(loop, &flow->pump, on_pump, flow);
  for (size_t i = 0; i < count; i++) {
    tasks[i].flow = flow;
    tasks[i].state = TASK_WAITS;
    tasks[i].value = NULL;
  }
  /* Those that settle within this loop make room in the next tick only. */
  size_t first = flow->limit < count ? flow->limit : count;
  while (flow->begun < first && flow->error == 0)
    begin_next(flow);
  if (count == 0) pl_task_tick(&flow->pump);
}

void pl_flow_cancel(struct pl_flow *flow) {
  flow->finished = true;
}

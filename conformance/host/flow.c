/* SPDX-License-Identifier: MIT */
/*
 * flow.c: what operations of emitters, flows and queues do.
 *
 * Invariant: everything that a run makes here is in `all` until flow_free(), so
 * the provider may look at it until the ticks have been drained; an id names
 * the last that it was given to.
 */
#include "flow.h"
#include "text.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum thing_is {
  IS_EMITTER,
  IS_LISTENER,
  IS_FLOW,
  IS_RUNNING, /* the provider's part of a flow */
  IS_TASK,
  IS_QUEUE,
  IS_JOB
};

/* One of this area's objects. */
struct made {
  struct made *next;
  enum thing_is is;
  struct run *run;
  const struct op *op; /* that made it */
  uint32_t count;      /* listener: of calls */
  struct made *flow;   /* task: its flow; flow: what runs, once it does */
  size_t index;        /* task: which */
  struct made **tasks; /* flow */
  size_t task_count;
  struct pl_flow_options options;
  alignas(max_align_t) unsigned char storage[]; /* the provider's */
};

struct flow {
  struct made *all;
  struct made **by_slot;
  const char **thrown; /* messages, by number */
  size_t thrown_count;
};

static const struct pl_flow_table *table_of(const struct run *run) {
  return &run->library->flow;
}

static struct flow *flow_of(struct run *run, const struct op *op) {
  if (run->flow) return run->flow;
  struct flow *flow = calloc(1, sizeof *flow);
  size_t slots = run->program->slots + 1;
  if (flow) flow->by_slot = calloc(slots, sizeof(struct made *));
  if (flow && flow->by_slot) return run->flow = flow;
  free(flow);
  run_fail(run, op, "out of memory");
  return NULL;
}

static struct made *make(struct run *run, const struct op *op, enum thing_is is,
                         int slot, size_t storage) {
  struct flow *flow = flow_of(run, op);
  if (!flow) return NULL;
  struct made *made = calloc(1, sizeof *made + storage);
  if (!made) {
    run_fail(run, op, "out of memory");
    return NULL;
  }
  made->is = is;
  made->run = run;
  made->op = op;
  made->next = flow->all;
  flow->all = made;
  if (slot >= 0) flow->by_slot[slot] = made;
  return made;
}

static struct made *named(struct run *run, const struct op *op, int slot) {
  struct made *made = run->flow ? run->flow->by_slot[slot] : NULL;
  if (!made) run_fail(run, op, "what it names has not been made yet");
  return made;
}

/* -- what is thrown ----------------------------------------------------------
 */

/* The number of a message; -ENOMEM. */
static int number_of(struct run *run, const struct op *op,
                     const char *message) {
  struct flow *flow = flow_of(run, op);
  const char **grown =
      flow ? realloc(flow->thrown, (flow->thrown_count + 1) * sizeof *grown)
           : NULL;
  if (!grown) return -ENOMEM;
  flow->thrown = grown;
  grown[flow->thrown_count] = message;
  return FLOW_THROWN + (int)flow->thrown_count++;
}

static const char *message_of(const struct run *run, int number) {
  if (number == -EPROTO) return "unhandled";
  if (number < 0) return error_name(number);
  return run->flow->thrown[number - FLOW_THROWN];
}

void flow_throw(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  run->thrown = number_of(run, op, op->flow->message);
}

bool flow_uncaught(struct run *run, const struct op *op) {
  if (run->thrown > 0 && run->thrown < FLOW_THROWN) return false;
  int thrown = run->thrown;
  run->thrown = 0;
  run_fail(run, op, "nobody catches the error %s", message_of(run, thrown));
  return true;
}

/* Runs a body for the provider; what it throws is the provider's to hear. */
static int run_for(struct run *run, const struct body *body,
                   const struct call *call) {
  if (run->silent || !body) return 0;
  run_body(run, body, call);
  int thrown = run->thrown;
  run->thrown = 0;
  return thrown;
}

/* [label, "prefix message"]. */
static void log_text(struct run *run, const struct op *op, const char *prefix,
                     const char *message) {
  struct text text = {0}, json = {0};
  text_add_string(&text, prefix);
  text_add_string(&text, message);
  text_add(&text, "", 1);
  if (!text.failed) text_add_json(&json, text.bytes);
  if (text.failed || json.failed)
    run_fail(run, op, "out of memory");
  else
    event_json(run, op, json.bytes, json.length);
  text_free(&text);
  text_free(&json);
}

/* Calls a body back with a text as $result. */
static void call_with_text(struct made *made, const struct body *body,
                           const char *prefix, const char *message,
                           uint32_t count) {
  struct text text = {0}, json = {0};
  text_add_string(&text, prefix);
  text_add_string(&text, message);
  text_add(&text, "", 1);
  if (!text.failed) text_add_json(&json, text.bytes);
  text_add(&json, "", 1);
  if (json.failed || text.failed)
    run_fail(made->run, made->op, "out of memory");
  else if (body && !made->run->silent)
    run_callback(made->run, NULL, made->op, body,
                 &(struct call){.count = count, .json = json.bytes});
  text_free(&text);
  text_free(&json);
}

/* -- emitters ----------------------------------------------------------------
 */

void flow_emitter(struct run *run, const struct op *op,
                  const struct call *call) {
  (void)call;
  const struct pl_flow_table *table = table_of(run);
  struct made *made = make(run, op, IS_EMITTER, op->slot, table->emitter_size);
  if (!made) return;
  table->emitter_init(made->storage);
  if (op->flow->most != 10) table->set_most(made->storage, op->flow->most);
}

static bool is_about_listeners(const char *event) {
  return strcmp(event, "newListener") == 0 ||
         strcmp(event, "removeListener") == 0;
}

static int on_event(void *arg, void *value) {
  struct made *made = arg;
  struct text json = {0};
  if (value && is_about_listeners(made->op->flow->event))
    text_add_json(&json, value);
  else
    text_add_string(&json, value ? value : "null");
  text_add(&json, "", 1);
  if (json.failed) run_fail(made->run, made->op, "out of memory");
  made->count++;
  const struct call call = {.count = made->count, .json = json.bytes};
  int thrown =
      run_for(made->run, body_of_call(&made->op->calls, made->count), &call);
  text_free(&json);
  return thrown;
}

void flow_on(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  const struct flow_args *args = op->flow;
  struct made *emitter = named(run, op, args->of);
  if (!emitter) return;
  struct made *listener = args->listener >= 0
                              ? named(run, op, args->listener)
                              : make(run, op, IS_LISTENER, op->slot, 0);
  if (!listener) return;
  int err = table_of(run)->on(emitter->storage, args->event, on_event, listener,
                              args->once, args->prepend);
  if (err == -ENOMEM)
    run_fail(run, op, "out of memory");
  else
    run->thrown = err;
}

void flow_off(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  const struct flow_args *args = op->flow;
  const struct pl_flow_table *table = table_of(run);
  struct made *emitter = named(run, op, args->of);
  int result = 0;
  if (!emitter) return;
  if (args->listener >= 0) {
    struct made *listener = named(run, op, args->listener);
    const char *event = args->event;
    if (!listener) return;
    if (!event) event = listener->op->flow->event;
    result = table->off(emitter->storage, event, on_event, listener);
  } else {
    result = table->off_all(emitter->storage, args->event);
  }
  if (result == -ENOMEM)
    run_fail(run, op, "out of memory");
  else if (result != 1)
    run->thrown = result;
}

void flow_emit(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  const struct flow_args *args = op->flow;
  struct made *emitter = named(run, op, args->of);
  if (!emitter) return;
  int result = table_of(run)->emit(emitter->storage, args->event,
                                   (void *)(uintptr_t)args->value);
  if (run->silent) return;
  if (result == 0 || result == 1) {
    if (op->label) event_flag(run, op, result == 1);
  } else if (op->label) {
    log_text(run, op, "!", message_of(run, result));
  } else {
    run->thrown = result;
  }
}

void flow_show(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  const struct flow_args *args = op->flow;
  const struct pl_flow_table *table = table_of(run);
  struct made *emitter = named(run, op, args->of);
  struct text text = {0};
  if (!emitter) return;
  if (args->show == FLOW_COUNT) {
    text_addf(&text, "%zu",
              table->count(emitter->storage, args->event ? args->event : ""));
  } else if (args->show == FLOW_MOST) {
    text_addf(&text, "%u", table->most(emitter->storage));
  } else {
    const char *name = NULL;
    text_add_string(&text, "\"");
    while ((name = table->next(emitter->storage, name))) {
      if (text.length > 1) text_add_string(&text, ",");
      text_add_string(&text, name);
    }
    text_add_string(&text, "\"");
  }
  if (text.failed)
    run_fail(run, op, "out of memory");
  else
    event_json(run, op, text.bytes, text.length);
  text_free(&text);
}

void flow_set_most(struct run *run, const struct op *op,
                   const struct call *call) {
  (void)call;
  struct made *emitter = named(run, op, op->flow->of);
  if (emitter) table_of(run)->set_most(emitter->storage, op->flow->most);
}

/* -- flows --------------------------------------------------------------------
 */

static int start_task(void *arg, size_t index, void *given) {
  struct made *made = arg;
  const struct call call = {.count = 1, .json = given ? given : "null"};
  return run_for(made->run, &made->tasks[index]->op->flow->job, &call);
}

/* What a task gave, without the quotes of a text. */
static void add_value(struct text *text, const char *json) {
  size_t length = json ? strlen(json) : 0;
  if (length == 0 || strcmp(json, "null") == 0) return;
  if (json[0] == '"')
    text_add(text, json + 1, length - 2);
  else
    text_add(text, json, length);
}

static void on_done(void *arg, int status) {
  struct made *made = arg;
  struct run *run = made->run;
  const struct flow_args *args = made->op->flow;
  const struct body *body = body_of_call(&made->op->calls, ++made->count);
  struct text text = {0};
  if (status != 0) {
    call_with_text(made, body, "!", message_of(run, status), made->count);
    return;
  }
  bool last = args->how == PL_FLOW_AS_WATERFALL;
  for (size_t i = last && made->task_count ? made->task_count - 1 : 0;
       i < made->task_count; i++) {
    if (i > 0 && !last) text_add_string(&text, ",");
    add_value(&text, table_of(run)->flow_value(made->flow->storage, i));
  }
  text_add(&text, "", 1);
  if (text.failed)
    run_fail(run, made->op, "out of memory");
  else
    call_with_text(made, body, "", text.bytes, made->count);
  text_free(&text);
}

void flow_make(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  make(run, op, IS_FLOW, op->slot, 0);
}

void flow_add_task(struct run *run, const struct op *op,
                   const struct call *call) {
  (void)call;
  struct made *flow = named(run, op, op->flow->of);
  struct made *task = flow ? make(run, op, IS_TASK, op->slot, 0) : NULL;
  if (!task) return;
  if (flow->flow) {
    run_fail(run, op, "the flow was started already");
    return;
  }
  struct made **tasks =
      realloc(flow->tasks, (flow->task_count + 1) * sizeof *tasks);
  if (!tasks) {
    run_fail(run, op, "out of memory");
    return;
  }
  task->flow = flow;
  task->index = flow->task_count;
  flow->tasks = tasks;
  tasks[flow->task_count++] = task;
}

void flow_start(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  const struct pl_flow_table *table = table_of(run);
  struct made *flow = named(run, op, op->flow->of);
  if (!flow) return;
  if (flow->flow) {
    run_fail(run, op, "the flow was started already");
    return;
  }
  flow->flow =
      make(run, op, IS_RUNNING, -1, table->flow_size(flow->task_count));
  if (!flow->flow) return;
  flow->options = (struct pl_flow_options){.size = sizeof flow->options,
                                           .how = flow->op->flow->how,
                                           .limit = flow->op->flow->limit,
                                           .count = flow->task_count,
                                           .arg = flow,
                                           .start = start_task,
                                           .done = on_done};
  table->flow_run(run->loop, flow->flow->storage, &flow->options);
}

/* A task of a flow that was not started does not run. */
static int settle_task(const struct made *task, int error, const char *value) {
  const struct made *running = task->flow->flow;
  if (!running) return 0;
  return table_of(task->run)->flow_settle((void *)(uintptr_t)running->storage,
                                          task->index, error,
                                          (void *)(uintptr_t)value);
}

void flow_settle(struct run *run, const struct op *op,
                 const struct call *call) {
  (void)call;
  const struct flow_args *args = op->flow;
  struct made *made = named(run, op, args->of);
  int error = 0, result;
  if (!made) return;
  if (args->error) error = number_of(run, op, args->error);
  if (made->is == IS_JOB)
    result = table_of(run)->settle(made->storage, error);
  else
    result = settle_task(made, error, args->value);
  if (op->label) event_flag(run, op, result == 1);
}

/* -- queues
 * -------------------------------------------------------------------- */

static int start_job(void *arg, void *job) {
  struct made *made = job;
  (void)arg;
  const struct call call = {.count = 1, .json = "null"};
  return run_for(made->run, &made->op->flow->job, &call);
}

static void on_job_ended(void *arg, void *job, int status) {
  struct made *made = job;
  (void)arg;
  const struct body *body = body_of_call(&made->op->calls, 1);
  if (status == 0)
    call_with_text(made, body, "", "ok", 1);
  else
    call_with_text(made, body, "!", message_of(made->run, status), 1);
}

static void tell_queue(struct made *made, const struct body *body) {
  if (made->run->silent) return;
  run_callback(made->run, NULL, made->op, body, &(struct call){.count = 1});
}

static void on_drained(void *arg) {
  struct made *made = arg;
  tell_queue(made, &made->op->flow->drained);
}

static void on_idle(void *arg) {
  struct made *made = arg;
  tell_queue(made, &made->op->flow->idle);
}

void flow_queue(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  const struct pl_flow_table *table = table_of(run);
  const struct flow_args *args = op->flow;
  struct made *made = make(run, op, IS_QUEUE, op->slot, table->queue_size);
  if (!made) return;
  const struct pl_queue_options options = {.size = sizeof options,
                                           .limit = args->limit,
                                           .high = args->high,
                                           .capacity = args->capacity,
                                           .timeout_ms = args->timeout,
                                           .arg = made,
                                           .start = start_job,
                                           .ended = on_job_ended,
                                           .drained = on_drained,
                                           .idle = on_idle};
  table->queue_init(run->loop, made->storage, &options);
}

void flow_push(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  const struct pl_flow_table *table = table_of(run);
  struct made *queue = named(run, op, op->flow->of);
  struct made *job =
      queue ? make(run, op, IS_JOB, op->slot, table->job_size) : NULL;
  if (!job) return;
  int result = table->push(queue->storage, job->storage, job);
  if (op->label)
    log_text(run, op, "",
             result == 1   ? "ok"
             : result == 0 ? "wait"
                           : "dropped");
}

void flow_drop(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  struct made *job = named(run, op, op->flow->of);
  if (!job) return;
  int result = table_of(run)->drop(job->storage);
  if (op->label) event_flag(run, op, result == 1);
}

void flow_jobs(struct run *run, const struct op *op, const struct call *call) {
  (void)call;
  struct made *queue = named(run, op, op->flow->of);
  struct text text = {0};
  if (!queue) return;
  text_addf(&text, "%zu", table_of(run)->jobs(queue->storage, op->flow->state));
  if (text.failed)
    run_fail(run, op, "out of memory");
  else
    event_json(run, op, text.bytes, text.length);
  text_free(&text);
}

/* -- the end
 * -------------------------------------------------------------------- */

void flow_silence(struct run *run) {
  if (!run->flow) return;
  for (struct made *made = run->flow->all; made; made = made->next) {
    if (made->is == IS_RUNNING) table_of(run)->flow_cancel(made->storage);
    if (made->is == IS_QUEUE) table_of(run)->queue_close(made->storage);
  }
}

void flow_free(struct run *run) {
  if (!run->flow) return;
  struct flow *flow = run->flow;
  for (struct made *made = flow->all, *next; made; made = next) {
    next = made->next;
    if (made->is == IS_EMITTER) table_of(run)->emitter_end(made->storage);
    free(made->tasks);
    free(made);
  }
  free(flow->by_slot);
  free(flow->thrown);
  free(flow);
  run->flow = NULL;
}

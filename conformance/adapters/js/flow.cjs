// SPDX-License-Identifier: MIT
/*
 * flow.cjs: the operations of emitters, flows and queues, for adapter.cjs.
 *
 * Invariants:
 *  - An emitter is the runtime's own, and an operation one call of it.
 *  - Flows are made of the runtime's promises, queues of its ticks and timers,
 *    and of nothing else; spec/flow.md says what they do.
 */
'use strict';

const EventEmitter = require('events');
const {check, idOf} = require('./checks.cjs');

const orNull = (value) => value === undefined ? null : value;
const shown = (value) => value === undefined || value === null ? ''
  : String(value);

/* ---- flows ---------------------------------------------------------------- */

// The promise of a task, which settle() or a throw keeps or breaks.
function begin(task, given) {
  return new Promise((resolve, reject) => {
    Object.assign(task, {state: 'runs', resolve, reject});
    try {
      task.start(given);
    } catch (error) {
      settle(task, error);
    }
  });
}

// Whether that ended it.
function settle(task, error, value) {
  if (task.state !== 'runs' || task.flow.finished) return false;
  task.state = 'ended';
  if (error === undefined) {
    task.resolve(value);
  } else {
    task.flow.failed = true;
    task.reject(error);
  }
  return true;
}

const HOW = {
  async series({tasks}) {
    const values = [];
    for (const task of tasks) values.push(await begin(task, null));
    return values.map(shown).join(',');
  },
  async waterfall({tasks}) {
    let given = null;
    for (const task of tasks) given = orNull(await begin(task, given));
    return shown(given);
  },
  async parallel(flow) {
    const {tasks, limit} = flow;
    const values = [];
    let next = 0;
    const some = async () => {
      while (next < tasks.length && !flow.failed) {
        const at = next++;
        values[at] = await begin(tasks[at], null);
      }
    };
    const lanes = [];
    for (let n = Math.min(limit || tasks.length, tasks.length); n > 0; n--)
      if (!flow.failed) lanes.push(some());
    await Promise.all(lanes);
    return values.map(shown).join(',');
  },
};

function startFlow(flow) {
  flow.started = true;
  const done = (text) => {
    flow.finished = true;
    flow.call(text);
  };
  HOW[flow.how](flow).then(done, (error) => done(`!${error.message}`));
}

/* ---- queues ---------------------------------------------------------------- */

class Queue {
  constructor({limit = 1, high = 0, capacity = 0, timeout = 0}, told) {
    Object.assign(this, {limit, high, capacity, timeout, told});
    this.waiting = [];
    this.ended = [];
    this.running = new Set();
    this.counts = {done: 0, failed: 0, dropped: 0};
    this.wait = this.busy = this.scheduled = this.closed = false;
  }

  count(state) {
    if (state === 'queued') return this.waiting.length;
    return state === 'running' ? this.running.size : this.counts[state];
  }

  push(job) {
    job.queue = this;
    if (this.capacity > 0 && this.waiting.length >= this.capacity) {
      this.counts.dropped++;
      return 'dropped';
    }
    job.state = 'queued';
    this.waiting.push(job);
    this.busy = true;
    this.soon();
    if (this.high === 0 || this.waiting.length < this.high) return 'ok';
    this.wait = true;
    return 'wait';
  }

  soon() {
    if (this.scheduled || this.closed) return;
    this.scheduled = true;
    process.nextTick(() => {
      this.scheduled = false;
      this.pump();
    });
  }

  pump() {
    while (!this.closed && this.ended.length > 0) {
      const job = this.ended.shift();
      job.call(job.error === undefined ? 'ok' : `!${job.error.message}`);
    }
    while (!this.closed && this.waiting.length > 0 &&
           this.running.size < this.limit)
      this.begin(this.waiting.shift());
    if (!this.closed) this.tell();
  }

  tell() {
    if (this.wait && this.waiting.length <= Math.floor(this.high / 2)) {
      this.wait = false;
      this.told.drained();
    }
    if (!this.busy || this.waiting.length + this.running.size +
        this.ended.length > 0)
      return;
    this.busy = false;
    this.told.idle();
  }

  begin(job) {
    job.state = 'running';
    this.running.add(job);
    if (this.timeout > 0)
      job.timer = setTimeout(
        () => this.settle(job, new Error('ETIMEDOUT')), this.timeout);
    try {
      job.start(null);
    } catch (error) {
      this.settle(job, error);
    }
  }

  settle(job, error) {
    if (job.state !== 'running') return false;
    this.running.delete(job);
    this.end(job, error === undefined ? 'done' : 'failed', error);
    return true;
  }

  drop(job) {
    if (job.state !== 'queued') return false;
    this.waiting.splice(this.waiting.indexOf(job), 1);
    this.end(job, 'dropped', new Error('ECANCELED'));
    return true;
  }

  end(job, state, error) {
    clearTimeout(job.timer);
    Object.assign(job, {state, error});
    this.counts[state]++;
    this.ended.push(job);
    this.soon();
  }

  close() {
    this.closed = true;
    for (const job of this.running) clearTimeout(job.timer);
  }
}

/* ---- the operations --------------------------------------------------------- */

const ADD = {
  onceprepend: 'prependOnceListener',
  once: 'once',
  prepend: 'prependListener',
  '': 'on',
};

const SHOW = {
  count: (emitter, event) => emitter.listenerCount(event),
  names: (emitter) => emitter.eventNames().join(','),
  most: (emitter) => emitter.getMaxListeners(),
};

function emit(run, emitter, {event, log}, given) {
  if (log === undefined) {
    emitter.emit(event, ...given);
    return;
  }
  const unhandled = event === 'error' && emitter.listenerCount(event) === 0;
  let result;
  try {
    result = emitter.emit(event, ...given);
  } catch (error) {
    result = unhandled ? '!unhandled' : `!${error.message}`;
  }
  run.record([log, result]);
}

const told = (run, log, value) => {
  if (log !== undefined) run.record([log, value]);
};

function emitterOperations() {
  const flag = (v) => typeof v === 'boolean' ? null : 'true or false';
  const whole = check.whole(0, 100000);
  // Calls perform with what `of` names, when it was made.
  const of = (perform) => (run, argument, call) => {
    const object = run.object(argument.of);
    return object === null ? undefined : perform(run, object.handle, argument,
                                                 call);
  };
  return {
    'emitter': {
      needs: 'flow.emitter', kind: 'emitter', required: ['id'],
      members: {most: whole},
      perform: (run, {most}) => {
        const emitter = new EventEmitter();
        return most === undefined ? emitter : emitter.setMaxListeners(most);
      },
    },
    'emitter.on': {
      needs: 'flow.emitter', kind: 'emitter.on', callback: true,
      members: {of: idOf('emitter'), event: check.text,
                listener: idOf('emitter.on'), once: flag, prepend: flag},
      required: ['of', 'event'],
      perform: of((run, emitter, argument, call) => {
        const {event, listener: name, once, prepend} = argument;
        const known = name === undefined ? null : run.object(name);
        const made = known !== null ? known.handle
          : {event, listener: (value) => call(orNull(value))};
        const how = (once ? 'once' : '') + (prepend ? 'prepend' : '');
        emitter[ADD[how]](event, made.listener);
        return made;
      }),
    },
    'emitter.off': {
      needs: 'flow.emitter',
      members: {of: idOf('emitter'), event: check.text,
                listener: idOf('emitter.on')},
      required: ['of'],
      perform: of((run, emitter, {event, listener: name}) => {
        if (name === undefined) {
          if (event === undefined) emitter.removeAllListeners();
          else emitter.removeAllListeners(event);
          return;
        }
        const known = run.object(name);
        if (known === null) return;
        const {event: its, listener} = known.handle;
        emitter.removeListener(event === undefined ? its : event, listener);
      }),
    },
    'emitter.emit': {
      needs: 'flow.emitter',
      members: {of: idOf('emitter'), event: check.text, value: check.scalar,
                log: check.text},
      required: ['of', 'event'],
      perform: of((run, emitter, argument) => emit(
        run, emitter, argument, 'value' in argument ? [argument.value] : [])),
    },
    'emitter.show': {
      needs: 'flow.emitter',
      members: {of: idOf('emitter'), event: check.text,
                show: check.oneOf(Object.keys(SHOW)), log: check.text},
      required: ['of', 'show', 'log'],
      perform: of((run, emitter, {event, show, log}) =>
        run.record([log, SHOW[show](emitter, event)])),
    },
    'emitter.most': {
      needs: 'flow.emitter',
      members: {of: idOf('emitter'), most: whole},
      required: ['of', 'most'],
      perform: of((run, emitter, {most}) => {
        emitter.setMaxListeners(most);
      }),
    },
    'flow.throw': {
      needs: 'flow.control',
      members: {message: check.text},
      required: ['message'],
      perform: (run, {message}) => { throw new Error(message); },
    },
  };
}

function flowOperations() {
  const whole = check.whole(1, 100000);
  return {
    'flow': {
      needs: 'flow.control', kind: 'flow', callback: true, required: ['id', 'how'],
      members: {how: check.oneOf(Object.keys(HOW)), limit: whole},
      perform: (run, {how, limit}, call) =>
        ({how, limit, call, tasks: [], started: false, failed: false,
          finished: false}),
    },
    'flow.task': {
      needs: 'flow.control', kind: 'flow.task', bodies: ['do'],
      members: {of: idOf('flow')},
      required: ['of', 'do'],
      perform: (run, argument, call, frame, bodies) => {
        const object = run.object(argument.of);
        if (object === null) return undefined;
        if (object.handle.started) run.fail('the flow was started already');
        const task = {flow: object.handle, start: bodies.do, state: 'waits'};
        object.handle.tasks.push(task);
        return task;
      },
    },
    'flow.start': {
      needs: 'flow.control',
      members: {of: idOf('flow')},
      required: ['of'],
      perform: (run, argument) => {
        const object = run.object(argument.of);
        if (object === null) return;
        if (object.handle.started) run.fail('the flow was started already');
        else startFlow(object.handle);
      },
    },
    'settle': {
      needs: 'flow.control',
      members: {of: idOf('flow.task', 'queue.push'), value: check.scalar,
                error: check.text, log: check.text},
      required: ['of'],
      perform: (run, {of: id, value, error, log}) => {
        const object = run.object(id);
        if (object === null) return;
        const why = error === undefined ? undefined : new Error(error);
        const {handle} = object;
        told(run, log, object.kind === 'flow.task'
          ? settle(handle, why, value)
          : handle.queue.settle(handle, why));
      },
    },
  };
}

function queueOperations() {
  const whole = check.whole(1, 100000);
  const states = ['queued', 'running', 'done', 'failed', 'dropped'];
  return {
    'queue': {
      needs: 'flow.queue', kind: 'queue', bodies: ['drained', 'idle'],
      required: ['id'],
      members: {limit: whole, high: whole, capacity: whole, timeout: whole},
      perform: (run, argument, call, frame, bodies) => {
        const queue = new Queue(argument, bodies);
        run.closing.push(() => queue.close());
        return queue;
      },
    },
    'queue.push': {
      needs: 'flow.queue', kind: 'queue.push', callback: true, bodies: ['do'],
      members: {of: idOf('queue'), log: check.text},
      required: ['of', 'do'],
      perform: (run, {of: id, log}, call, frame, bodies) => {
        const object = run.object(id);
        if (object === null) return undefined;
        const job = {start: bodies.do, call, state: 'dropped'};
        told(run, log, object.handle.push(job));
        return job;
      },
    },
    'queue.drop': {
      needs: 'flow.queue',
      members: {of: idOf('queue.push'), log: check.text},
      required: ['of'],
      perform: (run, {of: id, log}) => {
        const object = run.object(id);
        if (object !== null)
          told(run, log, object.handle.queue.drop(object.handle));
      },
    },
    'queue.jobs': {
      needs: 'flow.queue',
      members: {of: idOf('queue'), state: check.oneOf(states), log: check.text},
      required: ['of', 'state', 'log'],
      perform: (run, {of: id, state, log}) => {
        const object = run.object(id);
        if (object !== null) run.record([log, object.handle.count(state)]);
      },
    },
  };
}

function abilities() {
  return {'flow.emitter': true, 'flow.control': true,
          'flow.queue': typeof process.nextTick === 'function'};
}

function operations() {
  return Object.assign(emitterOperations(), flowOperations(),
                       queueOperations());
}

module.exports = {abilities, operations};

// SPDX-License-Identifier: MIT
/*
 * run.cjs: one program under way: its objects, its trace, and what to take back
 * at its end.
 *
 * Invariant: what the program left in the runtime is here, in `waiting`,
 * `listeners`, `closing`, `sockets`, `heap` and `modules`, and cleanUp() takes
 * all of it back.
 */
'use strict';

const {clock} = require('./events.cjs');
const {Heap} = require('./heap.cjs');
const {write} = require('./lines.cjs');
const {CLEAR, pathIn} = require('./loop.cjs');
const {Modules} = require('./modules.cjs');
const {HEAP_TOOLS} = require('./runtime.cjs');
const {execute} = require('./steps.cjs');

const LATE_SIGNAL_MS = 50;

// One program under way: its objects, its trace, and what to clean up.
class Run {
  constructor(command, compiler) {
    this.seq = command.seq;
    this.dir = command.dir || '.';
    this.stream = command.stream === true;
    this.trace = command.trace;     // of a program of several processes
    this.peer = command.peer;       // the byte-level actor's executable
    this.listening = new Map();     // of workers: where they last listened
    this.main = compiler.main;
    this.modules = compiler.modular || compiler.bodies.length > 0
      ? new Modules(this, compiler.bodies) : null;
    this.events = [];
    this.problem = null;
    this.over = false;
    this.started = 0;
    this.objects = new Map();
    this.messages = new WeakMap(); // of rejected promises
    this.waiting = [];             // what the loop may end without
    this.listeners = [];           // of process: [event, function]
    this.raised = 0;               // signals sent to ourselves
    this.delivered = 0;            // calls of signal listeners
    this.closing = [];             // functions that end sockets and channels
    this.sockets = [];             // connected, for the operation `socket`
    this.heap = new Heap(this, HEAP_TOOLS);
    this.remembers = compiler.remembers;
  }

  begin() {
    this.started = Math.floor(clock());
    if (this.modules !== null)
      globalThis.plumb = (number, ...given) =>
        this.modules.enter(number, given);
    if (this.remembers) this.heap.zero();
    execute(this, this.main, {result: null, count: 0});
  }

  perform(steps, frame) {
    return execute(this, steps, frame);
  }

  // Tells a counter of what happened besides the trace.
  prove(evidence) {
    if (this.stream) write({seq: this.seq, evidence});
  }

  // The path in the case's directory that a name stands for.
  path(name) {
    return pathIn(this.dir, name);
  }

  record(event) {
    if (this.stream) write({seq: this.seq, event});
    else this.events.push(event);
  }

  // The program asked for what it cannot have; reported in place of a trace.
  fail(message) {
    if (this.problem === null) {
      this.problem = {message, detail: null};
      if (this.stream) write({seq: this.seq, error: this.problem});
    }
  }

  // The object of that id: {kind, handle}; null when it was not made yet.
  object(id) {
    const object = this.objects.get(id);
    if (object === undefined) this.fail(`\`${id}\` is used before it is made`);
    return object || null;
  }

  listen(event, listener) {
    this.listeners.push([event, listener]);
    process.on(event, listener);
    return listener;
  }

  answer() {
    if (this.problem !== null) return {seq: this.seq, error: this.problem};
    return {seq: this.seq, events: this.events, evidence: this.heap.evidence};
  }

  /* Takes back everything that the program left in the runtime. Returns
   * whether that takes the loop a while: handles that close, or a signal that
   * is still under way (Deno has a thread for them) and would kill us, or meet
   * the next program's listener. */
  cleanUp() {
    this.over = true;
    for (const {kind, handle} of this.waiting) CLEAR[kind](handle);
    for (const close of this.closing) close();
    for (const socket of this.sockets) socket.destroy();
    this.heap.end();
    if (this.modules !== null) {
      this.modules.end();
      delete globalThis.plumb;
    }
    const late = this.raised > this.delivered;
    if (late) setTimeout(() => this.removeListeners(), LATE_SIGNAL_MS);
    else this.removeListeners();
    return late || this.closing.length + this.sockets.length > 0;
  }

  removeListeners() {
    for (const [event, listener] of this.listeners)
      process.removeListener(event, listener);
  }
}

module.exports = {Run};

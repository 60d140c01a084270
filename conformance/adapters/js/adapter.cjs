// SPDX-License-Identifier: MIT
/*
 * adapter.cjs: runs the suite's programs on the JavaScript runtime that runs
 * this file (Node 12 and later, Bun, Deno), by the adapter protocol.
 *
 * Invariant: between the first and the last operation of a program nothing of
 * this file is pending in the runtime: no timer, tick, promise or handle of
 * its own. An operation is exactly one call of the runtime, its callback runs
 * the body synchronously; so every order in a trace is the runtime's.
 *
 * The sections: lines in and out; what this runtime is; checking a program;
 * running one; the operations; benchmarks; the life of the process.
 */
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const cluster = require('./cluster.cjs');
const flow = require('./flow.cjs');
const ipc = require('./ipc.cjs');
const {Modules, abilities, operations} = require('./modules.cjs');
const heap = require('./heap.cjs');
const buffers = require('./buffers.cjs');
const roles = require('./roles.cjs');
const {WORKLOADS, sample} = require('./workloads.cjs');

/* ---- lines in and out ---------------------------------------------------
 * Blocking reads of fd 0 and complete writes to fd 1. process.stdin and
 * process.stdout are never touched: they would bring handles of their own. */

const sleeper = new Int32Array(new SharedArrayBuffer(4));

// Blocks the thread for `ms` without any callback.
function nap(ms) {
  Atomics.wait(sleeper, 0, 0, ms);
}

const input = {chunk: Buffer.alloc(1 << 16), parts: [], lines: [], over: false};

// Bytes read into input.chunk; 0 at the end of the input.
function readChunk() {
  for (;;) {
    try {
      return fs.readSync(0, input.chunk, 0, input.chunk.length, null);
    } catch (error) {
      if (error.code === 'EAGAIN') nap(0.2);
      else if (error.code === 'EOF' || error.code === 'ECONNRESET') return 0;
      else if (error.code !== 'EINTR') throw error;
    }
  }
}

// The next line without its newline; null at the end of the input.
function readLine() {
  while (input.lines.length === 0 && !input.over) {
    const length = readChunk();
    input.over = length === 0;
    let from = 0;
    for (let end; (end = input.chunk.indexOf(10, from)) >= 0 && end < length;) {
      input.parts.push(Buffer.from(input.chunk.subarray(from, end)));
      input.lines.push(Buffer.concat(input.parts).toString());
      input.parts = [];
      from = end + 1;
    }
    if (from < length)
      input.parts.push(Buffer.from(input.chunk.subarray(from, length)));
    if (input.over && input.parts.length > 0) {
      input.lines.push(Buffer.concat(input.parts).toString());
      input.parts = [];
    }
  }
  return input.lines.length > 0 ? input.lines.shift() : null;
}

// Where answers go: stdout, or the trace that all processes of a program share.
const output = {fd: 1, of: undefined};

/* Writes one message, whole, before it returns; in pieces of PIPE_BUF, which a
 * non-blocking pipe takes whole or not at all: Deno's writeSync does not tell
 * how much of a larger piece it wrote before EAGAIN. */
function write(message) {
  const said = output.of === undefined ? message
    : Object.assign({of: output.of}, message);
  const bytes = Buffer.from(JSON.stringify(said) + '\n');
  for (let done = 0; done < bytes.length;) {
    try {
      done += fs.writeSync(output.fd, bytes, done,
                           Math.min(4096, bytes.length - done));
    } catch (error) {
      if (error.code === 'EAGAIN') nap(0.2);
      // Nobody listens any more, and a throw might meet a program's listener.
      else if (error.code !== 'EINTR') process.reallyExit(1);
    }
  }
}

/* ---- what this runtime is ----------------------------------------------- */

// Whether dotted version `have` is `want` or later.
function atLeast(have, want) {
  const a = have.split('.').map(Number);
  const b = want.split('.').map(Number);
  for (let i = 0; i < b.length; i++)
    if (a[i] !== b[i]) return a[i] > b[i];
  return true;
}

function identify() {
  const versions = process.versions;
  const make = (name, version, homepage) =>
    ({name, version, language: 'JavaScript', homepage});
  if (versions.bun) return make('bun', versions.bun, 'https://bun.sh');
  if (versions.deno) return make('deno', versions.deno, 'https://deno.com');
  return make('node', versions.node, 'https://nodejs.org');
}

const IMPLEMENTATION = identify();
const MODULES = abilities(IMPLEMENTATION, atLeast);
const HEAP = heap.abilities(IMPLEMENTATION, atLeast);
const BUFFERS = buffers.abilities();

function messageChannel() {
  try {
    return require('worker_threads').MessageChannel;
  } catch (error) {
    return undefined;
  }
}

function findCapabilities() {
  const is = (value) => typeof value === 'function';
  // A cleared timer may leave a native one armed, whose firing drains ticks:
  // so this one is not due within the life of any program.
  const timer = setTimeout(() => {}, 2147483647);
  clearTimeout(timer);
  const found = {
    'loop.timeout': is(setTimeout) && is(setInterval) && is(timer.refresh),
    'loop.immediate': typeof setImmediate === 'function',
    'loop.tick': is(process.nextTick),
    'loop.microtask': true,
    'loop.fs': is(fs.stat),
    'loop.ref': is(timer.hasRef) && is(timer.ref) && is(timer.unref),
    'loop.signal': is(process.on) && is(process.kill),
    'loop.stream': is(net.connect) && is(net.createServer),
    'loop.message': is(messageChannel()),
    'process.exit': is(process.exit),
    'process.error': is(process.on),
  };
  Object.assign(found, MODULES.capabilities, HEAP.capabilities,
                BUFFERS.capabilities, flow.abilities(),
                ipc.abilities(IMPLEMENTATION, atLeast));
  return Object.keys(found).filter((name) => found[name]);
}

// The legitimate variants that this runtime is known to be, by its version.
function findTraits() {
  const {name} = IMPLEMENTATION;
  const found = Object.assign(
    name === 'bun' ? {'immediates-before-timers': true}
      : name === 'deno' ? {'timer-lists': true} : nodeTraits(),
    MODULES.traits, HEAP.traits, BUFFERS.traits,
    ipc.traits(IMPLEMENTATION, atLeast));
  return Object.keys(found).filter((trait) => found[trait]);
}

function nodeTraits() {
  const {version} = IMPLEMENTATION;
  const uv = process.versions.uv;
  return {
    'timers-after-poll': atLeast(uv, '1.45.0'),
    'timer-lists': true,
    'zero-timer-next-iteration': atLeast(uv, '1.48.0'),
    'interval-from-callback-end': intervalsFromEnd(version),
    'drain-per-phase': !atLeast(version, '11.0.0'),
    'rejections-warn': !atLeast(version, '15.0.0'),
  };
}

// Node 11 to 14.4, but not 12.19 and later 12s (found by running each).
function intervalsFromEnd(version) {
  const repaired = atLeast(version, '14.5.0') ||
    (atLeast(version, '12.19.0') && !atLeast(version, '13.0.0'));
  return atLeast(version, '11.0.0') && !repaired;
}

const CAPABILITIES = new Set(findCapabilities());

/* ---- checking a program ---------------------------------------------------
 * A program is checked whole before anything of it runs. A body becomes an
 * array of steps, functions (run, frame); `frame` is what the running callback
 * was given: {result, count}. */

// What a checker says is wrong with a value, or null: (value) -> text.
const check = {
  text: (v) => typeof v === 'string' && v !== '' ? null : 'a non-empty string',
  whole: (min, max) => (v) => Number.isInteger(v) && v >= min && v <= max
    ? null : `a whole number from ${min} to ${max}`,
  oneOf: (names) => (v) => names.includes(v)
    ? null : `one of ${names.join(', ')}`,
  delay: (v) => typeof v === 'number' || hasOwn(DELAYS, v)
    ? null : `a number or one of ${Object.keys(DELAYS).join(', ')}`,
  scalar: (v) => v === null ||
    ['string', 'number', 'boolean'].includes(typeof v)
    ? null : 'a string, a number, true, false or null',
  event: (v) => check.text(v) === null || (Array.isArray(v) && v.length === 2 &&
    check.text(v[0]) === null && check.scalar(v[1]) === null)
    ? null : 'a label or [label, value]',
  message: (v) => typeof v === 'string' || Number.isInteger(v)
    ? null : 'a string or a whole number',
  status: (v) => isEmptyObject(v) || check.whole(0, 255)(v) === null
    ? null : 'an exit status from 0 to 255, or {}',
};

const DELAYS = {
  'NaN': NaN, 'Infinity': Infinity, '-Infinity': -Infinity,
  'undefined': undefined,
};

function hasOwn(object, name) {
  return Object.prototype.hasOwnProperty.call(object, name);
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmptyObject(value) {
  return isObject(value) && Object.keys(value).length === 0;
}

// A checker of a use of an id; the kinds are what it may name.
function idOf(...kinds) {
  const checker = (v) => check.text(v) === null ? null : 'the id of an object';
  checker.kinds = kinds;
  return checker;
}

/* Checks a program and makes its steps. Collected, and valid after check():
 *   main         the steps of main
 *   bodies       those of each module: {steps, imports}, its ids if an ES one
 *   unsupported  what this adapter does not know, in words
 *   faults       what is malformed: {at, message}
 *   isolating    places of operations that need a process of their own
 *   sockets      how many socket operations the text has */
class Compiler {
  constructor() {
    this.main = [];
    this.bodies = [];
    this.modular = false;
    this.remembers = false;
    this.inModule = false;
    this.unsupported = [];
    this.faults = [];
    this.isolating = [];
    this.sockets = 0;
    this.kinds = new Map();
    this.uses = [];
  }

  /* Checks a program whole; of several processes every role, each of which
   * has its own objects. What is wrong with one is wrong with all. */
  checkAll(program) {
    this.check(program);
    const others = isObject(program) && isObject(program.roles)
      ? program.roles : {};
    for (const role of Object.keys(others)) {
      if (roles.isPeer(role)) continue;
      const other = new Compiler().check({main: others[role]});
      this.unsupported.push(...other.unsupported);
      this.faults.push(...other.faults);
    }
    return this;
  }

  check(program) {
    if (!isObject(program)) this.fault('program', 'must be an object');
    else this.program(program);
    for (const {at, id, kinds, what} of this.uses) {
      const kind = this.kinds.get(id);
      if (kind === undefined)
        this.fault(at, `names \`${id}\`, which no operation makes`);
      else if (kinds.includes(kind)) continue;
      else if (kind === 'signal')
        this.unsupported.push(`${what} of a signal listener`);
      else
        this.fault(at, `names \`${id}\`, a ${kind}; it takes: ${
          kinds.join(', ')}`);
    }
    return this;
  }

  program({main, bodies = []}) {
    this.main = this.body(main, 'main');
    this.inModule = true;
    if (!Array.isArray(bodies)) this.fault('bodies', 'must be a list');
    else this.bodies = bodies.map((body, i) => this.module(body, i));
  }

  // The body of a module: operations, or {imports, do} of an ES module.
  module(body, i) {
    const at = `bodies[${i}]`;
    if (!isObject(body))
      return {steps: this.body(body, at), imports: null};
    const imports = Array.isArray(body.imports) ? body.imports : [];
    for (const id of imports) this.makes(id, 'import', `${at}.imports`);
    return {steps: this.body(body.do, `${at}.do`), imports};
  }

  fault(at, message) {
    this.faults.push({at, message: `${at}: ${message}`});
  }

  body(operations, at) {
    if (Array.isArray(operations))
      return operations.map((op, i) => this.operation(op, `${at}[${i}]`));
    this.fault(at, 'must be a list of operations');
    return [];
  }

  operation(operation, at) {
    const names = isObject(operation) ? Object.keys(operation) : [];
    if (names.length !== 1) {
      this.fault(at, 'an operation is an object with exactly one key');
      return null;
    }
    const name = names[0];
    const known = hasOwn(OPERATIONS, name) ? OPERATIONS[name] : null;
    if (known === null || (known.needs && !CAPABILITIES.has(known.needs))) {
      this.unsupported.push(`operation \`${name}\``);
      return null;
    }
    if (known.isolating && known.isolating(operation[name]))
      this.isolating.push({at, name});
    if (known.socket) this.sockets++;
    if (known.needs && known.needs.startsWith('modules.')) this.modular = true;
    if (name.startsWith('heap.')) this.remembers = true;
    if (known.inModule && !this.inModule)
      this.fault(at, `\`${name}\` stands in no module`);
    return this.step(known, name, operation[name], `${at}.${name}`);
  }

  step(known, name, argument, at) {
    const {perform, kind} = known;
    if (known.value) {
      this.checked(known.value, argument, at, name);
      return (run, frame) => perform(run, argument, null, frame);
    }
    if (!isObject(argument)) {
      this.fault(at, 'must be an object');
      return null;
    }
    const bodies = this.members(known, name, argument, at);
    const others = this.others(known, argument, at);
    return (run, frame) => {
      const call = bodies === null ? null : makeCall(run, bodies, frame);
      if (call !== null) call.wanted = 'then' in argument || 'each' in argument;
      const handle = perform(run, argument, call, frame,
                             callsOf(run, others, frame));
      if (handle instanceof Later) return handle;
      if (argument.id !== undefined)
        run.objects.set(argument.id, {kind, handle});
      return undefined;
    };
  }

  // The bodies under the other names that an operation has for some.
  others(known, argument, at) {
    if (!known.bodies) return null;
    return known.bodies.map((name) => [name, hasOwn(argument, name)
      ? this.body(argument[name], `${at}.${name}`) : []]);
  }

  // Checks the members of an argument; returns the callback's bodies.
  members(known, name, argument, at) {
    const members = known.members || {};
    const required = known.required || [];
    let bodies = known.callback || known.then ? [[]] : null;
    for (const member of required)
      if (!hasOwn(argument, member)) this.fault(at, `lacks \`${member}\``);
    for (const member of Object.keys(argument)) {
      const value = argument[member];
      const place = `${at}.${member}`;
      if (hasOwn(members, member)) {
        this.checked(members[member], value, place, name);
      } else if (member === 'id' && known.kind) {
        this.makes(value, known.kind, place);
      } else if (known.bodies && known.bodies.includes(member)) {
        continue; // others() reads it
      } else if (member === 'then' && bodies) {
        bodies = [this.body(value, place)];
      } else if (member === 'each' && known.callback) {
        if (Array.isArray(value) && value.length > 0)
          bodies = value.map((ops, i) => this.body(ops, `${place}[${i}]`));
        else this.fault(place, 'must be a list of bodies');
      } else {
        this.fault(place, `\`${name}\` takes no \`${member}\``);
      }
    }
    if ('then' in argument && 'each' in argument)
      this.fault(at, 'has both `then` and `each`');
    return bodies;
  }

  makes(id, kind, at) {
    const before = this.kinds.get(id);
    if (check.text(id) !== null) this.fault(at, 'must be a non-empty string');
    else if (before !== undefined && before !== kind)
      this.fault(at, `\`${id}\` is already the id of a ${before}`);
    else this.kinds.set(id, kind);
  }

  checked(checker, value, at, name) {
    const wanted = checker(value);
    if (wanted !== null) this.fault(at, `must be ${wanted}`);
    else if (checker.kinds)
      this.uses.push({at, id: value, kinds: checker.kinds,
                      what: `operation \`${name}\``});
    else if (checker === check.event && Array.isArray(value))
      this.eventValue(value[1], at);
  }

  // A value that starts with $ must be one that this adapter can tell.
  eventValue(value, at) {
    if (typeof value !== 'string' || value[0] !== '$') return;
    const [name, id] = splitValue(value);
    const known = hasOwn(VALUES, name) ? VALUES[name] : null;
    if (known === null || (known.kinds !== undefined) !== (id !== undefined))
      this.unsupported.push(`value \`${value}\``);
    else if (known.kinds)
      this.uses.push({at, id, kinds: known.kinds, what: `value \`${value}\``});
  }
}

// "$hasref:t" -> ["$hasref", "t"]; "$count" -> ["$count"].
function splitValue(text) {
  const colon = text.indexOf(':');
  return colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
}

/* ---- running a program --------------------------------------------------- */

// Milliseconds of the monotonic clock, which is the loop's clock.
function clock() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

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
    this.heap = new heap.Heap(this, HEAP.tools);
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

// What an operation returns for which the rest of its body has to wait.
class Later {
  constructor(promise) {
    this.promise = promise;
  }
}

// Performs steps; a promise of the rest, where one has to wait, or undefined.
function execute(run, steps, frame, from = 0) {
  for (let i = from; i < steps.length; i++) {
    const later = steps[i](run, frame);
    if (later instanceof Later)
      return later.promise.then(() => execute(run, steps, frame, i + 1));
  }
  return undefined;
}

/* The function that stands behind one callback: the k-th call runs the k-th
 * body, the last body serves every further call. A call that comes after the
 * program's end (clean-up should have seen to it) is none of the next one's. */
function makeCall(run, bodies, frame) {
  const {module} = frame;
  let count = 0;
  return (result, given) => {
    if (run.over) {
      fs.writeSync(2, `a callback came after the end of program ${run.seq}\n`);
      return;
    }
    count++;
    const body = bodies[Math.min(count, bodies.length) - 1];
    execute(run, body, {result, count, module, given});
  };
}

// Those of bodies under other names: {name: function}.
function callsOf(run, others, frame) {
  const calls = {};
  if (others !== null)
    for (const [name, steps] of others)
      calls[name] = makeCall(run, [steps], frame);
  return calls;
}

// Keeps the thread busy until `ms` have passed.
function block(ms) {
  const end = clock() + ms;
  while (clock() < end);
}

const VALUES = {
  $result: {read: (run, id, frame) => frame.result},
  $count: {read: (run, id, frame) => frame.count},
  $elapsed: {read: (run) => Math.floor(clock()) - run.started},
  $hasref: {
    kinds: ['timeout', 'interval', 'immediate'],
    // What was not made yet keeps nothing alive.
    read: (run, id) => run.objects.has(id) &&
      run.objects.get(id).handle.hasRef(),
  },
};

function eventOf(run, event, frame) {
  if (typeof event === 'string') return event;
  const [label, value] = event;
  if (typeof value !== 'string' || value[0] !== '$') return event;
  const [name, id] = splitValue(value);
  const result = VALUES[name].read(run, id, frame);
  return [label, result === undefined ? null : result];
}

/* ---- the operations -------------------------------------------------------
 * Of each: `needs`, its capability; `value`, the checker of an argument that
 * is no object, or `members` and `required` of one that is; `kind`, where it
 * makes an object that may have an id; `callback`, where it takes then/each;
 * `bodies`, names of further bodies; perform(run, argument, call, frame, bodies),
 * which returns the object made. */

const soon = typeof queueMicrotask === 'function'
  ? queueMicrotask : (callback) => { Promise.resolve().then(callback); };

const CLEAR = {
  timeout: (handle) => clearTimeout(handle),
  interval: (handle) => clearInterval(handle),
  immediate: (handle) => clearImmediate(handle),
};

const CHAIN = {
  tick: (callback) => process.nextTick(callback),
  microtask: (callback) => soon(callback),
  immediate: (callback) => setImmediate(callback),
  timeout: (callback) => setTimeout(callback, 0),
};

const TIMERS = ['timeout', 'interval'];
const REFABLE = ['timeout', 'interval', 'immediate'];
const SIGNALS = ['SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGWINCH', 'SIGTERM',
                 'SIGCHLD'];

const LISTENERS = {
  'exit': ['exit', (run, code) => code],
  'before-exit': ['beforeExit', (run, code) => code],
  'uncaught': ['uncaughtException', (run, error) => messageOf(error)],
  'rejection': ['unhandledRejection', (run, error) => messageOf(error)],
  // Deno gives the reason first, and then the promise.
  'rejection-handled': ['rejectionHandled', (run, first, second) =>
    run.messages.get(second === undefined ? first : second)],
};

function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

// Not path.join: what the path spells (a//b, a/., a/) goes to the runtime.
function pathIn(folder, name) {
  return path.isAbsolute(name) ? name : `${folder}/${name}`;
}

function setTimer(set, member) {
  return (run, argument, call) => {
    const callback = () => call(null);
    if (!hasOwn(argument, member)) return set(callback);
    const delay = argument[member];
    return set(callback, typeof delay === 'string' ? DELAYS[delay] : delay);
  };
}

const always = () => true;

const OPERATIONS = {
  'log': {
    value: check.event,
    perform: (run, event, call, frame) =>
      run.record(eventOf(run, event, frame)),
  },
  'block': {
    value: check.whole(0, 10000),
    perform: (run, ms) => block(ms),
  },
  'chain': {
    members: {
      of: check.oneOf(Object.keys(CHAIN)),
      length: check.whole(1, 100000),
    },
    required: ['of', 'length'],
    then: true,
    perform: (run, {of, length}, call) => {
      const schedule = CHAIN[of];
      let left = length;
      const link = () => {
        if (--left === 0) call(null);
        else if (!run.over) schedule(link);
      };
      schedule(link);
    },
  },

  'timeout': {
    needs: 'loop.timeout', kind: 'timeout', callback: true,
    members: {after: check.delay},
    perform: setTimer(setTimeout, 'after'),
  },
  'interval': {
    needs: 'loop.timeout', kind: 'interval', callback: true,
    members: {every: check.delay},
    perform: setTimer(setInterval, 'every'),
  },
  'immediate': {
    needs: 'loop.immediate', kind: 'immediate', callback: true,
    perform: (run, argument, call) => setImmediate(() => call(null)),
  },
  'tick': {
    needs: 'loop.tick', callback: true,
    perform: (run, argument, call) => process.nextTick(() => call(null)),
  },
  'microtask': {
    needs: 'loop.microtask', callback: true,
    perform: (run, argument, call) => soon(() => call(null)),
  },
  'clear': {
    value: idOf(...REFABLE),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null) CLEAR[object.kind](object.handle);
    },
  },
  'refresh': {
    needs: 'loop.timeout',
    value: idOf(...TIMERS),
    perform: (run, id) => {
      const object = run.object(id);
      if (object === null) return;
      // Node 12.8 does not wait for a timer refreshed after it fired.
      run.waiting.push(object);
      object.handle.refresh();
    },
  },
  'ref': {
    needs: 'loop.ref',
    value: idOf(...REFABLE),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null) object.handle.ref();
    },
  },
  'unref': {
    needs: 'loop.ref',
    value: idOf(...REFABLE),
    perform: (run, id) => {
      const object = run.object(id);
      if (object === null) return;
      run.waiting.push(object);
      object.handle.unref();
    },
  },
  'fs.stat': {
    needs: 'loop.fs', kind: 'fs.stat', callback: true,
    members: {path: check.text},
    required: ['path'],
    perform: (run, argument, call) =>
      fs.stat(pathIn(run.dir, argument.path),
              (error) => call(error ? error.code : 'ok')),
  },

  'signal': {
    needs: 'loop.signal', kind: 'signal', callback: true,
    members: {signal: check.oneOf(SIGNALS)},
    required: ['signal'],
    perform: (run, {signal}, call) => {
      const listener = run.listen(signal, () => {
        run.delivered++;
        if (!run.over) call(signal);
      });
      return {stop: () => process.removeListener(signal, listener)};
    },
  },
  'stop': {
    needs: 'loop.signal',
    value: idOf('signal'),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null) object.handle.stop();
    },
  },
  'raise': {
    needs: 'loop.signal',
    value: check.oneOf(SIGNALS),
    perform: (run, signal) => {
      run.raised++;
      process.kill(process.pid, signal);
    },
  },

  'socket': {
    needs: 'loop.stream', kind: 'socket', callback: true, socket: true,
    perform: (run, argument, call) => {
      const socket = run.sockets.pop();
      if (socket === undefined) {
        run.fail('a socket operation ran more often than it is written');
        return undefined;
      }
      run.closing.push(() => socket.destroy());
      socket.on('close', () => call(null));
      return socket.ref();
    },
  },
  'socket.destroy': {
    needs: 'loop.stream',
    value: idOf('socket'),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null && object.handle) object.handle.destroy();
    },
  },
  'channel': {
    needs: 'loop.message', kind: 'channel', callback: true,
    perform: (run, argument, call) => {
      const Channel = messageChannel();
      const channel = new Channel();
      run.closing.push(() => channel.port1.close());
      channel.port2.on('message', (value) => call(value));
      return channel;
    },
  },
  'post': {
    needs: 'loop.message',
    members: {to: idOf('channel'), value: check.message},
    required: ['to'],
    perform: (run, {to, value}) => {
      const object = run.object(to);
      if (object !== null)
        object.handle.port1.postMessage(value === undefined ? null : value);
    },
  },
  'channel.close': {
    needs: 'loop.message',
    value: idOf('channel'),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null) object.handle.port1.close();
    },
  },

  'throw': {
    needs: 'process.error',
    value: check.text,
    perform: (run, message) => { throw new Error(message); },
  },
  'reject': {
    needs: 'process.error', kind: 'reject',
    members: {message: check.text},
    required: ['message'],
    perform: (run, {message}) => {
      const promise = Promise.reject(new Error(message));
      run.messages.set(promise, message);
      return promise;
    },
  },
  'handle': {
    needs: 'process.error', callback: true,
    members: {of: idOf('reject')},
    required: ['of'],
    perform: (run, {of}, call) => {
      const object = run.object(of);
      if (object !== null)
        object.handle.catch((error) => call(messageOf(error)));
    },
  },
  'listener': {
    needs: 'process.exit', callback: true,
    members: {event: check.oneOf(Object.keys(LISTENERS))},
    required: ['event'],
    isolating: ({event}) => event === 'exit' || event === 'before-exit',
    perform: (run, {event}, call) => {
      const [name, result] = LISTENERS[event];
      run.listen(name, (...given) => call(result(run, ...given)));
    },
  },
  'exit': {
    needs: 'process.exit',
    value: check.status,
    isolating: always,
    perform: (run, status) =>
      isObject(status) ? process.exit() : process.exit(status),
  },
  'exit-code': {
    needs: 'process.exit',
    value: check.whole(0, 255),
    isolating: always,
    perform: (run, status) => { process.exitCode = status; },
  },
};

Object.assign(OPERATIONS, operations({check, idOf, isObject, Later}),
              heap.guarded(heap.operations({
                check, idOf, Later, tools: HEAP.tools,
                name: IMPLEMENTATION.name})),
              heap.guarded(buffers.operations({check, idOf})),
              ipc.operations({check, idOf}), cluster.operations({check, idOf}),
              flow.operations({check, idOf}));

/* ---- benchmarks -----------------------------------------------------------
 * workloads.cjs has them; here a command is checked and answered. */

// The fault of a bench command for a workload, in words, or null.
function benchFault({params, min_time_ms: minimum}, {param, range}) {
  if (params !== undefined && !isObject(params))
    return 'params: must be an object';
  for (const name of Object.keys(params || {})) {
    if (name !== param) return `params: takes no \`${name}\``;
    const wanted = check.whole(...range)(params[name]);
    if (wanted !== null) return `params.${name}: must be ${wanted}`;
  }
  const time = check.whole(0, 600000)(minimum);
  return minimum === undefined || time === null
    ? null : `min_time_ms: must be ${time}`;
}

// Whether a workload can be done for what the command asks.
function fitting({params}, {param, fits, preset}) {
  return fits === undefined ||
    fits(params && hasOwn(params, param) ? params[param] : preset);
}

// Runs a workload; what it gave is told when the loop is idle again.
function measure(command, workload) {
  const {seq, params, min_time_ms: minimum = 500} = command;
  const {param, preset} = workload;
  const n = params && param !== null && hasOwn(params, param)
    ? params[param] : preset;
  let answer = {error: {message: 'the workload lost a callback',
                        detail: null}};
  sample(workload, n, minimum, (told) => { answer = told; });
  atIdle(() => {
    write({seq, ...answer});
    serve();
  });
}

/* ---- the life of the process ---------------------------------------------
 * Commands are read when the loop has nothing left to do: in the main script,
 * and from then on in 'beforeExit'. `whenIdle` is what to do there next. */

let whenIdle = null;

function onBeforeExit() {
  const next = whenIdle;
  whenIdle = serve;
  next();
}

// Calls `next` once the loop has nothing left to do.
function atIdle(next) {
  if (whenIdle === null) process.on('beforeExit', onBeforeExit);
  whenIdle = next;
}

// Gives 'beforeExit' back to the program; it runs in a main script from here.
function leaveIdle() {
  process.removeListener('beforeExit', onBeforeExit);
  whenIdle = null;
}

/* Makes `count` connected sockets over the loopback interface, unref'd and
 * without listeners, and calls done(error, sockets, peers). */
function connectSockets(count, done) {
  const sockets = [];
  const peers = [];
  let connected = 0;
  let ended = false;
  const server = net.createServer({pauseOnConnect: true});
  const settle = (error) => {
    if (ended || (!error && connected + peers.length < 2 * count)) return;
    ended = true;
    server.close();
    for (const socket of sockets.concat(peers)) {
      socket.removeAllListeners('error');
      socket.removeAllListeners('connect');
      socket.unref();
    }
    done(error, sockets, peers);
  };
  server.on('error', settle);
  server.on('connection', (peer) => {
    peers.push(peer);
    settle(null);
  });
  server.listen(0, '127.0.0.1', () => {
    for (let i = 0; i < count; i++) {
      const socket = net.connect(server.address().port, '127.0.0.1');
      sockets.push(socket);
      socket.on('error', settle);
      socket.on('connect', () => {
        connected++;
        settle(null);
      });
    }
  });
}

// Begins the program; its result is told when the loop is idle again.
function start(run) {
  if (run.stream) {
    leaveIdle();
    run.begin();
    return;
  }
  atIdle(() => {
    const answer = run.answer();
    const closing = run.cleanUp();
    write(answer);
    if (closing) setImmediate(() => {});
    else serve();
  });
  setImmediate(() => run.begin());
}

// Connects the program's sockets; it starts when the loop is idle again.
function startWithSockets(run, count) {
  let failure = new Error('the loop ended before they were connected');
  connectSockets(count, (error, sockets, peers) => {
    failure = error;
    run.sockets = sockets;
    run.closing = peers.map((peer) => () => peer.destroy());
  });
  atIdle(() => {
    if (failure === null) return start(run);
    run.cleanUp();
    write({seq: run.seq, error: {
      message: 'no connected sockets', detail: String(failure)}});
    setImmediate(() => {});
  });
}

// Answers a `run` command at once, or starts its program and returns true.
function runProgram(command) {
  const {seq} = command;
  const refuse = (message) => {
    write({seq, error: {message, detail: null}});
    return false;
  };
  if (command.trace !== undefined) output.fd = roles.openTrace(command.trace);
  const compiler = new Compiler().checkAll(command.program);
  if (compiler.unsupported.length > 0) {
    write({seq, unsupported: compiler.unsupported[0]});
    return false;
  }
  if (compiler.faults.length > 0) return refuse(compiler.faults[0].message);
  const stream = command.stream === true;
  if (stream && whenIdle !== null)
    return refuse('a streamed program needs a fresh process');
  if (!stream && compiler.isolating.length > 0) {
    const {at, name} = compiler.isolating[0];
    return refuse(`${at}: \`${name}\` needs \`isolation: process\``);
  }
  const run = new Run(command, compiler);
  if (compiler.sockets > 0) startWithSockets(run, compiler.sockets);
  else start(run);
  return true;
}

const COMMANDS = {
  start: () => {
    write({protocol: 1, implementation: IMPLEMENTATION,
           capabilities: [...CAPABILITIES], traits: findTraits()});
    return false;
  },
  run: runProgram,
  bench: (command) => {
    const {seq, workload} = command;
    if (!hasOwn(WORKLOADS, workload)) {
      write({seq, unsupported: `workload \`${workload}\``});
      return false;
    }
    const fault = benchFault(command, WORKLOADS[workload]);
    if (fault === null && !fitting(command, WORKLOADS[workload])) {
      write({seq, unsupported: `workload \`${workload}\` of that size`});
      return false;
    }
    if (fault === null) return measure(command, WORKLOADS[workload]), true;
    write({seq, error: {message: fault, detail: null}});
    return false;
  },
  stop: () => process.exit(0),
};

// Reads and answers commands until one of them has put work into the loop.
function serve() {
  for (;;) {
    const line = readLine();
    if (line === null) process.exit(0);
    let command = null;
    try {
      command = JSON.parse(line);
    } catch (error) {
      // Told below.
    }
    if (isObject(command) && hasOwn(COMMANDS, command.cmd)) {
      if (COMMANDS[command.cmd](command)) return;
    } else {
      const seq = isObject(command) && command.seq !== undefined
        ? command.seq : null;
      write({seq, error: {message: 'not a command of protocol 1',
                          detail: line.slice(0, 200)}});
    }
  }
}

/* A process that a program has started performs its role; the program was
 * checked before. */
function performRole({trace, role, id}) {
  const command = roles.readRequest(trace);
  output.fd = roles.openTrace(trace);
  output.of = id || role;
  // A worker is one for a program that loads cluster; Node loads it itself.
  if (process.env.NODE_UNIQUE_ID !== undefined) require('cluster');
  if (roles.isPeer(role)) {
    write({seq: command.seq, unsupported: 'another executable as a worker'});
    return;
  }
  const main = command.program.roles[role];
  const compiler = new Compiler().check({main});
  new Run(command, compiler).begin();
}

const self = roles.whoAmI();
if (self === null) serve();
else performRole(self);

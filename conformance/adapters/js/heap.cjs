// SPDX-License-Identifier: MIT
/*
 * heap.cjs: the operations of the heap area, for adapter.cjs.
 *
 * Invariant: what an id names is referred to by `Item.strong` and by nothing
 * else of this file; heap.drop empties it, and what is asked afterwards goes
 * through something weak. A collection runs in a task of its own, which has no
 * frame of a program below it, but within heap.frame, which is that frame.
 *
 * Evidence: for each collection a fresh piece of garbage is made in a task
 * before it; the collection counts when that is gone afterwards.
 */
'use strict';

const fs = require('fs');
const path = require('path');
const v8 = require('v8');
const vm = require('vm');
const {check, idOf} = require('./checks.cjs');
const {Snapshot} = require('./snapshot.cjs');
const {HOLDERS} = require('./holders.cjs');
const {Later} = require('./steps.cjs');

/* ---- what this runtime lets one ask ------------------------------------- */

function attempt(work) {
  try {
    return work();
  } catch (error) {
    return undefined;
  }
}

// A function of V8's own tests, or undefined. Deno wants the flag at its start.
function native(name) {
  return attempt(() => new Function('o', `return %${name}(o)`));
}

/* How to collect, and to ask about objects without keeping them:
 *   minor, major, compact  functions, or undefined
 *   young, large           of an object, or undefined
 *   entries                how many entries a weak map has, or undefined */
function findTools(name) {
  if (name === 'bun') return bunTools();
  attempt(() => v8.setFlagsFromString('--expose_gc'));
  attempt(() => v8.setFlagsFromString('--allow-natives-syntax'));
  attempt(() => v8.setFlagsFromString('--no-allocation-site-pretenuring'));
  const gc = globalThis.gc || attempt(() => vm.runInNewContext('gc'));
  if (typeof gc !== 'function') return {};
  const modern = native('InYoungGeneration') !== undefined;
  return {
    minor: () => gc({type: 'minor'}),
    major: () => gc(),
    compact: modern ? () => compact(gc) : undefined,
    young: native('InYoungGeneration') || native('InNewSpace'),
    large: native('InLargeObjectSpace'),
    entries: native('GetWeakCollectionSize') || previewEntries(),
  };
}

function compact(gc) {
  v8.setFlagsFromString('--compact-on-every-full-gc');
  gc();
  v8.setFlagsFromString('--no-compact-on-every-full-gc');
}

// Node 12 tells the entries of a weak map where it shows it to people.
function previewEntries() {
  const util = require('util');
  const options = {showHidden: true, depth: 0, breakLength: Infinity};
  return (map) => util.inspect(map, options) === 'WeakMap {  }' ? 0 : 1;
}

function bunTools() {
  const jsc = attempt(() => require('bun:jsc'));
  if (!jsc) return {};
  // The stack is searched for what looks like a reference: write over it.
  const scrub = (depth, a, b, c) => depth === 0 ? [a, b, c].length
    : 1 + scrub(depth - 1, depth, b + 1, [depth].length);
  return {
    minor: () => { scrub(500, 1, 2, 3); jsc.edenGC(); },
    major: () => { scrub(500, 1, 2, 3); jsc.fullGC(); },
    again: true,
  };
}

/* Something by which one sees whether an object is there: a function that
 * tells, and that keeps nothing. */
function probe(tools, object) {
  if (tools.entries !== undefined) {
    const map = new WeakMap([[object, 1]]);
    return () => tools.entries(map) > 0;
  }
  const reference = new WeakRef(object);
  return () => reference.deref() !== undefined;
}

/* Garbage to be found: whether one of it is there, as far as that can be told.
 * Where the stack is searched for what looks like a reference, some may stay;
 * that all do means that nothing was collected. */
function canaries(tools) {
  const all = [];
  for (let i = 0; i < 16; i++) all.push(probe(tools, {canary: i}));
  return () => all.every((there) => there());
}

/* ---- objects ------------------------------------------------------------- */

// What an id names: the object while it is a root, and how to ask after it.
class Item {
  constructor(tools, object, facts) {
    this.strong = object;
    this.facts = facts || {};
    this.there = typeof object === 'object' || typeof object === 'function'
      ? probe(tools, object) : null;
  }
}

const classes = new Map();

// The constructor of that name; snapshots tell objects by it.
function constructorOf(name) {
  if (!/^[A-Za-z]\w*$/.test(name)) throw new Error(`no name: ${name}`);
  // Written out: a snapshot tells the name in the class's own text.
  if (!classes.has(name))
    classes.set(name, new Function(`return class ${name} {};`)());
  return classes.get(name);
}

let serial = 0;

function flatText(bytes) {
  return Buffer.alloc(bytes, 120).toString('latin1');
}

const KINDS = {
  'array': ({slots}) => new Array(slots).fill(null),
  'map': () => new Map([[1, 2]]),
  'set': () => new Set([1]),
  'closure': () => { const own = ++serial; return () => own; },
  'text': ({bytes}) => flatText(bytes || 8),
  'joined-text': () => { const a = `joined from ${++serial}`;
    return a + a; },
  'bytes': ({bytes}) => new Uint8Array(bytes || 16),
  'date': () => new Date(0),
  'error': () => new Error('made'),
  'promise': () => new Promise(() => {}),
  'regexp': () => /x/g,
  'generator': () => (function* () { yield 1; })(),
  'symbol': () => Symbol('made'),
  'literal-text': () => 'a literal of this text',
};

function make(argument) {
  const {kind = 'object', slots = 4, bytes = 0, name, external} = argument;
  if (kind !== 'object') return KINDS[kind]({slots, bytes});
  const object = new (constructorOf(name || 'Plumb'))();
  for (let i = 0; i < slots; i++) object[`s${i}`] = null;
  if (bytes > 0) object.data = bytes > 64 ? flatText(bytes)
    : new Uint8Array(bytes);
  if (external !== undefined) object.outside = new ArrayBuffer(external);
  return object;
}

const isList = (object) => Array.isArray(object);

function writeSlot(object, slot, value) {
  if (object instanceof Map) object.set(slot, value);
  else object[isList(object) ? slot : `s${slot}`] = value;
}

function readSlot(object, slot) {
  if (object instanceof Map) return object.get(slot);
  return object[isList(object) ? slot : `s${slot}`];
}

const GRAPHS = {
  'list': (count) => {
    const first = {n: 0, next: null};
    for (let n = 1, at = first; n < count; n++) {
      at.next = {n, next: null};
      at = at.next;
    }
    return first;
  },
  'ring': (count) => {
    const first = GRAPHS.list(count);
    let last = first;
    while (last.next !== null) last = last.next;
    last.next = first;
    return first;
  },
  'chain': (count) => {
    const first = GRAPHS.list(count);
    for (let at = first; at.next !== null; at = at.next)
      at.next.previous = at;
    return first;
  },
  'tree': (count) => {
    const all = [];
    for (let n = 0; n < count; n++) {
      all.push({n, left: null, right: null});
      if (n > 0) all[(n - 1) >> 1][n % 2 ? 'left' : 'right'] = all[n];
    }
    return all[0];
  },
  'array': (count) => {
    const all = new Array(count);
    for (let n = 0; n < count; n++) all[n] = {n};
    return all;
  },
};

function countList(first, count) {
  let right = 0;
  for (let at = first; at && right < count && at.n === right; at = at.next)
    right++;
  return right;
}

const WALKS = {
  'list': countList,
  'ring': (first, count) => {
    let last = first;
    for (let i = 1; i < count; i++) last = last.next;
    return last.next === first ? countList(first, count) : -1;
  },
  'chain': (first, count) => {
    for (let at = first; at.next; at = at.next)
      if (at.next.previous !== at) return -1;
    return countList(first, count);
  },
  'tree': (root) => {
    let right = 0;
    for (const wait = [[root, 0]]; wait.length > 0;) {
      const [at, n] = wait.pop();
      if (at === null || at === undefined) continue;
      if (at.n === n) right++;
      wait.push([at.left, 2 * n + 1], [at.right, 2 * n + 2]);
    }
    return right;
  },
  'array': (all) => all.reduce((right, at, n) => right + (at.n === n), 0),
};

// The places of heap.scatter: the same in every adapter.
function* places(count, writes) {
  for (let i = 0, x = 1; i < writes; i++) {
    x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
    yield x % count;
  }
}

/* A function's activation: both closures have its context, one uses it. */
function activate(over, captured) {
  const local = over;
  if (captured) return {uses: () => local, idle: () => 0};
  return activateIdle(over);
}

function activateIdle(over) {
  const used = typeof over;
  return {uses: () => used, idle: () => 0};
}

/* A function with a local variable that refers to an object while the body
 * runs. */
function activeFrame(local, body) {
  body();
  return local === undefined;
}

/* ---- figures ------------------------------------------------------------- */

const FIGURES = {
  'used': (m) => m.heapUsed,
  'total': (m) => m.heapTotal,
  'external': (m) => m.external,
  'array-buffers': (m) => m.arrayBuffers,
  'rss': (m) => m.rss,
  'zero': () => 0,
  'system': () => require('os').totalmem(),
  'spaces-used': () => sumOfSpaces('space_used_size'),
  'spaces-total': () => sumOfSpaces('space_size'),
};

function sumOfSpaces(field) {
  return v8.getHeapSpaceStatistics().reduce((sum, s) => sum + s[field], 0);
}

/* ---- what the language refuses ------------------------------------------- */

const nobody = () => {};

const MISUSE = {
  'register-itself': () => { const o = {}; registry().register(o, o); },
  'register-number': () => registry().register(1),
  'register-text': () => registry().register('a'),
  'register-null': () => registry().register(null),
  'register-symbol': () => registry().register(Symbol('a')),
  'register-shared-symbol': () => registry().register(Symbol.for('a')),
  'unregister-number': () => registry().unregister(1),
  'unregister-undefined': () => registry().unregister(undefined),
  'weak-number': () => new WeakRef(1),
  'weak-text': () => new WeakRef('a'),
  'weak-null': () => new WeakRef(null),
  'weak-symbol': () => new WeakRef(Symbol('a')),
  'weak-shared-symbol': () => new WeakRef(Symbol.for('a')),
  'weak-map-number': () => new WeakMap().set(1, 1),
  'weak-map-text': () => new WeakMap().set('a', 1),
  'weak-map-symbol': () => new WeakMap().set(Symbol('a'), 1),
  'weak-map-shared-symbol': () => new WeakMap().set(Symbol.for('a'), 1),
  'weak-set-number': () => new WeakSet().add(1),
  'weak-set-null': () => new WeakSet().add(null),
  'registry-without-function': () => new FinalizationRegistry(1),
  'weak-without-new': () => WeakRef({}),
  'registry-without-new': () => FinalizationRegistry(nobody),
};

function registry() {
  return new FinalizationRegistry(nobody);
}

/* ---- lines of --trace-gc -------------------------------------------------- */

const TRACED = `
let kept = [];
for (let i = 0; i < 3e5; i++) { kept.push({i}); if (i % 1e5 === 0) kept = []; }
gc();
`;

const TRACE_LINE = /^\[\d+.*? ms: (.*)$/;

const TRACE_PARTS = {
  'has-sizes': /\d+\.\d \(\d+\.\d\) -> \d+\.\d \(\d+\.\d\) MB/,
  'has-pause': /, \d+\.\d+ \/ \d+\.\d+ ms/,
  'has-reason': / ms .*[a-z]{4}/,
  'has-mutator-share': /average mu = [\d.]+, current mu = [\d.]+/,
  'has-pooled': /pooled: /,
};

// Runs a text in a process of this runtime with flags of V8.
function runWithFlags(name, flags, text) {
  const {spawnSync} = require('child_process');
  return name === 'deno'
    ? spawnSync(process.execPath, ['eval', `--v8-flags=${flags}`, text])
    : spawnSync(process.execPath, [...flags, '-e', text]);
}

const LIMIT = `const v8 = require('v8');
console.log(v8.getHeapStatistics().heap_size_limit / 1048576);`;

function limitOf(name, flags) {
  const text = name === 'deno' ? LIMIT.replace(
    `require('v8')`, `(await import('node:v8')).default`) : LIMIT;
  const done = runWithFlags(name, flags, text);
  return done.status === 0 ? Number(done.stdout) : 'refused';
}

function traceLines(name) {
  const done = runWithFlags(name, ['--trace-gc', '--expose-gc'], TRACED);
  return done.stdout.toString().split('\n').map((l) => TRACE_LINE.exec(l))
    .filter((found) => found !== null).map((found) => found[1]);
}

function shownTrace(show, lines) {
  if (show !== 'kinds')
    return lines.length > 0 && lines.every((l) => TRACE_PARTS[show].test(l));
  const kinds = lines.map((l) => /^([A-Za-z-]+)/.exec(l)[1]);
  return [...new Set(kinds)].join(' ');
}

/* ---- one program --------------------------------------------------------- */

class Heap {
  constructor(run, tools) {
    this.run = run;
    this.tools = tools;
    this.depth = 0; // of heap.frame
    this.evidence = {};
    this.base = null;
    this.undo = [];
  }

  zero() {
    this.base = process.memoryUsage();
  }

  // The item of an id, or null after a failure.
  item(id) {
    const object = this.run.object(id);
    return object === null ? null : object.handle;
  }

  // The object of an id that is a root.
  root(id) {
    const item = this.item(id);
    if (item !== null && item.strong === null)
      this.run.fail(`\`${id}\` is a root no longer`);
    return item === null ? null : item.strong;
  }

  wrap(object, facts) {
    return new Item(this.tools, object, facts);
  }

  count(kind, gone) {
    if (!gone) return;
    this.evidence[kind] = (this.evidence[kind] || 0) + 1;
    this.run.prove(this.evidence);
  }

  // Collects in a task of its own; what waits for it, or undefined.
  collect(kind, now, Later) {
    const counter = kind === 'minor' ? 'minor' : 'major';
    const there = canaries(this.tools);
    const collect = () => {
      this.tools[kind]();
      return there;
    };
    if (now || this.depth > 0) {
      collect();
      this.count(counter, !there());
      return undefined;
    }
    const ended = task().then(collect).then(task);
    // Once more, from another stack.
    const later = this.tools.again ? ended.then(collect).then(task) : ended;
    return new Later(later.then(() => this.count(counter, !there())));
  }

  // Turns of the loop in which what is due is called.
  settle(Later) {
    const turns = async () => {
      for (let i = 0; i < 3; i++) await task();
      await new Promise((done) => setTimeout(done, 8));
      await task();
    };
    return new Later(turns());
  }

  end() {
    for (const undo of this.undo) undo();
  }
}

const task = () => new Promise((done) => setImmediate(done));

/* What this runtime can do, and which legitimate variant it is. */
function abilities({name, version}, atLeast) {
  const tools = findTools(name);
  const node = name === 'node';
  const weak = typeof WeakRef === 'function';
  const asks = tools.entries !== undefined || weak;
  const collects = tools.major !== undefined && asks;
  const counted = native('GetWeakCollectionSize') !== undefined;
  const statistics = name !== 'bun' && tools.major !== undefined;
  const local = attempt(() => require('async_hooks').AsyncLocalStorage);
  const capabilities = {
    'heap.object': collects,
    'heap.minor': collects && tools.minor !== undefined,
    'heap.generation': tools.young !== undefined,
    'heap.large': tools.large !== undefined,
    'heap.kinds': collects,
    'heap.closure': collects,
    'heap.frame': collects,
    'heap.compact': tools.compact !== undefined,
    'heap.weak': collects && weak,
    'heap.target': collects && weak,
    'heap.job': collects && weak,
    'heap.table': collects,
    'heap.table-size': counted,
    'heap.registry': collects && typeof FinalizationRegistry === 'function',
    'heap.misuse': typeof FinalizationRegistry === 'function',
    'heap.holder': collects,
    'heap.async-local': collects && typeof local === 'function',
    'heap.external': statistics,
    'heap.array-buffers': node && process.memoryUsage().arrayBuffers >= 0,
    'heap.usage': true,
    'heap.fields': true,
    'heap.events': node && atLeast(version, '16.0.0'),
    'heap.flags': node,
    'heap.statistics': statistics,
    'heap.trace': statistics,
    'heap.snapshot': typeof v8.writeHeapSnapshot === 'function',
  };
  const since = (wanted) => node && atLeast(version, wanted);
  const traits = {
    'full-promotes': since('14.0.0') || name === 'deno',
    'minor-clears-weak': name !== 'node',
    'minor-promotes-all': name === 'bun',
    'scavenge-and-mark-names': node && !since('18.0.0'),
    'small-pages': node || name === 'deno',
  };
  return {capabilities, traits, tools};
}

/* The operations, in the form of adapter.cjs; `check`, `idOf` and `Later` are
 * the adapter's. */
function operations(tools, runtime) {
  const OBJECTS = ['heap.alloc', 'heap.get', 'heap.graph', 'heap.target'];
  const BUFFERS = ['buffer.alloc', 'buffer.from', 'buffer.slice',
                   'buffer.view', 'buffer.concat', 'buffer.store',
                   'buffer.transfer'];
  const MADE = ['heap.closure', 'heap.scope', 'heap.table', 'heap.registry',
                'heap.weak'];
  const plain = OBJECTS.slice(0, 2);
  const size = check.whole(0, 1 << 30);
  const kinds = ['object', ...Object.keys(KINDS)];
  const flag = check.oneOf([true, false]);
  const table = (run, id) => run.heap.root(id);
  const tell = (run, log, value) => run.record([log, value]);

  return {
    'heap.alloc': {
      needs: 'heap.object', kind: 'heap.alloc',
      members: {slots: size, bytes: size, space: check.oneOf(['young']),
                kind: check.oneOf(kinds), name: check.text, external: size,
                log: check.text},
      perform: (run, argument) => {
        const item = run.heap.wrap(make(argument));
        if (argument.log !== undefined) tell(run, argument.log, 'ok');
        return item;
      },
    },
    'heap.link': {
      needs: 'heap.object',
      members: {from: idOf(...OBJECTS), slot: size,
                to: idOf(...OBJECTS, ...MADE)},
      required: ['from', 'slot'],
      perform: (run, {from, slot, to}) =>
        writeSlot(run.heap.root(from), slot,
                  to === undefined ? null : run.heap.root(to)),
    },
    'heap.get': {
      needs: 'heap.object', kind: 'heap.get',
      members: {of: idOf(...OBJECTS), slot: size},
      required: ['of', 'slot'],
      perform: (run, {of, slot}) =>
        run.heap.wrap(readSlot(run.heap.root(of), slot)),
    },
    'heap.drop': {
      value: idOf(...OBJECTS, ...MADE, 'heap.hold', ...BUFFERS),
      perform: (run, id) => {
        const item = run.heap.item(id);
        if (item !== null) item.strong = null;
      },
    },
    'heap.same': {
      needs: 'heap.object',
      members: {of: idOf(...OBJECTS), as: idOf(...OBJECTS), log: check.text},
      required: ['of', 'as', 'log'],
      perform: (run, {of, as, log}) =>
        tell(run, log, run.heap.root(of) === run.heap.root(as)),
    },
    'heap.garbage': {
      needs: 'heap.object',
      members: {count: check.whole(1, 1e7), slots: size, bytes: size},
      required: ['count'],
      perform: (run, {count, slots = 4, bytes = 0}) => {
        for (let i = 0; i < count; i++) make({slots, bytes});
      },
    },
    'heap.graph': {
      needs: 'heap.object', kind: 'heap.graph',
      members: {shape: check.oneOf(Object.keys(GRAPHS)),
                count: check.whole(1, 1e7)},
      required: ['shape', 'count'],
      perform: (run, {shape, count}) =>
        run.heap.wrap(GRAPHS[shape](count), {shape, count}),
    },
    'heap.scatter': {
      needs: 'heap.object',
      members: {in: idOf('heap.graph'), writes: check.whole(1, 1e6)},
      required: ['in', 'writes'],
      perform: (run, {in: id, writes}) => {
        const all = run.heap.root(id);
        for (const n of places(all.length, writes)) all[n] = {n};
      },
    },
    'heap.walk': {
      needs: 'heap.object',
      members: {of: idOf('heap.graph'), log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) => {
        const {shape, count} = run.heap.item(of).facts;
        tell(run, log, WALKS[shape](run.heap.root(of), count));
      },
    },

    'heap.scope': {
      needs: 'heap.closure', kind: 'heap.scope',
      members: {over: idOf(...plain), captured: flag},
      required: ['over'],
      perform: (run, {over, captured}) =>
        run.heap.wrap(activate(run.heap.root(over), captured !== false)),
    },
    'heap.closure': {
      needs: 'heap.closure', kind: 'heap.closure',
      members: {of: idOf('heap.scope'), uses: flag},
      required: ['of', 'uses'],
      perform: (run, {of, uses}) =>
        run.heap.wrap(run.heap.root(of)[uses ? 'uses' : 'idle']),
    },
    'heap.frame': {
      needs: 'heap.frame', then: true,
      members: {holds: idOf(...plain)},
      required: ['holds', 'then'],
      perform: (run, {holds}, call) => {
        run.heap.depth++;
        try {
          activeFrame(run.heap.root(holds), () => call(null));
        } finally {
          run.heap.depth--;
        }
      },
    },

    'heap.collect': {
      needs: 'heap.object',
      members: {kind: check.oneOf(['minor', 'major', 'compact']), now: flag},
      required: ['kind'],
      perform: (run, {kind, now}) => run.heap.collect(kind, now, Later),
    },
    'heap.settle': {
      perform: (run) => run.heap.settle(Later),
    },

    'heap.alive': {
      needs: 'heap.object',
      members: {of: idOf(...OBJECTS, ...MADE.slice(0, 2), ...BUFFERS),
                log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) => tell(run, log, run.heap.item(of).there()),
    },
    'heap.generation': {
      needs: 'heap.generation',
      members: {of: idOf(...OBJECTS, 'heap.closure', ...BUFFERS),
                log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) =>
        tell(run, log, tools.young(run.heap.root(of)) ? 'young' : 'old'),
    },
    'heap.large': {
      needs: 'heap.large',
      members: {of: idOf(...plain), log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) =>
        tell(run, log, tools.large(run.heap.root(of))),
    },

    'heap.weak': {
      needs: 'heap.weak', kind: 'heap.weak',
      members: {of: idOf(...plain)},
      required: ['of'],
      perform: (run, {of}) =>
        run.heap.wrap(new WeakRef(run.heap.root(of))),
    },
    'heap.deref': {
      needs: 'heap.weak',
      members: {of: idOf('heap.weak'), log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) =>
        tell(run, log, run.heap.root(of).deref() !== undefined),
    },
    'heap.target': {
      needs: 'heap.target', kind: 'heap.target',
      members: {of: idOf('heap.weak')},
      required: ['of'],
      perform: (run, {of}) => {
        const target = run.heap.root(of).deref();
        if (target === undefined) run.fail(`\`${of}\` leads to nothing`);
        return run.heap.wrap(target === undefined ? null : target);
      },
    },
    'heap.table': {
      needs: 'heap.table', kind: 'heap.table',
      members: {kind: check.oneOf(['weak-map', 'weak-set', 'map', 'set'])},
      required: ['kind'],
      perform: (run, {kind}) => run.heap.wrap(
        kind === 'map' ? new Map() : kind === 'set' ? new Set()
          : kind === 'weak-map' ? new WeakMap() : new WeakSet()),
    },
    'heap.table.set': {
      needs: 'heap.table',
      members: {in: idOf('heap.table'), key: idOf(...plain),
                value: idOf(...plain)},
      required: ['in', 'key'],
      perform: (run, {in: id, key, value}) => {
        const into = table(run, id);
        const entry = run.heap.root(key);
        if (into.add) into.add(entry);
        else into.set(entry, value === undefined ? 1 : run.heap.root(value));
      },
    },
    'heap.table.has': {
      needs: 'heap.table',
      members: {in: idOf('heap.table'), key: idOf(...plain),
                log: check.text},
      required: ['in', 'key', 'log'],
      perform: (run, {in: id, key, log}) =>
        tell(run, log, table(run, id).has(run.heap.root(key))),
    },
    'heap.table.delete': {
      needs: 'heap.table',
      members: {in: idOf('heap.table'), key: idOf(...plain)},
      required: ['in', 'key'],
      perform: (run, {in: id, key}) => {
        table(run, id).delete(run.heap.root(key));
      },
    },
    'heap.table.size': {
      needs: 'heap.table-size',
      members: {of: idOf('heap.table'), log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) => {
        const found = table(run, of);
        tell(run, log, found.size === undefined
          ? tools.entries(found) : found.size);
      },
    },
    'heap.registry': {
      needs: 'heap.registry', kind: 'heap.registry', callback: true,
      perform: (run, argument, call) => run.heap.wrap(
        new FinalizationRegistry(({held}) => {
          // What comes after the program's end is owed to nobody.
          if (!run.over) call(held);
        })),
    },
    'heap.register': {
      needs: 'heap.registry',
      members: {in: idOf('heap.registry'), of: idOf(...plain),
                held: check.scalar, keeps: idOf(...plain),
                token: idOf(...plain)},
      required: ['in', 'of'],
      perform: (run, {in: id, of, held, keeps, token}) => {
        const {heap} = run;
        const record = {held: held === undefined ? null : held,
                        kept: keeps === undefined ? null : heap.root(keeps)};
        const more = token === undefined ? [] : [heap.root(token)];
        heap.root(id).register(heap.root(of), record, ...more);
      },
    },
    'heap.unregister': {
      needs: 'heap.registry',
      members: {in: idOf('heap.registry'), token: idOf(...plain),
                log: check.text},
      required: ['in', 'token', 'log'],
      perform: (run, {in: id, token, log}) => tell(run, log,
        run.heap.root(id).unregister(run.heap.root(token))),
    },
    'heap.misuse': {
      needs: 'heap.misuse',
      members: {what: check.oneOf(Object.keys(MISUSE)), log: check.text},
      required: ['what', 'log'],
      perform: (run, {what, log}) => {
        let outcome = 'ok';
        try {
          MISUSE[what]();
        } catch (error) {
          outcome = error.name;
        }
        tell(run, log, outcome);
      },
    },
    'heap.hold': {
      needs: 'heap.holder', kind: 'heap.hold',
      members: {of: idOf(...plain), by: check.oneOf(Object.keys(HOLDERS))},
      required: ['of', 'by'],
      perform: (run, {of, by}) => {
        const item = {strong: HOLDERS[by](run.heap.root(of)), there: null};
        // Ends it once, and then forgets how: that refers to the object too.
        item.release = () => {
          const {release} = item.strong || {release: nobody};
          if (item.strong !== null) item.strong.release = nobody;
          release();
        };
        if (item.strong.root === undefined)
          run.heap.undo.push(item.release);
        return item;
      },
    },
    'heap.release': {
      needs: 'heap.holder',
      value: idOf('heap.hold'),
      perform: (run, id) => {
        const item = run.heap.item(id);
        if (item !== null) item.release();
      },
    },

    'heap.zero': {
      perform: (run) => run.heap.zero(),
    },
    'heap.usage': {
      needs: 'heap.usage',
      members: {figure: check.oneOf(Object.keys(FIGURES)), whole: flag,
                log: check.text},
      required: ['figure', 'log'],
      perform: (run, {figure, whole, log}) => {
        const now = FIGURES[figure](process.memoryUsage());
        tell(run, log, whole ? now : now - FIGURES[figure](run.heap.base));
      },
    },
    'heap.at-most': {
      needs: 'heap.usage',
      members: {figure: check.oneOf(Object.keys(FIGURES)),
                than: check.oneOf(Object.keys(FIGURES)), log: check.text},
      required: ['figure', 'than', 'log'],
      perform: (run, {figure, than, log}) => {
        const usage = process.memoryUsage();
        tell(run, log, FIGURES[figure](usage) <= FIGURES[than](usage));
      },
    },
    'heap.fields': {
      needs: 'heap.fields',
      members: {log: check.text},
      required: ['log'],
      perform: (run, {log}) =>
        tell(run, log, Object.keys(process.memoryUsage()).sort().join(' ')),
    },
    'heap.events': {
      needs: 'heap.events', callback: true,
      members: {show: check.oneOf(['kind'])},
      required: ['show'],
      perform: (run, argument, call) => {
        const {PerformanceObserver, constants} = require('perf_hooks');
        const names = {
          [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
          [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
        };
        const forced = constants.NODE_PERFORMANCE_GC_FLAGS_FORCED;
        const observer = new PerformanceObserver((list) => {
          for (const {detail} of list.getEntries())
            if (detail.flags & forced && !run.over) call(names[detail.kind]);
        });
        observer.observe({entryTypes: ['gc']});
        run.heap.undo.push(() => observer.disconnect());
      },
    },
    'heap.fatal': {
      needs: 'heap.flags', isolating: () => true,
      perform: (run) => {
        // Node 12 leaves a file with a diagnostic report where it stands.
        process.chdir(run.dir);
        for (const kept = [];;) kept.push(new Array(1000).fill({}));
      },
    },
    'heap.limit-of': {
      needs: 'heap.statistics',
      members: {flags: (v) => Array.isArray(v) ? null : 'a list',
                log: check.text},
      required: ['flags', 'log'],
      perform: (run, {flags, log}) =>
        tell(run, log, limitOf(runtime, flags)),
    },
    'heap.statistic': {
      needs: 'heap.statistics',
      members: {name: check.text, unit: check.whole(1, 1 << 30),
                log: check.text},
      required: ['name', 'log'],
      perform: (run, {name, unit = 1, log}) => {
        const found = v8.getHeapStatistics()[name];
        tell(run, log, found === undefined ? null : found / unit);
      },
    },
    'heap.spaces': {
      needs: 'heap.statistics',
      members: {log: check.text},
      required: ['log'],
      perform: (run, {log}) => tell(run, log, v8.getHeapSpaceStatistics()
        .map((s) => s.space_name).join(' ')),
    },
    'heap.trace-lines': {
      needs: 'heap.trace',
      members: {show: check.oneOf(['kinds', ...Object.keys(TRACE_PARTS)]),
                log: check.text},
      required: ['show', 'log'],
      perform: (run, {show, log}) =>
        tell(run, log, shownTrace(show, traceLines(runtime))),
    },

    'heap.snapshot': {
      needs: 'heap.snapshot', kind: 'heap.snapshot',
      perform: (run) => {
        const file = path.join(run.dir, `plumb-${process.pid}.heapsnapshot`);
        v8.writeHeapSnapshot(file);
        const text = fs.readFileSync(file, 'utf8');
        fs.unlinkSync(file);
        return new Snapshot(JSON.parse(text));
      },
    },
    'heap.snapshot.check': {
      needs: 'heap.snapshot',
      members: {of: idOf('heap.snapshot'), log: check.text,
                rule: check.oneOf(Object.keys(Snapshot.RULES))},
      required: ['of', 'rule', 'log'],
      perform: (run, {of, rule, log}) =>
        tell(run, log, run.heap.item(of).holds(rule)),
    },
    'heap.snapshot.count': {
      needs: 'heap.snapshot',
      members: {of: idOf('heap.snapshot'), name: check.text, log: check.text},
      required: ['of', 'name', 'log'],
      perform: (run, {of, name, log}) =>
        tell(run, log, run.heap.item(of).named(name).length),
    },
    'heap.snapshot.edges': {
      needs: 'heap.snapshot',
      members: {of: idOf('heap.snapshot'), from: check.text, to: check.text,
                log: check.text},
      required: ['of', 'from', 'to', 'log'],
      perform: (run, {of, from, to, log}) =>
        tell(run, log, run.heap.item(of).edges(from, to)),
    },
    'heap.snapshot.size': {
      needs: 'heap.snapshot',
      members: {of: idOf('heap.snapshot'), name: check.text,
                which: check.oneOf(['shallow']), log: check.text},
      required: ['of', 'name', 'which', 'log'],
      perform: (run, {of, name, log}) =>
        tell(run, log, run.heap.item(of).shallow(name)),
    },
    'heap.snapshot.diff': {
      needs: 'heap.snapshot',
      members: {from: idOf('heap.snapshot'), to: idOf('heap.snapshot'),
                name: check.text, log: check.text,
                which: check.oneOf(['new', 'deleted', 'kept', 'delta'])},
      required: ['from', 'to', 'name', 'which', 'log'],
      perform: (run, {from, to, name, which, log}) => tell(run, log,
        run.heap.item(to).against(run.heap.item(from), name, which)),
    },
  };
}

/* The same operations, which stop where the program has failed: what follows
 * from a missing root is no news. */
function guarded(table) {
  for (const known of Object.values(table)) {
    const {perform} = known;
    known.perform = (run, ...more) => {
      try {
        return perform(run, ...more);
      } catch (error) {
        if (run.problem === null) throw error;
        return undefined;
      }
    };
  }
  return table;
}

module.exports = {Heap, abilities, guarded, operations};

// SPDX-License-Identifier: MIT
/*
 * objects.cjs: the objects of the heap area, and the operations that make,
 * link and let go of them, for heap.cjs.
 *
 * Invariant: nothing here keeps an object; who keeps it is its Item, or a
 * program's other object.
 */
'use strict';

const {check, idOf} = require('./checks.cjs');
const {tell} = require('./events.cjs');

// What the ids of these operations, and of others that make objects, name.
const OBJECTS = ['heap.alloc', 'heap.get', 'heap.graph', 'heap.target'];
const PLAIN = OBJECTS.slice(0, 2);
const BUFFERS = ['buffer.alloc', 'buffer.from', 'buffer.slice', 'buffer.view',
                 'buffer.concat', 'buffer.store', 'buffer.transfer'];
const MADE = ['heap.closure', 'heap.scope', 'heap.table', 'heap.registry',
              'heap.weak'];

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

function operations() {
  const size = check.whole(0, 1 << 30);
  const kinds = ['object', ...Object.keys(KINDS)];
  const flag = check.oneOf([true, false]);

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
      members: {over: idOf(...PLAIN), captured: flag},
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
      members: {holds: idOf(...PLAIN)},
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
  };
}

module.exports = {BUFFERS, MADE, OBJECTS, PLAIN, operations};

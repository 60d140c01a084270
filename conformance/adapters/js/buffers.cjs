// SPDX-License-Identifier: MIT
/*
 * buffers.cjs: the operations of the buffer area, for adapter.cjs.
 *
 * Invariant: an operation is one call of Buffer, ArrayBuffer or a typed array;
 * what is told of a buffer is what the runtime says of it. Ids are roots as in
 * heap.cjs.
 */
'use strict';

const buffer = require('buffer');
const {check, idOf} = require('./checks.cjs');
const {tell} = require('./events.cjs');

const MADE = ['buffer.alloc', 'buffer.from', 'buffer.slice', 'buffer.view',
              'buffer.concat', 'buffer.transfer'];
const STORED = [...MADE, 'buffer.store'];

const NUMBERS = {
  'NaN': NaN, 'Infinity': Infinity, '-Infinity': -Infinity,
  'undefined': undefined, 'null': null, 'text': 'text', '-1': -1,
  '1.5': 1.5, '2.9': 2.9, '-2.9': -2.9, 'true': true, 'object': {},
};

// A number, or what a text stands for in its place.
function number(value) {
  if (value === 'max+1') return buffer.constants.MAX_LENGTH + 1;
  return typeof value === 'string' ? NUMBERS[value] : value;
}

const isStore = (object) => object instanceof ArrayBuffer ||
  (typeof SharedArrayBuffer === 'function' &&
   object instanceof SharedArrayBuffer);

// The store behind a buffer, or a store itself.
const storeOf = (object) => isStore(object) ? object : object.buffer;

const filled = (made, fill) => fill.length === 0 ? made : made.fill(fill[0]);

const MAKE = {
  'alloc': (length, fill) => Buffer.alloc(length, ...fill),
  'unsafe': (length, fill) => filled(Buffer.allocUnsafe(length), fill),
  'slow': (length, fill) => filled(Buffer.allocUnsafeSlow(length), fill),
};

const STORES = {
  'plain': (length) => new ArrayBuffer(length),
  'resizable': (length, most) =>
    new ArrayBuffer(length, {maxByteLength: most}),
  'shared': (length) => new SharedArrayBuffer(length),
};

const SLICES = {
  'slice': (object, range) => object.slice(...range),
  'subarray': (object, range) => object.subarray(...range),
  'typed-slice': (object, range) => {
    const part = Uint8Array.prototype.slice.apply(object, range);
    return Buffer.from(part.buffer, part.byteOffset, part.length);
  },
  'store-slice': (object, range) =>
    Buffer.from(storeOf(object).slice(...range)),
};

function throughPort(store) {
  const {MessageChannel, receiveMessageOnPort} = require('worker_threads');
  const {port1, port2} = new MessageChannel();
  try {
    port1.postMessage(store, [store]);
    return receiveMessageOnPort(port2).message;
  } finally {
    port1.close();
    port2.close();
  }
}

const TRANSFERS = {
  'clone': (store) => structuredClone(store, {transfer: [store]}),
  'method': (store, length) => store.transfer(...length),
  'fixed': (store, length) => store.transferToFixedLength(...length),
  'message': throughPort,
};

function source({text, repeat = 1, encoding, list, of, typed}, root) {
  if (text !== undefined) return [text.repeat(repeat), ...(
    encoding === undefined ? [] : [encoding])];
  if (of !== undefined) return [root(of)];
  return [typed ? new Uint16Array(list) : list];
}

const FACTS = {
  'length': (b) => isStore(b) ? b.byteLength : b.length,
  'offset': (b) => isStore(b) ? 0 : b.byteOffset,
  'store-length': (b) => storeOf(b).byteLength,
  'zero': (b) => Buffer.from(storeOf(b), b.byteOffset || 0,
                             b.byteLength).every((byte) => byte === 0),
  'pooled': (b) => storeOf(b).byteLength === Buffer.poolSize &&
    b.length < Buffer.poolSize,
  'detached': (b) => isDetached(storeOf(b)),
};

// Older runtimes have no property for it, but refuse to look into it.
function isDetached(store) {
  if (typeof store.detached === 'boolean') return store.detached;
  try {
    return new Uint8Array(store) === null;
  } catch (error) {
    return true;
  }
}

const named = (error) => `!${error.code || error.name}`;

const POOL_SIZE = Buffer.poolSize;

function abilities() {
  const is = (value) => typeof value === 'function';
  const port = () => {
    try {
      return require('worker_threads').receiveMessageOnPort;
    } catch (error) {
      return undefined;
    }
  };
  const first = Buffer.allocUnsafe(8);
  const second = Buffer.allocUnsafe(8);
  const capabilities = {
    'buffer.store': true,
    'buffer.pool': first.buffer === second.buffer ||
      first.buffer.byteLength === POOL_SIZE,
    'buffer.transfer': is(globalThis.structuredClone),
    'buffer.store-transfer': is(ArrayBuffer.prototype.transfer),
    'buffer.message': is(port()),
    'buffer.resizable': is(ArrayBuffer.prototype.resize),
    'buffer.shared': is(globalThis.SharedArrayBuffer),
    'buffer.text': true,
    'buffer.errors': true,
    'buffer.limit': true,
  };
  const traits = {
    'pools-lists': capabilities['buffer.pool'] && !process.versions.deno,
    'external-at-second-gc': process.versions.v8 !== undefined &&
      !process.versions.bun && Number(process.versions.node.split('.')[0]) > 14,
  };
  return {capabilities, traits};
}

function operations() {
  const count = (v) => Number.isInteger(v) || typeof v === 'string'
    ? null : 'a whole number or the name of what is none';
  const whole = check.whole(0, Number.MAX_SAFE_INTEGER);
  const integer = (v) => Number.isInteger(v) ? null : 'a whole number';
  const word = (v) => typeof v === 'string' ? null : 'a text';
  const list = (v) => Array.isArray(v) ? null : 'a list';
  const flag = check.oneOf([true, false]);
  const any = idOf(...MADE);
  const either = idOf(...STORED);
  const root = (run) => (id) => run.heap.root(id);

  // Makes an item, or tells the error where somebody asks for it.
  const making = (work) => (run, argument) => {
    const {log} = argument;
    try {
      const item = run.heap.wrap(work(argument, root(run)));
      if (log !== undefined) tell(run, log, 'ok');
      return item;
    } catch (error) {
      if (log === undefined) throw error;
      tell(run, log, named(error));
      return run.heap.wrap({});
    }
  };
  // Ends of a range, as many as stand there.
  const range = (from, to) => to !== undefined
    ? [number(from), number(to)] : from !== undefined ? [number(from)] : [];

  return {
    'buffer.alloc': {
      needs: 'buffer.store', kind: 'buffer.alloc',
      members: {length: count, how: check.oneOf(Object.keys(MAKE)),
                fill: count, log: check.text},
      required: ['length'],
      perform: making(({length, how = 'alloc', fill}) =>
        MAKE[how](number(length), fill === undefined ? [] : [fill])),
    },
    'buffer.store': {
      needs: 'buffer.store', kind: 'buffer.store',
      members: {length: whole, kind: check.oneOf(Object.keys(STORES)),
                most: whole},
      required: ['length'],
      perform: making(({length, kind = 'plain', most}) =>
        STORES[kind](length, most)),
    },
    'buffer.from': {
      needs: 'buffer.store', kind: 'buffer.from',
      members: {text: word, repeat: whole, encoding: word, list,
                of: any, typed: flag, log: check.text},
      perform: making((argument, find) =>
        Buffer.from(...source(argument, find))),
    },
    'buffer.view': {
      needs: 'buffer.store', kind: 'buffer.view',
      members: {of: either, offset: count, length: count, log: check.text},
      required: ['of'],
      perform: making(({of, offset, length}, find) =>
        Buffer.from(storeOf(find(of)), ...range(
          offset === undefined && length !== undefined ? 0 : offset,
          length))),
    },
    'buffer.slice': {
      needs: 'buffer.store', kind: 'buffer.slice',
      members: {of: either, how: check.oneOf(Object.keys(SLICES)),
                from: count, to: count},
      required: ['of', 'how'],
      perform: making(({of, how, from, to}, find) =>
        SLICES[how](find(of), range(
          from === undefined && to !== undefined ? 0 : from, to))),
    },
    'buffer.concat': {
      needs: 'buffer.store', kind: 'buffer.concat',
      members: {of: any, and: any, length: whole},
      required: ['of'],
      perform: making(({of, and, length}, find) => Buffer.concat(
        and === undefined ? [find(of)] : [find(of), find(and)],
        ...(length === undefined ? [] : [length]))),
    },
    'buffer.copy': {
      needs: 'buffer.store',
      members: {of: any, into: any, at: whole, from: whole, to: whole,
                log: check.text},
      required: ['of', 'into'],
      perform: (run, {of, into, at = 0, from = 0, to, log}) => {
        const copied = root(run)(of).copy(root(run)(into), at, from,
                                          ...(to === undefined ? [] : [to]));
        if (log !== undefined) tell(run, log, copied);
      },
    },
    'buffer.fill': {
      needs: 'buffer.store',
      members: {of: any, value: integer, from: whole, to: whole},
      required: ['of', 'value'],
      perform: (run, {of, value, from, to}) => {
        root(run)(of).fill(value, ...range(
          from === undefined && to !== undefined ? 0 : from, to));
      },
    },
    'buffer.set': {
      needs: 'buffer.store',
      members: {of: any, at: integer, value: (v) => typeof v === 'number'
        ? null : 'a number'},
      required: ['of', 'at', 'value'],
      perform: (run, {of, at, value}) => { root(run)(of)[at] = value; },
    },
    'buffer.get': {
      needs: 'buffer.store',
      members: {of: any, at: integer, log: check.text},
      required: ['of', 'at', 'log'],
      perform: (run, {of, at, log}) => tell(run, log, root(run)(of)[at]),
    },
    'buffer.bytes': {
      needs: 'buffer.store',
      members: {of: any, log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) => tell(run, log,
        root(run)(of).subarray(0, 32).toString('hex')),
    },
    'buffer.text': {
      needs: 'buffer.text',
      members: {of: any, encoding: word, log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, encoding, log}) => {
        let text;
        try {
          text = root(run)(of).toString(encoding);
        } catch (error) {
          text = named(error);
        }
        tell(run, log, text);
      },
    },
    'buffer.show': {
      needs: 'buffer.store',
      members: {of: either, what: check.oneOf(Object.keys(FACTS)),
                log: check.text},
      required: ['of', 'what', 'log'],
      perform: (run, {of, what, log}) =>
        tell(run, log, FACTS[what](root(run)(of))),
    },
    'buffer.same-store': {
      needs: 'buffer.store',
      members: {of: either, as: either, log: check.text},
      required: ['of', 'as', 'log'],
      perform: (run, {of, as, log}) => tell(run, log,
        storeOf(root(run)(of)) === storeOf(root(run)(as))),
    },
    'buffer.transfer': {
      needs: 'buffer.store', kind: 'buffer.transfer',
      members: {of: either, how: check.oneOf(Object.keys(TRANSFERS)),
                length: whole, log: check.text},
      required: ['of', 'how'],
      perform: making(({of, how, length}, find) => Buffer.from(
        TRANSFERS[how](storeOf(find(of)),
                       length === undefined ? [] : [length]))),
    },
    'buffer.resize': {
      needs: 'buffer.resizable',
      members: {of: idOf('buffer.store'), length: whole, log: check.text},
      required: ['of', 'length'],
      perform: (run, {of, length, log}) => {
        let outcome = 'ok';
        try {
          root(run)(of).resize(length);
        } catch (error) {
          outcome = named(error);
        }
        if (log !== undefined) tell(run, log, outcome);
      },
    },
    'buffer.pool-size': {
      needs: 'buffer.pool',
      members: {bytes: whole, log: check.text},
      perform: (run, {bytes, log}) => {
        if (bytes !== undefined) {
          Buffer.poolSize = bytes;
          run.heap.undo.push(() => { Buffer.poolSize = POOL_SIZE; });
        }
        if (log !== undefined) tell(run, log, Buffer.poolSize);
      },
    },
    'buffer.fresh-pool': {
      needs: 'buffer.pool',
      perform: () => {
        const {buffer: now} = Buffer.allocUnsafe(1);
        while (Buffer.allocUnsafe(1000).buffer === now);
        // One was made and begun: use it up, too, but for its last byte.
        const {buffer: next} = Buffer.allocUnsafe(1);
        for (;;) {
          const last = Buffer.allocUnsafe(8);
          if (last.buffer !== next) return;
          if (last.byteOffset + 16 > next.byteLength) return;
        }
      },
    },
    'buffer.limit': {
      needs: 'buffer.limit',
      members: {of: check.oneOf(['buffer', 'text']), log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) => tell(run, log, String(of === 'buffer'
        ? buffer.constants.MAX_LENGTH : buffer.constants.MAX_STRING_LENGTH)),
    },
  };
}

module.exports = {abilities, operations};

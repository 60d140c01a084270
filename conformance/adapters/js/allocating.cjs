// SPDX-License-Identifier: MIT
/*
 * allocating.cjs: the workloads of memory: objects, trees, full collections,
 * a program beside its collector, buffers; the same as in bench/memory.
 *
 * Invariant: what was made is looked at, outside of what is timed; nothing is
 * told of an object that a compiler could have left out.
 */
'use strict';

const BATCH_BYTES = 1 << 20;
const HEADER = 24; // of an object of V8 with pointers of 8 bytes
const NODE_BYTES = 48;
const COUNT = 1000; // buffers
const PART = 64;
const VIEWED = 4096;
const TREES = 200;
const TREE_DEPTH = 9;
const RING = 512;

class Node {
  constructor(left, right) {
    this.left = left;
    this.right = right;
    this.number = 0;
  }
}

function grow(depth) {
  if (depth === 0) return new Node(null, null);
  return new Node(grow(depth - 1), grow(depth - 1));
}

function reach(node) {
  return node === null ? 0 : 1 + reach(node.left) + reach(node.right);
}

// A tree of `count` nodes, the k-th below number (k - 1) / 2.
function plant(count) {
  const nodes = new Array(count);
  for (let k = 0; k < count; k++) {
    nodes[k] = new Node(null, null);
    if (k > 0) nodes[(k - 1) >> 1][k % 2 ? 'left' : 'right'] = nodes[k];
  }
  return nodes[0];
}

/* ---- objects -------------------------------------------------------------- */

// Makes `count` objects of that many bytes and returns the last one.
const makers = new Map();

function makerOf(bytes) {
  if (!makers.has(bytes)) {
    const fields = Array.from({length: (bytes - HEADER) / 8},
                              (_, i) => `this.f${i} = i;`).join(' ');
    makers.set(bytes, new Function(`
      class Garbage { constructor(i) { ${fields} } }
      return (count, keep) => {
        for (let i = 0; i < count; i++) keep.last = new Garbage(i);
      };`)());
  }
  return makers.get(bytes);
}

const kept = {last: null};

function garbage(bytes, watch, done) {
  const count = Math.floor(BATCH_BYTES / bytes);
  const make = makerOf(bytes);
  watch.start();
  make(count, kept);
  const took = watch.stop();
  done(took, kept.last.f0 + 1);
}

function trees(depth, watch, done) {
  watch.start();
  const tree = grow(depth);
  const took = watch.stop();
  done(took, reach(tree));
}

/* ---- collections ---------------------------------------------------------- */

// Collects everything, or undefined where nobody can ask for that.
function findCollector() {
  try {
    const {fullGC} = require('bun:jsc');
    if (fullGC) return fullGC;
  } catch (error) {
    // This is not Bun.
  }
  try {
    require('v8').setFlagsFromString('--expose_gc');
    const gc = globalThis.gc || require('vm').runInNewContext('gc');
    return typeof gc === 'function' ? () => gc() : undefined;
  } catch (error) {
    return undefined;
  }
}

const collect = findCollector();
let live = null; // what lives: {count, tree}
let ring = [];

function liveOf(bytes) {
  const count = Math.floor(bytes / NODE_BYTES);
  if (live === null || live.count !== count) live = {count, tree: plant(count)};
  return live;
}

function end() {
  live = null;
  ring = [];
}

function full(bytes, watch, done) {
  const {count, tree} = liveOf(bytes);
  watch.start();
  collect();
  const took = watch.stop();
  done(took, reach(tree) === count ? 1 : 0);
}

let next = 0;

function mutator(bytes, watch, done) {
  const {count, tree} = liveOf(bytes);
  watch.start();
  for (let i = 0; i < TREES; i++) ring[next++ % RING] = grow(TREE_DEPTH);
  const took = watch.stop();
  const whole = ring.every((one) => reach(one) === 2 ** (TREE_DEPTH + 1) - 1);
  done(took, whole && reach(tree) === count
    ? TREES * (2 ** (TREE_DEPTH + 1) - 1) : 0);
}

/* ---- buffers -------------------------------------------------------------- */

// COUNT buffers, of which check(last) looks at one.
function buffers(prepare) {
  return (n, watch, done) => {
    const {make, check} = prepare(n);
    watch.start();
    for (let i = 0; i < COUNT; i++) kept.last = make(i);
    const took = watch.stop();
    done(took, check(kept.last) ? COUNT : 0);
  };
}

function filled(length) {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + 1;
  return bytes;
}

const zeroed = (n) => ({
  make: () => Buffer.alloc(n),
  check: (last) => last.length === n && last.every((byte) => byte === 0)});

const unsafe = (n) => ({
  make: () => Buffer.allocUnsafe(n), check: (last) => last.length === n});

const copied = (n) => {
  const source = filled(n);
  return {make: () => Buffer.from(source),
          check: (last) => last !== source && source.equals(last)};
};

const sliced = () => {
  const of = Buffer.alloc(VIEWED);
  return {make: (i) => of.slice(i, i + VIEWED / 2),
          check: (last) => last.length === VIEWED / 2 &&
            last.buffer === of.buffer &&
            last.byteOffset === of.byteOffset + COUNT - 1};
};

const concatenated = (n) => {
  const source = filled(n * PART);
  const parts = Array.from({length: n}, (_, i) =>
    source.slice(i * PART, (i + 1) * PART));
  return {make: () => Buffer.concat(parts),
          check: (last) => source.equals(last)};
};

const bytes = {param: 'bytes', range: [0, 1 << 20], preset: 64,
               items: () => COUNT};
const living = {param: 'live', range: [1, 1 << 30], preset: 1 << 20, end};

const WORKLOADS = {
  'heap/alloc': {
    param: 'bytes', range: [1, 1 << 16], preset: 48, once: garbage,
    fits: (n) => n > HEADER && n <= 1024 && n % 8 === 0,
    items: (n) => Math.floor(BATCH_BYTES / n)},
  'heap/trees': {
    param: 'depth', range: [1, 20], preset: 8, once: trees,
    items: (n) => 2 ** (n + 1) - 1},
  'heap/mutator': {
    ...living, once: mutator, pauses: true,
    items: () => TREES * (2 ** (TREE_DEPTH + 1) - 1)},
  'buffers/alloc': {...bytes, once: buffers(zeroed)},
  'buffers/alloc-unsafe': {...bytes, once: buffers(unsafe)},
  'buffers/from': {...bytes, once: buffers(copied)},
  'buffers/slice': {param: null, preset: COUNT, once: buffers(sliced)},
  'buffers/concat': {param: 'parts', range: [1, 1024], preset: 2,
                     items: () => COUNT, once: buffers(concatenated)},
};

if (collect !== undefined) {
  WORKLOADS['heap/major/full'] = {
    ...living, once: full, items: () => 1};
}

module.exports = WORKLOADS;

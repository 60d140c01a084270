// SPDX-License-Identifier: MIT
/*
 * runtime.cjs: what this runtime is, and what it can do: the capabilities,
 * traits and operations of all areas.
 *
 * Invariant: this is settled once, before the first command is answered.
 */
'use strict';

const bodies = require('./bodies.cjs');
const buffers = require('./buffers.cjs');
const cache = require('./cache.cjs');
const cluster = require('./cluster.cjs');
const flow = require('./flow.cjs');
const heap = require('./heap.cjs');
const ipc = require('./ipc.cjs');
const loading = require('./loading.cjs');
const loop = require('./loop.cjs');
const modules = require('./modules.cjs');
const tree = require('./tree.cjs');

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

const LOOP = loop.abilities(IMPLEMENTATION, atLeast);
const MODULES = modules.abilities(IMPLEMENTATION, atLeast);
const HEAP = heap.abilities(IMPLEMENTATION, atLeast);
const BUFFERS = buffers.abilities();

// The names that a table of truths calls true.
function trueOf(table) {
  return Object.keys(table).filter((name) => table[name]);
}

const CAPABILITIES = new Set(trueOf(Object.assign(
  {}, LOOP.capabilities, MODULES.capabilities, HEAP.capabilities,
  BUFFERS.capabilities, flow.abilities(),
  ipc.abilities(IMPLEMENTATION, atLeast))));

// The legitimate variants that this runtime is known to be.
const TRAITS = trueOf(Object.assign(
  {}, LOOP.traits, MODULES.traits, HEAP.traits, BUFFERS.traits,
  ipc.traits(IMPLEMENTATION, atLeast)));

// How to collect garbage here, and to ask about objects without keeping them.
const HEAP_TOOLS = HEAP.tools;

const OPERATIONS = Object.assign(
  {}, loop.OPERATIONS, loading.operations(), bodies.operations(),
  cache.operations(), tree.operations(),
  heap.guarded(heap.operations(HEAP_TOOLS, IMPLEMENTATION.name)),
  heap.guarded(buffers.operations()), ipc.operations(), cluster.operations(),
  flow.operations());

module.exports = {
  CAPABILITIES, HEAP_TOOLS, IMPLEMENTATION, OPERATIONS, TRAITS,
};

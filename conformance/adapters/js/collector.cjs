// SPDX-License-Identifier: MIT
/*
 * collector.cjs: how to make this runtime collect garbage, and how to ask about
 * an object without keeping it, for heap.cjs.
 *
 * Invariant: nothing here refers to the object that was asked about.
 */
'use strict';

const v8 = require('v8');
const vm = require('vm');

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

module.exports = {attempt, canaries, findTools, native, probe};

// SPDX-License-Identifier: MIT
/*
 * runtime.cjs: what the lab asks of Node, Bun or Deno: to collect, whether a
 * collection was seen, how much memory there is, a snapshot.
 *
 * Invariant: a collection counts only when it was seen: by an entry of the
 * performance timeline that names a full one, or by the death of an object that
 * nothing refers to.
 */
'use strict';

const v8 = require('v8');

function findRuntime() {
  if (process.versions.bun) return {name: 'bun', version: process.versions.bun};
  if (process.versions.deno)
    return {name: 'deno', version: process.versions.deno};
  return {name: 'node', version: process.versions.node};
}

// A callback in a task of its own, with no frame of the lab below it.
function later(next) {
  setImmediate(() => setTimeout(next, 1));
}

/* ---- collecting ---------------------------------------------------------- */

function findCollect(name) {
  if (name === 'bun') return require('bun:jsc').fullGC;
  if (typeof globalThis.gc === 'function') return () => globalThis.gc();
  throw new Error(`${name} has to be started with --expose-gc`);
}

// Some garbage; what comes back tells whether one of it is gone.
function canaries() {
  if (typeof WeakRef === 'undefined') return () => false;
  const all = [];
  for (let i = 0; i < 16; i++) all.push(new WeakRef({canary: i}));
  return () => all.some((one) => one.deref() === undefined);
}

/* Counts entries for full collections; nobody delivers any but Node. */
function observe() {
  const counted = {entries: 0};
  const {PerformanceObserver, constants} = require('perf_hooks');
  if (!constants) return counted;
  try {
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const kind = entry.detail ? entry.detail.kind : entry.kind;
        if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) counted.entries++;
      }
    }).observe({entryTypes: ['gc']});
  } catch (error) {
    // This runtime has no such entries: the canaries tell.
  }
  return counted;
}

class Collector {
  constructor(runtime) {
    this.collect = findCollect(runtime.name);
    this.observed = observe();
    this.seenBy = null;
  }

  /* Two full collections in tasks of their own (what is outside of the heap is
   * given back by the next one); then next(whether one was seen). */
  run(next) {
    const dead = canaries();
    const entries = this.observed.entries;
    later(() => {
      this.collect();
      later(() => {
        this.collect();
        later(() => next(this.saw(entries, dead)));
      });
    });
  }

  saw(entries, dead) {
    if (this.observed.entries > entries) {
      this.seenBy = 'entries';
      return true;
    }
    if (!dead()) return false;
    this.seenBy = this.seenBy || 'canaries';
    return true;
  }
}

/* ---- looking ------------------------------------------------------------- */

/* The figures of the process; `inUse` is what a full collection is judged by:
 * the objects, and what they hold outside. */
function figures(name) {
  const usage = process.memoryUsage();
  const shown = {rss: usage.rss, heapTotal: usage.heapTotal,
                 heapUsed: usage.heapUsed, external: usage.external};
  if (usage.arrayBuffers !== undefined) shown.arrayBuffers = usage.arrayBuffers;
  if (name === 'bun') { // memoryUsage() lags behind
    const {heapStats} = require('bun:jsc');
    const {heapSize} = heapStats(); // with what is outside
    shown.inUse = heapSize;
  } else {
    shown.inUse = usage.heapUsed + usage.external;
  }
  return shown;
}

function snapshot(file) {
  v8.writeHeapSnapshot(file);
}

module.exports = {
  Collector, figures, findCollect, findRuntime, later, snapshot,
};

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
const {check, idOf} = require('./checks.cjs');
const {attempt, canaries, findTools, native, probe} =
  require('./collector.cjs');
const {tell} = require('./events.cjs');
const figures = require('./figures.cjs');
const {HOLDERS} = require('./holders.cjs');
const objects = require('./objects.cjs');
const {Snapshot} = require('./snapshot.cjs');
const {Later} = require('./steps.cjs');
const weak = require('./weak.cjs');

const {BUFFERS, MADE, OBJECTS, PLAIN} = objects;

// What an id names: the object while it is a root, and how to ask after it.
class Item {
  constructor(tools, object, facts) {
    this.strong = object;
    this.facts = facts || {};
    this.there = typeof object === 'object' || typeof object === 'function'
      ? probe(tools, object) : null;
  }
}

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
  collect(kind, now) {
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
  settle() {
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
  const refers = typeof WeakRef === 'function';
  const asks = tools.entries !== undefined || refers;
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
    'heap.weak': collects && refers,
    'heap.target': collects && refers,
    'heap.job': collects && refers,
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

const nothing = () => {};

// The operations that collect, and those that ask what is there.
function collections(tools) {
  const flag = check.oneOf([true, false]);

  return {
    'heap.collect': {
      needs: 'heap.object',
      members: {kind: check.oneOf(['minor', 'major', 'compact']), now: flag},
      required: ['kind'],
      perform: (run, {kind, now}) => run.heap.collect(kind, now),
    },
    'heap.settle': {
      perform: (run) => run.heap.settle(),
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
      members: {of: idOf(...PLAIN), log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) =>
        tell(run, log, tools.large(run.heap.root(of))),
    },

    'heap.hold': {
      needs: 'heap.holder', kind: 'heap.hold',
      members: {of: idOf(...PLAIN), by: check.oneOf(Object.keys(HOLDERS))},
      required: ['of', 'by'],
      perform: (run, {of, by}) => {
        const item = {strong: HOLDERS[by](run.heap.root(of)), there: null};
        // Ends it once, and then forgets how: that refers to the object too.
        item.release = () => {
          const {release} = item.strong || {release: nothing};
          if (item.strong !== null) item.strong.release = nothing;
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
  };
}

// The operations of heap snapshots, which snapshot.cjs reads.
function snapshots() {
  return {
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

function operations(tools, runtime) {
  return Object.assign({}, objects.operations(), collections(tools),
                       weak.operations(tools), figures.operations(runtime),
                       snapshots());
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

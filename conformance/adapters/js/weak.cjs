// SPDX-License-Identifier: MIT
/*
 * weak.cjs: weak references, weak tables and registries, for heap.cjs.
 *
 * Invariant: an operation is one call of WeakRef, of a table or of
 * FinalizationRegistry; what it returned or threw is told.
 */
'use strict';

const {check, idOf} = require('./checks.cjs');
const {tell} = require('./events.cjs');
const {PLAIN} = require('./objects.cjs');

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

/* ---- the operations ------------------------------------------------------ */

const table = (run, id) => run.heap.root(id);

function operations({entries}) {
  return {
    'heap.weak': {
      needs: 'heap.weak', kind: 'heap.weak',
      members: {of: idOf(...PLAIN)},
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
      members: {in: idOf('heap.table'), key: idOf(...PLAIN),
                value: idOf(...PLAIN)},
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
      members: {in: idOf('heap.table'), key: idOf(...PLAIN),
                log: check.text},
      required: ['in', 'key', 'log'],
      perform: (run, {in: id, key, log}) =>
        tell(run, log, table(run, id).has(run.heap.root(key))),
    },
    'heap.table.delete': {
      needs: 'heap.table',
      members: {in: idOf('heap.table'), key: idOf(...PLAIN)},
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
          ? entries(found) : found.size);
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
      members: {in: idOf('heap.registry'), of: idOf(...PLAIN),
                held: check.scalar, keeps: idOf(...PLAIN),
                token: idOf(...PLAIN)},
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
      members: {in: idOf('heap.registry'), token: idOf(...PLAIN),
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
  };
}

module.exports = {operations};

// SPDX-License-Identifier: MIT
/*
 * bodies.cjs: the operations that stand in the body of a module: on its
 * `module`, its exports and its import.meta.
 *
 * Invariant: they act on what the runtime gave that body (frame.module), and
 * on nothing else.
 */
'use strict';

const {check, idOf} = require('./checks.cjs');
const {LOADED} = require('./modules.cjs');

const FACTS = {
  'id': (own, m) => own.relative(m.id),
  'file': (own, m) => own.relative(m.filename),
  'directory': (own, m) => own.relative(m.path),
  'loaded': (own, m) => m.loaded,
  'main': (own, m, {require: asks}) => (asks || require).main === m,
  'parent': (own, m) => m.parent ? own.relative(m.parent.filename) : null,
  'children': (own, m) => own.list(m.children.map((c) => c.filename)),
  'folders': (own, m) => own.inside(m.paths),
};

const META = {url: 'url', file: 'filename', directory: 'dirname'};

// The value that an operation names: by `of` what was loaded.
const named = (run, {of, value}) => of === undefined
  ? value : run.modules.kept(of).value;

function operations() {
  return {
    'module': {
      needs: 'modules.require',
      members: {show: check.oneOf(Object.keys(FACTS)), path: check.text,
                log: check.text},
      required: ['show', 'log'],
      perform: (run, {show, path: name, log}, call, frame) => {
        const own = run.modules;
        const found = name === undefined
          ? frame.module && frame.module.module : own.loaded(name);
        if (!found) return run.fail('`module` stands in no module');
        const fact = FACTS[show](own, found, frame.module || {});
        return run.record([log, fact === undefined ? null : fact]);
      },
    },
    'meta': {
      needs: 'modules.import', inModule: true,
      members: {show: check.oneOf(Object.keys(META)), log: check.text},
      required: ['show', 'log'],
      perform: (run, {show, log}, call, {module}) => {
        const own = run.modules;
        if (!module.meta) return run.fail('`meta` stands in no ES module');
        return run.record([log, own.relative(module.meta[META[show]])]);
      },
    },
    'exports.set': {
      needs: 'modules.require', inModule: true,
      members: {name: check.text, value: check.any, of: idOf(...LOADED)},
      required: ['name'],
      perform: (run, argument, call, {module}) => {
        const value = named(run, argument);
        if (module.setters) module.setters[argument.name](value);
        else module.exports[argument.name] = value;
      },
    },
    'exports.replace': {
      needs: 'modules.require', inModule: true,
      members: {value: check.any, of: idOf(...LOADED)},
      perform: (run, argument, call, {module}) => {
        module.module.exports = named(run, argument);
      },
    },
    'exports.rebind': {
      needs: 'modules.require', inModule: true,
      members: {value: check.any},
      perform: (run, {value}, call, {module}) => { module.exports = value; },
    },
    'exports.function': {
      needs: 'modules.require', inModule: true, callback: true,
      members: {name: check.text},
      perform: (run, {name}, call, {module}) => {
        const made = () => call(null);
        if (module.setters) module.setters[name](made);
        else if (name === undefined) module.module.exports = made;
        else module.exports[name] = made;
      },
    },
    'exports.getter': {
      needs: 'modules.require', inModule: true, callback: true,
      members: {name: check.text, value: check.any},
      required: ['name'],
      perform: (run, {name, value}, call, {module}) =>
        Object.defineProperty(module.exports, name, {
          enumerable: true, configurable: true,
          get: () => { call(null); return value; },
        }),
    },
    'module.throw': {
      needs: 'modules.require', inModule: true,
      members: {message: check.text, value: check.any},
      perform: (run, argument) => {
        if (!('message' in argument)) throw argument.value;
        const error = new Error(argument.message);
        run.modules.thrown.add(error);
        throw error;
      },
    },
    'module.load': {
      needs: 'modules.require', kind: 'require',
      members: {specifier: check.text, path: check.text, log: check.text},
      required: ['specifier'],
      perform: (run, argument, call, frame) => {
        const own = run.modules;
        const owner = argument.path === undefined
          ? frame.module && frame.module.module : own.loaded(argument.path);
        if (!owner) return run.fail('`module.load` stands in no module');
        return own.attempt(argument,
                           () => owner.require(argument.specifier));
      },
    },
    'module.search': {
      needs: 'modules.require', inModule: true,
      value: check.texts,
      perform: (run, folders, call, {module}) => {
        module.module.paths.unshift(...folders.map((f) =>
          run.modules.at(f)));
      },
    },
  };
}

module.exports = {operations};

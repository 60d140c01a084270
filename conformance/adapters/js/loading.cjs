// SPDX-License-Identifier: MIT
/*
 * loading.cjs: the operations that resolve and load modules, and that look at
 * what came of it.
 *
 * Invariant: what is told is what require, import and require.resolve did for
 * the file that asks; modules.cjs knows which that is.
 */
'use strict';

const Module = require('module');
const {check, idOf, isObject} = require('./checks.cjs');
const {LOADED, shown} = require('./modules.cjs');
const {Later} = require('./steps.cjs');

// Errors of loading what was found: the specifier did lead somewhere.
const FOUND = new Set([
  'ERR_IMPORT_ATTRIBUTE_MISSING', 'ERR_IMPORT_ASSERTION_TYPE_MISSING',
  'ERR_UNKNOWN_FILE_EXTENSION', 'ERR_DLOPEN_FAILED',
]);

const RESOLVED = ['resolve', ...LOADED];

const resolveByImport = (run, argument, frame) => {
  const own = run.modules;
  const specifier = own.specifier(argument.specifier);
  const result = {value: undefined, error: null, failed: false};
  const helper = own.helper(own.asker(argument.from, frame));
  return new Later(helper.then(({load, resolve}) =>
    load(specifier).then(() => true, (error) => {
      if (error && FOUND.has(error.code)) return true;
      result.failed = true;
      result.error = error;
      return false;
    }).then((found) => {
      if (found) result.value = resolve(specifier);
    })).then(() => {
    if (argument.id !== undefined)
      run.objects.set(argument.id, {kind: 'resolve', handle: result});
    own.tell(argument.log, result, (place) => own.relative(place));
  }));
};

const DETAILS = {
  'code': (own, error) => error.code,
  'name': (own, error) => error.name,
  'path': (own, error) => own.relative(error.path),
  'request-path': (own, error) => error.requestPath,
  'require-stack': (own, error) => Array.isArray(error.requireStack)
    ? own.list(error.requireStack) : null,
};

function unique(object) {
  return Object.keys(object).sort().join(' ');
}

function operations() {
  const optional = {specifier: check.scalar, from: check.text,
                    log: check.text};

  return {
    'resolve': {
      needs: 'modules.resolve', kind: 'resolve',
      members: Object.assign({via: check.oneOf(LOADED), paths: check.texts,
                              conditions: check.texts}, optional),
      required: ['specifier'],
      perform: (run, argument, call, frame) => {
        if (argument.via === 'import')
          return resolveByImport(run, argument, frame);
        const own = run.modules;
        const {paths, conditions} = argument;
        if (conditions !== undefined)
          return own.attempt(argument, () => own.resolveUnder(conditions,
            own.asker(argument.from, frame),
            own.specifier(argument.specifier)),
          (place) => own.relative(place));
        return own.attempt(argument, () => own.require(argument.from, frame)
          .resolve(own.specifier(argument.specifier), ...(paths
            ? [{paths: paths.map((p) => own.at(p))}] : [])),
        (place) => own.relative(place));
      },
    },
    'resolve.folders': {
      needs: 'modules.resolve',
      members: optional,
      required: ['specifier', 'log'],
      perform: (run, {specifier, from, log}, call, frame) => {
        const own = run.modules;
        const found = own.require(from, frame).resolve.paths(
          own.specifier(specifier));
        run.record([log, found === null ? null : own.inside(found)]);
      },
    },
    'is-core': {
      needs: 'modules.core',
      members: optional,
      required: ['specifier', 'log'],
      perform: (run, {specifier, log}) => run.record([log, Module.isBuiltin
        ? Module.isBuiltin(specifier)
        : Module.builtinModules.includes(specifier)]),
    },
    'search-path': {
      needs: 'modules.search-path',
      value: check.texts,
      perform: (run, folders) => run.modules.searchLast(process.env,
        'NODE_PATH', folders.map((f) => run.modules.at(f)).join(':')),
    },
    'search-path.home': {
      needs: 'modules.search-path',
      value: check.text,
      perform: (run, home) =>
        run.modules.searchLast(process.env, 'HOME', run.modules.at(home)),
    },
    'search-path.prefix': {
      needs: 'modules.search-path',
      value: check.text,
      // lib/node is looked for beside the folder of the executable.
      perform: (run, prefix) => run.modules.searchLast(process, 'execPath',
        run.modules.at(`${prefix}/bin/node`)),
    },
    'entry': {
      needs: 'modules.entry',
      members: {path: check.text, log: check.text},
      required: ['path'],
      perform: (run, argument) => {
        const own = run.modules;
        const {mainModule} = process;
        own.undo.push(() => { process.mainModule = mainModule; });
        own.attempt(argument, () =>
          Module._load(own.at(argument.path), null, true));
      },
    },
    'require': {
      needs: 'modules.require', kind: 'require',
      members: optional,
      required: ['specifier'],
      perform: (run, argument, call, frame) => {
        const own = run.modules;
        const require = own.require(argument.from, frame);
        return own.attempt(argument,
                           () => require(own.specifier(argument.specifier)));
      },
    },
    'import': {
      needs: 'modules.import', kind: 'import', callback: true,
      members: Object.assign({attributes: (v) => isObject(v)
        ? null : 'an object'}, optional),
      required: ['specifier'],
      perform: (run, argument, call, frame) => {
        const own = run.modules;
        const {attributes, id, log} = argument;
        const result = {value: undefined, error: null, failed: false};
        const options = attributes && {with: attributes, assert: attributes};
        const ended = own.helper(own.asker(argument.from, frame))
          .then(({load}) => load(own.specifier(argument.specifier), options))
          .then((value) => { result.value = value; }, (error) => {
            if (log === undefined && id === undefined) throw error;
            result.failed = true;
            result.error = error;
          }).then(() => {
            if (id !== undefined)
              run.objects.set(id, {kind: 'import', handle: result});
            own.tell(log, result, (value) => shown(value.default));
            if ('then' in argument || 'each' in argument) call(null);
          });
        return 'then' in argument || 'each' in argument
          ? result : new Later(ended);
      },
    },
    'get': {
      needs: 'modules.require',
      members: {of: idOf(...LOADED), name: check.text, log: check.text},
      required: ['of', 'name', 'log'],
      perform: (run, {of, name, log}) => {
        const own = run.modules;
        own.attempt({log}, () => own.kept(of).value[name]);
      },
    },
    'call': {
      needs: 'modules.require',
      members: {of: idOf(...LOADED), name: check.text},
      required: ['of'],
      perform: (run, {of, name}) => {
        const {value} = run.modules.kept(of);
        if (name === undefined) value();
        else value[name]();
      },
    },
    'names': {
      needs: 'modules.require',
      members: {of: idOf(...LOADED), log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) => run.record([log,
        unique(run.modules.kept(of).value)]),
    },
    'same': {
      needs: 'modules.require',
      members: {of: idOf(...LOADED), as: idOf(...LOADED), log: check.text},
      required: ['of', 'as', 'log'],
      perform: (run, {of, as, log}) => {
        const one = run.modules.kept(of);
        const other = run.modules.kept(as);
        run.record([log, one.value === other.value &&
          one.error === other.error]);
      },
    },
    'error': {
      needs: 'modules.resolve',
      members: {of: idOf(...RESOLVED), log: check.text,
                show: check.oneOf(Object.keys(DETAILS))},
      required: ['of', 'show', 'log'],
      perform: (run, {of, show, log}) => {
        const {error} = run.modules.kept(of);
        const found = error === null || error === undefined
          ? null : DETAILS[show](run.modules, error);
        run.record([log, found === undefined ? null : found]);
      },
    },
  };
}

module.exports = {operations};

// SPDX-License-Identifier: MIT
/*
 * modules.cjs: the operations of the modules area, for adapter.cjs.
 *
 * Invariant: what is told is what the runtime's own require, import and
 * require.resolve did; nothing is looked up or computed here, paths are only
 * made relative to the case's directory. A module's body is compiled by the
 * adapter; its file is a text that calls plumb(number, ...), which is there
 * while a program with bodies runs.
 *
 * import() needs a file that asks: a helper is written beside the one that
 * `from` names, because the place is what decides.
 */
'use strict';

const fs = require('fs');
const {spawnSync} = require('child_process');
const Module = require('module');
const path = require('path');
const url = require('url');
const {check, idOf, isObject} = require('./checks.cjs');
const {Later} = require('./steps.cjs');

const HELPER = 'plumb-import.mjs';
const HELPER_TEXT = `
export const load = (specifier, options) =>
  options ? import(specifier, options) : import(specifier);
export const resolve = (specifier) => import.meta.resolve(specifier);
`;

// Errors of loading what was found: the specifier did lead somewhere.
const FOUND = new Set([
  'ERR_IMPORT_ATTRIBUTE_MISSING', 'ERR_IMPORT_ASSERTION_TYPE_MISSING',
  'ERR_UNKNOWN_FILE_EXTENSION', 'ERR_DLOPEN_FAILED',
]);

/* The modules of one program: its directory, the files that ask, what is
 * there to be taken back. */
class Modules {
  constructor(run, bodies) {
    this.run = run;
    this.dir = fs.realpathSync(run.dir);
    this.written = run.dir;
    this.bodies = bodies;
    this.requires = new Map();
    this.helpers = new Map();
    this.thrown = new Set();
    this.undo = [];
  }

  // The absolute path of one that is relative to the case's directory.
  at(name) {
    return path.isAbsolute(name) ? name : `${this.dir}/${name}`;
  }

  // A path or URL as it stands in a trace.
  relative(place) {
    if (typeof place !== 'string') return null;
    if (place.startsWith('file:')) {
      const found = new URL(place);
      const tail = found.search + found.hash;
      return this.relative(decodeURIComponent(found.pathname)) + tail;
    }
    for (const dir of [this.dir, this.written]) {
      if (place === dir) return '.';
      if (place.startsWith(`${dir}/`)) return place.slice(dir.length + 1);
    }
    return place;
  }

  list(places) {
    return places.map((place) => this.relative(place)).join(' ');
  }

  specifier(text) {
    if (typeof text !== 'string') return text;
    if (text.includes('$nul')) return text.split('$nul').join('\0');
    if (/^\/*\$dir/.test(text))
      return text.replace(/^\/*\$dir/, (m) => m.slice(1, -4) + this.dir);
    if (text.startsWith('$url'))
      return url.pathToFileURL(this.dir).href + text.slice(4);
    return text;
  }

  // The file that asks: `from`, the running module, or main.js.
  asker(from, frame) {
    if (from !== undefined) return this.at(from);
    return frame.module ? frame.module.file : `${this.dir}/main.js`;
  }

  require(from, frame) {
    if (from === undefined && frame.module && frame.module.require)
      return frame.module.require;
    const file = this.asker(from, frame);
    if (!this.requires.has(file))
      this.requires.set(file, Module.createRequire(file));
    return this.requires.get(file);
  }

  // The functions load and resolve of the helper beside a file.
  helper(file) {
    const place = path.join(path.dirname(file), HELPER);
    if (!this.helpers.has(place)) {
      fs.writeFileSync(place, HELPER_TEXT);
      this.helpers.set(place, import(url.pathToFileURL(place).href));
    }
    return this.helpers.get(place);
  }

  loaded(name) {
    const found = require.cache[this.at(name)];
    if (found === undefined)
      this.run.fail(`\`${name}\` is not in the cache of modules`);
    return found;
  }

  // What an operation ended with, as it stands in a trace.
  outcome({value, error, failed}) {
    if (!failed) return shown(value);
    if (error === null || typeof error !== 'object') return `!${error}`;
    if (typeof error.code === 'string') return `!${error.code}`;
    if (this.thrown.has(error)) return `!${error.message}`;
    return `!${error.name}`;
  }

  /* Does something of the runtime that may throw; tells or keeps the outcome,
   * or lets the error go on where nobody asks for it. */
  attempt({log, id}, work, show) {
    const result = {value: undefined, error: null, failed: false};
    try {
      result.value = work();
    } catch (error) {
      if (log === undefined && id === undefined) throw error;
      result.failed = true;
      result.error = error;
    }
    this.tell(log, result, show);
    return result;
  }

  tell(log, result, show) {
    if (log !== undefined)
      this.run.record([log, show && !result.failed
        ? show(result.value) : this.outcome(result)]);
  }

  /* What a fresh process of the runtime that has these conditions resolves:
   * they are chosen when it starts. */
  resolveUnder(conditions, file, specifier) {
    const flags = conditions.map((name) => `--conditions=${name}`);
    const deno = typeof Deno === 'object' ? ['run', '-A', '--quiet'] : [];
    const done = spawnSync(process.execPath, [
      ...deno, ...flags, path.join(__dirname, 'resolve.cjs'),
      JSON.stringify({file, specifier})], {encoding: 'utf8'});
    if (done.error) throw done.error;
    if (done.status !== 0) throw new Error(done.stderr);
    const {found, error} = JSON.parse(done.stdout);
    if (error) throw Object.assign(new Error(error.message), error);
    return found;
  }

  // Changes where the runtime looks last, and takes that back at the end.
  searchLast(object, name, value) {
    const before = object[name];
    object[name] = value;
    Module._initPaths();
    this.undo.push(() => {
      if (before === undefined) delete object[name];
      else object[name] = before;
      Module._initPaths();
    });
  }

  // Runs body `number` for the module file that calls.
  enter(number, given) {
    const body = this.bodies[number];
    if (body === undefined) throw new Error(`no body ${number}`);
    const module = body.imports ? this.esm(body, given) : commonjs(given);
    return this.run.perform(body.steps, {result: null, count: 0, module});
  }

  esm(body, [meta, imports, setters]) {
    for (const id of body.imports)
      this.run.objects.set(id, {kind: 'import', handle: {
        value: imports[id], error: null, failed: false}});
    return {file: url.fileURLToPath(meta.url), setters, meta};
  }

  // Takes back everything that the program left in the runtime.
  end() {
    for (const undo of this.undo) undo();
    for (const file of Object.keys(require.cache))
      if (file.startsWith(`${this.dir}/`) ||
          file.startsWith(`${this.written}/`))
        delete require.cache[file];
  }
}

function commonjs([exports, require, module, file, directory]) {
  return {exports, require, module, file, directory};
}

// A loaded value as a scalar.
function shown(value) {
  if (value === undefined) return 'undefined';
  if (typeof value === 'function') return 'function';
  if (value === null || typeof value !== 'object') return value;
  try {
    return JSON.stringify(value);
  } catch (error) {
    return 'object';
  }
}

function unique(object) {
  return Object.keys(object).sort().join(' ');
}

/* What this runtime can do, and which legitimate variant it is; `atLeast`
 * compares versions. */
function abilities({name, version}, atLeast) {
  const node = name === 'node';
  const since = (wanted) => !node || atLeast(version, wanted);
  const requires = typeof Module.createRequire === 'function';
  const capabilities = {
    'modules.resolve': requires,
    'modules.require': requires,
    'modules.cache': requires,
    'modules.resolve-import': since('12.17.0'),
    'modules.import': since('12.17.0'),
    // Deno looks for packages around the folder that it was started in.
    'modules.import-packages': name !== 'deno' && since('12.17.0'),
    'modules.require-esm': !node || process.features.require_module === true,
    'modules.exports-field': since('12.17.0'),
    'modules.core': Array.isArray(Module.builtinModules),
    'modules.core-exports': Array.isArray(Module.builtinModules),
    'modules.node-scheme': since('16.0.0') ||
      (atLeast(version, '14.18.0') && !atLeast(version, '15.0.0')),
    'modules.javascript': requires,
    'modules.addons': typeof process.dlopen === 'function',
    'modules.conditions': since('14.9.0'),
    'modules.entry': node && typeof Module._load === 'function',
    'modules.search-path': node && typeof Module._initPaths === 'function',
    'modules.hooks': typeof require.extensions === 'object',
    'modules.tree': true,
  };
  const traits = {
    'searches-mjs': node && !since('12.17.0'),
  };
  return {capabilities, traits};
}

/* The operations, in the form of adapter.cjs: `check`, `idOf` and `Later` are
 * the adapter's. */
function operations() {
  const any = () => null;
  const optional = {specifier: check.scalar, from: check.text,
                    log: check.text};
  const texts = (v) => Array.isArray(v) && v.every((t) => !check.text(t))
    ? null : 'a list of texts';
  const modules = (run) => run.modules;
  const kept = (run, id) => {
    const object = run.object(id);
    return object === null ? {value: undefined} : object.handle;
  };
  // The value that an operation names: by `of` what was loaded.
  const named = (run, {of, value}) => of === undefined
    ? value : kept(run, of).value;
  const RESOLVED = ['resolve', 'require', 'import'];
  const LOADED = ['require', 'import'];

  const resolveByImport = (run, argument, frame) => {
    const own = modules(run);
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

  const FACTS = {
    'id': (own, m) => own.relative(m.id),
    'file': (own, m) => own.relative(m.filename),
    'directory': (own, m) => own.relative(m.path),
    'loaded': (own, m) => m.loaded,
    'main': (own, m, {require: asks}) => (asks || require).main === m,
    'parent': (own, m) => m.parent ? own.relative(m.parent.filename) : null,
    'children': (own, m) => own.list(m.children.map((c) => c.filename)),
    'folders': (own, m) => inside(own, m.paths),
  };

  const META = {url: 'url', file: 'filename', directory: 'dirname'};

  const inside = (own, folders) => own.list(folders.filter((folder) =>
    folder === own.dir || folder.startsWith(`${own.dir}/`)));

  const put = (run, {path: name, core, value}) => {
    const key = core ? name : modules(run).at(name);
    const entry = new Module(key);
    entry.filename = key;
    entry.loaded = true;
    entry.exports = value;
    require.cache[key] = entry;
    modules(run).undo.push(() => { delete require.cache[key]; });
  };

  const link = (run, {path: name, to}) => {
    const place = modules(run).at(name);
    fs.mkdirSync(path.dirname(place), {recursive: true});
    try {
      fs.unlinkSync(place);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    fs.symlinkSync(to.replace(/^\$dir/, modules(run).dir), place);
  };

  const remove = (place) => {
    if (fs.lstatSync(place).isDirectory()) {
      for (const name of fs.readdirSync(place)) remove(`${place}/${name}`);
      fs.rmdirSync(place);
    } else {
      fs.unlinkSync(place);
    }
  };

  return {
    'resolve': {
      needs: 'modules.resolve', kind: 'resolve',
      members: Object.assign({via: check.oneOf(LOADED), paths: texts,
                              conditions: texts}, optional),
      required: ['specifier'],
      perform: (run, argument, call, frame) => {
        if (argument.via === 'import')
          return resolveByImport(run, argument, frame);
        const own = modules(run);
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
        const own = modules(run);
        const found = own.require(from, frame).resolve.paths(
          own.specifier(specifier));
        run.record([log, found === null ? null : inside(own, found)]);
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
      value: texts,
      perform: (run, folders) => modules(run).searchLast(process.env,
        'NODE_PATH', folders.map((f) => modules(run).at(f)).join(':')),
    },
    'search-path.home': {
      needs: 'modules.search-path',
      value: check.text,
      perform: (run, home) =>
        modules(run).searchLast(process.env, 'HOME', modules(run).at(home)),
    },
    'search-path.prefix': {
      needs: 'modules.search-path',
      value: check.text,
      // lib/node is looked for beside the folder of the executable.
      perform: (run, prefix) => modules(run).searchLast(process, 'execPath',
        modules(run).at(`${prefix}/bin/node`)),
    },
    'entry': {
      needs: 'modules.entry',
      members: {path: check.text, log: check.text},
      required: ['path'],
      perform: (run, argument) => {
        const own = modules(run);
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
        const own = modules(run);
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
        const own = modules(run);
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
        const own = modules(run);
        own.attempt({log}, () => kept(run, of).value[name]);
      },
    },
    'call': {
      needs: 'modules.require',
      members: {of: idOf(...LOADED), name: check.text},
      required: ['of'],
      perform: (run, {of, name}) => {
        const {value} = kept(run, of);
        if (name === undefined) value();
        else value[name]();
      },
    },
    'names': {
      needs: 'modules.require',
      members: {of: idOf(...LOADED), log: check.text},
      required: ['of', 'log'],
      perform: (run, {of, log}) => run.record([log,
        unique(kept(run, of).value)]),
    },
    'same': {
      needs: 'modules.require',
      members: {of: idOf(...LOADED), as: idOf(...LOADED), log: check.text},
      required: ['of', 'as', 'log'],
      perform: (run, {of, as, log}) => run.record([log,
        kept(run, of).value === kept(run, as).value &&
        kept(run, of).error === kept(run, as).error]),
    },
    'error': {
      needs: 'modules.resolve',
      members: {of: idOf(...RESOLVED), log: check.text,
                show: check.oneOf(Object.keys(DETAILS))},
      required: ['of', 'show', 'log'],
      perform: (run, {of, show, log}) => {
        const {error} = kept(run, of);
        const found = error === null || error === undefined
          ? null : DETAILS[show](modules(run), error);
        run.record([log, found === undefined ? null : found]);
      },
    },
    'module': {
      needs: 'modules.require',
      members: {show: check.oneOf(Object.keys(FACTS)), path: check.text,
                log: check.text},
      required: ['show', 'log'],
      perform: (run, {show, path: name, log}, call, frame) => {
        const own = modules(run);
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
        const own = modules(run);
        if (!module.meta) return run.fail('`meta` stands in no ES module');
        return run.record([log, own.relative(module.meta[META[show]])]);
      },
    },
    'exports.set': {
      needs: 'modules.require', inModule: true,
      members: {name: check.text, value: any, of: idOf(...LOADED)},
      required: ['name'],
      perform: (run, argument, call, {module}) => {
        const value = named(run, argument);
        if (module.setters) module.setters[argument.name](value);
        else module.exports[argument.name] = value;
      },
    },
    'exports.replace': {
      needs: 'modules.require', inModule: true,
      members: {value: any, of: idOf(...LOADED)},
      perform: (run, argument, call, {module}) => {
        module.module.exports = named(run, argument);
      },
    },
    'exports.rebind': {
      needs: 'modules.require', inModule: true,
      members: {value: any},
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
      members: {name: check.text, value: any},
      required: ['name'],
      perform: (run, {name, value}, call, {module}) =>
        Object.defineProperty(module.exports, name, {
          enumerable: true, configurable: true,
          get: () => { call(null); return value; },
        }),
    },
    'module.throw': {
      needs: 'modules.require', inModule: true,
      members: {message: check.text, value: any},
      perform: (run, argument) => {
        if (!('message' in argument)) throw argument.value;
        const error = new Error(argument.message);
        modules(run).thrown.add(error);
        throw error;
      },
    },
    'module.load': {
      needs: 'modules.require', kind: 'require',
      members: {specifier: check.text, path: check.text, log: check.text},
      required: ['specifier'],
      perform: (run, argument, call, frame) => {
        const own = modules(run);
        const owner = argument.path === undefined
          ? frame.module && frame.module.module : own.loaded(argument.path);
        if (!owner) return run.fail('`module.load` stands in no module');
        return own.attempt(argument,
                           () => owner.require(argument.specifier));
      },
    },
    'module.search': {
      needs: 'modules.require', inModule: true,
      value: texts,
      perform: (run, folders, call, {module}) => {
        module.module.paths.unshift(...folders.map((f) =>
          modules(run).at(f)));
      },
    },
    'cache.state': {
      needs: 'modules.cache',
      members: {path: check.text, log: check.text},
      required: ['path', 'log'],
      perform: (run, {path: name, log}) => {
        const found = require.cache[modules(run).at(name)];
        run.record([log, !found ? 'absent'
          : found.loaded ? 'loaded' : 'loading']);
      },
    },
    'cache.files': {
      needs: 'modules.cache',
      members: {log: check.text},
      required: ['log'],
      perform: (run, {log}) => {
        const own = modules(run);
        run.record([log, inside(own, Object.keys(require.cache))]);
      },
    },
    'cache.delete': {
      needs: 'modules.cache',
      value: check.text,
      perform: (run, name) => {
        delete require.cache[modules(run).at(name)];
      },
    },
    'cache.clear': {
      needs: 'modules.cache',
      perform: (run) => {
        const {dir} = modules(run);
        for (const file of Object.keys(require.cache))
          if (file.startsWith(`${dir}/`)) delete require.cache[file];
      },
    },
    'cache.put': {
      needs: 'modules.cache',
      members: {path: check.text, value: any,
                core: check.oneOf([true, false])},
      required: ['path'],
      perform: put,
    },
    'cache.exports': {
      needs: 'modules.cache',
      members: {path: check.text, value: any},
      required: ['path'],
      perform: (run, {path: name, value}) => {
        const found = modules(run).loaded(name);
        if (found !== undefined) found.exports = value;
      },
    },
    'loader': {
      needs: 'modules.hooks',
      value: check.text,
      perform: (run, suffix) => {
        require.extensions[suffix] = (module, file) => {
          module.exports = fs.readFileSync(file, 'utf8');
        };
        modules(run).undo.push(() => { delete require.extensions[suffix]; });
      },
    },
    'tree.write': {
      needs: 'modules.tree',
      members: {path: check.text, text: (v) => typeof v === 'string'
        ? null : 'a text'},
      required: ['path', 'text'],
      perform: (run, {path: name, text}) => {
        const place = modules(run).at(name);
        fs.mkdirSync(path.dirname(place), {recursive: true});
        fs.writeFileSync(place, text);
      },
    },
    'tree.remove': {
      needs: 'modules.tree',
      value: check.text,
      perform: (run, name) => remove(modules(run).at(name)),
    },
    'tree.rename': {
      needs: 'modules.tree',
      members: {path: check.text, to: check.text},
      required: ['path', 'to'],
      perform: (run, {path: name, to}) =>
        fs.renameSync(modules(run).at(name), modules(run).at(to)),
    },
    'tree.directory': {
      needs: 'modules.tree',
      value: check.text,
      perform: (run, name) =>
        fs.mkdirSync(modules(run).at(name), {recursive: true}),
    },
    'tree.link': {
      needs: 'modules.tree',
      members: {path: check.text, to: check.text},
      required: ['path', 'to'],
      perform: link,
    },
    'tree.hard-link': {
      needs: 'modules.tree',
      members: {path: check.text, to: check.text},
      required: ['path', 'to'],
      perform: (run, {path: name, to}) =>
        fs.linkSync(modules(run).at(to), modules(run).at(name)),
    },
  };
}

module.exports = {Modules, abilities, operations};

// SPDX-License-Identifier: MIT
/*
 * modules.cjs: the modules of one program: which file asks, what is told, and
 * what has to be taken back. The operations are in loading.cjs, bodies.cjs,
 * cache.cjs and tree.cjs.
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

const HELPER = 'plumb-import.mjs';
const HELPER_TEXT = `
export const load = (specifier, options) =>
  options ? import(specifier, options) : import(specifier);
export const resolve = (specifier) => import.meta.resolve(specifier);
`;

// The operations whose ids name what was loaded.
const LOADED = ['require', 'import'];

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

  // Those of some folders or files that are in the case's directory.
  inside(places) {
    return this.list(places.filter((place) =>
      place === this.dir || place.startsWith(`${this.dir}/`)));
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

  // What came of the operation that an id names: {value, error, failed}.
  kept(id) {
    const object = this.run.object(id);
    return object === null ? {value: undefined} : object.handle;
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

module.exports = {LOADED, Modules, abilities, shown};

// SPDX-License-Identifier: MIT
/*
 * engines.cjs: the resolvers, each set up as Node resolves a require.
 *
 * Invariant: an engine's make(conditions) gives a function of (directory,
 * specifier) that returns {path} or {error}, a text, and never throws; what it
 * made keeps nothing that another one sees.
 */
'use strict';

const fs = require('fs');
const path = require('path');

// Those of Node 20.19 and 22 for a require; "default" both add themselves.
const CONDITIONS = ['node', 'require', 'module-sync', 'node-addons'];

const settings = (conditions) => ({
  conditionNames: CONDITIONS.concat(conditions === undefined ? [] : conditions),
  extensions: ['.js', '.json', '.node'],
  mainFields: ['main'],
  mainFiles: ['index'],
  modules: ['node_modules'],
  exportsFields: [['exports']],
  importsFields: [['imports']],
  symlinks: true,
});

const enhanced = (library, fast) => (conditions) => {
  const resolver = library.ResolverFactory.createResolver({
    ...settings(conditions), exportsFields: ['exports'],
    importsFields: ['imports'], useSyncFileSystemCalls: true,
    fileSystem: fast ? new library.CachedInputFileSystem(fs, 1e9) : fs,
    unsafeCache: fast});
  return (folder, specifier) => {
    try {
      const found = resolver.resolveSync({}, folder, specifier);
      if (found === false) return {error: 'it is ignored'};
      // It writes "\0#" for a "#" that begins no fragment.
      return {path: found.replace(/\0(.)/gs, '$1')};
    } catch (error) {
      return {error: String(error.message)};
    }
  };
};

const oxc = (library) => (conditions) => {
  const resolver = new library.ResolverFactory(settings(conditions));
  return (folder, specifier) => {
    try {
      const found = resolver.sync(folder, specifier);
      return found.path === undefined || found.path === null
        ? {error: String(found.error)} : {path: found.path};
    } catch (error) {
      return {error: String(error.message)};
    }
  };
};

const ENGINES = {
  'enhanced-resolve': {
    make: enhanced, language: 'JavaScript',
    homepage: 'https://github.com/webpack/enhanced-resolve'},
  'oxc-resolver': {
    make: oxc, language: 'Rust',
    homepage: 'https://github.com/oxc-project/oxc-resolver'},
};

/* The engine whose main file this is, by the package.json above it. `fast`:
 * with every cache that it has, for who measures it. */
function load(file, {fast = false} = {}) {
  const real = fs.realpathSync(file);
  let folder = path.dirname(real);
  while (!fs.existsSync(path.join(folder, 'package.json')))
    folder = path.dirname(folder);
  const text = fs.readFileSync(path.join(folder, 'package.json'), 'utf8');
  const {name, version} = JSON.parse(text);
  const engine = ENGINES[name];
  if (engine === undefined) throw new Error(`${name} is no resolver that is known`);
  return {
    implementation: {name, version, language: engine.language,
                     homepage: engine.homepage},
    make: engine.make(require(real), fast),
  };
}

module.exports = {load, settings};

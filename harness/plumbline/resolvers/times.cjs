// SPDX-License-Identifier: MIT
/*
 * times.cjs: how long a runtime, or a resolver in it, takes for a list.
 *
 *   times.cjs LIST FAILING PASSES [LIBRARY]
 *
 * Both lists are lines `from TAB specifier`. Prints one JSON object: for the
 * list {resolved, cold, warm}, for the failing one {resolved, cold, warm}, in
 * nanoseconds per line. Invariants: what a runtime needs of a directory before
 * it can ask (the module that asks) is made before the clock starts; a pass
 * touches every line in order; processor time of all threads counts, or the
 * time on the wall where that is less.
 */
'use strict';

const fs = require('fs');
const Module = require('module');

const [list, failing, passes, library] = process.argv.slice(2);
const bun = typeof Bun !== 'undefined';
const deno = typeof Deno !== 'undefined';

/* A function of (directory, specifier, what was prepared for the directory). */
function engine() {
  if (library !== undefined) {
    const path = require('path').join(__dirname, '..', '..', '..',
      'conformance', 'adapters', 'resolvers', 'engines.cjs');
    const resolve = require(path).load(library, {fast: true}).make();
    return (folder, specifier) => resolve(folder, specifier).path !== undefined;
  }
  if (bun)
    return (folder, specifier) => Bun.resolveSync(specifier, folder) !== '';
  if (deno)
    return (folder, specifier, asker) => asker(specifier) !== '';
  return (folder, specifier, asker) =>
    Module._resolveFilename(specifier, asker) !== '';
}

function prepare(folder) {
  if (bun || library !== undefined) return null;
  if (deno) return Module.createRequire(`${folder}/x.js`).resolve;
  const asker = new Module(`${folder}/x.js`);
  asker.filename = `${folder}/x.js`;
  asker.paths = Module._nodeModulePaths(folder);
  return asker;
}

function read(file) {
  const folders = new Map();
  return fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => {
    const [folder, specifier] = line.split('\t');
    if (!folders.has(folder)) folders.set(folder, prepare(folder));
    return [folder, specifier, folders.get(folder)];
  });
}

function pass(resolve, lines) {
  let resolved = 0;
  const cpu = process.cpuUsage();
  const begin = process.hrtime();
  for (const [folder, specifier, asker] of lines) {
    try {
      if (resolve(folder, specifier, asker)) resolved++;
    } catch {
      // not resolved
    }
  }
  const [seconds, rest] = process.hrtime(begin);
  const {user, system} = process.cpuUsage(cpu);
  const spent = Math.min(seconds * 1e9 + rest, (user + system) * 1e3);
  return {resolved, each: spent / Math.max(lines.length, 1)};
}

function measure(file) {
  const resolve = engine();
  const lines = read(file);
  const first = pass(resolve, lines);
  let warm = Infinity;
  for (let i = 1; i < Number(passes); i++)
    warm = Math.min(warm, pass(resolve, lines).each);
  return {resolved: first.resolved, cold: first.each,
          warm: warm === Infinity ? null : warm};
}

const result = {list: measure(list), failing: measure(failing)};
process.stdout.write(`${JSON.stringify(result)}\n`);

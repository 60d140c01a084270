// SPDX-License-Identifier: MIT
/*
 * resolving.cjs: the workloads of module resolution: require.resolve of n
 * packages in a tree like that of bench/modules.
 *
 * Invariant: every answer is held against the path that it has to be, outside
 * of what is timed. A runtime keeps what it has found for as long as it lives,
 * so nothing here is cold.
 */
'use strict';

const fs = require('fs');
const Module = require('module');
const os = require('os');
const path = require('path');

const DEEP = 'a/b/c/d';
const EXPORTS = {
  '.': './no.js', './features/*.js': './no/*.js',
  './x': {import: './x.mjs', browser: './b.js', node: {require: './x.js'},
          default: './no.js'},
};

function write(root, name, text) {
  const file = path.join(root, name);
  fs.mkdirSync(path.dirname(file), {recursive: true});
  fs.writeFileSync(file, text);
}

function plant(n) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'plumb-tree-'));
  const root = fs.realpathSync(made);
  write(root, 'main.js', '\n');
  write(root, `${DEEP}/deep.js`, '\n');
  for (let i = 0; i < n; i++) {
    const plain = `node_modules/p${i}`;
    const exported = `node_modules/e${i}`;
    write(root, `${plain}/package.json`, JSON.stringify(
      {name: 'p', version: '1.0.0', main: 'lib/index.js'}));
    write(root, `${plain}/lib/index.js`, 'module.exports = 1;\n');
    write(root, `${exported}/package.json`, JSON.stringify(
      {name: 'e', exports: EXPORTS}));
    write(root, `${exported}/x.js`, 'module.exports = 1;\n');
  }
  return root;
}

// Node 12.8 has nothing that removes a folder with what is in it.
function uproot(folder) {
  for (const name of fs.readdirSync(folder)) {
    const place = path.join(folder, name);
    if (fs.lstatSync(place).isDirectory()) uproot(place);
    else fs.unlinkSync(place);
  }
  fs.rmdirSync(folder);
}

// The tree of the workload that runs, and how many packages it has.
let tree = null;

function treeOf(n) {
  if (tree !== null && tree.n !== n) end();
  if (tree === null) tree = {n, root: plant(n)};
  return tree.root;
}

function end() {
  uproot(tree.root);
  tree = null;
}

function resolving(asker, specifier, target) {
  return (n, watch, done) => {
    const root = treeOf(n);
    const ask = Module.createRequire(path.join(root, asker)).resolve;
    const specifiers = Array.from({length: n}, (_, i) => specifier(i));
    const answers = new Array(n);
    watch.start();
    for (let i = 0; i < n; i++) {
      try {
        answers[i] = ask(specifiers[i]);
      } catch (error) {
        answers[i] = error.code;
      }
    }
    const took = watch.stop();
    const right = answers.filter((answer, i) => answer === target(root, i));
    setImmediate(() => done(took, right.length));
  };
}

const main = (root, i) => `${root}/node_modules/p${i}/lib/index.js`;
const packages = {
  param: 'packages', range: [1, 10000], preset: 10, end};

module.exports = typeof Module.createRequire !== 'function' ? {} : {
  'modules/resolve/warm': {
    ...packages, once: resolving('main.js', (i) => `p${i}`, main)},
  'modules/resolve/exports': {
    ...packages, once: resolving('main.js', (i) => `e${i}/x`,
      (root, i) => `${root}/node_modules/e${i}/x.js`)},
  'modules/resolve/deep': {
    ...packages, once: resolving(`${DEEP}/deep.js`, (i) => `p${i}`, main)},
  'modules/resolve/miss': {
    ...packages, once: resolving('main.js', (i) => `missing${i}`,
      () => 'MODULE_NOT_FOUND')},
};

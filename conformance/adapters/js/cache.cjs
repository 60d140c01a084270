// SPDX-License-Identifier: MIT
/*
 * cache.cjs: the operations on the cache of modules, and on what loads a file
 * by its ending.
 *
 * Invariant: what is put here into the runtime's own tables is taken back at
 * the program's end (Modules.undo).
 */
'use strict';

const fs = require('fs');
const Module = require('module');
const {check} = require('./checks.cjs');

const put = (run, {path: name, core, value}) => {
  const key = core ? name : run.modules.at(name);
  const entry = new Module(key);
  entry.filename = key;
  entry.loaded = true;
  entry.exports = value;
  require.cache[key] = entry;
  run.modules.undo.push(() => { delete require.cache[key]; });
};

function operations() {
  return {
    'cache.state': {
      needs: 'modules.cache',
      members: {path: check.text, log: check.text},
      required: ['path', 'log'],
      perform: (run, {path: name, log}) => {
        const found = require.cache[run.modules.at(name)];
        run.record([log, !found ? 'absent'
          : found.loaded ? 'loaded' : 'loading']);
      },
    },
    'cache.files': {
      needs: 'modules.cache',
      members: {log: check.text},
      required: ['log'],
      perform: (run, {log}) => {
        const own = run.modules;
        run.record([log, own.inside(Object.keys(require.cache))]);
      },
    },
    'cache.delete': {
      needs: 'modules.cache',
      value: check.text,
      perform: (run, name) => {
        delete require.cache[run.modules.at(name)];
      },
    },
    'cache.clear': {
      needs: 'modules.cache',
      perform: (run) => {
        const {dir} = run.modules;
        for (const file of Object.keys(require.cache))
          if (file.startsWith(`${dir}/`)) delete require.cache[file];
      },
    },
    'cache.put': {
      needs: 'modules.cache',
      members: {path: check.text, value: check.any,
                core: check.oneOf([true, false])},
      required: ['path'],
      perform: put,
    },
    'cache.exports': {
      needs: 'modules.cache',
      members: {path: check.text, value: check.any},
      required: ['path'],
      perform: (run, {path: name, value}) => {
        const found = run.modules.loaded(name);
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
        run.modules.undo.push(() => { delete require.extensions[suffix]; });
      },
    },
  };
}

module.exports = {operations};

// SPDX-License-Identifier: MIT
/*
 * tree.cjs: the operations that change the case's directory while its program
 * runs.
 *
 * Invariant: a path is one of the case's directory, or was written out whole.
 */
'use strict';

const fs = require('fs');
const path = require('path');
const {check} = require('./checks.cjs');

const link = (run, {path: name, to}) => {
  const place = run.modules.at(name);
  fs.mkdirSync(path.dirname(place), {recursive: true});
  try {
    fs.unlinkSync(place);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  fs.symlinkSync(to.replace(/^\$dir/, run.modules.dir), place);
};

const remove = (place) => {
  if (fs.lstatSync(place).isDirectory()) {
    for (const name of fs.readdirSync(place)) remove(`${place}/${name}`);
    fs.rmdirSync(place);
  } else {
    fs.unlinkSync(place);
  }
};

function operations() {
  return {
    'tree.write': {
      needs: 'modules.tree',
      members: {path: check.text, text: (v) => typeof v === 'string'
        ? null : 'a text'},
      required: ['path', 'text'],
      perform: (run, {path: name, text}) => {
        const place = run.modules.at(name);
        fs.mkdirSync(path.dirname(place), {recursive: true});
        fs.writeFileSync(place, text);
      },
    },
    'tree.remove': {
      needs: 'modules.tree',
      value: check.text,
      perform: (run, name) => remove(run.modules.at(name)),
    },
    'tree.rename': {
      needs: 'modules.tree',
      members: {path: check.text, to: check.text},
      required: ['path', 'to'],
      perform: (run, {path: name, to}) =>
        fs.renameSync(run.modules.at(name), run.modules.at(to)),
    },
    'tree.directory': {
      needs: 'modules.tree',
      value: check.text,
      perform: (run, name) =>
        fs.mkdirSync(run.modules.at(name), {recursive: true}),
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
        fs.linkSync(run.modules.at(to), run.modules.at(name)),
    },
  };
}

module.exports = {operations};

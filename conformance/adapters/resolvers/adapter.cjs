// SPDX-License-Identifier: MIT
/*
 * adapter.cjs: resolvers that are no runtimes, for the cases that only resolve.
 *
 *   node adapter.cjs FILE     FILE: the main file of enhanced-resolve or of
 *                             oxc-resolver, as npm installed it
 *
 * Invariants: a path is told as the resolver gave it, made relative to the
 * case's directory; its errors have no codes of Node's, so their texts are
 * translated by one table (errors.cjs), and a text that is not in it is told as
 * it is. What a program needs beyond resolving is `unsupported`, before
 * anything is run.
 */
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');

const {codeOf} = require('./errors.cjs');
const engines = require('./engines.cjs');

const CAPABILITIES = [
  'modules.resolve', 'modules.exports-field', 'modules.tree',
  'modules.conditions',
];

const isText = (value) => typeof value === 'string' && value !== '';
const isList = (value) => Array.isArray(value) && value.every(isText);
const members = (...names) => (value) =>
  value !== null && typeof value === 'object' &&
  names.every((name) => isText(value[name]));

/* What can be done, and whether an argument is one that can. */
const OPERATIONS = {
  'resolve': {
    accepts: (argument) => isText(argument.log) && argument.id === undefined &&
      typeof argument.specifier === 'string' && argument.paths === undefined &&
      (argument.via === undefined || argument.via === 'require') &&
      (argument.from === undefined || isText(argument.from)) &&
      (argument.conditions === undefined || isList(argument.conditions)),
    perform: (run, argument) => run.resolve(argument),
  },
  'tree.write': {
    accepts: (argument) => members('path')(argument) &&
      typeof argument.text === 'string',
    perform: (run, {path: name, text}) => fs.writeFileSync(run.make(name), text),
  },
  'tree.remove': {
    accepts: isText,
    perform: (run, name) =>
      fs.rmSync(run.at(name), {recursive: true, force: true}),
  },
  'tree.rename': {
    accepts: members('path', 'to'),
    perform: (run, {path: name, to}) =>
      fs.renameSync(run.at(name), run.make(to)),
  },
  'tree.directory': {
    accepts: isText,
    perform: (run, name) => fs.mkdirSync(run.at(name), {recursive: true}),
  },
  'tree.link': {
    accepts: members('path', 'to'),
    perform: (run, {path: name, to}) => {
      const place = run.make(name);
      fs.rmSync(place, {force: true});
      fs.symlinkSync(run.text(to), place);
    },
  },
  'tree.hard-link': {
    accepts: members('path', 'to'),
    perform: (run, {path: name, to}) =>
      fs.linkSync(run.at(to), run.make(name)),
  },
};

/* Why a program is none that resolvers can run; null: it is one. */
function objection(program) {
  if (!Array.isArray(program.main)) return 'a program without main';
  for (const step of program.main) {
    const [name] = Object.keys(step);
    const operation = Object.prototype.hasOwnProperty.call(OPERATIONS, name)
      ? OPERATIONS[name] : undefined;
    if (operation === undefined) return `operation \`${name}\``;
    if (!operation.accepts(step[name])) return `\`${name}\` with more than that`;
  }
  return null;
}

/* One program: its directory, its trace, a resolver of its own. */
class Run {
  constructor(engine, dir) {
    this.dir = fs.realpathSync(dir);
    this.engine = engine;
    this.events = [];
    this.resolvers = new Map();
  }

  at(name) {
    return path.isAbsolute(name) ? name : `${this.dir}/${name}`;
  }

  // The same, with the directories above it made.
  make(name) {
    fs.mkdirSync(path.dirname(this.at(name)), {recursive: true});
    return this.at(name);
  }

  // A text of a program: $dir at its beginning is the case's directory.
  text(text) {
    if (text.includes('$nul')) return text.split('$nul').join('\0');
    return text.replace(/^(\/*)\$dir/, `$1${this.dir}`);
  }

  relative(found) {
    if (found === this.dir) return '.';
    return found.startsWith(`${this.dir}/`)
      ? found.slice(this.dir.length + 1) : found;
  }

  resolve({specifier, from, conditions, log}) {
    const folder = path.dirname(this.at(from === undefined ? 'main.js' : from));
    const key = conditions === undefined ? '' : JSON.stringify(conditions);
    if (!this.resolvers.has(key))
      this.resolvers.set(key, this.engine.make(conditions));
    const answer = this.resolvers.get(key)(folder, this.text(specifier));
    this.events.push([log, answer.path !== undefined
      ? this.relative(answer.path) : `!${codeOf(answer.error)}`]);
  }

  // What was kept of the tree ends when the tree changes.
  perform(main) {
    for (const step of main) {
      const [name] = Object.keys(step);
      if (name !== 'resolve') this.resolvers.clear();
      OPERATIONS[name].perform(this, step[name]);
    }
  }
}

function answer(engine, message) {
  if (message.cmd === 'start')
    return {protocol: 1, implementation: engine.implementation,
            capabilities: CAPABILITIES, traits: []};
  const {seq, program, dir} = message;
  if (message.cmd !== 'run')
    return {seq, error: {message: `unknown command ${message.cmd}`}};
  const why = message.stream ? 'a process of its own' : objection(program);
  if (why !== null) return {seq, unsupported: why};
  try {
    const run = new Run(engine, dir);
    run.perform(program.main);
    return {seq, events: run.events, evidence: {}};
  } catch (error) {
    return {seq, error: {message: String(error && error.message),
                         detail: String(error && error.stack)}};
  }
}

function main() {
  const engine = engines.load(process.argv[2]);
  const lines = readline.createInterface({input: process.stdin});
  lines.on('line', (line) => {
    process.stdout.write(`${JSON.stringify(answer(engine, JSON.parse(line)))}\n`);
  });
}

if (require.main === module) main();
module.exports = {answer, objection};

// SPDX-License-Identifier: MIT
/*
 * lab.cjs: runs one leak in a JavaScript runtime, before or after its cure, and
 * prints what memory does, as main.c does on the reference.
 *
 *   node --expose-gc lab.cjs LEAK leaks|cured [--rounds N] [--turns N]
 *        [--warm N] [--grain BYTES] [--snapshots PREFIX]
 *
 * A round is so many turns of the loop and a full collection. The first `warm`
 * rounds are not judged: a runtime compiles meanwhile. With --snapshots, there
 * is PREFIX-before.heapsnapshot after them and PREFIX-after.heapsnapshot at the
 * end. Lines of JSON on stdout: start, samples, leaks, end.
 *
 * Exit status: 0, or 2 when it could not be run.
 */
'use strict';

const fs = require('fs');
const {Detector} = require('./detector.cjs');
const {Collector, figures, findRuntime, later, snapshot} =
  require('./runtime.cjs');

const LEAKS = ['cache', 'queue', 'closure', 'exports', 'listeners', 'rooms',
               'slices'];
const PER_ROUND = 4; // samples between two collections

function usage(message) {
  fs.writeSync(2, `lab.cjs: ${message}\n`);
  process.exit(2);
}

function readArguments(words) {
  const asked = {leak: words[0], state: words[1], rounds: 10, turns: 200,
                 warm: 6, grain: 16384, snapshots: null};
  if (!LEAKS.includes(asked.leak))
    usage(`a leak is one of ${LEAKS.join(', ')}`);
  if (!['leaks', 'cured'].includes(asked.state)) usage('leaks or cured?');
  for (let at = 2; at < words.length; at += 2) {
    const name = words[at].replace(/^--/, '');
    const value = words[at + 1];
    if (!(name in asked) || name === words[at] || value === undefined)
      usage(`what is ${words[at]}?`);
    asked[name] = name === 'snapshots' ? value : Number(value);
    if (name !== 'snapshots' &&
        !(Number.isInteger(asked[name]) && asked[name] >= 0 &&
          asked[name] <= 1e6))
      usage(`${words[at]} takes a whole number up to 1000000`);
  }
  return asked;
}

function print(line) {
  fs.writeSync(1, `${JSON.stringify(line)}\n`);
}

class Lab {
  constructor(asked) {
    this.asked = asked;
    this.runtime = findRuntime();
    this.collector = new Collector(this.runtime);
    this.memwatch = new Detector(0); // its rule to the letter, on heapUsed
    this.detector = new Detector(asked.grain); // on all that is in use
    this.module = require(`./${asked.leak}.cjs`);
    this.program = this.module.begin(asked.state === 'cured');
    this.begun = Date.now();
    this.n = 0;
    this.round = -asked.warm;
    this.seen = 0;
    this.warned = 0;
    process.on('warning', ({name}) => {
      if (name === 'MaxListenersExceededWarning') this.warned++;
    });
  }

  start() {
    print({kind: 'start', format: 1, leak: this.asked.leak,
           state: this.asked.state, implementation: this.runtime.name,
           version: this.runtime.version, culprit: this.module.culprit,
           rounds: this.asked.rounds, turns: this.asked.turns});
    this.nextRound();
  }

  sample(at) {
    if (this.round < 0) return figures(this.runtime.name);
    const found = figures(this.runtime.name);
    print(Object.assign({kind: 'sample', at, round: this.round, turn: this.n,
                         ms: Date.now() - this.begun,
                         kept: this.program.kept()}, found));
    return found;
  }

  nextRound() {
    if (this.round === 0) {
      this.snapshot('before');
      later(() => this.turn(0));
    } else if (this.round === this.asked.rounds) {
      this.end();
    } else {
      this.turn(0);
    }
  }

  turn(done) {
    if (done === this.asked.turns) {
      this.collector.run((seen) => this.collected(seen));
      return;
    }
    this.program.turn(this.n++);
    const part = Math.ceil(this.asked.turns / PER_ROUND);
    if ((done + 1) % part === 0) this.sample('turn');
    setImmediate(() => this.turn(done + 1));
  }

  collected(seen) {
    const {heapUsed, inUse} = this.sample('collection');
    if (this.round++ >= 0 && seen) {
      this.seen++;
      this.memwatch.collected(heapUsed);
      const leak = this.detector.collected(inUse);
      if (leak !== null)
        print({kind: 'leak', round: this.round - 1, growth: leak.growth});
    }
    this.nextRound();
  }

  snapshot(when) {
    if (this.asked.snapshots !== null)
      snapshot(`${this.asked.snapshots}-${when}.heapsnapshot`);
  }

  end() {
    this.snapshot('after');
    const told = this.program.told ? this.program.told() : {};
    print(Object.assign({
      kind: 'end', verdict: this.detector.verdict, collections: this.seen,
      leaks: this.detector.leaks.length,
      memwatch: this.memwatch.leaks.length, seenBy: this.collector.seenBy,
      kept: this.program.kept(), warned: this.warned}, told));
  }
}

new Lab(readArguments(process.argv.slice(2))).start();

// SPDX-License-Identifier: MIT
/*
 * steps.cjs: performs the steps of a body, which are functions (run, frame);
 * `frame` is what the running callback was given: {result, count}.
 *
 * Invariant: a body runs synchronously in the callback that it stands behind,
 * up to the first operation for which the rest of it has to wait.
 */
'use strict';

const fs = require('fs');

// What an operation returns for which the rest of its body has to wait.
class Later {
  constructor(promise) {
    this.promise = promise;
  }
}

// Performs steps; a promise of the rest, where one has to wait, or undefined.
function execute(run, steps, frame, from = 0) {
  for (let i = from; i < steps.length; i++) {
    const later = steps[i](run, frame);
    if (later instanceof Later)
      return later.promise.then(() => execute(run, steps, frame, i + 1));
  }
  return undefined;
}

/* The function that stands behind one callback: the k-th call runs the k-th
 * body, the last body serves every further call. A call that comes after the
 * program's end (clean-up should have seen to it) is none of the next one's. */
function makeCall(run, bodies, frame) {
  const {module} = frame;
  let count = 0;
  return (result, given) => {
    if (run.over) {
      fs.writeSync(2, `a callback came after the end of program ${run.seq}\n`);
      return;
    }
    count++;
    const body = bodies[Math.min(count, bodies.length) - 1];
    execute(run, body, {result, count, module, given});
  };
}

// Those of bodies under other names: {name: function}.
function callsOf(run, others, frame) {
  const calls = {};
  if (others !== null)
    for (const [name, steps] of others)
      calls[name] = makeCall(run, [steps], frame);
  return calls;
}

module.exports = {Later, callsOf, execute, makeCall};

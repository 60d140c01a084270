// SPDX-License-Identifier: MIT
/*
 * events.cjs: the values of events, of which a program names some by a text
 * that starts with $.
 *
 * Invariant: a value is read when its event is recorded, and reading it makes
 * nothing happen.
 */
'use strict';

// "$hasref:t" -> ["$hasref", "t"]; "$count" -> ["$count"].
function splitValue(text) {
  const colon = text.indexOf(':');
  return colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
}

// Milliseconds of the monotonic clock, which is the loop's clock.
function clock() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

const VALUES = {
  $result: {read: (run, id, frame) => frame.result},
  $count: {read: (run, id, frame) => frame.count},
  $elapsed: {read: (run) => Math.floor(clock()) - run.started},
  $hasref: {
    kinds: ['timeout', 'interval', 'immediate'],
    // What was not made yet keeps nothing alive.
    read: (run, id) => run.objects.has(id) &&
      run.objects.get(id).handle.hasRef(),
  },
};

function eventOf(run, event, frame) {
  if (typeof event === 'string') return event;
  const [label, value] = event;
  if (typeof value !== 'string' || value[0] !== '$') return event;
  const [name, id] = splitValue(value);
  const result = VALUES[name].read(run, id, frame);
  return [label, result === undefined ? null : result];
}

// Records what an operation found, under the label that its `log` gives.
function tell(run, log, value) {
  run.record([log, value === undefined ? null : value]);
}

module.exports = {VALUES, clock, eventOf, splitValue, tell};

// SPDX-License-Identifier: MIT
/*
 * figures.cjs: what a runtime tells of its heap in numbers and in lines, for
 * heap.cjs.
 *
 * Invariant: a figure is the runtime's own, as it gave it or less what it was
 * at the program's beginning (Heap.base).
 */
'use strict';

const v8 = require('v8');
const {check} = require('./checks.cjs');
const {tell} = require('./events.cjs');

/* ---- figures ------------------------------------------------------------- */

const FIGURES = {
  'used': (m) => m.heapUsed,
  'total': (m) => m.heapTotal,
  'external': (m) => m.external,
  'array-buffers': (m) => m.arrayBuffers,
  'rss': (m) => m.rss,
  'zero': () => 0,
  'system': () => require('os').totalmem(),
  'spaces-used': () => sumOfSpaces('space_used_size'),
  'spaces-total': () => sumOfSpaces('space_size'),
};

function sumOfSpaces(field) {
  return v8.getHeapSpaceStatistics().reduce((sum, s) => sum + s[field], 0);
}

/* ---- lines of --trace-gc ------------------------------------------------- */

const TRACED = `
let kept = [];
for (let i = 0; i < 3e5; i++) { kept.push({i}); if (i % 1e5 === 0) kept = []; }
gc();
`;

const TRACE_LINE = /^\[\d+.*? ms: (.*)$/;

const TRACE_PARTS = {
  'has-sizes': /\d+\.\d \(\d+\.\d\) -> \d+\.\d \(\d+\.\d\) MB/,
  'has-pause': /, \d+\.\d+ \/ \d+\.\d+ ms/,
  'has-reason': / ms .*[a-z]{4}/,
  'has-mutator-share': /average mu = [\d.]+, current mu = [\d.]+/,
  'has-pooled': /pooled: /,
};

// Runs a text in a process of this runtime with flags of V8.
function runWithFlags(name, flags, text) {
  const {spawnSync} = require('child_process');
  return name === 'deno'
    ? spawnSync(process.execPath, ['eval', `--v8-flags=${flags}`, text])
    : spawnSync(process.execPath, [...flags, '-e', text]);
}

const LIMIT = `const v8 = require('v8');
console.log(v8.getHeapStatistics().heap_size_limit / 1048576);`;

function limitOf(name, flags) {
  const text = name === 'deno' ? LIMIT.replace(
    `require('v8')`, `(await import('node:v8')).default`) : LIMIT;
  const done = runWithFlags(name, flags, text);
  return done.status === 0 ? Number(done.stdout) : 'refused';
}

function traceLines(name) {
  const done = runWithFlags(name, ['--trace-gc', '--expose-gc'], TRACED);
  return done.stdout.toString().split('\n').map((l) => TRACE_LINE.exec(l))
    .filter((found) => found !== null).map((found) => found[1]);
}

function shownTrace(show, lines) {
  if (show !== 'kinds')
    return lines.length > 0 && lines.every((l) => TRACE_PARTS[show].test(l));
  const kinds = lines.map((l) => /^([A-Za-z-]+)/.exec(l)[1]);
  return [...new Set(kinds)].join(' ');
}

/* ---- the operations ------------------------------------------------------ */

// `runtime` is the name of this one.
function operations(runtime) {
  const flag = check.oneOf([true, false]);

  return {
    'heap.zero': {
      perform: (run) => run.heap.zero(),
    },
    'heap.usage': {
      needs: 'heap.usage',
      members: {figure: check.oneOf(Object.keys(FIGURES)), whole: flag,
                log: check.text},
      required: ['figure', 'log'],
      perform: (run, {figure, whole, log}) => {
        const now = FIGURES[figure](process.memoryUsage());
        tell(run, log, whole ? now : now - FIGURES[figure](run.heap.base));
      },
    },
    'heap.at-most': {
      needs: 'heap.usage',
      members: {figure: check.oneOf(Object.keys(FIGURES)),
                than: check.oneOf(Object.keys(FIGURES)), log: check.text},
      required: ['figure', 'than', 'log'],
      perform: (run, {figure, than, log}) => {
        const usage = process.memoryUsage();
        tell(run, log, FIGURES[figure](usage) <= FIGURES[than](usage));
      },
    },
    'heap.fields': {
      needs: 'heap.fields',
      members: {log: check.text},
      required: ['log'],
      perform: (run, {log}) =>
        tell(run, log, Object.keys(process.memoryUsage()).sort().join(' ')),
    },
    'heap.events': {
      needs: 'heap.events', callback: true,
      members: {show: check.oneOf(['kind'])},
      required: ['show'],
      perform: (run, argument, call) => {
        const {PerformanceObserver, constants} = require('perf_hooks');
        const names = {
          [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
          [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
        };
        const forced = constants.NODE_PERFORMANCE_GC_FLAGS_FORCED;
        const observer = new PerformanceObserver((list) => {
          for (const {detail} of list.getEntries())
            if (detail.flags & forced && !run.over) call(names[detail.kind]);
        });
        observer.observe({entryTypes: ['gc']});
        run.heap.undo.push(() => observer.disconnect());
      },
    },
    'heap.fatal': {
      needs: 'heap.flags', isolating: () => true,
      perform: (run) => {
        // Node 12 leaves a file with a diagnostic report where it stands.
        process.chdir(run.dir);
        for (const kept = [];;) kept.push(new Array(1000).fill({}));
      },
    },
    'heap.limit-of': {
      needs: 'heap.statistics',
      members: {flags: (v) => Array.isArray(v) ? null : 'a list',
                log: check.text},
      required: ['flags', 'log'],
      perform: (run, {flags, log}) =>
        tell(run, log, limitOf(runtime, flags)),
    },
    'heap.statistic': {
      needs: 'heap.statistics',
      members: {name: check.text, unit: check.whole(1, 1 << 30),
                log: check.text},
      required: ['name', 'log'],
      perform: (run, {name, unit = 1, log}) => {
        const found = v8.getHeapStatistics()[name];
        tell(run, log, found === undefined ? null : found / unit);
      },
    },
    'heap.spaces': {
      needs: 'heap.statistics',
      members: {log: check.text},
      required: ['log'],
      perform: (run, {log}) => tell(run, log, v8.getHeapSpaceStatistics()
        .map((s) => s.space_name).join(' ')),
    },
    'heap.trace-lines': {
      needs: 'heap.trace',
      members: {show: check.oneOf(['kinds', ...Object.keys(TRACE_PARTS)]),
                log: check.text},
      required: ['show', 'log'],
      perform: (run, {show, log}) =>
        tell(run, log, shownTrace(show, traceLines(runtime))),
    },
  };
}

module.exports = {operations};

// SPDX-License-Identifier: MIT
/*
 * workloads.cjs: the benchmarks of bench/ that a JavaScript runtime can do,
 * under the same names, for the `bench` command.
 *
 * Invariant: no right answer, no time: a workload counts in its callbacks what
 * was done, and what is not n of n is told as an error. What is timed is what
 * bench/ times: making timers is no part of firing them.
 *
 * A workload is {param, range, once}: once(n, stop) does n items and calls
 * stop(items), timing them with start() and stop(); end() takes away what it
 * keeps between two runs. fits(n): whether it can be done at all for n. pauses:
 * what the collector stops is told, where the runtime tells it.
 */
'use strict';

const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const {PerformanceObserver, performance} = require('perf_hooks');
const allocating = require('./allocating.cjs');
const messaging = require('./messaging.cjs');
const resolving = require('./resolving.cjs');

const SAMPLE_NS = 2e6; // a sample is so many runs that it takes about this long
const STOPPED = 30; // samples of a workload whose pauses are told
const QUEUED = 1000;
const REQUESTS = 256;
const HOPS = 200;
const FILE = 2048;

// The clock of one run: wall time and the CPU time of all threads.
class Watch {
  start() {
    this.cpu = process.cpuUsage();
    this.wall = process.hrtime();
  }

  stop() {
    const [seconds, nanoseconds] = process.hrtime(this.wall);
    const {user, system} = process.cpuUsage(this.cpu);
    return {real: seconds * 1e9 + nanoseconds, cpu: (user + system) * 1e3};
  }
}

// Numbers from 1 to `most`, the same ones in every process (xorshift).
function* draws(most) {
  let state = 2463534242;
  for (;;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield (state >>> 0) % most + 1;
  }
}

const random = draws(300);

function delays(n, equal) {
  return Array.from({length: n}, () => equal ? 50 : random.next().value);
}

function shuffled(items) {
  const order = items.slice();
  for (let i = order.length - 1; i > 0; i--) {
    const other = (random.next().value * 7919 + i) % (i + 1);
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

function spin(ms) {
  const end = process.hrtime();
  for (;;) {
    const [seconds, nanoseconds] = process.hrtime(end);
    if (seconds * 1e3 + nanoseconds / 1e6 >= ms) return;
  }
}

/* ---- timers ------------------------------------------------------------- */

const timers = {param: 'n', range: [1, 1000000], preset: 1000};

// Timers that are armed by `make` and must not fire before they are cleared.
function armed(equal, work) {
  return (n, watch, done) => {
    let fired = 0;
    const wanted = delays(n, equal);
    const handles = new Array(n);
    const make = () => {
      for (let i = 0; i < n; i++)
        handles[i] = setTimeout(() => { fired++; }, 60000 + wanted[i]);
    };
    const took = work(handles, make, watch);
    for (const handle of handles) clearTimeout(handle);
    setImmediate(() => done(took, n - fired));
  };
}

const arm = (handles, make, watch) => {
  watch.start();
  make();
  return watch.stop();
};

const cancel = (handles, make, watch) => {
  make();
  const order = shuffled(handles);
  watch.start();
  for (const handle of order) clearTimeout(handle);
  return watch.stop();
};

const rearm = (handles, make, watch) => {
  make();
  const order = shuffled(handles);
  watch.start();
  for (const handle of order) handle.refresh();
  return watch.stop();
};

function canRefresh() {
  // A short one would wake the loop of the first program that is judged.
  const timer = setTimeout(() => {}, 2 ** 31 - 1);
  clearTimeout(timer);
  return typeof timer === 'object' && typeof timer.refresh === 'function';
}

// All are due when the clock starts, until the last has fired.
function fire(equal) {
  return (n, watch, done) => {
    const most = 20;
    const wanted = delays(n, equal).map((ms) => equal ? most : ms % most + 1);
    let count = 0;
    const due = () => {
      if (++count === n) done(watch.stop(), count);
    };
    for (let i = 0; i < n; i++) setTimeout(due, wanted[i]);
    spin(most + 2);
    watch.start();
  };
}

/* ---- queues ------------------------------------------------------------- */

const queue = {param: null, preset: QUEUED};

function queued(enqueue) {
  return (n, watch, done) => {
    let count = 0;
    const called = () => {
      if (++count === n) done(watch.stop(), count);
    };
    watch.start();
    for (let i = 0; i < n; i++) enqueue(called);
  };
}

function timeoutClear(n, watch, done) {
  let fired = 0;
  const late = () => { fired++; };
  const handles = new Array(n);
  watch.start();
  for (let i = 0; i < n; i++) handles[i] = setTimeout(late, 60000 + i % 64);
  for (let i = 0; i < n; i++) clearTimeout(handles[i]);
  const took = watch.stop();
  setImmediate(() => done(took, n - fired));
}

/* ---- files and streams -------------------------------------------------- */

// REQUESTS requests, `flight` of them at any time.
function inFlight(request) {
  return (flight, watch, done) => {
    let left = REQUESTS;
    let right = 0;
    let back = 0;
    const submit = () => {
      left--;
      request((good) => {
        right += good;
        if (++back === REQUESTS) done(watch.stop(), right);
        else if (left > 0) submit();
      });
    };
    watch.start();
    for (let i = 0; i < flight; i++) submit();
  };
}

const flight = {param: 'flight', range: [1, REQUESTS], preset: 1,
                items: () => REQUESTS};

function readFile() {
  const name = path.join(os.tmpdir(), `plumb-${process.pid}`);
  const bytes = Buffer.alloc(FILE, '.');
  bytes[0] = 97;
  bytes[FILE - 1] = 122;
  const read = inFlight((answer) => fs.readFile(name, (error, got) => answer(
    !error && got.length === FILE && got[0] === 97 && got[FILE - 1] === 122)));
  return (n, watch, done) => {
    fs.writeFileSync(name, bytes);
    read(n, watch, (took, items) => {
      fs.unlinkSync(name);
      done(took, items);
    });
  };
}

// One byte goes to and fro in each of `pairs` pairs of streams.
function pingPong(pairs, watch, done) {
  const name = path.join(os.tmpdir(), `plumb-${process.pid}.sock`);
  const ends = [];
  let hops = 0;
  const hear = (socket, first) => {
    let left = HOPS / 2;
    socket.on('data', () => {
      hops++;
      if (--left > 0 || !first) socket.write('x');
      if (hops < pairs * HOPS) return;
      const took = watch.stop();
      for (const end of ends) end.destroy();
      server.close(() => done(took, hops));
    });
  };
  const server = net.createServer((socket) => {
    ends.push(socket);
    hear(socket, false);
    if (ends.length === 2 * pairs) begin();
  });
  const begin = () => {
    watch.start();
    for (const end of ends) if (end.first) end.write('x');
  };
  server.listen(name, () => {
    for (let i = 0; i < pairs; i++) {
      const socket = net.connect(name);
      socket.first = true;
      hear(socket, true);
      socket.on('connect', () => {
        ends.push(socket);
        if (ends.length === 2 * pairs) begin();
      });
    }
  });
}

const WORKLOADS = {
  ...resolving,
  ...allocating,
  ...messaging,
  'loop/timers/arm': {...timers, once: armed(false, arm)},
  'loop/timers/arm-equal': {...timers, once: armed(true, arm)},
  'loop/timers/cancel': {...timers, once: armed(false, cancel)},
  'loop/timers/cancel-equal': {...timers, once: armed(true, cancel)},
  'loop/timers/fire': {...timers, once: fire(false)},
  'loop/timers/fire-equal': {...timers, once: fire(true)},
  'loop/queues/immediate': {...queue, once: queued((f) => setImmediate(f))},
  'loop/queues/tick': {...queue, once: queued((f) => process.nextTick(f))},
  'loop/queues/microtask': {...queue, once: queued((f) => queueMicrotask(f))},
  'loop/queues/timeout-clear': {...queue, once: timeoutClear},
  'loop/fs/stat': {...flight, once: inFlight(
    (answer) => fs.stat('/', (error) => answer(!error)))},
  'loop/fs/read': {...flight, once: readFile()},
  'loop/stream/ping-pong': {
    param: 'pairs', range: [1, 100], preset: 1,
    items: (pairs) => pairs * HOPS, once: pingPong},
};

if (canRefresh()) {
  WORKLOADS['loop/timers/rearm'] = {...timers, once: armed(false, rearm)};
  WORKLOADS['loop/timers/rearm-equal'] = {...timers, once: armed(true, rearm)};
}

/* ---- pauses -------------------------------------------------------------- */

/* The stops of the collector from begin() to end(), nanoseconds. Node hands
 * them over in a task of its own, some time later. */
class Stops {
  begin() {
    this.list = [];
    this.observer = null;
    try {
      this.observer = new PerformanceObserver((seen) => {
        for (const {startTime, duration} of seen.getEntries())
          this.list.push([startTime * 1e6, duration * 1e6]);
      });
      this.observer.observe({entryTypes: ['gc']});
    } catch (error) {
      this.observer = null; // This runtime tells nothing.
    }
    this.begun = performance.now() * 1e6;
  }

  // Calls tell(pauses), with those of the time since begin().
  end(tell) {
    const span = performance.now() * 1e6 - this.begun;
    if (this.observer === null) {
      tell([]);
      return;
    }
    setTimeout(() => {
      this.observer.disconnect();
      const list = this.list
        .map(([at, length]) => [at - this.begun, length])
        .filter(([at, length]) => at >= 0 && at + length <= span)
        .sort(([one], [other]) => one - other)
        .map(([at, length]) => [Math.floor(at), Math.floor(length)]);
      tell(list.length ? [{clock: 'wall', span: Math.round(span), list}] : []);
    }, 20);
  }
}

/* ---- sampling ----------------------------------------------------------- */

/* Samples a workload until `minimum` milliseconds have passed (five times as many
 * for pauses, which come when they come): the first runs,
 * in which the code is compiled, say how many runs a sample is, and are not
 * told. tell(answer) gets what the command is answered with, but for `seq`;
 * it is called with nothing of the workload's left in the loop. */
function sample(workload, n, minimum, tell) {
  const stops = workload.pauses ? new Stops() : null;
  const finish = (answer) => {
    if (workload.end) workload.end();
    if (stops === null || answer.error) {
      tell(answer);
      return;
    }
    stops.end((pauses) => tell(pauses.length ? {...answer, pauses} : answer));
  };
  const watch = new Watch();
  const items = workload.items ? workload.items(n) : n;
  const answer = {samples_ns: [], samples_cpu_ns: [],
                  items_per_sample: items, counters: {}};
  let begun = Date.now();
  let warm = 0; // runs that are not told
  let runs = 0; // of a sample; 0 while that is not known
  let sum = {real: 0, cpu: 0};
  let done = 0;
  const again = () => setImmediate(once);
  const warmed = (took) => {
    if (++warm < 3) return again();
    if (stops !== null) {
      stops.begin();
      begun = Date.now();
    }
    runs = Math.max(1, Math.round(SAMPLE_NS / Math.max(took.real, 1)));
    answer.items_per_sample = items * runs;
    return again();
  };
  const told = (took) => {
    sum = {real: sum.real + took.real, cpu: sum.cpu + took.cpu};
    if (++done < runs) return again();
    answer.samples_ns.push(sum.real);
    answer.samples_cpu_ns.push(sum.cpu);
    sum = {real: 0, cpu: 0};
    done = 0;
    const few = stops !== null && answer.samples_ns.length < STOPPED;
    const short = Date.now() - begun < (few ? 5 * minimum : minimum);
    return short ? again() : finish(answer);
  };
  const once = () => workload.once(n, watch, (took, right) => {
    if (right !== items)
      finish({error: {message: 'the workload lost a callback', detail: null}});
    else if (runs === 0) warmed(took);
    else told(took);
  });
  again();
}

module.exports = {WORKLOADS, sample};

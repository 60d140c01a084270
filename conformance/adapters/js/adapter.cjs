// SPDX-License-Identifier: MIT
/*
 * adapter.cjs: runs the suite's programs on the JavaScript runtime that runs
 * this file (Node 12 and later, Bun, Deno), by the adapter protocol.
 *
 * Invariant: between the first and the last operation of a program nothing of
 * the adapter is pending in the runtime: no timer, tick, promise or handle of
 * its own. An operation is exactly one call of the runtime, its callback runs
 * the body synchronously; so every order in a trace is the runtime's.
 */
'use strict';

const net = require('net');
const {check, hasOwn, isObject} = require('./checks.cjs');
const {Compiler} = require('./compiler.cjs');
const {output, readLine, write} = require('./lines.cjs');
const roles = require('./roles.cjs');
const {Run} = require('./run.cjs');
const {CAPABILITIES, IMPLEMENTATION, TRAITS} = require('./runtime.cjs');
const {WORKLOADS, sample} = require('./workloads.cjs');

/* ---- benchmarks -----------------------------------------------------------
 * workloads.cjs has them; here a command is checked and answered. */

// The fault of a bench command for a workload, in words, or null.
function benchFault({params, min_time_ms: minimum}, {param, range}) {
  if (params !== undefined && !isObject(params))
    return 'params: must be an object';
  for (const name of Object.keys(params || {})) {
    if (name !== param) return `params: takes no \`${name}\``;
    const wanted = check.whole(...range)(params[name]);
    if (wanted !== null) return `params.${name}: must be ${wanted}`;
  }
  const time = check.whole(0, 600000)(minimum);
  return minimum === undefined || time === null
    ? null : `min_time_ms: must be ${time}`;
}

// Whether a workload can be done for what the command asks.
function fitting({params}, {param, fits, preset}) {
  return fits === undefined ||
    fits(params && hasOwn(params, param) ? params[param] : preset);
}

// Runs a workload; what it gave is told when the loop is idle again.
function measure(command, workload) {
  const {seq, params, min_time_ms: minimum = 500} = command;
  const {param, preset} = workload;
  const n = params && param !== null && hasOwn(params, param)
    ? params[param] : preset;
  let answer = {error: {message: 'the workload lost a callback',
                        detail: null}};
  sample(workload, n, minimum, (told) => { answer = told; });
  atIdle(() => {
    write({seq, ...answer});
    serve();
  });
}

/* ---- the life of the process ---------------------------------------------
 * Commands are read when the loop has nothing left to do: in the main script,
 * and from then on in 'beforeExit'. `whenIdle` is what to do there next. */

let whenIdle = null;

function onBeforeExit() {
  const next = whenIdle;
  whenIdle = serve;
  next();
}

// Calls `next` once the loop has nothing left to do.
function atIdle(next) {
  if (whenIdle === null) process.on('beforeExit', onBeforeExit);
  whenIdle = next;
}

// Gives 'beforeExit' back to the program; it runs in a main script from here.
function leaveIdle() {
  process.removeListener('beforeExit', onBeforeExit);
  whenIdle = null;
}

/* Makes `count` connected sockets over the loopback interface, unref'd and
 * without listeners, and calls done(error, sockets, peers). */
function connectSockets(count, done) {
  const sockets = [];
  const peers = [];
  let connected = 0;
  let ended = false;
  const server = net.createServer({pauseOnConnect: true});
  const settle = (error) => {
    if (ended || (!error && connected + peers.length < 2 * count)) return;
    ended = true;
    server.close();
    for (const socket of sockets.concat(peers)) {
      socket.removeAllListeners('error');
      socket.removeAllListeners('connect');
      socket.unref();
    }
    done(error, sockets, peers);
  };
  server.on('error', settle);
  server.on('connection', (peer) => {
    peers.push(peer);
    settle(null);
  });
  server.listen(0, '127.0.0.1', () => {
    for (let i = 0; i < count; i++) {
      const socket = net.connect(server.address().port, '127.0.0.1');
      sockets.push(socket);
      socket.on('error', settle);
      socket.on('connect', () => {
        connected++;
        settle(null);
      });
    }
  });
}

// Begins the program; its result is told when the loop is idle again.
function start(run) {
  if (run.stream) {
    leaveIdle();
    run.begin();
    return;
  }
  atIdle(() => {
    const answer = run.answer();
    const closing = run.cleanUp();
    write(answer);
    if (closing) setImmediate(() => {});
    else serve();
  });
  setImmediate(() => run.begin());
}

// Connects the program's sockets; it starts when the loop is idle again.
function startWithSockets(run, count) {
  let failure = new Error('the loop ended before they were connected');
  connectSockets(count, (error, sockets, peers) => {
    failure = error;
    run.sockets = sockets;
    run.closing = peers.map((peer) => () => peer.destroy());
  });
  atIdle(() => {
    if (failure === null) return start(run);
    run.cleanUp();
    write({seq: run.seq, error: {
      message: 'no connected sockets', detail: String(failure)}});
    setImmediate(() => {});
  });
}

// Answers a `run` command at once, or starts its program and returns true.
function runProgram(command) {
  const {seq} = command;
  const refuse = (message) => {
    write({seq, error: {message, detail: null}});
    return false;
  };
  if (command.trace !== undefined) output.fd = roles.openTrace(command.trace);
  const compiler = new Compiler().checkAll(command.program);
  if (compiler.unsupported.length > 0) {
    write({seq, unsupported: compiler.unsupported[0]});
    return false;
  }
  if (compiler.faults.length > 0) return refuse(compiler.faults[0].message);
  const stream = command.stream === true;
  if (stream && whenIdle !== null)
    return refuse('a streamed program needs a fresh process');
  if (!stream && compiler.isolating.length > 0) {
    const {at, name} = compiler.isolating[0];
    return refuse(`${at}: \`${name}\` needs \`isolation: process\``);
  }
  const run = new Run(command, compiler);
  if (compiler.sockets > 0) startWithSockets(run, compiler.sockets);
  else start(run);
  return true;
}

const COMMANDS = {
  start: () => {
    write({protocol: 1, implementation: IMPLEMENTATION,
           capabilities: [...CAPABILITIES], traits: TRAITS});
    return false;
  },
  run: runProgram,
  bench: (command) => {
    const {seq, workload} = command;
    if (!hasOwn(WORKLOADS, workload)) {
      write({seq, unsupported: `workload \`${workload}\``});
      return false;
    }
    const fault = benchFault(command, WORKLOADS[workload]);
    if (fault === null && !fitting(command, WORKLOADS[workload])) {
      write({seq, unsupported: `workload \`${workload}\` of that size`});
      return false;
    }
    if (fault === null) return measure(command, WORKLOADS[workload]), true;
    write({seq, error: {message: fault, detail: null}});
    return false;
  },
  stop: () => process.exit(0),
};

// Reads and answers commands until one of them has put work into the loop.
function serve() {
  for (;;) {
    const line = readLine();
    if (line === null) process.exit(0);
    let command = null;
    try {
      command = JSON.parse(line);
    } catch (error) {
      // Told below.
    }
    if (isObject(command) && hasOwn(COMMANDS, command.cmd)) {
      if (COMMANDS[command.cmd](command)) return;
    } else {
      const seq = isObject(command) && command.seq !== undefined
        ? command.seq : null;
      write({seq, error: {message: 'not a command of protocol 1',
                          detail: line.slice(0, 200)}});
    }
  }
}

/* A process that a program has started performs its role; the program was
 * checked before. */
function performRole({trace, role, id}) {
  const command = roles.readRequest(trace);
  output.fd = roles.openTrace(trace);
  output.of = id || role;
  // A worker is one for a program that loads cluster; Node loads it itself.
  if (process.env.NODE_UNIQUE_ID !== undefined) require('cluster');
  if (roles.isPeer(role)) {
    write({seq: command.seq, unsupported: 'another executable as a worker'});
    return;
  }
  const main = command.program.roles[role];
  const compiler = new Compiler().check({main});
  new Run(command, compiler).begin();
}

const self = roles.whoAmI();
if (self === null) serve();
else performRole(self);

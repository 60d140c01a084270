// SPDX-License-Identifier: MIT
/*
 * loop.cjs: the operations of the loop area, with the timers, ticks, signals,
 * sockets and errors of a runtime, for adapter.cjs.
 *
 * Invariant: an operation is one call of the runtime, and its callback runs the
 * body synchronously; so every order in a trace is the runtime's.
 */
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const {DELAYS, check, hasOwn, idOf, isObject} = require('./checks.cjs');
const {clock, eventOf} = require('./events.cjs');

// Keeps the thread busy until `ms` have passed.
function block(ms) {
  const end = clock() + ms;
  while (clock() < end);
}

const soon = typeof queueMicrotask === 'function'
  ? queueMicrotask : (callback) => { Promise.resolve().then(callback); };

const CLEAR = {
  timeout: (handle) => clearTimeout(handle),
  interval: (handle) => clearInterval(handle),
  immediate: (handle) => clearImmediate(handle),
};

const CHAIN = {
  tick: (callback) => process.nextTick(callback),
  microtask: (callback) => soon(callback),
  immediate: (callback) => setImmediate(callback),
  timeout: (callback) => setTimeout(callback, 0),
};

const TIMERS = ['timeout', 'interval'];
const REFABLE = ['timeout', 'interval', 'immediate'];
const SIGNALS = ['SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGWINCH', 'SIGTERM',
                 'SIGCHLD'];

const LISTENERS = {
  'exit': ['exit', (run, code) => code],
  'before-exit': ['beforeExit', (run, code) => code],
  'uncaught': ['uncaughtException', (run, error) => messageOf(error)],
  'rejection': ['unhandledRejection', (run, error) => messageOf(error)],
  // Deno gives the reason first, and then the promise.
  'rejection-handled': ['rejectionHandled', (run, first, second) =>
    run.messages.get(second === undefined ? first : second)],
};

function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

// Not path.join: what the path spells (a//b, a/., a/) goes to the runtime.
function pathIn(folder, name) {
  return path.isAbsolute(name) ? name : `${folder}/${name}`;
}

function setTimer(set, member) {
  return (run, argument, call) => {
    const callback = () => call(null);
    if (!hasOwn(argument, member)) return set(callback);
    const delay = argument[member];
    return set(callback, typeof delay === 'string' ? DELAYS[delay] : delay);
  };
}

const always = () => true;

const OPERATIONS = {
  'log': {
    value: check.event,
    perform: (run, event, call, frame) =>
      run.record(eventOf(run, event, frame)),
  },
  'block': {
    value: check.whole(0, 10000),
    perform: (run, ms) => block(ms),
  },
  'chain': {
    members: {
      of: check.oneOf(Object.keys(CHAIN)),
      length: check.whole(1, 100000),
    },
    required: ['of', 'length'],
    then: true,
    perform: (run, {of, length}, call) => {
      const schedule = CHAIN[of];
      let left = length;
      const link = () => {
        if (--left === 0) call(null);
        else if (!run.over) schedule(link);
      };
      schedule(link);
    },
  },

  'timeout': {
    needs: 'loop.timeout', kind: 'timeout', callback: true,
    members: {after: check.delay},
    perform: setTimer(setTimeout, 'after'),
  },
  'interval': {
    needs: 'loop.timeout', kind: 'interval', callback: true,
    members: {every: check.delay},
    perform: setTimer(setInterval, 'every'),
  },
  'immediate': {
    needs: 'loop.immediate', kind: 'immediate', callback: true,
    perform: (run, argument, call) => setImmediate(() => call(null)),
  },
  'tick': {
    needs: 'loop.tick', callback: true,
    perform: (run, argument, call) => process.nextTick(() => call(null)),
  },
  'microtask': {
    needs: 'loop.microtask', callback: true,
    perform: (run, argument, call) => soon(() => call(null)),
  },
  'clear': {
    value: idOf(...REFABLE),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null) CLEAR[object.kind](object.handle);
    },
  },
  'refresh': {
    needs: 'loop.timeout',
    value: idOf(...TIMERS),
    perform: (run, id) => {
      const object = run.object(id);
      if (object === null) return;
      // Node 12.8 does not wait for a timer refreshed after it fired.
      run.waiting.push(object);
      object.handle.refresh();
    },
  },
  'ref': {
    needs: 'loop.ref',
    value: idOf(...REFABLE),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null) object.handle.ref();
    },
  },
  'unref': {
    needs: 'loop.ref',
    value: idOf(...REFABLE),
    perform: (run, id) => {
      const object = run.object(id);
      if (object === null) return;
      run.waiting.push(object);
      object.handle.unref();
    },
  },
  'fs.stat': {
    needs: 'loop.fs', kind: 'fs.stat', callback: true,
    members: {path: check.text},
    required: ['path'],
    perform: (run, argument, call) =>
      fs.stat(pathIn(run.dir, argument.path),
              (error) => call(error ? error.code : 'ok')),
  },

  'signal': {
    needs: 'loop.signal', kind: 'signal', callback: true,
    members: {signal: check.oneOf(SIGNALS)},
    required: ['signal'],
    perform: (run, {signal}, call) => {
      const listener = run.listen(signal, () => {
        run.delivered++;
        if (!run.over) call(signal);
      });
      return {stop: () => process.removeListener(signal, listener)};
    },
  },
  'stop': {
    needs: 'loop.signal',
    value: idOf('signal'),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null) object.handle.stop();
    },
  },
  'raise': {
    needs: 'loop.signal',
    value: check.oneOf(SIGNALS),
    perform: (run, signal) => {
      run.raised++;
      process.kill(process.pid, signal);
    },
  },

  'socket': {
    needs: 'loop.stream', kind: 'socket', callback: true, socket: true,
    perform: (run, argument, call) => {
      const socket = run.sockets.pop();
      if (socket === undefined) {
        run.fail('a socket operation ran more often than it is written');
        return undefined;
      }
      run.closing.push(() => socket.destroy());
      socket.on('close', () => call(null));
      return socket.ref();
    },
  },
  'socket.destroy': {
    needs: 'loop.stream',
    value: idOf('socket'),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null && object.handle) object.handle.destroy();
    },
  },
  'channel': {
    needs: 'loop.message', kind: 'channel', callback: true,
    perform: (run, argument, call) => {
      const Channel = messageChannel();
      const channel = new Channel();
      run.closing.push(() => channel.port1.close());
      channel.port2.on('message', (value) => call(value));
      return channel;
    },
  },
  'post': {
    needs: 'loop.message',
    members: {to: idOf('channel'), value: check.message},
    required: ['to'],
    perform: (run, {to, value}) => {
      const object = run.object(to);
      if (object !== null)
        object.handle.port1.postMessage(value === undefined ? null : value);
    },
  },
  'channel.close': {
    needs: 'loop.message',
    value: idOf('channel'),
    perform: (run, id) => {
      const object = run.object(id);
      if (object !== null) object.handle.port1.close();
    },
  },

  'throw': {
    needs: 'process.error',
    value: check.text,
    perform: (run, message) => { throw new Error(message); },
  },
  'reject': {
    needs: 'process.error', kind: 'reject',
    members: {message: check.text},
    required: ['message'],
    perform: (run, {message}) => {
      const promise = Promise.reject(new Error(message));
      run.messages.set(promise, message);
      return promise;
    },
  },
  'handle': {
    needs: 'process.error', callback: true,
    members: {of: idOf('reject')},
    required: ['of'],
    perform: (run, {of}, call) => {
      const object = run.object(of);
      if (object !== null)
        object.handle.catch((error) => call(messageOf(error)));
    },
  },
  'listener': {
    needs: 'process.exit', callback: true,
    members: {event: check.oneOf(Object.keys(LISTENERS))},
    required: ['event'],
    isolating: ({event}) => event === 'exit' || event === 'before-exit',
    perform: (run, {event}, call) => {
      const [name, result] = LISTENERS[event];
      run.listen(name, (...given) => call(result(run, ...given)));
    },
  },
  'exit': {
    needs: 'process.exit',
    value: check.status,
    isolating: always,
    perform: (run, status) =>
      isObject(status) ? process.exit() : process.exit(status),
  },
  'exit-code': {
    needs: 'process.exit',
    value: check.whole(0, 255),
    isolating: always,
    perform: (run, status) => { process.exitCode = status; },
  },
};

function messageChannel() {
  try {
    return require('worker_threads').MessageChannel;
  } catch (error) {
    return undefined;
  }
}

/* What this runtime can do of the area, and which legitimate variant it is, by
 * its version. */
function abilities({name, version}, atLeast) {
  const is = (value) => typeof value === 'function';
  // A cleared timer may leave a native one armed, whose firing drains ticks:
  // so this one is not due within the life of any program.
  const timer = setTimeout(() => {}, 2147483647);
  clearTimeout(timer);
  const capabilities = {
    'loop.timeout': is(setTimeout) && is(setInterval) && is(timer.refresh),
    'loop.immediate': typeof setImmediate === 'function',
    'loop.tick': is(process.nextTick),
    'loop.microtask': true,
    'loop.fs': is(fs.stat),
    'loop.ref': is(timer.hasRef) && is(timer.ref) && is(timer.unref),
    'loop.signal': is(process.on) && is(process.kill),
    'loop.stream': is(net.connect) && is(net.createServer),
    'loop.message': is(messageChannel()),
    'process.exit': is(process.exit),
    'process.error': is(process.on),
  };
  const traits = name === 'bun' ? {'immediates-before-timers': true}
    : name === 'deno' ? {'timer-lists': true} : nodeTraits(version, atLeast);
  return {capabilities, traits};
}

function nodeTraits(version, atLeast) {
  const uv = process.versions.uv;
  return {
    'timers-after-poll': atLeast(uv, '1.45.0'),
    'timer-lists': true,
    'zero-timer-next-iteration': atLeast(uv, '1.48.0'),
    'interval-from-callback-end': intervalsFromEnd(version, atLeast),
    'drain-per-phase': !atLeast(version, '11.0.0'),
    'rejections-warn': !atLeast(version, '15.0.0'),
  };
}

// Node 11 to 14.4, but not 12.19 and later 12s (found by running each).
function intervalsFromEnd(version, atLeast) {
  const repaired = atLeast(version, '14.5.0') ||
    (atLeast(version, '12.19.0') && !atLeast(version, '13.0.0'));
  return atLeast(version, '11.0.0') && !repaired;
}

module.exports = {CLEAR, OPERATIONS, abilities, pathIn};

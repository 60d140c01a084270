// SPDX-License-Identifier: MIT
/*
 * ipc.cjs: the operations of channels and of handles, for adapter.cjs.
 *
 * Invariant: a message that arrives is told as the runtime gave it to the
 * listener; of a handle its kind is told, and what can be done with it.
 */
'use strict';

const {check, idOf} = require('./checks.cjs');
const {ADAPTER, describe, isPeer, knownValue, makeValue} =
  require('./roles.cjs');
const child = require('./process.cjs');

const HANDLES = ['server', 'connection', 'udp', 'taken'];

// The kind of what came with a message, in the words of the wire.
function handleKind(handle) {
  if (handle === undefined || handle === null) return 'none';
  const net = require('net');
  if (handle instanceof net.Server) return 'net.Server';
  if (handle instanceof net.Socket) return 'net.Socket';
  const dgram = require('dgram');
  if (handle instanceof dgram.Socket) return 'dgram.Socket';
  const name = handle.constructor ? handle.constructor.name : 'object';
  return name === 'TCP' || name === 'TCPWrap' ? 'net.Native'
    : name === 'UDP' ? 'dgram.Native' : name;
}

const message = (value, handle) =>
  [describe(value), {value, handle, 'handle-kind': handleKind(handle)}];

const failed = (error) => [child.codeOf(error), child.errorParts(error)];
const nothing = () => [null, {}];

const address = (info) => [info.addressType, {
  'address': info.address, 'port': typeof info.port, 'port-number': info.port,
  'type': info.addressType}];

// Of each kind of object: its events, what listeners of them are given.
const EVENTS = {
  spawn: Object.assign({
    'message': ['message', message],
    'internal-message': ['internalMessage', message],
  }, child.CHILD_EVENTS),
  worker: Object.assign({
    'message': ['message', message],
    'online': ['online', nothing],
    'listening': ['listening', address],
  }, child.CHILD_EVENTS),
  server: {
    'listening': ['listening', nothing],
    'close': ['close', nothing],
    'error': ['error', failed],
    'connection': ['connection', (socket) => [null, {handle: socket}]],
  },
  connection: {
    'connect': ['connect', nothing],
    'data': ['data', (data) => [describe(String(data)), {}]],
    'end': ['end', nothing],
    'close': ['close', (hadError) => [hadError, {}]],
    'error': ['error', failed],
  },
  udp: {
    'listening': ['listening', nothing],
    'message': ['message', (data) => [describe(String(data)), {}]],
    'close': ['close', nothing],
    'error': ['error', failed],
  },
};
EVENTS.fork = EVENTS.spawn;
EVENTS.exec = EVENTS.spawn;
EVENTS.taken = Object.assign({}, EVENTS.server, EVENTS.connection, EVENTS.udp);

const FIELDS = {
  spawn: child.CHILD_FIELDS,
  result: child.RESULT_FIELDS,
  server: {
    'listening': (server) => server.listening,
    'address': (server) => addressOf(server),
    'port': (server) => portKind(server),
  },
  connection: {
    'destroyed': (socket) => socket.destroyed,
    'handle': (socket) => child.kindOf(socket._handle),
    'paused': (socket) => socket.isPaused(),
  },
  udp: {'address': (socket) => addressOf(socket)},
  worker: {
    'id': (worker) => worker.id,
    'is-dead': (worker) => worker.isDead(),
    'is-connected': (worker) => worker.isConnected(),
    'exited-after-disconnect': (worker) => worker.exitedAfterDisconnect,
    'pid': (worker) => typeof worker.process.pid,
    'process': (worker) => child.kindOf(worker.process),
  },
};
FIELDS.fork = FIELDS.spawn;
FIELDS.exec = FIELDS.spawn;
FIELDS.taken = Object.assign({}, FIELDS.server, FIELDS.connection);

function addressOf(socket) {
  const found = socket.address();
  return found === null ? null
    : typeof found === 'string' ? 'path' : found.address;
}

function portKind(server) {
  const found = server.address();
  return found === null ? null : found.port > 0 ? 'some' : found.port;
}

// What this process is to the one that started it.
const PARENT = {
  'message': ['message', message],
  'internal-message': ['internalMessage', message],
  'disconnect': ['disconnect', nothing],
};

const PARENT_FIELDS = {
  'connected': () => describe(process.connected),
  'channel': () => child.kindOf(process.channel),
  'send': () => typeof process.send,
  'channel-fd': () => describe(process.env.NODE_CHANNEL_FD),
  'unique-id': () => describe(process.env.NODE_UNIQUE_ID),
  'env': (name) => describe(process.env[name]),
};

// How to reach what an id names: a server, or a worker that listens.
function target(run, found) {
  if (found.kind === 'worker') {
    const info = run.listening.get(found.handle);
    return info.addressType === -1 ? {path: info.address}
      : {port: info.port, host: '127.0.0.1'};
  }
  const place = found.handle.address();
  return typeof place === 'string' ? {path: place}
    : {port: place.port, host: '127.0.0.1'};
}

function listen(run, server, argument) {
  const {port = 0, host, path, exclusive, backlog} = argument;
  const where = {exclusive, backlog};
  if (path !== undefined) where.path = run.path(path);
  else Object.assign(where, {port, host: host === undefined
    ? '127.0.0.1' : host === 'any' ? undefined : host});
  server.listen(where);
}

function operations() {
  const anything = () => null;
  const flag = (v) => typeof v === 'boolean' ? null : 'true or false';
  const value = (v) => knownValue(v) ? null : 'a value of the vocabulary';
  const processes = idOf('spawn', 'fork', 'worker', 'exec');
  const base = child.operations();
  const spawning = base.spawn.members;
  const port = (run, id) => run.object(id).handle.address().port;

  return Object.assign(base, {
    'fork': {
      needs: 'ipc.channel', kind: 'fork',
      members: Object.assign({module: check.text}, spawning),
      perform: (run, argument) => child.attempt(run, argument.log, () => {
        const given = child.options(run, argument);
        const {args = [], module, role} = argument;
        if (role === undefined || !isPeer(role))
          return child.load().fork(
            module === undefined ? ADAPTER : run.path(module), args, given);
        if (given.stdio === undefined)
          given.stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
        return child.load().spawn(run.peer, args, given);
      }),
    },
    'when': {
      needs: 'process.spawn', callback: true,
      members: {of: idOf(...Object.keys(EVENTS)), event: check.text,
                once: flag},
      required: ['of', 'event'],
      perform: (run, {of, event, once}, call) => {
        const found = run.object(of);
        if (found === null || found.handle === null) return;
        const known = EVENTS[found.kind][event];
        if (known === undefined)
          return run.fail(`\`${of}\` has no event \`${event}\``);
        const [name, given] = known;
        found.handle[once ? 'once' : 'on'](name, (...args) => {
          if (name === 'listening' && found.kind === 'worker')
            run.listening.set(found.handle, args[0]);
          call(...given(...args));
        });
      },
    },
    'field': {
      needs: 'process.spawn',
      members: {of: idOf(...Object.keys(FIELDS)), name: check.text,
                log: check.text},
      required: ['of', 'name', 'log'],
      perform: (run, {of, name, log}) => {
        const found = run.object(of);
        if (found === null) return;
        const read = FIELDS[found.kind][name];
        if (read === undefined) run.fail(`\`${of}\` has no field \`${name}\``);
        else run.record([log, describe(read(found.handle))]);
      },
    },
    'parent.on': {
      needs: 'ipc.channel', callback: true, kind: 'listener',
      members: {event: check.oneOf(Object.keys(PARENT)), once: flag},
      required: ['event'],
      perform: (run, {event, once}, call) => {
        const [name, given] = PARENT[event];
        const listener = (...args) => call(...given(...args));
        process[once ? 'once' : 'on'](name, listener);
        return {off: () => process.removeListener(name, listener)};
      },
    },
    'parent.off': {
      needs: 'ipc.channel', value: idOf('listener'),
      perform: (run, id) => {
        const found = run.object(id);
        if (found !== null) found.handle.off();
      },
    },
    'parent.field': {
      needs: 'ipc.channel',
      members: {name: check.oneOf(Object.keys(PARENT_FIELDS)),
                variable: check.text, log: check.text},
      required: ['name', 'log'],
      perform: (run, {name, variable, log}) =>
        run.record([log, PARENT_FIELDS[name](variable)]),
    },
    'channel.ref': {
      needs: 'ipc.channel', members: {of: processes},
      perform: (run, {of}) => {
        const found = of === undefined ? {handle: process} : run.object(of);
        if (found !== null) found.handle.channel.ref();
      },
    },
    'channel.unref': {
      needs: 'ipc.channel', members: {of: processes},
      perform: (run, {of}) => {
        const found = of === undefined ? {handle: process} : run.object(of);
        if (found !== null) found.handle.channel.unref();
      },
    },
    'send': {
      needs: 'ipc.channel', callback: true,
      members: {'to': processes, 'value': value, 'handle': idOf(...HANDLES),
                'keep-open': flag, 'log': check.text,
                'invalid-handle': flag, 'no-value': flag},
      perform: (run, argument, call, frame) => {
        const {to, handle, log, 'keep-open': keepOpen} = argument;
        const found = to === undefined ? {handle: process} : run.object(to);
        if (found === null) return;
        const given = argument['no-value'] ? [] : [makeValue(
          argument.value, frame, (id) => port(run, id))];
        if (handle !== undefined) given.push(run.object(handle).handle);
        if (argument['invalid-handle']) given.push({not: 'a handle'});
        if (keepOpen !== undefined) given.push({keepOpen});
        if (call.wanted) given.push((error) => call(
          error ? child.codeOf(error) : error === null ? null : 'undefined'));
        let result = null;
        try {
          result = found.handle.send(...given);
        } catch (error) {
          if (log === undefined) throw error;
          result = `!${child.codeOf(error)}`;
        }
        if (log !== undefined) run.record([log, describe(result)]);
      },
    },
    'disconnect': {
      needs: 'ipc.channel', members: {of: processes, log: check.text},
      perform: (run, {of, log}) => {
        const found = of === undefined ? {handle: process} : run.object(of);
        if (found === null) return;
        child.attempt(run, log, () => found.handle.disconnect());
      },
    },

    'server': {
      needs: 'ipc.handle', kind: 'server', callback: true,
      members: {'port': check.whole(0, 65535), 'host': check.text,
                'path': check.text, 'exclusive': flag, 'paused': flag,
                'backlog': check.whole(0, 65535), 'http': flag, 'idle': flag},
      perform: (run, argument, call) => {
        const given = (socket) => call(null, {handle: socket});
        const server = argument.http
          ? require('http').createServer((request, response) => {
            response.end('http');
            call(request.url, {});
          })
          : require('net').createServer(
            {pauseOnConnect: argument.paused === true}, given);
        if (!argument.idle) listen(run, server, argument);
        return server;
      },
    },
    'server.listen': {
      needs: 'ipc.handle',
      members: {of: idOf('server'), port: anything, path: check.text,
                exclusive: flag},
      required: ['of'],
      perform: (run, argument) => {
        const found = run.object(argument.of);
        if (found !== null) listen(run, found.handle, argument);
      },
    },
    'server.close': {
      needs: 'ipc.handle', callback: true,
      members: {of: idOf('server', 'taken')}, required: ['of'],
      perform: (run, {of}, call) => {
        const found = run.object(of);
        if (found !== null)
          found.handle.close((error) => call(error ? error.code : 'ok'));
      },
    },
    'take': {
      needs: 'ipc.handle', kind: 'taken', members: {},
      perform: (run, argument, call, frame) => frame.given
        ? frame.given.handle : null,
    },
    'connect': {
      needs: 'ipc.handle', kind: 'connection', callback: true,
      members: {to: idOf('server', 'taken', 'worker'), port: anything,
                path: check.text},
      perform: (run, {to, port: number, path}, call, frame) => {
        const where = to !== undefined ? target(run, run.object(to))
          : path !== undefined ? {path: run.path(path)}
            : {port: number === '$result' ? frame.given.value : number,
               host: '127.0.0.1'};
        const socket = require('net').connect(where);
        let told = false;
        socket.on('connect', () => { told = true; call('ok', {}); });
        socket.on('error', (error) => {
          if (!told) call(error.code, {});
          told = true;
        });
        return socket;
      },
    },
    'write': {
      needs: 'ipc.handle', callback: true,
      members: {of: idOf('connection', 'taken'), text: check.text, end: flag},
      required: ['of', 'text'],
      perform: (run, {of, text, end}, call) => {
        const found = run.object(of);
        if (found === null) return;
        const done = (error) => call(error ? error.code : 'ok');
        found.handle[end ? 'end' : 'write'](text, done);
      },
    },
    'finish': {
      needs: 'ipc.handle', value: idOf('connection', 'taken'),
      perform: (run, id) => {
        const found = run.object(id);
        if (found !== null) found.handle.end();
      },
    },
    'destroy': {
      needs: 'ipc.handle', value: idOf('connection', 'taken'),
      perform: (run, id) => {
        const found = run.object(id);
        if (found !== null) found.handle.destroy();
      },
    },
    'resume': {
      needs: 'ipc.handle', value: idOf('connection', 'taken'),
      perform: (run, id) => {
        const found = run.object(id);
        if (found !== null) found.handle.resume();
      },
    },
    'text': {
      needs: 'ipc.handle', callback: true,
      members: {of: idOf('connection', 'taken')}, required: ['of'],
      perform: (run, {of}, call) => {
        const found = run.object(of);
        if (found === null) return;
        let text = '';
        found.handle.on('data', (part) => { text += part; });
        found.handle.on('end', () => call(describe(text), {}));
        found.handle.resume();
      },
    },
    'udp': {
      needs: 'ipc.dgram', kind: 'udp', callback: true,
      members: {exclusive: flag},
      perform: (run, {exclusive}, call) => {
        const socket = require('dgram').createSocket('udp4');
        socket.on('message', (data) => call(describe(String(data)), {}));
        socket.bind({port: 0, address: '127.0.0.1', exclusive});
        return socket;
      },
    },
    'udp.send': {
      needs: 'ipc.dgram', callback: true,
      members: {to: idOf('udp', 'taken'), from: idOf('udp', 'taken'),
                text: check.text},
      required: ['to', 'from', 'text'],
      perform: (run, {to, from, text}, call) => {
        const found = run.object(to);
        const own = run.object(from);
        if (found !== null && own !== null)
          own.handle.send(text, found.handle.address().port, '127.0.0.1',
                          (error) => call(error ? error.code : 'ok'));
      },
    },
    'udp.close': {
      needs: 'ipc.dgram', value: idOf('udp', 'taken'),
      perform: (run, id) => {
        const found = run.object(id);
        if (found !== null) found.handle.close();
      },
    },
  });
}

// What this runtime can do of the areas process, ipc and cluster.
function abilities({name, version}, atLeast) {
  const node = name === 'node';
  return {
    'process.roles': true,
    'process.spawn': true,
    'process.exec': true,
    'process.sync': true,
    'ipc.channel': true,
    'ipc.advanced': !node || atLeast(version, '13.2.0') ||
      (atLeast(version, '12.16.0') && !atLeast(version, '13.0.0')),
    'ipc.handle': true,
    'ipc.dgram': true,
    'cluster.fork': true,
    'cluster.wire': name !== 'bun',
  };
}

// Its legitimate variants in these areas.
function traits({name, version}, atLeast) {
  const since = (want) => name !== 'node' || atLeast(version, want);
  return {
    'spawn-event': since('15.1.0'),
    'spawn-timeout': since('15.13.0'),
    'messages-are-kept': since('13.0.0'),
    'v8-clone': name === 'node',
  };
}

module.exports = {abilities, traits, message, address, operations};

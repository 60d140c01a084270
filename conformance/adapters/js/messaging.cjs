// SPDX-License-Identifier: MIT
/*
 * messaging.cjs: the workloads of channels: messages to a forked process, one
 * way and to and fro, and handles of which each is acknowledged.
 *
 * Invariant: the other side counts what came and looks at it, and its CPU time
 * is part of what is told; it lives from the first run to end().
 */
'use strict';

const {fork} = require('child_process');
const net = require('net');

const HOPS = 200;
const HANDLES = 100;
const AROUND = '{"text":""}'.length;

const isNode = !process.versions.bun && typeof globalThis.Deno === 'undefined';

function messagesOf(bytes) {
  return bytes === 65536 ? 32 : 512;
}

function textOf(bytes) {
  return {text: 'x'.repeat(bytes - AROUND)};
}

/* ---- the other side ------------------------------------------------------- */

// Tells a run's right messages and its CPU time after the last of them.
function serve() {
  let [wanted, length, echo, right] = [0, 0, false, 0];
  let cpu = process.cpuUsage();
  process.on('message', (message, handle) => {
    if (message.begin !== undefined) {
      ({wanted, length, echo} = message.begin);
      right = 0;
      process.send({ready: true});
      cpu = process.cpuUsage();
      return;
    }
    if (handle) handle.close();
    if (message.text.length === length) right++;
    if (echo) process.send(message);
    if (--wanted > 0) return;
    const {user, system} = process.cpuUsage(cpu);
    process.send({right, cpu: (user + system) * 1e3});
  });
  process.on('disconnect', () => process.exit(0));
}

/* ---- this side ------------------------------------------------------------ */

let child = null;
let server = null;
let hear = null; // what is done with what the child says

function start() {
  if (child !== null) return;
  child = fork(__filename, ['messaging'], {execArgv: []});
  child.on('message', (message) => hear(message));
}

function end() {
  if (child !== null) child.disconnect();
  if (server !== null) server.close();
  child = null;
  server = null;
}

// Begins a run on the other side, then calls go().
function run(wanted, length, echo, watch, go, done, echoed) {
  start();
  hear = (message) => {
    if (message.ready) {
      watch.start();
      go();
    } else if (message.text !== undefined) {
      echoed(message);
    } else {
      const took = watch.stop();
      took.cpu += message.cpu;
      done(took, message.right);
    }
  };
  child.send({begin: {wanted, length, echo}});
}

function oneWay(bytes, watch, done) {
  const message = textOf(bytes);
  const wanted = messagesOf(bytes);
  run(wanted, message.text.length, false, watch, () => {
    for (let i = 0; i < wanted; i++) child.send(message);
  }, done);
}

function pingPong(n, watch, done) {
  const message = textOf(64);
  let left = HOPS / 2;
  run(HOPS / 2, message.text.length, true, watch, () => child.send(message),
      (took, right) => done(took, 2 * right), () => {
        if (--left > 0) child.send(message);
      });
}

function acknowledged(n, watch, done) {
  const message = textOf(64);
  const begin = () => run(HANDLES, message.text.length, false, watch, () => {
    for (let i = 0; i < HANDLES; i++) child.send(message, server);
  }, done);
  if (server !== null) {
    begin();
    return;
  }
  server = net.createServer();
  server.listen(0, '127.0.0.1', begin);
}

if (process.argv[2] === 'messaging') serve();

module.exports = {
  'ipc/messages': {
    param: 'bytes', range: [16, 65536], preset: 64, once: oneWay,
    items: messagesOf, end},
  'ipc/ping-pong': {
    param: null, preset: HOPS, once: pingPong, end},
};

if (isNode) {
  module.exports['ipc/handles/acknowledged'] = {
    param: null, preset: HANDLES, once: acknowledged, end};
}

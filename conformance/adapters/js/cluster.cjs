// SPDX-License-Identifier: MIT
/*
 * cluster.cjs: the operations of the cluster area, for adapter.cjs.
 *
 * Invariant: a worker is the adapter's own file in a role of the program (or a
 * peer, by the path of the executable); cluster itself starts it.
 */
'use strict';

const {check, idOf} = require('./checks.cjs');
const {ADAPTER, describe, environment, isPeer} = require('./roles.cjs');
const {status} = require('./process.cjs');
const {address, message} = require('./ipc.cjs');

const load = () => require('cluster');
const POLICY = {rr: 2, none: 1};

const withWorker = (worker, rest) => Object.assign({
  worker: worker && worker.id, handle: worker}, rest);

// Events of the cluster, and what their listeners are given.
const EVENTS = {
  'setup': () => [null, {}],
  'fork': (worker) => [worker.id, withWorker(worker, {})],
  'online': (worker) => [worker.id, withWorker(worker, {})],
  'listening': (worker, info) =>
    [worker.id, Object.assign(address(info)[1], withWorker(worker, {}))],
  'disconnect': (worker) => [worker.id, withWorker(worker, {})],
  'exit': (worker, code, signal) => [worker.id, withWorker(worker, {
    status: status(code, signal), code, signal,
    voluntary: worker.exitedAfterDisconnect})],
  'message': (worker, value, handle) =>
    [describe(value), withWorker(worker, message(value, handle)[1])],
};

const FIELDS = {
  'is-primary': (cluster) => cluster.isMaster,
  'is-worker': (cluster) => cluster.isWorker,
  'workers': (cluster) => Object.keys(cluster.workers).join(' '),
  'worker': (cluster) => cluster.worker ? cluster.worker.id : 'none',
  'policy': (cluster) =>
    Object.keys(POLICY).find((name) => POLICY[name] ===
      cluster.schedulingPolicy),
  'settings': (cluster) => Object.keys(cluster.settings).sort().join(' '),
};

function operations() {
  const flag = (v) => typeof v === 'boolean' ? null : 'true or false';
  const list = (v) => Array.isArray(v) ? null : 'a list';
  const object = (v) => typeof v === 'object' && v !== null ? null
    : 'an object';
  return {
    'cluster.setup': {
      needs: 'cluster.fork',
      members: {role: check.text, policy: check.oneOf(Object.keys(POLICY)),
                args: list, silent: flag, serialization: check.text},
      perform: (run, {role, policy, args, silent, serialization}) => {
        const cluster = load();
        if (policy !== undefined) cluster.schedulingPolicy = POLICY[policy];
        const given = {exec: ADAPTER};
        if (args !== undefined) given.args = args;
        if (silent !== undefined) given.silent = silent;
        if (serialization !== undefined) given.serialization = serialization;
        if (role !== undefined && isPeer(role)) {
          process.execPath = run.peer;
          given.execArgv = [];
        }
        (cluster.setupPrimary || cluster.setupMaster).call(cluster, given);
      },
    },
    'cluster.fork': {
      needs: 'cluster.fork', kind: 'worker',
      members: {role: check.text, env: object}, required: ['role'],
      perform: (run, argument) => {
        const cluster = load();
        if (!run.clustered && !cluster.settings.exec)
          (cluster.setupPrimary || cluster.setupMaster)
            .call(cluster, {exec: ADAPTER});
        run.clustered = true;
        const worker = cluster.fork(environment(run, Object.assign(
          {'env-only': {}}, argument)));
        worker.on('listening', (info) => run.listening.set(worker, info));
        return worker;
      },
    },
    'cluster.on': {
      needs: 'cluster.fork', callback: true,
      members: {event: check.oneOf(Object.keys(EVENTS)), once: flag},
      required: ['event'],
      perform: (run, {event, once}, call) => {
        load()[once ? 'once' : 'on'](event,
          (...given) => call(...EVENTS[event](...given)));
      },
    },
    'cluster.disconnect': {
      needs: 'cluster.fork', callback: true, members: {},
      perform: (run, argument, call) => load().disconnect(() => call(null)),
    },
    'cluster.field': {
      needs: 'cluster.fork',
      members: {name: check.oneOf(Object.keys(FIELDS)), log: check.text},
      required: ['name', 'log'],
      perform: (run, {name, log}) =>
        run.record([log, describe(FIELDS[name](load()))]),
    },
    'worker.self': {
      needs: 'cluster.fork', kind: 'worker', members: {},
      perform: () => load().worker,
    },
    'worker.disconnect': {
      needs: 'cluster.fork', value: idOf('worker'),
      perform: (run, id) => {
        const found = run.object(id);
        if (found !== null) found.handle.disconnect();
      },
    },
    'worker.kill': {
      needs: 'cluster.fork',
      members: {of: idOf('worker'), signal: check.text}, required: ['of'],
      perform: (run, {of, signal}) => {
        const found = run.object(of);
        if (found !== null) found.handle.kill(signal);
      },
    },
  };
}

module.exports = {operations};

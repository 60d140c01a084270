// SPDX-License-Identifier: MIT
/*
 * roles.cjs: programs of several processes, for adapter.cjs: who this process
 * is, how it starts another one of the program, and values that travel.
 *
 * Invariant: a process of a program learns what it is from PLUMB_TRACE (where
 * events go; the request lies beside it), PLUMB_ROLE and PLUMB_AS (the id that
 * its starter gave it), takes these out of its environment, and gives its own
 * children the same.
 */
'use strict';

const fs = require('fs');

const NAMES = ['PLUMB_TRACE', 'PLUMB_ROLE', 'PLUMB_AS', 'PLUMB_SELF'];
const ADAPTER = `${__dirname}/adapter.cjs`;

// What starts an adapter like this one, as words.
function ownCommand() {
  const {execPath, versions} = process;
  if (versions.deno) return [execPath, 'run', '-A', '--quiet', ADAPTER];
  if (versions.bun) return [execPath, '--no-install', ADAPTER];
  return [execPath, '--no-warnings', ADAPTER];
}

// Who this process is, if it is a child of a program: {trace, role, id}.
function whoAmI() {
  const {PLUMB_TRACE: trace, PLUMB_ROLE: role, PLUMB_AS: id} = process.env;
  for (const name of NAMES) delete process.env[name];
  return trace === undefined || role === undefined ? null : {trace, role, id};
}

// The request that lies beside the trace.
function readRequest(trace) {
  return JSON.parse(fs.readFileSync(`${trace}.json`, 'utf8'));
}

// Opens the trace, which every process of the program writes to.
function openTrace(trace) {
  return fs.openSync(trace, fs.constants.O_WRONLY);
}

const isPeer = (role) => role === 'peer' || /^peer[-0-9]/.test(role);

/* What of its environment a child needs: `own` is what the operation adds (a
 * null takes a variable away), `only` replaces everything. */
function environment(run, {role, id, env = {}, 'env-only': only}) {
  const result = Object.assign({}, only || process.env);
  for (const name of Object.keys(env))
    result[name] = env[name] === null ? undefined : env[name];
  if (role === undefined) return result;
  return Object.assign(result, {
    PLUMB_TRACE: run.trace, PLUMB_ROLE: role, PLUMB_AS: id || role,
    PLUMB_SELF: JSON.stringify(ownCommand()),
  });
}

/* ---- values ---------------------------------------------------------------
 * A value in a program is JSON, in which an object with one key that starts
 * with $ stands for what JSON has not. */

const MAKE = {
  $undefined: () => undefined,
  $nan: () => NaN,
  $infinity: () => Infinity,
  $bigint: (text) => BigInt(text),
  $date: (ms) => new Date(ms),
  $buffer: (text) => Buffer.from(text),
  $bytes: (list) => Uint8Array.from(list),
  $map: (pairs, of) => new Map(pairs.map((p) => p.map(of))),
  $set: (list, of) => new Set(list.map(of)),
  $regexp: (text) => new RegExp(text),
  $error: (text) => new Error(text),
  $function: () => () => {},
  $symbol: () => Symbol('s'),
  $text: (length) => 'x'.repeat(length),
  $json: (value) => ({toJSON: () => value}),
  $cycle: () => {
    const value = {a: 1};
    value.me = value;
    return value;
  },
};

/* The JavaScript value of one in a program; `frame` is the running callback's,
 * for $result, and `port(id)` tells the port of a server, for $port. */
function makeValue(value, frame, port) {
  const of = (part) => makeValue(part, frame, port);
  if (Array.isArray(value)) return value.map(of);
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.keys(value);
  if (names.length === 1 && names[0][0] === '$') {
    const [name] = names;
    if (name === '$result') return frame.given && frame.given.value;
    if (name === '$port') return port(value.$port);
    return MAKE[name](value[name], of);
  }
  const result = {};
  for (const name of names) result[name] = of(value[name]);
  return result;
}

// Whether every $name of a value is known.
function knownValue(value) {
  if (Array.isArray(value)) return value.every(knownValue);
  if (typeof value !== 'object' || value === null) return true;
  return Object.keys(value).every((name) => (name[0] !== '$' ||
    name in MAKE || name === '$result' || name === '$port') &&
    knownValue(value[name]));
}

const LONGEST = 300;

// A value as one scalar: what JSON has not is written as a call of its kind.
function describe(value) {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'string') return shorten(value);
  return shorten(written(value, []));
}

function shorten(text) {
  return text.length <= LONGEST ? text : `text(${text.length})`;
}

function written(value, above) {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (above.includes(value)) return '^';
  const inner = (part) => written(part, [...above, value]);
  if (Array.isArray(value)) return `[${value.map(inner).join(',')}]`;
  if (Buffer.isBuffer(value)) return `Buffer(${value.toString('hex')})`;
  if (ArrayBuffer.isView(value))
    return `${value.constructor.name}(${Array.from(value).join(',')})`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof RegExp) return `RegExp(${value.source})`;
  if (value instanceof Error) return `Error(${value.message})`;
  if (value instanceof Set) return `Set(${[...value].map(inner).join(',')})`;
  if (value instanceof Map)
    return `Map(${[...value].map((p) => p.map(inner).join('=>')).join(',')})`;
  const parts = Object.keys(value).map(
    (name) => `${JSON.stringify(name)}:${inner(value[name])}`);
  return `{${parts.join(',')}}`;
}

module.exports = {
  ADAPTER, describe, environment, isPeer, knownValue, makeValue, openTrace,
  ownCommand, readRequest, whoAmI,
};

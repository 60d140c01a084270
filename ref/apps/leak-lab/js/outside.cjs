// SPDX-License-Identifier: MIT
/*
 * outside.cjs: the same requests over a Map in this process, or over a Redis
 * server, and how long full collections stop the program, as outside.c does it
 * on the reference.
 *
 *   node --expose-gc outside.cjs process|redis [--socket PATH] [--port N]
 *        [--entries N] [--bytes N] [--requests N]
 *
 * One line of JSON; times are nanoseconds. Exit status 2: it was not possible.
 */
'use strict';

const fs = require('fs');
const {figures, findCollect, findRuntime, later} = require('./runtime.cjs');
const {Redis} = require('./resp.cjs');
const {text} = require('./text.cjs');

const COLLECTIONS = 10;
const PIPELINE = 1000;
const ANSWER = 1024;

function fail(message) {
  fs.writeSync(2, `outside.cjs: ${message}\n`);
  process.exit(2);
}

function readArguments([where, ...words]) {
  const asked = {where, socket: null, port: 6379, entries: 10000, bytes: 200,
                 requests: 20000};
  if (where !== 'process' && where !== 'redis') fail('process or redis?');
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at].replace(/^--/, '');
    const value = name === 'socket' ? words[at + 1] : Number(words[at + 1]);
    if (name === 'where' || !(name in asked) || value === undefined ||
        (name !== 'socket' && !(Number.isInteger(value) && value > 0)))
      fail(`not understood: ${words[at]}`);
    asked[name] = value;
  }
  return asked;
}

const now = () => Number(process.hrtime.bigint());

function times(list) {
  const sorted = list.slice().sort((a, b) => a - b);
  const at = (q) => sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)];
  return {count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1)};
}

class InProcess {
  async fill(count, bytes) {
    this.pages = new Map();
    for (let n = 0; n < count; n++) this.pages.set(n, text(bytes, n));
  }

  get(n) {
    return this.pages.get(n);
  }

  async used() {
    return 0;
  }

  end() {}
}

class Outside {
  constructor({socket, port}) {
    this.redis = new Redis(socket === null ? port : socket);
  }

  async fill(count, bytes) {
    for (let n = 0; n < count;) {
      const replies = [];
      for (; n < count && replies.length < PIPELINE; n++)
        replies.push(this.redis.send('SET', `page:${n}`, text(bytes, n)));
      await Promise.all(replies);
    }
  }

  get(n) {
    return this.redis.send('GET', `page:${n}`);
  }

  async used() {
    const said = await this.redis.send('INFO', 'memory');
    return Number(/used_memory:(\d+)/.exec(said)[1]);
  }

  end() {
    this.redis.end();
  }
}

// A task of its own, with no frame below it that keeps anything.
function collect(collectNow, stops) {
  return new Promise((resolve) => later(() => {
    const begun = now();
    collectNow();
    stops.push(now() - begun);
    resolve();
  }));
}

async function serve(asked, cache, collectNow) {
  const stops = [];
  const gets = [];
  const part = Math.ceil(asked.requests / COLLECTIONS);
  let random = 88172645;
  let answer;
  await collect(collectNow, []);
  for (let i = 1; i <= asked.requests; i++) {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    const n = random % asked.entries;
    const begun = now();
    const found = cache.get(n);
    const page = typeof found === 'string' ? found : await found;
    gets.push(now() - begun);
    if (typeof page !== 'string' || page.length !== asked.bytes ||
        page.charCodeAt(0) !== 97 + n % 26) fail(`page ${n} is wrong`);
    answer = text(ANSWER, n);
    if (i % part === 0) await collect(collectNow, stops);
  }
  return {stops: times(stops), gets: times(gets), last: answer.length};
}

async function main() {
  const asked = readArguments(process.argv.slice(2));
  const runtime = findRuntime();
  const cache = asked.where === 'process' ? new InProcess()
    : new Outside(asked);
  await cache.fill(asked.entries, asked.bytes);
  const {stops, gets} = await serve(asked, cache, findCollect(runtime.name));
  const {rss, heapUsed} = figures(runtime.name);
  fs.writeSync(1, `${JSON.stringify({
    kind: 'outside', format: 1, implementation: runtime.name,
    version: runtime.version, where: asked.where, entries: asked.entries,
    bytes: asked.bytes, requests: asked.requests, stops, gets, rss, heapUsed,
    serverUsed: await cache.used()})}\n`);
  cache.end();
}

main().catch((error) => fail(error.message));

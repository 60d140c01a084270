// SPDX-License-Identifier: MIT
/*
 * resp.cjs: as much of Redis's protocol as a cache needs: commands in an array
 * of texts, one reply each, in their order.
 *
 * Invariant: every command that was sent gets its reply or an error; when the
 * connection ends, all that wait get one.
 */
'use strict';

const net = require('net');

const END = '\r\n';

function encode(words) {
  const parts = [`*${words.length}${END}`];
  for (const word of words)
    parts.push(`$${Buffer.byteLength(word)}${END}${word}${END}`);
  return parts.join('');
}

class Redis {
  // where: a path of a socket, or a port of 127.0.0.1.
  constructor(where) {
    this.waiting = [];
    this.rest = Buffer.alloc(0);
    this.socket = typeof where === 'string' ? net.connect({path: where})
      : net.connect({port: where, host: '127.0.0.1'});
    this.socket.on('data', (bytes) => this.received(bytes));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('redis is gone')));
  }

  send(...words) {
    return new Promise((resolve, reject) => {
      if (this.failed) {
        reject(this.failed);
        return;
      }
      this.waiting.push({resolve, reject});
      this.socket.write(encode(words));
    });
  }

  fail(error) {
    this.failed = this.failed || error;
    for (const {reject} of this.waiting.splice(0)) reject(this.failed);
  }

  received(bytes) {
    this.rest = this.rest.length === 0 ? bytes
      : Buffer.concat([this.rest, bytes]);
    let at = 0;
    for (let used = this.reply(at); used > 0; used = this.reply(at)) at += used;
    this.rest = this.rest.slice(at);
  }

  // Takes one reply, and gives its length; 0: it has not come whole yet.
  reply(at) {
    const end = this.rest.indexOf(END, at);
    if (end < 0) return 0;
    const kind = String.fromCharCode(this.rest[at]);
    const line = this.rest.latin1Slice(at + 1, end);
    const next = end + END.length;
    if (kind !== '$') {
      const {resolve, reject} = this.waiting.shift();
      if (kind === '-') reject(new Error(line));
      else resolve(line);
      return next - at;
    }
    const length = Number(line);
    if (length < 0) {
      this.waiting.shift().resolve(null);
      return next - at;
    }
    if (this.rest.length < next + length + END.length) return 0;
    this.waiting.shift().resolve(this.rest.latin1Slice(next, next + length));
    return next + length + END.length - at;
  }

  end() {
    this.failed = this.failed || new Error('it was ended');
    this.socket.destroy();
  }
}

module.exports = {Redis};

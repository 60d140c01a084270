// SPDX-License-Identifier: MIT
/*
 * lines.cjs: lines in and out, by blocking reads of fd 0 and complete writes.
 *
 * Invariant: process.stdin and process.stdout are never touched: they would
 * bring handles of their own.
 */
'use strict';

const fs = require('fs');

const sleeper = new Int32Array(new SharedArrayBuffer(4));

// Blocks the thread for `ms` without any callback.
function nap(ms) {
  Atomics.wait(sleeper, 0, 0, ms);
}

const input = {chunk: Buffer.alloc(1 << 16), parts: [], lines: [], over: false};

// Bytes read into input.chunk; 0 at the end of the input.
function readChunk() {
  for (;;) {
    try {
      return fs.readSync(0, input.chunk, 0, input.chunk.length, null);
    } catch (error) {
      if (error.code === 'EAGAIN') nap(0.2);
      else if (error.code === 'EOF' || error.code === 'ECONNRESET') return 0;
      else if (error.code !== 'EINTR') throw error;
    }
  }
}

// The next line without its newline; null at the end of the input.
function readLine() {
  while (input.lines.length === 0 && !input.over) {
    const length = readChunk();
    input.over = length === 0;
    let from = 0;
    for (let end; (end = input.chunk.indexOf(10, from)) >= 0 && end < length;) {
      input.parts.push(Buffer.from(input.chunk.subarray(from, end)));
      input.lines.push(Buffer.concat(input.parts).toString());
      input.parts = [];
      from = end + 1;
    }
    if (from < length)
      input.parts.push(Buffer.from(input.chunk.subarray(from, length)));
    if (input.over && input.parts.length > 0) {
      input.lines.push(Buffer.concat(input.parts).toString());
      input.parts = [];
    }
  }
  return input.lines.length > 0 ? input.lines.shift() : null;
}

/* Where answers go: stdout, or the trace that all processes of a program share,
 * to which each says with `of` who it is. */
const output = {fd: 1, of: undefined};

/* Writes one message, whole, before it returns; in pieces of PIPE_BUF, which a
 * non-blocking pipe takes whole or not at all: Deno's writeSync does not tell
 * how much of a larger piece it wrote before EAGAIN. */
function write(message) {
  const said = output.of === undefined ? message
    : Object.assign({of: output.of}, message);
  const bytes = Buffer.from(JSON.stringify(said) + '\n');
  for (let done = 0; done < bytes.length;) {
    try {
      done += fs.writeSync(output.fd, bytes, done,
                           Math.min(4096, bytes.length - done));
    } catch (error) {
      if (error.code === 'EAGAIN') nap(0.2);
      // Nobody listens any more, and a throw might meet a program's listener.
      else if (error.code !== 'EINTR') process.reallyExit(1);
    }
  }
}

module.exports = {output, readLine, write};

// SPDX-License-Identifier: MIT
// A parent of the reference: node parent.cjs MODE PEER
'use strict';
const assert = require('assert');
const dgram = require('dgram');
const net = require('net');
const { fork } = require('child_process');

const [mode, peer] = process.argv.slice(2);
const sample = {
  array: [0, -1, 1.5, 1e21, 5e-324, 2147483648, null, true],
  text: 'a\n"\\é€😀',
  empty: {},
};
if (mode === 'advanced') {
  sample.map = new Map([['k', sample]]);
  sample.set = new Set([-123456789012345n]);
  sample.date = new Date(86400000);
  sample.none = undefined;
  sample.buffer = Buffer.from([0, 255]);
}
const child = fork('child', [], { execPath: peer, execArgv: [],
  serialization: mode });
const read = (socket, then) => {
  let text = '';
  socket.on('data', (data) => { text += data; });
  socket.on('end', () => then(text));
};
let port;
let client;
const steps = {
  'ready': () => child.send({ op: 'echo', value: sample }),
  'server ok': () => read(net.connect(port, '127.0.0.1'), (text) => {
    assert.strictEqual(text, 'from child');
    console.log('server');
    const server = net.createServer((socket) => {
      server.close();
      child.send('socket', socket);
    }).listen(0, '127.0.0.1', () => {
      client = net.connect(server.address().port, '127.0.0.1');
      read(client, (said) => {
        assert.strictEqual(said, 'hello');
        console.log('socket');
        const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => {
          port = socket.address().port;
          child.send('udp', socket, () => socket.close());
        });
      });
    });
  }),
  'socket ok': () => {},
  'udp ok': () => {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (data) => {
      assert.strictEqual(String(data), 'udp:hi');
      console.log('udp');
      socket.close();
      child.send('give');
    });
    socket.send('hi', port, '127.0.0.1');
  },
  'given': (handle) => {
    handle.on('connection', (socket) => socket.end('by parent'));
    read(net.connect(handle.address().port, '127.0.0.1'), (text) => {
      assert.strictEqual(text, 'by parent');
      console.log('given');
      handle.close();
      child.send('leave');
    });
  },
};
child.on('message', (message, handle) => {
  if (message.echo === undefined) {
    steps[message](handle);
    return;
  }
  assert.deepStrictEqual(message.echo, sample);
  console.log('echo');
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    port = server.address().port;
    child.send('server', server, () => server.close());
  });
});
child.on('disconnect', () => console.log('ended'));
child.on('exit', (code, signal) => {
  assert.strictEqual(code, 0, `exit ${code} ${signal}`);
  console.log('exit');
});

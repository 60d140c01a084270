// SPDX-License-Identifier: MIT
// A child of the reference: echoes, serves what it is given, gives a server.
'use strict';
const net = require('net');

process.on('message', (message, handle) => {
  if (message && message.op === 'echo') {
    process.send({ echo: message.value });
  } else if (message === 'server') {
    handle.on('connection', (socket) => {
      socket.end('from child');
      handle.close();
    });
    process.send('server ok');
  } else if (message === 'socket') {
    handle.end('hello');
    process.send('socket ok');
  } else if (message === 'udp') {
    handle.on('message', (data, from) => {
      handle.send('udp:' + data, from.port, from.address, () => handle.close());
    });
    process.send('udp ok');
  } else if (message === 'give') {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      process.send('given', server, () => server.close());
    });
  } else if (message === 'leave') {
    process.disconnect();
  }
});
process.send('ready');

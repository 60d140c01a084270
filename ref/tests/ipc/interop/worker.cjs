// SPDX-License-Identifier: MIT
// A worker of the reference: answers each connection with its id.
'use strict';
const cluster = require('cluster');
const net = require('net');

const server = net.createServer((socket) => {
  socket.end(String(cluster.worker.id));
});
server.listen(0, '127.0.0.1');

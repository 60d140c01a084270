// SPDX-License-Identifier: MIT
// The same workloads on a JavaScript runtime:
//   ipc.cjs json-oneway|json-pingpong|fd-acked COUNT   operations a second
//   ipc.cjs serve rr|shared WORKERS                    "listening PORT"
'use strict';
const cluster = require('cluster');
const net = require('net');
const { fork } = require('child_process');

const [workload, count, workers] = process.argv.slice(2);
const total = Number(count);

function child() {
  let got = 0;
  const serve = {
    'json-oneway': (message) => {
      if (message.n !== got) process.exit(1);
      got += 1;
      if (got === total) process.send('done');
    },
    'json-pingpong': (message) => process.send(message),
    'fd-acked': (message, handle) => {
      handle.close();
      got += 1;
      if (got === total) process.send('done');
    },
  }[workload];
  process.on('message', serve);
  process.send('ready');
}

function parent() {
  const peer = fork(__filename, [workload, count, 'child']);
  let begin;
  const end = () => {
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    console.log(Math.round(total / seconds));
    peer.disconnect();
  };
  let sent = 0;
  const sendMany = () => {
    for (; sent < total; sent++) {
      if (!peer.send({ n: sent }) && sent % 64 === 0) {
        sent += 1;
        peer.send({ n: sent }, sendMany);
        sent += 1;
        return;
      }
    }
  };
  const server = net.createServer();
  peer.on('message', (message) => {
    if (message === 'ready') {
      begin = process.hrtime.bigint();
      if (workload === 'json-oneway') {
        sendMany();
      } else if (workload === 'json-pingpong') {
        peer.send({ n: 0 });
      } else {
        server.listen(0, '127.0.0.1', () => {
          const next = () => {
            sent += 1;
            if (sent < total) peer.send('hi', server, next);
          };
          peer.send('hi', server, next);
        });
      }
    } else if (message === 'done') {
      server.close();
      end();
    } else if (message.n + 1 < total) {
      peer.send({ n: message.n + 1 });
    } else {
      end();
    }
  });
}

function serve() {
  if (cluster.isMaster) {
    cluster.schedulingPolicy =
      count === 'shared' ? cluster.SCHED_NONE : cluster.SCHED_RR;
    let listening = 0;
    cluster.on('listening', (worker, address) => {
      listening += 1;
      if (listening === Number(workers)) {
        console.log(`listening ${address.port}`);
      }
    });
    for (let i = 0; i < Number(workers); i++) cluster.fork();
    process.stdin.on('data', () => {});
    process.stdin.on('end', () => process.exit(0));
  } else {
    net.createServer((socket) => {
      socket.on('error', () => {});
      socket.end('x');
    }).listen(0, '127.0.0.1');
  }
}

if (workload === 'serve') serve();
else if (workers === 'child') child();
else parent();

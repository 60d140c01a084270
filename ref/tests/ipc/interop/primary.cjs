// SPDX-License-Identifier: MIT
// A primary of the reference: node primary.cjs rr|none COUNT PEER
'use strict';
const cluster = require('cluster');

const [policy, count, peer] = process.argv.slice(2);
cluster.schedulingPolicy =
  policy === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR;
// There is no setting for it: fork() falls back to this.
process.execPath = peer;
(cluster.setupPrimary || cluster.setupMaster)({ exec: 'worker',
  args: ['0', process.versions.bun ? 'bun' : 'node'],
  execArgv: [] });
let listening = 0;
cluster.on('listening', (worker, address) => {
  listening += 1;
  if (listening === Number(count)) console.log(`listening ${address.port}`);
});
cluster.on('exit', (worker, code, signal) => {
  console.log(`exited ${worker.id} ${code === null ? -1 : code} ` +
    `${signal === null ? 0 : 9} ${Number(worker.exitedAfterDisconnect)}`);
});
for (let i = 0; i < Number(count); i++) cluster.fork();
process.stdin.on('data', (data) => {
  cluster.workers[String(data).split(' ')[1].trim()].process.kill('SIGKILL');
});
process.stdin.on('end', () => cluster.disconnect());

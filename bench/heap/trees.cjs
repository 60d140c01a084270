// SPDX-License-Identifier: MIT
// The trees of trees.c in JavaScript: nodes of two references and two small
// integers, 56 bytes in V8 with pointers of 8. Prints `trees/total MS ms`,
// elapsed time: a runtime collects on threads of its own.
'use strict';

class Node {
  constructor(left, right) {
    this.left = left;
    this.right = right;
    this.i = 0;
    this.j = 0;
  }
}

function populate(depth, node) {
  if (depth === 0) return;
  node.left = new Node(null, null);
  node.right = new Node(null, null);
  populate(depth - 1, node.left);
  populate(depth - 1, node.right);
}

function make(depth) {
  if (depth === 0) return new Node(null, null);
  return new Node(make(depth - 1), make(depth - 1));
}

const start = process.hrtime.bigint();
const cpu = process.cpuUsage();
let sum = make(18).left !== null ? 1 : 0;
const lived = new Node(null, null);
populate(16, lived);
const array = new Float64Array(500000);
for (let depth = 4; depth <= 16; depth += 2) {
  const times = Math.trunc(2 * (2 ** 19 - 1) / (2 ** (depth + 1) - 1));
  for (let i = 0; i < times; i++) populate(depth, new Node(null, null));
  for (let i = 0; i < times; i++) sum += make(depth).left !== null ? 1 : 0;
}
if (lived.left === null || array.length !== 500000 || sum === 0)
  throw new Error('a tree is missing');
const used = process.cpuUsage(cpu);
console.log(`trees/elapsed ${Number(process.hrtime.bigint() - start) / 1e6} ms`);
console.log(`trees/total ${(used.user + used.system) / 1e3} ms`);

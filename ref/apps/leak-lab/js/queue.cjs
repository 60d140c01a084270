// SPDX-License-Identifier: MIT
/*
 * queue: three jobs come in each turn and one is done.
 *
 * Cure: a queue has a bound, and a job a time by which it must have begun. What
 * finds no room is refused at once; what has waited too long is given up.
 */
'use strict';

const {text} = require('./text.cjs');

class Job {
  constructor(n, turn) {
    this.n = n;
    this.since = turn;
    this.body = text(512, n);
  }
}

class Queue {
  constructor() {
    this.jobs = [];
    this.refused = 0;
    this.late = 0;
  }

  push(job) {
    this.jobs.push(job);
    return true;
  }

  take() {
    return this.jobs.shift();
  }
}

class BoundedQueue extends Queue {
  constructor(most, patience) {
    super();
    this.most = most;
    this.patience = patience; // turns
  }

  push(job) {
    if (this.jobs.length < this.most) return super.push(job);
    this.refused++;
    return false;
  }

  take(turn) {
    let job = super.take();
    while (job !== undefined && turn - job.since > this.patience) {
      this.late++;
      job = super.take();
    }
    return job;
  }
}

function begin(cured) {
  const queue = cured ? new BoundedQueue(100, 50) : new Queue();
  let done = 0;
  return {
    turn(n) {
      for (let i = 0; i < 3; i++) queue.push(new Job(3 * n + i, n));
      if (queue.take(n) !== undefined) done++;
    },
    kept: () => queue.jobs.length,
    told: () => ({done, refused: queue.refused, late: queue.late}),
  };
}

module.exports = {culprit: 'Job', begin};

// SPDX-License-Identifier: MIT
/*
 * detector.cjs: node-memwatch's rule of leaks, HEAP-LEAK-1 to -8: five full
 * collections in a row after each of which more is in use than after the one
 * before.
 *
 * A grain may be given, in bytes: growth of less is none. Without one the rule
 * is memwatch's to the letter, and then it also takes for a leak what a runtime
 * compiles and learns while a program that keeps nothing runs on.
 *
 * Invariant: it knows what it was told, and asks no runtime anything.
 */
'use strict';

const ROW = 5;

class Detector {
  constructor(grain) {
    this.grain = grain;
    this.collections = 0;
    this.last = 0; // so the first collection counts as growth
    this.growing = 0;
    this.from = 0;
    this.leaks = [];
  }

  /* A full collection left `used` bytes. Gives the leak that it completes, or
   * null. */
  collected(used) {
    this.collections++;
    if (used <= this.last || used - this.last < this.grain) {
      this.growing = 0;
    } else if (this.growing++ === 0) {
      this.from = this.last === 0 ? used : this.last;
    }
    this.last = used;
    if (this.growing < ROW) return null;
    this.growing = 0;
    const leak = {collection: this.collections, growth: used - this.from};
    this.leaks.push(leak);
    return leak;
  }

  // Fewer collections than make a row prove nothing.
  get verdict() {
    if (this.leaks.length > 0) return 'leak';
    return this.collections < ROW ? 'inconclusive' : 'steady';
  }
}

module.exports = {Detector, ROW};

// SPDX-License-Identifier: MIT
/*
 * exports: a module with an array at its top, and a function to add to it. The
 * cache of modules keeps the module, the module the array.
 *
 * Cure: the module offers to take away what it has, and that is called.
 */
'use strict';

const {text} = require('./text.cjs');
const results = require('./results.cjs');

class Result {
  constructor(n) {
    this.n = n;
    this.text = text(1024, n);
  }
}

function begin(cured) {
  let read = 0;
  return {
    turn(n) {
      results.add(new Result(n));
      if (cured && results.count() === 50) read += results.take().length;
    },
    kept: () => results.count(),
    told: () => ({read}),
  };
}

module.exports = {culprit: 'Result', begin};
